"""Small made-up panels for the checks: seasonal, positive, seeded, with a mean near 1 as the scaling leaves them."""

from __future__ import annotations

import numpy as np

from tsgap.panel import Panel

#: Season length, longest lead asked for, and values that a forecast may use.
SEASON, HORIZON, CONTEXT = 12, 8, 24

#: shape → size of the season, slope, memory and size of the noise
_SHAPES = {"one": (0.3, 0.0, 0.2, 0.06), "other": (0.12, 0.004, 0.85, 0.06), "noise": (0.0, 0.0, 0.0, 0.2)}


def panel(shape: str, n: int, lengths: tuple[int, int], *, seed: int, prefix: str = "s") -> Panel:
    """`n` series of lengths drawn from a range, keys ``s00``, ``s01``, …

    `shape` is "one" (strong season, little memory), "other" (weak season, a trend, long memory) or "noise" (neither
    season nor memory): models fitted to them differ.
    """
    rng = np.random.default_rng(seed)
    season, slope, memory, noisy = _SHAPES[shape]
    rows = {}
    for i in range(n):
        t = np.arange(int(rng.integers(lengths[0], lengths[1] + 1)))
        noise = rng.normal(0, noisy, len(t))
        for k in range(1, len(t)):
            noise[k] += memory * noise[k - 1]
        wave = season * np.sin(2 * np.pi * (t / SEASON + rng.uniform(0, 0.1)))
        rows[f"{prefix}{i:02d}"] = np.maximum(1 + 0.1 * rng.normal() + slope * (t - t.mean()) + wave + noise, 0.05)
    return Panel.of(rows, freq="MS", seasons=(SEASON,))


def joined(*panels: Panel) -> Panel:
    """The rows of several panels in one; keys must differ."""
    rows = {key: values for p in panels for key, values in zip(p.keys, p, strict=True)}
    series = [name for p in panels for name in p.series]
    return Panel.of(rows, freq=panels[0].freq, seasons=panels[0].seasons, series=series)


def windows(source: Panel, length: int) -> Panel:
    """Every series cut into windows of `length` values, without overlap: many short training series."""
    rows, series = {}, []
    for key, values in zip(source.keys, source, strict=True):
        for start in range(0, len(values) - length + 1, length):
            rows[f"{key}/{start}"] = values[start : start + length]
            series.append(key)
    return Panel.of(rows, freq=source.freq, seasons=source.seasons, series=series)
