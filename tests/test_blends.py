"""What an arm of augmentation learns from, against least squares on windows that are written out one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_additive import Bag

from tsgap import additive, blends
from tsgap.blends import SLICES, Blend, Blending, Rows, Stock, joined
from tsgap.defaults.linear import Linear, spread
from tsgap.errors import ForecastError
from tsgap.footing import count_pairs
from tsgap.panel import Floats, Ints, Panel
from tsgap.protocols import Forecast
from tsgap.weighting import Ratio

CONTEXT, LEADS, RIDGE = 6, 3, 0.01


def panel_of(lengths: list[int], *, seed: int = 0, name: str = "s", weights: Floats | None = None) -> Panel:
    """Series with a wave of four steps, each with a level and a noise of its own."""
    rng = np.random.default_rng(seed)
    rows = {}
    for i, n in enumerate(lengths):
        noise = np.cumsum(rng.normal(size=n)) * 0.3 + rng.normal(size=n)
        rows[f"{name}{i:02d}"] = 5 + i + (1 + i % 3) * (np.sin(np.arange(n) * np.pi / 2) + noise)
    made = Panel.of(rows, seasons=(4,))
    return made if weights is None else replace(made, weights=weights)


def rows_of(panel: Panel, read: list[int] | None = None) -> Rows:
    def some(rows: Ints) -> Panel:
        if read is not None:
            read.append(len(rows))
        return panel.take(rows)

    return Rows(some, panel.lengths, panel.series)


def stock_of(real: Panel, others: Panel | None = None, *, context: int = CONTEXT, leads: int = LEADS) -> Stock:
    return Stock(rows_of(real), None if others is None else rows_of(others), context, leads, real.season)


def weighing(stock: Stock) -> Stock:
    """The stock with weights of its stretches from .1 to 5, of mean 1."""
    windows = stock.stretches.windows
    weights = np.exp(np.random.default_rng(3).uniform(np.log(0.1), np.log(5), len(windows)))
    stock.__dict__["ratio"] = Ratio(weights * windows.sum() / (weights @ windows), 0.5, 0.7)
    return stock


def windows_of(panel: Panel, *, divided: bool = True, context: int = CONTEXT, leads: int = LEADS) -> Floats:
    """Every window (n, context + leads), row after row, divided by the spread of its row."""
    size = spread(panel) if divided else np.ones(len(panel))
    found = [
        y[i : i + context + leads] / s
        for y, s in zip(panel, size, strict=True)
        for i in range(len(y) - context - leads + 1)
    ]
    return np.array(found)


def least_squares(windows: Floats, weights: Floats, *, context: int = CONTEXT, ridge: float = RIDGE) -> Floats:
    """Coefficients (context, leads) of weighted least squares on windows, with a penalty on the mean square."""
    level = windows[:, :context].mean(1, keepdims=True)
    x, y = windows[:, :context] - level, windows[:, context:] - level
    gram = x.T @ (weights[:, None] * x)
    return np.linalg.solve(gram + ridge * np.trace(gram) / context * np.eye(context), x.T @ (weights[:, None] * y))


def taught(stock: Stock, blend: Blend, model: Any = None) -> Any:
    model = Linear(ridge=RIDGE) if model is None else model
    Blending(stock).teach(model, blend, horizon=stock.leads, seed=0)
    return model


LENGTHS = {
    "one series": [70],
    "three": [60, 45, 80],
    "ragged, one too short": [30, 8, 12, 50, 41, 9],
    "many": [20 + i % 7 for i in range(50)],
}


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("share", [0.1, 1.0, 2.0])
def test_an_augmented_arm_is_weighted_least_squares_on_all_windows(lengths: list[int], share: float) -> None:
    real, others = panel_of(lengths), panel_of([33, 40], seed=1, name="x")
    a, b = windows_of(real), windows_of(others)
    weights = np.concatenate([np.ones(len(a)), np.full(len(b), share * len(a) / len(b))])
    found = taught(stock_of(real, others), Blend(synthetic=share, seed=7))
    np.testing.assert_allclose(found.coefficients, least_squares(np.concatenate([a, b]), weights), atol=1e-8)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_real_and_synthetic_series_alone_teach_what_their_windows_do(lengths: list[int]) -> None:
    real, others = panel_of(lengths), panel_of([33, 40, 25], seed=1, name="x")
    stock = stock_of(real, others)
    for blend, panel in ((Blend(), real), (Blend(real=False, synthetic=1.0), others)):
        windows = windows_of(panel)
        expected = least_squares(windows, np.ones(len(windows)))
        np.testing.assert_allclose(taught(stock, blend).coefficients, expected, atol=1e-8)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("share", [0.25, 2.0])
def test_a_reweighted_arm_weighs_each_window_by_the_class_of_its_stretch(lengths: list[int], share: float) -> None:
    real = panel_of([3 * n for n in lengths])
    stock = weighing(stock_of(real))
    cut, ratio = stock.stretches, stock.ratio.weights
    number, mean = blends.classes(ratio, cut.windows)
    again = np.repeat(mean[number], cut.windows)
    assert again.mean() == pytest.approx(1.0)
    expected = least_squares(windows_of(real), 1 + share * again)
    np.testing.assert_allclose(taught(stock, Blend(reweighted=share, seed=3)).coefficients, expected, atol=1e-8)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_slices_hold_every_real_window_once_and_teach_what_they_hold(lengths: list[int]) -> None:
    real = panel_of([2 * n for n in lengths])
    stock = stock_of(real)
    grouping = stock.grouping(stock.real, SLICES)
    windows, of_window = windows_of(real), np.repeat(grouping.group, grouping.windows)
    assert len(windows) == len(of_window)
    there = np.unique(of_window)
    for slices in (there[: len(there) // 2], there[len(there) // 2 :]):
        weights = np.isin(of_window, slices).astype(float)
        found = taught(stock, Blend(slices=tuple(slices.tolist())))
        np.testing.assert_allclose(found.coefficients, least_squares(windows, weights), atol=1e-8)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_periods_hold_the_same_share_of_time_of_every_series_and_teach_what_they_hold(lengths: list[int]) -> None:
    real = panel_of([40 + n for n in lengths])
    stock = stock_of(real)
    blend = Blend(slices=tuple(range(0, SLICES, 2)), periods=True)
    other = replace(blend, slices=tuple(range(1, SLICES, 2)))
    counts = count_pairs(real.lengths, stock.context, stock.leads)
    nth = np.concatenate([np.arange(n) for n in counts])
    period = np.concatenate(
        [np.searchsorted(np.arange(1, SLICES) * n // SLICES, np.arange(n), side="right") for n in counts]
    )
    assert len(nth) == len(windows_of(real))
    for one in (blend, other):
        weights = np.isin(period, one.slices).astype(float)
        found = taught(stock, one)
        np.testing.assert_allclose(found.coefficients, least_squares(windows_of(real), weights), atol=1e-8)
        assert count_pairs(Blending(stock).panel(one).lengths, stock.context, stock.leads).sum() == weights.sum()


@pytest.mark.parametrize("ridge", [None, RIDGE])
def test_duplicates_teach_an_additive_forecaster_what_the_real_series_do_to_the_bit(ridge: float | None) -> None:
    blending = Blending(stock_of(panel_of([60, 45, 80])))
    models = [Linear(ridge=ridge) for _ in range(3)]
    for model, blend in zip(models, (Blend(), Blend(duplicated=0.1, seed=1), Blend(duplicated=2.0)), strict=True):
        assert blending.teach(model, blend, horizon=LEADS, seed=0)
    assert all((model.coefficients == models[0].coefficients).all() for model in models)


@pytest.mark.parametrize("n", [1, 3, 9, 12, 39, 60])
def test_a_copy_of_the_real_series_teaches_nothing_new_even_to_a_chosen_ridge(n: int) -> None:
    # the ridge is chosen by groups that are left out: a copy has to leave with its twin
    real = panel_of([80 + i % 5 for i in range(n)], seed=4)
    stock = stock_of(real, real.renamed([f"x{i:02d}" for i in range(n)]))
    alone = taught(stock, Blend(), Linear())
    for share in (0.1, 1.0, 2.0):
        both = taught(stock, Blend(synthetic=share), Linear())
        assert both.chosen_ridge == alone.chosen_ridge
        np.testing.assert_allclose(both.coefficients, alone.coefficients, atol=1e-9)


@pytest.mark.parametrize("n", [1, 3, 12, 60])
def test_no_window_of_a_group_is_in_another_one_where_real_ones_are_weighted(n: int) -> None:
    real = panel_of([90 + i % 5 for i in range(n)], seed=4)
    stock, model = weighing(stock_of(real, context=10)), Seen()
    Blending(stock).teach(model, Blend(reweighted=1.0), horizon=LEADS, seed=0)
    seen = [set(part) for part in model.parts]
    assert len(seen) > 1
    assert sum(map(len, seen)) == len(set.union(*seen)) == count_pairs(real.lengths, 10, LEADS).sum()


class Seen:
    """An additive learner whose moments are the weight of every window."""

    def moments(self, train: Panel, *, horizon: int, context: int) -> Any:
        width = context + horizon
        return Bag({tuple(y[i : i + width]): 1.0 for y in train for i in range(len(y) - width + 1)})

    def solve(self, moments: Any, *, seed: int) -> None:
        self.parts = moments

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        self.panel, self.seed = train, seed

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        return Forecast(np.zeros((len(history), horizon)))


class Learner:
    """A learner that keeps the panel it was fitted on."""

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        self.panel, self.context, self.seed = train, context, seed

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        return Forecast(np.zeros((len(history), horizon)))


def test_numbers_are_equal_to_the_bit_however_rows_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    real, others = panel_of([30 + i for i in range(30)]), panel_of([50] * 12, seed=1, name="x")
    arms = (
        Blend(),
        Blend(slices=(0, 3, 7)),
        Blend(synthetic=0.5),
        Blend(reweighted=1.0),
        Blend(real=False, synthetic=1),
    )

    def found() -> list[Floats]:
        return [taught(stock_of(real, others), blend, Linear()).coefficients for blend in arms]

    whole = found()
    monkeypatch.setenv("TSGAP_BLOCK", "64")
    assert all((a == b).all() for a, b in zip(whole, found(), strict=True))


def test_at_most_a_block_of_rows_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    real, others, read = panel_of([40] * 20), panel_of([40] * 20, seed=1, name="x"), list[int]()
    stock = Stock(rows_of(real, read), rows_of(others, read), CONTEXT, LEADS, 4)
    arms = Blend(reweighted=1.0), Blend(synthetic=1.0)
    expected = [taught(stock_of(real, others), blend).coefficients for blend in arms]
    monkeypatch.setattr(additive, "BLOCK", 200)
    monkeypatch.setenv("TSGAP_BLOCK", "200")
    for blend, one in zip(arms, expected, strict=True):
        np.testing.assert_allclose(taught(stock, blend).coefficients, one, atol=1e-9)
    assert max(read) == 5


def test_moments_are_gathered_once_for_all_shares() -> None:
    read = list[int]()
    real, others = panel_of([60] * 3), panel_of([60] * 3, seed=1, name="x")
    blending = Blending(Stock(rows_of(real, read), rows_of(others, read), CONTEXT, LEADS, 4))
    for share in (0.1, 0.5, 1.0, 2.0):
        blending.teach(Linear(), Blend(synthetic=share), horizon=LEADS, seed=0)
    assert read == [3, 3]


# panels -----------------------------------------------------------------------------------------------------------

SHARES = (0.1, 0.25, 0.5, 1.0, 2.0)


def pairs(panel: Panel) -> Ints:
    return count_pairs(panel.lengths, CONTEXT, LEADS)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("lengths", [[12], [33], [40, 9, 8, 60], [200] * 4], ids=["few", "less", "ragged", "more"])
@pytest.mark.parametrize("kind", ["duplicated", "reweighted", "synthetic"])
def test_a_panel_holds_exactly_the_share_more_pairs(share: float, lengths: list[int], kind: str) -> None:
    real, others = panel_of([60, 45, 80, 7]), panel_of(lengths, seed=1, name="x")
    n = int(pairs(real).sum())
    made = Blending(weighing(stock_of(real, others))).panel(Blend(**{kind: share}, seed=5))
    assert pairs(made).sum() == n + round(share * n)
    assert made.weights is None
    assert len(set(made.keys)) == len(made)
    assert made.keys[:4] == real.keys
    assert all((made[i] == real[i]).all() for i in range(4))
    assert set(made.series[4:]) <= set(others.series if kind == "synthetic" else real.series)
    assert made.seasons == real.seasons


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("own", [False, True], ids=["no weights", "weights of the user"])
@pytest.mark.parametrize("kind", ["duplicated", "reweighted", "synthetic"])
def test_a_learner_that_takes_weights_sees_all_pairs_with_the_share_as_their_weight(
    share: float, own: bool, kind: str
) -> None:
    given = np.array([1.0, 3.0, 2.0])
    real = panel_of([60, 45, 80], weights=given if own else None)
    others = panel_of([90, 70], seed=1, name="x")
    n = int(pairs(real).sum())
    stock = weighing(stock_of(real, others))
    made = Blending(stock, weighted=True).panel(Blend(**{kind: share}))
    assert made.weights is not None
    added = made.take(np.arange(3, len(made)))
    assert added.weights is not None
    assert pairs(added).sum() == (pairs(others).sum() if kind == "synthetic" else n)
    assert made.weights[:3].tolist() == (given.tolist() if own else [1.0] * 3)
    of_row = dict(zip(real.keys, given if own else np.ones(3), strict=True))
    bare = added.weights / np.array([of_row.get(name, 1.0) for name in added.series])
    assert pairs(added) @ bare == pytest.approx(share * n)
    assert (np.ptp(bare) < 1e-12) == (kind != "reweighted")


def test_a_learner_without_weights_keeps_those_of_the_user_on_what_is_drawn_again() -> None:
    real = panel_of([60, 45, 80], weights=np.array([1.0, 3.0, 2.0]))
    made = Blending(stock_of(real)).panel(Blend(duplicated=1.0, seed=2))
    assert made.weights is not None
    of_series = dict(zip(real.keys, (1.0, 3.0, 2.0), strict=True))
    assert made.weights.tolist() == [of_series[name] for name in made.series]


def test_pairs_are_drawn_by_the_seed_of_the_blend_alone() -> None:
    real, others = panel_of([60, 45, 80]), panel_of([200] * 4, seed=1, name="x")

    def drawn(**blend: Any) -> str:
        return Blending(weighing(stock_of(real, others))).panel(Blend(**blend)).fingerprint

    for kind in ("duplicated", "reweighted", "synthetic"):
        assert drawn(**{kind: 0.5}, seed=1) == drawn(**{kind: 0.5}, seed=1)
        assert drawn(**{kind: 0.5}, seed=1) != drawn(**{kind: 0.5}, seed=2)


def test_slices_of_a_panel_hold_their_own_windows() -> None:
    real = panel_of([60, 45, 80])
    stock = stock_of(real)
    halves = [Blending(stock).panel(Blend(slices=tuple(range(k, SLICES, 2)))) for k in (0, 1)]
    every = [tuple(window) for half in halves for window in windows_of(half, divided=False)]
    assert sorted(every) == sorted(map(tuple, windows_of(real, divided=False)))
    assert all(set(half.series) == set(real.keys) for half in halves)


def test_synthetic_series_alone_are_the_panel_as_it_is() -> None:
    others = panel_of([33, 40], seed=1, name="x")
    stock = stock_of(panel_of([60]), others)
    assert Blending(stock).panel(Blend(real=False, synthetic=1.0)).fingerprint == others.fingerprint


def test_a_learner_is_fitted_on_the_context_and_seed_of_its_cell() -> None:
    model = Learner()
    assert not Blending(stock_of(panel_of([60]))).teach(model, Blend(), horizon=9, seed=11)
    assert (model.context, model.seed, model.panel.fingerprint) == (CONTEXT, 11, panel_of([60]).fingerprint)
    assert Blending(stock_of(panel_of([60])), weighted=True).teach(model, Blend(duplicated=1.0), horizon=9, seed=1)


def test_an_additive_learner_of_quantiles_is_fitted_on_a_panel() -> None:
    model = Seen()
    stock = stock_of(panel_of([60]), panel_of([60], seed=1))
    assert not Blending(stock, quantiles=True).teach(model, Blend(synthetic=1.0), horizon=LEADS, seed=0)
    assert pairs(model.panel).sum() == 2 * 52


def test_keys_of_added_rows_are_new_whatever_the_first_ones_are_called() -> None:
    first = Panel.of({"added 0": [1.0], "_added 1": [2.0]})
    made = joined([first, Panel.of({"added 0": [3.0]}), Panel.of({"b": [4.0, 5.0]})])
    assert made.keys[:2] == first.keys
    assert len(set(made.keys)) == 4
    assert made.series == ("added 0", "_added 1", "added 0", "b")
    assert [row.tolist() for row in made] == [[1.0], [2.0], [3.0], [4.0, 5.0]]
    assert joined([first]) is first


@pytest.mark.parametrize("others", [None, panel_of([8, 5], name="x")], ids=["none", "too short"])
@pytest.mark.parametrize("model", [Linear, Learner])
def test_synthetic_series_that_hold_no_pair_are_an_error_and_never_left_out(
    others: Panel | None, model: Callable[[], Any]
) -> None:
    stock = stock_of(panel_of([60]), others)
    for blend in (Blend(synthetic=0.5), Blend(real=False, synthetic=1.0), Blend(reweighted=1.0)):
        with pytest.raises(ForecastError, match="the synthetic series hold no context of 6 values with 3 leads"):
            taught(stock, blend, model())


def test_real_series_that_hold_no_pair_are_an_error() -> None:
    with pytest.raises(ForecastError, match="no series holds a context of 6 values with 3 leads"):
        taught(stock_of(panel_of([8, 7])), Blend())


@pytest.mark.parametrize("model", [Linear, Learner])
def test_a_share_that_is_no_pair_is_an_error_and_not_the_real_arm(model: Callable[[], Any]) -> None:
    # four pairs: a tenth of them is none
    stock = stock_of(panel_of([12]), panel_of([60], seed=1, name="x"))
    if model is Linear:
        windows = windows_of(panel_of([12])), windows_of(panel_of([60], seed=1, name="x"))
        weights = np.concatenate([np.ones(4), np.full(52, 0.1 * 4 / 52)])
        found = taught(stock, Blend(synthetic=0.1)).coefficients
        np.testing.assert_allclose(found, least_squares(np.concatenate(windows), weights), atol=1e-8)
        return
    for kind in ("synthetic", "duplicated"):
        with pytest.raises(ForecastError, match=r"a share of 0\.1 of 4 real pairs is less than one pair"):
            taught(stock, Blend(**{kind: 0.1}), model())
