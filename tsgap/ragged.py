"""Rows of different lengths end to end in one flat array: gathered and bridged without an index of all values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap import blocks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: From so many values on, on average, rows are copied one after the other; shorter ones by an index, block by block.
_WORTH_A_SLICE = 64


def offsets_of(lengths: Ints | Sequence[int]) -> Ints:
    """Offsets (N + 1,) of rows of these lengths (N,) in a flat array."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, dtype=np.int64, out=offsets[1:])
    return offsets


def spans(begins: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    """Positions of the values of rows that begin at `begins` in a flat array, and the offsets of those rows.

    As many numbers as there are values: for a block of them. `gathered` needs none.
    """
    offsets = offsets_of(lengths)
    return np.repeat(begins - offsets[:-1], lengths) + np.arange(offsets[-1]), offsets


def row_blocks(offsets: Ints, width: int = 1, most: int | None = None) -> Iterator[slice]:
    """Consecutive slices of rows, at least one row each, so that `width` numbers for each value are a block at most.

    A block is of `most` numbers, of as many as are worked on at once where that is None; see `tsgap.blocks.ranges`.
    """
    first, n, most = 0, len(offsets) - 1, (blocks.size() if most is None else most) // width
    while first < n:
        last = int(np.searchsorted(offsets, offsets[first] + most, side="right")) - 1
        last = min(max(last, first + 1), n)
        yield slice(first, last)
        first = last


def gathered(values: Floats, begins: Ints, lengths: Ints) -> tuple[Floats, Ints]:
    """Copies of the rows that begin at `begins` (N,) in a flat array and are `lengths` (N,) long, and their offsets."""
    offsets = offsets_of(lengths)
    out = blocks.room(int(offsets[-1]))
    if not len(out):
        return out, offsets
    # rows that follow each other are one run
    joined = np.flatnonzero(begins[1:] != begins[:-1] + lengths[:-1]) + 1
    starts = np.concatenate([[0], joined])
    stops = np.append(joined, len(lengths))
    if len(out) >= _WORTH_A_SLICE * len(starts):
        copied, most = 0, blocks.size()
        sources = zip(begins[starts].tolist(), offsets[starts].tolist(), offsets[stops].tolist(), strict=True)
        for begin, start, stop in sources:
            for at in range(start, stop, most):
                end = min(at + most, stop)
                out[at:end] = values[begin + at - start : begin + end - start]
                copied += end - at
                if copied >= most:
                    blocks.let_go(values, out)
                    copied = 0
        return out, offsets
    for rows in row_blocks(offsets):
        out[offsets[rows.start] : offsets[rows.stop]] = values[spans(begins[rows], lengths[rows])[0]]
        if len(out) > blocks.size():
            blocks.let_go(values, out)
    return out, offsets


def summed(values: NDArray[Any], begins: Ints, stops: Ints) -> NDArray[Any]:
    """Sums of the values from each of `begins` (N,) up to its stop in a flat array, 0 where there is none.

    Both rise, and no stop lies after the next begin.
    """
    out = np.zeros(len(begins), dtype=values.dtype)
    full = np.flatnonzero(stops > begins)
    if len(full):
        # every other sum is of what lies between a stop and the next begin
        edges = np.stack([begins[full], stops[full]], axis=1).ravel()
        out[full] = np.add.reduceat(values, edges[:-1] if edges[-1] == len(values) else edges)[::2]
    return out


def by_length(values: Floats, offsets: Ints) -> Iterator[tuple[Ints, Floats]]:
    """Rows of equal length as matrices (K, L) of `blocks.size()` values at most, or one row: row numbers and values.

    Empty rows are in none. What numpy gives for a row of such a matrix is what it gives for the row alone.
    """
    lengths = np.diff(offsets)
    for length in np.unique(lengths[lengths > 0]).tolist():
        rows = np.flatnonzero(lengths == length)
        for s in blocks.ranges(len(rows), length):
            here = rows[s]
            yield here, gathered(values, offsets[here], lengths[here])[0].reshape(len(here), length)
    blocks.let_go(values)


def missing_at(values: Floats) -> Ints:
    """Positions of the values that are missing, rising."""
    found = [np.flatnonzero(np.isnan(values[s])) + s.start for s in blocks.passed(values)]
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def _runs(missing: Ints) -> tuple[Ints, Ints]:
    """First position of each run of missing values, and the first one after it."""
    breaks = np.flatnonzero(np.diff(missing) > 1)
    firsts = np.concatenate([missing[:1], missing[breaks + 1]])
    return firsts, np.concatenate([missing[breaks], missing[-1:]]) + 1


def leading(missing: Ints, offsets: Ints) -> Ints:
    """How many values of each row are missing before its first known one (N,); all of them where it has none.

    `missing` are the positions of all missing values of the flat array, rising.
    """
    lengths = np.diff(offsets)
    out = np.zeros(len(lengths), dtype=np.int64)
    if not len(missing):
        return out
    firsts, afters = _runs(missing)
    run = np.searchsorted(firsts, offsets[:-1], side="right") - 1
    rows = np.flatnonzero((run >= 0) & (afters[run] > offsets[:-1]))
    out[rows] = np.minimum(afters[run[rows]], offsets[rows + 1]) - offsets[rows]
    return out


def bridged(values: Floats, missing: Ints, at: Ints, ends: Ints | int) -> Floats:
    """Values for the positions `at` (K,) among all that are `missing` in a flat array, each seen from before its end.

    Linear between the known values on either side; where the next known one lies at or after the end, the last
    known one. There must be a known value before every position, in its own row.
    """
    firsts, afters = _runs(missing)
    run = np.searchsorted(firsts, at, side="right") - 1
    left, right = firsts[run] - 1, afters[run]
    out: Floats = values[left].copy()
    inside = np.flatnonzero(right < ends)
    a, b = left[inside], right[inside]
    out[inside] += (values[b] - values[a]) / (b - a) * (at[inside] - a)
    return out
