"""`tsgap show`: formats, filters and exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.hand_made import CELLS, COMPARED, PLAN, off_by, offered, row, written
from tsgap.cli import run as tsgap
from tsgap.plugins import Registered
from tsgap.protocols import MetricSpec


@pytest.fixture
def folder(tmp_path: Path) -> str:
    rows = [*COMPARED, *(row(arm, f"g{arm}", forecaster="g", source="t") for arm in ("real", "synthetic"))]
    cells = {**CELLS, "greal": off_by(1.0), "gsynthetic": off_by(3.0)}
    groups = {"region": ["x", "x", "y", "y"]}
    written(tmp_path / "run", rows, cells, sources={"s": "gen:copy", "t": "gen:copy"}, groups=groups)
    return str(tmp_path / "run")


def test_a_table_is_shown_by_default(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tsgap(["show", folder]) == 0
    out = capsys.readouterr().out
    assert "s: MASE" in out
    assert "t: MASE" in out


def test_only_what_is_asked_for_is_shown(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["--metric", "mae, rmse", "--source", "t", "-f", "g", "--data", "d", "--by", "lead", "--group", "region"]
    assert tsgap(["show", folder, *args, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 2 * 2 * 4
    assert {r["source"] for r in rows} == {"t"}
    assert {r["metric"] for r in rows} == {"mae", "rmse"}
    assert {r["group"] for r in rows} == {"x", "y"}
    assert {r["lead"] for r in rows} == {1, 2, 3, 4}


@pytest.mark.parametrize("fmt", ["table", "csv", "json", "latex", "parquet"])
def test_every_format_can_be_written_to_a_file(
    folder: str, fmt: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out"
    assert tsgap(["show", folder, "--format", fmt, "-o", str(target)]) == 0
    assert capsys.readouterr().out == ""
    if fmt == "parquet":
        frame = pd.read_parquet(target)
        assert frame.ratio.tolist() == [2.0, 2.0, 3.0, 3.0]
        return
    written_text = target.read_text()
    assert tsgap(["show", folder, "--format", fmt]) == 0
    assert capsys.readouterr().out == written_text
    if fmt == "csv":
        assert pd.read_csv(io.StringIO(written_text)).ratio.tolist() == [2.0, 2.0, 3.0, 3.0]


def test_the_gap_is_shown_and_exported_in_every_format(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tsgap(["show", folder, "--gap"]) == 0
    assert "95 % interval" in capsys.readouterr().out
    assert tsgap(["show", folder, "--gap", "--source", "s", "--metric", "mae,rmse", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {r["metric"] for r in rows} == {"mae", "rmse"}
    assert [r["bin"] for r in rows if r["metric"] == "mae"] == ["1", "2-3", "4"]
    assert rows[0]["percent"] == pytest.approx(100.0)
    for by, ends in (("lead", [1, 2, 3, 4]), ("horizon", [1, 4])):
        args = ["--gap", "--by", by, "--source", "s", "--format", "csv", "-o", str(tmp_path / by)]
        assert tsgap(["show", folder, *args]) == 0
        assert pd.read_csv(tmp_path / by)[by].tolist() == ends
    assert tsgap(["show", folder, "--gap", "--format", "parquet", "-o", str(tmp_path / "p")]) == 0
    assert set(pd.read_parquet(tmp_path / "p").source) == {"s", "t"}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--by", "bin"], "--by bin does not go without --gap"),
        (["--gap", "--by", "series"], "--by series does not go with --gap"),
        (["--gap", "--group", "region"], "--group does not go with --gap"),
        (["--failures", "--gap"], "--gap does not go with it"),
    ],
)
def test_what_does_not_go_together_is_a_mistake_of_one_line(
    folder: str, args: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tsgap(["show", folder, *args]) == 2
    assert said in capsys.readouterr().err


def test_a_failed_cell_is_an_exit_code_of_the_gap_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, COMPARED, {**CELLS, "real": "crash"})
    for fmt in ("table", "json"):
        assert tsgap(["show", str(tmp_path), "--gap", "--format", fmt]) == 3
        assert "crash" in capsys.readouterr().out


def test_parquet_is_not_poured_into_a_terminal(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tsgap(["show", folder, "--format", "parquet"]) == 2
    assert "-o FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--metric", "mea"], "no metric is called 'mea'; did you mean"),
        (["--metric", ","], "names no metric"),
        (["--source", "u"], "no source is called 'u'"),
        (["--forecaster", "ff"], "no forecaster is called 'ff'"),
        (["--data", "dd"], "no data set is called 'dd'"),
        (["--group", "shop"], "no group of d is called 'shop'"),
    ],
)
def test_a_name_that_is_not_there_is_a_mistake_of_one_line(
    folder: str, args: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tsgap(["show", folder, *args]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_failed_and_missing_cells_are_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path / "failed", COMPARED, {**CELLS, "real": "crash"})
    written(tmp_path / "missing", COMPARED, {"naive": CELLS["naive"], "real": off_by(1.0)})
    written(tmp_path / "source", [*PLAN, row("synthetic", "", error="no draw")], {"naive": CELLS["naive"]})
    for name in ("failed", "missing", "source"):
        assert tsgap(["show", str(tmp_path / name)]) == 3, name
        assert tsgap(["show", str(tmp_path / name), "--format", "json"]) == 3, name
    capsys.readouterr()


def test_a_metric_that_fails_is_an_exit_code_and_the_others_are_shown(
    folder: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def flat(truth: Any, forecast: Any, scale: Any) -> Any:
        return 0.0

    offered(monkeypatch, Registered(MetricSpec("flat", "A metric that is one number.", flat), "acme", "1"))
    assert tsgap(["show", folder, "--metric", "mae"]) == 0
    for fmt in ("table", "json", "csv", "latex"):
        capsys.readouterr()
        assert tsgap(["show", folder, "--metric", "flat,mae", "--format", fmt]) == 3, fmt
        said = capsys.readouterr()
        assert "metric failed: the loss of (4, 4) pairs must be as many numbers" in said.out
        assert "2.000" in said.out or "2.0" in said.out or "& 2 " in said.out
        assert said.err == ""


def test_failures_are_listed_with_their_windows_and_tracebacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*COMPARED, *(row(arm, f"g{arm}", forecaster="g", source="t") for arm in ("real", "synthetic"))]
    rows += [row("synthetic", "", source="u", error="error: DataError: too short", forecaster=f) for f in "fg"]
    windows = {0: "hard\x1b[2J", 1: "hard\x1b[2J", 3: "harder"}
    cells = {**CELLS, "synthetic": (off_by(2.0), windows), "greal": "error", "gsynthetic": off_by(1.0)}
    run = written(tmp_path / "run", rows, cells)
    folder = str(run.path)
    assert tsgap(["show", folder, "--failures"]) == 3
    assert capsys.readouterr().out.splitlines() == [
        "d: f, trained on s: 3 windows failed",
        "    2 windows: hard?[2J",
        "        a, window 0; a, window 1",
        "    1 window: harder",
        "        b, window 1",
        "d: g, real arm: error in fit: error it is",
        "    the end of error",
        "d: u: no synthetic series: error: DataError: too short",
    ]
    assert tsgap(["show", folder, "--failures", "--source", "t", "-o", str(tmp_path / "out")]) == 3
    assert (tmp_path / "out").read_text().splitlines()[0].startswith("d: g, real arm")
    assert tsgap(["show", folder, "--failures", "--format", "json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert [(r["forecaster"], r["traceback"]) for r in told][:2] == [("f", ""), ("g", "the end of error")]
    assert tsgap(["show", folder, "--failures", "--by", "horizon"]) == 2
    assert "--by does not go with it" in capsys.readouterr().err


def test_of_many_failing_windows_the_first_are_named_and_the_rest_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = np.ones((40, 2))
    failed = dict.fromkeys(range(12), "no")
    cells = {"naive": truth, "real": truth, "synthetic": (truth, failed)}
    written(tmp_path, COMPARED, cells, truth=truth, ids=[f"s{i:02d}" for i in range(40)], horizons=(1, 2))
    assert tsgap(["show", str(tmp_path), "--failures"]) == 0
    out = capsys.readouterr().out
    assert "    12 windows: no\n        s00, window 0; s01, window 0" in out
    assert "; 7 more, Run.failed_windows() has all" in out


def test_a_run_without_failures_says_so(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tsgap(["show", folder, "--failures"]) == 0
    assert capsys.readouterr().out == "no failures\n"


def test_a_folder_without_a_run_is_an_input_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tsgap(["show", str(tmp_path)]) == 74
    assert "is not a run folder" in capsys.readouterr().err
    assert tsgap(["show", str(tmp_path), "--by", "week"]) == 2


def test_a_reader_that_has_had_enough_is_no_failure(folder: str) -> None:
    code = "import sys; from tsgap.cli import run; sys.exit(run(['show', sys.argv[1]]))"
    shell = subprocess.Popen([sys.executable, "-c", code, folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert shell.stdout is not None
    shell.stdout.close()
    _, err = shell.communicate()
    assert (shell.returncode, err) == (0, b"")
