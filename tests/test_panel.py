"""Panels and data sets: what they refuse, what their fingerprints see, and how gaps are filled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsgap.errors import DataError
from tsgap.panel import STEP, Dataset, Panel, filled
from tsgap.ragged import bridged

ROWS = {"a": [1.0, 2.0, 3.0], "b": [4.0], "c": [5.0, 6.0]}


def panel(**changed: Any) -> Panel:
    parts: dict[str, Any] = {
        "values": np.arange(6.0),
        "offsets": np.array([0, 3, 4, 6]),
        "keys": ("a", "b", "c"),
        "freq": "D",
        "seasons": (7,),
    }
    return Panel(**(parts | changed))


def dataset(**changed: Any) -> Dataset:
    parts: dict[str, Any] = {
        "name": "d",
        "values": np.arange(6.0),
        "offsets": np.array([0, 3, 6]),
        "keys": ("a", "b"),
        "starts": np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[ns]"),
        "freq": "D",
        "seasons": (7,),
    }
    return Dataset(**(parts | changed))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"values": np.array([0, 1, 2, np.nan, 4, 5])}, "must be finite, series 'b' has nan"),
        ({"values": np.arange(7.0)}, "rise from 0 to 7"),
        ({"values": np.zeros((6, 2))}, "one flat array"),
        ({"offsets": np.array([0, 4, 3, 6])}, "rise from 0"),
        ({"offsets": np.array([0, 6])}, "in 4 numbers"),
        ({"keys": ("a", "b", "a")}, "1 of 3 repeat, first 'a'"),
        ({"series": ("a",)}, "1 series names for 3 rows"),
        ({"seasons": ()}, "seasons"),
        ({"seasons": (0,)}, "seasons"),
        ({"groups": {"region": ("x",)}}, "group 'region' has 1 entries for 3 rows"),
        ({"weights": np.ones(2)}, "weights must be 3"),
        ({"weights": np.array([1.0, -1.0, 1.0])}, "weights"),
    ],
)
def test_a_panel_whose_parts_do_not_belong_together_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        panel(**changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"keys": (), "offsets": np.array([0]), "starts": np.array([])}, "no series"),
        ({"starts": np.array(["2020"], dtype="datetime64[ns]")}, "do not belong together"),
        ({"keys": ("a", "a")}, "d: keys must be unique"),
        ({"values": np.array([0, 1, 2, 3, np.inf, np.nan])}, "1 values are infinite, first in 'b'"),
        ({"offsets": np.array([0, 3, 5])}, "rise from 0 to 6"),
    ],
)
def test_a_data_set_whose_parts_do_not_belong_together_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        dataset(**changed)


def test_nobody_can_write_to_a_panel() -> None:
    mine = np.arange(6.0)
    made = panel(values=mine, weights=np.ones(3))
    mine[0] = 99
    assert made.values[0] == 0
    assert made.weights is not None
    for array in (made.values, made.offsets, made.weights, made[0], made.take([1]).values, made.tail(1).values):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_a_read_only_array_is_not_copied() -> None:
    mine = np.arange(6.0)
    mine.flags.writeable = False
    assert panel(values=mine).values is mine


def test_names_are_plain_text_whatever_library_they_come_from() -> None:
    theirs = panel(keys=tuple(np.array(["a", "b", "c"])))
    assert theirs.fingerprint == panel().fingerprint
    assert all(type(k) is str for k in theirs.keys)
    assert panel(keys=(1, 2, 3)).keys == ("1", "2", "3")


@pytest.mark.parametrize(
    "changed",
    [
        {"values": np.arange(6.0) + 1e-12},
        {"offsets": np.array([0, 2, 4, 6])},
        {"keys": ("a", "b", "d")},
        {"series": ("a", "a", "c")},
        {"freq": "h"},
        {"seasons": (7, 30)},
        {"weights": np.ones(3)},
        {"groups": {"region": ("x", "x", "y")}},
    ],
)
def test_the_fingerprint_sees_everything_a_forecaster_can_see(changed: dict[str, Any]) -> None:
    assert panel(**changed).fingerprint != panel().fingerprint
    assert panel(**changed).fingerprint == panel(**changed).fingerprint


def test_equal_data_have_equal_fingerprints_whatever_dtype_they_came_in() -> None:
    other = dataset(
        values=np.arange(6, dtype=np.float32),
        offsets=np.array([0, 3, 6], dtype=np.int32),
        keys=["a", "b"],
        starts=np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[s]"),
    )
    assert other.fingerprint == dataset().fingerprint
    assert dataset(values=np.array([0, 1, 2, 3, 4, np.nan])).fingerprint != dataset().fingerprint


def test_rows_are_taken_as_numpy_takes_them() -> None:
    made = Panel.of(ROWS)
    for rows, keys in (([2, 0], ("c", "a")), ([-1], ("c",)), (np.array([True, False, True]), ("a", "c")), ([], ())):
        taken = made.take(rows)
        assert taken.keys == keys
        assert [row.tolist() for row in taken] == [ROWS[k] for k in keys]
    with pytest.raises(IndexError):
        made.take([3])
    assert dataset().take([-1]).keys == ("b",)


def test_taking_rows_takes_their_groups_weights_and_series() -> None:
    made = panel(series=("s", "s", "t"), groups={"g": ("x", "y", "z")}, weights=np.array([1.0, 2.0, 3.0])).take([2, 1])
    assert (made.series, made.groups) == (("t", "s"), {"g": ("z", "y")})
    assert made.weights is not None
    assert made.weights.tolist() == [3.0, 2.0]


def test_the_tail_of_a_panel_is_the_last_values_of_each_row() -> None:
    made = Panel.of(ROWS)
    assert [row.tolist() for row in made.tail(2)] == [[2.0, 3.0], [4.0], [5.0, 6.0]]
    assert [row.tolist() for row in made.tail(np.array([1, 9, 0]))] == [[3.0], [4.0], []]


def test_other_values_must_fit() -> None:
    with pytest.raises(DataError):
        panel().with_values(np.arange(5.0))
    assert panel().with_values(np.ones(6)).values.tolist() == [1.0] * 6


@pytest.mark.parametrize("freq", ["D", "h", "MS", "ME", "W-SUN", "QE-DEC", "YS-JAN", "B", "2h"])
def test_stamps_run_on_past_the_end(freq: str) -> None:
    grid = pd.date_range("2021-02-01", periods=40, freq=freq)
    made = dataset(values=np.arange(6.0), starts=grid[[0, 5]].to_numpy(), freq=freq)
    assert made.stamps(1).tolist() == grid[5:8].tolist()
    assert made.stamps(0, start=2, count=6).tolist() == grid[2:8].tolist()


def test_whole_number_stamps_count_steps() -> None:
    made = dataset(starts=np.array([10, 20]), freq=STEP)
    assert made.stamps(1, start=1, count=4).tolist() == [21, 22, 23, 24]


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=30))
def test_gaps_are_bridged_like_interpolation_and_the_end_takes_the_last_value(values: list[float | None]) -> None:
    y = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    there = np.flatnonzero(~np.isnan(y))
    found, count = filled(y)
    if not len(there):
        assert (len(found), count) == (0, 0)
        return
    at = np.arange(there[0], len(y))
    np.testing.assert_allclose(found, np.interp(at, there, y[there]), rtol=1e-12, atol=1e-9)
    assert count == np.isnan(y[there[0] :]).sum()


def test_a_gap_is_bridged_only_where_its_far_side_is_known() -> None:
    y = np.array([1.0, np.nan, np.nan, 4.0])
    missing = np.array([1, 2])
    assert bridged(y, missing, missing, 4).tolist() == [2.0, 3.0]
    assert bridged(y, missing, missing, 3).tolist() == [1.0, 1.0]
