"""What a sweep would do now, and why: it draws nothing, fits nothing, writes nothing."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tsgap import drawing, inputs, plan, recording
from tsgap.detectable import Detectable, detectable
from tsgap.errors import StoreError
from tsgap.experiment import Experiment
from tsgap.fits import fits_of
from tsgap.gap import Counts
from tsgap.panel import Panel
from tsgap.recording import Foreseen
from tsgap.sharing import Shard
from tsgap.standing import Standing
from tsgap.store import Store
from tsgap.sweeps import folder_of


@dataclass(frozen=True)
class Preview:
    """What a sweep would do: its folder, tasks, those reused, the reasons for the rest, and an estimate of seconds.

    `seconds` is the work of the tasks to be run, as fits of the same forecasters in the folder tell by their size;
    those that have not run there yet are `unknown` and not in it. Of a `shard` all counts are those of its share,
    `whole` is how many tasks all shares have. `perturbed` of the tasks forecast perturbed histories, in so many `views`
    of a fit at most: they need no fit of their own. `detectable` is, by data set, what `tsgap.detectable.detectable`
    expects. `examined` says what diagnostics there are to run, beside the tasks; None where none are asked for, or
    another share runs them.
    """

    folder: Path
    data: tuple[inputs.Data, ...]
    tasks: int
    reused: int
    reasons: Mapping[str, int]
    seconds: float
    unknown: tuple[str, ...]
    whole: int
    shard: Shard | None = None
    notes: tuple[str, ...] = field(default=())
    detectable: Mapping[str, tuple[tuple[Detectable, ...], Counts]] = field(default_factory=dict)
    perturbed: int = 0
    views: int = 0
    examined: Foreseen | None = None


def preview(
    experiment: Experiment,
    *,
    out: str | Path | None = None,
    retry_failed: bool = False,
    shard: str | tuple[int, int] | None = None,
) -> Preview:
    """What `perform` would do now; draws nothing, fits nothing, writes nothing."""
    share = None if shard is None else Shard.read(shard)
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
        examined = None
        if experiment.diagnose and (share is None or share.number == 1):
            examined = recording.foreseen(recording.entries(experiment, given, made.sources, draw, store), store)
    every = fits_of(made.cells.values())
    mine = every if share is None else share.share(every)
    stand = Standing.of(every, store)
    reasons: Counter[str] = Counter()
    before = _before(store)
    tasks = reused = 0
    seconds, unknown = 0.0, set()
    places = {row.cell: row for row in reversed(made.rows)}
    for fit in mine:
        pace = stand.pace.of(fit.group)
        for piece in fit.pieces:
            tasks += 1
            if stand.is_done(piece.place, retry_failed=retry_failed):
                reused += 1
                continue
            reasons[_reason(piece.cell, places[piece.cell.key], stand.status.get(piece.place), before, undrawn)] += 1
            if pace is None:
                unknown.add(fit.group)
            else:
                seconds += pace * fit.size / len(fit.pieces)
    expected = {data.name: detectable(data.split, max(data.horizons)) for data in given.data}
    notes = made.notes if experiment.null else (*made.notes, "without the shuffled arm there can be no PASS")
    whole = sum(len(fit.pieces) for fit in every)
    told = tuple(sorted(unknown))
    stressed = [piece.cell.view for fit in mine for piece in fit.pieces if piece.cell.perturbation is not None]
    return Preview(
        folder,
        given.data,
        tasks,
        reused,
        dict(reasons),
        seconds,
        told,
        whole,
        share,
        notes,
        expected,
        perturbed=len(stressed),
        views=len(set(stressed)),
        examined=examined,
    )


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
    return tuple(row[k] for k in ("data", "source", "replicate", "arm", "share", "forecaster"))


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
