"""Residuals of a linear learner are foreseen where the process is not linear, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from worlds import autoregressions, threshold_autoregressions

from tsgap import residuals
from tsgap.contexts import features
from tsgap.panel import Floats, Ints
from tsgap.residuals import LEAST, corrected

Process = Callable[[np.random.Generator, int, int], Floats]
CONTEXT, LEADS, ORIGINS = 12, 4, 6


def linear_autoregressions(rng: np.random.Generator, series: int, length: int) -> Floats:
    return autoregressions(rng, series, length, phi=0.7)


def heavy_noise(rng: np.random.Generator, series: int, length: int) -> Floats:
    return rng.standard_t(3, size=(series, length))


def left_by_least_squares(process: Process, *, series: int, length: int, seed: int) -> tuple[Floats, Floats, Ints]:
    """Features and residuals at six origins after the training part and at six more, and whose the windows are."""
    y = process(np.random.default_rng(seed), series, length + 2 * ORIGINS * LEADS)
    taught = sliding_window_view(y[:, :length], CONTEXT + LEADS, axis=1).reshape(-1, CONTEXT + LEADS)
    known = np.column_stack([taught[:, :CONTEXT], np.ones(len(taught))])
    learned = np.linalg.lstsq(known, taught[:, CONTEXT:], rcond=None)[0]
    later = sliding_window_view(y[:, length - CONTEXT :], CONTEXT + LEADS, axis=1)[:, ::LEADS][:, : 2 * ORIGINS]
    contexts, truth = later[..., :CONTEXT], later[..., CONTEXT:]
    left = truth - contexts @ learned[:-1] - learned[-1]
    seen = features(contexts.reshape(-1, CONTEXT), 1).reshape(series, 2, ORIGINS, -1)
    return seen, left.reshape(series, 2, ORIGINS, LEADS), np.repeat(np.arange(series), ORIGINS)


def judged(process: Process, *, series: int, length: int, seed: int = 0, named: bool = True) -> tuple[Floats, Floats]:
    seen, left, whose = left_by_least_squares(process, series=series, length=length, seed=seed)
    inner, test = ((seen[:, k].reshape(-1, seen.shape[-1]), left[:, k].reshape(-1, LEADS)) for k in (0, 1))
    return corrected(*inner, *test, seed=seed, series=whose if named else None)


def share(before: Floats, after: Floats) -> float:
    """R²: the share of the squares that the correction takes away."""
    return float(1 - np.nansum(after) / np.nansum(before))


@pytest.mark.parametrize("named", [True, False])
def test_what_a_linear_learner_leaves_of_a_threshold_process_is_foreseen(named: bool) -> None:
    for seed in range(2):
        found = judged(threshold_autoregressions, series=100, length=200, seed=seed, named=named)
        assert share(*found) > 0.03
        assert share(found[0][:, :1], found[1][:, :1]) > share(*found)  # most of it at the first lead


def test_what_a_well_specified_learner_leaves_is_not_foreseen() -> None:
    found = [share(*judged(linear_autoregressions, series=140, length=300, seed=seed)) for seed in range(2)]
    assert np.abs(found).max() < 0.005


@pytest.mark.parametrize("series", [140, 250])
def test_noise_is_not_foreseen(series: int) -> None:
    found = [share(*judged(heavy_noise, series=series, length=100, seed=seed)) for seed in range(2)]
    assert np.abs(found).max() < 0.005


def test_a_few_windows_of_noise_say_nothing() -> None:
    for seed in range(3):
        assert all(np.isnan(one).all() for one in judged(heavy_noise, series=3, length=100, seed=seed))


def planted(n: int, strength: float, seed: int = 0) -> tuple[Floats, Floats]:
    """Features, and residuals of which the sign of the first one is a known share."""
    rng = np.random.default_rng(seed)
    seen = rng.normal(size=(n, 10))
    return seen, np.sqrt(1 - strength) * rng.normal(size=(n, 3)) + np.sqrt(strength) * np.sign(seen[:, :1])


def test_the_share_that_is_found_is_the_one_that_was_planted() -> None:
    seen, left = planted(6000, 0.2)
    before, after = corrected(seen[:3000], left[:3000], seen[3000:], left[3000:], seed=0, series=np.arange(3000) // 6)
    assert before.tolist() == (left[3000:] ** 2).tolist()
    assert 0.17 < share(before, after) < 0.22


def test_a_forecast_of_residuals_is_believed_by_how_far_it_is_from_chance() -> None:
    """Of n equal residuals, each foreseen exactly, in a unit of its own: 1 − 2²/n."""
    n_trees = len(residuals._TREES)
    for n, believed in ((4, 0.0), (8, 0.5), (400, 0.99)):
        for foreseen in (1.0, 2.0):
            told = np.full((n_trees, n), foreseen)
            factor, _ = residuals._belief(told, np.ones(n), np.arange(n))
            assert factor * foreseen == pytest.approx(believed)
    one_unit = residuals._belief(np.ones((n_trees, 400)), np.ones(400), np.zeros(400, dtype=np.int64))
    assert one_unit[0] == 0
    better = np.outer(1 + np.arange(n_trees), np.ones(400)) / n_trees  # the last one is the residuals themselves
    better[:-1, 1::2] = 0
    assert residuals._belief(better, np.ones(400), np.arange(400)) == (pytest.approx(0.99), residuals._TREES[-1])


def test_where_nothing_is_found_both_are_exactly_the_same() -> None:
    seen, left = planted(1600, 0.0, seed=1)
    before, after = corrected(seen[:800], left[:800], seen[800:], left[800:], seed=0, series=np.arange(800) // 6)
    assert before.tolist() == after.tolist()


@pytest.mark.parametrize(("windows", "lost", "said"), [(LEAST - 1, 0, False), (LEAST, 0, True), (LEAST, 1, False)])
def test_nothing_found_in_few_windows_says_nothing(windows: int, lost: int, said: bool) -> None:
    seen, left = np.zeros((windows, 2)), planted(windows, 0.0)[1]
    left[:lost] = np.nan
    left -= np.nanmean(left, axis=0)
    for one in corrected(seen, left, seen[:50], planted(50, 0.0)[1], seed=0):
        assert np.isnan(one).all() != said


def test_no_inner_residual_says_nothing() -> None:
    seen, left = planted(500, 0.0)
    for one in corrected(seen, np.full((500, 3), np.nan), seen, left, seed=0):
        assert np.isnan(one).all()


def test_missing_residuals_are_left_out_and_stay_missing() -> None:
    seen, left = planted(2000, 0.3)
    inner, test = left[:1000].copy(), left[1000:].copy()
    inner[::3, 1] = np.nan
    test[5, 2] = test[7] = np.nan
    before, after = corrected(seen[:1000], inner, seen[1000:], test, seed=0)
    assert np.isnan(before).tolist() == np.isnan(after).tolist() == np.isnan(test).tolist()
    assert share(before, after) > 0.2


def test_leads_that_no_inner_window_has_are_not_judged() -> None:
    seen, left = planted(2000, 0.3)
    before, after = corrected(seen[:1000], left[:1000, :2], seen[1000:], left[1000:], seed=0)
    assert np.isnan(before[:, 2]).all()
    assert np.isnan(after[:, 2]).all()
    assert share(before[:, :2], after[:, :2]) > 0.2
    inner = left[:1000].copy()
    inner[:, 0] = np.nan
    before, after = corrected(seen[:1000], inner, seen[1000:], left[1000:], seed=0)
    assert np.isnan(after).all(0).tolist() == np.isnan(before).all(0).tolist() == [True, False, False]


def test_a_series_that_repeats_itself_is_not_taken_for_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each series has an error of its own, and nothing that holds for the others."""
    rng = np.random.default_rng(0)
    whose = np.repeat(np.arange(80), 10)
    seen = rng.normal(size=(80, 4))[whose] + 0.01 * rng.normal(size=(800, 4))
    left = rng.normal(size=(80, 3))[whose] + 0.3 * rng.normal(size=(800, 3))
    other = rng.normal(size=(500, 4)), rng.normal(size=(500, 3))
    before, after = corrected(seen, left, *other, seed=0, series=whose)
    assert share(before, after) > -0.005
    monkeypatch.setattr(residuals, "_units", lambda n, series: (np.arange(n), np.arange(n) % 3))
    before, after = corrected(seen, left, *other, seed=0, series=whose)
    assert share(before, after) < -0.1


def test_many_residuals_are_drawn_from_by_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residuals, "SAMPLE", 1500)
    seen, left = planted(3000, 0.3)
    one, again, other = (corrected(seen, left, seen[:99], left[:99], seed=seed)[1].tolist() for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_corrections_do_not_depend_on_what_is_worked_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, left = planted(1200, 0.3)
    whole = corrected(seen, left, seen, left, seed=0)[1]
    monkeypatch.setenv("TSGAP_BLOCK", "1000")
    assert corrected(seen, left, seen, left, seed=0)[1].tolist() == whole.tolist()
