"""What a second worker gains, and what the host costs, where the forecaster is slow: AutoETS on every series."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import made_up
import numpy as np
from timing import Asked, Row, in_turns, less, ratios

SERIES, LENGTH, HORIZON, SEASON = 500, 68, 8, 4
#: Series of the sweep whose time is start-up and import: one for each worker.
NONE = 2


def rows(asked: Asked) -> Iterator[Row]:
    """Two workers against one, and one worker against the library alone."""
    if not find_spec("tsgap_statsforecast"):
        missing = "pip install -e plugins/tsgap-statsforecast"
        yield Row("ets", "AutoETS", [], "times", 1.7, True, missing)
        return
    many = asked.of(SERIES, least=2 * NONE)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        all_of, none = (made_up.file(home / f"{n}.parquet", n, LENGTH, "QS") for n in (many, NONE))
        ways = [_sweep(all_of, home, 1), _sweep(none, home, 1), _sweep(all_of, home, 2), _sweep(none, home, 2)]
        ways.append(_library(many))
        ways[1]()
        taken = in_turns(asked.runs, *ways)
    one, two = (less(taken[i].wall, taken[i + 1].wall) for i in (0, 2))
    work = ratios(less(taken[0].cpu, taken[1].cpu), taken[4].cpu)
    medians = [f"{np.median(x):.1f} s" for x in (one, two, taken[4].wall, taken[1].wall, taken[3].wall)]
    notes = (
        f"quarterly series of {LENGTH} values, Parquet file, gen:copy, scaling none; medians: one worker {medians[0]}, "
        f"two {medians[1]}, the library {medians[2]};",
        f"left out is what {NONE} series take: {medians[3]} with one worker, {medians[4]} with two; "
        f"of the processor's time the sweep takes {100 * (np.median(work) - 1):+.1f} %",
    )
    yield Row("ets", f"AutoETS on {many} series, two workers against one", ratios(one, two), "times", 1.7, True)
    more = [100 * (ratio - 1) for ratio in ratios(one, taken[4].wall)]
    yield Row("ets", f"AutoETS on {many} series, one worker, over the library alone", more, "%", 5, notes=notes)


def _sweep(path: Path, home: Path, jobs: int) -> Callable[[], None]:
    import tsgap

    def way() -> None:
        with tempfile.TemporaryDirectory(dir=home) as out:
            run = tsgap.sweep(
                str(path),
                "gen:copy",
                forecasters="auto-ets",
                horizons=HORIZON,
                windows=1,
                replicates=1,
                null=False,
                scaling="none",
                jobs=jobs,
                out=out,
            )
            cells = run.cells()
        # a copy is forecast by the control's own cell, so that every series is fitted once
        assert run.n_failed == 0
        assert cells[cells.forecaster == "auto-ets"].cell.nunique() == 1

    return way


def _library(count: int) -> Callable[[], None]:
    """Fits of all but those, and a forward pass of each, by statsforecast in this process."""
    from statsforecast.models import AutoETS

    values = made_up.series(count, LENGTH, SEASON, seed=0)[NONE:]

    def way() -> None:
        for y in values:
            history = y[:-HORIZON].copy()
            AutoETS(season_length=SEASON, model="ZZZ").fit(history).forward(y=history, h=HORIZON)

    return way
