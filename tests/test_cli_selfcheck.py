"""`tsgap selfcheck`, `sweep --selfcheck` and `tsgap demo`: exit codes, and what is printed and remembered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.test_selfcheck import memory
from tsgap import selfchecks
from tsgap.cli import DONE, FAILED_CELLS, USAGE, run
from tsgap.run import load

SPLIT = ["--horizons", "1,6,12", "--windows", "8", "--jobs", "0"]


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A CSV of twelve monthly series, in the working directory; without the forecaster that costs most."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(selfchecks, "EXACT", selfchecks.MEMORY)
    memory().to_csv("real.csv", index=False)
    return "real.csv"


def test_a_sound_bench_passes_line_by_line(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["selfcheck", real, *SPLIT, "--out", "s", "--quiet"]) == DONE
    told = capsys.readouterr()
    assert told.out.startswith("self-check of real: passed\n")
    assert told.out.count("expected: ") == told.out.count("seen: ") == 7
    assert told.err == "runs: s\n"
    assert run(["selfcheck", real, *SPLIT, "--out", "s", "--quiet", "--json"]) == DONE
    rows = json.loads(capsys.readouterr().out)
    assert {row["outcome"] for row in rows} == {"ok"}
    assert {row["check"] for row in rows} == {"copy", "canary", "shuffle", "block-bootstrap", "iaaft"}


def test_a_broken_bench_exits_with_1(
    real: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tsgap.defaults.generators._copied", lambda y, rng: y * (1 + 1e-9))
    assert run(["selfcheck", real, *SPLIT, "--out", "s", "--quiet"]) == 1
    assert capsys.readouterr().out.startswith("self-check of real: broken\n")


def test_too_few_data_show_nothing_and_exit_with_3(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    memory(series=2).to_csv(real, index=False)
    assert run(["selfcheck", real, *SPLIT, "--out", "s", "--quiet"]) == FAILED_CELLS == 3
    out = capsys.readouterr().out
    assert out.startswith("self-check of real: nothing shown\n")
    assert "2 series and 8 test periods decide nothing" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.csv"], "nowhere.csv"),
        (["real.csv", "--horizons", "5000"], "fewer windows or a shorter horizon"),
        (["real.csv", "--target-col", "z"], "'z'"),
        ([], "Missing argument"),
    ],
)
def test_a_users_mistake_is_one_clear_line(
    real: str, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["selfcheck", *arguments, "--quiet"]) == USAGE
    assert told in capsys.readouterr().err
    assert not Path("tsgap-runs").exists()


def test_a_sweep_remembers_its_self_check_and_reuses_it(real: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["sweep", "--real", real, "--synthetic", "gen:copy", "-f", "linear", *SPLIT, "--out", "r"]
    assert run([*flags, "--selfcheck"]) == DONE
    told = capsys.readouterr()
    assert "self-check of real: passed" in told.out
    assert load("r").checked("real") is True
    assert "(unchecked)" not in load("r").gate().sentences[0]
    assert run([*flags, "--selfcheck"]) == DONE
    assert all(" 0 ok, 0 failed" in line for line in capsys.readouterr().err.splitlines() if line.startswith("cells"))
    assert run([*flags, "--selfcheck", "--json"]) == DONE
    assert json.loads(capsys.readouterr().out)


def test_a_broken_bench_shows_in_the_exit_code_of_its_sweep_and_forbids_a_pass(
    real: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tsgap.defaults.surrogates.iaaft", lambda y, rng: rng.permutation(y))
    flags = ["sweep", "--real", real, "--synthetic", "gen:copy", "-f", "linear", *SPLIT, "--out", "r"]
    assert run([*flags, "--selfcheck", "--quiet"]) == FAILED_CELLS
    assert capsys.readouterr().out == ""
    assert load("r").checked("real") is False
    (verdict,) = load("r").gate().verdicts
    assert verdict.verdict == "INCONCLUSIVE"
    assert "the self-check failed on these data" in verdict.caps


def test_the_demo_ends_with_one_verdict_of_each_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["demo", "--jobs", "0", "--quiet"]) == DONE
    out = capsys.readouterr().out
    found = load("tsgap-runs/demo").gate()
    verdicts = {one.source: one for one in found.verdicts}
    assert sorted(one.verdict for one in found.verdicts) == ["FAIL", "INCONCLUSIVE", "PASS"]
    assert verdicts["time-reversed"].verdict == "PASS"
    assert all(line in out for line in found.sentences)
    broken = verdicts["block-bootstrap:length=8"]
    assert broken.breaks is not None
    assert f"proven broken by lead {broken.breaks}" in out
    assert "tsgap gate tsgap-runs/demo" in out
    assert run(["gate", "tsgap-runs/demo"]) == 1


def test_a_demo_that_goes_another_way_says_so_by_its_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tsgap.defaults.generators.blocks", lambda y, length, rng: y)
    assert run(["demo", "--jobs", "0", "--quiet"]) == FAILED_CELLS
