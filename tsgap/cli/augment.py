"""`tsgap augment`: does adding synthetic series to real ones help, why, and how much of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tsgap.cli import DONE, FAILED_CELLS
from tsgap.cli.options import bench_options, comma_separated, read_options
from tsgap.cli.progress import reporting

if TYPE_CHECKING:
    from tsgap.augments import Augmentations
    from tsgap.readers import ReadOptions


@click.command()
@click.argument("real", metavar="[NAME=]REAL")
@click.argument("synthetic", nargs=-1, required=True, metavar="[NAME=]SYNTHETIC…")
@bench_options
@click.option("--cheap/--no-cheap", default=True, show_default=True, help="Simple augmentations, to be beaten.")
@click.option(
    "--event", default="", metavar="TEXT", help="Rare events too: 'y > q0.95', 'y > 100', 'y > q0.95 within horizon'."
)
@read_options
def augment(
    real: str, synthetic: tuple[str, ...], options: ReadOptions, quiet: bool, as_json: bool, **given: Any
) -> int:
    """Add SYNTHETIC series to REAL ones and train on both: does that help, and is it more data or other data?

    REAL is a file or card:ID, SYNTHETIC files or gen:GENERATOR, as in the sweep. How much is added is chosen inside the
    training part and judged on the test. Forecasters that learn each series by itself are refused.

    Exit codes: 0 done, whatever was found; 2 usage; 3 where a source was refused, every source ended NOT_MEASURABLE
    over all leads, or cells failed.

    \b
    tsgap augment sales.csv samples.parquet --horizons 1,6,12
    tsgap augment card:macrodata gen:stl-bootstrap gen:kernel-synth -f linear
    """
    from tsgap.augments import augment

    with reporting(quiet=quiet) as report:
        found = augment(real, list(synthetic), on_progress=report, **settings(options, given))
    return shown(found, as_json=as_json)


def settings(options: ReadOptions, given: dict[str, Any]) -> dict[str, Any]:
    """What was given, as the functions of the library take it."""
    from dataclasses import fields

    from tsgap.augments import FORECASTERS

    forecasters = {"forecasters": list(given.pop("forecaster")) or FORECASTERS}
    reading = {f.name: getattr(options, f.name) for f in fields(options) if f.name not in ("inverse", "channels")}
    channels = comma_separated(given.pop("channels", ""))
    retry = {"retry_failed": given.pop("retry") == "failed"}
    return {**given, **forecasters, **reading, **retry, **({"channels": channels} if channels else {})}


def shown(found: Augmentations, *, as_json: bool) -> int:
    """Print what was found; the exit code."""
    from tsgap.remarks import failures

    if as_json:
        click.echo(found.to_json(), nl=False)
    else:
        click.echo(str(found), nl=False)
    for line in failures(found.run):
        click.echo(f"failed: {line}", err=True)
    click.echo(f"run: {found.folder}   (tsgap show {found.folder} --augmentation)", err=True)
    return DONE if found.ok else FAILED_CELLS
