"""Kernels against scikit-learn's, draws against their covariance, and what of the real panel is used."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process import kernels

from tsgap.defaults.gaussian_processes import KernelSynth, composed, drawn, kernel_bank
from tsgap.errors import ForecastError
from tsgap.panel import Panel


def real(lengths: tuple[int, ...] = (40, 60, 25)) -> Panel:
    rng = np.random.default_rng(0)
    return Panel.of(
        {f"s{i}": 100 * i + (i + 1) * rng.normal(size=n) for i, n in enumerate(lengths)}, freq="h", seasons=(12, 1)
    )


def sampled(panel: Panel, seed: int = 0, length: int = 1024) -> Panel:
    generator = KernelSynth(length)
    generator.fit(panel, seed=0)
    return generator.sample(seed=seed)


def test_kernels_are_those_of_scikit_learn() -> None:
    n = 30
    x = np.linspace(0, 1, n)[:, None]
    season = 12 / (n - 1)
    theirs = [
        kernels.WhiteKernel(),
        *(kernels.DotProduct(sigma_0=s) for s in (0.0, 1.0, 10.0)),
        *(kernels.RBF(length) for length in (0.1, 1.0, 10.0)),
        *(kernels.RationalQuadratic(alpha=a) for a in (0.1, 1.0, 10.0)),
        *(kernels.ExpSineSquared(length_scale=s, periodicity=season) for s in (0.5, 1.0, 2.0)),
    ]
    bank = kernel_bank((12, 1))
    assert len(bank) == len(theirs)
    for ours, kernel in zip(bank, theirs, strict=True):
        np.testing.assert_allclose(ours(n), kernel(x), atol=1e-12)


def test_compositions_are_covariances_and_of_many_kinds() -> None:
    rng = np.random.default_rng(0)
    found = [composed(kernel_bank((12,)), 40, rng) for _ in range(200)]
    for matrix in found:
        np.testing.assert_array_equal(matrix, matrix.T)
        values = np.linalg.eigvalsh(matrix)
        assert values.min() > -1e-9 * values.max()
    assert len({m.tobytes() for m in found}) > 150


def test_draws_have_the_covariance_asked_for() -> None:
    """A first-order autoregression as a Gaussian process: its lag-1 correlation comes back."""
    covariance = 0.8 ** np.abs(np.subtract.outer(np.arange(600), np.arange(600)))
    rng = np.random.default_rng(0)
    rows = np.array([drawn(covariance, rng) for _ in range(20)])
    np.testing.assert_allclose(rows.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(rows.std(1), 1)
    assert (rows[:, 1:] * rows[:, :-1]).mean() == pytest.approx(0.8, abs=0.03)


def test_a_sample_is_as_long_as_the_panel_with_its_levels_and_spreads_and_other_names() -> None:
    panel = real()
    found = sampled(panel)
    assert (found.freq, found.seasons) == (panel.freq, panel.seasons)
    assert found.lengths.tolist() == [40, 60, 25]
    assert not set(found.keys) & set(panel.keys)
    for y, z in zip(panel, found, strict=True):
        assert (z.mean(), z.std()) == (pytest.approx(y.mean()), pytest.approx(y.std()))


def test_nothing_of_a_real_series_but_its_length_level_and_spread_is_used() -> None:
    panel = real()
    turned = panel.with_values(np.concatenate([y[::-1] for y in panel]))
    np.testing.assert_allclose(sampled(panel).values, sampled(turned).values, rtol=1e-9)


def test_a_season_of_the_panel_is_drawn_and_no_other() -> None:
    """Among many draws some repeat themselves after a season; without a season none does."""

    def repeat(panel: Panel, m: int) -> float:
        rows = [z for seed in range(8) for z in sampled(panel, seed)]
        return sum(np.allclose(z[m:], z[:-m], atol=0.02 * z.std()) and np.ptp(z[:m]) > z.std() for z in rows)

    rows = {str(i): y for i, y in enumerate(np.random.default_rng(0).normal(size=(20, 60)))}
    assert repeat(Panel.of(rows, seasons=(12,)), 12) > 5
    assert repeat(Panel.of(rows, seasons=(12,)), 7) == 0
    assert repeat(Panel.of(rows), 12) == 0


def test_a_long_series_is_replaced_by_several_together_as_long() -> None:
    found = sampled(real((250, 100, 101)), length=100)
    assert found.lengths.tolist() == [84, 83, 83, 100, 51, 50]
    assert found.keys == tuple(sorted(found.keys))
    # what a draw costs grows with the cube of a length: none is longer than the 1,024 of the default
    assert sampled(real((3_000,))).lengths.tolist() == [1_000] * 3


def test_constant_and_single_values_stay() -> None:
    found = sampled(Panel.of({"a": np.full(20, 3.0), "b": [4.0], "none": []}))
    assert [z.tolist() for z in found] == [[3.0] * 20, [4.0]]


def test_a_length_without_a_step_is_refused() -> None:
    with pytest.raises(ForecastError, match="got length=1"):
        KernelSynth(1)
