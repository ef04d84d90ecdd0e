"""The list of a self-check: what sources of which everything is known must show, check by check, and what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tsgap.evidence import Evidence
from tsgap.findings import OVERLAPPING_SERIES, Rules
from tsgap.gap import Estimate
from tsgap.panel import Floats
from tsgap.sentences import leads, percent

OK, BROKEN, UNDECIDED, NOT_APPLICABLE = "ok", "broken", "undecided", "not applicable"
#: Chance of a false alarm of a check, over all of its bins.
ALARM = 0.01
#: How far a lag probe trained on blocks may lie from its curve beyond what chance explains, a log ratio: drawn series
#: are scaled by their own mean size, which the curve leaves out.
CURVE = 0.01
#: How far a linear forecaster trained on IAAFT surrogates may lie from 0 likewise: the last step of the iteration
#: imposes the values and leaves the spectrum a little off.
SPECTRUM = 0.02


@dataclass(frozen=True)
class Check:
    """One line of a self-check: which source, whose forecasts, what must be seen and what was; and how it came out."""

    name: str
    forecaster: str
    expected: str
    seen: str
    outcome: str


def exactly_none(name: str, every: Sequence[Evidence]) -> Check:
    """Gaps of one forecaster, on one source or several, that must be 0 to the last bit in every bin that was taught."""
    found = [_exactly_none(name, one) for one in every]
    order = (BROKEN, OK, NOT_APPLICABLE)
    return min(found, key=lambda one: order.index(one.outcome))


def _exactly_none(name: str, one: Evidence) -> Check:
    expected = "a gap of exactly 0 at every lead"
    if told := _damage(one):
        return Check(name, one.forecaster, expected, f"{one.source}: {told}", BROKEN)
    if not one.taught.any():
        return Check(name, one.forecaster, expected, "no lead could be taught", NOT_APPLICABLE)
    gap = one.gap.value[one.taught]
    off = np.flatnonzero(gap != 0.0)
    if not len(off):
        return Check(name, one.forecaster, expected, f"exactly 0 in all {len(gap)} bins", OK)
    where = [place for place, taught in zip(one.places, one.taught, strict=True) if taught][off[0]]
    seen = f"{one.source}: {gap[off[0]]:.3g} at {leads(*where)} ({len(off)} of {len(gap)} bins)"
    return Check(name, one.forecaster, expected, seen, BROKEN)


def same_arm(one: Evidence, rules: Rules) -> Check:
    """Two halves of the control's model seeds against each other: chance alone lies between them.

    Takes the leads of all places together. Windows and training series are the same for all, so that the seeds alone
    are a sample: Student's interval for two groups of log errors.
    """
    name, expected = "a/a", f"no gap between model seeds, told to less than {percent(rules.log_margin)}"
    if told := _damage(one):
        return Check(name, one.forecaster, expected, told, BROKEN)
    control = one.losses["control"][:, :, one.taught].sum((1, 2))
    if len(control) < 4 or not (control > 0).all():
        why = "it is deterministic: there is one model" if len(control) == 1 else "too few seeds, or no error"
        return Check(name, one.forecaster, expected, why, NOT_APPLICABLE)
    from scipy.special import stdtrit

    halves = np.array_split(np.log(control), 2)
    value = float(halves[0].mean() - halves[1].mean())
    df = len(control) - 2
    pooled = sum(float(((half - half.mean()) ** 2).sum()) for half in halves) / df
    se = float(np.sqrt(pooled * sum(1 / len(half) for half in halves)))
    wide = float(stdtrit(df, 1 - ALARM / 2)) * se
    least = float(stdtrit(df, rules.level)) * se
    between = f"between {percent(value - wide)} and {percent(value + wide)}"
    seen = f"{percent(value)}, told to {percent(least)} ({100 * (1 - ALARM):g} % sure: {between})"
    if abs(value) > wide:
        return Check(name, one.forecaster, expected, seen, BROKEN)
    return Check(name, one.forecaster, expected, seen, OK if least < rules.log_margin else UNDECIDED)


def shuffled(one: Evidence, rules: Rules) -> Check:
    """Shuffled series as a source: broken wherever real training is proven to beat shuffled training."""
    name, expected = "shuffle", f"worse by more than {percent(rules.log_margin)} where the shuffled arm is"
    if told := _damage(one) or _no_null(one):
        return Check(name, one.forecaster, expected, told, BROKEN)
    if told := _too_little(one):
        return Check(name, one.forecaster, expected, told, UNDECIDED)
    found, seen, level = one.gap.estimated(one.clusters), _assay(one), _at_once(one, rules)
    bins = _where(one, seen.lower(level) > rules.log_margin)
    if not bins:
        top = int(np.argmax(np.where(one.taught, seen.value, -np.inf)))
        told = f"it is proven nowhere (at most {percent(float(seen.value[top]))} at {leads(*one.places[top])})"
        return Check(name, one.forecaster, expected, told, NOT_APPLICABLE)
    proven = found.lower(level) > rules.log_margin
    missed = [i for i in bins if found.value[i] <= rules.log_margin]
    if missed:
        told = f"{percent(float(found.value[missed[0]]))} at {leads(*one.places[missed[0]])}, where that arm is "
        told += f"{percent(float(seen.value[missed[0]]))}"
        return Check(name, one.forecaster, expected, told, BROKEN)
    told = f"{_range(found.value[bins])} in {_bins(one, bins)}, proven in {int(proven[bins].sum())}"
    return Check(name, one.forecaster, expected, told, OK if proven[bins].all() else UNDECIDED)


def blocks_break(one: Evidence, implied: Floats, rules: Rules) -> Check:
    """Blocks of half a season as a source, for a forecaster that sees its full context: broken in some bin.

    `implied` (P,) is what the autocovariances say (see `resampling.linear_gap`): where it is not twice the margin, the
    memory that is lost is of no use for a forecast, and nothing need be seen.
    """
    name = "block-bootstrap"
    expected = f"worse by more than {percent(rules.log_margin)} at some lead where memory beyond a block counts"
    if told := _damage(one) or _no_null(one):
        return Check(name, one.forecaster, expected, told, BROKEN)
    if told := _too_little(one):
        return Check(name, one.forecaster, expected, told, UNDECIDED)
    found, level = one.gap.estimated(one.clusters), _at_once(one, rules)
    bins = _where(one, (implied > 2 * rules.log_margin) & (_assay(one).lower(level) > rules.log_margin))
    if not bins:
        told = "no bin where the autocorrelation asks for it and the shuffled arm proves that it could be seen"
        return Check(name, one.forecaster, expected, told, NOT_APPLICABLE)
    proven = [i for i in bins if found.lower(level)[i] > rules.log_margin]
    told = f"{_range(found.value[bins])} in {_bins(one, bins)}, proven in {len(proven)}"
    if proven:
        return Check(name, one.forecaster, expected, told, OK)
    none = all(found.upper(rules.level)[i] < rules.log_margin for i in bins)
    return Check(name, one.forecaster, expected, told, BROKEN if none else UNDECIDED)


def on_the_curve(one: Evidence, curve: Floats, rules: Rules, unfit: str = "") -> Check:
    """Blocks of half a season as a source, for the lag probe: its gaps lie on the `curve` (P,).

    The curve is computed from the autocovariances of the real training part and scored on the test windows: draws of
    blocks alone are left to chance. `one` is of squared losses. `unfit` says why the series are too short for that.
    """
    name, expected = "block-bootstrap", "the gap that the autocorrelation foretells"
    if unfit:
        return Check(name, one.forecaster, expected, unfit, NOT_APPLICABLE)
    if told := _damage(one):
        return Check(name, one.forecaster, expected, told, BROKEN)
    expected += f", {_range(curve[one.taught])}"
    draws = one.losses["synthetic"].sum(1)
    if len(draws) < 3:
        return Check(name, one.forecaster, expected, "draws of blocks do not differ", BROKEN)
    from scipy.special import stdtrit

    with np.errstate(divide="ignore", invalid="ignore"):
        spread = 0.5 * np.log(draws).std(0, ddof=1) / np.sqrt(len(draws))
    wide = stdtrit(len(draws) - 1, 1 - ALARM / 2 / len(one.places)) * spread
    off = one.gap.value - curve
    bins = _where(one, (wide < rules.log_margin) & np.isfinite(off))
    if not bins:
        return Check(name, one.forecaster, expected, "draws of blocks differ too much to tell", UNDECIDED)
    worst = max(bins, key=lambda i: abs(off[i]) - wide[i])
    told = f"{_range(one.gap.value[bins])} in {_bins(one, bins)}; furthest off by {abs(off[worst]):.4f} at "
    told += f"{leads(*one.places[worst])}, where {wide[worst] + CURVE:.4f} are allowed"
    if abs(off[worst]) > wide[worst] + CURVE:
        return Check(name, one.forecaster, expected, told, BROKEN)
    if not any(abs(curve[i]) > wide[i] + CURVE for i in bins):
        told = "the curve lies too near to 0 to be told from no gap"
        return Check(name, one.forecaster, expected, told, NOT_APPLICABLE)
    return Check(name, one.forecaster, expected, told, OK)


def spectrum_kept(one: Evidence, rules: Rules, unfit: str) -> Check:
    """IAAFT surrogates as a source, for a linear forecaster: no gap, where series are long and stationary.

    `unfit` says why these are not.
    """
    name, expected = "iaaft", f"no gap beyond {percent(SPECTRUM)} is proven"
    if unfit:
        return Check(name, one.forecaster, expected, unfit, NOT_APPLICABLE)
    if told := _damage(one):
        return Check(name, one.forecaster, expected, told, BROKEN)
    if told := _too_little(one):
        return Check(name, one.forecaster, expected, told, UNDECIDED)
    found = one.gap.estimated(one.clusters)
    wide = found.half(1 - ALARM / 2 / len(one.places))
    off = np.abs(found.value) - wide
    bins = _where(one, np.isfinite(off))
    told = f"{_range(found.value[bins])} in {_bins(one, bins)}"
    if any(off[i] > SPECTRUM for i in bins):
        return Check(name, one.forecaster, expected, told, BROKEN)
    near = bins and all(np.abs(found.value[i]) + found.half(0.975)[i] < rules.log_margin for i in bins)
    return Check(name, one.forecaster, expected, told, OK if near else UNDECIDED)


def _damage(one: Evidence) -> str:
    """What failed, in words; "" where the evidence is whole."""
    if one.missing:
        return one.missing[0]
    if one.status != "ok":
        return one.status
    return f"{one.uneven} windows have a forecast in one arm and none in another" if one.uneven else ""


def _no_null(one: Evidence) -> str:
    return "" if one.assay is not None else "the shuffled arm is missing"


def _too_little(one: Evidence) -> str:
    counts = one.counts
    if counts.enough and not (one.overlapping and counts.series < OVERLAPPING_SERIES):
        return ""
    return f"{counts.series} series and {counts.blocks} test periods decide nothing"


def _assay(one: Evidence) -> Estimate:
    assay = one.assay
    assert assay is not None
    return assay.estimated(one.clusters)


def _at_once(one: Evidence, rules: Rules) -> float:
    """The one-sided level at which the lower bounds of all bins hold at once."""
    return 1 - (1 - rules.level) / len(one.places)


def _where(one: Evidence, asked: np.ndarray) -> list[int]:
    return [int(i) for i in np.flatnonzero(one.taught & asked)]


def _bins(one: Evidence, bins: Sequence[int]) -> str:
    """Which bins, in words: their leads where it is one, else how many."""
    if len(bins) == 1:
        return leads(*one.places[bins[0]])
    return f"{len(bins)} of {len(one.places)} bins"


def _range(values: Floats) -> str:
    """From the smallest to the largest, in words."""
    if not len(values):
        return "nothing"
    low, high = (percent(float(v)) for v in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"
