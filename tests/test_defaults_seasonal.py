"""Generators that know the season: phase means, marginals and cycles, against values gathered one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsgap.defaults.seasonal import SPECS, SeasonalBlockBootstrap, SeasonalTemplate, SeasonScramble
from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel
from tsgap.protocols import Generator, GeneratorSpec


def sampled(generator: Generator, panel: Panel, seed: int = 0) -> Panel:
    generator.fit(panel, seed=seed)
    return generator.sample(seed=seed)


def world(length: int = 3000, m: int = 12, seed: int = 0) -> Panel:
    """A season that is not a sine, and noise with a long memory."""
    rng = np.random.default_rng(seed)
    noise = np.zeros(length)
    for t in range(1, length):
        noise[t] = 0.9 * noise[t - 1] + rng.normal()
    shape = rng.normal(0, 5, m)
    return Panel.of({"a": 50 + shape[np.arange(length) % m] + noise, "b": np.arange(100.0)}, freq="MS", seasons=(m,))


def profile(y: Floats, m: int) -> Floats:
    return np.array([y[k::m].mean() for k in range(m)])


def correlation(y: Floats, lag: int, m: int) -> float:
    z = y - profile(y, m)[np.arange(len(y)) % m]
    return float((z[lag:] * z[:-lag]).mean() / z.var())


@given(
    length=st.integers(1, 9),
    m=st.integers(2, 6),
    more=st.integers(0, 40),
    seed=st.integers(0, 999),
)
def test_seasonal_blocks_are_runs_of_the_series_at_their_own_place_in_the_season(
    length: int, m: int, more: int, seed: int
) -> None:
    n = length + 2 * m - 1 + more
    found = sampled(SeasonalBlockBootstrap(length), Panel.of({"a": np.arange(float(n))}, seasons=(m,)), seed)[0]
    assert found.astype(int).tolist() == [int(v) for v in found]
    np.testing.assert_array_equal(found % m, np.arange(n) % m)
    for start in range(0, n, length):
        assert (np.diff(found[start : start + length]) == 1).all()


def test_every_block_of_a_place_in_the_season_is_drawn_alike() -> None:
    real = Panel.of({"a": np.arange(26.0)}, seasons=(4,))
    starts = [sampled(SeasonalBlockBootstrap(5), real, seed)[0][5] for seed in range(1200)]
    counts = {int(s): starts.count(s) for s in set(starts)}
    assert sorted(counts) == [1, 5, 9, 13, 17, 21]  # the second block begins one step into the season
    assert 140 < min(counts.values()) <= max(counts.values()) < 260


def test_seasonal_blocks_keep_the_season_and_lose_memory_beyond_a_block() -> None:
    real = world()
    found = sampled(SeasonalBlockBootstrap(12), real)[0]
    np.testing.assert_allclose(profile(found, 12), profile(real[0], 12), atol=0.7)
    assert correlation(real[0], 12, 12) > 0.2
    assert abs(correlation(found, 12, 12)) < 0.08
    assert correlation(found, 1, 12) == pytest.approx(11 / 12 * correlation(real[0], 1, 12), abs=0.03)


@given(n=st.integers(8, 40), m=st.integers(2, 4), seed=st.integers(0, 999))
def test_a_scrambled_cycle_is_the_cycle_turned(n: int, m: int, seed: int) -> None:
    y = np.random.default_rng(seed).random(n)
    found = sampled(SeasonScramble(), Panel.of({"a": y}, seasons=(m,)), seed)[0]
    for start in range(0, n, m):
        cycle = y[start : start + m].tolist()
        turns = [cycle[k:] + cycle[:k] for k in range(len(cycle))]
        assert found[start : start + m].tolist() in turns


def test_scrambling_loses_the_phase_and_every_turn_is_as_likely() -> None:
    real = world()
    found = sampled(SeasonScramble(), real)[0]
    assert np.ptp(profile(real[0], 12)) > 10
    assert np.ptp(profile(found, 12)) < 3
    firsts = [sampled(SeasonScramble(), Panel.of({"a": np.arange(8.0)}, seasons=(4,)), s)[0][0] for s in range(800)]
    counts = np.bincount(np.array(firsts, dtype=int), minlength=4)
    assert 150 < counts.min() <= counts.max() < 250


def test_a_template_has_the_mean_season_and_the_residuals_in_another_order() -> None:
    real = world(m=7)
    found = sampled(SeasonalTemplate(), real)[0]
    y = real[0]
    expected = profile(y, 7)[np.arange(len(y)) % 7]
    np.testing.assert_allclose(np.sort(found - expected), np.sort(y - expected), atol=1e-9)
    np.testing.assert_allclose(profile(found, 7), profile(y, 7), atol=0.5)
    assert correlation(y, 1, 7) > 0.8
    assert abs(correlation(found, 1, 7)) < 0.05


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_without_a_season_they_refuse(spec: GeneratorSpec) -> None:
    with pytest.raises(ForecastError, match=r"the data have no season \(seasons 1\): give its length"):
        spec.build().fit(Panel.of({"a": np.arange(100.0)}), seed=0)


@pytest.mark.parametrize(("spec", "least"), [(SPECS[0], 24 + 2 * 6 - 1), (SPECS[1], 12), (SPECS[2], 12)])
def test_a_series_that_is_too_short_is_named(spec: GeneratorSpec, least: int) -> None:
    real = Panel.of({"long": np.arange(200.0), "short": np.arange(least - 1.0)}, seasons=(6,))
    message = rf"1 of 2 series have fewer than {least} values, first 'short' \({least - 1} values\): .* needed"
    with pytest.raises(ForecastError, match=message):
        spec.build().fit(real, seed=0)
    enough = Panel.of({"a": np.random.default_rng(0).random(least)}, seasons=(6,))
    assert any(not np.array_equal(sampled(spec.build(), enough, s)[0], enough[0]) for s in range(3))


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_constant_series_stay_as_they_are(spec: GeneratorSpec) -> None:
    real = Panel.of({"a": np.full(50, 0.1), "b": np.zeros(60)}, seasons=(6,))
    np.testing.assert_allclose(sampled(spec.build(), real).values, real.values, rtol=1e-12)


def test_a_block_without_a_step_is_refused() -> None:
    with pytest.raises(ForecastError, match="got length=0"):
        SeasonalBlockBootstrap(0)
