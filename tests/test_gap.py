"""Log ratios and how sure they are, against sums over every two cells that share a cluster, and planted truth."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from benchmarks import size
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from trials import Rate

from tsgap.gap import (
    Clusters,
    Counts,
    Estimate,
    Linear,
    estimate,
    independent_mean,
    lead_bins,
    log_ratio,
    mean,
    shortfall,
)
from tsgap.panel import Floats

POSITIVE = st.floats(0.01, 100)


def crossed(series: int, blocks: int, replicates: int = 1) -> Clusters:
    """Every series has one window in every block, series by series."""
    return Clusters.of(*(ids.ravel() for ids in np.indices((series, blocks))), np.arange(replicates))


def losses(k: int, n: int, places: int = 2, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).gamma(4.0, 0.25, (k, n, places))


def shared(c: Floats, held: Floats, clusters: Clusters, place: int, *by: str) -> tuple[float, int, float]:
    """The variance of a total by pairs: products of all two cells that share their labels, each divided by what the
    others of its cluster leave of the loss; how many clusters, and how many equal ones would bear it as unequally."""
    cells = list(product(range(c.shape[0]), range(c.shape[1])))
    series = clusters.series if len(set(clusters.series.tolist())) >= 5 else np.zeros_like(clusters.series)
    labels = {
        "series": lambda k, n: int(series[n]),
        "block": lambda k, n: int(clusters.blocks[n]),
        "draw": lambda k, n: int(clusters.replicates[k]),
    }
    told = [tuple(labels[name](*cell) for name in by) for cell in cells]
    g = len(set(told))
    if g < 2:
        return 0.0, g, 1.0
    share = dict.fromkeys(told, 0.0)
    for (_, n), where in zip(cells, told, strict=True):
        share[where] += held[n, place] / len(c)
    total = 0.0
    for a, where in zip(cells, told, strict=True):
        for b, other in zip(cells, told, strict=True):
            if where == other:
                total += c[a][place] * c[b][place] / (1 - share[where]) ** 2
    return total * (g - 1) / g, g, 1 / sum(h**2 for h in share.values())


def slowly(found: Linear, clusters: Clusters, place: int) -> tuple[float, float]:
    """Standard error and degrees of freedom at one place, written down as it is explained."""
    c, held = found.contributions, found.shares
    window, n_windows, _ = shared(c, held, clusters, place, "series", "block")
    series, s, s_like = shared(c, held, clusters, place, "series")
    block, w, w_like = shared(c, held, clusters, place, "block")
    draw, k, k_like = shared(c, held, clusters, place, "draw") if len(c) > 1 else (0.0, 1, 1.0)
    if n_windows < 2:
        return (np.inf if c[..., place].any() else 0.0), np.inf
    variance, spent = window, 0.0
    if s > 1:
        variance += max(0.0, series - window)
        spent += series**2 / max(1.0, s_like - 1)
    if s > 1 and w > 1:
        variance += max(0.0, block - window)
    if w > 1:
        spent += block**2 / max(1.0, w_like - 1)
    if k > 1:
        finer = [shared(c, held, clusters, place, "draw", at)[0] for at, n in (("series", s), ("block", w)) if n > 1]
        variance += max(0.0, draw - max(finer))
        spent += draw**2 / max(1.0, k_like - 1)
    return float(np.sqrt(variance)), max(1.0, variance**2 / spent)


@pytest.mark.parametrize("series", [1, 4, 5, 7])
@pytest.mark.parametrize("blocks", [1, 2, 6])
@pytest.mark.parametrize("replicates", [1, 2, 3])
def test_an_estimate_adds_up_what_cells_of_a_cluster_share(series: int, blocks: int, replicates: int) -> None:
    n = series * blocks
    found = log_ratio(losses(replicates, n), losses(1, n, seed=1))
    clusters = crossed(series, blocks, replicates)
    one = found.estimated(clusters)
    for place in range(2):
        se, df = slowly(found, clusters, place)
        assert (one.se[place], one.df[place]) == (pytest.approx(se, rel=1e-9), pytest.approx(df, rel=1e-9))
    assert one.counts == Counts(series, blocks, replicates)
    np.testing.assert_allclose(one.parts.sum(0), one.se**2)


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_so_it_does_where_windows_lie_anyhow_and_draws_are_used_twice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(2, 16)), int(rng.integers(1, 5))
    clusters = Clusters.of(rng.integers(0, 8, n), rng.integers(0, 5, n), rng.integers(0, 3, k))
    found = log_ratio(losses(k, n, seed=seed), losses(1, n, seed=seed + 1))
    one = found.estimated(clusters)
    se, df = slowly(found, clusters, 1)
    assert one.se[1] == pytest.approx(se, rel=1e-9)
    assert one.df[1] == pytest.approx(df, rel=1e-6)


def test_with_fewer_than_five_series_their_differences_are_no_sample() -> None:
    # one series is far worse in every block: that says nothing about blocks
    arm = np.repeat([1.0, 1.0, 1.0, 9.0], 30)[None, :, None]
    few = log_ratio(arm, np.ones((1, 120, 1))).estimated(crossed(4, 30))
    assert few.se[0] == pytest.approx(0, abs=1e-12)
    assert not few.counts.population
    arm = np.repeat([1.0, 1.0, 1.0, 1.0, 9.0], 30)[None, :, None]
    assert log_ratio(arm, np.ones((1, 150, 1))).estimated(crossed(5, 30)).se[0] > 0.3


def test_the_chance_of_draws_is_seen_with_one_series_too() -> None:
    rng = np.random.default_rng(0)
    own = 1 + 0.05 * rng.normal(size=(5, 1, 1))
    arm = own + 1e-3 * rng.normal(size=(5, 40, 1))
    found = log_ratio(arm, np.ones((1, 40, 1))).estimated(crossed(1, 40, 5))
    assert found.se[0] == pytest.approx(own.std(ddof=1) / own.mean() / np.sqrt(5), rel=0.05)
    assert 3.5 < found.df[0] < 4.01
    parts = dict(zip(("windows", "series", "blocks", "draws"), found.parts[:, 0], strict=True))
    assert max(parts, key=lambda name: parts[name]) == "draws"


@pytest.mark.parametrize("by", ["series", "blocks", "draws"])
def test_a_planted_source_of_chance_is_found_where_it_is(by: str) -> None:
    rng = np.random.default_rng(1)
    shape = {"series": (1, 12, 1), "blocks": (1, 1, 12), "draws": (12, 1, 1)}[by]
    own = 0.1 * rng.normal(size=shape)
    arm = 1 + own + 1e-4 * rng.normal(size=(12, 12, 12))
    found = log_ratio(arm.reshape(12, 144, 1), np.ones((1, 144, 1))).estimated(crossed(12, 12, 12))
    # of what draws share a twelfth is in their parts by series already
    sure = np.sqrt(11 / 12) if by == "draws" else 1.0
    assert found.se[0] == pytest.approx(sure * own.std(ddof=1) / np.sqrt(12) / (1 + own.mean()), rel=0.02)
    assert found.df[0] == pytest.approx(11 * sure**4, rel=0.02)


def test_one_cluster_leaves_everything_open_unless_there_is_no_difference_at_all() -> None:
    # two leads of one window, and two replicates of it
    arm = np.array([[[1.0, 2.0]], [[3.0, 2.0]]])
    found = log_ratio(arm, np.full((1, 1, 2), 2.0)).estimated(crossed(1, 1, 2))
    assert found.value.tolist() == [0.0, 0.0]
    assert found.se.tolist() == [np.inf, 0.0]
    assert (found.upper()[0], found.lower()[0]) == (np.inf, -np.inf)


def test_equal_losses_have_a_gap_of_exactly_0_and_no_doubt() -> None:
    same = losses(1, 12)
    for arm, control in ((same, same), (np.repeat(same, 5, 0), np.repeat(same, 5, 0))):
        found = log_ratio(arm, control).estimated(crossed(6, 2, 5))
        assert (found.value == 0).all()
        assert (found.se == 0).all()
        assert (found.half() == 0).all()


def test_a_control_without_replicates_stands_against_all_of_an_arm() -> None:
    arm, control = losses(5, 12), losses(1, 12, seed=1)
    found, spread = log_ratio(arm, control), log_ratio(arm, np.repeat(control, 5, 0))
    np.testing.assert_allclose(found.value, spread.value, atol=1e-14)
    np.testing.assert_allclose(found.contributions, spread.contributions, atol=1e-17)
    back = log_ratio(control, arm)
    np.testing.assert_allclose(back.value, -found.value)
    np.testing.assert_allclose(back.contributions, -found.contributions)


def test_contributions_sum_to_nothing_and_are_the_slope_of_the_gap() -> None:
    arm, control = losses(3, 8), losses(1, 8, seed=1)
    found = log_ratio(arm, control)
    np.testing.assert_allclose(found.contributions.sum((0, 1)), 0, atol=1e-15)
    # a window that counts a little more moves the gap by its contribution
    more = np.ones((1, 8, 1))
    more[0, 2] += 1e-6
    moved = log_ratio(arm * more, control * more).value - found.value
    np.testing.assert_allclose(moved / 1e-6, found.contributions[:, 2].sum(0), rtol=1e-4)


def test_a_root_halves_the_gap_of_squared_errors() -> None:
    arm, control = losses(2, 6), losses(1, 6, seed=1)
    plain, root = log_ratio(arm, control), log_ratio(arm, control, root=True)
    rmse = np.log(np.sqrt(arm.mean((0, 1))) / np.sqrt(control.mean((0, 1))))
    np.testing.assert_allclose(root.value, rmse)
    np.testing.assert_array_equal(root.contributions, plain.contributions / 2)


def test_no_error_on_both_sides_is_no_gap_and_on_one_side_nothing_is_proven() -> None:
    none, some = np.zeros((1, 6, 1)), losses(1, 6, 1)
    both = log_ratio(none, none).estimated(crossed(6, 1))
    assert (both.value[0], both.se[0]) == (0.0, 0.0)
    for arm, control, sign in ((some, none, 1), (none, some, -1)):
        one = log_ratio(arm, control).estimated(crossed(6, 1))
        assert one.value[0] == sign * np.inf
        for bound in (one.upper(), one.lower(), one.half()):
            assert np.isnan(bound[0])
        assert not np.isfinite(one.needed(np.array([0.05]))[0][0])


def test_what_infinite_gaps_share_is_unknown_without_a_warning() -> None:
    none, some = np.zeros((1, 6, 1)), losses(1, 6, 1)
    worse, better = log_ratio(some, none), log_ratio(none, some)
    assert np.isnan(shortfall(worse, worse, 0.5).value[0])
    assert np.isnan(mean([worse, better]).value[0])
    assert np.isnan(worse.minus(worse).value[0])
    apart = [one.estimated(crossed(6, 1)) for one in (worse, better)]
    assert np.isnan(independent_mean(apart).value[0])


@given(keep=st.floats(0, 0.99), seed=st.integers(0, 999))
@settings(max_examples=30)
def test_a_shortfall_is_what_an_arm_lacks_of_the_share_to_keep(keep: float, seed: int) -> None:
    arm, control, null = losses(3, 8, seed=seed), losses(1, 8, seed=seed + 1), 2 * losses(3, 8, seed=seed + 2)
    found = shortfall(log_ratio(arm, control), log_ratio(null, control), keep)
    e, r, n = (one.mean((0, 1)) for one in (arm, control, null))
    np.testing.assert_allclose(found.value, (e - keep * r - (1 - keep) * n) / r, rtol=1e-9, atol=1e-12)
    # as a ratio of sums: each cell's part is what it adds beyond its share of the control
    cells = arm - keep * control - (1 - keep) * null
    parts = (cells - found.value * control) / (r * 24)
    np.testing.assert_allclose(found.contributions, parts, atol=1e-12)


def test_a_mean_over_forecasters_takes_what_has_no_replicates_along() -> None:
    one, other = log_ratio(losses(1, 6), losses(1, 6, seed=1)), log_ratio(losses(5, 6, seed=2), losses(1, 6, seed=3))
    both = mean([one, other])
    np.testing.assert_allclose(both.value, (one.value + other.value) / 2)
    np.testing.assert_allclose(both.contributions.sum(0), (one.contributions[0] + other.contributions.sum(0)) / 2)
    assert both.contributions.shape == (5, 6, 2)
    alone = mean([one])
    np.testing.assert_array_equal(alone.contributions, one.contributions)


def test_the_mean_of_twice_the_same_is_as_sure_as_once() -> None:
    one = log_ratio(losses(3, 30), losses(1, 30, seed=1))
    once, twice = one.estimated(crossed(6, 5, 3)), mean([one, one]).estimated(crossed(6, 5, 3))
    np.testing.assert_allclose(twice.se, once.se)


def test_a_mean_over_data_sets_adds_their_variances() -> None:
    values = [np.array([0.1]), np.array([0.3])]
    made = [
        Estimate(v, np.array([se]), np.array([df]), np.full((4, 1), se**2 / 4), Counts(s, 20, 5))
        for v, se, df, s in zip(values, (0.03, 0.04), (4.0, 9.0), (30, 8), strict=True)
    ]
    found = independent_mean(made)
    assert found.value[0] == pytest.approx(0.2)
    assert found.se[0] == pytest.approx(0.025)
    # Welch's degrees of freedom
    assert found.df[0] == pytest.approx((0.03**2 + 0.04**2) ** 2 / (0.03**4 / 4 + 0.04**4 / 9))
    assert found.counts == Counts(8, 20, 5)
    np.testing.assert_allclose(found.parts.sum(0), found.se**2)


def test_a_difference_of_gaps_is_that_of_the_arms_where_the_control_is_the_same() -> None:
    control, new, old = losses(1, 30, seed=1), losses(3, 30, seed=2), losses(2, 30, seed=3)
    difference = log_ratio(new, control).minus(log_ratio(old, control))
    np.testing.assert_allclose(difference.value, np.log(new.mean((0, 1)) / old.mean((0, 1))))
    by_window = new.sum(0) / new.sum((0, 1)) - old.sum(0) / old.sum((0, 1))
    np.testing.assert_allclose(difference.contributions.sum(0), by_window, atol=1e-15)
    assert len(difference.contributions) == 5


def test_bounds_are_those_of_students_t() -> None:
    one = Estimate(np.array([0.1]), np.array([0.02]), np.array([4.0]), np.zeros((4, 1)), Counts(9, 9, 5))
    assert one.upper()[0] == pytest.approx(0.1 + 0.02 * stats.t.ppf(0.95, 4))
    assert one.lower(0.99)[0] == pytest.approx(0.1 - 0.02 * stats.t.ppf(0.99, 4))
    sure = Estimate(np.array([0.1]), np.array([0.02]), np.array([np.inf]), np.zeros((4, 1)), Counts(9, 9, 5))
    assert sure.half()[0] == pytest.approx(0.02 * stats.norm.ppf(0.95))


def test_so_many_series_settle_it_four_times_out_of_five() -> None:
    rng, margin, first = np.random.default_rng(0), np.log(1.05), 12

    def drawn(series: int) -> Estimate:
        base = rng.gamma(4, 0.25, (series, 5))
        arm = base * np.maximum(1 + 0.1 * rng.standard_normal((series, 1)), 0)
        return log_ratio(arm.reshape(1, -1, 1), base.reshape(1, -1, 1)).estimated(crossed(series, 5))

    asked = int(np.median([drawn(first).needed(np.array([margin]))[0][0] for _ in range(200)]))
    assert asked > first
    assert 0.7 <= np.mean([drawn(asked).upper()[0] < margin for _ in range(400)]) <= 0.9


def test_what_is_needed_shrinks_the_interval_to_what_was_asked() -> None:
    windows, series, blocks, draws = parts = np.array([[4e-4], [2e-4], [1e-4], [1e-4]])
    se = np.sqrt(parts.sum(0))
    one = Estimate(np.zeros(1), se, np.array([30.0]), parts, Counts(10, 8, 5))
    # the bound must fall short of what was asked in four of five cases, not in half of them
    t = stats.t.ppf(0.95, 30) + stats.t.ppf(0.8, 30)
    asked = np.array([t * np.sqrt(3e-4)])
    by_series, by_blocks, by_draws = one.needed(asked)
    # of 8e-4 6e-4 shrink with series and have to come to 1e-4
    assert by_series[0] == 60
    # 5e-4 shrink with blocks, and the 3e-4 that stay leave nothing to them
    assert np.isinf(by_blocks[0])
    assert np.isinf(by_draws[0])
    assert one.needed(one.half())[0][0] > 10
    assert [int(n[0]) for n in one.needed(10 * one.half())] == [10, 8, 5]
    more = np.array([t * np.sqrt(((windows + series) / (by_series / 10) + blocks + draws)[0])])
    assert more[0] <= asked[0] * (1 + 1e-12)
    assert all(np.isinf(n[0]) for n in one.needed(np.zeros(1)))


@pytest.mark.parametrize(
    ("horizon", "season", "ends"),
    [
        (24, 1, [1, 3, 6, 12, 24]),
        (6, 1, [1, 2, 4, 6]),
        (8, 4, [1, 2, 4, 8]),
        (14, 7, [1, 3, 7, 14]),
        (18, 12, [1, 3, 6, 12, 18]),
        (96, 24, [1, 6, 12, 24, 48, 96]),
        (104, 52, [1, 13, 26, 52, 104]),
        (10, 24, [1, 6, 10]),
        (6, 24, [1, 6]),
        (1, 52, [1]),
        (2, 2, [1, 2]),
    ],
)
def test_bins_of_leads_end_at_parts_of_a_season(horizon: int, season: int, ends: list[int]) -> None:
    assert [last for _, last in lead_bins(horizon, season)] == ends


@given(horizon=st.integers(1, 400), season=st.integers(1, 60))
def test_bins_hold_every_lead_once(horizon: int, season: int) -> None:
    bins = lead_bins(horizon, season)
    assert [lead for first, last in bins for lead in range(first, last + 1)] == list(range(1, horizon + 1))


@given(loss=arrays(np.float64, (3, 12, 2), elements=POSITIVE), seed=st.integers(0, 999))
@settings(max_examples=40)
def test_neither_the_order_of_windows_nor_names_nor_units_matter(loss: Floats, seed: int) -> None:
    rng = np.random.default_rng(seed)
    control, clusters = losses(1, 12, seed=seed), crossed(6, 2, 3)
    first = log_ratio(loss, control).estimated(clusters)
    order = rng.permutation(12)
    names = rng.permutation(100)
    other = Clusters.of(names[clusters.series][order], names[clusters.blocks][order], names[clusters.replicates])
    second = log_ratio(7 * loss[:, order], 7 * control[:, order]).estimated(other)
    np.testing.assert_allclose(second.value, first.value, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(second.se, first.se, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(second.df, first.df, rtol=1e-6)


@given(loss=arrays(np.float64, (2, 12, 1), elements=POSITIVE), seed=st.integers(0, 999))
@settings(max_examples=40)
def test_no_part_of_a_variance_is_negative_and_the_sum_is_no_less_than_that_of_windows(loss: Floats, seed: int) -> None:
    one = log_ratio(loss, losses(1, 12, 1, seed=seed)).estimated(crossed(6, 2, 2))
    assert (one.parts >= 0).all()
    assert one.se[0] ** 2 >= one.parts[0, 0] * (1 - 1e-12)
    assert one.df[0] >= 1


def test_places_are_estimated_alone() -> None:
    found = log_ratio(losses(3, 30, 4), losses(1, 30, 4, seed=1)).estimated(crossed(6, 5, 3))
    alone = log_ratio(losses(3, 30, 4)[..., 2:3], losses(1, 30, 4, seed=1)[..., 2:3]).estimated(crossed(6, 5, 3))
    at = found.at(2)
    for name in ("value", "se", "df", "parts"):
        np.testing.assert_allclose(getattr(at, name), getattr(alone, name))
    assert at.counts == found.counts


def test_windows_that_count_for_nothing_are_no_clusters() -> None:
    """A hundred series without a score beside two that have one make no population."""
    used = np.zeros(40, dtype=bool)
    used[10:14] = True
    series, blocks = (ids.ravel() for ids in np.indices((20, 2)))
    clusters = Clusters.of(series, blocks, np.arange(1), used)
    assert clusters.counts == Counts(2, 2, 1)
    arm, control = (np.where(used[:, None], losses(1, 40, seed=seed), 0.0) for seed in (0, 1))
    all_of_them = log_ratio(arm, control).estimated(clusters)
    some = Clusters.of(series[used], blocks[used], np.arange(1))
    alone = log_ratio(arm[:, used], control[:, used]).estimated(some)
    np.testing.assert_allclose(all_of_them.se, alone.se)
    np.testing.assert_allclose(all_of_them.df, alone.df)
    assert Clusters.of(series, blocks, np.arange(1), np.zeros(40, dtype=bool)).counts == Counts(1, 1, 1)


@pytest.mark.parametrize("blocks", [5, 20])
@pytest.mark.parametrize("known", [1, 2, 4, 5, 9])
def test_at_a_place_where_few_series_have_a_pair_the_others_make_no_sample(known: int, blocks: int) -> None:
    n = 20 * blocks
    arm, control = (losses(k, n, 3, seed=k) for k in (3, 1))
    for one in (arm, control):
        one[:, known * blocks :, 1] = 0.0
    found = log_ratio(arm, control).estimated(crossed(20, blocks, 3))
    whole = log_ratio(arm[..., ::2], control[..., ::2]).estimated(crossed(20, blocks, 3))
    np.testing.assert_array_equal(found.se[::2], whole.se)
    np.testing.assert_array_equal(found.df[::2], whole.df)
    assert found.counts == Counts(20, blocks, 3)
    of_them = slice(known * blocks)
    alone = log_ratio(arm[:, of_them, 1:2], control[:, of_them, 1:2]).estimated(crossed(known, blocks, 3))
    if known >= 5:
        np.testing.assert_allclose(found.at(1).se, alone.se)
        np.testing.assert_allclose(found.at(1).df, alone.df)
    else:
        assert (found.lower()[1], found.upper()[1]) == (-np.inf, np.inf)
        assert np.isinf(np.stack(found.needed(np.full(3, 0.05)))[:, 1]).all()


def test_at_a_place_without_any_difference_nothing_is_open() -> None:
    arm, control = losses(3, 100, 2), losses(3, 100, 2, seed=1)
    arm[..., 1] = control[..., 1]
    found = log_ratio(arm, control).estimated(crossed(10, 10, 3))
    assert (found.value[1], found.se[1]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("counts", "enough", "population"),
    [
        (Counts(5, 5, 1), True, True),
        (Counts(5, 4, 1), False, True),
        (Counts(4, 20, 1), True, False),
        (Counts(4, 19, 1), False, False),
        (Counts(1, 20, 1), True, False),
    ],
)
def test_five_series_in_five_blocks_or_twenty_blocks_are_enough(counts: Counts, enough: bool, population: bool) -> None:
    assert (counts.enough, counts.population) == (enough, population)


def test_an_estimate_is_what_its_linearisation_gives() -> None:
    one = log_ratio(losses(2, 10), losses(1, 10, seed=1))
    at = crossed(5, 2, 2)
    found, other = one.estimated(at), estimate(one.value, one.contributions, at, one.shares)
    np.testing.assert_array_equal(found.se, other.se)
    assert one.over(2) is one.contributions


def test_equal_shares_of_the_loss_are_as_good_as_none() -> None:
    one, at = log_ratio(losses(3, 40), losses(3, 40, seed=1)), crossed(8, 5, 3)
    none, equal = (estimate(one.value, one.contributions, at, held) for held in (None, np.full((40, 2), 1 / 40)))
    np.testing.assert_allclose(none.se, equal.se)
    np.testing.assert_allclose(none.df, equal.df)


@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_a_few_series_that_bear_the_loss_do_not_look_like_many(spread: float) -> None:
    rng, runs, missed = np.random.default_rng(0), 400, 0
    for _ in range(runs):
        base = rng.gamma(4, 0.25, (10, 20)) * np.exp(spread * rng.standard_normal((10, 1)))
        chance = 1 + 0.2 * rng.standard_normal(base.shape) + 0.1 * rng.standard_normal((10, 1))
        arm, control = ((x.reshape(1, -1, 1)) for x in (base * np.maximum(chance, 0), base))
        found = log_ratio(arm, control).estimated(crossed(10, 20))
        missed += int(abs(found.value[0]) > found.half(0.975)[0])
    assert Rate(missed, runs).high >= 0.005
    assert Rate(missed, runs).low <= 0.05


def test_drawn_losses_without_a_gap_are_called_one_in_about_one_of_twenty_runs() -> None:
    for world, hits in size.of_losses(10, 20, 400).items():
        assert Rate(hits, 400).low <= 0.08, world


@pytest.mark.slow
@pytest.mark.parametrize(("series", "blocks"), [(10, 20), (50, 20)])
def test_the_interval_keeps_its_promise_for_every_source_of_chance(series: int, blocks: int) -> None:
    runs = 2000
    for world, hits in size.of_losses(series, blocks, runs, seed=1).items():
        assert hits / runs <= 0.08, world
        if world == "all together":
            assert Rate(hits, runs).low >= 0.005


@pytest.mark.slow
@pytest.mark.parametrize(("series", "blocks"), [(10, 20), (50, 5)])
@pytest.mark.parametrize("correlation", [0.0, 0.3])
def test_the_interval_keeps_its_promise_for_a_linear_forecaster(series: int, blocks: int, correlation: float) -> None:
    runs = 100
    for leads, hits in size.of_fits(series, blocks, runs, correlation, seed=1).items():
        assert Rate(hits, runs).low <= 0.06, leads
        assert hits / runs <= 0.11, leads
