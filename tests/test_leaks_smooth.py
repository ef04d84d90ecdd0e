"""Smooth series of their own are no leak of each other, and copies of them still are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from trials import panel

from tsgap import leaks
from tsgap.nearness import detail
from tsgap.panel import Floats
from tsgap.readers import ReadOptions, read_real
from tsgap.splits import Split, rolling

TIME = np.arange(300)


def integrated(rng: np.random.Generator) -> Floats:
    """Walks whose slope walks too."""
    return rng.normal(size=(60, 300)).cumsum(1).cumsum(1)


def smoother(rng: np.random.Generator) -> Floats:
    return integrated(rng).cumsum(1)


def exponential(rng: np.random.Generator) -> Floats:
    return np.asarray(np.exp(TIME * rng.uniform(0.001, 0.02, (60, 1))))


def logistic(rng: np.random.Generator) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(TIME - rng.uniform(50, 350, (60, 1))) / rng.uniform(10, 40, (60, 1)))))


def split_of(rows: Floats) -> Split:
    stamps = np.tile(np.arange(rows.shape[1]), len(rows))
    ids = np.repeat([f"s{i}" for i in range(len(rows))], rows.shape[1])
    frame = pd.DataFrame({"unique_id": ids, "ds": stamps, "y": rows.ravel()})
    read = read_real(frame, name="d", options=ReadOptions(season_length=(1,)))
    return rolling(read, horizon=7, windows=3, step=7)


@pytest.mark.parametrize("world", [integrated, smoother, exponential, logistic])
def test_smooth_series_that_saw_nothing_are_clean(world: Callable[[np.random.Generator], Floats]) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        assert leaks.words(split_of(world(rng)), panel(world(rng))) == []


def test_copies_of_integrated_walks_are_found_and_near_ones_too() -> None:
    rng = np.random.default_rng(0)
    rows = integrated(rng)
    others = integrated(rng)
    copied = np.concatenate([rows[:2], others[2:]])
    assert "stretches of the test (first of series" in leaks.words(split_of(rows), panel(copied))[0]
    near = rows + 0.2 * rng.normal(size=rows.shape)
    assert "all but the same" in leaks.words(split_of(rows), panel(near))[0]


def test_nothing_is_left_of_a_polynomial_and_all_of_what_jumps_to_and_fro() -> None:
    x = np.linspace(-1, 1, 28)
    found = detail(np.stack([x**6 - 2 * x, np.where(np.arange(28) % 2, 1.0, -1.0)]))
    assert found == pytest.approx([0.0, 1.0], abs=0.05)
    assert detail(np.stack([x**7]))[0] > 0.01
