"""What a window looks like in twenty numbers: level, spread, memory at short and seasonal lags, shape and spectrum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tsgap.contexts import ROUNDING, autocorrelation, in_blocks
from tsgap.errors import DataError
from tsgap.panel import Floats

#: Lags of the autocorrelations, and of those of the distance from the median.
LAGS, LAGS_OF_SIZE = (1, 2, 3, 6, 12, 24), (1, 6)
#: The features, in the order of the columns.
NAMES = (
    "mean",
    "log standard deviation",
    *(f"autocorrelation at lag {lag}" for lag in LAGS),
    "mean squared change",
    "skewness",
    "kurtosis",
    "mean cubed change",
    *(f"autocorrelation of the size at lag {lag}" for lag in LAGS_OF_SIZE),
    "crossing rate",
    "low-frequency share",
    "spectral centroid",
    "spectral entropy",
    "correlation with time",
    "seasonal autocorrelation",
)
#: Frequencies below this share of the highest one are low.
_LOW = 0.1


def features(windows: Floats, season: int) -> Floats:
    """The features `NAMES` (N, 20) of windows (N, L), all finite; each row depends on its own window alone.

    The first two are in units of the data (the second in their logarithm), the others are those of the window with
    mean 0 and standard deviation 1. A constant window has 0 for all but the mean; a lag that a window has not gives 0.

    >>> features(np.array([[1.0, 2.0, 1.0, 2.0, 1.0, 2.0]]), 2)[0, [0, 2, 14]].round(3).tolist()
    [1.5, -0.833, 1.0]
    """
    return in_blocks(_block, windows, season, len(NAMES))


features.names = NAMES  # type: ignore[attr-defined]


def in_units(unit: float) -> Callable[[Floats, int], Floats]:
    """`features` of windows in such units: what spread a constant one has does not hang on the units of the data."""

    def found(windows: Floats, season: int) -> Floats:
        return features(windows / unit, season)

    found.names = NAMES  # type: ignore[attr-defined]
    return found


def names_of(featurise: object, n: int) -> tuple[str, ...]:
    """What the `n` columns of a function of features are called: as its attribute `names` says, else by number.

    `DataError` where it names another number of them.

    >>> names_of(features, 20)[:2], names_of(lambda windows, season: windows, 2)
    (('mean', 'log standard deviation'), ('feature 1', 'feature 2'))
    """
    given = getattr(featurise, "names", None)
    if given is None:
        return tuple(f"feature {i + 1}" for i in range(n))
    names = tuple(map(str, given))
    if len(names) != n:
        last = f", last {names[-1]!r}" if names else ""
        raise DataError(f"the features have {n} columns and {len(names)} names{last}; name every column, or none")
    return names


def _block(y: Floats, season: int) -> Floats:
    length = y.shape[1]
    mean = y.mean(1)
    z = y - mean[:, None]
    deviation = z.std(1)
    varies = deviation > ROUNDING * np.abs(y).max(1)
    z = np.where(varies[:, None], z / np.where(varies, deviation, 1.0)[:, None], 0.0)
    change = np.diff(z, axis=1) if length > 1 else np.zeros((len(y), 1))
    size = np.abs(z - np.median(z, axis=1, keepdims=True))
    size -= size.mean(1, keepdims=True)
    of_z, of_size = (z**2).sum(1), (size**2).sum(1)
    power = np.abs(np.fft.rfft(z, axis=1)[:, 1:]) ** 2
    whole = power.sum(1)
    share = np.divide(power, whole[:, None], out=np.zeros_like(power), where=whole[:, None] > 0)
    frequency = np.arange(1, power.shape[1] + 1) / power.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(share > 0, share * np.log(share), 0.0).sum(1) / max(np.log(power.shape[1]), 1.0)
    t = np.arange(length) - (length - 1) / 2
    columns = (
        mean,
        np.where(varies, np.log(np.where(varies, deviation, 1.0)), 0.0),
        *(autocorrelation(z, of_z, lag) for lag in LAGS),
        (change**2).mean(1),
        (z**3).mean(1),
        (z**4).mean(1),
        (change**3).mean(1),
        *(autocorrelation(size, of_size, lag) for lag in LAGS_OF_SIZE),
        (z[:, 1:] * z[:, :-1] < 0).mean(1) if length > 1 else np.zeros(len(y)),
        share[:, frequency <= _LOW].sum(1),
        # no matrix product: its last bit depends on how many rows come together
        np.einsum("nf,f->n", share, frequency),
        entropy,
        (z * t).mean(1) / (t.std() or 1.0),
        autocorrelation(z, of_z, season),
    )
    return np.stack(columns, axis=1)
