"""Direct least squares, against numpy's on windows built one by one, and on planted processes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsgap.defaults import linear
from tsgap.defaults.linear import Linear, default_context, teachable
from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel


def ar(n: int, length: int, *, phi: float = 0.8, seed: int = 0, noise: float = 1.0) -> Panel:
    rng = np.random.default_rng(seed)
    y = np.zeros((n, length + 100))
    for t in range(1, y.shape[1]):
        y[:, t] = phi * y[:, t - 1] + noise * rng.normal(size=n)
    return Panel.of({f"s{i}": 10 + row[100:] for i, row in enumerate(y)}, seasons=(4,))


def windows(panel: Panel, context: int, leads: int) -> tuple[Floats, Floats]:
    """All (context, leads) windows, each less the mean of its context."""
    x, y = [], []
    for row in panel:
        for end in range(context, len(row) - leads + 1):
            level = row[end - context : end].mean()
            x.append(row[end - context : end] - level)
            y.append(row[end : end + leads] - level)
    return np.array(x), np.array(y)


def fitted(panel: Panel, *, horizon: int = 4, context: int | None = 6, ridge: float = 1e-4) -> Linear:
    model = Linear(ridge)
    model.fit(panel, horizon=horizon, context=context, seed=0)
    return model


def test_it_is_ridge_regression_on_all_windows() -> None:
    made = Panel.of({str(i): y[: 20 + 7 * i] for i, y in enumerate(ar(3, 60))})
    x, y = windows(made, 6, 4)
    for ridge in (1e-6, 1e-2, 1.0):
        weight = ridge * (x**2).sum() / 6
        rows = np.vstack([x, np.sqrt(weight) * np.eye(6)])
        wanted = np.linalg.lstsq(rows, np.vstack([y, np.zeros((6, 4))]), rcond=None)[0]
        np.testing.assert_allclose(fitted(made, ridge=ridge).coefficients, wanted, rtol=1e-6, atol=1e-9)


def test_without_ridge_it_is_least_squares() -> None:
    made = ar(4, 80)
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
    assert [teachable(np.array([36, 20]), 12, h) for h in (1, 24, 96)] == [1, 24, 24]
    assert teachable(np.array([12]), 12, 3) == 0
    assert teachable(np.array([], dtype=np.int64), 12, 3) == 0
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


@pytest.mark.parametrize(
    ("seasons", "lengths", "context"), [((12,), [400], 24), ((24, 168), [400], 200), ((1,), [1], 1)]
)
def test_without_a_context_it_takes_two_seasons(seasons: tuple[int, ...], lengths: list[int], context: int) -> None:
    assert default_context(seasons, np.array(lengths)) == context
    if lengths == [400]:
        made = Panel.of({"a": np.arange(400.0)}, seasons=seasons)
        assert fitted(made, context=None).context == context


def test_quantiles_are_those_of_the_errors_on_the_training_pairs() -> None:
    made, levels = Panel.of({str(i): y[: 12 + 9 * i] for i, y in enumerate(ar(4, 60))}), (0.05, 0.5, 0.9)
    model, histories = fitted(made), ar(3, 20, seed=1)
    x, y = windows(made, 6, 4)
    errors = y - x @ model.coefficients
    found = model.predict(histories, horizon=4, quantile_levels=levels)
    assert found.quantile_levels == levels
    assert found.quantiles is not None
    assert found.mean.tobytes() == model.predict(histories, horizon=4).mean.tobytes()
    for k, level in enumerate(levels):
        wanted = found.mean + np.quantile(errors, level, axis=0)
        np.testing.assert_allclose(found.quantiles[..., k], wanted, rtol=1e-12)
    shorter = model.predict(histories, horizon=2, quantile_levels=(0.5,)).quantiles
    assert shorter is not None
    assert shorter.tolist() == found.quantiles[:, :2, 1:2].tolist()


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


def test_many_windows_are_summed_in_blocks() -> None:
    long = ar(1, 9000, seed=4)
    x, y = windows(long, 6, 4)
    weight = 1e-4 * (x**2).sum() / 6
    wanted = np.linalg.solve(x.T @ x + weight * np.eye(6), x.T @ y)
    np.testing.assert_allclose(fitted(long).coefficients, wanted, rtol=1e-8)
