"""Stretches of the test that occur in the training series of a source are found; what only looks like it is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from worlds import seasonal

import tsgap
from tsgap.leaks import LEAST_DISTINCT, leaked
from tsgap.panel import Panel
from tsgap.readers import ReadOptions, read_real
from tsgap.splits import Split, rolling


@pytest.fixture(scope="module")
def split() -> Split:
    data = read_real(seasonal(series=4, length=120), name="d", options=ReadOptions())
    return rolling(data, horizon=12, windows=3)


def panel(*rows: np.ndarray) -> Panel:
    offsets = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
    return Panel(np.concatenate(rows).astype(float), offsets, tuple(f"x{i}" for i in range(len(rows))), "MS", (12,))


def whole(split: Split, row: int) -> np.ndarray:
    return split.data.values[split.data.offsets[row] : split.data.offsets[row + 1]]


def test_the_real_training_part_holds_none_of_the_test(split: Split) -> None:
    found, looked_for = leaked(split, split.train)
    assert found == 0
    assert looked_for == 4 * len(range(0, 36 - 24 + 1, 6))


def test_a_series_that_goes_on_into_the_test_is_found(split: Split) -> None:
    found, _ = leaked(split, panel(whole(split, 0), split.train[1]))
    assert found == len(range(0, 36 - 24 + 1, 6))


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 100.0), (0.01, 0.0), (1e4, -3.0)])
def test_another_level_or_scale_hides_nothing(split: Split, factor: float, shift: float) -> None:
    assert leaked(split, panel(factor * whole(split, 2) + shift))[0] > 0


@pytest.mark.parametrize("length", [8, 12, 20, 24, 30])
def test_windows_cut_from_the_test_are_found_however_short(split: Split, length: int) -> None:
    test = whole(split, 1)[-36:]
    windows = [test[at : at + length] for at in range(36 - length + 1)]
    found, looked_for = leaked(split, panel(*windows))
    assert looked_for > 0
    assert found >= 1


def test_neither_single_precision_nor_a_file_of_four_decimals_hides_anything(split: Split) -> None:
    y = whole(split, 0)
    exact = leaked(split, panel(y))
    assert leaked(split, panel((y + 1000).astype(np.float32))) == exact
    assert leaked(split, panel(np.round(y, 4))) == exact


def test_noise_of_a_thousandth_is_not_the_same_series(split: Split) -> None:
    y = whole(split, 0)
    assert leaked(split, panel(y + 1e-3 * np.random.default_rng(0).standard_normal(len(y))))[0] == 0


def test_a_pattern_that_the_training_part_knows_is_no_leak() -> None:
    frame = seasonal(series=2, length=120)
    frame["y"] = np.tile(np.arange(12.0) ** 2, 20)
    split = rolling(read_real(frame, name="d", options=ReadOptions()), horizon=12, windows=3)
    assert leaked(split, panel(whole(split, 0))) == (0, 0)


def test_flat_and_short_tests_are_not_looked_for(split: Split) -> None:
    frame = seasonal(series=2, length=60)
    short = rolling(read_real(frame, name="d", options=ReadOptions()), horizon=4, windows=1)
    assert leaked(short, panel(whole(short, 0))) == (0, 0)
    frame["y"] = np.where(np.arange(120) % 60 < 20, np.arange(120.0), np.arange(120) % (LEAST_DISTINCT - 1))
    flat = rolling(read_real(frame, name="d", options=ReadOptions()), horizon=12, windows=2)
    assert leaked(flat, panel(whole(flat, 0)))[1] == 0


def test_a_sweep_on_series_that_hold_the_test_says_so_and_cannot_pass(tmp_path: Path) -> None:
    frame = seasonal(series=6, length=160)
    run = tsgap.sweep(
        frame, {"thief": frame}, forecasters=["linear"], horizons=[1, 6], windows=5, out=tmp_path / "run", jobs=0
    )
    assert any("LEAK" in note and "thief" in note for note in run.manifest["notes"])
    (verdict,) = run.gate().verdicts
    assert verdict.verdict != "PASS"
    assert any("LEAK" in cap for cap in verdict.caps)
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["leaks"]
