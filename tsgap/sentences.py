"""A verdict in words: one sentence that needs no statistics to be understood, and the reasons under it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tsgap.gap import Counts
from tsgap.gate import FAIL, INCONCLUSIVE, INSUFFICIENT_DATA, NO_SIGNAL, PASS, Bin, Finding, Verdict

#: More series or windows than this are not worth naming.
MANY = 1_000_000


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


def percent(log_ratio: float) -> str:
    """A log ratio as per cent worse, signed.

    >>> percent(0.0), percent(math.log(1.1)), percent(float("inf"))
    ('+0.0 %', '+10.0 %', '+inf %')
    """
    if math.isnan(log_ratio):
        return "unknown"
    size = np.expm1(log_ratio) * 100
    return f"{size:+.1f} %" if abs(size) < 1000 else f"{size:+.3g} %"


def leads(first: int, last: int) -> str:
    """Leads in words.

    >>> leads(1, 1), leads(2, 6)
    ('lead 1', 'leads 2 to 6')
    """
    return f"lead {first}" if first == last else f"leads {first} to {last}"


def _trained(verdict: Verdict) -> str:
    return f"trained on {verdict.source!r} instead of real {verdict.data} series"


def _margin(verdict: Verdict) -> str:
    return f"{verdict.rules.margin * 100:g} %"


def _worst(verdict: Verdict) -> tuple[Finding, Bin]:
    """The bin with the largest gap that is known."""
    there = [(one, b) for one in verdict.gated for b in one.bins if not math.isnan(b.gap)]
    return max(there, key=lambda at: at[1].upper)


def _passed(verdict: Verdict) -> str:
    one, worst = _worst(verdict)
    same = " and no better either, within the margin," if verdict.equivalent else ""
    sure = f"{verdict.rules.level * 100:g} % sure"
    return (
        f"{_trained(verdict)}, forecasters lose at most {percent(worst.upper)} of accuracy{same} at every lead up to "
        f"{one.bins[-1].last} ({sure}; the worst is {one.forecaster} at {leads(worst.first, worst.last)}); the margin "
        f"is {_margin(verdict)}{_scope(verdict)}."
    )


def _failed(verdict: Verdict) -> str:
    broken = [(one, b) for one in verdict.gated for b in one.bins if b.broken]
    if not broken:
        return (
            f"{verdict.source!r} is proven worse for {verdict.data} than the baseline: "
            f"{verdict.worse_than_baseline[0]}{_scope(verdict)}."
        )
    one, worst = max(broken, key=lambda at: at[1].proven)
    safe = f"safe up to lead {verdict.safe}" if verdict.safe else "safe at no lead"
    return (
        f"{_trained(verdict)}, {one.forecaster} is {percent(worst.gap)} worse at {leads(worst.first, worst.last)} (at "
        f"least {percent(worst.proven)}), more than the margin of {_margin(verdict)}; {safe}, proven broken by lead "
        f"{verdict.breaks}{_scope(verdict)}."
    )


def _silent(verdict: Verdict) -> str:
    if not verdict.gated:
        why = "; ".join(f"{one.forecaster}: {one.why}" for one in verdict.findings if one.why) or "there is none"
        return f"no forecaster can show a gap on {verdict.data} ({why})."
    one, b = next((one, b) for one in verdict.gated for b in one.bins if b.no_signal)
    return (
        f"at {leads(b.first, b.last)} of {verdict.data} {one.forecaster} trained on shuffled series is as good as "
        f"trained on real ones ({percent(b.assay)}): nothing could be lost there, so nothing is proven; gate on "
        "shorter horizons."
    )


def _insufficient(verdict: Verdict) -> str:
    counts = verdict.counts or Counts(0, 0, 0)
    need = "5 blocks of origins" if counts.population else "5 series, or 20 blocks of origins for these series alone,"
    lean = f" {_lean(verdict)}" if any(not math.isnan(b.gap) for b in verdict.combined) else ""
    return (
        f"{verdict.data} has {counts.series} series and {counts.blocks} blocks of origins; {need} are needed to say "
        f"anything about {verdict.source!r}.{lean}"
    )


def _inconclusive(verdict: Verdict) -> str:
    bins = [b for one in verdict.gated for b in one.bins]
    if bins and all(b.safe for b in bins):
        return f"{verdict.source!r} on {verdict.data} would pass, but: {verdict.caps[0]}."
    if not verdict.gated or all(math.isnan(b.gap) for b in bins):
        why = verdict.caps[0] if verdict.caps else "there is nothing to judge"
        return f"nothing can be said of {verdict.source!r} on {verdict.data}: {why}."
    undecided = [(one, b) for one in verdict.gated for b in one.bins if not (b.safe or math.isnan(b.gap))]
    if not undecided:
        return f"{verdict.source!r} on {verdict.data}: {verdict.caps[0]}."
    one, worst = max(undecided, key=lambda at: at[1].upper)
    unsure = f"it cannot be told from the margin of {_margin(verdict)}"
    if worst.upper < verdict.rules.log_margin:
        unsure = f"but it is not proven that {verdict.rules.retain:.0%} of the real skill is kept"
    return (
        f"{_trained(verdict)}, {one.forecaster} is {percent(worst.gap)} at {leads(worst.first, worst.last)}, between "
        f"{percent(worst.low)} and {percent(worst.high)}: {unsure}. {_lean(verdict)}{settle(worst, verdict.counts)}"
    )


def _lean(verdict: Verdict) -> str:
    """Which way it leans where nothing can be decided."""
    known = [b for b in verdict.combined if not math.isnan(b.gap)]
    over = [b for b in known if b.gap > verdict.rules.log_margin]
    worst = max(known, key=lambda b: b.gap)
    at = f"over all forecasters {percent(worst.gap)} at {leads(worst.first, worst.last)} is the worst"
    return f"It leans to {FAIL if over else PASS}: {at}."


def settle(b: Bin, counts: Counts | None) -> str:
    """How many series or windows would settle a bin."""
    if counts is None:
        return ""
    ways = [
        f"about {int(n)} {what} instead of {have}"
        for n, what, have in (
            (b.series, "series", counts.series),
            (b.blocks, "blocks of origins", counts.blocks),
            (b.replicates, "replicates", counts.replicates),
        )
        if have < n < MANY
    ]
    return f" {' or '.join(ways)} would settle it.".capitalize().replace(" about", " About", 1) if ways else ""


def _scope(verdict: Verdict) -> str:
    """About what the verdict is, where that is less than one may think."""
    told = []
    if verdict.counts is not None and not verdict.counts.population:
        told.append(f"for these {verdict.counts.series} series only")
    if verdict.fixed:
        told.append("for this file")
    if verdict.linear_only:
        told.append("linear memory only: no forecaster that sees more was gated")
    return f" ({'; '.join(told)})" if told else ""


def reasons(verdict: Verdict) -> Iterator[str]:
    """What stands under the sentence: why there is no PASS, who was not gated, where it breaks, what to look at."""
    yield from verdict.caps
    yield from (f"worse than the baseline: {told}" for told in verdict.worse_than_baseline)
    for one in verdict.findings:
        if one.why and one.memory != "lag":
            yield f"{one.forecaster} is not gated: {one.why}"
    if verdict.gated:
        yield f"break horizon, operational (full context): {horizon(verdict.safe, verdict.breaks)}"
    if verdict.memory is not None:
        yield f"break horizon, memory (lag probe, lead = lag): {horizon(verdict.memory.safe, verdict.memory.breaks)}"
    better = [(one, b) for one in verdict.gated for b in one.bins if b.better]
    if better:
        at = ", ".join(dict.fromkeys(f"{one.forecaster} {leads(b.first, b.last)}" for one, b in better))
        yield f"better than real at {at}: that is no proof of fidelity, see the diagnostics"
    if verdict.checked is None:
        yield "no self-check was made on these data (sweep --selfcheck)"


def horizon(safe: int, breaks: int | None) -> str:
    """A break horizon as an interval.

    >>> horizon(6, 24), horizon(0, None)
    ('in (6, 24]: safe up to lead 6, broken by lead 24', 'none proven; safe at no lead')
    """
    up_to = f"safe up to lead {safe}" if safe else "safe at no lead"
    if breaks is None:
        return f"none proven; {up_to}"
    return f"in ({safe}, {breaks}]: {up_to}, broken by lead {breaks}"
