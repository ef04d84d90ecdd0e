"""Simulated series, against scipy, statsmodels and processes that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, signal
from statsmodels.tsa.holtwinters import ExponentialSmoothing
from statsmodels.tsa.stattools import acf

from tsgap.defaults.simulations import SPECS, ARSieve, ETSSimulation, Smoothing, yule_walker
from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel
from tsgap.protocols import Generator, GeneratorSpec


def sampled(generator: Generator, panel: Panel, seed: int = 0) -> Panel:
    generator.fit(panel, seed=seed)
    return generator.sample(seed=seed)


def autoregression(a: list[float], n: int = 8000, seed: int = 0) -> Floats:
    noise = np.random.default_rng(seed).normal(size=n + 500)
    return np.asarray(signal.lfilter([1.0], [1.0, *(-x for x in a)], noise)[500:] + 30)


@pytest.mark.parametrize("order", [0, 1, 2, 7, 40])
def test_coefficients_solve_the_equations_of_yule_and_walker(order: int) -> None:
    y = autoregression([0.5, 0.2], 200)
    z = y - y.mean()
    g = np.array([z[: 200 - k] @ z[k:] for k in range(order + 1)]) / 200
    a, variance = yule_walker(z, order)[-1]
    wanted = linalg.solve_toeplitz(g[:order], g[1:]) if order else np.zeros(0)
    np.testing.assert_allclose(a, wanted, rtol=1e-8, atol=1e-10)
    assert variance == pytest.approx(g[0] - wanted @ g[1:])


def test_a_sieve_keeps_dependence_up_to_its_order() -> None:
    y = autoregression([0.6, 0.0, 0.3])
    found = sampled(ARSieve(3), Panel.of({"a": y}))[0]
    np.testing.assert_allclose(acf(found, nlags=10), acf(y, nlags=10), atol=0.06)
    assert found.mean() == pytest.approx(y.mean(), abs=1)
    assert found.std() == pytest.approx(y.std(), rel=0.1)


def test_a_sieve_loses_dependence_beyond_its_order() -> None:
    season = autoregression([0.0] * 11 + [0.9])
    assert acf(season, nlags=12)[12] > 0.85
    assert abs(acf(sampled(ARSieve(2), Panel.of({"a": season}))[0], nlags=12)[12]) < 0.05
    assert acf(sampled(ARSieve(), Panel.of({"a": season}))[0], nlags=12)[12] > 0.8


def test_nonlinear_dependence_is_lost() -> None:
    y = np.empty(4000)
    y[0] = 0.3
    for t in range(1, len(y)):
        y[t] = 3.9999 * y[t - 1] * (1 - y[t - 1])
    found = sampled(ARSieve(), Panel.of({"a": y}))[0]
    fit = np.polynomial.Polynomial.fit(found[:-1], found[1:], 2)
    assert (found[1:] - fit(found[:-1])).var() / found.var() > 0.9


def test_the_order_is_found_where_none_is_given() -> None:
    for a in ([0.7], [0.5, -0.6], [0.0, 0.0, 0.0, 0.8]):
        z = autoregression(a, 3000)
        found = len(ARSieve().coefficients(z - z.mean()))
        assert len(a) <= found <= len(a) + 6
        np.testing.assert_allclose(ARSieve().coefficients(z - z.mean())[: len(a)], a, atol=0.06)


def test_an_order_of_0_is_the_values_drawn_again_and_again() -> None:
    y = autoregression([0.9], 500)
    found = sampled(ARSieve(0), Panel.of({"a": y}))[0]
    assert np.abs(found[:, None] - y).min(1).max() < 1e-9
    assert len(np.unique(found)) < 0.75 * len(y)
    assert abs(acf(found, nlags=1)[1]) < 0.15


def test_a_series_that_is_too_short_for_the_order_is_named() -> None:
    real = Panel.of({"long": autoregression([0.5], 50), "short": np.arange(16.0)})
    with pytest.raises(ForecastError, match=r"1 of 2 series have fewer than 17 values, first 'short' \(16 values\)"):
        ARSieve(8).fit(real, seed=0)
    assert np.isfinite(sampled(ARSieve(7), real).values).all()
    with pytest.raises(ForecastError, match="got order=-1"):
        ARSieve(-1)


@pytest.mark.parametrize("m", [1, 7])
def test_smoothing_has_the_weights_and_residuals_of_statsmodels(m: int) -> None:
    rng = np.random.default_rng(0)
    y = 100 + np.cumsum(rng.normal(0, 0.4, 400)) + np.tile(rng.normal(0, 8, m), 400)[:400] + rng.normal(size=400)
    model = Smoothing.fitted(y, m)
    states = {"initial_level": model.level, "initialization_method": "known"}
    if m > 1:
        states |= {"initial_seasonal": model.season, "seasonal": "add", "seasonal_periods": m}
    theirs = ExponentialSmoothing(y, **states)
    found = theirs.fit(
        smoothing_level=model.level_weight,
        smoothing_seasonal=model.season_weight if m > 1 else None,
        optimized=False,
    )
    np.testing.assert_allclose(model.residuals, found.resid, rtol=1e-6, atol=1e-8)
    assert found.sse <= 1.001 * theirs.fit().sse
    assert 0.05 < model.level_weight < 0.8


@pytest.mark.parametrize("m", [1, 4, 7])
def test_a_run_on_the_residuals_of_the_series_is_the_series(m: int) -> None:
    rng = np.random.default_rng(1)
    y = 50 + np.cumsum(rng.normal(size=61)) + np.tile(rng.normal(0, 8, m), 61)[:61]
    model = Smoothing.fitted(y, m)
    np.testing.assert_allclose(model.run(model.residuals), y, rtol=1e-9)


@pytest.mark.parametrize("m", [1, 5])
def test_a_run_is_the_recursion_of_states_step_by_step(m: int) -> None:
    rng = np.random.default_rng(0)
    model = Smoothing(0.3, 0.2, 10.0, rng.normal(size=m), np.zeros(0))
    errors = rng.normal(size=23)
    level, season, wanted = model.level, model.season.tolist(), []
    for t, error in enumerate(errors):
        wanted.append(level + season[t % m] + error)
        level += 0.3 * error
        season[t % m] += 0.2 * error
    np.testing.assert_allclose(model.run(errors), wanted)


def test_simulated_smoothing_keeps_season_and_level_changes_and_not_the_series() -> None:
    rng = np.random.default_rng(0)
    shape = 10 * np.sin(2 * np.pi * np.arange(12) / 12)
    rows = {str(i): 100 + np.tile(shape, 20) + np.cumsum(rng.normal(0, 0.5, 240)) for i in range(12)}
    real = Panel.of(rows, freq="MS", seasons=(12,))
    found = sampled(ETSSimulation(), real)
    for y, z in zip(real, found, strict=True):
        changes = z[12:] - z[:-12]
        assert 0.3 < changes.std() / (y[12:] - y[:-12]).std() < 3
        early = z[:48].reshape(4, 12)
        assert np.corrcoef((early - early.mean(1, keepdims=True)).mean(0), shape)[0, 1] > 0.9
        assert not np.allclose(y, z)


def test_simulated_smoothing_needs_two_seasons() -> None:
    real = Panel.of({"a": np.arange(100.0), "b": np.arange(23.0)}, seasons=(12,))
    with pytest.raises(ForecastError, match=r"1 of 2 series have fewer than 24 values, first 'b' \(23 values\)"):
        ETSSimulation().fit(real, seed=0)


@pytest.mark.parametrize("season", [1, 12])
@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_hard_series_are_drawn_too(spec: GeneratorSpec, season: int) -> None:
    rng = np.random.default_rng(0)
    rows = {
        "constant": np.full(40, 0.1),
        "zero": np.zeros(40),
        "just": rng.random(max(2 * season, 4)),
        "zeros": np.where(rng.random(60) < 0.8, 0, rng.gamma(2, 1, 60)),
        "one of many": np.eye(1, 60, 30)[0],
        "nearly": 1e6 + rng.normal(size=60) * 1e-6,
        "large": 1e12 * rng.random(60),
        "small": 1e-12 * rng.random(60),
        "wave": np.sin(2 * np.pi * np.arange(60) / 12),
        "steep": np.exp(np.linspace(0, 60, 60)),
    }
    real = Panel.of(rows, seasons=(season,))
    found = sampled(spec.build(), real)
    assert found.lengths.tolist() == real.lengths.tolist()
    for row in range(2):
        np.testing.assert_allclose(found[row], real[row], rtol=1e-12)
    for y, z in list(zip(real, found, strict=True))[2:-1]:
        assert np.ptp(z) < 30 * np.ptp(y)
