"""How far a sweep is: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tsgap.sweeps import Progress

#: Seconds between two lines of progress where there is no terminal.
EVERY = 30.0


@contextmanager
def reporting(*, quiet: bool) -> Iterator[Any]:
    """A callable that shows progress: a bar on a terminal, a line every half minute elsewhere."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("[green]{task.fields[ok]} ok[/] [red]{task.fields[failed]} failed[/] {task.fields[reused]} reused"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("cells", total=None, ok=0, failed=0, reused=0, left="")

        def report(state: Progress) -> None:
            counts: dict[str, Any] = {"ok": state.ok, "failed": state.failed, "reused": state.reused}
            bar.update(task, total=state.total, completed=state.done, left=_left(state), **counts)

        yield report


def _lines() -> Any:
    last = time.monotonic()

    def report(state: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if state.done > state.reused and state.done < state.total and now - last < EVERY:
            return
        last = now
        more = f", {left}" if (left := _left(state)) else ""
        click.echo(
            f"cells: {state.ok} ok, {state.failed} failed, {state.reused} reused of {state.total}{more}", err=True
        )

    return report


def _left(state: Progress) -> str:
    """How long the rest will take, in words; "" where that is not known or nothing is left."""
    if state.seconds_left is None or state.done >= state.total:
        return ""
    seconds = state.seconds_left
    if seconds < 100:
        return f"about {max(seconds, 1):.0f} s left"
    return f"about {seconds / 60:.0f} min left" if seconds < 6000 else f"about {seconds / 3600:.1f} h left"
