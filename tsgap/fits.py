"""What one task does: a fit, on all series or on one block of them, and the rows of every view forecast from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tsgap.blocks import ranges
from tsgap.panel import Ints, digest
from tsgap.plan import Cell

#: A part of a cell: its key, the number of the part, and of how many.
Place = tuple[str, int, int]


#: Series in one block of a local cell: paired ones are split, a pool is fitted once for many histories.
PAIRED_BLOCK, POOLED_BLOCK = 50, 2000


@dataclass(frozen=True, eq=False)
class Block:
    """The rows of one task of a cell; None is all rows. Blocks with the same `place` are trained on the same rows."""

    place: int
    train_rows: Ints | None = None
    rows: Ints | None = None


def blocks(work: Cell) -> list[Block]:
    """The blocks of a cell: views of the same fit that are cut by training series are cut by the same ones.

    A paired view's series that the data set has not are in the last block. What is not cut by training series is cut
    by windows, so that no block holds more values than are worked on at once.
    """
    if work.chosen.spec.scope != "local" or work.training is None:
        cut = list(ranges(len(work.split), max(work.split.horizon, work.limit or 1)))
        return [Block(0, None, np.arange(at.start, at.stop)) for at in cut] if len(cut) > 1 else [Block(0)]
    if not work.splits_by_series:
        n = len(work.split.data)
        pooled = _rows_at(work.split.series // POOLED_BLOCK, -(-n // POOLED_BLOCK))
        return [Block(k, None, rows) for k, rows in enumerate(pooled)] if len(pooled) > 1 else [Block(0)]
    keys = work.data.split.data.keys
    if len(keys) <= PAIRED_BLOCK:
        return [Block(0)]
    last = (len(keys) - 1) // PAIRED_BLOCK
    places = {key: i // PAIRED_BLOCK for i, key in enumerate(keys)}
    of_window = np.array([places.get(key, last) for key in work.split.data.keys])[work.split.series]
    of_training = np.array([places.get(key, last) for key in work.training.panel.keys])
    twins = zip(_rows_at(of_training, last + 1), _rows_at(of_window, last + 1), strict=True)
    return [Block(k, training, rows) for k, (training, rows) in enumerate(twins) if len(rows)]


def _rows_at(places: Ints, n: int) -> list[Ints]:
    """The rows at each of `n` places, in rising order."""
    order = np.argsort(places, kind="stable")
    return np.split(order, np.searchsorted(places[order], np.arange(1, n)))


@dataclass(frozen=True, eq=False)
class Piece:
    """One part of a cell: its block `number` of `of`."""

    cell: Cell
    number: int
    of: int
    block: Block

    @property
    def place(self) -> Place:
        """Where its part lies in a store."""
        return self.cell.key, self.number, self.of

    @property
    def windows(self) -> int:
        """How many windows are forecast."""
        return len(self.cell.split) if self.block.rows is None else len(self.block.rows)


@dataclass(frozen=True, eq=False)
class Fit:
    """What is done in one task: training on the same rows, and every piece that is forecast from it."""

    pieces: tuple[Piece, ...]

    @property
    def group(self) -> str:
        """The forecaster; a worker process serves one of them."""
        return self.pieces[0].cell.chosen.label

    @cached_property
    def name(self) -> str:
        """Made of the contents of its cells: the same in every process that has this plan, whatever a block holds."""
        return digest(sorted({(piece.cell.key, piece.block.place) for piece in self.pieces}))

    @cached_property
    def size(self) -> int:
        """Values that are trained on and values that are forecast: what its seconds are roughly proportional to."""
        training, rows = self.pieces[0].cell.training, self.pieces[0].block.train_rows
        size = sum(piece.windows * piece.cell.split.horizon for piece in self.pieces)
        if training is not None:
            lengths = training.panel.lengths
            size += int((lengths if rows is None else lengths[rows]).sum())
        return max(size, 1)

    def only(self, places: Set[Place]) -> Iterator[Fit]:
        """The fit for some of its pieces, or nothing if it has none of them."""
        if pieces := tuple(piece for piece in self.pieces if piece.place in places):
            yield self if len(pieces) == len(self.pieces) else Fit(pieces)

    def apart(self) -> list[Fit]:
        """A fit for each of its cells."""
        by_cell: dict[str, list[Piece]] = {}
        for piece in self.pieces:
            by_cell.setdefault(piece.cell.key, []).append(piece)
        return [Fit(tuple(of)) for of in by_cell.values()]


def fits_of(cells: Iterable[Cell]) -> list[Fit]:
    """Everything that is to be fitted for some cells, in their order; each piece of each cell once."""
    alike: dict[tuple[object, ...], list[Piece]] = {}
    for one in cells:
        cut, fit = blocks(one), one.fit
        for i, block in enumerate(cut):
            alike.setdefault((*fit, block.place), []).append(Piece(one, i, len(cut), block))
    return [Fit(tuple(pieces)) for pieces in alike.values()]
