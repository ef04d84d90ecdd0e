"""Gap and margin to a verdict: pure decisions on evidence, which fail closed.

A non-inferiority trial with the real-trained arm as active control and the shuffle-trained arm as placebo: training
on synthetic series passes where the gap is proven smaller than the margin, real training is proven to gain over
shuffled data, and at least a share of that gain is proven to be kept. See Jones, Jarvis, Lewis & Ebbutt (1996),
"Trials to assess equivalence: the importance of rigorous methods".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np

from tsgap.baseline import Against, compared
from tsgap.errors import UsageError
from tsgap.evidence import Evidence, Place, span, together
from tsgap.gap import Clusters, Counts, Estimate, Linear, log_ratio, lost, mean
from tsgap.halves import ORACLE
from tsgap.horizon import NO_EFFECT
from tsgap.metrics import NO_QUANTILES

PASS, FAIL, INCONCLUSIVE, NO_SIGNAL = "PASS", "FAIL", "INCONCLUSIVE", "NO_SIGNAL"
INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
#: Fewer replicates than this say nothing about chance, where there is chance.
LEAST_REPLICATES = 3
#: Fewer series than this decide nothing where the windows of a series overlap.
OVERLAPPING_SERIES = 10


@dataclass(frozen=True)
class Rules:
    """What is asked of a gap: fix it before looking.

    `margin` is the largest loss of accuracy that is accepted, a fraction (.05: 5 % worse). `retain` is the share of
    the real-trained arm's advantage over the shuffle-trained one that must be kept, in [0, 1). Each is to be proven
    at `level`, one-sided.
    """

    margin: float = 0.05
    retain: float = 0.5
    level: float = 0.95

    def __post_init__(self) -> None:
        for name in ("margin", "retain", "level"):
            if not isinstance(getattr(self, name), Real):
                raise UsageError(f"{name} is a number, like 0.05, got {getattr(self, name)!r}")
        if not 0 < self.margin < 1:
            raise UsageError(f"the margin is a fraction above 0 and below 1, like 0.05 for 5 %, got {self.margin}")
        if not 0 <= self.retain < 1:
            raise UsageError(f"the share of skill to retain lies from 0 up to, not including, 1, got {self.retain}")
        if not 0.5 < self.level < 1:
            raise UsageError(f"the level lies between 0.5 and 1, got {self.level}")

    @property
    def log_margin(self) -> float:
        """The margin as a log ratio."""
        return float(np.log1p(self.margin))


@dataclass(frozen=True)
class Bin:
    """What was found at leads `first` to `last`.

    `gap` is a log ratio with its two-sided 95 % interval `low` to `high`; `upper` and `lower` are the one-sided
    bounds at the rules' level, `proven` the lower bound that holds for all bins and forecasters at once. `half` is
    the smallest gap that could be told from none. `assay`: the same log ratio for shuffled training, `assay_low` its
    lower bound; `rho` is the share of the real skill that is lost, NaN unless the assay is proven; `kept` is above 0
    where the share to retain is proven to be kept. `series`, `blocks` and `replicates` are how many would settle it,
    each alone, infinite where it would not. NaN where there is nothing.
    """

    first: int
    last: int
    gap: float
    low: float
    high: float
    upper: float
    lower: float
    proven: float
    half: float
    assay: float
    assay_low: float
    rho: float
    kept: float
    series: float
    blocks: float
    replicates: float
    taught: bool
    safe: bool
    broken: bool
    no_signal: bool

    @property
    def better(self) -> bool:
        """Whether the synthetic arm is proven better than the control: no proof of fidelity."""
        return self.high < 0

    @property
    def outcome(self) -> str:
        """What was decided, in a word or two: safe, broken, no signal, undecided or not taught."""
        if not self.taught:
            return "not taught"
        return "broken" if self.broken else "safe" if self.safe else "no signal" if self.no_signal else "undecided"


@dataclass(frozen=True)
class Finding:
    """What was found for one forecaster: gated or not and why, bin by bin; `verdict` is "" where it is not gated.

    Safe up to lead `safe` (0: none proven); the first lead that loses more than the margin lies after `safe` and not
    after `breaks`, None where no break is proven.
    """

    forecaster: str
    memory: str
    gated: bool
    why: str
    bins: tuple[Bin, ...]
    safe: int = 0
    breaks: int | None = None
    verdict: str = ""


@dataclass(frozen=True)
class Verdict:
    """The verdict on one source for one data set, and what it rests on.

    `caps` are the reasons why it cannot be PASS; those in `damage` are no lack of data, but something that failed, is
    missing, leaked or was never taught. `findings` one for each forecaster, `combined` the geometric mean
    over the gated ones. `safe` and `breaks` as in `Finding`, over all gated forecasters (*operational*: they see
    their full context); `memory` is the finding of the lag probe. `equivalent`: the gap is proven to lie within the
    margin on both sides. `checked`: whether the bench passed its self-check on these data, None without one.
    `overlapping`: the windows of a series overlap, and `OVERLAPPING_SERIES` series are needed to decide.
    """

    data: str
    source: str
    verdict: str
    rules: Rules
    caps: tuple[str, ...]
    findings: tuple[Finding, ...]
    combined: tuple[Bin, ...]
    counts: Counts | None
    safe: int = 0
    breaks: int | None = None
    memory: Finding | None = None
    equivalent: bool = False
    checked: bool | None = None
    fixed: bool = False
    linear_only: bool = False
    against_baseline: tuple[Against, ...] = ()
    damage: tuple[str, ...] = ()
    overlapping: bool = False

    @property
    def gated(self) -> tuple[Finding, ...]:
        """The findings that the verdict rests on."""
        return tuple(one for one in self.findings if one.gated)

    @property
    def worse_than_baseline(self) -> tuple[Against, ...]:
        """Where the source is proven worse than the last accepted one."""
        return tuple(at for at in self.against_baseline if at.least > 0)

    @property
    def noise_floor(self) -> bool:
        """Whether it is no verdict on a source, but on one half of the real series against the other."""
        return self.source == ORACLE

    @property
    def label(self) -> str:
        """The verdict as it is shown: a PASS without a self-check says so."""
        return f"{PASS} (unchecked)" if self.verdict == PASS and self.checked is None else self.verdict

    @property
    def is_doubt(self) -> bool:
        """Whether it is neither PASS nor FAIL for lack of data alone: all leads were judged, and nothing is damaged."""
        bins = [b for one in self.gated for b in one.bins]
        judged = bool(bins) and not any(np.isnan(b.gap) for b in bins)
        return self.verdict not in (PASS, FAIL) and judged and not self.damage


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
    gated, findings = _sorted_out(evidence, rules)
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
        combined=_combined(gated, rules),
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


def _sorted_out(evidence: Sequence[Evidence], rules: Rules) -> tuple[list[Evidence], dict[str, Finding]]:
    """The evidence that is gated, and a finding for each forecaster: why it is not, where it is not."""
    gated: list[Evidence] = []
    findings: dict[str, Finding] = {}
    for one in evidence:
        why = ""
        if one.memory == "lag":
            why = "a probe" if one.status == "ok" else one.status
        elif one.transfer == "none":
            why = "not applicable: it learns nothing"
        elif one.status != "ok":
            why = one.status
        elif (behind := _behind_naive(one, rules)) is not None:
            why = f"trained on real data it is proven worse than the seasonal-naive forecast (at least {behind:.1f} %)"
        else:
            gated.append(one)
        findings[one.forecaster] = Finding(one.forecaster, one.memory, not why, why, ())
    return gated, findings


def _overlapping(gated: Sequence[Evidence]) -> bool:
    return any(one.overlapping for one in gated)


def _behind_naive(one: Evidence, rules: Rules) -> float | None:
    """By how many per cent the control is proven worse than seasonal naive over all places; None if it is not."""
    if "naive" not in one.losses:
        return None
    naive, control = (np.nansum(one.losses[arm], axis=2, keepdims=True) for arm in ("naive", "control"))
    least = float(log_ratio(control, naive, root=one.root).estimated(one.clusters).lower(rules.level)[0])
    return 100 * float(np.expm1(least)) if least > 0 else None


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
    return Finding(one.forecaster, one.memory, gated, why, bins, safe, breaks, verdict if gated else "")


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


def _combined(gated: Sequence[Evidence], rules: Rules) -> tuple[Bin, ...]:
    """The geometric mean over forecasters, where they share places, windows and draws."""
    if not gated:
        return ()
    first = gated[0]
    gap, assay, taught = together(gated)
    shorts = [short for one in gated if (short := one.shortfall(rules.retain)) is not None]
    short = mean(shorts) if len(shorts) == len(gated) else None
    return _bins(first.places, gap, assay, short, first.clusters, rules, len(first.places), taught)


def _counts(gated: Sequence[Evidence]) -> Counts | None:
    return Counts.least([one.counts for one in gated]) if gated else None
