"""A profile for other programs: nothing is lost, and no name does anything."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.hand_made import CELLS, PLAN, off_by, row, written
from tsgap.formats import HTML_ROWS, aligned, csv_text, html_text, json_text, latex_text, records

HOSTILE = '<script>alert("x")</script>'


def frame(**more: list[object]) -> pd.DataFrame:
    return pd.DataFrame(
        {"data": ["a", "b"], "control": [1.5, np.nan], "n_used": [3, 0], "valid": [True, False], **more}
    )


def test_json_rows_say_null_where_there_is_no_figure() -> None:
    rows = json.loads(json_text(frame(ratio=[np.inf, -0.25])))
    assert rows == [
        {"data": "a", "control": 1.5, "n_used": 3, "valid": True, "ratio": None},
        {"data": "b", "control": None, "n_used": 0, "valid": False, "ratio": -0.25},
    ]
    assert json.loads(json_text(frame().head(0))) == []


def test_json_rows_of_a_profile_have_what_a_program_needs_and_no_timings(tmp_path: Path) -> None:
    rows = [*PLAN, row("real", "real"), row("synthetic", "synthetic")]
    run = written(tmp_path, rows, CELLS)
    for by in ("horizon", "lead"):
        (first, *_) = json.loads(json_text(run.profile("mae", by=by)))  # type: ignore[arg-type]
        wanted = {"data", "source", "arm", "forecaster", by, "metric", "control", "synthetic", "ratio"}
        assert wanted | {"n_used", "n_total", "status"} <= set(first)
        assert not {name for name in first if "second" in name}


def test_records_are_plain_values() -> None:
    for value in records(frame(stamp=[pd.Timestamp("2001-01-01"), None]))[0].values():
        assert type(value) in (str, float, int, bool)


def test_csv_reads_back_to_the_same_figures() -> None:
    found = pd.read_csv(io.StringIO(csv_text(frame(ratio=[1 / 3, np.inf]))))
    pd.testing.assert_frame_equal(found, frame(ratio=[1 / 3, np.inf]))


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx"])
def test_a_name_in_csv_is_no_formula_but_a_negative_figure_stays_one(name: str) -> None:
    found = pd.read_csv(io.StringIO(csv_text(frame(source=[name, "safe"], skill=[-0.5, 0.5]))), dtype=str)
    assert found.source.tolist() == ["'" + name.replace("\r", " "), "safe"]
    assert found.skill.tolist() == ["-0.5", "0.5"]


def test_latex_is_a_booktabs_table_with_every_name_escaped() -> None:
    text = latex_text(frame(source=["a_b & 50% {x} $y$ #1 ~^\\", "c"], ratio=[np.inf, np.nan], metric=["mae", "mae"]))
    assert text.startswith("% metric: mae\n\\begin{tabular}{lrrrlr}\n\\toprule\n")
    assert r"a\_b \& 50\% \{x\} \$y\$ \#1 \textasciitilde{}\textasciicircum{}\textbackslash{}" in text
    assert r"n\_used" in text
    assert r"$\infty$ \\" in text
    assert text.endswith("-- \\\\\n\\bottomrule\n\\end{tabular}\n")


def test_what_stands_in_a_latex_comment_cannot_leave_it() -> None:
    text = latex_text(frame(source=["a\n\\input{x}"] * 2))
    assert "% source: a \\input{x}\n" in text


def test_html_holds_no_script_and_no_address_and_hostile_names_stay_text() -> None:
    text = html_text(frame(source=[HOSTILE, "' onclick='x"]), title=f"<b>{HOSTILE}")
    assert "<script" not in text
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;" in text
    assert "&lt;b&gt;" in text
    assert "&#x27; onclick=&#x27;x" in text
    assert "http" not in text
    assert "src=" not in text


def test_a_long_html_table_says_how_much_it_left_out() -> None:
    long = pd.DataFrame({"lead": range(HTML_ROWS + 7)})
    assert "7 more rows" in html_text(long)
    assert "more rows" not in html_text(long.head(HTML_ROWS))


def test_a_run_in_a_notebook_is_its_profile_and_hostile_names_stay_text(tmp_path: Path) -> None:
    rows = [*PLAN, *(row(arm, arm, forecaster=HOSTILE) for arm in ("real", "synthetic"))]
    text = written(tmp_path, rows, {"naive": CELLS["naive"], "real": off_by(1), "synthetic": off_by(2)})._repr_html_()
    assert "3 of 3 cells" in text
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 2
    assert "ratio" in text


def test_aligned_lines_have_names_to_the_left_figures_to_the_right_and_no_blank_at_the_end() -> None:
    rows = [("name", "x", ""), ("a\x1bb", "1.5", "so"), ("a long one", "22.5", "")]
    assert aligned(rows) == ["name           x", "a b          1.5  so", "a long one  22.5"]
