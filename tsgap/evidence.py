"""What a run knows about one source and forecaster: summed losses of every arm on the pairs that all of them have."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap.atoms import Atoms, Ended, Truth
from tsgap.blocks import let_go, room
from tsgap.errors import ContractError
from tsgap.gap import Clusters, Counts, Linear, log_ratio, mean, shortfall
from tsgap.horizon import METRIC_FAILED, NO_EFFECT, TOO_MANY_FAILED, windows_at_once
from tsgap.metrics import losses
from tsgap.panel import Floats, Ints
from tsgap.protocols import MetricSpec

#: The control of each view of the gap, the first that there is: real windows as short as the synthetic ones, or all.
CONTROLS = {"total": ("real",), "fidelity": ("real-short", "real")}

#: Status where none of the windows that are asked for is there.
NO_WINDOWS = "no windows"

#: A row of a plan.
Row = Mapping[str, Any]
#: First and last lead of a place (both count from 1).
Place = tuple[int, int]
#: The columns that name a place in a table, for each kind of place.
PLACES = {"bin": ("bin", "first", "last"), "lead": ("lead",), "horizon": ("horizon",)}


def span(place: Place) -> str:
    """The leads of a place in a table.

    >>> span((1, 1)), span((2, 6))
    ('1', '2-6')
    """
    first, last = place
    return str(first) if first == last else f"{first}-{last}"


def placed(by: str, place: Place) -> dict[str, Any]:
    """The cells of a table that name a place, see `PLACES`."""
    first, last = place
    return {"bin": span(place), "first": first, "last": last} if by == "bin" else {by: last}


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
    def whole(self) -> bool:
        """Whether every arm and replicate has a forecast of every window."""
        return not (self.uneven or self.unanswered)

    @cached_property
    def gap(self) -> Linear:
        """ln of the synthetic arm's error over the control's."""
        return self._ratio("synthetic", "control")

    @cached_property
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
        drawn_anew = max(len(self.losses[arm]) for arm in ("synthetic", "control")) > 1
        return counts if drawn_anew else replace(counts, replicates=1)

    def _ratio(self, arm: str, control: str) -> Linear:
        return log_ratio(self.losses[arm], self.losses[control], root=self.root)


def together(every: Sequence[Evidence]) -> tuple[Linear, Linear | None, NDArray[np.bool_]]:
    """Gap and assay as geometric means over forecasters that share places, windows and draws, and what all were taught.

    The assay is None unless all of them have one.
    """
    assays = [one.assay for one in every]
    assay = mean([one for one in assays if one is not None]) if None not in assays else None
    return mean([one.gap for one in every]), assay, np.logical_and.reduce([one.taught for one in every])


def rows_by_arm(rows: Sequence[Row], on: str) -> tuple[dict[str, list[Row]], str]:
    """The rows of one source and forecaster by arm, in the order of replicates; which arm is the control."""
    by_arm: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row["replicate"]):
        by_arm.setdefault(row["arm"], []).append(row)
    return by_arm, next((arm for arm in CONTROLS[on] if arm in by_arm), CONTROLS[on][0])


def gathered(
    rows: Sequence[Row],
    atoms: Atoms,
    metric: MetricSpec,
    places: Sequence[Place],
    *,
    on: str = "total",
    naive: Floats | None = None,
    without_effect: bool = False,
    overlapping: bool = False,
    among: NDArray[np.bool_] | None = None,
) -> Evidence:
    """The evidence in the rows of a plan that belong to one data set, source and forecaster.

    `places` are ranges of leads. `on` says which control (see `CONTROLS`). `naive` (N, H) are the seasonal-naive
    forecasts. Weighted as the series are. With `among` (N,) it is that of some of the windows alone: the others are
    not there, whether they failed or not.
    """
    first = rows[0]
    truth = atoms.truth(first["data"])
    kept = slice(None) if among is None else np.flatnonzero(among)
    series, block = truth.series[kept], truth.block[kept]
    by_arm, control = rows_by_arm(rows, on)
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
    facts["clusters"] = Clusters.of(series, block, draws)
    facts["missing"] = tuple(
        f"{arm} arm: {e.status}" for arm, of_arm in ended.items() for e in of_arm if e.status != "ok"
    )
    status = next((told for e in (*ended["synthetic"], *ended["control"]) if (told := e.under(metric)) != "ok"), "ok")
    if not arms["control"] or not arms["synthetic"]:
        status = "no control" if arms["synthetic"] else "missing"
    if status == "ok" and without_effect:
        status = NO_EFFECT
    if status == "ok" and not len(series):
        status = NO_WINDOWS
    if status != "ok":
        return Evidence(losses={}, status=status, **facts)
    whole = {arm: of_arm for arm, of_arm in ended.items() if all(e.under(metric) == "ok" for e in of_arm)}
    failed = np.stack([one.failures(len(truth.values))[kept] > 0 for of_arm in whole.values() for one in of_arm])
    if failed.any(0).mean() > 0.5:
        # also where they failed in every arm: the windows that are left are no fair sample of those that were asked for
        return Evidence(losses={}, status=TOO_MANY_FAILED, **facts)
    different = {arm: distinct(arms[arm], of_arm) for arm, of_arm in whole.items()}
    try:
        found = scored(different, metric, truth, places, naive, kept if isinstance(kept, np.ndarray) else None)
    except ContractError as err:
        return Evidence(losses={}, status=f"{METRIC_FAILED}: {err}", **facts)
    if not found.naive:
        # without them nobody knows whether the control is worse
        facts["missing"] += ("seasonal-naive forecasts: missing",)
        found.losses.pop("naive", None)
    reached = min(e.forecasts.shape[1] for of_arm in whole.values() for e in of_arm)
    taught = np.array([last <= reached for _, last in places])
    # a series or block without a single pair that counts must not make the others look like a larger sample
    facts["clusters"] = Clusters.of(series, block, draws, np.asarray(found.counting.any(1)))
    for one in found.losses.values():
        # no error because of no pairs is not the same as no error
        one[:, :, taught & ~found.counting.any(0)] = np.nan
    return Evidence(
        losses=found.losses,
        taught=taught,
        used=found.used * taught,
        uneven=int((failed.any(0) & ~failed.all(0)).sum()),
        unanswered=int(failed.all(0).sum()),
        pairs=found.pairs,
        **facts,
    )


@dataclass
class Scored:
    """Losses (K, N, P) of each arm, pairs that are `used` (P,), which windows have one that counts (N, P).

    `pairs` is the hash of the pairs that count and of their weights; `naive` whether the seasonal-naive forecasts have
    them all.
    """

    losses: dict[str, Floats]
    used: Ints
    counting: NDArray[np.bool_]
    pairs: str
    naive: bool


def distinct(rows: Sequence[Row], ended: Sequence[Ended]) -> Sequence[Ended]:
    """The replicates of an arm, one where all of them are one cell."""
    return ended[:1] if len({row["cell"] for row in rows}) == 1 else ended


def scored(
    arms: Mapping[str, Sequence[Ended]],
    metric: MetricSpec,
    truth: Truth,
    places: Sequence[Place],
    naive: Floats | None,
    kept: Ints | None = None,
) -> Scored:
    """What the arms lost at each place: a few windows at a time, in all arms, so that no loss is kept for each lead.

    Of the windows that are `kept` alone, where these are given.
    """
    n, horizon = truth.values.shape
    if kept is not None:
        n = len(kept)
    of = {arm: len(ended) for arm, ended in arms.items()} | ({} if naive is None else {"naive": 1})
    all_of_them = room(sum(of.values()), n, len(places), large=1)
    ends = np.cumsum(list(of.values()))
    summed = {arm: all_of_them[end - k : end] for (arm, k), end in zip(of.items(), ends, strict=True)}
    used, counting = np.zeros(len(places), dtype=np.int64), np.empty((n, len(places)), dtype=bool)
    scale, whole, h = truth.scale(metric), naive is not None, hashlib.sha256()
    h.update((8 * n * horizon).to_bytes(8, "little"))  # as `digest` hashes all of them at once
    for rows in windows_at_once(n, horizon):
        at = rows if kept is None else kept[rows]
        found = {arm: _losses(ended, metric, truth.values[at], scale[at], at) for arm, ended in arms.items()}
        known = ~np.logical_or.reduce([np.isnan(one).any(0) for one in found.values()])
        if naive is not None:
            levels = next(e.levels for e in arms["control"])
            found["naive"] = _of_naive(naive[at], metric, truth.values[at], scale[at], levels)[None]
            whole = whole and not np.isnan(found["naive"][0][known]).any()
        weights = truth.weights[at, None] * known
        h.update(weights.tobytes())
        for arm, one in found.items():
            _by_place(np.where(known, one, 0.0) * weights, places, out=summed[arm][:, rows])
        used += _by_place(known[None].astype(np.float64), places)[0].sum(0).astype(np.int64)
        counting[rows] = _by_place(weights[None], places)[0] > 0
        let_go(truth.values, naive, *summed.values(), *(e.scored(metric) for ended in arms.values() for e in ended))
    return Scored(summed, used, counting, h.hexdigest()[:32], whole)


def _losses(ended: Sequence[Ended], metric: MetricSpec, truth: Floats, scale: Floats, rows: slice | Ints) -> Floats:
    """Losses of the replicates of an arm on some windows (K, n, H), NaN in leads that were not taught."""
    out = np.full((len(ended), *truth.shape), np.nan)
    for k, one in enumerate(ended):
        scored = one.scored(metric)[rows]
        reached = scored.shape[1]
        out[k, :, :reached] = losses(metric, truth[:, :reached], scored, scale, one.levels)
    return out


def _of_naive(naive: Floats, metric: MetricSpec, truth: Floats, scale: Floats, levels: tuple[float, ...]) -> Floats:
    """Losses of forecasts without quantiles (n, H); for a metric that needs them they are their own, at every level."""
    scored = naive if metric.needs == "mean" else np.repeat(naive[:, :, None], len(levels), axis=2)
    return losses(metric, truth, scored, scale, levels)


def _by_place(values: Floats, places: Sequence[Place], out: Floats | None = None) -> Floats:
    """Values (K, n, H) summed over the leads of each place (K, n, P)."""
    summed = np.empty((*values.shape[:2], len(places))) if out is None else out
    for place, (first, last) in enumerate(places):
        np.sum(values[:, :, first - 1 : last], axis=2, out=summed[:, :, place])
    return summed
