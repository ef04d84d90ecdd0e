"""`tsgap synth`: a synthetic panel from a generator, as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tsgap.cli import DONE
from tsgap.cli.options import read_options, split_of, split_options
from tsgap.errors import StoreError

if TYPE_CHECKING:
    from tsgap.inputs import Data
    from tsgap.readers import ReadOptions


@click.command()
@click.argument("real", metavar="[NAME=]FILE|card:ID")
@click.option("--generator", required=True, metavar="NAME[:K=V]", help="One of 'tsgap generators', or module:callable.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="All chance comes from it.")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Long format: .parquet or .csv.",
)
@split_options
@read_options
def synth(options: ReadOptions, **given: Any) -> int:
    """Write a synthetic panel for REAL, made by a generator that is fitted on the training part alone.

    The training part is that of the sweep with the same flags, so that the file may be used there; it ends at the
    stamp that is printed. Another seed is another replicate: a folder of such files, or a pattern with
    {replicate}, is a source of the sweep. Beside the file lies one with the ending .json that says how it was made.

    \b
    tsgap synth sales.csv --generator iaaft --seed 1 --out synthetic/1.parquet
    tsgap sweep --real sales.csv --synthetic iaaft=synthetic/
    """
    from tsgap.experiment import data_spec
    from tsgap.inputs import read_data
    from tsgap.plugins import choose_generator
    from tsgap.readers.writing import long_ending, write_long
    from tsgap.synthesis import sampled

    long_ending(given["out"])
    chosen = choose_generator(given["generator"].removeprefix("gen:"))
    data = read_data(data_spec(given["real"], options=options, **split_of(given)))
    made = sampled(data, chosen, seed=given["seed"])
    path, first = given["out"], str(data.split.cutoffs.min())[:19]
    told = {
        "generator": chosen.address,
        "seed": given["seed"],
        "version": chosen.version,
        "data": data.name,
        "fingerprint": data.split.training_data.fingerprint,
        "horizons": list(data.horizons),
        "first_cutoff": first,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_long(made, path)
        beside = path.with_name(path.name + ".json")
        beside.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    except OSError as err:
        raise StoreError(f"cannot write {path}: {err}") from err
    for note in data.notes:
        click.echo(f"{data.name}: {note}", err=True)
    click.echo(
        f"{path}: {len(made)} series, {len(made.values)} values by {chosen.address}, seed {given['seed']}", err=True
    )
    click.echo(_seen(data), err=True)
    return DONE


def _seen(data: Data) -> str:
    """What the generator saw; where training parts end at different times there is no one stamp."""
    cutoffs = data.split.cutoffs[data.split.window == 0]
    first, last = (str(stamp)[:19] for stamp in (cutoffs.min(), cutoffs.max()))
    end = f"real values up to {first}" if first == last else f"training parts that end between {first} and {last}"
    return f"it saw {end} and nothing after; a sweep is told so with --generator-cutoff '{first}'"
