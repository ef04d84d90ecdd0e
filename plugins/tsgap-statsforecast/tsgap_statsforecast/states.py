"""Forecasts with the parameters of one series from the state of another: exponential smoothing and Theta.

`forward` of statsforecast 2.1 starts these models in the level, slope and seasonal states at the beginning of the
*training* series. Here they start in states of the history itself. No parameter is estimated on the history, and
no optimiser runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tsgap.errors import ForecastError
from tsgap.panel import Floats

#: How many leading values give the first level of a Theta model.
_LEVEL_FROM = 10
#: By how much a state is moved to see what it does to the errors, in units of a history scaled to 1.
_NUDGE = 1e-4


def ets_states(model: Mapping[str, Any], y: Floats) -> Floats:
    """Initial level, slope and seasonal states of history `y` for a fitted ETS model: 1 + [trend] + [season] * m.

    The start is `statsforecast.ets.initstate`, which looks at the first two seasons. A model that hardly updates
    its states needs those that fit the whole history, so one Gauss-Newton step follows on the squared one-step
    errors, with the parameters as they are: least squares for an additive model, whose errors are linear in the
    initial states. The step is kept where the squares fall.
    """
    from statsforecast.ets import initstate

    _, trend, season, _ = model["components"]
    m = int(model["m"])
    scale = float(np.abs(y).mean()) or 1.0
    free = np.asarray(initstate(y, m, trend, season), dtype=np.float64)
    states = _with_last_season(free, m, trend, season)
    errors, _ = _run(model, y, states)
    slopes = np.empty((len(y), len(free)))
    for j in range(len(free)):
        nudge = _NUDGE * (1.0 if season == "M" and j > (trend != "N") else scale)
        moved = free.copy()
        moved[j] += nudge
        slopes[:, j] = (_run(model, y, _with_last_season(moved, m, trend, season))[0] - errors) / nudge
    if not (np.isfinite(slopes).all() and np.isfinite(errors).all()):
        return states
    step = np.linalg.lstsq(slopes, -errors, rcond=1e-8)[0]
    better = _with_last_season(free + step, m, trend, season)
    return better if np.sum(_run(model, y, better)[0] ** 2) <= np.sum(errors**2) else states


def ets_forecast(model: Mapping[str, Any], y: Floats, *, horizon: int, states: Floats | None = None) -> Floats:
    """Forecast (H,) of history `y` with a fitted ETS model's components and smoothing parameters.

    `states` are the initial states (default: those of the history). A state vector of another length than the
    model's would be read past its end, and raises `ForecastError`.
    """
    from statsforecast.ets import pegelsfcast_C

    _, path = _run(model, y, ets_states(model, y) if states is None else states)
    forecast: Floats = pegelsfcast_C(horizon, {**model, "states": path})
    return forecast


def _with_last_season(free: Floats, m: int, trend: str, season: str) -> Floats:
    """States with the seasonal one that statsforecast leaves out: together they are 0, or m where they multiply."""
    if season == "N":
        return free
    return np.append(free, m * (season == "M") - free[1 + (trend != "N") :].sum())


def _run(model: Mapping[str, Any], y: Floats, states: Floats) -> tuple[Floats, Floats]:
    """Absolute one-step errors (T,) and states (T + 1, P); the states are the same for either kind of error."""
    from statsforecast.ets import pegelsresid_C

    error, trend, season, damped = model["components"]
    m = int(model["m"])
    wanted = 1 + (trend != "N") + (season != "N") * m
    if np.shape(states) != (wanted,):
        raise ForecastError(
            f"an ETS({error},{trend},{season}) of season {m} has {wanted} states, got {np.size(states)}"
        )
    alpha, beta, gamma, phi = model["par"][:4]
    _, errors, path, _ = pegelsresid_C(
        y=y,
        m=m,
        init_state=states,
        errortype="A",
        trendtype=trend,
        seasontype=season,
        damped=damped == "D",
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        phi=phi,
        nmse=1,
    )
    return errors, path


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
