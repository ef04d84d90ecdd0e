"""The known-answer generators: each keeps what it says and destroys the rest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsgap.defaults import generators
from tsgap.defaults.generators import SPECS, BlockBootstrap, STLBootstrap, blocks
from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel
from tsgap.protocols import Generator, GeneratorSpec

BY_NAME = {spec.name: spec for spec in SPECS}


def sampled(generator: Generator, panel: Panel, seed: int = 0) -> Panel:
    generator.fit(panel, seed=seed)
    return generator.sample(seed=seed)


def world(season: int = 12, n: int = 4, length: int = 150) -> Panel:
    rng = np.random.default_rng(0)
    t = np.arange(length)
    rows = {
        f"s{i}": 100 + 0.3 * t + 20 * np.sin(2 * np.pi * (t + i) / season) + rng.normal(0, 3, length + 0)
        for i in range(n)
    }
    return Panel.of(rows, freq="MS", seasons=(season,))


def autocorrelation(y: Floats, lag: int) -> float:
    z = y - y.mean()
    return float((z[lag:] * z[:-lag]).mean() / (z * z).mean())


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_a_sample_has_the_keys_and_lengths_of_the_real_series_and_is_made_by_seed(spec: GeneratorSpec) -> None:
    real = world()
    one, again, other = (sampled(spec.build(), real, seed) for seed in (1, 1, 2))
    assert (one.keys, one.series, one.freq, one.seasons) == (real.keys, real.series, real.freq, real.seasons)
    assert one.lengths.tolist() == real.lengths.tolist()
    assert one.fingerprint == again.fingerprint
    assert (one.fingerprint == other.fingerprint) == spec.deterministic
    generator = spec.build()
    generator.fit(real, seed=9)
    assert generator.sample(seed=1).fingerprint == one.fingerprint


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_a_sample_is_made_series_by_series_in_their_order_from_one_source_of_chance(spec: GeneratorSpec) -> None:
    real = Panel.of(
        {"a": np.arange(40.0) % 7, "none": [], "b": 3 + np.arange(35.0) % 5, "c": np.ones(50)}, seasons=(7,)
    )
    generator = spec.build()
    generator.fit(real.take([0, 2, 3]), seed=0)
    rng = np.random.default_rng(5)
    expected = [generator.transform(real[i], rng) for i in (0, 2, 3)]
    assert generator.sample(seed=5).values.tolist() == np.concatenate(expected).tolist()
    assert len(sampled(generators.shuffle(), real)) == 4


def test_a_shuffle_of_today_is_that_of_yesterday() -> None:
    real = Panel.of({"a": np.arange(6.0), "b": np.arange(5.0)})
    assert sampled(generators.shuffle(), real, 3).values.tolist() == [
        2.0,
        5.0,
        4.0,
        1.0,
        3.0,
        0.0,
        3.0,
        0.0,
        2.0,
        1.0,
        4.0,
    ]


def test_what_is_made_of_a_series_must_be_as_long_as_it() -> None:
    with pytest.raises(ForecastError, match=r"series 's0' has 150 values, what was made of it \(149,\)"):
        sampled(generators.PerSeries(lambda y, rng: y[1:]), world())


def test_a_copy_is_exact() -> None:
    assert sampled(generators.copy(), world()).fingerprint == world().fingerprint


def test_a_shuffle_keeps_the_values_of_each_series_and_no_memory() -> None:
    real = Panel.of({"a": np.sin(np.arange(4000) / 9), "b": np.arange(4000.0)})
    found = sampled(generators.shuffle(), real)
    for ours, theirs in zip(real, found, strict=True):
        assert sorted(ours) == sorted(theirs)
        assert max(abs(autocorrelation(theirs, lag)) for lag in range(1, 20)) < 0.08


def test_orders_of_a_shuffle_are_all_alike() -> None:
    real = Panel.of({"a": [1.0, 2.0, 3.0]})
    counts: dict[tuple[float, ...], int] = {}
    for seed in range(1200):
        order = tuple(sampled(generators.shuffle(), real, seed)[0])
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert 140 < min(counts.values()) <= max(counts.values()) < 260


@given(length=st.integers(1, 12), n=st.integers(1, 60), seed=st.integers(0, 999))
@settings(deadline=None)
def test_blocks_are_runs_of_the_series_joined(length: int, n: int, seed: int) -> None:
    found = blocks(np.arange(float(n)), length, np.random.default_rng(seed))
    assert len(found) == n
    assert set(found) <= set(range(n))
    for start in range(0, n, length):
        assert (np.diff(found[start : start + min(length, n)]) == 1).all()


def test_blocks_start_anywhere_alike() -> None:
    starts = np.concatenate([blocks(np.arange(20.0), 5, np.random.default_rng(s))[::5] for s in range(800)])
    counts = np.bincount(starts.astype(int))
    assert len(counts) == 16
    assert 150 < counts.min() <= counts.max() < 250


def test_memory_shrinks_with_the_lag_and_ends_with_the_block() -> None:
    """The expected autocorrelation is (1 − k/L) of the real one, up to the share of the series' mean."""
    rng = np.random.default_rng(0)
    y = np.zeros(200_000)
    e = rng.normal(size=len(y))
    for t in range(1, len(y)):
        y[t] = 0.95 * y[t - 1] + e[t]
    found = sampled(BlockBootstrap(20), Panel.of({"a": y}))[0]
    for lag in (1, 5, 10, 15, 20, 30):
        wanted = max(0.0, 1 - lag / 20) * 0.95**lag
        assert autocorrelation(found, lag) == pytest.approx(wanted, abs=0.03)


def test_a_series_no_longer_than_a_block_is_refused_and_not_copied() -> None:
    real = Panel.of({"long": np.arange(50.0), "short": np.arange(20.0)})
    with pytest.raises(ForecastError, match=r"1 of 2 series are not longer than a block of 24 .*'short' \(20 values\)"):
        sampled(BlockBootstrap(), real)
    assert sampled(BlockBootstrap(19), real).keys == ("long", "short")
    with pytest.raises(ForecastError, match="got length=0"):
        BlockBootstrap(0)


def test_the_stl_bootstrap_keeps_trend_and_season_and_resamples_the_rest() -> None:
    real = world()
    found = [sampled(STLBootstrap(), real, seed) for seed in range(30)]
    t = np.arange(150)
    for i in range(4):
        known = 100 + 0.3 * t + 20 * np.sin(2 * np.pi * (t + i) / 12)
        mean = np.mean([p[i] for p in found], axis=0)
        assert np.corrcoef(mean, known)[0, 1] > 0.99
        rest = np.concatenate([p[i] - known for p in found])
        assert 2 < rest.std() < 4
        ours = real[i] - known
        assert np.mean([np.corrcoef(p[i] - known, ours)[0, 1] for p in found]) < 0.5


def test_positive_series_stay_positive() -> None:
    rng = np.random.default_rng(0)
    rows = {"wild": np.exp(2 * rng.normal(size=120)), "big": 1e8 * rng.gamma(0.5, 1, 120), "small": rng.random(120)}
    for seed in range(5):
        assert sampled(STLBootstrap(), Panel.of(rows, seasons=(12,)), seed).values.min() > 0


@pytest.mark.parametrize("season", [1, 2, 12, 24])
@pytest.mark.parametrize("spec", [BY_NAME["copy"], BY_NAME["shuffle"], BY_NAME["stl-bootstrap"]], ids=lambda s: s.name)
def test_hard_series_are_drawn_too(season: int, spec: GeneratorSpec) -> None:
    rng = np.random.default_rng(0)
    rows = {
        "constant": np.full(40, 3.0),
        "zero": np.zeros(40),
        "one": [2.0],
        "three": [1.0, 2.0, 4.0],
        "just": rng.random(2 * season + 1),
        "zeros": np.where(rng.random(60) < 0.3, 0, rng.gamma(2, 1, 60)),
        "negative": rng.normal(size=60),
        "nearly": 1e6 + rng.normal(size=60) * 1e-6,
        "steep": np.exp(np.linspace(0, 60, 60)),
        "empty": [],
    }
    real = Panel.of(rows, seasons=(season,))
    found = sampled(spec.build(), real)
    assert found.lengths.tolist() == real.lengths.tolist()
    for key in ("constant", "zero", "one"):
        row = real.keys.index(key)
        np.testing.assert_allclose(found[row], real[row], rtol=1e-12)


def test_a_short_series_is_resampled_and_not_copied() -> None:
    y = np.random.default_rng(0).random(20)
    found = sampled(STLBootstrap(), Panel.of({"a": y}, seasons=(12,)))[0]
    assert not np.array_equal(found, y)
    np.testing.assert_allclose(found, y[np.abs(found[:, None] - y).argmin(1)])  # each is one of the values
