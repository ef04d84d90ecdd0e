"""Stretches of the test that occur in the training series of a source are found; what only looks like it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from worlds import seasonal

import tsgap
from tsgap import cell, leak_search, leaks, nearness, occurrences
from tsgap.leak_search import Leaked, leaked, nearly
from tsgap.leaks import words
from tsgap.occurrences import LEAST_DISTINCT
from tsgap.panel import Panel
from tsgap.plugins import choose_generator
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
    assert nearly(short, panel(whole(short, 0))) == Leaked(0, 0)
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
        return np.array([(np.abs(there - w).max(1) <= occurrences.NEAR).any() for w in wanted])

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


@pytest.mark.parametrize("block", [5, 37, occurrences.BLOCK])
def test_what_is_found_is_what_a_search_of_all_pairs_finds(
    split: Split, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(occurrences, "BLOCK", block)
    some = 0
    for seed in range(8):
        synthetic = mixed_bag(split, seed)
        found = leaked(split, synthetic)
        assert (found.found, found.looked_for) == by_brute_force(split, synthetic, 24)
        some += found.found
    assert some > 20


def test_no_stretch_is_lost_at_the_edge_of_its_cell() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2000, 24))
    rows = (rows - rows.mean(1, keepdims=True)) / rows.std(1, keepdims=True)
    wanted = occurrences.Stretches(rows.ravel(), 24 * np.arange(2000), 24)
    near = rows + rng.uniform(-0.7, 0.7, rows.shape) * occurrences.NEAR
    again = (near - near.mean(1, keepdims=True)) / near.std(1, keepdims=True)
    equal = (np.abs(again - rows) <= occurrences.NEAR).all(1)
    found, whole = occurrences.occurring(wanted, panel(*near))
    assert (found == equal).all()
    assert equal.sum() > 1900
    assert whole


def test_a_search_that_would_not_end_is_cut_short_and_says_so(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    thief = panel(whole(split, 0), *(whole(split, i) + 1e-3 * np.arange(120) % 7e-4 for i in range(4)))
    assert leaked(split, thief).whole
    monkeypatch.setattr(occurrences, "MOST", 2)
    told = leaked(split, thief)
    assert not told.whole
    assert "at least" in leaks._words(told)
    assert "ended after 2 comparisons" in leaks._words(told)


def test_stretches_of_the_test_are_taken_from_the_training_part_once(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = leak_search.Wanted.of(split, leak_search.length_of(split, split.train))
    monkeypatch.setattr(leak_search.Wanted, "of", None)
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


@pytest.fixture(scope="module")
def longer() -> Split:
    data = read_real(seasonal(series=12, length=240), name="d", options=ReadOptions())
    return rolling(data, horizon=24, windows=5)


def noisy(split: Split, row: int, share: float = 0.01) -> np.ndarray:
    y = whole(split, row)
    return y + share * y.std() * np.random.default_rng(row).standard_normal(len(y))


def honest(split: Split, name: str, seed: int = 0) -> Panel:
    return cell.draw(choose_generator(name).build(), split.train, seed)


HONEST = ["block-bootstrap", "iaaft", "jitter:sd=0.01", "jitter", "stl-bootstrap", "kernel-synth", "mixing", "copy"]


@pytest.mark.parametrize("generator", HONEST)
def test_a_generator_that_saw_the_training_part_alone_is_clean(longer: Split, generator: str) -> None:
    assert words(longer, honest(longer, generator)) == []


@pytest.mark.parametrize("first", [0, 1, 5, 11])
@pytest.mark.parametrize(
    "planted",
    [lambda y: y, lambda y: 3 * y + 10, lambda y: y + 0.01 * y.std() * np.random.default_rng(1).normal(size=len(y))],
    ids=["exact", "times 3 plus 10", "noise 1 %"],
)
def test_one_copied_series_of_many_is_found_however_it_lies(longer: Split, planted: Any, first: int) -> None:
    rows = list(honest(longer, "stl-bootstrap"))
    rows[3] = planted(whole(longer, 7)[first:])
    (told,) = words(longer, panel(*rows))
    assert "stretches of the test" in told


def test_a_copy_with_noise_is_found_near_and_not_the_same(longer: Split) -> None:
    thief = panel(*(noisy(longer, i) for i in range(12)))
    assert leaked(longer, thief).found == 0
    told = nearly(longer, thief)
    assert told.found > 0.9 * told.looked_for
    assert "all but the same" in words(longer, thief)[0]


def test_noise_that_hides_the_series_hides_the_copy(longer: Split) -> None:
    assert words(longer, panel(*(noisy(longer, i, 1.0) for i in range(12)))) == []


def test_windows_cut_from_the_test_with_noise_are_found(longer: Split) -> None:
    rng = np.random.default_rng(0)
    cut = [noisy(longer, i)[-48 - s : len(whole(longer, i)) - s] for i in range(12) for s in rng.integers(0, 60, 3)]
    assert nearly(longer, panel(*cut)).found > 0


@pytest.mark.parametrize("test", range(56, 73))
def test_one_series_with_noise_is_found_however_long_its_test(test: int) -> None:
    data = read_real(seasonal(series=12, length=240), name="d", options=ReadOptions())
    split = rolling(data, horizon=test, windows=1)
    rows = list(honest(split, "stl-bootstrap"))
    rows[3] = noisy(split, 7)[-test:]
    (told,) = words(split, panel(*rows))
    assert "all but the same" in told


def test_a_single_near_stretch_is_chance(longer: Split) -> None:
    length = leak_search.length_near(longer, longer.train)
    begin = 240 - 120
    one = noisy(longer, 4)[begin : begin + length]
    rows = [*honest(longer, "jitter"), one]
    assert nearly(longer, panel(*rows)).found == 0
    two = noisy(longer, 5)[begin : begin + length]
    assert nearly(longer, panel(*rows, two)).found >= 2


def test_what_repeats_itself_exactly_is_no_leak_in_a_copy_of_the_training_part() -> None:
    frame = seasonal(series=4, length=240)
    frame["y"] = np.tile(np.random.default_rng(0).normal(size=12), 80)
    split = rolling(read_real(frame, name="d", options=ReadOptions()), horizon=24, windows=4)
    assert words(split, split.train) == []
    assert nearly(split, split.train).looked_for > 0


def test_lines_and_single_jumps_are_not_looked_for_nearby(longer: Split) -> None:
    frame = seasonal(series=2, length=240)
    line, jump = np.linspace(0, 1, 240) ** 1.02, np.where(np.arange(240) % 50 < 25, 0.0, 10.0)
    jump += 1e-3 * np.random.default_rng(0).normal(size=240)
    for y in (line, jump):
        frame["y"] = np.tile(y, 2)
        split = rolling(read_real(frame, name="d", options=ReadOptions()), horizon=24, windows=4)
        assert leak_search.Sought.of(split, 48, most=100).flat.shape[0] == 0
    assert leak_search.Sought.of(longer, 48, most=100).flat.shape[0] > 0


def test_the_nearest_stretch_is_that_of_a_search_of_all_pairs(longer: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = leak_search.Sought.of(longer, 24, most=40).flat
    bag = mixed_bag(longer, 3)
    rows = [np.lib.stride_tricks.sliding_window_view(y, 24) for y in bag if len(y) >= 24]
    begins = [bag.offsets[i] + np.arange(max(n - 23, 0)) for i, n in enumerate(bag.lengths)]
    there, varies = nearness.flattened(np.concatenate(rows))
    far = np.sqrt(((flat[:, None] - there[varies]) ** 2).mean(2))
    for together in ((1, 7), (512, 8192)):
        monkeypatch.setattr(nearness, "_TOGETHER", together)
        found = nearness.nearest(flat, bag)
        assert found.distance == pytest.approx(far.min(1), abs=1e-5)
        assert (found.start == np.concatenate(begins)[varies][far.argmin(1)]).all()


def test_nothing_is_near_where_there_is_nothing() -> None:
    flat, _ = nearness.flattened(np.random.default_rng(0).normal(size=(3, 24)))
    for rows in ([np.arange(100.0)], [np.arange(10.0)], []):
        found = nearness.nearest(flat, panel(*rows))
        assert np.isinf(found.distance).all()
        assert (found.start == -1).all()
    assert len(nearness.nearest(flat[:0], panel(np.arange(100.0))).distance) == 0


def ending_early(frame: pd.DataFrame, copies: int) -> pd.DataFrame:
    """The same series, and some of them once more with twenty steps fewer at the beginning and later stamps."""
    again = []
    for i in range(copies):
        one = frame[frame.unique_id == f"s{i}"].copy()
        more = np.random.default_rng(i).normal(size=150).cumsum() + one.y.iloc[-1]
        stamps = pd.date_range(one.ds.iloc[0], periods=len(one) + 150, freq="MS")
        again.append(pd.DataFrame({"unique_id": f"t{i}", "ds": stamps, "y": np.append(one.y, more)}))
    return pd.concat([frame, *again], ignore_index=True)


def test_a_series_that_is_there_twice_with_a_later_end_is_found_in_the_training_part() -> None:
    frame = ending_early(seasonal(series=12, length=240), 2)
    split = rolling(read_real(frame, name="d", options=ReadOptions()), horizon=24, windows=5)
    (told,) = words(split, honest(split, "shuffle"))
    assert "the test of 2 of 14 series is in the real training part of other series, first 's0'" in told


def test_very_few_series_that_are_there_twice_are_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = ending_early(seasonal(series=12, length=240), 1)
    split = rolling(read_real(frame, name="d", options=ReadOptions()), horizon=24, windows=5)
    monkeypatch.setattr(leaks, "TOLERATED", 0.1)
    assert words(split, honest(split, "shuffle")) == []
    _, (note,) = leaks._Search(split).again()
    assert "1 of 13" in note


def test_a_sweep_on_data_that_hold_series_twice_cannot_pass_and_says_why(tmp_path: Path) -> None:
    frame = ending_early(seasonal(series=6, length=160), 1)
    run = tsgap.sweep(
        frame,
        ["gen:jitter", "gen:copy"],
        forecasters=["linear"],
        horizons=[1, 6],
        windows=5,
        out=tmp_path / "run",
        jobs=0,
    )
    for verdict in run.gate().verdicts:
        assert verdict.verdict != "PASS"
        assert any("real training part of other series" in cap for cap in verdict.caps)


def test_so_many_stretches_are_looked_for_nearby_as_is_cheap() -> None:
    def holding(n: int) -> Panel:
        return panel(np.zeros(n))

    assert leak_search.many(holding(1)) == leak_search.MANY
    assert leak_search.many(holding(10**7)) == leak_search.PAIRS // 10**7
    assert leak_search.many(holding(0)) == leak_search.MANY


def test_a_series_with_one_near_stretch_is_looked_at_closely(longer: Split) -> None:
    sparse = leak_search.Sought.of(longer, 48, most=12)
    copied = int(np.flatnonzero(np.bincount(sparse.series) == 1)[0])
    rows = list(honest(longer, "stl-bootstrap"))
    rows[3] = noisy(longer, copied)
    assert len(sparse.near(panel(*rows))[0]) == 1
    assert nearly(longer, panel(*rows), sparse).found >= leak_search.AT_LEAST


def test_a_stretch_does_not_run_on_into_the_next_series() -> None:
    y = np.random.default_rng(0).normal(size=24)
    flat, _ = nearness.flattened(y[None])
    apart = panel(np.tile(y[:12], 4)[-36:], np.r_[y[12:], np.zeros(20)])
    assert nearness.nearest(flat, apart).distance[0] > 0.5
    assert nearness.nearest(flat, panel(np.r_[np.tile(y[:12], 3), y[12:]])).distance[0] < 1e-6
