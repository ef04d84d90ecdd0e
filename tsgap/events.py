"""What an event is: from a text such as ``y > q0.95`` to labels of the truth and scores of forecasts.

A label is 1 where the event happens, 0 where it does not, NaN where the truth does not tell. A score rises with how
likely the forecast has the event; where there is no forecast it is NaN.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsgap.errors import UsageError
from tsgap.panel import Floats, Panel

#: Decimals of a score that count: what differs by less differs by rounding.
DECIMALS = 9

#: How a number is written, as a regular expression.
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_FORM = re.compile(
    rf"y\s*(?P<sign>>=|<=|>|<)\s*(?P<q>q\s*)?(?P<number>{NUMBER})"
    r"(?P<own>\s+per\s+series)?(?P<within>\s+within\s+horizon)?"
)
_FORMS = (
    "write y > q0.95 (a quantile of the training values), y < q0.05 per series, or y >= 120 (in units of the data); "
    "'within horizon' at the end asks for any lead up to the horizon"
)


@dataclass(frozen=True)
class Event:
    """A value beyond a threshold: above or below it, itself included or not, at each lead or at any (`within`).

    `number` is a quantile level in (0, 1) where `quantile` says so, else a value in units of the data. A quantile is
    one of the real training values: of each series by itself (`per_series`), or pooled over series, each less its own
    median and in units of its scale; that series differ in level and size makes no event.
    """

    sign: str
    number: float
    quantile: bool = False
    per_series: bool = False
    within: bool = False

    @classmethod
    def parse(cls, text: str) -> Event:
        """The event that a text names; `UsageError` where it names none.

        >>> print(Event.parse("y>q.95 per series within horizon"))
        y > q0.95 per series within horizon
        """
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise UsageError(f"{text!r} names no event; {_FORMS}")
        number, quantile, own = float(found["number"]), found["q"] is not None, found["own"] is not None
        if quantile and not 0 < number < 1:
            hint = f"; write q{number / 100:g}" if 1 < number < 100 else ""
            raise UsageError(f"the level of a quantile lies between 0 and 1, {text!r} asks for {number:g}{hint}")
        if own and not quantile:
            raise UsageError(
                f"{text!r}: a number holds for all series alike, drop 'per series'; "
                f"for a threshold of each series ask for a quantile, y {found['sign']} q0.95 per series"
            )
        if not np.isfinite(number):
            raise UsageError(f"{text!r} asks for a value that is not finite; {_FORMS}")
        return cls(found["sign"], number, quantile, own, found["within"] is not None)

    def __str__(self) -> str:
        own, within = " per series" if self.per_series else "", " within horizon" if self.within else ""
        return f"y {self.sign} {'q' if self.quantile else ''}{self.number:.15g}{own}{within}"

    @property
    def above(self) -> bool:
        """Whether the event lies above its threshold."""
        return self.sign[0] == ">"

    @property
    def strict(self) -> bool:
        """Whether the threshold itself is no event."""
        return len(self.sign) == 1

    def call(self, *, probable: bool = False) -> float:
        """The least score that says that the event comes: the forecast lies beyond the threshold, or P ≥ 1/2."""
        if probable:
            return 0.5
        return float(np.nextafter(0.0, 1.0)) if self.strict else 0.0

    def thresholds(self, train: Panel, scale: Floats) -> Floats:
        """The threshold of each row (S,) of the real training part, in units of the data; nothing else is looked at.

        `scale` (S,) is what errors are divided by; a row without one has no threshold (NaN), nor has one without
        values.
        """
        if scale.shape != (len(train),):
            raise ValueError(f"{len(train)} rows have as many scales, got shape {scale.shape}")
        usable = np.isfinite(scale) & (train.lengths > 0)
        if not self.quantile:
            return np.where(usable, self.number, np.nan)
        found = np.full(len(train), np.nan)
        if self.per_series:
            found[usable] = [np.quantile(train[row], self.number) for row in np.flatnonzero(usable).tolist()]
            return found
        rows = train.take(np.flatnonzero(usable))
        if not len(rows):
            return found
        middle = np.array([np.median(row) for row in rows])
        pooled = (rows.values - np.repeat(middle, rows.lengths)) / np.repeat(scale[usable], rows.lengths)
        found[usable] = middle + np.quantile(pooled, self.number) * scale[usable]
        return found

    def labels(self, truth: Floats, thresholds: Floats) -> Floats:
        """1, 0 or NaN for each truth (N, H) and the thresholds of its windows (N,); (N, 1) of an event `within`.

        Within the horizon an event has come where one lead has it, and has not where every lead is known to lack it.
        """
        known = ~np.isnan(truth) & ~np.isnan(thresholds)[:, None]
        with np.errstate(invalid="ignore"):
            come = self._beyond(truth, thresholds[:, None])
        each = np.where(known, come, np.nan)
        if not self.within:
            return each
        return np.where(known.all(1) | (each == 1).any(1), (each == 1).any(1), np.nan)[:, None]

    def scores(self, forecast: Floats, thresholds: Floats, scale: Floats) -> Floats:
        """How far forecasts (N, H) lie beyond the thresholds (N,) of their windows, in units of their `scale` (N,).

        Within the horizon the farthest lead counts (N, 1), and all leads must be there.
        """
        away = (forecast - thresholds[:, None]) / scale[:, None]
        return self._over_leads(away if self.above else -away)

    def probabilities(self, quantiles: Floats, levels: Sequence[float], thresholds: Floats) -> Floats:
        """The predictive probability of the event from quantiles (N, H, Q) of rising `levels`, at least two.

        Between quantiles the distribution is taken as linear, beyond the outermost as exponential, of the density
        that it has beside them. Within the horizon it is the largest of any lead (N, 1), which the event's own
        probability is at least.
        """
        at = np.asarray(levels, dtype=np.float64)
        if len(at) < 2:
            raise UsageError(
                f"the probability of {str(self)!r} needs forecasts of at least two quantile levels, got {list(levels)}"
            )
        below = _distribution(quantiles, at, thresholds[:, None], self.above == self.strict)
        return self._over_leads(1 - below if self.above else below)

    def _beyond(self, values: Floats, thresholds: Floats) -> NDArray[np.bool_]:
        if self.above:
            return np.asarray(values > thresholds if self.strict else values >= thresholds)
        return np.asarray(values < thresholds if self.strict else values <= thresholds)

    def _over_leads(self, each: Floats) -> Floats:
        rounded = np.round(each, DECIMALS)
        return rounded.max(1, keepdims=True) if self.within else rounded


def _distribution(quantiles: Floats, levels: Floats, at: Floats, closed: bool) -> Floats:
    """The share of a distribution (N, H) that lies below `at` (N, 1), what lies there included if `closed`."""
    t = at[..., None]
    with np.errstate(invalid="ignore"):
        passed = (quantiles <= t if closed else quantiles < t).sum(-1)
    first, last = np.clip(passed - 1, 0, len(levels) - 2), np.clip(passed, 1, len(levels) - 1)
    low, high = (np.take_along_axis(quantiles, i[..., None], axis=-1)[..., 0] for i in (first, last))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        density = (levels[last] - levels[first]) / (high - low)
        inside = levels[first] + np.where(at == low, 0.0, (at - low) * density)
        left = levels[0] * np.exp(-np.where(at == low, 0.0, (low - at) * density) / levels[0])
        right = 1 - (1 - levels[-1]) * np.exp(-np.where(at == high, 0.0, (at - high) * density) / (1 - levels[-1]))
    found = np.where(passed == 0, left, np.where(passed == len(levels), right, inside))
    return np.where(np.isnan(quantiles).any(-1) | np.isnan(at), np.nan, found)
