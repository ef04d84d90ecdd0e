"""Is a source proven worse than the last accepted one: a paired gap of gaps on the same windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tsgap.evidence import Evidence
from tsgap.gap import Clusters, Estimate
from tsgap.panel import Ints


@dataclass(frozen=True)
class Against:
    """How much larger errors are at some leads than those of the last accepted source: `gap`, at least `least`.

    Both are log ratios; above 0 `least` is the proof that it is worse.
    """

    forecaster: str
    first: int
    last: int
    gap: float
    least: float


def compared(
    evidence: Sequence[Evidence], baseline: Mapping[str, Evidence], level: float
) -> tuple[list[Against], list[str]]:
    """A source against `baseline` (by forecaster), sure at `level`, and why the rest has no comparison."""
    there, incomparable = [], []
    for one in evidence:
        before = baseline.get(one.forecaster)
        why = ""
        if before is None or before.status != "ok":
            why = "it is not there" if before is None else before.status
        elif before.truth != one.truth or before.places != one.places or before.pairs != one.pairs:
            why = "other windows, horizons or scored pairs"
        elif before.control != one.control:
            why = f"its control is {before.control}, here it is {one.control}"
        if why or before is None:
            incomparable.append(f"{one.forecaster}: cannot be compared with the baseline: {why}")
            continue
        found = against(one, before)
        least = found.lower(level)
        there += [
            Against(one.forecaster, *one.places[i], float(found.value[i]), float(least[i]))
            for i in np.flatnonzero(one.taught & before.taught & ~np.isnan(least))
        ]
    return there, incomparable


def against(one: Evidence, before: Evidence) -> Estimate:
    """How much larger the gap of a source is than that of another one on the same windows, as a log ratio (P,)."""
    difference = one.gap.minus(before.gap)
    mine: Ints = one.clusters.replicates[: len(one.gap.contributions)]
    theirs: Ints = before.clusters.replicates[: len(before.gap.contributions)]
    draws = np.concatenate([mine, theirs + mine.max(initial=0) + 1])
    return difference.estimated(Clusters(one.clusters.series, one.clusters.blocks, draws))
