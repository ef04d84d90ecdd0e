"""Automatic groups: thirds by planted volume and seasonality, peaks where they were put, shares by the real limits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tsgap
from tests.worlds import seasonal
from tsgap.arms import TrainingSet
from tsgap.atoms import Truth
from tsgap.automatic_groups import UNTOLD, seasonal_strength, written
from tsgap.errors import StoreError
from tsgap.experiment import DataSpec
from tsgap.footing import Footing
from tsgap.grouping import COVERAGE, Grouping, groupings
from tsgap.inputs import Data, read_data
from tsgap.panel import Floats, Panel
from tsgap.readers import ReadOptions
from tsgap.run import load
from tsgap.store import Store

SEASON, LENGTH, HORIZON, WINDOWS = 4, 80, 6, 3


def data_of(values: Floats, groups: Sequence[str] | None = None, **more: Any) -> Data:
    """Quarterly series (S, T) as the data of a sweep."""
    stamps = pd.date_range("2001-01-01", periods=values.shape[1], freq="QS")
    columns = {} if groups is None else {"kind": np.repeat(groups, values.shape[1])}
    ids = np.repeat([f"s{i:02d}" for i in range(len(values))], values.shape[1])
    frame = pd.DataFrame({"unique_id": ids, "ds": np.tile(stamps, len(values)), "y": values.ravel(), **columns})
    options = ReadOptions(**({} if groups is None else {"groups": ("kind",)}))
    return read_data(DataSpec("d", frame, options, (1, HORIZON), more.get("windows", WINDOWS)))


def training(panel: Panel, *, paired: bool = False, scaling: str = "mean-abs", context: int = 8) -> TrainingSet:
    return TrainingSet("synthetic", panel, Footing(scaling, context, paired, 6), 9, 9)


def found(
    data: Data, folder: Path, *, normalised: Sequence[str] = (), **synthetic: TrainingSet
) -> tuple[dict[str, Any], dict[str, Grouping]]:
    """What the manifest would say, and the groupings beside the source `s`."""
    split = data.split
    with Store.open(folder) as store:
        told = written(split, synthetic, store, seed=0, normalised=normalised)
        labels = {name: np.array(of, dtype=object)[split.series] for name, of in split.data.groups.items()}
        truth = Truth(
            "truth",
            (HORIZON,),
            split.truth,
            np.array(split.data.keys, dtype=object)[split.series],
            split.window,
            split.cutoffs,
            split.blocks,
            np.ones(len(split)),
            {},
            labels,
        )
        return told, {one.name: one for one in groupings(truth, told, "s", store.read_table)}


def by_series(data: Data, grouping: Grouping) -> list[str]:
    """The group of each series; all windows of a series have the same."""
    of = [set(grouping.label[data.split.series == i]) for i in range(len(data.split.data))]
    assert all(len(one) == 1 for one in of)
    return [one.pop() for one in of]


def noise(series: int, seed: int = 0, length: int = LENGTH) -> Floats:
    return np.random.default_rng(seed).normal(size=(series, length))


def test_series_fall_into_thirds_of_their_volume(tmp_path: Path) -> None:
    level = np.array([30.0, 10.0, 100.0, 31.0, 11.0, 101.0])
    data = data_of(level[:, None] * (1 + 0.01 * noise(6)))
    _, groups = found(data, tmp_path)
    assert by_series(data, groups["volume"]) == ["middle", "low", "high"] * 2
    assert groups["volume"].real == pytest.approx({"low": 1 / 3, "middle": 1 / 3, "high": 1 / 3, UNTOLD: 0.0})


def test_what_comes_after_the_training_part_is_in_no_group_of_series(tmp_path: Path) -> None:
    values = 10 + noise(6) + np.arange(6)[:, None]
    later = values.copy()
    later[0, -WINDOWS * HORIZON :] *= 1000
    before, after = (found(data_of(of), tmp_path / name)[1] for name, of in (("a", values), ("b", later)))
    for name in ("volume", "seasonality"):
        assert before[name].label.tolist() == after[name].label.tolist()


def test_series_fall_into_thirds_of_how_strong_their_season_is(tmp_path: Path) -> None:
    strength = np.array([3.0, 0.0, 1.0, 3.2, 0.0, 1.1])
    trend = 0.3 * np.arange(LENGTH)
    values = trend + strength[:, None] * np.tile([2.0, -1.0, 0.0, -1.0], LENGTH // SEASON) + noise(6)
    data = data_of(values)
    _, groups = found(data, tmp_path)
    assert by_series(data, groups["seasonality"]) == ["high", "low", "middle"] * 2


def test_the_strength_of_a_season_is_a_share_of_variance() -> None:
    rng = np.random.default_rng(0)
    none = [seasonal_strength(rng.normal(size=60), 12) for _ in range(400)]
    assert np.mean(none) == pytest.approx(0, abs=0.03), "adjusted: 0 on average where there is no season"
    wave = np.sqrt(2) * np.sin(2 * np.pi * np.arange(1200) / 12)
    assert seasonal_strength(wave + rng.normal(size=1200), 12) == pytest.approx(0.5, abs=0.04)
    assert seasonal_strength(wave + 0.1 * np.arange(1200), 12) == pytest.approx(1.0, abs=1e-9)
    assert seasonal_strength(np.ones(60), 12) == 0.0
    assert np.isnan(seasonal_strength(wave[:35], 12)), "not even three seasons"
    assert np.isnan(seasonal_strength(wave, 1))


def test_the_strength_of_a_season_is_r2_of_statsmodels() -> None:
    from statsmodels.regression.linear_model import OLS
    from statsmodels.tsa.seasonal import seasonal_decompose

    rng = np.random.default_rng(1)
    for season in (4, 7):
        y = rng.normal(size=61) + np.tile(rng.normal(size=season), 61)[:61]
        left = y - seasonal_decompose(y, period=season).trend
        known = np.isfinite(left)
        dummies = np.eye(season)[np.arange(61) % season][known]
        expected = OLS(left[known], dummies).fit().rsquared_adj
        assert seasonal_strength(y, season) == pytest.approx(expected)


def test_a_peak_is_found_where_it_was_put(tmp_path: Path) -> None:
    values = 100 + noise(8)
    cut = LENGTH - WINDOWS * HORIZON  # the first origin
    values[2, cut - 2] += 30  # in the last season before the first window
    values[5, cut + HORIZON + 1] += 30  # within the second window
    data = data_of(values)
    _, groups = found(data, tmp_path)
    at = {(data.split.series[i], data.split.window[i]): i for i in range(len(data.split))}
    first = min(data.split.window)
    assert groups["peak before"].label[at[2, first]] == "peak"
    assert groups["peak within"].label[at[5, first + 1]] == "peak"
    for name in ("peak before", "peak within"):
        assert groups[name].of == "windows"
        assert groups[name].real == pytest.approx({"no peak": 0.75, "peak": 0.25}, abs=0.02)


def test_shares_of_synthetic_series_are_by_the_limits_of_the_real_ones(tmp_path: Path) -> None:
    data = data_of(np.arange(1, 10)[:, None] * 10 + noise(9))
    train = data.train
    higher = training(train.with_values(train.values * 10))
    spiky = train.values.copy()
    spiky[::SEASON] += 500
    told, groups = found(data, tmp_path, s=higher, spiky=training(train.with_values(spiky)))
    assert groups["volume"].synthetic["low"] == 0.0
    assert groups["volume"].synthetic["high"] > 0.6
    assert groups["volume"].real["high"] == pytest.approx(1 / 3)
    assert told["synthetic"]["spiky"]["peak before"]["peak"] > 0.9
    assert told["synthetic"]["s"]["peak before"]["peak"] == pytest.approx(0.25, abs=0.02), "peaks have no scale"


def test_series_that_lost_their_units_have_no_share_by_volume(tmp_path: Path) -> None:
    data = data_of(np.arange(1, 10)[:, None] * 10 + noise(9))
    shrunk = training(data.train.with_values(data.train.values / 1000))
    told, groups = found(data, tmp_path, normalised=("s",), s=shrunk, other=shrunk)
    assert groups["volume"].synthetic == {}
    assert groups["volume"].real["high"] == pytest.approx(1 / 3)
    assert sum(groups["peak before"].synthetic.values()) == pytest.approx(1)
    assert told["synthetic"]["other"]["volume"]["low"] == 1.0


def test_the_volume_of_arrays_is_not_compared_and_that_of_a_file_is(tmp_path: Path) -> None:
    windows = np.random.default_rng(0).random((30, 40))
    file = seasonal(12, 60, seed=9)
    asked: dict[str, Any] = {"forecasters": ["linear"], "horizons": "1,6", "windows": 2, "replicates": 1, "jobs": 0}
    run = tsgap.sweep(
        seasonal(12, 120), {"array": windows, "file": file}, out=tmp_path, diagnose=True, null=False, **asked
    )
    (name,) = run.manifest["data"]
    shares = {of: {one.name: one.synthetic for one in run.groupings(name, of)} for of in ("array", "file")}
    assert shares["array"]["volume"] == {}
    assert sum(shares["file"]["volume"].values()) == pytest.approx(1)


def test_columns_come_first_and_twins_carry_them(tmp_path: Path) -> None:
    data = data_of(10 + noise(6), groups=["x", "x", "y", "y", "y", "z"])
    _, groups = found(data, tmp_path, s=training(data.train, paired=True))
    assert list(groups) == ["kind", "volume", "seasonality", "peak before", "peak within", COVERAGE]
    assert groups["kind"].real == pytest.approx({"x": 2 / 6, "y": 3 / 6, "z": 1 / 6})
    assert groups["kind"].synthetic == pytest.approx(groups["kind"].real)
    _, unpaired = found(data, tmp_path / "unpaired", s=training(data.train))
    assert unpaired["kind"].synthetic == {}


def test_flat_and_short_series_have_a_group_too(tmp_path: Path) -> None:
    values = 10 + noise(6)
    values[0] = 0.1  # whose mean is not 0.1 to the last bit
    values[1] = 0.0
    data = data_of(values)
    _, groups = found(data, tmp_path)
    assert by_series(data, groups["volume"])[:2] == ["low", "low"]
    assert by_series(data, groups["seasonality"])[0] in ("low", "middle")
    assert set(groups["peak before"].label[data.split.series < 2]) == {"no peak"}


def test_without_a_season_there_are_no_groups_by_season(tmp_path: Path) -> None:
    stamps = np.tile(np.arange(LENGTH), 6)
    ids = np.repeat([f"s{i}" for i in range(6)], LENGTH)
    frame = pd.DataFrame({"unique_id": ids, "ds": stamps, "y": (10 + noise(6)).ravel()})
    data = read_data(DataSpec("d", frame, ReadOptions(season_length=1), (1, HORIZON), WINDOWS))
    _, groups = found(data, tmp_path)
    assert "seasonality" not in groups
    assert "peak before" in groups


@pytest.mark.slow
def test_a_sweep_with_diagnostics_keeps_groups_and_one_without_has_its_columns_alone(tmp_path: Path) -> None:
    frame = seasonal(12, 120)
    frame["kind"] = np.where(frame.unique_id < "s5", "x", "y")
    asked: dict[str, Any] = {"forecasters": ["linear"], "horizons": "1,6", "windows": 5, "replicates": 3, "jobs": 0}
    for diagnose in (False, True):
        folder = tmp_path / str(diagnose)
        tsgap.sweep(frame, "gen:stl-bootstrap", groups=("kind",), out=folder, diagnose=diagnose, **asked)
        run = load(folder)
        (name,) = run.manifest["data"]
        names = [one.name for one in run.groupings(name, "stl-bootstrap")]
        automatic = ["volume", "seasonality", "peak before", "peak within", COVERAGE]
        assert names == ["kind", *(automatic if diagnose else [])]
        assert set(run.subgroups().grouping) == set(names)
    merged = tsgap.merge([folder], tmp_path / "merged")
    pd.testing.assert_frame_equal(merged.subgroups(), run.subgroups())
    table = next((folder / "tables").glob("covered-*"))
    table.write_bytes(table.read_bytes()[:-1])
    with pytest.raises(StoreError, match="none of the runs has the table 'covered-"):
        tsgap.merge([folder], tmp_path / "damaged")
