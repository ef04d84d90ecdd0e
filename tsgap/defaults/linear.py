"""Direct multi-step least squares in closed form: the forecaster that sees every linear dependence in a context.

Toner & Darlow (2024), "An Analysis of Linear Time Series Forecasting Models", ICML: with the mean of the context
subtracted it is what the linear neural forecasters converge to.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel
from tsgap.protocols import Forecast, ForecasterSpec

_BLOCK = 8192
#: At most this many training pairs, and this many of their errors in all leads together, give the quantiles.
PAIRS, ERRORS = 100_000, 2**22


def teachable(lengths: NDArray[np.int64], context: int, horizon: int) -> int:
    """How many leads a direct forecaster can learn from training series of these lengths (0: none)."""
    return int(np.clip(lengths.max(initial=0) - context, 0, horizon))


def default_context(seasons: tuple[int, ...], lengths: NDArray[np.int64]) -> int:
    """Two of the longest seasons, at most half of the longest training series."""
    return int(max(1, min(2 * max(seasons), lengths.max(initial=2) // 2)))


def reach(train: Panel, *, horizon: int, context: int | None) -> tuple[int, int]:
    """Context and number of leads that a direct forecaster learns; `ForecastError` where there is none to learn."""
    c = context or default_context(train.seasons, train.lengths)
    leads = teachable(train.lengths, c, horizon)
    if leads < 1:
        raise ForecastError(
            f"the longest training series has {train.lengths.max(initial=0)} values: "
            f"none teaches a lead after a context of {c}"
        )
    return c, leads


class Linear:
    """Least squares from the last `context` values, their mean subtracted, to every lead; ridge against collinearity.

    `ridge` is relative to the mean second moment of a context value. Quantiles are the forecast plus the quantiles of
    the errors on the training pairs, lead by lead, pooled over series (scaled, as they come): the same for every
    history. They are in-sample errors, too small where pairs are few for the context.
    """

    def __init__(self, ridge: float = 1e-4) -> None:
        self.ridge = ridge

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        """Sum the second moments of all windows of context and leads, and solve."""
        c, leads = reach(train, horizon=horizon, context=context)
        xx, xy = np.zeros((c, c)), np.zeros((c, leads))
        for y in train:
            if len(y) < c + leads:
                continue
            windows = sliding_window_view(y, c + leads)
            for start in range(0, len(windows), _BLOCK):
                block = windows[start : start + _BLOCK]
                block = block - block[:, :c].mean(1, keepdims=True)
                x = block[:, :c]
                xx += x.T @ x
                xy += x.T @ block[:, c:]
        weight = self.ridge * np.trace(xx) / c
        self.context = c
        self._train = train
        self._errors: Floats | None = None
        self.coefficients: Floats = np.linalg.solve(xx + max(weight, 1e-12) * np.eye(c), xy)

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        """Forecast from the last `context` values of every row; a shorter row fails."""
        c, leads = self.context, min(horizon, self.coefficients.shape[1])
        ready = np.flatnonzero(history.lengths >= c)
        mean = np.full((len(history), leads), np.nan)
        for start in range(0, len(ready), _BLOCK):
            rows = ready[start : start + _BLOCK]
            x = history.values[history.offsets[rows + 1][:, None] + np.arange(-c, 0)]
            level = x.mean(1, keepdims=True)
            # einsum, not a matrix product: its sums do not depend on how many rows, or leads, come together
            mean[rows] = (np.einsum("nc,ch->nh", x - level, self.coefficients) + level)[:, :leads]
        short = np.flatnonzero(history.lengths < c)
        failed = {int(i): f"{history.lengths[i]} values are less than the context of {c}" for i in short}
        if not quantile_levels:
            return Forecast(mean, failed)
        if self._errors is None:
            self._errors = self._training_errors()
        around = np.quantile(self._errors[:, :leads], quantile_levels, axis=0).T
        return Forecast(mean, failed, mean[..., None] + around, quantile_levels)

    def _training_errors(self) -> Floats:
        """Truth less forecast (N, H′) of the training pairs: all, or one from each of as many stretches as are kept.

        Where in its stretch a pair lies is random, from a fixed seed: equal steps could always meet the same season.
        """
        train, c, leads = self._train, self.context, self.coefficients.shape[1]
        counts = np.maximum(train.lengths - c - leads + 1, 0)
        ends = np.cumsum(counts)
        total = int(ends[-1])
        every = -(-total // min(PAIRS, ERRORS // leads))
        chosen = np.arange(0, total, every)
        chosen += np.random.default_rng(0).integers(0, np.minimum(every, total - chosen))
        row = np.searchsorted(ends, chosen, side="right")
        begins = train.offsets[row] + chosen - (ends - counts)[row]
        errors = np.empty((len(chosen), leads))
        for start in range(0, len(chosen), _BLOCK):
            block = train.values[begins[start : start + _BLOCK, None] + np.arange(c + leads)]
            block = block - block[:, :c].mean(1, keepdims=True)
            errors[start : start + _BLOCK] = block[:, c:] - block[:, :c] @ self.coefficients
        return errors


SPECS = (
    ForecasterSpec(
        "linear",
        "Direct multi-step least squares on the context, in closed form.",
        Linear,
        params={"ridge": 1e-4},
        memory="linear",
    ),
)
