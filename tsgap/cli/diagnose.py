"""`tsgap diagnose`: synthetic against real series themselves, without any forecaster."""

from __future__ import annotations

import re
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from tsgap.cli import DONE, FAILED_CELLS
from tsgap.cli.options import READ, SPLIT, comma_separated, read_options, refuse_beside, split_of, split_options
from tsgap.errors import StoreError, UsageError

if TYPE_CHECKING:
    from tsgap.examinations import Diagnostics
    from tsgap.readers import ReadOptions

#: What the file of a sweep says itself.
_IN_CONFIG = (*READ, *SPLIT, "real", "synthetic", "inverse", "channels", "seed")
FORMATS = ("text", "json", "markdown", "csv")
#: Exit code where the test is among the synthetic series.
LEAKED = 1


@click.command()
@click.argument("config", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--real", multiple=True, metavar="[NAME=]FILE|card:ID", help="Real data, as in the sweep. Repeatable.")
@click.option(
    "--synthetic", multiple=True, metavar="[[DATA/]NAME=]WHAT", help="Synthetic series, as in the sweep. Repeatable."
)
@click.option(
    "--only",
    multiple=True,
    metavar="NAME|module:function",
    help="One of 'tsgap diagnostics'. Repeatable. Default: all.",
)
@click.option("--rule", "rules", multiple=True, metavar="TEXT", help="What must hold, as 'y >= 0'. Repeatable.")
@click.option("--features", metavar="MODULE:FUNCTION", help="Features (N, F) of windows (N, L) and the season.")
@click.option("--outsiders", metavar="FILE", help="Real series of the same period that the generator never saw.")
@click.option("--inverse", type=click.Choice(["minmax", "zscore"]), help="Undo the normalisation of arrays of windows.")
@click.option("--channels", default="", metavar="A,B,…", help="Names of the channels of arrays (N, L, C).")
@split_options
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="All chance comes from it.")
@click.option("--jobs", type=int, help="Worker processes that draw from generators; 0 none.")
@click.option("--timeout", type=float, default=600.0, show_default=True, help="Seconds a draw may take.")
@click.option("--review", type=int, metavar="N", help="Write a blinded sheet of N samples, an even number, to --out.")
@click.option("--out", "-o", type=click.Path(path_type=Path), help="Folder of the sheet, or file of the text.")
@click.option("--format", "fmt", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--all", "every", is_flag=True, help="Print every figure and sample, as JSON does anyway.")
@read_options
def diagnose(config: Path | None, options: ReadOptions, **given: Any) -> int:
    """Why may there be a gap: how do the synthetic series differ from the real ones, and do they give anybody away?

    CONFIG is the TOML file of a sweep; its forecasters play no part. Every figure stands beside the same figure for
    real against held-back real series, the noise floor. Printed are one figure of each diagnostic and what is warned
    of; --all prints the rest. With --review people are asked too: the sheet shows real and synthetic samples without
    saying which is which, and 'tsgap review' scores the answers.

    Exit codes: 0 done, whatever was found; 1 test data are among the synthetic series; 2 usage or data; 3 a diagnostic
    failed, or a source could not be compared.

    \b
    tsgap diagnose --real sales.csv --synthetic gan=samples.parquet --rule 'y >= 0'
    tsgap diagnose --real card:macrodata --synthetic gen:block-bootstrap:length=8 --horizons 1,4,8
    """
    from tsgap.diagnosing import of_experiment
    from tsgap.review import check_size

    experiment = _experiment(config, options, given)
    if given["review"] is not None:
        check_size(given["review"])
        if given["out"] is None:
            raise UsageError("--review writes a folder: say where with --out FOLDER")
    home = None if given["review"] or given["out"] is None else given["out"].absolute().parent
    if home is not None and not home.is_dir():
        raise StoreError(f"{given['out']} cannot be written: there is no folder {home}")
    found = of_experiment(experiment, only=given["only"], jobs=given["jobs"], timeout=given["timeout"])
    _show(found, given)
    if given["review"]:
        _write_sheets(found, given)
    return LEAKED if found.leaked else DONE if found.ok else FAILED_CELLS


def _experiment(config: Path | None, options: ReadOptions, given: dict[str, Any]) -> Any:
    from dataclasses import replace

    from tsgap.config import from_toml
    from tsgap.experiment import BASELINE, Experiment, data_specs, source_specs

    asked = {name: given[name] for name in ("rules", "features", "outsiders") if given[name]}
    if config is not None:
        refuse_beside(config, _IN_CONFIG)
        return replace(
            from_toml(config, data_dir=options.data_dir), augment="", cheap=False, event="", diagnose=True, **asked
        )
    if not given["real"] or not given["synthetic"]:
        raise UsageError("diagnostics compare two things: --real FILE or card:ID, and --synthetic FILE or gen:NAME")
    data = data_specs(list(given["real"]), options=options, **split_of(given))
    channels = comma_separated(given["channels"])
    sources = source_specs(list(given["synthetic"]), inverse=given["inverse"], channels=channels)
    return Experiment(data, sources, (BASELINE,), diagnose=True, seed=given["seed"], **asked)


def _write_sheets(found: Diagnostics, given: dict[str, Any]) -> None:
    """A sheet for each source that was compared, in a folder of its own where there are several."""
    from tsgap.review import PAGE, sheet

    home: Path = given["out"]
    for number, ((data, source), contrast) in enumerate(found.contrasts.items(), 1):
        # names may hold anything, and two may look alike as that of a folder
        folder = home if len(found.contrasts) == 1 else home / re.sub(r"[^\w-]+", "_", f"{number}-{data}-{source}")
        path = sheet(contrast, given["review"], seed=given["seed"]).write(folder)
        page = path.with_name(PAGE)
        click.echo(f"review sheet: open {page}, or fill in {path}; then: tsgap review {quote(str(path))}", err=True)


def _show(found: Diagnostics, given: dict[str, Any]) -> None:
    from tsgap.formats import csv_text

    fmt = "json" if given["as_json"] else given["fmt"]
    if fmt == "csv":
        text = csv_text(found.to_frame())
    else:
        every = given["every"]
        write = {
            "text": lambda: found.to_text(every=every),
            "markdown": lambda: found.to_markdown(every=every),
            "json": found.to_json,
        }
        text = write[fmt]()
    if given["out"] is not None and not given["review"]:
        given["out"].write_text(text, encoding="utf-8")
        return
    click.echo(text, nl=False)
