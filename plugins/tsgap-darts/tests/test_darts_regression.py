"""The regression models: what they learn, what they forecast, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest
from darts_panels import SEASON, lagged, planted, scaled
from tsgap_darts import SPECS
from tsgap_darts.regression import linear_regression, random_forest

from tsgap.errors import ForecastError, UsageError
from tsgap.panel import Floats, Panel

REGRESSIONS = [spec for spec in SPECS if not any("torch" in needed for needed in spec.requires)]
SMALL = {"linear-regression": {}, "random-forest": {"trees": 5}, "lightgbm": {"trees": 10}}


@pytest.fixture(params=REGRESSIONS, ids=lambda spec: spec.name)
def spec(request):
    if request.param.name == "lightgbm":
        pytest.importorskip("lightgbm")
    return request.param


def by_hand(train: Panel, history: Panel, context: int, leads: int) -> Floats:
    x, y = lagged(train, context, leads)
    weights, *_ = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)
    tails = np.stack([row[-context:] for row in history])
    return np.column_stack([tails, np.ones(len(tails))]) @ weights


def test_linear_regression_equals_least_squares_on_the_same_windows():
    train, history = planted(5, 60, seed=1), planted(4, 40, seed=2)
    forecaster = linear_regression()
    forecaster.fit(train, horizon=7, context=13, seed=0)
    forecast = forecaster.predict(history, horizon=7)
    np.testing.assert_allclose(forecast.mean, by_hand(train, history, 13, 7), rtol=1e-9)
    assert not forecast.failed


def test_recursive_linear_regression_feeds_its_first_lead_back():
    train, history = planted(5, 60, seed=1), planted(4, 40, seed=2)
    forecaster = linear_regression(recursive=True)
    forecaster.fit(train, horizon=3, context=13, seed=0)
    longer = {key: list(history[i]) for i, key in enumerate(history.keys)}
    for _ in range(3):
        step = by_hand(train, Panel.of(longer), 13, 1)
        for row, value in zip(longer.values(), step[:, 0], strict=True):
            row.append(value)
    expected = np.array([row[-3:] for row in longer.values()])
    np.testing.assert_allclose(forecaster.predict(history, horizon=3).mean, expected, rtol=1e-9)


def test_only_the_last_values_of_a_history_matter(spec):
    forecaster = spec.build(**SMALL[spec.name])
    forecaster.fit(planted(5, 60, seed=1), horizon=4, context=12, seed=0)
    history = planted(4, 40, seed=2)
    whole, tail = forecaster.predict(history, horizon=4), forecaster.predict(history.tail(12), horizon=4)
    assert np.array_equal(whole.mean, tail.mean)


def test_a_short_history_fails_alone(spec):
    forecaster = spec.build(**SMALL[spec.name])
    forecaster.fit(planted(5, 60, seed=1), horizon=4, context=12, seed=0)
    history = planted(3, 40, seed=2)
    mixed = Panel.of({"a": history[0], "short": history[1][:11], "c": history[2]})
    forecast = forecaster.predict(mixed, horizon=4)
    assert dict(forecast.failed) == {1: f"{spec.name} needs a history of 12 values, this one has 11"}
    assert np.array_equal(forecast.mean[[0, 2]], forecaster.predict(history, horizon=4).mean[[0, 2]])
    nothing = forecaster.predict(mixed.take([1]), horizon=4)
    assert nothing.mean.shape == (1, 4)
    assert list(nothing.failed) == [0]


def test_order_and_subset_of_the_rows_do_not_matter_to_the_last_bit(spec):
    forecaster = spec.build(**SMALL[spec.name])
    forecaster.fit(planted(5, 60, seed=1), horizon=4, context=12, seed=0)
    history = planted(300, 14, seed=2)
    mean = forecaster.predict(history, horizon=4).mean
    order = np.random.default_rng(3).permutation(300)
    assert np.array_equal(forecaster.predict(history.take(order), horizon=4).mean, mean[order])
    for rows in ([7], [299, 0, 150], list(range(20, 290))):
        assert np.array_equal(forecaster.predict(history.take(rows), horizon=4).mean, mean[rows])


def test_one_forecast_serves_the_shorter_horizons(spec):
    forecaster = spec.build(**SMALL[spec.name])
    forecaster.fit(planted(5, 60, seed=1), horizon=9, context=12, seed=0)
    history = planted(4, 40, seed=2)
    assert np.array_equal(
        forecaster.predict(history, horizon=4).mean, forecaster.predict(history, horizon=9).mean[:, :4]
    )


def test_the_same_seed_gives_the_same_forecast(spec):
    train, history = planted(5, 60, seed=1), planted(4, 40, seed=2)
    means = []
    for seed in (5, 5, 6):
        forecaster = spec.build(**SMALL[spec.name])
        forecaster.fit(train, horizon=4, context=12, seed=seed)
        means.append(forecaster.predict(history, horizon=4).mean)
    assert np.array_equal(means[0], means[1])
    assert np.array_equal(means[0], means[2]) == spec.deterministic


def test_nothing_that_was_handed_in_is_changed(spec):
    train, history = planted(5, 60, seed=1), planted(4, 40, seed=2)
    before = train.values.copy(), history.values.copy()
    forecaster = spec.build(**SMALL[spec.name])
    forecaster.fit(train, horizon=4, context=12, seed=0)
    forecaster.predict(history, horizon=4)
    assert np.array_equal(train.values, before[0])
    assert np.array_equal(history.values, before[1])


def test_training_on_other_series_changes_the_forecast(spec):
    history = planted(4, 40, seed=2)
    means = []
    for level in (10.0, 50.0):
        forecaster = spec.build(**SMALL[spec.name])
        forecaster.fit(planted(5, 60, seed=1, level=level), horizon=4, context=12, seed=0)
        means.append(forecaster.predict(history, horizon=4).mean)
    assert not np.allclose(means[0], means[1])


def test_the_model_is_fitted_in_fit_and_never_in_predict(spec, monkeypatch):
    forecaster = spec.build(**SMALL[spec.name])
    model = forecaster.needed.load(spec.name)
    calls = []
    inner = model.fit
    monkeypatch.setattr(model, "fit", lambda self, *args, **kwargs: calls.append(1) or inner(self, *args, **kwargs))
    forecaster.fit(planted(5, 60, seed=1), horizon=4, context=12, seed=0)
    assert len(calls) == 1
    estimator = type(forecaster.model.model)
    monkeypatch.setattr(estimator, "fit", lambda *args, **kwargs: calls.append(2))
    forecaster.predict(planted(4, 40, seed=2), horizon=4)
    assert calls == [1]


def test_the_numerical_libraries_are_held_to_one_thread(spec, monkeypatch):
    from threadpoolctl import threadpool_info, threadpool_limits

    forecaster = spec.build(**SMALL[spec.name])
    model = forecaster.needed.load(spec.name)
    seen = []

    def spied(inner):
        def call(self, *args, **kwargs):
            seen.extend(library["num_threads"] for library in threadpool_info())
            return inner(self, *args, **kwargs)

        return call

    monkeypatch.setattr(model, "fit", spied(model.fit))
    monkeypatch.setattr(model, "predict", spied(model.predict))
    with threadpool_limits(limits=2):
        forecaster.fit(planted(5, 60, seed=1), horizon=4, context=12, seed=0)
        forecaster.predict(planted(4, 40, seed=2), horizon=4)
    assert len(seen) >= 2
    assert set(seen) == {1}


def test_the_global_generator_of_numpy_is_left_as_it_was(spec):
    before = np.random.get_state()[1:3]  # noqa: NPY002 - the one that must be left alone
    forecaster = spec.build(**SMALL[spec.name])
    forecaster.fit(planted(5, 60, seed=1), horizon=4, context=12, seed=0)
    forecaster.predict(planted(4, 40, seed=2), horizon=4)
    after = np.random.get_state()[1:3]  # noqa: NPY002
    assert np.array_equal(before[0], after[0])
    assert before[1] == after[1]


def test_short_training_series_teach_the_leads_that_they_reach():
    train, history = planted(5, 20, seed=1), planted(4, 40, seed=2)
    direct, recursive = linear_regression(), linear_regression(recursive=True)
    direct.fit(train, horizon=12, context=13, seed=0)
    recursive.fit(train, horizon=12, context=13, seed=0)
    assert direct.predict(history, horizon=12).mean.shape == (4, 7)
    assert recursive.predict(history, horizon=12).mean.shape == (4, 12)


def test_training_series_without_a_window_are_left_out_and_counted(spec):
    good, history = planted(5, 60, seed=1), planted(4, 40, seed=2)
    rows = {key: good[i] for i, key in enumerate(good.keys)}
    means = []
    for train in (Panel.of(rows), Panel.of({"x": good[0][:12], **rows, "y": good[1][:5]})):
        forecaster = spec.build(**SMALL[spec.name])
        forecaster.fit(train, horizon=4, context=12, seed=0)
        means.append(forecaster.predict(history, horizon=4).mean)
    assert forecaster.windows.left_out == 2
    assert np.array_equal(means[0], means[1])


def test_the_cap_on_windows_takes_the_latest_of_every_series():
    train, history = planted(5, 60, seed=1), planted(4, 40, seed=2)
    capped, latest = linear_regression(max_windows=104), linear_regression()
    capped.fit(train, horizon=4, context=12, seed=0)
    latest.fit(train.tail(12 + 4 + 19), horizon=4, context=12, seed=0)
    ours, expected = capped.predict(history, horizon=4).mean, latest.predict(history, horizon=4).mean
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_a_forecast_that_is_not_finite_is_a_failed_row():
    forecaster = linear_regression()
    forecaster.fit(planted(5, 60, seed=1), horizon=4, context=12, seed=0)
    huge = Panel.of({"fine": planted(1, 12, seed=2)[0], "huge": np.full(12, 1.7e308)})
    forecaster.model.model.coef_ = np.full_like(forecaster.model.model.coef_, 5.0)
    forecast = forecaster.predict(huge, horizon=4)
    assert dict(forecast.failed) == {1: "linear-regression gave a forecast that is not finite"}


def test_series_without_any_window_are_refused(spec):
    with pytest.raises(ForecastError, match=r"none of the 3 training series has a window of 12 \+ 1 values.* has 12"):
        spec.build().fit(planted(3, 12, seed=1), horizon=4, context=12, seed=0)


def test_predict_before_fit_is_refused(spec):
    with pytest.raises(ForecastError, match="before fit"):
        spec.build().predict(planted(1, 30, seed=1), horizon=4)


def test_parameters_that_make_no_sense_are_refused():
    with pytest.raises(UsageError, match=r"random-forest: trees must be a whole number from 1, got 0"):
        random_forest(trees=0)
    with pytest.raises(UsageError, match=r"max_windows must be a whole number from 1, got 1\.5"):
        linear_regression(max_windows=1.5)


def test_a_second_draw_of_the_same_process_trains_as_well_as_the_first():
    history, horizon = scaled(planted(60, 60, seed=3)), SEASON
    known = Panel.of({key: history[i][:-horizon] for i, key in enumerate(history.keys)})
    truth = np.stack([row[-horizon:] for row in history])
    errors = []
    for train in (planted(60, 80, seed=1), planted(60, 80, seed=2, level=10.0, scale=50.0)):
        forecaster = linear_regression()
        forecaster.fit(scaled(train), horizon=horizon, context=12, seed=0)
        errors.append(np.abs(forecaster.predict(known, horizon=horizon).mean - truth).mean())
    assert abs(np.log(errors[1] / errors[0])) < 0.03
