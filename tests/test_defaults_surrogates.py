"""Surrogates keep the values or the spectrum they promise, and lose what no spectrum holds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal, stats

from tsgap.defaults.boosting import GradientBoosting
from tsgap.defaults.linear import Linear
from tsgap.defaults.surrogates import SPECS, Jitter, iaaft, phase_randomised
from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel
from tsgap.protocols import Forecaster, GeneratorSpec

BY_NAME = {spec.name: spec for spec in SPECS}


def sampled(spec: GeneratorSpec, panel: Panel, seed: int = 0, **params: float) -> Panel:
    generator = spec.build(**params)
    generator.fit(panel, seed=seed)
    return generator.sample(seed=seed)


def autoregression(n: int = 4000, seed: int = 0) -> Floats:
    noise = np.random.default_rng(seed).normal(size=n + 200)
    return np.asarray(signal.lfilter([1.0], [1.0, -1.2, 0.5], noise)[200:] + 5)


def logistic_map(n: int = 4000) -> Floats:
    y = np.empty(n)
    y[0] = 0.3
    for t in range(1, n):
        y[t] = 3.9999 * y[t - 1] * (1 - y[t - 1])
    return y


def correlations(y: Floats, lags: int = 30) -> Floats:
    z = y - y.mean()
    return np.array([(z[: len(z) - k] * z[k:]).mean() for k in range(1, lags)]) / z.var()


@given(n=st.integers(1, 200), seed=st.integers(0, 99))
def test_random_phases_leave_mean_and_periodogram_as_they_are(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = 3 + rng.gamma(2, 1, n)
    found = phase_randomised(y, rng)
    assert found.shape == y.shape
    assert found.mean() == pytest.approx(y.mean())
    np.testing.assert_allclose(signal.periodogram(found)[1], signal.periodogram(y)[1], rtol=1e-6, atol=1e-9)
    if n > 4:
        assert not np.allclose(found, y)


def test_random_phases_make_any_distribution_normal() -> None:
    y = np.random.default_rng(0).exponential(size=3000)
    assert stats.skew(y) > 1.5
    assert abs(stats.skew(phase_randomised(y, np.random.default_rng(1)))) < 0.2


@given(n=st.integers(1, 120), seed=st.integers(0, 99))
def test_an_iaaft_surrogate_has_exactly_the_values_of_the_series(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = np.round(rng.gamma(1, 2, n), 1)  # with ties
    assert sorted(iaaft(y, rng)) == sorted(y)


@pytest.mark.parametrize("skewed", [False, True])
def test_an_iaaft_surrogate_has_the_linear_dependence_of_the_series(skewed: bool) -> None:
    y = np.exp(autoregression() / 2) if skewed else autoregression()
    found = iaaft(y, np.random.default_rng(0))
    np.testing.assert_allclose(correlations(found), correlations(y), atol=0.01)
    misses = np.abs(np.abs(np.fft.rfft(found)) - np.abs(np.fft.rfft(y)))[1:]
    assert np.sqrt((misses**2).sum() / (np.abs(np.fft.rfft(y))[1:] ** 2).sum()) < 0.02
    assert abs(np.corrcoef(found, y)[0, 1]) < 0.3


def test_imposing_the_spectrum_once_more_does_not_change_the_order() -> None:
    y = autoregression(500)
    found = iaaft(y, np.random.default_rng(3))
    spectrum = np.abs(np.fft.rfft(y - y.mean()))
    again = np.fft.irfft(spectrum * np.exp(1j * np.angle(np.fft.rfft(found - found.mean()))), len(y))
    np.testing.assert_array_equal(np.argsort(again), np.argsort(found))


@pytest.mark.parametrize("name", ["iaaft", "phase-randomised"])
def test_nonlinear_dependence_is_lost(name: str) -> None:
    """The next value of a logistic map is a parabola in the last one, exactly; in a surrogate it is unknown."""
    y = logistic_map()
    found = sampled(BY_NAME[name], Panel.of({"a": y}))[0]

    def unknown(z: Floats) -> float:
        fit = np.polynomial.Polynomial.fit(z[:-1], z[1:], 2)
        return float((z[1:] - fit(z[:-1])).var() / z.var())

    assert unknown(y) < 1e-9
    assert unknown(found) > 0.95


def threshold_autoregression(n: int = 4000, seed: int = 0) -> Floats:
    noise = 0.5 * np.random.default_rng(seed).normal(size=n)
    y = np.zeros(n)
    for t in range(1, n):
        y[t] = (0.9 * y[t - 1] + 2 if y[t - 1] < 0 else -0.6 * y[t - 1] - 1) + noise[t]
    return y


@pytest.mark.parametrize("process", [logistic_map, threshold_autoregression])
@pytest.mark.parametrize("name", ["iaaft", "phase-randomised", "time-reversed"])
def test_only_a_nonlinear_forecaster_is_worse_after_training_on_them(process: Callable[[], Floats], name: str) -> None:
    y = process()
    train, test = Panel.of({"a": y[:3000]}), Panel.of({str(t): y[t - 8 : t] for t in range(3008, 4000)})
    truth = y[3008:4000]

    def error(model: Forecaster, panel: Panel) -> float:
        model.fit(panel, horizon=1, context=8, seed=0)
        return float(np.abs(model.predict(test, horizon=1).mean[:, 0] - truth).mean())

    synthetic = sampled(BY_NAME[name], train)
    assert abs(np.log(error(Linear(), synthetic) / error(Linear(), train))) < 0.01
    boosted = error(GradientBoosting(iterations=40), synthetic) / error(GradientBoosting(iterations=40), train)
    assert np.log(boosted) > 0.1


def test_time_reversal_keeps_values_and_linear_dependence_and_turns_the_arrow() -> None:
    rng = np.random.default_rng(0)
    # slow rises, sudden falls
    saw = np.concatenate([np.linspace(0, 1, n) for n in rng.integers(5, 15, 200)])
    found = sampled(BY_NAME["time-reversed"], Panel.of({"a": saw}))[0]
    np.testing.assert_array_equal(found[::-1], saw)
    np.testing.assert_allclose(correlations(found), correlations(saw), atol=1e-12)
    assert stats.skew(np.diff(saw)) == pytest.approx(-stats.skew(np.diff(found)))
    assert BY_NAME["time-reversed"].deterministic


def test_jitter_is_white_noise_in_units_of_the_spread_of_each_series() -> None:
    real = Panel.of({"small": autoregression(), "large": 1000 * autoregression(seed=1)})
    found = sampled(BY_NAME["jitter"], real, sd=0.5)
    for y, noisy in zip(real, found, strict=True):
        noise = noisy - y
        assert noise.std() == pytest.approx(0.5 * y.std(), rel=0.05)
        assert stats.kstest(noise / noise.std(), "norm").pvalue > 0.01
        assert np.abs(correlations(noise)).max() < 0.07
        assert abs(np.corrcoef(noise, y)[0, 1]) < 0.05


@pytest.mark.parametrize("sd", [0.0, -1.0, np.inf, np.nan])
def test_noise_without_a_positive_spread_is_refused(sd: float) -> None:
    with pytest.raises(ForecastError, match="positive standard deviation, got sd="):
        Jitter(sd)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_hard_series_are_drawn_too(spec: GeneratorSpec) -> None:
    rng = np.random.default_rng(0)
    rows = {
        "constant": np.full(40, 0.1),
        "zero": np.zeros(40),
        "one": [2.0],
        "two": [1.0, 2.0],
        "nearly": 1e6 + rng.normal(size=60) * 1e-6,
        "steep": np.exp(np.linspace(0, 60, 60)),
        "empty": [],
    }
    real = Panel.of(rows)
    found = sampled(spec, real)
    assert found.lengths.tolist() == real.lengths.tolist()
    for row in range(3):
        np.testing.assert_allclose(found[row], real[row], rtol=1e-12)
