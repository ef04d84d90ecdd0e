"""Does augmentation order events better? Verdicts and parts on planted scores, and what keeps them from being told."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks import events as planted
from scipy import stats
from sklearn import metrics

from tsgap.gap import Clusters
from tsgap.ordering import (
    AUGMENTED,
    CANNOT_TELL,
    DUPLICATED,
    MIN_EVENTS,
    NEITHER,
    NOT_MEASURABLE,
    ORDERING,
    REAL,
    REWEIGHTED,
    THRESHOLD,
    WORSE,
    EventScores,
    ordering,
)
from tsgap.panel import Floats
from tsgap.ranking import AUPRC, AUROC, BALANCED, BEST_BALANCED, BEST_F1, F1

SERIES, BLOCKS, LEADS, DRAWS = 20, 20, 4, 3
NAN = np.nan


class Bench:
    """Normal scores whose distance between events and others, and with it the AUROC of every arm, is chosen."""

    def __init__(self, seed: int = 0, series: int = SERIES, blocks: int = BLOCKS, often: float = 0.1) -> None:
        self.rng = np.random.default_rng(seed)
        n = series * blocks
        at = (ids.ravel() for ids in np.indices((series, blocks)))
        self.clusters = Clusters.of(*at, np.arange(DRAWS))
        self.labels = (self.rng.random((n, LEADS)) < often).astype(float)
        self.noise = self.rng.normal(size=self.labels.shape)

    def scores(self, auroc: float, draws: int = 1, *, own: float = 0.02) -> Floats:
        """Scores (K, N, H) of this AUROC, nearly the same noise in all arms."""
        away = np.sqrt(2) * stats.norm.ppf(auroc)
        extra = self.rng.normal(size=(draws, *self.labels.shape))
        return away * self.labels + np.sqrt(1 - own) * self.noise + np.sqrt(own) * extra

    def told(self, call: float = 1.0, fractions=None, inner=None, **arms):
        """What is found over all leads."""
        scored = EventScores(self.labels, arms, call, fractions or {}, inner)
        return ordering(scored, self.clusters, [(1, LEADS)])[0]


def test_a_better_order_than_of_real_and_of_duplicated_pairs_is_told():
    bench = Bench()
    real = bench.scores(0.75)
    found = bench.told(real=real, duplicated=bench.scores(0.75), augmented=bench.scores(0.8, DRAWS))
    assert found.verdict == ORDERING
    assert found.changes[REAL][AUROC].value[0] == pytest.approx(0.05, abs=0.01)
    right = metrics.roc_auc_score(bench.labels.ravel(), real.ravel())
    assert found.figures[REAL][AUROC].value[0] == pytest.approx(right, abs=1e-12)
    assert found.prevalence == pytest.approx(bench.labels.mean())
    assert found.events + found.others == bench.labels.size


def test_what_duplicated_pairs_do_as_well_is_no_better_order():
    bench = Bench()
    found = bench.told(real=bench.scores(0.75), duplicated=bench.scores(0.8), augmented=bench.scores(0.8, DRAWS))
    assert found.verdict == CANNOT_TELL
    assert "duplicated" in found.reasons[0]


def test_a_worse_order_is_told():
    bench = Bench()
    found = bench.told(real=bench.scores(0.8), duplicated=bench.scores(0.8), augmented=bench.scores(0.75, DRAWS))
    assert found.verdict == WORSE


@pytest.mark.parametrize("shift", [1.0, -0.5])
def test_scores_that_move_together_move_the_threshold_alone(shift):
    bench = Bench()
    real = bench.scores(0.75)
    found = bench.told(real=real, duplicated=real, augmented=np.exp(real + shift), call=2.0)
    moved = bench.told(real=real, duplicated=real, augmented=real + shift, call=2.0)
    assert moved.verdict == THRESHOLD
    for change in (found.changes[REAL][AUROC], moved.changes[REAL][AUPRC]):
        assert change.value[0] == 0
        assert change.se[0] == 0


def test_one_figure_that_moves_is_enough():
    bench = Bench(series=80, blocks=60)
    real = bench.scores(0.75)
    scored = EventScores(bench.labels, {REAL: real, DUPLICATED: real, AUGMENTED: real - 0.45}, 0.24)
    found = ordering(scored, bench.clusters, [(1, LEADS)], margin=0.015)[0]
    assert abs(found.changes[REAL][BALANCED].value[0]) + found.changes[REAL][BALANCED].half(0.975)[0] < 0.015
    assert found.changes[REAL][F1].lower(0.975)[0] > 0.015
    assert found.verdict == THRESHOLD


@pytest.mark.parametrize("shift", [1.0, -0.5])
def test_a_threshold_that_duplicated_pairs_move_as_far_is_not_moved_by_synthetic_ones(shift):
    bench = Bench()
    real = bench.scores(0.75)
    found = bench.told(real=real, duplicated=real + shift, augmented=real + shift, call=2.0)
    assert found.verdict == CANNOT_TELL


def test_a_move_that_is_not_proven_to_be_more_than_the_margin_is_none():
    bench = Bench()
    real = bench.scores(0.75)
    scored = EventScores(bench.labels, {REAL: real, DUPLICATED: real, AUGMENTED: real + 1.0}, 2.0)
    whole = ordering(scored, bench.clusters, [(1, LEADS)])[0]
    move = whole.changes[REAL][BALANCED]
    assert whole.verdict == THRESHOLD
    assert move.lower(0.975)[0] > 0
    far = move.value[0]
    assert ordering(scored, bench.clusters, [(1, LEADS)], margin=far)[0].verdict == CANNOT_TELL
    assert ordering(scored, bench.clusters, [(1, LEADS)], margin=3 * far)[0].verdict == NEITHER


def test_the_same_scores_change_neither():
    bench = Bench()
    real = bench.scores(0.75)
    found = bench.told(real=real, duplicated=real, augmented=np.repeat(real, DRAWS, axis=0))
    assert found.verdict == NEITHER
    assert found.changes[REAL][F1].se[0] == 0


def test_no_change_among_calls_of_scores_that_differ_is_no_proof_of_none():
    bench = Bench()
    real = bench.scores(0.75)
    called = real >= 1
    found = bench.told(real=real, duplicated=real, augmented=np.where(called, real + 1, real - 1))
    assert found.changes[REAL][AUROC].value[0] == 0
    assert found.changes[REAL][F1].value[0] == 0
    assert found.changes[REAL][F1].se[0] == np.inf
    assert found.verdict == CANNOT_TELL


def test_a_change_that_is_neither_proven_nor_excluded_is_not_told():
    bench = Bench(series=6, blocks=6, often=0.3)
    arms = {REAL: bench.scores(0.75), DUPLICATED: bench.scores(0.75), AUGMENTED: bench.scores(0.76, DRAWS, own=0.8)}
    found = bench.told(**arms)
    assert found.verdict == CANNOT_TELL
    assert "neither to change nor" in found.reasons[0]


@pytest.mark.parametrize("missing", [AUGMENTED, DUPLICATED])
def test_an_arm_that_is_missing_leaves_the_question_open(missing):
    bench = Bench()
    arms = {REAL: bench.scores(0.75), DUPLICATED: bench.scores(0.75), AUGMENTED: bench.scores(0.8)}
    found = bench.told(**{name: of for name, of in arms.items() if name != missing})
    assert found.verdict == CANNOT_TELL
    assert missing in found.reasons[0]


@pytest.mark.parametrize("failed", [REAL, DUPLICATED, AUGMENTED])
def test_a_forecast_that_failed_is_counted_and_wrong_and_compared_with_none(failed):
    bench = Bench()
    arms = {REAL: bench.scores(0.75), DUPLICATED: bench.scores(0.75), AUGMENTED: bench.scores(0.8, DRAWS)}
    whole = bench.told(**arms)
    arms[failed] = arms[failed].copy()
    arms[failed][0, :10] = NAN
    found = bench.told(**arms)
    assert found.verdict == CANNOT_TELL
    assert f"{failed} 40" in found.reasons[0]
    assert found.lost[failed] == 40
    assert found.events == whole.events
    for which in (AUROC, AUPRC, F1, BALANCED):
        assert found.figures[failed][which].value[0] < whole.figures[failed][which].value[0]


def test_arms_that_nobody_asks_about_may_fail():
    bench = Bench()
    arms = {REAL: bench.scores(0.75), DUPLICATED: bench.scores(0.75), AUGMENTED: bench.scores(0.8, DRAWS)}
    found = bench.told(**arms, synthetic=np.full((1, *bench.labels.shape), NAN))
    assert found.verdict == ORDERING
    assert found.figures["synthetic"][AUROC].value[0] == 0
    assert found.lost["synthetic"] == bench.labels.size


def test_pairs_that_no_arm_forecasts_or_the_truth_does_not_tell_do_not_count():
    bench = Bench()
    arms = {REAL: bench.scores(0.75), DUPLICATED: bench.scores(0.75), AUGMENTED: bench.scores(0.8, DRAWS)}
    kept = bench.labels[12:].copy()
    for of in arms.values():
        of[:, :4] = NAN
    bench.labels[4:12] = NAN
    found = bench.told(**arms)
    assert found.unforecast == 16
    assert not any(found.lost.values())
    assert found.events == kept.sum()
    right = metrics.roc_auc_score(kept.ravel(), arms[REAL][0, 12:].ravel())
    assert found.figures[REAL][AUROC].value[0] == pytest.approx(right)


@pytest.mark.parametrize("rare", [1.0, 0.0])
def test_few_events_or_few_others_are_not_measured(rare):
    bench = Bench()
    bench.labels = np.full_like(bench.labels, 1 - rare)
    bench.labels.ravel()[: 5 * MIN_EVENTS - 5 : 5] = rare
    arms = {REAL: bench.scores(0.75), DUPLICATED: bench.scores(0.75), AUGMENTED: bench.scores(0.95)}
    found = bench.told(**arms)
    assert found.verdict == NOT_MEASURABLE
    assert f"{MIN_EVENTS - 1} " in found.reasons[0]
    assert not found.figures
    assert min(found.events, found.others) == MIN_EVENTS - 1
    assert 0 < found.prevalence < 1
    bench.labels[-1, -1] = rare
    assert bench.told(**arms).figures


def test_no_pair_at_all_is_not_measured():
    bench = Bench()
    real = bench.scores(0.75)
    bench.labels[:] = NAN
    found = bench.told(real=real)
    assert found.verdict == NOT_MEASURABLE
    assert np.isnan(found.prevalence)


def test_few_blocks_tell_nothing_of_others():
    bench = Bench(series=20, blocks=4)
    arms = {REAL: bench.scores(0.6), DUPLICATED: bench.scores(0.6), AUGMENTED: bench.scores(0.9)}
    found = bench.told(**arms)
    assert found.verdict == NOT_MEASURABLE
    assert "20 series in 4 blocks" in found.reasons[0]


def test_few_series_speak_for_themselves_alone():
    bench = Bench(series=3, blocks=100)
    arms = {REAL: bench.scores(0.7), DUPLICATED: bench.scores(0.7), AUGMENTED: bench.scores(0.8)}
    found = bench.told(**arms)
    assert found.verdict == ORDERING
    assert not found.changes[REAL][AUROC].counts.population


def test_events_of_one_series_alone_tell_nothing_of_others():
    bench = Bench()
    bench.labels[BLOCKS:] = 0
    bench.labels[:BLOCKS:2] = 1
    arms = {REAL: bench.scores(0.6), DUPLICATED: bench.scores(0.6), AUGMENTED: bench.scores(0.9)}
    assert bench.told(**arms).verdict == CANNOT_TELL


def halves(bench: Bench, auroc: float, penalty: float) -> dict[float, Floats]:
    """Sub-samples whose AUROC lacks `penalty` · (1/q − 1)."""
    return {q: bench.scores(auroc - penalty * (1 / q - 1), 8) for q in (0.5, 0.65, 0.8)}


def test_the_parts_are_those_that_were_planted():
    bench = Bench(series=50, blocks=40)
    arms = {
        REAL: bench.scores(0.80),
        DUPLICATED: bench.scores(0.80),
        REWEIGHTED: bench.scores(0.81, DRAWS),
        AUGMENTED: bench.scores(0.815, DRAWS),
    }
    found = bench.told(**arms, fractions=halves(bench, 0.80, 0.04))
    truth = {"total": 0.015, "mechanical": 0.0, "reweight": 0.01, "half": 0.04, "size": 0.02, "shortfall": -0.015}
    assert set(found.parts) == set(truth)
    for name, right in truth.items():
        one = found.parts[name]
        assert abs(one.value[0] - right) < max(0.003, 3 * one.se[0]), name
        assert one.se[0] < 0.006
    whole = sum(found.parts[name].value[0] for name in ("size", "reweight", "shortfall"))
    assert whole == pytest.approx(found.parts["total"].value[0])


def test_the_size_is_read_at_as_many_pairs_as_there_are_then_and_is_never_below_0():
    bench = Bench()
    arms = {REAL: bench.scores(0.80), AUGMENTED: bench.scores(0.80, DRAWS)}
    scored = EventScores(bench.labels, arms, fractions=halves(bench, 0.80, 0.04))
    size = [ordering(scored, bench.clusters, [(1, LEADS)], times=n)[0].parts["size"].value[0] for n in (1, 2, 4)]
    np.testing.assert_allclose(size, [0, size[1], 1.5 * size[1]])
    against = bench.told(**arms, fractions=halves(bench, 0.80, -0.04)).parts["size"]
    assert against.value[0] == 0
    assert against.se[0] > 0


def test_real_replicates_that_are_all_alike_are_one():
    bench = Bench()
    real, fractions = bench.scores(0.80), halves(bench, 0.80, 0.04)
    one = bench.told(real=real, fractions=fractions).parts
    several = bench.told(real=np.repeat(real, DRAWS, axis=0), fractions=fractions).parts
    for name in ("half", "size"):
        assert several[name].value[0] == pytest.approx(one[name].value[0])
        assert several[name].se[0] == pytest.approx(one[name].se[0])


def test_an_order_that_nothing_makes_better_is_optimal_already():
    bench = Bench(series=50, blocks=40)
    arms = {REAL: bench.scores(0.80), DUPLICATED: bench.scores(0.80), REWEIGHTED: bench.scores(0.80, DRAWS)}
    flat = halves(bench, 0.80, 0.0)
    found = bench.told(**arms, fractions=flat)
    assert found.optimal is True
    assert not found.doubts
    for auroc in (0.83, 0.77):
        other = bench.told(**{**arms, REWEIGHTED: bench.scores(auroc)}, fractions=flat)
        assert other.optimal is False
        assert "weights" in other.doubts[0]
    for auroc, optimal in ((0.83, False), (0.79, True)):
        assert bench.told(**arms, augmented=bench.scores(auroc, DRAWS), fractions=flat).optimal is optimal
    steep = bench.told(**arms, fractions=halves(bench, 0.80, 0.03))
    assert steep.optimal is False
    assert "half as many" in steep.doubts[0]


def test_what_is_missing_leaves_open_whether_an_order_is_optimal():
    bench = Bench(series=50, blocks=40)
    arms = {REAL: bench.scores(0.80), DUPLICATED: bench.scores(0.80), REWEIGHTED: bench.scores(0.80, DRAWS)}
    flat = halves(bench, 0.80, 0.0)
    unweighted = bench.told(real=arms[REAL], duplicated=arms[DUPLICATED], fractions=flat)
    assert unweighted.optimal is None
    assert "other weights" in unweighted.doubts[0]
    for few in ({}, {0.5: flat[0.5]}, {0.65: flat[0.65], 0.8: flat[0.8]}):
        found = bench.told(**arms, fractions=few)
        assert found.optimal is None
        assert "a learning curve needs" in found.doubts[0]
        assert "size" not in found.parts
    holed = {q: of.copy() for q, of in flat.items()}
    holed[0.65][3, 5, 1] = NAN
    assert "1 pairs have no forecast" in bench.told(**arms, fractions=holed).doubts[0]
    failed = {**arms, REWEIGHTED: np.where(np.arange(LEADS) == 0, NAN, arms[REWEIGHTED])}
    assert bench.told(**failed, fractions=flat).optimal is None


def test_a_wide_interval_leaves_open_whether_an_order_is_optimal():
    bench = Bench(series=6, blocks=6, often=0.3)
    arms = {REAL: bench.scores(0.80), DUPLICATED: bench.scores(0.80), REWEIGHTED: bench.scores(0.80, own=0.5)}
    found = bench.told(**arms, fractions=halves(bench, 0.80, 0.0))
    assert found.optimal is None
    assert "not proven" in found.doubts[-1]


def test_best_calls_are_chosen_on_other_windows():
    bench = Bench()
    arms = {REAL: bench.scores(0.75), DUPLICATED: bench.scores(0.75), AUGMENTED: bench.scores(0.75, DRAWS) + 5}
    other = Bench(seed=1)
    inner = EventScores(other.labels, {REAL: other.scores(0.75), AUGMENTED: other.scores(0.75, DRAWS) + 5})
    found = bench.told(**arms, inner=inner)
    for which in (BEST_F1, BEST_BALANCED):
        assert which not in found.figures[DUPLICATED]
        assert found.changes[REAL][which].value[0] == pytest.approx(0, abs=0.03)
    assert found.figures[AUGMENTED][BALANCED].value[0] == pytest.approx(0.5, abs=0.01)
    assert found.figures[AUGMENTED][BEST_BALANCED].value[0] > 0.65
    # chosen on the windows that are judged they would be better still
    judged = EventScores(bench.labels, inner.scores | {REAL: arms[REAL]})
    assert bench.told(**arms, inner=judged).figures[REAL][BEST_F1].value > found.figures[REAL][BEST_F1].value


def test_too_few_inner_events_choose_nothing():
    bench = Bench()
    labels = np.zeros((100, LEADS))
    labels.ravel()[: MIN_EVENTS - 1] = 1
    inner = EventScores(labels, {REAL: np.random.default_rng(0).normal(size=(1, 100, LEADS))})
    assert BEST_F1 not in bench.told(real=bench.scores(0.75), inner=inner).figures[REAL]


def test_places_hold_their_own_leads():
    bench = Bench()
    real = bench.scores(0.75)
    found = ordering(EventScores(bench.labels, {REAL: real}), bench.clusters, [(1, 1), (2, 4)])
    for one, leads in zip(found, (slice(0, 1), slice(1, 4)), strict=True):
        right = metrics.roc_auc_score(bench.labels[:, leads].ravel(), real[0][:, leads].ravel())
        assert one.figures[REAL][AUROC].value[0] == pytest.approx(right)
    assert [(one.first, one.last) for one in found] == [(1, 1), (2, 4)]


def test_arrays_that_do_not_belong_together_are_refused():
    bench = Bench()
    real = bench.scores(0.75)
    with pytest.raises(ValueError, match="scores of 'real' must be"):
        EventScores(bench.labels, {REAL: real[0]})
    with pytest.raises(ValueError, match="labels are 1, 0 or NaN, 1 are not, first 2"):
        EventScores(np.where(np.arange(bench.labels.size) == 3, 2.0, bench.labels.ravel()), {})
    with pytest.raises(ValueError, match="3 replicates, or one, are needed, 'real' has 2"):
        bench.told(real=np.repeat(real, 2, axis=0))
    with pytest.raises(ValueError, match="as many sub-samples"):
        bench.told(real=real, fractions={0.5: bench.scores(0.7, 8), 0.8: bench.scores(0.7, 4)})
    with pytest.raises(ValueError, match="'real'"):
        bench.told(augmented=real)


def test_intervals_of_a_change_miss_none_as_rarely_as_they_say():
    missed = planted.missed(100, 20, 10, planted.CHANCE["all together"])
    assert missed[AUROC] <= 12
    assert missed[F1] <= 12


@pytest.mark.slow
@pytest.mark.parametrize("world", planted.WORLDS)
def test_a_better_order_and_a_moved_threshold_are_told_apart(world):
    right = planted.WORLDS[world][1]
    found = [one.verdict for one in planted.found(world, 20, seed=1)]
    # that nothing changes takes more windows to prove; that something does is not to be claimed
    allowed = {right, CANNOT_TELL} if right == NEITHER else {right}
    assert sum(one in allowed for one in found) >= 18
