"""Series with a planted season, and the gap of two training panels on them."""

from __future__ import annotations

import numpy as np

from tsgap.panel import Floats, Panel
from tsgap.protocols import Forecaster

SEASON = 12


def seasonal_series(n: int, *, seed: int, phase: int = 0, level: float = 1.0, noise: float = 0.6) -> Floats:
    """Exponential smoothing with additive error and season (ANA), level about 10 times `level`."""
    rng = np.random.default_rng(seed)
    season = list(3 * np.sin(2 * np.pi * (np.arange(SEASON) + phase) / SEASON))
    mean, y = 10.0, np.empty(n)
    for t in range(n):
        error = rng.normal() * noise
        y[t] = mean + season[t % SEASON] + error
        mean += 0.3 * error
        season[t % SEASON] += 0.1 * error
    return y * level


def scaled(y: Floats) -> Floats:
    return y / np.abs(y).mean()


def panel(rows: list[Floats], prefix: str = "s") -> Panel:
    return Panel.of({f"{prefix}{i}": scaled(y) for i, y in enumerate(rows)}, freq="ME", seasons=(SEASON,))


def mean_error(forecaster: Forecaster, train: Panel, series: list[Floats], *, windows: int, horizon: int) -> float:
    """Mean absolute error of the last `windows` windows of `series`, histories divided by their mean |y|."""
    rows, names, truth = {}, [], []
    for i, y in enumerate(series):
        for w in range(windows):
            cut = len(y) - (windows - w) * horizon
            rows[f"s{i}w{w}"], truth_row = scaled(y[:cut]), y[cut : cut + horizon]
            names.append(f"s{i}")
            truth.append(truth_row / np.abs(y[:cut]).mean())
    history = Panel.of(rows, freq="ME", seasons=(SEASON,), series=names)
    forecaster.fit(train, horizon=horizon, context=None, seed=0)
    forecast = forecaster.predict(history, horizon=horizon)
    assert not forecast.failed
    return float(np.abs(forecast.mean - np.array(truth)).mean())


def gap(build, control: Panel, synthetic: Panel, series: list[Floats], *, windows: int = 3, horizon: int = 12) -> float:
    """Log ratio of the errors of one forecaster trained on `synthetic` and on `control`."""
    errors = [mean_error(build(), t, series, windows=windows, horizon=horizon) for t in (synthetic, control)]
    return float(np.log(errors[0] / errors[1]))
