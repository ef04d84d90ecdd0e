"""Parquet read batch by batch gives what reading the whole table gives, in values, notes and errors."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tsgap import blocks
from tsgap.errors import TsgapError
from tsgap.panel import Dataset
from tsgap.readers import ReadOptions, read_real, read_synthetic, real, synthetic
from tsgap.readers.regular import read_regular, regular_dataset


def long(freq: str = "D", *, rows: int = 8, seed: int = 0, start: str = "2024-01-06") -> pd.DataFrame:
    """Series that begin at different times and are of different lengths, sorted by name and stamp."""
    rng = np.random.default_rng(seed)
    days = pd.date_range(start, periods=60, freq=freq)
    parts = []
    for i in range(rows):
        begin, length = rng.integers(0, 20), rng.integers(5, 40)
        stamps = days[begin : begin + length]
        parts.append(pd.DataFrame({"unique_id": f"s{i}", "ds": stamps, "y": rng.normal(size=length).round(3)}))
    return pd.concat(parts, ignore_index=True)


def holes(frame: pd.DataFrame, share: float = 0.2, seed: int = 1) -> pd.DataFrame:
    return frame[np.random.default_rng(seed).random(len(frame)) >= share].reset_index(drop=True)


def with_gaps(frame: pd.DataFrame, share: float = 0.3, seed: int = 2) -> pd.DataFrame:
    """Values missing, at the beginning of every other series and in between, and a series without any."""
    rng = np.random.default_rng(seed)
    frame = frame.copy()
    frame.loc[rng.random(len(frame)) < share, "y"] = np.nan
    first = frame.groupby("unique_id").cumcount()
    frame.loc[(first < 3) & frame["unique_id"].isin(["s1", "s3", "s5"]), "y"] = np.nan
    frame.loc[frame["unique_id"] == "s4", "y"] = np.nan
    return frame


def numbered(frame: pd.DataFrame, step: int = 1) -> pd.DataFrame:
    days = (frame["ds"] - frame["ds"].min()).dt.days
    return frame.assign(ds=5 + step * days)


def changed(column: str, row: int, value: Any, frame: pd.DataFrame | None = None) -> pd.DataFrame:
    frame = long() if frame is None else frame.copy()
    frame.loc[row, column] = value
    return frame


def weekdays(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["ds"].dt.dayofweek < 5].reset_index(drop=True)


#: Read in batches.
PLAIN: dict[str, Callable[[], pd.DataFrame]] = {
    "daily": long,
    "hourly": lambda: long("h"),
    "every 15 minutes": lambda: long("15min"),
    "every Monday": lambda: long("W-MON"),
    "every other Monday": lambda: long("2W-MON"),
    "numbered": lambda: numbered(long()),
    "numbered with holes": lambda: numbered(holes(long())),
    "numbered with gaps": lambda: numbered(with_gaps(long())),
    "the ids in another order": lambda: long().sort_values("unique_id", ascending=False, kind="stable"),
    "one time after the other": lambda: long().sort_values(["ds", "unique_id"]),
    "ids dealt out": lambda: long().sample(frac=1, random_state=0).sort_values("ds", kind="stable"),
    "with holes": lambda: holes(long()),
    "with holes, one time after the other": lambda: holes(long()).sort_values(["ds", "unique_id"]),
    "with gaps": lambda: with_gaps(long()),
    "with gaps and holes": lambda: holes(with_gaps(long())),
    "with gaps and holes in another order": lambda: holes(with_gaps(long())).sort_values(["ds", "unique_id"]),
    "numbers as ids": lambda: long(rows=12).assign(unique_id=lambda f: f["unique_id"].str[1:].astype(int)),
    "categories as ids": lambda: long().astype({"unique_id": "category"}),
    "categories that no row has": lambda: (
        long().astype({"unique_id": "category"}).query("unique_id != 's3'").reset_index(drop=True)
    ),
    "whole numbers as values": lambda: long().assign(y=range(len(long()))),
    "small whole numbers": lambda: long().assign(y=np.arange(len(long()), dtype=np.int16)),
    "single precision": lambda: long().astype({"y": "float32"}),
    "milliseconds": lambda: long().astype({"ds": "datetime64[ms]"}),
    "days as dates": lambda: long().assign(ds=lambda f: f["ds"].dt.date),
    "columns that nobody needs": lambda: long().assign(price=1.0, shop="a"),
    "stamps in the index": lambda: long().set_index(["unique_id", "ds"]),
    "an index without a name": lambda: long().set_index(np.arange(len(long())) * 2),
    "one series without an id": lambda: long(rows=1).drop(columns="unique_id"),
    "one series": lambda: long(rows=1),
    "two columns in another order": lambda: long()[["y", "unique_id", "ds"]],
}
#: Read as a whole table.
OTHERS: dict[str, Callable[[], pd.DataFrame]] = {
    "monthly": lambda: long("MS"),
    "business days": lambda: long("B"),
    "daily but for the weekends": lambda: weekdays(long()),
    "backwards": lambda: long()[::-1],
    "a stamp twice": lambda: pd.concat([long(), long()[:1]]),
    "a stamp off the grid": lambda: changed("ds", 7, pd.Timestamp("2024-01-20 05:00")),
    "the last stamp five hours late": lambda: changed("ds", len(long()) - 1, pd.Timestamp("2024-03-15 05:00")),
    "every other day in one series": lambda: pd.concat([long(), long("2D").assign(unique_id="other")]),
    "mostly holes": lambda: holes(long(), 0.8),
    "an infinite value": lambda: changed("y", 11, np.inf),
    "no value": lambda: long().assign(y=np.nan),
    "no rows": lambda: long()[:0],
    "a missing id": lambda: changed("unique_id", 3, None),
    "a missing stamp": lambda: changed("ds", 3, None),
    "text as values": lambda: long().assign(y="a"),
    "truth as values": lambda: long().assign(y=True),
    "numbers too large": lambda: long().assign(y=2**53 + 1),
    "with a time zone": lambda: long().assign(ds=lambda f: f["ds"].dt.tz_localize("Europe/Berlin")),
    "stamps as text": lambda: long().assign(ds=lambda f: f["ds"].astype(str)),
    "dates as numbers": lambda: long().assign(ds=lambda f: f["ds"].dt.strftime("%Y%m%d").astype(int)),
    "every other number": lambda: numbered(long(), 2),
    "fractions as ids": lambda: long().assign(unique_id=1.5),
    "no values": lambda: long().drop(columns="y"),
    "no stamps": lambda: long().drop(columns="ds"),
    "one row a series": lambda: long().groupby("unique_id", as_index=False).first(),
}
ASKED = {
    "nothing": ReadOptions(),
    "daily": ReadOptions(freq="D"),
    "hourly": ReadOptions(freq="h"),
    "Sundays": ReadOptions(freq="W-SUN"),
    "months": ReadOptions(freq="MS"),
    "steps": ReadOptions(freq="step", season_length=(7,)),
    "a season": ReadOptions(season_length=(7,)),
    "no gaps": ReadOptions(missing="error", season_length=(7,)),
}


@pytest.fixture(params=["40", pytest.param("1000", marks=pytest.mark.slow), ""])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(blocks.VARIABLE, request.param)
    return str(request.param)


def told(read: Callable[[], Dataset]) -> tuple[Any, ...]:
    """Everything that reading says: the data set, or the error."""
    try:
        data = read()
    except TsgapError as err:
        return type(err), str(err)
    arrays = (data.values.tobytes(), data.offsets.tolist(), data.starts.dtype, data.starts.tolist())
    return (*arrays, data.name, data.keys, data.freq, data.seasons, data.notes, data.fingerprint)


def as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (real, synthetic):
        monkeypatch.setattr(module, "read_regular", lambda *_, **__: None)


LIKE = numbered(long(seed=5)), long(seed=5), long("W-MON", seed=5)


@pytest.mark.parametrize("case", [*PLAIN, *OTHERS])
def test_batches_say_what_the_whole_table_says(
    case: str, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "some.parquet"
    (PLAIN | OTHERS)[case]().to_parquet(path)
    likes = [read_real(frame, options=ReadOptions(season_length=(7,))) for frame in LIKE]
    reads = [lambda asked=asked: read_real(path, options=asked) for asked in ASKED.values()]
    reads += [
        lambda like=like, asked=asked: read_synthetic(path, name="x", like=like, options=asked)[0]
        for like in likes
        for asked in (ReadOptions(), ReadOptions(freq="D"))
    ]
    found = [told(read) for read in reads]
    as_a_whole(monkeypatch)
    for read, batched in zip(reads, found, strict=True):
        assert batched == told(read)


@pytest.mark.parametrize("case", [*PLAIN, *OTHERS])
def test_what_is_plain_is_read_in_batches_and_the_rest_is_not(case: str, tmp_path: Path) -> None:
    path = tmp_path / "some.parquet"
    (PLAIN | OTHERS)[case]().to_parquet(path)
    found = read_regular(path, ReadOptions())
    asked = ReadOptions(season_length=(7,))
    data = None if found is None else regular_dataset(found, name="x", options=asked, freq=None)
    assert (data is not None) == (case in PLAIN)


def test_rows_without_stamps_are_taken_in_their_order(block: str, tmp_path: Path) -> None:
    frame = with_gaps(long()).sort_values(["ds", "unique_id"]).drop(columns="ds")
    frame.to_parquet(tmp_path / "a.parquet")
    like = read_real(LIKE[1])
    (found,) = read_synthetic(tmp_path / "a.parquet", name="x", like=like)
    (expected,) = read_synthetic(frame, name="x", like=like)
    assert told(lambda: found) == told(lambda: expected)
    assert found.notes[0].startswith("no stamps")


def test_a_folder_of_files_is_one_panel(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = with_gaps(long())
    for i, part in enumerate((frame[:33], frame[33:100], frame[100:])):
        part.reset_index(drop=True).to_parquet(tmp_path / f"{i}.parquet")
    found = told(lambda: read_real(tmp_path))
    assert read_regular(tmp_path, ReadOptions()) is not None
    as_a_whole(monkeypatch)
    assert found == told(lambda: read_real(tmp_path))


@pytest.mark.parametrize("other", [{"y": "float32"}, {"unique_id": "category"}])
def test_files_of_other_types_are_read_as_a_whole(
    other: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long()[:33].to_parquet(tmp_path / "0.parquet")
    long()[33:].reset_index(drop=True).astype(other).to_parquet(tmp_path / "1.parquet")
    assert read_regular(tmp_path, ReadOptions()) is None
    found = told(lambda: read_real(tmp_path))
    as_a_whole(monkeypatch)
    assert found == told(lambda: read_real(tmp_path))


def test_parts_of_a_folder_that_are_named_by_a_column_are_read_as_a_whole(tmp_path: Path) -> None:
    pq.write_to_dataset(pa.Table.from_pandas(long()), tmp_path / "parts", partition_cols=["unique_id"])
    assert read_regular(tmp_path / "parts", ReadOptions()) is None
    assert read_real(tmp_path / "parts").fingerprint == read_real(long()).fingerprint


def test_groups_weights_and_wide_tables_are_read_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "some.parquet"
    long().assign(shop="a", size=1.0).to_parquet(path)
    for asked in (ReadOptions(groups=("shop",)), ReadOptions(weights="size"), ReadOptions(wide=True)):
        assert read_regular(path, asked) is None
    assert read_real(path, options=ReadOptions(groups=("shop",))).groups == {"shop": ("a",) * 8}


def test_other_names_of_columns_are_honoured(tmp_path: Path) -> None:
    path = tmp_path / "some.parquet"
    long().rename(columns={"unique_id": "shop", "ds": "day", "y": "sold"}).to_parquet(path)
    asked = ReadOptions(id_col="shop", time_col="day", target_col="sold")
    assert read_regular(path, asked) is not None
    assert read_real(path, options=asked).fingerprint == read_real(long()).fingerprint
    assert read_regular(path, ReadOptions()) is None


@pytest.mark.parametrize("by", [["unique_id", "ds"], ["ds", "unique_id"]])
def test_a_file_is_never_in_memory_as_a_whole(by: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, length = 400, 500
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([f"s{i:03d}" for i in range(rows)], length),
            "ds": np.tile(pd.date_range("2024-01-01", periods=length), rows),
            "y": np.random.default_rng(0).normal(size=rows * length),
        }
    ).sort_values(by)
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=10_000)
    monkeypatch.setenv(blocks.VARIABLE, "20000")
    read_real(tmp_path / "a.parquet")
    tracemalloc.start()
    pool = pa.default_memory_pool()
    try:
        data = read_real(tmp_path / "a.parquet")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # one array for rows series by series; else a second one, and which series each row is of
    assert peak < (1.4 if by[0] == "unique_id" else 3.2) * data.values.nbytes, peak
    assert pool.bytes_allocated() < data.values.nbytes
