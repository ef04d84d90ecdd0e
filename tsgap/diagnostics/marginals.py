"""Distances between distributions of one number: Kolmogorov's and Wasserstein's, with a permutation of units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap.diagnostics.permuting import numbered, p_value, relabelled
from tsgap.panel import Floats, Ints

#: Points at which distribution functions are compared, and how many of them are the outermost values of either end.
POINTS, OUTER = 512, 64


@dataclass(frozen=True)
class Distance:
    """Kolmogorov's distance D in [0, 1] and Wasserstein-1 in the units of the values, each with its p-value."""

    ks: float
    ks_p: float
    w1: float
    w1_p: float


def distance(real: Floats, synthetic: Floats, units: tuple[Ints, Ints], *, seed: int) -> Distance:
    """How far the values of real (N, V) and of synthetic windows (M, V) lie apart; each unit counts the same.

    Both statistics are permuted by unit, in standard deviations of what they are made of: windows per unit may differ.
    """
    grid = _grid(np.concatenate([real.ravel(), synthetic.ravel()]))
    shares = np.concatenate([_shares(side, unit, grid) for side, unit in zip((real, synthetic), units, strict=True)])
    n = [numbered(unit)[1] for unit in units]
    labels = relabelled(n[0], n[1], seed=seed)
    apart, deviation = compared(shares, labels)
    steps = np.diff(grid, append=grid[-1])
    ks, w1 = np.abs(apart).max(1), np.abs(apart) @ steps
    return Distance(
        float(ks[0]),
        p_value(_by(ks, np.sqrt((deviation**2).mean(1)))),
        float(w1[0]),
        p_value(_by(w1, deviation @ steps)),
    )


def compared(shares: NDArray[Any], labels: Floats) -> tuple[NDArray[Any], NDArray[Any]]:
    """Difference of the means of units (U, G), synthetic less real, and its standard error (P, G).

    There is one for each of the `labels` (P, U).
    """
    n = labels.sum(1, keepdims=True).astype(shares.dtype)
    m = labels.shape[1] - n
    labels = labels.astype(shares.dtype)
    total, squares = shares.sum(0), (shares**2).sum(0)
    first, second = labels @ shares, labels @ shares**2
    synthetic, real = first / n, (total - first) / m
    variance = np.maximum(second / n - synthetic**2, 0) / np.maximum(n - 1, 1)
    variance += np.maximum((squares - second) / m - real**2, 0) / np.maximum(m - 1, 1)
    return synthetic - real, np.sqrt(variance)


def _by(statistic: Floats, scale: Floats) -> Floats:
    """Statistics in units of a scale; 0 where nothing differs."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = statistic / scale
    return np.where(statistic > 1e-12, found, 0.0)


def _grid(values: Floats) -> Floats:
    """Values at which two distribution functions are compared: all that there are, or enough of them."""
    found = np.unique(values)
    if len(found) <= POINTS:
        return found
    inner = np.quantile(values, np.linspace(0, 1, POINTS - 2 * OUTER), method="inverted_cdf")
    return np.unique(np.concatenate([found[:OUTER], inner, found[-OUTER:]]))


def _shares(values: Floats, unit: Ints, grid: Floats) -> Floats:
    """Share of the values of each unit (U, G) that are at most as large as each point of the grid."""
    number, n = numbered(unit)
    # a value counts from the first point on that is not below it
    at = np.searchsorted(grid, values, side="left")
    size = len(grid) + 1
    counts = np.bincount((number[:, None] * size + at).ravel(), minlength=n * size).reshape(n, size)[:, :-1]
    return np.asarray(np.cumsum(counts, axis=1) / (np.bincount(number) * values.shape[1])[:, None])
