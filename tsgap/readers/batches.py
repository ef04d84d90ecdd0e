"""Parquet files in batches of rows, with nothing in memory but the batch: ids as numbers, stamps, values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap import blocks
from tsgap.panel import Floats, Ints
from tsgap.readers.columns import SINGLE, spare_note
from tsgap.readers.options import ReadOptions
from tsgap.readers.tables import EXACT


class Unusual(Exception):
    """The file holds something that takes the whole table to understand, or to say what is wrong with it."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows (R,) in the order of the file: the numbers of their ids, nanoseconds or whole numbers, values."""

    codes: Ints
    stamps: Ints | None
    y: Floats


@dataclass(eq=False)
class Rows:
    """The rows of a long table in Parquet files; `ids` grows as they are read.

    `dated` says whether the stamps are dates, None where there are none.
    """

    files: list[Path]
    options: ReadOptions
    n: int
    dated: bool | None
    single: bool
    notes: tuple[str, ...]
    ids: dict[str, int] = field(default_factory=dict)
    #: The names that the last batch had to choose from, and their numbers, -1 where it is not known yet.
    latest: tuple[Any, Ints] | None = None

    def __iter__(self) -> Iterator[Batch]:
        import pyarrow.parquet as pq

        names = [self.options.target_col]
        if self.dated is not None:
            names.append(self.options.time_col)
        if not self.single:
            names.append(self.options.id_col)
        # a row is an id, a stamp and a value, and is looked at once more while it is numbered
        size = max(1, blocks.size() // 4)
        for file in self.files:
            with pq.ParquetFile(file, read_dictionary=names[2:], buffer_size=2**20, pre_buffer=False) as opened:
                for batch in opened.iter_batches(size, columns=names):
                    if batch.num_rows:
                        yield self._read(batch)

    def _read(self, batch: Any) -> Batch:
        y = _values(batch.column(self.options.target_col))
        stamps = None if self.dated is None else _stamps(batch.column(self.options.time_col))
        return Batch(self._codes(None if self.single else batch.column(self.options.id_col), len(y)), stamps, y)

    def _codes(self, column: Any, n: int) -> Ints:
        if column is None:
            return np.full(n, self.ids.setdefault(SINGLE, 0))
        if column.null_count:
            raise Unusual
        encoded = column if hasattr(column, "indices") else column.dictionary_encode()
        if encoded.dictionary.null_count:
            raise Unusual
        if self.latest is None or not encoded.dictionary.equals(self.latest[0]):
            self.latest = encoded.dictionary, np.full(len(encoded.dictionary), -1)
        numbers = self.latest[1]
        places = encoded.indices.to_numpy(zero_copy_only=False)
        counts = np.bincount(places, minlength=len(numbers))
        # a category may be there without a row
        new = np.flatnonzero((counts > 0) & (numbers < 0))
        texts = [str(name) for name in encoded.dictionary.take(_arrow(new)).to_pylist()]
        if len(set(texts)) < len(texts) or any("\0" in text for text in texts):
            raise Unusual
        numbers[new] = [self.ids.setdefault(text, len(self.ids)) for text in texts]
        return np.asarray(numbers[places])


def rows_of(path: Path, options: ReadOptions, *, stamps_needed: bool) -> Rows:
    """The rows of a Parquet file or folder of files; `Unusual` where a column is missing or of a type of its own."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if options.wide or options.groups or options.weights:
        raise Unusual
    files, first, n = _files(path), None, 0
    for file in files:
        with pq.ParquetFile(file) as opened:
            schema: Any = opened.schema_arrow
            n += opened.metadata.num_rows
        first = first or schema
        if not schema.equals(first):
            raise Unusual
    if first is None or not n or len(set(first.names)) < len(first.names):
        raise Unusual
    kinds = dict(zip(first.names, first.types, strict=True))
    target, time, id = (kinds.get(name) for name in (options.target_col, options.time_col, options.id_col))
    types = pa.types
    if target is None or not (types.is_integer(target) or target in (pa.float32(), pa.float64())):
        raise Unusual
    if time is None and (stamps_needed or options.time_col != ReadOptions.time_col):
        raise Unusual
    dated = None if time is None else types.is_date32(time) or (types.is_timestamp(time) and time.tz is None)
    if time is not None and not dated and not types.is_signed_integer(time):
        raise Unusual
    if id is None and options.id_col != ReadOptions.id_col:
        raise Unusual
    text = id.value_type if id is not None and types.is_dictionary(id) else id
    if text is not None and text not in (pa.string(), pa.large_string()) and not types.is_integer(id):
        raise Unusual
    # an index of pandas is a column of the file, but none of the table
    index = {name for name in (first.pandas_metadata or {}).get("index_columns", ()) if isinstance(name, str)}
    wanted = {options.target_col, options.time_col, options.id_col}
    if options.target_col in index:
        raise Unusual
    return Rows(files, options, n, dated, id is None, spare_note(n for n in first.names if n not in wanted | index))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    import pyarrow.dataset as pd

    found = pd.dataset(path, format="parquet", partitioning="hive")
    if any("=" in part for file in found.files for part in Path(file).relative_to(path).parts):
        raise Unusual
    return [Path(file) for file in found.files]


def _values(column: Any) -> Floats:
    found = column.to_numpy(zero_copy_only=False)
    y: Floats = np.asarray(found, dtype=np.float64)
    if np.isinf(y).any() or (str(column.type).startswith(("int", "uint")) and (np.abs(y) >= EXACT).any()):
        raise Unusual
    return y


def _stamps(column: Any) -> Ints:
    import pyarrow as pa

    if column.null_count:
        raise Unusual
    if not pa.types.is_integer(column.type):
        # raises where a date does not fit nanoseconds
        column = column.cast(pa.timestamp("ns"))
    return np.asarray(column.to_numpy(zero_copy_only=False)).astype(np.int64, copy=False)


def _arrow(index: NDArray[Any]) -> Any:
    import pyarrow as pa

    return pa.array(index)
