"""`tsgap check`: hold a forecaster or a generator against its contract, one line a law."""

from __future__ import annotations

import json
from typing import Any

import click


@click.command()
@click.argument("what", metavar="NAME[:key=value,…]|module:callable")
@click.option("--generator", is_flag=True, help="WHAT is a generator, not a forecaster.")
@click.option(
    "--expected",
    "expected",
    multiple=True,
    metavar="CHECK=REASON",
    help="A law that is known to be broken, and why; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="A JSON list of rows instead of lines.")
def check(what: str, generator: bool, expected: tuple[str, ...], as_json: bool) -> int:
    """Hold a forecaster against the contract, on small made-up panels.

    Exit codes: 0 every law holds, 1 a law is broken, 2 there is no such forecaster.
    """
    from tsgap import testing
    from tsgap.plugins import prints_to_stderr

    reasons: dict[str, str] = {}
    for item in expected:
        name, equals, reason = item.partition("=")
        if not equals or not reason.strip():
            raise click.UsageError(f"--expected is written CHECK=REASON, got {item!r}")
        reasons[name.strip()] = reason.strip()
    checks = testing.generator_checks(what) if generator else testing.forecaster_checks(what)
    testing.all_known(reasons, checks)
    rows: list[dict[str, Any]] = []
    for one in checks:
        with prints_to_stderr():
            found = testing.result(one, reasons.get(one.name))
        rows.append(vars(found))
        if not as_json:
            _line(found.status, found.check, found.reason)
    count = {status: sum(row["status"] == status for row in rows) for status in ("ok", "failed", "expected")}
    if as_json:
        click.echo(json.dumps([{k: v for k, v in row.items() if k != "seconds"} for row in rows], indent=1))
    else:
        also = f", {count['expected']} fail as expected" if count["expected"] else ""
        click.echo(f"{what}: {count['ok']} of {len(rows)} laws hold{also}")
    return 1 if count["failed"] else 0


def _line(status: str, name: str, reason: str) -> None:
    from rich.console import Console
    from rich.text import Text

    from tsgap.cli.plugins import printable

    colour = {"ok": "green", "failed": "bold red", "expected": "yellow"}[status]
    word = "FAILED" if status == "failed" else status
    line = Text.assemble((f"{word:<9}", colour), name, ": " if reason else "", printable(reason))
    Console(highlight=False).print(line, soft_wrap=True)
