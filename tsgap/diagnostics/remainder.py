"""Trend, season and remainder of windows: moving averages, mean seasons, and what both leave.

The classical decomposition, each window on its own: nothing is fitted to one side and used on the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsgap.panel import Floats

#: Fewest values that a trend is averaged over; it takes whole seasons, so that none is left in it.
SPAN = 7
#: Fewest seasons that a mean season is taken from.
CYCLES = 2


@dataclass(frozen=True, eq=False)
class Parts:
    """The inner part of windows (N, T), in three; they add up to it. The season is 0 where its length is 1."""

    trend: Floats
    season: Floats
    remainder: Floats


def span(season: int) -> int:
    """Over how many values the trend is averaged: whole seasons, `SPAN` values or more."""
    return season * -(-SPAN // season)


def shortest(season: int) -> int:
    """How long a window must be to be taken apart."""
    return span(season) // 2 * 2 + max(CYCLES * season, 2 * SPAN)


def parted(windows: Floats, season: int) -> Parts:
    """Take windows (N, L) apart; L is at least `shortest(season)`. The ends that no trend reaches are left out.

    >>> t = np.arange(48.0)
    >>> np.abs(parted((t + np.tile([3.0, -1.0, -2.0, 0.0], 12))[None], 4).remainder).max() < 1e-9
    True
    """
    width = span(season)
    edge = width // 2
    weights = np.full(2 * edge + 1, 1 / width)
    if width % 2 == 0:
        weights[[0, -1]] /= 2
    inner = windows[:, edge : windows.shape[1] - edge]
    total = np.cumsum(np.pad(windows, ((0, 0), (1, 0))), axis=1)
    # a box of the odd width, less what the two ends count too much
    box = total[:, 2 * edge + 1 :] - total[:, : -2 * edge - 1]
    ends = windows[:, : inner.shape[1]] + windows[:, 2 * edge :]
    trend = box / width - (1 / width - weights[0]) * ends
    rest = inner - trend
    mean = np.zeros_like(rest)
    if season > 1:
        cycles = rest.shape[1] // season * season
        by_phase = rest[:, :cycles].reshape(len(rest), -1, season).mean(1)
        by_phase -= by_phase.mean(1, keepdims=True)
        mean = np.take(by_phase, np.arange(rest.shape[1]) % season, axis=1)
    return Parts(trend, mean, rest - mean)
