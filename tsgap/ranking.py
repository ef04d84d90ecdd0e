"""How well scores order events and call them: statistics of pairs (window, lead) with what each window adds to them.

Axes: M pairs, K replicates, N windows. The influence of a pair is the derivative of the statistic by the pair's weight
(the infinitesimal jackknife); for the area under the curve these are the placement values of DeLong, DeLong &
Clarke-Pearson (1988), Biometrics 44, and their sums over clusters the estimator of Obuchowski (1997), Biometrics 53.
Summed by window they are the contributions that `tsgap.gap` makes intervals of, clustered as everything else is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tsgap.gap import Clusters, Estimate, Linear
from tsgap.panel import Floats, Ints

Bools = NDArray[np.bool_]
#: A statistic and the influence of every pair on it (M,), 0 in sum.
Influenced = tuple[float, Floats]

AUROC, AUPRC = "auroc", "auprc"
F1, BALANCED = "f1", "balanced_accuracy"
BEST_F1, BEST_BALANCED = "best_f1", "best_balanced_accuracy"
ORDERINGS, CALLS = (AUROC, AUPRC), (F1, BALANCED, BEST_F1, BEST_BALANCED)


@dataclass(frozen=True, eq=False)
class Ranked:
    """Pairs from the highest score down (M,): `order` are their numbers, `first` and `last` where their ties lie."""

    order: Ints
    first: Ints
    last: Ints

    @classmethod
    def of(cls, scores: Floats) -> Ranked:
        """The order of these scores."""
        order = np.argsort(-scores)
        ordered = scores[order]
        ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
        tied = np.diff(ends, prepend=-1)
        return cls(order, np.repeat(ends - tied + 1, tied), np.repeat(ends, tied))


def auroc(events: Bools, ranked: Ranked) -> Influenced:
    """How often an event scores higher than a pair without one, ties half: .5 is chance, larger is better."""
    come = events[ranked.order]
    n = np.append(0, np.cumsum(come))
    # events that score higher than a pair or the same, ties half, and so for pairs without one
    higher = (n[ranked.first] + n[ranked.last + 1]) / 2
    others = (ranked.first + ranked.last + 1) / 2 - higher
    size = np.where(come, n[-1], len(come) - n[-1])
    placed = np.where(come, 1 - others / (len(come) - n[-1]), higher / n[-1])
    value = float(placed[come].mean())
    influence = np.empty(len(come))
    influence[ranked.order] = (placed - value) / size
    return value, influence


def auprc(events: Bools, ranked: Ranked) -> Influenced:
    """Average precision, the mean over events of the share of events at or above their score: larger is better."""
    come = events[ranked.order]
    reached = ranked.last + 1.0
    precision = np.cumsum(come)[ranked.last] / reached
    n = int(come.sum())
    value = float(precision[come].mean())
    # a pair is among those at or above the score of every event that does not score higher than it
    met = np.cumsum((come / reached)[::-1])[::-1][ranked.first]
    met_precision = np.cumsum((come * precision / reached)[::-1])[::-1][ranked.first]
    influence = np.empty(len(come))
    influence[ranked.order] = (come * (precision - value) + come * met - met_precision) / n
    return value, influence


def f1(events: Bools, called: Bools) -> Influenced:
    """Harmonic mean of precision and recall of what is called an event: larger is better, 0 where no call is right."""
    whole = events.astype(np.float64) + called
    value = float(2 * (events & called).sum() / whole.sum())
    return value, (2.0 * (events & called) - value * whole) / whole.sum()


def balanced_accuracy(events: Bools, called: Bools) -> Influenced:
    """Mean of the shares of events and of others that are called rightly: .5 is chance, larger is better."""
    right = (called == events).astype(np.float64)
    value = (right[events].mean(), right[~events].mean())
    size = np.where(events, events.sum(), (~events).sum())
    return float(np.mean(value)), (right - np.where(events, *value)) / (2 * size)


def best_calls(events: Bools, scores: Floats) -> Mapping[str, float]:
    """The scores from which calling an event gives the best F1 and the best balanced accuracy, midway to the next."""
    order = np.argsort(-scores)
    ordered, hits = scores[order], np.cumsum(events[order])
    n, calls = int(events.sum()), np.arange(1, len(scores) + 1)
    cuts = np.flatnonzero(np.append(ordered[:-1] > ordered[1:], True))
    below = np.append(ordered, -np.inf)[cuts + 1]
    with np.errstate(invalid="ignore"):
        at = np.where(np.isfinite(below) & np.isfinite(ordered[cuts]), (ordered[cuts] + below) / 2, ordered[cuts])
    found = {
        BEST_F1: 2 * hits / (n + calls),
        BEST_BALANCED: (hits / n + 1 - (calls - hits) / (len(scores) - n)) / 2,
    }
    return {name: float(at[np.argmax(of[cuts])]) for name, of in found.items()}


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs (M,) whose label is known, the window each belongs to, and how many windows there are."""

    events: Bools
    window: Ints
    windows: int

    @property
    def counts(self) -> tuple[int, int]:
        """How many events and how many others."""
        n = int(self.events.sum())
        return n, len(self.events) - n

    @property
    def shares(self) -> Floats:
        """How much of what is rarer, events or others, each window holds (N, 1)."""
        rarer = self.events if self.counts[0] <= self.counts[1] else ~self.events
        return np.asarray(np.bincount(self.window[rarer], minlength=self.windows)[:, None] / rarer.sum())

    def mean(self, found: Sequence[Influenced]) -> Linear:
        """The mean over replicates of a statistic."""
        value = float(np.mean([one for one, _ in found]))
        shares = self.shares
        parts = np.empty((len(found), self.windows, 1))
        for part, (own, influence) in zip(parts, found, strict=True):
            part[:, 0] = np.bincount(self.window, influence, minlength=self.windows)
            part += (own - value) * shares  # by how much a draw differs is borne by all windows
        return Linear(np.array([value]), parts / len(found), shares)

    def orderings(self, scores: Floats) -> dict[str, Linear]:
        """What does not depend on a threshold, of scores (K, M)."""
        ranked = [Ranked.of(one) for one in scores]
        return {
            name: self.mean([of(self.events, one) for one in ranked]) for name, of in ((AUROC, auroc), (AUPRC, auprc))
        }

    def calls(self, scores: Floats, call: float, chosen: Sequence[Mapping[str, float]] | None) -> dict[str, Linear]:
        """What depends on one: at the fixed `call`, and at what was `chosen` elsewhere for each replicate."""

        def at(by: Callable[[Bools, Bools], Influenced], cuts: Sequence[float]) -> Linear:
            return self.mean([by(self.events, one >= cuts[k % len(cuts)]) for k, one in enumerate(scores)])

        found = {F1: at(f1, [call]), BALANCED: at(balanced_accuracy, [call])}
        if chosen:
            found[BEST_F1] = at(f1, [one[BEST_F1] for one in chosen])
            found[BEST_BALANCED] = at(balanced_accuracy, [one[BEST_BALANCED] for one in chosen])
        return found

    def estimated(self, statistic: Linear, clusters: Clusters, *, exact: bool = False, further: int = 0) -> Estimate:
        """With its uncertainty; the last `further` of its replicates were drawn by themselves, not as the clusters say.

        Where no pair has any influence nothing is known, unless it is `exact`: twenty calls that are all right, or none
        of which changes, do not say how rare a wrong one, or a change, is. A window counts where it has a pair, also
        one without influence, as what is rightly not called has none on F1.
        """
        own = clusters.replicates[: len(statistic.contributions) - further]
        replicates = np.concatenate([own, own.max(initial=-1) + 1 + np.arange(further)])
        clusters = replace(clusters, replicates=replicates)
        if not statistic.contributions.any():
            found = statistic.estimated(clusters)
            return found if exact else replace(found, se=np.array([np.inf]))
        there = np.bincount(self.window, minlength=self.windows)[:, None] > 0
        # the intervals take what is exactly 0 for missing: the least number that is not, whose square is
        parts = np.where(there & (statistic.contributions == 0), np.finfo(np.float64).tiny, statistic.contributions)
        return Linear(statistic.value, parts, statistic.shares).estimated(clusters)


def combined(*terms: tuple[float, Linear]) -> Linear:
    """A weighted sum of statistics of the same pairs whose replicates are drawn together, e.g. A − R."""
    times = max(len(one.contributions) for _, one in terms)
    value = np.sum([weight * one.value for weight, one in terms], axis=0)
    parts = np.sum([weight * one.over(times) for weight, one in terms], axis=0)
    return Linear(value, parts, terms[0][1].shares)
