"""`tsgap data`: real data sets with a card, and what a reader finds in a file of one's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import click

from tsgap.cli.options import read_options
from tsgap.errors import UnknownNameError
from tsgap.readers.options import ReadOptions

if TYPE_CHECKING:
    from tsgap.cards import Card
    from tsgap.panel import Dataset


@click.group()
def data() -> None:
    """Real data sets with a card, and a look into a file."""


@data.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON list of rows instead of a table.")
def list_cards(as_json: bool) -> None:
    """Data sets with a card: `tsgap sweep --real card:ID` uses one.

    The last column says where the data come from: 'here' in an installed package, 'absent' in one that is not
    installed, 'fetched' from the publisher at first use (or read from --data-dir).
    """
    from tsgap.readers.catalog import catalog

    known = catalog()
    rows = [_row(id, card, id in known.specs) for id, card in known.cards.items()]
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for title in ("id", "freq", "series", "steps", "seasons", "horizons", "licence", "from"):
        justify: Literal["left", "right"] = "right" if title in ("series", "steps") else "left"
        folds = {"horizons": 10, "licence": 7}
        table.add_column(
            title, justify=justify, no_wrap=title not in folds, min_width=folds.get(title), overflow="fold"
        )
    for row in rows:
        table.add_row(*(escape(str(row[key])) for key in row))
    Console(highlight=False).print(table)
    for fault in known.faults.values():
        click.echo(f"cannot be used: {_printable(fault)}", err=True)


@data.command()
@click.argument("id", metavar="ID")
def show(id: str) -> None:
    """The card of a data set."""
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.markup import escape
    from rich.table import Table

    from tsgap.readers.catalog import catalog

    known = catalog()
    cards, id = known.cards, known.id_of(id.removeprefix("card:"))
    if id not in cards:
        raise UnknownNameError.of("data card", id, cards)
    card = cards[id]
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for title, value in _facts(card):
        table.add_row(title, escape(value))
    console = Console(highlight=False)
    console.print(table)
    console.print()
    console.print(Markdown(card.body))


@data.command()
@click.argument("file", metavar="FILE|card:ID")
@read_options
def check(file: str, options: ReadOptions) -> None:
    """Read a file, or the data of a card, and say what was found."""
    from tsgap.readers import read_real

    found = read_real(file, options=options)
    for title, value in _found(found):
        click.echo(f"{title:<12} {_printable(value)}")
    for note in found.notes:
        click.echo(f"{'note':<12} {_printable(note)}")


def _row(id: str, card: Card, offered: bool) -> dict[str, Any]:
    block = card.front.tsgap
    length = "?" if block.length is None else _span(block.length.min, block.length.max)
    return {
        "id": id,
        "freq": block.freq,
        "series": block.n_series,
        "steps": length,
        "seasons": _commas(block.seasons),
        "horizons": _commas(block.horizons),
        "licence": card.front.license,
        "from": _origin(card, offered),
    }


def _origin(card: Card, offered: bool) -> str:
    if card.front.tsgap.reader != "embedded":
        return "fetched"
    return "here" if offered else "absent"


def _facts(card: Card) -> list[tuple[str, str]]:
    block = card.front.tsgap
    unknown = "not measured"
    length, missing, span = block.length, block.missing, block.value_range
    facts = [
        ("name", card.front.pretty_name),
        ("frequency", block.freq),
        ("series", str(block.n_series)),
        ("steps", unknown if length is None else f"{_span(length.min, length.max)}, median {length.median:g}"),
        ("seasons", _commas(block.seasons)),
        ("horizons", _commas(block.horizons)),
        ("windows", str(block.windows)),
        ("missing", unknown if missing is None else f"{missing.values} steps"),
        ("values", unknown if span is None else f"{span[0]:g} to {span[1]:g}"),
        ("licence", " ".join(filter(None, (card.front.license, card.front.license_link)))),
        ("passing on", block.redistribution),
        ("page", block.url or ""),
        ("citation", block.citation),
    ]
    facts += [("quirk", quirk) for quirk in block.quirks]
    facts += [("seen by", seen) for seen in block.known_pretraining_overlap]
    for original in block.originals:
        facts += [("original", original.url), ("sha256", original.sha256)]
    return [fact for fact in facts if fact[1]]


def _found(data: Dataset) -> list[tuple[str, str]]:
    import numpy as np

    lengths = data.lengths
    shown = ", ".join(data.keys[:5]) + (f" and {len(data) - 5} more" if len(data) > 5 else "")
    first, last = data.stamps(0, count=1)[0], data.stamps(0, start=int(lengths[0]) - 1, count=1)[0]
    return [
        ("data", data.name),
        ("series", f"{len(data)}: {shown}"),
        ("steps", f"{_span(int(lengths.min()), int(lengths.max()))}, median {np.median(lengths):g}"),
        ("frequency", data.freq),
        ("seasons", _commas(data.seasons)),
        ("stamps", f"{first} to {last} in {data.keys[0]}"),
        ("missing", f"{data.n_missing} of {len(data.values)} steps"),
        ("values", f"{np.nanmin(data.values):g} to {np.nanmax(data.values):g}"),
        *[(f"group {name}", f"{len(set(of))} values") for name, of in data.groups.items()],
        ("fingerprint", data.fingerprint),
    ]


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _commas(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


def _printable(text: str) -> str:
    """Text without characters that could steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
