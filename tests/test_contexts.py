"""Features of contexts are what their names say, finite for every context."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.tsa.stattools import acf

from tsgap import blocks
from tsgap.contexts import NAMES, features
from tsgap.panel import Floats


def named(y: Floats, season: int) -> dict[str, float]:
    return dict(zip(NAMES, features(y[None], season)[0].tolist(), strict=True))


def test_features_are_what_their_names_say() -> None:
    y = np.array([3.0, 0.0, 1.0, 5.0, 0.0, 2.0, 7.0, 4.0, 6.0, 0.0])
    assert named(y, 3) == pytest.approx(
        {
            "last value": 0.0,
            "change from 1 step back": -6.0,
            "change from 2 steps back": -4.0,
            "change from 4 steps back": -2.0,
            "change from a season back": -7.0,
            "seasonal value, less the mean": 4.0 - 2.8,
            "change from a season before that value": 4.0 - 0.0,
            "mean": 2.8,
            "standard deviation": y.std(),
            "last value, less the mean": -2.8,
            "mean of the last quarter, less the mean": 10 / 3 - 2.8,
            "standard deviation of the last quarter": np.std([4.0, 6.0, 0.0]),
            "lowest value, less the mean": -2.8,
            "highest value, less the mean": 4.2,
            "mean |change|": (3 + 1 + 4 + 5 + 2 + 5 + 3 + 2 + 6) / 9,
            "last |change|": 6.0,
            "largest |change|": 6.0,
            "slope times length": stats.linregress(np.arange(10), y).slope * 10,
            "autocorrelation at lag 1": acf(y, nlags=1)[1],
            "autocorrelation at a season": acf(y, nlags=3)[3],
            "share near zero": 0.3,
            "share near zero in the last quarter": 1 / 3,
        }
    )


@given(
    length=st.integers(1, 30),
    season=st.integers(1, 40),
    kind=st.sampled_from(["noise", "constant", "zero", "nearly constant", "large"]),
)
def test_every_context_has_finite_features(length: int, season: int, kind: str) -> None:
    rng = np.random.default_rng(length)
    y = {
        "noise": rng.normal(size=(4, length)),
        "constant": np.full((4, length), 0.1),
        "zero": np.zeros((4, length)),
        "nearly constant": 1e6 + 1e-9 * rng.normal(size=(4, length)),
        "large": 1e100 * rng.normal(size=(4, length)),
    }[kind]
    found = features(y, season)
    assert found.shape == (4, len(NAMES))
    assert np.isfinite(found).all()
    if kind in ("constant", "zero", "nearly constant"):
        for name in ("autocorrelation at lag 1", "slope times length", "standard deviation"):
            assert (found[:, NAMES.index(name)] == 0).all()


def test_correlations_stay_and_the_others_follow_the_scale_and_only_levels_the_level() -> None:
    y = np.random.default_rng(0).normal(size=(50, 24))
    free = [i for i, name in enumerate(NAMES) if "autocorrelation" in name or "share" in name]
    level = [NAMES.index("last value"), NAMES.index("mean")]
    one, larger, higher = features(y, 7), features(3 * y, 7), features(y + 5, 7)
    np.testing.assert_allclose(larger, np.where(np.isin(np.arange(len(NAMES)), free), one, 3 * one), atol=1e-12)
    moved = np.zeros(len(NAMES))
    moved[level] = 5
    kept = [i for i, name in enumerate(NAMES) if "share" not in name]
    np.testing.assert_allclose(higher[:, kept], (one + moved)[:, kept], atol=1e-12)


def test_a_little_noise_on_zeros_changes_no_feature_by_much() -> None:
    rng = np.random.default_rng(0)
    y = rng.poisson(0.5, size=(50, 24)).astype(np.float64)
    y[0] = 0
    noisy = y + 1e-3 * rng.normal(size=y.shape) * (y.max(1, keepdims=True) > 0)
    np.testing.assert_allclose(features(noisy, 7), features(y, 7), atol=0.03)


def test_features_do_not_depend_on_what_is_worked_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    y = np.random.default_rng(0).normal(size=(37, 12))
    whole = features(y, 4)
    monkeypatch.setenv(blocks.VARIABLE, "100")
    assert features(y, 4).tolist() == whole.tolist()


def test_no_context_no_features() -> None:
    assert features(np.empty((0, 5)), 3).shape == (0, len(NAMES))
