"""Mixing: every synthetic series is a weighted mean of its real series and a few others, each brought to one scale."""

from __future__ import annotations

import numpy as np

from tsgap.blocks import let_go, room
from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel, frozen
from tsgap.protocols import GeneratorSpec
from tsgap.ragged import row_blocks


class Mixing:
    """Convex combinations of 2 to `series` real series, after TSMixup (Ansari et al. 2024).

    Each series is divided by its mean |y|; weights are Dirichlet with concentration `alpha`; the mixture is put on the
    scale of its twin, which is one of those mixed. Series are aligned at their ends. The others are drawn from those at
    least as long as the twin, or from the longest ones where there are too few: what they lack at the start is left to
    the rest. Neither Chronos' cut into stretches of random length nor its mixtures of a single series are made: a twin
    keeps its length, and none is a copy.
    """

    def __init__(self, series: int = 3, alpha: float = 1.5) -> None:
        if series < 2:
            raise ForecastError(f"a mixture is of at least 2 series, got series={series}")
        if not 0 < alpha < np.inf:
            raise ForecastError(f"the concentration of the weights is a positive number, got alpha={alpha}")
        self.series = series
        self.alpha = alpha

    def fit(self, train: Panel, *, seed: int) -> None:
        """Keep the training panel and the size of each series; `ForecastError` where there are not two to mix."""
        filled = int((train.lengths > 0).sum())
        if filled < 2:
            raise ForecastError(
                f"{filled} of {len(train)} series have a value: a mixture is of at least 2; ask for a generator that "
                "needs one series alone"
            )
        self.train = train
        self.size = np.zeros(len(train))
        for rows in row_blocks(train.offsets):
            for row in range(rows.start, rows.stop):
                self.size[row] = np.abs(train[row]).mean() if len(train[row]) else 0.0
            let_go(train.values)
        # the longest first: those at least as long as a series are the first ones
        self.order = np.argsort(-train.lengths, kind="stable")[:filled]
        self.place = np.zeros(len(train), dtype=np.int64)
        self.place[self.order] = np.arange(filled)
        longest = train.lengths[self.order]
        at_least = np.searchsorted(-longest, -longest, side="right")
        self.pool = np.maximum(at_least, min(self.series, filled))

    def sample(self, *, seed: int) -> Panel:
        """One mixture for every real series, under the same key."""
        rng, train = np.random.default_rng(seed), self.train
        values = room(len(train.values))
        for rows in row_blocks(train.offsets):
            for row in range(rows.start, rows.stop):
                if train.offsets[row] < train.offsets[row + 1]:
                    values[train.offsets[row] : train.offsets[row + 1]] = self._mixed(row, rng)
            let_go(train.values, values)
        return train.with_values(frozen(values))

    def _mixed(self, row: int, rng: np.random.Generator) -> Floats:
        place = self.place[row]
        pool = int(self.pool[place])
        others = rng.choice(pool - 1, int(rng.integers(1, min(self.series, pool))), replace=False)
        mixed = [row, *self.order[others + (others >= place)].tolist()]
        # a weight that is lost in rounding would leave nothing where the twin is alone
        weights = np.maximum(rng.dirichlet(np.full(len(mixed), self.alpha)), 1e-12)
        n = len(self.train[row])
        total, there = np.zeros(n), np.zeros(n)
        for one, weight in zip(mixed, weights.tolist(), strict=True):
            y = self.train[one][-n:]
            if self.size[one] > 0:
                total[n - len(y) :] += weight * y / self.size[one]
            there[n - len(y) :] += weight
        return np.asarray(self.size[row] * total / there)


SPECS = (
    GeneratorSpec(
        "mixing",
        "Weighted means of each series and a few others, on the scale of the series.",
        Mixing,
        params={"series": 3, "alpha": 1.5},
        keeps="the scale of each series, what the mixed series have in common (a shared season and its phase)",
        destroys="part of the noise and of what is a series' own: level shifts, zeros, events",
        shown_by="linear and nonlinear ones, the more the less alike the series are",
        source="Ansari et al. (2024), Chronos: learning the language of time series (TSMixup), after Zhang, Cisse, "
        "Dauphin & Lopez-Paz (2018), mixup: beyond empirical risk minimization",
    ),
)
