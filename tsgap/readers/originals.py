"""The layouts in which publishers keep their data, each put into long rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tsgap.errors import DataError
from tsgap.frequency import WIDTHS, parts
from tsgap.readers import tables
from tsgap.readers.columns import Long, read_long, read_wide
from tsgap.readers.monash import read_tsf
from tsgap.readers.options import ReadOptions
from tsgap.readers.stamps import Stamps

_Reader = Callable[[Sequence[Path], str], Long]


def read_original(reader: str, paths: Sequence[Path], freq: str) -> Long:
    """The long rows of an original in the layout that `reader` names."""
    if reader not in READERS:
        raise DataError(f"no reader is called {reader!r}. There are: {', '.join(sorted(READERS))}")
    return READERS[reader](paths, freq)


def _wide(paths: Sequence[Path], freq: str) -> Long:
    """A column of stamps, each other column a series."""
    (path,) = paths
    return read_wide(tables.read_csv(path, text=(), first_is_text=True), ReadOptions(wide=True))


def _births(paths: Sequence[Path], freq: str) -> Long:
    """Year, month and day in columns of their own, one series."""
    (path,) = paths
    table = tables.read_csv(path, text=())
    f = table.frame
    year, month, day = (f[c].astype(int).astype(str).str.zfill(2) for c in ("year", "month", "date_of_month"))
    frame = f.assign(ds=year + "-" + month + "-" + day, unique_id="births", y=f["births"])[["unique_id", "ds", "y"]]
    return read_long(replace(table, frame=frame), ReadOptions())


def _energy_prices(paths: Sequence[Path], freq: str) -> Long:
    """A file of `Date,Price` for each series: Brent, WTI and Henry Hub, in this order; weekends are left out."""
    import pandas as pd

    frames = []
    for name, path in zip(("brent", "wti", "henry_hub"), paths, strict=True):
        frame = tables.read_csv(path, text=("Date",)).frame
        frames.append(frame.assign(unique_id=name, Date=frame["Date"].astype(str)))
    frame = pd.concat(frames, ignore_index=True)
    weekend = pd.to_datetime(frame["Date"], format="%Y-%m-%d").dt.dayofweek >= 5
    notes = (f"{int(weekend.sum())} rows on weekends were left out",) if weekend.any() else ()
    table = tables.Table(frame[~weekend].reset_index(drop=True), " and ".join(p.name for p in paths), notes=notes)
    return read_long(table, ReadOptions(time_col="Date", target_col="Price"))


def _world_bank(paths: Sequence[Path], freq: str) -> Long:
    """`Country Name,Country Code,Year,Value`, a series for each code."""
    (path,) = paths
    table = tables.read_csv(path, text=("Country Code",))
    frame = table.frame.assign(ds=table.frame["Year"].astype(int).astype(str) + "-01-01")[
        ["Country Code", "ds", "Value"]
    ]
    return read_long(replace(table, frame=frame), ReadOptions(id_col="Country Code", target_col="Value"))


def _sensors(paths: Sequence[Path], freq: str) -> Long:
    """A column a sensor and no stamps: five minutes apart from 2012-03-01."""
    import pandas as pd

    (path,) = paths
    table = tables.read_csv(path, text=())
    stamps = np.datetime64("2012-03-01", "ns") + np.arange(len(table.frame)) * np.timedelta64(5, "m")
    frame = pd.concat([pd.DataFrame({"ds": stamps}), table.frame], axis=1)
    return read_wide(replace(table, frame=frame), ReadOptions(wide=True))


def _m4(paths: Sequence[Path], freq: str) -> Long:
    """Training and test file of M4, a series a line: joined; their invented stamps begin in 1970."""
    import csv

    values: dict[str, list[str]] = {}
    for path in paths:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            next(rows, None)
            for row in rows:
                values.setdefault(row[0], []).extend(v for v in row[1:] if v not in ("", "NA"))
    if not values:
        raise DataError(f"{paths[0]}: there is no series in it")
    lengths = np.array([len(v) for v in values.values()])
    step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    many, unit, _ = parts(freq)
    width = 7 * WIDTHS["D"] if unit == "W" else many * WIDTHS[unit]
    # 1970-01-05 was the first Monday of the epoch.
    start = np.datetime64("1970-01-05" if unit == "W" else "1970-01-01", "ns")
    try:
        y = np.array([v for row in values.values() for v in row], dtype=np.float64)
    except ValueError as err:
        raise DataError(f"{paths[0]}: {err}") from err
    import pandas as pd

    table = tables.Table(pd.DataFrame(), " and ".join(p.name for p in paths))
    ids, place = np.unique(np.array(list(values)), return_inverse=True)
    stamps = start + (step * width).astype("timedelta64[ns]")
    return Long(table, tuple(map(str, ids)), np.repeat(place, lengths), Stamps(stamps), y)


def _tsf(paths: Sequence[Path], freq: str) -> Long:
    (path,) = paths
    return read_tsf(path)[0]


#: Name in a card → layout.
READERS: dict[str, _Reader] = {
    "wide-csv": _wide,
    "births-csv": _births,
    "energy-prices-csv": _energy_prices,
    "world-bank-csv": _world_bank,
    "sensors-csv": _sensors,
    "m4-csv": _m4,
    "tsf": _tsf,
}
