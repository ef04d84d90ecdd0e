"""Windows cut from the process itself, however normalised, cost nothing next to real windows of the same length."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tsgap import cell, shelf
from tsgap.arms import Arms, Rules, TrainingSet, arms_of
from tsgap.defaults import boosting, linear
from tsgap.footing import cut_windows
from tsgap.panel import Dataset, Floats, Panel
from tsgap.splits import Split, rolling

SPECS = {spec.name: spec for spec in (*linear.SPECS, *boosting.SPECS)}
SERIES, LENGTH, SEASON, COUNT = 15, 600, 24, 1500


def process(seed: int) -> Floats:
    """Multiplicative seasonal autoregressions (S, T), each with a level and a scale of its own."""
    rng, own = np.random.default_rng(seed), np.random.default_rng(99)
    y = np.zeros((SERIES, LENGTH + 300))
    e = rng.normal(size=y.shape)
    for t in range(SEASON + 1, y.shape[1]):
        y[:, t] = 0.6 * y[:, t - 1] + 0.5 * y[:, t - 24] - 0.3 * y[:, t - 25] + e[:, t]
    return y[:, 300:] * own.uniform(0.5, 5, (SERIES, 1)) + own.uniform(50, 100, (SERIES, 1))


@cache
def split() -> Split:
    y = process(0)
    data = Dataset("planted", y.ravel(), np.arange(SERIES + 1) * LENGTH, tuple(f"s{i}" for i in range(SERIES)),
                   np.zeros(SERIES, dtype=np.int64), "step", (SEASON,))  # fmt: skip
    return rolling(data, horizon=24, windows=5)


def normalised(windows: Panel, how: str) -> Panel:
    y = windows.values.reshape(len(windows), -1)
    if how == "minmax of the array":
        y = (y - y.min()) / (y.max() - y.min())
    elif how == "minmax of each window":
        low, high = y.min(1, keepdims=True), y.max(1, keepdims=True)
        y = (y - low) / (high - low)
    elif how == "z-score of each window":
        y = (y - y.mean(1, keepdims=True)) / y.std(1, keepdims=True)
    return windows.with_values(y.ravel())


@cache
def arms(origin: str, length: int, how: str) -> Arms:
    if origin == "training part":
        source = split().train
    else:
        source = Panel.of({f"o{i}": y[: len(split().train[0])] for i, y in enumerate(process(1))})
    windows = cut_windows(source, np.full(COUNT, length), 5)
    rules = Rules((1, 6, 12, 24))
    return arms_of(
        split().train, normalised(windows, how), null=None, windows=length, scope="global", rules=rules, seed=7
    )


def mean_error(training: TrainingSet, name: str, folder: Path) -> float:
    """Scaled mean absolute error over all windows and leads."""
    footing = training.footing
    home = shelf.write_panel(training.panel, folder)
    histories = shelf.write_panel(split().histories(footing.context), folder)
    views = (cell.View(histories),)
    job = cell.Job(SPECS[name].build, {}, home, None, views, 24, footing.context, 0, footing.scaling, 1)
    [result] = cell.forecast(job, folder)
    assert result.status == "ok", result.info
    assert result.mean.shape == split().truth.shape
    assert not result.failed
    scale: Any = split().scales.mae[split().series]
    return float((np.abs(result.mean - split().truth) / scale[:, None]).mean())


@pytest.mark.parametrize("how", ["as it is", "minmax of the array", "minmax of each window", "z-score of each window"])
@pytest.mark.parametrize("length", [36, 84, 168])
def test_perfect_windows_have_no_gap_however_they_are_normalised(tmp_path: Path, length: int, how: str) -> None:
    sets = {one.arm: one for one in arms("training part", length, how).sets}
    errors = {arm: mean_error(one, "linear", tmp_path) for arm, one in sets.items()}
    assert abs(np.log(errors["synthetic"] / errors["real-short"])) < 0.03
    total = np.log(errors["synthetic"] / errors["real"])
    if length == 36:  # half a season of context cannot see the season
        assert 0.05 < total < 0.2
    else:
        assert abs(total) < 0.03


@pytest.mark.parametrize("length", [36, 84])
def test_perfect_windows_have_no_gap_for_trees(tmp_path: Path, length: int) -> None:
    sets = {one.arm: one for one in arms("training part", length, "minmax of each window").sets}
    errors = [mean_error(sets[arm], "gradient-boosting", tmp_path) for arm in ("synthetic", "real-short")]
    assert abs(np.log(errors[0] / errors[1])) < 0.03


def test_windows_of_another_draw_have_no_gap_either(tmp_path: Path) -> None:
    sets = {one.arm: one for one in arms("another draw", 84, "minmax of the array").sets}
    errors = [mean_error(sets[arm], "linear", tmp_path) for arm in ("synthetic", "real-short")]
    assert abs(np.log(errors[0] / errors[1])) < 0.03


def test_windows_without_memory_have_a_gap(tmp_path: Path) -> None:
    made = arms("training part", 84, "as it is")
    sets = {one.arm: one for one in made.sets}
    rng = np.random.default_rng(0)
    shuffled = np.concatenate([rng.permutation(y) for y in sets["synthetic"].panel])
    broken = TrainingSet("synthetic", sets["synthetic"].panel.with_values(shuffled), sets["synthetic"].footing, 0, 0)
    gap = np.log(mean_error(broken, "linear", tmp_path) / mean_error(sets["real-short"], "linear", tmp_path))
    assert gap > 0.1
