"""Log ratios of mean losses and how sure they are: arrays in, estimates out; the only place that knows a variance.

Axes: K replicates, N windows, P places (leads, bins of leads, or horizons). A *contribution* (K, N, P) is what each
replicate of each window adds to the linearised statistic; its sum over K and N is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tsgap.blocks import let_go, room
from tsgap.panel import Floats, Ints

#: Fewer series than this give no claim about others like them: their differences are not taken for a sample.
POPULATION = 5
#: How likely what is said to settle a gap should settle it.
POWER = 0.8


def lead_bins(horizon: int, season: int = 1) -> list[tuple[int, int]]:
    """Bins of leads (first, last) up to `horizon`: 1, then up to a quarter, half, one and two seasons, then the rest.

    Without a season a quarter of the horizon, at least 4, stands for it.

    >>> lead_bins(96, 24)
    [(1, 1), (2, 6), (7, 12), (13, 24), (25, 48), (49, 96)]
    """
    m = season if season > 1 else max(4, horizon // 4)
    edges = sorted({min(edge, horizon) for edge in (1, m // 4, m // 2, m, 2 * m, horizon) if edge > 0})
    return list(zip([1, *(edge + 1 for edge in edges[:-1])], edges, strict=True))


@dataclass(frozen=True, eq=False)
class Cut:
    """How rows are added up within labels 0..n-1, each of which some row has; `order` is None where they stand so."""

    n: int
    order: Ints | None
    starts: Ints

    @classmethod
    def of(cls, labels: Ints) -> Cut:
        """The cut of the labels of all rows."""
        order = None if (np.diff(labels) >= 0).all() else np.argsort(labels, kind="stable")
        starts = np.flatnonzero(np.diff(labels if order is None else labels[order], prepend=-1))
        return cls(len(starts), order, starts)

    def sums(self, values: Floats) -> Floats:
        """Values (rows, …) added up within each label (n, …)."""
        if not self.n:
            return np.zeros((0, *values.shape[1:]))
        if self.n == len(values) and self.order is None:
            return values
        return np.asarray(np.add.reduceat(values if self.order is None else values[self.order], self.starts, axis=0))


@dataclass(frozen=True, eq=False)
class Clusters:
    """Which losses depend on each other: series and block of origins of each window (N,), draw of each replicate (K,).

    Windows of different series whose origins lie in the same block of the calendar share its shocks. With fewer
    than `POPULATION` series all count as one: what is said then is about these series alone.
    """

    series: Ints
    blocks: Ints
    replicates: Ints

    @classmethod
    def of(
        cls,
        series: NDArray[np.generic],
        blocks: NDArray[np.generic],
        replicates: NDArray[np.generic],
        used: NDArray[np.bool_] | None = None,
    ) -> Clusters:
        """The clusters of any labels; only those of windows that are `used` (N,) count.

        The others, which contribute nothing, go with the first one that is used.
        """
        rows = np.arange(len(series))
        if used is not None:
            rows = np.where(used, rows, np.argmax(used))
        ids = (np.unique(of, return_inverse=True)[1].ravel() for of in (series[rows], blocks[rows], replicates))
        return cls(*ids)

    @cached_property
    def by_series(self) -> Cut:
        """The windows of each series."""
        return Cut.of(self.series)

    @cached_property
    def by_block(self) -> Cut:
        """The windows of each block of origins."""
        return Cut.of(self.blocks)

    @cached_property
    def by_pair(self) -> Cut:
        """The windows of each series that lie in the same block."""
        pairs = self.series * (self.blocks.max(initial=0) + 1) + self.blocks
        return Cut.of(pairs if (np.diff(pairs) > 0).all() else np.unique(pairs, return_inverse=True)[1].ravel())

    @property
    def counts(self) -> Counts:
        """How many of each there are."""
        return Counts(*(int(ids.max(initial=-1)) + 1 for ids in (self.series, self.blocks, self.replicates)))


@dataclass(frozen=True)
class Counts:
    """How many series, blocks of origins and replicates an estimate rests on."""

    series: int
    blocks: int
    replicates: int

    @classmethod
    def least(cls, several: Sequence[Counts]) -> Counts:
        """The fewest of each."""
        return cls(*(min(getattr(one, name) for one in several) for name in ("series", "blocks", "replicates")))

    @property
    def population(self) -> bool:
        """Whether there are series enough to speak of others like them."""
        return self.series >= POPULATION

    @property
    def enough(self) -> bool:
        """Whether there is enough to decide anything: 5 series and 5 blocks, or 20 blocks of the series there are."""
        return self.blocks >= (5 if self.population else 20)


@dataclass(frozen=True, eq=False)
class Estimate:
    """A statistic at each place (P,) with its standard error and degrees of freedom.

    `parts` (4, P) is the variance by where it comes from: windows, series, blocks of origins, replicates.
    """

    value: Floats
    se: Floats
    df: Floats
    parts: Floats
    counts: Counts

    def at(self, place: int) -> Estimate:
        """The estimate at one place alone."""
        only = slice(place, place + 1)
        return Estimate(self.value[only], self.se[only], self.df[only], self.parts[:, only], self.counts)

    def half(self, level: float = 0.95) -> Floats:
        """How far the one-sided bound of this `level` lies from the value (P,)."""
        from scipy.special import stdtrit

        return np.asarray(stdtrit(self.df, level) * self.se)

    def upper(self, level: float = 0.95) -> Floats:
        """Upper bound, one-sided at `level` (P,)."""
        return self.value + self.half(level)

    def lower(self, level: float = 0.95) -> Floats:
        """Lower bound, one-sided at `level` (P,)."""
        return self.value - self.half(level)

    def needed(self, distance: Floats, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
        """Series, blocks or replicates that would most likely tell a gap from one that is `distance` (P,) away.

        Each if it alone grew: with so many the bound at `level` falls short of the distance in `POWER` of all cases,
        if the estimate is the truth. Infinite where more of them alone would not do. An approximation: the degrees of
        freedom stay as they are.
        """
        from scipy.special import stdtrit

        with np.errstate(divide="ignore", invalid="ignore"):
            allowed = (distance / (stdtrit(self.df, level) + stdtrit(self.df, POWER))) ** 2
            windows, series, blocks, replicates = self.parts
            out = []
            for shrinks, stays, n in (
                (windows + series, blocks + replicates, self.counts.series),
                (windows + blocks, series + replicates, self.counts.blocks),
                (replicates, windows + series + blocks, self.counts.replicates),
            ):
                more = np.where(allowed > stays, n * shrinks / (allowed - stays), np.inf)
                out.append(np.ceil(np.maximum(more, n)))
        return out[0], out[1], out[2]


def estimate(value: Floats, contributions: Floats, clusters: Clusters, shares: Floats | None = None) -> Estimate:
    """The statistic `value` (P,) with the variance of its `contributions` (K, N, P).

    Cluster-robust variances for series, blocks of origins and replicates, each added where it is more than what the
    finer clusters explain already; degrees of freedom after Satterthwaite, at least 1. K is 1 where nothing was drawn
    anew: then replicates have no part. After Cameron, Gelbach & Miller (2011), "Robust inference with multiway
    clustering", with components that cannot be negative.

    `shares` (N, P) of the loss that the windows bear, 1 in sum at each place, keep a few heavy clusters from looking
    like many: each cluster counts as the jackknife has it, without itself, and the degrees of freedom are those of
    the effective number of clusters. With equal shares nothing changes. After Bell & McCaffrey (2002), "Bias
    reduction in standard errors for linear regression with multi-stage samples", and Carter, Schnepel & Steigerwald
    (2017), "Asymptotic behavior of a t-test robust to cluster heterogeneity".

    At a place where some series or blocks contribute nothing only the others count; where those are too few for what
    all together can tell, nothing is known.
    """
    found = _estimate(value, contributions, clusters, shares)
    present = np.zeros(contributions.shape[1:], dtype=bool)
    for one in contributions:
        present |= one != 0
        let_go(contributions)
    fewer = np.zeros(len(value), dtype=bool)
    if not present.all():
        for cut, n in ((clusters.by_series, found.counts.series), (clusters.by_block, found.counts.blocks)):
            fewer |= np.count_nonzero(cut.sums(present.astype(np.float64)), axis=0) < n
    for place in np.flatnonzero(fewer & present.any(0)):
        at = slice(place, place + 1)
        own = Clusters.of(clusters.series, clusters.blocks, clusters.replicates, present[:, place])
        one = _estimate(value[at], contributions[:, :, at], own, None if shares is None else shares[:, at])
        as_many = one.counts.enough and one.counts.population == found.counts.population
        if found.counts.enough and not as_many:
            one.parts[0], one.se[:] = np.inf, np.inf
        found.se[at], found.df[at], found.parts[:, at] = one.se, one.df, one.parts
    return found


def _estimate(value: Floats, contributions: Floats, clusters: Clusters, shares: Floats | None) -> Estimate:
    counts = clusters.counts
    if contributions.shape[0] == 1:
        counts = Counts(counts.series, counts.blocks, 1)
    places = contributions.shape[2]
    series = clusters.by_series if counts.population else Cut.of(np.zeros_like(clusters.series))
    pairs = clusters.by_pair if counts.population else clusters.by_block
    many, several = series.n, counts.blocks
    by_window = np.zeros(contributions.shape[1:])
    for one in contributions:
        by_window += one
        let_go(contributions)
    held = {
        name: None if shares is None else cut.sums(shares)
        for name, cut in (("series", series), ("blocks", clusters.by_block))
    }
    v_pairs, _ = _variance(pairs.sums(by_window), None if shares is None else pairs.sums(shares))
    v_series, n_series = _variance(series.sums(by_window), held["series"])
    v_blocks, n_blocks = _variance(clusters.by_block.sums(by_window), held["blocks"])
    v_draws = extra_draws = n_draws = np.zeros(places)
    if contributions.shape[0] > 1 and counts.replicates > 1:
        by_draw = Cut.of(clusters.replicates).sums(contributions)
        draws = len(by_draw)
        # a draw that was used more often than the others bears more
        used = np.bincount(clusters.replicates, minlength=draws) / len(clusters.replicates)
        of_draw = None if shares is None else np.repeat(used[:, None], places, axis=1)
        v_draws, n_draws = _variance(by_draw.sum(1), of_draw)
        # where all series or blocks count as one, a draw's part of them is the draw itself and explains nothing
        finer = []
        for cut, of in ((series, held["series"]), (clusters.by_block, held["blocks"])):
            if cut.n > 1:
                sums = np.empty((draws, cut.n, places))
                for one, draw in zip(sums, by_draw, strict=True):
                    one[:] = cut.sums(draw)
                    let_go(by_draw)
                each = None if of is None else np.concatenate([of * part for part in used])
                finer.append(_variance(sums.reshape(-1, places), each)[0])
        extra_draws = np.maximum(0.0, v_draws - np.max(finer, axis=0)) if finer else v_draws
    extra_series = np.maximum(0.0, v_series - v_pairs) if many > 1 else np.zeros(places)
    extra_blocks = np.maximum(0.0, v_blocks - v_pairs) if many > 1 and several > 1 else np.zeros(places)
    parts = np.stack([v_pairs, extra_series, extra_blocks, extra_draws])
    if pairs.n < 2:
        # one cluster shows no variance: nothing is known, unless every contribution is 0
        parts[0] = np.where(np.any(contributions != 0, axis=(0, 1)), np.inf, 0.0)
    total = parts.sum(0)
    spent = sum(
        v**2 / np.maximum(n - 1, 1) for v, n in ((v_series, n_series), (v_blocks, n_blocks), (v_draws, n_draws))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        df = np.where(total > 0, total**2 / spent, np.inf)
    return Estimate(value, np.sqrt(total), np.maximum(df, 1.0), parts, counts)


def _variance(sums: Floats, held: Floats | None) -> tuple[Floats, Floats]:
    """Variance (P,) of a total by the sums of its clusters (G, P), 0 where there is one; their effective number (P,).

    `held` (G, P) are the shares that they hold, None where they hold the same.
    """
    n = len(sums)
    if n < 2:
        return np.zeros(sums.shape[1]), np.ones(sums.shape[1])
    if held is None:
        return (sums**2).sum(0) * n / (n - 1), np.full(sums.shape[1], float(n))
    with np.errstate(divide="ignore", invalid="ignore"):
        alone = np.where(sums == 0, 0.0, sums / (1 - held))
        return (alone**2).sum(0) * (n - 1) / n, 1 / (held**2).sum(0)


@dataclass(frozen=True, eq=False)
class Linear:
    """A statistic (P,), the contributions (K, N, P) of its linearisation, and `shares` as in `estimate` (N, P)."""

    value: Floats
    contributions: Floats
    shares: Floats

    def estimated(self, clusters: Clusters) -> Estimate:
        """With its uncertainty."""
        return estimate(self.value, self.contributions, clusters, self.shares)

    def over(self, replicates: int) -> Floats:
        """The contributions spread over so many replicates (K, N, P), where all of them are one."""
        if len(self.contributions) == replicates:
            return self.contributions
        return np.broadcast_to(self.contributions / replicates, (replicates, *self.contributions.shape[1:]))

    def minus(self, other: Linear, *, paired: bool = False) -> Linear:
        """The difference of two statistics of the same windows; their replicates are the same ones if `paired`."""
        with np.errstate(invalid="ignore"):  # two infinite ones have no difference
            value = self.value - other.value
        shares = (self.shares + other.shares) / 2
        if paired:
            times = max(len(self.contributions), len(other.contributions))
            return Linear(value, self.over(times) - other.over(times), shares)
        return Linear(value, np.concatenate([self.contributions, -other.contributions]), shares)


def log_ratio(arm: Floats, control: Floats, *, root: bool = False) -> Linear:
    """ln of the summed losses of an arm over those of its control, at each place.

    `arm` and `control` are summed losses (K, N, P), or (1, N, P) where all replicates are one; both hold the same
    pairs (window, lead), weighted alike. `root` halves it: the ratio of root mean squared errors from squared ones.
    0 exactly where the losses are equal, also where both are 0; infinite where only the control's are 0.
    """
    times = max(len(arm), len(control))
    above, below = arm.sum((0, 1)) * (times / len(arm)), control.sum((0, 1)) * (times / len(control))
    same = (above == 0) & (below == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(same, 0.0, np.log(above) - np.log(below))
        # there are several of them for every forecaster: mapped from a block on
        parts = np.divide(arm, above, out=room(times, *arm.shape[1:], large=1))
        for k, part in enumerate(parts):
            part -= control[k % len(control)] / below
            if root:
                part *= 0.5
            part[:, same] = 0.0
            let_go(arm, control, parts)
        shares = control.mean(0) * times / below
        shares[:, below == 0] = 0.0
    return Linear(0.5 * value if root else value, parts, shares)


def shortfall(gap: Linear, assay: Linear, keep: float) -> Linear:
    """How far an arm is from keeping the share `keep` of what real training gains over none: below 0 it keeps more.

    [E_arm − f E_control − (1 − f) E_null] / E_control with f = `keep`, from the log ratios `gap` (arm over control) and
    `assay` (null over control).
    """
    near, far = np.exp(gap.value), (1 - keep) * np.exp(assay.value)
    times = max(len(gap.contributions), len(assay.contributions))
    parts = room(times, *gap.shares.shape, large=1)
    with np.errstate(invalid="ignore"):  # both are infinite where the control makes no error
        for part, one, other in zip(parts, gap.over(times), assay.over(times), strict=True):
            part[:] = near * one - far * other
            let_go(parts, gap.contributions, assay.contributions)
        return Linear(near - keep - far, parts, gap.shares)


def lost(gap: Floats, assay: Floats, assay_low: Floats, margin: float) -> Floats:
    """Share of the real skill that is lost (P,): the excess error of an arm over that of shuffled training.

    From the log ratios `gap` and `assay`; NaN unless the lower bound `assay_low` is above the log ratio `margin`.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(assay_low > margin, np.expm1(gap) / np.expm1(assay), np.nan)


def mean(statistics: Sequence[Linear]) -> Linear:
    """The mean of statistics of the same windows, e.g. over forecasters: log ratios become their geometric mean."""
    times = max(len(one.contributions) for one in statistics)
    with np.errstate(invalid="ignore"):  # infinite ones of both signs have no mean
        value = np.mean([one.value for one in statistics], axis=0)
    parts = room(times, *statistics[0].shares.shape, large=1)
    for k, part in enumerate(parts):
        part[:] = sum(one.over(times)[k] for one in statistics) / len(statistics)
        let_go(parts, *(one.contributions for one in statistics))
    return Linear(value, parts, np.mean([one.shares for one in statistics], axis=0))


def independent_mean(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of estimates that share no window, e.g. over data sets, which are taken as they are, not as a sample."""
    n = len(estimates)
    parts = np.sum([e.parts for e in estimates], axis=0) / n**2
    variances = np.stack([e.se**2 for e in estimates])
    total = variances.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.mean([e.value for e in estimates], axis=0)
        df = np.where(total > 0, total**2 / sum(v**2 / e.df for v, e in zip(variances, estimates, strict=True)), np.inf)
    return Estimate(value, np.sqrt(total) / n, df, parts, Counts.least([e.counts for e in estimates]))
