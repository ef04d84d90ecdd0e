"""Local forecasters, one model a series: parameters from the training series, state from the history, twin or pool."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from tsgap.errors import ContractError, ForecastError
from tsgap.panel import Floats, Panel
from tsgap.protocols import Forecast

#: Share of a pool that must answer; below it the row has no forecast.
QUORUM = 0.5

_LONGEST_REASON = 200


class LocalForecaster(ABC):
    """A forecaster made of two functions: one learns from a training series, one forecasts a history with that.

    A history whose series is a key of the training panel is forecast by the model of that training series, its
    *twin*. Any other history is forecast by a *pool*: the median, lead by lead, of the forecasts of all training
    series' models. Members of a pool that fail or are not finite are left out; with fewer than half of the
    training series left the row fails. A model that cannot be fitted, or cannot forecast, is recorded with its
    reason and never replaced by another one.

    `fit_series` and `forecast_series` must depend on their arguments alone. Warnings they raise are not shown;
    what they raise as an exception is the reason that stands in the result.

    >>> class Mean(LocalForecaster):
    ...     def fit_series(self, y, *, seasons, horizon, seed):
    ...         return float(np.mean(y))
    ...     def forecast_series(self, model, y, *, horizon):
    ...         return np.full(horizon, (model + y[-1]) / 2)
    >>> mean = Mean()
    >>> mean.fit(Panel.of({"a": [1.0, 3.0], "b": [5.0, 7.0]}), horizon=2, context=None, seed=0)
    >>> mean.predict(Panel.of({"b": [8.0], "new": [8.0]}), horizon=2).mean.tolist()
    [[7.0, 7.0], [6.0, 6.0]]
    """

    @abstractmethod
    def fit_series(self, y: Floats, *, seasons: tuple[int, ...], horizon: int, seed: int) -> Any:
        """Learn from one training series `y` (T,); what comes back is handed to `forecast_series`.

        `seasons` are the panel's season lengths in steps, the main one first. `seed` is the same for every
        series, so that a fit does not depend on which other series there are. Raise `ForecastError` to say why
        not.
        """

    @abstractmethod
    def forecast_series(self, model: Any, y: Floats, *, horizon: int) -> Floats:
        """Forecast leads 1..horizon (H,) of the history `y` (T,) with what was learned, learning nothing from it."""

    def least_history(self, seasons: tuple[int, ...], horizon: int) -> int:
        """The fewest values that a training series or a history must have; 1 unless overridden."""
        return 1

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        """Fit one model to every training series; raise `ForecastError` when none can be fitted."""
        self._seasons = train.seasons
        self._context = context
        self._models: dict[str, Any] = {}
        self._unfitted: dict[str, str] = {}
        least = self.least_history(train.seasons, horizon)
        for key, y in zip(train.keys, train, strict=True):

            def learn(y: Floats = y) -> Any:
                _check_length(y, least)
                return self.fit_series(y.copy(), seasons=train.seasons, horizon=horizon, seed=seed)

            model, reason = _attempt(learn)
            if reason:
                self._unfitted[key] = reason
            else:
                self._models[key] = model
        if not self._models:
            key, reason = next(iter(self._unfitted.items()), ("", "the panel is empty"))
            raise ForecastError(f"none of {len(train)} training series could be fitted, first {key!r}: {reason}")

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        """Forecast every row by its twin, or by the pool where the training panel has none; no quantiles."""
        if not hasattr(self, "_models"):
            raise ForecastError("predict was called before fit")
        if self._context is not None:
            history = history.tail(self._context)
        mean = np.full((len(history), horizon), np.nan)
        failed: dict[int, str] = {}
        for row, (series, y) in enumerate(zip(history.series, history, strict=True)):
            forecast, reason = self._row(series, y, horizon)
            if reason:
                failed[row] = reason
            else:
                mean[row] = forecast
        return Forecast(mean=mean, failed=failed)

    def _row(self, series: str, y: Floats, horizon: int) -> tuple[Any, str]:
        """Forecast of one history, or the reason why there is none."""
        if series in self._unfitted:
            return None, f"its training series could not be fitted: {self._unfitted[series]}"
        _, reason = _attempt(lambda: _check_length(y, self.least_history(self._seasons, horizon)))
        if reason:
            return None, reason
        if series in self._models:
            return self._one(self._models[series], y, horizon)
        return self._pool(y, horizon)

    def _pool(self, y: Floats, horizon: int) -> tuple[Any, str]:
        answers, reasons = [], list(self._unfitted.values())
        for model in self._models.values():
            forecast, reason = self._one(model, y, horizon)
            if reason:
                reasons.append(reason)
            else:
                answers.append(forecast)
        size = len(self._models) + len(self._unfitted)
        if len(answers) < QUORUM * size:
            return None, f"{len(answers)} of a pool of {size} models answered, first reason: {reasons[0]}"
        return np.median(answers, axis=0), ""

    def _one(self, model: Any, y: Floats, horizon: int) -> tuple[Any, str]:
        forecast, reason = _attempt(lambda: self.forecast_series(model, y.copy(), horizon=horizon))
        if reason:
            return None, reason
        forecast = np.asarray(forecast, dtype=np.float64)
        if forecast.shape != (horizon,):
            raise ContractError(
                f"{type(self).__name__}.forecast_series must give {horizon} numbers, got shape {forecast.shape}"
            )
        bad = np.flatnonzero(~np.isfinite(forecast))
        if len(bad):
            return None, f"its forecast is not finite: {forecast[bad[0]]} at lead {bad[0] + 1}"
        return forecast, ""


def _check_length(y: Floats, least: int) -> None:
    if len(y) < least:
        raise ForecastError(f"{len(y)} values are too few, it needs {least}")


def _attempt(what: Callable[[], Any]) -> tuple[Any, str]:
    """What a call gave and no reason, or nothing and the reason why it failed."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return what(), ""
    except (ContractError, MemoryError):
        raise
    except Exception as err:  # noqa: BLE001  one series' failure is a result, and must not take the others with it
        words = " ".join(str(err).split())
        if not isinstance(err, ForecastError):
            words = f"{type(err).__name__}: {words}" if words else type(err).__name__
        return None, words[:_LONGEST_REASON] or "no reason given"
