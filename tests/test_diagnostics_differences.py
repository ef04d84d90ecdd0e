"""Differences and distances of means of units: Welch's test as an oracle, planted differences, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.trials import Rate
from tsgap.diagnostics.differences import Labels, Quantity, differences, distances
from tsgap.diagnostics.figures import Figure
from tsgap.diagnostics.permuting import studentised
from tsgap.panel import Floats

ONE = Quantity("of one", 0.5, "too much", "too little")
CURVE = (Quantity("mean", 0.1, "more at {lag}", "less at {lag}"), Quantity("worst", 0.1, "", ""))


def judged(real: Floats, synthetic: Floats, *, figures: int = 5, of: Quantity = ONE) -> Figure:
    labels = Labels.dealt(len(real), len(synthetic), figures=figures, seed=0)
    return differences((of,), real[:, None], synthetic[:, None], labels)[0]


def test_the_interval_is_that_of_welch() -> None:
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=12), 3 * rng.normal(size=30) + 1
    found, told = judged(real, synthetic), ttest_ind(synthetic, real, equal_var=False)
    interval = told.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p == pytest.approx(told.pvalue, abs=0.03)


@pytest.mark.parametrize(("shift", "advice"), [(2.0, "too much"), (-2.0, "too little")])
def test_what_is_proven_and_matters_is_a_warning(shift: float, advice: str) -> None:
    rng = np.random.default_rng(0)
    found = judged(rng.normal(size=30), rng.normal(size=30) + shift)
    assert (found.flag, found.advice) == ("warn", advice)


def test_what_is_proven_but_does_not_matter_is_none() -> None:
    rng = np.random.default_rng(0)
    real, synthetic = 0.1 * rng.normal(size=30), 0.1 * rng.normal(size=30) + 0.3
    assert judged(real, synthetic).flag == ""
    assert judged(real, synthetic, of=replace(ONE, matters=0.2)).flag == "warn"


def test_what_the_printed_interval_does_not_prove_is_no_warning() -> None:
    real, synthetic = np.linspace(-0.1, 0.1, 6), np.array([9.0, 9.0, 0.3, 0.3, 0.3, 0.3])
    found = judged(real, synthetic, figures=1)
    assert found.p <= 0.05
    assert found.low < 0 < found.value
    assert found.flag == ""


def test_too_few_units_are_never_a_clean_bill() -> None:
    found = judged(np.zeros(4), np.full(4, 9.0), figures=5)
    assert found.flag == "not measurable"
    assert "4 real and 4 synthetic units are too few" in found.advice
    assert judged(np.zeros(4), np.full(4, 9.0), figures=1).flag == "warn"


def test_columns_are_permuted_each_on_its_own() -> None:
    values = np.random.default_rng(0).normal(size=(20, 3)) * [1.0, 100.0, 0.0] + [0.0, 5.0, 7.0]
    labels = Labels.dealt(8, 12, figures=1, seed=0).of
    told = np.stack([studentised(column, labels) for column in values.T], axis=1)
    np.testing.assert_allclose(studentised(values, labels), told, rtol=1e-9)


def test_units_that_are_all_alike_have_no_interval_to_doubt() -> None:
    found = judged(np.ones(9), np.ones(9))
    assert (found.value, found.low, found.high, found.flag) == (0.0, 0.0, 0.0, "")


def curves(rng: np.random.Generator, units: int, top: float = 0.0) -> Floats:
    made = rng.normal(0.5, 0.1, size=(units, 6))
    made[:, 3] += top
    return made


@pytest.mark.parametrize(("top", "advice"), [(0.3, "more at 4"), (-0.3, "less at 4")])
def test_the_worst_lag_is_named(top: float, advice: str) -> None:
    rng = np.random.default_rng(0)
    real, synthetic = curves(rng, 25), curves(rng, 40, top)
    mean, worst = distances(CURVE, real, synthetic, Labels.dealt(25, 40, figures=2, seed=0))
    assert worst.value == pytest.approx(0.3, abs=0.06)
    assert worst.low < 0.3 < worst.high
    assert worst.detail.startswith("lag 4: 0.")
    assert (worst.flag, worst.advice) == ("warn", advice)
    assert mean.value == pytest.approx(np.abs(synthetic.mean(0) - real.mean(0)).mean())
    assert mean.low < mean.value < mean.high


@pytest.mark.parametrize("units", [(10, 10), (12, 60)])
def test_equal_curves_differ_by_chance_alone(units: tuple[int, int]) -> None:
    runs, hits = 200, np.zeros(2, dtype=int)
    for run in range(runs):
        rng = np.random.default_rng(run)
        real, synthetic = curves(rng, units[0]), curves(rng, units[1])
        found = distances(CURVE, real, synthetic, Labels.dealt(*units, figures=1, seed=run))
        hits += [one.p <= 0.05 for one in found]
    assert max(Rate(int(n), runs).low for n in hits) < 0.05
