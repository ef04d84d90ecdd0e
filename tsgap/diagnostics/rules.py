"""What a user knows to be plausible: from a text such as ``y >= 0`` to the series that break it, and where."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tsgap import blocks
from tsgap.errors import UsageError
from tsgap.events import NUMBER
from tsgap.panel import Floats, Ints, Panel
from tsgap.ragged import by_length

#: Relative to its size, what a value may differ from a whole number, or from the one before, by rounding.
ROUNDING = 1e-9

_EACH = ("y", "abs(y)", "diff", "abs(diff)")
_STRETCH = ("mean", "sum", "sd", "min", "max")
_TRENDS = {"increasing": ">", "nondecreasing": ">=", "decreasing": "<", "nonincreasing": "<="}
_FORM = re.compile(
    rf"(?P<what>y|abs\(y\)|diff|abs\(diff\)|mean|sum|sd|min|max|flat)(?:\s+over\s+(?P<over>\d{{1,9}}))?"
    rf"\s*(?P<sign>>=|<=|>|<)\s*(?P<number>{NUMBER})"
)
_WORD = re.compile(r"(?:y\s+is\s+)?(?P<word>[a-z]+)")
FORMS = (
    "a rule is a quantity, a sign and a number, such as y >= 0: the quantities are y, abs(y), diff and abs(diff) (of "
    "each value and of each change), mean, sum, sd, min and max (of a series, or 'mean over 7' of every 7 steps) and "
    "flat (the longest run of one value), the signs >=, <=, > and <; or 'y is' whole, increasing, nondecreasing, "
    "decreasing or nonincreasing"
)


@dataclass(frozen=True, eq=False)
class Broken:
    """What a rule finds in series (N,): whether each breaks it, where first (a step), and the value it has there.

    `judged` is False for a series that the rule says nothing of, one that is shorter than the rule looks at.
    """

    broken: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    at: Ints
    found: Floats


@dataclass(frozen=True)
class Rule:
    """What every series keeps to: `quantity` `sign` `number`, at every step, or over all of it or every `over` steps.

    Values are in units of the data. The quantity ``whole`` is how far a value is from a whole number.
    """

    quantity: str
    sign: str
    number: float
    over: int = 0

    @classmethod
    def parse(cls, text: str) -> Rule:
        """The rule that a text names; `UsageError` where it names none.

        >>> print(Rule.parse("abs( diff )<=50")), print(Rule.parse("y is increasing"))
        abs(diff) <= 50
        diff > 0
        (None, None)
        """
        plain = re.sub(r"\(\s*(\w+)\s*\)", r"(\1)", " ".join(text.strip().lower().split()))
        word = _WORD.fullmatch(plain)
        if word and word["word"] == "whole":
            return cls("whole", "<=", 0.0)
        if word and word["word"] in _TRENDS:
            return cls("diff", _TRENDS[word["word"]], 0.0)
        found = _FORM.fullmatch(plain)
        if found is None:
            raise UsageError(f"{text!r} names no rule; {FORMS}")
        what, over, number = found["what"], int(found["over"] or 0), float(found["number"])
        if found["over"] is not None and (what not in _STRETCH or not over):
            raise UsageError(
                f"{text!r}: only {', '.join(_STRETCH)} are taken over stretches, of 1 step or more; {FORMS}"
            )
        if not np.isfinite(number):
            raise UsageError(f"{text!r} asks for a number that is not finite; {FORMS}")
        return cls(what, found["sign"], number, over)

    def __str__(self) -> str:
        if self.quantity == "whole":
            return "y is whole"
        return f"{self.quantity}{f' over {self.over}' if self.over else ''} {self.sign} {self.number:.15g}"

    @property
    def scale_free(self) -> bool:
        """Whether it says the same of a series that was shifted and scaled."""
        return self.quantity == "flat" or (self.quantity == "diff" and self.number == 0)

    @property
    def least(self) -> int:
        """How many values a series has at least of which the rule says anything."""
        return max(self.over, 2 if "diff" in self.quantity else 1)

    def of(self, panel: Panel) -> Broken:
        """Which rows break it (N,)."""
        n = len(panel)
        broken, judged = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        at, found = np.zeros(n, dtype=np.int64), np.full(n, np.nan)
        for rows, values in by_length(panel.values, panel.offsets):
            if values.shape[1] < self.least:
                continue
            for s in blocks.ranges(len(rows), 4 * values.shape[1]):
                here = rows[s]
                each = self._quantity(values[s])
                keeps = self._keeps(each, values[s])
                first = np.argmin(keeps, axis=1)
                taken = np.arange(len(here)), first
                judged[here], broken[here], at[here], found[here] = True, ~keeps[taken], first, each[taken]
        return Broken(broken, judged, at, found)

    def extent(self, length: int) -> int:
        """How many values of a series of `length` are looked at at once."""
        each = {"y": 1, "abs(y)": 1, "whole": 1, "diff": 2, "abs(diff)": 2}
        return each.get(self.quantity, self.over or int(length))

    def reason(self, found: float) -> str:
        """Why a series breaks it, in words."""
        if self.quantity == "whole":
            return f"breaks {str(self)!r}: a value is {found:.2g} away from a whole number"
        return f"breaks {str(self)!r}: it is {found:.6g}"

    def _quantity(self, y: Floats) -> Floats:
        """The quantity (K, P) of rows (K, T), at each place it is judged at."""
        if self.quantity == "whole":
            return np.asarray(np.abs(y - np.round(y)))
        if self.quantity in _EACH:
            each = np.diff(y, axis=1) if "diff" in self.quantity else y
            return np.asarray(np.abs(each)) if "abs" in self.quantity else each
        if self.quantity == "flat":
            return longest_runs(y)[0].astype(np.float64)[:, None]
        if not self.over:
            return np.asarray(_figure(self.quantity, y)[:, None])
        return _rolling(self.quantity, y, self.over)

    def _keeps(self, each: Floats, y: Floats) -> NDArray[np.bool_]:
        if self.quantity == "whole":
            return np.asarray(each <= off_by_rounding(y))
        if self.sign == ">=":
            return np.asarray(each >= self.number)
        if self.sign == "<=":
            return np.asarray(each <= self.number)
        return np.asarray(each > self.number if self.sign == ">" else each < self.number)


def parsed(texts: Sequence[str]) -> tuple[Rule, ...]:
    """The rules that texts name, each once."""
    for text in texts:
        if not isinstance(text, str):
            raise UsageError(f"a rule is a text such as 'y >= 0', got {text!r}")
    return tuple(dict.fromkeys(Rule.parse(text) for text in texts))


def off_by_rounding(y: Floats) -> Floats:
    """How far whole numbers as large as these may be from whole by rounding, a thousandth at most."""
    return np.asarray(np.minimum(ROUNDING * np.maximum(1.0, np.abs(y)), 1e-3))


def longest_runs(y: Floats) -> tuple[Ints, Ints]:
    """How many equal values follow each other at most in each row (K, T), and where that run begins (K,).

    >>> [part.tolist() for part in longest_runs(np.array([[1.0, 2.0, 2.0, 2.0, 3.0]]))]
    [[3], [1]]
    """
    n, length = y.shape
    if length < 2:
        return np.full(n, length, dtype=np.int64), np.zeros(n, dtype=np.int64)
    size = np.abs(y).max(1, keepdims=True)
    same = np.abs(np.diff(y, axis=1)) <= 1e-3 * ROUNDING * size
    steps = np.arange(1, length)
    # the last change before each step; a run is as long as the way from there
    last = np.maximum.accumulate(np.where(same, 0, steps), axis=1)
    run = np.where(same, steps - last + 1, 1)
    end = np.argmax(run, axis=1)
    longest = run[np.arange(n), end]
    return longest, end + 2 - longest


def _figure(name: str, y: Floats) -> Floats:
    if name in ("min", "max"):
        return np.asarray(y.min(axis=-1) if name == "min" else y.max(axis=-1))
    if name == "sd":
        return np.asarray(y.std(axis=-1))
    return np.asarray(y.mean(axis=-1) if name == "mean" else y.sum(axis=-1))


def _rolling(name: str, y: Floats, over: int) -> Floats:
    """A figure of every stretch of `over` steps (K, T - over + 1)."""
    if name in ("min", "max", "sd"):
        stretches = sliding_window_view(y, over, axis=1)
        out = np.empty(stretches.shape[:2])
        for s in blocks.ranges(len(y), stretches.shape[1] * over):
            out[s] = _figure(name, stretches[s])
        return out
    # sums of differences from the row's mean: what is added up stays small
    mean = y.mean(1, keepdims=True)
    total = np.concatenate([np.zeros((len(y), 1)), np.cumsum(y - mean, axis=1)], axis=1)
    average = mean + (total[:, over:] - total[:, :-over]) / over
    return np.asarray(average * over if name == "sum" else average)
