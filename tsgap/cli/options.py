"""Options that several commands share: how real data are to be read and split."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from tsgap.errors import UsageError
from tsgap.readers.options import ReadOptions

#: Names of the options that say how data are to be read, all that a file of settings says too.
READ = ("freq", "season_length", "id_col", "time_col", "target_col", "wide", "groups", "weights", "missing")
#: Names of those that say what the training part is.
SPLIT = ("horizons", "windows", "step", "first_cutoff")
_OPTIONS = (
    click.option("--freq", metavar="FREQ", help="Frequency, such as h, 15min, D, B, W-MON, MS [default: inferred]."),
    click.option(
        "--season-length",
        "season_length",
        metavar="M[,M]",
        multiple=True,
        help="Season lengths in steps, the main one first [default: by frequency].",
    ),
    click.option("--id-col", metavar="NAME", default=ReadOptions.id_col, show_default=True, help="Column of ids."),
    click.option(
        "--time-col", metavar="NAME", default=ReadOptions.time_col, show_default=True, help="Column of stamps."
    ),
    click.option(
        "--target-col", metavar="NAME", default=ReadOptions.target_col, show_default=True, help="Column of values."
    ),
    click.option("--wide", is_flag=True, help="One column of stamps, each other column a series."),
    click.option("--group", "groups", metavar="NAME", multiple=True, help="A static column to group by; repeatable."),
    click.option("--weights", metavar="NAME", help="A static column of weights of the series."),
    click.option(
        "--missing",
        type=click.Choice(["fill", "error"]),
        default=ReadOptions.missing,
        show_default=True,
        help="Fill missing values after cutting, or refuse them.",
    ),
    click.option(
        "--data-dir",
        metavar="FOLDER",
        type=click.Path(file_okay=False),
        help="Where the originals of data cards lie [default: TSGAP_DATA].",
    ),
)


def read_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of reading; it receives them as one `options: ReadOptions`."""

    @functools.wraps(command)
    def wrapped(*args: Any, **given: Any) -> Any:
        picked = {name: given.pop(name) for name in (*READ, "data_dir")}
        picked["season_length"] = season_lengths(picked["season_length"])
        return command(*args, options=ReadOptions(**picked), **given)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def season_lengths(given: Sequence[str]) -> tuple[int, ...]:
    """Season lengths from `("24,168",)` or `("24", "168")`; UsageError for anything but whole numbers from 1."""
    texts = [text.strip() for item in given for text in item.split(",")]
    for text in texts:
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            raise UsageError(f"--season-length {text!r} is not a whole number of steps from 1 (1 for no season)")
    return tuple(int(text) for text in texts)


_SPLIT = (
    click.option("--horizons", metavar="1,6,12|1m,2m", help="As in the sweep."),
    click.option("--windows", type=int, help="As in the sweep."),
    click.option("--step", type=int, help="As in the sweep."),
    click.option("--first-cutoff", metavar="STAMP", help="As in the sweep."),
)


def split_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a sweep that say what the training part is."""
    for option in reversed(_SPLIT):
        command = option(command)
    return command


def split_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options of a command that say what the training part is."""
    return {name: given[name] for name in SPLIT}


def comma_separated(text: str) -> tuple[str, ...]:
    """The names in a text such as ``"mae, smape"``."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def refuse_beside(config: Path, names: Collection[str]) -> None:
    """`UsageError` for options of these names that are given beside a file of settings, which says the same."""
    params = click.get_current_context().command.params
    given = [of for of in params if of.name in names and is_given(of.name)]
    if given:
        fast = " (--fast is replicates = 1 and null = false there)" if any(of.name == "fast" for of in given) else ""
        flags = ", ".join(of.opts[0] for of in given)
        raise UsageError(f"{flags}: say it in {config}{fast}, or leave the file away")


def is_given(name: str) -> bool:
    """Whether an option of the command that runs stands on its command line."""
    return click.get_current_context().get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


_BENCH = (
    click.option("--forecaster", "-f", multiple=True, metavar="NAME", help="Repeatable. Default: linear."),
    *_SPLIT,
    click.option("--replicates", type=int, help="As in the sweep."),
    click.option("--seed", type=int, default=0, show_default=True),
    click.option("--scaling", type=click.Choice(["mean-abs", "standard", "train", "none"]), help="As in the sweep."),
    click.option("--context", type=int, help="Look-back of forecasters. Default: by season and horizon."),
    click.option("--metric", default="mase", show_default=True, metavar="NAME", help="'tsgap metrics' lists them."),
    click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder. Default: in tsgap-runs/."),
    click.option("--jobs", type=int, help="Worker processes; 0 none, for debugging. Default: the cores there are."),
    click.option("--engine", default="local", show_default=True, metavar="local|dask://HOST:PORT", help="Runs cells."),
    click.option("--timeout", type=float, default=600.0, show_default=True, help="Seconds a cell may take."),
    click.option("--retry", type=click.Choice(["failed"]), help="Try failed cells again."),
    click.option("--quiet", is_flag=True, help="No progress."),
    click.option("--json", "as_json", is_flag=True, help="JSON on standard output, nothing else there."),
)


def bench_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a command shares with the sweep beside data, sources and reading: split, settings, and how cells are run."""
    for option in reversed(_BENCH):
        command = option(command)
    return command
