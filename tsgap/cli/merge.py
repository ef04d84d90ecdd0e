"""`tsgap merge`: put the shards of a sweep together in one run folder."""

from __future__ import annotations

from pathlib import Path

import click

from tsgap.cli import DONE, FAILED_CELLS


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN…")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The merged run's folder.")
def merge(runs: tuple[Path, ...], out: Path) -> int:
    """Put the folders RUN… of one sweep, such as those that --shard left, together in one.

    Nothing is computed again: every part is verified and taken over as it was written. A damaged one is left out, and
    its cell is missing. Runs of other data, settings, sources or versions are refused: those are compared, each shown
    and gated by itself. What OUT holds already stays; the same command again goes on where one was interrupted.

    Exit codes: 0 all cells are there and ended well, 3 cells failed or are missing, 2 usage, 74 input or output.

    \b
    tsgap merge shards/1 shards/2 shards/3 --out runs/all
    tsgap gate runs/all
    """
    from tsgap.merging import merge as merged
    from tsgap.remarks import failures

    found = merged(runs, out)
    lines = failures(found)  # reads what there is: only then it is known what is whole
    click.echo(f"{out}: {found.n_ended} of {found.n_cells} cells, {found.n_failed} failed")
    for line in lines:
        click.echo(f"  {line}")
    for warning in found.warnings:
        click.echo(f"tsgap: {warning}", err=True)
    return DONE if found.complete and not found.n_failed else FAILED_CELLS
