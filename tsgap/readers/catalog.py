"""Data sets with a card: which there are, and their data with the card's frequency and seasons."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tsgap.cards import Card, cards, parse
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


@dataclass(frozen=True)
class Catalog:
    """Cards, the data sets that plugins bring, and the cards of plugins that cannot be used, with the reason.

    All by id; where that is another's name, by ``distribution/id``. `qualified` maps such names to those used here.
    """

    cards: Mapping[str, Card]
    specs: Mapping[str, DatasetSpec]
    faults: Mapping[str, str]
    qualified: Mapping[str, str] = field(default_factory=dict)

    def id_of(self, id: str) -> str:
        """The id under which a plain or qualified name stands here; the name itself if it stands nowhere.

        Raises `PluginError` for a name that two plugins claim.
        """
        id = self.qualified.get(id, id)
        if not (id in self.cards or id in self.faults):
            with contextlib.suppress(UnknownNameError):
                registry().named("datasets", id)
        return id


def catalog() -> Catalog:
    """Data sets with a card: the first-party ones and those of installed plugins; one bad card stops no other.

    A first-party card's id is its own: a plugin has it that brings the data of this very card, and no other.
    """
    found = dict(cards())
    own = dict(found)
    specs: dict[str, DatasetSpec] = {}
    faults: dict[str, str] = {}
    qualified = {f"tsgap/{id}": id for id in found}
    for name, registered in registry().datasets.items():
        spec = registered.spec
        id = registered.qualified if spec.name in own else name
        try:
            card = parse(spec.card(), where=registered.qualified)
            if card.id != spec.name:
                raise DataError(f"{registered.qualified}: the card's id is {card.id!r}")
            if own.get(card.id) == card and card.id not in specs:
                id = card.id
            found[id] = card
        except (Exception, SystemExit) as err:  # noqa: BLE001 - a plugin's fault is kept, whatever it is
            faults[id] = str(err) if isinstance(err, DataError) else f"{registered.qualified}: {err!r}"
        specs[id] = spec
        qualified[registered.qualified] = id
    return Catalog(found, specs, faults, qualified)


def load_card(id: str, *, name: str | None = None, options: ReadOptions = _DEFAULTS) -> Dataset:
    """The data set of a card, with its frequency and seasons; `options` may give other seasons and the data's folder.

    Names of columns in `options` are those of files and mean nothing here. Raises UnknownNameError for an id without
    a card, and DataError where the data cannot be had or are not the ones that the card was written for.
    """
    known = catalog()
    id = known.id_of(id)
    if id in known.faults:
        raise DataError(f"card {id!r} cannot be used: {known.faults[id]}")
    if id not in known.cards:
        note = f"Cards that cannot be used: {'; '.join(known.faults.values())}." if known.faults else ""
        raise UnknownNameError.of("data card", id, known.cards, note=f"{note} {registry().failures}".strip())
    block = known.cards[id].front.tsgap
    if options.freq is not None and options.freq != block.freq:
        raise DataError(f"card {id!r}: its frequency is {block.freq!r}, {options.freq!r} was asked for")
    if options.wide or options.groups or options.weights:
        raise DataError(
            f"card {id!r}: a card's data are read as the card says; leave out --wide, --group and --weights"
        )
    if block.reader == "embedded":
        if id not in known.specs:
            raise DataError(f"card {id!r}: no installed plugin brings its data; see 'tsgap data show {id}'")
        table = frames.table_of(known.specs[id].load(), _DEFAULTS)
        long = read_long(replace(table, where=f"card {id!r}"), _DEFAULTS)
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
