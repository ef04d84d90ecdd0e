"""Chance between units: labels of units permuted, units drawn again, and what both say of a figure.

Units are independent of each other, the windows of one are not. So labels are permuted unit by unit, and unit by unit
intervals are drawn. U are the units that have windows, N windows; the units of the real side come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from tsgap.diagnostics.figures import Figure
from tsgap.panel import Floats, Ints

#: Permutations of labels, and draws of units.
PERMUTATIONS, DRAWS = 999, 499


def numbered(unit: Ints) -> tuple[Ints, int]:
    """Units numbered from 0 on without a hole (N,), and how many there are.

    >>> numbered(np.array([4, 4, 9]))[0].tolist()
    [0, 0, 1]
    """
    found, number = np.unique(unit, return_inverse=True)
    return number.ravel(), len(found)


def unit_means(values: Floats, unit: Ints) -> Floats:
    """Mean over the windows (N, …) of each unit that has any (U, …), in the order of the units' numbers.

    >>> unit_means(np.array([1.0, 3.0, 5.0]), np.array([4, 4, 9])).tolist()
    [2.0, 5.0]
    """
    order = np.argsort(unit, kind="stable")
    starts = np.flatnonzero(np.diff(unit[order], prepend=unit.min(initial=0) - 1))
    sums = np.add.reduceat(values if (np.diff(order) > 0).all() else values[order], starts, axis=0)
    size = np.diff(starts, append=len(unit)).reshape(-1, *(1 for _ in values.shape[1:]))
    return np.asarray(sums / size.astype(sums.dtype))


def relabelled(real: int, synthetic: int, *, seed: int, permutations: int = PERMUTATIONS) -> Floats:
    """Which units count as synthetic (1 + permutations, U), 1 or 0: as they are in the first row, then by chance."""
    labels = np.repeat([0.0, 1.0], [real, synthetic])
    rng = np.random.default_rng(seed)
    return np.concatenate([labels[None], rng.permuted(np.tile(labels, (permutations, 1)), axis=1)])


def enough(real: int, synthetic: int, level: float) -> bool:
    """Whether there are so many ways to label the units that a p-value could be as small as `level`.

    >>> enough(4, 4, 0.01), enough(5, 5, 0.01)
    (False, True)
    """
    return comb(real + synthetic, real) >= 1 / level


def p_value(statistics: Floats) -> float:
    """How often chance is at least as large as the first statistic, which counts itself; NaN where that is not known.

    >>> p_value(np.array([3.0, 1.0, 2.0, 4.0]))
    0.5
    """
    first = statistics[0]
    if np.isnan(first):
        return float("nan")
    # equal labellings differ by rounding; a permutation without a statistic counts against
    most = first if np.isinf(first) else first - 1e-9 * np.abs(first) if np.isfinite(first) else first
    return float((~(statistics < most)).mean())


def judged(
    name: str,
    value: float,
    p: float,
    *,
    units: tuple[Ints, Ints],
    least: float,
    level: float,
    advice: str,
    detail: str = "",
) -> Figure:
    """The figure of a distance that has no interval: a warning from `least` on, where it is proven at `level`.

    `units` are those of the windows of both sides; of too few nothing could be proven, which is not measurable.
    """
    n, m = (numbered(unit)[1] for unit in units)
    if not enough(n, m, level):
        few = f"{n} real and {m} synthetic units are so few that no permutation of them could prove anything"
        return Figure(name, value, p=p, flag="not measurable", advice=few)
    if value >= least and p <= level:
        return Figure(name, value, p=p, flag="warn", advice=advice, detail=detail, beyond_floor=True)
    return Figure(name, value, p=p, detail=detail)


def studentised(values: Floats, labels: Floats) -> Floats:
    """Difference of the means of units (U,) by their standard error, synthetic less real, for each of `labels` (P, U).

    Of several columns (U, K) each is taken on its own (P, K).
    With standard errors of the two sides' own the permutation test stays valid where units of one side vary more than
    those of the other, as those with fewer windows do (Janssen 1997; Chung & Romano 2013). 0 where nothing varies and
    nothing differs.
    """
    centred = values - values.mean(0)
    n = labels.sum(1).reshape(-1, *(1 for _ in values.shape[1:]))
    m = labels.shape[1] - n
    first, second = labels @ centred, labels @ centred**2
    means = first / n, (centred.sum(0) - first) / m
    squares = second / n, ((centred**2).sum(0) - second) / m
    variance = sum(
        np.maximum(square - mean**2, 0) / np.maximum(k - 1, 1)
        for square, mean, k in zip(squares, means, (n, m), strict=True)
    )
    apart = means[0] - means[1]
    tiny = 1e-12 * np.maximum((centred**2).mean(0), 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = apart / np.sqrt(np.where(variance > tiny, variance, 0.0))
    return np.where(apart**2 <= tiny, 0.0, found)


def redrawn(units: int, *, seed: int, draws: int = DRAWS) -> Floats:
    """How often each unit is there (draws, U) when as many are drawn again, with replacement."""
    return np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=draws).astype(np.float64)


@dataclass(frozen=True)
class Auc:
    """How often a synthetic window scores higher than a real one, ties half, with its 95 % interval by unit."""

    value: float
    low: float
    high: float


def auc(real: Floats, synthetic: Floats, real_unit: Ints, synthetic_unit: Ints) -> Auc:
    """Area under the ROC curve of scores of real (N,) and synthetic windows (M,), with its interval by unit.

    The variance is that of the units' sums of placements (Obuchowski 1997, Biometrics 53). Where units are told apart
    without an error the interval is that of no error in as many units as the smaller side has.
    """
    from scipy.stats import t

    placed = _placements(real, synthetic)
    value = float(placed[1].mean())
    variance, fewest = _variance(placed, (real_unit, synthetic_unit))
    half = float(t.ppf(0.975, max(fewest - 1, 1)) * np.sqrt(variance))
    # without an error there is no variance to be seen: 'no error in n' leaves room for 3.7 in n (two-sided 95 %)
    room = 1 - 0.025 ** (1 / fewest)
    low = min(value - half, 1 - room) if value > 0.5 else value - half
    high = max(value + half, room) if value < 0.5 else value + half
    return Auc(value, max(low, 0.0), min(high, 1.0))


def auc_gain(first: tuple[Floats, Floats], second: tuple[Floats, Floats], units: tuple[Ints, Ints]) -> Auc:
    """By how much the area under the curve is larger for the second scores of the same windows, real and synthetic.

    Its interval is that of the units' sums of differences between placements (DeLong et al. 1988, Biometrics 44).
    """
    from scipy.stats import t

    before, after = _placements(*first), _placements(*second)
    value = float(after[1].mean() - before[1].mean())
    variance, fewest = _variance((after[0] - before[0], after[1] - before[1]), units)
    half = float(t.ppf(0.975, max(fewest - 1, 1)) * np.sqrt(variance))
    return Auc(value, value - half, value + half)


def _placements(real: Floats, synthetic: Floats) -> tuple[Floats, Floats]:
    """Share of synthetic windows above each real one (N,), and of real windows below each synthetic one (M,)."""
    from scipy.stats import rankdata

    n, m = len(real), len(synthetic)
    ranks = rankdata(np.concatenate([real, synthetic]))
    return 1 - (ranks[:n] - rankdata(real)) / m, (ranks[n:] - rankdata(synthetic)) / n


def _variance(placed: tuple[Floats, Floats], units: tuple[Ints, Ints]) -> tuple[float, int]:
    """Variance of the mean placement by units, and how many units the smaller side has."""
    variance, fewest = 0.0, sum(map(len, placed))
    for of, unit in zip(placed, units, strict=True):
        number, n = numbered(unit)
        sums = np.bincount(number, weights=of - of.mean())
        variance += n / max(n - 1, 1) * float(sums @ sums) / len(of) ** 2
        fewest = min(fewest, n)
    return variance, fewest
