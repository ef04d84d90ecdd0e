"""How near the nearest stretch of a panel is to given ones, up to level, slope and scale, at every alignment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsgap.blocks import let_go, ranges
from tsgap.occurrences import positions, sliding
from tsgap.panel import Floats, Ints, Panel

#: Of a stretch that a line explains but for this share of its variance nothing is left to compare.
LINE = 1e-4
#: Pairs of stretches that are compared at once, and how many of the panel these are at least and at most.
_PAIRS, _TOGETHER = 2**19, (512, 8192)


@dataclass(frozen=True, eq=False)
class Nearest:
    """How far the nearest stretch is, and where in the values of the panel it begins (n,); inf and -1 where none is.

    A distance is the root mean square of the difference of two stretches, each with mean 0, slope 0 and standard
    deviation 1: 0 is the same, 1.4 is unrelated.
    """

    distance: Floats
    start: Ints


def flattened(stretches: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Stretches (n, L) with mean 0, slope 0 and standard deviation 1, and of which more than a line is left (n,)."""
    time = _time(stretches.shape[1])
    centred = stretches - stretches.mean(1, keepdims=True)
    left = centred - np.outer(centred @ time, time)
    deviation, whole = left.std(1), centred.std(1)
    varies = (deviation > np.sqrt(LINE) * whole) & (whole > 1e-9 * np.abs(stretches).max(1, initial=0.0))
    return left / np.where(varies, deviation, 1.0)[:, None], varies


def steps_that_count(stretches: Floats) -> Floats:
    """How many steps from value to value make up flattened stretches (n, L): about 1 where it is one jump (n,).

    It is the inverse of the steps' concentration, as one counts effective parts: (sum of squares)² / sum of fourth
    powers. A third of L is noise.
    """
    squares = np.diff(stretches, axis=1) ** 2
    return np.asarray(squares.sum(1) ** 2 / np.maximum((squares**2).sum(1), np.finfo(float).tiny))


def detail(windows: Floats) -> Floats:
    """Root mean square of what a polynomial leaves of windows (n, L): of degree 6, or a quarter of their length (n,).

    Smooth stretches are all alike up to it: between those of unrelated series some are near by chance.
    """
    length = windows.shape[1]
    basis = np.linalg.qr(np.vander(np.linspace(-1.0, 1.0, length), min(6, length // 4) + 1))[0]
    # no matrix product with the windows in a row: its last bit depends on how many come together
    shares = np.einsum("nl,lk->nk", windows, basis)
    return np.asarray(np.sqrt(((windows - np.einsum("nk,lk->nl", shares, basis)) ** 2).mean(1)))


def nearest(stretches: Floats, panel: Panel, *, apart: Sequence[Ints] = ()) -> Nearest:
    """The nearest stretch of a panel to each of some `flattened` ones (n, L).

    It is looked for in single precision, block by block; those of the panel that are a line are nowhere.
    Each of `apart` (n, 2) says which positions of the panel do not count: from its first to before its second number.
    """
    n, length = stretches.shape
    best, at = np.zeros(n, dtype=np.float32), np.full(n, -1, dtype=np.int64)
    wanted = np.asarray(stretches, dtype=np.float32)
    for begin, count in _pieces(len(panel.values) - length + 1 if n else 0, n):
        y, inside = _block(panel, begin, count, length)
        scale, hidden = _scales(y, length)
        windows = np.lib.stride_tricks.sliding_window_view(y.astype(np.float32), length)
        there = np.multiply(windows, np.where(inside, scale, 0.0).astype(np.float32)[:, None])
        if len(slow := np.flatnonzero(inside & hidden)):
            exact, varies = flattened(panel.values[positions(slow + begin, length)])
            there[slow] = exact * varies[:, None]
        alike = wanted @ there.T
        for span in apart:
            _leave_out(alike, span - begin)
        place = alike.argmax(1)
        value = alike[np.arange(n), place]
        better = value > best
        best[better], at[better] = value[better], place[better] + begin
        let_go(panel.values)
    found = np.flatnonzero(at >= 0)
    distance = np.full(n, np.inf)
    for rows in ranges(len(found), length):
        of = found[rows]
        exact, _ = flattened(panel.values[positions(at[of], length)])
        distance[of] = np.sqrt(((exact - stretches[of]) ** 2).mean(1))
    return Nearest(distance, at)


def _leave_out(alike: NDArray[np.float32], span: Ints) -> None:
    first, last = np.clip(span, 0, alike.shape[1]).T
    for row in np.flatnonzero(last > first).tolist():
        alike[row, first[row] : last[row]] = -1.0


def _pieces(n: int, rows: int) -> Iterator[tuple[int, int]]:
    """First number and how many, of n, so that what is compared with so many rows stays close to the processor."""
    size = int(np.clip(_PAIRS // max(rows, 1), *_TOGETHER))
    for begin in range(0, n, size):
        yield begin, min(size, n - begin)


def _block(panel: Panel, begin: int, count: int, length: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Values of a block around the mean of each series there, and which stretches lie within one series."""
    y = panel.values[begin : begin + count + length - 1].copy()
    first, last = np.searchsorted(panel.offsets, (begin, begin + len(y) - 1), side="right") - 1
    begins = np.maximum(panel.offsets[first : last + 1] - begin, 0)
    sizes = np.diff(begins, append=len(y))
    begins, sizes = begins[sizes > 0], sizes[sizes > 0]
    y -= np.repeat(np.add.reduceat(y, begins) / sizes, sizes)
    ends = np.repeat(begins + sizes, sizes)[: len(y) - length + 1]
    return y, np.asarray(np.arange(len(ends)) + length <= ends)


def _scales(y: Floats, length: int) -> tuple[Floats, NDArray[np.bool_]]:
    """One over the standard deviation around a line of each stretch, 0 where it is a line; and where it is hidden (n,).

    Where a level hides what varies, single precision would lose it: the scale is 0 there too.
    """
    first = np.arange(len(y) - length + 1)
    total, square = sliding(y, length), sliding(y * y, length)
    weighted = sliding(y * np.arange(len(y)), length) - (first + (length - 1) / 2) * total
    whole = square - total * total / length
    left = whole - weighted**2 / (length * (length**2 - 1) / 12)
    varies, hidden = left > LINE / 10 * whole, whole <= 1e-6 * square
    if hidden.any():
        hidden &= sliding((np.diff(y) != 0).astype(np.float64), length - 1) > 0
    varies &= (whole > 1e-6 * square) & (whole > 0)
    return np.where(varies, np.sqrt(length / np.where(varies, left, 1.0)), 0.0), hidden


def _time(length: int) -> Floats:
    time = np.arange(length) - (length - 1) / 2
    return np.asarray(time / np.sqrt((time**2).sum()))
