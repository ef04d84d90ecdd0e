"""A data set as a Parquet file, written in groups of rows: what a frame written at once would be."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tsgap import blocks
from tsgap.panel import Dataset
from tsgap.ragged import offsets_of
from tsgap.readers import ReadOptions, read_real
from tsgap.readers.writing import long_frame, write_long


def made(freq: str, *, rows: int = 12, longest: int = 30, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest, rows)
    values = rng.normal(size=lengths.sum())
    values[rng.random(len(values)) < 0.2] = np.nan
    offsets = offsets_of(lengths.tolist())
    values[offsets[:-1]] = 1.0
    if freq == "step":
        starts = rng.integers(0, 9, rows)
    else:
        starts = pd.date_range("2023-12-30", periods=9, freq=freq).to_numpy()[rng.integers(0, 9, rows)]
    keys = tuple(f"s{i:02d}" for i in range(rows))
    return Dataset("made", values, offsets, keys, starts, freq, (3,))


@pytest.mark.parametrize("freq", ["D", "h", "15min", "W-MON", "MS", "QE-DEC", "B", "step"])
@pytest.mark.parametrize("size", ["1", "100", ""])
def test_groups_of_rows_hold_what_the_frame_does(
    freq: str, size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(blocks.VARIABLE, size)
    data = made(freq)
    data = replace(data, groups={"shop": tuple("ab" * 6)}, weights=np.arange(12.0))
    write_long(data, tmp_path / "rows.parquet")
    long_frame(data).to_parquet(tmp_path / "frame.parquet", index=False)
    ours, theirs = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("rows", "frame"))
    pd.testing.assert_frame_equal(ours, theirs)
    assert (
        pq.ParquetFile(tmp_path / "rows.parquet").metadata.num_row_groups
        in {"1": (12,), "100": (6, 7, 8, 9), "": (1,)}[size]
    )


@pytest.mark.parametrize("freq", ["D", "h", "MS", "step"])
def test_what_was_written_is_read_again(freq: str, tmp_path: Path) -> None:
    data = made(freq)
    data = data.take(np.flatnonzero(data.lengths > 3))
    write_long(data, tmp_path / "rows.parquet")
    back = read_real(tmp_path / "rows.parquet", options=ReadOptions(season_length=(3,)))
    assert back.fingerprint == data.fingerprint


def test_a_file_is_written_without_the_whole_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = made("h", rows=400, longest=1000)
    monkeypatch.setenv(blocks.VARIABLE, "20000")
    write_long(data.take([0]), tmp_path / "rows.parquet")
    tracemalloc.start()
    try:
        write_long(data, tmp_path / "rows.parquet")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.5 * data.values.nbytes + 1e6, peak
