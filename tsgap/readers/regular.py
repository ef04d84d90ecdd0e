"""Parquet rows to a data set batch by batch, where every series steps evenly; all else is read as a whole table."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap import blocks
from tsgap.errors import DataError
from tsgap.frequency import WIDTHS, parts, seasons_for
from tsgap.panel import STEP, Dataset, Floats, Ints, frozen
from tsgap.ragged import gathered, leading, missing_at, offsets_of
from tsgap.readers import grid
from tsgap.readers.assemble import empty_note, gaps_note, leading_note
from tsgap.readers.batches import Batch, Unusual, rows_of
from tsgap.readers.options import ReadOptions
from tsgap.readers.stamps import checked_integers

#: Steps of the calendar that a panel may span here, from its first stamp to its last.
_LONGEST = 10_000_000


@dataclass(frozen=True, eq=False)
class Regular:
    """Series sorted by id, from their first value on, whose stamps are whole multiples of `width` apart.

    `present` are the distinct stamps, those that follow each other after one `width` in one piece. `rows` is how many
    steps have a row, `longest` how many rows the longest series has; `sparse`: some series never has two neighbours.
    """

    where: str
    values: Floats
    offsets: Ints
    keys: tuple[str, ...]
    starts: Ints
    width: int
    dated: bool | None
    present: grid.Sorted
    rows: int
    longest: int
    sparse: bool
    notes: tuple[str, ...]


def read_regular(path: Path, options: ReadOptions, *, stamps_needed: bool = True) -> Regular | None:
    """What a Parquet file or folder holds, None where it is not as plain as that (nothing is said of why)."""
    if not (path.is_dir() or path.suffix.lower() in (".parquet", ".pq")):
        return None
    import pyarrow as pa

    try:
        rows = rows_of(path, options, stamps_needed=stamps_needed)
        found = _Found(blocks.room(rows.n))
        for batch in rows:
            found.add(batch)
        return _laid_out(found, str(path), tuple(rows.ids), rows.dated, rows.notes)
    except (Unusual, DataError, pa.ArrowException, OSError, ValueError):
        return None
    finally:
        # what the batches took would be kept for more of them
        pa.default_memory_pool().release_unused()


def regular_dataset(found: Regular, *, name: str, options: ReadOptions, freq: str | None) -> Dataset | None:
    """The data set of what was found, None where its frequency is not that of its steps, or gaps are refused."""
    try:
        wanted = freq or (None if found.sparse or found.longest < 2 else grid.infer(found.present))
        if wanted is None or not _is_width(wanted, found.width, dated=bool(found.dated)):
            return None
        steps = np.diff(grid.steps(found.present, wanted, given=True))[found.present.inner]
    except DataError:
        return None
    missing = len(missing_at(found.values))
    if (steps != 1).any() or (missing and options.missing == "error"):
        return None
    total = len(found.values)
    return Dataset(
        name=name,
        values=frozen(found.values),
        offsets=found.offsets,
        keys=found.keys,
        starts=found.starts.astype("datetime64[ns]") if found.dated else found.starts,
        freq=wanted,
        seasons=options.season_length or seasons_for(wanted),
        notes=(*found.notes, *gaps_note(missing, total, total - found.rows)),
    )


def _is_width(freq: str, width: int, *, dated: bool) -> bool:
    if freq == STEP or not dated:
        return freq == STEP and not dated and width == 1
    many, unit, _ = parts(freq)
    return many * (WIDTHS["D"] * 7 if unit == "W" else WIDTHS.get(unit, 0)) == width


@dataclass(eq=False)
class _Found:
    """What the batches until now held: values in the order of the file, and of each id what its rows say."""

    values: Floats
    at: int = 0
    width: int | None = None
    mixed: bool = False
    latest: int = -1
    start: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    last: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    count: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    appeared: list[Ints] = field(default_factory=list)
    runs: list[tuple[NDArray[np.int32], NDArray[np.unsignedinteger]]] = field(default_factory=list)
    #: Where rows are missing: number of the id, of the row after the gap, and how many steps are.
    holes: list[tuple[Ints, Ints, Ints]] = field(default_factory=list)

    def add(self, batch: Batch) -> None:
        """Take in the next rows; `Unusual` where a stamp is not after the one before it in its series."""
        n = len(batch.y)
        self.values[self.at : self.at + n] = batch.y
        blocks.let_go(self.values)
        codes, stamps = batch.codes, batch.stamps
        firsts = _firsts(codes)
        lengths = np.diff(np.append(firsts, n))
        self.runs.append((codes[firsts].astype(np.int32), lengths.astype(np.min_scalar_type(int(lengths.max())))))
        if np.bincount(codes[firsts]).max() > 1:
            self.mixed = True
            order = np.argsort(codes, kind="stable")
            codes, stamps = codes[order], None if stamps is None else stamps[order]
            firsts = _firsts(codes)
            lengths = np.diff(np.append(firsts, n))
        owners = codes[firsts]
        self._grow(int(owners.max()) + 1)
        known = self.count[owners] > 0
        # only the first series of a batch may go on from the one before
        self.mixed |= bool(known[1:].any()) or bool(known[0] and owners[0] != self.latest)
        self.appeared.append(owners[~known])
        if stamps is not None:
            self.start[owners[~known]] = stamps[firsts[~known]]
            self._step(codes, stamps, firsts, owners, known)
            self.last[owners] = stamps[firsts + lengths - 1]
        self.count[owners] += lengths
        self.at += n
        self.latest = int(batch.codes[-1])

    def _step(self, codes: Ints, stamps: Ints, firsts: Ints, owners: Ints, known: NDArray[np.bool_]) -> None:
        before = np.empty_like(stamps)
        before[1:] = stamps[:-1]
        before[firsts] = self.last[owners]
        gaps = stamps - before
        inner = np.ones(len(gaps), dtype=bool)
        inner[firsts[~known]] = False
        real = gaps[inner]
        if not len(real):
            return
        if real.min() < 1:
            raise Unusual
        if self.width is None:
            widths, counts = np.unique(real, return_counts=True)
            self.width = int(widths[np.argmax(counts)])
        odd = np.flatnonzero(inner & (gaps != self.width))
        if len(odd):
            if (gaps[odd] % self.width).any():
                raise Unusual
            place = odd - firsts[np.searchsorted(firsts, odd, side="right") - 1]
            self.holes.append((codes[odd], self.count[codes[odd]] + place, gaps[odd] // self.width - 1))

    def _grow(self, n: int) -> None:
        if n > len(self.count):
            more = np.zeros(max(n, 2 * len(self.count)) - len(self.count), dtype=np.int64)
            self.start, self.last, self.count = (np.append(a, more) for a in (self.start, self.last, self.count))


def _firsts(codes: NDArray[np.integer[Any]]) -> Ints:
    """Where each run of equal numbers begins."""
    return np.concatenate([[0], np.flatnonzero(codes[1:] != codes[:-1]) + 1])


def _laid_out(found: _Found, where: str, ids: tuple[str, ...], dated: bool | None, notes: tuple[str, ...]) -> Regular:
    """Series sorted by id, from their first value on, with a missing value for every step that has no row."""
    if found.at < len(found.values):
        raise Unusual
    order = np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)
    values, offsets = _sorted(found, order)
    counts, starts = np.diff(offsets), found.start[order]
    width = 1 if dated is None or found.width is None else found.width
    row, before, extra = _holes(found, order)
    if dated is False:
        distinct = _present(where, starts, counts, width, dated, (row, before, extra)).stamps
        checked_integers(distinct, "", where)
    # rows before the first value of a series
    lead = leading(missing_at(values), offsets)
    kept = np.flatnonzero(lead < counts)
    if not len(kept):
        raise Unusual
    keys = tuple(ids[order[i]] for i in kept.tolist())
    if lead.any():
        notes += empty_note([ids[order[i]] for i in np.flatnonzero(lead == counts).tolist()])
        notes += leading_note(int(lead[kept].sum()))
        values, offsets = gathered(values, offsets[kept] + lead[kept], (counts - lead)[kept])
        counts = np.diff(offsets)
        early = before <= lead[row]
        starts = (starts + width * (lead + _sums(row[early], extra[early], len(lead))))[kept]
        number = np.full(len(lead), -1)
        number[kept] = np.arange(len(kept))
        inside = ~early & (number[row] >= 0)
        row, before, extra = number[row[inside]], (before - lead[row])[inside], extra[inside]
    gaps, n_holes = counts - 1, np.bincount(row, minlength=len(keys))
    if 2 * len(row) >= gaps.sum() and len(row):
        raise Unusual
    sparse = bool(((gaps >= 2) & (n_holes == gaps)).any())
    present = _present(where, starts, counts, width, dated, (row, before, extra))
    rows, longest = len(values), int(counts.max())
    if len(row):
        values, offsets = _widened(values, offsets, row, before, extra)
    return Regular(where, values, offsets, keys, starts, width, dated, present, rows, longest, sparse, notes)


def _sorted(found: _Found, order: Ints) -> tuple[Floats, Ints]:
    """Values series by series in this order, those of a series in the order of the file; and their offsets."""
    counts = found.count[: len(order)]
    offsets = offsets_of(counts[order])
    if not found.mixed:
        appeared = np.concatenate(found.appeared)
        if np.array_equal(appeared, order):
            return found.values, offsets
        begins = np.empty_like(order)
        begins[appeared] = offsets_of(counts[appeared])[:-1]
        return gathered(found.values, begins[order], counts[order])
    out = blocks.room(len(found.values))
    free = np.empty_like(order)
    free[order] = offsets[:-1]
    at = 0
    for runs, lengths in found.runs:
        codes = np.repeat(runs, lengths)
        by_code = np.argsort(codes, kind="stable")
        ordered = codes[by_code]
        firsts = _firsts(ordered)
        sizes = np.diff(np.append(firsts, len(codes)))
        owners = ordered[firsts]
        out[np.repeat(free[owners] - firsts, sizes) + np.arange(len(codes))] = found.values[at : at + len(codes)][
            by_code
        ]
        free[owners] += sizes
        at += len(codes)
        blocks.let_go(found.values)
    blocks.let_go(out)
    return out, offsets


def _holes(found: _Found, order: Ints) -> tuple[Ints, Ints, Ints]:
    """Of every place where rows are missing: the series, the number of its row after it, the steps; in order."""
    if not found.holes:
        none = np.empty(0, dtype=np.int64)
        return none, none, none
    codes, before, extra = (np.concatenate(part) for part in zip(*found.holes, strict=True))
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    sort = np.lexsort((before, number[codes]))
    return number[codes][sort], before[sort], extra[sort]


def _present(
    where: str, starts: Ints, counts: Ints, width: int, dated: bool | None, holes: tuple[Ints, Ints, Ints]
) -> grid.Sorted:
    """The distinct stamps of all series; `Unusual` where they do not lie on one grid."""
    row, before, extra = holes
    first, off = np.divmod(starts - starts.min(), width)
    ends = first + counts + _sums(row, extra, len(starts))
    if off.any() or first.min() < 0 or ends.max() > _LONGEST:
        raise Unusual
    # how many series begin, less how many end, at every step
    change = np.zeros(int(ends.max()) + 1, dtype=np.int64)
    np.add.at(change, first, 1)
    np.add.at(change, ends, -1)
    if len(row):
        total = np.cumsum(extra) - extra
        begins = np.flatnonzero(np.diff(row, prepend=-1))
        passed = total - np.repeat(total[begins], np.diff(np.append(begins, len(row))))
        gap = first[row] + before + passed
        np.add.at(change, gap, -1)
        np.add.at(change, gap + extra, 1)
    steps = np.flatnonzero(np.cumsum(change) > 0)
    pieces = np.concatenate([[0], np.flatnonzero(np.diff(steps) > 1) + 1, [len(steps)]])
    stamps = starts.min() + steps * width
    # what is wrong with them is said of the whole table: a piece needs no name, only a place for one
    return grid.Sorted(stamps.view("datetime64[ns]") if dated else stamps, pieces, ("",) * (len(pieces) - 1), where)


def _sums(rows: Ints, values: Ints, n: int) -> Ints:
    out = np.zeros(n, dtype=np.int64)
    np.add.at(out, rows, values)
    return out


def _widened(values: Floats, offsets: Ints, row: Ints, before: Ints, extra: Ints) -> tuple[Floats, Ints]:
    """The values with missing ones where rows are missing, and the offsets then."""
    places = offsets[row] + before
    wide = offsets_of(np.diff(offsets) + _sums(row, extra, len(offsets) - 1))
    if wide[-1] > _LONGEST and wide[-1] > 100 * len(values):
        raise Unusual
    out = blocks.room(int(wide[-1]))
    for s in blocks.passed(out):
        out[s] = np.nan
    passed = 0
    for s in blocks.passed(values):
        low, high = np.searchsorted(places, [s.start, s.stop])
        shift = np.zeros(s.stop - s.start, dtype=np.int64)
        shift[places[low:high] - s.start] = extra[low:high]
        at = np.cumsum(shift) + passed + np.arange(s.start, s.stop)
        out[at] = values[s]
        blocks.let_go(out)
        passed += int(shift.sum())
    return out, wide
