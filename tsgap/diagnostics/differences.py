"""Figures out of numbers that each unit has: how far the means of both sides are apart, and whether that is chance.

U real and V synthetic units, K lags. Labels of units are permuted with studentised statistics, intervals are Welch's or
a jackknife's over units. A warning takes both: proven at `LEVEL` over all figures of a diagnostic (for a difference by
its interval too), and large enough to matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb

import numpy as np

from tsgap.diagnostics.figures import Figure
from tsgap.diagnostics.permuting import p_value, relabelled, studentised
from tsgap.panel import Floats

#: Chance of a warning where nothing differs, of all figures of a diagnostic together.
LEVEL = 0.05


@dataclass(frozen=True)
class Quantity:
    """A number that each unit has: its name, the least difference that matters, and what to do about more or less."""

    name: str
    matters: float
    more: str
    less: str


@dataclass(frozen=True, eq=False)
class Labels:
    """Which units count as synthetic, as they are and by chance (1 + P, U + V), and the p that `figures` must reach."""

    of: Floats
    needed: float

    @classmethod
    def dealt(cls, real: int, synthetic: int, *, figures: int, seed: int) -> Labels:
        """Labels for so many units, shared by so many figures of one diagnostic that can warn."""
        return cls(relabelled(real, synthetic, seed=seed), LEVEL / figures)

    @property
    def too_few(self) -> str:
        """Why no difference between so few units could be proven; "" where one could."""
        units, synthetic = self.of.shape[1], int(self.of[0].sum())
        if comb(units, synthetic) >= 2 / self.needed:
            return ""
        return f"{units - synthetic} real and {synthetic} synthetic units are too few to prove a difference"

    def judged(self, figure: Figure, matters: bool, advice: str) -> Figure:
        """The figure with a warning where it is proven and matters; not measurable where nothing could be proven."""
        if self.too_few:
            return replace(figure, flag="not measurable", advice=self.too_few)
        if matters and figure.p <= self.needed:
            return replace(figure, flag="warn", advice=advice)
        return figure


def differences(quantities: Sequence[Quantity], real: Floats, synthetic: Floats, labels: Labels) -> tuple[Figure, ...]:
    """Mean of the synthetic units (V, F) less that of the real ones (U, F), a figure for each of F quantities."""
    chance = np.abs(studentised(np.concatenate([real, synthetic]), labels.of))
    found = []
    for of, ours, theirs, by_chance in zip(quantities, real.T, synthetic.T, chance.T, strict=True):
        value, half = _apart(ours, theirs, 0.975)
        detail = f"{ours.mean():.3g} real, {theirs.mean():.3g} synthetic"
        figure = Figure(of.name, value, value - half, value + half, p_value(by_chance), detail=detail)
        # of few units of which one is far out, the permutation and the printed interval need not agree
        matters = abs(value) >= max(of.matters, half)
        found.append(labels.judged(figure, matters, of.more if value > 0 else of.less))
    return tuple(found)


def distances(names: Sequence[Quantity], real: Floats, synthetic: Floats, labels: Labels) -> tuple[Figure, Figure]:
    """How far curves (U, K) and (V, K) by lag from 1 on are apart: the mean over lags, and the worst one, so named.

    The advice `more` is for the worst lag where the synthetic curve is further from 0 there, `less` where it is nearer;
    ``{lag}`` in it is the lag. The interval of the mean is a jackknife's over units, that of the worst lag holds for
    all lags at once.
    """
    mean, worst = names
    k = real.shape[1]
    apart = synthetic.mean(0) - real.mean(0)
    size = np.abs(apart)
    at = int(size.argmax())
    chance = np.abs(studentised(np.concatenate([real, synthetic]), labels.of))
    detail = f"lag {at + 1}: {real[:, at].mean():z.2f} real, {synthetic[:, at].mean():z.2f} synthetic"
    advice = mean.more if abs(synthetic[:, at].mean()) > abs(real[:, at].mean()) else mean.less
    half = _jackknifed_half(real, synthetic)
    value = float(size.mean())
    first = Figure(
        mean.name, value, max(value - half, 0.0), value + half, p_value(chance.mean(1)), detail=f"lags 1 to {k}"
    )
    value, half = float(size[at]), _apart(real[:, at], synthetic[:, at], 1 - 0.025 / k)[1]
    second = Figure(worst.name, value, max(value - half, 0.0), value + half, p_value(chance.max(1)), detail=detail)
    return (
        labels.judged(first, first.value >= mean.matters, advice.format(lag=at + 1)),
        labels.judged(second, second.value >= worst.matters, advice.format(lag=at + 1)),
    )


def _apart(real: Floats, synthetic: Floats, level: float) -> tuple[float, float]:
    """Difference of two means and the half-width of Welch's interval."""
    from scipy.stats import t

    a, b = (float(side.var(ddof=1)) / len(side) for side in (real, synthetic))
    df = (a + b) ** 2 / max(a**2 / (len(real) - 1) + b**2 / (len(synthetic) - 1), 1e-300)
    half = float(t.ppf(level, max(df, 1.0)) * np.sqrt(a + b)) if a + b > 0 else 0.0
    return float(synthetic.mean() - real.mean()), half


def _jackknifed_half(real: Floats, synthetic: Floats) -> float:
    """Half-width of the interval of the mean |difference| when each unit is left out in turn."""
    from scipy.stats import t

    variance = 0.0
    for own, other in ((real, synthetic), (synthetic, real)):
        n = len(own)
        without = (own.sum(0) - own) / (n - 1)
        left = np.abs(without - other.mean(0)).mean(1)
        variance += (n - 1) / n * float(((left - left.mean()) ** 2).sum())
    return float(t.ppf(0.975, min(len(real), len(synthetic)) - 1) * np.sqrt(variance))
