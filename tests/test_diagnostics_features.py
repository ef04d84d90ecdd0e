"""Twenty numbers of a window, each against a second way to get it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kurtosis, skew
from statsmodels.tsa.stattools import acf

from tsgap.diagnostics.features import LAGS, NAMES, features


@pytest.fixture
def windows():
    rng = np.random.default_rng(0)
    return 50 + 3 * np.cumsum(rng.gamma(2, size=(7, 90)) - 2, axis=1) / 4


def _named(found, name):
    return found[:, NAMES.index(name)]


def test_there_is_a_name_for_each(windows):
    assert features(windows, 12).shape == (7, len(NAMES))
    assert len(set(NAMES)) == len(NAMES) == 20


def test_features_are_what_second_libraries_say(windows):
    found = features(windows, 12)
    assert _named(found, "mean") == pytest.approx(windows.mean(1))
    assert _named(found, "log standard deviation") == pytest.approx(np.log(windows.std(1)))
    assert _named(found, "skewness") == pytest.approx(skew(windows, axis=1))
    assert _named(found, "kurtosis") == pytest.approx(kurtosis(windows, axis=1, fisher=False))
    for lag in LAGS:
        expected = [acf(row, nlags=lag, fft=False)[lag] for row in windows]
        assert _named(found, f"autocorrelation at lag {lag}") == pytest.approx(expected)
    assert _named(found, "seasonal autocorrelation") == pytest.approx(_named(found, "autocorrelation at lag 12"))
    time = [np.corrcoef(row, np.arange(90))[0, 1] for row in windows]
    assert _named(found, "correlation with time") == pytest.approx(time)


def test_all_but_the_first_two_do_not_know_level_and_scale(windows):
    one, other = features(windows, 12), features(1000 - 5 * windows[:, ::1], 12)
    assert one[:, [2, 3, 8]] == pytest.approx(other[:, [2, 3, 8]])
    same = features(1e6 + 1e-3 * windows, 12)
    assert same[:, 2:] == pytest.approx(one[:, 2:], rel=1e-3, abs=1e-4)


def test_what_only_the_order_in_time_tells_is_told(windows):
    forward, back = features(windows, 12), features(windows[:, ::-1], 12)
    assert _named(forward, "mean cubed change") == pytest.approx(-_named(back, "mean cubed change"))
    assert _named(forward, "spectral entropy") == pytest.approx(_named(back, "spectral entropy"))


def test_spectral_features_know_a_slow_from_a_fast_wave():
    t = np.arange(96)
    slow, fast = features(np.sin(2 * np.pi * np.stack([t / 48, t / 3])), 12)
    low, centroid = NAMES.index("low-frequency share"), NAMES.index("spectral centroid")
    assert slow[low] == pytest.approx(1)
    assert fast[low] == pytest.approx(0)
    assert slow[centroid] < 0.1 < 0.6 < fast[centroid]


@pytest.mark.parametrize("value", [0.0, 7.0, 1e12, 0.1])
def test_a_constant_window_has_its_mean_alone(value):
    found = features(np.full((3, 40), value), 12)
    assert found[:, 0] == pytest.approx([value] * 3)
    assert (found[:, 1:] == 0).all()


def test_whole_numbers_and_zeros_give_finite_features():
    rng = np.random.default_rng(0)
    rows = rng.poisson(0.1, (50, 64)).astype(float)
    assert np.isfinite(features(rows, 7)).all()


@pytest.mark.parametrize("length", [1, 2, 3, 8])
def test_short_windows_give_finite_features(length):
    rng = np.random.default_rng(0)
    found = features(rng.normal(size=(5, length)), 12)
    assert np.isfinite(found).all()
    assert (_named(found, "seasonal autocorrelation") == 0).all()


def test_a_row_depends_on_its_own_window_alone_whatever_the_block(windows, monkeypatch):
    whole = features(windows, 12)
    monkeypatch.setenv("TSGAP_BLOCK", "300")
    assert np.array_equal(features(windows, 12), whole)
    assert np.array_equal(features(windows[3:4], 12), whole[3:4])
