"""Parquet files with a seal: a hash over every byte, kept in the file's own footer."""

from __future__ import annotations

import hashlib
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_SEAL = b"tsgap.seal"
_BLANK = b"0" * 64
_HASH = re.compile(rb"[0-9a-f]{64}")
#: Between the key and its value stand a field number and a length.
_GLUE = 8
#: Bytes of a row group, before it is packed, and of what is read at once to be hashed.
_GROUP, _PIECE = 2**23, 2**20
#: Pages are verified, and no thread of pyarrow's reads ahead: one that lets go of Python's memory or files while the
#: interpreter ends would abort the process ("terminate called without an active exception").
_ALONE: dict[str, Any] = {"page_checksum_verification": True, "pre_buffer": False}


class DamagedError(Exception):
    """A file whose bytes are not those that were written."""


def sealed(table: pa.Table, notes: Mapping[bytes, bytes]) -> bytes:
    """A table as the bytes of a Parquet file, with `notes` in its footer and the seal after them."""
    file = io.BytesIO()
    write_sealed(file, [table], notes)
    return file.getvalue()


def write_sealed(file: BinaryIO, tables: Iterable[pa.Table], notes: Mapping[bytes, bytes]) -> None:
    """The same into a new file that can be read too, one table after the other; all have the schema of the first."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rest = iter(tables)
    table = next(rest)
    schema = table.schema.with_metadata({**(table.schema.metadata or {}), **notes, _SEAL: _BLANK})
    # A dictionary is of no use to forecasts and doubles the time of writing and reading them. Apart, the leading bytes
    # of numbers are alike and can be packed, which what is left of them cannot: smaller, and quicker both ways.
    how: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "use_dictionary": False}
    how["use_byte_stream_split"] = list(_of_floats(schema))
    with pq.ParquetWriter(pa.PythonFile(file, "w"), schema, write_page_checksum=True, **how) as writer:
        for each in itertools.chain([table], rest):
            rows = max(1, _GROUP * max(len(each), 1) // max(each.nbytes, 1))
            writer.write_table(each.replace_schema_metadata(schema.metadata), row_group_size=rows)
    at = _place_of_seal(file)
    sealed_by = _hash(file, at)
    file.seek(at)
    assert file.read(64) == _BLANK
    file.seek(at)
    file.write(sealed_by)


def _of_floats(schema: pa.Schema) -> Iterator[str]:
    """The columns that hold floats or lists of them, by the names that Parquet has for them."""
    import pyarrow as pa

    for field in schema:
        if pa.types.is_floating(field.type):
            yield field.name
        elif hasattr(field.type, "value_field") and pa.types.is_floating(field.type.value_type):
            yield f"{field.name}.list.element"


def verify(file: bytes | BinaryIO) -> None:
    """DamagedError when a single bit of a sealed file has changed: of its bytes, or of a file that is open."""
    file = io.BytesIO(file) if isinstance(file, bytes) else file
    at = _place_of_seal(file)
    file.seek(at)
    if file.read(64) != _hash(file, at):
        raise DamagedError("its content does not match its seal")


def unsealed(data: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """The table, or those of its `columns` that there are, in the bytes of a sealed file, every byte verified."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    verify(data)
    try:
        with pq.ParquetFile(pa.BufferReader(data), **_ALONE) as file:
            table: pa.Table = file.read(columns, use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as err:
        raise DamagedError(str(err)) from err
    return table


def opened(file: BinaryIO) -> pq.ParquetFile:
    """The table in a sealed file that is open, every byte verified, to be read in its row groups."""
    import pyarrow.parquet as pq

    verify(file)
    file.seek(0)
    return pq.ParquetFile(file, **_ALONE)


def release_unused() -> None:
    """Give back what unpacking took; it would be kept for more of it."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def notes_of(tail: bytes) -> dict[bytes, bytes]:
    """The notes in the footer at the end of `tail`; checks its form, not the seal."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_metadata(pa.BufferReader(b"PAR1" + tail)).metadata
    except (pa.ArrowException, OSError, ValueError) as err:
        raise DamagedError(f"its footer cannot be read: {err}") from err
    return dict(found or {})


def _place_of_seal(file: BinaryIO) -> int:
    """Where in a file the seal stands: in the footer, behind its key."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - 8))
    start = max(0, size - 8 - int.from_bytes(file.read(4), "little"))
    file.seek(start)
    footer = file.read()
    key = footer.rfind(_SEAL)
    found = _HASH.search(footer, key + len(_SEAL), key + len(_SEAL) + _GLUE + 64) if key >= 0 else None
    if found is None:
        raise DamagedError("there is no seal in it")
    return start + found.start()


def _hash(file: BinaryIO, at: int) -> bytes:
    """Hash over every byte of a file, with blanks for the seal."""
    h, left = hashlib.sha256(), at
    file.seek(0)
    while piece := file.read(min(_PIECE, left)):
        h.update(piece)
        left -= len(piece)
    h.update(_BLANK)
    file.seek(at + 64)
    while piece := file.read(_PIECE):
        h.update(piece)
    return h.hexdigest().encode()
