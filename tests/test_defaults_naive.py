"""The forecasters without parameters, against a loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsgap.defaults import naive
from tsgap.errors import ForecastError
from tsgap.panel import Floats, Panel


def slow(y: Floats, m: int, horizon: int) -> list[float]:
    """The last season, walked through step by step."""
    known = y.tolist()
    for _ in range(horizon):
        known.append(known[-m])
    return known[len(y) :]


@given(st.lists(st.lists(st.floats(-9, 9), max_size=12), min_size=1, max_size=6), st.integers(1, 5), st.integers(1, 14))
def test_the_last_season_is_repeated(rows: list[list[float]], season: int, horizon: int) -> None:
    made = Panel.of({str(i): r for i, r in enumerate(rows)}, seasons=(season, 3))
    found = naive.seasonal_naive().predict(made, horizon=horizon)
    assert found.mean.shape == (len(rows), horizon)
    for i, y in enumerate(made):
        assert (i in found.failed) == (len(y) < season)
        if i not in found.failed:
            assert found.mean[i].tolist() == slow(y, season, horizon)


def test_naive_repeats_the_last_value_whatever_the_season() -> None:
    made = Panel.of({"a": [1.0, 2.0], "b": [5.0]}, seasons=(12,))
    assert naive.naive().predict(made, horizon=3).mean.tolist() == [[2, 2, 2], [5, 5, 5]]


def test_a_row_shorter_than_a_season_says_so() -> None:
    found = naive.seasonal_naive().predict(Panel.of({"a": [1.0], "b": [1.0, 2.0]}, seasons=(2,)), horizon=2)
    assert found.failed == {0: "1 values are less than a season of 2"}


def test_a_season_has_a_step() -> None:
    with pytest.raises(ForecastError, match="at least 1 step, got -1"):
        naive.SeasonalNaive(-1).predict(Panel.of({"a": [1.0]}), horizon=1)


def test_training_changes_nothing_and_the_specs_say_so() -> None:
    made = Panel.of({"a": np.arange(30.0)}, seasons=(12,))
    for spec in naive.SPECS:
        one, other = spec.build(), spec.build()
        one.fit(made, horizon=3, context=None, seed=0)
        assert one.predict(made, horizon=3).mean.tolist() == other.predict(made, horizon=3).mean.tolist()
        assert spec.transfer == "none"
    assert [spec.least_history((12, 24), 6) for spec in naive.SPECS] == [12, 1]
