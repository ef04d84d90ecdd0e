"""Long stretches of series, equally long on both sides, and the autocovariances of each unit.

An autocovariance about the mean of a stretch is too small, the more so the shorter the stretch is; so real and
synthetic series are only compared over stretches of one length. M stretches of T values, U units, lags 0 to K.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsgap import blocks
from tsgap.diagnostics.permuting import numbered, unit_means
from tsgap.panel import Floats, Ints, Panel
from tsgap.ragged import gathered
from tsgap.resampling import Lagged

#: Longest stretch, and values of a side at most.
LONGEST, VALUES = 20_000, 2_000_000
#: A spread below this share of the largest |value| is rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Stretches:
    """Stretches (M, T) with mean 0 and standard deviation 1, the unit of each (M,) numbered from 0, the rows of units.

    `left_out` rows of the panel have none: they are too short, or constant.
    """

    values: Floats
    unit: Ints
    rows: Ints
    left_out: int

    def of_units(self, by_stretch: Floats) -> Floats:
        """Means over the stretches (M, …) of each unit (U, …)."""
        return unit_means(by_stretch, self.unit)


def common_length(*panels: Panel) -> int:
    """How long stretches are: four fifths of the series of every panel have one."""
    return min(LONGEST, *(int(np.quantile(panel.lengths, 0.2, method="lower")) for panel in panels))


def stretched(panel: Panel, length: int) -> Stretches:
    """Cut the series into stretches, one after another from the first value; of many, as many of each series."""
    slots = panel.lengths // length
    slots = np.minimum(slots, max(1, VALUES // (length * max(len(panel), 1))))
    row = np.repeat(np.arange(len(panel)), slots)
    place = np.arange(len(row)) - np.repeat(np.cumsum(slots) - slots, slots)
    values, _ = gathered(panel.values, panel.offsets[row] + place * length, np.full(len(row), length))
    y = values.reshape(len(row), length)
    largest = np.abs(y).max(1, initial=0.0)
    y = y - y.mean(1, keepdims=True)
    spread = y.std(1)
    varies = spread > _ROUNDING * largest
    y, row = y[varies] / spread[varies, None], row[varies]
    unit, units = numbered(row)
    return Stretches(y, unit, np.unique(row), len(panel) - units)


def correlations(values: Floats, lags: int) -> Floats:
    """Means of products of values 0 to `lags` apart (M, 1 + K), of rows (M, T) with mean 0."""
    found = np.empty((len(values), lags + 1))
    length = values.shape[1]
    size = 1 << (length + lags).bit_length()
    for rows in blocks.ranges(len(values), size, VALUES):
        spectrum = np.fft.rfft(values[rows], size, axis=1)
        found[rows] = np.fft.irfft(np.abs(spectrum) ** 2, size, axis=1)[:, : lags + 1]
    return np.asarray(found / (length - np.arange(lags + 1)))


def pairs(values: Floats, lags: int) -> Floats:
    """What a `Lagged` holds of each stretch (M, 4, 1 + K): means of x, y, x² and xy."""
    n = values.shape[1] - np.arange(lags + 1)
    sums = [np.cumsum(of, axis=1)[:, n - 1] for of in (values, values[:, ::-1], values**2)]
    return np.stack([*(of / n for of in sums), correlations(values, lags)], axis=1)


def lagged(mean: Floats) -> Lagged:
    """Means of units (4, 1 + K) as the rest of the package knows them."""
    x, y, xx, xy = mean
    return Lagged(x, y, xx, xy, np.ones_like(x))
