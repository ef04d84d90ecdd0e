"""Units are permuted and drawn again, never windows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind
from sklearn.metrics import roc_auc_score

from tsgap.diagnostics.permuting import (
    auc,
    auc_gain,
    enough,
    numbered,
    p_value,
    redrawn,
    relabelled,
    studentised,
    unit_means,
)


def test_units_are_numbered_without_holes():
    number, n = numbered(np.array([7, 3, 7, 9]))
    assert number.tolist() == [1, 0, 1, 2]
    assert n == 3


def test_means_of_units_are_those_of_their_windows():
    rng = np.random.default_rng(0)
    unit, values = rng.choice([2, 5, 11], 40), rng.normal(size=(40, 2, 3))
    for one in (np.sort(unit), unit):
        expected = [values[one == u].mean(0) for u in (2, 5, 11)]
        assert np.allclose(unit_means(values, one), expected)


def test_labels_stand_as_they_are_and_are_then_permuted():
    labels = relabelled(3, 5, seed=1, permutations=50)
    assert labels.shape == (51, 8)
    assert labels[0].tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert (labels.sum(1) == 5).all()
    assert len(np.unique(labels, axis=0)) > 20
    assert np.array_equal(labels, relabelled(3, 5, seed=1, permutations=50))


def test_the_statistic_counts_itself_and_ties_count_against_it():
    assert p_value(np.arange(1000)[::-1]) == 0.001
    assert p_value(np.ones(1000)) == 1.0
    assert np.isnan(p_value(np.array([np.nan, 1.0])))
    assert p_value(np.array([1.0, np.nan, 0.0, 0.0])) == 0.5


def test_the_studentised_difference_is_that_of_welch():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=12), rng.normal(1, 4, size=30)
    found = studentised(np.concatenate([a, b]) + 1e6, relabelled(12, 30, seed=0, permutations=3))
    assert found[0] == pytest.approx(ttest_ind(b, a, equal_var=False).statistic, rel=1e-4)


def test_nothing_that_varies_gives_no_difference():
    assert (studentised(np.ones(9), relabelled(4, 5, seed=0, permutations=5)) == 0).all()
    apart = studentised(np.repeat([0.0, 1.0], [4, 5]), relabelled(4, 5, seed=0, permutations=99))
    assert apart[0] == np.inf
    assert p_value(np.abs(apart)) < 0.05


def test_units_drawn_again_are_as_many():
    counts = redrawn(7, seed=0, draws=20)
    assert counts.shape == (20, 7)
    assert (counts.sum(1) == 7).all()


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    real, synthetic = rng.integers(0, 5, 40).astype(float), rng.integers(1, 6, 60).astype(float)
    found = auc(real, synthetic, np.arange(40), np.arange(60))
    assert found.value == pytest.approx(roc_auc_score(np.repeat([0, 1], [40, 60]), np.concatenate([real, synthetic])))
    assert found.low < found.value < found.high


def _clustered(rng, units, windows, shift=0.0):
    unit = np.repeat(np.arange(units), windows)
    return rng.normal(size=units)[unit] + 0.3 * rng.normal(size=len(unit)) + shift, unit


def test_the_interval_of_the_area_covers_one_half_by_units_and_not_by_windows():
    rng = np.random.default_rng(1)
    by_unit, by_window = 0, 0
    for _ in range(300):
        (real, ours), (synthetic, theirs) = _clustered(rng, 20, 8), _clustered(rng, 80, 2)
        found = auc(real, synthetic, ours, theirs)
        by_unit += not found.low <= 0.5 <= found.high
        naive = auc(real, synthetic, np.arange(160), np.arange(160))
        by_window += not naive.low <= 0.5 <= naive.high
    assert by_unit / 300 < 0.09
    assert by_window / 300 > 0.2


def test_the_permutation_stays_valid_where_units_of_one_side_have_fewer_windows():
    rng = np.random.default_rng(2)
    proven = 0
    for run in range(300):
        (real, ours), (synthetic, theirs) = _clustered(rng, 10, 8), _clustered(rng, 80, 1)
        means = np.concatenate([unit_means(real, ours), unit_means(synthetic, theirs)])
        proven += p_value(np.abs(studentised(means, relabelled(10, 80, seed=run, permutations=199)))) <= 0.05
    assert proven / 300 < 0.09


def test_no_error_in_few_units_leaves_room_for_errors():
    few = auc(np.zeros(5), np.ones(5), np.arange(5), np.arange(5))
    more = auc(np.zeros(50), np.ones(50), np.arange(50), np.arange(50))
    assert few.value == few.high == more.value == 1
    assert few.low < 0.6 < 0.9 < more.low
    reversed_ = auc(np.ones(5), np.zeros(5), np.arange(5), np.arange(5))
    assert reversed_.value == 0
    assert reversed_.high > 0.4


def test_the_gain_of_the_area_is_found_where_there_is_one():
    rng = np.random.default_rng(3)
    (real, ours), (synthetic, theirs) = _clustered(rng, 60, 4), _clustered(rng, 60, 4, 1.0)
    blind = rng.normal(size=240), rng.normal(size=240)
    gain = auc_gain(blind, (real, synthetic), (ours, theirs))
    assert gain.low > 0
    assert gain.value == pytest.approx(auc(real, synthetic, ours, theirs).value - auc(*blind, ours, theirs).value)
    none = auc_gain((real, synthetic), (2 * real, 2 * synthetic), (ours, theirs))
    assert none.value == none.low == none.high == 0


def test_there_are_ways_enough_to_label_thousands_of_units() -> None:
    assert enough(5000, 5000, 0.002)
    assert not enough(2000, 0, 0.002)
