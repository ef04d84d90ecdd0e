"""A forecaster for tsgap: the last value reverts to the mean of its history, as far as training taught."""

from __future__ import annotations

from collections.abc import Iterator

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


@tsgap.hookimpl
def tsgap_forecasters() -> Iterator[tsgap.ForecasterSpec]:
    yield tsgap.ForecasterSpec(
        "reversion", "Reverts to the mean of the history, as far as training taught.", Reversion, {"damping": 1.0}
    )
