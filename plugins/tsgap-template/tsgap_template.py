"""A forecaster for tsgap, whose last values revert to the mean, and a diagnostic of how far they lie from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

import tsgap


class Reversion:
    """Learns, lead by lead, which part of a deviation from the mean is left after so many steps."""

    def __init__(self, damping: float = 1.0) -> None:
        self.damping = damping

    def fit(self, train: tsgap.Panel, *, horizon: int, context: int | None, seed: int) -> None:
        products, squares = np.zeros(horizon), np.zeros(horizon)
        for y in train:
            z = y - y.mean()
            for lead in range(1, min(horizon, len(y) - 1) + 1):
                products[lead - 1] += z[:-lead] @ z[lead:]
                squares[lead - 1] += z[:-lead] @ z[:-lead]
        leads = int(np.count_nonzero(squares))
        if leads == 0:
            raise tsgap.ForecastError("every training series is constant")
        self.left = self.damping * products[:leads] / squares[:leads]

    def predict(self, history: tsgap.Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> tsgap.Forecast:
        left = self.left[:horizon]
        return tsgap.Forecast(np.array([y.mean() + (y[-1] - y.mean()) * left for y in history]))


def deviation(contrast: tsgap.Contrast, *, seed: int) -> tsgap.Diagnosed:
    """How far last values lie from the mean of their window, in its standard deviations: synthetic less real."""
    name, real, synthetic = "deviation of last values", far(contrast.real), far(contrast.synthetic)
    if min(len(real), len(synthetic)) < 4:
        why = f"{len(real)} real and {len(synthetic)} synthetic units vary; it takes 4 on either side"
        return tsgap.Diagnosed((tsgap.Figure.unknown(name, why),))
    value = synthetic.mean() - real.mean()
    error = np.sqrt(sum(side.var(ddof=1) / len(side) for side in (real, synthetic)))
    figure = tsgap.Figure(name, value, value - 2 * error, value + 2 * error)
    if abs(value) > 4 * error:
        more = "more" if value > 0 else "less"
        figure = replace(
            figure, flag="warn", advice=f"the ends of windows deviate {more}: see how the source ends them"
        )
    return tsgap.Diagnosed((figure,))


def far(side: tsgap.diagnostics.Side) -> np.ndarray:
    """The mean distance for each unit with a window that varies: windows of a unit are no more evidence than one."""
    spread = side.windows.std(axis=1)
    varies = spread > 0
    distance = np.abs(side.windows[:, -1] - side.windows.mean(axis=1))[varies] / spread[varies]
    unit = side.unit[varies]
    return np.array([distance[unit == one].mean() for one in np.unique(unit)])


@tsgap.hookimpl
def tsgap_forecasters() -> Iterator[tsgap.ForecasterSpec]:
    yield tsgap.ForecasterSpec(
        "reversion", "Reverts to the mean of the history, as far as training taught.", Reversion, {"damping": 1.0}
    )


@tsgap.hookimpl
def tsgap_diagnostics() -> Iterator[tsgap.DiagnosticSpec]:
    yield tsgap.DiagnosticSpec("deviation", "How far last values lie from the mean of their window.", deviation)
