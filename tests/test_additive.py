"""Groups of series, the blocks they are read in, and what weighted sums of their moments teach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsgap import additive
from tsgap.additive import GROUPS, Grouping, fit_by_moments, grouped_moments, mixed, resampled, without
from tsgap.defaults.linear import Linear
from tsgap.errors import ForecastError
from tsgap.footing import count_pairs
from tsgap.moments import total
from tsgap.panel import Ints, Panel
from tsgap.protocols import Additive, Forecast


class Windows:
    """A stranger's: its moments are how often each context-and-leads window is seen, so that nothing can hide."""

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        fit_by_moments(self, train, horizon=horizon, context=context, seed=seed)

    def moments(self, train: Panel, *, horizon: int, context: int) -> Any:
        width = context + horizon
        return Bag({tuple(y[i : i + width]): 1.0 for y in train for i in range(len(y) - width + 1)})

    def solve(self, moments: Any, *, seed: int) -> None:
        self.seen = moments

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        return Forecast(np.zeros((len(history), horizon)))


class Bag(dict[tuple[float, ...], float]):
    def __add__(self, other: Any) -> Bag:
        return Bag({k: self.get(k, 0.0) + other.get(k, 0.0) for k in {*self, *other}})

    def __mul__(self, weight: float) -> Bag:
        return Bag({k: weight * v for k, v in self.items()})


def numbered(lengths: list[int], series: list[str] | None = None) -> Panel:
    """Rows of values of which no two are alike."""
    ends = np.cumsum(lengths)
    rows = {f"s{i:02d}": np.arange(e - n, e, dtype=float) for i, (n, e) in enumerate(zip(lengths, ends, strict=True))}
    return Panel.of(rows, seasons=(4,), series=series or [])


def seasonal(n: int, length: int, *, seed: int = 0, noise: float = 0.3) -> Panel:
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(length) * np.pi / 2)
    return Panel.of({f"s{i:02d}": 5 + wave + noise * rng.normal(size=length) for i in range(n)}, seasons=(4,))


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=24),
    context=st.integers(1, 6),
    leads=st.integers(1, 6),
    block=st.sampled_from([1, 40, 2**20]),
)
@settings(max_examples=80, deadline=None)
def test_every_window_is_in_one_group_whatever_the_lengths_and_blocks(
    lengths: list[int], context: int, leads: int, block: int
) -> None:
    panel, model = numbered(lengths), Windows()
    grouping = Grouping.of(panel.lengths, panel.series, context=context, leads=leads)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(additive, "BLOCK", block)
        parts = grouped_moments(model, panel.take, grouping)
        assert np.concatenate(list(grouping.blocks())).tolist() == list(range(len(panel)))
    assert len(parts) <= GROUPS
    every = [window for part in parts for window in part]
    assert len(every) == len(set(every)) == count_pairs(panel.lengths, context, leads).sum()
    assert {n for part in parts for n in part.values()} <= {1.0}


def test_the_windows_of_a_series_belong_to_one_group_and_series_take_turns_by_name() -> None:
    names = [f"s{i % 20:02d}" for i in range(60)]
    panel = numbered([12] * 60, names)
    grouping = Grouping.of(panel.lengths, panel.series, context=4, leads=2)
    assert grouping.windows.tolist() == [7] * 60
    assert grouping.group.tolist() == [i % 20 % GROUPS for i in range(60)]
    order = np.random.default_rng(0).permutation(60)
    mixed_up = Grouping.of(panel.lengths[order], panel.take(order).series, context=4, leads=2)
    assert mixed_up.group.tolist() == grouping.group[order].tolist()


def test_few_series_are_cut_into_stretches_of_time() -> None:
    panel = numbered([30, 50, 8])
    grouping = Grouping.of(panel.lengths, panel.series, context=4, leads=2)
    assert grouping.row.tolist() == [0] * 5 + [1] * 5 + [2]
    parts = dict(grouping.parts(panel, np.arange(3)))
    assert sorted(parts) == list(range(GROUPS))
    # 25 windows in five stretches of five; the next begins where the last window of the one before begins, one later
    assert [parts[g][0][[0, -1]].tolist() for g in range(GROUPS)] == [[5 * g, 5 * g + 9] for g in range(GROUPS)]
    assert [len(parts[g]) for g in range(GROUPS)] == [2, 2, 3, 2, 2]
    assert parts[2].keys == ("s00 from 10", "s01 from 18", "s02")
    assert parts[2].series == ("s00", "s01", "s02")
    assert parts[2][2].tolist() == panel[2].tolist()


def test_moments_are_equal_to_the_bit_however_rows_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(additive, "BLOCK", 500)
    monkeypatch.setenv("TSGAP_BLOCK", "64")
    panel, read = seasonal(30, 80), []

    def reader(rows: Ints) -> Panel:
        read.append(len(rows))
        values = np.concatenate([np.array(panel[i]) for i in rows])
        return Panel(values, np.arange(len(rows) + 1) * 80, tuple(panel.keys[i] for i in rows), "step", (4,))

    grouping = Grouping.of(panel.lengths, panel.series, context=8, leads=4)
    model, fitted = Linear(), Linear()
    model.solve(grouped_moments(model, reader, grouping), seed=0)
    assert read == [6] * 5
    fitted.fit(panel, horizon=4, context=8, seed=0)
    monkeypatch.delenv("TSGAP_BLOCK")
    again = Linear()
    fit_by_moments(again, panel, horizon=4, context=8, seed=0)
    assert model.coefficients.tobytes() == fitted.coefficients.tobytes() == again.coefficients.tobytes()


def test_no_more_than_a_block_is_asked_for_and_a_long_row_comes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(additive, "BLOCK", 100)
    grouping = Grouping.of(np.array([40, 60, 1, 250, 30, 70, 1]), [*"abcdefg"], context=2, leads=1)
    assert [rows.tolist() for rows in grouping.blocks()] == [[0, 1], [2], [3], [4, 5], [6]]


def test_leaving_out_a_group_is_fitting_without_its_series() -> None:
    panel, model = seasonal(25, 60), Linear(ridge=0.01)
    grouping = Grouping.of(panel.lengths, panel.series, context=8, leads=4)
    parts = grouped_moments(model, panel.take, grouping)
    model.solve(without(parts, 2), seed=0)
    alone = Linear(ridge=0.01)
    alone.fit(panel.take(np.flatnonzero(grouping.group != 2)), horizon=4, context=8, seed=0)
    np.testing.assert_allclose(model.coefficients, alone.coefficients, rtol=1e-9, atol=1e-12)
    model.solve(resampled(parts, (0, 2, 0, 1, 1)), seed=0)
    rows = np.flatnonzero(np.isin(grouping.group, [1, 3, 4]))
    drawn = panel.take(rows)
    twice = panel.take(np.flatnonzero(grouping.group == 1)).renamed([f"again{i}" for i in range(5)])
    joined = Panel(
        np.concatenate([drawn.values, twice.values]), np.arange(21) * 60, drawn.keys + twice.keys, "step", (4,)
    )
    alone.fit(joined, horizon=4, context=8, seed=0)
    np.testing.assert_allclose(model.coefficients, alone.coefficients, rtol=1e-9, atol=1e-12)


def test_a_mixture_is_real_and_weighted_synthetic() -> None:
    real, synthetic = seasonal(20, 60), seasonal(20, 60, seed=1, noise=2.0)
    model = Linear(ridge=0.01)
    grouping = Grouping.of(real.lengths, real.series, context=8, leads=4)
    ours, theirs = (grouped_moments(model, p.take, grouping) for p in (real, synthetic))
    np.testing.assert_allclose(total(mixed(ours, theirs, 0.5)).xx, total(ours).xx + 0.5 * total(theirs).xx, rtol=1e-12)
    coefficients = []
    for weight in (0.0, 1e-9, 1e9):
        model.solve(mixed(ours, theirs, weight), seed=0)
        coefficients.append(model.coefficients)
    model.solve(ours, seed=0)
    assert coefficients[0].tobytes() == model.coefficients.tobytes()
    np.testing.assert_allclose(coefficients[1], model.coefficients, rtol=1e-6)
    model.solve(theirs, seed=0)
    np.testing.assert_allclose(coefficients[2], model.coefficients, rtol=1e-6)
    assert mixed([1.0], [2.0, 3.0], 2.0) == (5.0, 6.0)
    assert mixed([1.0, 4.0], [2.0], 2.0) == (5.0, 4.0)


def test_series_that_teach_nothing_are_refused_before_moments_are_asked_for() -> None:
    with pytest.raises(ForecastError, match="longest training series has 6 values"):
        fit_by_moments(Windows(), numbered([6, 5]), horizon=2, context=6, seed=0)


def test_it_is_additive_who_has_moments_and_solve() -> None:
    from tsgap.defaults.naive import SeasonalNaive

    assert isinstance(Linear(), Additive)
    assert isinstance(Windows(), Additive)
    assert not isinstance(SeasonalNaive(), Additive)
