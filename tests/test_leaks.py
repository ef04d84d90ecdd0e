"""Stretches of the test that occur in the training series of a source are found; what only looks like it is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from worlds import seasonal

import tsgap
from tsgap import leaks
from tsgap.leaks import LEAST_DISTINCT, Leaked, leaked
from tsgap.panel import Panel
from tsgap.readers import ReadOptions, read_real
from tsgap.splits import Split, rolling


@pytest.fixture(scope="module")
def split() -> Split:
    data = read_real(seasonal(series=4, length=120), name="d", options=ReadOptions())
    return rolling(data, horizon=12, windows=3)


def panel(*rows: np.ndarray) -> Panel:
    return Panel.of({f"x{i}": row for i, row in enumerate(rows)}, freq="MS", seasons=(12,))


def whole(split: Split, row: int) -> np.ndarray:
    return split.data.values[split.data.offsets[row] : split.data.offsets[row + 1]]


def test_the_real_training_part_holds_none_of_the_test(split: Split) -> None:
    told = leaked(split, split.train)
    assert (told.found, told.whole) == (0, True)
    assert told.looked_for == 4 * len(range(0, 36 - 24 + 1, 6))


def test_a_series_that_goes_on_into_the_test_is_found(split: Split) -> None:
    assert leaked(split, panel(whole(split, 0), split.train[1])).found == len(range(0, 36 - 24 + 1, 6))


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 100.0), (0.01, 0.0), (1e4, -3.0)])
def test_another_level_or_scale_hides_nothing(split: Split, factor: float, shift: float) -> None:
    assert leaked(split, panel(factor * whole(split, 2) + shift)).found > 0


@pytest.mark.parametrize("length", [8, 12, 20, 24, 30])
def test_windows_cut_from_the_test_are_found_however_short(split: Split, length: int) -> None:
    test = whole(split, 1)[-36:]
    windows = [test[at : at + length] for at in range(36 - length + 1)]
    told = leaked(split, panel(*windows))
    assert told.looked_for > 0
    assert told.found >= 1


def test_neither_single_precision_nor_a_file_of_four_decimals_hides_anything(split: Split) -> None:
    y = whole(split, 0)
    exact = leaked(split, panel(y))
    assert leaked(split, panel((y + 1000).astype(np.float32))) == exact
    assert leaked(split, panel(np.round(y, 4))) == exact


def test_noise_of_a_thousandth_is_not_the_same_series(split: Split) -> None:
    y = whole(split, 0)
    assert leaked(split, panel(y + 1e-3 * np.random.default_rng(0).standard_normal(len(y)))).found == 0


def test_a_pattern_that_the_training_part_knows_is_no_leak() -> None:
    frame = seasonal(series=2, length=120)
    frame["y"] = np.tile(np.arange(12.0) ** 2, 20)
    split = rolling(read_real(frame, name="d", options=ReadOptions()), horizon=12, windows=3)
    assert leaked(split, panel(whole(split, 0))) == Leaked(0, 0)


def test_flat_and_short_tests_are_not_looked_for(split: Split) -> None:
    frame = seasonal(series=2, length=60)
    short = rolling(read_real(frame, name="d", options=ReadOptions()), horizon=4, windows=1)
    assert leaked(short, panel(whole(short, 0))) == Leaked(0, 0)
    frame["y"] = np.where(np.arange(120) % 60 < 20, np.arange(120.0), np.arange(120) % (LEAST_DISTINCT - 1))
    flat = rolling(read_real(frame, name="d", options=ReadOptions()), horizon=12, windows=2)
    assert leaked(flat, panel(whole(flat, 0))).looked_for == 0


def by_brute_force(split: Split, synthetic: Panel, length: int) -> tuple[int, int]:
    """Every stretch of the test against every stretch of the panel and of the training part, value by value."""

    def standardised(windows: np.ndarray) -> np.ndarray:
        centred = windows - windows.mean(1, keepdims=True)
        deviation = centred.std(1)
        varies = deviation > 1e-9 * np.abs(windows).max(1)
        return centred[varies] / deviation[varies, None]

    def stretches(rows: list[np.ndarray], step: int = 1) -> np.ndarray:
        cut = [np.lib.stride_tricks.sliding_window_view(y, length)[::step] for y in rows if len(y) >= length]
        return np.concatenate(cut)

    tests = [whole(split, i)[end:] for i, end in enumerate(split.train_ends)]
    wanted = stretches(tests, max(1, length // 4))
    wanted = wanted[[np.isfinite(w).all() and len(set(w)) >= LEAST_DISTINCT for w in wanted]]
    wanted = standardised(wanted)

    def among(panel: Panel) -> np.ndarray:
        there = standardised(stretches(list(panel)))
        return np.array([(np.abs(there - w).max(1) <= leaks.NEAR).any() for w in wanted])

    wanted = wanted[~among(split.train)]
    return int(among(synthetic).sum()), len(wanted)


def mixed_bag(split: Split, seed: int) -> Panel:
    """Series with and without pieces of the test: with noise, at levels, with jumps, or flat."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(40):
        y = rng.normal(size=int(rng.integers(0, 90))).cumsum()
        if i % 2 and len(y) > 60:
            at, length = int(rng.integers(0, 20)), int(rng.integers(24, 37))
            piece = whole(split, int(rng.integers(len(split.data))))[-36:][:length]
            y[at : at + length] = piece + rng.normal(size=length) * rng.choice([0, 1e-5, 3e-5, 1e-4, 2e-4, 1e-2])
        y *= rng.choice([1e-3, 1.0, 50.0])
        y += rng.choice([0.0, 1e3, 1e6])
        if i % 7 == 0:
            y[len(y) // 2 :] = 5.0
        if i % 5 == 0:
            y[:3] += 1e9
        rows.append(y)
    return panel(*rows)


@pytest.mark.parametrize("block", [5, 37, leaks._BLOCK])
def test_what_is_found_is_what_a_search_of_all_pairs_finds(
    split: Split, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaks, "_BLOCK", block)
    some = 0
    for seed in range(8):
        synthetic = mixed_bag(split, seed)
        found = leaked(split, synthetic)
        assert found == Leaked(*by_brute_force(split, synthetic, 24))
        some += found.found
    assert some > 20


def test_no_stretch_is_lost_at_the_edge_of_its_cell() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2000, 24))
    rows = (rows - rows.mean(1, keepdims=True)) / rows.std(1, keepdims=True)
    wanted = leaks.Wanted(rows.ravel(), 24 * np.arange(2000), 24)
    near = rows + rng.uniform(-0.7, 0.7, rows.shape) * leaks.NEAR
    again = (near - near.mean(1, keepdims=True)) / near.std(1, keepdims=True)
    equal = (np.abs(again - rows) <= leaks.NEAR).all(1)
    found, whole = leaks._occur(wanted, panel(*near))
    assert (found == equal).all()
    assert equal.sum() > 1900
    assert whole


def test_a_search_that_would_not_end_is_cut_short_and_says_so(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    thief = panel(whole(split, 0), *(whole(split, i) + 1e-3 * np.arange(120) % 7e-4 for i in range(4)))
    assert leaked(split, thief).whole
    monkeypatch.setattr(leaks, "MOST", 2)
    told = leaked(split, thief)
    assert not told.whole
    assert "at least" in leaks._words(told)
    assert "ended after 2 comparisons" in leaks._words(told)


def test_stretches_of_the_test_are_taken_from_the_training_part_once(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = leaks.Wanted.of(split, leaks.length_of(split, split.train))
    monkeypatch.setattr(leaks.Wanted, "of", None)
    assert leaked(split, panel(whole(split, 0)), wanted).found == len(range(0, 36 - 24 + 1, 6))


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
