"""`tsgap sweep` and `tsgap split`: flags, files, exit codes, and what stands on standard output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.test_engines import gone
from tests.worlds import seasonal
from tsgap.cli import DONE, FAILED_CELLS, IO_ERROR, USAGE, run
from tsgap.run import load

SMALL = ["-f", "linear", "--horizons", "1,6", "--windows", "3", "--jobs", "0", "--replicates", "1"]


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A CSV of six monthly series, in the working directory."""
    monkeypatch.chdir(tmp_path)
    seasonal().to_csv("real.csv", index=False)
    return "real.csv"


def test_a_sweep_prints_the_profile_and_where_the_results_lie(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sweep", "--real", real, "--synthetic", "gen:shuffle", *SMALL, "--out", "r"]) == DONE
    told = capsys.readouterr()
    assert "linear" in told.out
    assert "shuffle" in told.out
    assert "results: r" in told.out
    assert "of 4" in told.err
    assert "Traceback" not in told.err


def test_json_is_alone_on_standard_output_and_has_every_column(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sweep", "--real", real, "--synthetic", "gen:copy", *SMALL, "--out", "r", "--json"]) == DONE
    rows = json.loads(capsys.readouterr().out)
    wanted = {"data", "source", "arm", "forecaster", "horizon", "metric", "control", "synthetic", "ratio"}
    assert wanted | {"n_used", "n_total", "status"} <= set(rows[0])
    assert [r["ratio"] for r in rows if r["arm"] == "synthetic"] == [1.0, 1.0]


def test_quiet_prints_nothing(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sweep", "--real", real, "--synthetic", "gen:copy", *SMALL, "--out", "r", "--quiet"]) == DONE
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")


def test_a_file_of_settings_gives_the_same_as_the_flags_it_was_saved_from(
    real: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["sweep", "--real", real, "--synthetic", "gen:stl-bootstrap", *SMALL]
    assert run([*flags, "--out", "a", "--json", "--save-config", "e.toml"]) == DONE
    by_flags = capsys.readouterr().out
    assert run(["sweep", "e.toml", "--out", "b", "--jobs", "0", "--json"]) == DONE
    assert capsys.readouterr().out == by_flags
    assert run(["sweep", "e.toml", "--seed", "3"]) == USAGE
    assert "--seed: say it in e.toml" in capsys.readouterr().err
    assert run(["sweep", "e.toml", "--fast"]) == USAGE
    assert "replicates = 1 and null = false" in capsys.readouterr().err


def test_quantiles_are_scored_by_wql(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [
        "sweep",
        "--real",
        real,
        "--synthetic",
        "gen:shuffle",
        *SMALL,
        "-f",
        "seasonal-naive",
        "--no-null",
        "--metric",
        "wql",
        "--json",
    ]
    assert run([*flags, "--quantiles", "0.1,0.5,0.9", "--out", "q", "--save-config", "q.toml"]) == DONE
    rows = json.loads(capsys.readouterr().out)
    found = {(row["forecaster"], row["status"]) for row in rows}
    assert found == {("linear", "ok"), ("seasonal-naive", "no quantiles")}
    assert all(row["ratio"] > 1 for row in rows if row["forecaster"] == "linear")
    assert "quantiles = [0.1, 0.5, 0.9]" in Path("q.toml").read_text()


def test_a_fast_run_is_one_replicate_without_the_shuffled_arm(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["sweep", "--real", real, "--synthetic", "gen:shuffle", *SMALL[:-2], "--out", "r", "--quiet"]
    assert run([*flags, "--fast", "--replicates", "2"]) == USAGE
    assert "--fast is one replicate without the shuffled arm" in capsys.readouterr().err
    assert run([*flags, "--fast"]) == DONE
    cells = load("r").cells()
    assert set(cells.replicate) == {0}
    assert set(cells.arm) == {"real", "synthetic"}
    assert run(flags) == DONE
    assert sorted(set(load("r").cells().replicate)) == [0, 1, 2, 3, 4]


def test_a_dry_run_writes_nothing(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(os.listdir())
    assert run(["sweep", "--real", real, "--synthetic", "gen:shuffle", *SMALL, "--dry-run"]) == DONE
    told = capsys.readouterr().out
    assert "6 series, freq MS, season 12, 3 windows 6 steps apart, horizons 1, 6" in told
    assert "0 reused, 4 to compute" in told
    assert "there can be no PASS" not in told
    assert sorted(os.listdir()) == before
    fast = [flag for flag in SMALL if flag not in ("--replicates", "1")]
    assert run(["sweep", "--real", real, "--synthetic", "gen:shuffle", *fast, "--fast", "--dry-run"]) == DONE
    assert "  without the shuffled arm there can be no PASS\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--synthetic", "gen:copy"], "--real FILE"),
        (["--real", "real.csv"], "--synthetic FILE"),
        (["--real", "nowhere.csv", "--synthetic", "gen:copy"], "nowhere.csv"),
        (["--real", "real.csv", "--synthetic", "nowhere.csv"], "nowhere.csv"),
        (["--real", "real.csv", "--synthetic", "copy"], "a generator of that name: gen:copy"),
        (["--real", "real.csv", "--synthetic", "gen:cpoy"], "did you mean 'copy'"),
        (["--real", "real.csv", "--synthetic", "gen:copy", "-f", "liner"], "did you mean 'linear'"),
        (["--real", "real.csv", "--synthetic", "gen:copy", "-f", "linear:rigde=1"], "ridge"),
        (["--real", "real.csv", "--synthetic", "gen:block-bootstrap:length=two"], "length"),
        (["--real", "real.csv", "--synthetic", "gen:copy", "--horizons", "0"], "horizon"),
        (["--real", "real.csv", "--synthetic", "gen:copy", "--horizons", "500"], "fewer windows or a shorter horizon"),
        (["--real", "real.csv", "--synthetic", "gen:copy", "--target-col", "z"], "'z'"),
        (["--real", "a=real.csv", "--real", "b=real.csv", "--synthetic", "real.csv"], "bind it to one"),
        (["--real", "real.csv", "--real", "real.csv", "--synthetic", "gen:copy"], "two data sets are called"),
        (["--real", "real.csv", "--synthetic", "gen:copy", "--no-such-flag"], "No such option"),
        (["--real", "real.csv", "--synthetic", "gen:copy", "--first-cutoff", "soon"], "is not a date"),
        (["--real", "real.csv", "--synthetic", "gen:copy", "--generator-cutoff", "2010-12-01"], "has seen the test"),
        (["--real", "real.csv", "--synthetic", "gen:copy", "--metric", "maes"], "did you mean 'mae'"),
        (["--real", "real.csv", "--synthetic", "gen:copy", "--quantiles", "10,90"], "between 0 and 1, got 10"),
        (["nowhere.toml"], "nowhere.toml"),
    ],
)
def test_a_users_mistake_is_one_clear_line_and_nothing_is_written(
    real: str, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(os.listdir())
    assert run(["sweep", "--jobs", "0", "--quiet", *arguments]) == USAGE
    err = capsys.readouterr().err
    assert told in err
    assert "Traceback" not in err
    assert sorted(os.listdir()) == before


def test_failed_cells_give_an_exit_code_of_their_own(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    broken = "tests.test_sweeps:Broken"
    flags = ["sweep", "--real", real, "--synthetic", "gen:copy", *SMALL, "-f", broken, "--out", "r"]
    assert run(flags) == FAILED_CELLS
    assert "it never could" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_an_io_error(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("")
    assert run(["sweep", "--real", real, "--synthetic", "gen:copy", *SMALL, "--out", "taken/r"]) == IO_ERROR
    assert "taken" in capsys.readouterr().err


def test_what_split_writes_is_the_training_part_of_the_sweep(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--horizons", "1,6", "--windows", "3"]
    assert run(["split", real, *flags, "--out", "train.parquet"]) == DONE
    told = capsys.readouterr().out
    assert "windows of 30 steps teach every lead up to 6 after a context of 24" in told
    assert "--generator-cutoff '2009-06-01T00:00:00'" in told
    sidecar = json.loads(Path("train.parquet.json").read_text())
    train = pd.read_parquet("train.parquet")
    assert train.ds.max() == pd.Timestamp("2009-06-01")
    assert len(train) == 6 * 102
    assert sidecar["horizons"] == [1, 6]
    assert run(["sweep", "--real", real, "--synthetic", "train.parquet", *SMALL, "--out", "r", "--quiet"]) == DONE
    found = load("r").profile("mae").query("arm == 'synthetic'")
    assert (found.ratio == 1.0).all()


def test_windows_from_split_come_back_through_their_stored_normaliser(real: str) -> None:
    flags = ["--horizons", "1,6", "--windows", "3"]
    assert run(["split", real, *flags, "--out-windows", "w.npz", "--normalise", "minmax"]) == DONE
    windows = np.load("w.npz")["windows"]
    assert windows.shape[1] == 30
    assert (windows.min(), windows.max()) == (0.0, 1.0)
    assert run(["sweep", "--real", real, "--synthetic", "w.npz", *SMALL, "--out", "r", "--quiet"]) == DONE
    found = load("r").profile("mase").query("arm == 'synthetic' and versus == 'real-short' and horizon == 6")
    assert abs(np.log(found.ratio.iloc[0])) < 0.1


def test_split_without_a_target_says_what_to_give(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["split", real, "--horizons", "1"]) == USAGE
    assert "--out train.parquet" in capsys.readouterr().err


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_sweep_exits_with_its_own_code_and_leaves_no_process(real: str) -> None:
    import signal

    import psutil

    slow = "tests.test_sweeps:Slow"
    root = str(Path(__file__).parent.parent)
    command = [sys.executable, "-m", "tsgap", "sweep", "--real", real, "--synthetic", "gen:copy", "-f", slow]
    env = {**os.environ, "PYTHONPATH": root}
    process = subprocess.Popen(
        [*command, "--horizons", "1", "--out", "r", "--jobs", "1"], env=env, stderr=subprocess.PIPE, text=True
    )
    parent = psutil.Process(process.pid)
    while not list(Path("r").glob("logs/*")) or not parent.children(recursive=True):
        assert process.poll() is None
    children = parent.children(recursive=True)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "interrupted; the same command of a sweep goes on from here" in told
    assert gone([child.pid for child in children])


def test_ids_and_groups_that_spell_a_missing_value_are_names(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv(real)
    frame["unique_id"] = frame.unique_id.replace({"s0": "NA", "s1": "NULL"})
    frame["region"] = frame.unique_id.replace({"s2": "None"})
    frame.to_csv("names.csv", index=False)
    flags = ["sweep", "--real", "names.csv", "--synthetic", "gen:copy", *SMALL, "--group", "region", "--out", "r"]
    assert run([*flags, "--quiet"]) == DONE
    assert {"NA", "NULL", "s2"} <= set(load("r").profile("mae", by="series").unique_id)


def test_values_that_were_never_normalised_are_said_loudly(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["sweep", "--real", real, "--synthetic", f"same={real}", *SMALL, "--out", "r", "--inverse", "minmax"]
    assert run(flags) == DONE
    assert "THEY DO NOT LOOK MINMAX NORMALISED" in " ".join(capsys.readouterr().out.split())


def test_away_from_a_terminal_progress_is_a_line_every_half_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tsgap.cli import progress
    from tsgap.sweeps import Progress

    clock = iter([0.0, 0.0, 10.0, 31.0, 40.0, 50.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.reporting(quiet=False) as report:
        for ok, left in enumerate([None, 7000.0, 700.0, 70.0, 0.0]):
            report(Progress(5, ok, 0, 1, seconds_left=left))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "cells: 0 ok, 0 failed, 1 reused of 5",
        "cells: 2 ok, 0 failed, 1 reused of 5, about 12 min left",
        "cells: 4 ok, 0 failed, 1 reused of 5",
    ]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, ""),
        (0.2, "about 1 s left"),
        (99, "about 99 s left"),
        (600, "about 10 min left"),
        (9000, "about 2.5 h left"),
    ],
)
def test_the_bar_says_how_long_the_rest_takes(seconds: float | None, told: str) -> None:
    from tsgap.cli import progress
    from tsgap.sweeps import Progress

    assert progress._left(Progress(5, 1, 0, 0, seconds_left=seconds)) == told
    assert progress._left(Progress(5, 5, 0, 0, seconds_left=seconds)) == ""


def test_the_bar_of_a_terminal_shows_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from tsgap.cli import progress
    from tsgap.sweeps import Progress

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("TERM", "xterm")
    with progress.reporting(quiet=False) as report:
        report(Progress(5, 1, 0, 1, seconds_left=1200.0))
    told = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "about 20 min left" in told
    assert "2/5" in told


def test_shards_and_merge_go_from_the_command_line_to_a_verdict(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["sweep", "--real", real, "--synthetic", "gen:shuffle", *SMALL]
    assert run([*flags, "--out", "whole", "--json"]) == DONE
    whole = capsys.readouterr().out
    for k in (1, 2):
        assert run([*flags, "--out", f"s{k}", "--shard", f"{k}/2", "--dry-run"]) == DONE
        assert f"share {k}/2: 2 of 4 cells\n" in capsys.readouterr().out
        assert run([*flags, "--out", f"s{k}", "--shard", f"{k}/2"]) == DONE
        told = capsys.readouterr()
        assert f"share {k}/2: 2 of 2 blocks of cells are done\n" in told.out
        assert f"results: s{k}, where 2 of 4 cells are not there yet\n" in told.out
        assert "ratio" not in told.out
    assert run(["show", "s1"]) == FAILED_CELLS
    assert "2 cells are missing" in " ".join(capsys.readouterr().out.split())
    assert run(["gate", "s1", "--inconclusive", "warn"]) == 3
    capsys.readouterr()
    assert run(["merge", "s1", "--out", "half"]) == FAILED_CELLS
    assert capsys.readouterr().out.startswith("half: 2 of 4 cells, 0 failed\n  2 cells are missing")
    assert run(["merge", "s1", "s2", "--out", "all"]) == DONE
    assert capsys.readouterr().out == "all: 4 of 4 cells, 0 failed\n"
    assert run(["show", "all", "--format", "json"]) == DONE
    assert capsys.readouterr().out == whole
    assert run([*flags, "--out", "all", "--json"]) == DONE
    told = capsys.readouterr()
    assert told.out == whole
    assert "4 reused of 4" in told.err


def test_a_shard_with_a_failed_cell_and_a_merge_of_it_exit_with_3(
    real: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = ["-f", "tests.test_sweeps:Broken", "--no-null"]
    flags = ["sweep", "--real", real, "--synthetic", "gen:shuffle", *SMALL, *broken]
    for _ in range(2):
        codes = [run([*flags, "--out", "r", "--shard", f"{k}/3"]) for k in (1, 2, 3)]
        assert sorted(codes) == [DONE, FAILED_CELLS, FAILED_CELLS]
    assert "1 without forecasts (tsgap show r --failures)" in capsys.readouterr().out
    assert run(["merge", "r", "--out", "merged"]) == FAILED_CELLS
    assert "it never could" in capsys.readouterr().out


def test_damage_that_a_merge_finds_is_said(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sweep", "--real", real, "--synthetic", "gen:copy", *SMALL, "--out", "r", "--quiet"]) == DONE
    file = next(Path("r/parts").rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-1])
    assert run(["merge", "r", "--out", "merged"]) == FAILED_CELLS
    assert f"tsgap: {file} is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["sweep", "--shard", "0/8"], USAGE, "let it count from 1 to 8"),
        (["sweep", "--shard", "9/8"], USAGE, "counted from 1 to 8"),
        (["sweep", "--shard", "3"], USAGE, "such as 3/8"),
        (["sweep", "--shard", "1/2", "--selfcheck"], USAGE, "--selfcheck is for a whole sweep"),
        (["sweep", "--shard", "1/2", "--json"], USAGE, "--json is for a whole sweep"),
        (["merge", "--out", "m"], USAGE, "Missing argument"),
        (["merge", "r"], USAGE, "--out"),
        (["merge", "nowhere", "--out", "m"], IO_ERROR, "nowhere is not a run folder"),
    ],
)
def test_a_mistake_with_shards_is_one_clear_line(
    real: str, arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--real", real, "--synthetic", "gen:copy", *SMALL] if arguments[0] == "sweep" else []
    before = sorted(os.listdir())
    assert run([*arguments, *more]) == code
    err = capsys.readouterr().err
    assert told in err
    assert "Traceback" not in err
    assert sorted(os.listdir()) == before


def test_runs_to_be_compared_are_not_merged(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    for source in ("copy", "shuffle"):
        flags = ["--real", real, "--synthetic", f"gen:{source}", *SMALL, "--out", source, "--quiet"]
        assert run(["sweep", *flags]) == DONE
    assert run(["merge", "copy", "shuffle", "--out", "m"]) == USAGE
    assert "runs that are to be compared are not merged" in capsys.readouterr().err


def test_commands_that_are_printed_can_be_pasted_where_the_folder_has_a_space(
    real: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--real", real, "--synthetic", "gen:shuffle", *SMALL, "--calibration", "--out", "my runs/r"]
    assert run(["sweep", *asked]) == DONE
    lines = capsys.readouterr().out.splitlines()
    printed = [line for line in lines if "tsgap show" in line or "tsgap gate" in line]
    assert len(printed) >= 3
    assert all("'my runs/r'" in line for line in printed)


@pytest.mark.parametrize("flag", ["--real", "--synthetic"])
def test_a_name_that_cannot_be_one_is_said_to_be_none(real: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = {"--real": real, "--synthetic": "gen:shuffle"}
    asked[flag] = f"my copy={asked[flag]}"
    assert run(["sweep", *(text for pair in asked.items() for text in pair), *SMALL]) == USAGE
    assert "got 'my copy' before '='" in capsys.readouterr().err


def test_a_file_with_an_equals_sign_in_its_name_needs_no_other(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(real).rename("my sales=2024.csv")
    assert run(["sweep", "--real", "my sales=2024.csv", "--synthetic", "gen:shuffle", *SMALL, "--dry-run"]) == DONE


def test_a_file_that_cannot_be_written_is_named_without_a_number(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sweep", "--real", real, "--synthetic", "gen:shuffle", *SMALL, "--out", "r", "--quiet"]) == DONE
    assert run(["gate", "r", "--format", "junit", "-o", "nowhere/gate.xml"]) == IO_ERROR
    assert capsys.readouterr().err == "tsgap: nowhere/gate.xml: No such file or directory\n"
