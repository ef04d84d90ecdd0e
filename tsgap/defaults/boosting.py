"""Gradient-boosted trees on windows, the lead as a feature: the forecaster that sees nonlinear dependence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap.footing import reach
from tsgap.panel import Floats, Ints, Panel
from tsgap.protocols import Forecast, ForecasterSpec

_BLOCK = 65_536
#: Values of contexts that are looked at together in training.
_CHUNK = 4_000_000
#: A leaf of the model of a quantile holds so many rows that `BEYOND` of them lie beyond the quantile, but needs no more
#: than `LEAST_LEAF` of them, or this share of all rows where they are few.
BEYOND, LEAST_LEAF, LEAF_SHARE = 20, 20, 0.05


class GradientBoosting:
    """scikit-learn's histogram gradient boosting, one model for all leads.

    A training row is one lead of one window: the last values of the context and those one and two seasons before
    the lead, all less the context's mean, and the lead itself. `samples` caps the rows, drawn by seed from all
    windows and leads alike.

    Quantiles are those of one more model a level, boosted on the same rows by the pinball loss (Koenker & Bassett 1978,
    Econometrica 46) when that level is first asked for: each costs about twice what the mean forecast does. Nothing
    keeps them from crossing. They are in-sample: central intervals hold somewhat less than they promise.
    """

    def __init__(
        self, iterations: int = 150, learning_rate: float = 0.1, leaves: int = 31, samples: int = 30_000, lags: int = 24
    ) -> None:
        self.iterations = iterations
        self.learning_rate = learning_rate
        self.leaves = leaves
        self.samples = samples
        self.lags = lags

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        """Draw rows of (window, lead) and boost."""
        self.context, self.leads = reach(train.lengths, train.seasons, horizon=horizon, context=context)
        self.season = train.season
        ends, lead = self._draw(train, np.random.default_rng(seed))
        level = self._levels(train.values, ends)
        x = self._features(train.values, ends, lead, level)
        # a context shorter than a season knows nothing of the seasons before; scikit-learn refuses an empty column
        self.columns = np.flatnonzero(~np.isnan(x).all(0))
        self._rows = x[:, self.columns], train.values[ends + lead - 1] - level, seed
        self.model = self._boosted()
        self._of_level: dict[float, Any] = {}

    def _boosted(self, **loss: Any) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor

        x, y, seed = self._rows
        return HistGradientBoostingRegressor(
            max_iter=self.iterations,
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.leaves,
            early_stopping=False,
            random_state=seed,
            **loss,
        ).fit(x, y)

    def _at(self, level: float) -> Any:
        """The model of the quantile of this level."""
        if level not in self._of_level:
            few = max(LEAST_LEAF, round(LEAF_SHARE * len(self._rows[0])))
            leaf = min(round(BEYOND / min(level, 1 - level)), few)
            self._of_level[level] = self._boosted(loss="quantile", quantile=level, min_samples_leaf=leaf)
        return self._of_level[level]

    def _draw(self, train: Panel, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Where contexts end (exclusive position) and which leads follow, for at most `samples` rows."""
        # series i offers, for lead h, the ends c..len-h: count all pairs series by series
        slack = np.maximum(train.lengths - self.context, 0)  # number of ends at lead 1
        full = np.minimum(slack, self.leads)
        pairs = full * slack - full * (full - 1) // 2
        total = int(pairs.sum())
        flat = rng.choice(total, self.samples, replace=False) if total > self.samples else np.arange(total)
        flat.sort()
        before = np.concatenate([[0], np.cumsum(pairs)])
        row = np.searchsorted(before, flat, side="right") - 1
        rest, s = flat - before[row], slack[row]
        # within a series pairs are laid out lead by lead: lead h has s - h + 1 ends
        b = 2 * s + 1
        lead = np.floor((b - np.sqrt(np.maximum(b.astype(float) ** 2 - 8 * rest, 0))) / 2).astype(np.int64)
        lead = np.where(lead * s - lead * (lead - 1) // 2 > rest, lead - 1, lead)
        lead = np.where((lead + 1) * s - (lead + 1) * lead // 2 <= rest, lead + 1, lead)
        end = rest - (lead * s - lead * (lead - 1) // 2)
        return train.offsets[row] + self.context + end, lead + 1

    def _levels(self, values: Floats, ends: Ints) -> Floats:
        """Mean of the context before each end; a running sum would let other series into its last digits."""
        out = np.empty(len(ends))
        step = max(1, _CHUNK // self.context)
        for start in range(0, len(ends), step):
            part = slice(start, start + step)
            out[part] = values[ends[part, None] + np.arange(-self.context, 0)].mean(1)
        return out

    def _features(self, values: Floats, ends: Ints, lead: Ints, level: Floats) -> Floats:
        c, m = self.context, self.season
        recent = values[ends[:, None] - 1 - np.arange(min(self.lags, c))]
        columns = [recent - level[:, None], lead[:, None].astype(np.float64)]
        back = -(-lead // m) * m  # whole seasons back from the lead into the context
        for seasons in (0, 1):
            at = lead - back - seasons * m  # ≤ 0: steps from the end of the context
            known = at > -c
            column = np.where(known, values[ends - 1 + np.where(known, at, 0)] - level, np.nan)
            columns.append(column[:, None])
        return np.hstack(columns)

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        """Forecast from the last `context` values of every row; a shorter row fails."""
        c, leads = self.context, min(horizon, self.leads)
        ready: NDArray[np.int64] = np.flatnonzero(history.lengths >= c)
        models = [self.model, *(self._at(level) for level in quantile_levels)]
        # the mean forecast, then the quantiles
        out = np.full((len(history), leads, len(models)), np.nan)
        step = max(1, _BLOCK // leads)
        for start in range(0, len(ready), step):
            rows = ready[start : start + step]
            contexts = history.values[history.offsets[rows + 1][:, None] + np.arange(-c, 0)]
            ends = np.repeat((np.arange(len(rows)) + 1) * c, leads)
            level = contexts.mean(1)
            x = self._features(
                contexts.ravel(), ends, np.tile(np.arange(1, leads + 1), len(rows)), np.repeat(level, leads)
            )
            for k, model in enumerate(models):
                out[rows, :, k] = model.predict(x[:, self.columns]).reshape(len(rows), leads) + level[:, None]
        short = np.flatnonzero(history.lengths < c)
        failed = {int(i): f"{history.lengths[i]} values are less than the context of {c}" for i in short}
        if not quantile_levels:
            return Forecast(out[..., 0], failed)
        return Forecast(out[..., 0], failed, out[..., 1:], quantile_levels)


SPECS = (
    ForecasterSpec(
        "gradient-boosting",
        "Gradient-boosted trees on windows, the lead as a feature (scikit-learn).",
        GradientBoosting,
        params={"iterations": 150, "learning_rate": 0.1, "leaves": 31, "samples": 30_000, "lags": 24},
        deterministic=False,
        requires=("sklearn",),
        memory="nonlinear",
    ),
)
