"""What a context looks like in a few cheap numbers: enough to tell regimes apart and to foresee a forecast's error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tsgap import blocks
from tsgap.panel import Floats

#: The features, in the order of the columns; all but shares and correlations are in units of the context.
NAMES = (
    "last value",
    "change from 1 step back",
    "change from 2 steps back",
    "change from 4 steps back",
    "change from a season back",
    "seasonal value, less the mean",
    "change from a season before that value",
    "mean",
    "standard deviation",
    "last value, less the mean",
    "mean of the last quarter, less the mean",
    "standard deviation of the last quarter",
    "lowest value, less the mean",
    "highest value, less the mean",
    "mean |change|",
    "last |change|",
    "largest |change|",
    "slope times length",
    "autocorrelation at lag 1",
    "autocorrelation at a season",
    "share near zero",
    "share near zero in the last quarter",
)
#: Values are near zero up to this share of the mean |value|: exact zeros would tell a copy with a little noise.
_NEAR = 0.1
#: A spread below this share of the largest |value| is rounding: such a context is constant.
ROUNDING = 1e-12


def features(windows: Floats, season: int) -> Floats:
    """The features `NAMES` (N, F) of contexts (N, C), C ≥ 1, all finite; each row depends on its own context alone.

    The seasonal value is the one a season before the next; what lies before a short context is taken to be its first
    value. A constant context has no correlation, spread or slope: 0.

    >>> features(np.array([[1.0, 2.0, 4.0]]), 2)[0, :3].tolist()
    [4.0, 2.0, 3.0]
    """
    return in_blocks(_block, windows, season, len(NAMES))


def in_blocks(each: Callable[[Floats, int], Floats], windows: Floats, season: int, n: int) -> Floats:
    """The `n` features (N, n) that `each` gives of windows (N, L) and a season, block by block."""
    found = np.empty((len(windows), n))
    for rows in blocks.ranges(len(windows), 4 * windows.shape[1]):
        found[rows] = each(np.ascontiguousarray(windows[rows]), season)
    return found


def _block(y: Floats, season: int) -> Floats:
    length = y.shape[1]
    last, mean = y[:, -1], y.mean(1)
    quarter = y[:, -max(1, -(-length // 4)) :]
    apart = np.abs(np.diff(y, axis=1)) if length > 1 else np.zeros((len(y), 1))
    z = y - mean[:, None]
    z[z.std(1) <= ROUNDING * np.abs(y).max(1)] = 0.0
    power = (z**2).sum(1)
    near = np.abs(y) <= _NEAR * np.abs(y).mean(1, keepdims=True)
    t = np.arange(length) - (length - 1) / 2
    seasonal = _back(y, season - 1)
    columns = (
        last,
        last - _back(y, 1),
        last - _back(y, 2),
        last - _back(y, 4),
        last - _back(y, season),
        seasonal - mean,
        seasonal - _back(y, 2 * season - 1),
        mean,
        np.sqrt(power / length),
        last - mean,
        quarter.mean(1) - mean,
        quarter.std(1),
        y.min(1) - mean,
        y.max(1) - mean,
        apart.mean(1),
        apart[:, -1],
        apart.max(1),
        (z * t).sum(1) / max(float((t**2).sum()), 1.0) * length,
        autocorrelation(z, power, 1),
        autocorrelation(z, power, season),
        near.mean(1),
        near[:, -quarter.shape[1] :].mean(1),
    )
    return np.stack(columns, axis=1)


def _back(y: Floats, steps: int) -> Floats:
    """The value so many steps before the last one, the first one where there is none."""
    return y[:, max(y.shape[1] - 1 - steps, 0)]


def autocorrelation(z: Floats, power: Floats, lag: int) -> Floats:
    """Autocorrelation (N,) of rows (N, L) with mean 0 and a sum of squares `power` (N,); 0 where there is none."""
    if lag >= z.shape[1]:
        return np.zeros(len(z))
    shared = (z[:, lag:] * z[:, :-lag]).sum(1)
    return np.asarray(np.divide(shared, power, out=np.zeros(len(z)), where=power > 0))
