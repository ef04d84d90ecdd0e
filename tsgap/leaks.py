"""Test data among training series: stretches of the test that occur, up to level and scale, in what was trained on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tsgap.panel import Floats, Panel
from tsgap.plan import Plan
from tsgap.splits import Split

#: Steps of a stretch: long enough not to be met by chance, short enough to fit into a window of samples.
LONGEST, SHORTEST = 24, 8
#: Different values that a stretch must have: a flat one is found anywhere.
LEAST_DISTINCT = 5
#: Largest difference of two standardised values that count as equal: what single precision or five digits may cost.
NEAR = 1e-4
_BLOCK = 50_000


def leaked(split: Split, synthetic: Panel) -> tuple[int, int]:
    """How many stretches of the test occur in the synthetic series, and of how many that could be looked for.

    A stretch is `LONGEST` steps after the first origin of a series (fewer where the test or the synthetic series are
    shorter, at least `SHORTEST`), without a missing value. Two are the same if they are equal after their mean is
    subtracted and they are divided by their standard deviation. Stretches that occur in the real training part too are
    not counted.
    """
    tests = [
        split.data.values[start + end : stop]
        for start, stop, end in zip(split.data.offsets[:-1], split.data.offsets[1:], split.train_ends, strict=True)
    ]
    length = min(LONGEST, max(len(y) for y in tests), int(synthetic.lengths.max(initial=0)))
    if length < SHORTEST:
        return 0, 0
    found = [w for y in tests if len(y) >= length for w in sliding_window_view(y, length)[:: max(1, length // 4)]]
    wanted = np.array([w for w in found if np.isfinite(w).all() and len(np.unique(w)) >= LEAST_DISTINCT])
    if not len(wanted):
        return 0, 0
    wanted = _standardised(wanted)[0]
    wanted = wanted[~_occur(wanted, split.train)]
    return int(_occur(wanted, synthetic).sum()), len(wanted)


def found_in(made: Plan) -> dict[tuple[str, str], list[str]]:
    """What was found in the synthetic training sets of a plan, in words, by data set and source."""
    out: dict[tuple[str, str], list[str]] = {}
    splits = {data.name: data.split for data in made.data}
    seen = set()
    for row in made.rows:
        training = made.cells[row.cell].training if row.cell else None
        place = row.data, row.source, row.trained_on
        if row.arm != "synthetic" or training is None or place in seen:
            continue
        seen.add(place)
        found, looked_for = leaked(splits[row.data], training.panel)
        if found:
            out.setdefault(place[:2], []).append(
                f"replicate {row.replicate}: {found} of {looked_for} stretches of the test occur in the synthetic "
                "series, up to level and scale"
            )
    return out


def _occur(wanted: Floats, panel: Panel) -> NDArray[np.bool_]:
    """Which of the `wanted` stretches (n, L) occur in a panel (n,)."""
    n, length = wanted.shape
    found = np.zeros(n, dtype=bool)
    if not n:
        return found
    # equal stretches have equal projections: only those that do are compared value by value
    direction = np.random.default_rng(0).standard_normal(length)
    keys = wanted @ direction
    order = np.argsort(keys)
    reach = NEAR * np.abs(direction).sum()
    for stretches in _stretches(panel, length):
        own = stretches @ direction
        low = np.searchsorted(keys[order], own - reach)
        high = np.searchsorted(keys[order], own + reach, side="right")
        for i in np.flatnonzero(high > low):
            near = order[low[i] : high[i]]
            found[near] |= (np.abs(wanted[near] - stretches[i]) <= NEAR).all(1)
    return found


def _stretches(panel: Panel, length: int) -> Iterator[Floats]:
    """All stretches of a panel, standardised, in blocks (n, L)."""
    for y in panel:
        if len(y) < length:
            continue
        windows = sliding_window_view(y, length)
        for start in range(0, len(windows), _BLOCK):
            block, varies = _standardised(windows[start : start + _BLOCK])
            yield block[varies]


def _standardised(windows: NDArray[np.float64]) -> tuple[Floats, NDArray[np.bool_]]:
    """Windows (n, L) with mean 0 and standard deviation 1, and which of them vary at all (n,)."""
    centred = windows - windows.mean(1, keepdims=True)
    deviation = centred.std(1)
    varies = deviation > 1e-9 * np.abs(windows).max(1)
    return centred / np.where(varies, deviation, 1.0)[:, None], varies
