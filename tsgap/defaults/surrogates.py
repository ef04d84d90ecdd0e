"""Surrogates: another series with the spectrum, the values or the order of steps of the real one, by a rule."""

from __future__ import annotations

import numpy as np

from tsgap.defaults.generators import PerSeries
from tsgap.errors import ForecastError
from tsgap.panel import Floats
from tsgap.protocols import GeneratorSpec

#: Rounds after which an IAAFT surrogate is taken as it is, many times what real series take.
_ROUNDS = 1000


def phase_randomised(y: Floats, rng: np.random.Generator) -> Floats:
    """The mean and periodogram of `y` with random phases (Theiler et al. 1992).

    Fewer than three values have no phase that is free: two are kept or exchanged, one comes back.
    """
    mean = y.mean()
    amplitude = np.abs(np.fft.rfft(y - mean))
    phase = rng.uniform(0, 2 * np.pi, len(amplitude))
    if len(y) % 2 == 0:
        # the last frequency of an even number of values is real: its phase is a sign
        phase[-1] = np.pi * rng.integers(2)
    return np.asarray(np.fft.irfft(amplitude * np.exp(1j * phase), len(y)) + mean)


def iaaft(y: Floats, rng: np.random.Generator) -> Floats:
    """The values of `y` in an order that gives nearly its periodogram (Schreiber & Schmitz 1996).

    Amplitudes and ranks are imposed in turn until the order stays as it is. The last step imposes the values: they
    are exact, and the periodogram is what a series of these values comes near.
    """
    values = np.sort(y)
    mean = y.mean()
    amplitude = np.abs(np.fft.rfft(y - mean))
    found = rng.permutation(y)
    before = None
    for _ in range(_ROUNDS):
        phase = np.angle(np.fft.rfft(found - mean))
        order = np.argsort(np.fft.irfft(amplitude * np.exp(1j * phase), len(y)), kind="stable")
        if before is not None and np.array_equal(order, before):
            break
        found = np.empty_like(values)
        found[order] = values
        before = order
    return found


def _reversed(y: Floats, rng: np.random.Generator) -> Floats:
    return y[::-1]


def phase_randomisation() -> PerSeries:
    """Every series with random phases."""
    return PerSeries(phase_randomised)


def iaaft_surrogates() -> PerSeries:
    """Every series as an IAAFT surrogate."""
    return PerSeries(iaaft)


def time_reversal() -> PerSeries:
    """Every series from its last value to its first."""
    return PerSeries(_reversed)


class Jitter(PerSeries):
    """The series with white Gaussian noise of `sd` standard deviations of the series; a constant one stays."""

    def __init__(self, sd: float = 0.3) -> None:
        if not 0 < sd < np.inf:
            raise ForecastError(f"the noise has a positive standard deviation, got sd={sd}")
        self.sd = sd
        super().__init__(self._noisy)

    def _noisy(self, y: Floats, rng: np.random.Generator) -> Floats:
        return np.asarray(y + self.sd * y.std() * rng.normal(size=len(y)))


SPECS = (
    GeneratorSpec(
        "iaaft",
        "The values of each series in an order with nearly the same spectrum.",
        iaaft_surrogates,
        keeps="the values of each series exactly, its linear dependence nearly (if it is long and stationary)",
        destroys="nonlinear dependence, the phase of the season",
        source="Schreiber & Schmitz (1996), Improved surrogate data for nonlinearity tests",
        shown_by="nonlinear ones only; a linear one must show nothing where series are long and stationary",
    ),
    GeneratorSpec(
        "phase-randomised",
        "The spectrum of each series with random phases.",
        phase_randomisation,
        keeps="mean and linear dependence of each series (its periodogram exactly)",
        destroys="nonlinear dependence, the phase of the season, the marginal distribution",
        source="Theiler, Eubank, Longtin, Galdrikian & Farmer (1992), Testing for nonlinearity in time series: "
        "the method of surrogate data",
        shown_by="nonlinear ones only; a linear one must show nothing where series are long and stationary",
    ),
    GeneratorSpec(
        "time-reversed",
        "Every series from its last value to its first.",
        time_reversal,
        deterministic=True,
        keeps="the values of each series and its linear dependence, exactly",
        destroys="the direction of time",
        source="Diks, van Houwelingen, Takens & DeGoede (1995), Reversibility as a criterion for discriminating "
        "time series",
        shown_by="nonlinear ones, where the real series are not reversible; trends show it to all",
    ),
    GeneratorSpec(
        "jitter",
        "The real series with white noise of a share of their own spread.",
        Jitter,
        params={"sd": 0.3},
        keeps="trend, season and the phase of both",
        destroys="part of the dependence on the last few values",
        source="Um et al. (2017), Data augmentation of wearable sensor data for Parkinson's disease monitoring "
        "using convolutional neural networks",
        shown_by="every one that learns, most at lead 1",
    ),
)
