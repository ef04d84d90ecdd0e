"""Copies of real series among synthetic ones: how near the nearest stretches are, and which all but repeat them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tsgap.diagnostics.contrast import Contrast, Side
from tsgap.diagnostics.figures import Diagnosed, Figure, Sample
from tsgap.diagnostics.shares import Share, figures_of
from tsgap.halves import SERIES as FEW
from tsgap.nearness import Nearest, flattened, nearest, steps_that_count, telling
from tsgap.occurrences import Allowed, Stretches, occurring, positions
from tsgap.panel import Floats, Ints, Panel
from tsgap.protocols import DiagnosticSpec
from tsgap.ragged import spans

#: Windows of a side that are looked for at every alignment, at least and at most; pairs that are compared.
FEWEST, MANY, PAIRS = 100, 1000, 5 * 10**8
#: Values of the real series that are searched, and stretches of a side that are looked for exactly, at most.
VALUES, STRETCHES = 10**7, 2**17
#: A window is a near copy if it is nearer than this share of real windows is to other real series.
QUANTILE = 0.01
#: And no farther than this, in standard deviations: what is smooth is near to much that is smooth.
CLOSE = 0.5
#: Fewer real windows than this do not tell the quantile, and so few synthetic ones no share.
LEAST, LEAST_SYNTHETIC = 100, 20
#: A distance that is none, and one below which stretches are the same.
TINY, ALIKE = 1e-9, 1e-3
#: Units that few series are cut into, all together.
PARTS = 40
#: Steps of stretches that are the same, or fewer where windows are shorter.
EXACT = 24
#: Copies are warned of where the share is proven larger at this level, and so many times as large.
LEVEL, TIMES = 0.01, 3.0
#: A window that is so many times nearer to one real series than to any other, and twice as many times as any real
#: window, is a copy where another window of its series is one of the same real series; series that are looked at
#: closely for it, and windows of each.
NEARER, SERIES, OF_SERIES = 3.5, 16, 16
#: So many steps at least make up such a window.
STEPS = 4.0
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
    every alignment in all real series, the held-back ones too, and for windows of every synthetic series as long as
    these are no more than the windows; real windows in all but their own series; where synthetic series are twins of
    real ones, which resemble them more than any other, in all but their own place. Exact copies are stretches that are
    equal up to level and scale. Beside proven shares a single series is warned of that is the copy of a real one beyond
    what real series have in common.
    """
    figures = list(_distances(contrast))
    if contrast.is_floor:
        return Diagnosed(tuple(figures))
    search = _Search(contrast, _searched(contrast))
    near, far = search.near(seed)
    figures[1:1] = [search.ratio(), near]
    exact, same, looked_for = search.exact(seed)
    figures.append(exact)
    length, ours = contrast.real.length, search.ours
    note = (
        f"{len(ours.starts)} synthetic windows, of {len(np.unique(ours.row))} of {len(ours.panel)} series, and "
        f"{len(search.own.starts)} real windows of {length} values were looked for at every alignment in "
        f"{len(search.panel)} real series, {len(search.panel.values)} values; {looked_for}"
    )
    worst = sorted([*same, *far], key=lambda sample: -sample.score)
    return Diagnosed(tuple(figures), tuple(worst[:WORST]), (note,))


def _distances(contrast: Contrast) -> tuple[Figure, Figure]:
    ours, first = _two_nearest(contrast.synthetic, contrast.real)
    theirs, second = _two_nearest(contrast.held_back, contrast.real)
    base = float(np.median(theirs))
    raw = (
        Figure(RAW, float(np.median(ours)) / base, reference=1.0)
        if base > 0
        else Figure.unknown(RAW, "more than half of the held-back real windows are the same as other real ones")
    )
    return (
        raw,
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
class _Windows:
    """Stretches of `length` values of a panel, end to end: where they begin (N,) in the values of which `row` (N,).

    `unit` (N,) tells apart what is taken for independent: series, or stretches of time of a window or more where these
    are few.
    """

    panel: Panel
    length: int
    starts: Ints
    row: Ints

    @classmethod
    def of(cls, panel: Panel, length: int, most: int, *, among: Ints | None = None) -> _Windows:
        """At most so many, evenly, of every series that is long enough or of some; of fewer where these are more."""
        room = panel.lengths // length
        rows = _evenly(np.flatnonzero(room) if among is None else among, most)
        each = np.minimum(room[rows], max(1, most // max(1, len(rows))))
        row = np.repeat(rows, each)
        nth, _ = spans(np.zeros_like(each), each)
        return cls(panel, length, panel.offsets[row] + nth * room[row] // np.repeat(each, each) * length, row)

    def take(self, which: Ints | NDArray[np.bool_]) -> _Windows:
        """Some of them."""
        return _Windows(self.panel, self.length, self.starts[which], self.row[which])

    def varied(self) -> _Windows:
        """Those with more than a line in them."""
        return self.take(flattened(self.values)[1])

    @property
    def values(self) -> Floats:
        """Their values (N, L)."""
        return np.asarray(self.panel.values[positions(self.starts, self.length)])

    @cached_property
    def flat(self) -> Floats:
        """Without level, slope and scale (N, L)."""
        return flattened(self.values)[0]

    @property
    def step(self) -> Ints:
        """Where in their series they begin (N,)."""
        return np.asarray(self.starts - self.panel.offsets[self.row])

    def unit(self, window: int) -> Ints:
        """The unit of each (N,), for windows of so many values."""
        if len(self.panel) >= FEW:
            return self.row
        lengths = self.panel.lengths[self.row]
        parts = np.clip(lengths // (2 * window), 1, -(-PARTS // len(self.panel)))
        return np.asarray(np.unique(self.row * PARTS + self.step * parts // lengths, return_inverse=True)[1])


@dataclass(frozen=True, eq=False)
class _Search:
    """The synthetic windows in all real series, and the real ones in all but themselves."""

    contrast: Contrast
    panel: Panel

    @property
    def length(self) -> int:
        """How long windows are."""
        return self.contrast.real.length

    @cached_property
    def many(self) -> int:
        """How many windows of a side are looked for nearby."""
        return int(np.clip(PAIRS // max(1, len(self.panel.values)), FEWEST, MANY))

    @cached_property
    def ours(self) -> _Windows:
        """The synthetic windows that are looked for."""
        return _Windows.of(self.contrast.all_synthetic, self.length, self.many).varied()

    @cached_property
    def own(self) -> _Windows:
        """The real ones."""
        return _Windows.of(self.panel, self.length, self.many).varied()

    def _apart(self, starts: Ints, length: int) -> Ints:
        """Positions (N, 2) of the panel that are not compared with stretches that begin there."""
        if self.contrast.paired or len(self.panel) < FEW:
            return np.stack([starts - length + 1, starts + length], axis=1)
        row = self._row(starts)
        return np.stack([self.panel.offsets[row], self.panel.offsets[row + 1]], axis=1)

    def _row(self, starts: Ints) -> Ints:
        return np.asarray(np.searchsorted(self.panel.offsets, starts, side="right") - 1)

    @cached_property
    def found(self) -> tuple[Nearest, Nearest]:
        """The nearest stretches to synthetic and to real windows."""
        apart = self._apart(self.own.starts, self.length)
        return nearest(self.ours.flat, self.panel), nearest(self.own.flat, self.panel, apart=[apart])

    def _lead(self, windows: _Windows, first: Nearest, of: Ints, apart: Sequence[Ints] = ()) -> Floats:
        """How far the nearest stretch is over how far that of the next real series is, for some windows."""
        row = self._row(first.start[of])
        around = np.stack([self.panel.offsets[row], self.panel.offsets[row + 1]], axis=1)
        second = nearest(windows.flat[of], self.panel, apart=[*apart, around]).distance
        return np.asarray(np.maximum(first.distance[of], ALIKE) / np.maximum(second, ALIKE))

    def ratio(self) -> Figure:
        """Median distance of synthetic windows over that of real ones."""
        ours, theirs = (of.distance for of in self.found)
        if not len(ours) or not len(theirs) or not (base := float(np.median(theirs))) > 0:
            return Figure.unknown(FREE, "real windows are lines, or repeat each other")
        return Figure(FREE, float(np.median(ours)) / base, reference=1.0)

    def near(self, seed: int) -> tuple[Figure, list[Sample]]:
        """The share of near copies, and which they are.

        A near copy is nearer to its nearest real stretch than `QUANTILE` of the real windows are to theirs, and than
        `CLOSE`, and leads the stretches of the next real series by more than that share of real windows do. Real
        windows that are the same in another series are in neither share, but among the real ones that are near.
        """
        ours, theirs = self.found
        if len(self.ours.starts) < LEAST_SYNTHETIC or len(self.own.starts) < LEAST:
            why = (
                f"{len(self.ours.starts)} synthetic and {len(self.own.starts)} real windows with more than a line in "
                f"them are too few: it takes {LEAST_SYNTHETIC} and {LEAST}, more series or longer ones"
            )
            return Figure.unknown(NEAR_COPIES, why), []
        known = np.flatnonzero(theirs.start >= 0)
        leads = np.full(len(self.own.starts), np.inf)
        leads[known] = self._lead(self.own, theirs, known, [self._apart(self.own.starts[known], self.length)])
        # real series that are there twice would let nothing but exact copies be near
        once = theirs.distance > ALIKE if (theirs.distance > ALIKE).any() else np.ones(len(leads), dtype=bool)
        limit = min(float(np.quantile(theirs.distance[once], QUANTILE)), CLOSE)
        lead = float(np.quantile(leads[once], QUANTILE))
        again = (theirs.distance <= limit) & (leads <= lead)
        close = np.flatnonzero(ours.distance <= limit)
        ahead = self._lead(self.ours, ours, close)
        is_near = np.isin(np.arange(len(self.ours.starts)), close[ahead <= lead]).astype(np.float64)
        units = self.ours.unit(self.length), self.own.unit(self.length)
        share = Share(NEAR_COPIES, is_near, units[0], again.astype(np.float64), units[1], SCREEN)
        figure = _warned(share, seed)
        shown, at, distance = self.ours, ours.start, ours.distance
        rows = np.flatnonzero(is_near)
        if figure.flag != "warn":
            # as many as real series come near to each other, so that none is called a copy: but one that stands alone
            alone = min(float(leads.min()) / 2, 1 / NEARER)
            suspects = np.unique(self.ours.row[close[ahead <= alone]])[:SERIES]
            shown = _Windows.of(shown.panel, self.length, SERIES * OF_SERIES, among=suspects).varied()
            closely = nearest(shown.flat, self.panel)
            at, distance = closely.start, closely.distance
            # single jumps are near to each other by chance
            told = (distance <= limit) & (steps_that_count(shown.flat) >= STEPS)
            rows = np.flatnonzero(told)
            rows = rows[self._lead(shown, closely, rows) <= alone]
            pair = shown.row[rows] * len(self.panel) + self._row(at[rows])
            _, which, count = np.unique(pair, return_inverse=True, return_counts=True)
            rows = rows[count[which] >= 2]
            if len(rows):
                figure = replace(figure, flag="warn", advice=SCREEN)
        scores = 1 - distance[rows] / max(limit, TINY)
        return figure, [
            self._sample(shown, i, self.length, score, int(at[i]), NEAR)
            for i, score in zip(rows.tolist(), scores.tolist(), strict=True)
        ]

    def exact(self, seed: int) -> tuple[Figure, list[Sample], str]:
        """The share of stretches that are in a real series as they stand, which they are, and of how many."""
        length = min(EXACT, self.length)
        ours, mine = _distinct(_Windows.of(self.contrast.all_synthetic, length, STRETCHES))
        real, theirs = _distinct(_Windows.of(self.panel, length, STRETCHES))
        looked_for = f"so were {len(ours.starts)} stretches of {length}, exactly"
        if not len(ours.starts) or not len(real.starts):
            why = "stretches are too smooth, or have too few different values, to tell a copy from chance"
            return Figure.unknown(EXACT_COPIES, why), [], looked_for
        found, _ = occurring(mine, self.panel)
        again, _ = occurring(theirs, self.panel, allowed=_outside(self._apart(real.starts, length)))
        units = ours.unit(self.length), real.unit(self.length)
        share = Share(EXACT_COPIES, found.astype(np.float64), units[0], again.astype(np.float64), units[1], SCREEN)
        figure = _warned(share, seed)
        rows = np.flatnonzero(found)
        if figure.flag != "warn":
            rows = _evenly(rows, self.many)
            rows = rows[self._beyond_chance(mine.take(rows))]
            if len(rows):
                figure = replace(figure, flag="warn", advice=SCREEN)
        shown, counts = [], []
        for row in np.unique(ours.row[rows])[:STRETCHES].tolist():
            of = rows[ours.row[rows] == row]
            # stretches are end to end: as many as follow one another
            run = int(np.argmax(np.append(np.diff(ours.starts[of]) != length, True))) + 1
            shown.append(int(of[0]))
            counts.append((len(of), run))
        order = sorted(range(len(shown)), key=lambda i: -counts[i][0])[:WORST]
        places = self._places(mine.take(np.array([shown[i] for i in order], dtype=np.int64)))
        return (
            figure,
            [
                self._sample(ours, shown[i], counts[i][1] * length, 1.0 + counts[i][0], place, SAME)
                for i, place in zip(order, places.tolist(), strict=True)
            ],
            looked_for,
        )

    def _beyond_chance(self, found: Stretches) -> NDArray[np.bool_]:
        """Of which stretches that occur in a real series not both halves occur in others too (n,)."""
        apart, half = self._apart(self._places(found), found.length), found.length // 2
        starts = np.concatenate([found.starts, found.starts + found.length - half])
        known, _ = occurring(
            Stretches(found.values, starts, half), self.panel, allowed=_outside(np.concatenate([apart, apart]))
        )
        return np.asarray(~known.reshape(2, -1).all(0))

    def _places(self, stretches: Stretches) -> Ints:
        """Where in the values of the panel stretches are."""
        return nearest(flattened(stretches.standardised())[0], self.panel).start

    def _sample(self, windows: _Windows, i: int, length: int, score: float, at: int, what: str) -> Sample:
        reason = f"{what} a real series"
        if at >= 0:
            row = int(self._row(np.array([at]))[0])
            begin = at - self.panel.offsets[row + 1] + self.contrast.all_real.lengths[row]
            reason = f"{what} real series {self.panel.keys[row]!r} from its step {begin} on"
        return Sample(windows.panel.keys[windows.row[i]], int(windows.step[i]), length, score, reason)


def _distinct(windows: _Windows) -> tuple[_Windows, Stretches]:
    """Those that have enough different values and are no smooth curves."""
    kept = Stretches.distinct(windows.panel.values, windows.starts, windows.length)
    kept = kept.take(telling(kept))
    return windows.take(np.isin(windows.starts, kept.starts)), kept


def _outside(apart: Ints) -> Allowed:
    """Pairs that count: those of a stretch and a place that is not within its `apart` (N, 2)."""
    return lambda pairs, at: np.asarray((at < apart[pairs, 0]) | (at >= apart[pairs, 1]))


def _warned(share: Share, seed: int) -> Figure:
    (figure,) = figures_of([share], is_floor=False, level=LEVEL, seed=seed)
    if figure.flag == "warn" and not figure.value >= TIMES * figure.reference:
        return replace(figure, flag="", advice="")
    return figure


def _searched(contrast: Contrast) -> Panel:
    """All real series, the later part of each where there are too many values."""
    whole = contrast.all_real
    return whole if len(whole.values) <= VALUES else whole.tail(max(contrast.real.length, VALUES // len(whole)))


def _evenly(rows: Ints, most: int) -> Ints:
    """At most so many of some rows, evenly."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64))] if len(rows) else rows


SPECS = (DiagnosticSpec("copies", "distances to real windows, and exact and near copies of them: a screen", measure),)
