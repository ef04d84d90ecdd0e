"""Local forecasters: twin, pool, failures that stay where they are."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

from tsgap.errors import ContractError, ForecastError
from tsgap.local import LocalForecaster
from tsgap.panel import Panel
from tsgap.protocols import Forecaster


class Mean(LocalForecaster):
    """Learns the mean of a series and adds a tenth of the history's last value; some values make it fail."""

    def fit_series(self, y, *, seasons, horizon, seed):
        if 13.0 in y:
            raise ForecastError("13 is unlucky")
        if 666.0 in y:
            return np.inf
        return float(y.mean())

    def forecast_series(self, model, y, *, horizon):
        if y[-1] == -1.0:
            raise ValueError("no good\n  can come of -1")
        return model + y[-1] / 10 + np.arange(horizon)


def fitted(rows, forecaster=None, **options):
    forecaster = forecaster or Mean()
    forecaster.fit(Panel.of(rows), horizon=2, **{"context": None, "seed": 0, **options})
    return forecaster


def test_it_is_a_forecaster():
    assert isinstance(Mean(), Forecaster)


def test_a_history_of_a_training_series_is_forecast_by_its_twin():
    forecaster = fitted({"a": [1.0, 3.0], "b": [10.0, 30.0]})
    history = Panel.of({"w1": [7.0], "w2": [0.0]}, series=["b", "a"])
    np.testing.assert_allclose(forecaster.predict(history, horizon=2).mean, [[20.7, 21.7], [2.0, 3.0]])


def test_any_other_history_is_forecast_by_the_median_of_the_pool():
    rng = np.random.default_rng(0)
    rows = {f"s{i}": rng.normal(size=5) * 10 for i in range(6)}
    forecast = fitted(rows).predict(Panel.of({"new": [2.0]}), horizon=2)
    by_hand = np.median([y.mean() for y in rows.values()]) + 0.2
    np.testing.assert_allclose(forecast.mean, [[by_hand, by_hand + 1]])


def test_twins_and_pool_may_stand_in_one_call_and_do_not_see_each_other():
    forecaster = fitted({"a": [1.0], "b": [2.0], "c": [9.0]})
    both = forecaster.predict(Panel.of({"c": [0.0], "new": [0.0]}), horizon=1)
    np.testing.assert_allclose(both.mean[:, 0], [9.0, 2.0])
    alone = forecaster.predict(Panel.of({"new": [0.0]}), horizon=1)
    assert alone.mean[0, 0] == both.mean[1, 0]


def test_a_training_series_that_fails_fails_its_own_rows_only():
    forecaster = fitted({"a": [1.0, 2.0], "bad": [13.0, 2.0], "c": [3.0, 2.0]})
    history = Panel.of({"w0": [1.0], "w1": [1.0], "w2": [1.0], "w3": [1.0]}, series=["bad", "a", "bad", "new"])
    forecast = forecaster.predict(history, horizon=2)
    assert forecast.failed == dict.fromkeys((0, 2), "its training series could not be fitted: 13 is unlucky")
    assert np.isfinite(forecast.mean[[1, 3]]).all()
    assert np.isnan(forecast.mean[[0, 2]]).all()


def test_a_forecaster_that_fits_nothing_says_the_first_reason_and_how_many():
    with pytest.raises(ForecastError, match=r"none of 2 training series could be fitted, first 'x': 13 is unlucky"):
        fitted({"x": [13.0], "y": [13.0, 1.0]})


def test_an_empty_training_panel_is_refused():
    with pytest.raises(ForecastError, match="none of 0 training series"):
        fitted({})


def test_an_exception_while_forecasting_is_a_reason_on_one_line():
    forecast = fitted({"a": [1.0]}).predict(Panel.of({"w": [-1.0], "v": [1.0]}, series=["a", "a"]), horizon=2)
    assert forecast.failed == {0: "ValueError: no good can come of -1"}


def test_a_forecast_that_is_not_finite_is_a_failure():
    forecast = fitted({"a": [666.0]}).predict(Panel.of({"a": [1.0]}), horizon=2)
    assert forecast.failed == {0: "its forecast is not finite: inf at lead 1"}


def test_pool_members_that_fail_are_left_out_while_half_answer():
    rows = {"a": [1.0], "b": [3.0], "bad": [13.0], "wild": [666.0]}
    np.testing.assert_allclose(fitted(rows).predict(Panel.of({"n": [0.0]}), horizon=1).mean, [[2.0]])


def test_a_pool_of_which_fewer_than_half_answer_fails_the_row():
    rows = {"a": [1.0], "bad": [13.0], "wild": [666.0]}
    forecast = fitted(rows).predict(Panel.of({"n": [0.0]}), horizon=1)
    assert forecast.failed == {0: "1 of a pool of 3 models answered, first reason: 13 is unlucky"}


def test_series_shorter_than_the_least_history_fail_in_training_and_in_forecasting():
    class Longer(Mean):
        def least_history(self, seasons, horizon):
            return 2 * seasons[0] + 1

    forecaster = fitted({"a": [1.0, 2.0, 3.0], "short": [1.0, 2.0]}, Longer())
    history = Panel.of({"w0": [1.0, 2.0], "w1": [1.0, 2.0, 3.0], "w2": [1.0, 2.0, 3.0]}, series=["a", "a", "short"])
    forecast = forecaster.predict(history, horizon=1)
    assert forecast.failed == {
        0: "2 values are too few, it needs 3",
        2: "its training series could not be fitted: 2 values are too few, it needs 3",
    }


def test_the_context_limits_what_of_a_history_is_used():
    class First(Mean):
        def forecast_series(self, model, y, *, horizon):
            return np.full(horizon, y[0])

    history = Panel.of({"a": [1.0, 2.0, 3.0]})
    assert fitted({"a": [0.0]}, First()).predict(history, horizon=1).mean == 1.0
    assert fitted({"a": [0.0]}, First(), context=2).predict(history, horizon=1).mean == 2.0


def test_warnings_of_a_model_are_not_shown():
    class Noisy(Mean):
        def fit_series(self, y, *, seasons, horizon, seed):
            warnings.warn("possible convergence problem", stacklevel=1)
            return float(np.log(np.zeros(1))[0]) * 0 + 1.0

        def forecast_series(self, model, y, *, horizon):
            warnings.warn("again", stacklevel=1)
            return np.ones(horizon)

    assert fitted({"a": [0.0]}, Noisy()).predict(Panel.of({"a": [1.0]}), horizon=1).mean == 1.0


def test_a_model_may_write_into_the_array_it_gets():
    class Scribbler(Mean):
        def fit_series(self, y, *, seasons, horizon, seed):
            y -= y.mean()
            return 0.0

        def forecast_series(self, model, y, *, horizon):
            y += 5
            return y[:horizon]

    train, history = Panel.of({"a": [1.0, 2.0]}), Panel.of({"a": [1.0, 2.0]})
    forecaster = Scribbler()
    forecaster.fit(train, horizon=2, context=None, seed=0)
    assert forecaster.predict(history, horizon=2).mean.tolist() == [[6.0, 7.0]]
    assert train[0].tolist() == history[0].tolist() == [1.0, 2.0]


def test_a_forecast_of_the_wrong_shape_breaks_the_contract():
    class Wide(Mean):
        def forecast_series(self, model, y, *, horizon):
            return np.ones(horizon + 1)

    with pytest.raises(ContractError, match=r"Wide.forecast_series must give 2 numbers, got shape \(3,\)"):
        fitted({"a": [1.0]}, Wide()).predict(Panel.of({"a": [1.0]}), horizon=2)


def test_running_out_of_memory_is_not_taken_for_one_series_failure():
    class Hungry(Mean):
        def fit_series(self, y, *, seasons, horizon, seed):
            raise MemoryError

    with pytest.raises(MemoryError):
        fitted({"a": [1.0]}, Hungry())


def test_forecasting_before_fitting_is_refused():
    with pytest.raises(ForecastError, match="before fit"):
        Mean().predict(Panel.of({"a": [1.0]}), horizon=1)


def test_fitting_again_forgets_the_first_panel():
    forecaster = fitted({"a": [1.0], "bad": [13.0]})
    fitted({"b": [5.0]}, forecaster)
    forecast = forecaster.predict(Panel.of({"a": [0.0], "bad": [0.0]}), horizon=1)
    np.testing.assert_allclose(forecast.mean, [[5.0], [5.0]])


def test_seed_and_seasons_reach_every_series():
    class Told(Mean):
        def fit_series(self, y, *, seasons, horizon, seed):
            return (seasons, horizon, seed)

        def forecast_series(self, model, y, *, horizon):
            (main, other), longest, seed = model
            return np.array([main, other, longest, seed], dtype=float)

    forecaster = Told()
    forecaster.fit(Panel.of({"a": [1.0]}, seasons=(7, 365)), horizon=9, context=None, seed=42)
    assert forecaster.predict(Panel.of({"a": [1.0]}), horizon=4).mean.tolist() == [[7.0, 365.0, 9.0, 42.0]]


def test_a_fitted_one_pickles():
    forecaster = fitted({"a": [1.0], "bad": [13.0]})
    again = pickle.loads(pickle.dumps(forecaster))
    history = Panel.of({"a": [2.0], "new": [1.0]})
    np.testing.assert_array_equal(again.predict(history, horizon=2).mean, forecaster.predict(history, horizon=2).mean)
