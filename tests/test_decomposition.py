"""The parts of augmentation: planted ones are found, exactly nothing is exactly nothing, the missing is not known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from benchmarks import augmentation_cases as cases

from tsgap.curve import FRACTIONS, REPEATS
from tsgap.decomposition import (
    LEAST_EFFECTIVE,
    ArmLosses,
    InnerLosses,
    choice,
    difference,
    gain,
    parts,
    responses,
)
from tsgap.errors import UsageError
from tsgap.gap import Clusters, Estimate, log_ratio
from tsgap.panel import Floats

SHARES = (0.1, 0.25, 0.5, 1.0, 2.0)
SERIES, BLOCKS, DRAWS, PLACES = 10, 8, 4, 3
N = SERIES * BLOCKS
CLUSTERS = Clusters.of(*(ids.ravel() for ids in np.indices((SERIES, BLOCKS))), np.arange(DRAWS))
SIZE, REWEIGHT, SHORTFALL, SLOPE = -0.03, -0.02, 0.08, 0.06


def noisy(real: Floats, effect: float, draws: int, rng: np.random.Generator, noise: float = 0.05) -> Floats:
    """Losses (K, N, P) that are `effect` off those of the real arm in ln of their mean."""
    return real * np.exp(effect) * rng.gamma(1 / noise**2, noise**2, (draws, *real.shape[1:]))


def planted(seed: int = 0, noise: float = 0.05) -> ArmLosses:
    """Every share of λ has λ times the planted parts, but for the size, which is that of the curve."""
    rng = np.random.default_rng(seed)
    real = rng.gamma(4.0, 0.25, (1, N, PLACES))
    size = {share: SLOPE * (1 / (1 + share) - 1) for share in SHARES}
    total = {share: size[share] + share * (REWEIGHT + SHORTFALL) for share in SHARES}
    return ArmLosses(
        real,
        CLUSTERS,
        pairs=1000,
        parameters=12,
        augmented={share: noisy(real, total[share], DRAWS, rng, noise) for share in SHARES},
        duplicated=dict.fromkeys(SHARES, real),
        reweighted={share: noisy(real, share * REWEIGHT, DRAWS, rng, noise) for share in SHARES},
        fractions={q: noisy(real, SLOPE * (1 / q - 1), REPEATS, rng, noise) for q in FRACTIONS},
        inner=InnerLosses(real, {share: noisy(real, total[share], DRAWS, rng, noise) for share in SHARES}),
        effective=0.5,
    )


def near(one: Estimate, truth: float) -> bool:
    """Within 4 standard errors, which say something."""
    return bool((np.abs(one.value - truth) < 4 * one.se).all() and (one.se < 0.05).all())


@pytest.mark.parametrize("share", SHARES)
def test_planted_parts_are_found(share):
    found = parts(planted(), share)
    size = SLOPE * (1 / (1 + share) - 1)
    assert near(found.total, size + share * (REWEIGHT + SHORTFALL))
    assert near(found.size, size)
    assert near(found.reweight, share * REWEIGHT)
    assert near(found.shortfall, share * SHORTFALL)
    assert not found.duplicates.value.any()


def test_the_parts_add_up_to_the_total():
    found = parts(planted(noise=0.3))
    np.testing.assert_allclose(
        found.size.value + found.reweight.value + found.shortfall.value, found.total.value, atol=1e-12
    )


def test_copies_of_the_real_arm_have_exactly_no_effect():
    one = planted(noise=0.3)
    for draws in (1, DRAWS):
        copy = np.repeat(one.real / 3, draws, 0)
        same = replace(
            one,
            real=one.real / 3,
            augmented={1.0: copy},
            duplicated={1.0: copy},
            reweighted={1.0: copy},
            fractions={q: np.repeat(one.real / 3, REPEATS, 0) for q in FRACTIONS},
        )
        found, told = parts(same), gain(same, 1.0)
        for figure in (found.total, found.reweight, found.duplicates, told.real, told.duplicates):
            assert not figure.value.any()
            assert not figure.se.any()
        np.testing.assert_allclose(found.shortfall.value, 0, atol=1e-12)


def test_a_share_of_nothing_is_exactly_the_real_arm():
    none = gain(planted(), 0.0)
    for one in (none.real, none.duplicates):
        assert not one.value.any()
        assert not one.upper().any()
    assert not none.helps.any()


def test_the_root_halves_every_part():
    one = planted()
    whole, half = parts(one), parts(replace(one, root=True))
    for name in ("total", "size", "reweight", "shortfall"):
        np.testing.assert_allclose(getattr(half, name).value, getattr(whole, name).value / 2)
        np.testing.assert_allclose(getattr(half, name).se, getattr(whole, name).se / 2)


@pytest.mark.parametrize(("draws", "repeats"), [(4, 8), (12, 3), (4, 1), (1, 8), (1, 1)])
def test_the_standard_error_of_a_difference_counts_the_chance_of_both_kinds_of_replicates(draws, repeats):
    rng = np.random.default_rng(0)
    found, told = [], []
    clusters = Clusters(CLUSTERS.series, CLUSTERS.blocks, np.arange(draws))
    for _ in range(400):
        real = rng.gamma(16.0, 1 / 16, (1, N, 1))
        own = rng.normal(0, 0.08, (2, 1, SERIES, 1, 1)).repeat(BLOCKS, 3).reshape(2, 1, N, 1)
        arms = []
        for k, series, spread in ((draws, own[0], 0.05), (repeats, own[1], 0.08)):
            shift = rng.normal(0, spread, (k, 1, 1)) if k > 1 else 0.0
            arms.append(log_ratio(real * np.exp(shift + series + rng.normal(0, 0.05, (k, N, 1))), real))
        one = difference(arms[0], arms[1], clusters)
        found.append(one.value[0])
        told.append(one.se[0] ** 2)
    assert np.mean(told) == pytest.approx(np.var(found), rel=0.2)


def test_a_difference_of_nothing_drawn_is_that_of_its_windows():
    real, arm, other = (np.random.default_rng(seed).gamma(4.0, 0.25, (1, N, 2)) for seed in range(3))
    one = difference(log_ratio(arm, real), log_ratio(other, real), CLUSTERS)
    expected = log_ratio(arm, other)
    np.testing.assert_allclose(one.value, expected.value)
    assert one.counts.replicates == 1


@pytest.mark.parametrize(
    ("arm", "parts_lost"),
    [
        ("augmented", {"total", "shortfall"}),
        ("duplicated", {"reweight", "shortfall", "duplicates"}),
        ("reweighted", {"reweight", "shortfall"}),
        ("fractions", {"size", "shortfall"}),
    ],
)
def test_parts_of_a_missing_arm_are_not_known(arm, parts_lost):
    found = parts(replace(planted(), **{arm: {}}))
    for name in ("total", "size", "reweight", "shortfall", "duplicates"):
        one = getattr(found, name)
        assert np.isnan([one.value, one.se, one.upper(), one.lower()]).all() == (name in parts_lost)
        assert np.isnan(one.value).any() == (name in parts_lost)


@pytest.mark.parametrize("arm", ["augmented", "duplicated", "reweighted", "fractions"])
def test_a_loss_that_is_not_known_spoils_its_place_alone(arm):
    one = planted()
    at = 0.75 if arm == "fractions" else 1.0
    bad = getattr(one, arm)[at].copy()
    bad[0, 7, 1] = np.nan
    found = parts(replace(one, **{arm: {**getattr(one, arm), at: bad}})).shortfall
    assert np.isfinite(found.value).tolist() == [True, False, True]
    assert np.isfinite(found.upper()).tolist() == [True, False, True]


@pytest.mark.parametrize("effective", [LEAST_EFFECTIVE, 0.0, np.nan])
def test_weights_that_leave_too_few_pairs_say_nothing(effective):
    found = parts(replace(planted(), effective=effective))
    assert np.isnan(found.reweight.value).all()
    assert np.isnan(found.shortfall.value).all()
    assert np.isfinite(found.total.value).all()


def test_the_size_of_weighted_pairs_is_that_of_their_effective_number():
    few = replace(planted(), weighted=True, synthetic_pairs=250)
    np.testing.assert_allclose(few.size(1.0).value, few.curve.change(4 / (1 + 1000 / 250)).value)
    assert (few.size(2.0).value > few.size(1.0).value).all()
    many = replace(planted(), weighted=True, synthetic_pairs=10**9)
    np.testing.assert_allclose(many.size(1.0).value, many.curve.change(4).value, rtol=1e-5)


def test_arms_of_other_shapes_and_weights_of_no_pairs_are_refused():
    one = planted()
    with pytest.raises(UsageError, match=r"augmented at share 0.5 have the shape \(2, 80, 3\), not \(4 or 1, 80, 3\)"):
        replace(one, augmented={0.5: np.ones((2, N, PLACES))})
    with pytest.raises(UsageError, match="reweighted at share 1"):
        replace(one, reweighted={1.0: np.ones((DRAWS, N - 1, PLACES))})
    with pytest.raises(UsageError, match="synthetic_pairs is None"):
        replace(one, weighted=True)


def inner(means: dict[float, float], **options: object) -> ArmLosses:
    """Inner losses of these means, the real arm's by 0."""
    each = {share: np.full((DRAWS, 5, PLACES), mean) for share, mean in means.items()}
    return replace(planted(), inner=InnerLosses(each.pop(0.0), each), **options)


def test_the_share_with_the_smallest_inner_loss_over_all_leads_is_chosen():
    arms = inner({0.0: 1.0, 0.1: 0.98, 0.5: 0.95, 2.0: 1.1})
    arms.inner.augmented[2.0][..., 0] = 0.1  # the last place counts
    found = choice(arms)
    assert found.share == 0.5
    assert found.inner == pytest.approx({0.0: 0.0, 0.1: np.log(0.98), 0.5: np.log(0.95), 2.0: np.log(1.1)})
    assert found.reason is None
    assert choice(replace(arms, root=True)).inner[0.5] == pytest.approx(np.log(0.95) / 2)


def test_nothing_is_added_where_nothing_is_better():
    assert choice(inner({0.0: 1.0, 0.1: 1.0, 1.0: 1.0})).share == 0.0
    assert choice(inner({0.0: 1.0, 0.1: np.nan, 1.0: 1.2})).share == 0.0


def test_a_share_whose_loss_is_not_known_is_not_chosen():
    found = choice(inner({0.0: 1.0, 0.1: np.nan, 0.5: 0.9}))
    assert found.share == 0.5
    assert np.isnan(found.inner[0.1])


@pytest.mark.parametrize(
    ("arms", "says"),
    [
        (replace(planted(), inner=None), "no origins inside"),
        (replace(planted(), inner=None, missing={"inner": "series too short"}), "series too short"),
        (inner({0.0: np.nan, 0.1: 0.5}), "real arm at the inner origins"),
        (inner({0.0: 1.0, 0.1: np.nan}), "no augmented arm"),
        (inner({0.0: 1.0}), "no augmented arm"),
    ],
)
def test_without_inner_losses_no_share_is_chosen(arms, says):
    found = choice(arms)
    assert np.isnan(found.share)
    assert says in found.reason
    assert np.isnan(gain(arms, found.share).real.value).all()


def test_the_gain_of_the_chosen_share_is_honest_where_the_best_on_the_test_is_not():
    # no share does anything: the best of five is better than nothing by chance, the chosen one is not
    rng = np.random.default_rng(3)
    chosen, best = [], []
    for _ in range(150):
        one = planted()
        arms = replace(
            one,
            augmented={share: noisy(one.real, 0.0, 1, rng, 0.3) for share in SHARES},
            inner=InnerLosses(one.real, {share: noisy(one.real, 0.0, 1, rng, 0.3) for share in SHARES}),
        )
        chosen.append(gain(arms, choice(arms).share).real.value[-1])
        best.append(min(0.0, *(gain(arms, share).real.value[-1] for share in SHARES)))
    error = np.std(chosen) / np.sqrt(len(chosen))
    assert abs(np.mean(chosen)) < 3 * error
    assert np.mean(best) < -5 * error


def test_helps_needs_both_controls():
    one = planted()
    better = {1.0: noisy(one.real, -0.1, DRAWS, np.random.default_rng(1), 0.02)}
    same = replace(one, augmented=better, duplicated={1.0: one.real})
    assert gain(same, 1.0).helps.all()
    by_size = replace(one, augmented=better, duplicated=better)
    assert not gain(by_size, 1.0).helps.any()
    assert not gain(replace(one, augmented=better, duplicated={}), 1.0).helps.any()


def test_rounding_and_too_few_windows_do_not_help():
    one = planted()
    assert not gain(replace(one, augmented={1.0: one.real * (1 - 1e-13)}), 1.0).helps.any()
    few = Clusters(CLUSTERS.series, np.zeros_like(CLUSTERS.blocks), CLUSTERS.replicates)
    better = {1.0: one.real * 0.5}
    assert gain(replace(one, augmented=better), 1.0).helps.all()
    assert not gain(replace(one, augmented=better, clusters=few), 1.0).helps.any()


def test_the_response_to_every_share_says_what_it_is_worth():
    one = planted(noise=0.02)
    # synthetic pairs as good as real ones
    arms = replace(one, augmented={s: one.real * np.exp(SLOPE * (1 / (1 + s) - 1)) for s in (0.5, 2.0)})
    found = responses(arms)
    assert [response.gain.share for response in found] == [0.5, 2.0]
    for response in found:
        np.testing.assert_allclose(response.worth, 1000 * response.gain.share, rtol=0.25)
        assert (response.worth_low <= response.worth).all()
        assert (response.worth <= response.worth_high).all()
        assert near(response.size, SLOPE * (1 / (1 + response.gain.share) - 1))
    for response in responses(replace(arms, fractions={})):
        assert np.isnan([response.worth, response.worth_low, response.worth_high]).all()
    assert responses(replace(arms, augmented={})) == ()


def test_the_ratio_of_densities_that_truth_rests_on_is_one():
    # weighted by it, contexts of one process look like those of the other
    rng = np.random.default_rng(0)

    def contexts(process: cases.Process) -> Floats:
        windows = np.lib.stride_tricks.sliding_window_view(process.drawn(rng, 4000, (60, None)), cases.CONTEXT, axis=1)
        return windows[:, ::12].reshape(-1, cases.CONTEXT)

    rare, often = contexts(cases.RARE), contexts(cases.OFTEN)
    ratio = np.exp(cases.OFTEN.density(rare) - cases.RARE.density(rare))
    assert ratio.mean() == pytest.approx(1, abs=0.06)
    rough = [(np.diff(of, axis=1) ** 2).mean(1) for of in (rare, often)]
    assert rough[0].mean() < 0.7 * rough[1].mean()
    assert (ratio * rough[0]).mean() == pytest.approx(rough[1].mean(), rel=0.08)


@pytest.mark.slow
@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.name[0])
def test_the_parts_and_the_verdict_of_every_case_are_right(case):
    found = cases.found(case, 4)
    for name in cases.PARTS:
        bias, error = found.bias(name)
        assert abs(bias) <= max(cases.BAR, 3 * error), name
    assert found.states[case.verdict] >= 3, found.reasons
