"""Data sets with a card: which there are, and their data with the card's frequency and seasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tsgap.cards import Card, cards
from tsgap.errors import DataError, UnknownNameError
from tsgap.panel import Dataset
from tsgap.plugins import registry
from tsgap.protocols import DatasetSpec
from tsgap.readers import frames
from tsgap.readers.assemble import assemble
from tsgap.readers.columns import read_long
from tsgap.readers.fetching import original
from tsgap.readers.options import ReadOptions
from tsgap.readers.originals import read_original

_DEFAULTS = ReadOptions()


def specs() -> Mapping[str, DatasetSpec]:
    """Data sets that installed plugins bring with them, by name."""
    return {name: registered.spec for name, registered in registry().datasets.items()}


def all_cards() -> Mapping[str, Card]:
    """All cards by id: the first-party ones and those of plugins."""
    return cards(spec.card() for spec in specs().values())


def load_card(id: str, *, name: str | None = None, options: ReadOptions = _DEFAULTS) -> Dataset:
    """The data set of a card, with its frequency and seasons; `options` may give other seasons and the data's folder.

    Raises UnknownNameError for an id without a card, and DataError where the data cannot be had or are not the
    ones that the card was written for.
    """
    known = all_cards()
    if id not in known:
        raise UnknownNameError.of("data card", id, known, note="`tsgap data list` says more.")
    block = known[id].front.tsgap
    if options.freq is not None and options.freq != block.freq:
        raise DataError(f"card {id!r}: its frequency is {block.freq!r}, {options.freq!r} was asked for")
    if options.wide or options.groups or options.weights:
        raise DataError(
            f"card {id!r}: a card's data are read as the card says; leave out --wide, --group and --weights"
        )
    if block.reader == "embedded":
        offered = specs()
        if id not in offered:
            raise DataError(f"card {id!r}: no installed plugin brings its data; see 'tsgap data show {id}'")
        long = read_long(replace(frames.table_of(offered[id].load(), _DEFAULTS), where=f"card {id!r}"), _DEFAULTS)
    else:
        paths = [original(o, id=id, data_dir=options.data_dir) for o in block.originals]
        long = read_original(block.reader, paths, block.freq)
    reading = replace(options, season_length=options.season_length or block.seasons)
    data = assemble(long, name=name or id, options=reading, freq=block.freq)
    found = replace(data, seasons=block.seasons).fingerprint
    if block.fingerprint and found != block.fingerprint:
        note = f"not the data that the card was written for: fingerprint {found}, on the card {block.fingerprint}"
        return replace(data, notes=(*data.notes, note))
    return data
