"""The learning curve of a forecaster: what fewer pairs to learn from cost, and what more of them would give.

Axes as in `tsgap.gap`. With E(n) the mean loss after n training pairs, ln E(n/q) is taken to be a straight line in q:
ln E(q n) = ln E(n) + b (1/q − 1), for shares q of the pairs below and above 1. For least squares, whose squared loss is
σ² n / (n − p) with p parameters, that misses terms from ½ (p/n)² on; a straight line of E itself in 1/q misses twice as
much. After Viering & Loog (2023), "The Shape of Learning Curves: A Review", IEEE TPAMI 45.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from tsgap.gap import Linear, log_ratio
from tsgap.panel import Floats

#: Shares of the training pairs that sub-samples have, and how many sub-samples of each are drawn.
FRACTIONS = (0.5, 0.75)
REPEATS = 20
#: With fewer training pairs for each parameter in the smallest sub-sample the curve says nothing.
PAIRS_PER_PARAMETER = 3.0
#: A change of ln of the mean loss that is smaller is rounding.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Curve:
    """A fitted learning curve at each place (P,); its replicates are the sub-samples.

    `slope` is b, measured and maybe below 0; `half` is ln E(n/2) − ln E(n) as it was measured. `reason` says why
    nothing is known, None where it is; then the figures are NaN.
    """

    slope: Linear
    half: Linear
    pairs: int
    reason: str | None = None

    @property
    def steepness(self) -> Linear:
        """The slope b, 0 where it was measured below 0; its uncertainty stays."""
        slope = self.slope
        return Linear(np.maximum(slope.value, 0.0), slope.contributions, slope.shares)

    def change(self, times: float) -> Linear:
        """ln of the mean loss with `times` as many pairs over that with all of them: the size effect, at most 0 for
        more pairs."""
        factor, b = 1 / times - 1, self.steepness
        return Linear(factor * b.value + 0.0, factor * b.contributions, b.shares)

    @property
    def curable(self) -> Floats:
        """Share of the mean loss (P,) that any number of further pairs would take away: 1 − a / E, with a the
        asymptote."""
        return -np.expm1(-self.steepness.value)

    def worth(self, total: Floats) -> Floats:
        """How many further pairs (P,) would change ln of the mean loss by `total` (P,): below 0 where it is worse.

        Infinite where no number would do, NaN where the curve is not known. The curve is taken as it is: of its own
        uncertainty nothing is counted.
        """
        b = self.steepness.value
        with np.errstate(divide="ignore", invalid="ignore"):
            kept = np.where(np.abs(total) < ROUNDING, 1.0, 1 + total / b)  # n over the pairs that are needed
            found = np.where(kept > 0, self.pairs * (1 / kept - 1), np.inf)
        return np.where(np.isnan(b) | np.isnan(total), np.nan, found)


def learning_curve(
    real: Floats, fractions: Mapping[float, Floats], *, pairs: int, parameters: int, root: bool = False
) -> Curve:
    """The learning curve through the losses of all `pairs`, least squares in 1/q − 1 over the fractions.

    `real` (K, N, P) are the summed losses after training on all pairs, `fractions` those (repeats, N, P) after training
    on sub-samples with a share q of them, by q. `root`: the losses are squared and their root is asked for. Nothing is
    known with fewer than 2 fractions, without one half among them, or where the smallest has fewer than
    `PAIRS_PER_PARAMETER` pairs for each parameter.
    """
    if why := _unknown(fractions, pairs, parameters):
        nothing = unknown(real.shape[1], real.shape[2])
        return Curve(nothing, nothing, pairs, why)
    whole = real.mean(0, keepdims=True)
    shares = sorted(fractions)
    ratios = [log_ratio(fractions[q], whole, root=root) for q in shares]
    x = 1 / np.array(shares) - 1
    weights = x / (x @ x)
    with np.errstate(invalid="ignore"):  # where only some sub-samples make errors
        value = sum(w * one.value for w, one in zip(weights, ratios, strict=True))
        parts = sum(w * one.contributions for w, one in zip(weights, ratios, strict=True))
    slope = Linear(np.asarray(value), np.asarray(parts), ratios[0].shares)
    return Curve(slope, ratios[shares.index(0.5)], pairs)


def no_curve(shares: Collection[float]) -> str:
    """Why sub-samples of these shares of the pairs give no curve; "" where they do."""
    if len(shares) > 1 and 0.5 in shares:
        return ""
    had = ", ".join(f"{q:g}" for q in sorted(shares)) or "none"
    return f"a learning curve needs sub-samples of one half of the pairs and of another share; there are: {had}"


def _unknown(shares: Collection[float], pairs: int, parameters: int) -> str | None:
    if why := no_curve(shares):
        return why
    least = min(shares)
    if least * pairs < PAIRS_PER_PARAMETER * parameters:
        return (
            f"the smallest sub-sample has {least * pairs:.0f} pairs for {parameters} parameters, fewer than "
            f"{PAIRS_PER_PARAMETER:g} each; a shorter context or longer series would do"
        )
    return None


def unknown(windows: int, places: int) -> Linear:
    """A statistic of which nothing is known: NaN at every place."""
    return Linear(np.full(places, np.nan), np.full((1, windows, places), np.nan), np.full((windows, places), np.nan))


def effective_times(share: float, pairs: int, synthetic: int | None) -> float:
    """How many times as many pairs an arm counts for, that adds synthetic pairs to `pairs` real ones.

    `share` is λ, synthetic pairs over real ones. With `synthetic` pairs that share the weight λ · `pairs` it is the
    effective sample size after Kish (1965), "Survey Sampling"; None: each pair has the weight 1.

    >>> effective_times(1.0, 100, None), effective_times(1.0, 100, 100), round(effective_times(1.0, 100, 300), 6)
    (2.0, 2.0, 3.0)
    """
    if not share or synthetic is None:
        return 1 + share
    return (1 + share) ** 2 / (1 + share**2 * pairs / synthetic)
