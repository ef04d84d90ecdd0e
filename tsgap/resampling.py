"""What a bootstrap in blocks leaves of a panel's memory, in closed form: autocovariances in, gaps out, no forecaster.

After Künsch (1989), "The jackknife and the bootstrap for general stationary observations": two values h steps apart
lie in one block of L with chance (1 − h/L)₊; else they are draws from the same series that know nothing of each
other, whose covariance is that of the levels of the series alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsgap.panel import Floats, Panel


@dataclass(frozen=True, eq=False)
class Lagged:
    """Means over all pairs of values of a panel that are 0, 1, … lags apart (K,): of x, y, x², xy; and how many."""

    x: Floats
    y: Floats
    xx: Floats
    xy: Floats
    n: Floats

    @property
    def covariance(self) -> Floats:
        """Autocovariance by lag (K,), all series pooled about one mean."""
        return self.xy - self.x * self.y

    def lines(self) -> tuple[Floats, Floats]:
        """Slope and intercept of least squares of y on x at the lags 1, 2, … (K − 1,); a constant has slope 0."""
        x, y, xx, xy = self.x[1:], self.y[1:], self.xx[1:], self.xy[1:]
        spread = xx - x**2
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(spread > 1e-12 * xx, (xy - x * y) / spread, 0.0)
        return slope, y - slope * x


def lagged(panel: Panel, lags: int) -> Lagged:
    """The pairs of a panel at the lags 0 to `lags`."""
    sums = np.zeros((5, lags + 1))
    for y in panel:
        for h in range(min(lags, len(y) - 1) + 1):
            left, right = y[: len(y) - h], y[h:]
            sums[:, h] += np.array([left.sum(), right.sum(), left @ left, left @ right, len(left)])
    return _means(sums)


def resampled(panel: Panel, lags: int, length: int) -> Lagged:
    """What `lagged` is to be expected of a bootstrap of every series of a panel in blocks of `length` steps.

    Exact for sums over pairs: blocks begin anywhere with equal chance, the last one is cut. Every series must be
    longer than a block.
    """
    sums = np.zeros((5, lags + 1))
    for y in panel:
        n, starts = len(y), len(y) - length + 1
        place = np.arange(n) % length
        # position j of a block sees the values j … j + n − length
        level, power = (_running(values, starts)[:length][place] for values in (y, y * y))
        for h in range(min(lags, n - 1) + 1):
            left, right = level[: n - h], level[h:]
            product = left * right
            if h < length:
                inside = place[: n - h] + h < length
                product[inside] = _running(y[: n - h] * y[h:], starts)[place[: n - h][inside]]
            sums[:, h] += np.array([left.sum(), right.sum(), power[: n - h].sum(), product.sum(), n - h])
    return _means(sums)


def linear_gap(real: Lagged, synthetic: Lagged, context: int, horizon: int) -> Floats:
    """Log ratio of root mean squared errors (H,) of the best linear forecasts from `context` values.

    Those that the autocovariances of `synthetic` suggest over those that `real` suggests, both used on what `real`
    describes. Needs the lags up to context + horizon − 1.
    """
    from scipy.linalg import toeplitz

    near, far = real.covariance, synthetic.covariance
    matrix = toeplitz(near[:context])
    errors = []
    for own in (far, near):
        # lags that are estimated each on its own need not be those of any process: a little white noise mends that
        mine = toeplitz(own[:context]) + 1e-3 * own[0] * np.eye(context)
        ahead = np.array([own[h : h + context] for h in range(1, horizon + 1)]).T
        truth = np.array([near[h : h + context] for h in range(1, horizon + 1)]).T
        weights = np.linalg.lstsq(mine, ahead, rcond=None)[0]
        errors.append(near[0] - 2 * (weights * truth).sum(0) + (weights * (matrix @ weights)).sum(0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(0.5 * (np.log(errors[0]) - np.log(errors[1])))


def _running(values: Floats, width: int) -> Floats:
    """Means of every run of `width` values."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray((total[width:] - total[:-width]) / width)


def _means(sums: Floats) -> Lagged:
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y, xx, xy = sums[:4] / sums[4]
    return Lagged(x, y, xx, xy, sums[4])
