"""Small panels with a known structure, for tests."""

from __future__ import annotations

import numpy as np
import pandas as pd


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
