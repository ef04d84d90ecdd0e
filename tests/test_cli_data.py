"""`tsgap data` from the command line."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from tsgap.cli import DONE, USAGE, run
from tsgap.cli.data import data
from tsgap.cli.options import season_lengths
from tsgap.errors import UsageError
from tsgap.readers.catalog import catalog


def test_list_has_a_row_for_every_card():
    found = CliRunner().invoke(data, ["list"], terminal_width=80)
    assert found.exit_code == 0
    for id in catalog().cards:
        assert id in found.output
    for word in ("here", "fetched", "QS-JAN", "cc-by-4.0"):
        assert word in found.output


def test_list_as_json_has_the_same_rows():
    found = CliRunner().invoke(data, ["list", "--json"])
    rows = json.loads(found.output)
    assert [r["id"] for r in rows] == list(catalog().cards)
    (macro,) = (r for r in rows if r["id"] == "macrodata")
    assert (macro["series"], macro["steps"], macro["freq"], macro["horizons"]) == (12, "203", "QS-JAN", "1,4,8")
    assert {r["steps"] for r in rows if r["id"] == "m4_hourly"} == {"?"}


@pytest.mark.parametrize("id", sorted(catalog().cards))
def test_show_prints_the_card(id):
    found = CliRunner().invoke(data, ["show", f"card:{id}"])
    assert found.exit_code == 0
    assert "Motivation" in found.output
    assert "citation" in found.output


def test_show_of_an_unknown_card_names_near_ones(capsys):
    assert run(["data", "show", "nil"]) == USAGE
    assert "did you mean 'nile'" in capsys.readouterr().err


def test_check_says_what_was_found(tmp_path, capsys):
    frame = pd.DataFrame({"shop": ["a"] * 3 + ["b"] * 2, "day": ["2024-01-01", "2024-01-02", "2024-01-04"] * 1
                          + ["2024-01-01", "2024-01-02"], "sales": [1, 2, 4, 5, 6], "town": ["x"] * 5})  # fmt: skip
    frame.to_csv(tmp_path / "x.csv", index=False)
    named = ["--id-col", "shop", "--time-col", "day", "--target-col", "sales", "--group", "town"]
    assert run(["data", "check", str(tmp_path / "x.csv"), *named, "--season-length", "7,14"]) == DONE
    out = capsys.readouterr().out
    for line in ("series       2: a, b", "steps        2 to 4, median 3", "frequency    D", "seasons      7,14",
                 "missing      1 of 6 steps", "values       1 to 6", "group town   1 values",
                 "note         1 of 6 steps have no value (1 of them had no row)"):  # fmt: skip
        assert line in out, line
    assert "2024-01-01 00:00:00 to 2024-01-04 00:00:00 in a" in out


def test_check_of_bad_data_is_one_line_and_exit_code_2(tmp_path, capsys):
    (tmp_path / "x.csv").write_text("unique_id,ds,y\na,2024-01-01,oops\n")
    assert run(["data", "check", str(tmp_path / "x.csv")]) == USAGE
    found = capsys.readouterr()
    assert found.out == ""
    assert found.err.count("\n") == 1
    assert "'oops' in line 2" in found.err
    assert run(["data", "check", str(tmp_path / "absent.csv")]) == USAGE
    assert run(["data", "check", "card:nile", "--freq", "fortnight"]) == USAGE
    assert run(["data", "check", "card:co2", "--missing", "error"]) == USAGE


def test_check_reads_a_card(capsys):
    assert run(["data", "check", "card:macrodata"]) == DONE
    assert "series       12: cpi, infl, m1" in capsys.readouterr().out


def test_names_cannot_steer_the_terminal(tmp_path, capsys):
    frame = pd.DataFrame({"unique_id": "\x1b[2Ja", "ds": ["2024-01-01", "2024-01-02"], "y": [1, 2]})
    frame.to_parquet(tmp_path / "x.parquet")
    assert run(["data", "check", str(tmp_path / "x.parquet")]) == DONE
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "?[2Ja" in out


def test_season_lengths_may_be_repeated_or_joined():
    assert season_lengths(("24,168",)) == season_lengths(("24", "168")) == (24, 168)
    assert season_lengths(()) == ()
    for bad in ("0", "x", "1.5", "-1", "", "24,"):
        with pytest.raises(UsageError, match="--season-length"):
            season_lengths((bad,))
