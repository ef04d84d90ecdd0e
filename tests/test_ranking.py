"""Statistics of orderings and calls, against scikit-learn; influences against its derivatives by sample weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from tsgap.gap import Clusters
from tsgap.ranking import (
    AUROC,
    BEST_BALANCED,
    BEST_F1,
    F1,
    Pairs,
    Ranked,
    auprc,
    auroc,
    balanced_accuracy,
    best_calls,
    combined,
    f1,
)

ORDERINGS = {auroc: metrics.roc_auc_score, auprc: metrics.average_precision_score}
CALLS = {f1: metrics.f1_score, balanced_accuracy: metrics.balanced_accuracy_score}


def tied(seed: int, n: int = 120):
    """Labels with both kinds, and scores with many ties."""
    rng = np.random.default_rng(seed)
    events = rng.random(n) < 0.2
    events[:2] = True, False
    return events, np.round(rng.normal(size=n) + events, 1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
@pytest.mark.parametrize("ours", [*ORDERINGS, *CALLS])
def test_a_statistic_and_its_influence_are_those_of_scikit_learn(ours, seed):
    events, scores = tied(seed)
    given = scores if ours in ORDERINGS else scores >= 0.5
    theirs = {**ORDERINGS, **CALLS}[ours]
    value, influence = ours(events, Ranked.of(scores) if ours in ORDERINGS else given)
    assert value == pytest.approx(theirs(events, given), abs=1e-12)
    assert influence.sum() == pytest.approx(0, abs=1e-12)
    for pair in (0, 1, seed % len(events)):
        more, less = np.ones(len(events)), np.ones(len(events))
        more[pair] += 1e-4
        less[pair] -= 1e-4
        slope = (theirs(events, given, sample_weight=more) - theirs(events, given, sample_weight=less)) / 2e-4
        assert influence[pair] == pytest.approx(slope, abs=1e-7)


def test_no_call_at_all_has_an_f1_of_0():
    events, scores = tied(0)
    assert f1(events, scores > 99)[0] == 0


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6))
def test_the_best_calls_are_those_of_all_that_there_are(seed):
    events, scores = tied(seed, 60)
    found = best_calls(events, scores)
    for name, theirs in ((BEST_F1, metrics.f1_score), (BEST_BALANCED, metrics.balanced_accuracy_score)):
        best = max(theirs(events, scores >= at) for at in scores)
        assert theirs(events, scores >= found[name]) == pytest.approx(best, abs=1e-12)


def test_a_best_call_lies_midway_to_the_next_score():
    events = np.array([True, True, False, False])
    assert best_calls(events, np.array([4.0, 3.0, 1.0, 0.0])) == {BEST_F1: 2.0, BEST_BALANCED: 2.0}
    with_worst = best_calls(events, np.array([4.0, 3.0, -np.inf, -np.inf]))
    assert with_worst == {BEST_F1: 3.0, BEST_BALANCED: 3.0}


def crossed(series: int, blocks: int, leads: int, seed: int, *, shared: float = 0.0):
    """Pairs of windows series by series, their clusters, what drives the truth (M,) and a source of chance."""
    rng = np.random.default_rng(seed)
    n = series * blocks
    of_block = np.tile(rng.normal(size=blocks), series)
    drive = np.sqrt(1 - shared) * rng.normal(size=(n, leads)) + np.sqrt(shared) * of_block[:, None]
    truth = drive + rng.normal(size=(n, leads))
    pairs = Pairs((truth > np.quantile(truth, 0.9)).ravel(), np.repeat(np.arange(n), leads), n)
    at = (ids.ravel() for ids in np.indices((series, blocks)))
    return pairs, Clusters.of(*at, np.arange(3)), drive.ravel(), rng


def test_an_interval_is_near_that_of_leaving_out_each_series():
    pairs, clusters, drive, rng = crossed(30, 6, 3, 0)
    scores = drive + rng.normal(size=len(drive))
    one_block = Clusters.of(clusters.series, np.zeros(len(clusters.series)), np.zeros(1))
    found = pairs.estimated(pairs.orderings(scores[None])[AUROC], one_block)
    series = clusters.series[pairs.window]
    left = [metrics.roc_auc_score(pairs.events[series != i], scores[series != i]) for i in range(30)]
    jackknife = np.sqrt(29 / 30 * ((left - np.mean(left)) ** 2).sum())
    by_series = np.sqrt(found.parts[0] + found.parts[1])
    assert by_series[0] == pytest.approx(jackknife, rel=0.1)


def test_draws_that_differ_widen_an_interval():
    pairs, clusters, drive, rng = crossed(20, 10, 2, 1)
    scores = np.stack([drive + noise * rng.normal(size=len(drive)) for noise in (0.2, 1.0, 3.0)])
    several = pairs.estimated(pairs.orderings(scores)[AUROC], clusters)
    assert several.value[0] == pytest.approx(np.mean([metrics.roc_auc_score(pairs.events, of) for of in scores]))
    assert several.parts[3, 0] > 0
    assert pairs.estimated(pairs.orderings(scores[:1])[AUROC], clusters).parts[3, 0] == 0


def test_calls_chosen_for_each_draw_are_used_for_it():
    pairs, _, drive, rng = crossed(10, 10, 2, 2)
    scores = np.stack([drive + rng.normal(size=len(drive)) for _ in range(3)])
    cuts = [{BEST_F1: at, BEST_BALANCED: at / 2} for at in (0.5, 1.0, 1.5)]
    found = pairs.calls(scores, 1.2, cuts)
    of = [metrics.f1_score(pairs.events, one >= cut[BEST_F1]) for one, cut in zip(scores, cuts, strict=True)]
    assert found[BEST_F1].value[0] == pytest.approx(np.mean(of))
    assert found[F1].value[0] == pytest.approx(np.mean([metrics.f1_score(pairs.events, one >= 1.2) for one in scores]))
    assert set(pairs.calls(scores, 1.2, None)) < set(found)


def test_what_no_pair_has_an_influence_on_is_not_known():
    pairs, clusters, _, _ = crossed(10, 5, 2, 3)
    perfect = pairs.orderings(pairs.events[None].astype(float))[AUROC]
    assert pairs.estimated(perfect, clusters).value[0] == 1
    assert pairs.estimated(perfect, clusters).se[0] == np.inf
    nothing = combined((1, perfect), (-1, perfect))
    assert pairs.estimated(nothing, clusters, exact=True).se[0] == 0


def test_draws_of_their_own_are_no_replicates_of_the_others():
    pairs, clusters, drive, rng = crossed(10, 5, 2, 4)
    scores = np.stack([drive + rng.normal(size=len(drive)) for _ in range(8)])
    one = pairs.orderings(scores)[AUROC]
    of_one = Clusters.of(clusters.series, clusters.blocks, np.zeros(3))
    assert pairs.estimated(one, of_one, further=8).counts.replicates == 8
    assert pairs.estimated(one.minus(pairs.orderings(scores[:3])[AUROC]), clusters, further=8).counts.replicates == 11


def test_windows_in_which_nothing_is_called_and_nothing_comes_count_nonetheless():
    pairs, clusters, drive, _ = crossed(40, 20, 2, 5)
    quiet = np.isin(clusters.series, np.arange(10, 40))[pairs.window]
    few = Pairs(pairs.events & ~quiet, pairs.window, pairs.windows)
    scores = np.where(quiet, -9.0, drive)[None]
    found = few.estimated(few.calls(scores, 1.0, None)[F1], clusters)
    assert found.counts.series == 40
    assert found.df[0] > 5
    own = ~np.isin(clusters.series, np.arange(10, 40))
    left = Pairs(few.events[~quiet], np.unique(pairs.window[~quiet], return_inverse=True)[1], int(own.sum()))
    alone = Clusters.of(clusters.series[own], clusters.blocks[own], np.zeros(1))
    right = left.estimated(left.calls(scores[:, ~quiet], 1.0, None)[F1], alone)
    assert found.value[0] == right.value[0]
    assert found.se[0] == pytest.approx(right.se[0], rel=0.1)


def test_an_f1_of_events_that_few_series_have_is_known_in_few_blocks():
    pairs, clusters, drive, _ = crossed(40, 5, 2, 6)
    late = (clusters.blocks == 4)[pairs.window]
    few = Pairs(pairs.events & ~late, pairs.window, pairs.windows)
    found = few.estimated(few.calls(np.where(late, -9.0, drive)[None], 1.0, None)[F1], clusters)
    assert np.isfinite(found.half()[0])
