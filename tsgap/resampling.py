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
    """Log ratio of root mean squared errors (H,) of linear forecasts from `context` values, their mean subtracted.

    Those that the autocovariances of `synthetic` suggest over those that `real` suggests, both used on what `real`
    describes. Needs the lags up to context + horizon − 1.
    """
    inside, across, variance = _second_moments(real, context, horizon)
    errors = []
    for own in (synthetic, real):
        xx, xy, _ = _second_moments(own, context, horizon)
        weights = np.linalg.solve(xx + 1e-4 * np.trace(xx) / context * np.eye(context), xy)
        errors.append(variance - 2 * (weights * across).sum(0) + (weights * (inside @ weights)).sum(0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(0.5 * (np.log(errors[0]) - np.log(errors[1])))


def _second_moments(moments: Lagged, context: int, horizon: int) -> tuple[Floats, Floats, Floats]:
    """Of context (C, C), of context and leads (C, H), and of leads (H,), all less the mean of the context."""
    from scipy.linalg import toeplitz

    by_lag = moments.covariance
    inside: Floats = toeplitz(by_lag[:context])
    across = np.array([by_lag[h : h + context] for h in range(1, horizon + 1)]).T
    centre = np.eye(context) - 1 / context
    mean = inside.mean(1)
    variance = by_lag[0] - 2 * across.mean(0) + mean.mean()
    return centre @ inside @ centre, centre @ (across - mean[:, None]), variance


def _running(values: Floats, width: int) -> Floats:
    """Means of every run of `width` values."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray((total[width:] - total[:-width]) / width)


def _means(sums: Floats) -> Lagged:
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y, xx, xy = sums[:4] / sums[4]
    return Lagged(x, y, xx, xy, sums[4])
