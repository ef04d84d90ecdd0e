"""Precision, recall, density and coverage, against the paper's formulas and what is expected of a second draw."""

from __future__ import annotations

import numpy as np
import pytest
from planted import counts, faulty, panel, unlike

from tsgap.diagnostics import contrasted
from tsgap.diagnostics.covering import NEAREST, covering, expected_coverage, measure


def _by_the_paper(real, synthetic, k=NEAREST):
    """Naeem et al. 2020, window by window."""

    def radius(x):
        return np.array(
            [np.sort([np.linalg.norm(a - b) for j, b in enumerate(x) if j != i])[k - 1] for i, a in enumerate(x)]
        )

    ours, theirs = radius(real), radius(synthetic)
    apart = np.array([[np.linalg.norm(a - b) for b in synthetic] for a in real])
    return (
        np.mean([(apart[:, j] <= ours).any() for j in range(len(synthetic))]),
        np.mean([(apart[i] <= theirs).any() for i in range(len(real))]),
        sum((apart[:, j] <= ours).sum() for j in range(len(synthetic))) / (k * len(synthetic)),
        np.mean([apart[i].min() < ours[i] for i in range(len(real))]),
    )


def _apart(n, m):
    return np.arange(n), np.arange(m)


@pytest.mark.parametrize(("n", "m", "shift"), [(60, 60, 0.0), (40, 70, 0.0), (50, 50, 1.0)])
def test_with_one_window_a_unit_these_are_the_figures_of_the_paper(n, m, shift):
    rng = np.random.default_rng(n + m)
    real, synthetic = rng.normal(size=(n, 4)), rng.normal(size=(m, 4)) + shift
    found = covering(real, synthetic, _apart(n, m), seed=0)
    expected = _by_the_paper(real, synthetic)
    assert (found.precision, found.recall, found.density, found.coverage) == pytest.approx(expected)


def test_what_is_expected_is_what_second_draws_have():
    rng = np.random.default_rng(0)
    found = [
        covering(rng.normal(size=(n, 3)), rng.normal(size=(m, 3)), _apart(n, m), seed=0).coverage
        - expected_coverage(n, m)
        for n, m in [(50, 50), (30, 60)] * 15
    ]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(30)
    assert expected_coverage(1000, 1000) == pytest.approx(0.969, abs=5e-4)


def _tight(rng, units, windows):
    """Windows of a unit lie near each other."""
    unit = np.repeat(np.arange(units), windows)
    return rng.normal(size=(units, 3))[unit] + 0.05 * rng.normal(size=(len(unit), 3)), unit


def test_windows_of_a_unit_are_one_neighbour():
    rng = np.random.default_rng(1)
    by_unit, by_window, missed = [], [], 0
    for run in range(12):
        (real, ours), (synthetic, theirs) = _tight(rng, 40, 6), _tight(rng, 40, 6)
        found = covering(real, synthetic, (ours, theirs), seed=run)
        by_unit.append(found.coverage - found.expected)
        by_window.append(covering(real, synthetic, _apart(240, 240), seed=run).coverage - expected_coverage(240, 240))
        missed += not found.low <= found.expected <= found.high
    assert abs(np.mean(by_unit)) < 3 * np.std(by_unit) / np.sqrt(12)
    assert np.mean(by_window) < -0.3
    assert missed <= 3


def test_the_jackknife_is_that_of_leaving_out_each_unit():
    rng = np.random.default_rng(2)
    n, m = 12, 14
    (real, ours), (synthetic, theirs) = _tight(rng, n, 3), _tight(rng, m, 3)
    synthetic = synthetic + 1.5
    found = covering(real, synthetic, (ours, theirs), seed=0)
    assert 0.2 < found.coverage < 0.9

    def without(side, unit):
        keep = [ours != unit, theirs >= 0] if side == 0 else [ours >= 0, theirs != unit]
        return covering(real[keep[0]], synthetic[keep[1]], (ours[keep[0]], theirs[keep[1]]), seed=0).coverage

    parts = [np.array([without(0, i) for i in range(n)]), np.array([without(1, i) for i in range(m)])]
    error = np.sqrt(sum((len(p) - 1) / len(p) * ((p - p.mean()) ** 2).sum() for p in parts))
    assert max(found.coverage - found.low, found.high - found.coverage) == pytest.approx(1.96 * error, abs=1e-9)


def _modes(rng, units, kinds):
    unit = np.repeat(np.arange(units), 2)
    centre = 8 * np.eye(4)[rng.integers(0, kinds, units)]
    return centre[unit] + rng.normal(size=(len(unit), 4)), unit


def test_kinds_that_are_left_out_are_seen_in_recall_and_coverage():
    rng = np.random.default_rng(3)
    (real, ours), (synthetic, theirs) = _modes(rng, 60, 4), _modes(rng, 60, 2)
    found = covering(real, synthetic, (ours, theirs), seed=0)
    assert found.high < 0.75 < found.precision
    assert found.p == 0.001
    assert found.recall < 0.75


def test_a_source_without_half_of_the_kinds_is_warned_of():
    rng = np.random.default_rng(4)
    found = measure(contrasted(*faulty("half of the kinds", rng, series=160), seed=0), seed=0)
    coverage = found.figures[0]
    assert coverage.flag == "warn"
    assert "left out" in coverage.advice
    assert all(figure.flag == "" for figure in found.figures[1:])


def test_equal_windows_are_put_in_order_by_chance():
    rng = np.random.default_rng(5)
    rows = counts(rng, 40) * 0
    rows[::4] = counts(rng, 10)
    found = measure(contrasted(panel(rows), panel(rows[rng.permutation(40)], "new "), seed=0), seed=0)
    coverage = found.figures[0]
    assert coverage.flag == ""
    assert coverage.value > 0.85


def test_units_with_fewer_windows_are_met_by_as_many():
    rng = np.random.default_rng(6)
    contrast = contrasted(panel(unlike(rng, 40, 512)), panel(unlike(rng, 400, 64), "window "), seed=0)
    found = measure(contrast, seed=0)
    assert "20 units of either side with 1 window each" in found.notes[0]
    assert found.figures[0].flag == ""


def test_too_few_units_and_windows_all_alike_are_not_measurable():
    rng = np.random.default_rng(7)
    few = measure(contrasted(panel(unlike(rng, 10)), panel(unlike(rng, 10), "new "), seed=0), seed=0)
    assert {figure.flag for figure in few.figures} == {"not measurable"}
    assert "too few for 5 nearest ones" in few.figures[0].advice
    flat = panel(np.full((40, 200), 3.0))
    constant = measure(contrasted(flat, flat.renamed([f"n{i}" for i in range(40)]), seed=0), seed=0)
    assert {figure.flag for figure in constant.figures} == {"not measurable"}
    assert "same features" in constant.figures[0].advice


def test_one_feature_is_enough():
    rng = np.random.default_rng(8)
    sides = panel(unlike(rng, 40)), panel(unlike(rng, 40), "new ")
    found = measure(contrasted(*sides, seed=1, featurise=lambda w, season: w.std(1)[:, None]), seed=0)
    assert found.figures[0].flag == ""
    assert found.figures[0].value > 0.8
