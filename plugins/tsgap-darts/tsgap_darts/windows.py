"""Which windows (context, leads) a training panel has, and how long the context is where nobody said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsgap.errors import ForecastError
from tsgap.panel import Panel

#: The shortest context that is chosen when none is given and the series are long enough.
SHORTEST_CONTEXT = 8


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of `context` values and the `leads` values after them, taken from the training series `rows`.

    `left_out` counts the series that are too short for a single window.
    """

    context: int
    leads: int
    rows: NDArray[np.int64]
    counts: NDArray[np.int64]
    left_out: int

    def __len__(self) -> int:
        return int(self.counts.sum())

    def drawn(self, n: int, *, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Training rows (n,) and first steps (n,) of `n` windows, each window as likely as any other."""
        ends = np.cumsum(self.counts)
        picks = np.random.default_rng(seed).integers(ends[-1], size=n)
        which = np.searchsorted(ends, picks, side="right")
        return self.rows[which], picks - (ends - self.counts)[which]

    def capped(self, most: int) -> tuple[NDArray[np.int64], int]:
        """Training rows, and how many of their latest windows to take, so that at most `most` are used.

        Where there are more series than `most`, series evenly spaced in the panel stand for all.
        """
        rows = self.rows
        if len(rows) > most:
            rows = rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)]
        return rows, max(1, most // len(rows))


def default_context(lengths: NDArray[np.int64], seasons: Sequence[int], leads: int) -> int:
    """Two of the longest seasons, at least 8 values, less where typical training series are too short for it.

    "Typical" is the median length: half of the series keep a window that teaches all `leads`, or, where the leads
    alone fill it, half of it is context.

    >>> default_context(np.array([180, 180]), (12,), 18), default_context(np.array([36]), (24,), 96)
    (24, 18)
    """
    wanted = max(2 * max(seasons), SHORTEST_CONTEXT)
    typical = int(np.median(lengths)) if len(lengths) else 0
    return max(1, min(wanted, max(typical - leads, typical // 2)))


def windows_of(train: Panel, *, name: str, horizon: int, context: int | None, recursive: bool) -> Windows:
    """The windows that teach `name` to forecast `horizon` leads at once, or one lead if it is `recursive`.

    Where no series is long enough for the longest lead, the leads are those that the longest series teaches.
    Raises `ForecastError` when there is no window at all.
    """
    lengths = train.lengths
    leads = 1 if recursive else horizon
    if context is None:
        context = default_context(lengths, train.seasons, leads)
    longest = int(lengths.max()) if len(lengths) else 0
    leads = min(leads, longest - context)
    if leads < 1:
        raise ForecastError(
            f"{name}: none of the {len(train)} training series has a window of {context} + 1 values, the longest has "
            f"{longest}; give a context below {longest}, or longer training series"
        )
    counts = lengths - (context + leads) + 1
    rows = np.flatnonzero(counts > 0)
    return Windows(context, leads, rows, counts[rows], len(train) - len(rows))
