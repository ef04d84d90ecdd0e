"""One part: the result of a task as a value, and as the bytes of a file."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsgap.panel import Floats, Ints
from tsgap.store.sealed import DamagedError, notes_of, sealed, unsealed, verify

if TYPE_CHECKING:
    import pyarrow as pa

STATUSES = ("ok", "error", "timeout", "crash", "oom", "contract", "skipped")

_CELL = re.compile(r"[0-9a-f]{8,128}")
_FILE = re.compile(r"[0-9a-f]{8,128}-\d+of\d+-[0-9a-f]{16}\.parquet")
_NOTE, _CHECK = b"tsgap.part", b"tsgap.check"
_FOOTER_GUESS = 16384


@dataclass(frozen=True, eq=False)
class Part:
    """The result of one task: a cell, or one of its `n_parts` blocks of rows.

    `cell` is the content key in hex. `rows` (N,) are row numbers in the cell's own row space, `mean` (N, H′) the
    forecasts in float64, NaN in rows that `failed` names with their reason; (0, 0) where `status` is not ok.
    `quantiles` (N, H′, Q) are those of the `levels`, None (and no levels) where there are none. `info` is anything that
    JSON can hold; it does not count as part of the result.
    """

    cell: str
    part: int
    n_parts: int
    status: str
    rows: Ints
    mean: Floats
    failed: Mapping[int, str] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    quantiles: Floats | None = None
    levels: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        rows, mean = np.asarray(self.rows, dtype=np.int64), np.asarray(self.mean, dtype=np.float64)
        failed = {int(row): _text(reason) for row, reason in self.failed.items()}
        for name, value in (("rows", rows), ("mean", mean), ("failed", failed)):
            object.__setattr__(self, name, value)
        if not _CELL.fullmatch(self.cell):
            raise ValueError(f"a cell's key must be 8 to 128 hex digits, got {self.cell!r}")
        if not 0 <= self.part < self.n_parts:
            raise ValueError(f"there is no part {self.part} of {self.n_parts}; they count from 0")
        if self.status not in STATUSES:
            raise ValueError(f"no status is called {self.status!r}; there are {', '.join(STATUSES)}")
        if rows.ndim != 1 or not ((np.diff(rows) > 0).all() or len(np.unique(rows)) == len(rows)):
            raise ValueError(f"the rows of a part must be different numbers (N,), got {rows.shape}")
        wanted = len(rows) if self.status == "ok" else 0
        if mean.ndim != 2 or len(mean) != wanted:
            raise ValueError(f"the forecasts of a part that is {self.status} must be ({wanted}, H), got {mean.shape}")
        if failed and len(strange := np.setdiff1d(np.fromiter(failed, np.int64, len(failed)), rows)):
            raise ValueError(f"row {strange[0]} is said to have failed but is not in the part")
        levels = tuple(float(level) for level in self.levels)
        object.__setattr__(self, "levels", levels)
        if self.quantiles is not None:
            object.__setattr__(self, "quantiles", np.asarray(self.quantiles, dtype=np.float64))
        shape = None if self.quantiles is None else self.quantiles.shape
        if shape != ((*mean.shape, len(levels)) if levels else None):
            raise ValueError(f"the quantiles of {len(levels)} levels for forecasts {mean.shape} are {shape}")

    @cached_property
    def digest(self) -> str:
        """Hash of the result: equal for equal status, rows, forecasts and failures, whatever `info` says."""
        levels = [self.levels] if self.levels else []
        h = hashlib.sha256(_canonical([self.part, self.n_parts, self.status, self.mean.shape, self.failed, *levels]))
        h.update(np.ascontiguousarray(self.rows, dtype="<i8").data)
        for array in (self.mean, *(() if self.quantiles is None else (self.quantiles,))):
            known = np.where(np.isnan(array), np.nan, array)  # one pattern of NaN
            h.update(np.ascontiguousarray(known, dtype="<f8").data)
        return h.hexdigest()[:32]

    @property
    def file_name(self) -> str:
        """Made of the key and the result, so that the same result written twice is one file."""
        return f"{self.cell}-{self.part}of{self.n_parts}-{self.digest[:16]}.parquet"

    def to_bytes(self) -> bytes:
        """The part as a sealed Parquet file: columns row, mean (a list of H′), failed (text or null).

        A part with quantiles has a column of them as well, a list of H′·Q, level by level within a lead.
        """
        import pyarrow as pa

        columns = {"row": pa.array(self.rows)}
        if self.mean.size:
            columns["mean"] = pa.FixedSizeListArray.from_arrays(pa.array(self.mean.ravel()), self.mean.shape[1])
        columns["failed"] = _reasons(self.rows, self.failed)
        if self.quantiles is not None and self.quantiles.size:
            width = self.quantiles[0].size
            columns["quantiles"] = pa.FixedSizeListArray.from_arrays(pa.array(self.quantiles.ravel()), width)
        note = _canonical(
            {
                "cell": self.cell,
                "part": self.part,
                "n_parts": self.n_parts,
                "status": self.status,
                "shape": self.mean.shape,
                "digest": self.digest,
                "added": time.time_ns(),
                "info": dict(self.info),
                **({"levels": self.levels} if self.levels else {}),
            }
        )
        return sealed(pa.table(columns), {_NOTE: note, _CHECK: hashlib.sha256(note).hexdigest().encode()})


@dataclass(frozen=True)
class Head:
    """What the footer of a part's file says; enough to know what there is without reading forecasts."""

    path: Path
    cell: str
    part: int
    n_parts: int
    status: str
    shape: tuple[int, int]
    digest: str
    added: int
    info: Mapping[str, Any]
    levels: tuple[float, ...] = ()

    @property
    def order(self) -> tuple[bool, int, str]:
        """Which of several files for one part counts: one that is ok, then the one written first."""
        return (self.status != "ok", self.added, self.path.name)


def is_part_file(name: str) -> bool:
    """Whether a file of that name is a part."""
    return _FILE.fullmatch(name) is not None


def read_head(path: Path) -> Head:
    """The head of a file; DamagedError when its end is not what was written."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        tail = _from(file, max(0, size - _FOOTER_GUESS))
        if len(tail) < 12 or tail[-4:] != b"PAR1":
            raise DamagedError(f"it was cut short, at {size} bytes")
        needed = int.from_bytes(tail[-8:-4], "little") + 8
        if needed > size:
            raise DamagedError("its footer is longer than the file")
        if needed > len(tail):
            tail = _from(file, size - needed)
    return _head(path, notes_of(tail[-needed:]))


def read_part(path: Path) -> Part:
    """The part in a file, every byte verified; DamagedError when it is not what was written."""
    import pyarrow as pa

    table = unsealed(path.read_bytes())
    head = _head(path, table.schema.metadata or {})

    def stacked(name: str, shape: tuple[int, ...]) -> Floats:
        if not np.prod(shape):
            return np.empty(shape)
        flat: Floats = pa.concat_arrays([c.flatten() for c in table[name].chunks]).to_numpy()
        return flat.reshape(shape)

    mean = stacked("mean", head.shape)
    quantiles = stacked("quantiles", (*head.shape, len(head.levels))) if head.levels else None
    rows, failed = table["row"].to_numpy(), _failed(table)
    return Part(head.cell, head.part, head.n_parts, head.status, rows, mean, failed, head.info, quantiles, head.levels)


def read_failed(path: Path) -> tuple[int, dict[int, str]]:
    """How many rows a file's part has and why some of them failed, every byte verified; its forecasts stay packed."""
    table = unsealed(path.read_bytes(), ["row", "failed"])
    return len(table), _failed(table)


def verified(path: Path) -> Head:
    """The head of a file of which every byte is what was written; DamagedError where one is not."""
    data = path.read_bytes()
    verify(data)
    return read_head(path)


def _reasons(rows: Ints, failed: Mapping[int, str]) -> pa.Array:
    """Why each row failed, null where it did not."""
    import pyarrow as pa

    if not failed:
        return pa.nulls(len(rows), pa.string())
    order = np.argsort(rows)
    at = order[np.searchsorted(rows[order], np.fromiter(failed, np.int64, len(failed)))]
    told = np.full(len(rows), None, dtype=object)
    told[at] = list(failed.values())
    return pa.array(told, type=pa.string())


def _failed(table: pa.Table) -> dict[int, str]:
    """The rows that failed and why, in the order of the table."""
    told = table.filter(table["failed"].is_valid())
    return dict(zip(told["row"].to_pylist(), told["failed"].to_pylist(), strict=True))


def _head(path: Path, notes: Mapping[bytes, bytes]) -> Head:
    note = notes.get(_NOTE, b"")
    if hashlib.sha256(note).hexdigest().encode() != notes.get(_CHECK):
        raise DamagedError("its head does not match its digest")
    told = json.loads(note)
    told |= {"shape": tuple(told["shape"]), "levels": tuple(told.get("levels", ()))}
    head = Head(path=path, **told)
    if path.name != f"{head.cell}-{head.part}of{head.n_parts}-{head.digest[:16]}.parquet":
        raise DamagedError(f"it is the file of another part, {head.cell} {head.part} of {head.n_parts}")
    return head


def _from(file: Any, start: int) -> bytes:
    file.seek(start)
    data: bytes = file.read()
    return data


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _text(reason: object) -> str:
    return str(reason).encode("utf-8", "replace").decode("utf-8")
