"""Long rows to a data set: sorted, on a full grid, with everything that was repaired in its notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap.errors import DataError
from tsgap.frequency import WIDTHS, family, parts, seasons_for
from tsgap.panel import STEP, Dataset, Floats, Ints, frozen
from tsgap.readers import grid
from tsgap.readers.columns import Long
from tsgap.readers.options import ReadOptions
from tsgap.readers.stamps import Stamps

_EPOCH = np.datetime64(0, "ns")


def assemble(long: Long, *, name: str, options: ReadOptions, freq: str | None = None) -> Dataset:
    """The data set of long rows with stamps, on a full grid of their frequency.

    `freq` overrules the options; None in both: inferred. Raises DataError for duplicate stamps, stamps off the
    grid, a panel without any value, and missing values where `options.missing` is ``"error"``.
    """
    assert long.stamps is not None
    notes = list(long.notes)
    order, long = _sorted(long, notes)
    stamps, freq = _stamps_and_freq(long, freq or options.freq, notes)
    rows = _Rows(long.codes, stamps, long.y)
    _check_duplicates(rows, order, long)
    rows, kept = _trimmed(rows, long, notes)
    offsets = _offsets(rows.codes, len(kept))
    ids = tuple(long.ids[i] for i in kept)
    on_grid = grid.Sorted(rows.stamps, offsets, ids, long.table.where)
    freq_given = freq is not None
    freq = freq if freq is not None else grid.infer(on_grid)
    ordinals = grid.steps(on_grid, freq, given=freq_given)
    values, ends = _laid_out(rows.y, ordinals, offsets, freq, long.table.where)
    missing, stepped = int(np.isnan(values).sum()), len(values) - len(rows.y)
    notes += gaps_note(missing, len(values), stepped)
    if missing and options.missing == "error":
        row = int(np.searchsorted(ends, int(np.flatnonzero(np.isnan(values))[0]), side="right")) - 1
        raise DataError(
            f"{long.table.where}: {missing} of {len(values)} steps have no value, first in series {ids[row]!r}; "
            "missing values were to be refused"
        )
    return Dataset(
        name=name,
        values=values,
        offsets=ends,
        keys=ids,
        starts=rows.stamps[offsets[:-1]],
        freq=freq,
        seasons=options.season_length or seasons_for(freq),
        groups={k: tuple(v[i] for i in kept) for k, v in long.groups.items()},
        weights=None if long.weights is None else long.weights[kept],
        notes=tuple(notes),
    )


def assemble_like(long: Long, *, name: str, like: Dataset, options: ReadOptions) -> Dataset:
    """The data set of synthetic long rows: the stamps need only be regular, frequency and seasons are those of `like`.

    Raises DataError where the stamps have another frequency than `like`.
    """
    options = replace(options, season_length=like.seasons)
    note: tuple[str, ...] = ()
    if long.stamps is None:
        count = np.bincount(long.codes, minlength=len(long.ids))
        order = np.argsort(long.codes, kind="stable")
        at = np.empty(len(order), dtype=np.int64)
        at[order] = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
        long = replace(long, stamps=Stamps(at))
        note = NO_STAMPS
    assert long.stamps is not None
    if not long.stamps.dated:
        read = assemble(replace(long, stamps=_unit_steps(long)), name=name, options=options, freq=STEP)
    else:
        longest = int(np.bincount(long.codes, minlength=1).max())
        read = assemble(long, name=name, options=options, freq=own_freq(longest, like, options))
    return alike(replace(read, notes=(*note, *read.notes)), like, where=long.table.where)


#: The note of synthetic rows without stamps.
NO_STAMPS = ("no stamps: the rows of a series were taken in their order",)


def own_freq(longest: int, like: Dataset, options: ReadOptions) -> str | None:
    """The frequency of dated synthetic rows, of which a series has `longest` at most; None where it is inferred."""
    if options.freq is None and longest < 2:
        return None if like.freq == STEP else like.freq
    return options.freq


def alike(read: Dataset, like: Dataset, *, where: str) -> Dataset:
    """Synthetic series with the frequency and seasons of `like`; DataError where their dates have another frequency."""
    if STEP not in (read.freq, like.freq) and family(read.freq) != family(like.freq):
        raise DataError(
            f"{where}: synthetic stamps have frequency {read.freq!r}, the real ones {like.freq!r}; "
            "make them equal, or leave the stamps out (or number them 0, 1, 2, …)"
        )
    starts = read.starts
    if (like.freq == STEP) != (read.freq == STEP):
        starts = np.zeros(len(read), dtype=np.int64 if like.freq == STEP else "datetime64[ns]")
    elif like.freq != STEP and read.freq != like.freq:
        # Another day of the month or week: the grid of `like` cannot hold these stamps, and nothing needs them.
        starts = np.full(len(read), _EPOCH)
    return replace(read, freq=like.freq, seasons=like.seasons, starts=starts)


@dataclass(frozen=True, eq=False)
class _Rows:
    codes: Ints
    stamps: NDArray[Any]
    y: Floats

    def where(self, mask: NDArray[Any]) -> _Rows:
        return _Rows(self.codes[mask], self.stamps[mask], self.y[mask])


def _sorted(long: Long, notes: list[str]) -> tuple[Ints, Long]:
    assert long.stamps is not None
    order = np.lexsort((long.stamps.values.astype(np.int64), long.codes))
    back = int(((np.diff(order) < 0) & (np.diff(long.codes[order]) == 0)).sum())
    if back:
        notes.append(f"{back} rows stood before one with an earlier stamp; sorted")
    wall = long.stamps.wall
    stamps = Stamps(long.stamps.values[order], None if wall is None else wall[order])
    return order, replace(long, codes=long.codes[order], y=long.y[order], stamps=stamps)


def _stamps_and_freq(long: Long, freq: str | None, notes: list[str]) -> tuple[NDArray[Any], str | None]:
    """Stamps without a zone: UTC where the frequency is below a day, else wall time."""
    assert long.stamps is not None
    stamps = long.stamps
    if freq is not None and (freq == STEP) == stamps.dated:
        found = "dates" if stamps.dated else "whole numbers"
        raise DataError(f"{long.table.where}: the frequency is {freq!r} but the stamps are {found}")
    if stamps.wall is None:
        return stamps.values, freq
    if freq is not None:
        many, unit, _ = parts(freq)
        daily = unit not in WIDTHS or many * WIDTHS[unit] >= WIDTHS["D"]
    else:
        gaps = np.diff(stamps.values.astype(np.int64))[np.diff(long.codes) == 0]
        widths, counts = np.unique(gaps, return_counts=True)
        # A day with a change of clocks has 23 hours.
        daily = not len(widths) or int(widths[np.argmax(counts)]) >= 23 * WIDTHS["h"]
    notes.append("stamps have a time zone: " + ("local wall time is used" if daily else "put into UTC"))
    return (stamps.wall if daily else stamps.values), freq


def _check_duplicates(rows: _Rows, order: Ints, long: Long) -> None:
    twice = np.flatnonzero((np.diff(rows.codes) == 0) & (np.diff(rows.stamps.astype(np.int64)) == 0)) + 1
    if len(twice):
        named = ", ".join(
            f"{long.ids[rows.codes[i]]!r} {grid.shown(rows.stamps[i])} ({long.table.place(int(order[i]))})"
            for i in twice[:5]
        )
        more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
        hint = "; if there are several series, name their column with --id-col" if len(long.ids) == 1 else ""
        raise DataError(f"{long.table.where}: {len(twice)} stamps are there twice: {named}{more}{hint}")


def _trimmed(rows: _Rows, long: Long, notes: list[str]) -> tuple[_Rows, Ints]:
    """Rows from the first value of each series on, numbered anew, and which series have any."""
    there = np.flatnonzero(~np.isnan(rows.y))
    if not len(there):
        raise DataError(f"{long.table.where}: no row has a value")
    first = np.full(len(long.ids), len(rows.y))
    np.minimum.at(first, rows.codes[there], there)
    kept = np.flatnonzero(first < len(rows.y))
    mask = np.arange(len(rows.y)) >= first[rows.codes]
    empty = [long.ids[i] for i in np.flatnonzero(first == len(rows.y))]
    leading = int((~mask).sum() - np.isin(rows.codes, np.flatnonzero(first == len(rows.y))).sum())
    notes += empty_note(empty) + leading_note(leading)
    rows = rows.where(mask)
    number = np.full(len(long.ids), -1)
    number[kept] = np.arange(len(kept))
    return replace(rows, codes=number[rows.codes]), kept


def empty_note(ids: Sequence[str]) -> tuple[str, ...]:
    """The note that series without a value were left out, where there are any."""
    if not ids:
        return ()
    return (f"{len(ids)} series have no value at all and were left out: {_names(ids)}",)


def leading_note(count: int) -> tuple[str, ...]:
    """The note that so many rows before the first value of their series were left out, where there are any."""
    return (f"{count} rows without a value before the first one of their series were left out",) if count else ()


def gaps_note(missing: int, total: int, without_row: int) -> tuple[str, ...]:
    """The note that steps have no value, where there are any."""
    if not missing:
        return ()
    return (f"{missing} of {total} steps have no value ({without_row} of them had no row)",)


def _laid_out(y: Floats, ordinals: Ints, offsets: Ints, freq: str, where: str) -> tuple[Floats, Ints]:
    lengths = ordinals[offsets[1:] - 1] + 1
    total = int(lengths.sum())
    if total > 10_000_000 and total > 100 * len(y):
        raise DataError(f"{where}: {len(y)} rows lie on {total} steps of {freq!r}; that cannot be their frequency")
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = np.full(total, np.nan)
    values[np.repeat(ends[:-1], np.diff(offsets)) + ordinals] = y
    return frozen(values), ends


def _offsets(codes: Ints, n: int) -> Ints:
    return np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=n))]).astype(np.int64)


def _unit_steps(long: Long) -> Stamps:
    """Whole-number stamps divided by the distance that most of them have."""
    assert long.stamps is not None
    order = np.lexsort((long.stamps.values, long.codes))
    codes, values = long.codes[order], long.stamps.values[order]
    gaps, counts = np.unique(np.diff(values)[np.diff(codes) == 0], return_counts=True)
    width = int(gaps[np.argmax(counts)]) if len(gaps) else 1
    if width < 2:
        return long.stamps
    off = np.flatnonzero((long.stamps.values - long.stamps.values[0]) % width)
    if len(off):
        raise DataError(
            f"{long.table.where}: most whole-number stamps are {width} apart, {len(off)} are not, first "
            f"{long.stamps.values[off[0]]} in {long.table.place(int(off[0]))}"
        )
    return Stamps((long.stamps.values - long.stamps.values[0]) // width)


def _names(ids: Sequence[str]) -> str:
    return ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
