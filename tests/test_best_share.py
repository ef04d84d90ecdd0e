"""The best share of synthetic data: planted, found on inner origins, and its gain is what it says."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks import best_share as planted
from numpy.lib.stride_tricks import sliding_window_view

from tsgap.defaults.linear import Linear
from tsgap.panel import Panel


def test_the_risk_in_closed_form_is_the_mean_squared_error_of_fresh_windows() -> None:
    rng = np.random.default_rng(0)
    model = Linear(ridge=0)
    train = planted.series(planted.REAL, planted.TRAIN, rng)
    model.fit(Panel.of({f"s{i}": y for i, y in enumerate(train)}), horizon=1, context=planted.CONTEXT, seed=0)
    fresh = planted.series(planted.REAL, 4000, rng)
    windows = np.concatenate([sliding_window_view(y, planted.CONTEXT + 1) for y in fresh])
    level = windows[:, :-1].mean(1, keepdims=True)
    errors = windows[:, -1:] - (windows[:, :-1] - level) @ model.coefficients - level
    assert planted.risk(model.coefficients) == pytest.approx(float((errors**2).mean()), rel=0.04)


@pytest.mark.slow
def test_the_share_that_is_chosen_is_near_the_best_and_its_gain_is_no_winners_curse() -> None:
    trials = [planted.trial(seed) for seed in range(24)]
    assert np.mean([planted.nearby(one.chosen) for one in trials]) >= planted.FOUND
    off = np.array([one.reported - one.true for one in trials])
    curse = np.array([one.best_reported - one.best_true for one in trials])
    assert abs(off.mean()) < max(planted.BIAS, 2 * off.std(ddof=1) / np.sqrt(len(off)))
    assert curse.mean() < off.mean()
