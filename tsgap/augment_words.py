"""What adding synthetic data does, in words: the verdict, the share to add, what it is worth, and what was left out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tsgap.augment_diagnosis import (
    ALREADY_OPTIMAL,
    DATA_LIMITED,
    HELPS,
    HURTS,
    MARGIN,
    MISMATCH,
    MISSPECIFIED,
    NO_DIFFERENCE,
)
from tsgap.augmentation import CHEAP, Augmentation
from tsgap.curve import ROUNDING
from tsgap.decomposition import HEADLINE, LEAST_EFFECTIVE, LEVEL
from tsgap.ordering import MARGIN as ORDER_MARGIN
from tsgap.ordering import NEITHER, NOT_MEASURABLE, ORDERING, THRESHOLD, Ordered
from tsgap.ordering import WORSE as WORSE_ORDER
from tsgap.rivals import BETTER, NOT_TOLD_APART, SAME, WORSE, Rival, rival
from tsgap.sentences import interval, leads, signed

if TYPE_CHECKING:
    from tsgap.gap import Estimate

#: What to do about a verdict on the real series alone.
RECOMMENDED = {
    ALREADY_OPTIMAL: "no room",
    DATA_LIMITED: "room for more data like these",
    MISSPECIFIED: "a richer forecaster or re-weighting comes first",
}
NO_TELLING = "cannot tell"
#: What follows from a verdict on adding synthetic series, where its reason does not say so.
ADVICE = {
    ALREADY_OPTIMAL: (
        f"nothing that is added can help by more than {100 * MARGIN:g} %, as long as the series go on as they did",
    ),
    MISSPECIFIED: ("a richer forecaster, or re-weighted pairs, come first",),
}

_EVENTS = {
    ORDERING: "the synthetic pairs improve the order of events",
    THRESHOLD: "the order of events stays, only what is called an event changes",
    NEITHER: "neither the order of events nor what is called one changes",
    WORSE_ORDER: "the synthetic pairs worsen the order of events",
}


def place_of(one: Augmentation) -> str:
    """Data set, source and forecaster."""
    return ", ".join(name for name in (one.data, one.source, one.forecaster) if name)


def sentence(one: Augmentation, every: Sequence[Augmentation] = ()) -> str:
    """The verdict over all leads and why, what the chosen share does, and whether a simple rule does as well."""
    if one.why:
        return f"{place_of(one)}: not measured: {one.why}"
    if not one.source:
        return f"{place_of(one)}: {room(one)}"
    found = one.diagnoses[-1]
    told = [] if one.cheap else [f"{found.state}: {found.reason}", *ADVICE.get(found.state, ())]
    if found.state != MISMATCH or one.choice.share > 0:
        told.append(effect(one))
    if not one.cheap and (beaten := rival(one, every)):
        told.append(against(beaten))
    return f"{place_of(one)}: {'; '.join(told)}"


def room(one: Augmentation, place: int = -1) -> str:
    """What the real series alone say: is there room for more data, and why."""
    found = one.diagnoses[place]
    recommended = RECOMMENDED.get(found.state)
    if recommended is None:
        return f"{NO_TELLING}: {found.reason}"
    return f"{recommended}: {found.reason}"


def effect(one: Augmentation, place: int = -1) -> str:
    """What the share that inner origins chose does on the test windows."""
    share = one.choice.share
    if math.isnan(share):
        return f"no share could be chosen on inner origins: {one.choice.reason}"
    if not share:
        return "on inner origins adding nothing was best, so nothing is added"
    found, what = one.gain.real, f"λ = {share:g}, chosen on inner origins,"
    over = f"{one.metric.upper()}, {leads(*one.places[place])}"
    told = f"{signed(found.value[place])} % (95 % interval {span(found, place)} %; {over})"
    state = one.effects[place]
    if one.few_draws:
        return f"{what} changes the error by {told}; {one.few_draws}"
    if one.uneven and state != HURTS:
        return f"{what} changes the error by {told}; windows that failed in one arm alone leave that unproven"
    if state == HELPS:
        return f"{what} helps by {_size(found, place, -1)}; {over}), and duplicates of real pairs do not do as much"
    if state == HURTS:
        return f"{what} hurts by {_size(found, place, 1)}; {over})"
    if state == NO_DIFFERENCE:
        return f"{what} makes no difference of {100 * MARGIN:g} % or more: {told}"
    if found.counts.enough and found.upper(LEVEL)[place] < -ROUNDING:
        return f"{what} is better than real pairs alone, not proven better than duplicates of them: {told}"
    return f"{what} is not proven to help or to hurt: {told}"


def _size(found: Estimate, place: int, sign: int) -> str:
    """How much smaller (`sign` -1) or larger the error is, in per cent, with its interval that is still open."""
    near, far = sorted((found.lower(LEVEL)[place], found.upper(LEVEL)[place]), key=lambda bound: sign * bound)
    value, low, high = (f"{sign * 100 * math.expm1(of):.1f}" for of in (found.value[place], near, far))
    return f"{value} % (95 % interval {low} to {high} %"


def plain(source: str) -> str:
    """The name of a simple augmentation without what tells it from a source of the same name.

    >>> plain("cheap mixing"), plain("mixing")
    ('mixing', 'mixing')
    """
    return source.removeprefix(CHEAP)


def against(found: Rival, place: int = -1) -> str:
    """A comparison with the best simple augmentation in words."""
    name = plain(found.source)
    if found.ratio is None:
        told = f" ({name})" if name else ""
        return f"not compared with simple augmentations of the real series{told}: {found.reason}"
    if not found.share and found.outcome(place) == SAME:
        return "adding nothing was best among the simple augmentations of the real series too"
    figure = f"{signed(found.ratio.value[place])} % against it, 95 % interval {span(found.ratio, place)} %"
    nothing = "adding nothing, which was best among the simple augmentations of the real series"
    best = f"the best simple augmentation of the real series, {name} at λ = {found.share:g}" if found.share else nothing
    return {
        BETTER: f"it beats {best} ({figure})",
        WORSE: f"{best}, does better ({figure})",
        SAME: f"{best}, does exactly as well",
        NOT_TOLD_APART: f"it is not proven better than {best} ({figure})",
    }.get(found.outcome(place), f"not compared with {best}: losses are not known")


def worth(value: float, *, priced: bool) -> str:
    """A number of further real pairs in words.

    >>> worth(12.4, priced=True), worth(-30.0, priced=True), worth(float("inf"), priced=True)
    ('12', '30 fewer', 'unbounded')
    >>> worth(12.4, priced=False), worth(float("nan"), priced=True)
    ('-', '-')
    """
    if math.isnan(value) or not priced:
        return "-"
    if math.isinf(value):
        return "unbounded"
    return f"{-value:.0f} fewer" if round(value) < 0 else f"{abs(value):.0f}"


def priced(one: Augmentation, place: int = -1) -> bool:
    """Whether real pairs have a price: half of them are proven to cost something."""
    half = one.grounds.half
    return half.counts.enough and bool(half.lower(LEVEL)[place] > ROUNDING)


def worth_told(one: Augmentation) -> str:
    """What as many synthetic as real pairs are worth over all leads, in a sentence; "" where that is not known."""
    found = next((response for response in one.responses if response.gain.share == HEADLINE), None)
    if found is None or math.isnan(found.worth[-1]):
        return ""
    pairs, sure = one.losses.pairs, priced(one)
    if not sure:
        return "worth in real pairs: not measurable, as half of the real pairs are not proven to cost anything"
    value, low, high = (float(of[-1]) for of in (found.worth, found.worth_low, found.worth_high))
    ends = f"{worth(low, priced=True)} to {worth(high, priced=True)}"
    if low < 0 < high:
        return f"what the synthetic pairs are worth in real ones at λ = 1 is not told: 95 % interval {ends}"
    if math.isinf(value):
        told = "do more than any number of further real pairs would"
    elif round(value) >= 0:
        told = f"are worth {value:.0f} further real pairs"
    else:
        told = f"are as bad as {min(round(-value), pairs)} of {pairs} real pairs fewer"
    return f"at λ = 1 the synthetic pairs {told} (95 % interval {ends})"


def nothing_by_size(one: Augmentation) -> bool:
    """Whether duplicates of real pairs change nothing at all, so that against them is against the real arm."""
    return bool((np.abs(one.parts.duplicates.value) < ROUNDING).all())


def span(found: Estimate, place: int) -> str:
    """The 95 % interval of a ln ratio in signed per cent."""
    if not np.isfinite(found.se[place]):
        return "-"
    return interval(found.lower(LEVEL)[place], found.upper(LEVEL)[place])


def remarks(one: Augmentation) -> Iterator[str]:
    """What the figures rest on, and what is missing or must be known about them."""
    if one.why:
        return
    arms, counts = one.losses, one.parts.total.counts
    told = f"{arms.pairs} real pairs of a context and its leads"
    if arms.synthetic_pairs:
        how = "all of them, by weight" if arms.weighted else "as many as λ says, drawn from them"
        told += f", {arms.synthetic_pairs} synthetic ones ({how})"
    told += f"; {counts.series} series, {counts.blocks} test periods"
    yield told + (f", {counts.replicates} draws" if counts.replicates > 1 else "")
    if one.source and (told := worth_told(one)):
        yield told
    check = one.parts.duplicates
    if one.source and np.isfinite(check.value[-1]):
        moved = f"{signed(check.value[-1])} % (95 % interval {span(check, -1)} %)"
        moved = "exactly nothing changes" if nothing_by_size(one) else moved
        yield f"mechanical check, duplicates of real pairs: {moved}"
    if one.source and not one.cheap and np.isfinite(arms.effective):
        few = ", too few to say what re-weighting does" if arms.effective <= LEAST_EFFECTIVE else ""
        yield f"re-weighting leaves {100 * arms.effective:.0f} % of the real pairs in effect{few}"
    for name, why in arms.missing.items():
        yield f"not measurable: {name}: {why}"
    if one.saw_inner:
        yield (
            "the synthetic series are a file: they may be made from the inner origins on which λ is chosen, which "
            "favours larger λ; the test is not touched by that"
        )
    if one.fixed:
        yield "one file of synthetic series: what is said holds for this file, not for its generator"
    if one.uneven:
        yield f"{one.uneven} windows failed in some arm and count in none"
    if one.unanswered:
        yield f"{one.unanswered} windows have no forecast in any arm: they are left out"
    yield from one.leaks


def told_of_events(found: Ordered) -> str:
    """How many events there are, and what augmentation does to their order."""
    share = f"{100 * found.prevalence:.2f} %" if found.events + found.others else "none"
    head = f"{found.events} events in {found.events + found.others} pairs ({share})"
    why = "; ".join([*([_EVENTS[found.verdict]] if found.verdict in _EVENTS else []), *found.reasons])
    lost = {name: n for name, n in found.lost.items() if n}
    more = (
        f"; no forecast, so ordered wrongly: {', '.join(f'{n} of {name}' for name, n in lost.items())}" if lost else ""
    )
    more += f"; {found.unforecast} pairs that no arm forecast do not count" if found.unforecast else ""
    return f"{head}: {found.verdict}: {why}{more}"


def optimal_order(found: Ordered) -> str:
    """Whether the order of events can still gain anything; "" where nothing was measured."""
    if found.verdict == NOT_MEASURABLE:
        return ""
    why = "; ".join(found.doubts)
    if found.optimal:
        return (
            "the order is proven to be already optimal: neither more real pairs, nor other weights, nor the synthetic "
            f"pairs gain {ORDER_MARGIN:g} of AUROC"
        )
    if found.optimal is None:
        return f"whether the order is already optimal is not known: {why}"
    return f"the order is not optimal yet: {why}"
