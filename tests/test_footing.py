"""Contexts, pairs, and the ways to cut a panel down to less."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsgap.errors import UsageError
from tsgap.footing import Footing, count_pairs, cut_windows, default_context, pooled, short_context, subsample
from tsgap.panel import Panel

LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=12)


def numbered(lengths: list[int]) -> Panel:
    """Rows whose values tell where they come from: row + place / 1000."""
    return Panel.of({f"s{i}": i + np.arange(n) / 1000 for i, n in enumerate(lengths)}, seasons=(4,))


def footing(context: int, leads: int) -> Footing:
    return Footing("none", context, False, leads)


@given(lengths=LENGTHS, context=st.integers(1, 8), leads=st.integers(1, 8))
def test_pairs_are_the_windows_of_context_and_leads(lengths: list[int], context: int, leads: int) -> None:
    slow = [sum(1 for end in range(context, n + 1) if end + leads <= n) for n in lengths]
    assert count_pairs(np.array(lengths), context, leads).tolist() == slow


@pytest.mark.parametrize(
    ("seasons", "horizon", "lengths", "context"),
    [
        ((12,), 6, [400, 300], 24),  # two seasons
        ((12,), 40, [400, 300], 40),  # the horizon
        ((24, 168), 24, [4000, 3000], 336),  # the longest season counts
        ((12,), 6, [400, 20], 20),  # no history may lack it
        ((12,), 100, [150, 150], 50),  # a third of the median
        ((12,), 18, [36, 36], 18),  # the horizon must be taught
        ((12,), 60, [60, 60], 12),  # but a season is kept
        ((1,), 1, [9, 9], 3),
        ((1,), 1, [2, 2], 1),
    ],
)
def test_the_default_context(seasons: tuple[int, ...], horizon: int, lengths: list[int], context: int) -> None:
    assert default_context(seasons, horizon, np.array(lengths)) == context


@pytest.mark.parametrize(
    ("length", "horizons", "context", "near"),
    [
        (36, (1, 6, 12, 24), 48, 12),
        (36, (1, 6), 48, 30),
        (36, (24, 96), 192, 12),
        (84, (24, 96), 192, 60),
        (168, (24, 96, 192, 336), 336, 72),
        (168, (24,), 48, 48),
        (36, (96,), 192, 18),
        (1, (1,), 5, 1),
        (2, (1,), 5, 1),
    ],
)
def test_the_context_of_short_windows(length: int, horizons: tuple[int, ...], context: int, near: int) -> None:
    assert short_context(length, horizons, context) == near


@given(lengths=LENGTHS, share=st.floats(0.01, 1), seed=st.integers(0, 99))
def test_a_subsample_has_exactly_the_pairs_asked_for_in_whole_series_but_one(
    lengths: list[int], share: float, seed: int
) -> None:
    panel, on = numbered(lengths), footing(3, 2)
    total = int(count_pairs(panel.lengths, 3, 2).sum())
    if not total:
        return
    pairs = max(1, int(total * share))
    cut = subsample(panel, pairs, on, seed)
    assert count_pairs(cut.lengths, 3, 2).sum() == pairs
    trimmed = 0
    for key, row in zip(cut.keys, cut, strict=True):
        whole = panel[panel.keys.index(key)]
        assert row.tolist() == whole[len(whole) - len(row) :].tolist()
        trimmed += len(row) < len(whole)
    assert trimmed <= 1
    assert subsample(panel, pairs, on, seed).fingerprint == cut.fingerprint


def test_a_subsample_of_everything_is_everything() -> None:
    panel = numbered([10, 2, 10])
    assert subsample(panel, 12, footing(3, 2), 0) is panel


def test_which_series_are_kept_is_by_seed() -> None:
    panel = numbered([10] * 50)
    kept = {subsample(panel, 6 * 5, footing(3, 2), seed).keys for seed in range(20)}
    assert len(kept) == 20
    counts = np.bincount([int(k[1:]) for seed in range(400) for k in subsample(panel, 60, footing(3, 2), seed).keys])
    assert counts.min() > 40  # 80 expected
    assert counts.max() < 120


def test_no_pairs_at_all_cannot_be_matched() -> None:
    with pytest.raises(UsageError, match="0 pairs cannot be matched"):
        subsample(numbered([10]), 0, footing(3, 2), 0)


def places(panel: Panel) -> list[tuple[int, int, int]]:
    """(row, first place, length) of every window of a numbered panel, which must be contiguous."""
    out = []
    for key, row in zip(panel.series, panel, strict=True):
        first = round((row[0] % 1) * 1000)
        assert key == f"s{int(row[0])}"
        np.testing.assert_allclose(row, int(row[0]) + (first + np.arange(len(row))) / 1000)
        out.append((int(row[0]), first, len(row)))
    return out


@given(lengths=LENGTHS, sizes=st.lists(st.integers(1, 9), min_size=1, max_size=20), seed=st.integers(0, 99))
def test_windows_are_contiguous_never_repeated_and_as_many_as_there_is_room_for(
    lengths: list[int], sizes: list[int], seed: int
) -> None:
    panel = numbered(lengths)
    room = {n: sum(max(t - n + 1, 0) for t in lengths) for n in set(sizes)}
    wanted = sorted(n for n in room for _ in range(min(room[n], sizes.count(n))))
    if not wanted:
        with pytest.raises(UsageError, match="no real training series has the"):
            cut_windows(panel, np.array(sizes), seed)
        return
    found = places(cut_windows(panel, np.array(sizes), seed))
    assert len(set(found)) == len(found)
    assert sorted(n for _, _, n in found) == wanted


def test_windows_come_from_all_places_alike() -> None:
    panel = numbered([12, 4, 20])
    counts = np.zeros((3, 20))
    for seed in range(300):
        for row, first, _ in places(cut_windows(panel, np.full(9, 4), seed)):
            counts[row, first] += 1
    drawn = counts[counts > 0]
    assert len(drawn) == 9 + 1 + 17
    assert drawn.min() > 60  # 100 expected
    assert drawn.max() < 140


def test_a_pool_is_some_series_by_seed_and_all_where_there_are_no_more() -> None:
    panel = numbered([5] * 30)
    assert pooled(panel, 30, 0) is panel
    pool = pooled(panel, 4, 0)
    assert len(set(pool.keys)) == 4
    assert pool.fingerprint == pooled(panel, 4, 0).fingerprint
    assert len({pooled(panel, 4, seed).keys for seed in range(10)}) == 10
