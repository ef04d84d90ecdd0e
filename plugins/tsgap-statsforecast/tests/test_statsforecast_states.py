"""States of a history: as many as the model has, as good as an optimiser's, and of that history alone."""

from __future__ import annotations

import numpy as np
import pytest
from statsforecast_series import SEASON, panel, scaled, seasonal_series
from tsgap_statsforecast import models, states
from tsgap_statsforecast.states import ets_forecast, ets_states, theta_forecast

from tsgap.errors import ForecastError
from tsgap.panel import Panel


def fitted(components: str, y, damped: bool | None = None):
    from statsforecast.models import AutoETS

    return AutoETS(season_length=SEASON, model=components, damped=damped).fit(y).model_


def squares(model, y, start) -> float:
    return float(np.sum(states._run(model, y, start)[0] ** 2))


@pytest.mark.parametrize("wrong", [0, 1, 12, 14, 40])
def test_a_state_vector_of_another_length_is_refused_before_it_is_read(wrong):
    y = scaled(seasonal_series(60, seed=0))
    with pytest.raises(ForecastError, match=rf"ETS\(A,N,A\) of season 12 has 13 states, got {wrong}"):
        ets_forecast(fitted("ANA", y), y, horizon=3, states=np.zeros(wrong))


def test_a_library_that_gives_other_states_fails_the_row_and_is_not_run(monkeypatch):
    from statsforecast import ets

    forecaster = models.HoltWinters()
    forecaster.fit(panel([seasonal_series(60, seed=0)]), horizon=3, context=None, seed=0)
    monkeypatch.setattr(ets, "initstate", lambda *args: np.zeros(5))
    monkeypatch.setattr(ets, "pegelsresid_C", lambda **options: pytest.fail("was run"))
    forecast = forecaster.predict(panel([seasonal_series(60, seed=1)]), horizon=3)
    assert forecast.failed == {0: "an ETS(A,A,A) of season 12 has 14 states, got 6"}


@pytest.mark.parametrize(
    ("components", "damped", "count"),
    [("ANN", False, 1), ("AAN", False, 2), ("AAN", True, 2), ("ANA", False, 13), ("MAM", True, 14), ("MNM", False, 13)],
)
def test_states_are_as_many_as_the_components_have(components, damped, count):
    y = scaled(seasonal_series(75, seed=0))
    start = ets_states(fitted(components, y, damped), y)
    assert start.shape == (count,)
    if components[2] != "N":
        total = SEASON if components[2] == "M" else 0
        assert start[-SEASON:].sum() == pytest.approx(total, abs=1e-9)


@pytest.mark.parametrize("components", ["ANN", "AAN", "ANA", "AAA"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_states_of_an_additive_model_fit_a_series_no_worse_than_the_optimisers_own(components, seed):
    y = scaled(seasonal_series(75, seed=seed))
    model = fitted(components, y)
    assert squares(model, y, ets_states(model, y)) <= squares(model, y, model["par"][4:]) * (1 + 1e-9)


@pytest.mark.parametrize("components", ["ANA", "AAA", "MAM", "MNM"])
def test_states_fit_a_history_better_than_those_the_library_starts_from(components):
    from statsforecast.ets import initstate

    model = fitted(components, scaled(seasonal_series(75, seed=0)))
    y = scaled(seasonal_series(40, seed=7, phase=5))
    free = initstate(y, SEASON, components[1], components[2])
    there = np.append(free, SEASON * (components[2] == "M") - free[1 + (components[1] != "N") :].sum())
    assert squares(model, y, ets_states(model, y)) < squares(model, y, there)


def test_a_model_that_never_updates_is_still_at_the_level_of_the_history():
    model = {"components": "ANNN", "m": 1, "par": np.array([1e-6, np.nan, np.nan, np.nan])}
    y = np.concatenate([np.zeros(30), np.ones(90)])
    assert ets_forecast(model, y, horizon=1)[0] == pytest.approx(0.75, abs=1e-3)


@pytest.mark.parametrize("components", ["ANA", "AAA", "MNA"])
def test_forecasts_follow_the_unit_of_an_additive_history(components):
    model = fitted(components, scaled(seasonal_series(75, seed=0)))
    y = seasonal_series(50, seed=3)
    np.testing.assert_allclose(
        ets_forecast(model, y * 1000, horizon=6), ets_forecast(model, y, horizon=6) * 1000, rtol=1e-6
    )


@pytest.mark.parametrize("components", ["ANA", "MAM"])
def test_a_training_series_at_another_phase_of_the_same_model_changes_nothing(components):
    model = fitted(components, scaled(seasonal_series(75, seed=0)))
    moved = {**model, "par": np.concatenate([model["par"][:4], np.roll(model["par"][4:], 3) * 7])}
    y = scaled(seasonal_series(50, seed=3))
    np.testing.assert_array_equal(ets_forecast(moved, y, horizon=6), ets_forecast(model, y, horizon=6))


def test_theta_starts_at_the_level_of_the_history():
    from statsforecast.models import DynamicOptimizedTheta

    y = scaled(seasonal_series(30, seed=0))
    model = DynamicOptimizedTheta(season_length=SEASON).fit(y).model_
    slow = {**model, "par": {**model["par"], "alpha": 0.1}}
    elsewhere = {**model, "par": {**slow["par"], "initial_smoothed": 100.0}}
    here = theta_forecast(slow, y, horizon=4)
    np.testing.assert_array_equal(theta_forecast(elsewhere, y, horizon=4), here)
    assert (theta_forecast(elsewhere, y, horizon=4, level=100.0) > here + 1).all()


def test_a_history_of_zeros_is_forecast_as_zero():
    forecaster = models.HoltWinters()
    forecaster.fit(panel([seasonal_series(60, seed=0)]), horizon=3, context=None, seed=0)
    forecast = forecaster.predict(Panel.of({"s0": np.zeros(40)}, seasons=(SEASON,)), horizon=3)
    np.testing.assert_allclose(forecast.mean, 0, atol=1e-9)
