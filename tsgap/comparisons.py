"""An arm next to its control: the same forecaster trained on synthetic and on real series, as columns of a profile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsgap.atoms import Atoms, Ended, Truth
from tsgap.blocks import ranges
from tsgap.errors import ContractError, UnknownNameError
from tsgap.horizon import (
    METRIC_FAILED,
    NO_EFFECT,
    TOO_MANY_FAILED,
    Blocks,
    By,
    Figures,
    figures,
    percentages_are_valid,
    ratio,
    skill,
)
from tsgap.panel import Floats, Ints
from tsgap.protocols import MetricSpec

#: What each arm is compared with.
COMPARISONS = (("synthetic", "real"), ("synthetic", "real-short"), ("synthetic", "real-full"), ("null", "real"))
_COMPARED = {arm for pair in COMPARISONS for arm in pair}


@dataclass(frozen=True, eq=False)
class Comparison:
    """An arm and its control: the rows of the plan, one for each replicate.

    `control` is empty where there was no source to compare with; the status of `rows` says so.
    """

    data: str
    source: str
    arm: str
    versus: str
    forecaster: str
    control: Sequence[Mapping[str, Any]]
    rows: Sequence[Mapping[str, Any]]


def comparisons(rows: Iterable[Mapping[str, Any]]) -> Iterator[Comparison]:
    """The comparisons that the rows of a plan hold, in their order."""
    arms: dict[tuple[str, str, str], dict[str, list[Mapping[str, Any]]]] = {}
    for row in rows:
        if row["source"]:
            place = arms.setdefault((row["data"], row["source"], row["forecaster"]), {})
            place.setdefault(row["arm"], []).append(row)
    for (data, source, forecaster), there in arms.items():
        for arm, versus in COMPARISONS:
            if arm in there and (versus == "real" or versus in there):
                control, other = there.get(versus, ()), there[arm]
                if len({(row["cell"], row["error"]) for row in (*control, *other)}) <= 2 and other[0]["cell"]:
                    # nothing was drawn anew: all replicates are one
                    control, other = control[:1], other[:1]
                yield Comparison(data, source, arm, versus, forecaster, control, other)


def is_without_effect(rows: Iterable[Mapping[str, Any]], atoms: Atoms) -> bool:
    """Whether the forecasts of a forecaster are bit for bit the same whatever it was trained on.

    `rows` are all those of one data set and forecaster; the arms that are compared forecast the same windows. Cells are
    compared that differ in their training series alone; one pair that differs shows that training has an effect, and
    where there is no pair nothing is known.
    """
    alike: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["cell"] and row["transfer"] != "none" and row["arm"] in _COMPARED:
            place = tuple(row[name] for name in ("scaling", "context", "paired", "seed"))
            alike.setdefault(place, []).append(row)
    compared = False
    for first, *others in alike.values():
        for other in {row["cell"]: row for row in others if row["trained_on"] != first["trained_on"]}.values():
            pair = atoms.ended(first), atoms.ended(other)
            if any(ended.status != "ok" for ended in pair):
                continue
            a, b = (ended.forecasts for ended in pair)
            if a.shape != b.shape:
                return False
            for at in ranges(*a.shape):
                both = ~(np.isnan(a[at]) | np.isnan(b[at]))
                if not np.array_equal(a[at][both], b[at][both]):
                    return False
                compared |= bool(both.any())
    return compared


def profiled(
    one: Comparison,
    atoms: Atoms,
    metric: MetricSpec,
    *,
    by: By,
    group: str | None,
    baseline: Floats | None,
    without_effect: bool = False,
) -> dict[str, Any]:
    """The columns of one comparison and metric: block after block, in each the horizons or leads.

    `baseline` (N, H) are the forecasts that skill is measured against; `without_effect` is what
    `is_without_effect` found. The columns are those of `Run.profile`.
    """
    truth = atoms.truth(one.data)
    if group is not None and group not in truth.groups:
        raise UnknownNameError.of(f"group of {one.data}", group, truth.groups)
    labels = np.zeros(len(truth.ids), dtype=np.int64) if group is None else truth.groups[group]
    blocks = Blocks.of(truth.series if by == "series" else labels)
    sides = [[atoms.ended(row) for row in rows] for rows in (one.control, one.rows)]
    status = next((e.under(metric) for side in sides for e in side if e.under(metric) != "ok"), "ok")

    def figured(arms: Sequence[Sequence[Floats]], reference: Floats | None) -> Figures:
        return figures(
            metric,
            truth.values,
            arms,
            by=by,
            horizons=truth.horizons,
            scale=truth.scale(metric),
            weights=truth.weights,
            blocks=blocks,
            reference=reference,
            levels=next((e.levels for side in sides for e in side), ()),
        )

    found = None
    if status == "ok":
        try:
            found = figured([[e.scored(metric) for e in side] for side in sides], baseline)
        except ContractError as err:
            status = f"{METRIC_FAILED}: {err}"
    if found is None:
        nothing = [np.empty((len(truth.ids), 0))]
        found = figured([nothing, nothing], None)
    control, synthetic = found.values
    failed = [np.broadcast_to(_failures(side, truth, blocks)[:, None], control.shape) for side in sides]
    fine = "not applicable" if one.rows[0]["transfer"] == "none" else "ok"
    state = np.select(
        [
            np.broadcast_to(~found.taught, control.shape),
            found.lost > found.used,
            np.isnan(control),
            np.full(control.shape, without_effect),
            failed[0] + failed[1] > 0,
        ],
        ["not taught", TOO_MANY_FAILED, "no pairs", NO_EFFECT, "partial" if fine == "ok" else fine],
        fine,
    )
    valid = percentages_are_valid(truth.values, blocks)[:, None] if metric.units == "fraction" else np.True_
    spread = {
        "control": control,
        "synthetic": synthetic,
        "ratio": np.where(without_effect, np.nan, ratio(synthetic, control)),
        "skill_control": skill(control, found.reference),
        "skill_synthetic": skill(synthetic, found.reference),
        "n_used": found.used,
        "n_total": found.total,
        "failed_control": failed[0],
        "failed_synthetic": failed[1],
        "valid": np.broadcast_to(valid, control.shape),
        "status": state if status == "ok" else np.full(control.shape, status, dtype=object),
    }
    n = len(found.at)
    return {
        **{name: getattr(one, name) for name in ("data", "source", "arm", "versus", "forecaster")},
        **({} if group is None else {"group": np.repeat(truth.groups[group][blocks.first], n)}),
        **({"unique_id": np.repeat(truth.ids[blocks.first], n)} if by == "series" else {}),
        "lead" if by == "lead" else "horizon": np.tile(found.at, len(blocks.starts)),
        "metric": metric.name,
        **{name: np.ravel(values) for name, values in spread.items()},
        "generator_saw": one.rows[0]["generator_saw"],
    }


def _failures(side: Sequence[Ended], truth: Truth, blocks: Blocks) -> Ints:
    """Windows without a forecast in each block (B,), over all replicates."""
    each = np.zeros(len(truth.ids), dtype=np.int64)
    for ended in side:
        each += ended.failures(len(each))
    return blocks.sums(each)
