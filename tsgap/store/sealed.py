"""Parquet files with a seal: a hash over every byte, kept in the file's own footer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_SEAL = b"tsgap.seal"
_BLANK = b"0" * 64
_HASH = re.compile(rb"[0-9a-f]{64}")
#: Between the key and its value stand a field number and a length.
_GLUE = 8


class DamagedError(Exception):
    """A file whose bytes are not those that were written."""


def sealed(table: pa.Table, notes: Mapping[bytes, bytes]) -> bytes:
    """A table as the bytes of a Parquet file, with `notes` in its footer and the seal after them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    known = table.schema.metadata or {}
    table = table.replace_schema_metadata({**known, **notes, _SEAL: _BLANK})
    sink = pa.BufferOutputStream()
    # A dictionary is of no use to forecasts and doubles the time of writing and reading them.
    pq.write_table(table, sink, compression="zstd", compression_level=1, use_dictionary=False, write_page_checksum=True)
    data = bytearray(memoryview(sink.getvalue()))
    at = _seal_at(data)
    assert data[at : at + 64] == _BLANK
    data[at : at + 64] = _hash(data, at)
    return bytes(data)


def unsealed(data: bytes) -> pa.Table:
    """The table in the bytes of a sealed file; DamagedError when a single bit of it has changed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    at = _seal_at(data)
    if data[at : at + 64] != _hash(data, at):
        raise DamagedError("its content does not match its seal")
    try:
        table: pa.Table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True, use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as err:
        raise DamagedError(str(err)) from err
    return table


def notes_of(tail: bytes) -> dict[bytes, bytes]:
    """The notes in the footer at the end of `tail`; checks its form, not the seal."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_metadata(pa.BufferReader(b"PAR1" + tail)).metadata
    except (pa.ArrowException, OSError, ValueError) as err:
        raise DamagedError(f"its footer cannot be read: {err}") from err
    return dict(found or {})


def _seal_at(data: bytes | bytearray) -> int:
    key = data.rfind(_SEAL)
    found = _HASH.search(data, key + len(_SEAL), key + len(_SEAL) + _GLUE + 64) if key >= 0 else None
    if found is None:
        raise DamagedError("there is no seal in it")
    return found.start()


def _hash(data: bytes | bytearray, at: int) -> bytes:
    view = memoryview(data)
    h = hashlib.sha256(view[:at])
    h.update(_BLANK)
    h.update(view[at + 64 :])
    return h.hexdigest().encode()
