"""Forecasters without parameters: what they were trained on cannot change what they say."""

from __future__ import annotations

import numpy as np

from tsgap.errors import ForecastError
from tsgap.panel import Panel
from tsgap.protocols import Forecast, ForecasterSpec


class SeasonalNaive:
    """Repeats the last season of a history; the season is the panel's main one, or 1 for `naive`."""

    def __init__(self, season: int | None = None) -> None:
        self.season = season

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        """There is nothing to learn."""

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        """Repeat the last season of every row; a row shorter than a season fails."""
        m = self.season or history.season
        if m < 1:
            raise ForecastError(f"a season has at least 1 step, got {m}")
        short = np.flatnonzero(history.lengths < m)
        start = history.offsets[1:] - m
        start[short] = 0
        where = start[:, None] + np.arange(horizon) % m
        reason = {int(i): f"{history.lengths[i]} values are less than a season of {m}" for i in short}
        mean = np.full(where.shape, np.nan) if not len(history.values) else history.values[where % len(history.values)]
        return Forecast(mean, reason)


def naive() -> SeasonalNaive:
    """The last value, repeated."""
    return SeasonalNaive(1)


def seasonal_naive() -> SeasonalNaive:
    """The last season, repeated."""
    return SeasonalNaive()


def _one_season(seasons: tuple[int, ...], horizon: int) -> int:
    return seasons[0]


SPECS = (
    ForecasterSpec(
        "seasonal-naive",
        "Repeats the last season; without parameters, so its gap is exactly 0.",
        seasonal_naive,
        transfer="none",
        scope="global",
        min_history=_one_season,
        max_history=_one_season,
    ),
    ForecasterSpec("naive", "Repeats the last value; without parameters.", naive, transfer="none", max_history=1),
)
