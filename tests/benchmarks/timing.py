"""What a benchmark measured, against its bar; and two ways of doing a thing timed in turns in one run."""

from __future__ import annotations

import gc
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Asked:
    """How often each thing is timed, and at what share of the sizes that the bars are set for."""

    runs: int = 5
    scale: float = 1.0

    def of(self, size: int, *, least: int = 2) -> int:
        """A size at the asked scale."""
        return max(least, round(size * self.scale))


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure for each run, and the bar for their median, in the same `unit`.

    `at_least`: the bar is the least that will do, else the most. A `bar` of None is a figure that only informs.
    `missing` says what to install where nothing could be measured.
    """

    name: str
    what: str
    measured: Sequence[float]
    unit: str
    bar: float | None = None
    at_least: bool = False
    missing: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def median(self) -> float:
        """The figure that the bar is for; NaN where there is none."""
        if not self.measured or any(math.isnan(x) for x in self.measured):
            return math.nan
        return statistics.median(self.measured)

    @property
    def missed(self) -> bool:
        """Whether there is a bar, a figure, and the figure is on the wrong side, or no number."""
        if self.bar is None or self.missing:
            return False
        return not (self.median >= self.bar if self.at_least else self.median <= self.bar)


@dataclass(frozen=True)
class Times:
    """Seconds of one way of doing a thing, run by run: by the clock, and of the processor with all that it started."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, what: Callable[[], object]) -> None:
        """Time one call; what earlier ones left behind is collected before it."""
        gc.collect()
        wall, cpu = time.perf_counter(), _work()
        what()
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(_work() - cpu)


def _work() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def in_turns(runs: int, *ways: Callable[[], object]) -> list[Times]:
    """Time every way, `runs` times A B A B: what else the machine does falls on all alike."""
    taken = [Times() for _ in ways]
    for _ in range(runs):
        for one, way in zip(taken, ways, strict=True):
            one.add(way)
    return taken


def less(all_of: Sequence[float], start: Sequence[float]) -> list[float]:
    """Each run less its start-up, what next to nothing took in the same turn; NaN where nothing is left."""
    return [a - b if a > b else math.nan for a, b in zip(all_of, start, strict=True)]


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """The ratio of two ways, turn by turn."""
    return [a / b for a, b in zip(above, below, strict=True)]


def lines(rows: Iterator[Row], *, judged: bool) -> Iterator[tuple[str, bool]]:
    """A row of the table and whether its bar was missed; at another scale than the bars' nothing is judged."""
    for row in rows:
        sign = ">=" if row.at_least else "<="
        bar = "" if row.bar is None else f"{sign} {row.bar:g}"
        if row.missing:
            told, figures = f"not installed: {row.missing}", ("", "", "")
        else:
            told = "" if row.bar is None else "trial" if not judged else "MISSED" if row.missed else "ok"
            figures = tuple(f"{x:.4g}" for x in (row.median, min(row.measured), max(row.measured)))
        head = f"{row.name:<10} {row.what:<82} {row.unit:<9} " + " ".join(f"{x:>9}" for x in figures)
        yield f"{head} {bar:>9}  {told}".rstrip(), judged and row.missed
        yield from ((f"{'':<10}   {note}", False) for note in row.notes)


def printed(rows: Iterator[Row], *, judged: bool) -> bool:
    """Print rows as they are measured; whether a bar was missed."""
    missed = False
    for line, bad in lines(rows, judged=judged):
        print(line, flush=True)
        missed |= bad
    return missed


def header() -> str:
    """What stands above the table."""
    return f"{'row':<10} {'measured':<82} {'unit':<9} {'median':>9} {'min':>9} {'max':>9} {'bar':>9}"
