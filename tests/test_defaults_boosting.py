"""Boosted trees on windows: which rows they learn from, what they look at, and what they find that linear does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsgap.defaults.boosting import GradientBoosting
from tsgap.defaults.linear import Linear
from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel


def noise(n: int, length: int, seed: int = 0, season: int = 4) -> Panel:
    rng = np.random.default_rng(seed)
    return Panel.of({f"s{i}": rng.normal(5, 1, length) for i in range(n)}, seasons=(season,))


def fitted(
    panel: Panel, *, horizon: int = 4, context: int | None = 8, seed: int = 0, **params: int
) -> GradientBoosting:
    model = GradientBoosting(**({"iterations": 20} | params))
    model.fit(panel, horizon=horizon, context=context, seed=seed)
    return model


def pairs(lengths: list[int], context: int, leads: int) -> set[tuple[int, int]]:
    """(where the context ends in the flat array, lead) of every pair, one by one."""
    out, start = set(), 0
    for length in lengths:
        for end in range(context, length):
            out |= {(start + end, lead) for lead in range(1, leads + 1) if end + lead <= length}
        start += length
    return out


def drawn(lengths: list[int], context: int, leads: int, samples: int, seed: int = 0) -> list[tuple[int, int]]:
    model = GradientBoosting(samples=samples)
    model.context, model.leads = context, leads
    panel = Panel.of({str(i): np.zeros(n) for i, n in enumerate(lengths)})
    ends, lead = model._draw(panel, np.random.default_rng(seed))
    return list(zip(ends.tolist(), lead.tolist(), strict=True))


@given(st.lists(st.integers(0, 25), min_size=1, max_size=8), st.integers(1, 9), st.integers(1, 9))
@settings(deadline=None)
def test_every_pair_of_a_context_and_a_lead_is_there_once(lengths: list[int], context: int, leads: int) -> None:
    found = drawn(lengths, context, leads, 10**6)
    assert len(found) == len(set(found))
    assert set(found) == pairs(lengths, context, leads)


def test_pairs_of_a_long_series_are_numbered_without_a_slip() -> None:
    found = drawn([200_000], 336, 336, 1000)
    assert len(set(found)) == 1000
    for end, lead in found:
        assert 1 <= lead <= 336
        assert 336 <= end <= 200_000 - lead


def test_pairs_are_drawn_alike_and_never_twice() -> None:
    lengths = [20, 9, 14]
    everything = pairs(lengths, 5, 4)
    counts = dict.fromkeys(everything, 0)
    for seed in range(600):
        found = drawn(lengths, 5, 4, 20, seed)
        assert len(set(found)) == 20
        for pair in found:
            counts[pair] += 1
    expected = 600 * 20 / len(everything)
    assert min(counts.values()) > 0.7 * expected
    assert max(counts.values()) < 1.3 * expected


def test_features_are_the_last_values_and_the_seasons_before_the_lead_less_the_level() -> None:
    model = GradientBoosting(lags=3)
    model.context, model.leads, model.season = 9, 5, 4
    y = np.arange(100.0, 130.0) ** 1.5
    ends, lead = np.array([12, 12, 20, 20]), np.array([1, 4, 5, 2])
    level = model._levels(y, ends)
    x = model._features(y, ends, lead, level)
    for row, (end, ahead) in enumerate(zip(ends, lead, strict=True)):
        past = y[end - 9 : end]
        assert level[row] == pytest.approx(past.mean())
        wanted = [past[-1], past[-2], past[-3]]
        for back in (1, 2):
            at = end - 1 + ahead  # the lead's own place
            at -= 4 * (-(-ahead // 4) + back - 1)
            wanted.append(y[at] if at >= end - 9 else np.nan)
        found = np.delete(x[row], 3)
        np.testing.assert_allclose(found, np.array(wanted) - past.mean())
        assert x[row, 3] == ahead


@given(seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_nothing_outside_of_the_context_is_looked_at(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = GradientBoosting(lags=6)
    model.context, model.leads, model.season = 8, 6, int(rng.integers(1, 7))
    y = rng.normal(size=40)
    end, lead = np.array([20]), np.array([int(rng.integers(1, 7))])
    other = rng.normal(size=40)
    other[12:20] = y[12:20]
    for values in (y, other):
        level = model._levels(values, end)
        found = model._features(values, end, lead, level)
        if values is y:
            wanted = found
    assert found.tobytes() == wanted.tobytes()


def test_equal_seeds_give_equal_forecasts_and_the_cap_draws_by_seed() -> None:
    train, histories = noise(4, 60), noise(3, 30, seed=1)
    one = fitted(train, seed=1).predict(histories, horizon=4).mean
    assert fitted(train, seed=1).predict(histories, horizon=4).mean.tobytes() == one.tobytes()
    assert fitted(train, seed=2).predict(histories, horizon=4).mean.tobytes() == one.tobytes()  # all pairs fit
    capped = [fitted(train, seed=s, samples=100).predict(histories, horizon=4).mean for s in (1, 1, 2)]
    assert capped[0].tobytes() == capped[1].tobytes()
    assert capped[0].tobytes() != capped[2].tobytes()


def test_a_row_is_forecast_bit_by_bit_alike_in_any_company_and_at_any_horizon() -> None:
    model, histories = fitted(noise(4, 60)), noise(40, 30, seed=1)
    histories = histories.with_values(histories.values * 1e6)
    whole = model.predict(histories, horizon=4).mean
    order = np.random.default_rng(0).permutation(40)
    for rows in (order, order[:7], order[3:4]):
        assert model.predict(histories.take(rows), horizon=4).mean.tobytes() == whole[rows].tobytes()
    assert model.predict(histories, horizon=2).mean.tobytes() == whole[:, :2].tobytes()


def test_a_context_shorter_than_a_season_is_enough() -> None:
    found = fitted(noise(30, 18, season=24), context=12, horizon=6).predict(noise(2, 30), horizon=6)
    assert np.isfinite(found.mean).all()


def test_without_a_context_it_takes_two_seasons() -> None:
    assert fitted(noise(3, 60, season=12), context=None).context == 24


def test_leads_that_no_series_teaches_are_not_forecast() -> None:
    assert fitted(noise(30, 12), horizon=9).predict(noise(2, 30), horizon=9).mean.shape == (2, 4)
    with pytest.raises(ForecastError, match="longest training series has 8 values"):
        fitted(noise(3, 8))


def test_a_history_shorter_than_the_context_fails_alone() -> None:
    found = fitted(noise(3, 60)).predict(Panel.of({"a": np.arange(7.0), "b": np.arange(8.0)}), horizon=4)
    assert found.failed == {0: "7 values are less than the context of 8"}
    assert np.isfinite(found.mean[1]).all()


def logistic(n: int, length: int, seed: int) -> Panel:
    """x′ = 3.9 x (1 − x): its autocorrelation is nearly 0, its next value known."""
    x = np.random.default_rng(seed).uniform(0.1, 0.9, n)
    out: Floats = np.empty((n, length))
    for t in range(length):
        out[:, t] = x = 3.9 * x * (1 - x)
    return Panel.of({f"s{i}": row for i, row in enumerate(out)})


def setar(n: int, length: int, seed: int) -> Panel:
    """A threshold autoregression: rising below 0, falling above it."""
    rng = np.random.default_rng(seed)
    y = np.zeros((n, length + 50))
    for t in range(1, y.shape[1]):
        before = y[:, t - 1]
        y[:, t] = np.where(before < 0, 1 + 1.2 * before, 1 - 1.2 * before) + 0.2 * rng.normal(size=n)
    return Panel.of({f"s{i}": row[50:] for i, row in enumerate(y)})


@pytest.mark.parametrize("process", [logistic, setar])
def test_it_sees_what_a_linear_forecaster_cannot(process: Callable[[int, int, int], Panel]) -> None:
    train, test = process(10, 300, 0), process(60, 31, 1)
    truth = test.values[test.offsets[1:] - 1]
    histories = Panel.of({key: y[:-1] for key, y in zip(test.keys, test, strict=True)})
    errors = []
    for model in (GradientBoosting(iterations=60), Linear()):
        model.fit(train, horizon=1, context=4, seed=0)
        errors.append(np.abs(model.predict(histories, horizon=1).mean[:, 0] - truth).mean())
    assert errors[0] < 0.75 * errors[1]


def spreading(n: int, seed: int, length: int = 61) -> tuple[Panel, Floats]:
    """Histories whose last value says how widely the next one is spread around 0, and that next one."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.uniform(size=(n, length)) < 0.5, -1.0, 1.0)
    y[:, 1:] *= np.where(y[:, :-1] < 0, 1.0, 4.0) * rng.uniform(0, 1, (n, length - 1))
    return Panel.of({f"s{i}": row[:-1] for i, row in enumerate(y)}), y[:, -1]


def test_quantiles_widen_where_the_future_is_wider_and_hold_what_they_promise() -> None:
    model, levels = GradientBoosting(iterations=60), (0.1, 0.25, 0.5, 0.75, 0.9)
    model.fit(spreading(60, 0)[0], horizon=1, context=12, seed=0)
    histories, truth = spreading(3000, 1)
    found = model.predict(histories, horizon=1, quantile_levels=levels)
    assert found.quantiles is not None
    assert found.quantile_levels == levels
    quantiles = np.sort(found.quantiles[:, 0], axis=1)
    assert np.abs((truth[:, None] < quantiles).mean(0) - levels).max() < 0.05
    width, last = quantiles[:, 4] - quantiles[:, 0], np.array([y[-1] for y in histories])
    assert width[last > 0].mean() > 1.7 * width[last < 0].mean()


def test_quantiles_leave_the_mean_as_it_is_and_depend_on_nothing_else_that_is_asked_for() -> None:
    model, histories, levels = fitted(noise(6, 60)), noise(40, 30, seed=1), (0.1, 0.5, 0.9)
    mean = model.predict(histories, horizon=4).mean
    whole = model.predict(histories, horizon=4, quantile_levels=levels)
    assert whole.mean.tobytes() == mean.tobytes()
    assert whole.quantiles is not None
    assert whole.quantiles.shape == (40, 4, 3)
    order = np.random.default_rng(0).permutation(40)[:7]
    again = fitted(noise(6, 60)).predict(histories.take(order), horizon=2, quantile_levels=(0.9, 0.1)[::-1])
    assert again.quantiles is not None
    assert again.quantiles.tobytes() == whole.quantiles[order][:, :2, [0, 2]].tobytes()


def test_quantiles_follow_the_seed_where_rows_are_drawn_by_it() -> None:
    train, histories = noise(4, 60), noise(3, 30, seed=1)
    found = [
        fitted(train, seed=s, samples=100).predict(histories, horizon=4, quantile_levels=(0.25,)).quantiles
        for s in (1, 1, 2)
    ]
    assert found[0] is not None
    assert found[2] is not None
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_a_leaf_of_a_quantile_far_out_holds_rows_beyond_it() -> None:
    many, few = fitted(noise(30, 200)), fitted(noise(2, 40))
    for model, leaves in ((many, {0.5: 40, 0.1: 200, 0.975: 800}), (few, {0.5: 20, 0.025: 20})):
        for level, least in leaves.items():
            assert model._at(level).min_samples_leaf == least
            assert model._at(level).loss == "quantile"


def test_a_history_that_is_too_short_has_no_quantiles() -> None:
    histories = Panel.of({"a": np.arange(7.0), "b": np.arange(8.0)})
    found = fitted(noise(3, 60)).predict(histories, horizon=4, quantile_levels=(0.5,))
    assert set(found.failed) == {0}
    assert found.quantiles is not None
    assert np.isfinite(found.quantiles).all((1, 2)).tolist() == [False, True]
