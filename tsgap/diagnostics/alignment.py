"""Alignment of features: maximum mean discrepancy, sliced Wasserstein and Fréchet distance."""

from __future__ import annotations

import numpy as np

from tsgap import blocks
from tsgap.diagnostics.contrast import Contrast
from tsgap.diagnostics.figures import Diagnosed, Figure
from tsgap.diagnostics.permuting import judged, numbered, p_value, relabelled, unit_means
from tsgap.panel import Floats, Ints
from tsgap.protocols import DiagnosticSpec

#: Widths of the kernels, in median distances between real windows.
WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
#: Projections of the sliced distance, and the points at which distribution functions are compared on each.
PROJECTIONS, POINTS = 200, 48
#: Warned of are these sizes, where a permutation of units proves them at this level.
DISCREPANCY, SLICED, LEVEL = 0.005, 0.1, 0.01


def measure(contrast: Contrast, *, seed: int) -> Diagnosed:
    """Three distances between the features of real and of synthetic windows, each 0 where these are alike."""
    real, synthetic = contrast.features
    units = contrast.real.unit, contrast.synthetic.unit
    discrepancy, first = mmd(real, synthetic, units, seed=seed)
    sliced, second = sliced_wasserstein(real, synthetic, units, seed=seed)
    advice = "the features of synthetic windows are distributed otherwise: see what gives them away under 'shift'"
    figures = [
        judged(name, value, p, units=units, least=least, level=LEVEL, advice=advice)
        for name, value, p, least in (
            ("MMD²", discrepancy, first, DISCREPANCY),
            ("sliced Wasserstein distance", sliced, second, SLICED),
        )
    ]
    detail = "grows as windows become fewer, so it is to be held against the noise floor alone"
    figures.append(Figure("Fréchet distance", frechet(real, synthetic), detail=detail))
    return Diagnosed(tuple(figures))


def mmd(real: Floats, synthetic: Floats, units: tuple[Ints, Ints], *, seed: int) -> tuple[float, float]:
    """Unbiased squared maximum mean discrepancy of features (N, F) and (M, F), and its p-value.

    The kernel is the mean of five Gaussian ones, `WIDTHS` times the median distance between real windows wide, so that
    what is found lies between 0 and 2 but for chance (Gretton et al. 2012, JMLR 13). Windows of one unit are not set
    against each other, and every unit counts the same. Labels are permuted by unit: exact where units of both sides
    have as many windows; where they have not, units with fewer vary more and are more, which errs to the safe side.
    """
    x = np.concatenate([real, synthetic])
    (first, n), (second, m) = (numbered(unit) for unit in units)
    unit = np.concatenate([first, n + second])
    kernel = _between(x, unit, _median(real))
    labels = relabelled(n, m, seed=seed)
    others = kernel - np.diag(kernel.diagonal())
    synthetic_part = ((labels @ others) * labels).sum(1)
    real_part = (((1 - labels) @ others) * (1 - labels)).sum(1)
    crossed = (others.sum() - synthetic_part - real_part) / 2
    within = synthetic_part / (m * (m - 1)), real_part / (n * (n - 1))
    found = within[0] + within[1] - 2 * crossed / (n * m)
    # what rounding leaves of nothing is nothing
    found = np.where(np.abs(found) > 1e-12, found, 0.0)
    return float(found[0]), p_value(found)


def _median(real: Floats) -> float:
    """Median distance between different windows, of those that are not equal where half of them are; 1 without any."""
    some = real[np.linspace(0, len(real) - 1, min(len(real), 1000)).astype(np.int64)]
    apart = np.sqrt(_squares(some, some)[np.triu_indices(len(some), 1)])
    median = float(np.median(apart))
    if median <= 0 and (apart > 0).any():
        median = float(np.median(apart[apart > 0]))
    return median if median > 0 else 1.0


def _squares(x: Floats, y: Floats) -> Floats:
    """Squared distances (N, M)."""
    return np.asarray(np.maximum((x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T, 0.0))


def _between(x: Floats, unit: Ints, width: float) -> Floats:
    """Mean kernel between the windows of units (U, U), where `unit` (N,) counts them from 0 on and rises."""
    starts = np.flatnonzero(np.diff(unit, prepend=-1))
    sums = np.empty((len(starts), len(x)))
    ends = np.append(starts[1:], len(x))
    for rows in blocks.ranges(len(starts), len(x) * int(np.bincount(unit).max())):
        here = slice(starts[rows.start], ends[rows.stop - 1])
        sums[rows] = np.add.reduceat(_kernel(_squares(x[here], x), width), starts[rows] - starts[rows.start], axis=0)
    size = np.bincount(unit)
    return np.asarray(np.add.reduceat(sums, starts, axis=1) / np.outer(size, size))


def _kernel(squares: Floats, width: float) -> Floats:
    """Mean of Gaussian kernels, each twice as wide as the one before: the fourth power of the next one."""
    last = np.exp(squares / (-2 * (WIDTHS[-1] * width) ** 2))
    total = last.copy()
    for _ in WIDTHS[1:]:
        last = last**2
        last *= last
        total += last
    return np.asarray(total / len(WIDTHS))


def sliced_wasserstein(real: Floats, synthetic: Floats, units: tuple[Ints, Ints], *, seed: int) -> tuple[float, float]:
    """Mean Wasserstein-1 distance of features (N, F) and (M, F) over random directions, and its p-value by unit.

    Each unit counts the same (Bonneel et al. 2015, Journal of Mathematical Imaging and Vision 51).
    """
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(real.shape[1], PROJECTIONS))
    directions /= np.sqrt((directions**2).sum(0))
    x = np.concatenate([real, synthetic]) @ directions
    (first, n), (second, m) = (numbered(unit) for unit in units)
    unit = np.concatenate([first, n + second])
    grid = np.quantile(x, np.linspace(0, 1, POINTS), axis=0)
    steps = np.diff(grid, axis=0)
    # distribution functions at the middle of each step, projection by projection
    middle = (grid[1:] + grid[:-1]) / 2
    labels = relabelled(n, m, seed=seed).astype(np.float32)
    weights = labels / m - (1 - labels) / n
    found = np.zeros(len(labels))
    for some in blocks.ranges(PROJECTIONS, (len(labels) + len(x)) * POINTS):
        below = x[:, None, some] <= middle[None, :, some]
        shares = unit_means(below.reshape(len(x), -1).astype(np.float32), unit)
        found += np.abs(weights @ shares) @ (steps[:, some].ravel() / PROJECTIONS)
    # single precision: what is below this is rounding
    found = np.where(found > 1e-5, found, 0.0)
    return float(found[0]), p_value(found)


def frechet(real: Floats, synthetic: Floats) -> float:
    """Squared Fréchet distance of the normal distributions with the means and covariances of features (N, F), (M, F).

    Windows count the same, as it is usual (Heusel et al. 2017, NeurIPS).
    """
    means = real.mean(0) - synthetic.mean(0)
    first, second = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (real, synthetic))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    return max(float(means @ means + np.trace(first) + np.trace(second) - 2 * shared), 0.0)


SPECS = (
    DiagnosticSpec(
        "alignment", "alignment of features: maximum mean discrepancy, sliced Wasserstein, Fréchet distance", measure
    ),
)
