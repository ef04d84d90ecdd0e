"""Gap and margin to a verdict: pure decisions on evidence, which fail closed.

A non-inferiority trial with the real-trained arm as active control and the shuffle-trained arm as placebo: training
on synthetic series passes where the gap is proven smaller than the margin, real training is proven to gain over
shuffled data, and at least a share of that gain is proven to be kept. See Jones, Jarvis, Lewis & Ebbutt (1996),
"Trials to assess equivalence: the importance of rigorous methods".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tsgap.baseline import Against, compared
from tsgap.battery import Battery, Mean
from tsgap.evidence import Evidence, Place, span
from tsgap.findings import (
    FAIL,
    INCONCLUSIVE,
    INSUFFICIENT_DATA,
    LEAST_REPLICATES,
    NO_SIGNAL,
    OVERLAPPING_SERIES,
    PASS,
    Bin,
    Finding,
    Rules,
    Verdict,
)
from tsgap.gap import Clusters, Counts, Estimate, Linear, lost, mean
from tsgap.horizon import NO_EFFECT
from tsgap.metrics import NO_QUANTILES


def judged(
    evidence: Sequence[Evidence],
    rules: Rules,
    *,
    caps: Sequence[str] = (),
    checked: bool | None = None,
    baseline: Mapping[str, Evidence] | None = None,
) -> Verdict:
    """The verdict on one source for one data set, from the evidence of each forecaster.

    `caps`: reasons found elsewhere that forbid a PASS. `baseline`: evidence of the last accepted version of the
    source, by forecaster; one that is proven worse than it fails.
    """
    battery = Battery.of(evidence, rules.level)
    gated, findings = battery.counted(evidence), _left_out(evidence, battery)
    damage = [*caps, *_damage(evidence, gated)]
    if checked is False:
        damage.append("the self-check failed on these data")
    tests = max(1, sum(len(one.places) for one in gated))
    for one in gated:
        findings[one.forecaster] = _finding(one, rules, tests)
    probe = next((one for one in evidence if one.memory == "lag" and one.status == "ok"), None)
    memory = None if probe is None else _finding(probe, rules, len(probe.places), gated=False, why="a probe")
    if memory is not None:
        findings[memory.forecaster] = memory
    mine = [findings[one.forecaster] for one in gated]
    bins = [b for one in mine for b in one.bins]
    counts = _counts(gated)
    against: list[Against] = []
    if baseline is not None:
        against, incomparable = compared(gated, baseline, 1 - (1 - rules.level) / tests)
        damage += incomparable
    caps = [*damage, *_doubts(gated)]
    if not gated:
        unknown = any(one.status not in ("ok", NO_EFFECT) and one.memory != "lag" for one in evidence)
        verdict = INCONCLUSIVE if unknown else NO_SIGNAL
    elif counts is None or not counts.enough or (_overlapping(gated) and counts.series < OVERLAPPING_SERIES):
        verdict = INSUFFICIENT_DATA
    elif any(at.least > 0 for at in against) or any(b.broken for b in bins):
        verdict = FAIL
    elif all(b.safe for b in bins) and not caps:
        verdict = PASS
    elif any(b.no_signal for b in bins):
        verdict = NO_SIGNAL
    else:
        verdict = INCONCLUSIVE
    breaks = [one.breaks for one in mine if one.breaks is not None]
    return Verdict(
        evidence[0].data,
        evidence[0].source,
        verdict,
        rules,
        caps=tuple(dict.fromkeys(caps)),
        damage=tuple(dict.fromkeys(damage)),
        findings=tuple(findings.values()),
        combined=_combined(battery.mean(evidence), gated, rules),
        counts=counts,
        safe=min((one.safe for one in mine), default=0),
        breaks=min(breaks, default=None),
        memory=memory,
        equivalent=bool(bins) and all(b.safe and b.lower > -rules.log_margin for b in bins),
        checked=checked,
        fixed=any(one.fixed for one in evidence),
        linear_only=bool(gated) and not any(one.memory == "nonlinear" for one in gated),
        against_baseline=tuple(against),
        overlapping=_overlapping(gated),
    )


def _left_out(evidence: Sequence[Evidence], battery: Battery) -> dict[str, Finding]:
    """A finding for each forecaster, without figures yet: why it is not gated, where it is not."""
    return {
        one.forecaster: Finding(
            one.forecaster, one.memory, not battery.why[one.forecaster], battery.why[one.forecaster], ()
        )
        for one in evidence
    }


def _overlapping(gated: Sequence[Evidence]) -> bool:
    return any(one.overlapping for one in gated)


def _damage(evidence: Sequence[Evidence], gated: Sequence[Evidence]) -> list[str]:
    """Why there can be no PASS: what failed, is missing or was never taught."""
    caps = []
    for one in evidence:
        caps += [f"{one.forecaster}: {told}" for told in dict.fromkeys(one.missing)]
        if one.status not in ("ok", NO_EFFECT, NO_QUANTILES) and not one.missing:
            caps.append(f"{one.forecaster}: {one.status}")
        if one.uneven and one in gated:
            caps.append(f"{one.forecaster}: {one.uneven} windows have a forecast in one arm and none in another")
    for one in gated:
        untaught = [span(place) for place, ok in zip(one.places, one.taught, strict=True) if not ok]
        if untaught:
            caps.append(f"{one.forecaster}: NOT TAUGHT: the series are too short to teach leads {', '.join(untaught)}")
    return caps


def _doubts(gated: Sequence[Evidence]) -> list[str]:
    """Why there can be no PASS: no shuffled arm, or not drawn often enough."""
    caps = []
    for one in gated:
        if "null" not in one.losses:
            caps.append(f"{one.forecaster}: without the shuffled arm nobody knows what it could have lost")
        draws = one.clusters.counts.replicates
        if one.stochastic and draws < LEAST_REPLICATES:
            few = "1 replicate says" if draws == 1 else f"{draws} replicates say"
            caps.append(f"{one.forecaster}: {few} nothing about chance, {LEAST_REPLICATES} would")
    return caps


def _finding(one: Evidence, rules: Rules, tests: int, *, gated: bool = True, why: str = "") -> Finding:
    bins = _bins(one.places, one.gap, one.assay, one.shortfall(rules.retain), one.clusters, rules, tests, one.taught)
    unsafe = [i for i, b in enumerate(bins) if not b.safe]
    safe = bins[-1].last if not unsafe else (bins[unsafe[0] - 1].last if unsafe[0] else 0)
    breaks = next((b.last for b in bins if b.broken), None)
    verdict = FAIL if breaks is not None else PASS if not unsafe else INCONCLUSIVE
    said = verdict if gated else ""
    return Finding(one.forecaster, one.memory, gated, why, bins, safe, breaks, said, one.unanswered)


def _bins(
    places: Sequence[Place],
    gap: Linear,
    assay: Linear | None,
    short: Linear | None,
    clusters: Clusters,
    rules: Rules,
    tests: int,
    taught: Sequence[bool] | np.ndarray,
) -> tuple[Bin, ...]:
    """The bins of one forecaster, or of the mean over several; `tests` is how many lower bounds hold at once."""
    found = gap.estimated(clusters)
    d, nothing = rules.log_margin, np.full(len(places), np.nan)
    upper, lower = found.upper(rules.level), found.lower(rules.level)
    proven = found.lower(1 - (1 - rules.level) / tests)
    wide = found.half(0.975)
    assay_value = assay_low = assay_high = kept = nothing
    unkept: Estimate | None = None
    if assay is not None and short is not None:
        seen = assay.estimated(clusters)
        assay_value, assay_low, assay_high = seen.value, seen.lower(rules.level), seen.upper(rules.level)
        unkept = short.estimated(clusters)
        kept = -unkept.upper(rules.level)
    needed = np.stack(found.needed(np.abs(d - found.value), rules.level))
    if unkept is not None:
        needed = np.where(upper < d, unkept.needed(np.abs(unkept.value), rules.level), needed)
    ok = np.asarray(taught, dtype=bool)
    hold = {
        "gap": found.value,
        "low": found.value - wide,
        "high": found.value + wide,
        "upper": upper,
        "lower": lower,
        "proven": proven,
        "half": found.half(rules.level),
        "assay": assay_value,
        "assay_low": assay_low,
        "rho": lost(found.value, assay_value, assay_low, d),
        "kept": kept,
        "series": needed[0],
        "blocks": needed[1],
        "replicates": needed[2],
    }
    # comparisons with NaN are False: what is not known is neither safe nor broken. A share of the real skill can only
    # be kept where there is such a skill: a control that forecasts worse than the shuffled arm has none
    safe, broken = ok & (upper < d) & (kept > 0) & (assay_low > 0), ok & (proven > d)
    silent = ok & (assay_high < np.log1p(rules.margin / 2))
    return tuple(
        Bin(
            first,
            last,
            **{name: float(values[i]) if ok[i] else float("nan") for name, values in hold.items()},
            taught=bool(ok[i]),
            safe=bool(safe[i]),
            broken=bool(broken[i]),
            no_signal=bool(silent[i]),
        )
        for i, (first, last) in enumerate(places)
    )


def _combined(over: Mean, gated: Sequence[Evidence], rules: Rules) -> tuple[Bin, ...]:
    """The geometric mean over forecasters, where they share places, windows and draws."""
    if over.gap is None:
        return ()
    one = over.evidence
    shorts = [short for of in gated if (short := of.shortfall(rules.retain)) is not None]
    short = mean(shorts) if len(shorts) == len(gated) else None
    return _bins(one.places, over.gap, over.assay, short, one.clusters, rules, len(one.places), one.taught)


def _counts(gated: Sequence[Evidence]) -> Counts | None:
    return Counts.least([one.counts for one in gated]) if gated else None
