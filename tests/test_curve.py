"""Learning curves: planted ones are found, their uncertainty is right, and what is not known is not guessed."""

from __future__ import annotations

import numpy as np
import pytest

from tsgap.curve import FRACTIONS, REPEATS, Curve, effective_times, learning_curve
from tsgap.gap import Clusters
from tsgap.panel import Floats

SERIES, BLOCKS = 12, 6
CLUSTERS = Clusters.of(*(ids.ravel() for ids in np.indices((SERIES, BLOCKS))), np.arange(REPEATS))
N = SERIES * BLOCKS


def losses(places: int = 2, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).gamma(4.0, 0.25, (1, N, places))


def planted(slope: float | list[float], **options: object) -> Curve:
    """A curve whose logarithm is a straight line with this slope at all places, or at each of them."""
    real = losses()
    fractions = {q: real * np.exp(np.multiply(slope, 1 / q - 1)) * np.ones((REPEATS, 1, 1)) for q in FRACTIONS}
    return learning_curve(real, fractions, **{"pairs": 1000, "parameters": 12, **options})


def test_a_straight_line_is_found():
    curve = planted([0.04, 0.2])
    np.testing.assert_allclose(curve.slope.value, [0.04, 0.2])
    np.testing.assert_allclose(curve.half.value, [0.04, 0.2])
    np.testing.assert_allclose(curve.change(2).value, [-0.02, -0.1])
    np.testing.assert_allclose(curve.change(0.5).value, [0.04, 0.2])
    np.testing.assert_allclose(curve.curable, 1 - np.exp([-0.04, -0.2]))
    np.testing.assert_allclose(curve.change(1e12).value, np.log1p(-curve.curable))
    assert curve.reason is None


def test_no_more_pairs_change_nothing():
    same = planted(0.1).change(effective_times(0.0, 100, 50))
    assert not same.value.any()
    assert not same.contributions.any()


def test_the_root_halves_a_curve_of_squares():
    np.testing.assert_allclose(planted(0.1, root=True).slope.value, 0.05)
    np.testing.assert_allclose(planted(0.1, root=True).half.value, 0.05)


@pytest.mark.parametrize("parameters", [10, 20, 50])
def test_the_curve_of_least_squares_is_foretold_better_than_by_a_straight_line_of_the_loss(parameters):
    # σ² n / (n − p), the expected squared error of least squares in fresh contexts but for terms of 1/n
    pairs, real = 300, losses()
    at = {q: real / (1 - parameters / (q * pairs)) for q in FRACTIONS}
    whole = real / (1 - parameters / pairs)
    curve = learning_curve(whole, {q: np.repeat(one, REPEATS, 0) for q, one in at.items()}, pairs=pairs, parameters=10)
    truth = np.log((1 - parameters / pairs) / (1 - parameters / (2 * pairs)))
    x, e = 1 / np.array([*FRACTIONS, 1]), [*(at[q][..., 0].sum() for q in FRACTIONS), whole[..., 0].sum()]
    b, a = np.polyfit(x, e, 1)
    straight = np.log((a + b / 2) / (a + b))
    off = abs(curve.change(2).value[0] - truth)
    assert off < abs(straight - truth) / 2
    assert off < 0.02


def test_the_standard_error_of_the_size_effect_is_that_of_repeated_trials():
    rng = np.random.default_rng(1)
    found, told = [], []
    for _ in range(300):
        own = rng.gamma(4.0, 0.25, (1, SERIES, 1, 1))
        real = own * rng.gamma(8.0, 1 / 8, (1, SERIES, BLOCKS, 1))
        fractions = {}
        for q in FRACTIONS:
            # what a sub-sample costs differs by series, and by which sub-sample it is
            dearer = 0.1 * (1 / q - 1) * rng.gamma(2.0, 0.5, (1, SERIES, 1, 1)) + rng.normal(
                0, 0.03, (REPEATS, 1, 1, 1)
            )
            fractions[q] = (real * (1 + dearer)).reshape(REPEATS, N, 1)
        curve = learning_curve(real.reshape(1, N, 1), fractions, pairs=1000, parameters=12)
        one = curve.change(2).estimated(CLUSTERS)
        found.append(one.value[0])
        told.append(one.se[0] ** 2)
    assert np.mean(told) == pytest.approx(np.var(found), rel=0.2)


def test_a_falling_curve_is_flat_but_no_less_uncertain():
    curve = planted([-0.1, 0.1])
    assert curve.change(2).value.tolist() == [0.0, pytest.approx(-0.05)]
    assert curve.curable[0] == 0
    assert curve.slope.value[0] == pytest.approx(-0.1)
    rng = np.random.default_rng(0)
    real = losses()
    noisy = {q: real * rng.gamma(50.0, 0.9 / 50, (REPEATS, N, 2)) for q in FRACTIONS}
    change = learning_curve(real, noisy, pairs=1000, parameters=12).change(2).estimated(CLUSTERS)
    assert (change.value == 0).all()
    assert (change.se > 0).all()


@pytest.mark.parametrize(
    ("options", "fractions", "says"),
    [
        ({"pairs": 71}, FRACTIONS, "36 pairs for 12 parameters, fewer than 3 each"),
        ({}, (0.5,), "needs sub-samples of one half of the pairs and of another share; there are: 0.5"),
        ({}, (0.65, 0.8), "there are: 0.65, 0.8"),
        ({}, (), "there are: none"),
    ],
)
def test_what_is_too_little_for_a_curve_is_said(options, fractions, says):
    real = losses()
    asked = {"pairs": 1000, "parameters": 12, **options}
    curve = learning_curve(real, {q: np.repeat(real, REPEATS, 0) for q in fractions}, **asked)
    assert says in curve.reason
    for figure in (curve.slope.value, curve.half.value, curve.change(2).value, curve.curable, curve.worth(np.zeros(2))):
        assert np.isnan(figure).all()
    assert np.isnan(curve.change(2).estimated(CLUSTERS).upper()).all()


def test_three_pairs_for_each_parameter_are_enough():
    assert planted(0.1, pairs=72).reason is None


def test_a_loss_that_is_not_known_spoils_its_place_alone():
    real = losses()
    fractions = {q: np.repeat(real * 1.1, REPEATS, 0) for q in FRACTIONS}
    fractions[0.75][3, 5, 1] = np.nan
    curve = learning_curve(real, fractions, pairs=1000, parameters=12)
    assert np.isfinite(curve.change(2).value).tolist() == [True, False]
    assert np.isfinite(curve.change(2).estimated(CLUSTERS).se).tolist() == [True, False]
    assert np.isfinite(curve.worth(np.zeros(2))).tolist() == [True, False]


def test_worth_undoes_the_curve():
    curve = planted([0.04, 0.2])
    for times in (0.5, 1.0, 1.3, 4.0):
        np.testing.assert_allclose(curve.worth(curve.change(times).value), 1000 * (times - 1), atol=1e-9)


def test_worth_has_no_bound_where_no_number_of_pairs_would_do_and_is_negative_where_it_is_worse():
    curve = planted([0.1, 0.0])
    assert curve.worth(np.array([-0.11, -0.001])).tolist() == [np.inf, np.inf]
    assert curve.worth(np.array([-0.2, 0.0])).tolist() == [np.inf, 0.0]
    assert curve.worth(np.array([0.1, 0.001])).tolist() == pytest.approx([-500, -1000])
    assert curve.worth(np.array([1e-12, -1e-12])).tolist() == [0.0, 0.0]
    assert np.isnan(curve.worth(np.array([np.nan, 0.0]))).tolist() == [True, False]


@pytest.mark.parametrize("share", [0.1, 1.0, 2.0])
@pytest.mark.parametrize("synthetic", [10, 100, 1000])
def test_the_effective_number_of_weighted_pairs_is_that_of_their_weights(share, synthetic):
    weights = np.concatenate([np.ones(100), np.full(synthetic, share * 100 / synthetic)])
    assert effective_times(share, 100, synthetic) * 100 == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert effective_times(share, 100, None) == 1 + share
