"""A verdict in words: one sentence that needs no statistics to be understood, and the reasons under it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from tsgap.baseline import Against
from tsgap.findings import (
    FAIL,
    INCONCLUSIVE,
    INSUFFICIENT_DATA,
    NO_SIGNAL,
    OVERLAPPING_SERIES,
    PASS,
    Bin,
    Finding,
    Verdict,
)
from tsgap.gap import Counts

#: More series or test periods than this are not worth naming.
MANY = 1_000_000
#: Places that are named; more are counted.
NAMED = 2


def sentence(verdict: Verdict) -> str:
    """The verdict and its reason in one sentence."""
    told = {
        PASS: _passed,
        FAIL: _failed,
        NO_SIGNAL: _silent,
        INSUFFICIENT_DATA: _insufficient,
        INCONCLUSIVE: _inconclusive,
    }[verdict.verdict](verdict)
    return f"{verdict.label}: {told}"


def larger(log_ratio: float) -> str:
    """A log ratio of errors in words.

    >>> larger(0.0), larger(math.log(1.1)), larger(math.log(0.9)), larger(math.log(30))
    ('the same', '10.0 % larger', '10.0 % smaller', '30 times as large')
    """
    if math.isnan(log_ratio):
        return "unknown"
    if log_ratio > math.log(1000):
        return "more than 1000 times as large"
    size = 100 * math.expm1(log_ratio)
    if abs(size) < 0.05:
        return "the same"
    if size >= 900:
        return f"{math.exp(log_ratio):.0f} times as large"
    return f"{abs(size):.1f} % {'larger' if size > 0 else 'smaller'}"


def signed(log_ratio: float) -> str:
    """A log ratio of errors as signed per cent, for a table: above 0 the synthetic arm's are larger.

    >>> signed(0.0), signed(math.log(1.1)), signed(float("inf")), signed(float("nan"))
    ('0.0', '+10.0', '>+999', '-')
    """
    if math.isnan(log_ratio):
        return "-"
    if log_ratio > math.log(10.99):
        return ">+999"
    size = round(100 * math.expm1(log_ratio), 1)
    return f"{size:+.1f}" if size else "0.0"


def percent(log_ratio: float) -> str:
    """The same with its unit.

    >>> percent(math.log(0.9)), percent(float("nan"))
    ('-10.0 %', 'unknown')
    """
    return "unknown" if math.isnan(log_ratio) else f"{signed(log_ratio)} %"


def interval(low: float, high: float) -> str:
    """An interval of log ratios as signed per cent, for a table; a dash where an end is not known.

    >>> interval(math.log(0.9), math.log(1.1)), interval(0.0, float("nan"))
    ('-10.0 to +10.0', '-')
    """
    return "-" if math.isnan(low) or math.isnan(high) else f"{signed(low)} to {signed(high)}"


def kept(rho: float) -> str:
    """Share of the real skill that is kept where `rho` is lost, for a table; a dash where that is not known.

    >>> kept(0.25), kept(float("nan"))
    ('75 %', '-')
    """
    return "-" if math.isnan(rho) else f"{round(100 * (1 - rho))} %"


def leads(first: int, last: int) -> str:
    """Leads in words.

    >>> leads(1, 1), leads(2, 6)
    ('lead 1', 'leads 2 to 6')
    """
    return f"lead {first}" if first == last else f"leads {first} to {last}"


def horizon(safe: int, breaks: int | None) -> str:
    """A break horizon as an interval.

    >>> horizon(6, 24), horizon(0, None)
    ('in (6, 24]: safe up to lead 6, broken by lead 24', 'none proven; safe at no lead')
    """
    up_to = f"safe up to lead {safe}" if safe else "safe at no lead"
    if breaks is None:
        return f"none proven; {up_to}"
    return f"in ({safe}, {breaks}]: {up_to}, broken by lead {breaks}"


def share(fraction: float) -> str:
    """A fraction as per cent.

    >>> share(0.05), share(0.5)
    ('5 %', '50 %')
    """
    return f"{100 * fraction:g} %"


def _trained(verdict: Verdict) -> str:
    if verdict.noise_floor:
        return f"noise floor: trained on one half of the real {verdict.data} series instead of the other"
    return f"trained on {verdict.source!r} instead of real {verdict.data} series"


def _sure(verdict: Verdict) -> str:
    return f"{share(verdict.rules.level)} sure"


def _passed(verdict: Verdict) -> str:
    # a bound that is not known is never safe, so every bin of a PASS has one
    one, worst = max(((one, b) for one in verdict.gated for b in one.bins), key=lambda at: at[1].upper)
    size = larger(worst.upper)
    errors = f"errors at most {size}" if size.endswith("larger") else "no larger errors"
    return (
        f"{_trained(verdict)}, forecasters make {errors} at every lead up to {one.bins[-1].last} ({_sure(verdict)}; "
        f"the worst is {one.forecaster} at {leads(worst.first, worst.last)}); the margin is "
        f"{share(verdict.rules.margin)}{_better(verdict)}{_in_groups(verdict)}{_scope(verdict)}."
    )


def _in_groups(verdict: Verdict) -> str:
    """That every group passed too, where that was asked for."""
    if not verdict.groups:
        return ""
    at = max(verdict.groups, key=lambda one: one.upper)
    n = len({(one.grouping, one.group) for one in verdict.groups})
    return f"; so it is in each of {n} groups over all leads, at most {larger(at.upper)} in {at.grouping} {at.group!r}"


def _failed(verdict: Verdict) -> str:
    broken = [(one, b) for one in verdict.gated for b in one.bins if b.broken]
    groups = [one for one in verdict.groups if one.outcome == "broken"]
    if groups and not broken and not verdict.worse_than_baseline:
        at = max(groups, key=lambda one: one.proven)
        return (
            f"{_trained(verdict)}, the errors of {at.forecaster} are {larger(at.gap)} in the group {at.group!r} of "
            f"{at.grouping} ({_sure(verdict)}: at least {larger(at.proven)}), more than the margin of "
            f"{share(verdict.rules.margin)}{_scope(verdict)}."
        )
    if not broken:
        return (
            f"{verdict.source!r} is proven worse for {verdict.data} than the last accepted version: "
            f"{worse(max(verdict.worse_than_baseline, key=lambda at: at.least), _sure(verdict))}{_scope(verdict)}."
        )
    one, worst = max(broken, key=lambda at: at[1].proven)
    safe = f"safe up to lead {verdict.safe}" if verdict.safe else "safe at no lead"
    return (
        f"{_trained(verdict)}, the errors of {one.forecaster} are {larger(worst.gap)} at "
        f"{leads(worst.first, worst.last)} ({_sure(verdict)}: at least {larger(worst.proven)}), more than the margin "
        f"of {share(verdict.rules.margin)}; {safe}, proven broken by lead {verdict.breaks}{_scope(verdict)}."
    )


def worse(at: Against, sure: str = "95 % sure") -> str:
    """How much worse a source is than its baseline, in words."""
    return (
        f"the errors of {at.forecaster} at {leads(at.first, at.last)} are {larger(at.gap)} ({sure}: at least "
        f"{larger(at.least)})"
    )


def _silent(verdict: Verdict) -> str:
    if not verdict.gated:
        why = "; ".join(f"{one.forecaster}: {one.why}" for one in verdict.findings if one.why) or "there is none"
        return f"no forecaster can show on {verdict.data} what {verdict.source!r} lost ({why})."
    one, b = next((one, b) for one in verdict.gated for b in one.bins if b.no_signal)
    where = (
        f"gate on horizons up to {b.first - 1}" if b.first > 1 else "take other forecasters or a longer training part"
    )
    return (
        f"at {leads(b.first, b.last)} of {verdict.data} {one.forecaster} learns nothing from real series that shuffled "
        f"ones do not teach (its errors are {larger(b.assay)} after training on them), so {verdict.source!r} could "
        f"lose nothing there and nothing is proven; {where}."
    )


def _insufficient(verdict: Verdict) -> str:
    counts = verdict.counts or Counts(0, 0, 0)
    if counts.enough and verdict.overlapping:
        return (
            f"the test windows of a series overlap, and so few series of {verdict.data} ({counts.series}) decide "
            f"nothing then about {verdict.source!r}: {OVERLAPPING_SERIES} are needed, or windows as far apart as the "
            f"longest horizon.{_lean(verdict)}"
        )
    periods = "test period" if counts.blocks == 1 else "test periods"
    return (
        f"{verdict.data} has {counts.series} series and {counts.blocks} separate {periods}; {least(counts)} are "
        f"needed to decide anything about {verdict.source!r}.{_lean(verdict)}"
    )


def least(counts: Counts) -> str:
    """What it takes to decide anything, of what there is too little."""
    these = "this series" if counts.series == 1 else "these series"
    return "5 test periods" if counts.population else f"5 series, or 20 test periods for {these} alone,"


def _inconclusive(verdict: Verdict) -> str:
    bins = [(one, b) for one in verdict.gated for b in one.bins]
    known = [(one, b) for one, b in bins if not math.isnan(b.gap)]
    undecided = [(one, b) for one, b in known if not b.safe]
    first, *rest = verdict.caps or ("some leads have no figure",)
    why = first + (f" (and {len(rest)} more, see below)" if rest else "")
    if not known:
        return f"nothing can be said of {verdict.source!r} on {verdict.data}: {why}."
    if not undecided:
        would = "would pass" if len(known) == len(bins) else "is safe where there are figures"
        return f"{verdict.source!r} {would} on {verdict.data}, but there can be no {PASS}: {why}."
    one, worst = max(undecided, key=lambda at: -math.inf if math.isnan(at[1].upper) else at[1].upper)
    spread = f", anything from {larger(worst.low)} to {larger(worst.high)} ({share(0.95)} sure)"
    if math.isnan(worst.low) or math.isnan(worst.high) or worst.low == worst.high:
        spread = ""
    capped = f" There can be no {PASS} in any case: {why}." if verdict.caps else ""
    unsure = f"that cannot be told from the margin of {share(verdict.rules.margin)}"
    if worst.upper < verdict.rules.log_margin:
        unsure = (
            f"that is within the margin of {share(verdict.rules.margin)}, but it is not proven that "
            f"{share(verdict.rules.retain)} of what real training gains over shuffled series is kept"
        )
    return (
        f"{_trained(verdict)}, the errors of {one.forecaster} are {larger(worst.gap)} at "
        f"{leads(worst.first, worst.last)}{spread}: {unsure}.{_lean(verdict)}"
        f"{settle([b for _, b in undecided], verdict.counts)}{capped}"
    )


def _lean(verdict: Verdict) -> str:
    """Which way it leans where nothing can be decided: the estimates, taken for the truth."""
    known = [b for b in verdict.combined if not math.isnan(b.gap)]
    if not known:
        return ""
    worst = max(known, key=lambda b: b.gap)
    over = worst.gap > verdict.rules.log_margin
    lost = max((b for b in known if b.rho > 1 - verdict.rules.retain), key=lambda b: b.rho, default=None)
    if not over and lost is not None:
        size = "all" if lost.rho >= 1 else f"{100 * lost.rho:.0f} %"
        why = f"{size} of the real skill is lost at {leads(lost.first, lost.last)}"
    elif worst.gap > 0 and larger(worst.gap) != "the same":
        why = f"errors are {larger(worst.gap)} at {leads(worst.first, worst.last)}, the worst"
    else:
        why = "errors are no larger at any lead"
    return f" It leans to {FAIL if over or lost is not None else PASS}: over all forecasters {why}."


def settle(bins: Sequence[Bin], counts: Counts | None) -> str:
    """How many series, test periods or replicates, each alone, would settle all of some bins."""
    if counts is None or not bins:
        return ""
    ways = more(
        ("series", [b.series for b in bins], counts.series),
        ("test periods", [b.blocks for b in bins], counts.blocks),
        ("replicates", [b.replicates for b in bins], counts.replicates),
    )
    if ways:
        return f" About {ways} would settle it."
    hopeless = all(any(math.isinf(getattr(b, name)) for b in bins) for name in ("series", "blocks", "replicates"))
    return " More series, test periods or replicates alone would not settle it." if hopeless else ""


def more(*ways: tuple[str, Sequence[float], int]) -> str:
    """Of what so many would do instead of those there are: (what, numbers needed, number there is), each alone."""
    return " or ".join(
        f"{int(max(needed))} {what} instead of {have}"
        for what, needed, have in ways
        if not any(math.isnan(n) for n in needed) and have < max(needed) < MANY
    )


def _better(verdict: Verdict) -> str:
    """Where the synthetic arm is proven better than the real one: a reason to look, not to rejoice."""
    places = [f"{leads(b.first, b.last)} of {one.forecaster}" for one in verdict.gated for b in one.bins if b.better]
    if not places:
        return ""
    at = " and ".join(places) if len(places) <= NAMED else f"{len(places)} places"
    return f"; better than real at {at}: see 'tsgap diagnose'"


def _scope(verdict: Verdict) -> str:
    """About what the verdict is, where that is less than one may think."""
    told = []
    if verdict.counts is not None and not verdict.counts.population:
        told.append(
            "for this series only" if verdict.counts.series == 1 else f"for these {verdict.counts.series} series only"
        )
    if verdict.fixed:
        told.append("for this file")
    if verdict.linear_only:
        told.append("linear memory only: no forecaster that sees more was gated")
    return f" ({'; '.join(told)})" if told else ""


def reasons(verdict: Verdict) -> Iterator[str]:
    """What stands under the sentence: why there is no PASS, who was not gated, where it breaks, what to look at."""
    yield from verdict.caps
    yield from (
        f"worse than the last accepted version: {worse(at, _sure(verdict))}" for at in verdict.worse_than_baseline
    )
    if verdict.against_baseline and not verdict.worse_than_baseline:
        most = max(verdict.against_baseline, key=lambda at: at.least)
        yield (
            f"not proven worse than the last accepted version; nearest to it, the errors of {most.forecaster} at "
            f"{leads(most.first, most.last)} are {larger(most.gap)}"
        )
    yield from (f"{one.forecaster} is not gated: {one.why}" for one in verdict.findings if _is_left_out(one))
    for one in verdict.gated:
        if one.unanswered:
            yield f"{one.forecaster}: {one.unanswered} windows have no forecast in any arm and are left out"
    if verdict.gated:
        yield f"break horizon, operational (full context): {horizon(verdict.safe, verdict.breaks)}"
    if verdict.memory is not None:
        yield f"break horizon, memory (lag probe, lead = lag): {horizon(verdict.memory.safe, verdict.memory.breaks)}"
    yield from _by_grouping(verdict)
    if verdict.equivalent:
        yield f"EQUIVALENT: the gap is proven to lie within {share(verdict.rules.margin)} on both sides at every lead"
    better = [(one, b) for one in verdict.gated for b in one.bins if b.better]
    if better:
        at = ", ".join(f"{one.forecaster} {leads(b.first, b.last)}" for one, b in better)
        yield f"better than real at {at}: that is no proof of fidelity, see 'tsgap diagnose'"
    if scope := _scope(verdict):
        yield f"scope: {scope.strip(' ()')}"
    if verdict.checked is None:
        yield "no self-check was made on these data (sweep --selfcheck)"


def _by_grouping(verdict: Verdict) -> Iterator[str]:
    """What was found in the groups of each grouping, and in the worst of them."""
    for name in dict.fromkeys(one.grouping for one in verdict.groups):
        mine = [one for one in verdict.groups if one.grouping == name]
        outcomes = Counter(one.outcome for one in mine)
        told = ", ".join(f"{outcomes[how]} {how}" for how in outcomes)
        said = f"groups of {name}, over all leads, by forecaster: {told}"
        known = [one for one in mine if not math.isnan(one.gap)]
        if known:
            worst = max(known, key=lambda one: one.gap)
            said += (
                f"; the largest gap is that of {worst.forecaster} in {worst.group!r} ({worst.series} series): errors "
                f"{larger(worst.gap)} ({interval(worst.low, worst.high)} %)"
            )
        yield said


def _is_left_out(one: Finding) -> bool:
    return bool(one.why) and one.memory != "lag"
