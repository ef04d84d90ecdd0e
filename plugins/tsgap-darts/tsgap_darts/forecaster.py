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

#: Gets the class of the darts model, the training panel, its windows and the seed; returns the fitted model.
Learn = Callable[[Any, Panel, Windows, int], Any]


@dataclass
class DartsForecaster:
    """One darts model trained on all series of a panel, used on histories that it has never seen.

    `learn` fits the darts model `needed`. A `recursive` model is taught one lead and reaches the others by feeding
    its own forecasts back; any other is taught all leads at once. Histories are forecast in blocks of exactly `block`
    rows (the last one filled up), because matrix products of different shapes differ in the last bits; None: one
    call.
    `windows` says after `fit` what was learned from.
    """

    name: str
    needed: Needed
    learn: Learn
    recursive: bool
    block: int | None
    windows: Windows | None = field(default=None, init=False)
    model: Any = field(default=None, init=False, repr=False)

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        """Learn from the windows of `train`; series too short for one are left out and counted in `windows`."""
        windows = windows_of(train, name=self.name, horizon=horizon, context=context, recursive=self.recursive)
        model = self.needed.load(self.name)
        with silent(), one_thread(), chance_left_alone():
            try:
                self.model = self.learn(model, train, windows, seed)
            except ValueError as err:
                shape = f"a context of {windows.context} and {windows.leads} leads"
                raise ForecastError(f"{self.name}: darts refuses {shape}: {err}") from err
        self.windows = windows

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
        if len(rows):
            mean[rows] = self._forecast(np.stack([history[row][-context:] for row in rows.tolist()]), reach)
        for row in rows[~np.isfinite(mean[rows]).all(axis=1)].tolist():
            failed[row] = f"{self.name} gave a forecast that is not finite"
        return Forecast(mean, failed)

    def _forecast(self, histories: Floats, reach: int) -> Floats:
        """Forecasts (N, reach) of histories (N, context)."""
        block = self.block or len(histories)
        out = np.empty((len(histories), reach))
        with silent(), one_thread(), chance_left_alone():
            for start in range(0, len(histories), block):
                part = histories[start : start + block]
                full = np.concatenate([part, np.zeros((block - len(part), part.shape[1]))])
                done = self.model.predict(reach, series=series_of(full), verbose=False, show_warnings=False)
                out[start : start + block] = np.stack([d.values(copy=False)[:, 0] for d in done])[: len(part)]
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
