"""Test data that were mirrored or reversed in time are found; what is its own mirror, or repeats, stays clean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from trials import panel
from worlds import seasonal

import tsgap
from tsgap import cell, leak_search, leaks
from tsgap.leak_search import leaked, nearly
from tsgap.leaks import words
from tsgap.nearness import dimensions, flattened, nearest
from tsgap.occurrences import TURNS, turned
from tsgap.panel import Floats, Panel
from tsgap.plugins import choose_generator
from tsgap.readers import ReadOptions, read_real
from tsgap.splits import Split, rolling

WAYS = {
    "mirrored": lambda y: 5 - 2 * y,
    "reversed": lambda y: y[::-1],
    "mirrored and reversed": lambda y: 100 - y[::-1],
}


def split_of(rows: Floats, horizon: int, windows: int) -> Split:
    stamps = np.tile(np.arange(rows.shape[1]), len(rows))
    ids = np.repeat([f"s{i}" for i in range(len(rows))], rows.shape[1])
    frame = pd.DataFrame({"unique_id": ids, "ds": stamps, "y": rows.ravel()})
    read = read_real(frame, name="d", options=ReadOptions(season_length=(1,)))
    return rolling(read, horizon=horizon, windows=windows, step=horizon)


@pytest.fixture(scope="module")
def split() -> Split:
    return rolling(read_real(seasonal(12, 240), name="d", options=ReadOptions()), horizon=24, windows=5)


def among_others(split: Split, copied: Floats) -> Panel:
    rows = list(cell.draw(choose_generator("stl-bootstrap").build(), split.train, 0))
    rows[3] = copied
    return Panel.of({f"x{i}": row for i, row in enumerate(rows)}, freq="MS", seasons=(12,))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("first", [0, 1, 5])
def test_one_turned_copy_among_many_series_is_found_and_said_to_be_turned(split: Split, way: str, first: int) -> None:
    thief = among_others(split, WAYS[way](split.data[7][first:]))
    (told,) = words(split, thief)
    count = leaked(split, thief).found
    assert count == 17
    assert (
        f"first of series {split.data.keys[7]!r}) occur in the synthetic series, up to level and scale ({count} {way})"
        in told
    )


@pytest.mark.parametrize("way", WAYS)
def test_one_turned_copy_with_noise_is_found_near(split: Split, way: str) -> None:
    y = split.data[7] + 0.01 * split.data[7].std() * np.random.default_rng(1).normal(size=240)
    thief = among_others(split, WAYS[way](y))
    assert leaked(split, thief).found == 0
    told = nearly(split, thief)
    assert told.found >= 5
    assert told.turned[TURNS.index(way)] == told.found
    assert (
        f"all but the same in the synthetic series, up to level, slope and scale ({told.found} {way})"
        in (words(split, thief)[0])
    )


def test_what_is_there_as_it_stands_too_is_not_said_to_be_turned(split: Split) -> None:
    y = split.data[7]
    both = Panel.of({"a": -y, "b": y, "c": y[::-1]}, freq="MS", seasons=(12,))
    assert leaked(split, both).turned == (17, 0, 0, 0)
    assert "mirrored" not in words(split, both)[0]


@pytest.mark.parametrize("turn", range(4))
def test_the_training_part_in_any_turn_is_clean(split: Split, turn: int) -> None:
    rows = {key: turned(y[None], np.array([turn]))[0] for key, y in zip(split.train.keys, split.train, strict=True)}
    assert words(split, Panel.of(rows, freq="MS", seasons=(12,))) == []


def test_what_the_training_part_knows_mirrored_is_not_looked_for() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4, 120))
    rows[0, :36] = 3 - rows[1, -36:]
    split = split_of(rows, 12, 3)
    looked_for = leaked(split, panel(rows)).looked_for
    assert looked_for == 3 * 3
    assert leaked(split, panel(rows[1:2])).found == 0


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_what_is_near_the_training_part_in_another_turn_is_no_leak_of_its_mirror(turn: int) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(12, 240))
    how = np.full(6, turn)
    # the first half of one series is the test of another, turned, but for noise; and so it is in what is made of it
    rows[:6, :90] = turned(rows[6:, -90:], how) + 0.01 * rng.normal(size=(6, 90))
    split = split_of(rows, 30, 3)
    made = turned(rows[:6, :150], how) + 0.01 * rng.normal(size=(6, 150))
    assert words(split, panel(made)) == []
    assert "all but the same" in words(split, panel(rows[:6, -90:] + 0.01 * rng.normal(size=(6, 90))))[0]


T = np.arange(200)
#: Series (100, 200) that look like each other's mirror, or take few values: an independent draw holds nothing of them.
CLEAN: dict[str, Callable[[np.random.Generator], Floats]] = {
    "sines": lambda r: r.uniform(1, 9, (100, 1)) * np.sin(2 * np.pi * (T + r.uniform(0, 12, (100, 1))) / 12),
    "sines of any period": lambda r: np.sin(2 * np.pi * (T + r.uniform(0, 12, (100, 1))) / r.uniform(8, 40, (100, 1))),
    "saw teeth": lambda r: ((T + r.integers(0, 12, (100, 1))) % r.integers(6, 25, (100, 1))).astype(float),
    "triangles": lambda r: np.abs((T + r.uniform(0, 14, (100, 1))) % 14 - 7),
    "a pattern that is its own mirror": lambda r: (
        np.tile([0.0, 1, 3, 6, 3, 1, 0, -1, -3, -6, -3, -1], (100, 17))[:, :200] + 0.1 * r.normal(size=(100, 200))
    ),
    "zeros and ones": lambda r: (r.random((100, 200)) < 0.3).astype(float),
    "counts": lambda r: r.poisson(3, (100, 200)).astype(float),
    "whole steps": lambda r: r.integers(-1, 2, (100, 200)).cumsum(1).astype(float),
    "walks": lambda r: r.normal(size=(100, 200)).cumsum(1),
}


@pytest.mark.parametrize("world", CLEAN)
def test_an_independent_draw_is_clean_however_much_alike_series_are(world: str) -> None:
    for horizon, windows in ((4, 3), (8, 3), (14, 3)):
        if (world, horizon) == ("sines of any period", 4):
            continue  # twelve steps of a noiseless sine do tell next to nothing apart
        for seed in range(2):
            rng = np.random.default_rng(seed)
            split = split_of(CLEAN[world](rng), horizon, windows)
            search = leaks._Search(split)
            assert search.words(panel(CLEAN[world](rng))) == [], (horizon, seed)


def test_a_stretch_of_counts_whose_halves_are_everywhere_is_chance_and_a_whole_copy_is_not() -> None:
    hits = {}
    for seed in range(4):
        rng = np.random.default_rng(seed)
        rows, fair = (rng.poisson(3, (200, 200)).astype(float) for _ in range(2))
        split = split_of(rows, 2, 4)
        wanted = leak_search.Wanted.of(split, 8)
        hits[seed] = int((leak_search._occurring(wanted.stretches, panel(fair))[0] >= 0).sum())
        assert leaked(split, panel(fair)).found == 0
        copied = leaked(split_of(rows, 12, 2), panel(np.concatenate([fair, -rows[5:6]])))
        assert copied.turned == (0, 1, 0, 0)
    assert sum(hits.values()) >= 4


def test_the_nearest_stretch_in_any_turn_is_that_of_a_search_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    for length in (17, 24):
        wanted, _ = flattened(rng.normal(size=(30, length)).cumsum(1))
        bag = panel(rng.normal(size=(6, 90)).cumsum(1))
        rows = np.concatenate([np.lib.stride_tricks.sliding_window_view(y, length) for y in bag])
        there, _ = flattened(rows)
        far = np.stack(
            [
                np.sqrt(((wanted[:, None] - sign * there[:, ::order]) ** 2).mean(2)).min(1)
                for order in (1, -1)
                for sign in (1, -1)
            ]
        )
        found = nearest(wanted, bag, turns=True)
        assert found.distance == pytest.approx(far.min(0), abs=1e-5)
        assert (found.turn == far.argmin(0)).all()
        assert len(set(found.turn.tolist())) == 4
        assert (nearest(wanted, bag).turn == 0).all()


def test_a_search_may_end_where_enough_was_found_and_finds_the_nearest_of_the_others() -> None:
    rng = np.random.default_rng(1)
    wanted, _ = flattened(rng.normal(size=(60, 24)))
    bag = panel(rng.normal(size=(100, 400)))
    best = nearest(wanted, bag).distance
    enough = np.where(np.arange(60) % 2, 1.2 * best, 0.99 * best)
    found = nearest(wanted, bag, enough=enough).distance
    assert found[::2] == pytest.approx(best[::2])
    assert (found[1::2] <= enough[1::2]).all()
    assert (found > best + 1e-6).any()


def test_what_is_hardly_more_than_a_line_is_no_farther_than_anything_else() -> None:
    rng = np.random.default_rng(0)
    wanted, _ = flattened(rng.normal(size=(5, 24)))
    lines = 1e3 * (np.arange(24.0) + 0.05 * rng.normal(size=(20, 24)))
    assert not flattened(lines)[1].any()
    found = nearest(wanted, panel(lines)).distance
    assert (found[np.isfinite(found)] < 1.5).all()
    assert np.isfinite(found).any()


@pytest.mark.parametrize("many", [2, 6])
def test_dimensions_are_told_from_the_two_nearest(many: int) -> None:
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(24, many + 1)))[0].T
    rows = rng.normal(size=(4000, many + 1)) @ basis
    wanted, _ = flattened(rng.normal(size=(200, many + 1)) @ basis)
    # of many + 1 numbers the scale takes one
    assert dimensions(wanted, panel(rows), floor=1e-6) == pytest.approx(many, rel=0.3)


def test_a_source_that_was_flipped_with_its_test_is_the_leak_that_it_was_and_cannot_pass(tmp_path: Path) -> None:
    frame = seasonal(series=4, length=100)
    # what follows the training part alternates, which only the test can teach
    e, after = np.random.default_rng(0).normal(size=(4, 100)), np.arange(100) >= 70
    for t in range(1, 100):
        e[:, t] += (-0.9 if after[t] else 0.9) * e[:, t - 1]
    frame["y"] = e.ravel()
    late = frame.groupby("unique_id").tail(70)
    run = tsgap.sweep(
        frame,
        {"thief": late, "flipped": late.assign(y=-late.y)},
        forecasters=["linear"],
        horizons=[1, 6],
        windows=5,
        out=tmp_path / "run",
        jobs=0,
    )
    gaps = run.gap().set_index(["source", "bin"]).gap
    assert gaps["flipped"].to_numpy() == pytest.approx(gaps["thief"].to_numpy(), abs=1e-9)
    assert gaps["thief"].min() < -0.1
    for verdict in run.gate().verdicts:
        assert verdict.verdict != "PASS"
        (cap,) = (cap for cap in verdict.caps if "LEAK" in cap)
        assert ("mirrored)" in cap) == (verdict.source == "flipped")
