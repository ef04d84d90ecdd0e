"""From a file to a verdict with the default battery, and where the time goes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import made_up
from timing import Asked, Row

SERIES, LENGTH, JOBS = 5000, 400, 2
SOURCE = "gen:block-bootstrap"
#: What the host does one after the other while no cell runs: words → module and function.
STAGES = {
    "reading": "tsgap.inputs.read",
    "drawing": "tsgap.drawing.drawn",
    "copies of the test looked for": "tsgap.manifest.found_in",
    "manifest and truth": "tsgap.manifest.write",
}


def rows(asked: Asked) -> Iterator[Row]:
    """One run, not several: what is promised is that it ends in time."""
    import tsgap

    many = asked.of(SERIES, least=20)
    spent: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as watched:
        path = made_up.file(Path(folder) / "daily.parquet", many, LENGTH, "D")
        for stage, place in STAGES.items():
            watched.enter_context(_watched(place, stage, spent))
        begin = time.perf_counter()
        run = tsgap.sweep(str(path), SOURCE, jobs=JOBS, out=Path(folder) / "run")
        swept = time.perf_counter()
        verdicts = run.gate()
        ended = time.perf_counter()
        cells = run.cells().drop_duplicates("cell")
    assert run.n_failed == 0
    # the search for copies and the truth are parts of writing the manifest
    spent["manifest and truth"] -= spent["copies of the test looked for"]
    rest = swept - begin - sum(spent.values())
    by = cells.groupby("forecaster", sort=False).seconds.sum()
    notes = (
        "seconds by the clock: " + ", ".join(f"{stage} {s:.1f}" for stage, s in spent.items()) + f", planning, fits "
        f"and storing {rest:.1f}, gate {ended - swept:.1f}",
        f"seconds in {JOBS} workers: " + ", ".join(f"{name} {s:.1f}" for name, s in by.items()),
        f"{SOURCE}, five replicates, shuffled arm, {len(cells)} cells; {verdicts.verdict}",
    )
    what = f"file to verdict: {many} daily series x {LENGTH}, default battery, {JOBS} workers"
    yield Row("verdict", what, [(ended - begin) / 60], "minutes", 10, notes=notes)


def _watched(place: str, stage: str, spent: dict[str, float]) -> Any:
    """The function at `place`, which adds its seconds to those of its stage."""
    from pkgutil import resolve_name

    module, _, name = place.rpartition(".")
    really = getattr(resolve_name(module), name)
    spent[stage] = 0.0

    def timed(*args: Any, **named: Any) -> Any:
        begin = time.perf_counter()
        try:
            return really(*args, **named)
        finally:
            spent[stage] += time.perf_counter() - begin

    return patch(place, timed)
