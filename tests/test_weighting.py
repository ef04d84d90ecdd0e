"""Real stretches weigh what planted density ratios say, and nothing where both sides are alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import autoregressions

from tsgap import blocks, weighting
from tsgap.additive import Grouping
from tsgap.errors import UsageError
from tsgap.footing import count_pairs
from tsgap.panel import Floats, Ints, Panel
from tsgap.weighting import CLIP, Ratio, classes, density_ratio, drawn, kish


def panel_of(rows: Floats) -> Panel:
    return Panel.of({f"s{i}": y for i, y in enumerate(rows)})


def stretches(lengths: Ints, context: int, leads: int, step: int) -> Grouping:
    found = [
        (row, first, min(step, windows - first))
        for row, windows in enumerate(count_pairs(lengths, context, leads).tolist())
        for first in range(0, windows, step)
    ]
    row, first, windows = np.array(found).T
    return Grouping(lengths, row, first, windows, np.zeros_like(row), context, leads)


def weighed(
    real: Panel, synthetic: Panel, *, context: int = 24, leads: int = 6, step: int = 8, seed: int = 0
) -> tuple[Ratio, Grouping]:
    of = stretches(real.lengths, context, leads, step)
    return density_ratio(real.take, synthetic.take, of, synthetic.lengths, season=1, seed=seed), of


def regimes(rng: np.random.Generator, series: int, share: float) -> tuple[Floats, Floats]:
    """Series of which a share varies three times as much, in random order, and which ones those are."""
    wild = rng.permutation(np.arange(series) < round(series * share))
    return np.where(wild, 3, 1)[:, None] * autoregressions(rng, series, 200, phi=0.7), wild


def test_weights_are_the_known_ratio_of_two_densities() -> None:
    """Of N(½, 1) to N(0, 1) at x: exp(x/2 − 1/8)."""
    rng = np.random.default_rng(0)
    real = panel_of(rng.normal(size=(40, 200)))
    synthetic = panel_of(rng.normal(size=(40, 200)) + 0.5)
    found, of = weighed(real, synthetic, context=1, leads=1, step=1)
    row, first = of.row, of.first
    truth = np.clip(np.exp(real.values[real.offsets[row] + first] / 2 - 1 / 8), 1 / CLIP, CLIP)
    assert np.abs(np.log(found.weights / truth)).mean() < 0.05
    assert found.auc == pytest.approx(0.638, abs=0.02)  # Φ(½ / √2)
    assert found.effective == pytest.approx(np.exp(-1 / 4), abs=0.03)


def test_a_rare_regime_that_the_synthetic_series_show_more_often_weighs_more() -> None:
    rng = np.random.default_rng(1)
    (real, wild), (synthetic, _) = regimes(rng, 60, 0.1), regimes(rng, 60, 0.4)
    found, of = weighed(panel_of(real), panel_of(synthetic))
    row, windows = of.row, of.windows
    mine = wild[row]
    assert np.average(found.weights[mine], weights=windows[mine]) == pytest.approx(0.4 / 0.1, rel=0.2)
    assert np.average(found.weights[~mine], weights=windows[~mine]) == pytest.approx(0.6 / 0.9, rel=0.1)
    assert found.effective == pytest.approx(0.5, abs=0.12)
    assert found.weights @ windows == pytest.approx(windows.sum())
    assert found.weights.max() / found.weights.min() <= CLIP**2 * (1 + 1e-9)


@pytest.mark.parametrize("series", [20, 60])
def test_panels_of_one_process_weigh_everything_alike(series: int) -> None:
    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        real, synthetic = (panel_of(autoregressions(rng, series, 150, phi=0.7)) for _ in range(2))
        found.append(weighed(real, synthetic)[0])
    assert np.mean([one.effective for one in found]) > 0.97
    assert sum((one.weights == 1).all() and one.auc == 0.5 for one in found) >= 3


def test_series_that_differ_among_themselves_are_no_reason_to_weigh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A classifier that saw the series it weighs would know each again by its level."""

    def effective() -> float:
        found = []
        for seed in range(4):
            rng = np.random.default_rng(seed)
            sides = []
            for _ in range(2):
                level, size = 2 * rng.normal(size=(30, 1)), np.exp(0.5 * rng.normal(size=(30, 1)))
                sides.append(panel_of(level + size * autoregressions(rng, 30, 200, phi=0.7)))
            found.append(weighed(*sides)[0].effective)
        return float(np.mean(found))

    assert effective() > 0.98
    monkeypatch.setattr(weighting, "_fold", lambda _, row, at: (7 * row + at // 8) % weighting.FOLDS)
    assert effective() < 0.9


def test_twins_are_not_told_from_their_series_by_their_level() -> None:
    rng = np.random.default_rng(0)
    real = 100 * rng.normal(size=(12, 1)) + autoregressions(rng, 12, 200, phi=0.7)
    assert weighed(panel_of(real), panel_of(real + 0.05 * rng.normal(size=real.shape)))[0].effective > 0.99


def test_series_without_anything_in_common_leave_no_effective_share() -> None:
    rng = np.random.default_rng(0)
    real = autoregressions(rng, 20, 150, phi=0.7)
    found, _ = weighed(panel_of(real), panel_of(autoregressions(rng, 20, 150, phi=0.7) + 30))
    assert found.effective < 0.01
    assert found.auc > 0.99


def test_a_single_series_is_weighed_by_classifiers_that_learned_from_other_times() -> None:
    rng = np.random.default_rng(0)
    real, synthetic = (panel_of(autoregressions(rng, 1, 800, phi=0.5)) for _ in range(2))
    assert weighed(real, synthetic)[0].effective > 0.8
    found, _ = weighed(real, panel_of(5 + synthetic.values[None]))
    assert found.auc > 0.95


def test_the_seed_decides_and_blocks_do_not_and_no_more_than_a_block_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(weighting, "SAMPLE", 500)
    rng = np.random.default_rng(1)
    (a, _), (b, _) = regimes(rng, 30, 0.1), regimes(rng, 30, 0.4)
    real, synthetic = panel_of(a), panel_of(b)
    one, again, other = (weighed(real, synthetic, seed=seed)[0] for seed in (1, 1, 2))
    assert one.weights.tolist() == again.weights.tolist()
    assert one.weights.tolist() != other.weights.tolist()

    monkeypatch.setenv(blocks.VARIABLE, "700")
    asked: list[int] = []

    def read(rows: Ints) -> Panel:
        asked.append(int(real.lengths[rows].sum()))
        return real.take(rows)

    of = stretches(real.lengths, 24, 6, 8)
    found = density_ratio(read, synthetic.take, of, synthetic.lengths, season=1, seed=1)
    np.testing.assert_allclose(found.weights, one.weights, rtol=1e-9)
    assert max(asked) <= 700


@pytest.mark.parametrize("side", ["real", "synthetic"])
def test_a_side_with_hardly_a_window_is_refused(side: str) -> None:
    rows = panel_of(np.ones((6, 40)))
    short = panel_of(np.ones((2, 31)))
    real, synthetic = (short, rows) if side == "real" else (rows, short)
    with pytest.raises(UsageError, match=rf"4 windows of 24 values and 6 more lie in the 2 {side} series.*takes 50"):
        weighed(real, synthetic)


def test_constant_series_on_both_sides_weigh_alike() -> None:
    found, _ = weighed(panel_of(np.ones((6, 60))), panel_of(np.ones((6, 60))))
    assert (found.weights == 1).all()
    assert found.effective == 1


def test_kish_counts_windows() -> None:
    assert kish(np.array([1.0, 0.0]), np.array([1, 3])) == 0.25
    assert kish(np.full(5, 3.0), np.arange(1, 6)) == pytest.approx(1)


@given(seed=st.integers(0, 200), n=st.integers(1, 20), size=st.integers(1, 60))
def test_classes_keep_the_sum_of_weights_and_change_none_by_much(seed: int, n: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    weights, windows = np.exp(rng.normal(size=size)), rng.integers(1, 9, size)
    number, mean = classes(weights, windows, n)
    assert mean[number] @ windows == pytest.approx(weights @ windows)
    assert np.unique(number).tolist() == list(range(len(mean)))
    assert len(mean) <= n
    assert np.abs(np.log(mean[number] / weights)).max() <= np.ptp(np.log(weights)) / n + 1e-9


def test_equal_weights_are_one_class_and_weights_of_zero_are_in_none() -> None:
    number, mean = classes(np.ones(4), np.array([1, 2, 3, 4]))
    assert number.tolist() == [0, 0, 0, 0]
    assert mean.tolist() == [1]
    with pytest.raises(UsageError, match="finite and above 0"):
        classes(np.array([0.0, 1.0]), np.array([1, 1]))


def ragged(seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    return Panel.of({f"s{i}": rng.normal(size=n) for i, n in enumerate([40, 9, 25, 60])}, seasons=(7,))


def windows_in(panel: Panel, context: int, leads: int) -> list[tuple[float, ...]]:
    width = context + leads
    return sorted(tuple(y[t : t + width].tolist()) for y in panel for t in range(len(y) - width + 1))


def test_equal_weights_and_as_many_pairs_are_the_panel_once_more() -> None:
    real = ragged()
    of = stretches(real.lengths, 4, 2, 7)
    for times in (1, 2):
        pairs = times * int(of.windows.sum())
        found = drawn(of, np.ones(len(of.row)), real, pairs=pairs, seed=3)
        assert windows_in(found, 4, 2) == sorted(times * windows_in(real, 4, 2))
        assert set(found.series) == {"s0", "s1", "s2", "s3"}
        assert found.seasons == (7,)


@given(seed=st.integers(0, 300), pairs=st.integers(1, 400), step=st.integers(1, 30))
def test_exactly_as_many_pairs_are_drawn_as_are_asked_for_and_all_of_them_are_real(
    seed: int, pairs: int, step: int
) -> None:
    real = ragged()
    of = stretches(real.lengths, 4, 2, step)
    weights = np.exp(2 * np.random.default_rng(seed).normal(size=len(of.row)))
    found = drawn(of, weights, real, pairs=pairs, seed=seed)
    assert count_pairs(found.lengths, 4, 2).sum() == pairs
    assert found.lengths.min() >= 6
    assert set(windows_in(found, 4, 2)) <= set(windows_in(real, 4, 2))
    assert found.keys[0] == "again 0"


@pytest.mark.parametrize("pairs", [40, 300])
def test_a_window_is_drawn_as_often_as_it_weighs(pairs: int) -> None:
    real = ragged()
    of = stretches(real.lengths, 4, 2, 7)
    row, first, windows = of.row, of.first, of.windows
    weights = np.exp(np.random.default_rng(1).normal(size=len(row)))
    counts = np.zeros(len(row))
    place = {real.values[real.offsets[r] + f]: i for i, (r, f) in enumerate(zip(row, first, strict=True))}
    runs = 600
    for seed in range(runs):
        found = drawn(of, weights, real, pairs=pairs, seed=seed)
        for y, n in zip(found, count_pairs(found.lengths, 4, 2).tolist(), strict=True):
            counts[place[y[0]]] += n / runs
    expected = pairs * weights * windows / (weights @ windows)
    np.testing.assert_allclose(counts, expected, rtol=0.12, atol=0.12)


def test_stretches_of_no_weight_are_not_drawn() -> None:
    real = ragged()
    of = stretches(real.lengths, 4, 2, 7)
    weights = np.where(of.row == 3, 1.0, 0.0)
    assert set(drawn(of, weights, real, pairs=33, seed=0).series) == {"s3"}


@pytest.mark.parametrize(("weight", "pairs"), [(0.0, 5), (np.nan, 5), (-1.0, 5), (1.0, 0)])
def test_what_cannot_be_drawn_is_refused(weight: float, pairs: int) -> None:
    real = ragged()
    of = stretches(real.lengths, 4, 2, 7)
    with pytest.raises(UsageError, match="cannot be drawn" if pairs == 0 else "must be finite, none below 0"):
        drawn(of, np.full(len(of.row), weight), real, pairs=pairs, seed=0)
