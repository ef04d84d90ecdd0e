"""`tsgap demo`: a real sweep on real data that came with the installation, and the verdicts on it."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from tsgap.cli import DONE, FAILED_CELLS
from tsgap.cli.progress import reporting

#: Twelve quarterly series of the economy of the United States.
DATA = "card:macrodata"
#: One source for each verdict.
SOURCES = {
    "gen:time-reversed": "PASS",
    "gen:stl-bootstrap": "INCONCLUSIVE",
    "gen:block-bootstrap:length=8": "FAIL",
}
FORECASTERS = ("seasonal-naive", "linear", "lag-probe")
HORIZONS, WINDOWS = (1, 4), 20


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("tsgap-runs/demo"))
@click.option("--jobs", type=int, help="Worker processes. Default: the cores there are.")
@click.option("--quiet", is_flag=True, help="No progress.")
def demo(out: Path, jobs: int | None, quiet: bool) -> int:
    """Train forecasters on three kinds of synthetic series and score them on real ones, next to real training.

    One source passes, one fails, and of one it cannot be told: that these differ, and that the bench says which is
    which, is the point of the tool. The exit code is 0 where all went as it should.
    """
    from tsgap.remarks import all_well
    from tsgap.sweeps import sweep
    from tsgap.tables import render

    click.echo(
        f"Real data: {DATA}. Synthetic: {', '.join(SOURCES)}. Forecasters: {', '.join(FORECASTERS)}; each is trained "
        "on real, on synthetic and on shuffled series, and forecasts the same real windows."
    )
    with reporting(quiet=quiet) as report:
        run = sweep(
            DATA,
            list(SOURCES),
            forecasters=FORECASTERS,
            horizons=HORIZONS,
            windows=WINDOWS,
            out=out,
            jobs=jobs,
            on_progress=report,
        )
    frame = render(run)
    click.echo(f"\nresults: {run.path}")
    click.echo(f"  where it breaks, why:    tsgap gate {quote(str(run.path))}")
    click.echo("  can the bench see it?    tsgap selfcheck YOUR.csv --horizons 1,6,12")
    click.echo("  your own data:           tsgap sweep --real YOUR.csv --synthetic YOUR_SAMPLES.csv --horizons 1,6,12")
    click.echo("  no samples yet:          tsgap split YOUR.csv --horizons 1,6,12 --out train.parquet")
    as_promised = {f"gen:{one.source}": one.verdict for one in run.gate().verdicts} == SOURCES
    return DONE if as_promised and all_well(run, frame) else FAILED_CELLS
