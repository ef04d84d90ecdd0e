"""Whether a richer model foresees what a learner leaves: residuals before and after boosted trees correct them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tsgap import blocks
from tsgap.panel import Floats, Ints

#: Residuals that are learned from, at most.
SAMPLE = 25_000
#: Inner windows from which on nothing found means that nothing is there: a twentieth of the squares would most likely
#: have been seen.
LEAST = 800
#: Parts of the series, each foreseen by trees that learned from the others.
FOLDS = 3
#: Numbers of trees that are tried; the one that foresees best what was left out is taken.
_TREES = (3, 6, 12, 24, 48)
#: Standard errors from nothing that chance alone may give.
_CHANCE = 2.0


def corrected(
    features_inner: Floats,
    residuals_inner: Floats,
    features_test: Floats,
    residuals_test: Floats,
    *,
    seed: int,
    series: Ints | None = None,
) -> tuple[Floats, Floats]:
    """Squared residuals of test windows (N, H) as they are, and after a correction learned on inner origins.

    `features_inner` (N', F) and `features_test` (N, F) are those of the contexts; residuals (N', H') and (N, H) are in
    units in which series compare. `series` (N',) says which series an inner window is of; without it windows must lie
    series by series. Gradient-boosted trees see features and lead. Their number, and a factor in [0, 1] by which they
    are believed, are those that are best for series left out, the factor shrunk the more the nearer to chance it is;
    where it is no more than chance nothing is corrected, and both are the same. Both are NaN where a residual is, at
    leads that no inner window has, and everywhere if nothing is found in fewer than `LEAST` inner windows: they are not
    judged.
    """
    after = residuals_test.copy()
    leads = min(residuals_inner.shape[1], residuals_test.shape[1])
    after[:, leads:] = np.nan
    taught = ~np.isnan(residuals_inner[:, :leads]).all(0)
    after[:, :leads][:, ~taught] = np.nan
    models, factor, trees = _learned(features_inner, residuals_inner[:, :leads], series, seed)
    if not factor and (~np.isnan(residuals_inner[:, :leads])).any(1).sum() < LEAST:
        after[:] = np.nan
    before = np.where(np.isnan(after), np.nan, residuals_test**2)
    if factor:
        for rows in blocks.ranges(len(after), leads * (features_test.shape[1] + 1)):
            n = len(after[rows])
            x = _rows(features_test[rows], np.repeat(np.arange(n), leads), np.tile(np.arange(leads), n))
            foreseen = np.mean([_foreseen(model, x, (trees,))[0] for model in models], axis=0)
            after[rows, :leads] -= factor * foreseen.reshape(n, leads)
    return before, after**2


def _rows(features: Floats, window: Ints, lead: Ints) -> Floats:
    return np.column_stack([features[window], lead.astype(np.float64)])


def _learned(features: Floats, residuals: Floats, series: Ints | None, seed: int) -> tuple[list[Any], float, int]:
    """Models that each learned without one part of the series, the factor they are believed by, and their trees."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    window, lead = np.nonzero(~np.isnan(residuals))
    if len(window) > SAMPLE:
        drawn = np.sort(np.random.default_rng(seed).choice(len(window), SAMPLE, replace=False))
        window, lead = window[drawn], lead[drawn]
    unit, fold = _units(len(features), series)
    unit, fold = unit[window], fold[window]
    if len(np.unique(fold)) < 2:
        return [], 0.0, 0
    x, y = _rows(features, window, lead), residuals[window, lead]
    models, foreseen = [], np.zeros((len(_TREES), len(y)))
    for k in np.unique(fold).tolist():
        inside = fold != k
        model = HistGradientBoostingRegressor(
            max_iter=_TREES[-1],
            learning_rate=0.15,
            max_leaf_nodes=15,
            # rows of one window are hardly more than one
            min_samples_leaf=max(20, 5 * residuals.shape[1]),
            early_stopping=False,
            random_state=seed,
        ).fit(x[inside], y[inside])
        foreseen[:, ~inside] = _foreseen(model, x[~inside], _TREES)
        models.append(model)
    return models, *_belief(foreseen, y, unit)


def _units(windows: int, series: Ints | None) -> tuple[Ints, Ints]:
    """Which windows depend on each other (N,), and the part that each is left out with: whole series take turns.

    Fewer than two series to a part, or series that are not said, are cut into runs of windows instead.
    """
    if series is not None:
        unit = np.unique(series, return_inverse=True)[1]
        if len(np.unique(unit)) >= 2 * FOLDS:
            return unit, unit % FOLDS
    run = np.arange(windows) * 4 * FOLDS // max(windows, 1)
    return run, run // 4


def _foreseen(model: Any, x: Floats, trees: tuple[int, ...]) -> Floats:
    """What a model foresees with so many trees (K, n)."""
    found: list[Floats] = []
    for n, one in enumerate(model.staged_predict(x), start=1):
        if n in trees:
            found.append(one)
        if n == trees[-1]:
            break
    return np.stack(found)


def _belief(foreseen: Floats, y: Floats, unit: Ints) -> tuple[float, int]:
    """The factor in [0, 1] and the number of trees with the least squared error on what was left out.

    The factor is shrunk by its distance from nothing in standard errors over units, to 0 at `_CHANCE` of them.
    """
    shared, square = foreseen @ y, (foreseen**2).sum(1)
    factor = np.clip(shared / np.maximum(square, np.finfo(np.float64).tiny), 0, 1)
    best = int(np.argmax(2 * factor * shared - factor**2 * square))
    chance = _CHANCE**2 * (np.bincount(unit, weights=foreseen[best] * y) ** 2).sum()
    if shared[best] <= np.sqrt(chance):
        return 0.0, _TREES[best]
    return float(factor[best] * (1 - chance / shared[best] ** 2)), _TREES[best]
