"""`tsgap demo`: a real sweep on real data that came with the installation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tsgap.cli import DONE, FAILED_CELLS
from tsgap.cli.sweep import reporting

#: A quarterly panel with trend, and one long monthly series with a season.
DATA = ("card:macrodata", "card:elnino")
SOURCES = ("gen:copy", "gen:stl-bootstrap", "gen:block-bootstrap:length=8", "gen:shuffle")
FORECASTERS = ("seasonal-naive", "linear", "gradient-boosting")
#: Taken along where their plugins are installed: a local model, and another library's regression.
PLUGIN_FORECASTERS = ("auto-theta", "linear-regression")


@click.command(short_help="A real sweep on embedded real data.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("tsgap-runs/demo"))
@click.option("--jobs", type=int, help="Worker processes. Default: the cores there are.")
@click.option("--quiet", is_flag=True, help="No progress.")
def demo(out: Path, jobs: int | None, quiet: bool) -> int:
    """Train forecasters on four kinds of synthetic series and score them on real ones, next to real training.

    'copy' must show no gap, 'shuffle' a large one: that the other two lie between them is the point of the tool.
    """
    from tsgap.plugins import registry
    from tsgap.remarks import all_well
    from tsgap.sweeps import sweep
    from tsgap.tables import render

    there = registry().forecasters
    forecasters: list[Any] = [*FORECASTERS, *(name for name in PLUGIN_FORECASTERS if name in there)]
    click.echo(f"Real data: {', '.join(DATA)}. Synthetic: {', '.join(SOURCES)}. Forecasters: {', '.join(forecasters)}.")
    with reporting(quiet=quiet) as report:
        run = sweep(list(DATA), list(SOURCES), forecasters=forecasters, out=out, jobs=jobs, on_progress=report)
    frame = render(run)
    click.echo(f"\nresults: {run.path}")
    click.echo(f"  by lead, other metrics:  tsgap show {run.path} --by lead --metric mae,smape")
    click.echo("  your own data:           tsgap sweep --real YOUR.csv --synthetic YOUR_SAMPLES.csv --horizons 1,6,12")
    click.echo("  no samples yet:          tsgap split YOUR.csv --horizons 1,6,12 --out train.parquet")
    return DONE if all_well(run, frame) else FAILED_CELLS
