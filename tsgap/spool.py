"""Arrays appended to one flat file as they are made, and mapped from it again, read-only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap.blocks import passed
from tsgap.panel import frozen

#: Where an array lies in its file: first byte, shape, dtype as text. Goes through JSON.
Extent = Sequence[Any]


class Spool:
    """A file that arrays are appended to; `add` says where each one lies."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def add(self, *pieces: NDArray[Any]) -> Extent:
        """Append an array, in pieces along its first axis if there are several; where it lies."""
        start = self._file.tell()
        for piece in pieces:
            flat = np.ascontiguousarray(piece).reshape(-1)
            for s in passed(flat):
                flat[s].tofile(self._file)
        first = pieces[0]
        return [start, [sum(len(piece) for piece in pieces), *first.shape[1:]], first.dtype.str]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def mapped(path: Path, extent: Extent) -> NDArray[Any]:
    """The array in an extent of a file, read from the disk as it is used."""
    offset, shape, dtype = extent
    if not np.prod(shape):
        return frozen(np.empty(shape, dtype=dtype))
    found: NDArray[Any] = np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=tuple(shape))
    return found
