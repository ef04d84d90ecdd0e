"""Series drawn from Gaussian processes with kernels composed at random: no real series is in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel
from tsgap.protocols import GeneratorSpec

#: Kernels that are composed for one series, at most.
_KERNELS = 5

Kernel = Callable[[int], Floats]


def kernel_bank(seasons: tuple[int, ...]) -> list[Kernel]:
    """The kernels there are to compose; each gives its matrix (n, n) for n steps laid over the unit interval.

    White noise, straight lines, three smooth ones of different length, three of several lengths at once, and for
    every season three of different shape.
    """
    bank: list[Kernel] = [np.eye]
    bank += [_line(offset) for offset in (0.0, 1.0, 10.0)]
    bank += [_smooth(length) for length in (0.1, 1.0, 10.0)]
    bank += [_rough(alpha) for alpha in (0.1, 1.0, 10.0)]
    bank += [_periodic(m, length) for m in seasons if m > 1 for length in (0.5, 1.0, 2.0)]
    return bank


def _line(offset: float) -> Kernel:
    def matrix(n: int) -> Floats:
        x = np.linspace(0, 1, n)
        return offset**2 + np.outer(x, x)

    return matrix


def _smooth(length: float) -> Kernel:
    return lambda n: _stationary(np.exp(-0.5 * (np.linspace(0, 1, n) / length) ** 2))


def _rough(alpha: float) -> Kernel:
    return lambda n: _stationary((1 + np.linspace(0, 1, n) ** 2 / (2 * alpha)) ** -alpha)


def _periodic(m: int, length: float) -> Kernel:
    return lambda n: _stationary(np.exp(-2 * (np.sin(np.pi * np.arange(n) / m) / length) ** 2))


def _stationary(by_lag: Floats) -> Floats:
    from scipy.linalg import toeplitz

    return np.asarray(toeplitz(by_lag))


def composed(bank: list[Kernel], n: int, rng: np.random.Generator) -> Floats:
    """One to five kernels of the bank, added or multiplied at random: a covariance matrix (n, n)."""
    chosen = [bank[i](n) for i in rng.integers(len(bank), size=rng.integers(1, _KERNELS + 1))]
    found: Floats = chosen[0]
    for matrix in chosen[1:]:
        found = found + matrix if rng.random() < 0.5 else found * matrix
    return found


def drawn(covariance: Floats, rng: np.random.Generator) -> Floats:
    """A draw of the Gaussian process, with mean 0 and standard deviation 1 over its values."""
    n = len(covariance)
    small = 1e-8 * np.trace(covariance) / n
    y = np.linalg.cholesky(covariance + small * np.eye(n)) @ rng.normal(size=n)
    y = y - y.mean()
    spread = y.std()
    return np.asarray(y / spread if spread > 0 else y)


class KernelSynth:
    """Draws of Gaussian processes in place of the training series, as many and as long (Ansari et al. 2024).

    Each is given the mean and standard deviation of the series it stands in for. Time grows with the cube of the
    length: a series of more than `length` values is replaced by several of nearly equal length, together as long.
    """

    def __init__(self, length: int = 1024) -> None:
        if length < 2:
            raise ForecastError(f"a series has at least 2 values, got length={length}")
        self.length = length

    def fit(self, train: Panel, *, seed: int) -> None:
        """Take lengths, means and standard deviations; no other part of the real series is used."""
        self.freq, self.seasons = train.freq, train.seasons
        self.figures = [(len(y), float(y.mean()), float(y.std())) for y in train if len(y)]

    def sample(self, *, seed: int) -> Panel:
        """A panel of new series, none of which belongs to a real one."""
        rng = np.random.default_rng(seed)
        bank = kernel_bank(self.seasons)
        rows = []
        for n, mean, spread in self.figures:
            parts = -(-n // self.length)
            lengths = [n // parts + (i < n % parts) for i in range(parts)]
            rows += [mean + spread * drawn(composed(bank, size, rng), rng) for size in lengths]
        digits = len(str(len(rows)))
        keys = {f"kernels {i:0{digits}d}": y for i, y in enumerate(rows)}
        return Panel.of(keys, freq=self.freq, seasons=self.seasons)


SPECS = (
    GeneratorSpec(
        "kernel-synth",
        "Draws of Gaussian processes with kernels composed at random, the panel's seasons among them.",
        KernelSynth,
        params={"length": 1024},
        paired=False,
        keeps="how many values there are, season lengths, mean and spread of the series",
        destroys="everything else: no real series is in it",
        source="Ansari et al. (2024), Chronos: Learning the language of time series",
        shown_by="every one that learns: of the real dependence it knows the season lengths alone",
    ),
)
