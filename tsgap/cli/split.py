"""`tsgap split`: the training part of a sweep, for somebody else's generator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tsgap.cli import DONE
from tsgap.cli.options import read_options, split_of, split_options
from tsgap.errors import StoreError, UsageError

if TYPE_CHECKING:
    from tsgap.inputs import Data
    from tsgap.readers import ReadOptions


@click.command()
@click.argument("real", metavar="[NAME=]FILE|card:ID")
@split_options
@click.option("--context", type=int, help="As in the sweep; says how long windows must be.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Long format: .parquet or .csv.")
@click.option("--out-windows", type=click.Path(dir_okay=False, path_type=Path), help="Array of windows (N, L): .npz.")
@click.option("--length", type=int, help="Steps of a window. Default: what context and longest horizon need.")
@click.option("--stride", type=int, default=1, show_default=True, help="Steps between two windows.")
@click.option("--normalise", type=click.Choice(["minmax", "zscore"]), help="Normalise; the figures are stored with it.")
@read_options
def split(options: ReadOptions, **given: Any) -> int:
    """Write exactly the part of REAL that the sweep with the same flags trains on.

    Fit your generator on it, sample, and hand the samples to 'tsgap sweep --synthetic'. Beside the file lies one
    with the ending .json: fingerprint, cutoffs, horizons.

    \b
    tsgap split sales.csv --horizons 1,6,12 --out train.parquet
    tsgap split sales.csv --horizons 1,6,12 --out-windows train.npz --normalise minmax
    """
    from tsgap.experiment import data_spec
    from tsgap.footing import default_context
    from tsgap.inputs import read_data
    from tsgap.readers.writing import write_long, write_windows

    data = read_data(data_spec(given["real"], options=options, **split_of(given)))
    train, horizon = data.split.training_data, max(data.horizons)
    context = given["context"] or default_context(train.seasons, horizon, train.lengths)
    length = given["length"] or context + horizon
    targets = [path for path in (given["out"], given["out_windows"]) if path is not None]
    if not targets:
        raise UsageError("nothing to write: give --out train.parquet, or --out-windows train.npz")
    try:
        if given["out"]:
            write_long(train, given["out"])
        if given["out_windows"]:
            write_windows(
                train, given["out_windows"], length=length, stride=given["stride"], normalise=given["normalise"]
            )
        for path in targets:
            text = json.dumps(_told(data, context, length), indent=1)
            path.with_name(path.name + ".json").write_text(text + "\n", encoding="utf-8")
    except OSError as err:
        raise StoreError(f"cannot write {targets[0]}: {err}") from err
    first = str(data.split.cutoffs.min())[:19]
    click.echo(f"{data.name}: {len(train)} series, {len(train.values)} values, up to {first}")
    for note in data.notes:
        click.echo(f"  {note}")
    click.echo(f"fingerprint {train.fingerprint}; wrote {', '.join(map(str, targets))}")
    click.echo(
        f"windows of {context + horizon} steps teach every lead up to {horizon} after a context of {context}; "
        f"declare what the generator saw with --generator-cutoff '{first}'"
    )
    return DONE


def _told(data: Data, context: int, length: int) -> dict[str, Any]:
    split = data.split
    return {
        "data": data.name,
        "fingerprint": split.training_data.fingerprint,
        "freq": split.data.freq,
        "seasons": list(split.data.seasons),
        "horizons": list(data.horizons),
        "windows": split.n_windows,
        "step": split.step,
        "first_cutoff": str(split.cutoffs.min()),
        "context": context,
        "window_length": length,
    }
