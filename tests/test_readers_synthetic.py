"""Synthetic data: replicates, arrays of windows, normalisations undone, and training parts written for generators."""

import numpy as np
import pandas as pd
import pytest

from tsgap.errors import DataError, UsageError
from tsgap.panel import Dataset
from tsgap.readers import ReadOptions, read_real, read_synthetic
from tsgap.readers.normaliser import Normaliser
from tsgap.readers.windows import windows_dataset
from tsgap.readers.writing import windows_of, write_long, write_windows


@pytest.fixture
def like():
    stamps = pd.date_range("2024-01-01", periods=40, freq="h")
    rng = np.random.default_rng(1)
    frame = pd.concat([pd.DataFrame({"unique_id": u, "ds": stamps, "y": shift + size * rng.normal(size=40)})
                       for u, shift, size in (("HUFL", 10, 1), ("OT", -5, 100))])  # fmt: skip
    return read_real(frame, name="ett")


def long_frame(like, stamps="h"):
    parts = []
    for i, key in enumerate(like.keys):
        frame = pd.DataFrame({"unique_id": key, "y": like[i] + 1})
        if isinstance(stamps, str):
            frame["ds"] = pd.date_range("1999-05-05", periods=len(frame), freq=stamps)
        elif stamps is not None:
            frame["ds"] = np.arange(len(frame)) * stamps + 7
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("stamps", ["h", 1, 10, None])
def test_synthetic_stamps_need_only_be_regular(like, stamps):
    (data,) = read_synthetic(long_frame(like, stamps), name="gan", like=like)
    assert (data.name, data.keys, data.freq, data.seasons) == ("gan", like.keys, "h", (24,))
    np.testing.assert_array_equal(data.values, like.values + 1)
    assert data.starts.dtype == like.starts.dtype


def test_rows_without_stamps_keep_their_order_even_when_series_alternate(like):
    frame = pd.DataFrame({"unique_id": ["b", "a", "b", "a"], "y": [1.0, 2.0, 3.0, 4.0]})
    (data,) = read_synthetic(frame, name="s", like=like)
    assert (data[0].tolist(), data[1].tolist()) == ([2.0, 4.0], [1.0, 3.0])
    assert "no stamps: the rows of a series were taken in their order" in data.notes


@pytest.mark.parametrize("stamps", ["D", "30min", "MS"])
def test_stamps_of_another_frequency_are_refused(like, stamps):
    with pytest.raises(DataError, match=r"synthetic stamps have frequency .*, the real ones 'h'"):
        read_synthetic(long_frame(like, stamps), name="gan", like=like)


def test_whole_number_stamps_with_irregular_steps_are_refused(like):
    frame = pd.DataFrame({"ds": [0, 10, 20, 25], "y": [1.0, 2.0, 3.0, 4.0]})
    with pytest.raises(DataError, match="most whole-number stamps are 10 apart, 1 are not, first 25 in row 3"):
        read_synthetic(frame, name="gan", like=like)


def test_month_starts_do_for_month_ends():
    stamps = pd.date_range("2020-01-01", periods=24, freq="ME")
    real = read_real(pd.DataFrame({"ds": stamps, "y": np.arange(24.0)}))
    frame = pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=5, freq="MS"), "y": np.arange(5.0)})
    (data,) = read_synthetic(frame, name="g", like=real)
    assert (data.freq, data.seasons, data[0].tolist()) == ("ME", (12,), [0, 1, 2, 3, 4])
    assert data.keys == real.keys == ("series",)


def test_dates_do_where_the_real_stamps_are_whole_numbers():
    real = read_real(pd.DataFrame({"ds": range(9), "y": np.arange(9.0)}), options=ReadOptions(season_length=(3,)))
    frame = pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=5, freq="D"), "y": np.arange(5.0)})
    (data,) = read_synthetic(frame, name="g", like=real)
    assert (data.freq, data.seasons, data.starts.tolist()) == ("step", (3,), [0])
    assert data.starts.dtype == np.int64


def test_one_row_a_series_takes_the_real_frequency(like):
    frame = pd.DataFrame({"unique_id": ["a", "b"], "ds": ["2024-01-01 03:00"] * 2, "y": [1.0, 2.0]})
    assert read_synthetic(frame, name="g", like=like)[0].lengths.tolist() == [1, 1]


def test_a_folder_holds_replicates_in_the_order_of_their_numbers(like, tmp_path):
    for i in (10, 9, 1):
        long_frame(like).assign(y=float(i)).to_csv(tmp_path / f"run{i}.csv", index=False)
    (tmp_path / "notes.md").write_text("not data")
    found = read_synthetic(tmp_path, name="gan", like=like)
    assert [d.name for d in found] == ["gan/0", "gan/1", "gan/2"]
    assert [d.values[0] for d in found] == [1.0, 9.0, 10.0]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no file in it ends in one of"):
        read_synthetic(tmp_path / "empty", name="gan", like=like)


def test_a_pattern_matches_replicates(like, tmp_path):
    for i in ("a", "b"):
        (tmp_path / f"seed-{i}").mkdir()
        np.save(tmp_path / f"seed-{i}" / "windows.npy", np.full((3, 5), ord(i)))
    np.save(tmp_path / "other.npy", np.zeros((3, 5)))
    found = read_synthetic(str(tmp_path / "seed-{replicate}" / "windows.npy"), name="gan", like=like)
    assert [d.values[0] for d in found] == [97.0, 98.0]
    assert len(read_synthetic(str(tmp_path / "{replicate}.npy"), name="gan", like=like)) == 1
    for pattern in ("*.csv", "{rep}.csv"):
        with pytest.raises(DataError, match=r"a pattern of replicates says \{replicate\}"):
            read_synthetic(tmp_path / pattern, name="gan", like=like)
    with pytest.raises(DataError, match="no file matches"):
        read_synthetic(str(tmp_path / "x{replicate}.npy"), name="gan", like=like)
    with pytest.raises(UsageError, match="may stand in a pattern once"):
        read_synthetic(str(tmp_path / "{replicate}{replicate}.npy"), name="gan", like=like)


def test_a_list_of_frames_or_arrays_is_replicates(like):
    assert len(read_synthetic([long_frame(like), long_frame(like)], name="g", like=like)) == 2
    assert len(read_synthetic([np.zeros((2, 4)), np.ones((2, 4))], name="g", like=like)) == 2
    for bad in ([], [[1.0, 2.0]], [1.0]):
        with pytest.raises(UsageError):
            read_synthetic(bad, name="g", like=like)


def test_windows_of_one_channel_become_rows_of_one_series(like):
    (data,) = read_synthetic(np.arange(12).reshape(3, 4), name="g", like=like)
    assert (data.windows, data.keys, set(data.series)) == (4, ("w0", "w1", "w2"), {"windows"})
    assert (data.freq, data.seasons, data[1].tolist()) == ("h", (24,), [4, 5, 6, 7])
    assert data.starts.tolist() == [0, 0, 0]
    assert data.starts.dtype == like.starts.dtype
    (named,) = read_synthetic(np.zeros((3, 4)), name="g", like=like, options=ReadOptions(channels=("OT",)))
    assert set(named.series) == {"OT"}


def test_channels_are_the_real_series_when_there_are_as_many(like):
    array = np.arange(24).reshape(3, 4, 2)
    (data,) = read_synthetic(array, name="g", like=like)
    assert data.keys[:3] == ("w0:HUFL", "w0:OT", "w1:HUFL")
    assert data.series[:2] == ("HUFL", "OT")
    for i, key in enumerate(data.keys):
        w, c = divmod(i, 2)
        assert data[i].tolist() == array[w, :, c].tolist(), key
    assert any("structure across channels is not tested" in n for n in data.notes)
    assert any("in this order: HUFL, OT" in n for n in data.notes)


def test_other_numbers_of_channels_are_named_or_numbered(like):
    array = np.zeros((3, 4, 3))
    assert read_synthetic(array, name="g", like=like)[0].series[:3] == ("c0", "c1", "c2")
    options = ReadOptions(channels=("a", "b", "c"))
    assert read_synthetic(array, name="g", like=like, options=options)[0].series[:3] == ("a", "b", "c")
    for shape in ((3, 4, 2), (3, 4)):
        with pytest.raises(UsageError, match="3 channels are named, the array"):
            read_synthetic(np.zeros(shape), name="g", like=like, options=options)
    with pytest.raises(UsageError, match="channels are named for arrays of windows"):
        read_synthetic(long_frame(like), name="g", like=like, options=options)


def test_windows_that_are_not_finite_are_left_out_and_counted(like):
    array = np.ones((4, 3))
    array[1, 2], array[3, 0] = np.nan, np.inf
    (data,) = read_synthetic(array, name="g", like=like)
    assert data.keys == ("w0", "w2")
    assert "2 of 4 windows were left out: they hold NaN or infinite values" in data.notes
    with pytest.raises(DataError, match="none of 2 windows is finite"):
        read_synthetic(np.full((2, 3), np.nan), name="g", like=like)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(3),
        np.zeros((2, 3, 4, 5)),
        np.zeros((0, 3)),
        np.array([["a", "b"]]),
        np.zeros((2, 3), dtype=bool),
        np.zeros((2, 2), dtype=complex),
    ],
)
def test_other_arrays_are_refused_by_shape_and_type(like, array):
    with pytest.raises(DataError, match=r"windows must be numbers \(N, L\) or \(N, L, C\), found"):
        read_synthetic(array, name="g", like=like)


def test_an_npz_file_says_which_array_holds_the_windows(like, tmp_path):
    array = np.arange(6.0).reshape(2, 3)
    np.savez(tmp_path / "one.npz", anything=array)
    np.savez(tmp_path / "named.npz", samples=array, labels=np.zeros(2))
    for name in ("one", "named"):
        assert read_synthetic(tmp_path / f"{name}.npz", name="g", like=like)[0][1].tolist() == [3, 4, 5]
    np.savez(tmp_path / "unclear.npz", x=array, y=array)
    with pytest.raises(DataError, match=r"cannot tell which array .* There are: x \(2, 3\), y \(2, 3\)"):
        read_synthetic(tmp_path / "unclear.npz", name="g", like=like)
    np.savez(tmp_path / "both.npz", samples=array, data=array)
    with pytest.raises(DataError, match="cannot tell which array"):
        read_synthetic(tmp_path / "both.npz", name="g", like=like)


def test_pickled_objects_and_other_bytes_are_not_loaded(like, tmp_path):
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "x.npz", windows=np.array([{"a": 1}], dtype=object))
    (tmp_path / "y.npz").write_bytes(b"PK not a zip")
    (tmp_path / "y.npy").write_bytes(b"")
    for name in ("x.npy", "x.npz", "y.npz", "y.npy"):
        with pytest.raises(DataError, match="pickled objects"):
            read_synthetic(tmp_path / name, name="g", like=like)
    with pytest.raises(DataError, match="there is no such file"):
        read_synthetic(tmp_path / "z.npy", name="g", like=like)


@pytest.mark.parametrize("kind", ["minmax", "zscore"])
def test_a_normalisation_of_channels_is_undone_by_the_real_training_part(like, kind):
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    table = np.column_stack([like[0], like[1]])
    scaled = (MinMaxScaler() if kind == "minmax" else StandardScaler()).fit_transform(table)
    windows = np.stack([scaled[i : i + 8] for i in range(20)])
    (data,) = read_synthetic(windows, name="g", like=like, options=ReadOptions(inverse=kind))
    expected = np.stack([table[i : i + 8] for i in range(20)]).transpose(0, 2, 1).reshape(-1)
    np.testing.assert_allclose(data.values, expected, rtol=1e-12, atol=1e-12)
    assert f"{kind} undone by the figures of the real training part, series by series" in data.notes


def test_without_a_series_of_that_name_all_values_are_the_measure(like):
    (data,) = read_synthetic(np.array([[0.0, 1.0]]), name="g", like=like, options=ReadOptions(inverse="minmax"))
    np.testing.assert_allclose(data[0], [like.values.min(), like.values.max()])
    assert any("over all values, as no series has their name" in n for n in data.notes)


def test_a_normalised_long_file_is_undone_too(like):
    frame = long_frame(like)
    frame["y"] = np.concatenate([(like[i] - like[i].mean()) / like[i].std() for i in range(2)])
    (data,) = read_synthetic(frame, name="g", like=like, options=ReadOptions(inverse="zscore"))
    np.testing.assert_allclose(data.values, like.values, rtol=1e-9, atol=1e-9)
    (other,) = read_synthetic(frame.replace("OT", "x"), name="g", like=like, options=ReadOptions(inverse="zscore"))
    assert any("over all its values for the other 1 of 2 series" in n for n in other.notes)


def test_a_constant_series_is_moved_and_not_stretched():
    flat = Dataset("flat", np.full(5, 7.0), np.array([0, 5]), ("a",), np.zeros(1, dtype=np.int64), "step", (1,))
    for kind in ("minmax", "zscore"):
        normaliser = Normaliser.of(flat, kind)
        assert normaliser.apply(flat[0], "a").tolist() == [0.0] * 5
        assert normaliser.undo(np.array([0.0, 1.0]), "a").tolist() == [7.0, 8.0]


@pytest.mark.parametrize("kind", [None, "minmax", "zscore"])
def test_windows_written_for_a_generator_come_back_as_they_were(like, tmp_path, kind):
    path = tmp_path / "train.npz"
    count, left_out = write_windows(like, path, length=8, stride=4, normalise=kind)
    assert (count, left_out) == (18, 0)
    (data,) = read_synthetic(path, name="g", like=like, options=ReadOptions(inverse=kind))
    windows, keys = windows_of(like, 8, 4)
    np.testing.assert_allclose(data.values.reshape(-1, 8), windows, rtol=1e-9, atol=1e-9)
    assert data.series == keys
    if kind == "minmax":
        with np.load(path, allow_pickle=False) as stored:
            assert stored["windows"].min() >= 0
            assert stored["windows"].max() <= 1


def test_a_stored_normaliser_undoes_samples_whatever_the_training_part_is(like, tmp_path):
    write_windows(like, tmp_path / "train.npz", length=8, stride=4, normalise="minmax")
    with np.load(tmp_path / "train.npz", allow_pickle=False) as train:
        kept = {name: train[name] for name in train.files if name not in ("windows", "keys")}
    np.savez(tmp_path / "samples.npz", windows=np.array([[0.0, 1.0]]), **kept)
    half = like.take([0])
    (data,) = read_synthetic(tmp_path / "samples.npz", name="g", like=half, options=ReadOptions(inverse="minmax"))
    np.testing.assert_allclose(data[0], [like.values.min(), like.values.max()])
    assert any("stored with the windows" in n for n in data.notes)
    with pytest.raises(UsageError, match="the stored normaliser is 'minmax', 'zscore' was to be undone"):
        read_synthetic(tmp_path / "samples.npz", name="g", like=half, options=ReadOptions(inverse="zscore"))


@pytest.mark.parametrize(
    ("change", "said"),
    [({"normaliser": np.array("log")}, "the stored normaliser is 'log'"),
     ({"high": np.array([1.0])}, "other shapes"),
     ({"low": np.array([np.nan, 1.0])}, "not finite"),
     ({"keys": np.array(["a"])}, r"2 windows and keys of shape \(1,\)"),
     ({"whole": None}, "the stored minmax normaliser lacks whole")],
)  # fmt: skip
def test_a_broken_store_is_refused(like, tmp_path, change, said):
    arrays = {"windows": np.zeros((2, 3)), **Normaliser.of(like, "minmax").arrays(), **change}
    np.savez(tmp_path / "x.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(DataError, match=said):
        read_synthetic(tmp_path / "x.npz", name="g", like=like, options=ReadOptions(inverse="minmax"))


def test_windows_end_where_their_series_ends_and_gaps_are_filled():
    values = np.array([1.0, np.nan, 3.0, 4.0, 5.0, 6.0, 7.0, 9.0, 9.0])
    data = Dataset("d", values, np.array([0, 7, 9]), ("a", "b"), np.zeros(2, dtype=np.int64), "step", (1,))
    windows, keys = windows_of(data, 3, 3)
    assert windows.tolist() == [[2, 3, 4], [5, 6, 7]]
    assert keys == ("a",) * 2
    with pytest.raises(DataError, match="no series has 8 steps, the longest has 7"):
        windows_of(data, 8, 1)
    with pytest.raises(UsageError, match="whole numbers from 1"):
        windows_of(data, 0, 1)


def test_series_too_short_for_a_window_are_counted(tmp_path):
    data = Dataset("d", np.arange(9.0), np.array([0, 7, 9]), ("a", "b"), np.zeros(2, dtype=np.int64), "step", (1,))
    assert write_windows(data, tmp_path / "x.npz", length=5, stride=1) == (3, 1)
    with pytest.raises(UsageError, match=r"windows are written to \.npz"):
        write_windows(data, tmp_path / "x.npy", length=5, stride=1)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("freq", ["h", "B", "ME", "W-WED", "QE-OCT"])
def test_a_data_set_written_long_comes_back_the_same(ending, freq, tmp_path):
    rng = np.random.default_rng(0)
    stamps = pd.date_range("2001-01-01", periods=20, freq=freq)
    frame = pd.concat([pd.DataFrame({"unique_id": f"s{i}", "ds": stamps[i:], "y": rng.normal(size=20 - i),
                                     "region": f"r{i % 2}", "weight": i + 0.5}) for i in range(3)])  # fmt: skip
    frame.loc[frame.index == 7, "y"] = np.nan
    options = ReadOptions(groups=("region",), weights="weight")
    data = read_real(frame, options=options)
    write_long(data, tmp_path / f"x.{ending}")
    again = read_real(tmp_path / f"x.{ending}", options=options)
    assert again.fingerprint == data.fingerprint
    assert again.n_missing == 3
    assert again.groups == data.groups
    np.testing.assert_array_equal(again.weights, data.weights)


def test_whole_number_stamps_are_written_and_other_endings_refused(tmp_path):
    data = Dataset("d", np.arange(4.0), np.array([0, 3, 4]), ("a", "b"), np.array([5, 9]), "step", (1,))
    write_long(data, tmp_path / "x.csv")
    assert pd.read_csv(tmp_path / "x.csv")["ds"].tolist() == [5, 6, 7, 9]
    with pytest.raises(UsageError, match=r"the ending '\.xlsx' is not one of"):
        write_long(data, tmp_path / "x.xlsx")


def test_a_data_set_is_taken_as_it_is(like):
    assert read_synthetic(like, name="g", like=like) == [like]


def test_windows_where_real_stamps_are_whole_numbers():
    real = Dataset("d", np.arange(4.0), np.array([0, 4]), ("a",), np.array([5]), "step", (2,))
    data = windows_dataset(np.zeros((2, 3)), name="g", like=real, options=ReadOptions(), where="x")
    assert (data.freq, data.starts.dtype) == ("step", np.int64)


def test_other_endings_are_refused(like, tmp_path):
    (tmp_path / "x.pkl").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"the ending '.pkl' is not one of"):
        read_synthetic(tmp_path / "x.pkl", name="g", like=like)
    with pytest.raises(DataError, match="there is no such file"):
        read_synthetic(tmp_path / "absent.csv", name="g", like=like)
