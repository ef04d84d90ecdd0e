"""Test data where it must not be: among the synthetic series, or in the real training part of another series."""

from __future__ import annotations

from dataclasses import dataclass

from tsgap import occurrences
from tsgap.arms import TrainingSet
from tsgap.augmentation import SYNTHETIC
from tsgap.blocks import let_go
from tsgap.leak_search import TIMES, Leaked, Sought, Wanted, leaked, length_near, length_of, many, nearly
from tsgap.occurrences import TURNS
from tsgap.panel import Panel
from tsgap.plan import Plan, Row
from tsgap.splits import Split

#: Up to this share of such series moves no gap by more than a fifth of the usual margin, and is a note.
TOLERATED = 0.01


@dataclass(frozen=True)
class Found:
    """What was found in a plan: `leaks` in words by data set and source, which void a verdict, and `notes`."""

    leaks: dict[tuple[str, str], list[str]]
    notes: tuple[str, ...]


def words(split: Split, synthetic: Panel) -> list[str]:
    """What must not be in the synthetic series or in the training part, in words; nothing where all is well."""
    search = _Search(split)
    return [*search.words(synthetic), *search.again()[0]]


def found_in(made: Plan) -> Found:
    """What was found in the training sets of a plan."""
    leaks: dict[tuple[str, str], list[str]] = {}
    notes: dict[str, tuple[str, ...]] = {}
    searches = {data.name: _Search(data.split) for data in made.data}
    seen = set()
    for row in made.rows:
        training = synthetic_of(row, made)
        if training is None or (place := (row.data, row.source, training.panel.fingerprint)) in seen:
            continue
        seen.add(place)
        search = searches[row.data]
        told = [f"replicate {row.replicate}: {text}" for text in search.words(training.panel)]
        again, notes[row.data] = search.again()
        if place[:2] not in leaks:
            told += again
        if told:
            leaks.setdefault(place[:2], []).extend(told)
        let_go(search.split.data.values)
    return Found(leaks, tuple(f"{data}: {text}" for data, texts in notes.items() for text in texts))


class _Search:
    """What is looked for in the training sets of one data set, worked out once."""

    def __init__(self, split: Split) -> None:
        self.split = split
        self._wanted: dict[int, Wanted] = {}
        self._sought: dict[tuple[int, int], Sought] = {}

    def words(self, synthetic: Panel) -> list[str]:
        """What was found in a synthetic training set."""
        if not (length := length_of(self.split, synthetic)):
            return []
        told = leaked(self.split, synthetic, self._of(length))
        if told.found or not told.whole:
            return [_words(told)]
        if not (length := length_near(self.split, synthetic)):
            return []
        place = length, many(synthetic)
        if place not in self._sought:
            self._sought[place] = Sought.of(self.split, length, most=place[1])
        close = nearly(self.split, synthetic, self._sought[place])
        return [_words_near(close)] if close.found else []

    def again(self) -> tuple[list[str], tuple[str, ...]]:
        """Series whose test is in the training part of others: what voids a verdict, and what is only noted."""
        length = length_of(self.split, self.split.train)
        wanted = self._of(length) if length else None
        if not wanted or not wanted.again:
            return [], ()
        told = (
            f"the test of {len(wanted.again)} of {wanted.series} series is in the real training part of other series, "
            f"first {wanted.again[0]!r}; the real-trained arm knows it too: leave series out that are there twice"
        )
        return ([told], ()) if len(wanted.again) > TOLERATED * wanted.series else ([], (told,))

    def _of(self, length: int) -> Wanted:
        if length not in self._wanted:
            self._wanted[length] = Wanted.of(self.split, length)
        return self._wanted[length]


def synthetic_of(row: Row, made: Plan) -> TrainingSet | None:
    """The synthetic series that an arm learns from; None for other arms."""
    if not row.cell or row.arm not in ("synthetic", SYNTHETIC):
        return None
    of = made.cells[row.cell]
    return of.training if row.arm == "synthetic" else of.others


def _words(told: Leaked) -> str:
    what = (
        f"{told.found} of {told.looked_for} stretches of the test{_named(told)} occur in the synthetic series, up to "
        f"level and scale{_turned(told)}"
    )
    if told.whole:
        return what
    return (
        f"at least {what}; the search ended after {occurrences.MOST} comparisons of stretches that are all but the same"
    )


def _words_near(told: Leaked) -> str:
    return (
        f"{told.found} of {told.looked_for} stretches of the test{_named(told)} are all but the same in the synthetic "
        f"series, up to level, slope and scale{_turned(told)}: {TIMES:g} times nearer or more than anything in the "
        "real training part"
    )


def _turned(told: Leaked) -> str:
    """How many are turned, in words; "" where none is."""
    found = [f"{count} {how}" for count, how in zip(told.turned[1:], TURNS[1:], strict=True) if count]
    return f" ({', '.join(found)})" if found else ""


def _named(told: Leaked) -> str:
    return f" (first of series {told.first!r})" if told.first else ""
