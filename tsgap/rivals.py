"""Is a source worth its trouble: does it do better than the simple augmentations that the real series give for free?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tsgap.augmentation import Augmentation
from tsgap.curve import ROUNDING
from tsgap.decomposition import LEVEL, ArmLosses, difference, once
from tsgap.gap import Estimate, log_ratio
from tsgap.panel import Floats

BETTER, WORSE, NOT_TOLD_APART, SAME, UNKNOWN = "better", "worse", "not told apart", "the same", "unknown"


@dataclass(frozen=True, eq=False)
class Rival:
    """The best simple augmentation and how a source does against it, each at the share that inner origins chose.

    `ratio` is ln of the source's mean loss over the rival's at each place, below 0 where the source is better; None
    where it is not known, with the `reason`.
    """

    source: str
    share: float
    ratio: Estimate | None
    reason: str = ""

    def outcome(self, place: int = -1) -> str:
        """What the 95 % interval shows at a place: the source is better, worse, or neither is."""
        if self.ratio is None or not np.isfinite(self.ratio.value[place]):
            return UNKNOWN
        if self.ratio.se[place] == 0 and abs(self.ratio.value[place]) < ROUNDING:
            return SAME
        if not self.ratio.counts.enough:
            return NOT_TOLD_APART
        if self.ratio.upper(LEVEL)[place] < -ROUNDING:
            return BETTER
        return WORSE if self.ratio.lower(LEVEL)[place] > ROUNDING else NOT_TOLD_APART


def rival(one: Augmentation, every: Sequence[Augmentation]) -> Rival | None:
    """The best of the simple augmentations of the same series and forecaster; None where none was asked for.

    It is the one with the smallest loss at the inner origins, so that the test windows choose nothing. Draws of the
    source and of the rival are independent of each other.
    """
    cheap = [of for of in every if of.cheap and (of.data, of.forecaster) == (one.data, one.forecaster)]
    if not cheap:
        return None
    known = [of for of in cheap if of.arms is not None and of.choice.share in of.choice.inner]
    if not known:
        first = cheap[0]
        why = first.why or first.choice.reason or "no share of them could be chosen"
        return Rival(
            "", np.nan, None, f"none of the simple augmentations could be measured, first {first.source}: {why}"
        )
    best = min(known, key=lambda of: of.choice.inner[of.choice.share])
    share = best.choice.share
    if one.arms is None or one.choice.share not in one.choice.inner:
        return Rival(best.source, share, None, one.why or one.choice.reason or "no share of the source could be chosen")
    if few := one.few_draws or best.few_draws:
        return Rival(best.source, share, None, few)
    ours, theirs = one.losses, best.losses
    whole = ours.real.mean(0, keepdims=True)
    same = np.array_equal(whole, theirs.real.mean(0, keepdims=True), equal_nan=True)
    if one.uneven or best.uneven or not same:
        return Rival(
            best.source, share, None, "windows failed in one of them, so that they are not of the same windows"
        )
    arms = [_arm(of, at) for of, at in ((ours, one.choice.share), (theirs, share))]
    near, far = (log_ratio(once(arm), whole, root=ours.root) for arm in arms)
    return Rival(best.source, share, difference(near, far, ours.clusters))


def _arm(losses: ArmLosses, share: float) -> Floats:
    return losses.augmented[share] if share else losses.real
