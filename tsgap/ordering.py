"""Does augmentation order events better, or only move the threshold? Scores of the arms in, parts and a verdict out.

The area under the ROC curve (AUROC) looks at the order of scores alone: what is added to all of them, or multiplies
them, changes nothing. What is called an event from a fixed score on changes with both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tsgap.curve import no_curve
from tsgap.decomposition import LEVEL
from tsgap.gap import Clusters, Estimate, Linear
from tsgap.panel import Floats
from tsgap.ranking import AUROC, BALANCED, F1, ORDERINGS, Pairs, Ranked, auroc, best_calls, combined

#: With fewer events, or fewer pairs without one, nothing is measured.
MIN_EVENTS = 20
#: Differences of AUROC, F1 and balanced accuracy that are proven smaller count as none.
MARGIN = 0.01

#: What adding synthetic data does: the order gets better, only what is called an event changes, neither, or the order
#: gets worse; or it is not known.
ORDERING, THRESHOLD, NEITHER, WORSE = "ORDERING", "THRESHOLD", "NEITHER", "WORSE"
CANNOT_TELL, NOT_MEASURABLE = "CANNOT_TELL", "NOT_MEASURABLE"

#: Arms that are compared, by what their scores are called; without all of them some questions stay open.
REAL, AUGMENTED, DUPLICATED, REWEIGHTED = "real", "augmented", "duplicated", "reweighted"


@dataclass(frozen=True, eq=False)
class EventScores:
    """Labels of pairs (N, H), 1, 0 or NaN, and their scores by arm (K, N, H), or (1, N, H) where replicates are one.

    `fractions` are the scores (repeats, N, H) after training on sub-samples with a share q < 1 of the real pairs, by
    q; the sub-samples of one repeat belong together. `call` is the least score that calls an event. `inner` are labels
    and scores of other, earlier windows, where the arms' best calls are chosen; without them there are none.
    """

    labels: Floats
    scores: Mapping[str, Floats]
    call: float = 0.0
    fractions: Mapping[float, Floats] = field(default_factory=dict)
    inner: EventScores | None = None

    def __post_init__(self) -> None:
        for name, of in (*self.scores.items(), *self.fractions.items()):
            if of.ndim != 3 or of.shape[1:] != self.labels.shape:
                raise ValueError(f"scores of {name!r} must be (K, {self.labels.shape}), got {of.shape}")
        bad = self.labels[~np.isin(self.labels, (0, 1)) & ~np.isnan(self.labels)]
        if bad.size:
            raise ValueError(f"labels are 1, 0 or NaN, {bad.size} are not, first {bad[0]}")


@dataclass(frozen=True, eq=False)
class Ordered:
    """What is known at the leads `first` to `last`; differences are those of a figure, above 0 is better.

    `figures` are those of each arm, `changes` those of the augmented arm less those of another. `parts` of the AUROC:
    total = size + reweight + shortfall (below 0 where the synthetic data fall short of as many real ones), the check
    `mechanical` (duplicated less real) and `half`, what half of the real pairs lack. `lost` counts the pairs that an
    arm failed to forecast: it orders and calls them wrongly; `unforecast` those that no arm has, which do not count.
    `optimal` says whether the order is proven to gain less than the margin from more real pairs, other weights and the
    synthetic data, where there are any; None where that is not known. `doubts` say why it is not proven.
    """

    first: int
    last: int
    events: int
    others: int
    unforecast: int
    lost: Mapping[str, int]
    verdict: str
    reasons: tuple[str, ...]
    optimal: bool | None = None
    doubts: tuple[str, ...] = ()
    figures: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    changes: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    parts: Mapping[str, Estimate] = field(default_factory=dict)

    @property
    def prevalence(self) -> float:
        """The share of events among the pairs that count, NaN where there is none."""
        pairs = self.events + self.others
        return self.events / pairs if pairs else float("nan")


def ordering(
    scored: EventScores,
    clusters: Clusters,
    places: Sequence[tuple[int, int]],
    *,
    times: float = 2.0,
    margin: float = MARGIN,
    level: float = LEVEL,
) -> tuple[Ordered, ...]:
    """What is known of the order of events at each place: leads (first, last), all pairs of which are pooled.

    `clusters` as for the losses of the same windows (N,) and replicates (K,). `times`: as many times as many real
    pairs would the augmented arm have, for the part of the size (2 at λ = 1). Every bound is one-sided at `level`, by
    default an end of a two-sided 95 % interval. Equal is what is proven to differ by less than `margin`, also where it
    is proven to differ; the threshold moves where F1 or balanced accuracy are proven to change by more than that: a
    new fit changes both a little.
    """
    if REAL not in scored.scores:
        raise ValueError(f"the arm 'real' is what others are compared with; there are {sorted(scored.scores)}")
    for name, of in scored.scores.items():
        if len(of) not in (1, len(clusters.replicates)):
            raise ValueError(f"{len(clusters.replicates)} replicates, or one, are needed, {name!r} has {len(of)}")
    if len({len(of) for of in scored.fractions.values()}) > 1:
        raise ValueError("every share needs as many sub-samples as the others")
    return tuple(_ordered(_at(scored, *place), clusters, scored.call, times, margin, level) for place in places)


@dataclass(frozen=True, eq=False)
class _Scores:
    """What counts at one place: pairs (M,), scores by arm (K, M) and by fraction, the calls chosen for each arm."""

    place: tuple[int, int]
    pairs: Pairs
    arms: Mapping[str, Floats]
    fractions: Mapping[float, Floats]
    chosen: Mapping[str, list[Mapping[str, float]]]
    lost: Mapping[str, int]
    unforecast: int

    def unequal(self, *names: str) -> str | None:
        """Which of these arms failed to forecast pairs that others have, None where none did."""
        told = ", ".join(f"{name} {self.lost[name]}" for name in names if self.lost.get(name))
        return f"pairs that an arm has no forecast of, of {len(self.pairs.events)}: {told}" if told else None


def _at(scored: EventScores, first: int, last: int) -> _Scores:
    """Labels and scores at the leads `first` to `last`."""
    leads = slice(first - 1, last)
    labels = scored.labels[:, leads]
    arms = {name: of[:, :, leads] for name, of in scored.scores.items()}
    known = ~np.isnan(labels)
    there = known & np.any([~np.isnan(of).all(0) for of in arms.values()], axis=0)
    events = labels[there] == 1
    worst = np.where(events, -np.inf, np.inf)
    own = {name: of[:, there] for name, of in arms.items()}
    return _Scores(
        (first, last),
        Pairs(events, np.nonzero(there)[0], len(labels)),
        {name: np.where(np.isnan(of), worst, of) for name, of in own.items()},
        {q: of[:, :, leads][:, there] for q, of in sorted(scored.fractions.items())},
        {} if scored.inner is None else _chosen(scored.inner, leads),
        {name: int(np.isnan(of).any(0).sum()) for name, of in own.items()},
        int(known.sum() - there.sum()),
    )


def _chosen(inner: EventScores, leads: slice) -> dict[str, list[Mapping[str, float]]]:
    """The best calls of each arm and replicate on the inner windows, of arms for which these tell enough."""
    labels, found = inner.labels[:, leads], {}
    for name, scores in inner.scores.items():
        there = ~np.isnan(labels) & ~np.isnan(scores[:, :, leads]).any(0)
        events = labels[there] == 1
        if _few(int(events.sum()), int((~events).sum())) is None:
            found[name] = [best_calls(events, of[:, leads][there]) for of in scores]
    return found


def _few(events: int, others: int) -> str | None:
    """Why so many events and others tell nothing, None where they tell something."""
    for n, what in ((events, "events"), (others, "pairs without an event")):
        if n < MIN_EVENTS:
            return f"{n} {what}, fewer than {MIN_EVENTS}"
    return None


def _ordered(at: _Scores, clusters: Clusters, call: float, times: float, margin: float, level: float) -> Ordered:
    bare = Ordered(*at.place, *at.pairs.counts, at.unforecast, at.lost, NOT_MEASURABLE, ())
    if few := _few(*at.pairs.counts):
        return replace(bare, reasons=(few,))
    found = {
        name: {**at.pairs.orderings(of), **at.pairs.calls(of, call, at.chosen.get(name))}
        for name, of in at.arms.items()
    }
    figures = {
        name: {which: at.pairs.estimated(one, clusters) for which, one in of.items()} for name, of in found.items()
    }
    if not (counts := figures[REAL][AUROC].counts).enough:
        short = f"{counts.series} series in {counts.blocks} blocks of origins tell nothing of others like them"
        return replace(bare, figures=figures, reasons=(short,))

    def change(one: str, other: str, which: str) -> Estimate:
        difference = combined((1, found[one][which]), (-1, found[other][which]))
        exact = _exact(difference, at.arms[one], at.arms[other], order=which in ORDERINGS)
        return at.pairs.estimated(difference, clusters, exact=exact)

    changes = {
        other: {which: change(AUGMENTED, other, which) for which in found[AUGMENTED] if which in found[other]}
        for other in (REAL, DUPLICATED)
        if AUGMENTED in found and other in found
    }
    parts, unknown = _parts(at, {name: of[AUROC] for name, of in found.items()}, clusters, times)
    verdict, reasons = _verdict(at, changes, margin, level)
    optimal, doubts = _optimal(at, parts, unknown, margin, level)
    return replace(
        bare,
        verdict=verdict,
        reasons=reasons,
        optimal=optimal,
        doubts=doubts,
        figures=figures,
        changes=changes,
        parts=parts,
    )


def _exact(difference: Linear, one: Floats, other: Floats, *, order: bool) -> bool:
    """Whether there is no difference since scores (K, M), or only their `order`, are the same in every replicate."""
    if difference.contributions.any():
        return False
    if order and not np.array_equal(one, other):
        from scipy.stats import rankdata

        one, other = rankdata(one, axis=1), rankdata(other, axis=1)
    return bool(np.all(one == other))


def _parts(
    at: _Scores, of_order: Mapping[str, Linear], clusters: Clusters, times: float
) -> tuple[dict[str, Estimate], str]:
    """The parts of the change of AUROC that are known, and why that of the size is not.

    With sub-samples AUROC(q) = AUROC(1) − b (1/q − 1), b from least squares and not below 0, is read at `times` pairs.
    """
    parts: dict[str, Linear] = {}
    exact = {}
    for name, arm, other in (
        ("total", AUGMENTED, REAL),
        ("mechanical", DUPLICATED, REAL),
        ("reweight", REWEIGHTED, DUPLICATED),
    ):
        if arm in of_order and other in of_order:
            parts[name] = combined((1, of_order[arm]), (-1, of_order[other]))
            exact[name] = _exact(parts[name], at.arms[arm], at.arms[other], order=True)
    further = {}
    unknown = _no_curve(at)
    if not unknown:
        real = of_order[REAL]
        whole = Linear(real.value, real.contributions.sum(0, keepdims=True), real.shares)
        lacks = {
            q: combined((1, whole), (-1, at.pairs.mean([auroc(at.pairs.events, Ranked.of(one)) for one in of])))
            for q, of in at.fractions.items()
        }
        x = 1 / np.array(list(lacks)) - 1
        slope = combined(*zip(x / (x @ x), lacks.values(), strict=True))
        factor = 1 - 1 / times
        parts["half"] = lacks[0.5]
        parts["size"] = Linear(factor * np.maximum(slope.value, 0), factor * slope.contributions, slope.shares)
        if "total" in parts and "reweight" in parts:
            own = combined((1, parts["total"]), (-1, parts["reweight"]))
            parts["shortfall"] = own.minus(parts["size"])
        further = dict.fromkeys(("half", "size", "shortfall"), len(slope.contributions))
    return {
        name: at.pairs.estimated(one, clusters, exact=exact.get(name, False), further=further.get(name, 0))
        for name, one in parts.items()
    }, unknown


def _no_curve(at: _Scores) -> str:
    """Why there is no learning curve, nothing where there is one."""
    if why := no_curve(at.fractions):
        return why
    lost = sum(int(np.isnan(of).any(0).sum()) for of in at.fractions.values())
    return f"after training on sub-samples {lost} pairs have no forecast" if lost else ""


def _verdict(
    at: _Scores, changes: Mapping[str, Mapping[str, Estimate]], margin: float, level: float
) -> tuple[str, tuple[str, ...]]:
    """What adding synthetic data does to the order and to the calls, and why it cannot be told."""
    if missing := [name for name in (AUGMENTED, DUPLICATED) if name not in at.arms]:
        return CANNOT_TELL, (f"arms that are missing: {', '.join(missing)}",)
    if unequal := at.unequal(REAL, AUGMENTED, DUPLICATED):
        return CANNOT_TELL, (unequal,)
    by_real, by_twice = (changes[name] for name in (REAL, DUPLICATED))
    if _within(by_real[AUROC], margin, level):
        calls = [(by_real[which], by_twice[which]) for which in (F1, BALANCED)]
        if all(_within(one, margin, level) for one, _ in calls):
            return NEITHER, ()
        if any(_above(one, margin, level) and _above(two, margin, level) for one, two in calls):
            return THRESHOLD, ()
        if any(_below(one, -margin, level) and _below(two, -margin, level) for one, two in calls):
            return THRESHOLD, ()
        return CANNOT_TELL, (
            f"the order stays; that F1 or balanced accuracy move by more than {margin:g}, or do not, is not proven",
        )
    if _below(by_real[AUROC], 0, level):
        return WORSE, ()
    if _above(by_real[AUROC], 0, level):
        if _above(by_twice[AUROC], 0, level):
            return ORDERING, ()
        return CANNOT_TELL, ("better ordered than by real training, not proven better than by duplicated real pairs",)
    return CANNOT_TELL, (f"AUROC is proven neither to change nor to change by less than {margin:g}",)


def _optimal(
    at: _Scores, parts: Mapping[str, Estimate], unknown: str, margin: float, level: float
) -> tuple[bool | None, tuple[str, ...]]:
    """Whether the order is proven to gain less than `margin` from anything that was tried, and why that is open."""
    if unequal := at.unequal(REAL, DUPLICATED, REWEIGHTED):
        return None, (unequal,)
    doubts = [] if "half" in parts else [unknown]
    if "reweight" not in parts:
        doubts.append("there is no arm of real pairs with other weights")
    refuted = False
    for what, one, both in (
        ("half as many real pairs", parts.get("half"), False),
        ("other weights of the real pairs", parts.get("reweight"), True),
        ("the synthetic data", parts.get("total"), False),
    ):
        if one is None or (_within(one, margin, level) if both else _below(one, margin, level)):
            continue
        proven = _above(one, margin, level) or (both and _below(one, -margin, level))
        refuted |= proven
        doubts.append(
            f"{what}: AUROC {'changes by more' if proven else 'is not proven to change by less'} than {margin:g}"
        )
    return False if refuted else None if doubts else True, tuple(doubts)


def _above(one: Estimate, bound: float, level: float) -> bool:
    return bool(one.lower(level)[0] > bound)


def _below(one: Estimate, bound: float, level: float) -> bool:
    return bool(one.upper(level)[0] < bound)


def _within(one: Estimate, margin: float, level: float) -> bool:
    return _above(one, -margin, level) and _below(one, margin, level)
