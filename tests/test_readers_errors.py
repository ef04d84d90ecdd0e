"""Faults of files, each told in one line with its first offender."""

import re

import numpy as np
import pandas as pd
import pytest

from tsgap.errors import DataError, TsgapError, UsageError
from tsgap.readers import ReadOptions, read_real

HEAD = "unique_id,ds,y\n"
GOOD = "a,2024-01-01,1\na,2024-01-02,2\na,2024-01-03,3\n"

FAULTS = [
    (b"", "the file is empty"),
    (b" \n\n", "the file is empty"),
    (HEAD, "a header and no rows"),
    (HEAD + "a,2024-01-01,1\0\n", "a NUL byte at byte 29"),
    ("unique_id,ds,y\n".encode("utf-16"), "save it as UTF-8"),
    (HEAD.encode() + b"caf\xe9,2024-01-01,1\n", r"not UTF-8: byte 0xe9 at byte 18 \(line 2\); save it as UTF-8"),
    ("unique_id,ds,y,y\na,2024-01-01,1,2\n", "the header names the column 'y' 2 times"),
    (
        "unique_id,date,y\na,2024-01-01,1\n",
        r"no column 'ds' for the stamps.* There are: unique_id, date, y; .*--time-col",
    ),
    ("unique_id,ds,Y\na,2024-01-01,1\n", "no column 'y' for the values"),
    ("unique_id,ds,yy\na,2024-01-01,1\n", r"no column 'y' for the values; did you mean 'yy'\?"),
    ("date,a,b\n2024-01-01,1,2\n", "if every column is a series, say --wide"),
    (HEAD + "a,2024-01-01\n", "not a CSV table: .*3 columns, got 2"),
    (
        HEAD + GOOD + 'a,2024-01-04,"1,234"\n',
        r"1 values of column 'y' are not numbers, first '1,234' in line 5; write plain",
    ),
    (HEAD + GOOD + "a,2024-01-04,n.a.\n", "1 values of column 'y' are not numbers, first 'n.a.' in line 5"),
    (HEAD + GOOD + "a,2024-01-04,1e400\n", "1 values of column 'y' are infinite .* first in line 5"),
    (HEAD + GOOD + "a,2024-01-04,-inf\n", "1 values of column 'y' are infinite .* first in line 5"),
    (HEAD + GOOD + ",2024-01-04,1\n", "1 ids of column 'unique_id' are missing, first in line 5"),
    (HEAD + GOOD + "a,,1\n", "1 stamps of column 'ds' are missing, first in line 5"),
    (HEAD + GOOD + "a,31.01.2024,1\n", "first '31.01.2024' in line 5; day and month cannot be told apart"),
    (HEAD + GOOD + "a,01/02/2024,1\n", "day and month cannot be told apart"),
    (HEAD + GOOD + "a,2024-02-30,1\n", "first '2024-02-30' in line 5"),
    (HEAD + GOOD + "a,2024-13-01,1\n", "first '2024-13-01' in line 5"),
    (HEAD + GOOD + "a,1492-01-01,1\n", "first '1492-01-01' in line 5"),
    (HEAD + "a,1500-01-01,1\na,1501-01-01,2\n", "outside the years 1678 to 2261 .*first '1500-01-01' in line 2"),
    (HEAD + GOOD + "a,soon,1\n", "1 stamps of column 'ds' are neither ISO dates .* first 'soon' in line 5"),
    (HEAD + GOOD + "a,5,1\n", "first '5' in line 5"),
    (HEAD + GOOD + "a,2024-01-02,9\n", r"1 stamps are there twice: 'a' 2024-01-02 \(line 5\)"),
    ("ds,y\n2024-01-01,1\n2024-01-01,2\n", "if there are several series, name their column with --id-col"),
    (HEAD + "a,2024-01-01,\na,2024-01-02,\n", "no row has a value"),
    (
        HEAD + GOOD + "a,2024-01-03 12:00,9\n",
        r"1 stamps are not on the grid of 'D'.*'a' 2024-01-03T12:00:00; give --freq",
    ),
]


@pytest.mark.parametrize(("text", "said"), FAULTS, ids=[said[:40] for _, said in FAULTS])
def test_a_bad_file_is_one_line_that_names_file_and_place(text, said, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError) as found:
        read_real(path)
    message = str(found.value)
    assert re.search(said, message), message
    assert message.startswith(str(path))
    assert "\n" not in message


def test_the_first_five_duplicates_are_named_and_the_others_counted(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(HEAD + "".join(f"s{i},2024-01-01,1\n" * 2 for i in range(7)))
    with pytest.raises(DataError) as found:
        read_real(path)
    assert "7 stamps are there twice: 's0' 2024-01-01 (line 3), 's1' 2024-01-01 (line 5)" in str(found.value)
    assert "'s4'" in str(found.value)
    assert "'s5'" not in str(found.value)
    assert "and 2 more" in str(found.value)


def test_a_byte_order_mark_and_spaces_do_no_harm(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + "a,2024-01-01, 1.5\na,2024-01-02,2 \n").encode())
    assert read_real(path)[0].tolist() == [1.5, 2.0]


@pytest.mark.parametrize("text", ["", "NA", "nan", "NaN", "null", "None", "N/A"])
def test_these_words_are_missing_values(tmp_path, text):
    path = tmp_path / "x.csv"
    path.write_text(HEAD + GOOD + f"a,2024-01-04,{text}\na,2024-01-05,5\n")
    assert np.isnan(read_real(path)[0]).tolist() == [False, False, False, True, False]


def test_numbers_are_read_to_the_last_bit(tmp_path):
    texts = ["4.203000068664551", "1.3400000333786009", "0.1", "1e-310", "123456789.123456789"]
    path = tmp_path / "x.csv"
    path.write_text(HEAD + "".join(f"a,2024-01-0{i + 1},{t}\n" for i, t in enumerate(texts)))
    assert read_real(path)[0].tolist() == [float(t) for t in texts]


def test_whole_numbers_beyond_exact_floats_are_noted(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(HEAD + f"a,2024-01-01,{2**53 + 1}\na,2024-01-02,{2**54}\n")
    note = "1 whole numbers of column 'y' lie beyond 2^53 and lost digits, first 9007199254740993"
    assert read_real(path).notes == (note,)
    frame = pd.DataFrame({"ds": ["2024-01-01", "2024-01-02"], "y": [2**53 + 1, 2**54]})
    assert read_real(frame).notes == (note,)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([True, False], "must hold numbers, found bool"),
        ([1 + 2j, 1j], "must hold numbers, found complex128"),
        (pd.to_datetime(["2024-01-01", "2024-01-02"]), "must hold numbers, found datetime64"),
        (["1", "x"], "1 values of column 'y' are not numbers, first 'x' in row 1"),
        ([1.0, np.inf], "1 values of column 'y' are infinite .* first in row 1"),
        ([1, True], "first True in row 1"),
        ([[1], [2]], r"2 values of column 'y' are not numbers, first \[1\] in row 0"),
    ],
)
def test_a_frame_with_other_values_is_refused(values, said):
    frame = pd.DataFrame({"ds": ["2024-01-01", "2024-01-02"], "y": values})
    with pytest.raises(DataError, match=said):
        read_real(frame)


def test_other_kinds_of_number_are_read():
    from decimal import Decimal
    from fractions import Fraction

    stamps = ["2024-01-01", "2024-01-02"]
    for values in ([Decimal("1.5"), Decimal("2")], ["1.5", "2"], pd.array([1.5, 2.0], dtype="Float64"),
                   pd.Categorical([1.5, 2.0]), np.array([1.5, 2.0], dtype="float32")):  # fmt: skip
        assert read_real(pd.DataFrame({"ds": stamps, "y": values}))[0].tolist() == [1.5, 2.0]
    nullable = read_real(pd.DataFrame({"ds": [*stamps, "2024-01-03"], "y": pd.array([1, None, 3], dtype="Int64")}))
    assert np.isnan(nullable[0]).tolist() == [False, True, False]
    with pytest.raises(TsgapError):
        read_real(pd.DataFrame({"ds": stamps, "y": [Fraction(1, 2), "a"]}))


@pytest.mark.parametrize(
    ("stamps", "said"),
    [
        ([True, False], "truth values"),
        ([1.5, 2.5], "neither ISO dates"),
        ([pd.Timestamp("2024-01-01"), pd.NaT], "1 stamps of column 'ds' are missing, first in row 1"),
        (pd.array(["9999-01-01", "9999-01-02"], dtype="datetime64[s]"), "outside the years 1678 to 2261"),
        (pd.array(["2024-01-01", "2024-01-01"], dtype="datetime64[s]"), "1 stamps are there twice"),
    ],
)
def test_a_frame_with_other_stamps_is_refused(stamps, said):
    with pytest.raises(DataError, match=said):
        read_real(pd.DataFrame({"ds": stamps, "y": [1.0, 2.0]}))


def test_frames_without_rows_or_with_a_column_twice_are_refused():
    with pytest.raises(DataError, match="the DataFrame has no rows"):
        read_real(pd.DataFrame({"ds": [], "y": []}))
    with pytest.raises(DataError, match="names the column 'y' 2 times"):
        read_real(pd.DataFrame([["2024-01-01", 1, 2]], columns=["ds", "y", "y"]))


def test_ids_that_are_equal_as_text_are_refused():
    frame = pd.DataFrame({"unique_id": [1, "1"], "ds": ["2024-01-01"] * 2, "y": [1.0, 2.0]})
    with pytest.raises(DataError, match="the same once written as text"):
        read_real(frame)


def test_an_option_that_names_no_column_is_an_error_even_where_the_default_may_be_absent(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("ds,y,shop\n2024-01-01,1,a\n")
    for options, said in (
        (ReadOptions(id_col="store"), "no column 'store' for the series.*--id-col"),
        (ReadOptions(groups=("region",)), "no column 'region' for the groups.*--group"),
        (ReadOptions(weights="size"), "no column 'size' for the weights.*--weights"),
        (ReadOptions(wide=True, time_col="date"), "no column 'date' for the stamps.*--time-col"),
        (ReadOptions(wide=True, groups=("shop",)), "a wide table has no static columns"),
    ):
        with pytest.raises(DataError, match=said):
            read_real(path, options=options)


def test_parquet_files_that_are_none_are_refused(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 this is not Parquet PAR1")
    with pytest.raises(DataError, match="not readable as Parquet"):
        read_real(tmp_path / "x.parquet")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="there is no Parquet file in this folder"):
        read_real(tmp_path / "folder")
    pd.DataFrame({"unique_id": [], "ds": [], "y": []}).to_parquet(tmp_path / "none.parquet")
    with pytest.raises(DataError, match="columns and no rows"):
        read_real(tmp_path / "none.parquet")


def test_absent_files_and_other_endings_are_refused(tmp_path):
    with pytest.raises(DataError, match="there is no such file or folder"):
        read_real(tmp_path / "x.csv")
    (tmp_path / "x.xlsx").write_text("x")
    with pytest.raises(UsageError, match=r"the ending '.xlsx' is not one of .csv"):
        read_real(tmp_path / "x.xlsx")


TSF = """# a comment
@relation test
@attribute series_name string
@attribute start_timestamp date
@frequency {freq}
@missing true
@data
T1:{start}:1,2.5,?,4
T2:{start}:?,5,6
"""


@pytest.mark.parametrize(
    ("freq", "start", "expected", "first", "moved"),
    [("daily", "2015-07-01 00-00-00", "D", "2015-07-01", False),
     ("half_hourly", "2015-07-01 00-30-00", "30min", "2015-07-01T00:30", False),
     ("10_minutes", "2015-07-01 00-10-00", "10min", "2015-07-01T00:10", False),
     ("weekly", "2015-07-01 00-00-00", "W-WED", "2015-07-01", False),
     ("monthly", "2015-07-01 00-00-00", "MS", "2015-07-01", False),
     ("monthly", "2015-07-28 00-00-00", "MS", "2015-07-01", True),
     ("quarterly", "2015-08-28 00-00-00", "QS-JAN", "2015-07-01", True),
     ("yearly", "1969-07-20 12-00-00", "YS-JAN", "1969-01-01", True)],
)  # fmt: skip
def test_the_monash_format_is_read(freq, start, expected, first, moved, tmp_path):
    path = tmp_path / "x.tsf"
    path.write_text(TSF.format(freq=freq, start=start))
    data = read_real(path)
    assert (data.freq, data.keys) == (expected, ("T1", "T2"))
    assert data.starts[0] == np.datetime64(first)
    np.testing.assert_array_equal(data[0], [1, 2.5, np.nan, 4])
    assert data[1].tolist() == [5, 6]
    assert data.starts[1] == data.stamps(0)[1]
    assert any("put to the start" in n for n in data.notes) == moved


def test_the_monash_format_without_stamps_or_frequency(tmp_path):
    path = tmp_path / "x.tsf"
    path.write_text("@attribute series_name string\n@frequency daily\n@data\nT1:1,2,3\n")
    data = read_real(path)
    assert data.starts[0] == np.datetime64("1970-01-01")
    assert "the file has no start stamps: every series starts at 1970-01-01" in data.notes
    path.write_text("@attribute series_name string\n@data\nT1:1,2,3\n")
    assert read_real(path, options=ReadOptions(season_length=(2,))).freq == "step"


@pytest.mark.parametrize(
    ("text", "said"),
    [("@data\n", "no series after @data"),
     ("@attribute series_name string\n", "no line @data"),
     ("a,b\n1,2\n", "data before @data"),
     ("@attribute series_name string\n@data\nT1:1,x\n", "line 3: could not convert string to float: 'x'"),
     ("@attribute series_name string\n@data\nT1:1,1e999\n", "line 3: an infinite value, number 2"),
     ("@attribute series_name string\n@data\nT1:a:1\n", "line 3: 2 attributes, the header names 1"),
     ("@attribute series_name string\n@data\nT1:1\nT1:2\n", "the series 'T1' is there twice"),
     ("@attribute start_timestamp date\n@frequency daily\n@data\n1.1.2020:1\n", "line 4: start stamp '1.1.2020'"),
     ("@attribute series_name string\n@frequency hourlyish\n@data\nT1:1\n", "no frequency is called 'hourlyish'")],
)  # fmt: skip
def test_faults_of_the_monash_format_are_named(text, said, tmp_path):
    path = tmp_path / "x.tsf"
    path.write_text(text)
    with pytest.raises(DataError, match=re.escape(said)):
        read_real(path, options=ReadOptions(season_length=(1,)))
