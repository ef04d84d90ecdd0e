"""Which forecasters of a data set and source count towards a mean, the same in every table and in the gate, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tsgap.evidence import Evidence, together
from tsgap.gap import Linear, log_ratio
from tsgap.horizon import NO_EFFECT
from tsgap.metrics import NO_QUANTILES
from tsgap.panel import Floats

#: What stands in a table for the geometric mean over forecasters or data sets, and for all leads together.
ALL = "all"
#: Status of figures that count towards no mean: trained on real data the forecaster is behind seasonal naive.
WORSE = "worse than naive"
#: Status of a mean that has nobody to be over.
NOBODY = "no forecaster counts"
#: What a forecaster lacks that is no loss: it is left out, and the mean over the others is whole.
EXCUSED = (NO_EFFECT, NO_QUANTILES)
#: How sure it has to be that a forecaster is behind seasonal naive, one-sided.
LEVEL = 0.95


@dataclass(frozen=True)
class Mean:
    """The geometric mean over forecasters, under the name `ALL`.

    `evidence` says what it rests on, without losses; its status is "ok", or why there is neither `gap` nor `assay`, and
    it is `uneven` unless the mean is `whole`: over all that should be in it, none of which lost a window.
    """

    evidence: Evidence
    gap: Linear | None = None
    assay: Linear | None = None
    whole: bool = False


@dataclass(frozen=True)
class Battery:
    """Which forecasters of one data set and source count: `why` is "" for those, and tells of the others why not.

    By forecaster, in the order of the plan. Left out are probes and those that learn nothing or of which there is
    nothing, and who, trained on real data, is proven worse than seasonal naive over all leads that are asked for: such
    a forecaster has learnt too little to lose any of it, and would dilute a mean. Those are in `behind`. `several`:
    whether more than one learns anything, so that there is a mean beside them. `lost`: those of them that have failed.
    """

    why: Mapping[str, str]
    behind: frozenset[str]
    several: bool
    lost: tuple[str, ...]

    @classmethod
    def of(cls, evidence: Sequence[Evidence], level: float = LEVEL) -> Battery:
        """From the evidence of every forecaster on all windows; who is behind seasonal naive is proven at `level`."""
        why: dict[str, str] = {}
        behind = set()
        for one in evidence:
            told = _why_not(one)
            if not told and (least := _behind_naive(one, level)) is not None:
                told = (
                    f"trained on real data it is proven worse than the seasonal-naive forecast (at least {least:.1f} %)"
                )
                behind.add(one.forecaster)
            why[one.forecaster] = told
        learning = [
            one for one in evidence if one.transfer != "none" and one.memory != "lag" and one.status not in EXCUSED
        ]
        lost = tuple(one.forecaster for one in learning if one.status != "ok")
        return cls(why, frozenset(behind), len(learning) > 1, lost)

    def counted(self, evidence: Sequence[Evidence]) -> list[Evidence]:
        """Those of them that count, whichever windows the evidence is from."""
        return [one for one in evidence if not self.why[one.forecaster]]

    def mean(self, evidence: Sequence[Evidence]) -> Mean:
        """The mean over those that count, from evidence that shares places, windows and draws."""
        counted = self.counted(evidence)
        there = [one for one in counted if one.status == "ok"]
        if not there:
            status = counted[0].status if counted else NOBODY
            return Mean(replace(evidence[0], forecaster=ALL, losses={}, status=status))
        gap, assay, taught = together(there)
        whole = not self.lost and len(there) == len(counted) and all(one.whole for one in there)
        used = np.min([one.used for one in there], axis=0)
        # a series that one of them lost must not make the mean look like one over a larger sample
        fewest = min(there, key=lambda one: (one.clusters.counts.series, one.clusters.counts.blocks))
        told = replace(fewest, forecaster=ALL, losses={}, taught=taught, used=used, uneven=int(not whole))
        return Mean(told, gap, assay, whole)


def _why_not(one: Evidence) -> str:
    if one.memory == "lag":
        return "a probe" if one.status == "ok" else one.status
    if one.transfer == "none":
        return "not applicable: it learns nothing"
    return "" if one.status == "ok" else one.status


def _behind_naive(one: Evidence, level: float) -> float | None:
    """By how many per cent the control is proven worse than seasonal naive over all leads; None if it is not."""
    if "naive" not in one.losses:
        return None
    naive, control = (_over_all_leads(one, arm) for arm in ("naive", "control"))
    least = float(log_ratio(control, naive, root=one.root).estimated(one.clusters).lower(level)[0])
    return 100 * float(np.expm1(least)) if least > 0 else None


def _over_all_leads(one: Evidence, arm: str) -> Floats:
    """Losses (K, N, 1), each lead once: of the place that is all leads, else of all places, which part them."""
    first, last = min(at[0] for at in one.places), max(at[1] for at in one.places)
    at = one.places.index((first, last)) if (first, last) in one.places else None
    losses = one.losses[arm] if at is None else one.losses[arm][:, :, at : at + 1]
    return np.asarray(np.nansum(losses, axis=2, keepdims=True))
