"""`tsgap show`: the tables of a run, for eyes and for other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tsgap.cli import DONE, FAILED_CELLS
from tsgap.cli.options import comma_separated, is_given
from tsgap.cli.views import VIEWS, Asked
from tsgap.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("table", "csv", "json", "parquet", "latex")


def _views(command: Callable[..., Any]) -> Callable[..., Any]:
    """A flag for each view."""
    for name, view in reversed(VIEWS.items()):
        command = click.option(f"--{name}", is_flag=True, help=f"Instead: {view.help}")(command)
    return command


@click.command()
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--metric", default="mase", show_default=True, metavar="A,B,…", help="'tsgap metrics' lists them.")
@click.option(
    "--by",
    type=click.Choice(["horizon", "lead", "series", "bin"]),
    help="Leads 1..h together, lead h alone, 1..h of each series, or bins of leads (not of errors). "
    "Default: horizon for errors, else bin.",
)
@click.option("--group", metavar="NAME", help="One block for each value of this static column.")
@click.option("--data", multiple=True, metavar="NAME", help="Only this data set. Repeatable, as the next two.")
@click.option("--source", multiple=True, metavar="NAME", help="Only this source of synthetic series.")
@click.option("--forecaster", "-f", multiple=True, metavar="NAME", help="Only this forecaster.")
@click.option("--gap", is_flag=True, help="Instead: the gap with its interval, and what could be seen at all.")
@_views
@click.option("--all", is_flag=True, help="With --diagnostics: every figure and sample.")
@click.option("--format", "fmt", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--out", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write here; parquet needs it.")
def show(
    run: Path,
    metric: str,
    by: str | None,
    group: str | None,
    data: tuple[str, ...],
    source: tuple[str, ...],
    forecaster: tuple[str, ...],
    gap: bool,
    fmt: str,
    out: Path | None,
    **views: bool,
) -> int:
    """The errors of RUN, the folder of a sweep: control, synthetic-trained and their ratio, horizon by horizon.

    Everything is computed anew from the forecasts that are stored there. A sweep may still be going on. The exit code
    is 3 where cells failed or are missing, or a metric failed.

    \b
    tsgap show tsgap-runs/demo --by lead --metric mae,smape
    tsgap show tsgap-runs/demo --gap
    tsgap show tsgap-runs/demo --format json -o profile.json
    tsgap show tsgap-runs/demo --failures
    """
    from tsgap.remarks import all_well
    from tsgap.run import load

    if fmt == "parquet" and out is None:
        raise UsageError("--format parquet is not for a terminal; say where to write it: -o FILE")
    only: dict[str, Any] = {"data": data or None, "source": source or None, "forecaster": forecaster or None}
    found = load(run)
    metrics = comma_separated(metric)
    if not metrics:
        raise UsageError("--metric names no metric; 'tsgap metrics' lists them")
    every = views.pop("all")
    asked = [name for name, wanted in views.items() if wanted]
    if not asked and not gap and found.manifest["experiment"].get("augment") == "only":
        # nothing was compared in this run: what was added is all there is to show
        asked = ["augmentation"]
    if asked:
        given = [name for name in ("metric", "by", "group", "gap", "all") if is_given(name)]
        VIEWS[asked[0]].check(asked[0], [*asked[1:], *given], by)
        shown = VIEWS[asked[0]].show(found, Asked(metrics, by, only, every))
        if fmt == "table":
            _write(shown.text(), out)
        elif fmt == "json" and shown.json is not None:
            _write(shown.json(), out)
        else:
            _export(shown.frame(), fmt, out)
        return DONE if shown.ok else FAILED_CELLS
    if every:
        raise UsageError("--all goes with --diagnostics")
    place: Any = by or ("bin" if gap else "horizon")
    if place == ("series" if gap else "bin") or (gap and group is not None):
        wrong = "--group" if group is not None else f"--by {place}"
        raise UsageError(f"{wrong} does not go {'with' if gap else 'without'} --gap")
    if fmt == "table":
        from tsgap.tables import console_for, render, render_gap

        with console_for(out) as console:
            if gap:
                frame = render_gap(found, metrics=metrics, by=place, console=console, **only)
            else:
                frame = render(found, metrics=metrics, by=place, group=group, console=console, **only)
    else:
        import pandas as pd

        if gap:
            frame = pd.concat([found.gap(name, place, **only) for name in metrics], ignore_index=True)
        else:
            frame = found.profile(metrics, place, group=group, **only)
        _export(frame, fmt, out)
    return DONE if all_well(found, frame) else FAILED_CELLS


def _export(frame: pd.DataFrame, fmt: str, out: Path | None) -> None:
    from tsgap import formats

    if fmt == "parquet":
        frame.to_parquet(out, index=False)
        return
    _write({"csv": formats.csv_text, "json": formats.json_text, "latex": formats.latex_text}[fmt](frame), out)


def _write(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
