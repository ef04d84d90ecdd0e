"""The benchmarks' table says what it must, and every row can still be measured."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

HOME = Path(__file__).parent / "benchmarks"
sys.path.insert(0, str(HOME))

import made_up  # noqa: E402
import speed  # noqa: E402
from timing import Row, in_turns, less, lines, ratios  # noqa: E402


def test_a_bar_is_held_on_its_own_side_alone():
    assert not Row("r", "w", [1, 9, 5], "s", 5).missed
    assert Row("r", "w", [1, 9, 6], "s", 5).missed
    assert not Row("r", "w", [1, 9, 5], "s", 5, at_least=True).missed
    assert Row("r", "w", [1, 9, 4], "s", 5, at_least=True).missed
    assert not Row("r", "w", [9], "s").missed


def test_a_row_without_a_number_misses_its_bar():
    assert Row("r", "w", [1, math.nan, 1], "s", 5).missed
    assert Row("r", "w", [], "s", 5).missed
    assert not Row("r", "w", [], "s", 5, missing="pip install it").missed


def test_nothing_left_beside_the_start_up_is_no_figure():
    assert less([3.0, 2.0], [1.0, 0.5]) == [2.0, 1.5]
    assert math.isnan(less([1.0], [1.0])[0])
    assert ratios([4.0, 9.0], [2.0, 3.0]) == [2.0, 3.0]


def test_two_ways_are_timed_in_turns():
    order = []
    taken = in_turns(2, lambda: order.append("a"), lambda: order.append("b"))
    assert order == ["a", "b", "a", "b"]
    assert all(len(one.wall) == len(one.cpu) == 2 and min(one.wall) > 0 for one in taken)


def test_bars_are_judged_at_full_size_alone():
    rows = [Row("r", "w", [9], "s", 5, notes=("a note",)), Row("r", "w", [1], "s", 5)]
    judged, tried = list(lines(iter(rows), judged=True)), list(lines(iter(rows), judged=False))
    assert [bad for _, bad in judged] == [True, False, False]
    assert judged[0][0].endswith("<= 5  MISSED")
    assert judged[2][0].endswith("<= 5  ok")
    assert not any(bad for _, bad in tried)
    assert tried[0][0].endswith("trial")


@pytest.mark.parametrize(("figure", "code"), [(4, 0), (6, 1)])
def test_a_missed_bar_is_exit_code_1(monkeypatch, capsys, figure, code):
    fake = SimpleNamespace(rows=lambda asked: iter([Row("overhead", "w", [figure] * asked.runs, "s", 5)]))
    monkeypatch.setattr(speed.importlib, "import_module", lambda name: fake)
    monkeypatch.setattr(sys, "argv", ["speed.py", "overhead"])
    assert speed.main() == code
    assert ("MISSED" in capsys.readouterr().out) == bool(code)


def test_a_row_that_there_is_not_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["speed.py", "overhaed"])
    with pytest.raises(SystemExit, match="2"):
        speed.main()
    assert "overhead, " in capsys.readouterr().err


def test_series_of_a_file_do_not_depend_on_how_many_there_are(tmp_path):
    pd = pytest.importorskip("pandas")
    few, more = (pd.read_parquet(made_up.file(tmp_path / f"{n}.parquet", n, 30, "QS")) for n in (3, 1001))
    pd.testing.assert_frame_equal(more.head(len(few)), few)
    assert more.unique_id.nunique() == 1001
    assert few.ds.iloc[1] == pd.Timestamp("2001-04-01")
    assert (more.y > 0).all()
    np.testing.assert_array_equal(more.y.to_numpy()[-30:], made_up.series(1, 30, 4, seed=0, first=1000)[0])


def test_the_readme_says_what_every_script_and_row_measures():
    told = (HOME / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{row}` |" in told for row in speed.ROWS)
    scripts = [path.name for path in HOME.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")]
    assert len(scripts) > 8
    own = {f"{module}.py" for module in speed.ROWS.values()}
    assert all(f"`{name}`" in told or f"/{name}" in told for name in scripts if name not in own)


@pytest.mark.slow
@pytest.mark.parametrize("row", [name for name, module in speed.ROWS.items() if (HOME / f"{module}.py").exists()])
def test_a_row_of_the_table_can_be_measured(row, tmp_path):
    command = [sys.executable, str(HOME / "speed.py"), row, "--runs", "1", "--scale", "0.005"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert row in done.stdout
