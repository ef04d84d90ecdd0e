"""Stretches of a test looked for in other series: the same up to level and scale, or all but the same, in any turn."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tsgap.nearness import detail, dimensions, flattened, nearest, steps_that_count, telling
from tsgap.occurrences import TURNS, Stretches, occurring, positions
from tsgap.panel import Floats, Ints, Panel
from tsgap.ragged import spans
from tsgap.splits import Split

#: Steps of a stretch: long enough not to be met by chance, short enough to fit into a window of samples.
LONGEST, SHORTEST = 24, 8
#: The same for stretches that are all but equal: half of the test or of the samples, but not below `LONGEST`.
LONGEST_NEAR, SHORTEST_NEAR = 48, 16
#: A near stretch is within this root mean square, and so many times nearer than the nearest of the training part.
NEARBY, TIMES = 0.25, 3.5
#: What is nearer than this is the same: a series that repeats itself is no nearer to one panel than to another.
SAME = 1e-3
#: So many steps at least make up a stretch: where one jump does, any other jump is near.
STEPS = 4.0
#: Stretches that are looked for at least and at most, and pairs of them with stretches of a panel that are compared.
FEWEST, MANY, PAIRS = 40, 1024, 40 * 10**8
#: Near stretches without a common value that it takes; series of one near stretch that are looked at closely, and
#: stretches of each.
AT_LEAST, SERIES, OF_SERIES = 2, 16, 64
#: As many as chance puts there with at least this probability are chance. Beyond these dimensions it puts none there.
LEVEL, MOST = 1e-3, 50
#: A series whose test is known to this share in the training part of others is one of them again.
AGAIN = 0.5


@dataclass(frozen=True)
class Leaked:
    """How many stretches of the test were `found` in a panel, of how many that were `looked_for`, `first` of a series.

    `whole` is False where too many nearly equal stretches ended the search early: then at least so many are in it.
    `turned` says how many of those found are there in each of `TURNS`, the first that fits.
    """

    found: int
    looked_for: int
    whole: bool = True
    first: str = ""
    turned: tuple[int, ...] = (0,) * len(TURNS)


@dataclass(frozen=True, eq=False)
class Wanted:
    """The `stretches` of a test that are looked for, none of which occurs in the real training part in any turn too.

    `whole` is False if that is not known of all. `again` are the series whose test is in the training part of others,
    of `series` that have stretches at all.
    """

    stretches: Stretches
    whole: bool = True
    again: tuple[str, ...] = ()
    series: int = 0

    @classmethod
    def of(cls, split: Split, length: int) -> Wanted:
        """All that can be looked for in series that have stretches of this length."""
        starts, _ = _starts(split, length)
        every = Stretches.distinct(split.data.values, starts, length)
        every = every.take(telling(every))
        turns, whole = _occurring(every, split.train)
        known, same = turns >= 0, turns == 0
        series = np.searchsorted(split.data.offsets, every.starts, side="right") - 1
        rows = series[same]

        def own(pairs: Ints, at: Ints) -> NDArray[np.bool_]:
            return np.asarray(rows[pairs] == np.searchsorted(split.train.offsets, at, side="right") - 1)

        repeats, _ = occurring(every.take(same), split.train, allowed=own)
        others = same.copy()
        others[same] = ~repeats
        counts, elsewhere = (np.bincount(series[of], minlength=len(split.data)) for of in (slice(None), others))
        again = np.flatnonzero((elsewhere > 0) & (elsewhere >= AGAIN * counts))
        return cls(
            every.take(~known), whole, tuple(split.data.keys[i] for i in again.tolist()), int(np.count_nonzero(counts))
        )


@dataclass(eq=False)
class Sought:
    """Stretches of a test that are looked for where they are not quite the same, `far` from the training part.

    `flat` (n, L) are they without level, slope and scale, from `starts` (n,) of the values of row `series` (n,) on.
    `far` (n,) is an upper bound, which comes down to what is asked of it.
    """

    split: Split
    starts: Ints
    series: Ints
    flat: Floats
    far: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.far = np.full(len(self.starts), np.inf)

    @classmethod
    def of(cls, split: Split, length: int, *, most: int, among: Ints | None = None) -> Sought:
        """At most so many, evenly over the test; `among` some series alone."""
        starts, series = _starts(split, length)
        if among is not None:
            starts, series = (of[np.isin(series, among)] for of in (starts, series))
        # one and a half: some are flat, or a single jump
        rows = np.unique(np.linspace(0, len(starts) - 1, min(len(starts), most + most // 2)).astype(np.int64))
        every = Stretches.distinct(split.data.values, starts[rows], length)
        series = np.searchsorted(split.data.offsets, every.starts, side="right") - 1
        flat, varies = flattened(split.data.values[positions(every.starts, length)])
        kept = np.flatnonzero(varies & (steps_that_count(flat) >= STEPS))
        kept = kept[np.unique(np.linspace(0, len(kept) - 1, min(len(kept), most)).astype(np.int64))]
        return cls(split, every.starts[kept], series[kept], flat[kept])

    @cached_property
    def dimensions(self) -> float:
        """In how many dimensions stretches of the training part differ around some of these."""
        rows = np.unique(np.linspace(0, len(self.flat) - 1, min(len(self.flat), OF_SERIES)).astype(np.int64))
        return dimensions(self.flat[rows], self.split.train, floor=SAME)

    def near(self, panel: Panel) -> tuple[Ints, Ints]:
        """Those that a stretch of the panel is near to, and far nearer than any of the real training part; its turn."""
        to = nearest(self.flat, panel, turns=True)
        found = to.distance
        # what is near in what a smooth curve has in common with any other alone is near by chance
        rows = np.flatnonzero(found <= NEARBY)
        rows = rows[np.maximum(found[rows], SAME) <= detail(self.flat[rows])]
        least = TIMES * np.maximum(found, SAME)
        rows = rows[self.far[rows] >= least[rows]]
        train = nearest(self.flat[rows], self.split.train, turns=True, enough=least[rows])
        self.far[rows] = np.minimum(self.far[rows], train.distance)
        rows = rows[self.far[rows] >= least[rows]]
        return rows, to.turn[rows]


def length_of(split: Split, synthetic: Panel) -> int:
    """How many steps the stretches have that are looked for in a panel; 0 where they would be too short."""
    length = min(LONGEST, *_longest(split, synthetic))
    return length if length >= SHORTEST else 0


def length_near(split: Split, synthetic: Panel) -> int:
    """The same for stretches that are all but equal."""
    longest = min(_longest(split, synthetic))
    length = min(LONGEST_NEAR, longest, max(LONGEST, longest // 2))
    # starts are a quarter of it apart: so two of them that have no value in common fit into the test
    length -= length % 4
    return length if length >= SHORTEST_NEAR else 0


def leaked(split: Split, synthetic: Panel, wanted: Wanted | None = None) -> Leaked:
    """How many stretches of the test occur in the synthetic series, and of how many that could be looked for.

    A stretch is `LONGEST` steps after the first origin of a series (fewer where the test or the synthetic series are
    shorter, at least `SHORTEST`), without a missing value. Two are the same if they are equal after their mean is
    subtracted and they are divided by their standard deviation, as they stand or in another of `TURNS`: a linear
    forecaster learns from mirrored series what it learns from these, and most of it from reversed ones. Stretches that
    occur in the real training part too, in any turn, are not counted. `wanted` are those of this split and length,
    where they are known.
    """
    if not (length := length_of(split, synthetic)):
        return Leaked(0, 0)
    wanted = wanted or Wanted.of(split, length)
    turns, whole = _occurring(wanted.stretches, synthetic)
    rows = np.flatnonzero(turns >= 0)
    some = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MANY)).astype(np.int64))]
    told = ~_in_halves(wanted.stretches.take(some), split.train)
    if not told.any():
        rows = rows[:0]
    elif len(some) == len(rows):
        rows = rows[told]
    first = _first(split, wanted.stretches.starts[rows])
    return Leaked(len(rows), len(turns), whole and wanted.whole, first, _counted(turns[rows]))


def nearly(split: Split, synthetic: Panel, sought: Sought | None = None) -> Leaked:
    """How many stretches of the test are all but the same in the synthetic series, of a sample that is looked for.

    A stretch is near if, without level, slope and scale, it is within `NEARBY` of one of the synthetic series in any of
    `TURNS`, and at least `TIMES` nearer to it than to any of the real training part. Those of one jump, and lines, say
    nothing. At least `AT_LEAST` that have no value in common must be found, and more than chance would find: in several
    series, or in one, which is looked at more closely then. It takes `SHORTEST_NEAR` steps. So a copy with noise is
    found as long as the noise does not hide what the series does from step to step; one short window, or one short
    series of very many, may be missed.
    """
    if not (length := length_near(split, synthetic)):
        return Leaked(0, 0)
    sought = sought or Sought.of(split, length, most=many(synthetic))
    rows, turns = sought.near(synthetic)
    if not len(rows):
        return Leaked(0, len(sought.starts))
    closely = Sought.of(split, length, most=SERIES * OF_SERIES, among=np.unique(sought.series[rows])[:SERIES])
    more, more_turns = closely.near(synthetic)
    starts, at = np.unique(np.concatenate([sought.starts[rows], closely.starts[more]]), return_index=True)
    looked_for = len(np.union1d(sought.starts, closely.starts))
    apart = _apart(starts, length)
    if apart < AT_LEAST or _by_chance(apart, looked_for, sought, synthetic):
        return Leaked(0, looked_for)
    turns = np.concatenate([turns, more_turns])[at]
    return Leaked(len(starts), looked_for, first=_first(split, starts), turned=_counted(turns))


def _occurring(wanted: Stretches, panel: Panel) -> tuple[Ints, bool]:
    """The first of `TURNS` in which each wanted stretch occurs in a panel (n,), -1 for none; whether that is all."""
    found, whole = occurring(wanted.in_every_turn(), panel)
    each = found.reshape(len(TURNS), len(wanted))
    return np.where(each.any(0), each.argmax(0), -1), whole


def _by_chance(count: int, looked_for: int, sought: Sought, synthetic: Panel) -> bool:
    """Whether so many may be near by chance, as where all series are much the same but for two or three numbers.

    Of two independent panels, in D dimensions, the nearest stretch of one is c times nearer than that of the other with
    a probability of 1 / (1 + c^D), or more where the one is the larger.
    """
    from scipy.stats import binom

    train, dimensions = sought.split.train, sought.dimensions
    larger = max(1.0, len(synthetic.values) / len(train.values))
    return bool(binom.sf(count - 1, looked_for, larger / (larger + TIMES ** min(dimensions, MOST))) > LEVEL)


def _in_halves(stretches: Stretches, panel: Panel) -> NDArray[np.bool_]:
    """Of which stretches both halves occur in a panel (n,), in any turn: chance may have put them together."""
    half = stretches.length // 2
    starts = np.concatenate([stretches.starts, stretches.starts + stretches.length - half])
    turns, _ = _occurring(Stretches(stretches.values, starts, half), panel)
    return np.asarray((turns >= 0).reshape(2, -1).all(0))


def _counted(turns: Ints) -> tuple[int, ...]:
    return tuple(np.bincount(turns, minlength=len(TURNS)).tolist())


def _first(split: Split, starts: Ints) -> str:
    """The series of the first of some stretches, "" where there is none."""
    if not len(starts):
        return ""
    return split.data.keys[int(np.searchsorted(split.data.offsets, starts.min(), side="right")) - 1]


def _longest(split: Split, synthetic: Panel) -> tuple[int, int]:
    return int((split.data.lengths - split.train_ends).max()), int(synthetic.lengths.max(initial=0))


def _starts(split: Split, length: int) -> tuple[Ints, Ints]:
    """Where stretches of the test begin among all values, a quarter of their length apart, and the series of each."""
    offsets = split.data.offsets
    begins = offsets[:-1] + split.train_ends
    counts = np.maximum(offsets[1:] - begins - length, -1) // (step := max(1, length // 4)) + 1
    starts = np.repeat(begins, counts) + step * (spans(np.zeros_like(counts), counts)[0])
    return starts, np.repeat(np.arange(len(counts)), counts)


def many(synthetic: Panel) -> int:
    """How many stretches are looked for nearby in a panel."""
    return int(np.clip(PAIRS // max(1, len(synthetic.values)), FEWEST, MANY))


def _apart(starts: Ints, length: int) -> int:
    """How many of the stretches from rising starts on have no value in common with the one before."""
    count, end = 0, -1
    for start in starts.tolist():
        if start >= end:
            count, end = count + 1, start + length
    return count
