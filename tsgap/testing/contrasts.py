"""Small made-up contrasts for the checks of diagnostics: an ordinary one, fair second draws, and data that are hard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tsgap.diagnostics import Contrast, Known, contrasted
from tsgap.panel import Floats, Panel
from tsgap.testing.panels import SEASON, panel

#: Rules of the user in the contrasts.
RULES = ("y >= 0",)


def ordinary() -> Contrast:
    """Real series with a strong season against longer memory and a trend, and who has seen what."""
    real, synthetic = panel("one", 24, (192, 216), seed=1), panel("other", 24, (192, 216), seed=2, prefix="made")
    outsiders = panel("one", 24, (192, 216), seed=3, prefix="outsider")
    return contrasted(real, synthetic, seed=0, rules=RULES, known=Known(real, outsiders, synthetic))


def fair(seed: int) -> Contrast:
    """A second draw of the same population, whose series differ much: windows of one are alike, others are not."""
    real, synthetic, outsiders = (_differing(24, 512, [seed, i], name) for i, name in enumerate(("s", "made", "other")))
    return contrasted(real, synthetic, seed=seed, rules=RULES, known=Known(real, outsiders, synthetic))


def _differing(n: int, length: int, seed: Any, prefix: str) -> Panel:
    """Series with a level, a spread and a memory of their own."""
    rng = np.random.default_rng(seed)
    noise, memory = rng.normal(size=(n, length)), rng.uniform(0, 0.8, (n, 1))
    for k in range(1, length):
        noise[:, k : k + 1] += memory * noise[:, k - 1 : k]
    season = rng.uniform(0, 2, (n, 1)) * np.sin(2 * np.pi * np.arange(length) / SEASON)
    level, spread = rng.uniform(10, 100, (n, 1)), rng.uniform(0.2, 1, (n, 1))
    return _panel(level + spread * (noise + season), prefix)


def _panel(rows: Floats, prefix: str = "s", season: int = SEASON) -> Panel:
    return Panel.of({f"{prefix}{i:03d}": row for i, row in enumerate(rows)}, freq="MS", seasons=(season,))


def _constant() -> Contrast:
    return contrasted(
        _panel(np.repeat(np.arange(1.0, 17.0)[:, None], 80, axis=1)), _panel(np.ones((16, 80)), "c"), seed=0
    )


def _constant_synthetic() -> Contrast:
    return contrasted(panel("one", 16, (80, 90), seed=1), _panel(np.ones((16, 80)), "c"), seed=0)


def _equal() -> Contrast:
    real = panel("one", 16, (80, 90), seed=1)
    return contrasted(real, real, seed=0)


def _copied() -> Contrast:
    real = panel("one", 16, (80, 90), seed=1)
    copied = real.renamed([f"copy {key}" for key in real.keys])
    return contrasted(real, copied, seed=0, known=Known(real, panel("one", 16, (80, 90), seed=2, prefix="o"), copied))


def _few() -> Contrast:
    return contrasted(panel("one", 2, (600, 640), seed=1), panel("one", 3, (500, 640), seed=2, prefix="m"), seed=0)


def _short() -> Contrast:
    return contrasted(panel("noise", 10, (9, 10), seed=1), panel("noise", 10, (9, 10), seed=2, prefix="m"), seed=0)


def _windows() -> Contrast:
    source = panel("one", 200, (24, 24), seed=2, prefix="window")
    return contrasted(panel("one", 12, (200, 240), seed=1), source, seed=0, scaling="standard")


def _seasonless() -> Contrast:
    sides = (panel("noise", 16, (80, 90), seed=seed, prefix=name) for seed, name in ((1, "s"), (2, "m")))
    real, synthetic = (replace(side, freq="step", seasons=(1,)) for side in sides)
    return contrasted(real, synthetic, seed=0)


def _whole() -> Contrast:
    real, synthetic = (np.random.default_rng(seed).poisson(0.2, (16, 80)).astype(float) for seed in (1, 2))
    return contrasted(_panel(real), _panel(synthetic, "m"), seed=0)


#: What is hard about them → the contrast
HARD: dict[str, Callable[[], Contrast]] = {
    "constant series on both sides": _constant,
    "constant synthetic series": _constant_synthetic,
    "synthetic series that are the real ones": _equal,
    "copies of the real series under other names": _copied,
    "two real and three synthetic series": _few,
    "ten series of ten values": _short,
    "a source of standardised windows of 24 values": _windows,
    "series without a season": _seasonless,
    "whole numbers, most of them 0": _whole,
}
