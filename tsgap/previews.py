"""What a sweep would do now, and why: it draws nothing, fits nothing, writes nothing."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tsgap import drawing, inputs, plan
from tsgap.detectable import Detectable, detectable
from tsgap.errors import StoreError
from tsgap.experiment import Experiment
from tsgap.gap import Counts
from tsgap.panel import Panel
from tsgap.store import Store
from tsgap.sweeps import AGAIN, FAILED, folder_of


@dataclass(frozen=True)
class Preview:
    """What a sweep would do: its folder, tasks, those reused, the reasons for the rest, and an estimate of seconds.

    `seconds` is the work of the tasks to be run, from the mean of the same forecaster's cells in the folder; None
    where a forecaster has not run there yet (`unknown` names them). `detectable` is, by data set, what
    `tsgap.detectable.detectable` expects.
    """

    folder: Path
    data: tuple[inputs.Data, ...]
    tasks: int
    reused: int
    reasons: Mapping[str, int]
    seconds: float
    unknown: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())
    detectable: Mapping[str, tuple[tuple[Detectable, ...], Counts]] = field(default_factory=dict)


def preview(experiment: Experiment, *, out: str | Path | None = None, retry_failed: bool = False) -> Preview:
    """What `perform` would do now; draws nothing, fits nothing, writes nothing."""
    given = inputs.read(experiment)
    folder = folder_of(experiment, given.data, out)
    store = Store.open(folder, create=False) if folder.exists() else None
    undrawn: set[str] = set()

    def draw(wanted: Sequence[drawing.Wanted]) -> Mapping[str, Panel | inputs.NotDrawn]:
        panels: dict[str, Panel | inputs.NotDrawn] = {}
        for one in wanted:
            known = drawing.stored(one, store, Path(work))
            panels[one.name] = drawing.stand_in(one) if known is None else known
            if known is None:
                undrawn.add(panels[one.name].fingerprint)  # type: ignore[union-attr]
        return panels

    # what is mapped from there stays readable
    with tempfile.TemporaryDirectory(prefix="tsgap-") as work:
        made = plan.made(experiment, given, draw)
    finished = {} if store is None else store.finished()
    reasons: Counter[str] = Counter()
    before = _before(store)
    tasks = reused = 0
    spent = _mean_seconds(store, finished)
    seconds, unknown = 0.0, set()
    places = {row.cell: row for row in reversed(made.rows)}
    for key, one in made.cells.items():
        n = len(plan.blocks(one))
        tasks += n
        status = finished.get(key)
        if status is not None and status not in AGAIN and not (retry_failed and status in FAILED):
            reused += n
            continue
        reasons[_reason(one, places[key], status, before, undrawn)] += n
        if one.chosen.label in spent:
            seconds += spent[one.chosen.label]
        else:
            unknown.add(one.chosen.label)
    expected = {data.name: detectable(data.split, max(data.horizons)) for data in given.data}
    notes = made.notes if experiment.null else (*made.notes, "without the shuffled arm there can be no PASS")
    return Preview(folder, given.data, tasks, reused, dict(reasons), seconds, tuple(sorted(unknown)), notes, expected)


def _before(store: Store | None) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """Content of the cells of the plan that the folder holds, by their place in it."""
    if store is None:
        return {}
    try:
        known = store.read_json("plan")
    except StoreError:
        return {}
    return {_place(row): known["cells"].get(row["cell"], {}) for row in known["rows"]}


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[k] for k in ("data", "source", "replicate", "arm", "forecaster"))


def _mean_seconds(store: Store | None, finished: Mapping[str, str]) -> dict[str, float]:
    if store is None:
        return {}
    seconds: dict[str, list[float]] = {}
    for key, status in finished.items():
        if status == "ok":
            parts = store.parts(key)
            told = sum(float(p.info.get("seconds", 0.0)) for p in parts)
            seconds.setdefault(str(parts[0].info.get("forecaster")), []).append(told)
    return {label: sum(all_of) / len(all_of) for label, all_of in seconds.items()}


def _reason(
    one: plan.Cell,
    row: plan.Row,
    status: str | None,
    before: Mapping[tuple[Any, ...], Mapping[str, Any]],
    undrawn: set[str],
) -> str:
    if status is not None:
        return f"ended as {status} before"
    if one.training is not None and one.training.panel.fingerprint in undrawn:
        return "its source is not drawn yet"
    was = before.get(_place(vars(row)))
    if not was:
        return "new"
    changed = [name for name, value in one.content.items() if was.get(name) != value]
    return f"changed: {', '.join(changed)}" if changed else "not finished"
