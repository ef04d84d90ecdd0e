"""What each series is shifted and divided by before a forecaster sees it."""

from __future__ import annotations

import numpy as np

from tsgap.blocks import let_go, room
from tsgap.errors import ContractError
from tsgap.panel import Floats, Ints, Panel, frozen
from tsgap.ragged import row_blocks


def location_and_scale(
    panel: Panel, scaling: str, context: int | None, figures: Floats | None, spare: Floats | None = None
) -> tuple[Floats, Floats, int]:
    """What each row is shifted and divided by (N,), from its last `context` values (None: all).

    A row whose scale would be 0 (or below 1e-100) has that of `spare` (N,) instead, or 1 without; the third figure
    counts those rows.
    """
    n = len(panel)
    if scaling == "none" or n == 0:
        return np.zeros(n), np.ones(n), 0
    if scaling == "train":
        if figures is None:
            raise ContractError("scaling 'train' without the figures of the training part")
        return figures[:, 0], figures[:, 1], 0
    recent = panel if context is None else panel.tail(context)
    if scaling not in ("mean-abs", "standard"):
        raise ContractError(f"there is no scaling {scaling!r}")
    location, scale = np.zeros(n), np.ones(n)
    offsets, lengths = recent.offsets, recent.lengths
    for rows in row_blocks(offsets):
        # an empty row has no part in reduceat: it keeps location 0 and scale 1
        full = rows.start + np.flatnonzero(lengths[rows])
        if not len(full):
            continue
        values = recent.values[offsets[rows.start] : offsets[rows.stop]]
        begin, count = offsets[full] - offsets[rows.start], lengths[full]
        if scaling == "mean-abs":
            scale[full] = np.add.reduceat(np.abs(values), begin) / count
        else:
            location[full] = np.add.reduceat(values, begin) / count
            centred = values - np.repeat(location[rows], lengths[rows])
            scale[full] = np.sqrt(np.add.reduceat(centred**2, begin) / count)
        let_go(recent.values)
    if scaling == "standard":
        # a constant row has no scale; rounding must not lend it one
        scale[scale <= 1e-12 * np.abs(location)] = 0.0
    none = ~(scale > 1e-100)
    scale[none] = 1.0 if spare is None else spare[none]
    return location, scale, int(none.sum())


def spare_scales(train: Panel, scaling: str) -> Floats | None:
    """What stands in where a history has no scale of its own (S,): the scale of its series' real training part.

    Histories that are 0, or constant, throughout are forecast in units of it: 1 would be one unit of the data, and what
    is in kilograms would be forecast otherwise than the same in tons. A series that has none either has the median of
    the others; 1 where none of them has one. None for a scaling that does not hang on the values of a history.
    """
    if scaling not in ("mean-abs", "standard"):
        return None
    _, scale, _ = location_and_scale(train, scaling, None, None, np.full(len(train), np.nan))
    scale[train.lengths == 0] = np.nan
    return filled(scale)


def filled(scale: Floats) -> Floats:
    """Scales (S,) with the median of those that are there where one is NaN, 1 where none is there."""
    there = scale[~np.isnan(scale)]
    return np.where(np.isnan(scale), np.median(there) if len(there) else 1.0, scale)


def scaled(panel: Panel, location: Floats, scale: Floats) -> Panel:
    """Every row shifted and divided by its own figures."""
    values, lengths = room(len(panel.values)), panel.lengths
    for rows in row_blocks(panel.offsets):
        here = slice(panel.offsets[rows.start], panel.offsets[rows.stop])
        shift, size = (np.repeat(of[rows], lengths[rows]) for of in (location, scale))
        values[here] = (panel.values[here] - shift) / size
        let_go(panel.values, values)
    return panel.with_values(frozen(values))


class Scaled:
    """A panel read some rows at a time, each scaled by all of its values; `ones` counts rows read that have no scale.

    `figures` (N, 2) are the location and scale of each row, where the scaling asks for them.
    """

    def __init__(self, panel: Panel, scaling: str, figures: Floats | None) -> None:
        self._panel, self._scaling, self._figures = panel, scaling, figures
        self.ones = 0

    def read(self, rows: Ints) -> Panel:
        """Some rows, scaled."""
        some, figures = self._panel.take(rows), self._figures
        shift, size, ones = location_and_scale(some, self._scaling, None, figures if figures is None else figures[rows])
        self.ones += ones
        return scaled(some, shift, size)
