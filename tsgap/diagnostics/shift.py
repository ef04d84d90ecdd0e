"""Distribution shift: whether windows can be told apart and by what, and how far values and changes lie apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from tsgap.diagnostics import c2st
from tsgap.diagnostics.contrast import Contrast
from tsgap.diagnostics.features import names_of
from tsgap.diagnostics.figures import Diagnosed, Figure
from tsgap.diagnostics.marginals import distance
from tsgap.diagnostics.permuting import auc, judged
from tsgap.panel import Floats
from tsgap.protocols import DiagnosticSpec

#: Marginal distances are warned of from these sizes on, where a permutation of units proves them at this level.
KS, W1, LEVEL = 0.1, 0.1, 0.002
#: Features that are named, at most, and how far their own area under the curve is from one half at least.
NAMED, TELLS = 3, 0.1
#: Means, in spreads, and spreads that are said to differ by this much.
MOVED = 0.1


def measure(contrast: Contrast, *, seed: int) -> Diagnosed:
    """Whether a classifier tells synthetic from real windows, and how far their marginal distributions lie apart."""
    real, synthetic = contrast.real.windows, contrast.synthetic.windows
    scaled = contrast.real.scaling == "standard"
    why = "every window was brought to mean 0 and standard deviation 1" if scaled else ""
    figures = [
        _told(contrast, seed),
        *marginal("values", real, synthetic, contrast, seed=seed),
        *marginal("changes", np.diff(real, axis=1), np.diff(synthetic, axis=1), contrast, seed=seed),
        *marginal("level", real.mean(1, keepdims=True), synthetic.mean(1, keepdims=True), contrast, seed=seed, why=why),
        *marginal("scale", real.std(1, keepdims=True), synthetic.std(1, keepdims=True), contrast, seed=seed, why=why),
    ]
    return Diagnosed(tuple(figures))


def marginal(
    what: str, real: Floats, synthetic: Floats, contrast: Contrast, *, seed: int, why: str = ""
) -> tuple[Figure, ...]:
    """Two figures of the distance between numbers of real (N, V) and of synthetic windows (M, V).

    Wasserstein's is in standard deviations of the real ones. `why` says why they cannot be compared.
    """
    names = f"KS distance of {what}", f"Wasserstein distance of {what}"
    if why:
        return tuple(Figure.unknown(name, why) for name in names)
    units = contrast.real.unit, contrast.synthetic.unit
    found = distance(real, synthetic, units, seed=seed)
    asked: dict[str, Any] = {"units": units, "level": LEVEL, "detail": _how(real, synthetic)}
    asked["advice"] = f"another distribution of {what} than in real series"
    ks = judged(names[0], found.ks, found.ks_p, least=KS, **asked)
    deviation = float(real.std())
    if deviation <= 1e-12 * float(np.abs(real).max()):
        return ks, Figure.unknown(
            names[1], f"in the real series there is one value alone ({what}), and so no deviation to measure by"
        )
    return ks, judged(names[1], found.w1 / deviation, found.w1_p, least=W1, **asked)


def _how(real: Floats, synthetic: Floats) -> str:
    """What differs most plainly, in words: the mean, the spread, or neither."""
    apart, spread = float(synthetic.mean() - real.mean()), float(real.std())
    if abs(apart) >= MOVED * spread and apart:
        return f"on average {'larger' if apart > 0 else 'smaller'} on the synthetic side, by {abs(apart):.3g}"
    ratio = float(synthetic.std()) / spread if spread else 1.0
    if abs(ratio - 1) >= MOVED:
        return f"on the synthetic side the spread is {ratio:.2g} times the real one"
    return "mean and spread are about the same on both sides, the shape is not"


def _told(contrast: Contrast, seed: int) -> Figure:
    units = contrast.real.unit, contrast.synthetic.unit
    parts = c2st.halves(units[0], seed), c2st.halves(units[1], seed + 1)
    told = c2st.told_apart(*contrast.features, units, parts, seed=seed)
    named = given_away(contrast)
    return figure_of(
        "AUC of a classifier",
        told,
        "windows can be told apart" + (f", by {named}: see what the source does to them" if named else ""),
        named,
    )


def figure_of(name: str, told: c2st.Told, advice: str, detail: str = "") -> Figure:
    """The figure of a two-sample test; `advice` is said where it tells the sides apart."""
    area = told.auc
    if not told.enough:
        few = min(len(np.unique(unit)) for unit in told.units)
        advice = f"only {few} units of a side could be left out: no permutation of so few could prove anything"
        return Figure(name, area.value, area.low, area.high, told.p, flag="not measurable", advice=advice)
    if not told.apart:
        return Figure(name, area.value, area.low, area.high, told.p, detail=detail)
    return Figure(name, area.value, area.low, area.high, told.p, flag="warn", advice=advice, detail=detail)


def given_away(contrast: Contrast) -> str:
    """The features that tell the sides apart best, each by itself, in words; empty where none does."""
    real, synthetic = contrast.features
    n = real.shape[1]
    names = names_of(contrast.real.featurise, n)
    units = contrast.real.unit, contrast.synthetic.unit
    areas = np.array([auc(real[:, i], synthetic[:, i], *units).value for i in range(n)])
    order = np.argsort(-np.abs(areas - 0.5), kind="stable")[:NAMED]
    return ", ".join(
        f"{names[i]} ({'higher' if areas[i] > 0.5 else 'lower'}, AUC {max(areas[i], 1 - areas[i]):.2f})"
        for i in order.tolist()
        if abs(areas[i] - 0.5) >= TELLS
    )


SPECS = (
    DiagnosticSpec(
        "shift",
        "distribution shift: a classifier's AUC with the features that give it away; values, changes, level and scale",
        measure,
    ),
)
