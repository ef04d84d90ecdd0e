"""Does the one side lie where the other does? Precision, recall, density and coverage of features, by unit."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from tsgap import blocks
from tsgap.diagnostics.contrast import Contrast
from tsgap.diagnostics.figures import Diagnosed, Figure
from tsgap.diagnostics.permuting import numbered, p_value, relabelled
from tsgap.panel import Floats, Ints
from tsgap.protocols import DiagnosticSpec

#: Nearest units that make a neighbourhood.
NEAREST = 5
#: A coverage this far below what is expected is warned of, where a permutation of units proves it at this level.
SHORT, LEVEL = 0.05, 0.01
#: Where units of one side have so many times the windows of those of the other, as many are taken of either.
UNLIKE = 1.25
#: Equal distances are told apart by chance of this size, in deviations of a feature.
_TIE = 1e-5

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Covering:
    """Four shares of units of two sides, `expected` the coverage of two draws of one population.

    Coverage has its 95 % interval (a jackknife over the units of both sides) and the p-value of a permutation of them.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    low: float
    high: float
    p: float
    expected: float


def measure(contrast: Contrast, *, seed: int) -> Diagnosed:
    """Where synthetic windows lie among real ones, in features; a low coverage is a part of the real ones left out."""
    sides, notes = _alike(contrast, seed)
    (real, first), (synthetic, second) = sides
    names = ("coverage", "precision", "recall", "density")
    n, m = len(np.unique(first)), len(np.unique(second))
    if min(n, m) <= NEAREST:
        why = f"{n} real and {m} synthetic units are too few for {NEAREST} nearest ones"
        return Diagnosed(tuple(Figure.unknown(name, why) for name in names), notes=notes)
    if not np.ptp(real, axis=0).any():
        why = "the real windows all have the same features"
        return Diagnosed(tuple(Figure.unknown(name, why) for name in names), notes=notes)
    found = covering(real, synthetic, (first, second), seed=seed)
    warned = found.coverage < found.expected - SHORT and found.p <= LEVEL
    coverage = Figure(
        "coverage",
        found.coverage,
        found.low,
        found.high,
        found.p,
        flag="warn" if warned else "",
        advice="a part of the real windows has no synthetic ones near: kinds of series may be left out"
        if warned
        else "",
        detail=f"{found.expected:.3f} expected of a second draw",
    )
    figures = [Figure(name, getattr(found, name), detail="printed, not judged") for name in names[1:]]
    return Diagnosed((coverage, *figures), notes=notes)


def expected_coverage(real: int, synthetic: int) -> float:
    """Coverage of `real` units by `synthetic` ones that is expected where both are drawn from one population.

    Naeem et al. 2020, ICML: 1 − ∏ (N − r) / (M + N − r) for r from 1 to `NEAREST`.

    >>> round(expected_coverage(1000, 1000), 3)
    0.969
    """
    r = np.arange(1, NEAREST + 1)
    return float(1 - np.prod((real - r) / (synthetic + real - r)))


def covering(real: Floats, synthetic: Floats, units: tuple[Ints, Ints], *, seed: int) -> Covering:
    """Precision, recall, density and coverage (Naeem et al. 2020, ICML) of features (N, F) and (M, F), by unit.

    The neighbourhood of a window reaches as far as its `NEAREST` nearest other units of its side, each as near as its
    nearest window: windows of one unit lie near each other, and would be one neighbour several times. With one window
    a unit these are the figures of the paper. Equal distances are put in order by chance.
    """
    rng = np.random.default_rng(seed)
    (first, n), (second, m) = (numbered(unit) for unit in units)
    x, unit = np.concatenate([real, synthetic]), np.concatenate([first, n + second])
    away = _units_away(x, unit) + rng.uniform(0, _TIE, (len(x), n + m))
    away[np.arange(len(x)), unit] = inf
    ours = unit < n
    reach = np.where(ours, _nth(away[:, :n]), _nth(away[:, n:]))
    precise, recalled = _inside(real, synthetic, reach[ours]), _inside(synthetic, real, reach[~ours])
    # how many synthetic units are within reach of a real window, of as many as there are real ones
    density = float((away[ours, n:] <= reach[ours, None]).sum(1).mean() * n / m / NEAREST)
    near = np.argpartition(away, NEAREST, axis=1)[:, : NEAREST + 1]
    near = np.take_along_axis(near, np.argsort(np.take_along_axis(away, near, axis=1), axis=1), axis=1)
    labels = relabelled(n, m, seed=seed) > 0
    shares = np.array([_covered(label, near, unit) for label in labels])
    error = _jackknife(near[ours], first, n, m)
    covered = float(shares[0])
    low, high = np.clip([covered - 1.96 * error, covered + 1.96 * error], 0, 1).tolist()
    if covered == 1:
        # none left out of n units leaves room for 3.7 in n (two-sided 95 %)
        low = min(low, 0.025 ** (1 / n))
    return Covering(precise, recalled, density, covered, low, high, p_value(-shares), expected_coverage(n, m))


def _units_away(x: Floats, unit: Ints) -> Floats:
    """Distance of every window (N, F) to the nearest window of every unit (N, U)."""
    starts = np.flatnonzero(np.diff(unit, prepend=-1))
    out = np.empty((len(x), len(starts)))
    for rows in blocks.ranges(len(x), len(x)):
        out[rows] = np.minimum.reduceat(_apart(x[rows], x), starts, axis=1)
    return out


def _apart(x: Floats, y: Floats) -> Floats:
    """Distances (N, M)."""
    return np.asarray(np.sqrt(np.maximum((x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T, 0.0)))


def _nth(away: Floats) -> Floats:
    """Distance to the unit that closes the neighbourhood (N,)."""
    return np.asarray(np.partition(away, NEAREST - 1, axis=1)[:, NEAREST - 1])


def _inside(x: Floats, y: Floats, reach: Floats) -> float:
    """Share of `y` (M, F) that is within `reach` (N,) of some `x` (N, F)."""
    found = np.zeros(len(y), dtype=bool)
    for rows in blocks.ranges(len(x), len(y)):
        found |= (_apart(x[rows], y) <= reach[rows, None]).any(0)
    return float(found.mean())


def _covered(synthetic: Bools, near: Ints, unit: Ints) -> float:
    """Share of real windows that have a synthetic unit nearer than their `NEAREST`-th real one.

    That is: whose nearest units of both sides, as many, are not all real.
    """
    ours = ~synthetic[unit]
    return float(synthetic[near[ours, :NEAREST]].any(1).mean())


def _jackknife(near: Ints, unit: Ints, real: int, synthetic: int) -> float:
    """Standard error of the coverage of real windows, leaving out every unit of either side in turn.

    `near` (N, NEAREST + 1) are the nearest units of each, nearest first; synthetic ones are numbered after the real.
    """
    theirs = near >= real
    covered = theirs[:, :NEAREST].any(1)
    changed = np.zeros(real + synthetic)
    for place in range(NEAREST):
        left = np.delete(theirs, place, axis=1).any(1)
        np.add.at(changed, near[:, place], left.astype(float) - covered)
    windows = np.bincount(unit, minlength=real + synthetic)
    hits = covered.sum() - np.bincount(unit, weights=covered, minlength=real + synthetic)
    without = (hits + changed) / (len(near) - windows)
    parts = without[:real], without[real:]
    return float(np.sqrt(sum((len(of) - 1) / len(of) * ((of - of.mean()) ** 2).sum() for of in parts)))


def _alike(contrast: Contrast, seed: int) -> tuple[list[tuple[Floats, Ints]], tuple[str, ...]]:
    """Features and unit of each window, of either side; as many windows and units where these differ."""
    sides = list(zip(contrast.features, (contrast.real.unit, contrast.synthetic.unit), strict=True))
    units = [len(np.unique(unit)) for _, unit in sides]
    means = [len(unit) / n for (_, unit), n in zip(sides, units, strict=True)]
    if max(means) <= UNLIKE * min(means):
        return sides, ()
    rng = np.random.default_rng(seed)
    each, many = max(1, int(min(means))), min(units)
    taken = []
    for x, unit in sides:
        order = rng.permutation(len(unit))
        number, n = numbered(unit[order])
        # how many windows of its unit stand before each, in random order
        by_unit = np.argsort(number, kind="stable")
        before = np.empty(len(unit), dtype=np.int64)
        before[by_unit] = np.arange(len(unit)) - np.searchsorted(number[by_unit], number[by_unit])
        chosen = np.isin(number, rng.choice(n, many, replace=False)) & (before < each)
        rows = np.sort(order[chosen])
        taken.append((x[rows], unit[rows]))
    return taken, (
        f"{many} units of either side with {each} window{'s' if each > 1 else ''} each, by chance: real units have "
        f"{means[0]:.1f} windows each and synthetic ones {means[1]:.1f}",
    )


SPECS = (
    DiagnosticSpec("covering", "precision, recall, density and coverage of real windows by synthetic ones", measure),
)
