"""`tsgap check`: hold a forecaster, generator, metric or diagnostic against its contract, one line a law."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from tsgap.errors import UnknownNameError


@click.command()
@click.argument("what", metavar="NAME[:key=value,…]|module:callable")
@click.option("--generator", is_flag=True, help="It is a generator, not a forecaster.")
@click.option("--metric", is_flag=True, help="It is a metric, not a forecaster.")
@click.option("--diagnostic", is_flag=True, help="It is a diagnostic, not a forecaster.")
@click.option("-k", "only", metavar="TEXT", help="Only the laws whose names contain TEXT.")
@click.option(
    "--expected",
    "expected",
    multiple=True,
    metavar="CHECK=REASON",
    help="A law that is known to be broken, and why; repeatable.",
)
@click.option("--jobs", type=click.IntRange(min=0), help="Worker processes; 0 none, for debugging. Default: up to 4.")
@click.option(
    "--timeout", type=float, default=120.0, show_default=True, metavar="SECONDS", help="How long a law may take."
)
@click.option("--traceback", is_flag=True, help="Under a broken law, where the plugin raised, died or was stopped.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list of rows instead of lines.")
def check(
    what: str,
    generator: bool,
    metric: bool,
    diagnostic: bool,
    only: str | None,
    expected: tuple[str, ...],
    jobs: int | None,
    timeout: float,
    traceback: bool,
    as_json: bool,
) -> int:
    """Hold a forecaster, generator, metric or diagnostic against its contract, on small made-up data.

    Every law runs in a worker process: one that crashes or hangs is a broken law, and the others go on.

    Exit codes: 0 all laws hold, or fail as expected, 1 a law is broken, 2 usage, or a name that is not there.
    """
    from tsgap import testing

    if generator + metric + diagnostic > 1:
        raise click.UsageError("--generator, --metric and --diagnostic: it is one of them")
    if not timeout > 0:
        raise click.UsageError(f"--timeout must be more than 0 seconds, got {timeout:g}")
    reasons = _reasons(expected)
    with _other_kinds(what):
        if diagnostic:
            checks = testing.diagnostic_checks(what)
        elif metric:
            checks = testing.metric_checks(what)
        else:
            checks = testing.generator_checks(what) if generator else testing.forecaster_checks(what)
    testing.all_known(reasons, checks)
    chosen = [one for one in checks if only is None or only in one.name]
    if not chosen:
        raise click.UsageError(
            f"-k {only}: no law has this in its name. There are: {', '.join(c.name for c in checks)}"
        )
    rows: list[dict[str, Any]] = []
    for found in testing.run_checks(chosen, jobs=jobs, timeout=timeout, expected=reasons):
        rows.append(vars(found))
        if not as_json:
            _line(found.status, found.check, found.reason, found.traceback if traceback else "")
    count = {status: sum(row["status"] == status for row in rows) for status in ("ok", "failed", "expected")}
    if as_json:
        left_out = {"seconds"} if traceback else {"seconds", "traceback"}
        click.echo(json.dumps([{k: v for k, v in row.items() if k not in left_out} for row in rows], indent=1))
    else:
        also = f", {count['expected']} fail as expected" if count["expected"] else ""
        also += f" ({len(checks) - len(chosen)} not run)" if len(chosen) < len(checks) else ""
        click.echo(f"{what}: {count['ok']} of {len(rows)} laws hold{also}")
    return 1 if count["failed"] else 0


def _reasons(expected: tuple[str, ...]) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for item in expected:
        name, equals, reason = item.partition("=")
        if not equals or not reason.strip():
            raise click.UsageError(f"--expected is written CHECK=REASON, got {item!r}")
        reasons[name.strip()] = reason.strip()
    return reasons


#: kind → flag that says so
_FLAGS = {"forecasters": "", "generators": " --generator", "metrics": " --metric", "diagnostics": " --diagnostic"}


@contextmanager
def _other_kinds(what: str) -> Iterator[None]:
    """Where a name is not found, say how it is checked if it is that of something else."""
    from tsgap.plugins import registry

    try:
        yield
    except UnknownNameError as err:
        name = what.partition(":")[0].strip()
        typed = [f"tsgap check {name}{flag}" for table, flag in _FLAGS.items() if name in getattr(registry(), table)]
        raise UnknownNameError(f"{err} Type: {' or '.join(typed)}" if typed else str(err)) from err


def _line(status: str, name: str, reason: str, traceback: str) -> None:
    from rich.console import Console
    from rich.text import Text

    from tsgap.cli.plugins import printable

    colour = {"ok": "green", "failed": "bold red", "expected": "yellow"}[status]
    word = "FAILED" if status == "failed" else status
    line = Text.assemble((f"{word:<9}", colour), name, ": " if reason else "", printable(reason))
    console = Console(highlight=False)
    console.print(line, soft_wrap=True)
    for below in traceback.rstrip().splitlines():
        console.print(Text(f"    {printable(below)}"), soft_wrap=True)
