"""Stretches and their autocovariances: against sums over pairs, another library, and the rest of the package."""

from __future__ import annotations

import numpy as np
import pytest

from tests.worlds import autoregressions
from tsgap.diagnostics import stretches
from tsgap.diagnostics.stretches import common_length, correlations, lagged, pairs, stretched
from tsgap.panel import Panel
from tsgap.resampling import lagged as lagged_of_panel


def ragged() -> Panel:
    """Series of 30, 45 and 10 values and a constant one."""
    rng = np.random.default_rng(0)
    rows = {f"s{n}": rng.normal(size=n) for n in (30, 45, 10)}
    return Panel.of({**rows, "flat": np.full(30, 0.1)})


def test_stretches_are_cut_one_after_another_and_standardised() -> None:
    found = stretched(ragged(), 15)
    assert found.unit.tolist() == [0, 0, 1, 1, 1]
    assert found.rows.tolist() == [0, 1]
    assert found.left_out == 2
    second = ragged()[1][15:30]
    np.testing.assert_allclose(found.values[3], (second - second.mean()) / second.std(), atol=1e-12)
    assert found.of_units(np.arange(5.0)).tolist() == [0.5, 3.0]


def test_many_values_are_bounded_by_as_many_stretches_of_each_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "VALUES", 4 * 15)
    assert stretched(ragged(), 15).unit.tolist() == [0, 1]


def test_four_fifths_of_all_series_have_a_stretch() -> None:
    even = Panel.of({str(n): np.arange(float(n)) for n in range(10, 21)})
    assert common_length(even) == 12
    assert common_length(even, Panel.of({"a": [1.0, 2.0]})) == 2


@pytest.mark.parametrize("length", [31, 64])
def test_correlations_are_those_of_another_library(length: int) -> None:
    from statsmodels.tsa.stattools import acf

    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, length)).cumsum(1)
    side = stretched(Panel.of(dict(enumerate(values))), length)
    told = np.array([acf(y, nlags=20, adjusted=True, fft=False) for y in values])
    np.testing.assert_allclose(correlations(side.values, 20), told, atol=1e-10)


def test_blocks_of_stretches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(9, 40))
    whole = correlations(values, 5)
    monkeypatch.setattr(stretches, "VALUES", 200)
    np.testing.assert_allclose(correlations(values, 5), whole, atol=1e-12)


def test_means_over_pairs_are_those_of_a_panel_of_stretches() -> None:
    side = stretched(Panel.of(dict(enumerate(autoregressions(np.random.default_rng(0), 4, 50, phi=0.8)))), 25)
    found = lagged(side.of_units(pairs(side.values, 12)).mean(0))
    told = lagged_of_panel(Panel.of(dict(enumerate(side.values))), 12)
    for name in ("x", "y", "xx", "xy"):
        np.testing.assert_allclose(getattr(found, name), getattr(told, name), atol=1e-10, err_msg=name)
