"""The tables on the terminal: everything beside the figures is said, whatever the width and the names."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tests.hand_made import CELLS, COMPARED, PLAN, off_by, offered, row, written
from tsgap.plugins import Registered
from tsgap.protocols import MetricSpec
from tsgap.run import Run
from tsgap.tables import _settled, figure, render, render_gap


def shown(run: Run, width: int = 200, terminal: bool = False, **asked: Any) -> str:
    file = io.StringIO()
    render(run, metrics=("mae",), console=Console(file=file, width=width, force_terminal=terminal), **asked)
    return file.getvalue()


def line_of(text: str, start: str) -> str:
    """The first line that begins so, blanks aside."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return next(line for line in lines if line.startswith(start))


def test_control_synthetic_ratio_and_skill_stand_side_by_side(tmp_path: Path) -> None:
    text = shown(written(tmp_path, [*COMPARED, row("null", "null")], {**CELLS, "null": off_by(5.0)}))
    assert "d: 2 series, freq MS, season 12, up to 2 windows, 4 steps apart, training up to 2001-01-01" in text
    assert "s: MAE" in text
    assert line_of(text, "forecaster") == "forecaster leads control skill synthetic skill ratio shuffled pairs"
    assert line_of(text, "f ") == "f 1-1 1.000 +0.75 2.000 +0.50 2.000 5.000 4/4"
    assert " 1-4 " in text
    assert "15/16" in text
    assert "control: error after training on real series." in text
    assert "paired, scaling mean-abs, context 8; training pairs: real 90, synthetic 90, null 90" in text


def test_leads_are_called_leads_and_thinned_out_where_there_are_many(tmp_path: Path) -> None:
    text = shown(written(tmp_path / "a", COMPARED, CELLS), by="lead")
    assert line_of(text, "forecaster").startswith("forecaster lead control")
    truth = np.ones((2, 60))
    cells = dict.fromkeys(CELLS, truth + 1)
    many = shown(written(tmp_path / "b", COMPARED, cells, truth=truth, ids=("a", "b"), horizons=(1, 37, 60)), by="lead")
    leads = [int(line[10:].split()[0]) for line in many.splitlines() if "2/2" in line]
    assert {1, 2, 37, 60} <= set(leads)
    assert f"{len(leads)} of 60 leads are shown; --format csv has all" in many
    assert len(leads) < 30


def test_of_many_series_the_worst_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    truth = np.ones((15, 2))
    worse = truth + np.arange(1.0, 16.0)[:, None]
    cells = {"naive": truth + 1, "real": truth + 1, "synthetic": worse}
    ids = [f"s{i:02d}" for i in range(15)]
    text = shown(written(tmp_path, COMPARED, cells, truth=truth, ids=ids, horizons=(1, 2)), by="series")
    assert [line.split()[-7] for line in text.splitlines() if line.rstrip().endswith("2/2")][1:3] == ["1.000", "1.000"]
    assert [word for line in text.splitlines() for word in line.split() if word in ids] == ids[:4:-1]
    assert "the 10 largest ratios of 15 series at the longest horizon are shown; --format csv has all" in text


def test_further_controls_are_further_rows_clearly_labelled(tmp_path: Path) -> None:
    rows = [*COMPARED, row("real-short", "short"), row("real-full", "full")]
    text = shown(written(tmp_path, rows, {**CELLS, "short": off_by(4.0), "full": off_by(0.5)}))
    assert line_of(text, "vs short windows").endswith("0.500 - 4/4")
    assert line_of(text, "vs all real data").endswith("4.000 - 4/4")
    assert "vs short windows: the control, real-short, was trained on real windows as short as" in text
    assert "vs all real data: the control, real-full, was trained on all real data" in text
    plain = shown(written(tmp_path / "plain", COMPARED, CELLS))
    assert "vs short" not in plain
    assert "not applicable" not in plain


def test_failures_stand_beside_the_figures_and_are_listed_once(tmp_path: Path) -> None:
    rows = [*COMPARED, row("synthetic", "broken", forecaster="g"), row("real", "broken", forecaster="g")]
    rows += [row("synthetic", "never", forecaster="h"), row("real", "never", forecaster="h")]
    rows += [row("synthetic", "", source="t", error="crash: no draw", forecaster=f) for f in "fgh"]
    cells = {**CELLS, "synthetic": (off_by(2.0), {0: "too hard"}), "broken": "timeout"}
    text = shown(written(tmp_path, rows, cells))
    assert line_of(text, "f ").endswith("3/4 failed windows: 0+1")
    assert "failed windows: control + synthetic; such a row is over what is left and compares within itself" in text
    assert line_of(text, "g ").endswith("timeout")
    assert line_of(text, "h ").endswith("missing")
    listed = text[text.index("Failures") : text.index("Notes")]
    assert "- d: f, trained on s: 1 window failed, first a, window 0: too hard" in listed
    assert "- d: g, trained on s: timeout in fit: timeout it is" in listed
    assert listed.count("timeout it is") == 1
    assert listed.count("- d: t: no synthetic series: crash: no draw") == 1
    assert listed.count("crash: no draw") == 1
    assert "- 1 cell is missing; the same sweep again computes what is" in " ".join(listed.split())


def test_cells_that_ended_alike_are_one_line(tmp_path: Path) -> None:
    rows = [row(arm, f"{arm}{k}", replicate=k) for k in range(3) for arm in ("real", "synthetic")]
    ends = {
        f"{arm}{k}": "crash" if arm == "synthetic" else off_by(1.0) for k in range(3) for arm in ("real", "synthetic")
    }
    text = shown(written(tmp_path, rows, ends))
    assert text.count("crash it is") == 1
    assert "- d: f, trained on s: crash in fit: crash it is (3 cells)" in text


def test_what_is_not_taught_or_not_applicable_is_said(tmp_path: Path) -> None:
    rows = [
        *COMPARED,
        *(row(arm, "naive", forecaster="seasonal-naive", transfer="none") for arm in ("real", "synthetic")),
    ]
    text = shown(written(tmp_path, rows, {**CELLS, "synthetic": off_by(2.0, leads=2)}))
    assert line_of(text, "1-4") == "1-4 - - - - - - 0/16 not taught"
    assert line_of(text, "seasonal-naive").endswith("not applicable")


def test_too_many_failures_a_broken_metric_and_training_without_effect_are_said_below_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(truth: Any, forecast: Any, scale: Any) -> Any:
        raise ValueError("no\nway")

    offered(monkeypatch, Registered(MetricSpec("broken", "A metric that raises.", broken), "acme", "1"))
    rows = [*PLAN, *(row(arm, arm, trained_on=arm) for arm in ("real", "synthetic"))]
    rows += [row(arm, f"g{arm}", forecaster="g") for arm in ("real", "synthetic")]
    failed = off_by(1.0), dict.fromkeys((0, 1, 2), "no")
    cells = {**CELLS, "real": off_by(1.0), "synthetic": off_by(1.0), "greal": off_by(1.0), "gsynthetic": failed}
    file = io.StringIO()
    frame = render(written(tmp_path, rows, cells), metrics=("mae", "broken"), console=Console(file=file, width=500))
    mae, of_broken = file.getvalue().split("s: BROKEN")
    assert line_of(mae, "f ") == "f 1-1 1.000 +0.75 1.000 +0.75 - - 4/4 training has no effect"
    assert "f: training has no effect, forecasts are the same bit for bit whatever was trained on; it refits" in mae
    assert line_of(mae, "g ") == "g 1-1 - - - - - - 1/4 too many failed: 0+3"
    assert line_of(of_broken, "f ") == "f 1-1 - - - - - - 0/4 metric failed"
    assert of_broken.count("metric failed: ValueError: no way") == 1
    assert list(frame.metric) == ["mae", "mae", "broken", "broken"] * 2


def test_a_forecaster_that_learns_nothing_has_one_line_unless_something_went_wrong(tmp_path: Path) -> None:
    rows = [*COMPARED, *(row(arm, "naive", forecaster="still", transfer="none") for arm in ("real", "synthetic"))]
    for by in ("horizon", "lead"):
        text = shown(written(tmp_path / by, rows, CELLS), by=by)
        start = "still 4 " if by == "lead" else "still 1-4 "
        assert line_of(text, start).endswith("not applicable")
        assert text.count("not applicable") == 2
        assert f"not applicable: nothing is learned, the ratio is 1; the longest {by} is shown." in text
        assert f"{'' if by == 'lead' else '1-'}1 " in text
    holed = shown(written(tmp_path / "holed", rows, {**CELLS, "naive": (off_by(4.0), {0: "no"})}))
    assert line_of(holed, "still ").endswith("not applicable, failed windows: 1+1")
    broken = shown(written(tmp_path / "broken", rows, {**CELLS, "naive": "crash"}))
    assert [line.split()[-1] for line in broken.splitlines() if line.endswith("crash")] == ["crash", "crash"]


def test_tables_of_usual_forecasters_fit_a_terminal_of_110_columns(tmp_path: Path) -> None:
    truth = np.ones((3108, 6))
    arms = ("real", "real-short", "synthetic", "null")
    names = ("gradient-boosting", "linear-regression")
    rows = [*PLAN, *(row(arm, f"{name}-{arm}", forecaster=name) for name in names for arm in arms)]
    cells: dict[str, Any] = {r["cell"]: (truth + 1, {0: "no"}) for r in rows[1:]}
    ids = [f"s{i:04d}" for i in range(1554) for _ in range(2)]
    run = written(tmp_path, rows, {**cells, "naive": truth + 2}, truth=truth, ids=ids, horizons=(1, 6))
    lines = [line for line in shown(run, width=110).splitlines() if "/3108" in line or "/18648" in line]
    assert len(lines) == 8
    assert all(line.endswith("failed windows: 1+1") and len(line) <= 110 for line in lines)
    narrow = shown(run, width=90).splitlines()
    at = narrow.index("gradient-boosting")
    assert narrow[at + 3] == "  vs short windows"
    assert all(len(line) <= 90 for line in narrow if line.endswith("1+1"))


def test_notes_that_say_the_same_of_several_sources_are_one(tmp_path: Path) -> None:
    rows = [*PLAN, *(row(arm, arm, source=s) for s in "stu" for arm in ("real", "synthetic"))]
    rows += [row(arm, arm, source="v", context=3) for arm in ("real", "synthetic")]
    notes = ["d: s: UNPAIRED: of two", "d: filled: 3 values", "d: t: UNPAIRED: of two", "d: u: UNPAIRED: alone"]
    run = written(tmp_path, rows, CELLS, notes=notes, sources=dict.fromkeys("stuv", "gen:copy"))
    listed = shown(run).partition("Notes\n")[2].partition("\n\nVerdict")[0].splitlines()
    assert listed == [
        "- d: s, t: UNPAIRED: of two",
        "- d: filled: 3 values",
        "- d: u: UNPAIRED: alone",
        "- d: s, t, u: f: paired, scaling mean-abs, context 8; training pairs: real 90, synthetic 90",
        "- d: v: f: paired, scaling mean-abs, context 3; training pairs: real 90, synthetic 90",
        "- s, t, u, v: undeclared up to when the generator saw real data (--generator-cutoff)",
    ]
    only = shown(run, source=["t"]).partition("Notes\n")[2]
    assert "- d: t: UNPAIRED: of two" in only
    assert "UNPAIRED: alone" not in only


def test_percentages_on_actuals_near_zero_are_called_meaningless(tmp_path: Path) -> None:
    run = written(tmp_path, COMPARED, CELLS, truth=np.zeros((4, 4)))
    file = io.StringIO()
    render(run, metrics=("mape",), console=Console(file=file, width=100))
    assert "percentages mean little here" in file.getvalue()


def test_notes_say_what_was_left_out_unpaired_cut_and_undeclared(tmp_path: Path) -> None:
    rows = [*PLAN, row("real", "real", paired=False, pairs=60), row("synthetic", "synthetic", paired=False, context=3)]
    notes = ["d: 3 series left out", "d: s: UNPAIRED: 0 ids match", "other: not asked for"]
    run = written(tmp_path, rows, CELLS, notes=notes, sources={"s": "/samples.csv"}, data=("d", "other"))
    text = shown(run)
    assert "- d: 3 series left out" in text
    assert "UNPAIRED" in text
    assert "not asked for" not in text
    assert "unpaired, scaling mean-abs, context 8; training pairs: real 60 of 90, synthetic 90 (context 3)" in text
    assert "s: undeclared up to when the generator saw real data" in text


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_a_narrow_terminal_loses_columns_only_loudly_and_figures_never(tmp_path: Path, width: int) -> None:
    rows = [
        *PLAN,
        *(row(arm, arm, forecaster="a-forecaster-with-a-long-name:key=value") for arm in ("real", "synthetic")),
    ]
    text = shown(written(tmp_path, rows, CELLS), width=width)
    assert "a-forecaster-with-a-long-name:key=value" in text
    assert "2.000" in text
    assert "…" not in text
    if width >= 40:
        assert all(len(line) <= width for line in text.splitlines() if "2.000" in line)
    assert (
        "skill" in text.split("control: error")[0].replace("no room for: skill", "")
    ) or "no room for: skill" in text


def test_without_a_terminal_there_is_no_colour_and_no_blank_at_the_end(tmp_path: Path) -> None:
    run = written(tmp_path, COMPARED, CELLS)
    plain, bright = shown(run), shown(run, terminal=True)
    assert "\x1b" not in plain
    assert "\x1b" in bright
    assert all(line == line.rstrip() for line in plain.splitlines())


def test_names_are_text_whatever_they_hold(tmp_path: Path) -> None:
    name = "[red]x[/red]\x1b[2J\n"
    rows = [*PLAN, *(row(arm, arm, forecaster=name, source=name) for arm in ("real", "synthetic"))]
    text = shown(written(tmp_path, rows, CELLS, sources={name: "file"}, notes=[name]))
    assert "[red]x[/red]?[2J?" in text
    assert "\x1b" not in text


def test_the_tables_end_with_the_verdict_on_each_source_and_where_to_read_more(tmp_path: Path) -> None:
    rows = [*COMPARED, *(row(arm, f"t{arm}", source="t") for arm in ("real", "synthetic"))]
    run = written(tmp_path, rows, {**CELLS, "treal": off_by(1.0), "tsynthetic": off_by(2.0)})
    title, first, second, last = shown(run).rstrip().splitlines()[-4:]
    assert title == "Verdict at a margin of 5 %"
    assert first.startswith("- INSUFFICIENT_DATA: d has 2 series and 2 separate test periods; 5 series, or 20 test ")
    assert "about 't'" in second
    assert last == f"tsgap gate {tmp_path}: why, bin by bin, for other margins, and as an exit code"
    assert "about 's'" not in shown(run, source=["t"])


def test_a_run_without_a_source_has_no_verdict_and_one_without_figures_has_one(tmp_path: Path) -> None:
    assert "Verdict" not in shown(written(tmp_path / "none", PLAN, {"naive": CELLS["naive"]}))
    failed = shown(written(tmp_path / "failed", COMPARED, dict.fromkeys(CELLS, "crash")))
    assert "- INCONCLUSIVE: nothing can be said of 's' on d: f: synthetic arm: crash" in failed


@pytest.mark.parametrize(
    ("arms", "why"),
    [
        (("real", "synthetic"), "f: without the shuffled arm nobody knows what it could have lost"),
        (("real", "synthetic", "null"), "f: 1 replicate says nothing about chance, 3 would"),
    ],
)
def test_a_quick_sweep_says_in_its_verdict_why_it_cannot_pass(tmp_path: Path, arms: tuple[str, ...], why: str) -> None:
    ids = [f"s{i}" for i in range(6) for _ in range(5)]
    truth = np.random.default_rng(0).normal(10.0, 1.0, (30, 4))
    noise = np.random.default_rng(1).normal(0.0, 1.0, truth.shape)
    errors = {"naive": 3.0, "real": 1.0, "synthetic": 1.01, "null": 2.0}
    rows = [*PLAN, *(row(arm, arm, stochastic="null" in arms) for arm in arms)]
    cells = {name: truth + times * noise for name, times in errors.items() if name in ("naive", *arms)}
    text = shown(written(tmp_path, rows, cells, truth=truth, ids=ids)).rstrip().splitlines()
    assert "INCONCLUSIVE" in text[-2]
    assert why in text[-2]


def gap_shown(run: Run, **asked: Any) -> str:
    file = io.StringIO()
    render_gap(run, console=Console(file=file, width=200), **asked)
    return file.getvalue()


def test_the_gap_has_a_table_with_interval_assay_and_what_could_be_told(tmp_path: Path) -> None:
    still = (row(arm, "naive", forecaster="still", transfer="none") for arm in ("real", "synthetic"))
    rows = [*COMPARED, row("null", "null"), *still]
    run = written(tmp_path, rows, {**CELLS, "synthetic": off_by(1.5), "null": off_by(3.0)})
    text = gap_shown(run, metrics=("mae", "rmse"))
    assert text.count("MAE") == text.count("RMSE") == 1
    assert (
        line_of(text, "forecaster") == "forecaster leads gap % 95 % interval could tell settled by shuffled skill kept"
    )
    assert line_of(text, "f 1 ") == "f 1 +50.0 +50.0 to +50.0 0.0 told +200.0 75 %"
    assert [line.split()[1] for line in text.splitlines() if line.startswith("still")] == ["4", "4"]
    assert line_of(text, "still").endswith("0.0 told - - not applicable")
    assert "no proof of fidelity" in text
    by_lead = gap_shown(run, by="lead", forecaster=["f"])
    assert [line.split()[1] for line in by_lead.splitlines() if line.startswith("f ")] == ["1", "2", "3", "4"]
    assert line_of(gap_shown(run, by="horizon"), "f 1-4 ").startswith("f 1-4 +50.0")


def test_a_gap_without_figures_says_why_and_failures_are_listed(tmp_path: Path) -> None:
    text = gap_shown(written(tmp_path, COMPARED, {**CELLS, "synthetic": "crash"}))
    assert line_of(text, "f 1 ") == "f 1 - - - - - - crash"
    assert "- d: f, trained on s: crash in fit: crash it is" in text


def test_figures_fit_into_a_few_characters() -> None:
    values = [0.0, 1.23456, 99.9994, 1234.56, 123456.7, 1.5e9, 1.2e-5, -0.5, np.inf, np.nan]
    assert [figure(v) for v in values] == [
        *("0.000", "1.235", "99.999", "1234.6", "123457", "1.5e+09", "1.2e-05", "-0.500", "inf", "-")
    ]


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        ((40.0, 12.0), "40 series or 12 periods"),
        ((np.inf, 12.0), "12 periods"),
        ((np.inf, np.inf), "-"),
        ((2e7, np.inf), "-"),
        ((30.0, np.inf), "told"),
    ],
)
def test_a_table_of_gaps_says_what_would_settle_them(needed: tuple[float, float], said: str) -> None:
    there = {"half_width": 0.1, "series": 30, "blocks": 6, "needed_series": needed[0], "needed_blocks": needed[1]}
    assert _settled(there) == said
    assert _settled({**there, "half_width": np.nan}) == "-"
