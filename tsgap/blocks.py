"""How much is worked on at once: the one place that bounds memory by a block instead of by the panel."""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap.errors import StoreError, UsageError

#: Values (8 bytes each) that are worked on at once unless the environment says otherwise: 32 MiB.
DEFAULT = 2**22
#: Arrays of so many blocks lie in a file.
LARGE = 4
#: The environment variable that overrides it, in every process that takes part.
VARIABLE = "TSGAP_BLOCK"
#: More than this is no bound: the numbers of bytes must be numbers of the machine.
MOST = 2**40


def size() -> int:
    """Values that are worked on at once. Results do not depend on it; `UsageError` where it is no whole number."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return DEFAULT
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise UsageError(f"{VARIABLE} must be a whole number of values from 1 to {MOST}, got {text[:40]!r}")
    return int(text)


def ranges(n: int, width: int, most: int | None = None) -> Iterator[slice]:
    """Consecutive slices of `n` rows of `width` values each, of at most `most` values, at least one row each.

    `most` None is `size()`; it is given where a sum depends on where it is cut, and must not depend on a setting.

    >>> list(ranges(0, 5))
    []
    """
    rows = max(1, (size() if most is None else most) // max(width, 1))
    for start in range(0, n, rows):
        yield slice(start, min(start + rows, n))


def room(*shape: int, large: int = LARGE, folder: str | Path | None = None) -> NDArray[np.float64]:
    """An array of floats to be filled: in memory, or from `large` blocks on mapped from a file without a name.

    The file takes its place in `folder` for as long as the array is used; where that cannot be written to or is full,
    or none is given, in the folder for temporary files (the environment variable TMPDIR names it); where that is full
    too, the array is in memory. `StoreError` where there is no room anywhere.
    """
    n = math.prod(shape)
    if n >= large * size():
        for home in (folder, tempfile.gettempdir()):
            with contextlib.suppress(OSError):
                if home is not None:
                    return _in_file(n, home).reshape(shape)
    try:
        return np.empty(shape)
    except MemoryError as err:
        tried = f"{folder}, in {tempfile.gettempdir()}" if folder else tempfile.gettempdir()
        raise StoreError(f"there is no room for {8 * n} bytes: not in {tried} and not in memory") from err


def _in_file(n: int, folder: str | Path) -> NDArray[np.float64]:
    with tempfile.TemporaryFile(prefix="tsgap-", dir=folder) as file:
        # a full disk is an error here; later, as a page is written to, it would be the end of the process
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, 8 * n)
        else:
            for s in ranges(n, 1):
                file.write(bytes(8 * (s.stop - s.start)))
            file.flush()
        return np.ndarray((n,), np.float64, mmap.mmap(file.fileno(), 8 * n))


def mapping(array: Any) -> mmap.mmap | None:
    """The mapped file that an array lies in, None where it lies in memory."""
    while array is not None and not isinstance(array, mmap.mmap):
        array = getattr(array, "base", None)
    return array


def let_go(*arrays: Any) -> None:
    """Take the pages of mapped arrays out of memory; what is asked for again is read from the file again."""
    for array in arrays:
        if (file := mapping(array)) is not None and hasattr(mmap, "MADV_DONTNEED"):
            file.madvise(mmap.MADV_DONTNEED)


def passed(values: NDArray[Any]) -> Iterator[slice]:
    """Slices of a flat array, one after the other, each let go once it was worked on."""
    for s in ranges(len(values), 1):
        yield s
        if len(values) > size():
            let_go(values)
