"""The gate by group: every group is to pass, and one that is proven worse than the margin is enough to fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tsgap.evidence import Evidence
from tsgap.findings import FAIL, INCONCLUSIVE, INSUFFICIENT_DATA, OVERLAPPING_SERIES, PASS, OfGroup, Rules, Verdict

#: Group → evidence of each forecaster whose last place is all leads, by grouping; or why there are no groups.
ByGroup = Mapping[str, Mapping[str, Sequence[Evidence]] | str]


def judged_by_group(verdict: Verdict, groups: ByGroup) -> Verdict:
    """The verdict with the groups of some groupings: PASS only where each of them passes too, FAIL where one is broken.

    A group is safe where the gap over all leads of each gated forecaster is proven smaller than the margin, and broken
    where one is proven larger, with a level that holds for all groups and forecasters at once; by bins of leads few
    groups could be told. The share of skill that is to be kept is asked of all windows together alone. A group with
    less than it takes to decide anything forbids a PASS.
    """
    gated = [one.forecaster for one in verdict.gated]
    of_groups = {
        (grouping, group): {one.forecaster: one for one in evidence}
        for grouping, of in groups.items()
        if not isinstance(of, str)
        for group, evidence in of.items()
    }
    every = [(*at, there[who]) for at, there in of_groups.items() for who in gated if who in there]
    absent = [(*at, who) for at, there in of_groups.items() for who in gated if who not in there]
    tests = max(1, sum(_is_enough(one) for _, _, one in every))
    found = (
        *(_of_group(*one, verdict.rules, tests) for one in every),
        *(OfGroup(*of, series=0, blocks=0, why="missing") for of in absent),
    )
    damage = [told for grouping, group, one in every for told in _damage(grouping, group, one)]
    damage += [f"{grouping} {group!r}: {who}: missing" for grouping, group, who in absent]
    without = {name: of or "no window is in a group" for name, of in groups.items() if not of or isinstance(of, str)}
    caps = [f"{grouping}: no groups: {why}" for grouping, why in without.items()]
    caps += [*damage, *_doubts(found)]
    if verdict.verdict != INSUFFICIENT_DATA and any(one.outcome == "broken" for one in found):
        now = FAIL
    elif verdict.verdict == PASS and (caps or not found or any(one.outcome != "safe" for one in found)):
        now = INCONCLUSIVE
    else:
        now = verdict.verdict
    return replace(
        verdict,
        verdict=now,
        groups=found,
        caps=tuple(dict.fromkeys([*verdict.caps, *caps])),
        damage=tuple(dict.fromkeys([*verdict.damage, *damage])),
        equivalent=verdict.equivalent and bool(found) and all(one.lower > -verdict.rules.log_margin for one in found),
    )


def _of_group(grouping: str, group: str, one: Evidence, rules: Rules, tests: int) -> OfGroup:
    counts = one.clusters.counts
    nothing = OfGroup(grouping, group, one.forecaster, counts.series, counts.blocks)
    if why := _lacks(one):
        return replace(nothing, why=why)
    estimate = one.gap.estimated(one.clusters).at(len(one.places) - 1)
    wide = float(estimate.half(0.975)[0])
    value, upper = float(estimate.value[0]), float(estimate.upper(rules.level)[0])
    figures = replace(
        nothing,
        gap=value,
        low=value - wide,
        high=value + wide,
        upper=upper,
        lower=float(estimate.lower(rules.level)[0]),
        proven=float(estimate.lower(1 - (1 - rules.level) / tests)[0]),
    )
    if not _is_enough(one):
        return replace(figures, outcome="insufficient")
    broken = figures.proven > rules.log_margin
    return replace(figures, outcome="broken" if broken else "safe" if upper < rules.log_margin else "undecided")


def _lacks(one: Evidence) -> str:
    """Why there is no figure over all leads; "" where there is one."""
    if one.status != "ok":
        return one.status
    return "not taught" if not one.taught[-1] else "no pairs" if np.isnan(one.gap.value[-1]) else ""


def _is_enough(one: Evidence) -> bool:
    """Whether a group has the series and test periods that it takes to decide about others like its series."""
    counts = one.clusters.counts
    least = OVERLAPPING_SERIES if one.overlapping else 0
    return one.status == "ok" and counts.population and counts.enough and counts.series >= least


def _damage(grouping: str, group: str, one: Evidence) -> Iterator[str]:
    """Why a group can never pass: what failed or is missing in it."""
    where = f"{grouping} {group!r}: {one.forecaster}"
    if one.status != "ok":
        yield f"{where}: {one.status}"
        return
    if one.uneven:
        yield f"{where}: {one.uneven} windows have a forecast in one arm and none in another"
    if not one.taught[-1]:
        yield f"{where}: NOT TAUGHT: no figure over all leads"
    elif np.isnan(one.gap.value[-1]):
        yield f"{where}: no figure over all leads"


def _doubts(found: Sequence[OfGroup]) -> Iterator[str]:
    """Which groups are too small, and which cannot be told from the margin; each group once."""
    for one in found:
        if one.outcome == "insufficient":
            yield (
                f"{one.grouping} {one.group!r} has {one.series} series and {one.blocks} test periods, too few to "
                "decide anything"
            )
        elif one.outcome == "undecided":
            yield f"{one.grouping} {one.group!r}: the gap of {one.forecaster} cannot be told from the margin"
