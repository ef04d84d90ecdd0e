"""Local forecasters on statsforecast: parameters and choice of model from training, state from the history."""

from __future__ import annotations

from typing import Any

import numpy as np

from tsgap.errors import ForecastError, UsageError
from tsgap.local import LocalForecaster
from tsgap.panel import Floats
from tsgap_statsforecast.states import ets_forecast, theta_forecast


def two_seasons(seasons: tuple[int, ...], horizon: int) -> int:
    """The fewest values of a series: two main seasons, and nine more than one."""
    return max(2 * seasons[0], seasons[0] + 9)


def two_of_every_season(seasons: tuple[int, ...], horizon: int) -> int:
    """The fewest values of a series whose every season is taken out."""
    return max(2 * max(seasons), max(seasons) + 9)


class _Model(LocalForecaster):
    """One of statsforecast's models: what is common to all."""

    def least_history(self, seasons: tuple[int, ...], horizon: int) -> int:
        return two_seasons(seasons, horizon)


class _Smoothing(_Model):
    """The ETS family: a fitted model's parameters run from the history's own initial states."""

    def forecast_series(self, model: Any, y: Floats, *, horizon: int) -> Floats:
        return ets_forecast(model, y, horizon=horizon)


class AutoETS(_Smoothing):
    """Exponential smoothing; error, trend and season chosen by AICc on the training series."""

    def __init__(self, model: str = "ZZZ") -> None:
        if len(model) != 3 or model[0] not in "AMZ" or model[1] not in "NAMZ" or model[2] not in "NAMZ":
            raise UsageError(f"model is three letters out of N, A, M and Z like 'ZZZ' or 'ANA', got {model!r}")
        self.model = model

    def fit_series(self, y: Floats, *, seasons: tuple[int, ...], horizon: int, seed: int) -> Any:
        from statsforecast.models import AutoETS

        return AutoETS(season_length=seasons[0], model=self.model).fit(y).model_


class HoltWinters(_Smoothing):
    """Level, trend and season, all additive or (`error='M'`) multiplicative error and season."""

    def __init__(self, error: str = "A") -> None:
        if error not in ("A", "M"):
            raise UsageError(f"error is 'A' or 'M', got {error!r}")
        self.error = error

    def fit_series(self, y: Floats, *, seasons: tuple[int, ...], horizon: int, seed: int) -> Any:
        from statsforecast.models import HoltWinters

        if seasons[0] == 1:
            raise ForecastError("Holt-Winters needs a season longer than 1 step, see --season-length")
        return HoltWinters(season_length=seasons[0], error_type=self.error).fit(y).model_


class _Theta(_Model):
    def forecast_series(self, model: Any, y: Floats, *, horizon: int) -> Floats:
        return theta_forecast(model, y, horizon=horizon)


class AutoTheta(_Theta):
    """The best of four Theta models on the training series."""

    def fit_series(self, y: Floats, *, seasons: tuple[int, ...], horizon: int, seed: int) -> Any:
        from statsforecast.models import AutoTheta

        return AutoTheta(season_length=seasons[0]).fit(y).model_


class DynamicOptimizedTheta(_Theta):
    """The Theta model whose second line follows the series, its theta optimised on the training series."""

    def fit_series(self, y: Floats, *, seasons: tuple[int, ...], horizon: int, seed: int) -> Any:
        from statsforecast.models import DynamicOptimizedTheta

        return DynamicOptimizedTheta(season_length=seasons[0]).fit(y).model_


class _Forward(_Model):
    """Models whose `forward` takes its state from the history by itself."""

    def forecast_series(self, model: Any, y: Floats, *, horizon: int) -> Floats:
        mean: Floats = model.forward(y=y, h=horizon)["mean"]
        return mean


class AutoCES(_Forward):
    """Complex exponential smoothing; the kind of season chosen by AICc on the training series."""

    def fit_series(self, y: Floats, *, seasons: tuple[int, ...], horizon: int, seed: int) -> Any:
        from statsforecast.models import AutoCES

        model = AutoCES(season_length=seasons[0])
        if model.fit(y) is not model:
            raise ForecastError("a constant series teaches complex exponential smoothing nothing")
        return model


class ARIMA(_Forward):
    """ARIMA(p,d,q)(P,D,Q) of given orders; a panel without a season has no seasonal part."""

    def __init__(self, p: int = 1, d: int = 1, q: int = 1, P: int = 0, D: int = 1, Q: int = 1) -> None:
        for name, order in {"p": p, "d": d, "q": q, "P": P, "D": D, "Q": Q}.items():
            if not isinstance(order, int) or order < 0:
                raise UsageError(f"{name} is a whole number from 0, got {order!r}")
        self.order = (p, d, q)
        self.seasonal_order = (P, D, Q)

    def fit_series(self, y: Floats, *, seasons: tuple[int, ...], horizon: int, seed: int) -> Any:
        from statsforecast.models import ARIMA

        m = seasons[0]
        return ARIMA(order=self.order, season_length=m, seasonal_order=self.seasonal_order if m > 1 else (0, 0, 0)).fit(
            y
        )


class AutoARIMA(_Forward):
    """ARIMA of orders found by a short stepwise search on the training series."""

    def __init__(self, max_p: int = 2, max_q: int = 2, max_P: int = 1, max_Q: int = 1, nmodels: int = 10) -> None:
        self.limits: dict[str, Any] = {
            "max_p": max_p,
            "max_q": max_q,
            "max_P": max_P,
            "max_Q": max_Q,
            "nmodels": nmodels,
        }

    def fit_series(self, y: Floats, *, seasons: tuple[int, ...], horizon: int, seed: int) -> Any:
        from statsforecast.models import AutoARIMA

        return AutoARIMA(season_length=seasons[0], approximation=True, **self.limits).fit(y)


class MSTL(_Model):
    """Every season taken out by LOESS and repeated; what is left is forecast by exponential smoothing."""

    _question: tuple[bytes, tuple[int, ...], int] | None = None
    _answer: tuple[Floats, Floats]

    def least_history(self, seasons: tuple[int, ...], horizon: int) -> int:
        return two_of_every_season(seasons, horizon)

    def fit_series(self, y: Floats, *, seasons: tuple[int, ...], horizon: int, seed: int) -> Any:
        from statsforecast.models import AutoETS

        rest, _ = _without_seasons(y, seasons, 0)
        return seasons, AutoETS(model="ZZN").fit(rest).model_

    def forecast_series(self, model: Any, y: Floats, *, horizon: int) -> Floats:
        seasons, trend = model
        # all models of a pool take the same seasons out of the same history: do that once
        question = (y.tobytes(), seasons, horizon)
        if question != self._question:
            self._question, self._answer = question, _without_seasons(y, seasons, horizon)
        rest, ahead = self._answer
        return ets_forecast(trend, rest, horizon=horizon) + ahead


def _without_seasons(y: Floats, seasons: tuple[int, ...], horizon: int) -> tuple[Floats, Floats]:
    """The series without its seasons (T,), and the sum of its seasons over the next steps (H,)."""
    from statsforecast.mstl import mstl

    if min(seasons) < 2:
        raise ForecastError("MSTL needs seasons longer than 1 step, see --season-length")
    parts = mstl(y, period=sorted(seasons))
    rest = (parts["trend"] + parts["remainder"]).to_numpy()
    names = ["seasonal"] if len(seasons) == 1 else [f"seasonal{m}" for m in sorted(seasons)]
    ahead = np.zeros(horizon)
    for m, name in zip(sorted(seasons), names, strict=True):
        ahead += np.resize(parts[name].to_numpy()[-m:], horizon)
    return rest, ahead
