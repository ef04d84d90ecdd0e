"""What a benchmark measured, against its bar; and two ways of doing a thing timed in turns in one run."""

from __future__ import annotations

import gc
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
        return statistics.median(self.measured) if self.measured else float("nan")

    @property
    def missed(self) -> bool:
        """Whether there is a bar, a figure, and the figure is on the wrong side, or no number."""
        if self.bar is None or self.missing:
            return False
        return not (self.median >= self.bar if self.at_least else self.median <= self.bar)


def seconds(what: Callable[[], object]) -> float:
    """Wall time of one call; what earlier ones left behind is collected before it."""
    gc.collect()
    begin = time.perf_counter()
    what()
    return time.perf_counter() - begin


def in_turns(runs: int, *ways: Callable[[], object]) -> list[list[float]]:
    """Seconds of every way, `runs` times A B A B: what else the machine does falls on all alike."""
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(runs):
        for one, way in zip(taken, ways, strict=True):
            one.append(seconds(way))
    return taken


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
        head = f"{row.name:<10} {row.what:<74} {row.unit:<9} " + " ".join(f"{x:>9}" for x in figures)
        yield f"{head} {bar:>9}  {told}".rstrip(), judged and row.missed
        yield from ((f"{'':<10}   {note}", False) for note in row.notes)


def header() -> str:
    """What stands above the table."""
    return f"{'row':<10} {'measured':<74} {'unit':<9} {'median':>9} {'min':>9} {'max':>9} {'bar':>9}"
