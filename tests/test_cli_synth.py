"""`tsgap synth`: the file, what is said of it, and its way back into a sweep."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tsgap
from tests.worlds import seasonal
from tsgap.cli import DONE, IO_ERROR, USAGE, run

Output = pytest.CaptureFixture[str]
CUT = ["--horizons", "1,6", "--windows", "3"]
SMALL = ["-f", "linear", *CUT, "--jobs", "0", "--quiet"]


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A CSV of six monthly series, in the working directory."""
    monkeypatch.chdir(tmp_path)
    seasonal().to_csv("real.csv", index=False)
    return "real.csv"


def test_the_file_is_that_of_the_library_and_says_how_it_was_made(real: str, capsys: Output) -> None:
    argv = ["synth", real, "--generator", "block-bootstrap:length=8", "--seed", "3", *CUT, "--out", "made.parquet"]
    assert run(argv) == DONE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "made.parquet: 6 series, 612 values by block-bootstrap:length=8, seed 3" in printed.err
    assert "it saw real values up to 2009-06-01T00:00:00 and nothing after" in printed.err
    assert "--generator-cutoff '2009-06-01T00:00:00'" in printed.err
    wanted = tsgap.synth("real.csv", "block-bootstrap:length=8", seed=3, horizons="1,6", windows=3)
    pd.testing.assert_frame_equal(pd.read_parquet("made.parquet"), wanted)
    told = json.loads(Path("made.parquet.json").read_text())
    assert (told["generator"], told["seed"]) == ("block-bootstrap:length=8", 3)
    assert (told["horizons"], told["first_cutoff"]) == ([1, 6], "2009-06-01T00:00:00")
    assert run(["split", real, *CUT, "--out", "train.parquet"]) == DONE
    assert told["fingerprint"] == json.loads(Path("train.parquet.json").read_text())["fingerprint"]


def test_a_copy_on_file_has_no_gap_in_a_sweep_that_is_told_what_it_saw(real: str) -> None:
    assert run(["synth", real, "--generator", "gen:copy", *CUT, "--out", "copy.csv"]) == DONE
    cutoff = ["--generator-cutoff", "2009-06-01"]
    assert run(["sweep", "--real", real, "--synthetic", "copy.csv", *SMALL, *cutoff, "--out", "r"]) == DONE
    found = tsgap.load("r").profile("mae").query("arm == 'synthetic'")
    assert (found.ratio == 1.0).all()


def test_seeds_are_replicates_of_a_source(real: str) -> None:
    for seed in ("0", "1", "2"):
        assert run(["synth", real, "--generator", "iaaft", "--seed", seed, *CUT, "--out", f"s/{seed}.parquet"]) == DONE
    values = [pd.read_parquet(f"s/{seed}.parquet").y for seed in range(3)]
    assert not np.allclose(values[0], values[1])
    argv = ["sweep", "--real", real, "--synthetic", "iaaft=s/", *SMALL, "--replicates", "3", "--out", "r"]
    assert run(argv) == DONE
    errors = tsgap.load("r").errors().query("arm == 'synthetic'")
    assert sorted(errors.replicate.unique()) == [0, 1, 2]


def test_training_parts_that_end_at_different_times_are_not_given_one_stamp(real: str, capsys: Output) -> None:
    frame = seasonal()
    frame[(frame.unique_id != "s0") | (frame.ds < "2010-01-01")].to_csv(real, index=False)
    assert run(["synth", real, "--generator", "copy", *CUT, "--out", "made.csv"]) == DONE
    said = capsys.readouterr().err
    assert "it saw training parts that end between 2008-06-01T00:00:00 and 2009-06-01T00:00:00" in said


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["--generator", "nosuch", "--out", "a.csv"], USAGE, "nosuch"),
        (
            ["--generator", "block-bootstrap:length=500", "--out", "a.xlsx"],
            USAGE,
            "'.xlsx' is not one of .parquet, .pq, .csv",
        ),
        (["--generator", "copy", "--out", "real.csv/a.csv"], IO_ERROR, "cannot write real.csv/a.csv"),
        (["--generator", "copy", "--seed", "-1", "--out", "a.csv"], USAGE, "seed"),
        (["--generator", "block-bootstrap:length=500", "--out", "a.csv"], USAGE, "ask for shorter blocks"),
        (["--out", "a.csv"], USAGE, "--generator"),
        (["--generator", "copy"], USAGE, "--out"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_and_nothing_is_written(
    real: str, capsys: Output, argv: list[str], code: int, said: str
) -> None:
    assert run(["synth", real, *argv]) == code
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told
    assert [p.name for p in Path().iterdir()] == ["real.csv"]
