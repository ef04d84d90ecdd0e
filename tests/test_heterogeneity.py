"""Do groups differ: the test equals Welch's where groups share nothing, and knows what they share."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel
from statsmodels.stats.oneway import anova_oneway

from tsgap.gap import Clusters, Linear, log_ratio
from tsgap.heterogeneity import GroupStatistic, Heterogeneity, heterogeneity
from tsgap.panel import Floats, Ints


def a_mean(values: Floats, series: Ints, blocks: Ints | None = None, spread: Floats | None = None) -> GroupStatistic:
    """The mean of some values (n,) as a statistic of windows; `spread` (K, n) are replicates of them."""
    n = len(values)
    parts = (values - values.mean())[None, :, None] / n if spread is None else spread[:, :, None]
    statistic = Linear(np.array([values.mean()]), parts, np.full((n, 1), 1 / n))
    return GroupStatistic(
        statistic, series, np.zeros(n, dtype=int) if blocks is None else blocks, np.arange(len(parts))
    )


def compared(*groups: GroupStatistic) -> Heterogeneity:
    degrees = [float(one.statistic.estimated(Clusters.of(one.series, one.blocks, one.draws)).df[0]) for one in groups]
    return heterogeneity(groups, degrees)


@pytest.mark.parametrize("sizes", [(8, 13), (6, 9, 20), (5, 5, 5, 30)])
def test_groups_that_share_nothing_are_tested_as_welch_tests_means(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    samples = [rng.normal(0.3 * i, 1 + i, size=n) for i, n in enumerate(sizes)]
    begins = np.cumsum([0, *sizes])
    found = compared(*(a_mean(one, begins[i] + np.arange(len(one))) for i, one in enumerate(samples)))
    welch = anova_oneway(samples, use_var="unequal", welch_correction=True)
    assert found.statistic == pytest.approx(welch.statistic, rel=1e-9)
    assert found.df[0] == len(sizes) - 1
    assert found.df[1] == pytest.approx(welch.df_denom, rel=1e-9)
    assert found.p == pytest.approx(welch.pvalue, rel=1e-9)


def test_what_is_common_to_the_windows_of_a_series_is_no_difference_of_groups() -> None:
    rng = np.random.default_rng(1)
    common = rng.normal(size=40)
    one, other = common + 0.1 * rng.normal(size=40), common + 0.2 + 0.1 * rng.normal(size=40)
    series = np.arange(40)
    apart = compared(a_mean(one, series), a_mean(other, 40 + series))
    together = compared(a_mean(one, series), a_mean(other, series))
    assert apart.p > 0.3
    assert together.p < 1e-6
    # two groups of the same series are a paired test
    paired = ttest_rel(other, one)
    assert together.statistic == pytest.approx(paired.statistic**2, rel=1e-9)
    assert together.df == (1.0, pytest.approx(39))
    assert together.p == pytest.approx(paired.pvalue, rel=1e-6)


def test_what_draws_have_in_common_by_group_is_no_proof_of_a_difference() -> None:
    rng = np.random.default_rng(2)
    by_draw = np.array([[2.0, -2.0, 1.0, -1.0], [-2.0, 2.0, -1.0, 1.0]])
    groups = []
    for i, draws in enumerate(by_draw):
        values = i + 0.1 * rng.normal(size=20)
        noise = (values - values.mean()) / 80
        spread = noise + draws[:, None] / 40
        groups.append(a_mean(values, 20 * i + np.arange(20), spread=spread))
    still = [a_mean(one.statistic.contributions[:, :, 0].sum(0) * 20 + i, one.series) for i, one in enumerate(groups)]
    assert compared(*still).p < 1e-6
    assert compared(*groups).p > 0.05


def test_equal_groups_do_not_differ_and_what_is_not_known_has_no_p() -> None:
    values, series = np.random.default_rng(3).normal(size=10), np.arange(10)
    assert compared(a_mean(values, series), a_mean(values, 10 + series)).p == 1.0
    assert np.isnan(compared(a_mean(values, series)).p)
    unknown = a_mean(values, series)
    unknown.statistic.value[0] = np.nan
    assert np.isnan(heterogeneity([unknown, a_mean(values, series)], [9.0, 9.0]).p)
    flat = [a_mean(np.full(10, float(i)), 10 * i + series) for i in range(2)]
    assert np.isnan(heterogeneity(flat, [9.0, 9.0]).p), "without any spread nothing can be tested"


def world(seed: int, *, by_series: bool, effect: float = 0.0) -> float:
    """p of two or three groups of 30 series in 8 blocks, in which series, blocks and draws all add to the gap."""
    rng = np.random.default_rng(seed)
    series, blocks = (labels.ravel() for labels in np.indices((30, 8)))
    group = series % 3 if by_series else (rng.random(240) < 0.25).astype(int)
    bump = 0.1 * rng.normal(size=30)[series] + 0.06 * rng.normal(size=8)[blocks] + effect * (group == 1)
    real = np.exp(0.3 * rng.normal(size=240))
    made = [real * np.exp(bump + 0.02 * rng.normal() + 0.1 * rng.normal(size=240)) for _ in range(5)]
    synthetic = np.stack(made)
    groups = []
    for g in range(group.max() + 1):
        at = group == g
        gap = log_ratio(synthetic[:, at, None], real[None, at, None])
        groups.append(GroupStatistic(gap, series[at], blocks[at], np.arange(5)))
    return compared(*groups).p


@pytest.mark.parametrize("by_series", [True, False])
def test_equal_groups_are_seldom_said_to_differ(by_series: bool) -> None:
    found = [world(seed, by_series=by_series) for seed in range(300)]
    assert np.mean(np.array(found) < 0.05) <= 0.08


@pytest.mark.parametrize("by_series", [True, False])
def test_groups_that_differ_are_found(by_series: bool) -> None:
    found = [world(seed, by_series=by_series, effect=0.3) for seed in range(40)]
    assert sum(p < 0.05 for p in found) >= 36
