"""How much is worked on at once: the one place that bounds memory by a block instead of by the panel."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tsgap.errors import UsageError

#: Values (8 bytes each) that are worked on at once unless the environment says otherwise: 32 MiB.
DEFAULT = 2**22
#: The environment variable that overrides it, in every process that takes part.
VARIABLE = "TSGAP_BLOCK"


def size() -> int:
    """Values that are worked on at once. Results do not depend on it; `UsageError` where it is no whole number."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return DEFAULT
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"{VARIABLE} must be a whole number of values from 1, got {text!r}")
    return int(text)


def ranges(n: int, width: int) -> Iterator[slice]:
    """Consecutive slices of `n` rows of `width` values each, of at most `size()` values, at least one row each.

    >>> list(ranges(0, 5))
    []
    """
    rows = max(1, size() // max(width, 1))
    for start in range(0, n, rows):
        yield slice(start, min(start + rows, n))
