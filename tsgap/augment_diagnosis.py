"""Which case one is in: whether adding data helps, hurts or cannot help, with the reason in words, at each place.

After the theory that a well-specified forecaster with enough data is already optimal, and that data help it by size, by
re-weighting or not at all. What is proven, also that something is small (two one-sided tests, Schuirmann 1987), is
proven by the ends of its two-sided 95 % interval. What is missing, not a number or too few is never proven.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tsgap.curve import ROUNDING
from tsgap.decomposition import HEADLINE, LEAST_EFFECTIVE, LEVEL, ArmLosses, Choice, Gain, choice, gain
from tsgap.gap import Estimate, Linear

#: A relative change of the loss, and a share of the errors' variance that can be foretold, which are too small to act
#: on.
MARGIN, PREDICTABLE = 0.01, 0.02

ALREADY_OPTIMAL = "ALREADY_OPTIMAL"
DATA_LIMITED = "DATA_LIMITED"
MISSPECIFIED = "MISSPECIFIED"
MISMATCH = "MISMATCH"
NOT_MEASURABLE = "NOT_MEASURABLE"

HELPS, HURTS, NO_DIFFERENCE, CANNOT_TELL = "helps", "hurts", "no difference", "cannot tell"

Flags = NDArray[np.bool_]

_UNSEEN = "whether the errors can be foretold is not known"


@dataclass(frozen=True)
class Diagnosis:
    """The verdict at one place, and why."""

    state: str
    reason: str


def effect(one: Gain, margin: float = MARGIN) -> tuple[str, ...]:
    """What a share does at each place (P,).

    Helps: proven better than the real arm and than duplicates. Hurts: proven worse than the real arm. No difference:
    proven to be within the margin of the real arm. Differences of rounding are none.
    """
    bound = np.log1p(margin)
    enough = one.real.counts.enough
    hurts = enough & (one.real.lower(LEVEL) > ROUNDING)
    same = enough & (np.abs(one.real.value) + one.real.half(LEVEL) < bound)
    told = np.select([one.helps, hurts, same], [HELPS, HURTS, NO_DIFFERENCE], CANNOT_TELL)
    return tuple(map(str, told))


@dataclass(frozen=True, eq=False)
class Grounds:
    """What a verdict rests on; all of it ln ratios of mean losses, or of squared ones.

    `half`, what half of the pairs cost; `predictability`, ln(1 − R²) of the errors; `beyond`, the same less what any
    number of further pairs would explain; `reweight`, `total` at the headline share, and the `gain` at the chosen one.
    """

    arms: ArmLosses
    half: Estimate
    predictability: Estimate
    beyond: Estimate
    reweight: Estimate
    total: Estimate
    choice: Choice

    @cached_property
    def gain(self) -> Gain:
        """What the chosen share does on the test windows."""
        return gain(self.arms, self.choice.share)


def grounds(arms: ArmLosses) -> Grounds:
    """What the losses of all arms give a verdict to rest on."""
    curve = arms.curve
    b, errors = curve.steepness, arms.predictability
    # ln(1 − R²) + 2 b: squared errors would fall by exp(-2 b), as b is a slope of mean or root mean squared errors
    curable = Linear(-2 * b.value, -2 * b.contributions, b.shares)
    return Grounds(
        arms,
        arms.by_repeats(curve.half),
        arms.estimated(errors),
        arms.apart(errors, curable),
        arms.estimated(arms.reweighting(HEADLINE)),
        arms.estimated(arms.against_real(HEADLINE)),
        choice(arms),
    )


def diagnoses(found: Grounds, *, margin: float = MARGIN, synthetic: bool = True) -> tuple[Diagnosis, ...]:
    """The verdict at each place (P,).

    MISMATCH: the headline share is proven worse by more than the margin, and the chosen one does not help.
    ALREADY_OPTIMAL: half of the pairs cost less than the margin, re-weighting changes less, the errors cannot be
    foretold, and the headline share does not help by more, all proven. MISSPECIFIED: the errors can be foretold beyond
    what further pairs would explain, or re-weighting real pairs helps by more than the margin, which no forecaster
    gains from that has the process among its own. DATA_LIMITED: half of the pairs cost more than the margin, also where
    it is not known whether the errors can be foretold. Else, or where the curve or the headline share is not known,
    NOT_MEASURABLE.

    Without `synthetic` data at hand only the real arm is judged: MISMATCH cannot be, and re-weighting is not asked.
    """
    bound, foretold = np.log1p(margin), np.log1p(-PREDICTABLE)
    # a bound that is NaN is below nothing and above nothing
    mismatch = (found.total.lower(LEVEL) > bound) & ~found.gain.helps
    unneeded = found.half.upper(LEVEL) < bound
    # a correction that may make errors larger has failed: it does not show that there is nothing to foretell
    unforetold = (found.predictability.lower(LEVEL) > foretold) & (found.predictability.upper(LEVEL) < -foretold)
    unmixed = (found.reweight.upper(LEVEL) < bound) & (found.reweight.lower(LEVEL) > -bound)
    foreseen = (found.beyond.upper(LEVEL) < foretold) & (found.predictability.upper(LEVEL) < foretold)
    remixed = found.reweight.upper(LEVEL) < -bound
    helpless = (found.total.lower(LEVEL) > -bound) & ~(found.gain.helps & (found.gain.real.upper(LEVEL) < -bound))
    limited = found.half.lower(LEVEL) > bound
    if not synthetic:
        mismatch = remixed = np.zeros_like(unneeded)
        unmixed = helpless = np.ones_like(unneeded)
    words = _Words(found, margin, synthetic)
    out = []
    for place in range(len(unneeded)):
        if not found.half.counts.enough:
            state, reason = NOT_MEASURABLE, words.too_few()
        elif mismatch[place]:
            state, reason = MISMATCH, words.mismatch(place)
        elif lack := _lack(found, place, synthetic):
            state, reason = NOT_MEASURABLE, lack
        elif unneeded[place] and unforetold[place] and unmixed[place] and helpless[place]:
            state, reason = ALREADY_OPTIMAL, words.optimal(place)
        elif foreseen[place]:
            state, reason = MISSPECIFIED, words.foreseen(place)
        elif remixed[place]:
            state, reason = MISSPECIFIED, words.remixed(place)
        elif limited[place]:
            state, reason = DATA_LIMITED, words.limited(place)
        elif lack := _lack_of_optimal(found, place, synthetic):
            state, reason = NOT_MEASURABLE, lack
        else:
            state, reason = NOT_MEASURABLE, words.undecided(place, unneeded, unforetold, unmixed, helpless)
        out.append(Diagnosis(state, reason))
    return tuple(out)


def _lack(found: Grounds, place: int, synthetic: bool) -> str | None:
    """What is missing for any verdict at a place, None where nothing is."""
    arms = found.arms
    for one in (found.half, *((found.total,) if synthetic else ())):
        if np.isfinite(one.value[place]) and not np.isfinite(one.se[place]):
            return "too few series or test periods reach these leads to say how sure any figure is"
    if synthetic and not _known(found.total, place):
        return arms.missing.get("augmented", f"the arm with a share of {HEADLINE:g} has losses that are not known")
    # `beyond` needs all sub-samples, where it is not for want of the errors
    if not _known(found.half, place) or (_known(found.predictability, place) and not _known(found.beyond, place)):
        flat = arms.curve.reason or "the learning curve has losses that are not known"
        return arms.missing.get("fractions", flat)
    return None


def _lack_of_optimal(found: Grounds, place: int, synthetic: bool) -> str | None:
    """What is missing to say whether the forecaster is optimal already, None where nothing is."""
    arms = found.arms
    if not _known(found.predictability, place):
        return arms.missing.get("residuals", _UNSEEN)
    if synthetic and not _known(found.reweight, place):
        if arms.effective <= LEAST_EFFECTIVE:
            return f"the weights leave {arms.effective:.1%} of the pairs, at most {LEAST_EFFECTIVE:.0%}"
        return arms.missing.get("reweighted", "the re-weighted arm has losses that are not known")
    return None


def _known(one: Estimate, place: int) -> bool:
    return bool(np.isfinite(one.value[place]) and np.isfinite(one.se[place]))


def _percent(value: float) -> str:
    rounded = round(100 * np.expm1(value), 1)
    return f"{rounded:+.1f} %" if rounded else "0.0 %"


def _range(one: Estimate, place: int) -> str:
    low, high = one.lower(LEVEL)[place], one.upper(LEVEL)[place]
    return f"{_percent(one.value[place])} ({_percent(low)} to {_percent(high)})"


def _squares(one: Estimate, place: int) -> str:
    """R² of an estimate of ln(1 − R²); a correction that was shrunk to nothing is exactly 0, and says so."""
    if one.value[place] == 0 and one.se[place] == 0:
        return "nothing was found that foretells them"
    value, low, high = (-round(np.expm1(x[place]), 3) + 0.0 for x in (one.value, one.upper(LEVEL), one.lower(LEVEL)))
    return f"R² {value:.3f} ({low:.3f} to {high:.3f})"


@dataclass(frozen=True, eq=False)
class _Words:
    """The reasons, each in a sentence."""

    found: Grounds
    margin: float
    synthetic: bool

    def too_few(self) -> str:
        counts = self.found.half.counts
        return f"{counts.series} series and {counts.blocks} test periods are too few to prove anything"

    def mismatch(self, place: int) -> str:
        chosen = self.found.choice.share
        other = (
            "no share could be chosen inside the training part"
            if np.isnan(chosen)
            else "inside the training part adding nothing was best"
            if not chosen
            else f"the share of {chosen:g} that was chosen inside the training part is not proven to help"
        )
        return (
            f"as many synthetic as real pairs change the loss by {_range(self.found.total, place)}, "
            f"proven more than {100 * self.margin:+.0f} %; {other}"
        )

    def optimal(self, place: int) -> str:
        mixed = f"re-weighting changes it by {_range(self.found.reweight, place)}, " if self.synthetic else ""
        return (
            f"half of the real pairs change the loss by {_range(self.found.half, place)}, {mixed}"
            f"the errors cannot be foretold, {_squares(self.found.predictability, place)}"
        )

    def remixed(self, place: int) -> str:
        return (
            f"real pairs alone, weighted like the synthetic ones, change the loss by "
            f"{_range(self.found.reweight, place)}, proven more than {-100 * self.margin:+.0f} %"
        )

    def foreseen(self, place: int) -> str:
        curable = 1 - (1 - self.found.arms.curve.curable[place]) ** 2
        return (
            f"the errors can be foretold from the context, {_squares(self.found.predictability, place)}, more than the "
            f"{curable:.3f} that further pairs would explain"
        )

    def limited(self, place: int) -> str:
        unseen = "" if _known(self.found.predictability, place) else f"; {_UNSEEN}"
        return (
            f"half of the real pairs change the loss by {_range(self.found.half, place)}, proven more than "
            f"{100 * self.margin:+.0f} %: further pairs of the same kind would help{unseen}"
        )

    def undecided(self, place: int, unneeded: Flags, unforetold: Flags, unmixed: Flags, helpless: Flags) -> str:
        """What is not proven either way."""
        left = []
        if not unneeded[place]:
            left.append(f"what half of the real pairs change, {_range(self.found.half, place)}")
        if not unmixed[place]:
            left.append(f"what re-weighting changes, {_range(self.found.reweight, place)}")
        if not unforetold[place]:
            left.append(f"whether the errors can be foretold, {_squares(self.found.predictability, place)}")
        if not left:
            gain = self.found.gain
            helps = f"a share of {gain.share:g} by {_range(gain.real, place)}" if gain.helps[place] else ""
            return (
                "nothing shows that the real arm falls short, but synthetic pairs are not proven to be of no use: as "
                f"many change the loss by {_range(self.found.total, place)}{', ' * bool(helps)}{helps}"
            )
        return f"undecided: {'; '.join(left)}"
