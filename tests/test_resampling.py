"""What blocks leave of memory: against a bootstrap that is drawn, the formula for a long autoregression, and fits."""

from __future__ import annotations

import numpy as np
import pytest

from tests.worlds import autoregressions
from tsgap.defaults.generators import BlockBootstrap
from tsgap.defaults.linear import Linear
from tsgap.defaults.probe import LagProbe
from tsgap.panel import Panel
from tsgap.resampling import Lagged, lagged, linear_gap, resampled

FIGURES = ("x", "y", "xx", "xy", "n")


def panel(series: int = 5, length: int = 90, *, phi: float = 0.8, levels: float = 1.0, seed: int = 0) -> Panel:
    """Autoregressions of different lengths and levels."""
    rng = np.random.default_rng(seed)
    values = autoregressions(rng, series, length, phi=phi)
    return Panel.of({f"s{i}": y[: length - 7 * i] + levels * i for i, y in enumerate(values)})


def test_the_lines_of_a_panel_are_those_of_the_lag_probe() -> None:
    probe = LagProbe()
    probe.fit(panel(), horizon=12, context=None, seed=0)
    slope, intercept = lagged(panel(), 12).lines()
    np.testing.assert_allclose(slope, probe.slope, rtol=1e-10)
    np.testing.assert_allclose(intercept, probe.intercept, rtol=1e-10)


@pytest.mark.parametrize("length", [2, 5, 13])
def test_means_over_pairs_are_those_of_many_drawn_panels(length: int) -> None:
    real, source = panel(), BlockBootstrap(length)
    source.fit(real, seed=0)
    drawn = [lagged(source.sample(seed=k), 10) for k in range(600)]
    told = resampled(real, 10, length)
    for name in FIGURES:
        of_draws = np.array([getattr(one, name) for one in drawn])
        off = np.abs(of_draws.mean(0) - getattr(told, name))
        assert (off <= 4 * of_draws.std(0) / np.sqrt(len(drawn)) + 1e-12).all(), name


def test_a_long_autoregression_follows_the_formula() -> None:
    length, leads = 24, np.arange(1, 49)
    real = panel(1, 60_000, phi=0.9)
    slope, _ = resampled(real, 48, length).lines()
    rho, _ = lagged(real, 48).lines()
    np.testing.assert_allclose(slope, np.maximum(1 - leads / length, 0) * rho, atol=1e-3)


def test_levels_of_series_are_kept_by_blocks() -> None:
    real = panel(6, 2000, phi=0.5, levels=4.0)
    between = np.var([y.mean() for y in real]) / real.values.var()
    slope, _ = resampled(real, 40, 8).lines()
    np.testing.assert_allclose(slope[10:], between, atol=0.02)


def test_series_shorter_than_a_lag_give_it_no_pair() -> None:
    short = Panel.of({"a": [1.0, 2.0, 4.0], "b": [3.0, 1.0, 2.0, 5.0, 4.0]})
    assert lagged(short, 4).n.tolist() == [8, 6, 4, 2, 1]
    assert resampled(short, 4, 2).n.tolist() == [8, 6, 4, 2, 1]


def test_a_constant_has_no_slope() -> None:
    slope, intercept = lagged(Panel.of({"a": np.full(20, 3.0)}), 3).lines()
    assert slope.tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(intercept, 3.0)


def ahead(moments: Lagged, context: int, horizon: int, other: Lagged) -> float:
    return float(linear_gap(moments, other, context, horizon)[0])


def test_the_same_memory_has_no_gap_and_lost_memory_one() -> None:
    real = panel(8, 3000, phi=0.8, levels=0.0)
    moments = lagged(real, 20)
    np.testing.assert_allclose(linear_gap(moments, moments, 10, 5), 0.0, atol=1e-12)
    gaps = [ahead(moments, 10, 5, resampled(real, 20, length)) for length in (2, 8, 200)]
    assert gaps[0] > gaps[1] > gaps[2] >= 0


def test_the_gap_of_linear_forecasts_is_that_of_fits() -> None:
    real, test = panel(8, 3000, phi=0.8, levels=0.0), panel(8, 6000, phi=0.8, levels=0.0, seed=1)
    source = BlockBootstrap(3)
    source.fit(real, seed=0)
    errors = []
    for train in (source.sample(seed=1), real):
        linear = Linear()
        linear.fit(train, horizon=1, context=8, seed=0)
        starts = range(0, 5000, 10)
        rows = {f"{i}@{s}": y[s : s + 8] for i, y in enumerate(test) for s in starts}
        truth = np.array([y[s + 8] for y in test for s in starts])
        errors.append(np.mean((linear.predict(Panel.of(rows), horizon=1).mean[:, 0] - truth) ** 2))
    told = ahead(lagged(real, 8), 8, 1, resampled(real, 8, 3))
    assert told == pytest.approx(0.5 * np.log(errors[0] / errors[1]), abs=0.02)
    assert told > 0.04
