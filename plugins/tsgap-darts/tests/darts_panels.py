"""Panels with a planted structure for the tests of this plugin."""

from __future__ import annotations

import numpy as np

from tsgap.panel import Floats, Panel

SEASON = 6


def planted(n: int, length: int, *, seed: int, level: float = 10.0, scale: float = 1.0) -> Panel:
    """`n` series of one seasonal process: a sine of period 6 at any phase plus an AR(1), times `scale`."""
    rng = np.random.default_rng(seed)
    t = np.arange(length)
    rows = {}
    for i in range(n):
        noise = rng.normal(size=length)
        for k in range(1, length):
            noise[k] += 0.7 * noise[k - 1]
        rows[f"s{i}"] = scale * (level + 3 * np.sin(2 * np.pi * (t + rng.integers(SEASON)) / SEASON) + noise)
    return Panel.of(rows, freq="step", seasons=(SEASON,))


def scaled(panel: Panel) -> Panel:
    """Every row divided by its mean absolute value."""
    sizes = np.repeat([np.abs(row).mean() for row in panel], panel.lengths)
    return panel.with_values(panel.values / sizes)


def lagged(panel: Panel, context: int, leads: int) -> tuple[Floats, Floats]:
    """All windows of a panel: contexts (n, context) and targets (n, leads)."""
    views = [np.lib.stride_tricks.sliding_window_view(row, context + leads) for row in panel]
    windows = np.concatenate(views)
    return windows[:, :context], windows[:, context:]
