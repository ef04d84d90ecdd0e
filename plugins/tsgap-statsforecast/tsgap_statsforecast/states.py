"""Forecasts with the parameters of one series from the state of another: exponential smoothing and Theta.

`forward` of statsforecast 2.1 starts these models in the level, slope and seasonal states at the beginning of the
*training* series. Here the states come from the history by the rule with which statsforecast starts its own
optimiser, and nothing is optimised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tsgap.errors import ForecastError
from tsgap.panel import Floats

#: How many leading values give the first level of a series without a season.
_LEVEL_FROM = 10


def ets_states(y: Floats, *, season_length: int, trend: str, season: str) -> Floats:
    """Initial level, slope and seasonal states of a history, as an ETS model with these components needs them.

    `trend` and `season` are 'N', 'A' or 'M'. Gives 1 + [trend] + [season] * season_length numbers.
    """
    from statsforecast.ets import initstate

    states = np.asarray(initstate(y, season_length, trend, season), dtype=np.float64)
    if season == "N":
        return states
    # statsforecast leaves the last seasonal state out: together they are 0, or the season length
    seasonal = states[1 + (trend != "N") :]
    return np.append(states, season_length * (season == "M") - seasonal.sum())


def ets_forecast(model: Mapping[str, Any], y: Floats, *, horizon: int, states: Floats | None = None) -> Floats:
    """Forecast (H,) of history `y` with a fitted ETS model's components and smoothing parameters.

    `states` are the initial states (default: those of the history). A state vector of another length than the
    model's would be read past its end, and raises `ForecastError`.
    """
    from statsforecast.ets import pegelsfcast_C, pegelsresid_C

    error, trend, season, damped = model["components"]
    m = int(model["m"])
    if states is None:
        states = ets_states(y, season_length=m, trend=trend, season=season)
    wanted = 1 + (trend != "N") + (season != "N") * m
    if states.shape != (wanted,):
        raise ForecastError(f"an ETS({error},{trend},{season}) of season {m} has {wanted} states, got {states.size}")
    alpha, beta, gamma, phi = model["par"][:4]
    path = pegelsresid_C(
        y=y,
        m=m,
        init_state=states,
        errortype=error,
        trendtype=trend,
        seasontype=season,
        damped=damped == "D",
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        phi=phi,
        nmse=1,
    )[2]
    forecast: Floats = pegelsfcast_C(horizon, {**model, "states": path})
    return forecast


def theta_forecast(model: Mapping[str, Any], y: Floats, *, horizon: int, level: float | None = None) -> Floats:
    """Forecast (H,) of history `y` with a fitted Theta model's variant, theta and smoothing weight.

    Whether there is a season was decided by the training series; its figure is taken from the history, as a
    ratio where the history is positive and as a difference elsewhere. `level` is the initial level (default:
    the mean of the first ten values, without the season).
    """
    from statsforecast.theta import forecast_theta, thetamodel

    m = int(model["m"])
    figure, ratio = None, False
    if model.get("decompose", False):
        figure, ratio = _seasonal_figure(y, m, ratio=model["decomposition_type"] == "multiplicative")
        whole = np.resize(figure, len(y))
        y = y / whole if ratio else y - whole
    fitted = thetamodel(
        y=y,
        m=m,
        modeltype=model["modeltype"],
        initial_smoothed=float(y[:_LEVEL_FROM].mean()) if level is None else level,
        alpha=model["par"]["alpha"],
        theta=model["par"]["theta"],
        nmse=1,
    )
    forecast: Floats = forecast_theta(fitted, horizon)["mean"]
    if figure is None:
        return forecast
    ahead = np.resize(np.roll(figure, -len(y)), horizon)
    return forecast * ahead if ratio else forecast + ahead


def _seasonal_figure(y: Floats, m: int, *, ratio: bool) -> tuple[Floats, bool]:
    """One season (m,) from the first value on, and whether it multiplies; statsforecast's own rule for signs."""
    from statsmodels.tsa.seasonal import seasonal_decompose

    if ratio and y.min() > 0:
        figure = seasonal_decompose(y, model="multiplicative", period=m).seasonal[:m]
        if figure.min() >= 0.01:
            return figure, True
    return seasonal_decompose(y, model="additive", period=m).seasonal[:m], False
