"""Series made up for the benchmarks: a season, an autoregression and noise, in arrays or in a Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

#: Steps of one season and numpy's step, by the name of a frequency.
STEPS = {"h": (24, np.timedelta64(1, "h")), "D": (7, np.timedelta64(1, "D")), "QS": (4, np.timedelta64(3, "M"))}
#: Series that lie in one row group of a file.
TOGETHER = 1000


def series(count: int, length: int, season: int, *, seed: int, first: int = 0) -> NDArray[np.float64]:
    """Series `first` to `first + count` (count, length), all above 0; each is the same whatever the others are."""
    chance = [np.random.default_rng([seed, i]) for i in range(first, first + count)]
    phase, level, size = np.array([one.random(3) for one in chance]).T[..., None]
    level, size = 50 + 50 * level, 1 + 2 * size
    memory = lfilter([1.0], [1.0, -0.7], [one.standard_normal(length) for one in chance], axis=1)
    time = np.arange(length) / season + phase
    return np.maximum(level + 4 * size * np.sin(2 * np.pi * time) + size * memory, 1.0)


def stamps(length: int, freq: str) -> NDArray[np.datetime64]:
    """The first `length` stamps (length,) from January 2001."""
    return (np.datetime64("2001-01") + STEPS[freq][1] * np.arange(length)).astype("datetime64[ms]")


def frame(count: int, length: int, freq: str, *, seed: int = 0) -> Any:
    """The series as a data frame `unique_id, ds, y`."""
    import pandas as pd

    return pd.concat([table.to_pandas() for table in _tables(count, length, freq, seed)], ignore_index=True)


def file(path: Path, count: int, length: int, freq: str, *, seed: int = 0) -> Path:
    """The series as a Parquet file, row group by row group: only one of them is in memory."""
    import pyarrow.parquet as pq

    writer = None
    for table in _tables(count, length, freq, seed):
        writer = writer or pq.ParquetWriter(path, table.schema, use_dictionary=["unique_id", "ds"])
        writer.write_table(table)
    if writer:
        writer.close()
    return path


def _tables(count: int, length: int, freq: str, seed: int) -> Any:
    import pyarrow as pa

    when = stamps(length, freq)
    for first in range(0, count, TOGETHER):
        n = min(TOGETHER, count - first)
        values = series(n, length, STEPS[freq][0], seed=seed, first=first)
        names = pa.array([f"s{i:06d}" for i in range(first, first + n)])
        ids = pa.DictionaryArray.from_arrays(np.repeat(np.arange(n, dtype=np.int32), length), names)
        columns = {"unique_id": ids.cast(pa.string()), "ds": np.tile(when, n), "y": values.ravel()}
        yield pa.table(columns)
