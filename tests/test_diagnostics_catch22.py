"""Catch22 through aeon, where it is installed, and what is said where it is not."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tsgap.diagnostics.catch22 import NAMES, features
from tsgap.diagnostics.features import names_of
from tsgap.errors import UsageError
from tsgap.plugins import choose_features

ADDRESS = "tsgap.diagnostics.catch22:features"


def test_without_aeon_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "aeon.transformations.collection.feature_based", None)
    with pytest.raises(UsageError, match=r"pip install 'tsgap\[features\]'"):
        choose_features(ADDRESS)(np.ones((3, 20)), 1)


def test_with_aeon_there_are_24_features_of_every_window():
    pytest.importorskip("aeon")
    windows = np.random.default_rng(0).normal(3, 2, size=(5, 64))
    windows[4] = 7.0
    found = features(windows, 12)
    assert found.shape == (5, 24)
    assert np.isfinite(found).all()
    assert found[:, NAMES.index("mean")] == pytest.approx(windows.mean(1))


def test_the_features_have_their_names():
    assert names_of(features, 24) == NAMES
    assert len(set(NAMES)) == 24


def test_with_aeon_each_name_is_that_of_its_column():
    feature_based = pytest.importorskip("aeon.transformations.collection.feature_based")
    windows = np.random.default_rng(0).normal(3, 2, size=(5, 64)).cumsum(1)
    found = features(windows, 12)
    own = {"mean": "Mean", "standard deviation": "StandardDeviation"}
    for name, column in zip(NAMES, found.T, strict=True):
        alone = feature_based.Catch22(features=[own.get(name, name)], catch24=True, replace_nans=True)
        assert np.ravel(alone.fit_transform(windows[:, None, :])) == pytest.approx(column), name
