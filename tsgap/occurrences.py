"""Stretches of one panel that occur in another, up to level and scale, at every alignment, or turned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tsgap.blocks import let_go, ranges
from tsgap.panel import Floats, Ints, Panel
from tsgap.ragged import spans

#: Different values that a stretch must have: a flat one is found anywhere.
LEAST_DISTINCT = 5
#: Largest difference of two standardised values that count as equal: what single precision or five digits may cost.
NEAR = 1e-4
#: Places of a stretch whose values name its cell, and how wide a cell is: stretches that are equal share one.
PLACES, WIDTH = 8, 40 * NEAR
#: So many of the places are looked at first.
FIRST = 3
#: What a cell is found by may be off by this much: far more than rounding costs where variances are taken quickly.
ROUNDING = 1e-6
#: Pairs of stretches of one cell that are compared at most; no series but nearly periodic ones come near it.
MOST = 2**30
#: Stretches that are looked at together.
BLOCK = 2**17
#: How a stretch may be turned: not at all, y to −y, the last value first, or both. The first bit mirrors, the second
#: reverses.
TURNS = ("as it stands", "mirrored", "reversed", "mirrored and reversed")

#: Which pairs of stretches count (P,), by the number of the wanted one (P,) and where the other begins (P,).
Allowed = Callable[[Ints, Ints], NDArray[np.bool_]]


@dataclass(eq=False)
class Stretches:
    """Stretches of `length` values each, from each of `starts` (n,) of `values` on, none of them with a gap.

    `turn` (n,) is the number in `TURNS` of how each is turned; None where none is.
    """

    values: Floats
    starts: Ints
    length: int
    turn: Ints | None = None

    def __len__(self) -> int:
        return len(self.starts)

    @classmethod
    def distinct(cls, values: Floats, starts: Ints, length: int) -> Stretches:
        """Those that have no missing value and enough different ones."""
        kept = np.zeros(len(starts), dtype=bool)
        for block in ranges(len(starts), 1, BLOCK):
            kept[block] = _is_distinct(values[positions(starts[block], length)])
        return cls(values, starts[kept], length)

    def take(self, rows: Ints | NDArray[np.bool_]) -> Stretches:
        """Some of them."""
        turn = None if self.turn is None else self.turn[rows]
        return Stretches(self.values, self.starts[rows], self.length, turn)

    def standardised(self, rows: Ints | slice = slice(None)) -> Floats:
        """Some of them with mean 0 and standard deviation 1 (n, L), as they are turned."""
        found = standardised(self.values[positions(self.starts[rows], self.length)])[0]
        return found if self.turn is None else turned(found, self.turn[rows])

    def in_every_turn(self) -> Stretches:
        """All of them as they stand, then all of them mirrored and so on (len(TURNS) · n)."""
        n = len(TURNS)
        return Stretches(self.values, np.tile(self.starts, n), self.length, np.repeat(np.arange(n), len(self)))


def occurring(wanted: Stretches, panel: Panel, *, allowed: Allowed | None = None) -> tuple[NDArray[np.bool_], bool]:
    """Which of the wanted stretches (n,) occur in a panel, and whether the search went to its end.

    Two stretches are the same if they are equal after their mean is subtracted and they are divided by their standard
    deviation; what is wanted in another turn is wanted beside it. `allowed` says of pairs of a wanted stretch and a
    position in the panel which of them count.
    """
    found = np.zeros(len(wanted.starts), dtype=bool)
    if not len(found):
        return found, True
    table, compared, sought = _Table.of(wanted), 0, len(found)
    for starts, keys in _cells(panel, table):
        low, high = (np.searchsorted(table.keys, keys, side=side) for side in ("left", "right"))
        hit = high > low
        begins, counts, at = low[hit], (high - low)[hit], starts[hit]
        # as many stretches at a time as have a block's worth of pairs; a single one may have more
        cut = np.flatnonzero(np.diff(np.cumsum(counts) // BLOCK, prepend=-1, append=-1))
        for first, last in pairwise(cut):
            piece = slice(first, last)
            which, _ = spans(begins[piece], counts[piece])
            of = np.repeat(np.arange(first, last), counts[piece])
            open_ = ~found[table.rows[which]]
            which, of = which[open_], of[open_]
            compared += len(which)
            if allowed is not None:
                counts_too = allowed(table.rows[which], at[of])
                which, of = which[counts_too], of[counts_too]
            stretches, varies = standardised(panel.values[positions(at[piece], wanted.length)])
            found[table.rows[which[_are_equal(wanted, table.rows[which], stretches, varies, of - first)]]] = True
        if compared > MOST:
            return found, False
        if (left := int(np.count_nonzero(~found))) < sought / 2:
            table.keep(~found)
            sought = left
            if not left:
                break
    return found, True


@dataclass(eq=False)
class _Table:
    """Cells of the stretches that are still looked for: `keys` in rising order, `rows` the stretch of each.

    A stretch that lies close to the edge of its cell is in the next one too. `firsts` are the keys after the first
    `FIRST` places, which tell most stretches of a panel apart from all of them by one look into a table of bits.
    """

    length: int
    keys: Ints
    firsts: Ints
    rows: Ints
    _bits: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self._bits = np.zeros(2 ** int(np.clip(np.ceil(np.log2(16 * max(len(self.keys), 1))), 10, 26)), dtype=bool)
        self._bits[self._place(self.firsts)] = True

    def _place(self, firsts: Ints) -> Ints:
        return np.asarray(((firsts ^ (firsts >> 29)) * _factors()[0] >> 32) & (len(self._bits) - 1))

    def may_hold(self, firsts: Ints) -> NDArray[np.bool_]:
        """Whether keys could be in it, by their first places; False is certain."""
        return np.asarray(self._bits[self._place(firsts)])

    @classmethod
    def of(cls, wanted: Stretches) -> _Table:
        """The cells of all of them."""
        laid = []
        for block in ranges(len(wanted.starts), 1, BLOCK):
            at = wanted.standardised(block)[:, _places(wanted.length)]
            low, high = (np.floor((at + by) / WIDTH).astype(np.int64) for by in (-NEAR - ROUNDING, NEAR + ROUNDING))
            row, keys, firsts = np.arange(len(at)), np.zeros(len(at), dtype=np.int64), np.empty(0, dtype=np.int64)
            for place, factor in enumerate(_factors()):
                edge = (low != high)[row, place]
                both = factor * low[row, place], factor * high[row[edge], place]
                firsts = np.concatenate([firsts, firsts[edge]]) if place >= FIRST else firsts
                keys = np.concatenate([keys + both[0], keys[edge] + both[1]])
                firsts = keys if place == FIRST - 1 else firsts
                row = np.concatenate([row, row[edge]])
            laid.append((keys, firsts, row + block.start))
        keys, firsts, rows = (np.concatenate(of) for of in zip(*laid, strict=True))
        order = np.argsort(keys)
        return cls(wanted.length, keys[order], firsts[order], rows[order])

    def keep(self, left: NDArray[np.bool_]) -> None:
        """Go on with some of the stretches (n,) alone."""
        of = left[self.rows]
        self.keys, self.firsts, self.rows = self.keys[of], self.firsts[of], self.rows[of]
        self.__post_init__()


def _are_equal(
    wanted: Stretches, rows: Ints, stretches: Floats, varies: NDArray[np.bool_], of: Ints
) -> NDArray[np.bool_]:
    """Which of the pairs (wanted `rows`, `stretches[of]`) are equal: place by place, with fewer pairs at each."""
    equal = np.zeros(len(rows), dtype=bool)
    for block in ranges(len(rows), wanted.length):
        mine = of[block]
        distinct, at = np.unique(rows[block], return_inverse=True)
        theirs = wanted.standardised(distinct)
        left = np.flatnonzero(varies[mine])
        for place in range(wanted.length):
            left = left[np.abs(theirs[at[left], place] - stretches[mine[left], place]) <= NEAR]
        equal[left + block.start] = True
    return equal


def _cells(panel: Panel, table: _Table) -> Iterator[tuple[Ints, Ints]]:
    """Where the stretches of a panel start that could be in the table, and the keys of their cells, in blocks.

    All series are walked through as one, in steps of a block; what runs over the end of a series is left out. Those
    that do not vary are nowhere.
    """
    values, offsets, length = panel.values, panel.offsets, table.length
    places, factors = _places(length), _factors()
    for block in ranges(len(values) - length + 1, 1, BLOCK):
        y = values[block.start : block.stop + length - 1].copy()
        n = len(y) - length + 1
        first, last = np.searchsorted(offsets, (block.start, block.start + len(y) - 1), side="right") - 1
        begins = np.maximum(offsets[first : last + 1] - block.start, 0)
        begins = begins[np.diff(begins, append=len(y)) > 0]
        sizes = np.diff(begins, append=len(y))
        # near 0 variances lose few digits
        y -= np.repeat(np.add.reduceat(y, begins) / sizes, sizes)
        inside = np.ones(n, dtype=bool)
        for begin in range(1, length):
            over = begins[1:] - begin
            inside[over[(over >= 0) & (over < n)]] = False
        mean, square = sliding(y, length) / length, sliding(y * y, length) / length
        variance = square - mean * mean
        # where a level hides what varies the quick way is not good enough
        quick = variance > 1e-6 * square
        scale = 1 / (WIDTH * np.sqrt(np.where(quick, variance, 1.0)))
        keys = np.zeros(n, dtype=np.int64)
        for place, factor in zip(places[:FIRST], factors[:FIRST], strict=True):
            keys += factor * np.floor((y[place : place + n] - mean) * scale).astype(np.int64)
        starts = np.flatnonzero(inside & quick & table.may_hold(keys))
        keys = keys[starts]
        for place, factor in zip(places[FIRST:], factors[FIRST:], strict=True):
            keys += factor * np.floor((y[starts + place] - mean[starts]) * scale[starts]).astype(np.int64)
        slow = np.flatnonzero(inside & ~quick)
        exact, varies = standardised(values[positions(slow + block.start, length)])
        others = np.floor(exact[varies][:, places] / WIDTH).astype(np.int64) @ factors
        let_go(values)
        yield np.concatenate([starts, slow[varies]]) + block.start, np.concatenate([keys, others])


def sliding(y: Floats, length: int) -> Floats:
    """Sums of `length` neighbours each (n − L + 1,), by doubling: no value far away has a part in them."""
    n, total, at, power, width = len(y) - length + 1, None, 0, y, 1
    while True:
        if length & width:
            piece = power[at : at + n]
            total = piece.copy() if total is None else total + piece
            at += width
        if at == length:
            assert total is not None
            return total
        power = power[:-width] + power[width:]
        width *= 2


def _places(length: int) -> Ints:
    """The places of a stretch that name its cell."""
    return np.linspace(0, length - 1, PLACES).round().astype(np.int64)


def _factors() -> Ints:
    return np.random.default_rng(0).integers(-(2**62), 2**62, PLACES) | 1


def positions(starts: Ints, length: int) -> Ints:
    return starts[:, None] + np.arange(length)


def turned(stretches: Floats, turn: Ints) -> Floats:
    """Stretches (n, L) of mean 0, each turned as the number in `TURNS` says (n,)."""
    ordered = np.where(turn[:, None] & 2, stretches[:, ::-1], stretches)
    return np.asarray(np.where(turn[:, None] & 1, -ordered, ordered))


def _is_distinct(windows: Floats) -> NDArray[np.bool_]:
    """Which windows (n, L) have no missing value and enough different ones (n,)."""
    ordered = np.sort(windows, axis=1)
    return np.asarray(np.isfinite(windows).all(1) & ((np.diff(ordered, axis=1) != 0).sum(1) + 1 >= LEAST_DISTINCT))


def standardised(windows: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Windows (n, L) with mean 0 and standard deviation 1, and which of them vary at all (n,)."""
    centred = windows - windows.mean(1, keepdims=True)
    deviation = centred.std(1)
    varies = deviation > 1e-9 * np.abs(windows).max(1)
    return centred / np.where(varies, deviation, 1.0)[:, None], varies
