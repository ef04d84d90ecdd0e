"""Files to pandas frames, column by column, with one clear line for everything that is not a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsgap.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

#: Texts that stand for a missing value in a CSV file.
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "None", "<NA>", "#N/A")

#: From here on a whole number may not fit a float64 exactly.
EXACT = 2**53


@dataclass(frozen=True, eq=False)
class Table:
    """A frame as it was found; `where` names it in messages, data row 0 stands in line `first_line` of the file.

    `repeat` is the number of rows of a wide table, whose columns were laid end to end.
    """

    frame: pd.DataFrame
    where: str
    first_line: int | None = None
    notes: tuple[str, ...] = ()
    repeat: int | None = None

    def place(self, row: int) -> str:
        """Words for the place of a row."""
        row = row % self.repeat if self.repeat else row
        return f"row {row}" if self.first_line is None else f"line {row + self.first_line}"


def read_csv(path: Path, *, text: Collection[str], first_is_text: bool = False) -> Table:
    """A CSV file (UTF-8); the columns named in `text` stay text, the others become numbers where they all are.

    `first_is_text`: so does the first column. The separator is the one of comma, semicolon and tab that the header
    has most of.

    Raises DataError for an empty file, a file without rows, NUL bytes, another encoding, a header that repeats a
    name, and rows of another width.
    """
    import pyarrow as pa
    import pyarrow.compute as compute
    import pyarrow.csv as pc

    where = str(path)
    raw = path.read_bytes()
    check_text(raw, where)
    header, separator = _header(raw, where)
    text = {*text, header[0]} if first_is_text else text
    convert = pc.ConvertOptions(
        column_types={name: pa.dictionary(pa.int32(), pa.string()) if name in text else pa.string() for name in header},
        # in a column of names "NA" is Namibia: only the empty text is missing there
        null_values=[""],
        strings_can_be_null=True,
    )
    parse = pc.ParseOptions(delimiter=separator, newlines_in_values=b'"' in raw)
    # A copy that is not Python's: a thread of pyarrow's may let go of it when this has returned, and where that waits
    # for the interpreter while it ends, the process is aborted ("terminate called without an active exception").
    own = pa.allocate_buffer(len(raw))
    memoryview(own).cast("B")[:] = raw
    del raw
    try:
        table = pc.read_csv(own, parse_options=parse, convert_options=convert)
    except pa.ArrowInvalid as err:
        raise DataError(f"{where}: not a CSV table: {_first_line(err)}") from err
    if table.num_rows == 0:
        raise DataError(f"{where}: a header and no rows")
    notes: list[str] = []
    columns: dict[str, Any] = {}
    for name in header:
        column = table.column(name)
        if name in text:
            columns[name] = column.unify_dictionaries().combine_chunks().to_pandas()
            continue
        column = compute.if_else(compute.is_in(column, pa.array(MISSING)), pa.scalar(None, pa.string()), column)
        try:
            numbers = column.cast(pa.float64())
        except pa.ArrowInvalid:
            # Left as text: spaces around numbers are harmless, all else is an error only if the column is wanted.
            columns[name] = column.to_pandas()
            continue
        columns[name] = numbers.to_numpy()
        notes += _too_big(column, columns[name], name)
    import pandas as pd

    return Table(pd.DataFrame(columns, copy=False), where, 2, tuple(notes))


def read_parquet(path: Path) -> Table:
    """A Parquet file, or a folder of Parquet files that are one panel."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = str(path)
    if path.is_dir() and not any(path.rglob("*.parquet")):
        raise DataError(f"{where}: there is no Parquet file in this folder")
    try:
        table = pq.read_table(path)
        repeated = {n for n in table.column_names if table.column_names.count(n) > 1}
        if repeated:
            raise DataError(f"{where}: the column {sorted(repeated)[0]!r} is there twice")
        frame = table.to_pandas()
    except (pa.ArrowException, OSError, ValueError) as err:
        if isinstance(err, DataError):
            raise
        raise DataError(f"{where}: not readable as Parquet: {_first_line(err)}") from err
    if not len(frame):
        raise DataError(f"{where}: columns and no rows")
    return Table(frame, where)


def check_text(raw: bytes, where: str) -> None:
    """DataError where a file is empty, holds NUL bytes, or is not UTF-8."""
    if not raw.strip():
        raise DataError(f"{where}: the file is empty")
    nul = raw.find(b"\0")
    if nul >= 0:
        hint = " (UTF-16? save it as UTF-8)" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise DataError(f"{where}: a NUL byte at byte {nul}: this is not a text file{hint}")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as err:
        line = raw.count(b"\n", 0, err.start) + 1
        raise DataError(
            f"{where}: not UTF-8: byte 0x{raw[err.start]:02x} at byte {err.start} (line {line}); save it as UTF-8"
        ) from err


def _header(raw: bytes, where: str) -> tuple[list[str], str]:
    first = raw[:1_000_000].decode("utf-8", errors="ignore").lstrip("\ufeff").lstrip("\r\n")
    separator = max((",", ";", "\t"), key=first.splitlines()[0].count)
    header = next(csv.reader(io.StringIO(first), delimiter=separator))
    for name in header:
        if header.count(name) > 1:
            raise DataError(f"{where}: the header names the column {name!r} {header.count(name)} times")
    return header, separator


def _too_big(column: Any, numbers: Any, name: str) -> list[str]:
    big = np.flatnonzero(np.abs(numbers) >= EXACT)
    if not len(big):
        return []
    texts = [str(t) for t in column.take(big).to_pylist()]
    lost = [t for t, n in zip(texts, numbers[big], strict=True) if t.lstrip("+-").isdigit() and int(t) != int(n)]
    return [precision_note(name, len(lost), lost[0])] if lost else []


def precision_note(name: str, count: int, first: object) -> str:
    """The note that whole numbers beyond 2^53 lost their last digits."""
    return f"{count} whole numbers of column {name!r} lie beyond 2^53 and lost digits, first {first}"


def _first_line(err: BaseException) -> str:
    return (str(err).strip().splitlines() or [type(err).__name__])[0]
