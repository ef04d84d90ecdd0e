"""`tsgap selfcheck`: does the bench see what it claims to see, on the user's own data?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tsgap.cli import DONE, FAILED_CELLS
from tsgap.cli.options import read_options
from tsgap.cli.progress import reporting

if TYPE_CHECKING:
    from tsgap.readers import ReadOptions

#: Exit code where the bench is broken.
BROKEN = 1


@click.command()
@click.argument("real", metavar="[NAME=]FILE|card:ID")
@click.option("--horizons", metavar="1,6,12|1m,2m", help="As in the sweep, like the options up to --context.")
@click.option("--windows", type=int, help="Forecast origins a series.")
@click.option("--step", type=int, help="Steps between origins.")
@click.option("--first-cutoff", metavar="STAMP", help="Last stamp of the training part.")
@click.option("--scaling", type=click.Choice(["mean-abs", "standard", "train", "none"]))
@click.option("--context", type=int, help="Look-back of forecasters.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@read_options
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder. Default: one in tsgap-runs/.")
@click.option("--jobs", type=int, help="Worker processes; 0 none, for debugging. Default: the cores there are.")
@click.option("--engine", default="local", show_default=True, metavar="local|dask://HOST:PORT", help="What runs cells.")
@click.option("--timeout", type=float, default=600.0, show_default=True, help="Seconds a cell may take.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="The table as JSON on standard output, nothing else there.")
def selfcheck(real: str, options: ReadOptions, quiet: bool, as_json: bool, **given: Any) -> int:
    """Sweep REAL with sources whose answer is known and cheap forecasters: what must be seen, what was, and is it ok?

    A copy must show a gap of exactly 0, and a forecaster that learns nothing on every source; model seeds must not
    differ; shuffled series must be proven worse, blocks of half a season as the autocorrelation foretells; surrogates
    with the same spectrum must not be, for a linear forecaster. What the data cannot decide is not called ok.

    Exit codes: 0 passed, 1 broken, 3 nothing shown (too few series or windows, or too little memory), 2 usage.

    \b
    tsgap selfcheck sales.csv --horizons 1,6,12
    """
    from dataclasses import fields

    from tsgap.formats import json_text
    from tsgap.selfchecks import BROKEN as BENCH_BROKEN
    from tsgap.selfchecks import PASSED, selfcheck

    reading = {f.name: getattr(options, f.name) for f in fields(options) if f.name not in ("inverse", "channels")}
    with reporting(quiet=quiet) as report:
        found = selfcheck(real, on_progress=report, **given, **reading)
    if as_json:
        click.echo(json_text(found.to_frame()), nl=False)
    else:
        click.echo(str(found))
        click.echo(f"runs: {found.folder}", err=True)
    return {PASSED: DONE, BENCH_BROKEN: BROKEN}.get(found.verdict, FAILED_CELLS)
