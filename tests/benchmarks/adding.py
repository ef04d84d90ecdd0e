"""From two files to what adding the one to the other does: all arms of `linear`, verdict, parts, choice and events."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import made_up
from timing import Asked, Row

SERIES, LENGTH, JOBS = 1000, 500, 2


def rows(asked: Asked) -> Iterator[Row]:
    """With and without the simple augmentations that a source has to beat."""
    import tsgap

    many = asked.of(SERIES, least=40)
    for label, cheap in (("one file", False), ("one file and four simple augmentations", True)):
        seconds = []
        for _ in range(asked.runs):
            with tempfile.TemporaryDirectory() as folder:
                home = Path(folder)
                real = made_up.file(home / "real.parquet", many, LENGTH, "D")
                synthetic = made_up.file(home / "synthetic.parquet", many, LENGTH, "D", seed=1)
                settings = {"horizons": "1,7,14", "jobs": JOBS, "event": "y > q0.95", "out": home / "run"}
                begin = time.perf_counter()
                found = tsgap.augment(str(real), {"made": str(synthetic)}, cheap=cheap, **settings)
                str(found)
                seconds.append(time.perf_counter() - begin)
                assert found.run.n_failed == 0
                cells = found.run.n_cells
        notes = (f"{cells} cells; horizons 1, 7, 14, an event, everything read and printed",)
        what = f"augment: {many} daily series x {LENGTH}, linear, {label}, {JOBS} workers"
        yield Row("augment", what, seconds, "seconds", 30, notes=notes)
