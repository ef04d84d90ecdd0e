"""Implied gaps: what linear forecasts would lose that were learnt from the autocovariances of the synthetic series.

An implied gap is the excess of the root mean squared error, as a logarithm, of the best linear forecast that the
autocovariances of the synthetic series suggest, used on what those of the real series describe: no forecaster is fitted
and nothing is tested. H leads, K lags, U and V units of the two sides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tsgap.diagnostics.figures import Figure
from tsgap.diagnostics.stretches import Stretches, common_length, lagged, pairs, stretched
from tsgap.errors import DataError
from tsgap.panel import Floats, Panel
from tsgap.resampling import linear_gap

#: Implied gaps that matter: the mean over leads, and that of one lead or lag.
MATTERS, MATTERS_ONCE = float(np.log(1.02)), float(np.log(1.05))
#: Units are left out in this many groups for an interval.
GROUPS = 40
#: Names of the figures.
GAP, GAP_WORST = "implied gap", "implied gap, worst lead"
ONE_VALUE, KEPT = "implied gap from one value", "memory kept up to lag"


def implied_gap(real: Panel, synthetic: Panel, *, context: int, horizon: int) -> Floats:
    """The implied gap at each lead (H,): logarithms, 0 is none, .05 is 5 % more root mean squared error.

    Both panels are cut into stretches of one length, each with mean 0 and standard deviation 1, pooled. Biased upwards
    where series are few and short: lay the same figure of two sets of real series beside it. Raises `DataError` where
    the series do not reach `context` and `horizon` together, or none of them varies.
    """
    length = common_length(real, synthetic)
    if length < context + horizon:
        raise DataError(
            f"an implied gap at lead {horizon} from {context} values takes series of {context + horizon} values, four "
            f"fifths of the real and of the synthetic series have {length}; ask for a shorter context or horizon"
        )
    sides = [stretched(panel, length) for panel in (real, synthetic)]
    if not all(len(side.rows) for side in sides):
        raise DataError(f"no {'synthetic' if len(sides[0].rows) else 'real'} series varies over {length} values")
    ours, theirs = (lagged(_pairs(side, context + horizon - 1).mean(0)) for side in sides)
    return linear_gap(ours, theirs, context, horizon)


@dataclass(frozen=True, eq=False)
class _Jackknifed:
    """Figures (P,) less their bias, their standard errors, and the degrees of freedom, from leaving out units."""

    value: Floats
    error: Floats
    df: int

    def half(self, level: float) -> Floats:
        """Half-widths of intervals."""
        from scipy.stats import t

        return np.asarray(t.ppf(level, self.df) * self.error)


def _jackknifed(
    figures: Callable[[Floats, Floats], Floats], real: Floats, synthetic: Floats, *, seed: int
) -> _Jackknifed:
    """Figures of the means of units (U, …) and (V, …), leaving out one group of units after another (Quenouille)."""
    rng = np.random.default_rng(seed)
    means = [real.mean(0), synthetic.mean(0)]
    whole = figures(*means)
    bias, variance, df = np.zeros_like(whole), np.zeros_like(whole), GROUPS
    for i, side in enumerate((real, synthetic)):
        n = min(GROUPS, len(side))
        group = rng.permutation(np.arange(len(side)) % n)
        left = []
        for g in range(n):
            rest = group != g
            left.append(figures(*(side[rest].mean(0) if i == j else means[j] for j in range(2))))
        without = np.array(left)
        bias += (n - 1) * (without.mean(0) - whole)
        variance += (n - 1) / n * ((without - without.mean(0)) ** 2).sum(0)
        df = min(df, n - 1)
    return _Jackknifed(whole - bias, np.sqrt(variance), df)


def from_context(
    real: Stretches, synthetic: Stretches, *, context: int, leads: int, too_few: str, advice: str, seed: int
) -> tuple[Figure, Figure]:
    """The implied gap of forecasts from `context` values: its mean over the leads, and the worst lead.

    Less its bias, with intervals by leaving out units; that of the worst lead holds for all leads at once. `too_few`
    says why nothing can be proven, "" where it can; `advice` is what to do about lost memory.
    """

    def figures(ours: Floats, theirs: Floats) -> Floats:
        by_lead = linear_gap(lagged(ours), lagged(theirs), context, leads)
        return np.append(by_lead, by_lead.mean())

    found = _jackknifed(figures, *(_pairs(side, context + leads - 1) for side in (real, synthetic)), seed=seed)
    if not np.isfinite(found.value).all() or not np.isfinite(found.error).all():
        why = f"{len(real.rows)} real and {len(synthetic.rows)} synthetic units are too few for {context} values back"
        return Figure.unknown(GAP, why), Figure.unknown(GAP_WORST, why)
    value, half = float(found.value[-1]), float(found.half(0.975)[-1])
    mean = Figure(GAP, value, value - half, value + half, detail=f"leads 1 to {leads} from {context} values")
    at = int(found.value[:-1].argmax())
    value, half = float(found.value[at]), float(found.half(1 - 0.025 / leads)[at])
    worst = Figure(GAP_WORST, value, value - half, value + half, detail=f"lead {at + 1}")
    return _proven(mean, MATTERS, advice, too_few), _proven(worst, MATTERS_ONCE, advice, too_few)


def from_one_value(
    real: Floats, synthetic: Floats, *, too_few: str, advice: Callable[[int], str], seed: int
) -> tuple[Figure, Figure]:
    """The implied gap of forecasts from one value, from autocorrelations of units (U, K) and (V, K) at lags from 1 on.

    First the worst lag, with an interval for all lags at once; then the lag up to which less than 5 % is lost, proven
    lag after lag. `advice` is what to do about a lag.
    """
    found = _jackknifed(_by_lag, real, synthetic, seed=seed)
    lags = len(found.value)
    half = found.half(1 - 0.025 / lags)
    at = int(found.value.argmax())
    kept = found.value + found.half(0.95) < MATTERS_ONCE
    until = lags if kept.all() else int(kept.argmin())
    lost = np.flatnonzero(found.value - half > MATTERS_ONCE)
    said = f"lag {at + 1} of {lags}" + (f"; proven above 5 % from lag {lost[0] + 1} on" if len(lost) else "")
    value = float(found.value[at])
    worst = Figure(ONE_VALUE, value, value - half[at], value + half[at], detail=said)
    return (
        _proven(worst, MATTERS_ONCE, advice(int(lost[0] if len(lost) else at) + 1), too_few),
        Figure(KEPT, until, detail=f"of {lags}; from one value less than 5 % is lost up to there"),
    )


def _pairs(side: Stretches, lags: int) -> Floats:
    return side.of_units(pairs(side.values, lags))


def _by_lag(real: Floats, synthetic: Floats) -> Floats:
    left = np.maximum(1 - real**2, 1e-9)
    return np.asarray(0.5 * np.log1p((synthetic - real) ** 2 / left))


def _proven(figure: Figure, matters: float, advice: str, too_few: str) -> Figure:
    """A warning where the whole interval is beyond what matters."""
    if too_few:
        return replace(figure, flag="not measurable", advice=too_few)
    return replace(figure, flag="warn", advice=advice) if figure.low > matters else figure
