"""Whether units are as independent as every test takes them for: series move together, stretches resemble the next."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np

from tsgap.panel import Floats, Panel

#: Mean correlation of the changes of two series, and of the levels of two neighbouring stretches, that is worth a note.
TOGETHER, NEIGHBOURS = 0.1, 0.5
#: What follows from it.
DEPENDENT = "they are no independent units, and what is proven here may be the chance of a single path"
#: Fewest steps that series have in common for it.
LEAST = 20


def dependence(panel: Panel, units: Panel, *, few: int) -> str:
    """Why the units of a panel are not independent, in words, "" where nothing speaks against it.

    From `few` series on a unit is a series, else a stretch of one.
    """
    if len(panel) >= few:
        found = together(panel)
        return f"move together (mean correlation of their changes {found:.2f})" if found > TOGETHER else ""
    found = neighbours(np.array([row.mean() for row in units]), units.series)
    return f"wander (correlation of the levels of neighbouring stretches {found:.2f})" if found > NEIGHBOURS else ""


def together(panel: Panel) -> float:
    """Mean correlation of the changes of two series at the same time, counted from their ends, NaN where too short.

    What returns with the season is taken out first: a season in common is no shock in common.
    """
    common = int(np.quantile(panel.lengths, 0.2, method="lower"))
    rows = [row[-common:] for row in panel if len(row) >= common]
    if common <= LEAST or len(rows) < 2:
        return nan
    changes = np.diff(np.array(rows), axis=1)
    for k in range(min(panel.season, common - 1)):
        changes[:, k :: panel.season] -= changes[:, k :: panel.season].mean(1, keepdims=True)
    deviation = changes.std(1, keepdims=True)
    varies = deviation[:, 0] > 1e-9 * np.abs(np.array(rows)).max(1)
    if (n := int(varies.sum())) < 2:
        return nan
    standard = changes[varies] / deviation[varies]
    return float((n * standard.mean(0).var() - 1) / (n - 1))


def neighbours(levels: Floats, names: Sequence[str]) -> float:
    """Correlation of the levels (U,) of stretches with those of the next stretch of the same series, NaN without any.

    `names` are the series of the stretches, in the order of time.
    """
    of = np.array(names)
    less = levels - np.array([levels[of == name].mean() for name in names])
    same = of[1:] == of[:-1]
    if not same.any() or not less.any():
        return nan
    return float((less[1:] * less[:-1])[same].mean() / (less**2).mean())
