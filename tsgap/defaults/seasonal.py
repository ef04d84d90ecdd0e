"""Generators that keep or scramble the season: they need a panel with a season of at least two steps."""

from __future__ import annotations

import numpy as np

from tsgap.defaults.generators import PerSeries, enough
from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel
from tsgap.protocols import GeneratorSpec


class Seasonal(PerSeries):
    """Turns each series into a synthetic one by its place in the main season; `least` values are needed."""

    def fit(self, train: Panel, *, seed: int) -> None:
        """Keep the training panel; `ForecastError` where it has no season, or series that are too short."""
        self.season = train.season
        if self.season < 2:
            raise ForecastError(
                f"the data have no season (seasons {', '.join(map(str, train.seasons))}): give its length in steps, "
                "or take a generator that needs none"
            )
        enough(train, *self.least(self.season))
        super().fit(train, seed=seed)

    def least(self, m: int) -> tuple[int, str]:
        """The fewest values of a series for a season of `m` steps, and the reason."""
        return 2 * m, f"two seasons of {m} are needed"


class SeasonalBlockBootstrap(Seasonal):
    """Blocks of `length` steps from random cycles, each at its own place in the season.

    Of every place in the season a series must offer two blocks at least: `length` + two seasons - 1 values.
    """

    def __init__(self, length: int = 24) -> None:
        if length < 1:
            raise ForecastError(f"a block has at least 1 step, got length={length}")
        self.length = length
        super().__init__(self._blocks)

    def least(self, m: int) -> tuple[int, str]:
        """A block, and two cycles to draw its beginning from."""
        return self.length + 2 * m - 1, f"two blocks of {self.length} are needed for every step of a season of {m}"

    def _blocks(self, y: Floats, rng: np.random.Generator) -> Floats:
        m, length, n = self.season, self.length, len(y)
        at = np.arange(0, n, length)
        phase = at % m
        cycles = rng.integers(0, (n - length - phase) // m + 1)
        where = (phase + m * cycles)[:, None] + np.arange(length)
        return np.asarray(y[where.ravel()[:n]])


class SeasonScramble(Seasonal):
    """Every cycle, and what is left of one at the end, shifted in a circle by a random number of steps."""

    def __init__(self) -> None:
        super().__init__(self._shifted)

    def _shifted(self, y: Floats, rng: np.random.Generator) -> Floats:
        parts = [y[start : start + self.season] for start in range(0, len(y), self.season)]
        return np.concatenate([np.roll(part, rng.integers(len(part))) for part in parts])


class SeasonalTemplate(Seasonal):
    """The mean of every step of the season, and what is left of each value in random order."""

    def __init__(self) -> None:
        super().__init__(self._filled)

    def _filled(self, y: Floats, rng: np.random.Generator) -> Floats:
        phase = np.arange(len(y)) % self.season
        profile = np.bincount(phase, weights=y) / np.bincount(phase)
        return np.asarray(profile[phase] + rng.permutation(y - profile[phase]))


SPECS = (
    GeneratorSpec(
        "seasonal-block-bootstrap",
        "Blocks from random cycles, each at its own place in the season.",
        SeasonalBlockBootstrap,
        params={"length": 24},
        keeps="dependence within a block, the season and its phase",
        destroys="dependence beyond a block, but for the season",
        source="Politis (2001), Resampling time series with seasonal components; Dudek, Leśkow, Paparoditis & Politis "
        "(2014), A generalized block bootstrap for seasonal time series",
        shown_by="linear and nonlinear ones from lead 1 on; a lag probe from about a block on",
    ),
    GeneratorSpec(
        "season-scramble",
        "Every cycle shifted in a circle by a random number of steps.",
        SeasonScramble,
        keeps="the values of every cycle and their order in a circle",
        destroys="the phase of the season",
        shown_by="linear and nonlinear ones; a lag probe by little",
    ),
    GeneratorSpec(
        "seasonal-template",
        "The mean season, and the residuals in random order.",
        SeasonalTemplate,
        keeps="the mean season and its phase, the distribution of the residuals",
        destroys="all other dependence on time, trends too",
        shown_by="every one that learns, where series are more than season and noise",
    ),
)
