"""Trend, season and remainder: against another library, and what is known of them."""

from __future__ import annotations

import numpy as np
import pytest

from tsgap.diagnostics.remainder import parted, shortest, span


@pytest.mark.parametrize("season", [7, 12])
def test_the_parts_are_those_of_the_classical_decomposition(season: int) -> None:
    from statsmodels.tsa.seasonal import seasonal_decompose

    edge = season // 2
    y = np.random.default_rng(0).normal(size=4 * season + 2 * edge).cumsum()
    told = seasonal_decompose(y, period=season)
    found = parted(y[None], season)
    inner = slice(edge, len(y) - edge)
    np.testing.assert_allclose(found.trend[0], told.trend[inner], atol=1e-10)
    np.testing.assert_allclose(found.season[0], told.seasonal[inner], atol=1e-10)
    np.testing.assert_allclose(found.remainder[0], told.resid[inner], atol=1e-10)


@pytest.mark.parametrize("season", [1, 2, 4, 5, 7, 24])
def test_a_line_and_a_season_leave_nothing(season: int) -> None:
    assert span(season) % season == 0
    assert span(season) >= 7
    t = np.arange(shortest(season))
    y = 3.0 * t + np.random.default_rng(0).normal(size=season)[t % season]
    found = parted(y[None], season)
    np.testing.assert_allclose(found.remainder, 0, atol=1e-9)
    assert found.remainder.shape[1] >= 2 * season


def test_the_parts_add_up_to_the_inner_part() -> None:
    y = np.random.default_rng(0).normal(size=(3, 50))
    found = parted(y, 4)
    np.testing.assert_allclose(found.trend + found.season + found.remainder, y[:, 4:-4], atol=1e-12)
