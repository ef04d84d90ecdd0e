"""How the cost of a sweep grows with the number of series."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

import made_up
import numpy as np
from timing import Asked, Row, in_turns, less

SERIES, LENGTH, HORIZON, NONE = (1000, 10_000, 100_000), 120, 8, 2


def rows(asked: Asked) -> Iterator[Row]:
    """The slope of log time over log series, by least squares; three arms, from file to profile, without start-up."""
    import tsgap

    counts = [NONE, *(asked.of(n, least=8) for n in SERIES)]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)

        def way(count: int, path: Path) -> None:
            with tempfile.TemporaryDirectory(dir=home) as out:
                more = {"horizons": HORIZON, "windows": 1, "replicates": 1, "jobs": 0, "out": out}
                run = tsgap.sweep(str(path), "gen:copy", forecasters="linear", **more)
                assert run.n_failed == 0
                run.profile(["mae", "mase"])

        files = {n: made_up.file(home / f"{n}.parquet", n, LENGTH, "QS") for n in counts}
        way(NONE, files[NONE])
        none, *taken = in_turns(asked.runs, *(lambda n=n: way(n, files[n]) for n in counts))
    work = np.array([less(one.cpu, none.cpu) for one in taken])
    wall = np.array([less(one.wall, none.wall) for one in taken])
    told = ", ".join(f"{n}: {np.median(s):.2f} s" for n, s in zip(counts[1:], work, strict=True))
    notes = (
        f"quarterly series of {LENGTH} values, Parquet file, gen:copy, shuffled arm, no worker processes;",
        f"processor's time less that of {NONE} series, {np.median(none.cpu):.2f} s: {told}; "
        f"by the clock the exponent is {np.median(_slopes(counts[1:], wall)):.3f}",
    )
    what = f"exponent of the cost of `linear` from {counts[1]} to {counts[-1]} series"
    yield Row("scaling", what, _slopes(counts[1:], work), "", 1.1, notes=notes)


def _slopes(counts: list[int], seconds: np.ndarray) -> list[float]:
    """One slope for each run of `seconds` (counts, runs); NaN where one of its times is."""
    runs = np.log(seconds).T
    return [math.nan if np.isnan(y).any() else float(np.polyfit(np.log(counts), y, 1)[0]) for y in runs]
