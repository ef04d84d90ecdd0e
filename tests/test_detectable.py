"""What a sweep will be able to tell is known before anything is fitted."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from worlds import seasonal

from tsgap.cli import DONE, run
from tsgap.detectable import Detectable, detectable
from tsgap.gap import Counts
from tsgap.readers import ReadOptions, read_real
from tsgap.splits import rolling


def expected(frame: pd.DataFrame, windows: int = 5) -> tuple[tuple[Detectable, ...], Counts]:
    split = rolling(read_real(frame, name="d", options=ReadOptions()), horizon=6, windows=windows)
    return detectable(split, 6)


def noise(series: int, seed: int = 0, length: int = 120) -> pd.DataFrame:
    """Series that have nothing in common."""
    rng = np.random.default_rng(seed)
    stamps = pd.date_range("2001-01-01", periods=length, freq="MS")
    return pd.concat(
        [pd.DataFrame({"unique_id": f"s{i}", "ds": stamps, "y": 50 + rng.normal(size=length)}) for i in range(series)]
    )


def test_sixteen_times_the_series_tell_a_gap_about_a_quarter_as_large() -> None:
    few = np.median([[b.half for b in expected(noise(20, seed))[0]] for seed in range(5)], axis=0)
    many = np.median([[b.half for b in expected(noise(320, seed))[0]] for seed in range(5)], axis=0)
    assert few / many == pytest.approx(4.0, rel=0.5)


def test_what_is_needed_grows_with_the_square_of_what_is_missing() -> None:
    bins, counts = expected(noise(20))
    b = max(bins, key=lambda one: one.half)
    assert b.half > math.log(1.05)
    # independent series: the variance is all theirs, but for the blocks of origins, which more series do not thin out
    assert b.series >= counts.series * (b.half / math.log(1.05)) ** 2 * 0.99


def test_bins_are_those_of_the_gate_and_counts_those_of_the_split() -> None:
    bins, counts = expected(seasonal(series=7, length=140), windows=4)
    assert [(b.first, b.last) for b in bins] == [(1, 1), (2, 3), (4, 6)]
    assert (counts.series, counts.blocks, counts.enough) == (7, 4, False)


def test_a_bin_without_a_scored_pair_is_unknown() -> None:
    frame = seasonal(series=6, length=120)
    at = frame.groupby("unique_id").cumcount().to_numpy()
    frame.loc[(at >= 90) & ((at - 90) % 6 == 0), "y"] = np.nan
    bins, _ = expected(frame)
    assert math.isnan(bins[0].half)
    assert all(b.half > 0 for b in bins[1:])


def test_a_dry_run_says_what_can_be_told_and_what_a_verdict_would_need(
    tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["sweep", "--real", "card:macrodata", "--synthetic", "gen:shuffle", "--horizons", "1,4", "--windows", "3"]
    assert run([*asked, "--dry-run", "--out", f"{tmp_path}/run"]) == DONE
    told = capsys.readouterr().out
    assert "smallest gap that can be told from none" in told
    assert "no verdict: 12 series and 3 test periods; 5 test periods are needed" in told
    assert run([*asked, "--dry-run", "--json", "--out", f"{tmp_path}/run"]) == DONE
    found = json.loads(capsys.readouterr().out)["detectable"]["macrodata"]
    assert found["series"] == 12
    assert not found["enough"]
    assert [b["first"] for b in found["bins"]] == [1, 2, 3]
