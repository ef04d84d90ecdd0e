"""Small panels with a known structure, for tests."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tsgap.panel import Floats


def seasonal(series: int = 6, length: int = 120, season: int = 12, seed: int = 0) -> pd.DataFrame:
    """A long frame: level, season and AR(1) noise, monthly."""
    rng = np.random.default_rng(seed)
    frames = []
    for i in range(series):
        noise = np.zeros(length)
        for t in range(1, length):
            noise[t] = 0.6 * noise[t - 1] + rng.normal()
        y = 20 + i + 4 * np.sin(2 * np.pi * (np.arange(length) + i) / season) + noise
        stamps = pd.date_range("2001-01-01", periods=length, freq="MS")
        frames.append(pd.DataFrame({"unique_id": f"s{i}", "ds": stamps, "y": y}))
    return pd.concat(frames, ignore_index=True)


def autoregressions(
    rng: np.random.Generator,
    series: int,
    length: int,
    *,
    phi: float,
    seasonal: float = 0.0,
    season: int = 24,
    shared: float = 0.0,
) -> Floats:
    """Series (S, T) of (1 − φB)(1 − ΦB^m) x = e, stationary; `shared` is the correlation of e between series."""
    from scipy.signal import lfilter

    seasonal_part = np.zeros(season + 1)
    seasonal_part[[0, season]] = 1, -seasonal
    # after this many steps what the start has left is below a thousandth
    memory = max(np.log(1e-3) / np.log(phi), season * np.log(1e-3) / np.log(seasonal) if seasonal else 0)
    burn = int(np.ceil(memory))
    e = np.sqrt(1 - shared) * rng.normal(size=(series, burn + length))
    e += np.sqrt(shared) * rng.normal(size=burn + length)
    made: Floats = lfilter([1.0], np.convolve([1.0, -phi], seasonal_part), e, axis=1)
    return made[:, burn:]


def threshold_autoregressions(rng: np.random.Generator, series: int, length: int) -> Floats:
    """Series (S, T) that rise from below 0 and fall back from above it: a SETAR process with two regimes of lag 1."""
    burn = 100
    e, made = rng.normal(size=(burn + length, series)), np.zeros((burn + length, series))
    for t in range(1, len(made)):
        x = made[t - 1]
        made[t] = np.where(x <= 0, 2 + 0.8 * x, -1 + 0.4 * x) + e[t]
    return np.ascontiguousarray(made[burn:].T)


def logistic_maps(rng: np.random.Generator, series: int, length: int, *, noise: float = 0.02) -> Floats:
    """Series (S, T) of x ← 4x(1 − x), chaotic and without linear memory, observed with white noise of sd `noise`."""
    burn = 100
    made = np.empty((burn + length, series))
    made[0] = rng.uniform(0.1, 0.9, series)
    for t in range(1, len(made)):
        # where rounding lands on a fixed point the orbit would stay there
        made[t] = np.clip(4 * made[t - 1] * (1 - made[t - 1]), 1e-9, 1 - 1e-9)
    return made[burn:].T + noise * rng.normal(size=(series, length))
