"""Training parts back to files: the long format, and arrays of windows with their normaliser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsgap.errors import DataError, UsageError
from tsgap.panel import STEP, Dataset, Floats, filled
from tsgap.ragged import row_blocks
from tsgap.readers.normaliser import Kind, Normaliser
from tsgap.splits import stamps_at

if TYPE_CHECKING:
    import pandas as pd


def write_long(dataset: Dataset, path: str | Path) -> None:
    """Write `unique_id, ds, y` (and groups and weights) as Parquet or CSV, by the ending; missing values stay missing.

    Reading the file again gives a data set of the same fingerprint, if its series are sorted by name.
    """
    if long_ending(path) == ".csv":
        long_frame(dataset).to_csv(path, index=False)
    else:
        _write_parquet(dataset, path)


def _write_parquet(dataset: Dataset, path: str | Path) -> None:
    """Series after series in groups of rows, of which one at a time is in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    stamp = pa.int64() if dataset.freq == STEP else pa.timestamp("ns")
    columns = {"unique_id": pa.string(), "ds": stamp, "y": pa.float64()}
    columns |= dict.fromkeys(dataset.groups, pa.string())
    if dataset.weights is not None:
        columns["weight"] = pa.float64()
    schema = pa.schema(list(columns.items()))
    with pq.ParquetWriter(path, schema) as out:
        for rows in row_blocks(dataset.offsets, 4):
            out.write_table(pa.table(_columns(dataset, rows), schema=schema))


def _columns(dataset: Dataset, rows: slice) -> dict[str, Any]:
    """The columns of the rows of some series."""
    import pyarrow as pa

    part = dataset.take(np.arange(rows.start, rows.stop))
    of_row = np.repeat(np.arange(len(part)), part.lengths)

    def texts(names: tuple[str, ...]) -> Any:
        return pa.DictionaryArray.from_arrays(pa.array(of_row), pa.array(names, pa.string())).cast(pa.string())

    columns = {"unique_id": texts(part.keys)}
    columns["ds"] = pa.array(stamps_at(part, of_row, np.arange(len(of_row)) - part.offsets[of_row]))
    columns["y"] = pa.array(part.values, from_pandas=True)
    columns |= {group: texts(names) for group, names in part.groups.items()}
    if part.weights is not None:
        columns["weight"] = pa.array(part.weights[of_row])
    return columns


def long_ending(path: str | Path) -> str:
    """The ending of a file that can be written in the long format; `UsageError` for another one."""
    kind = Path(path).suffix.lower()
    if kind not in (".parquet", ".pq", ".csv"):
        raise UsageError(f"{path}: the ending {kind!r} is not one of .parquet, .pq, .csv")
    return kind


def long_frame(dataset: Dataset) -> pd.DataFrame:
    """A data set as a long frame `unique_id, ds, y`, with a column for every group and the weights."""
    import pandas as pd

    lengths = dataset.lengths
    frame = pd.DataFrame({"unique_id": np.repeat(np.array(dataset.keys, dtype=object), lengths)})
    frame["ds"] = _stamps(dataset)
    frame["y"] = dataset.values
    for group, names in dataset.groups.items():
        frame[group] = np.repeat(np.array(names, dtype=object), lengths)
    if dataset.weights is not None:
        frame["weight"] = np.repeat(dataset.weights, lengths)
    return frame


def windows_of(dataset: Dataset, length: int, stride: int) -> tuple[Floats, tuple[str, ...]]:
    """All windows (N, L) of `length` steps, `stride` apart, and the key of the series that each is from.

    The last window of a series ends where the series ends. Gaps are filled first, within the series.
    Raises DataError where no series is that long.
    """
    if length < 1 or stride < 1:
        raise UsageError(f"windows of length {length}, {stride} apart: both are whole numbers from 1")
    parts: list[Floats] = []
    keys: list[str] = []
    for row, key in enumerate(dataset.keys):
        values, _ = filled(dataset[row])
        if len(values) < length:
            continue
        views = np.lib.stride_tricks.sliding_window_view(values, length)
        taken = views[(len(values) - length) % stride :: stride]
        parts.append(taken)
        keys += [key] * len(taken)
    if not parts:
        raise DataError(
            f"{dataset.name}: no series has {length} steps, the longest has {int(dataset.lengths.max())}; "
            "ask for shorter windows"
        )
    return np.concatenate(parts), tuple(keys)


def write_windows(
    dataset: Dataset, path: str | Path, *, length: int, stride: int, normalise: Kind | None = None
) -> tuple[int, int]:
    """Write an .npz of `windows` (N, L), the `keys` of their series, and the normaliser; N and the series left out.

    Each series is normalised by its own figures over all of `dataset`, which is the training part. Stored with the
    windows, they undo the normalisation when samples are handed back in a file that still has them.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise UsageError(f"{path}: windows are written to .npz, not to {path.suffix!r}")
    windows, keys = windows_of(dataset, length, stride)
    arrays: dict[str, Any] = {"keys": np.array(keys)}
    if normalise is not None:
        normaliser = Normaliser.of(dataset, normalise)
        of = np.array(keys)
        windows = windows.copy()
        for key in dict.fromkeys(keys):
            at = np.flatnonzero(of == key)
            windows[at] = normaliser.apply(windows[at], key)
        arrays |= normaliser.arrays()
    with path.open("wb") as file:
        np.savez_compressed(file, windows=windows, **arrays)
    return len(windows), len(dataset) - len(set(keys))


def _stamps(dataset: Dataset) -> NDArray[Any]:
    if dataset.freq == STEP:
        return np.concatenate([dataset.stamps(i) for i in range(len(dataset))])
    # Panels share most of their stamps: one long range a start, cut for every series.
    longest: dict[np.datetime64, int] = {}
    for start, length in zip(dataset.starts, dataset.lengths.tolist(), strict=True):
        longest[start] = max(length, longest.get(start, 0))
    import pandas as pd

    ranges = {s: pd.date_range(pd.Timestamp(s), periods=n, freq=dataset.freq).to_numpy() for s, n in longest.items()}
    parts = [ranges[s][:n] for s, n in zip(dataset.starts, dataset.lengths.tolist(), strict=True)]
    return np.concatenate(parts)
