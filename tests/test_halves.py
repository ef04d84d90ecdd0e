"""Halves of the real training part: what they share, what they do not, and how chance deals them."""

from __future__ import annotations

import numpy as np
import pytest

from tsgap.halves import SERIES, Halves, halves
from tsgap.panel import Panel


def numbered(lengths: list[int]) -> Panel:
    """Rows whose values tell where they come from: row + place / 1000."""
    return Panel.of({f"s{i:02d}": i + np.arange(n) / 1000 for i, n in enumerate(lengths)}, seasons=(4,))


def values(of: Panel) -> set[float]:
    return set(of.values.tolist())


@pytest.mark.parametrize("n", [1, 2, 3, 9, 10, 11, 30])
def test_halves_have_no_value_in_common_and_are_equally_large(n: int) -> None:
    train = numbered([40] * n)
    for seed in range(5):
        both = halves(train, seed=seed)
        assert not values(both.synthetic) & values(both.real)
        assert values(both.synthetic) | values(both.real) <= values(train)
        assert both.synthetic.lengths.tolist() == both.real.lengths.tolist()
        assert len(both.real.values) == (20 * n if n < SERIES else 40 * (n // 2))


def test_many_series_are_dealt_out_and_few_are_cut_in_the_middle_of_their_time() -> None:
    many, few = halves(numbered([40] * SERIES), seed=0), halves(numbered([41] * (SERIES - 1)), seed=0)
    assert many.by == "series"
    assert not set(many.synthetic.keys) & set(many.real.keys)
    assert few.by == "time"
    assert few.synthetic.keys == few.real.keys == tuple(f"s{i:02d}" for i in range(SERIES - 1))
    for i in range(SERIES - 1):
        places = sorted(round(1000 * (part[i][0] - i)) for part in (few.synthetic, few.real))
        assert places == [1, 21]
        assert all(np.allclose(np.diff(part[i]), 0.001) for part in (few.synthetic, few.real))


@pytest.mark.parametrize("n", [2, 3, 8, 9])
def test_neither_half_is_the_older_one(n: int) -> None:
    late = [sum(y[0] - i > 0.01 for i, y in enumerate(halves(numbered([40] * n), seed=k).synthetic)) for k in range(40)]
    assert set(late) == ({n // 2} if n % 2 == 0 else {n // 2, n // 2 + 1})


def test_a_series_alone_gives_either_part_by_chance() -> None:
    firsts = {halves(numbered([40]), seed=k).synthetic[0][0] for k in range(20)}
    assert firsts == {0.0, 0.02}


def test_series_of_different_lengths_are_dealt_out_evenly() -> None:
    train = numbered([100, 10, 90, 11, 50, 55, 30, 31, 70, 72, 5])
    for seed in range(20):
        both = halves(train, seed=seed)
        assert "s10" not in both.synthetic.keys + both.real.keys
        a, b = (sorted(part.lengths.tolist()) for part in (both.synthetic, both.real))
        assert all(abs(x - y) <= 10 for x, y in zip(a, b, strict=True))


def test_every_seed_deals_anew_and_the_same_seed_the_same() -> None:
    def told(both: Halves) -> str:
        return both.synthetic.fingerprint

    for n in (6, 20):
        train = numbered([40] * n)
        assert len({told(halves(train, seed=k)) for k in range(5)}) >= 4
        assert told(halves(train, seed=3)) == told(halves(train, seed=3))


def test_every_series_comes_to_either_half_equally_often() -> None:
    train = numbered([40] * 12)
    counts = dict.fromkeys(train.keys, 0)
    for seed in range(400):
        for key in halves(train, seed=seed).synthetic.keys:
            counts[key] += 1
    # 400 fair coins: the standard deviation is 10
    assert all(abs(n - 200) < 45 for n in counts.values())
