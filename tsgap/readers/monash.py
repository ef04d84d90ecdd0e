"""The text format of the Monash archive (.tsf): a header of attributes, then one series a line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap.errors import DataError
from tsgap.frequency import WIDTHS, canonical, parts
from tsgap.panel import STEP
from tsgap.readers.columns import Long
from tsgap.readers.stamps import Stamps
from tsgap.readers.tables import Table, check_text

_FREQUENCIES = {
    "yearly": "YS", "half_yearly": "2QS", "quarterly": "QS", "monthly": "MS", "weekly": "W", "daily": "D",
    "hourly": "h", "half_hourly": "30min", "10_minutes": "10min", "minutely": "min", "4_seconds": "4s",
    "seconds": "s", "secondly": "s",
}  # fmt: skip

_START = re.compile(r"(\d{4}-\d{2}-\d{2})(?: (\d{2})-(\d{2})-(\d{2}))?")

#: Calendar units of numpy that stamps of these frequencies are counted in.
_UNITS = {"YS-JAN": ("Y", 1), "2QS-JAN": ("M", 6), "QS-JAN": ("M", 3), "MS": ("M", 1)}


def read_tsf(path: Path) -> tuple[Long, str]:
    """The long form of a .tsf file and its frequency (``"step"`` where the header states none).

    ``?`` is a missing value. Start stamps of months, quarters and years are put to the start of theirs (noted);
    where there are none, series start at 1970-01-01 (noted). Raises DataError with the line of the first fault.
    """
    raw = path.read_bytes()
    where = str(path)
    check_text(raw, where)
    header, rows = _split(raw.decode("utf-8-sig"), where)
    attributes = [tuple(a.split(None, 1)) for a in header.get("attribute", [])]
    names = [a[0] for a in attributes]
    stated = header.get("frequency", [""])[0].strip().lower()
    freq = canonical(_FREQUENCIES.get(stated, stated.replace("_", ""))) if stated else STEP
    notes: list[str] = []
    ids: list[str] = []
    starts: list[np.datetime64] = []
    rows_of: list[NDArray[Any]] = []
    for number, row in rows:
        fields = row.split(":")
        if len(fields) != len(names) + 1:
            raise DataError(f"{where}: line {number}: {len(fields) - 1} attributes, the header names {len(names)}")
        given = dict(zip(names, fields, strict=False))
        ids.append(given.get("series_name", str(len(ids))))
        if "start_timestamp" in given:
            starts.append(_start(given["start_timestamp"], where, number))
        rows_of.append(_values(fields[-1], where, number))
    if len(set(ids)) < len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise DataError(f"{where}: the series {twice!r} is there twice")
    lengths = np.array([len(p) for p in rows_of])
    step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    if freq == STEP:
        stamps = step
    else:
        if not starts:
            notes.append("the file has no start stamps: every series starts at 1970-01-01")
            starts = [np.datetime64("1970-01-01", "s")] * len(ids)
        stamps, freq = _stamps(np.array(starts), freq, np.repeat(np.arange(len(ids)), lengths), step, notes)
    codes = np.repeat(np.arange(len(ids)), lengths)
    import pandas as pd

    table = Table(pd.DataFrame(), where, notes=tuple(notes))
    return Long(table, tuple(ids), codes, Stamps(stamps), np.concatenate(rows_of), notes=tuple(notes)), freq


def _split(text: str, where: str) -> tuple[dict[str, list[str]], list[tuple[int, str]]]:
    """The header's words and the numbered lines of data."""
    header: dict[str, list[str]] = {}
    lines = list(enumerate(text.splitlines(), start=1))
    for at, (_, line) in enumerate(lines):
        word, _, rest = line.strip().partition(" ")
        if word.lower() == "@data":
            rows = [(n, row.strip()) for n, row in lines[at + 1 :] if row.strip() and not row.startswith("#")]
            if not rows:
                raise DataError(f"{where}: no series after @data")
            return header, rows
        if word.startswith("@"):
            header.setdefault(word[1:].lower(), []).append(rest.strip())
        elif word and not word.startswith("#"):
            raise DataError(f"{where}: data before @data: not a .tsf file")
    raise DataError(f"{where}: no line @data: not a .tsf file")


def _start(text: str, where: str, line: int) -> np.datetime64:
    found = _START.fullmatch(text.strip())
    try:
        if found is None or not 1678 <= int(text[:4]) <= 2261:
            raise ValueError(text)
        return np.datetime64(f"{found[1]}T{found[2] or '00'}:{found[3] or '00'}:{found[4] or '00'}", "s")
    except ValueError as err:
        raise DataError(f"{where}: line {line}: start stamp {text!r} is not of the form 1979-01-01 00-00-00") from err


def _values(text: str, where: str, line: int) -> NDArray[Any]:
    fields = [f.strip() for f in text.split(",")]
    try:
        values = np.array(["nan" if f == "?" else f for f in fields], dtype=np.float64)
    except ValueError as err:
        raise DataError(f"{where}: line {line}: {err}; missing values are written '?'") from err
    if np.isinf(values).any():
        raise DataError(f"{where}: line {line}: an infinite value, number {int(np.argmax(np.isinf(values))) + 1}")
    return values


def _stamps(
    starts: NDArray[Any], freq: str, codes: NDArray[Any], step: NDArray[Any], notes: list[str]
) -> tuple[NDArray[Any], str]:
    """Stamps of all values (R,), and the frequency with its weekday where it is weekly."""
    if freq in _UNITS:
        unit, many = _UNITS[freq]
        first = starts.astype(f"datetime64[{unit}]")
        if many > 1:
            first = first - (first.astype(np.int64) % many).astype(f"timedelta64[{unit}]")
        moved = int((first.astype("datetime64[s]") != starts).sum())
        if moved:
            notes.append(f"{moved} start stamps were put to the start of their step of {freq!r}")
        stamps = first[codes] + (step * many).astype(f"timedelta64[{unit}]")
        return stamps.astype("datetime64[ns]"), freq
    if freq.startswith("W-"):
        days = starts.astype("datetime64[D]").astype(np.int64)
        weekday = (days[0] + 3) % 7
        back = (days + 3 - weekday) % 7
        if back.any():
            notes.append(f"{int((back > 0).sum())} start stamps were put back to the weekday of the first series")
        freq = f"W-{('MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN')[weekday]}"
        stamps = (days - back).astype("datetime64[D]")[codes] + (7 * step).astype("timedelta64[D]")
        return stamps.astype("datetime64[ns]"), freq
    many, unit, _ = parts(freq)
    if unit not in WIDTHS:
        raise DataError(f"a .tsf file of frequency {freq!r} cannot be read")
    return starts.astype("datetime64[ns]")[codes] + (step * many * WIDTHS[unit]).astype("timedelta64[ns]"), freq
