"""The contract's side of a darts model: training windows in, one forecast for every history out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tsgap.errors import ForecastError, UsageError
from tsgap.panel import Floats, Panel
from tsgap.protocols import Forecast
from tsgap_darts.quiet import Needed, chance_left_alone, one_thread, silent
from tsgap_darts.windows import Windows, windows_of

#: Gets the class of the darts model, the training panel, its windows, the seed, and levels if it is to learn quantiles;
#: returns the fitted model.
Learn = Callable[[Any, Panel, Windows, int, tuple[float, ...]], Any]


@dataclass
class DartsForecaster:
    """One darts model trained on all series of a panel, used on histories that it has never seen.

    `learn` fits the darts model `needed`. A `recursive` model is taught one lead and reaches the others by feeding
    its own forecasts back; any other is taught all leads at once. Histories are forecast in blocks of exactly `block`
    rows (the last one filled up), because matrix products of different shapes differ in the last bits; None: one
    call.
    `windows` says after `fit` what was learned from.

    Where it `has_quantiles`, those of a level and of its counterpart on the other side of the median come from one more
    model, learned when one of them is first asked for: so a quantile does not depend on which others are asked for.
    """

    name: str
    needed: Needed
    learn: Learn
    recursive: bool
    block: int | None
    has_quantiles: bool = False
    windows: Windows | None = field(default=None, init=False)
    model: Any = field(default=None, init=False, repr=False)
    _train: tuple[Panel, int] | None = field(default=None, init=False, repr=False)
    _of_tails: dict[float, Any] = field(default_factory=dict, init=False, repr=False)

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        """Learn from the windows of `train`; series too short for one are left out and counted in `windows`."""
        windows = windows_of(train, name=self.name, horizon=horizon, context=context, recursive=self.recursive)
        self.model = self._learned(train, windows, seed)
        self.windows = windows
        self._train = (train, seed) if self.has_quantiles else None
        self._of_tails = {}

    def _learned(self, train: Panel, windows: Windows, seed: int, levels: tuple[float, ...] = ()) -> Any:
        model = self.needed.load(self.name)
        with silent(), one_thread(), chance_left_alone():
            try:
                return self.learn(model, train, windows, seed, levels)
            except ValueError as err:
                shape = f"a context of {windows.context} and {windows.leads} leads"
                raise ForecastError(f"{self.name}: darts refuses {shape}: {err}") from err

    def _of_level(self, level: float) -> tuple[Any, int]:
        """The model of the quantile of this level, and which of those it gives that one is."""
        tail = round(min(level, 1 - level), 12)
        levels = (tail, 0.5, round(1 - tail, 12)) if tail < 0.5 else (0.5,)
        if tail not in self._of_tails:
            if self._train is None or self.windows is None:
                raise ForecastError(f"{self.name}: predict was called before fit")
            train, seed = self._train
            self._of_tails[tail] = self._learned(train, self.windows, seed, levels)
        return self._of_tails[tail], 0 if level <= 0.5 else 2

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        """Forecast from the last `context` values of each row; a shorter row fails alone."""
        if self.windows is None:
            raise ForecastError(f"{self.name}: predict was called before fit")
        context = self.windows.context
        reach = horizon if self.recursive else min(horizon, self.windows.leads)
        mean = np.full((len(history), reach), np.nan)
        failed = {
            row: f"{self.name} needs a history of {context} values, this one has {length}"
            for row, length in enumerate(history.lengths.tolist())
            if length < context
        }
        rows = np.flatnonzero(history.lengths >= context)
        levels = quantile_levels if self.has_quantiles else ()
        quantiles = np.full((*mean.shape, len(levels)), np.nan)
        if len(rows):
            histories = np.stack([history[row][-context:] for row in rows.tolist()])
            mean[rows] = self._forecast(self.model, histories, reach)
            for k, level in enumerate(levels):
                model, which = self._of_level(level)
                quantiles[rows, :, k] = self._forecast(model, histories, reach, which, parameters=True)
        finite = np.isfinite(mean[rows]).all(axis=1) & np.isfinite(quantiles[rows]).all(axis=(1, 2))
        for row in rows[~finite].tolist():
            failed[row] = f"{self.name} gave a forecast that is not finite"
        return Forecast(mean, failed, quantiles, levels) if levels else Forecast(mean, failed)

    def _forecast(
        self, model: Any, histories: Floats, reach: int, which: int = 0, *, parameters: bool = False
    ) -> Floats:
        """Forecasts (N, reach) of histories (N, context); of `parameters` of a likelihood the one that says `which`."""
        block = self.block or len(histories)
        out = np.empty((len(histories), reach))
        asked = {"predict_likelihood_parameters": True} if parameters else {}
        with silent(), one_thread(), chance_left_alone():
            for start in range(0, len(histories), block):
                part = histories[start : start + block]
                full = np.concatenate([part, np.zeros((block - len(part), part.shape[1]))])
                done = model.predict(reach, series=series_of(full), verbose=False, show_warnings=False, **asked)
                out[start : start + block] = np.stack([d.values(copy=False)[:, which] for d in done])[: len(part)]
        return out


def series_of(rows: Any) -> list[Any]:
    """Each row of values as a darts series, float64, without stamps."""
    from darts import TimeSeries

    return [TimeSeries.from_values(np.array(row, dtype=np.float64).reshape(-1, 1), copy=False) for row in rows]


def whole(name: str, parameter: str, value: Any, *, least: int = 1) -> int:
    """A parameter that must be a whole number of at least `least`; raise `UsageError` otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{name}: {parameter} must be a whole number from {least}, got {value!r}")
    return value


def positive(name: str, parameter: str, value: Any) -> float:
    """A parameter that must be a number above 0; raise `UsageError` otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise UsageError(f"{name}: {parameter} must be a number above 0, got {value!r}")
    return float(value)


def share(name: str, parameter: str, value: Any) -> float:
    """A parameter that must lie in [0, 1); raise `UsageError` otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise UsageError(f"{name}: {parameter} must be at least 0 and below 1, got {value!r}")
    return float(value)
