"""Mixtures of real series: convex, on the scale of the twin, aligned at the end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsgap import blocks
from tsgap.defaults.mixing import Mixing
from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel
from tsgap.plugins import registry


def sampled(panel: Panel, seed: int = 0, series: int = 3, alpha: float = 1.5) -> Panel:
    generator = Mixing(series, alpha)
    generator.fit(panel, seed=0)
    return generator.sample(seed=seed)


def scaled(y: Floats) -> Floats:
    return y / np.abs(y).mean()


def shares(made: Floats, of: list[Floats]) -> Floats:
    """Weights by least squares of the series that a mixture is of, after scaling; it must be explained exactly."""
    known = np.column_stack([scaled(y) for y in of])
    found, *_ = np.linalg.lstsq(known, made, rcond=None)
    np.testing.assert_allclose(known @ found, made, atol=1e-9)
    return found


def noise(lengths: list[int], seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    return Panel.of({f"s{i}": (i + 1) * rng.normal(3, 1, n) for i, n in enumerate(lengths)}, seasons=(7,))


def test_a_mixture_is_convex_on_the_scale_of_its_twin_and_of_two_or_three_series() -> None:
    real = noise([50] * 8)
    counts = []
    for seed in range(40):
        for row, made in enumerate(sampled(real, seed)):
            weights = shares(made / np.abs(real[row]).mean(), list(real))
            mixed = np.abs(weights) > 1e-9
            assert mixed[row]
            assert weights.sum() == pytest.approx(1)
            assert weights.min() > -1e-9
            counts.append(int(mixed.sum()))
    assert set(counts) == {2, 3}
    assert 0.4 < np.mean(np.array(counts) == 2) < 0.6


def test_weights_have_the_concentration_that_is_asked_for_and_the_twin_no_more_than_the_others() -> None:
    real = noise([30] * 4)
    for alpha in (0.5, 1.5, 20.0):
        found = [
            shares(sampled(real, seed, series=2, alpha=alpha)[0] / np.abs(real[0]).mean(), list(real))[0]
            for seed in range(500)
        ]
        assert np.mean(found) == pytest.approx(0.5, abs=0.05)
        assert np.var(found) == pytest.approx(0.25 / (2 * alpha + 1), rel=0.2)  # of Beta(α, α)


def test_every_other_series_is_mixed_in_alike() -> None:
    real = noise([30] * 5)
    seen = np.zeros(5)
    for seed in range(600):
        seen += np.abs(shares(sampled(real, seed, series=2)[2] / np.abs(real[2]).mean(), list(real))) > 1e-9
    assert seen[2] == 600
    assert 110 < np.delete(seen, 2).min() <= np.delete(seen, 2).max() < 190


def test_partners_are_at_least_as_long_where_there_are_such_and_ends_are_aligned() -> None:
    real = noise([20, 60, 40, 60, 50])
    for seed in range(50):
        made = sampled(real, seed, series=2)
        for row, partners in ((0, [1, 2, 3, 4]), (4, [1, 3]), (1, [3]), (2, [1, 3, 4])):
            n = len(real[row])
            known = np.column_stack([scaled(real[one])[-n:] for one in (row, *partners)])
            weights, *_ = np.linalg.lstsq(known, made[row] / np.abs(real[row]).mean(), rcond=None)
            np.testing.assert_allclose(known @ weights, made[row] / np.abs(real[row]).mean(), atol=1e-9)
            assert (weights > 1e-9).sum() == 2
            assert weights.sum() == pytest.approx(1)


def test_what_a_shorter_partner_lacks_at_the_start_is_left_to_the_twin() -> None:
    real = noise([60, 20])
    made = sampled(real)[0]
    np.testing.assert_allclose(made[:40], real[0][:40])
    moved = (made - real[0])[40:] / np.abs(real[0]).mean()
    weight = moved / (scaled(real[1]) - scaled(real[0])[40:])
    assert 0 < weight.min() < 1
    assert np.ptp(weight) < 1e-9


def test_values_from_zero_stay_there_and_series_of_zeros_stay_zero() -> None:
    rng = np.random.default_rng(0)
    rows = {f"s{i}": rng.poisson(0.3, 40) for i in range(6)} | {"none": np.zeros(40), "steep": np.exp(np.arange(40.0))}
    for seed in range(20):
        made = sampled(Panel.of(rows), seed)
        assert made.values.min() >= 0
        assert (made[6] == 0).all()


@given(
    lengths=st.lists(st.integers(0, 12), min_size=2, max_size=9).filter(lambda n: sum(k > 0 for k in n) > 1),
    series=st.integers(2, 5),
    alpha=st.sampled_from([1e-4, 1.5, 100.0]),
    seed=st.integers(0, 99),
)
def test_twins_of_ragged_series_are_finite_and_as_long(
    lengths: list[int], series: int, alpha: float, seed: int
) -> None:
    real = noise(lengths, seed)
    made = sampled(real, seed, series, alpha)
    assert made.keys == real.keys
    assert made.lengths.tolist() == lengths
    assert np.isfinite(made.values).all()
    assert sampled(real, seed, series, alpha).fingerprint == made.fingerprint


def test_a_season_that_all_share_stays() -> None:
    t = np.arange(84)
    rng = np.random.default_rng(0)
    rows = {f"s{i}": (i + 1) * (10 + 4 * np.sin(2 * np.pi * t / 12) + rng.normal(0, 0.5, 84)) for i in range(6)}
    real = Panel.of(rows, seasons=(12,))
    for ours, theirs in zip(real, sampled(real), strict=True):
        assert np.corrcoef(ours, theirs)[0, 1] > 0.97
        assert theirs.mean() == pytest.approx(ours.mean(), rel=0.01)


def test_mixtures_do_not_depend_on_what_is_worked_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    real = noise([9, 30, 2, 17, 25])
    whole = sampled(real)
    monkeypatch.setenv(blocks.VARIABLE, "10")
    assert sampled(real).fingerprint == whole.fingerprint


@pytest.mark.parametrize("rows", [{"a": [1.0, 2.0]}, {"a": [1.0, 2.0], "b": []}])
def test_a_single_series_cannot_be_mixed(rows: dict[str, list[float]]) -> None:
    with pytest.raises(ForecastError, match=rf"1 of {len(rows)} series have a value: a mixture is of at least 2"):
        Mixing().fit(Panel.of(rows), seed=0)


def test_parameters_that_make_no_mixture_are_refused() -> None:
    with pytest.raises(ForecastError, match="got series=1"):
        Mixing(series=1)
    with pytest.raises(ForecastError, match="got alpha=0"):
        Mixing(alpha=0)


def test_it_is_offered_by_name() -> None:
    assert registry().generators["mixing"].spec.build is Mixing
