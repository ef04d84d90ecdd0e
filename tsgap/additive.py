"""How a training panel is cut into groups of series, read in blocks, and its moments gathered, group by group.

An additive forecaster (`tsgap.protocols.Additive`) learns from moments, whatever they are to it: something of a panel
that can be added to its like and multiplied by a number. With the moments of a few groups at hand, leaving a group
out, drawing groups anew or mixing two panels is a weighted sum, and costs one more `solve`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np

from tsgap.footing import count_pairs, reach
from tsgap.panel import Ints, Panel, frozen
from tsgap.protocols import Additive
from tsgap.ragged import gathered, offsets_of, row_blocks

#: Groups that a panel is cut into.
GROUPS = 5
#: Values that are read at once. Fixed, as the last bit of a sum depends on where it is cut.
BLOCK = 2**20


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which stretches of the rows of a panel belong to which group, and in which blocks of rows they are read.

    `lengths` (N,) are those of the rows. A stretch (G,) holds `windows` consecutive windows of its `row`, from window
    `first` on, and belongs to a `group`; stretches are in the order of their rows, and a row without a window has none.
    """

    lengths: Ints
    row: Ints
    first: Ints
    windows: Ints
    group: Ints
    context: int
    leads: int

    @classmethod
    def of(
        cls,
        lengths: Ints,
        series: Sequence[str],
        *,
        context: int,
        leads: int,
        groups: int = GROUPS,
        in_time: bool | None = None,
    ) -> Grouping:
        """Groups for rows of these lengths and series, for windows of `context` values and `leads` more.

        All rows of a series belong to one group: series take turns in the order of their names, so that two panels with
        the same names have the same groups. `in_time`, or None where there are fewer than two series to a group: each
        row is cut into as many stretches instead, which share no window; a row with fewer windows than that stays
        whole.
        """
        names, turn = np.unique(np.array(series, dtype=np.str_), return_inverse=True)
        windows = count_pairs(lengths, context, leads)
        cut = len(names) < 2 * groups if in_time is None else in_time
        pieces = np.where((windows >= groups) & cut, groups, np.minimum(windows, 1))
        row, nth = _pieces(pieces)
        group = np.where(pieces[row] > 1, nth, (turn % groups)[row])
        return cls(lengths, row, *_even(windows, pieces, row, nth), group, context, leads)

    @classmethod
    def stretches(cls, lengths: Ints, *, context: int, leads: int) -> Grouping:
        """Every row in stretches of about `context` windows, or whole where it has fewer, all in one group."""
        windows = count_pairs(lengths, context, leads)
        pieces = np.maximum(windows // context, np.minimum(windows, 1))
        row, nth = _pieces(pieces)
        return cls(lengths, row, *_even(windows, pieces, row, nth), np.zeros(len(row), np.int64), context, leads)

    def blocks(self) -> Iterator[Ints]:
        """Row numbers that are read together: consecutive ones of at most `BLOCK` values, at least one row."""
        for rows in row_blocks(offsets_of(self.lengths), most=BLOCK):
            yield np.arange(rows.start, rows.stop)

    def parts(self, panel: Panel, rows: Ints) -> Iterator[tuple[int, Panel]]:
        """Groups that a block's rows belong to, and what of the block belongs to each; `panel` holds these rows."""
        mine = np.arange(*np.searchsorted(self.row, [rows[0], rows[-1] + 1]))
        for group in np.unique(self.group[mine]).tolist():
            yield group, self.cut(panel, mine[self.group[mine] == group], int(rows[0]))

    def cut(self, panel: Panel, which: Ints, start: int = 0) -> Panel:
        """The stretches `which` (in any order, each once) of a panel whose first row is `start`."""
        row, first = self.row[which] - start, self.first[which]
        length = self.windows[which] + self.context + self.leads - 1
        whole = length == panel.lengths[row]
        names = zip(row.tolist(), first.tolist(), whole.tolist(), strict=True)
        keys = [panel.keys[r] if entire else f"{panel.keys[r]} from {begin}" for r, begin, entire in names]
        values, offsets = gathered(panel.values, panel.offsets[row] + first, length)
        return replace(
            panel,
            values=frozen(values),
            offsets=frozen(offsets),
            keys=tuple(keys),
            series=tuple(panel.series[r] for r in row.tolist()),
            groups={name: tuple(of[r] for r in row.tolist()) for name, of in panel.groups.items()},
            weights=None if panel.weights is None else panel.weights[row],
        )


def _pieces(pieces: Ints) -> tuple[Ints, Ints]:
    """Row of each piece, and the how-many-th of its row it is (G,)."""
    row = np.repeat(np.arange(len(pieces)), pieces)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)


def _even(windows: Ints, pieces: Ints, row: Ints, nth: Ints) -> tuple[Ints, Ints]:
    """First window of each piece, and how many it has (G,): as even as can be."""
    first = nth * windows[row] // pieces[row]
    return first, (nth + 1) * windows[row] // pieces[row] - first


def moments_by_group(forecaster: Additive, read: Callable[[Ints], Panel], grouping: Grouping) -> dict[int, Any]:
    """Moments of every group that has a stretch, by its number, rising.

    `read(rows)` gives the rows of a block as they are to be learned, scaled, say. At most a block of rows is held at a
    time. Equal to the bit for equal rows, however they are read.
    """
    prepared: Callable[[Panel], Panel] = getattr(forecaster, "prepared", _as_they_are)
    sums: dict[int, Any] = {}
    for rows in grouping.blocks():
        for group, part in grouping.parts(prepared(read(rows)), rows):
            found = forecaster.moments(part, horizon=grouping.leads, context=grouping.context)
            sums[group] = sums[group] + found if group in sums else found
    return {group: sums[group] for group in sorted(sums)}


def grouped_moments(forecaster: Additive, read: Callable[[Ints], Panel], grouping: Grouping) -> tuple[Any, ...]:
    """What `moments_by_group` gives, in order."""
    return tuple(moments_by_group(forecaster, read, grouping).values())


def _as_they_are(panel: Panel) -> Panel:
    return panel


def fit_by_moments(forecaster: Additive, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
    """The `fit` of an additive forecaster: its moments group by group, and `solve`; the host does just the same.

    `context` None is the default for these series and this horizon. `ForecastError` where no series has a lead after
    its context.
    """
    context, leads = reach(train.lengths, train.seasons, horizon=horizon, context=context)
    grouping = Grouping.of(train.lengths, train.series, context=context, leads=leads)
    forecaster.solve(grouped_moments(forecaster, train.take, grouping), seed=seed)


def without(parts: Sequence[Any], left_out: int) -> tuple[Any, ...]:
    """All groups but one."""
    return (*parts[:left_out], *parts[left_out + 1 :])


def resampled(parts: Sequence[Any], times: Sequence[int]) -> tuple[Any, ...]:
    """Every group as many times as it was drawn; those that were not drawn are left out."""
    return tuple(part * n for part, n in zip(parts, times, strict=True) if n)


def mixed(parts: Sequence[Any], others: Sequence[Any], weight: float) -> tuple[Any, ...]:
    """Group by group `parts` + `weight` · `others`; a group that one of the two lacks is that of the other.

    >>> mixed([1.0, 2.0], [10.0, 20.0, 30.0], 0.5)
    (6.0, 12.0, 15.0)
    """
    pairs = zip_longest(parts, others)
    return tuple(b * weight if a is None else a if b is None else a + b * weight for a, b in pairs)
