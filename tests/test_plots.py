"""Pictures of a run: what is drawn is what the profile says, and nothing is left behind."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.hand_made import CELLS, COMPARED, PLAN, off_by, row, written
from tests.test_augment_words import found as augmentation
from tsgap.errors import UsageError
from tsgap.plots import Plots

matplotlib = pytest.importorskip("matplotlib", reason="comes with tsgap[plot]")


@pytest.fixture(autouse=True)
def without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib.use("agg")


def lines(figure: Any) -> dict[str, list[float]]:
    """The labelled lines of the first panel, and their heights."""
    found = {line.get_label(): np.asarray(line.get_ydata()).tolist() for line in figure.axes[0].get_lines()}
    return {label: height for label, height in found.items() if not label.startswith("_")}


def test_the_profile_is_drawn_with_one_panel_for_each_data_set_and_source(tmp_path: Path) -> None:
    rows = [*COMPARED, *(row(arm, arm, source="t") for arm in ("real", "synthetic"))]
    figure = written(tmp_path, rows, CELLS).plot(metric="mae")
    assert [axes.get_title() for axes in figure.axes] == ["d: s", "d: t"]
    assert lines(figure) == {"f": [2.0, 2.0]}
    assert figure.axes[0].get_yscale() == "log"
    assert 1.0 in [line.get_ydata()[0] for line in figure.axes[0].get_lines()]
    figure.savefig(tmp_path / "profile.png")
    assert (tmp_path / "profile.png").stat().st_size > 1000


def test_leads_are_drawn_when_they_are_asked_for(tmp_path: Path) -> None:
    run = written(tmp_path, COMPARED, {**CELLS, "synthetic": off_by(0.0) + np.array([1.0, 2.0, 3.0, 4.0])})
    assert lines(run.plot.profile(metric="mae", by="lead")) == {"f": [1.0, 2.0, 3.0, 4.0]}
    with pytest.raises(UsageError, match="by 'horizon' or 'lead', got 'series'"):
        run.plot(by="series")


def test_what_has_no_figure_has_no_point_and_the_legend_says_why(tmp_path: Path) -> None:
    rows = [*COMPARED, *(row(arm, f"{f}{arm}", forecaster=f) for f in "gh" for arm in ("real", "synthetic"))]
    rows += [row(arm, "naive", forecaster="canary", transfer="none") for arm in ("real", "synthetic")]
    cells = {**CELLS, "synthetic": off_by(2.0, leads=2), "greal": off_by(1.0), "gsynthetic": "oom"}
    cells |= {"hreal": off_by(1.0), "hsynthetic": (off_by(2.0), {0: "hard"})}
    found = lines(written(tmp_path, rows, cells).plot(metric="mae"))
    assert list(found) == ["f (not taught from 4)", "g (oom)", "h (1 windows failed)", "canary (not applicable)"]
    assert found["f (not taught from 4)"][0] == 2.0
    assert np.isnan(found["f (not taught from 4)"][1])
    assert found["g (oom)"] == []
    assert found["canary (not applicable)"] == []


def test_the_gap_is_drawn_by_bin_with_its_interval_the_margin_and_the_shuffled_arm(tmp_path: Path) -> None:
    rows = [*COMPARED, row("null", "null"), *(row(arm, f"t{arm}", source="t") for arm in ("real", "synthetic"))]
    rows += [row(arm, "naive", forecaster="canary", transfer="none") for arm in ("real", "synthetic")]
    uneven = off_by(2.0) + np.arange(4.0)[:, None]
    cells = {**CELLS, "synthetic": uneven, "null": off_by(6.0), "treal": off_by(1.0), "tsynthetic": "crash"}
    run = written(tmp_path, rows, cells)
    figure = run.plot.gap(metric="mae", margin=0.1)
    assert [axes.get_title() for axes in figure.axes] == ["d: s", "d: t"]
    frame = run.gap("mae", source="s", forecaster="f")
    found = lines(figure)
    assert list(found) == ["f", "canary (not applicable)"]
    assert found["f"] == pytest.approx(np.exp(frame.gap).tolist())
    heights = [np.asarray(line.get_ydata()).tolist() for line in figure.axes[0].get_lines()]
    assert [1.1, 1.1] in heights
    assert any(height == pytest.approx(np.exp(frame.assay).tolist()) for height in heights)
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    low, high = figure.axes[0].get_ylim()
    assert low <= band[:, 1].min() < found["f"][0] < band[:, 1].max() <= high
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["1", "2-3", "4"]
    assert [t.get_text() for t in figure.axes[1].get_legend().get_texts()] == ["f (crash)"]
    assert figure.legends[0].get_texts()[0].get_text() == "margin of 10 %"


def test_the_gap_of_who_is_worse_than_naive_or_partial_is_drawn_and_the_legend_says_so(tmp_path: Path) -> None:
    rows = [*COMPARED, *(row(arm, f"{f}{arm}", forecaster=f) for f in "gh" for arm in ("real", "synthetic"))]
    cells = {**CELLS, "greal": off_by(9.0), "gsynthetic": off_by(12.0), "hreal": off_by(1.0)}
    run = written(tmp_path, rows, {**cells, "hsynthetic": (off_by(2.0), {0: "hard"})})
    found = lines(run.plot.gap(metric="mae"))
    assert list(found) == ["f", "g (worse than naive)", "h (partial)"]
    assert found["g (worse than naive)"] == pytest.approx([12 / 9] * 3)
    assert found["h (partial)"] == pytest.approx([2.0] * 3)


def test_an_interval_far_wider_than_all_that_is_compared_does_not_flatten_the_picture(tmp_path: Path) -> None:
    uneven = off_by(0.0) + np.array([0.1, 0.1, 0.1, 9.0])[:, None]
    run = written(tmp_path, COMPARED, {**CELLS, "synthetic": uneven})
    frame = run.gap("mae")
    assert np.exp(frame.high.max()) > 100
    low, high = run.plot.gap(metric="mae").axes[0].get_ylim()
    assert low > 0.3
    assert np.exp(frame.gap.max()) < high < 10


def test_the_panels_of_a_row_show_all_that_is_compared_in_any_of_them(tmp_path: Path) -> None:
    rows = [*COMPARED, *(row(arm, f"t{arm}", source="t") for arm in ("real", "synthetic"))]
    run = written(tmp_path, rows, {**CELLS, "treal": off_by(1.0), "tsynthetic": off_by(40.0)})
    low, high = run.plot.gap(metric="mae").axes[0].get_ylim()
    assert low < 1.0
    assert high > 40.0


def test_no_figure_stays_open(tmp_path: Path) -> None:
    import matplotlib.pyplot as pyplot

    run = written(tmp_path, COMPARED, CELLS)
    before = pyplot.get_fignums()
    run.plot()
    assert pyplot.get_fignums() == before


def test_names_are_drawn_as_text(tmp_path: Path) -> None:
    rows = [*PLAN, *(row(arm, arm, forecaster="_$x^{$", source="$\\bad$") for arm in ("real", "synthetic"))]
    figure = written(tmp_path, rows, CELLS).plot(metric="mae")
    figure.canvas.draw()
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [" _\\$x^{\\$"]


def test_a_run_with_nothing_to_draw_says_so(tmp_path: Path) -> None:
    run = written(tmp_path, PLAN, {})
    for draw in (run.plot, run.plot.gap):
        with pytest.raises(UsageError, match="nothing to draw"):
            draw()


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = written(tmp_path, COMPARED, CELLS)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(UsageError, match=r"pip install 'tsgap\[plot\]'"):
        run.plot()


def test_the_accessor_says_what_it_can_draw(tmp_path: Path) -> None:
    said = repr(written(tmp_path, COMPARED, CELLS).plot)
    assert "profile" in said
    assert "gap" in said


def test_responses_are_drawn_as_ratios_with_the_chosen_share_filled(tmp_path: Path) -> None:
    one, other = augmentation(total=0.05, at_chosen=-0.05), replace(augmentation("cheap jitter"), cheap=True)
    figure = Plots(SimpleNamespace(augmentations=lambda metric, **only: [one, other])).responses()  # type: ignore[arg-type]
    assert [axes.get_title() for axes in figure.axes] == ["d: gan"]
    assert lines(figure)["linear"] == pytest.approx([np.exp(-0.05), np.exp(0.05)], abs=0.005)
    filled = [len(mark.get_offsets()) for mark in figure.axes[0].collections if len(mark.get_facecolors())]
    assert filled[1:] == [1]  # after the band of the interval
    figure.savefig(tmp_path / "responses.png")
