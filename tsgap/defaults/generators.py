"""Generators with a known answer: each keeps some structure of the real series and destroys the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tsgap.blocks import let_go, room, size
from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel, frozen
from tsgap.protocols import GeneratorSpec
from tsgap.ragged import row_blocks


class PerSeries:
    """A generator that turns each real series into a synthetic one of the same length by `transform(y, rng)`."""

    def __init__(self, transform: Callable[[Floats, np.random.Generator], Floats]) -> None:
        self.transform = transform

    def fit(self, train: Panel, *, seed: int) -> None:
        """Keep the training panel."""
        self.train = train

    def sample(self, *, seed: int) -> Panel:
        """One synthetic series for every real one, under the same key."""
        rng = np.random.default_rng(seed)
        values, ends = room(len(self.train.values)), self.train.offsets.tolist()
        for rows in row_blocks(self.train.offsets):
            for row in range(rows.start, rows.stop):
                y = self.train.values[ends[row] : ends[row + 1]]
                made = self.made(row, y, rng) if len(y) else y
                if made.shape != y.shape:
                    raise ForecastError(
                        f"series {self.train.keys[row]!r} has {len(y)} values, what was made of it {made.shape}"
                    )
                values[ends[row] : ends[row + 1]] = made
            let_go(self.train.values, values)
        return self.train.with_values(frozen(values))

    def made(self, row: int, y: Floats, rng: np.random.Generator) -> Floats:
        """What is made of the values `y` of a row of the training panel."""
        return self.transform(y, rng)


def enough(train: Panel, least: int, why: str) -> None:
    """Raise `ForecastError` with the reason if a training series has fewer than `least` values."""
    short = np.flatnonzero(train.lengths < least)
    if len(short):
        raise ForecastError(
            f"{len(short)} of {len(train)} series have fewer than {least} values, first {train.keys[short[0]]!r} "
            f"({train.lengths[short[0]]} values): {why}"
        )


def _copied(y: Floats, rng: np.random.Generator) -> Floats:
    return y


def _shuffled(y: Floats, rng: np.random.Generator) -> Floats:
    return rng.permutation(y)


def copy() -> PerSeries:
    """The real series themselves."""
    return PerSeries(_copied)


def shuffle() -> PerSeries:
    """The real values in random order."""
    return PerSeries(_shuffled)


def blocks(y: Floats, length: int, rng: np.random.Generator) -> Floats:
    """Blocks of `length` values (all of `y` at most) from random places, joined to the length of `y`."""
    length = min(length, len(y))
    starts = rng.integers(0, len(y) - length + 1, -(-len(y) // length))
    return np.asarray(y[(starts[:, None] + np.arange(length)).ravel()[: len(y)]])


class BlockBootstrap(PerSeries):
    """Moving blocks of `length` steps, joined in random order (Künsch 1989).

    A series that is not longer than a block would come back as it is: `fit` refuses it with `ForecastError`.
    """

    def __init__(self, length: int = 24) -> None:
        if length < 1:
            raise ForecastError(f"a block has at least 1 step, got length={length}")
        self.length = length
        super().__init__(self._blocks)

    def fit(self, train: Panel, *, seed: int) -> None:
        """Keep the training panel, if all of its series are longer than a block."""
        whole = np.flatnonzero(train.lengths <= self.length)
        if len(whole) and self.length > 1:
            first = f"{train.keys[whole[0]]!r} ({train.lengths[whole[0]]} values)"
            raise ForecastError(
                f"{len(whole)} of {len(train)} series are not longer than a block of {self.length} steps, first {first}"
                ": they would be copied; ask for shorter blocks"
            )
        super().fit(train, seed=seed)

    def _blocks(self, y: Floats, rng: np.random.Generator) -> Floats:
        return blocks(y, self.length, rng)


class STLBootstrap(PerSeries):
    """Box-Cox where positive, STL, moving blocks of the remainder (Bergmeir, Hyndman & Benítez 2016).

    The blocks are two seasons long (8 without a season). A series under two seasons and one step, or one that is
    constant, comes back with its deviations from the mean resampled in blocks.
    """

    def __init__(self) -> None:
        super().__init__(lambda y, rng: _smoothed(y, self.train.season).resampled(rng))

    def made(self, row: int, y: Floats, rng: np.random.Generator) -> Floats:
        """Draws of the same small panel smooth its rows once."""
        if len(self.train.values) > size():
            return self.transform(y, rng)
        return _every_smoothed(self.train)[row].resampled(rng)


@dataclass(frozen=True, eq=False)
class _Smoothed:
    """A series as what is kept and what is resampled in blocks of `length`, and the way back from their sum."""

    kept: Floats | float
    remainder: Floats
    length: int
    back: Callable[[Floats], Floats]

    def resampled(self, rng: np.random.Generator) -> Floats:
        return self.back(self.kept + _moving_blocks(self.remainder, self.length, rng))


@lru_cache(maxsize=2)
def _every_smoothed(train: Panel) -> list[_Smoothed]:
    """Every row of a panel; kept, since a worker draws several samples from it."""
    return [_smoothed(y, train.season) for y in train]


def _smoothed(y: Floats, m: int) -> _Smoothed:
    length = 2 * m if m > 1 else 8
    if len(y) < 2 * m + 1 or np.ptp(y) == 0:
        mean = float(y.mean()) if len(y) else 0.0
        return _Smoothed(mean, y - mean, length, np.asarray)
    z, back = _box_cox(y)
    trend, seasonal = _decomposed(z, m)
    return _Smoothed(trend + seasonal, z - trend - seasonal, length, back)


def _moving_blocks(remainder: Floats, length: int, rng: np.random.Generator) -> Floats:
    """Bergmeir's variant: one block more than needed, started at a random place inside of the first."""
    length = max(1, min(length, len(remainder) // 2))
    longer = -(-len(remainder) // length) + 2
    starts = rng.integers(0, len(remainder) - length + 1, longer)
    joined = remainder[(starts[:, None] + np.arange(length)).ravel()]
    begin = rng.integers(length)
    return np.asarray(joined[begin : begin + len(remainder)])


def _box_cox(y: Floats) -> tuple[Floats, Callable[[Floats], Floats]]:
    """The series on the Box-Cox scale, its exponent in [0, 1] by maximum likelihood, and the way back."""
    if y.min() <= 0:
        return y, lambda z: z
    from scipy import optimize, special

    logs = np.log(y)
    total = float(logs.sum())

    def unlikely(lam: float) -> float:
        # the likelihood but for a constant; several times as fast as scipy's for short series
        spread = np.var(np.expm1(lam * logs) / lam if lam > 1e-9 else logs)
        return float(len(y) / 2 * np.log(spread) - (lam - 1) * total)

    found = optimize.minimize_scalar(unlikely, bounds=(0.0, 1.0), method="bounded")
    lam = float(found.x) if np.isfinite(found.fun) else 1.0
    z: Floats = np.asarray(special.boxcox(y, lam), dtype=np.float64)
    low, high = z.min() - np.ptp(z), z.max() + np.ptp(z)

    def back(values: Floats) -> Floats:
        # a bootstrap path may leave the range of the transformation, where there is no way back
        bounded = np.clip(values, max(low, -1 / lam + 1e-9) if lam > 0 else low, high)
        return np.asarray(special.inv_boxcox(bounded, lam))

    return z, back


def _decomposed(z: Floats, m: int) -> tuple[Floats, Floats]:
    if m > 1:
        from statsmodels.tsa.seasonal import STL

        found = STL(z, period=m, robust=False).fit()
        return np.asarray(found.trend), np.asarray(found.seasonal)
    from statsmodels.nonparametric.smoothers_lowess import lowess

    return lowess(z, np.arange(len(z)), frac=min(1.0, max(0.3, 10 / len(z))), return_sorted=False), np.zeros(len(z))


SPECS = (
    GeneratorSpec(
        "copy",
        "The real training series themselves: the gap must be exactly 0.",
        copy,
        deterministic=True,
        keeps="everything",
        destroys="nothing",
        shown_by="no forecaster: every gap is 0",
    ),
    GeneratorSpec(
        "shuffle",
        "Every series in random order: what is left when there is no memory.",
        shuffle,
        keeps="the marginal distribution of each series",
        destroys="all dependence on time",
        shown_by="every forecaster that learns, at every lead with memory",
    ),
    GeneratorSpec(
        "block-bootstrap",
        "Moving blocks of the series, joined in random order.",
        BlockBootstrap,
        params={"length": 24},
        keeps="dependence within a block, the marginal distribution",
        destroys="dependence beyond a block, the phase of the season",
        shown_by="linear and nonlinear ones from lead 1 on; a lag probe from about a block on",
        source="Künsch (1989), The jackknife and the bootstrap for general stationary observations",
    ),
    GeneratorSpec(
        "stl-bootstrap",
        "Trend and season kept, the remainder resampled in blocks.",
        STLBootstrap,
        keeps="trend, season, short dependence of the remainder",
        destroys="long dependence of the remainder",
        shown_by="linear and nonlinear ones, by little",
        source="Bergmeir, Hyndman & Benítez (2016), Bagging exponential smoothing methods",
    ),
)
