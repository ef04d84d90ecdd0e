"""Units that are not independent are said to be so: one shock for all series, and a single series that wanders."""

from __future__ import annotations

import numpy as np
import pytest
from planted import panel
from worlds import autoregressions

from tsgap.diagnostics import contrasted
from tsgap.diagnostics.dependence import DEPENDENT, neighbours, together
from tsgap.panel import Floats, Panel


def shared(seed: int, rho: float, series: int = 40) -> Floats:
    """Series with one season for all, whose errors correlate by `rho`."""
    rng = np.random.default_rng(seed)
    noise = autoregressions(rng, series, 300, phi=0.6, season=12, shared=rho)
    rows: Floats = noise + 3 * np.sin(2 * np.pi * np.arange(300) / 12)
    return rows


@pytest.mark.parametrize("rho", [0.0, 0.2, 0.5, 0.9])
def test_the_correlation_between_series_is_that_of_their_errors(rho: float) -> None:
    found = [together(panel(shared(seed, rho))) for seed in range(5)]
    assert np.mean(found) == pytest.approx(rho, abs=0.06)


def test_a_season_and_a_trend_in_common_are_no_shock() -> None:
    assert abs(together(panel(shared(1, 0.0) + 0.1 * np.arange(300)))) < 0.05


def test_short_constant_and_single_series_say_nothing() -> None:
    for rows in (np.ones((5, 100)), np.arange(20.0)[None], np.eye(12)[:, :10]):
        assert np.isnan(together(panel(rows)))
    assert np.isnan(neighbours(np.ones(4), list("aabb")))
    assert np.isnan(neighbours(np.arange(4.0), list("abcd")))


def test_neighbours_of_the_same_series_alone_are_compared() -> None:
    assert neighbours(np.array([1.0, -1, 1, -1, 5, 5]), list("aaaabb")) == pytest.approx((-3 / 4) / (4 / 6))
    assert neighbours(np.array([0.0, 2, 7, 9]), list("aabb")) == -1.0


def noted(real: Panel, synthetic: Panel) -> list[str]:
    return [note.split(" series")[0] for note in contrasted(real, synthetic, seed=0).notes if DEPENDENT in note]


def test_series_with_one_path_are_said_to_be_no_independent_units() -> None:
    assert noted(panel(shared(1, 0.5)), panel(shared(2, 0.0), "z")) == ["the real"]
    assert noted(panel(shared(1, 0.0)), panel(shared(2, 0.5), "z")) == ["the synthetic"]


def test_a_single_series_that_wanders_is_said_to_and_one_that_does_not_is_not() -> None:
    walks = [np.random.default_rng(k).normal(size=(1, 1500)).cumsum(1) for k in range(8)]
    still = [autoregressions(np.random.default_rng(k), 1, 1500, phi=0.6) for k in range(8)]
    assert sum(len(noted(panel(walks[k]), panel(walks[k + 4], "z"))) for k in range(4)) >= 7
    assert not any(noted(panel(still[k]), panel(still[k + 4], "z")) for k in range(4))
