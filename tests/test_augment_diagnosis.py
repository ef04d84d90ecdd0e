"""Verdicts on augmentation: every planted case gets its own, and none is given where something is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tsgap.augment_diagnosis import (
    ALREADY_OPTIMAL,
    CANNOT_TELL,
    DATA_LIMITED,
    HELPS,
    HURTS,
    MISMATCH,
    MISSPECIFIED,
    NO_DIFFERENCE,
    NOT_MEASURABLE,
    Diagnosis,
    diagnoses,
    effect,
    grounds,
)
from tsgap.curve import FRACTIONS, REPEATS
from tsgap.decomposition import LEVEL, ArmLosses, InnerLosses, gain
from tsgap.gap import Clusters
from tsgap.panel import Floats

SERIES, BLOCKS, DRAWS, PLACES = 10, 8, 4, 2
N = SERIES * BLOCKS
CLUSTERS = Clusters.of(*(ids.ravel() for ids in np.indices((SERIES, BLOCKS))), np.arange(DRAWS))


def planted(
    *,
    half: float = 0.002,
    total: float = 0.0,
    reweight: float = 0.0,
    r2: float = 0.0,
    chosen: float = 0.5,
    at_chosen: float = 0.0,
    noise: float = 0.01,
    seed: int = 0,
) -> ArmLosses:
    """Losses of arms with these effects in ln of their mean loss; `at_chosen` that of the share that is chosen."""
    rng = np.random.default_rng(seed)
    real = rng.gamma(4.0, 0.25, (1, N, PLACES))

    def off(by: float, draws: int = DRAWS) -> Floats:
        return real * np.exp(by) * rng.gamma(1 / noise**2, noise**2, (draws, N, PLACES))

    inner = {0.5: real * (1 if chosen else 2), 1.0: real * 2}
    return ArmLosses(
        real,
        CLUSTERS,
        pairs=1000,
        parameters=12,
        augmented={0.5: off(at_chosen), 1.0: off(total)},
        duplicated={0.5: real, 1.0: real},
        reweighted={1.0: off(reweight)},
        fractions={q: off(half * (1 / q - 1), REPEATS) for q in FRACTIONS},
        inner=InnerLosses(real * 1.5, inner),
        residuals=(real**2, off(0.0, 1) ** 2 * (1 - r2)),
        effective=0.5,
    )


def told(arms: ArmLosses, **options: object) -> Diagnosis:
    """The verdict at the last place."""
    return diagnoses(grounds(arms), **options)[-1]


@pytest.mark.parametrize(
    ("effects", "state", "says"),
    [
        ({}, ALREADY_OPTIMAL, "the errors cannot be foretold"),
        ({"total": 0.005}, ALREADY_OPTIMAL, "half of the real pairs"),
        ({"half": 0.05}, DATA_LIMITED, "half of the real pairs change the loss by +5.2 %"),
        ({"half": 0.05, "r2": 0.07}, DATA_LIMITED, "further pairs of the same kind would help"),
        ({"r2": 0.3}, MISSPECIFIED, "the errors can be foretold from the context, R² 0.3"),
        ({"r2": 0.3, "half": 0.05}, MISSPECIFIED, "more than the 0.09"),
        ({"r2": 0.3, "reweight": -0.05}, MISSPECIFIED, "that further pairs would explain"),
        (
            {"reweight": -0.05},
            MISSPECIFIED,
            "real pairs alone, weighted like the synthetic ones, change the loss by -4.",
        ),
        ({"reweight": -0.05, "half": 0.05}, MISSPECIFIED, "proven more than -1 %"),
        ({"reweight": -0.01}, NOT_MEASURABLE, "what re-weighting changes"),
        ({"total": 0.05}, MISMATCH, "proven more than +1 %; the share of 0.5 that was chosen"),
        ({"total": 0.05, "half": 0.05}, MISMATCH, "change the loss by +5."),
        ({"total": 0.05, "at_chosen": -0.005}, ALREADY_OPTIMAL, ""),
        ({"total": 0.05, "at_chosen": -0.05}, NOT_MEASURABLE, "not proven to be of no use"),
        ({"total": -0.05}, NOT_MEASURABLE, "nothing shows that the real arm falls short, but"),
        ({"total": -0.05, "chosen": 0.0}, NOT_MEASURABLE, "as many change the loss by -5."),
        ({"total": 0.05, "chosen": 0.0}, MISMATCH, "inside the training part adding nothing was best"),
        ({"half": 0.01}, NOT_MEASURABLE, "undecided: what half of the real pairs change, +1."),
        ({"reweight": 0.03}, NOT_MEASURABLE, "what re-weighting changes, +3."),
        ({"r2": 0.02}, NOT_MEASURABLE, "whether the errors can be foretold, R² 0.0"),
        ({"noise": 0.9}, NOT_MEASURABLE, "undecided: what half"),
    ],
)
def test_every_planted_case_gets_its_verdict_and_a_reason(effects, state, says):
    found = told(planted(**effects))
    assert found.state == state, found.reason
    assert says in found.reason


@pytest.mark.parametrize(
    ("lost", "effects", "says"),
    [
        ({"fractions": {}}, {}, "needs sub-samples of one half"),
        ({"pairs": 10}, {"half": 0.05}, "fewer than 3 each"),
        ({"residuals": None}, {}, "whether the errors can be foretold is not known"),
        ({"residuals": None, "missing": {"residuals": "no inner origins"}}, {"r2": 0.3}, "no inner origins"),
        ({"fractions": {}}, {"r2": 0.3}, "needs sub-samples of one half"),
        ({"reweighted": {}}, {}, "the re-weighted arm has losses that are not known"),
        ({"duplicated": {}}, {}, "the re-weighted arm has losses that are not known"),
        ({"effective": 0.05}, {}, "the weights leave 5.0% of the pairs, at most 5%"),
        ({"augmented": {}}, {}, "the arm with a share of 1 has losses that are not known"),
        ({"augmented": {}, "missing": {"augmented": "the generator failed"}}, {"r2": 0.3}, "the generator failed"),
    ],
)
def test_no_verdict_is_given_where_an_arm_is_missing(lost, effects, says):
    found = told(replace(planted(**effects), **lost))
    assert found.state == NOT_MEASURABLE
    assert says in found.reason


def test_a_source_unlike_the_real_series_does_not_hide_what_the_real_arm_shows():
    for effects, state in (({"half": 0.05}, DATA_LIMITED), ({"r2": 0.3}, MISSPECIFIED)):
        arms = planted(**effects)
        assert told(replace(arms, effective=0.01)).state == state
        assert told(replace(arms, reweighted={})).state == state


def test_that_data_are_few_is_said_where_errors_are_too_few_to_be_foretold():
    arms = planted(half=0.05)
    assert "foretold" not in told(arms).reason
    found = told(replace(arms, residuals=tuple(np.full_like(one, np.nan) for one in arms.residuals)))
    assert found.state == DATA_LIMITED
    assert found.reason.endswith("would help; whether the errors can be foretold is not known")


def test_errors_that_were_not_looked_at_are_not_known_to_be_unpredictable():
    arms = planted()
    before, after = (one.copy() for one in arms.residuals)
    before[..., 0] = after[..., 0] = 0
    found = diagnoses(grounds(replace(arms, residuals=(before, after))))
    assert [one.state for one in found] == [NOT_MEASURABLE, ALREADY_OPTIMAL]
    assert "whether the errors can be foretold is not known" in found[0].reason


@pytest.mark.parametrize("arm", ["augmented", "duplicated", "reweighted", "fractions", "residuals"])
def test_a_loss_that_is_not_known_spoils_the_verdict_of_its_place_alone(arm):
    arms = planted()
    if arm == "residuals":
        bad = arms.residuals[1].copy()
        bad[0, 3, 0] = np.nan
        broken = replace(arms, residuals=(arms.residuals[0], bad))
    else:
        at = 0.75 if arm == "fractions" else 1.0
        bad = getattr(arms, arm)[at].copy()
        bad = np.repeat(bad, DRAWS, 0) if len(bad) == 1 else bad
        bad[0, 3, 0] = np.nan
        broken = replace(arms, **{arm: {**getattr(arms, arm), at: bad}})
    assert [one.state for one in diagnoses(grounds(broken))] == [NOT_MEASURABLE, ALREADY_OPTIMAL]


def test_errors_are_foretold_only_where_that_is_proven_by_itself():
    # few heavy series: what further pairs would explain must not make the interval narrower
    arms = planted(r2=0.3)
    rng = np.random.default_rng(0)
    before, after = arms.residuals
    heavy = np.repeat(np.r_[200.0, np.ones(SERIES - 1)], BLOCKS)[None, :, None]
    after = before * np.repeat(np.r_[0.6, rng.uniform(0.9, 1.1, SERIES - 1)], BLOCKS)[None, :, None]
    found = grounds(replace(arms, residuals=(before * heavy, after * heavy)))
    assert found.predictability.upper(LEVEL)[-1] > np.log(0.98)
    assert diagnoses(found)[-1].state == NOT_MEASURABLE


def test_too_few_windows_prove_nothing():
    clusters = Clusters(CLUSTERS.series, CLUSTERS.blocks % 4, CLUSTERS.replicates)
    for effects in ({}, {"half": 0.2}, {"r2": 0.5}, {"total": 0.5}):
        found = told(replace(planted(**effects), clusters=clusters))
        assert found == Diagnosis(NOT_MEASURABLE, "10 series and 4 test periods are too few to prove anything")


def test_a_place_that_few_blocks_reach_says_so_and_the_others_keep_their_verdict():
    few = np.ones((1, N, PLACES))
    few[0, CLUSTERS.blocks >= 3, 0] = 0
    arms = planted()
    cut = {name: {q: one * few for q, one in getattr(arms, name).items()} for name in ("augmented", "fractions")}
    found = diagnoses(grounds(replace(arms, real=arms.real * few, **cut)))
    assert found[0].reason == "too few series or test periods reach these leads to say how sure any figure is"
    assert [one.state for one in found] == [NOT_MEASURABLE, ALREADY_OPTIMAL]


def test_a_correction_that_was_shrunk_to_nothing_is_not_shown_as_an_interval():
    arms = planted()
    assert arms.residuals is not None
    found = told(replace(arms, residuals=(arms.residuals[0],) * 2))
    assert found.state == ALREADY_OPTIMAL
    assert found.reason.endswith("the errors cannot be foretold, nothing was found that foretells them")


def test_a_proven_mismatch_needs_no_other_arm():
    arms = replace(planted(total=0.05), fractions={}, reweighted={}, residuals=None, inner=None)
    found = told(arms)
    assert found.state == MISMATCH
    assert "no share could be chosen" in found.reason


def test_without_synthetic_data_only_the_real_arm_is_judged():
    for effects, state in (
        ({}, ALREADY_OPTIMAL),
        ({"half": 0.05}, DATA_LIMITED),
        ({"r2": 0.3}, MISSPECIFIED),
        ({"half": 0.01}, NOT_MEASURABLE),
    ):
        arms = replace(planted(**effects), augmented={}, duplicated={}, reweighted={}, inner=None)
        found = told(arms, synthetic=False)
        assert found.state == state, found.reason
        assert "re-weighting changes" not in found.reason
        assert told(arms).state == NOT_MEASURABLE
    assert told(replace(planted(), residuals=None), synthetic=False).state == NOT_MEASURABLE


def test_the_margin_is_the_one_that_is_asked_for():
    assert told(planted(half=0.02)).state == DATA_LIMITED
    assert told(planted(half=0.02), margin=0.05).state == ALREADY_OPTIMAL
    assert told(planted(total=0.05)).state == MISMATCH
    assert told(planted(total=0.05), margin=0.2).state == ALREADY_OPTIMAL


@pytest.mark.parametrize(
    ("by", "noise", "said"),
    [
        (-0.05, 0.01, HELPS),
        (0.05, 0.01, HURTS),
        (0.005, 0.01, HURTS),
        (0.0, 0.01, NO_DIFFERENCE),
        (0.0, 0.9, CANNOT_TELL),
        (-0.05, 0.9, CANNOT_TELL),
    ],
)
def test_the_effect_is_said_where_it_is_proven(by, noise, said):
    assert effect(gain(planted(total=by, noise=noise, seed=5), 1.0)) == (said, said)


def test_better_than_the_real_arm_but_not_than_duplicates_is_no_help():
    arms = planted(total=-0.05)
    assert effect(gain(replace(arms, duplicated=arms.augmented), 1.0)) == (CANNOT_TELL, CANNOT_TELL)
    assert effect(gain(replace(arms, duplicated={}), 1.0)) == (CANNOT_TELL, CANNOT_TELL)


def test_rounding_is_no_effect_and_what_is_not_known_has_none():
    arms = planted()
    for by in (-1e-13, 1e-13):
        rounded = replace(arms, augmented={1.0: arms.real * (1 + by)})
        assert effect(gain(rounded, 1.0)) == (NO_DIFFERENCE, NO_DIFFERENCE)
    assert effect(gain(arms, np.nan)) == (CANNOT_TELL, CANNOT_TELL)
    few = Clusters(CLUSTERS.series, np.zeros_like(CLUSTERS.blocks), CLUSTERS.replicates)
    for by in (-0.1, 0.0, 0.1):
        assert effect(gain(replace(planted(total=by), clusters=few), 1.0)) == (CANNOT_TELL, CANNOT_TELL)
