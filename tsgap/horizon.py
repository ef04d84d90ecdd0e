"""From elementwise losses to profiles: the only place that averages over windows and leads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tsgap.blocks import let_go, ranges
from tsgap.metrics import losses
from tsgap.panel import Floats, Ints
from tsgap.protocols import MetricSpec

#: What a profile has a figure for: leads 1..h together, lead h alone, or leads 1..h of each series.
By = Literal["horizon", "lead", "series"]
BYS: tuple[str, ...] = get_args(By)

#: Which rows of an array: those that follow one another, or any.
Rows = slice | Ints
#: Values that are scored at once, what a core has near at hand. Figures depend on it in their last bits: it is fixed.
AT_ONCE = 2**16
#: Windows of a block that are added up one after the other; `np.add.reduceat` takes more of them in another order.
FEW = 8
#: Windows that blocks have on average, from which on they are added up block by block.
MANY = 128

#: How the status of rows begins whose metric raised or broke its contract; the reason follows.
METRIC_FAILED = "metric failed"
#: Status of a forecaster whose forecasts are the same whatever it was trained on.
NO_EFFECT = "training has no effect"
#: Status where more is lost to failed forecasts than is left.
TOO_MANY_FAILED = "too many failed"


@dataclass(frozen=True, eq=False)
class Blocks:
    """Which windows are averaged together: B blocks of the N windows, in rising order of their labels."""

    order: Ints
    starts: Ints

    @classmethod
    def of(cls, labels: NDArray[Any]) -> Blocks:
        """The blocks of equal `labels` (N,)."""
        order = np.argsort(labels, kind="stable")
        changes = np.flatnonzero(labels[order][1:] != labels[order][:-1]) + 1
        return cls(order, np.concatenate([[0], changes]))

    @property
    def first(self) -> Ints:
        """The first window of each block (B,)."""
        return self.order[self.starts]

    def sums(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values (N, …) added up over the windows of each block (B, …)."""
        return np.asarray(np.add.reduceat(values[self.order], self.starts, axis=0))

    def pieces(self, width: int) -> Iterator[tuple[Rows, slice, Ints]]:
        """Windows of `width` values each in pieces as long as those of `windows_at_once`, block after block.

        For each piece its windows, the blocks that it holds, and where each of them begins in it. A piece ends with a
        block unless it lies within one. The pieces are the same on every machine: what is added up over them is, too.
        """
        as_they_stand = bool((np.diff(self.order) == 1).all())
        rows, n, stop = max(1, AT_ONCE // max(width, 1)), len(self.order), 0
        while (start := stop) < n:
            first, last = np.searchsorted(self.starts, (start, start + rows), side="right") - 1
            stop = int(self.starts[last]) if last > first and start + rows < n else min(start + rows, n)
            held = slice(int(first), int(np.searchsorted(self.starts, stop)))
            at = slice(start, stop)
            yield at if as_they_stand else self.order[at], held, np.maximum(self.starts[held] - start, 0)


@dataclass(frozen=True, eq=False)
class Figures:
    """The figures of arms over the pairs (window, lead) that all of them have.

    `at` (P,) are horizons or leads. `values` (A, B, P), one for each arm and block; NaN where there is none, which
    is so for every arm at once. `reference` (B, P) is another forecast on the same pairs; NaN unless it has them
    all. `used` of `total` (B, P) pairs are there, none where `taught` (P,) is False; `lost` would be, had no
    forecast failed: where they are more than those used, there is no figure.
    """

    at: Ints
    values: Floats
    reference: Floats
    used: Ints
    total: Ints
    lost: Ints
    taught: NDArray[np.bool_]


def windows_at_once(n: int, width: int) -> Iterator[slice]:
    """Consecutive slices of `n` windows of `width` values each, of at most `AT_ONCE` values, or one window."""
    return ranges(n, width, AT_ONCE)


def figures(
    metric: MetricSpec,
    truth: Floats,
    arms: Sequence[Sequence[Floats]],
    *,
    by: By,
    horizons: Sequence[int],
    scale: Floats,
    weights: Floats,
    blocks: Blocks,
    reference: Floats | None = None,
    levels: tuple[float, ...] = (),
) -> Figures:
    """One figure for each arm, block and horizon (or lead).

    `truth` (N, H), NaN where it is missing; each arm is its replicates' forecasts (N, H′), whose losses are averaged
    pair by pair, or for a metric that needs them its quantiles (N, H′, Q) of the `levels`; `scale` (N,) are the
    metric's denominators, NaN where there is none; `weights` (N,). A pair counts
    where every replicate of every arm has a loss, so that none is left out in favour of an arm. A figure is the
    weighted mean loss of its pairs (its root for `root-mean`), never a mean of means. Leads beyond H′ of any arm
    were not taught: there is no figure for them, nor for a horizon that holds one of them, nor where more than half
    of the pairs are lost because a forecast is NaN. Raises `ContractError` where the metric breaks its contract.
    """
    horizon = truth.shape[1]
    at = np.arange(1, horizon + 1) if by == "lead" else np.array(sorted(set(horizons)), dtype=np.int64)
    reached = min(forecast.shape[1] for replicates in arms for forecast in replicates)
    of = [*arms, *([] if reference is None else [[reference]])]
    # from one figure to the next, and what it adds to the one before
    firsts = np.concatenate([[0], at[:-1]])
    width, shape = at - firsts, (len(blocks.starts), len(at))
    sums, weight = np.zeros((len(of), *shape)), np.zeros(shape)
    used, lost = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    alike = bool((weights == 1.0).all())

    def gathered(values: NDArray[Any]) -> NDArray[Any]:
        """Values of windows and leads (n, H) added up within blocks, and from figure to figure (B, P)."""
        added = _added(values, begins, lengths)
        return added if by == "lead" else np.add.reduceat(added[:, : at[-1]], firsts, axis=1)

    for rows, held, begins in blocks.pieces(horizon):
        y, denominators, weighed = truth[rows], scale[rows], weights[rows, None]
        lengths = np.append(begins[1:], len(y)) - begins
        pieces = [[forecast[rows] for forecast in replicates] for replicates in of]
        found = [_loss(metric, y, denominators, replicates, levels) for replicates in pieces]
        heavy = found if alike else [loss * weighed for loss in found]
        added = [gathered(loss) for loss in heavy]
        # a sum is a number only if nothing in it is missing
        if not any(np.isnan(one).any() for one in added[: len(arms)]):
            weight[held] += np.add.reduceat(weighed, begins) * width
            used[held] += lengths[:, None] * width
        else:
            known = ~np.logical_or.reduce([np.isnan(loss) for loss in found[: len(arms)]])
            weight[held] += gathered(np.where(known, weighed, 0.0))
            used[held] += gathered(known.astype(np.int64))
            lost[held] += gathered(_lost(y, denominators, pieces[: len(arms)], reached).astype(np.int64))
            added = [gathered(np.where(known, loss, 0.0)) for loss in heavy]
        for so_far, one in zip(sums, added, strict=True):
            so_far[held] += one
        let_go(truth, *(forecast for replicates in of for forecast in replicates))
    total = np.diff(np.append(blocks.starts, len(truth)))[:, None] * width
    if by != "lead":
        for steps in (sums, weight, used, lost, total):
            np.cumsum(steps, axis=-1, out=steps)
    taught = at <= reached
    used, lost = used * taught, lost * taught
    weight[:, ~taught] = 0.0
    weight[lost > used] = 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.sqrt(sums / weight) if metric.aggregate == "root-mean" else sums / weight
    other = np.full(used.shape, np.nan) if reference is None else np.where(taught, means[-1], np.nan)
    values = np.where(weight > 0, means[: len(arms)], np.nan)
    return Figures(at, values, other, used, total, lost, taught)


def _loss(
    metric: MetricSpec, truth: Floats, scale: Floats, replicates: Sequence[Floats], levels: tuple[float, ...]
) -> Floats:
    """Losses (N, H), averaged over replicates; NaN where there is none, in leads that were not taught too."""
    if len(replicates) == 1 and replicates[0].shape[1] == truth.shape[1]:
        return losses(metric, truth, replicates[0], scale, levels)
    out = np.zeros(truth.shape)
    for forecast in replicates:
        reached = forecast.shape[1]
        out[:, :reached] += losses(metric, truth[:, :reached], forecast, scale, levels)
        out[:, reached:] = np.nan
    return out / len(replicates)


def _added(values: NDArray[Any], begins: Ints, lengths: Ints) -> NDArray[Any]:
    """Rows (n, H) added up from each of `begins` on (B, H): `np.add.reduceat`, quicker where they are few or many."""
    most = int(lengths.max())
    if len(values) > MANY * len(lengths):
        begun = zip(begins.tolist(), lengths.tolist(), strict=True)
        return np.stack([values[begin : begin + count].sum(0) for begin, count in begun])
    if most > FEW:
        return np.asarray(np.add.reduceat(values, begins, axis=0))
    if most * len(lengths) == len(values):
        first, *others = values.reshape(len(lengths), most, values.shape[1]).transpose(1, 0, 2)
        return np.asarray(first + sum(others[1:], start=others[0]) if others else first)
    rest = np.zeros_like(values, shape=(len(begins), values.shape[1]))
    for row in range(1, most):
        more = np.flatnonzero(lengths > row)
        rest[more] += values[begins[more] + row]
    return np.asarray(values[begins] + rest)


def _lost(truth: Floats, scale: Floats, arms: Sequence[Sequence[Floats]], reached: int) -> NDArray[np.bool_]:
    """Pairs (N, H) that could be scored, of which a forecast is NaN in some arm and replicate."""
    lost = np.zeros(truth.shape, dtype=bool)
    for forecast in (one for replicates in arms for one in replicates):
        missing = np.isnan(forecast[:, :reached])
        lost[:, :reached] |= missing if missing.ndim == 2 else missing.any(2)
    return lost & ~np.isnan(truth) & ~np.isnan(scale)[:, None]


def ratio(a: Floats, b: Floats) -> Floats:
    """a / b; 1 where both are 0, infinite where only b is, NaN where either is NaN.

    >>> ratio(np.array([2.0, 0.0, 1.0]), np.array([4.0, 0.0, 0.0])).tolist()
    [0.5, 1.0, inf]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((a == 0) & (b == 0), 1.0, a / b)


def skill(error: Floats, reference: Floats) -> Floats:
    """1 − error / reference: 1 is perfect, 0 no better than the reference, negative worse."""
    return 1.0 - ratio(error, reference)


def percentages_are_valid(truth: Floats, blocks: Blocks) -> NDArray[np.bool_]:
    """Whether MAPE and sMAPE mean anything on the actuals (N, H) of each block (B,); NaN is ignored.

    Not where a value is negative, where more than 1 % of them lie within 1 % of their mean size from 0, or where
    their mean is below their standard deviation.
    """
    labels = np.empty(len(truth), dtype=np.int64)
    labels[blocks.order] = np.repeat(np.arange(len(blocks.starts)), np.diff([*blocks.starts, len(truth)]))

    def summed(of: Callable[[Floats, Ints], NDArray[Any]]) -> NDArray[Any]:
        """What `of` makes of each window's values, NaN where missing, and its block, added up over the blocks (B,)."""
        out = []
        for rows in ranges(len(truth), truth.shape[1]):
            out.append(of(truth[rows], labels[rows]))
            let_go(truth)
        return blocks.sums(np.concatenate(out))

    def filled(y: Floats) -> Floats:
        return np.where(np.isfinite(y), y, 0.0)

    n = summed(lambda y, _: np.isfinite(y).sum(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, size = summed(lambda y, _: filled(y).sum(1)) / n, summed(lambda y, _: np.abs(filled(y)).sum(1)) / n
        spread = summed(lambda y, b: (filled(y - mean[b, None]) ** 2).sum(1)) / n
        near_zero = summed(lambda y, b: (np.abs(y) <= 0.01 * size[b, None]).sum(1)) / n
    negative = summed(lambda y, _: (y < 0).sum(1)) > 0
    return np.asarray((n > 0) & ~negative & (near_zero <= 0.01) & (mean >= np.sqrt(spread)))
