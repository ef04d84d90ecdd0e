"""Which frequency stamps have, and how many steps of it each stamp lies from the start of its series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap.errors import DataError
from tsgap.frequency import WIDTHS, canonical, parts
from tsgap.panel import STEP, Ints

_DAY = WIDTHS["D"]
_NANOSECONDS = "datetime64[ns]"


@dataclass(frozen=True, eq=False)
class Sorted:
    """Stamps (R,) of S series end to end, rising in each; series `i` has rows `offsets[i]` to `offsets[i + 1]`."""

    stamps: NDArray[Any]
    offsets: Ints
    ids: tuple[str, ...]
    where: str

    def series_of(self, row: int) -> str:
        """The id of the series that a row belongs to."""
        return self.ids[int(np.searchsorted(self.offsets, row, side="right")) - 1]

    @property
    def inner(self) -> NDArray[np.bool_]:
        """Which of the R - 1 neighbouring pairs lie within one series."""
        mask = np.ones(max(len(self.stamps) - 1, 0), dtype=bool)
        edges = self.offsets[1:-1] - 1
        mask[edges[(edges >= 0) & (edges < len(mask))]] = False
        return mask


def infer(rows: Sorted) -> str:
    """The frequency that most neighbouring stamps have; `steps` then says whether all of them do.

    Raises DataError where no series has two stamps, and where no frequency fits the most common distance.
    """
    gaps = np.diff(rows.stamps.astype(np.int64))[rows.inner]
    if not len(gaps):
        raise DataError(f"{rows.where}: no series has two values, so the frequency cannot be inferred; give --freq")
    widths, counts = np.unique(gaps, return_counts=True)
    width = int(widths[np.argmax(counts)])
    if rows.stamps.dtype.kind != "M":
        return _whole(rows, width)
    distinct, place = np.unique(rows.stamps, return_inverse=True)
    if width >= 28 * _DAY:
        calendar = _months(distinct, place, rows.inner)
        if calendar:
            return calendar
    if width == 7 * _DAY:
        return f"W-{_weekdays(distinct)[0]}"
    if width == _DAY and _business(distinct):
        return "B"
    unit, size = next((u, w) for u, w in WIDTHS.items() if width % w == 0)
    if unit == "D" and width % (7 * _DAY) == 0:
        return f"{width // (7 * _DAY)}W-{_weekdays(distinct)[0]}"
    return canonical(f"{width // size}{unit}")


def steps(rows: Sorted, freq: str, *, given: bool) -> Ints:
    """Steps (R,) of `freq` from the first stamp of each series.

    Raises DataError for stamps off the grid and, unless the frequency was given, for series whose own steps are
    longer: those have another frequency.
    """
    starts = np.repeat(rows.offsets[:-1], np.diff(rows.offsets))
    if freq == STEP:
        whole = rows.stamps.astype(np.int64)
        ordinals, off = whole - whole[starts], np.zeros(len(whole), dtype=bool)
    else:
        many, unit, anchor = parts(freq)
        if unit in WIDTHS:
            whole = rows.stamps.astype(_NANOSECONDS).astype(np.int64)
            ordinals, rest = np.divmod(whole - whole[starts], many * WIDTHS[unit])
            off = rest != 0
        else:
            whole, off = _calendar(rows, f"{unit}-{anchor}" if anchor else unit)
            ordinals, rest = np.divmod(whole - whole[starts], many)
            off |= rest != 0
    if off.any():
        raise _off_grid(rows, freq, off, given)
    if not given:
        _check_alike(rows, ordinals, freq)
    return ordinals


def _calendar(rows: Sorted, freq: str) -> tuple[Ints, NDArray[np.bool_]]:
    """Numbers of the stamps on the calendar grid of `freq`, and which of them are not on it."""
    import pandas as pd

    distinct, place = np.unique(rows.stamps.astype(_NANOSECONDS), return_inverse=True)
    grid = pd.date_range(distinct[0], distinct[-1], freq=freq).to_numpy().astype(_NANOSECONDS)
    if not len(grid):
        return np.zeros(len(rows.stamps), dtype=np.int64), np.ones(len(rows.stamps), dtype=bool)
    at = np.searchsorted(grid, distinct)
    off = grid[np.minimum(at, len(grid) - 1)] != distinct
    return at.astype(np.int64)[place], off[place]


def _whole(rows: Sorted, width: int) -> str:
    if width != 1:
        raise DataError(
            f"{rows.where}: whole-number stamps must rise by 1 from step to step, most rise by {width}; divide them"
        )
    return STEP


def _months(distinct: NDArray[Any], place: Ints, inner: NDArray[np.bool_]) -> str | None:
    """A frequency of months, quarters or years, where stamps are first or last (business) days of months."""
    import pandas as pd

    stamps = pd.DatetimeIndex(distinct)
    first, last = stamps.to_period("M").to_timestamp(), stamps.to_period("M").to_timestamp(how="end").normalize()
    days = stamps.normalize()
    shares = {
        "S": (days == first).mean(),
        "E": (days == last).mean(),
        "BS": (days == first + pd.offsets.BDay(0)).mean(),
        "BE": (days == (last + pd.Timedelta(days=1)) - pd.offsets.BDay(1)).mean(),
    }
    kind = max(shares, key=lambda k: shares[k])
    # A few that are elsewhere are faults to be named, not another frequency.
    if shares[kind] < 0.9:
        return None
    months = (stamps.year * 12 + stamps.month).to_numpy(dtype=np.int64)
    gaps, counts = np.unique(np.diff(months[place])[inner], return_counts=True)
    width = int(gaps[np.argmax(counts)])
    names = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
    business, side = ("B", kind[-1]) if len(kind) == 2 else ("", kind)
    many, unit = next((width // n, u) for n, u in ((12, "Y"), (3, "Q"), (1, "M")) if width % n == 0)
    if unit == "M":
        return canonical(f"{many}{business}M{side}")
    month = int(np.bincount(stamps.month.to_numpy() - 1).argmax())
    if unit == "Q":
        # One name for the three that mean the same quarter: pandas infers QS-OCT for what QS-JAN says as well.
        month = month % 3 if side == "S" else 9 + month % 3
    return canonical(f"{many}{business}{unit}{side}-{names[month]}")


def _weekdays(distinct: NDArray[Any]) -> list[str]:
    """Days of the week, the most frequent one first."""
    # Day 0 of the epoch was a Thursday.
    days = (distinct.astype("datetime64[D]").astype(np.int64) + 3) % 7
    names = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
    counts = np.bincount(days, minlength=7)
    return [names[i] for i in np.argsort(-counts, kind="stable") if counts[i]]


def _business(distinct: NDArray[Any]) -> bool:
    """Whether days of a span with a weekend in it leave every weekend out."""
    days = distinct.astype("datetime64[D]")
    weekend = (days.astype(np.int64) + 3) % 7 >= 5
    return not weekend.any() and int(np.busday_count(days[0], days[-1])) < int((days[-1] - days[0]).astype(np.int64))


def _check_alike(rows: Sorted, ordinals: Ints, freq: str) -> None:
    """DataError where a series of several stamps never has two that are one step apart."""
    gaps = np.diff(ordinals)
    inner = rows.inner
    owner = np.repeat(np.arange(len(rows.ids)), np.diff(rows.offsets))[:-1][inner]
    gaps = gaps[inner]
    least = np.full(len(rows.ids), np.iinfo(np.int64).max)
    np.minimum.at(least, owner, gaps)
    several = np.bincount(owner, minlength=len(rows.ids)) >= 2
    odd = np.flatnonzero(several & (least > 1))
    if len(odd):
        raise DataError(
            f"{rows.where}: mixed frequencies: most stamps are {freq!r} apart, {len(odd)} series never are, first "
            f"{rows.ids[odd[0]]!r} (at least {least[odd[0]]} steps apart); give --freq, or split the file"
        )


def _off_grid(rows: Sorted, freq: str, off: NDArray[np.bool_], given: bool) -> DataError:
    at = np.flatnonzero(off)
    named = ", ".join(f"{rows.series_of(int(i))!r} {shown(rows.stamps[i])}" for i in at[:5])
    why = f"the given frequency {freq!r}" if given else f"{freq!r}, the frequency of most stamps (mixed frequencies?)"
    more = f" and {len(at) - 5} more" if len(at) > 5 else ""
    advice = "give another --freq, or mend the stamps" if given else "give --freq, or mend the stamps"
    return DataError(f"{rows.where}: {len(at)} stamps are not on the grid of {why}: {named}{more}; {advice}")


def shown(stamp: Any) -> str:
    """A stamp as text, without a time of day where that is midnight."""
    return (
        str(np.datetime_as_string(stamp, unit="s")).replace("T00:00:00", "") if stamp.dtype.kind == "M" else str(stamp)
    )
