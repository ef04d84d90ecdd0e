"""Copies of real series among synthetic ones: how near the nearest stretches are, and which all but repeat them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import nan

import numpy as np
from numpy.typing import NDArray

from tsgap.diagnostics.contrast import Contrast, Side
from tsgap.diagnostics.figures import Diagnosed, Figure, Sample
from tsgap.diagnostics.shares import Share, figures_of
from tsgap.nearness import Nearest, flattened, nearest
from tsgap.occurrences import Stretches, occurring
from tsgap.panel import Floats, Ints, Panel
from tsgap.ragged import offsets_of

#: Windows of a side that are looked for at every alignment, at least and at most; pairs that are compared.
FEWEST, MANY, PAIRS = 100, 1000, 25 * 10**7
#: Values of the real series that are searched, at most.
VALUES = 10**7
#: A window is a near copy if it is nearer than this share of real windows is to other real series.
QUANTILE = 0.01
#: And no farther than this, in standard deviations: what is smooth is near to much that is smooth.
CLOSE = 0.5
#: Fewer real windows than this do not tell the quantile, and so few synthetic ones no share.
LEAST, LEAST_SYNTHETIC = 100, 20
#: A distance that is none.
TINY = 1e-9
#: Steps of stretches that are the same, or fewer where windows are shorter.
EXACT = 24
#: Copies are warned of where the share is proven larger at this level, and so many times as large.
LEVEL, TIMES = 0.01, 3.0
#: Samples that are shown at most.
WORST = 20

SCREEN = (
    "look at the worst samples and at how the generator was fitted; distances are a screen and never a proof: what "
    "passes may still give series away"
)
RAW = "distance to the nearest real window (ratio of medians)"
FREE = "distance at any alignment, up to level, slope and scale (ratio of medians)"
RELATIVE = "nearest against second nearest real window (median)"
NEAR, SAME = "very near, up to level, slope and scale, to", "the same, up to level and scale, as"
NEAR_COPIES, EXACT_COPIES = "share of near copies", "share of stretches that are exact copies"


def measure(contrast: Contrast, *, seed: int) -> Diagnosed:
    """How near synthetic windows are to real ones, beside how near real ones are to those of other real series.

    Distances of windows (`RAW`, `RELATIVE`) are in the units of the data, those of synthetic and of held-back real
    windows to the windows of the other real half. What does not depend on level, slope and scale is searched for at
    every alignment in all real units, real windows in all but their own unit; where synthetic series are twins of real
    ones, which resemble them more than any other, in all but their own place. Exact copies are stretches that are
    equal up to level and scale.
    """
    figures = list(_distances(contrast))
    if contrast.is_floor:
        return Diagnosed(tuple(figures))
    search = _Search(contrast, _searched(contrast))
    near, far = search.near(seed)
    figures[1:1] = [search.ratio(), near]
    exact, same = search.exact(seed)
    figures.append(exact)
    note = (
        f"{len(search.rows)} synthetic and {len(search.own)} real windows of {contrast.real.length} values were looked "
        f"for at every alignment in {len(search.panel)} real units, {len(search.panel.values)} values"
    )
    worst = sorted([*same, *far], key=lambda sample: -sample.score)
    return Diagnosed(tuple(figures), tuple(worst[:WORST]), (note,))


def _distances(contrast: Contrast) -> tuple[Figure, Figure]:
    ours, first = _two_nearest(contrast.synthetic, contrast.real)
    theirs, second = _two_nearest(contrast.held_back, contrast.real)
    base = float(np.median(theirs))
    return (
        Figure(RAW, float(np.median(ours)) / base if base > 0 else nan, reference=1.0),
        Figure(RELATIVE, float(np.median(ours / first)), reference=float(np.median(theirs / second))),
    )


def _two_nearest(side: Side, real: Side) -> tuple[Floats, Floats]:
    """Distance of each window (N,) to the nearest window of the real side, and to the nearest of another unit."""
    y, x = side.windows, real.windows
    centre = x.mean()
    y, x = y - centre, x - centre
    squares = (y**2).sum(1)[:, None] + (x**2).sum(1) - 2 * y @ x.T
    at = squares.argmin(1)
    first = ((y - x[at]) ** 2).sum(1)
    squares[real.unit[at][:, None] == real.unit] = np.inf
    second = ((y - x[squares.argmin(1)]) ** 2).sum(1)
    return np.sqrt(first), np.maximum(np.sqrt(second), np.finfo(float).tiny)


@dataclass(frozen=True, eq=False)
class _Search:
    """The synthetic windows in all real units, and the real ones in all but themselves."""

    contrast: Contrast
    panel: Panel

    @cached_property
    def _real(self) -> tuple[Ints, Ints]:
        """Where real windows begin in the values of the panel (N,), and the row that each is of (N,)."""
        begins, rows, before = [], [], 0
        for side in (self.contrast.real, self.contrast.held_back):
            row = side.unit + before
            at = side.begins - (side.panel.lengths[side.unit] - self.panel.lengths[row])
            begins.append((self.panel.offsets[row] + at)[at >= 0])
            rows.append(row[at >= 0])
            before += len(side.panel)
        return np.concatenate(begins), np.concatenate(rows)

    def _apart(self, begins: Ints, rows: Ints, length: int) -> Ints:
        """Positions (N, 2) of the panel that are not compared with stretches that begin there."""
        if self.contrast.paired:
            return np.stack([begins - length + 1, begins + length], axis=1)
        return np.stack([self.panel.offsets[rows], self.panel.offsets[rows + 1]], axis=1)

    @cached_property
    def many(self) -> int:
        """How many windows of a side are looked for nearby."""
        return int(np.clip(PAIRS // max(1, len(self.panel.values)), FEWEST, MANY))

    @cached_property
    def rows(self) -> Ints:
        """The synthetic windows that are looked for: those with more than a line in them."""
        return _evenly(np.flatnonzero(flattened(self.contrast.synthetic.windows)[1]), self.many)

    @cached_property
    def own(self) -> Ints:
        """The real ones, of `_real`."""
        begins, _ = self._real
        return _evenly(np.flatnonzero(flattened(self._cut(begins))[1]), self.many)

    def _cut(self, begins: Ints) -> Floats:
        return np.asarray(self.panel.values[begins[:, None] + np.arange(self.contrast.real.length)])

    @cached_property
    def found(self) -> tuple[Nearest, Nearest]:
        """The nearest stretches to synthetic and to real windows."""
        begins, rows = (of[self.own] for of in self._real)
        apart = self._apart(begins, rows, self.contrast.real.length)
        return nearest(self._flat, self.panel), nearest(self._flat_real, self.panel, apart=[apart])

    @cached_property
    def _flat(self) -> Floats:
        return flattened(self.contrast.synthetic.windows[self.rows])[0]

    @cached_property
    def _flat_real(self) -> Floats:
        return flattened(self._cut(self._real[0][self.own]))[0]

    def _lead(self, flat: Floats, first: Nearest, of: Ints, apart: Sequence[Ints] = ()) -> Floats:
        """How far the nearest stretch is over how far that of the next real unit is, for some windows."""
        row = np.searchsorted(self.panel.offsets, first.start[of], side="right") - 1
        nearest_unit = np.stack([self.panel.offsets[row], self.panel.offsets[row + 1]], axis=1)
        second = nearest(flat[of], self.panel, apart=[*apart, nearest_unit]).distance
        return np.asarray(first.distance[of] / np.maximum(second, TINY))

    def ratio(self) -> Figure:
        """Median distance of synthetic windows over that of real ones."""
        ours, theirs = (of.distance for of in self.found)
        if not len(ours) or not len(theirs) or not (base := float(np.median(theirs))) > 0:
            return Figure.unknown(FREE, "real windows are lines, or repeat each other")
        return Figure(FREE, float(np.median(ours)) / base, reference=1.0)

    def near(self, seed: int) -> tuple[Figure, list[Sample]]:
        """The share of near copies, and which they are.

        A near copy is nearer to its nearest real stretch than `QUANTILE` of the real windows are to theirs, and than
        `CLOSE`, and leads the stretches of the next real unit by more than that share of real windows do.
        """
        ours, theirs = self.found
        if len(self.rows) < LEAST_SYNTHETIC or len(self.own) < LEAST:
            why = (
                f"{len(self.rows)} synthetic and {len(self.own)} real windows with more than a line in them are too "
                f"few: it takes {LEAST_SYNTHETIC} and {LEAST}, more series or longer ones"
            )
            return Figure.unknown(NEAR_COPIES, why), []
        side = self.contrast.synthetic
        begins, rows = (of[self.own] for of in self._real)
        known = np.flatnonzero(theirs.start >= 0)
        apart = self._apart(begins, rows, side.length)[known]
        leads = np.full(len(self.own), np.inf)
        leads[known] = self._lead(self._flat_real, theirs, known, [apart])
        limit = min(float(np.quantile(theirs.distance, QUANTILE)), CLOSE)
        lead = float(np.quantile(leads, QUANTILE))
        again = (theirs.distance <= limit) & (leads <= lead)
        close = np.flatnonzero(ours.distance <= limit)
        close = close[self._lead(self._flat, ours, close) <= lead]
        is_near = np.isin(np.arange(len(self.rows)), close).astype(np.float64)
        share = Share(NEAR_COPIES, is_near, side.unit[self.rows], again.astype(np.float64), rows, SCREEN)
        figure = _warned(share, seed)
        if figure.flag != "warn":
            # as many as real series come near to each other: none of them is called a copy
            return figure, []
        found = [
            self._sample(
                int(self.rows[i]),
                0,
                side.length,
                float(1 - ours.distance[i] / max(limit, TINY)),
                int(ours.start[i]),
                NEAR,
            )
            for i in close.tolist()
        ]
        return figure, found

    def exact(self, seed: int) -> tuple[Figure, list[Sample]]:
        """The share of stretches of synthetic windows that are in a real series as they stand, and which they are."""
        side, length = self.contrast.synthetic, min(EXACT, self.contrast.real.length)
        steps = np.arange(0, side.length - length + 1, length)
        window = np.repeat(np.arange(len(side.unit)), len(steps))
        starts = side.panel.offsets[side.unit[window]] + (side.begins[window] + np.tile(steps, len(side.unit)))
        ours = Stretches.distinct(side.panel.values, starts, length)
        begins, _ = self._real
        real = Stretches.distinct(self.panel.values, (begins[:, None] + steps).ravel(), length)
        row = np.searchsorted(self.panel.offsets, real.starts, side="right") - 1
        apart = self._apart(real.starts, row, length)

        def elsewhere(pairs: Ints, at: Ints) -> NDArray[np.bool_]:
            return np.asarray((at < apart[pairs, 0]) | (at >= apart[pairs, 1]))

        if not len(ours) or not len(real):
            return Figure.unknown(
                EXACT_COPIES, "stretches have too few different values to tell a copy from chance"
            ), []
        found, _ = occurring(ours, self.panel)
        again, _ = occurring(real, self.panel, allowed=elsewhere)
        at = np.searchsorted(starts, ours.starts) if (np.diff(starts) >= 0).all() else _found_at(starts, ours.starts)
        share = Share(
            EXACT_COPIES, found.astype(np.float64), side.unit[window[at]], again.astype(np.float64), row, SCREEN
        )
        figure = _warned(share, seed)
        if found.any() and not again.any():
            # no real stretch is in another real series: chance does not do that
            figure = replace(figure, flag="warn", advice=SCREEN)
        shown = at[found][:WORST]
        places = self._places(ours.take(found), WORST)
        samples = [
            self._sample(int(window[i]), int(steps[i % len(steps)]), length, 2.0, place, SAME)
            for i, place in zip(shown.tolist(), places.tolist(), strict=True)
        ]
        return figure, samples

    def _places(self, stretches: Stretches, most: int) -> Ints:
        """Where in the values of the panel the first of some stretches are."""
        return nearest(flattened(stretches.standardised(slice(0, most)))[0], self.panel).start

    def _sample(self, window: int, step: int, length: int, score: float, at: int, what: str) -> Sample:
        side = self.contrast.synthetic
        key = side.panel.keys[side.unit[window]]
        reason = f"{what} a real series"
        if at >= 0:
            row = int(np.searchsorted(self.panel.offsets, at, side="right")) - 1
            reason = f"{what} real series {self.panel.keys[row]!r} from its step {at - self.panel.offsets[row]} on"
        return Sample(key, int(side.begins[window]) + step, length, score, reason)


def _warned(share: Share, seed: int) -> Figure:
    (figure,) = figures_of([share], is_floor=False, level=LEVEL, seed=seed)
    if figure.flag == "warn" and not figure.value >= TIMES * figure.reference:
        return replace(figure, flag="", advice="")
    return figure


def _searched(contrast: Contrast) -> Panel:
    """All real units, the later part of each where there are too many values."""
    sides = contrast.real.panel, contrast.held_back.panel
    lengths = np.concatenate([panel.lengths for panel in sides])
    whole = Panel(
        np.concatenate([panel.values for panel in sides]),
        offsets_of(lengths),
        (*sides[0].keys, *sides[1].keys),
        sides[0].freq,
        sides[0].seasons,
    )
    return whole if len(whole.values) <= VALUES else whole.tail(max(contrast.real.length, VALUES // len(whole)))


def _evenly(rows: Ints, most: int) -> Ints:
    """At most so many of some rows, evenly."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64))] if len(rows) else rows


def _found_at(starts: Ints, wanted: Ints) -> Ints:
    order = np.argsort(starts, kind="stable")
    return np.asarray(order[np.searchsorted(starts[order], wanted)])
