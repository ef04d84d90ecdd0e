"""Shares of windows that break something, beside that of held-back real ones: their intervals by unit, and warnings."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np

from tsgap.diagnostics.figures import Figure, Flag
from tsgap.diagnostics.permuting import p_value, relabelled, studentised, unit_means
from tsgap.panel import Floats, Ints


@dataclass(frozen=True, eq=False)
class Share:
    """What of each synthetic window, and of each held-back real one, breaks something (N,), in [0, 1]; their units.

    `all_real` says the same of all real windows, with their units, where nothing was learnt that could favour some of
    them: the proof then rests on all.
    """

    name: str
    synthetic: Floats
    synthetic_unit: Ints
    real: Floats
    real_unit: Ints
    advice: str
    detail: str = ""
    all_real: tuple[Floats, Ints] | None = None


def figures_of(shares: list[Share], *, is_floor: bool, level: float, seed: int) -> list[Figure]:
    """The figure of each share: the mean over units, with its interval, and a warning where it is proven too large.

    Proven is what a one-sided, studentised permutation of units puts above the real share at `level`. Between two real
    sides (`is_floor`) nothing is proven, as both are the same.
    """
    found = []
    labels: dict[tuple[int, int], Floats] = {}
    for share in shares:
        ours, theirs = unit_means(share.synthetic, share.synthetic_unit), unit_means(share.real, share.real_unit)
        value, reference = float(ours.mean()), float(theirs.mean())
        low, high = interval(value, effective(ours, len(share.synthetic)))
        p = nan
        if not is_floor:
            if share.all_real is not None:
                theirs = unit_means(*share.all_real)
            sizes = len(theirs), len(ours)
            if sizes not in labels:
                labels[sizes] = relabelled(*sizes, seed=seed)
            p = p_value(studentised(np.concatenate([theirs, ours]), labels[sizes]))
        proven = p <= level
        advice = share.advice if proven else ""
        flag: Flag = "warn" if proven else ""
        found.append(Figure(share.name, value, low, high, p, reference, flag, advice, share.detail))
    return found


def effective(means: Floats, most: int) -> float:
    """How many independent windows say as much of a share as these means of units (U,): at most `most`, at least U.

    >>> effective(np.array([0.0, 1.0, 0.0, 1.0]), 8)
    3.0
    """
    value, units = float(means.mean()), len(means)
    variance = float(means.var(ddof=1)) / units if units > 1 else nan
    if not variance > 0:
        return float(units)
    return float(min(value * (1 - value) / variance, most))


def interval(value: float, n: float) -> tuple[float, float]:
    """95 % interval of a share of `n` independent windows (Clopper & Pearson 1934; Korn & Graubard 1998).

    >>> [round(end, 3) for end in interval(0.0, 20)]
    [0.0, 0.168]
    """
    from scipy.stats import beta

    hits = value * n
    low = float(beta.ppf(0.025, hits, n - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0
    return low, high
