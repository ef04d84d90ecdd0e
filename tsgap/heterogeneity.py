"""Do groups of windows differ in a statistic: a test that knows which series, test periods and draws they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsgap.gap import Cut, Linear
from tsgap.panel import Floats, Ints


@dataclass(frozen=True, eq=False)
class GroupStatistic:
    """A statistic (1,) of one group, and which series, block of origins (N,) and draw (K,) its contributions are of.

    The labels are the same in all groups: a series that lies in two of them has one number.
    """

    statistic: Linear
    series: Ints
    blocks: Ints
    draws: Ints


@dataclass(frozen=True)
class Heterogeneity:
    """How far groups differ: the probability `p` of differences at least so large where there are none.

    `statistic` is compared with an F distribution with `df` degrees of freedom.
    """

    statistic: float
    df: tuple[float, float]
    p: float


#: What is known where there is nothing to compare.
UNKNOWN = Heterogeneity(float("nan"), (float("nan"), float("nan")), float("nan"))


def heterogeneity(groups: Sequence[GroupStatistic], degrees: Sequence[float]) -> Heterogeneity:
    """Whether the statistics of groups differ more than chance would have them differ.

    The squared distance of the statistics from their precision-weighted mean, with a covariance that is clustered by
    series, blocks of origins and draws (as `tsgap.gap.estimate` clusters the variance of one): groups may share them,
    and each has several series.
    `degrees` are the degrees of freedom of each group's own estimate. Reference: Welch (1951), "On the comparison of
    several mean values: an alternative approach", with at most as many degrees of freedom as there are series, less
    one. p is 1 where all statistics are the same, NaN where fewer than two are known.
    """
    value = np.array([float(one.statistic.value[0]) for one in groups])
    n = len(value)
    if n < 2 or not np.isfinite(value).all():
        return UNKNOWN
    covariance = _covariance(groups)
    if np.ptp(value) == 0:
        return Heterogeneity(0.0, (n - 1.0, np.inf), 1.0)
    contrast = np.eye(n)[1:] - np.eye(n)[0]
    between = contrast @ covariance @ contrast.T
    if not np.isfinite(between).all() or np.linalg.matrix_rank(between) < n - 1:
        return UNKNOWN
    apart = contrast @ value
    distance = float(apart @ np.linalg.solve(between, apart)) / (n - 1)
    precision = 1 / np.diag(covariance)
    spread = float((((1 - precision / precision.sum()) ** 2) / np.asarray(degrees)).sum())
    statistic = distance / (1 + 2 * (n - 2) / (n**2 - 1) * spread)
    series = len(np.unique(np.concatenate([one.series for one in groups])))
    second = min((n**2 - 1) / (3 * spread) if spread > 0 else np.inf, series - 1)
    from scipy.special import fdtrc

    return Heterogeneity(statistic, (n - 1.0, float(second)), float(fdtrc(n - 1, second, statistic)))


def _covariance(groups: Sequence[GroupStatistic]) -> Floats:
    """Covariance of the statistics (G, G): of what windows share, and what series, blocks and draws add to that."""
    blocks = 1 + max(int(one.blocks.max(initial=0)) for one in groups)
    series = 1 + max(int(one.series.max(initial=0)) for one in groups)
    labels = {
        "pairs": [one.series * blocks + one.blocks for one in groups],
        "series": [one.series for one in groups],
        "blocks": [one.blocks for one in groups],
    }
    sizes = {"pairs": series * blocks, "series": series, "blocks": blocks}
    summed = [one.statistic.contributions[:, :, 0].sum(0) for one in groups]
    shares = [one.statistic.shares[:, 0] for one in groups]
    of = {name: _clustered(summed, shares, labels[name]) for name in labels}
    total = of["pairs"] + _positive(of["series"] - of["pairs"])
    if len(np.unique(np.concatenate(labels["blocks"]))) > 1:
        total = total + _positive(of["blocks"] - of["pairs"])
    times = max(len(one.statistic.contributions) for one in groups)
    draws = groups[0].draws
    if times == 1 or len(np.unique(draws)) < 2:
        return total
    spread = [one.statistic.over(times)[:, :, 0] for one in groups]
    drawn, even = [part.sum(1) for part in spread], [np.full(times, 1 / times)] * len(groups)
    of_draws = _clustered(drawn, even, [draws] * len(groups))
    # where a group has one block, a draw's part of it is the draw itself and explains nothing
    finer = []
    for name in ("series", "blocks"):
        if min(len(np.unique(label)) for label in labels[name]) < 2:
            continue
        each = [(draws[:, None] * sizes[name] + labels[name][i]).ravel() for i in range(len(groups))]
        held = [np.broadcast_to(share / times, (times, len(share))).ravel() for share in shares]
        finer.append(_clustered([part.ravel() for part in spread], held, each))
    return total + _positive(of_draws - max(finer, key=np.trace))


def _clustered(parts: Sequence[Floats], shares: Sequence[Floats], labels: Sequence[Ints]) -> Floats:
    """The covariance (G, G) of totals of parts (n,), those with equal labels together; each cluster counts as if alone.

    A cluster that bears the `shares` of its group's loss counts as the jackknife has it, without itself.
    """
    every = np.unique(np.concatenate(labels))
    sums = np.zeros((len(every), len(parts)))
    factor = np.ones(len(parts))
    for g, (part, share, label) in enumerate(zip(parts, shares, labels, strict=True)):
        there, own = np.unique(label, return_inverse=True)
        cut = Cut.of(own.ravel())
        if cut.n < 2:
            continue  # one cluster shows no variance: as in the estimate of a group
        held = cut.sums(share[:, None])[:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            alone = cut.sums(part[:, None])[:, 0] / (1 - held)
        sums[np.searchsorted(every, there), g] = alone
        factor[g] = np.sqrt((cut.n - 1) / cut.n)
    return np.asarray((sums.T @ sums) * np.outer(factor, factor))


def _positive(matrix: NDArray[np.float64]) -> Floats:
    """A symmetric matrix without what is negative in it: no component of variance can be."""
    if not np.isfinite(matrix).all():
        return np.full_like(matrix, np.nan)
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)
