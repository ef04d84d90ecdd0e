"""How much there is to learn from a panel: contexts, leads, pairs, and the ways to cut a panel down to less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsgap.errors import ForecastError, UsageError
from tsgap.panel import Ints, Panel, frozen
from tsgap.ragged import gathered


@dataclass(frozen=True)
class Footing:
    """What the arms of one comparison have in common.

    `context` is how far a global forecaster looks back; `paired` whether training ids are those of the real series
    (else they are relabelled in every arm alike); `leads` how many leads the shortest arm can teach a direct
    forecaster after that context.
    """

    scaling: str
    context: int
    paired: bool
    leads: int


def count_pairs(lengths: NDArray[np.int64], context: int, leads: int) -> Ints:
    """(context, target of `leads` steps) pairs that series of these lengths hold (N,)."""
    return np.maximum(lengths - context - leads + 1, 0)


def default_context(seasons: tuple[int, ...], horizon: int, lengths: NDArray[np.int64]) -> int:
    """Two of the longest seasons or the horizon, whichever is longer.

    At most the shortest training part, so that no history lacks it; a third of the median one, but two main
    seasons; and what leaves the horizon of the longest one to learn, but one main season.
    """
    wanted = max(2 * max(seasons), horizon, 4)
    third = max(2 * seasons[0], int(np.median(lengths)) // 3)
    room = max(seasons[0], int(lengths.max()) - horizon)
    return int(max(1, min(wanted, lengths.min(), third, room)))


def reach(lengths: Ints, seasons: tuple[int, ...], *, horizon: int, context: int | None) -> tuple[int, int]:
    """Context (None: `default_context`) and number of leads that a direct forecaster learns from series so long.

    Leads are those that the longest series has after the context; `ForecastError` where there is none.
    """
    longest = int(lengths.max(initial=0))
    context = context or (default_context(seasons, horizon, lengths) if longest else 1)
    leads = min(horizon, longest - context)
    if leads < 1:
        raise ForecastError(
            f"the longest training series has {longest} values: none teaches a lead after a context of {context}"
        )
    return context, leads


def short_context(length: int, horizons: Sequence[int], context: int) -> int:
    """The context for training series of `length` steps.

    As long as possible while the longest horizon that leaves at least a third of the window is still taught.
    """
    fitting = [h for h in horizons if length - h >= max(length / 3, 1)]
    return int(max(1, min(context, length - max(fitting) if fitting else length // 2)))


def subsample(panel: Panel, pairs: int, footing: Footing, seed: int) -> Panel:
    """Whole series in random order until `pairs` pairs are there; the last one keeps its most recent part."""
    have = count_pairs(panel.lengths, footing.context, footing.leads)
    if have.sum() <= pairs:
        return panel
    if pairs < 1:
        raise UsageError(f"a training set of {pairs} pairs cannot be matched; ask for a shorter context or horizon")
    order = np.random.default_rng(seed).permutation(len(panel))
    before = np.cumsum(have[order]) - have[order]
    order = order[(before < pairs) & (have[order] > 0)]
    lengths = panel.lengths
    lengths[order[-1]] = pairs - int(have[order[:-1]].sum()) + footing.context + footing.leads - 1
    taken = np.sort(order)
    return panel.take(taken).tail(lengths[taken])


def cut_windows(panel: Panel, lengths: Ints, seed: int) -> Panel:
    """Windows of these lengths from random places of the panel, each place once.

    Fewer windows than lengths come back where there are no more places for them: nothing is repeated. A series
    shorter than a window gives none. `series` names the row that a window comes from.
    """
    rng = np.random.default_rng(seed)
    rows, begins, sizes = [], [], []
    for size, count in zip(*np.unique(lengths, return_counts=True), strict=True):
        places = np.maximum(panel.lengths - size + 1, 0)
        total = int(places.sum())
        flat = np.sort(rng.choice(total, min(count, total), replace=False)) if total else np.empty(0, dtype=np.int64)
        row = np.searchsorted(np.cumsum(places), flat, side="right")
        rows.append(row)
        begins.append(panel.offsets[row] + flat - (np.cumsum(places) - places)[row])
        sizes.append(np.full(len(flat), size))
    row = np.concatenate(rows)
    if not len(row):
        raise UsageError(
            f"no real training series has the {lengths.min()} values of a synthetic window "
            f"(longest: {panel.lengths.max()})"
        )
    values, offsets = gathered(panel.values, np.concatenate(begins), np.concatenate(sizes))
    return Panel(
        frozen(values),
        frozen(offsets),
        tuple(f"w{i}" for i in range(len(row))),
        panel.freq,
        panel.seasons,
        tuple(panel.keys[r] for r in row),
    )


def pooled(panel: Panel, size: int, seed: int) -> Panel:
    """At most `size` series, by seed: what a local forecaster learns from where the source is unpaired."""
    if len(panel) <= size:
        return panel
    return panel.take(np.sort(np.random.default_rng(seed).choice(len(panel), size, replace=False)))
