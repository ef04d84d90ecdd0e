"""What one task does: a fit, on all series or on one block of them, and the rows of every view forecast from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import cached_property

from tsgap.panel import digest
from tsgap.plan import Block, Cell, blocks

#: A part of a cell: its key, the number of the part, and of how many.
Place = tuple[str, int, int]


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
