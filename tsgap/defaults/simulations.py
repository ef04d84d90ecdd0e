"""Simulations from a model fitted to each series: an autoregressive sieve, and exponential smoothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsgap.defaults.generators import PerSeries, enough
from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel
from tsgap.protocols import GeneratorSpec

#: The fewest simulated values before those that are kept.
_BURN_IN = 500


def yule_walker(z: Floats, order: int) -> list[tuple[Floats, float]]:
    """Coefficients and innovation variance of the autoregressions of order 0, 1, … of a centred series.

    Levinson's recursion on the autocovariances, sums over n, which makes all of them stationary. The list ends
    before `order` where nothing is left to explain.
    """
    g = np.array([z[: len(z) - k] @ z[k:] for k in range(order + 1)]) / len(z)
    a, variance = np.zeros(0), float(g[0])
    found = [(a, variance)]
    for k in range(1, order + 1):
        partial = (g[k] - a @ g[k - 1 : 0 : -1]) / variance
        a = np.append(a - partial * a[::-1], partial)
        variance *= 1 - partial**2
        if not variance > 1e-12 * g[0]:
            break
        found.append((a, variance))
    return found


class ARSieve(PerSeries):
    """An autoregression by Yule and Walker, run on its own resampled residuals (Bühlmann 1997).

    `order` is that of all series, at most half of their length; None chooses each by Akaike's criterion, up to ten
    times the decimal logarithm of the length. A constant series comes back as it is.
    """

    def __init__(self, order: int | None = None) -> None:
        if order is not None and order < 0:
            raise ForecastError(f"an order is a whole number from 0, or none, got order={order}")
        self.order = order
        super().__init__(self._simulated)

    def fit(self, train: Panel, *, seed: int) -> None:
        """Keep the training panel, if its series are long enough for the order."""
        if self.order is not None:
            least = 2 * self.order + 1
            enough(train, least, f"an autoregression of order {self.order} needs {least}; ask for a lower order")
        super().fit(train, seed=seed)

    def coefficients(self, z: Floats) -> Floats:
        """Coefficients of a centred series, that of lag 1 first."""
        if self.order is not None:
            return yule_walker(z, self.order)[-1][0]
        highest = min(int(10 * np.log10(len(z))), (len(z) - 1) // 2)
        offered = yule_walker(z, highest)
        return min(offered, key=lambda one: len(z) * np.log(one[1]) + 2 * len(one[0]))[0]

    def _simulated(self, y: Floats, rng: np.random.Generator) -> Floats:
        if np.ptp(y) == 0:
            return y
        from scipy.signal import lfilter

        mean = y.mean()
        a = self.coefficients(y - mean)
        whitening = np.append(1.0, -a)
        residuals = lfilter(whitening, [1.0], y - mean)[len(a) :]
        burn_in = max(_BURN_IN, len(y))
        drawn = rng.choice(residuals - residuals.mean(), burn_in + len(y))
        return np.asarray(lfilter([1.0], whitening, drawn)[burn_in:] + mean)


@dataclass(frozen=True)
class Smoothing:
    """Additive exponential smoothing fitted to one series: weights, the states before its first value, residuals.

    `level_weight` and `season_weight` are what an error adds to the level and to its step of the season.
    """

    level_weight: float
    season_weight: float
    level: float
    season: Floats
    residuals: Floats

    @classmethod
    def fitted(cls, y: Floats, m: int) -> Smoothing:
        """Fit by least squares; the first states are the mean of the first cycle and the first ten cycles' profile."""
        cycles = y[: len(y) // m * m].reshape(-1, m)[:10]
        profile = (cycles - cycles.mean(1, keepdims=True)).mean(0)
        level = float(cycles[0].mean())
        if np.ptp(y) == 0:
            return cls(0.0, 0.0, level, profile, np.zeros(len(y)))
        import warnings

        from statsmodels.tsa.holtwinters import ExponentialSmoothing

        size = float(y.std())
        states = {"initial_level": level / size, "initialization_method": "known"}
        if m > 1:
            states |= {"initial_seasonal": profile / size, "seasonal": "add", "seasonal_periods": m}
        with warnings.catch_warnings():
            # a search that ends early still gives weights that simulate
            warnings.simplefilter("ignore")
            model = ExponentialSmoothing(y / size, **states).fit()
        weights = (float(model.params["smoothing_level"]), float(model.params["smoothing_seasonal"]) if m > 1 else 0.0)
        return cls(*weights, level, profile, np.asarray(model.resid) * size)

    def run(self, errors: Floats) -> Floats:
        """The series that these errors make, one value for each."""
        n, m = len(errors), len(self.season)
        cycles = -(-n // m)
        whole = np.concatenate([errors, np.zeros(cycles * m - n)]).reshape(cycles, m)
        # what went before: all errors for the level, those of the same step of the season for the season
        level = self.level + self.level_weight * (np.cumsum(errors) - errors)
        season = self.season + self.season_weight * (np.cumsum(whole, axis=0) - whole)
        return np.asarray(level + season.ravel()[:n] + errors)


class ETSSimulation(PerSeries):
    """Exponential smoothing with an additive season, run from its first states on its own resampled residuals.

    Without a season it is simple exponential smoothing. Every series has two seasons at least.
    """

    def __init__(self) -> None:
        super().__init__(self._simulated)

    def fit(self, train: Panel, *, seed: int) -> None:
        """Keep the training panel, if its series have two seasons."""
        m = train.season
        enough(train, max(2 * m, 4), f"two seasons of {m}, and four values, are needed")
        super().fit(train, seed=seed)

    def _simulated(self, y: Floats, rng: np.random.Generator) -> Floats:
        model = Smoothing.fitted(y, self.train.season)
        return model.run(rng.choice(model.residuals, len(y)))


SPECS = (
    GeneratorSpec(
        "ar-sieve",
        "An autoregression fitted to each series, run on its resampled residuals.",
        ARSieve,
        params={"order": None},
        keeps="mean, linear dependence up to the order",
        destroys="nonlinear dependence, linear dependence beyond the order, the phase of the season",
        source="Bühlmann (1997), Sieve bootstrap for time series",
        shown_by="nonlinear ones; linear ones too where the order is less than a season",
    ),
    GeneratorSpec(
        "ets-simulation",
        "Exponential smoothing with an additive season, run on its resampled residuals.",
        ETSSimulation,
        keeps="level, season and how fast both change, as far as the model fits",
        destroys="everything that exponential smoothing does not describe; reversion to a mean",
        source="Hyndman, Koehler, Ord & Snyder (2008), Forecasting with exponential smoothing",
        shown_by="it depends on the data: a model of another class may even help",
    ),
)
