"""Test data among training series: stretches of the test that occur, up to level and scale, in what was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tsgap.arms import TrainingSet
from tsgap.augmentation import SYNTHETIC
from tsgap.blocks import let_go, ranges
from tsgap.panel import Floats, Ints, Panel
from tsgap.plan import Plan, Row
from tsgap.ragged import spans
from tsgap.splits import Split

#: Steps of a stretch: long enough not to be met by chance, short enough to fit into a window of samples.
LONGEST, SHORTEST = 24, 8
#: Different values that a stretch must have: a flat one is found anywhere.
LEAST_DISTINCT = 5
#: Largest difference of two standardised values that count as equal: what single precision or five digits may cost.
NEAR = 1e-4
#: Places of a stretch whose values name its cell, and how wide a cell is: stretches that are equal share one.
PLACES, WIDTH = 8, 40 * NEAR
#: So many of the places are looked at first.
FIRST = 3
#: What a cell is found by may be off by this much: far more than rounding costs where variances are taken quickly.
ROUNDING = 1e-6
#: Pairs of stretches of one cell that are compared at most; no series but nearly periodic ones come near it.
MOST = 2**30
#: Stretches that are looked at together.
_BLOCK = 2**17


@dataclass(frozen=True)
class Leaked:
    """How many stretches of the test were `found` in a panel, of how many that were `looked_for`.

    `whole` is False where too many nearly equal stretches ended the search early: then at least so many are in it.
    """

    found: int
    looked_for: int
    whole: bool = True


@dataclass(eq=False)
class Wanted:
    """The stretches of a test that are looked for: `length` values from each of `starts` of `values` on.

    Those that occur in the real training part too are not among them. `whole` is False if that is not known of all.
    """

    values: Floats
    starts: Ints
    length: int
    whole: bool = True

    @classmethod
    def of(cls, split: Split, length: int) -> Wanted:
        """All that can be looked for in series that have stretches of this length."""
        values, offsets = split.data.values, split.data.offsets
        begins = offsets[:-1] + split.train_ends
        counts = np.maximum(offsets[1:] - begins - length, -1) // (step := max(1, length // 4)) + 1
        starts = np.repeat(begins, counts) + step * (spans(np.zeros_like(counts), counts)[0])
        kept = np.zeros(len(starts), dtype=bool)
        for block in ranges(len(starts), 1, _BLOCK):
            kept[block] = _is_distinct(values[_at(starts[block], length)])
        found = cls(values, starts[kept], length)
        known, whole = _occur(found, split.train)
        return cls(values, found.starts[~known], length, whole)

    def standardised(self, rows: Ints | slice) -> Floats:
        """Some of them with mean 0 and standard deviation 1 (n, L)."""
        return _standardised(self.values[_at(self.starts[rows], self.length)])[0]


def length_of(split: Split, synthetic: Panel) -> int:
    """How many steps the stretches have that are looked for in a panel; 0 where they would be too short."""
    longest = int((split.data.lengths - split.train_ends).max())
    length = min(LONGEST, longest, int(synthetic.lengths.max(initial=0)))
    return length if length >= SHORTEST else 0


def leaked(split: Split, synthetic: Panel, wanted: Wanted | None = None) -> Leaked:
    """How many stretches of the test occur in the synthetic series, and of how many that could be looked for.

    A stretch is `LONGEST` steps after the first origin of a series (fewer where the test or the synthetic series are
    shorter, at least `SHORTEST`), without a missing value. Two are the same if they are equal after their mean is
    subtracted and they are divided by their standard deviation. Stretches that occur in the real training part too are
    not counted. `wanted` are those of this split and length, where they are known.
    """
    if not (length := length_of(split, synthetic)):
        return Leaked(0, 0)
    wanted = wanted or Wanted.of(split, length)
    found, whole = _occur(wanted, synthetic)
    return Leaked(int(found.sum()), len(found), whole and wanted.whole)


def found_in(made: Plan) -> dict[tuple[str, str], list[str]]:
    """What was found in the synthetic training sets of a plan, in words, by data set and source."""
    out: dict[tuple[str, str], list[str]] = {}
    splits = {data.name: data.split for data in made.data}
    wanted: dict[tuple[str, int], Wanted] = {}
    seen = set()
    for row in made.rows:
        training = synthetic_of(row, made)
        if training is None or (place := (row.data, row.source, training.panel.fingerprint)) in seen:
            continue
        seen.add(place)
        split = splits[row.data]
        if not (length := length_of(split, training.panel)):
            continue
        if (row.data, length) not in wanted:
            wanted[row.data, length] = Wanted.of(split, length)
        told = leaked(split, training.panel, wanted[row.data, length])
        let_go(split.data.values)
        if told.found or not told.whole:
            out.setdefault(place[:2], []).append(f"replicate {row.replicate}: {_words(told)}")
    return out


def synthetic_of(row: Row, made: Plan) -> TrainingSet | None:
    """The synthetic series that an arm learns from; None for other arms."""
    if not row.cell or row.arm not in ("synthetic", SYNTHETIC):
        return None
    of = made.cells[row.cell]
    return of.training if row.arm == "synthetic" else of.others


def _words(told: Leaked) -> str:
    if not told.whole:
        return (
            f"at least {told.found} of {told.looked_for} stretches of the test occur in the synthetic series, up to "
            f"level and scale; the search ended after {MOST} comparisons of stretches that are all but the same"
        )
    return (
        f"{told.found} of {told.looked_for} stretches of the test occur in the synthetic series, up to level and scale"
    )


@dataclass(eq=False)
class _Table:
    """Cells of the stretches that are still looked for: `keys` in rising order, `rows` the stretch of each.

    A stretch that lies close to the edge of its cell is in the next one too. `firsts` are the keys after the first
    `FIRST` places, which tell most stretches of a panel apart from all of them by one look into a table of bits.
    """

    length: int
    keys: Ints
    firsts: Ints
    rows: Ints
    _bits: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self._bits = np.zeros(2 ** int(np.clip(np.ceil(np.log2(16 * max(len(self.keys), 1))), 10, 26)), dtype=bool)
        self._bits[self._place(self.firsts)] = True

    def _place(self, firsts: Ints) -> Ints:
        return np.asarray(((firsts ^ (firsts >> 29)) * _factors()[0] >> 32) & (len(self._bits) - 1))

    def may_hold(self, firsts: Ints) -> NDArray[np.bool_]:
        """Whether keys could be in it, by their first places; False is certain."""
        return np.asarray(self._bits[self._place(firsts)])

    @classmethod
    def of(cls, wanted: Wanted) -> _Table:
        """The cells of all of them."""
        laid = []
        for block in ranges(len(wanted.starts), 1, _BLOCK):
            at = wanted.standardised(block)[:, _places(wanted.length)]
            low, high = (np.floor((at + by) / WIDTH).astype(np.int64) for by in (-NEAR - ROUNDING, NEAR + ROUNDING))
            row, keys, firsts = np.arange(len(at)), np.zeros(len(at), dtype=np.int64), np.empty(0, dtype=np.int64)
            for place, factor in enumerate(_factors()):
                edge = (low != high)[row, place]
                both = factor * low[row, place], factor * high[row[edge], place]
                firsts = np.concatenate([firsts, firsts[edge]]) if place >= FIRST else firsts
                keys = np.concatenate([keys + both[0], keys[edge] + both[1]])
                firsts = keys if place == FIRST - 1 else firsts
                row = np.concatenate([row, row[edge]])
            laid.append((keys, firsts, row + block.start))
        keys, firsts, rows = (np.concatenate(of) for of in zip(*laid, strict=True))
        order = np.argsort(keys)
        return cls(wanted.length, keys[order], firsts[order], rows[order])

    def keep(self, left: NDArray[np.bool_]) -> None:
        """Go on with some of the stretches (n,) alone."""
        of = left[self.rows]
        self.keys, self.firsts, self.rows = self.keys[of], self.firsts[of], self.rows[of]
        self.__post_init__()


def _occur(wanted: Wanted, panel: Panel) -> tuple[NDArray[np.bool_], bool]:
    """Which of the wanted stretches (n,) occur in a panel, and whether the search went to its end."""
    found = np.zeros(len(wanted.starts), dtype=bool)
    if not len(found):
        return found, True
    table, compared, sought = _Table.of(wanted), 0, len(found)
    for starts, keys in _cells(panel, table):
        low, high = (np.searchsorted(table.keys, keys, side=side) for side in ("left", "right"))
        hit = high > low
        begins, counts, at = low[hit], (high - low)[hit], starts[hit]
        # as many stretches at a time as have a block's worth of pairs; a single one may have more
        cut = np.flatnonzero(np.diff(np.cumsum(counts) // _BLOCK, prepend=-1, append=-1))
        for first, last in pairwise(cut):
            piece = slice(first, last)
            which, _ = spans(begins[piece], counts[piece])
            of = np.repeat(np.arange(first, last), counts[piece])
            open_ = ~found[table.rows[which]]
            which, of = which[open_], of[open_]
            compared += len(which)
            stretches, varies = _standardised(panel.values[_at(at[piece], wanted.length)])
            found[table.rows[which[_are_equal(wanted, table.rows[which], stretches, varies, of - first)]]] = True
        if compared > MOST:
            return found, False
        if (left := int(np.count_nonzero(~found))) < sought / 2:
            table.keep(~found)
            sought = left
            if not left:
                break
    return found, True


def _are_equal(wanted: Wanted, rows: Ints, stretches: Floats, varies: NDArray[np.bool_], of: Ints) -> NDArray[np.bool_]:
    """Which of the pairs (wanted `rows`, `stretches[of]`) are equal: place by place, with fewer pairs at each."""
    equal = np.zeros(len(rows), dtype=bool)
    for block in ranges(len(rows), wanted.length):
        mine = of[block]
        distinct, at = np.unique(rows[block], return_inverse=True)
        theirs = wanted.standardised(distinct)
        left = np.flatnonzero(varies[mine])
        for place in range(wanted.length):
            left = left[np.abs(theirs[at[left], place] - stretches[mine[left], place]) <= NEAR]
        equal[left + block.start] = True
    return equal


def _cells(panel: Panel, table: _Table) -> Iterator[tuple[Ints, Ints]]:
    """Where the stretches of a panel start that could be in the table, and the keys of their cells, in blocks.

    All series are walked through as one, in steps of a block; what runs over the end of a series is left out. Those
    that do not vary are nowhere.
    """
    values, offsets, length = panel.values, panel.offsets, table.length
    places, factors = _places(length), _factors()
    for block in ranges(len(values) - length + 1, 1, _BLOCK):
        y = values[block.start : block.stop + length - 1].copy()
        n = len(y) - length + 1
        first, last = np.searchsorted(offsets, (block.start, block.start + len(y) - 1), side="right") - 1
        begins = np.maximum(offsets[first : last + 1] - block.start, 0)
        begins = begins[np.diff(begins, append=len(y)) > 0]
        sizes = np.diff(begins, append=len(y))
        # near 0 variances lose few digits
        y -= np.repeat(np.add.reduceat(y, begins) / sizes, sizes)
        inside = np.ones(n, dtype=bool)
        for begin in range(1, length):
            over = begins[1:] - begin
            inside[over[(over >= 0) & (over < n)]] = False
        mean, square = _sliding(y, length) / length, _sliding(y * y, length) / length
        variance = square - mean * mean
        # where a level hides what varies the quick way is not good enough
        quick = variance > 1e-6 * square
        scale = 1 / (WIDTH * np.sqrt(np.where(quick, variance, 1.0)))
        keys = np.zeros(n, dtype=np.int64)
        for place, factor in zip(places[:FIRST], factors[:FIRST], strict=True):
            keys += factor * np.floor((y[place : place + n] - mean) * scale).astype(np.int64)
        starts = np.flatnonzero(inside & quick & table.may_hold(keys))
        keys = keys[starts]
        for place, factor in zip(places[FIRST:], factors[FIRST:], strict=True):
            keys += factor * np.floor((y[starts + place] - mean[starts]) * scale[starts]).astype(np.int64)
        slow = np.flatnonzero(inside & ~quick)
        exact, varies = _standardised(values[_at(slow + block.start, length)])
        others = np.floor(exact[varies][:, places] / WIDTH).astype(np.int64) @ factors
        let_go(values)
        yield np.concatenate([starts, slow[varies]]) + block.start, np.concatenate([keys, others])


def _sliding(y: Floats, length: int) -> Floats:
    """Sums of `length` neighbours each (n − L + 1,), by doubling: no value far away has a part in them."""
    n, total, at, power, width = len(y) - length + 1, None, 0, y, 1
    while True:
        if length & width:
            piece = power[at : at + n]
            total = piece.copy() if total is None else total + piece
            at += width
        if at == length:
            assert total is not None
            return total
        power = power[:-width] + power[width:]
        width *= 2


def _places(length: int) -> Ints:
    """The places of a stretch that name its cell."""
    return np.linspace(0, length - 1, PLACES).round().astype(np.int64)


def _factors() -> Ints:
    return np.random.default_rng(0).integers(-(2**62), 2**62, PLACES) | 1


def _at(starts: Ints, length: int) -> Ints:
    return starts[:, None] + np.arange(length)


def _is_distinct(windows: Floats) -> NDArray[np.bool_]:
    """Which windows (n, L) have no missing value and enough different ones (n,)."""
    ordered = np.sort(windows, axis=1)
    return np.asarray(np.isfinite(windows).all(1) & ((np.diff(ordered, axis=1) != 0).sum(1) + 1 >= LEAST_DISTINCT))


def _standardised(windows: NDArray[np.float64]) -> tuple[Floats, NDArray[np.bool_]]:
    """Windows (n, L) with mean 0 and standard deviation 1, and which of them vary at all (n,)."""
    centred = windows - windows.mean(1, keepdims=True)
    deviation = centred.std(1)
    varies = deviation > 1e-9 * np.abs(windows).max(1)
    return centred / np.where(varies, deviation, 1.0)[:, None], varies
