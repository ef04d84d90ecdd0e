"""Real and synthetic series dealt into the sides of a contrast: independent units, halves of the real ones, windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from tsgap.arms import pairing
from tsgap.diagnostics.contrast import Contrast, Featurise, Known, Side
from tsgap.diagnostics.dependence import DEPENDENT, dependence
from tsgap.diagnostics.features import features, in_units
from tsgap.errors import DataError
from tsgap.halves import SERIES
from tsgap.panel import Dataset, Ints, Panel, frozen
from tsgap.ragged import gathered

#: Fewest values of a window, and how long one is where the series are long enough: seasons, or values.
SHORTEST, SEASONS, VALUES = 8, 4, 64
#: Windows of a side at most, windows of a unit at most, and units of a side at most.
WINDOWS, PER_UNIT, UNITS = 2000, 8, 1000
#: Stretches of time that few series are cut into, all together; fewest units of a side.
STRETCHES, LEAST = 40, 4


def contrasted(
    real: Panel,
    synthetic: Panel,
    *,
    seed: int,
    scaling: Literal["none", "standard"] = "none",
    featurise: Featurise | None = None,
    rules: Sequence[str] = (),
    as_read: Mapping[str, Dataset] | None = None,
    known: Known | None = None,
) -> Contrast:
    """Set real against synthetic series; `DataError` where they are too short or too few for it.

    A unit is a series; fewer than `halves.SERIES` are cut into stretches of time. Windows are `SEASONS` seasons or
    `VALUES` values long, or as long as four fifths of the series of either side are. Without `featurise` the features
    are the own ones, in units of what is `typical` of the real windows.
    """
    rng = np.random.default_rng(seed)
    length = _length(real, synthetic)
    twins = pairing(real.keys, synthetic.keys).paired
    ours, ours_at = _units(real, length)
    theirs, theirs_at = _units(synthetic, length)
    order = rng.permutation(len(ours))
    half = len(ours) // 2
    sides = np.sort(order[:half]), np.sort(order[half : 2 * half])
    rows = np.arange(len(theirs))
    if twins:
        held = {ours_at[i] for i in sides[1].tolist()}
        rows = np.array([i for i, at in enumerate(theirs_at) if at in held], dtype=np.int64)
    if min(half, len(rows)) < LEAST:
        raise DataError(
            f"{len(ours)} real and {len(theirs)} synthetic series, or stretches of them, have windows of {length} "
            f"values; it takes {2 * LEAST} real and {LEAST} synthetic ones, or longer series"
        )
    panels = [_some(panel, rng) for panel in (*(ours.take(of) for of in sides), theirs.take(rows))]
    rooms = [_room(panel, length) for panel in panels]
    many = min(WINDOWS, *(int(room.sum()) for room in rooms))
    # as many windows of a unit on all sides, where there is room
    most = max(_filled(room, many) for room in rooms)
    made = [
        _side(panel, length, np.minimum(room, most), many, scaling, featurise or features, rng)
        for panel, room in zip(panels, rooms, strict=True)
    ]
    if featurise is None:
        own = in_units(made[0].typical)
        made = [replace(side, featurise=own) for side in made]
    caution, why = _cautions(ours, theirs, real, synthetic)
    return Contrast(
        made[0],
        made[2],
        made[1],
        max(1, length // 4),
        real,
        synthetic,
        twins,
        as_read or {},
        tuple(rules),
        known,
        (*_notes(made, ours, theirs, real), *why),
        caution,
    )


def _length(real: Panel, synthetic: Panel) -> int:
    """How long windows are."""
    wanted = max(SEASONS * real.season, VALUES)
    for panel in (real, synthetic):
        if not len(panel):
            raise DataError("there is no series to compare")
        wanted = min(wanted, int(np.quantile(panel.lengths, 0.2, method="lower")))
        if len(panel) < SERIES:
            # as many stretches as it takes for two halves
            wanted = min(wanted, int(panel.lengths.min()) // -(-4 * LEAST // len(panel)))
    if wanted < SHORTEST:
        raise DataError(
            f"the series are too short for windows of {SHORTEST} values: a fifth of {len(real)} real ones has "
            f"{int(np.quantile(real.lengths, 0.2))} values at most, of {len(synthetic)} synthetic ones "
            f"{int(np.quantile(synthetic.lengths, 0.2))}"
        )
    return wanted


def _units(panel: Panel, length: int) -> tuple[Panel, list[tuple[str, int]]]:
    """Series that have a window, or stretches of time where these are few; the key and number of each."""
    if len(panel) >= SERIES:
        rows = np.flatnonzero(panel.lengths >= length)
        return panel.take(rows), [(panel.keys[i], 0) for i in rows.tolist()]
    begins, sizes, names = [], [], []
    for row, size in enumerate(panel.lengths.tolist()):
        n = int(np.clip(size // (2 * length), size // length > 0, -(-STRETCHES // len(panel))))
        n = max(n, min(-(-4 * LEAST // len(panel)), size // length))
        edges = np.linspace(0, size, n + 1).astype(np.int64)
        begins.append(panel.offsets[row] + edges[:-1])
        sizes.append(np.diff(edges))
        names += [(panel.keys[row], k) for k in range(n)]
    values, offsets = gathered(panel.values, np.concatenate(begins), np.concatenate(sizes))
    cut = replace(
        panel,
        values=frozen(values),
        offsets=frozen(offsets),
        keys=tuple(f"{key} part {k}" for key, k in names),
        series=tuple(key for key, _ in names),
        groups={},
        weights=None,
    )
    return cut, names


def _room(panel: Panel, length: int) -> Ints:
    """How many windows each unit has room for, at most `PER_UNIT`."""
    return np.minimum(panel.lengths // length, PER_UNIT)


def _some(panel: Panel, rng: np.random.Generator) -> Panel:
    """At most `UNITS` units, by chance."""
    if len(panel) <= UNITS:
        return panel
    return panel.take(np.sort(rng.choice(len(panel), UNITS, replace=False)))


def _filled(room: Ints, many: int) -> int:
    """How many windows a unit must give at most for `many` together."""
    return next(n for n in range(1, PER_UNIT + 1) if int(np.minimum(room, n).sum()) >= many)


def _side(
    panel: Panel,
    length: int,
    room: Ints,
    many: int,
    scaling: Literal["none", "standard"],
    featurise: Featurise,
    rng: np.random.Generator,
) -> Side:
    """`many` windows of units by chance, each of which gives what it has `room` for, from a random step on."""
    order = rng.permutation(len(panel))
    before = np.cumsum(room[order]) - room[order]
    each = np.zeros(len(panel), dtype=np.int64)
    each[order] = np.clip(many - before, 0, room[order])
    unit = np.repeat(np.arange(len(panel)), each)
    slots = panel.lengths // length
    spare = panel.lengths - slots * length
    chosen = [np.sort(rng.choice(slots[i], each[i], replace=False)) for i in np.flatnonzero(each)]
    slot = np.concatenate(chosen) if chosen else np.empty(0, dtype=np.int64)
    shift = rng.integers(0, spare + 1)[unit]
    return Side(panel, frozen(unit), frozen(slot * length + shift), length, scaling, featurise)


def _notes(made: Sequence[Side], ours: Panel, theirs: Panel, real: Panel) -> tuple[str, ...]:
    n, used = [len(side.unit) for side in made], [len(np.unique(side.unit)) for side in made]
    kind = "series" if len(real) >= SERIES else "stretches of series"
    return (
        f"{n[0]} real and {n[2]} synthetic windows of {made[0].length} values, of {used[0]} of {len(ours)} and of "
        f"{used[2]} of {len(theirs)} {kind}; the noise floor has {n[1]} of {used[1]} others",
    )


def _cautions(ours: Panel, theirs: Panel, real: Panel, synthetic: Panel) -> tuple[str, tuple[str, ...]]:
    """What a proof is not about, in a few words, and why, in notes; nothing where units are many and independent."""
    short, told = [], []
    if (few := min(len(real), len(synthetic))) < SERIES and not pairing(real.keys, synthetic.keys).paired:
        short.append("these series alone, which are few")
        told.append(
            f"{few} series on a side are few: what differs from series to series, such as their levels, counts as a "
            "difference of the sides, and a warning is about these series alone"
        )
    for name, panel, units in (("real", real, ours), ("synthetic", synthetic, theirs)):
        if why := dependence(panel, units, few=SERIES):
            short.append("the paths that these series took, which are not independent")
            told.append(f"the {name} series {why}: {DEPENDENT}")
    return ", and about ".join(dict.fromkeys(short)), tuple(told)
