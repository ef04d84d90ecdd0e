"""The gate: every verdict and every cap is made to fire, and none of them is ever outvoted."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from benchmarks import break_horizon, nonlinear, operating
from hypothesis import given, settings
from hypothesis import strategies as st
from trials import Rate

from tsgap.baseline import against
from tsgap.errors import UsageError
from tsgap.evidence import Evidence
from tsgap.findings import FAIL, INCONCLUSIVE, INSUFFICIENT_DATA, NO_SIGNAL, PASS, Rules, Verdict
from tsgap.gap import Clusters
from tsgap.gate import judged
from tsgap.horizon import NO_EFFECT
from tsgap.panel import Floats
from tsgap.sentences import reasons

PLACES = ((1, 1), (2, 4), (5, 12))


def made(
    gap: float | tuple[float, ...] = 0.0,
    *,
    assay: float | tuple[float, ...] = 0.5,
    noise: float = 0.02,
    series: int = 20,
    blocks: int = 10,
    replicates: int = 5,
    naive: float | None = 0.3,
    seed: int = 0,
    **more: Any,
) -> Evidence:
    """Evidence whose gap and assay (log ratios, one or one for each place) are known, with a little noise."""
    rng = np.random.default_rng(seed)
    n = series * blocks

    def arm(ratio: float | tuple[float, ...], sd: float, k: int = replicates) -> Floats:
        drawn = 1 + sd * rng.normal(size=(k, n, len(PLACES)))
        return control * np.exp(np.broadcast_to(ratio, len(PLACES))) * drawn / drawn.mean((0, 1))

    control = np.ones((1, n, len(PLACES)))
    losses = {"synthetic": arm(gap, noise), "control": control, "null": arm(assay, 0.02)}
    if naive is not None:
        losses["naive"] = arm(naive, 0.02, 1)
    told: dict[str, Any] = {
        "data": "sales",
        "source": "gan",
        "forecaster": "linear",
        "memory": "linear",
        "places": PLACES,
        "losses": losses,
        "clusters": Clusters.of(*(ids.ravel() for ids in np.indices((series, blocks))), np.arange(replicates)),
        "taught": np.ones(len(PLACES), dtype=bool),
        "used": np.full(len(PLACES), n),
        "stochastic": True,
    }
    return Evidence(**{**told, **more})


def changed(one: Evidence, **more: Any) -> Evidence:
    return dataclasses.replace(one, **more)


def without(one: Evidence, arm: str) -> Evidence:
    return changed(one, losses={name: of for name, of in one.losses.items() if name != arm})


def ended(status: str, name: str = "trees", **more: Any) -> Evidence:
    """A forecaster of which there is nothing."""
    missing = () if status in (NO_EFFECT, "no control") else (f"synthetic arm: {status}",)
    return made(forecaster=name, losses={}, status=status, missing=missing, **more)


def verdict(*evidence: Evidence, **more: Any) -> Verdict:
    return judged(evidence or (made(),), more.pop("rules", Rules()), **more)


# -- verdicts ---------------------------------------------------------------------------------------------------------


def test_a_small_gap_with_the_skill_kept_passes() -> None:
    found = verdict(made(0.01))
    assert (found.verdict, found.caps, found.damage, found.equivalent) == (PASS, (), (), True)
    assert (found.safe, found.breaks) == (12, None)
    (one,) = found.findings
    assert (one.verdict, one.gated, one.safe) == (PASS, True, 12)
    assert [b.outcome for b in one.bins] == ["safe"] * 3


def test_a_pass_without_a_self_check_says_so() -> None:
    assert verdict().label == "PASS (unchecked)"
    assert verdict(checked=True).label == "PASS"
    assert verdict(made(0.3), checked=None).label == FAIL


def test_a_gap_that_is_proven_larger_than_the_margin_fails_and_says_where() -> None:
    found = verdict(made((0.0, 0.0, 0.2)))
    assert (found.verdict, found.safe, found.breaks) == (FAIL, 4, 12)
    assert [b.outcome for b in found.findings[0].bins] == ["safe", "safe", "broken"]
    first = verdict(made((0.2, 0.0, 0.2)))
    assert (first.safe, first.breaks) == (0, 1)


def test_a_gap_that_cannot_be_told_from_the_margin_is_inconclusive() -> None:
    found = verdict(made((0.0, np.log(1.05), 0.0)))
    assert (found.verdict, found.safe, found.breaks) == (INCONCLUSIVE, 1, None)
    assert [b.outcome for b in found.findings[0].bins] == ["safe", "undecided", "safe"]
    # nor does a gap of 0 pass that nobody can see
    assert verdict(made(0.0, noise=0.8)).verdict == INCONCLUSIVE


def test_a_small_gap_does_not_pass_where_most_of_a_small_skill_is_lost() -> None:
    found = verdict(made(0.04, assay=0.06))
    assert found.verdict == INCONCLUSIVE
    (one,) = found.findings
    assert all(b.upper < Rules().log_margin and b.kept < 0 for b in one.bins)
    assert verdict(made(0.04, assay=0.06), rules=Rules(retain=0.1)).verdict == PASS


def test_where_shuffled_training_is_as_good_there_is_no_signal() -> None:
    found = verdict(made(0.0, assay=(0.5, 0.5, 0.0)))
    assert found.verdict == NO_SIGNAL
    assert [b.outcome for b in found.findings[0].bins] == ["safe", "safe", "no signal"]
    # a proven loss elsewhere is a loss
    assert verdict(made((0.2, 0.0, 0.0), assay=(0.5, 0.5, 0.0))).verdict == FAIL


def test_nothing_passes_where_real_training_is_worse_than_shuffled_training() -> None:
    # shuffled series as a source: as good as the shuffled arm, and so better than the control
    lost = verdict(made(-0.2, assay=-0.2))
    (one,) = lost.findings
    assert all(b.upper < 0 < b.kept for b in one.bins)
    assert (lost.verdict, [b.outcome for b in one.bins]) == (NO_SIGNAL, ["no signal"] * 3)
    # a control that may be better or worse has no proven skill of which a share could be kept
    unsure = made(-0.2, assay=0.0)
    null = unsure.losses["null"] * (1 + np.random.default_rng(1).uniform(-0.9, 0.9, (1, 200, 1)))
    (one,) = verdict(changed(unsure, losses={**unsure.losses, "null": null})).findings
    assert all(b.kept > 0 > b.assay_low and not b.no_signal for b in one.bins)
    assert [b.outcome for b in one.bins] == ["undecided"] * 3


def test_a_signal_below_half_of_the_margin_is_none() -> None:
    assert verdict(made(0.012, assay=0.015)).verdict == NO_SIGNAL
    assert verdict(made(0.03, assay=0.035)).verdict == INCONCLUSIVE


@pytest.mark.parametrize(("series", "blocks", "enough"), [(5, 5, True), (5, 4, False), (4, 19, False), (4, 20, True)])
def test_too_few_series_or_blocks_decide_nothing(series: int, blocks: int, enough: bool) -> None:
    for gap, decided in ((0.0, PASS), (0.5, FAIL)):
        found = verdict(made(gap, series=series, blocks=blocks, noise=1e-3))
        assert found.verdict == (decided if enough else INSUFFICIENT_DATA)
        assert found.counts is not None
        assert found.counts.population == (series >= 5)
        assert found.is_doubt is not enough


def test_overlapping_windows_need_ten_series() -> None:
    assert verdict(made(0.0, series=9, overlapping=True)).verdict == INSUFFICIENT_DATA
    found = verdict(made(0.0, series=10, overlapping=True))
    assert (found.verdict, found.overlapping) == (PASS, True)


def test_the_forecaster_with_the_fewest_windows_decides_how_many_there_are() -> None:
    few = np.arange(200) < 40
    one = made()
    lone = changed(
        one, forecaster="trees", clusters=Clusters.of(one.clusters.series, one.clusters.blocks, np.arange(5), few)
    )
    found = verdict(one, lone)
    assert found.counts is not None
    assert found.counts.series == 4
    assert found.verdict == INSUFFICIENT_DATA


def test_every_gated_forecaster_has_to_pass_and_one_is_enough_to_fail() -> None:
    good, bad, unsure = made(0.0), made(0.2, forecaster="bad"), made(0.05, forecaster="unsure")
    assert verdict(good, bad).verdict == FAIL
    assert verdict(bad, good, unsure).verdict == FAIL
    found = verdict(good, unsure)
    assert (found.verdict, found.safe) == (INCONCLUSIVE, 0)
    assert verdict(good, made(0.0, forecaster="other")).verdict == PASS


def test_a_break_has_to_hold_for_all_bins_and_forecasters_at_once() -> None:
    """Of many forecasters one is bound to look broken: what is proven of one alone is not proven among them."""
    one = made(0.1, noise=0.3)
    others = [made(seed=k, forecaster=f"f{k}") for k in range(40)]
    assert verdict(one).verdict == FAIL
    assert verdict(one, *others).verdict == INCONCLUSIVE
    (alone,) = verdict(one).gated
    b = one.gap.estimated(one.clusters)
    np.testing.assert_allclose([found.proven for found in alone.bins], b.lower(1 - 0.05 / 3))
    np.testing.assert_allclose([found.lower for found in alone.bins], b.lower(0.95))
    np.testing.assert_allclose([found.upper for found in alone.bins], b.upper(0.95))


def test_better_than_real_is_no_failure_and_no_equivalence() -> None:
    found = verdict(made(-0.2))
    assert (found.verdict, found.equivalent) == (PASS, False)
    assert all(b.better for b in found.findings[0].bins)
    assert not any(b.better for b in verdict(made(0.0)).findings[0].bins)


def test_equivalence_needs_every_bin_on_both_sides() -> None:
    assert verdict(made((0.0, 0.0, -0.1))).equivalent is False
    assert verdict(made((0.0, 0.0, -0.02))).equivalent is True
    assert verdict(made(0.2)).equivalent is False


def test_the_share_of_skill_that_is_lost_stands_only_where_there_is_skill() -> None:
    (one,) = verdict(made(0.1, assay=(0.5, 0.06, 0.5))).findings
    assert one.bins[0].rho == pytest.approx(np.expm1(0.1) / np.expm1(0.5))
    weak = verdict(made(0.1, assay=(0.5, 0.04, 0.5))).findings[0]
    assert np.isnan(weak.bins[1].rho)
    assert weak.bins[1].assay == pytest.approx(0.04)


def test_what_would_settle_it_is_told_in_series_blocks_and_replicates() -> None:
    (one,) = verdict(made(0.03, noise=0.4)).findings
    undecided = [b for b in one.bins if b.outcome == "undecided"]
    assert undecided
    for b in undecided:
        assert b.series > 20
        assert b.blocks > 10


def test_the_combined_gap_is_the_geometric_mean_over_gated_forecasters() -> None:
    found = verdict(made(0.02), made(0.06, forecaster="other", seed=1), made(0.9, forecaster="p", memory="lag"))
    np.testing.assert_allclose([b.gap for b in found.combined], 0.04)
    assert found.combined[0].assay == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"margin": 0.0}, "margin is a fraction above 0"),
        ({"margin": np.nan}, "margin is a fraction above 0"),
        ({"margin": 5.0}, "below 1, like 0.05 for 5 %, got 5.0"),
        ({"retain": 1.0}, "share of skill to retain"),
        ({"margin": "5 %"}, "margin is a number, like 0.05, got '5 %'"),
        ({"retain": -0.1}, "share of skill to retain"),
        ({"level": 0.5}, "level lies between"),
        ({"level": 1.0}, "level lies between"),
    ],
)
def test_rules_that_make_no_sense_are_refused(bad: dict[str, float], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Rules(**bad)


# -- who is gated -----------------------------------------------------------------------------------------------------


def test_the_probe_is_never_gated_and_tells_the_memory_horizon() -> None:
    probe = made((0.0, 0.0, 0.4), forecaster="lag-probe", memory="lag")
    found = verdict(made(0.0), probe)
    assert (found.verdict, found.safe, found.breaks) == (PASS, 12, None)
    assert found.memory is not None
    assert (found.memory.gated, found.memory.verdict, found.memory.why) == (False, "", "a probe")
    assert (found.memory.safe, found.memory.breaks) == (4, 12)
    alone = verdict(probe)
    assert (alone.verdict, alone.gated, alone.counts, alone.combined) == (NO_SIGNAL, (), None, ())


def test_the_canary_is_not_applicable() -> None:
    canary = made(0.0, forecaster="seasonal-naive", transfer="none", memory="")
    found = verdict(made(0.0), canary)
    assert found.verdict == PASS
    assert found.findings[1].why == "not applicable: it learns nothing"
    assert verdict(canary).verdict == NO_SIGNAL


def test_a_forecaster_that_real_training_leaves_behind_the_naive_one_is_not_gated() -> None:
    bad = made(0.3, naive=-0.2, forecaster="bad")
    found = verdict(made(0.0), bad)
    assert found.verdict == PASS
    assert found.findings[1].why.startswith("trained on real data it is proven worse than the seasonal-naive forecast")
    assert "at least 2" in found.findings[1].why
    assert verdict(bad).verdict == NO_SIGNAL
    # who only seems to be behind is gated
    assert verdict(made(0.0, naive=0.0)).verdict == PASS
    assert verdict(made(0.3, naive=None)).verdict == FAIL


def test_training_without_effect_is_not_gated_and_no_damage() -> None:
    found = verdict(made(0.0), ended(NO_EFFECT))
    assert (found.verdict, found.findings[1].why) == (PASS, NO_EFFECT)
    assert verdict(ended(NO_EFFECT)).verdict == NO_SIGNAL


def test_where_nobody_is_left_because_something_failed_nothing_is_known() -> None:
    found = verdict(ended("crash"))
    assert (found.verdict, found.is_doubt) == (INCONCLUSIVE, False)
    assert found.caps == ("trees: synthetic arm: crash",)


def test_a_battery_without_a_nonlinear_forecaster_says_so() -> None:
    linear, nonlinear_one = made(), made(forecaster="trees", memory="nonlinear")
    undeclared = made(forecaster="other", memory="")
    assert verdict(linear).linear_only
    assert verdict(linear, undeclared).linear_only
    assert not verdict(linear, nonlinear_one).linear_only
    # one that is not gated sees nothing
    assert verdict(linear, changed(nonlinear_one, losses={}, status="crash")).linear_only


# -- what forbids a PASS ----------------------------------------------------------------------------------------------

Capped = Callable[[], Verdict]


def replicated(n: int) -> Evidence:
    return made(replicates=n)


CAPS: dict[str, tuple[Capped, str]] = {
    "failed cell": (lambda: verdict(made(), ended("crash")), "trees: synthetic arm: crash"),
    "missing cell": (lambda: verdict(made(), ended("missing")), "trees: synthetic arm: missing"),
    "no control": (lambda: verdict(made(), ended("no control")), "trees: no control"),
    "failed probe": (lambda: verdict(made(), ended("oom", "lag-probe", memory="lag")), "lag-probe: synthetic arm: oom"),
    "failed canary": (lambda: verdict(made(), ended("error", "naive", transfer="none")), "naive: synthetic arm: error"),
    "failed shuffled arm": (
        lambda: verdict(without(made(missing=("null arm: crash",)), "null")),
        "linear: null arm: crash",
    ),
    "uneven windows": (lambda: verdict(made(uneven=3)), "linear: 3 windows have a forecast in one arm and none in"),
    "not taught": (lambda: verdict(made(taught=np.array([True, True, False]))), "NOT TAUGHT: .* leads 5-12"),
    "no shuffled arm": (lambda: verdict(without(made(), "null")), "without the shuffled arm"),
    "two replicates": (lambda: verdict(replicated(2)), "linear: 2 replicates say nothing about chance, 3 would"),
    "one replicate": (lambda: verdict(replicated(1)), "linear: 1 replicate says nothing"),
    "failed self-check": (lambda: verdict(checked=False), "the self-check failed on these data"),
    "leak": (lambda: verdict(caps=["LEAK: 3 test windows"]), "LEAK: 3 test windows"),
    "no baseline": (lambda: verdict(baseline={}), "cannot be compared with the baseline: it is not there"),
}
DOUBTS = ("no shuffled arm", "two replicates", "one replicate")


@pytest.mark.parametrize("name", CAPS)
def test_what_would_pass_does_not_and_the_reason_is_told(name: str) -> None:
    make, told = CAPS[name]
    found = make()
    assert found.verdict == INCONCLUSIVE
    assert len([cap for cap in found.caps if re.search(told, cap)]) == 1
    assert found.label == INCONCLUSIVE
    assert found.is_doubt is (name in DOUBTS)


def test_without_chance_one_replicate_is_enough() -> None:
    assert verdict(made(replicates=1, stochastic=False, fixed=True)).verdict == PASS
    assert verdict(made(replicates=1, stochastic=False, fixed=True)).fixed


def test_three_replicates_are_enough_where_there_is_chance() -> None:
    assert verdict(replicated(3)).verdict == PASS


def test_uneven_windows_of_one_that_is_not_gated_matter_to_nobody() -> None:
    assert verdict(made(), made(forecaster="lag-probe", memory="lag", uneven=3)).verdict == PASS


@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_a_bin_that_is_not_taught_is_neither_safe_nor_broken_and_has_no_figures(gap: float) -> None:
    found = verdict(made((0.0, 0.0, gap), taught=np.array([True, True, False])))
    (one,) = found.findings
    last = one.bins[-1]
    assert (last.taught, last.safe, last.broken, last.no_signal, last.outcome) == (
        False,
        False,
        False,
        False,
        "not taught",
    )
    assert np.isnan([last.gap, last.low, last.upper, last.proven, last.kept, last.series]).all()
    assert (one.safe, found.breaks) == (4, None)


def test_errors_of_nothing_on_one_side_prove_nothing() -> None:
    one = made()
    for arm in ("control", "synthetic"):
        zero = changed(one, losses={**one.losses, arm: np.zeros_like(one.losses[arm])})
        found = verdict(changed(zero, losses={name: of for name, of in zero.losses.items() if name != "naive"}))
        assert found.verdict in (INCONCLUSIVE, FAIL)
        assert not any(b.safe or b.broken for b in found.findings[0].bins)


@pytest.mark.parametrize("none", [0.0, np.nan])
def test_pairs_of_which_none_counts_prove_nothing(none: float) -> None:
    def emptied(one: Evidence) -> Evidence:
        return changed(one, losses={arm: np.where([True, True, False], of, none) for arm, of in one.losses.items()})

    found = verdict(emptied(made()))
    assert found.verdict in (INCONCLUSIVE, NO_SIGNAL)
    assert [b.safe for b in found.findings[0].bins] == [True, True, False]
    assert not found.findings[0].bins[2].broken
    # what is known still shows who is behind the naive forecast
    assert verdict(emptied(made(naive=-0.3))).gated == ()


@given(
    names=st.sets(
        st.sampled_from(["evidence", "self-check", "leak", "baseline", "uneven", "replicates", "null", "taught"]),
        min_size=1,
    ),
    gap=st.sampled_from([-0.3, 0.0, 0.02]),
    extra=st.integers(0, 2),
)
@settings(max_examples=60)
def test_no_number_of_good_findings_outvotes_a_cap(names: set[str], gap: float, extra: int) -> None:
    one = made(gap, replicates=2 if "replicates" in names else 5)
    one = changed(one, uneven=1) if "uneven" in names else one
    one = without(one, "null") if "null" in names else one
    one = changed(one, taught=np.array([True, False, True])) if "taught" in names else one
    others = [
        made(gap, forecaster=f"good {k}", memory="nonlinear", seed=k, replicates=len(one.clusters.replicates))
        for k in range(extra)
    ]
    broken = [ended("crash")] if "evidence" in names else []
    assert (
        verdict(
            *(changed(other, stochastic=False) for other in others),
            made(gap, replicates=len(one.clusters.replicates), stochastic=False),
        ).verdict
        == PASS
    )
    found = verdict(
        one,
        *others,
        *broken,
        checked="self-check" not in names,
        caps=["LEAK"] if "leak" in names else [],
        baseline={} if "baseline" in names else None,
    )
    assert found.verdict == INCONCLUSIVE
    assert found.caps


@given(gap=st.floats(-1, 1), noise=st.floats(0.001, 1), assay=st.floats(-0.5, 1), seed=st.integers(0, 99))
@settings(max_examples=60)
def test_only_what_is_proven_in_every_bin_passes(gap: float, noise: float, assay: float, seed: int) -> None:
    one = made(gap, noise=noise, assay=assay, seed=seed, series=6, blocks=5, naive=None)
    found = verdict(one)
    est = one.gap.estimated(one.clusters)
    short = one.shortfall(0.5)
    assert short is not None
    skill = one.assay
    assert skill is not None
    kept = (short.estimated(one.clusters).upper() < 0) & (skill.estimated(one.clusters).lower() > 0)
    assert (found.verdict == PASS) == bool(((est.upper() < np.log(1.05)) & kept).all())
    assert (found.verdict == FAIL) == bool((est.lower(1 - 0.05 / 3) > np.log(1.05)).any())
    if found.breaks is not None:
        assert found.safe < found.breaks


# -- the last accepted version ----------------------------------------------------------------------------------------


def accepted(gap: float, seed: int = 7, **more: Any) -> dict[str, Evidence]:
    return {"linear": made(gap, seed=seed, **more)}


def test_what_is_proven_worse_than_the_last_version_fails_within_the_margin_too() -> None:
    found = verdict(made(0.03), baseline=accepted(0.0))
    assert (found.verdict, found.caps, found.breaks) == (FAIL, (), None)
    assert [(w.first, w.last) for w in found.worse_than_baseline] == list(PLACES)
    (w, *_) = found.worse_than_baseline
    assert w.gap == pytest.approx(0.03)
    assert 0 < w.least < w.gap


def test_what_is_as_good_as_the_last_version_or_better_passes() -> None:
    assert verdict(made(0.0), baseline=accepted(0.0)).verdict == PASS
    assert verdict(made(0.0), baseline=accepted(0.3)).verdict == PASS
    # the same file again
    assert verdict(made(0.0), baseline={"linear": made(0.0)}).verdict == PASS


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"truth": "others"}, "other windows, horizons or scored pairs"),
        ({"pairs": "others"}, "other windows, horizons or scored pairs"),
        ({"places": ((1, 1), (2, 5), (6, 12))}, "other windows, horizons or scored pairs"),
        ({"control": "real-short"}, "its control is real-short, here it is real"),
        ({"status": "crash"}, "crash"),
    ],
)
def test_a_baseline_that_cannot_be_compared_forbids_a_pass(more: dict[str, Any], why: str) -> None:
    found = verdict(made(0.0), baseline=accepted(0.0, **more))
    assert found.verdict == INCONCLUSIVE
    assert found.caps == (f"linear: cannot be compared with the baseline: {why}",)
    assert not found.is_doubt


def test_a_gap_of_gaps_does_not_know_what_both_have_in_common() -> None:
    """What the control makes of each window cancels; the draws of the two sources are others."""
    hard = np.random.default_rng(0).gamma(1.0, 1.0, (1, 200, 3))
    new, old = made(0.02), made(0.0, seed=1)

    def on_hard(one: Evidence) -> Evidence:
        return changed(one, losses={"synthetic": one.losses["synthetic"] * hard, "control": hard**2})

    difference = against(on_hard(new), on_hard(old))
    each = [one.gap.estimated(one.clusters) for one in (on_hard(new), on_hard(old))]
    assert (difference.se < 0.2 * each[0].se).all()
    assert difference.counts.replicates == 10


# -- operating characteristics ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("correlation", "oracle"), [(0.0, 0.95), (0.3, 0.90)])
def test_an_oracle_passes_the_margin_does_not_and_lost_memory_fails(correlation: float, oracle: float) -> None:
    runs = 60
    found = operating.verdicts(runs, correlation, seed=1)
    assert Rate(found["oracle"][PASS], runs).high >= oracle
    assert found["oracle"][PASS] >= (oracle - 0.08) * runs
    assert found["oracle"][FAIL] == 0
    assert Rate(found["at the margin"][PASS], runs).low <= 0.05
    assert found["at the margin"][PASS] <= 0.12 * runs
    assert found[operating.ALONE][PASS] <= 0.15 * runs
    assert found["season lost"][PASS] == 0
    assert found["season lost"][FAIL] >= 0.9 * runs


@pytest.mark.slow
def test_the_memory_horizon_lies_where_the_closed_form_says() -> None:
    runs = 40
    for length, told in break_horizon.found(50, runs, seed=1).items():
        mean, sd = np.mean(told.gaps, axis=0), np.std(told.gaps, axis=0)
        assert (np.abs(mean - break_horizon.curve(length)) < 0.01 + 2 * sd / np.sqrt(runs)).all(), length
        unsafe, unbroken = break_horizon.wrong(told, length)
        assert (unsafe, unbroken) <= (3, 0), length


@pytest.mark.slow
@pytest.mark.parametrize("world", ["SETAR", "logistic map"])
def test_memory_that_is_not_linear_is_seen_by_a_nonlinear_forecaster_alone(world: str) -> None:
    assert np.abs(nonlinear.found(world, "linear", 2)["iaaft"].value).max() < 0.01
    trees = nonlinear.found(world, "gradient-boosting", 2)
    assert trees["iaaft"].value[0] > 0.1
    assert trees["iaaft"].lower()[0] > 0.05
    assert abs(trees["oracle"].value[0]) < trees["oracle"].half(0.995)[0] + 0.02


def test_windows_without_a_forecast_in_any_arm_are_left_out_and_said() -> None:
    found = verdict(made(unanswered=4))
    assert found.verdict == PASS
    assert "linear: 4 windows have no forecast in any arm and are left out" in list(reasons(found))
