"""`tsgap saturation`: is there room for more data, before any is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tsgap.cli.augment import settings, shown
from tsgap.cli.options import bench_options, read_options
from tsgap.cli.progress import reporting

if TYPE_CHECKING:
    from tsgap.readers import ReadOptions


@click.command()
@click.argument("real", metavar="[NAME=]REAL")
@bench_options
@read_options
def saturation(real: str, options: ReadOptions, quiet: bool, as_json: bool, **given: Any) -> int:
    """Ask REAL series alone whether more data could help: what half of them cost, and what is left in the errors.

    Exit codes: 0 done, whatever was found; 2 usage; 3 where no verdict was reached, or cells failed.

    \b
    tsgap saturation sales.csv --horizons 1,6,12
    """
    from tsgap.augments import saturation

    with reporting(quiet=quiet) as report:
        found = saturation(real, on_progress=report, **settings(options, given))
    return shown(found, as_json=as_json)
