"""Tables to one long form: series codes, stamps, values and static columns, each checked."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsgap.errors import DataError
from tsgap.panel import Floats, Ints
from tsgap.readers.options import ReadOptions
from tsgap.readers.stamps import Stamps, read_stamps
from tsgap.readers.tables import EXACT, Table, precision_note

if TYPE_CHECKING:
    import pandas as pd

#: The column that every missing-id table is given.
SINGLE = "series"


@dataclass(frozen=True, eq=False)
class Long:
    """Rows (R,) in any order: `codes` number the series in `ids`, `stamps` is None where there are none."""

    table: Table
    ids: tuple[str, ...]
    codes: Ints
    stamps: Stamps | None
    y: Floats
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    weights: Floats | None = None
    notes: tuple[str, ...] = ()


def read_long(table: Table, options: ReadOptions, *, stamps_needed: bool = True) -> Long:
    """The long form of a table `unique_id, ds, y`; without an id column it is a single series."""
    table = replace(table, frame=_columns_from_index(table.frame, options))
    frame, notes = table.frame, list(table.notes)
    if options.target_col not in frame.columns:
        wide = "; if every column is a series, say --wide" if len(frame.columns) > 2 else ""
        raise unknown_column(table, options.target_col, "values", "--target-col", wide)
    y, found = numbers(frame[options.target_col], table)
    notes += found
    stamps = None
    if options.time_col in frame.columns:
        stamps = read_stamps(frame[options.time_col], table)
    elif stamps_needed or options.time_col != ReadOptions.time_col:
        raise unknown_column(table, options.time_col, "stamps", "--time-col")
    if options.id_col in frame.columns:
        ids, codes = _ids(frame[options.id_col], table)
    elif options.id_col != ReadOptions.id_col:
        raise unknown_column(table, options.id_col, "series", "--id-col")
    else:
        ids, codes = (SINGLE,), np.zeros(len(frame), dtype=np.int64)
    groups = {g: _static_text(g, codes, ids, table) for g in options.groups}
    weights = None if options.weights is None else _static_numbers(options.weights, codes, ids, table)
    used = {options.id_col, options.time_col, options.target_col, options.weights, *options.groups}
    notes += spare_note(str(c) for c in frame.columns if c not in used)
    return Long(table, ids, codes, stamps, y, groups, weights, tuple(notes))


def spare_note(columns: Iterable[str]) -> tuple[str, ...]:
    """The note that columns were not used, where there are any."""
    spare = list(columns)
    more = f" and {len(spare) - 5} more" if len(spare) > 5 else ""
    return (f"columns not used: {', '.join(spare[:5])}{more}",) if spare else ()


def read_wide(table: Table, options: ReadOptions, *, stamps_needed: bool = True) -> Long:
    """The long form of a wide table: a column of stamps (the first, or the one named), each other one a series."""
    if options.groups or options.weights:
        raise DataError(f"{table.where}: a wide table has no static columns; groups and weights need the long format")
    frame = _columns_from_index(table.frame, options)
    table = replace(table, frame=frame)
    time = options.time_col
    if time not in frame.columns:
        if time != ReadOptions.time_col:
            raise unknown_column(table, time, "stamps", "--time-col")
        time = frame.columns[0]
    series = [c for c in frame.columns if c != time]
    if not series:
        raise DataError(f"{table.where}: a wide table needs a column of stamps and one for each series, found {time!r}")
    stamps = read_stamps(frame[time], table)
    notes, parts = list(table.notes), []
    for name in series:
        values, found = numbers(frame[name], table)
        parts.append(values)
        notes += found
    n = len(frame)
    tiled = Stamps(
        np.tile(stamps.values, len(series)), None if stamps.wall is None else np.tile(stamps.wall, len(series))
    )
    codes = np.repeat(np.arange(len(series)), n)
    columns = replace(table, repeat=n)
    return Long(columns, tuple(map(str, series)), codes, tiled, np.concatenate(parts), notes=tuple(notes))


def numbers(column: pd.Series[Any], table: Table) -> tuple[Floats, list[str]]:
    """Values of a column, NaN where missing, and notes about lost precision.

    Raises DataError for text, truth values and infinite numbers, with the first offender.
    """
    import pandas as pd

    name, dtype = str(column.name), column.dtype
    notes: list[str] = []
    if isinstance(dtype, pd.CategoricalDtype):
        column = column.astype(object)
        dtype = column.dtype
    if pd.api.types.is_bool_dtype(dtype) or dtype.kind in "mMc":
        raise DataError(f"{table.where}: column {name!r} must hold numbers, found {dtype}")
    if pd.api.types.is_integer_dtype(dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        big = np.flatnonzero(np.abs(values) >= EXACT)
        lost = [v for v, f in zip(column.iloc[big], values[big], strict=True) if int(v) != int(f)]
        notes += [precision_note(name, len(lost), lost[0])] if lost else []
    elif pd.api.types.is_float_dtype(dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        values = _from_objects(column, name, table)
    odd = np.flatnonzero(np.isinf(values))
    if len(odd):
        raise DataError(
            f"{table.where}: {len(odd)} values of column {name!r} are infinite (or too large for a 64-bit number), "
            f"first in {table.place(int(odd[0]))}"
        )
    return values, notes


def _from_objects(column: pd.Series[Any], name: str, table: Table) -> Floats:
    import pandas as pd

    there = column.notna().to_numpy()
    given = column[there].map(lambda v: v.strip() if isinstance(v, str) else v)
    parsed = pd.to_numeric(given, errors="coerce").to_numpy(dtype=np.float64)
    truth = given.map(lambda v: isinstance(v, bool | np.bool_)).to_numpy(dtype=bool)
    missing_text = given.map(lambda v: isinstance(v, str) and v.lower() == "nan").to_numpy(dtype=bool)
    odd = np.flatnonzero((np.isnan(parsed) & ~missing_text) | truth)
    if len(odd):
        row = int(np.flatnonzero(there)[odd[0]])
        raise DataError(
            f"{table.where}: {len(odd)} values of column {name!r} are not numbers, first {given.iloc[odd[0]]!r} in "
            f"{table.place(row)}; write plain numbers such as 1234.5, and leave missing ones empty"
        )
    values = np.full(len(column), np.nan)
    values[there] = parsed
    return values


def unknown_column(table: Table, asked: str, what: str, option: str, more: str = "") -> DataError:
    """The error that a column is not there, with near names and all names."""
    names = [str(c) for c in table.frame.columns]
    near = difflib.get_close_matches(asked, names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    listed = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return DataError(
        f"{table.where}: no column {asked!r} for the {what}{hint} There are: {listed}; name it with {option}{more}"
    )


def _columns_from_index(frame: pd.DataFrame, options: ReadOptions) -> pd.DataFrame:
    """The frame with those levels of its index as columns that are named like one that is wanted."""
    wanted = {options.id_col, options.time_col} & {n for n in frame.index.names if n is not None}
    levels = [n for n in frame.index.names if n in wanted and n not in frame.columns]
    return frame.reset_index(level=levels) if levels else frame


def _ids(column: pd.Series[Any], table: Table) -> tuple[tuple[str, ...], Ints]:
    """Ids as text, sorted, and the number of each row's id among them."""
    import pandas as pd

    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        raise DataError(
            f"{table.where}: {len(missing)} ids of column {column.name!r} are missing, first in "
            f"{table.place(int(missing[0]))}"
        )
    first, uniques = pd.factorize(column)
    whole = pd.api.types.is_float_dtype(column.dtype) and bool((np.mod(uniques, 1) == 0).all())
    texts = np.array([str(int(u)) if whole else str(u) for u in uniques], dtype=object)
    ids, place = np.unique(texts.astype(str), return_inverse=True)
    if len(ids) < len(texts):
        raise DataError(f"{table.where}: two ids of column {column.name!r} are the same once written as text")
    return tuple(str(i) for i in ids), place.astype(np.int64)[first]


def _static_text(name: str, codes: Ints, ids: tuple[str, ...], table: Table) -> tuple[str, ...]:
    import pandas as pd

    if name not in table.frame.columns:
        raise unknown_column(table, name, "groups", "--group")
    values, uniques = pd.factorize(table.frame[name])
    picked = _constant(values.astype(np.int64), codes, ids, name, table)
    if (picked < 0).any():
        raise DataError(f"{table.where}: series {ids[int(np.argmin(picked))]!r} has no value in column {name!r}")
    return tuple(str(uniques[i]) for i in picked)


def _static_numbers(name: str, codes: Ints, ids: tuple[str, ...], table: Table) -> Floats:
    if name not in table.frame.columns:
        raise unknown_column(table, name, "weights", "--weights")
    values, _ = numbers(table.frame[name], table)
    picked = _constant(values, codes, ids, name, table)
    bad = np.flatnonzero(~(picked >= 0))
    if len(bad):
        raise DataError(
            f"{table.where}: {len(bad)} series have no weight from 0 in column {name!r}, first {ids[bad[0]]!r}"
        )
    if not picked.any():
        raise DataError(f"{table.where}: all weights in column {name!r} are 0")
    return picked.astype(np.float64)


def _constant(values: NDArray[Any], codes: Ints, ids: tuple[str, ...], name: str, table: Table) -> NDArray[Any]:
    """The one value of each series (S,); DataError where a series has several."""
    picked = np.empty(len(ids), dtype=values.dtype)
    picked[codes] = values
    same = (values == picked[codes]) | ((values != values) & (picked[codes] != picked[codes]))
    odd = np.unique(codes[~same])
    if len(odd):
        raise DataError(
            f"{table.where}: column {name!r} must not change within a series; it does in {len(odd)}, first "
            f"{ids[odd[0]]!r}"
        )
    return picked
