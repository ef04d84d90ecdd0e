"""What kind of shift it is: of contexts, of what follows a context, or of the targets."""

from __future__ import annotations

from math import nan

import numpy as np

from tsgap.diagnostics import c2st
from tsgap.diagnostics.contrast import Contrast
from tsgap.diagnostics.features import features
from tsgap.diagnostics.figures import Diagnosed, Figure
from tsgap.diagnostics.permuting import auc_gain
from tsgap.diagnostics.shift import figure_of, marginal
from tsgap.panel import Floats, Ints
from tsgap.protocols import DiagnosticSpec

#: Values before the targets that the control forecasts from, at most, in seasons and at least so many.
SEASONS, LAGS = 2, 24
#: Penalty of the control, in units of the mean square of what it learns from.
PENALTY = 0.01
#: Contexts that are told apart so well leave nothing for what follows them to add.
FULL = 0.95
#: What follows a context is warned of where it adds so much to the area under the curve, at least.
ADDS = 0.02


def measure(contrast: Contrast, *, seed: int) -> Diagnosed:
    """Covariate shift (contexts), concept drift (what follows a context) and label shift (targets)."""
    cut = contrast.real.length - contrast.leads
    # targets after a constant context are told apart in these units, not in those of the data
    both = contrast.real.windows / contrast.real.typical, contrast.synthetic.windows / contrast.real.typical
    units = contrast.real.unit, contrast.synthetic.unit
    parts = c2st.halves(units[0], seed), c2st.halves(units[1], seed + 1)
    contexts = [features(side[:, :cut], contrast.season) for side in both]
    covariate = c2st.told_apart(contexts[0], contexts[1], units, parts, seed=seed)
    rest = _residuals(both, units, parts, cut, max(SEASONS * contrast.season, LAGS), seed)
    more = [np.concatenate(pair, axis=1) for pair in zip(contexts, rest, strict=True)]
    joint = c2st.told_apart(more[0], more[1], units, parts, seed=seed)
    figures = [
        figure_of(
            "covariate shift",
            covariate,
            "contexts alone can be told apart: the source shows situations that real series are seldom in, or others",
        ),
        _concept(covariate, joint),
        *_labels(both, contrast, units, parts, cut, seed),
    ]
    return Diagnosed(tuple(figures))


def _concept(covariate: c2st.Told, joint: c2st.Told) -> Figure:
    """By how much what follows a context adds to telling the sides apart."""
    name = "concept drift"
    detail = f"AUC {covariate.auc.value:.2f} of contexts, {joint.auc.value:.2f} with the control's errors after them"
    if not joint.enough:
        return figure_of(name, joint, "")
    found = auc_gain(covariate.scores, joint.scores, joint.units)
    if covariate.auc.value >= FULL:
        why = "contexts alone are told apart: nothing is left that what follows them could add"
        return Figure(name, nan, flag="not measurable", advice=why, detail=detail)
    if not (joint.apart and found.low > 0 and found.value >= ADDS):
        return Figure(name, found.value, found.low, found.high, joint.p, detail=detail)
    advice = "after contexts like the real ones other values follow: what a forecaster learns from them is not so"
    return Figure(name, found.value, found.low, found.high, joint.p, flag="warn", advice=advice, detail=detail)


def _residuals(
    both: tuple[Floats, Floats], units: tuple[Ints, Ints], parts: tuple[Ints, Ints], cut: int, lags: int, seed: int
) -> tuple[Floats, Floats]:
    """What is left of the targets after a linear control, in four numbers a window (N, 4) and (M, 4).

    The control learns from real units of the half that the classifier learns from, in two parts; of that half each
    unit is forecast by the part that it is not in, of the other half by both, so that either side meets the same.
    """
    scaled = [_scaled(side, cut) for side in both]
    folds = c2st.halves(units[0], seed + 2), c2st.halves(units[1], seed + 3)
    learns = parts[0] == 0
    models = [_control(scaled[0][learns & (folds[0] != k)], cut, lags) for k in (0, 1)]
    out = []
    for side, part, fold in zip(scaled, parts, folds, strict=True):
        errors = [side[:, cut:] - _lagged(side, cut, lags) @ model for model in models]
        kept = np.where((part == 0)[:, None], np.where((fold == 0)[:, None], *errors), (errors[0] + errors[1]) / 2)
        half = (kept.shape[1] + 1) // 2
        square = np.log(np.maximum((kept**2).mean(1), 1e-12))
        out.append(
            np.stack([kept[:, 0], kept.mean(1), square, kept[:, -half:].mean(1) - kept[:, :half].mean(1)], axis=1)
        )
    return out[0], out[1]


def _scaled(windows: Floats, cut: int) -> Floats:
    """Windows less the mean of their context, in its standard deviations, where it has any."""
    context = windows[:, :cut]
    deviation = context.std(1, keepdims=True)
    size = np.abs(context).max(1, keepdims=True)
    return np.asarray((windows - context.mean(1, keepdims=True)) / np.where(deviation > 1e-9 * size, deviation, 1.0))


def _lagged(scaled: Floats, cut: int, lags: int) -> Floats:
    return np.concatenate([np.ones((len(scaled), 1)), scaled[:, max(cut - lags, 0) : cut]], axis=1)


def _control(scaled: Floats, cut: int, lags: int) -> Floats:
    """Coefficients (1 + lags, leads) of the least squares forecast of targets, shrunk a little."""
    x = _lagged(scaled, cut, lags)
    square = x.T @ x
    return np.asarray(
        np.linalg.solve(
            square + PENALTY * max(np.trace(square) / len(square), 1e-9) * np.eye(len(square)), x.T @ scaled[:, cut:]
        )
    )


def _labels(
    both: tuple[Floats, Floats],
    contrast: Contrast,
    units: tuple[Ints, Ints],
    parts: tuple[Ints, Ints],
    cut: int,
    seed: int,
) -> tuple[Figure, ...]:
    """Whether targets can be told apart, and how far their levels lie apart, also less those of their contexts."""
    absolute = contrast.real.scaling != "standard"
    relative = [_scaled(side, cut)[:, cut:] for side in both]
    columns = []
    for side, of in zip(both, relative, strict=True):
        target = side[:, cut:]
        own = [target.mean(1), target.std(1)] if absolute else []
        columns.append(np.stack([*own, of.mean(1), of.std(1), of[:, 0], of.min(1), of.max(1)], axis=1))
    told = c2st.told_apart(columns[0], columns[1], units, parts, seed=seed)
    targets = [side[:, cut:].mean(1, keepdims=True) for side in both]
    why = "" if absolute else "every window was brought to mean 0 and standard deviation 1"
    level = [of.mean(1, keepdims=True) for of in relative]
    return (
        figure_of("label shift", told, "targets can be told apart: other values are to be forecast"),
        *marginal("target level", targets[0], targets[1], contrast, seed=seed + 4, why=why),
        *marginal("target less context", level[0], level[1], contrast, seed=seed + 5),
    )


SPECS = (
    DiagnosticSpec("drift", "which shift it is: of contexts, of what follows a context, or of the targets", measure),
)
