"""What real windows keep to: limits that are learnt on them, with a tolerance, and the windows that go beyond."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tsgap import blocks
from tsgap.diagnostics.contrast import Side
from tsgap.diagnostics.rules import longest_runs, off_by_rounding
from tsgap.panel import Floats, Ints

#: How far beyond what real windows show a limit lies: a share of their range, or of their largest figure.
TOLERANCE = 0.1
#: Values of a side that are looked at, at most.
VALUES = 2**21
#: Where a window of real values may have so large a share of values that are not whole, there is no such rule.
_HARDLY_WHOLE = 0.9


@dataclass(frozen=True, eq=False)
class Cut:
    """All of a side's units cut into windows (N, L): `unit` (N,) is the row of each, `begins` (N,) its first step."""

    windows: Floats
    unit: Ints
    begins: Ints
    thinned: bool

    @classmethod
    def of(cls, side: Side, *, seed: int) -> Cut:
        """One window after another; the last one of a unit ends where the unit ends.

        Of more than `VALUES` values some windows of each unit are taken by chance, as many of each.
        """
        lengths, length = side.panel.lengths, side.length
        each = -(-lengths // length)
        unit = np.repeat(np.arange(len(lengths)), each)
        number = np.arange(len(unit)) - np.repeat(np.cumsum(each) - each, each)
        begins = np.minimum(number * length, lengths[unit] - length)
        most = max(1, VALUES // (length * max(len(lengths), 1)))
        thinned = bool((each > most).any())
        if thinned:
            # by chance, but in a fixed order within each unit
            order = np.lexsort((np.random.default_rng(seed).random(len(unit)), unit))
            kept = np.sort(order[number < most])
            unit, begins = unit[kept], begins[kept]
        return cls(replace(side, unit=unit, begins=begins).windows, unit, begins, thinned)


@dataclass(frozen=True, eq=False)
class Seen:
    """A figure of each window (N,), and the step of the window that it is from (N,)."""

    figure: Floats
    at: Ints


@dataclass(frozen=True)
class Limit:
    """A rule that was learnt: a figure of a window lies between `low` and `high`, which may be infinite.

    A limit that is `fixed` is either there or not, but owes its place to no window.
    """

    name: str
    kind: str
    low: float
    high: float
    words: str
    fixed: bool = False

    @property
    def bounds(self) -> str:
        """The limit in words."""
        return f"limit {self.low if np.isinf(self.high) else self.high:.4g}"

    def beyond(self, seen: Seen) -> NDArray[np.bool_]:
        """Which windows (N,) break it."""
        return np.asarray((seen.figure < self.low) | (seen.figure > self.high))

    def excess(self, seen: Seen) -> Floats:
        """How far beyond (N,), as a share of the limit's own size; 0 within."""
        size = abs(self.high) if np.isinf(self.low) else abs(self.low) if np.isinf(self.high) else self.high - self.low
        away = np.maximum(np.maximum(self.low - seen.figure, seen.figure - self.high), 0.0)
        return np.asarray(away / size) if size > 0 else np.where(away > 0, np.inf, 0.0)

    def reason(self, figure: float, step: int) -> str:
        """Why a window breaks it, in words; `step` is one of the series."""
        limit = self.low if figure < self.low else self.high
        return self.words.format(figure=f"{figure:.4g}", step=step, limit=f"{limit:.4g}")


def learnt(cut: Cut) -> tuple[Limit, ...]:
    """The limits that real windows keep to; of what they do not keep to at all there is none."""
    seen = {kind: figure(cut.windows) for kind, figure in FIGURES.items()}
    lowest, highest = float(seen["lowest"].figure.min()), float(seen["highest"].figure.max())
    room = TOLERANCE * (highest - lowest)
    inf = float("inf")
    found = [Limit("too high", "highest", -inf, highest + room, "value {figure} at step {step}, the limit is {limit}")]
    if lowest < 0 or lowest - room > 0:
        found.append(Limit("too low", "lowest", lowest - room, inf, found[0].words))
    if lowest >= 0:
        found.append(
            Limit("negative", "lowest", 0.0, inf, "value {figure} at step {step}, no real one is below 0", True)
        )
    if highest <= 0:
        found.append(
            Limit("positive", "highest", -inf, 0.0, "value {figure} at step {step}, no real one is above 0", True)
        )
    for name, kind, words in _UPPER:
        most = float(seen[kind].figure.max())
        found.append(Limit(name, kind, -inf, (1 + TOLERANCE) * most, words))
    longest = float(seen["run"].figure.max())
    beyond = longest + max(1.0, np.ceil(TOLERANCE * longest))
    if beyond < cut.windows.shape[1]:
        found.append(
            Limit("flat", "run", -inf, beyond, "{figure} equal values from step {step} on, the limit is {limit}")
        )
    broken = float(seen["not whole"].figure.max()) + TOLERANCE
    if broken < _HARDLY_WHOLE:
        found.append(
            Limit(
                "not whole",
                "not whole",
                -inf,
                broken,
                "a share of {figure} of the values is not whole, from step {step}",
            )
        )
    return tuple(found)


def _highest(y: Floats) -> Seen:
    at = y.argmax(1)
    return Seen(y[np.arange(len(y)), at], at)


def _lowest(y: Floats) -> Seen:
    at = y.argmin(1)
    return Seen(y[np.arange(len(y)), at], at)


def _step(y: Floats) -> Seen:
    seen = _highest(np.abs(np.diff(y, axis=1)))
    return Seen(seen.figure, seen.at + 1)


def _step_out_of_proportion(y: Floats) -> Seen:
    change = np.abs(np.diff(y, axis=1))
    seen = _highest(change)
    return Seen(_over(seen.figure, change.mean(1)), seen.at + 1)


def _value_out_of_proportion(y: Floats) -> Seen:
    away = np.abs(y - np.median(y, axis=1, keepdims=True))
    seen = _highest(away)
    return Seen(_over(seen.figure, away.mean(1)), seen.at)


def _run(y: Floats) -> Seen:
    longest, begins = longest_runs(y)
    return Seen(longest.astype(np.float64), begins)


def _not_whole(y: Floats) -> Seen:
    off = np.abs(y - np.round(y)) > off_by_rounding(y)
    return Seen(off.mean(1), off.argmax(1))


def _over(figure: Floats, usual: Floats) -> Floats:
    return np.divide(figure, usual, out=np.zeros_like(figure), where=usual > 0)


def _in_blocks(figure: Callable[[Floats], Seen]) -> Callable[[Floats], Seen]:
    def blocked(windows: Floats) -> Seen:
        parts = [figure(windows[s]) for s in blocks.ranges(len(windows), 4 * windows.shape[1])]
        return Seen(np.concatenate([part.figure for part in parts]), np.concatenate([part.at for part in parts]))

    return blocked


#: Figures of windows that limits are learnt for.
FIGURES: dict[str, Callable[[Floats], Seen]] = {
    kind: _in_blocks(figure)
    for kind, figure in (
        ("highest", _highest),
        ("lowest", _lowest),
        ("step", _step),
        ("relative step", _step_out_of_proportion),
        ("relative value", _value_out_of_proportion),
        ("run", _run),
        ("not whole", _not_whole),
    )
}
_UPPER = (
    ("step too large", "step", "a step of {figure} to step {step}, the limit is {limit}"),
    (
        "step out of proportion",
        "relative step",
        "a step {figure} times the usual one of its window to step {step}, the limit is {limit}",
    ),
    (
        "value out of proportion",
        "relative value",
        "a value {figure} times as far from the middle of its window as usual at step {step}, the limit is {limit}",
    ),
)
