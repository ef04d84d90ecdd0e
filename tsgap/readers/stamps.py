"""Stamps as text, dates, periods or whole numbers to one array, with nothing guessed about day and month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsgap.errors import DataError
from tsgap.readers.tables import Table

if TYPE_CHECKING:
    import pandas as pd

# Years that fit nanoseconds since 1970.
_FIRST, _LAST = 1678, 2261

_WHOLE = re.compile(r"[+-]?\d{1,18}")
_QUARTER = re.compile(r"(\d{4})-?[Qq]([1-4])")
_DATE = re.compile(
    r"(\d{4})[-/](\d{1,2})(?:[-/](\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?"
    r" ?(Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?)?"
)


@dataclass(frozen=True, eq=False)
class Stamps:
    """Stamps of all rows (R,): `values` datetime64[ns] (UTC where they have a zone) or int64.

    `wall` holds the local wall time of stamps with a zone, None for others.
    """

    values: NDArray[Any]
    wall: NDArray[Any] | None = None

    @property
    def dated(self) -> bool:
        """Whether they are dates, not whole numbers."""
        return self.values.dtype.kind == "M"


def read_stamps(column: pd.Series[Any], table: Table) -> Stamps:
    """Stamps of a column: ISO dates (`2024-01-31 23:00`, `2024/1/31`, `2024-01`, `2024Q1`) or whole numbers.

    Raises DataError for missing stamps, for anything else than the above, and where some have a zone and some not.
    """
    import pandas as pd

    missing = np.flatnonzero(column.isna().to_numpy())
    if len(missing):
        raise DataError(
            f"{table.where}: {len(missing)} stamps of column {column.name!r} are missing, first in "
            f"{table.place(int(missing[0]))}"
        )
    dtype = column.dtype
    if isinstance(dtype, pd.PeriodDtype):
        return Stamps(_nanoseconds(column.dt.to_timestamp(how="start"), table))
    if isinstance(dtype, pd.DatetimeTZDtype):
        return Stamps(
            _nanoseconds(column.dt.tz_convert("UTC").dt.tz_localize(None), table),
            _nanoseconds(column.dt.tz_localize(None), table),
        )
    if dtype.kind == "M":
        return Stamps(_nanoseconds(column, table))
    if pd.api.types.is_bool_dtype(dtype):
        raise DataError(f"{table.where}: column {column.name!r} holds truth values, not stamps")
    if pd.api.types.is_integer_dtype(dtype):
        return Stamps(checked_integers(column.to_numpy(dtype=np.int64), column.name, table.where))
    if pd.api.types.is_float_dtype(dtype):
        floats = column.to_numpy(dtype=np.float64)
        odd = np.flatnonzero((floats != np.floor(floats)) | (np.abs(floats) > 2**53))
        if len(odd):
            raise _not_a_stamp(column.name, floats[odd[0]], len(odd), table, int(odd[0]))
        return Stamps(checked_integers(floats.astype(np.int64), column.name, table.where))
    codes, texts = pd.factorize(column)
    parsed = _parse([str(t).strip() for t in texts], codes, column.name, table)
    return Stamps(parsed.values[codes], None if parsed.wall is None else parsed.wall[codes])


#: The usual forms, which numpy reads all at once; 0 stands for a digit, a blank also for T.
_PLAIN = ("0000-00-00", "0000-00-00 00:00", "0000-00-00 00:00:00")


def _plain(texts: list[str]) -> NDArray[Any] | None:
    """Stamps where all texts have one of the usual forms, else None."""
    table = np.array(texts)
    width = table.dtype.itemsize // 4
    template = next((t for t in _PLAIN if len(t) == width), None)
    if template is None:
        return None
    points = table.view(np.uint32).reshape(len(texts), width)
    for i, letter in enumerate(template):
        column = points[:, i]
        if letter == "0":
            fits = (column >= ord("0")) & (column <= ord("9"))
        else:
            fits = (column == ord(letter)) | ((letter == " ") & (column == ord("T")))
        if not fits.all():
            return None
    years = (points[:, :4].astype(np.int64) - ord("0")) @ np.array([1000, 100, 10, 1])
    if years.min() < _FIRST or years.max() > _LAST:
        return None
    try:
        return table.astype("datetime64[s]").astype("datetime64[ns]")
    except ValueError:
        return None


def _parse(texts: list[str], codes: NDArray[Any], name: object, table: Table) -> Stamps:
    if all(map(_WHOLE.fullmatch, texts)):
        return Stamps(checked_integers(np.array([int(t) for t in texts], dtype=np.int64), name, table.where))
    plain = _plain(texts)
    if plain is not None:
        return Stamps(plain)
    found = [_DATE.fullmatch(t) or _QUARTER.fullmatch(t) for t in texts]
    odd = [i for i, f in enumerate(found) if f is None]
    if odd:
        row = int(np.flatnonzero(codes == odd[0])[0])
        raise _not_a_stamp(name, texts[odd[0]], int(np.isin(codes, odd).sum()), table, row)
    zoned = [f is not None and f.re is _DATE and f[8] is not None for f in found]
    if any(zoned) and not all(zoned):
        raise DataError(
            f"{table.where}: {sum(zoned)} distinct stamps of column {name!r} have a time zone and "
            f"{len(zoned) - sum(zoned)} have none, first {texts[zoned.index(False)]!r}; give all of them one or none"
        )
    wall = np.empty(len(texts), dtype="datetime64[ns]")
    ahead = np.zeros(len(texts), dtype="timedelta64[m]")
    for i, match in enumerate(found):
        assert match is not None
        try:
            wall[i], ahead[i] = _moment(match)
        except ValueError as err:
            raise _not_a_stamp(name, texts[i], 1, table, int(np.flatnonzero(codes == i)[0])) from err
    return Stamps(wall - ahead, wall) if any(zoned) else Stamps(wall)


def _moment(match: re.Match[str]) -> tuple[np.datetime64, np.timedelta64]:
    none = np.timedelta64(0, "m")
    if match.re is _QUARTER:
        return np.datetime64(f"{_year(match[1])}-{3 * int(match[2]) - 2:02d}-01", "ns"), none
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    text = f"{_year(year)}-{int(month):02d}-{int(day or 1):02d}T{int(hour or 0):02d}:{minute or '00'}:{second or '00'}"
    wall = np.datetime64(f"{text}.{(fraction or '0').ljust(9, '0')}", "ns")
    if zone in (None, "Z", "UTC"):
        return wall, none
    digits = zone[1:].replace(":", "").ljust(4, "0")
    minutes = 60 * int(digits[:2]) + int(digits[2:])
    return wall, np.timedelta64(-minutes if zone[0] == "-" else minutes, "m")


def _year(text: str) -> str:
    # numpy would wrap around without a word.
    if not _FIRST <= int(text) <= _LAST:
        raise ValueError(f"the year {text} does not fit a stamp in nanoseconds")
    return text


def checked_integers(values: NDArray[np.int64], name: object, where: str) -> NDArray[np.int64]:
    """Whole numbers as they are, unless they are dates written without dashes."""
    distinct = np.unique(values)
    for form, month, year in (
        ("YYYYMMDD", distinct // 100 % 100, distinct // 10_000),
        ("YYYYMM", distinct % 100, distinct // 100),
    ):
        calendar = (month >= 1) & (month <= 12) & (year >= 1800) & (year <= 2200)
        if form == "YYYYMMDD":
            calendar &= (distinct % 100 >= 1) & (distinct % 100 <= 31)
        if calendar.all() and len(np.unique(year * 12 + month)) > 1:
            raise DataError(
                f"{where}: stamps of column {name!r} look like dates written as {form} ({distinct[0]} to "
                f"{distinct[-1]}), which would be read as whole numbers with gaps; write them with dashes"
            )
    return values


def _nanoseconds(column: pd.Series[Any], table: Table) -> NDArray[Any]:
    try:
        return column.astype("datetime64[ns]").to_numpy()
    except ValueError as err:
        raise DataError(f"{table.where}: stamps of column {column.name!r} outside the years 1678 to 2261") from err


def _not_a_stamp(name: object, value: object, count: int, table: Table, row: int) -> DataError:
    shown = str(value)
    year = re.match(r"(\d{4})-\d{2}-\d{2}\b", shown)
    if year and not 1678 <= int(year[1]) <= 2261:
        return DataError(
            f"{table.where}: {count} stamps of column {name!r} are outside the years 1678 to 2261 (or no dates), first "
            f"{shown!r} in {table.place(row)}"
        )
    hint = "; day and month cannot be told apart" if re.match(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}", shown) else ""
    return DataError(
        f"{table.where}: {count} stamps of column {name!r} are neither ISO dates (like 2024-01-31 or "
        f"2024-01-31 23:00) nor whole numbers, first {shown!r} in {table.place(row)}{hint}"
    )
