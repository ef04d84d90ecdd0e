"""Distances between features, each against a slow or a second way to get it, and their permutation of units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted import NULLS, alike, faulty, panel, unlike
from scipy.linalg import sqrtm
from scipy.stats import wasserstein_distance

from tsgap.diagnostics import contrasted
from tsgap.diagnostics.alignment import WIDTHS, frechet, measure, mmd, sliced_wasserstein


def _sides(rng, units=12, windows=1, shift=0.0, features=3):
    real = rng.normal(size=(units * windows, features))
    return real, rng.normal(size=(units * windows, features)) + shift, np.repeat(np.arange(units), windows)


def _slow_mmd(real, synthetic):
    """Gretton et al. 2012, equation 3, pair by pair."""
    median = np.median([np.linalg.norm(a - b) for i, a in enumerate(real) for b in real[:i]])

    def k(a, b):
        square = ((a - b) ** 2).sum()
        return np.mean([np.exp(-square / (2 * (w * median) ** 2)) for w in WIDTHS])

    n, m = len(real), len(synthetic)
    return (
        sum(k(real[i], real[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
        + sum(k(synthetic[i], synthetic[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
        - 2 * sum(k(a, b) for a in real for b in synthetic) / (n * m)
    )


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_with_one_window_a_unit_the_discrepancy_is_that_of_the_paper(shift):
    real, synthetic, unit = _sides(np.random.default_rng(0), shift=shift)
    assert mmd(real, synthetic, (unit, unit), seed=0)[0] == pytest.approx(_slow_mmd(real, synthetic))
    fewer = mmd(real, synthetic[:9], (unit, unit[:9]), seed=0)[0]
    assert fewer == pytest.approx(_slow_mmd(real, synthetic[:9]))


def test_windows_of_one_unit_are_not_set_against_each_other():
    rng = np.random.default_rng(1)
    real, synthetic, unit = _sides(rng, 10)
    twice = np.repeat(np.arange(10), 2)
    both = mmd(np.repeat(real, 2, axis=0), np.repeat(synthetic, 2, axis=0), (twice, twice), seed=0)
    once = mmd(real, synthetic, (unit, unit), seed=0)
    assert both[1] == once[1]
    # the median distance is another one where some are 0
    assert both[0] == pytest.approx(once[0], abs=0.02)


def test_the_discrepancy_does_not_depend_on_blocks(monkeypatch):
    real, synthetic, unit = _sides(np.random.default_rng(2), 20, 3, 0.3)
    whole = mmd(real, synthetic, (unit, unit), seed=0)
    monkeypatch.setenv("TSGAP_BLOCK", "100")
    assert mmd(real, synthetic, (unit, unit), seed=0) == pytest.approx(whole)


def test_the_sliced_distance_is_the_mean_of_distances_in_random_directions():
    rng = np.random.default_rng(3)
    real, synthetic, unit = _sides(rng, 200, shift=0.7, features=6)
    found, p = sliced_wasserstein(real, synthetic, (unit, unit), seed=0)
    directions = rng.normal(size=(2000, 6))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    expected = np.mean([wasserstein_distance(real @ d, synthetic @ d) for d in directions])
    assert found == pytest.approx(expected, rel=0.06)
    assert p == 0.001


def test_the_frechet_distance_is_that_of_scipys_matrix_root():
    rng = np.random.default_rng(4)
    real, synthetic = rng.normal(size=(80, 5)) @ rng.normal(size=(5, 5)), 1 + rng.normal(size=(60, 5))
    first, second = np.cov(real.T), np.cov(synthetic.T)
    means = real.mean(0) - synthetic.mean(0)
    expected = means @ means + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet(real, synthetic) == pytest.approx(expected)
    assert frechet(real, real) == pytest.approx(0, abs=1e-6)
    assert frechet(real[:, :1], synthetic[:, :1]) >= 0


def test_equal_and_constant_features_have_no_distance():
    same, unit = np.zeros((20, 3)), np.arange(20)
    assert mmd(same, same, (unit, unit), seed=0) == (0.0, 1.0)
    assert sliced_wasserstein(same, same, (unit, unit), seed=0) == (0.0, 1.0)
    assert mmd(same, same + 1, (unit, unit), seed=0)[1] == 0.001
    assert sliced_wasserstein(same, same + 1, (unit, unit), seed=0)[1] == 0.001


def test_faults_are_warned_of_and_second_draws_are_not():
    rng = np.random.default_rng(5)
    for fault in ("shuffle", "half of the kinds"):
        found = measure(contrasted(*faulty(fault, rng, series=100), seed=0), seed=0)
        assert [figure.flag for figure in found.figures] == ["warn", "warn", ""], fault
        assert "'shift'" in found.figures[0].advice
    for run in range(3):
        found = measure(contrasted(*NULLS["unlike"](np.random.default_rng(run)), seed=run), seed=run)
        assert not any(figure.flag for figure in found.figures)


def test_few_units_prove_nothing():
    rng = np.random.default_rng(6)
    contrast = contrasted(panel(alike(rng, 20)), panel(9 + alike(rng, 20), "new "), seed=0)
    sides = {}
    for name in ("real", "synthetic"):
        side = getattr(contrast, name)
        some = np.isin(side.unit, np.unique(side.unit)[:4])
        sides[name] = replace(side, unit=side.unit[some], begins=side.begins[some])
    found = measure(replace(contrast, **sides), seed=0)
    assert [figure.flag for figure in found.figures] == ["not measurable", "not measurable", ""]
    assert "4 real and 4 synthetic units" in found.figures[0].advice


def test_one_feature_and_a_copy_are_no_error():
    rng = np.random.default_rng(7)
    rows = unlike(rng, 30)
    copied = contrasted(panel(rows), panel(rows, "copy "), seed=0, featurise=lambda w, season: w.std(1)[:, None])
    assert not any(figure.flag for figure in measure(copied, seed=0).figures)
    assert [f.name for f in measure(copied.floor, seed=0).figures] == [f.name for f in measure(copied, seed=0).figures]


@pytest.mark.slow
@pytest.mark.parametrize("world", ["unlike", "short windows"])
def test_the_size_of_the_permutation_is_at_most_8_percent(world):
    proven = []
    for run in range(100):
        contrast = contrasted(*NULLS[world](np.random.default_rng(run)), seed=run)
        units = contrast.real.unit, contrast.synthetic.unit
        proven.append([test(*contrast.features, units, seed=run)[1] <= 0.05 for test in (mmd, sliced_wasserstein)])
    # 13 of 100 have a chance of a thousandth where it is 5 %
    assert (np.sum(proven, axis=0) <= 13).all()


def test_noise_on_series_of_one_kind_is_warned_of():
    rng = np.random.default_rng(8)
    found = measure(contrasted(*faulty("jitter .3 sd", rng, alike), seed=0), seed=0)
    assert [figure.flag for figure in found.figures] == ["warn", "warn", ""]
