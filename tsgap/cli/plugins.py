"""`tsgap forecasters | generators | metrics | diagnostics`: what plugins offer, and which of them failed to load."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from tsgap.plugins import Broken, Registered, Registry, missing_requirements, registry, shown


@click.command()
@click.option("--broken", is_flag=True, help="What failed to load, with tracebacks, and names that are claimed twice.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list of rows instead of a table.")
def forecasters(broken: bool, as_json: bool) -> None:
    """Forecasters there are, those that are refused, and plugins that failed to load."""
    found = registry()
    if broken:
        _show_broken(found, as_json)
        return
    offered = {name: r for name, r in found.forecasters.items() if not r.spec.refused}
    refused = {name: r for name, r in found.forecasters.items() if r.spec.refused}
    rows = [_forecaster(name, r) for name, r in offered.items()]
    if as_json:
        rows += [{**_forecaster(name, r), "refused": r.spec.refused} for name, r in refused.items()]
        _show_json(rows)
        return
    _show_needy(rows, ("name", "distribution", "scope", "transfer", "memory", "parameters"))
    if refused:
        click.echo("\nRefused:")
        reasons: dict[str, list[str]] = {}
        for name, r in refused.items():
            reasons.setdefault(r.spec.refused, []).append(name)
        for reason, names in reasons.items():
            click.echo(f"  {', '.join(names)}: {printable(reason)}")
    _note(found)


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="A JSON list of rows instead of a table.")
def generators(name: str | None, as_json: bool) -> None:
    """Generators of synthetic series there are; a sweep takes one as gen:NAME[:key=value,…].

    With a NAME all that is known of this one: what it keeps and destroys, who must show it, where it is described.
    """
    found = registry()
    offered = found.generators if name is None else {name: found.named("generators", name)}
    rows = [_generator(name, r) for name, r in offered.items()]
    if name is None or as_json:
        _show(rows, ("name", "distribution", "parameters", "paired", "keeps", "destroys"), as_json)
        return
    (row,) = rows
    width = max(map(len, row))
    for key, value in row.items():
        click.echo(f"{key.replace('_', ' '):{width}}  {_words(value)}".rstrip())


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON list of rows instead of a table.")
def metrics(as_json: bool) -> None:
    """Metrics there are; smaller is better in all of them."""
    rows = [
        {
            "name": name,
            "distribution": r.distribution,
            "version": r.version,
            "summary": r.spec.summary,
            "units": r.spec.units,
            "aggregate": r.spec.aggregate,
            "needs": r.spec.needs,
            "gateable": r.spec.gateable,
        }
        for name, r in registry().metrics.items()
    ]
    _show(rows, ("name", "distribution", "units", "needs", "aggregate", "gateable", "summary"), as_json)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON list of rows instead of a table.")
def diagnostics(as_json: bool) -> None:
    """Diagnostics there are: what 'tsgap diagnose' compares synthetic with real series by."""
    rows = [
        {
            "name": name,
            "distribution": r.distribution,
            "version": r.version,
            "missing": missing_requirements(r.spec),
            "summary": r.spec.summary,
        }
        for name, r in registry().diagnostics.items()
    ]
    if as_json:
        _show_json(rows)
        return
    _show_needy(rows, ("name", "distribution", "summary"))
    _note(registry())


def _forecaster(name: str, r: Registered) -> dict[str, Any]:
    return {
        "name": name,
        "distribution": r.distribution,
        "version": r.version,
        "summary": r.spec.summary,
        "scope": r.spec.scope,
        "transfer": r.spec.transfer,
        "deterministic": r.spec.deterministic,
        "memory": r.spec.memory,
        "parameters": shown(r.spec.params),
        "missing": missing_requirements(r.spec),
        "refused": "",
    }


def _generator(name: str, r: Registered) -> dict[str, Any]:
    return {
        "name": name,
        "distribution": r.distribution,
        "version": r.version,
        "summary": r.spec.summary,
        "parameters": shown(r.spec.params),
        "paired": r.spec.paired,
        "deterministic": r.spec.deterministic,
        "keeps": r.spec.keeps,
        "destroys": r.spec.destroys,
        "shown_by": r.spec.shown_by,
        "source": r.spec.source,
    }


def _show(rows: list[dict[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    if as_json:
        _show_json(rows)
        return
    _show_table(rows, columns)
    _note(registry())


def _show_needy(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A table, and below it the packages that are missing with how to install them, if any."""
    lacking = [line for row in rows for line in row["missing"]]
    packages = [{**row, "missing": ", ".join(line.partition(":")[0] for line in row["missing"])} for row in rows]
    _show_table(packages, [*columns, *(["missing"] if lacking else [])])
    if lacking:
        click.echo("\nMissing packages:")
        for line in dict.fromkeys(lacking):
            click.echo(f"  {printable(line)}")


def _show_broken(found: Registry, as_json: bool) -> None:
    if as_json:
        clashes = [Broken(c.name, r.distribution, r.version, c.cause) for c in found.clashes for r in c.losers]
        _show_json(
            [{"what": what, **vars(b)} for what, of in (("broken", found.broken), ("clash", clashes)) for b in of]
        )
        return
    if not found.broken and not found.clashes:
        click.echo("Every plugin loaded.")
    for b in found.broken:
        click.echo(printable(f"{b.distribution} {b.version}, entry point {b.name}: {b.cause}"))
        for line in b.traceback.rstrip().splitlines():
            click.echo(f"    {printable(line)}")
    for clash in found.clashes:
        click.echo(printable(f"clash: {clash.cause}"))


def _note(found: Registry) -> None:
    said = []
    if found.broken:
        names = ", ".join(dict.fromkeys(b.distribution for b in found.broken))
        plugins = "1 plugin" if len(found.broken) == 1 else f"{len(found.broken)} plugins or hooks"
        said.append(f"{plugins} failed to load ({names})")
    if found.clashes:
        names = ", ".join(dict.fromkeys(c.name for c in found.clashes))
        said.append(
            f"{'1 name is' if len(found.clashes) == 1 else f'{len(found.clashes)} names are'} claimed twice ({names})"
        )
    if said:
        click.echo(f"\n{', '.join(said)}; `tsgap forecasters --broken` says why.", err=True)


def _show_json(rows: list[dict[str, Any]]) -> None:
    click.echo(json.dumps(rows, indent=1, ensure_ascii=False))


def _show_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A table that fits the terminal; elsewhere one unbroken line for each row, columns aligned."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    cells = [[_words(row[column]) for column in columns] for row in rows]
    if not console.is_terminal:
        widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
        for line in [list(columns), *cells]:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=column in ("name", "distribution"), overflow="fold")
    for line in cells:
        table.add_row(*map(Text, line))
    console.print(table)


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return printable(", ".join(f"{k}={v}" for k, v in value.items()))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))


def printable(text: str) -> str:
    """Text of a plugin without the control characters by which it could write over the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
