"""Reading real data: formats, frequencies, grids."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsgap.errors import DataError, UsageError
from tsgap.frequency import canonical
from tsgap.readers import ReadOptions, read_real

LONG = pd.DataFrame(
    {
        "unique_id": ["b"] * 3 + ["a"] * 4,
        "ds": pd.to_datetime(
            ["2024-01-01", "2024-02-01", "2024-03-01"] + [f"2023-{m:02d}-01" for m in (9, 10, 11, 12)]
        ),
        "y": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.5],
    }
)

FREQS = ["h", "2h", "15min", "s", "D", "2D", "B", "W-SUN", "W-WED", "2W-TUE", "MS", "ME", "2MS", "BMS", "BME",
         "QS-JAN", "QS-FEB", "QE-DEC", "QE-OCT", "BQE-DEC", "YS-JAN", "YS-JUL", "YE-DEC", "YE-JUN"]  # fmt: skip


def panel(freq, n_series=2, n=30, start="2001-03-05"):
    stamps = pd.date_range(start, periods=n, freq=freq)
    return pd.concat(
        [pd.DataFrame({"unique_id": f"s{i}", "ds": stamps, "y": np.arange(n) + 0.5 + i}) for i in range(n_series)],
        ignore_index=True,
    )


def write(tmp_path, text, name="x.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_long_frame_becomes_series_sorted_by_id_on_their_grid():
    data = read_real(LONG)
    assert (data.name, data.keys, data.freq, data.seasons) == ("data", ("a", "b"), "MS", (12,))
    assert data[0].tolist() == [4.0, 5.0, 6.0, 7.5]
    assert data[1].tolist() == [1.0, 2.0, 3.0]
    assert data.starts.tolist() == [pd.Timestamp("2023-09-01").value, pd.Timestamp("2024-01-01").value]
    assert data.notes == ()


def test_csv_parquet_folder_and_frame_give_the_same_fingerprint(tmp_path):
    frame = panel("D", n_series=5)
    frame.to_csv(tmp_path / "x.csv", index=False)
    frame.to_parquet(tmp_path / "x.parquet")
    folder = tmp_path / "folder"
    folder.mkdir()
    for i, (_, part) in enumerate(frame.groupby(frame.index % 3)):
        part.to_parquet(folder / f"{i}.parquet")
    found = {read_real(p).fingerprint for p in (frame, tmp_path / "x.csv", str(tmp_path / "x.parquet"), folder)}
    assert len(found) == 1


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.floats(allow_nan=True, allow_infinity=False, width=64), min_size=4, max_size=20),
    seed=st.integers(0, 2**32 - 1),
)
def test_neither_the_format_nor_the_order_of_rows_changes_the_data(values, seed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("round")
    n = len(values) // 2
    values[0] = values[n] = 1.0
    stamps = pd.date_range("1999-12-27", periods=n, freq="D")
    frame = pd.concat([pd.DataFrame({"unique_id": u, "ds": stamps, "y": values[i * n : (i + 1) * n]})
                       for i, u in enumerate(('a,"', "ä"))], ignore_index=True)  # fmt: skip
    mixed = frame.sample(frac=1.0, random_state=seed)
    frame.to_parquet(folder / "x.parquet", index=False)
    mixed.to_csv(folder / "x.csv", index=False)
    straight, again = read_real(folder / "x.parquet"), read_real(folder / "x.csv")
    assert straight.fingerprint == again.fingerprint
    np.testing.assert_array_equal(straight.values, np.array(values[: 2 * n]))


@pytest.mark.parametrize("freq", FREQS)
def test_the_inferred_frequency_is_the_one_that_pandas_infers(freq):
    frame = panel(freq)
    data = read_real(frame, options=ReadOptions(season_length=(1,)))
    inferred = pd.infer_freq(frame["ds"][:30])
    # pandas calls quarters that begin in January QS-OCT; both names mean the same days.
    assert canonical(data.freq) == data.freq
    expected = pd.date_range(data.stamps(0)[0], periods=30, freq=inferred)
    assert list(data.stamps(0)) == list(expected)
    assert data.n_missing == 0


@pytest.mark.parametrize("freq", FREQS)
def test_gaps_become_missing_steps_at_the_right_place(freq):
    frame = panel(freq)
    cut = frame.drop(index=[3, 4, 11, 40])
    data = read_real(cut, options=ReadOptions(season_length=(1,)))
    whole = read_real(frame, options=ReadOptions(season_length=(1,)))
    assert data.freq == whole.freq
    assert np.flatnonzero(np.isnan(data.values)).tolist() == [3, 4, 11, 40]
    np.testing.assert_array_equal(data.values[~np.isnan(data.values)], cut["y"])
    assert "4 of 60 steps have no value (4 of them had no row)" in data.notes


def test_a_given_frequency_is_held_against_every_stamp():
    frame = panel("D").iloc[::2]
    assert read_real(frame, options=ReadOptions(season_length=(7,))).freq == "2D"
    assert read_real(frame, options=ReadOptions(freq="d")).n_missing == 2 * 14
    with pytest.raises(
        DataError, match=r"30 stamps are not on the grid of the given frequency 'W-SUN': 's0' 2001-03-05"
    ):
        read_real(panel("W-MON", n_series=1), options=ReadOptions(freq="W"))
    with pytest.raises(DataError, match="the frequency is 'step' but the stamps are dates"):
        read_real(frame, options=ReadOptions(freq="step"))


@pytest.mark.parametrize(("freq", "many"), [("MS", "2MS"), ("h", "2h"), ("W-MON", "2W-MON"), ("QE-DEC", "2QE-DEC")])
def test_a_multiple_is_held_against_the_start_of_each_series(freq, many):
    frame = panel(freq)
    with pytest.raises(DataError, match=f"30 stamps are not on the grid of the given frequency '{many}'"):
        read_real(frame, options=ReadOptions(freq=many, season_length=(1,)))
    # Two series that begin on different steps are each on a grid of their own.
    own = pd.concat([frame.iloc[0:30:2], frame.iloc[31:60:2]])
    assert read_real(own, options=ReadOptions(freq=many, season_length=(1,))).lengths.tolist() == [15, 15]


@pytest.mark.parametrize(("given", "one"), [("QS-OCT", "QS-JAN"), ("QS-JUN", "QS-MAR"), ("QE-MAR", "QE-DEC")])
def test_quarters_that_begin_alike_have_one_name(given, one):
    assert read_real(panel(given)).freq == one


def test_days_with_an_hour_keep_it():
    frame = panel("D", start="2024-01-01 09:30")
    data = read_real(frame)
    assert data.freq == "D"
    assert str(data.stamps(1)[-1]) == "2024-01-30 09:30:00"


def test_weekdays_are_business_days_only_where_a_weekend_is_spanned():
    assert read_real(panel("B", n=5, start="2024-01-01")).freq == "D"
    assert read_real(panel("B", n=6, start="2024-01-01")).freq == "B"


def test_one_day_that_is_off_the_grid_is_named():
    frame = panel("MS")
    frame.loc[33, "ds"] = pd.Timestamp("2001-07-02")
    with pytest.raises(DataError, match=r"mixed frequencies\?\): .*'s1' 2001-07-02"):
        read_real(frame)


def test_series_of_another_frequency_are_named():
    mixed = pd.concat([panel("D", n=100), panel("W-MON", n_series=1, n=10).assign(unique_id="weekly")])
    with pytest.raises(
        DataError, match=r"mixed frequencies: most stamps are 'D' apart, 1 series never are, first 'weekly'"
    ):
        read_real(mixed)
    assert read_real(mixed, options=ReadOptions(freq="D")).n_missing == 9 * 6


def test_a_frequency_that_makes_far_too_many_steps_is_refused():
    frame = pd.DataFrame({"ds": ["2000-01-01", "2020-01-01"], "y": [1.0, 2.0]})
    with pytest.raises(DataError, match=r"2 rows lie on \d+ steps of 's'"):
        read_real(frame, options=ReadOptions(freq="s"))


def test_one_value_a_series_needs_a_frequency():
    frame = pd.DataFrame({"unique_id": ["a", "b"], "ds": ["2000-01-01", "2020-01-01"], "y": [1.0, 2.0]})
    with pytest.raises(DataError, match="no series has two values, so the frequency cannot be inferred; give --freq"):
        read_real(frame)
    assert read_real(frame, options=ReadOptions(freq="D")).lengths.tolist() == [1, 1]


def test_whole_number_stamps_need_a_season_length():
    frame = pd.DataFrame({"ds": [5, 6, 8], "y": [1.0, 2.0, 3.0]})
    with pytest.raises(UsageError, match="--season-length"):
        read_real(frame)
    data = read_real(frame, options=ReadOptions(season_length=(4, 8)))
    assert (data.freq, data.seasons, data.starts.tolist()) == ("step", (4, 8), [5])
    assert np.isnan(data[0]).tolist() == [False, False, True, False]
    assert data.stamps(0).tolist() == [5, 6, 7, 8]


def test_whole_numbers_that_rise_by_more_than_one_are_refused():
    frame = pd.DataFrame({"ds": [10, 20, 30, 40], "y": [1.0, 2.0, 3.0, 4.0]})
    with pytest.raises(DataError, match="must rise by 1 from step to step, most rise by 10"):
        read_real(frame, options=ReadOptions(season_length=(1,)))


@pytest.mark.parametrize("stamps", [[20240130, 20240131, 20240201], [202311, 202312, 202401]])
def test_dates_written_as_whole_numbers_are_not_taken_for_steps(stamps):
    frame = pd.DataFrame({"ds": stamps, "y": [1.0, 2.0, 3.0]})
    with pytest.raises(DataError, match="look like dates written as YYYYMM"):
        read_real(frame, options=ReadOptions(season_length=(1,)))


@pytest.mark.parametrize(
    ("first", "second", "third", "freq", "start"),
    [("2024-01-31 22:00", "2024-01-31 23:00", "2024-02-01 00:00", "h", "2024-01-31T22"),
     ("2024-01-31T22:00:00", "2024-01-31T22:00:30", "2024-01-31T22:01:00", "30s", "2024-01-31T22"),
     ("2024-01-31 22:00:00.000", "2024-01-31 22:00:00.500", "2024-01-31 22:00:01.000", "500ms", "2024-01-31T22"),
     ("2024/1/30", "2024/1/31", "2024/2/1", "D", "2024-01-30"),
     ("2024-01", "2024-02", "2024-03", "MS", "2024-01-01"),
     ("2023Q4", "2024Q1", "2024Q2", "QS-JAN", "2023-10-01"),
     ("2023-Q4", "2024-Q1", "2024-Q2", "QS-JAN", "2023-10-01")],
)  # fmt: skip
def test_dates_may_be_written_in_these_ways(first, second, third, freq, start, tmp_path):
    path = write(tmp_path, f"ds,y\n{first},1\n{second},2\n{third},3\n")
    data = read_real(path, options=ReadOptions(season_length=(1,)))
    assert (data.freq, data.starts[0]) == (freq, np.datetime64(start))
    assert data.n_missing == 0


def test_every_stamp_that_pandas_can_read_is_read_alike(tmp_path):
    texts = ["2024-02-29 01:02:03", "2024-02-29T01:02:03.25", "2024-02-29", "1999-12-31 23:59", "1678-01-01",
             "2261-12-31T23:59"]  # fmt: skip
    for text in texts:
        data = read_real(write(tmp_path, f"ds,y\n{text},1\n"), options=ReadOptions(freq="ns", season_length=(1,)))
        assert pd.Timestamp(data.starts[0]) == pd.Timestamp(text)


def test_zones_go_to_utc_below_a_day_and_keep_the_wall_time_from_a_day_on(tmp_path):
    hours = pd.date_range("2024-03-30 20:00", periods=12, freq="h", tz="Europe/Berlin")
    days = pd.date_range("2024-03-28", periods=6, freq="D", tz="Europe/Berlin")
    for stamps, freq, start, word in (
        (hours, "h", "2024-03-30T19", "put into UTC"),
        (days, "D", "2024-03-28", "local wall time is used"),
    ):
        frame = pd.DataFrame({"ds": stamps, "y": np.arange(len(stamps)) + 1.0})
        texts = frame.assign(ds=frame["ds"].map(lambda t: t.isoformat()))
        texts.to_csv(tmp_path / "x.csv", index=False)
        for data in (read_real(frame), read_real(tmp_path / "x.csv")):
            assert (data.freq, data.n_missing, data.starts[0]) == (freq, 0, np.datetime64(start))
            assert f"stamps have a time zone: {word}" in data.notes


def test_stamps_with_and_without_a_zone_are_not_mixed(tmp_path):
    path = write(tmp_path, "ds,y\n2024-01-01 00:00Z,1\n2024-01-01 01:00,2\n")
    with pytest.raises(
        DataError, match=r"1 distinct stamps .* have a time zone and 1 have none, first '2024-01-01 01:00'"
    ):
        read_real(path)


def test_leading_gaps_are_cut_and_trailing_ones_are_kept():
    frame = panel("D", n=6, n_series=3)
    frame.loc[frame["unique_id"] == "s2", "y"] = np.nan
    frame.loc[[0, 1, 5], "y"] = np.nan
    data = read_real(frame)
    assert data.keys == ("s0", "s1")
    assert data[0][:3].tolist() == [2.5, 3.5, 4.5]
    assert np.isnan(data[0][3])
    assert data.starts[0] == np.datetime64("2001-03-07")
    assert "1 series have no value at all and were left out: s2" in data.notes
    assert "2 rows without a value before the first one of their series were left out" in data.notes


def test_missing_values_are_refused_when_asked():
    frame = panel("D", n=6).drop(index=[8])
    with pytest.raises(DataError, match="1 of 12 steps have no value, first in series 's1'; missing values were to be"):
        read_real(frame, options=ReadOptions(missing="error"))
    assert read_real(panel("D", n=6), options=ReadOptions(missing="error")).n_missing == 0


def test_rows_out_of_order_are_sorted_and_said_so():
    frame = panel("D", n=6)
    data = read_real(frame.iloc[::-1])
    assert data.fingerprint == read_real(frame).fingerprint
    assert data.notes == ("10 rows stood before one with an earlier stamp; sorted",)
    # Series that alternate are in order; two rows that change places across another series are not.
    alternating = frame.iloc[[0, 6, 1, 7, 2, 8]]
    assert read_real(alternating).notes == ()
    assert read_real(alternating.iloc[[2, 1, 0, 3, 4, 5]]).notes == (
        "1 rows stood before one with an earlier stamp; sorted",
    )


def test_a_wide_table_keeps_the_order_of_its_columns(tmp_path):
    frame = pd.DataFrame(
        {"date": pd.date_range("2024-01-01", periods=5, freq="h"), "z": range(5), "a": [1.5, None, 3, 4, 5]}
    )
    frame.to_csv(tmp_path / "x.csv", index=False)
    for what in (frame, tmp_path / "x.csv"):
        data = read_real(what, options=ReadOptions(wide=True))
        assert data.keys == ("z", "a")
        assert data[0].tolist() == [0, 1, 2, 3, 4]
        assert np.isnan(data[1]).tolist() == [False, True, False, False, False]


def test_a_wide_table_names_the_line_of_a_bad_value(tmp_path):
    path = write(tmp_path, "date,a,b\n2024-01-01,1,2\n2024-01-02,1,x\n")
    with pytest.raises(DataError, match="1 values of column 'b' are not numbers, first 'x' in line 3"):
        read_real(path, options=ReadOptions(wide=True))


def test_a_single_series_is_named_after_its_file(tmp_path):
    path = write(tmp_path, "ds,y\n2024-01-01,1\n2024-01-02,2\n", name="sales.csv")
    assert read_real(path).keys == ("sales",)
    assert read_real(path).name == "sales"
    assert read_real(pd.DataFrame({"ds": ["2024-01-01", "2024-01-02"], "y": [1, 2]})).keys == ("series",)


def test_columns_may_have_other_names_and_unused_ones_are_listed(tmp_path):
    path = write(tmp_path, "shop,day,sales,price\na,2024-01-01,1,9\na,2024-01-02,2,9\n")
    data = read_real(path, options=ReadOptions(id_col="shop", time_col="day", target_col="sales"))
    assert data.keys == ("a",)
    assert data.notes == ("columns not used: price",)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_are_seen(tmp_path, separator):
    path = write(tmp_path, "unique_id,ds,y\na,2024-01-01,1\na,2024-01-02,2\n".replace(",", separator))
    assert read_real(path)[0].tolist() == [1.0, 2.0]


def test_ids_stay_what_they_are_as_text(tmp_path):
    path = write(tmp_path, "unique_id,ds,y\n001,2024-01-01,1\n001,2024-01-02,2\n1,2024-01-01,1\n1,2024-01-02,2\n")
    assert read_real(path).keys == ("001", "1")
    whole = panel("D").assign(unique_id=np.repeat([10, 9], 30))
    assert read_real(whole).keys == ("10", "9")
    assert read_real(whole.assign(unique_id=whole["unique_id"].astype(float))).keys == ("10", "9")
    assert read_real(whole.assign(unique_id=whole["unique_id"].astype("category"))).keys == ("10", "9")


def test_groups_and_weights_are_static(tmp_path):
    frame = panel("D").assign(region=np.repeat(["north", "south"], 30), size=np.repeat([2, 1], 30))
    frame.to_csv(tmp_path / "x.csv", index=False)
    options = ReadOptions(groups=("region",), weights="size")
    for what in (frame, tmp_path / "x.csv"):
        data = read_real(what, options=options)
        assert data.groups == {"region": ("north", "south")}
        assert data.weights is not None
        assert data.weights.tolist() == [2.0, 1.0]
    frame.loc[3, "region"] = "east"
    with pytest.raises(DataError, match="column 'region' must not change within a series; it does in 1, first 's0'"):
        read_real(frame, options=options)
    with pytest.raises(DataError, match="series 's1' has no value in column 'region'"):
        read_real(frame.assign(region=np.repeat(["n", None], 30)), options=options)
    with pytest.raises(DataError, match="1 series have no weight from 0 in column 'size', first 's1'"):
        read_real(frame.assign(region="n", size=np.repeat([1, -1], 30)), options=options)
    with pytest.raises(DataError, match="all weights in column 'size' are 0"):
        read_real(frame.assign(region="n", size=0), options=options)


def test_groups_follow_their_series_when_others_are_left_out():
    frame = panel("D", n_series=3).assign(g=np.repeat(["x", "y", "z"], 30), w=np.repeat([1, 2, 3], 30))
    frame.loc[frame["unique_id"] == "s1", "y"] = np.nan
    data = read_real(frame, options=ReadOptions(groups=("g",), weights="w"))
    assert data.groups == {"g": ("x", "z")}
    assert data.weights is not None
    assert data.weights.tolist() == [1.0, 3.0]


def test_a_series_and_an_index_of_pandas_are_read():
    plain = pd.Series([1.0, 2.0, 3.0], index=pd.date_range("2024-01-01", periods=3))
    assert read_real(plain, name="mine").keys == ("mine",)
    indexed = LONG.set_index(["unique_id", "ds"])
    assert read_real(indexed).fingerprint == read_real(LONG).fingerprint
    assert read_real(indexed["y"]).fingerprint == read_real(LONG).fingerprint
    periods = pd.Series([1.0, 2.0], index=pd.period_range("2024-01", periods=2, freq="M"))
    assert read_real(periods).freq == "MS"


def test_an_arrow_table_is_read_without_naming_its_library():
    import pyarrow as pa

    assert read_real(pa.Table.from_pandas(LONG)).fingerprint == read_real(LONG).fingerprint


def test_a_lazy_frame_is_collected_first():
    class Lazy:
        def collect(self):
            import pyarrow as pa

            return pa.Table.from_pandas(LONG)

    assert read_real(Lazy()).fingerprint == read_real(LONG).fingerprint


class Darts:
    """What a darts series offers, as far as it is read."""

    def __init__(self, values, start="2024-01-01", components=("0",), static=None):
        self._values = np.asarray(values, dtype=float).reshape(len(values), len(components), -1)
        self.time_index = pd.date_range(start, periods=len(values))
        self.components = pd.Index(components)
        self.static_covariates = static

    def all_values(self, copy=True):
        return self._values


def test_darts_series_are_known_by_what_they_offer():
    assert read_real([Darts([1, 2]), Darts([3, 4])]).keys == ("0", "1")
    assert read_real([Darts([1, 2], components=("a",)), Darts([3, 4], components=("b",))]).keys == ("a", "b")
    named = [Darts([1, 2], static=pd.DataFrame({"unique_id": [u]})) for u in ("x", "y")]
    assert read_real(named).keys == ("x", "y")
    both = read_real(Darts([[1, 10], [2, 20]], components=("a", "b")))
    assert (both.keys, both[1].tolist()) == (("a", "b"), [10.0, 20.0])
    with pytest.raises(DataError, match="holds 2 samples, expected 1"):
        read_real([Darts([[1, 10], [2, 20]])])


def test_real_darts_series_are_read():
    darts = pytest.importorskip("darts")
    series = darts.TimeSeries.from_values(np.arange(6.0).reshape(3, 2), columns=["a", "b"])
    data = read_real([series], options=ReadOptions(season_length=(1,)))
    assert (data.freq, data[1].tolist()) == ("step", [1.0, 3.0, 5.0])


def test_a_data_set_is_returned_as_it_is():
    data = read_real(LONG)
    assert read_real(data) is data


@pytest.mark.parametrize("what", [7, None, [1, 2], {"a": 1}, np.zeros(3), object()])
def test_other_objects_are_refused_by_their_type(what):
    with pytest.raises(DataError, match=f"cannot read a {type(what).__name__}"):
        read_real(what)


def test_arrays_of_windows_are_not_real_data(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    with pytest.raises(UsageError, match="an array of windows has no stamps"):
        read_real(tmp_path / "x.npy")


def test_a_large_panel_is_read_without_a_loop_over_rows(tmp_path, monkeypatch):
    stamps = pd.date_range("2020-01-01", periods=20, freq="D")
    n = 20_000
    frame = pd.DataFrame({"unique_id": np.repeat(np.arange(n), 20), "ds": np.tile(stamps, n), "y": np.ones(n * 20)})
    calls = 0

    def counted(self, *args, **kwargs):
        nonlocal calls
        calls += 1
        raise AssertionError("a row was looked at on its own")

    monkeypatch.setattr(pd.DataFrame, "iterrows", counted)
    monkeypatch.setattr(pd.DataFrame, "itertuples", counted)
    monkeypatch.setattr(pd.DataFrame, "groupby", counted)
    data = read_real(frame)
    assert (len(data), calls) == (n, 0)


def test_options_are_checked_when_they_are_made():
    assert ReadOptions(freq="M").freq == "ME"
    assert ReadOptions(season_length=12).season_length == (12,)
    for bad in ({"season_length": (0,)}, {"season_length": (2.5,)}, {"missing": "drop"}, {"inverse": "log"},
                {"channels": ("a", "a")}, {"season_length": (True,)}):  # fmt: skip
        with pytest.raises(UsageError):
            ReadOptions(**bad)


def test_paths_may_be_text_or_paths(tmp_path):
    LONG.to_csv(tmp_path / "x.csv", index=False)
    assert read_real(str(tmp_path / "x.csv")).fingerprint == read_real(Path(tmp_path / "x.csv")).fingerprint
