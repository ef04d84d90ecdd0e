"""What a run knows about one source and forecaster: summed losses of every arm on the pairs that all of them have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap.atoms import Atoms, Ended, Truth
from tsgap.errors import ContractError
from tsgap.gap import Clusters, Counts, Linear, log_ratio, mean, shortfall
from tsgap.horizon import METRIC_FAILED, NO_EFFECT, TOO_MANY_FAILED
from tsgap.metrics import losses
from tsgap.panel import Floats, Ints, digest
from tsgap.protocols import MetricSpec

#: The control of each view of the gap, the first that there is: real windows as short as the synthetic ones, or all.
CONTROLS = {"total": ("real",), "fidelity": ("real-short", "real")}

#: First and last lead of a place (both count from 1).
Place = tuple[int, int]


def span(place: Place) -> str:
    """The leads of a place in a table.

    >>> span((1, 1)), span((2, 6))
    ('1', '2-6')
    """
    first, last = place
    return str(first) if first == last else f"{first}-{last}"


@dataclass(frozen=True, eq=False)
class Evidence:
    """Losses of one forecaster trained on one source, next to its control and the shuffled arm.

    `losses` maps each arm that there is (``synthetic``, ``control``, ``null``, ``naive``) to its losses summed over
    the leads of each place (K, N, P), K = 1 where all replicates are one cell: the pairs are those that every
    replicate of every arm has, NaN where a place has none that counts. `status` is "ok", or why there is nothing.
    `taught` (P,): whether every arm has a forecast for all leads of the place. `unanswered` windows failed in all arms
    and replicates, `uneven` ones in some. `missing`: what keeps the table from being whole, in words. `pairs`: hash of
    the pairs that count and of their weights. `overlapping`: origins of a series lie closer together than the longest
    horizon.
    """

    data: str
    source: str
    forecaster: str
    memory: str
    places: tuple[Place, ...]
    losses: Mapping[str, Floats]
    clusters: Clusters
    root: bool = False
    status: str = "ok"
    taught: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))
    used: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    uneven: int = 0
    unanswered: int = 0
    missing: tuple[str, ...] = ()
    transfer: str = "learned"
    stochastic: bool = False
    fixed: bool = False
    control: str = "real"
    truth: str = ""
    pairs: str = ""
    overlapping: bool = False

    @property
    def gap(self) -> Linear:
        """ln of the synthetic arm's error over the control's."""
        return self._ratio("synthetic", "control")

    @property
    def assay(self) -> Linear | None:
        """ln of the shuffled arm's error over the control's: what can be seen at all; None without that arm."""
        return self._ratio("null", "control") if "null" in self.losses else None

    def shortfall(self, keep: float) -> Linear | None:
        """How far the synthetic arm is from keeping the share `keep` of the real skill; None without the null arm."""
        assay = self.assay
        return None if assay is None else shortfall(self.gap, assay, keep)

    @property
    def counts(self) -> Counts:
        """How many series, blocks of origins and replicates the gap rests on; one replicate where all are one cell."""
        counts = self.clusters.counts
        return counts if len(self.gap.contributions) > 1 else replace(counts, replicates=1)

    def _ratio(self, arm: str, control: str) -> Linear:
        return log_ratio(self.losses[arm], self.losses[control], root=self.root)


def together(every: Sequence[Evidence]) -> tuple[Linear, Linear | None, NDArray[np.bool_]]:
    """Gap and assay as geometric means over forecasters that share places, windows and draws, and what all were taught.

    The assay is None unless all of them have one.
    """
    assays = [one.assay for one in every]
    assay = mean([one for one in assays if one is not None]) if None not in assays else None
    return mean([one.gap for one in every]), assay, np.logical_and.reduce([one.taught for one in every])


def gathered(
    rows: Sequence[Mapping[str, Any]],
    atoms: Atoms,
    metric: MetricSpec,
    places: Sequence[Place],
    *,
    on: str = "total",
    naive: Floats | None = None,
    without_effect: bool = False,
    overlapping: bool = False,
) -> Evidence:
    """The evidence in the rows of a plan that belong to one data set, source and forecaster.

    `places` are ranges of leads. `on` says which control (see `CONTROLS`). `naive` (N, H) are the seasonal-naive
    forecasts. Weighted as the series are.
    """
    first = rows[0]
    truth = atoms.truth(first["data"])
    by_arm: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["replicate"]):
        by_arm.setdefault(row["arm"], []).append(row)
    control = next((arm for arm in CONTROLS[on] if arm in by_arm), CONTROLS[on][0])
    arms = {"synthetic": by_arm.get("synthetic", []), "control": by_arm.get(control, [])}
    if "null" in by_arm:
        arms["null"] = by_arm["null"]
    ended = {arm: [atoms.ended(row) for row in of_arm] for arm, of_arm in arms.items()}
    facts: dict[str, Any] = {
        **{name: first[name] for name in ("data", "source", "forecaster", "memory", "transfer", "fixed")},
        "stochastic": any(row["stochastic"] for row in rows),
        "places": tuple(places),
        "root": metric.aggregate == "root-mean",
        "control": control,
        "truth": truth.name,
        "overlapping": overlapping,
    }
    draws = np.array([row["draw"] for row in arms["synthetic"]], dtype=np.int64)
    facts["clusters"] = Clusters.of(truth.series, truth.block, draws)
    facts["missing"] = tuple(
        f"{arm} arm: {e.status}" for arm, of_arm in ended.items() for e in of_arm if e.status != "ok"
    )
    status = next((told for e in (*ended["synthetic"], *ended["control"]) if (told := e.under(metric)) != "ok"), "ok")
    if not arms["control"] or not arms["synthetic"]:
        status = "no control" if arms["synthetic"] else "missing"
    if status == "ok" and without_effect:
        status = NO_EFFECT
    if status != "ok":
        return Evidence(losses={}, status=status, **facts)
    whole = {arm: of_arm for arm, of_arm in ended.items() if all(e.under(metric) == "ok" for e in of_arm)}
    failed = np.stack([one.failures(len(truth.values)) > 0 for of_arm in whole.values() for one in of_arm])
    if failed.any(0).mean() > 0.5:
        # also where they failed in every arm: the windows that are left are no fair sample of those that were asked for
        return Evidence(losses={}, status=TOO_MANY_FAILED, **facts)
    try:
        found = {arm: _distinct(arms[arm], of_arm, metric, truth) for arm, of_arm in whole.items()}
        if naive is not None:
            found["naive"] = _of_naive(naive, metric, truth, next(e.levels for e in ended["control"]))[None]
    except ContractError as err:
        return Evidence(losses={}, status=f"{METRIC_FAILED}: {err}", **facts)
    reached = min(e.forecasts.shape[1] for of_arm in whole.values() for e in of_arm)
    needed = [one for arm, one in found.items() if arm != "naive"]
    known = ~np.logical_or.reduce([np.isnan(one).any(0) for one in needed])
    if naive is None or np.isnan(naive[known]).any():
        # without them nobody knows whether the control is worse
        facts["missing"] += ("seasonal-naive forecasts: missing",)
    if "naive" in found and np.isnan(found["naive"][0][known]).any():
        del found["naive"]
    weights = truth.weights[:, None] * known
    summed = {arm: _by_place(np.where(known, one, 0.0) * weights, places) for arm, one in found.items()}
    taught = np.array([last <= reached for _, last in places])
    counted = _by_place(known[None].astype(np.float64), places)[0].sum(0).astype(np.int64)
    # a series or block without a single pair that counts must not make the others look like a larger sample
    counting = _by_place(weights[None], places)[0] > 0
    facts["clusters"] = Clusters.of(truth.series, truth.block, draws, counting.any(1))
    for one in summed.values():
        # no error because of no pairs is not the same as no error
        one[:, :, taught & ~counting.any(0)] = np.nan
    return Evidence(
        losses=summed,
        taught=taught,
        used=counted * taught,
        uneven=int((failed.any(0) & ~failed.all(0)).sum()),
        unanswered=int(failed.all(0).sum()),
        pairs=digest(weights),
        **facts,
    )


def _distinct(rows: Sequence[Mapping[str, Any]], ended: Sequence[Ended], metric: MetricSpec, truth: Truth) -> Floats:
    """Losses of the replicates of an arm (K, N, H), or (1, N, H) where all of them are one cell."""
    if len({row["cell"] for row in rows}) == 1:
        ended = ended[:1]
    out = np.full((len(ended), *truth.values.shape), np.nan)
    for k, one in enumerate(ended):
        reached = one.forecasts.shape[1]
        scored = one.scored(metric)
        out[k, :, :reached] = losses(metric, truth.values[:, :reached], scored, truth.scale(metric), one.levels)
    return out


def _of_naive(naive: Floats, metric: MetricSpec, truth: Truth, levels: tuple[float, ...]) -> Floats:
    """Losses of forecasts without quantiles (N, H); for a metric that needs them they are their own, at every level."""
    scored = naive if metric.needs == "mean" else np.repeat(naive[:, :, None], len(levels), axis=2)
    return losses(metric, truth.values, scored, truth.scale(metric), levels)


def _by_place(values: Floats, places: Sequence[Place]) -> Floats:
    """Values (K, N, H) summed over the leads of each place (K, N, P)."""
    return np.stack([values[:, :, first - 1 : last].sum(2) for first, last in places], axis=2)
