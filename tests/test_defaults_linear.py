"""Direct least squares, against numpy's on windows built one by one, and on planted processes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsgap.defaults import linear
from tsgap.defaults.linear import Linear, spread
from tsgap.errors import ForecastError, UsageError
from tsgap.footing import default_context
from tsgap.panel import Floats, Panel


def ar(n: int, length: int, *, phi: float = 0.8, seed: int = 0, noise: float = 1.0) -> Panel:
    rng = np.random.default_rng(seed)
    y = np.zeros((n, length + 100))
    for t in range(1, y.shape[1]):
        y[:, t] = phi * y[:, t - 1] + noise * rng.normal(size=n)
    return Panel.of({f"s{i}": 10 + row[100:] for i, row in enumerate(y)}, seasons=(4,))


def noise(y: Floats, season: int) -> float:
    """What a series is divided by before it counts: what a seasonal naive forecast misses."""
    return float(np.sqrt(np.mean((y[season:] - y[:-season]) ** 2)))


def windows(panel: Panel, context: int, leads: int, *, weighted: bool = True) -> tuple[Floats, Floats]:
    """All (context, leads) windows, each less the mean of its context, and divided by the noise of its series."""
    x, y = [], []
    for row in panel:
        scale = noise(row, panel.season) if weighted else 1.0
        for end in range(context, len(row) - leads + 1):
            level = row[end - context : end].mean()
            x.append((row[end - context : end] - level) / scale)
            y.append((row[end : end + leads] - level) / scale)
    return np.array(x), np.array(y)


def fitted(
    panel: Panel, *, horizon: int = 4, context: int | None = 6, ridge: float | None = 1e-4, **others: Any
) -> Linear:
    model = Linear(ridge, **others)
    model.fit(panel, horizon=horizon, context=context, seed=0)
    return model


@pytest.mark.parametrize("n", [1, 3, 12])  # a few series are cut into stretches of time, many are not
def test_it_is_ridge_regression_on_all_windows(n: int) -> None:
    made = Panel.of({str(i): y[: 20 + 7 * i] for i, y in enumerate(ar(n, 110))}, seasons=(4,))
    x, y = windows(made, 6, 4)
    for ridge in (1e-6, 1e-2, 1.0):
        weight = ridge * (x**2).sum() / 6
        rows = np.vstack([x, np.sqrt(weight) * np.eye(6)])
        wanted = np.linalg.lstsq(rows, np.vstack([y, np.zeros((6, 4))]), rcond=None)[0]
        np.testing.assert_allclose(fitted(made, ridge=ridge).coefficients, wanted, rtol=1e-6, atol=1e-9)


def test_without_ridge_it_is_least_squares() -> None:
    made = ar(12, 80)
    x, y = windows(made, 6, 4)
    predicted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(x @ fitted(made, ridge=1e-10).coefficients, predicted, rtol=1e-4, atol=1e-6)


def test_it_forecasts_a_planted_autoregression_like_one_who_knows_it() -> None:
    train, test = ar(20, 1000), ar(2000, 44, seed=1)
    histories = Panel.of({key: y[:-4] for key, y in zip(test.keys, test, strict=True)})
    truth = np.array([y[-4:] for y in test])
    known = np.array([10 + 0.8 ** np.arange(1, 5) * (y[-1] - 10) for y in histories])
    found = fitted(train, context=40).predict(histories, horizon=4).mean
    ours, best = (np.sqrt(((f - truth) ** 2).mean(0)) for f in (found, known))
    assert (ours / best).max() < 1.06  # that the mean is 10 has to be seen from 40 values
    assert (ours / best).min() > 0.98


def test_a_noiseless_season_is_forecast_exactly() -> None:
    wave = np.sin(2 * np.pi * np.arange(60) / 6)
    made = Panel.of({"a": 5 + wave, "b": 90 - 3 * wave}, seasons=(6,))
    found = fitted(made, horizon=12, context=12, ridge=1e-12).predict(made, horizon=12).mean
    np.testing.assert_allclose(found, [5 + wave[:12], 90 - 3 * wave[:12]], atol=1e-5)


@given(n=st.integers(1, 30), context=st.integers(1, 20), horizon=st.integers(1, 12), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_row_is_forecast_bit_by_bit_alike_in_any_company_and_at_any_horizon(
    n: int, context: int, horizon: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    model = fitted(ar(3, 60), context=context, horizon=horizon)
    histories = Panel.of({str(i): rng.normal(5, 2, int(rng.integers(context, context + 9))) for i in range(n)})
    whole = model.predict(histories, horizon=horizon).mean
    some = rng.permutation(n)[: int(rng.integers(1, n + 1))]
    assert model.predict(histories.take(some), horizon=horizon).mean.tobytes() == whole[some].tobytes()
    first = int(rng.integers(1, horizon + 1))
    assert model.predict(histories, horizon=first).mean.tolist() == whole[:, :first].tolist()


def test_a_level_is_added_and_a_scale_multiplied() -> None:
    model, histories = fitted(ar(4, 80)), ar(3, 20, seed=1)
    one = model.predict(histories, horizon=4).mean
    other = model.predict(histories.with_values(1000 - 7 * histories.values), horizon=4).mean
    np.testing.assert_allclose(other, 1000 - 7 * one, rtol=1e-9)


def test_it_teaches_the_leads_that_the_longest_series_has_after_the_context() -> None:
    model = fitted(ar(30, 12), horizon=10, context=6)
    assert model.predict(ar(2, 20), horizon=10).mean.shape == (2, 6)


def test_series_that_teach_nothing_are_refused() -> None:
    with pytest.raises(
        ForecastError, match="longest training series has 6 values: none teaches a lead after a context"
    ):
        fitted(ar(3, 6))
    with pytest.raises(ForecastError, match="longest training series has 0 values"):
        fitted(Panel.of({"a": []}))


def test_a_history_shorter_than_the_context_fails_alone() -> None:
    found = fitted(ar(4, 80)).predict(Panel.of({"a": np.arange(5.0), "b": np.arange(6.0)}), horizon=4)
    assert found.failed == {0: "5 values are less than the context of 6"}
    assert np.isfinite(found.mean[1]).all()


def test_constant_training_series_forecast_the_level() -> None:
    found = fitted(Panel.of({"a": np.full(30, 3.0)})).predict(ar(2, 20), horizon=4)
    np.testing.assert_allclose(found.mean, [[y[-6:].mean()] * 4 for y in ar(2, 20)])


def test_without_a_context_it_takes_the_default_of_the_host() -> None:
    made = Panel.of({"a": np.arange(400.0)}, seasons=(24, 168))
    assert fitted(made, context=None).context == default_context((24, 168), 4, np.array([400])) == 133
    assert fitted(made, context=None, look_back=150).context == 150


def left_out(panel: Panel, context: int, leads: int, look_back: int, ridge: float) -> Floats:
    """Errors on the windows of every fifth series, from the windows of the others."""
    errors = []
    for group in range(5):
        mine, others = (panel.take([i for i in range(len(panel)) if (i % 5 == group) is own]) for own in (True, False))
        x, y = windows(others, context, leads)
        level = x[:, -look_back:].mean(1, keepdims=True)
        x, y = x[:, -look_back:] - level, y - level
        penalty = ridge * (x**2).sum() / look_back
        learned = np.linalg.solve(x.T @ x + penalty * np.eye(look_back), x.T @ y)
        x, y = windows(mine, context, leads, weighted=False)
        level = x[:, -look_back:].mean(1, keepdims=True)
        errors.append(y - level - (x[:, -look_back:] - level) @ learned)
    return np.concatenate(errors)


@pytest.mark.parametrize(("context", "look_back"), [(6, 6), (9, 6)])
def test_quantiles_are_those_of_errors_on_groups_of_series_that_were_left_out(context: int, look_back: int) -> None:
    made, levels = Panel.of({chr(97 + i): y[: 20 + 3 * i] for i, y in enumerate(ar(12, 60))}), (0.05, 0.5, 0.9)
    model, histories = fitted(made, context=context, look_back=look_back), ar(3, 20, seed=1)
    errors = left_out(made, context, 4, look_back, 1e-4)
    found = model.predict(histories, horizon=4, quantile_levels=levels)
    assert found.quantile_levels == levels
    assert found.quantiles is not None
    assert found.mean.tobytes() == model.predict(histories, horizon=4).mean.tobytes()
    for k, level in enumerate(levels):
        wanted = found.mean + np.quantile(errors, level, axis=0)
        np.testing.assert_allclose(found.quantiles[..., k], wanted, rtol=1e-9)
    shorter = model.predict(histories, horizon=2, quantile_levels=(0.5,)).quantiles
    assert shorter is not None
    assert shorter.tolist() == found.quantiles[:, :2, 1:2].tolist()


def test_quantiles_of_one_group_are_those_of_its_own_errors() -> None:
    made, histories = Panel.of({"a": ar(1, 13)[0]}), ar(3, 20, seed=1)
    model = fitted(made)
    x, y = windows(made, 6, 4, weighted=False)
    assert len(x) == 4
    found = model.predict(histories, horizon=4, quantile_levels=(0.2,))
    assert found.quantiles is not None
    wanted = found.mean + np.quantile(y - x @ model.coefficients, 0.2, axis=0)
    np.testing.assert_allclose(found.quantiles[..., 0], wanted, rtol=1e-9)


@pytest.mark.parametrize("n", [4, 12])  # a few series are cut into stretches of time
def test_few_pairs_for_the_context_do_not_make_intervals_too_narrow(n: int) -> None:
    histories, truth = held_out(400, 24)
    inside, in_sample = [], []
    for seed in range(6):
        made = ar(n, 28 + 240 // n, seed=10 + seed)
        model = fitted(made, context=24, ridge=1e-3)
        found = model.predict(histories, horizon=4, quantile_levels=(0.1, 0.9))
        assert found.quantiles is not None
        inside.append(((truth > found.quantiles[..., 0]) & (truth < found.quantiles[..., 1])).mean())
        x, y = windows(made, 24, 4, weighted=False)
        low, high = np.quantile(y - x @ model.coefficients, (0.1, 0.9), axis=0)
        in_sample.append(((truth > found.mean + low) & (truth < found.mean + high)).mean())
    assert abs(np.mean(inside) - 0.8) < 0.04
    assert np.mean(in_sample) < 0.76


def held_out(n: int, context: int) -> tuple[Panel, Floats]:
    """Histories of the process of `ar`, and the four values after each."""
    test = ar(n, context + 4, seed=1)
    return Panel.of({k: y[:-4] for k, y in zip(test.keys, test, strict=True)}), np.array([y[-4:] for y in test])


def test_without_levels_there_are_no_quantiles_and_a_short_history_has_none() -> None:
    model = fitted(ar(4, 80))
    assert model.predict(ar(2, 20), horizon=4).quantiles is None
    found = model.predict(Panel.of({"a": np.arange(5.0), "b": np.arange(6.0)}), horizon=4, quantile_levels=(0.5,))
    assert set(found.failed) == {0}
    assert found.quantiles is not None
    assert np.isfinite(found.quantiles).all((1, 2)).tolist() == [False, True]


def test_quantiles_cover_what_they_promise_on_series_of_the_same_process() -> None:
    train, test = ar(40, 200), ar(4000, 44, seed=1)
    histories = Panel.of({key: y[:-4] for key, y in zip(test.keys, test, strict=True)})
    truth = np.array([y[-4:] for y in test])
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    found = fitted(train, context=12).predict(histories, horizon=4, quantile_levels=levels).quantiles
    assert found is not None
    below = (truth[..., None] < found).mean(0)
    assert np.abs(below - levels).max() < 0.03


def test_many_pairs_give_their_errors_by_a_sample_that_meets_every_season(monkeypatch: pytest.MonkeyPatch) -> None:
    train, levels = ar(6, 400), (0.1, 0.5, 0.9)
    whole = fitted(train).predict(ar(2, 20), horizon=4, quantile_levels=levels).quantiles
    for name, value in (("PAIRS", 500), ("ERRORS", 2000)):
        with monkeypatch.context() as patch:
            patch.setattr(linear, name, value)
            model = fitted(train)
            some = model.predict(ar(2, 20), horizon=4, quantile_levels=levels).quantiles
            assert len(model._training_errors()) <= 500
        assert some is not None
        assert whole is not None
        assert not np.array_equal(some, whole)
        np.testing.assert_allclose(some, whole, atol=0.35)
    # every tenth value is far above the one before it, and one pair in ten is kept
    spikes = Panel.of({"a": np.where(np.arange(4000) % 10 == 0, 5.0, 0.0)})
    monkeypatch.setattr(linear, "PAIRS", 400)
    model = fitted(spikes, context=1, horizon=1)
    far = model._training_errors() > 2
    assert 0.05 < far.mean() < 0.2


def test_a_shorter_look_back_uses_the_last_values_of_as_many_pairs() -> None:
    made = ar(12, 80)
    x, y = windows(made, 9, 4)
    x = x[:, 3:]
    level = x.mean(1, keepdims=True)
    wanted = np.linalg.lstsq(x - level, y - level, rcond=None)[0]
    model = fitted(made, context=9, look_back=6, ridge=1e-10)
    assert model.context == 6
    np.testing.assert_allclose((x - level) @ model.coefficients, (x - level) @ wanted, rtol=1e-4, atol=1e-6)
    with pytest.raises(ForecastError, match=r"look_back=10 is more than the context of 9 values; .*--context 10"):
        fitted(made, context=9, look_back=10)


def test_the_last_value_may_be_subtracted_instead_of_the_mean() -> None:
    made = ar(12, 80)
    model = fitted(made, ridge=1e-10, normalise="last")
    x, y = windows(made, 6, 4)
    x, y = x - x[:, -1:], y - x[:, -1:]
    predicted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(x @ model.coefficients, predicted, rtol=1e-4, atol=1e-6)
    flat = Panel.of({"a": [3.0, 1.0, 4.0, 1.0, 5.0, 9.0]})
    moved = model.predict(flat.with_values(flat.values + 100), horizon=4).mean
    np.testing.assert_allclose(moved, model.predict(flat, horizon=4).mean + 100, rtol=1e-9)


@pytest.mark.parametrize(
    "asked",
    [
        {"ridge": -1.0},
        {"ridge": np.nan},
        {"ridge": "little"},
        {"ridge": True},
        {"look_back": 0},
        {"look_back": 2.5},
        {"look_back": "all"},
        {"normalise": "median"},
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(asked: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(asked))):
        Linear(**asked)


@pytest.mark.parametrize("n", [3, 12])
def test_a_series_counts_divided_by_what_a_seasonal_naive_forecast_misses(n: int) -> None:
    made = Panel.of({str(i): y[: 9 + 5 * i] * 3**i for i, y in enumerate(ar(5, 60))}, seasons=(4,))
    np.testing.assert_allclose(spread(made), [noise(y, 4) for y in made], rtol=1e-12)
    # one series a thousand times as large as the others: as if it were not
    alike = ar(n, 80)
    large = alike.with_values(alike.values * np.repeat([1000.0] + (n - 1) * [1.0], 80))
    np.testing.assert_allclose(fitted(large).coefficients, fitted(alike).coefficients, rtol=1e-9, atol=1e-12)


def test_neither_an_exact_season_nor_the_rounding_of_a_constant_counts_like_many_series() -> None:
    wave = np.sin(np.arange(40) * np.pi / 2)
    made = Panel.of(
        {
            "wave": 5 + wave,
            "constant": np.full(40, 0.1) + 1e-17,
            "zero": np.zeros(40),
            "short": [1.0, 2.0, 3.0],
            "": [],
        },
        seasons=(4,),
    )
    found = spread(made)
    np.testing.assert_allclose(found, [0.05 * wave.std(), 1e-7, 1.0, np.std([1, 2, 3]), 1.0], rtol=1e-9)
    rows = {str(i): y for i, y in enumerate(ar(20, 80))}
    rng = np.random.default_rng(0)
    rounding = {f"r{i}": 1 + 1e-16 * rng.integers(-9, 9, 80) for i in range(200)}
    alone, both = (fitted(Panel.of(r, seasons=(4,)), ridge=1e-6) for r in (rows, rows | rounding))
    np.testing.assert_allclose(both.coefficients, alone.coefficients, atol=1e-6)
    assert np.abs(fitted(Panel.of(rounding, seasons=(4,)), ridge=1e-6).coefficients).max() < 1e-6


def test_the_ridge_is_chosen_by_forecasting_series_that_were_left_out() -> None:
    few, many = (fitted(ar(n, 60, phi=0.3), context=24, ridge=None) for n in (10, 400))
    assert few.chosen_ridge > many.chosen_ridge
    test = ar(300, 28, phi=0.3, seed=1)
    histories = Panel.of({k: y[:24] for k, y in zip(test.keys, test, strict=True)})
    truth = np.array([y[24:] for y in test])

    def error(ridge: float | None) -> float:
        found = fitted(ar(10, 60, phi=0.3), context=24, ridge=ridge).predict(histories, horizon=4).mean
        return float(((found - truth) ** 2).mean())

    assert error(None) < error(1e-4)
    assert error(None) < 1.02 * min(error(10.0**k) for k in range(-4, 2))


def test_moments_alone_give_no_quantiles() -> None:
    model = Linear()
    model.solve([model.moments(ar(12, 80), horizon=4, context=6)], seed=0)
    assert model.predict(ar(2, 20), horizon=4).mean.shape == (2, 4)
    with pytest.raises(ForecastError, match="fit on them"):
        model.predict(ar(2, 20), horizon=4, quantile_levels=(0.5,))
