"""Two halves of the real training part, one in place of a source, one as its control: the noise floor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tsgap.panel import Ints, Panel, frozen
from tsgap.ragged import gathered

#: Name of the pair of arms that shows the noise floor; no source may be called so.
ORACLE = "oracle-split"
#: Fewer series than this are halved in time: halves of so few series would differ by which series they got.
SERIES = 10


@dataclass(frozen=True, eq=False)
class Halves:
    """One half stands for the synthetic series, the other is its control; `by` says along what they were cut."""

    synthetic: Panel
    real: Panel
    by: Literal["series", "time"]


def halves(train: Panel, *, seed: int) -> Halves:
    """Two halves that have no value in common, dealt anew by each seed.

    From `SERIES` series on each half has different series, equally many (one is left out where they are odd): of each
    two neighbours in length, chance sends one either way. Fewer are cut in the middle of their time: one half gets the
    earlier part of about every second series and the later part of the others, so that neither is the older one. The
    parts are equally long, and bear the id of their series in both halves.
    """
    rng = np.random.default_rng(seed)
    n = len(train)
    if n >= SERIES:
        order = rng.permutation(n)
        order = order[np.argsort(-train.lengths[order], kind="stable")][: n // 2 * 2].reshape(-1, 2)
        side = rng.integers(2, size=len(order))
        taken, left = (np.sort(order[np.arange(len(order)), of]) for of in (side, 1 - side))
        return Halves(train.take(taken), train.take(left), "series")
    late = np.zeros(n, dtype=bool)
    late[rng.permutation(n)[: n // 2 + (n % 2) * int(rng.integers(2))]] = True
    return Halves(_part(train, late), _part(train, ~late), "time")


def _part(train: Panel, late: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Panel:
    """The later or the earlier half of each series."""
    half: Ints = train.lengths // 2
    values, offsets = gathered(train.values, train.offsets[1:] - np.where(late, half, 2 * half), half)
    return replace(train, values=frozen(values), offsets=frozen(offsets))
