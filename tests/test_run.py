"""A run folder as tables: every status, the common pairs, and what a profile says about what it has not."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tsgap
from tests.hand_made import CELLS, COMPARED, IDS, PLAN, TRUTH, off_by, offered, row, written
from tests.worlds import seasonal
from tsgap.atoms import Atoms
from tsgap.errors import ContractError, StoreError, UnknownNameError
from tsgap.formats import json_text
from tsgap.plugins import Registered
from tsgap.protocols import MetricSpec
from tsgap.run import Run
from tsgap.store import STATUSES, Part, Store

PROFILE = [
    *("data", "source", "arm", "versus", "forecaster", "horizon", "metric", "control", "synthetic", "ratio"),
    *("skill_control", "skill_synthetic", "n_used", "n_total", "failed_control", "failed_synthetic"),
    *("valid", "status", "generator_saw"),
]


def profiled(folder: Path, *rows: Any, **cells: Any) -> pd.DataFrame:
    return written(folder, [*PLAN, *rows], {"naive": CELLS["naive"], **cells}).profile("mae")


def test_a_profile_worked_by_hand(tmp_path: Path) -> None:
    found = written(tmp_path, COMPARED, CELLS).profile("mae")
    assert list(found.columns) == PROFILE
    assert found.horizon.tolist() == [1, 4]
    assert found.control.tolist() == [1.0, 1.0]
    assert found.synthetic.tolist() == [2.0, 2.0]
    assert found.ratio.tolist() == [2.0, 2.0]
    assert found.skill_control.tolist() == [0.75, 0.75]
    assert found.skill_synthetic.tolist() == [0.5, 0.5]
    assert found.n_used.tolist() == [4, 15]
    assert found.n_total.tolist() == [4, 16]
    assert found.status.tolist() == ["ok", "ok"]


def test_lead_and_horizon_are_different_columns_and_different_figures(tmp_path: Path) -> None:
    cells = {**CELLS, "synthetic": off_by(0.0) + np.array([1.0, 2.0, 3.0, 6.0])}
    run = written(tmp_path, COMPARED, cells)
    assert run.profile("mae").synthetic.tolist() == [1.0, pytest.approx(45 / 15)]
    by_lead = run.profile("mae", by="lead")
    assert "horizon" not in by_lead
    assert by_lead.lead.tolist() == [1, 2, 3, 4]
    assert by_lead.synthetic.tolist() == [1.0, 2.0, 3.0, 6.0]


def test_by_series_there_is_a_row_for_each_series_and_horizon(tmp_path: Path) -> None:
    cells = {**CELLS, "synthetic": off_by(2.0) + np.array([[0.0], [0.0], [4.0], [4.0]])}
    found = written(tmp_path, COMPARED, cells).profile("mae", by="series")
    assert list(zip(found.unique_id, found.horizon, strict=True)) == [("a", 1), ("a", 4), ("b", 1), ("b", 4)]
    assert found.synthetic.tolist() == [2.0, 2.0, 6.0, 6.0]
    assert found.n_used.tolist() == [2, 8, 2, 7]


def test_the_ratio_is_one_of_sums_and_not_a_mean_of_ratios(tmp_path: Path) -> None:
    cells = {**CELLS, "real": off_by(0.0) + np.array([[1.0], [1.0], [9.0], [9.0]]), "synthetic": off_by(6.0)}
    assert written(tmp_path, COMPARED, cells).profile("mae").ratio[0] == pytest.approx(12 / 10)


def test_a_series_that_fails_in_one_arm_is_left_out_of_both(tmp_path: Path) -> None:
    hard = off_by(0.0) + np.array([[1.0], [1.0], [100.0], [100.0]])
    cells = {**CELLS, "real": hard, "synthetic": (hard, {2: "too hard", 3: "too hard"})}
    run = written(tmp_path, COMPARED, cells)
    found = run.profile("mae")
    assert found.control.tolist() == [1.0, 1.0]
    assert found.ratio.tolist() == [1.0, 1.0]
    assert found.n_used.tolist() == [2, 8]
    assert found.n_total.tolist() == [4, 16]
    assert found.failed_control.tolist() == [0, 0]
    assert found.failed_synthetic.tolist() == [2, 2]
    assert found.status.tolist() == ["partial", "partial"]
    by_series = run.profile("mae", by="series").set_index(["unique_id", "horizon"])
    assert by_series.status.tolist() == ["ok", "ok", "too many failed", "too many failed"]
    assert by_series.failed_synthetic.tolist() == [0, 0, 2, 2]
    assert run.n_failed == 0
    only = run.failures()
    assert only.n_failed.tolist() == [2]
    assert only.error.tolist() == ["b, window 0: too hard"]


@pytest.mark.parametrize("status", [s for s in STATUSES if s != "ok"])
@pytest.mark.parametrize("arm", ["real", "synthetic"])
def test_a_cell_that_did_not_end_well_gives_rows_without_figures(tmp_path: Path, status: str, arm: str) -> None:
    run = written(tmp_path, COMPARED, {**CELLS, arm: status})
    found = run.profile(["mae", "rmse"])
    assert len(found) == 4
    assert set(found.status) == {status}
    assert found[["control", "synthetic", "ratio", "skill_control", "skill_synthetic"]].isna().all(axis=None)
    assert found.n_used.tolist() == [0] * 4
    assert found.n_total.tolist() == [4, 16] * 2
    failed, other = ("failed_control", "failed_synthetic") if arm == "real" else ("failed_synthetic", "failed_control")
    assert found[failed].tolist() == [4] * 4
    assert found[other].tolist() == [0] * 4
    assert run.complete
    assert run.n_failed == 1
    assert run.failures()[["arm", "status", "stage", "error"]].values.tolist() == [
        [arm, status, "fit", f"{status} it is"]
    ]


def test_a_missing_cell_is_said_to_be_missing_and_has_not_failed(tmp_path: Path) -> None:
    run = written(tmp_path, COMPARED, {k: v for k, v in CELLS.items() if k != "synthetic"})
    found = run.profile("mae")
    assert found.status.tolist() == ["missing", "missing"]
    assert found.failed_synthetic.tolist() == [0, 0]
    assert not run.complete
    assert run.n_failed == 0
    assert run.failures().status.tolist() == ["missing"]


def test_one_failed_replicate_leaves_no_figure(tmp_path: Path) -> None:
    rows = [row(arm, f"{arm}{k}", replicate=k) for k in (0, 1) for arm in ("real", "synthetic")]
    cells = {"real0": off_by(1.0), "real1": off_by(3.0), "synthetic0": off_by(2.0), "synthetic1": off_by(8.0)}
    assert profiled(tmp_path / "a", *rows, **cells).ratio.tolist() == [2.5, 2.5]
    found = profiled(tmp_path / "b", *rows, **{**cells, "synthetic1": "timeout"})
    assert found.status.tolist() == ["timeout", "timeout"]
    assert found.ratio.isna().all()


def test_a_series_that_fails_in_one_replicate_is_left_out_of_all(tmp_path: Path) -> None:
    rows = [row(arm, f"{arm}{k}", replicate=k) for k in (0, 1) for arm in ("real", "synthetic")]
    cells = {
        "real0": off_by(1.0),
        "real1": (off_by(1.0), {0: "no"}),
        "synthetic0": off_by(2.0),
        "synthetic1": off_by(4.0),
    }
    found = profiled(tmp_path, *rows, **cells)
    assert found.n_used.tolist() == [3, 11]
    assert found.failed_control.tolist() == [1, 1]
    assert found.synthetic.tolist() == [3.0, 3.0]


def test_leads_that_were_not_taught_are_said_to_be_so(tmp_path: Path) -> None:
    run = written(tmp_path, COMPARED, {**CELLS, "synthetic": off_by(2.0, leads=2)})
    found = run.profile("mae")
    assert found.status.tolist() == ["ok", "not taught"]
    assert found.n_used.tolist() == [4, 0]
    assert np.isnan(found.ratio[1])
    assert np.isnan(found.control[1])
    assert np.isnan(found.skill_control[1])
    assert run.profile("mae", by="lead").status.tolist() == ["ok", "ok", "not taught", "not taught"]
    assert run.profile("mae", by="series").status.tolist() == ["ok", "not taught"] * 2
    assert run.forecasts().query("arm == 'synthetic'").lead.max() == 2


def test_a_forecaster_that_learns_nothing_is_not_applicable(tmp_path: Path) -> None:
    rows = [row(arm, "same", transfer="none") for arm in ("real", "synthetic")]
    found = profiled(tmp_path, *rows, same=off_by(3.0))
    assert found.status.tolist() == ["not applicable"] * 2
    assert found.ratio.tolist() == [1.0, 1.0]
    assert found.skill_control.tolist() == [0.25, 0.25]


def test_a_row_of_which_more_than_half_failed_has_no_figure(tmp_path: Path) -> None:
    three = {0: "no", 1: "no", 2: "no"}
    found = written(tmp_path / "a", COMPARED, {**CELLS, "synthetic": (off_by(2.0), three)}).profile("mae")
    assert found.status.tolist() == ["too many failed"] * 2
    assert found.n_used.tolist() == [1, 3]
    assert found.failed_synthetic.tolist() == [3, 3]
    figures = ["control", "synthetic", "ratio", "skill_control", "skill_synthetic"]
    assert found[figures].isna().all(axis=None)
    # missing truth is no failure: lead 3 of the last window does not count
    spread = {**CELLS, "real": (off_by(1.0), {0: "no"}), "synthetic": (off_by(2.0), {1: "no"})}
    found = written(tmp_path / "b", COMPARED, spread).profile("mae", by="lead")
    assert found.status.tolist() == ["partial", "partial", "too many failed", "partial"]
    assert found.n_used.tolist() == [2, 2, 1, 2]


def test_a_cell_in_parts_of_which_every_window_failed_has_failed(tmp_path: Path) -> None:
    failed = dict.fromkeys(range(4), "no")
    for asked_first in ("n_failed", "profile"):
        run = written(tmp_path / asked_first, COMPARED, {**CELLS, "synthetic": (off_by(2.0), failed)}, parts=2)
        if asked_first == "profile":
            assert run.profile("mae").status.tolist() == ["error", "error"]
        assert run.n_failed == 1
        assert run.complete
        assert run.profile("mae").status.tolist() == ["error", "error"]
        told = run.failures()
        assert told.status.tolist() == ["error"]
        assert told.n_failed.tolist() == [4]
        assert told.error.tolist() == ["all 4 windows failed, first a, window 0: no"]
        assert len(run.forecasts().query("arm == 'synthetic'")) == 0


def learned(*arms: str, **more: Any) -> list[Any]:
    """Rows of arms that were each trained on something else."""
    return [row(arm, arm, trained_on=f"{arm} series", **more) for arm in arms]


def test_a_forecaster_whose_training_changes_no_bit_has_no_ratio(tmp_path: Path) -> None:
    arms = ("real", "synthetic", "null")
    rows = [*PLAN, *learned(*arms)]
    same = dict.fromkeys(arms, off_by(1.0))
    found = written(tmp_path / "a", rows, {**CELLS, **same}).profile(["mae", "rmse"])
    assert set(found.status) == {"training has no effect"}
    assert found.ratio.isna().all()
    assert found.control.tolist() == found.synthetic.tolist()
    assert found.control.notna().all()
    two = written(tmp_path / "b", rows[:3], {k: v for k, v in {**CELLS, **same}.items() if k != "null"}).profile("mae")
    assert set(two.status) == {"training has no effect"}
    failed = {**CELLS, **same, "synthetic": (off_by(1.0), {0: "no"})}
    assert set(written(tmp_path / "c", rows, failed).profile("mae").status) == {"training has no effect"}


def test_one_bit_shows_that_training_has_an_effect(tmp_path: Path) -> None:
    rows = [*PLAN, *learned("real", "synthetic")]
    almost = off_by(1.0)
    almost[3, 3] = np.nextafter(almost[3, 3], np.inf)
    found = written(tmp_path, rows, {**CELLS, "real": off_by(1.0), "synthetic": almost}).profile("mae")
    assert found.status.tolist() == ["ok", "ok"]
    assert found.ratio.notna().all()


def test_who_learns_the_same_from_synthetic_series_but_not_from_shuffled_ones_has_a_ratio(tmp_path: Path) -> None:
    arms = ("real", "synthetic", "null")
    rows = [*PLAN, *learned(*arms)]
    cells = {**CELLS, "real": off_by(1.0), "synthetic": off_by(1.0), "null": off_by(3.0)}
    run = written(tmp_path, rows, cells)
    assert set(run.profile("mae").status) == {"ok"}
    assert run.profile("mae").query("arm == 'synthetic'").ratio.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"trained_on": "real series"}, "a copy was trained on the same series"),
        ({"context": 3}, "another context is another history"),
        ({"seed": 1}, "another seed"),
        ({"transfer": "none"}, "it says that it learns nothing"),
    ],
)
def test_equal_forecasts_of_what_differs_in_more_than_its_training_show_nothing(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    shared = {"transfer": "none"} if "transfer" in change else {}
    real = row("real", "real", trained_on="real series", **shared)
    rows = [*PLAN, real, {**row("synthetic", "synthetic", trained_on="synthetic series"), **change}]
    found = written(tmp_path, rows, {**CELLS, "real": off_by(1.0), "synthetic": off_by(1.0)}).profile("mae")
    assert "training has no effect" not in set(found.status), why
    assert found.ratio.tolist() == [1.0, 1.0]


def test_what_training_changes_does_not_depend_on_what_is_asked_for(tmp_path: Path) -> None:
    rows = [*PLAN, *learned("real", "synthetic")]
    rows += learned("real", "null", source="t")
    rows += [row("synthetic", "real", source="t", trained_on="real series")]
    cells = {**CELLS, "synthetic": off_by(1.0), "null": off_by(2.0)}
    run = written(tmp_path, rows, cells)
    assert set(run.profile("mae", source="s").status) == {"ok"}


def a_metric(name: str, loss: Any, **more: Any) -> Any:
    return Registered(MetricSpec(name, "A metric of a test.", loss, **more), "acme", "1")


def raises(truth: Any, forecast: Any, scale: Any) -> Any:
    raise ValueError("one\nline")


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        (raises, "ValueError: one line"),
        (lambda truth, forecast: truth, "takes 2 positional arguments but 3 were given"),
        (lambda truth, forecast, scale: 0.0, r"the loss of \(4, 4\) pairs must be as many numbers, got float64 \(\)"),
        (lambda truth, forecast, scale: (truth - forecast).mean(1), r"as many numbers, got float64 \(4,\)"),
        (lambda truth, forecast, scale: np.full(truth.shape, "x"), "as many numbers, got <U1"),
        (lambda truth, forecast, scale: truth - forecast, "declared nonnegative is negative for 15 pairs, first -"),
        (lambda truth, forecast, scale: np.subtract(truth, forecast, out=truth), "read-only"),
    ],
)
def test_a_metric_that_breaks_its_contract_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: Any, reason: str
) -> None:
    offered(monkeypatch, a_metric("bad", loss))
    run = written(tmp_path, COMPARED, CELLS)
    found = run.profile(["bad", "mae"])
    bad, good = found[found.metric == "bad"], found[found.metric == "mae"]
    assert good.ratio.tolist() == [2.0, 2.0]
    assert len(bad) == 2
    assert bad[["control", "synthetic", "ratio", "skill_control", "skill_synthetic"]].isna().all(axis=None)
    for status in bad.status:
        assert status.startswith("metric failed: ")
        assert "\n" not in status
        assert re.search(reason, status), status
    with pytest.raises(ContractError, match=reason):
        run.errors("bad")


def test_a_metric_keeps_the_name_it_was_asked_for_by(tmp_path: Path) -> None:
    found = written(tmp_path, COMPARED, CELLS).profile(["mae", "tsgap/mae"])
    assert found.metric.tolist() == ["mae", "mae", "tsgap/mae", "tsgap/mae"]
    assert found.ratio.tolist() == [2.0] * 4


def test_a_root_is_not_taken_of_negative_losses_and_missing_truth_is_missing_whatever_a_loss_makes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed: Any = lambda truth, forecast, scale: np.nan_to_num(truth - forecast)  # noqa: E731
    mean = a_metric("mean-error", signed, nonnegative=False)
    root = a_metric("root-error", signed, nonnegative=False, aggregate="root-mean")
    offered(monkeypatch, mean, root)
    found = written(tmp_path, COMPARED, CELLS).profile(["mean-error", "root-error"])
    assert found.n_used.tolist() == [4, 15, 0, 0]
    assert found.control.tolist()[:2] == [-1.0, -1.0]
    assert found.status.tolist()[:2] == ["ok", "ok"]
    assert "has its root taken is negative" in found.status[2]


def test_a_metric_is_not_blamed_for_a_cell_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offered(monkeypatch, a_metric("bad", raises))
    assert set(written(tmp_path, COMPARED, {**CELLS, "real": "oom"}).profile("bad").status) == {"oom"}


def test_failures_have_the_traceback_and_failed_windows_a_row_each(tmp_path: Path) -> None:
    rows = [*COMPARED, *(row(arm, f"g{arm}", forecaster="g", source="t") for arm in ("real", "synthetic"))]
    cells = {**CELLS, "synthetic": (off_by(2.0), {3: "hard", 2: "too hard"}), "greal": "error", "gsynthetic": "crash"}
    run = written(tmp_path, rows, cells)
    found = run.failures()
    assert found.traceback.tolist() == ["", "the end of error", "the end of crash"]
    assert "traceback" not in run.cells()
    assert run.failures(source="s").status.tolist() == ["ok"]
    assert run.failures(forecaster="g", source="t", data="d").status.tolist() == ["error", "crash"]
    windows = run.failed_windows()
    assert windows[["unique_id", "window", "reason"]].values.tolist() == [["b", 0, "too hard"], ["b", 1, "hard"]]
    assert list(windows.columns)[:6] == ["data", "source", "arm", "forecaster", "replicate", "share"]
    assert set(windows.arm) == {"synthetic"}
    assert len(run.failed_windows(source="t")) == 0
    assert list(run.failed_windows(source="t").columns) == list(windows.columns)
    with pytest.raises(UnknownNameError, match="no source is called 'u'"):
        run.failures(source="u")


def test_a_source_that_failed_has_rows_with_the_reason(tmp_path: Path) -> None:
    run = written(tmp_path, [*PLAN, row("synthetic", "", error="crash: the generator died")], {"naive": CELLS["naive"]})
    found = run.profile("mae")
    assert found.status.tolist() == ["error", "error"]
    assert found.versus.tolist() == ["real", "real"]
    assert run.n_failed == 1
    assert run.failures().error.tolist() == ["crash: the generator died"]


def test_a_metric_that_is_defined_nowhere_has_no_pairs(tmp_path: Path) -> None:
    run = written(tmp_path, COMPARED, CELLS, scale=np.nan)
    assert run.profile("mase").status.tolist() == ["no pairs", "no pairs"]
    assert run.profile("mae").status.tolist() == ["ok", "ok"]


def test_two_perfect_arms_have_the_ratio_one_and_only_a_perfect_control_an_infinite_one(tmp_path: Path) -> None:
    perfect = off_by(0.0)
    assert (
        written(tmp_path / "a", COMPARED, {**CELLS, "real": perfect, "synthetic": perfect}).profile("mae").ratio[0] == 1
    )
    assert written(tmp_path / "b", COMPARED, {**CELLS, "real": perfect}).profile("mae").ratio[0] == np.inf


def test_short_windows_have_two_controls_and_shuffled_series_stand_beside(tmp_path: Path) -> None:
    rows = [row("real", "real"), row("real-short", "near"), row("synthetic", "synthetic"), row("null", "null")]
    cells = {"real": off_by(1.0), "near": off_by(1.5), "synthetic": off_by(3.0), "null": off_by(5.0)}
    found = profiled(tmp_path, *rows, **cells).query("horizon == 4")
    assert list(zip(found.arm, found.versus, found.ratio, strict=True)) == [
        ("synthetic", "real", 3.0),
        ("synthetic", "real-short", 2.0),
        ("null", "real", 5.0),
    ]


def test_without_the_seasonal_naive_forecast_there_is_no_skill_but_an_error(tmp_path: Path) -> None:
    failed = written(tmp_path / "a", COMPARED, {**CELLS, "naive": "crash"}).profile("mae")
    holed = written(tmp_path / "b", COMPARED, {**CELLS, "naive": (off_by(4.0), {1: "short"})}).profile("mae")
    for found in (failed, holed):
        assert found.status.tolist() == ["ok", "ok"]
        assert found.ratio.tolist() == [2.0, 2.0]
        assert found.skill_control.isna().all()


def test_a_zero_actual_is_left_out_of_mape_and_counted(tmp_path: Path) -> None:
    truth = np.where(np.isnan(TRUTH), 40.0, TRUTH)
    truth[0, 0] = 0.0
    found = written(tmp_path, COMPARED, CELLS, truth=truth).profile(["mape", "mae"])
    assert found.n_used.tolist() == [3, 15, 4, 16]
    assert found.valid.tolist() == [False, False, True, True]
    assert found.control[0] == pytest.approx((1 / 2 + 1 / 10 + 1 / 20) / 3)


def test_series_may_weigh_more_than_others(tmp_path: Path) -> None:
    cells = {**CELLS, "synthetic": off_by(0.0) + np.array([[1.0], [1.0], [9.0], [9.0]])}
    run = written(tmp_path, COMPARED, cells, weights=np.array([3.0, 3.0, 1.0, 1.0]))
    found = run.profile("mae")
    assert found.synthetic[0] == 3.0
    assert found.n_used.tolist() == [4, 15]


def test_a_series_without_weight_has_no_figure_and_is_not_said_to_be_fine(tmp_path: Path) -> None:
    run = written(tmp_path, COMPARED, CELLS, weights=np.array([3.0, 3.0, 0.0, 0.0]))
    found = run.profile("mae", by="series")
    assert found.status.tolist() == ["ok", "ok", "no pairs", "no pairs"]
    assert found.ratio.isna().tolist() == [False, False, True, True]


def test_groups_have_a_block_each(tmp_path: Path) -> None:
    cells = {**CELLS, "synthetic": off_by(0.0) + np.array([[2.0], [2.0], [7.0], [7.0]])}
    run = written(tmp_path, COMPARED, cells, groups={"region": ["south", "south", "north", "north"]})
    found = run.profile("mae", group="region")
    assert list(found.columns) == [*PROFILE[:5], "group", *PROFILE[5:]]
    assert list(zip(found.group, found.horizon, found.synthetic, strict=True)) == [
        ("north", 1, 7.0),
        ("north", 4, 7.0),
        ("south", 1, 2.0),
        ("south", 4, 2.0),
    ]
    assert run.profile("mae", by="series", group="region").group.tolist() == ["south", "south", "north", "north"]
    with pytest.raises(UnknownNameError, match=r"group of d is called 'regoin'; did you mean 'region'"):
        run.profile("mae", group="regoin")


def test_what_is_asked_for_is_kept_and_what_is_not_there_is_refused(tmp_path: Path) -> None:
    rows = [row(arm, f"{arm}{f}", forecaster=f) for f in ("f", "g") for arm in ("real", "synthetic")]
    run = written(tmp_path, [*PLAN, *rows], {f"{a}{f}": off_by(1.0) for f in "fg" for a in ("real", "synthetic")})
    assert set(run.profile("mae", forecaster="g").forecaster) == {"g"}
    assert set(run.forecasts(forecaster=["g"], source="s").forecaster) == {"g"}
    assert set(run.errors("mae", forecaster=("f",), data="d").forecaster) == {"f"}
    with pytest.raises(UnknownNameError, match="no forecaster is called 'h'"):
        run.profile("mae", forecaster=["f", "h"])
    with pytest.raises(UnknownNameError, match="no data set is called 'e'"):
        run.forecasts(data="e")
    with pytest.raises(UnknownNameError, match="no metric is called 'mea'; did you mean"):
        run.profile("mea")
    with pytest.raises(UnknownNameError, match="no profile is called 'week'"):
        run.profile("mae", by="week")  # type: ignore[arg-type]


def test_a_run_of_which_nothing_ended_has_tables_with_the_same_columns(tmp_path: Path) -> None:
    empty, full = written(tmp_path / "a", COMPARED, {}), written(tmp_path / "b", COMPARED, CELLS)
    for name in ("profile", "cells", "failures", "failed_windows", "forecasts", "errors"):
        assert list(getattr(empty, name)().columns) == list(getattr(full, name)().columns), name
    nothing = written(tmp_path / "c", PLAN, {})
    assert list(nothing.profile().columns) == PROFILE
    assert not len(nothing.profile())


def test_forecasts_are_long_and_say_where_they_belong(tmp_path: Path) -> None:
    cells = {**CELLS, "synthetic": (off_by(2.0), {1: "no"})}
    found = written(tmp_path, COMPARED, cells).forecasts()
    assert list(found.columns) == [
        *("data", "source", "arm", "forecaster", "replicate", "unique_id", "window", "cutoff", "lead", "y", "forecast")
    ]
    assert len(found) == 3 * TRUTH.size
    one = found.query("arm == 'synthetic' and unique_id == 'a' and window == 1")
    assert one.y.tolist() == TRUTH[1].tolist()
    assert one.forecast.isna().all()
    assert found.query("source == '' and unique_id == 'b' and lead == 3").forecast.tolist() == [34.0, 44.0]


def test_the_order_in_which_cells_end_does_not_show(tmp_path: Path) -> None:
    rows = [row(arm, f"{arm}{f}", forecaster=f) for f in ("f", "g", "h") for arm in ("real", "synthetic", "null")]
    cells = {r["cell"]: off_by(1.0 + i) for i, r in enumerate(rows)}
    texts = set()
    for i in range(3):
        shuffled = random.Random(i).sample(sorted(cells), len(cells))
        run = written(tmp_path / str(i), [*PLAN, *rows], {k: cells[k] for k in shuffled}, parts=1 + i % 2)
        texts.add(json_text(run.profile(["mase", "mae"])))
    assert len(texts) == 1
    assert [r["forecaster"] for r in json.loads(texts.pop())][:5] == ["f"] * 5


def test_forecasts_are_read_once_however_often_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = written(tmp_path, COMPARED, CELLS)
    read: list[str] = []
    plainly = Store.forecasts
    monkeypatch.setattr(Store, "forecasts", lambda self, key: [read.append(key), plainly(self, key)][1])
    for by in ("horizon", "lead", "series"):
        run.profile(["mae", "rmse"], by=by)  # type: ignore[arg-type]
    run.forecasts()
    assert sorted(read) == ["00000001", "00000002", "00000003"]


def test_forecasts_used_longest_ago_are_forgotten_when_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = written(tmp_path, COMPARED, CELLS).profile("mae")
    run = Run(tmp_path)
    monkeypatch.setattr("tsgap.atoms.KEPT", TRUTH.nbytes)
    pd.testing.assert_frame_equal(run.profile("mae"), expected)
    assert len(run._atoms._ended) == 1


def test_a_damaged_cell_counts_as_missing_and_is_said_to_be_so(tmp_path: Path) -> None:
    run = written(tmp_path, COMPARED, CELLS)
    part = next((tmp_path / "parts").rglob("00000003-*.parquet"))
    raw = bytearray(part.read_bytes())
    raw[20] ^= 255
    part.write_bytes(bytes(raw))
    assert run.profile("mae").status.tolist() == ["missing", "missing"]
    assert not run.complete
    assert run.n_failed == 0
    assert any("damaged" in w for w in run.warnings)


def test_forecasts_that_do_not_belong_to_the_truth_are_never_scored(tmp_path: Path) -> None:
    run = written(tmp_path, COMPARED, CELLS)
    with Store.open(tmp_path) as store:
        store.remove(store.heads()["00000003", 0, 1])
        store.add(Part("00000003", 0, 1, "ok", np.arange(2), off_by(1.0)[:2], {}, {}))
    run = Run(tmp_path)
    assert run.profile("mae").status.tolist() == ["contract", "contract"]
    assert run.n_failed == 1
    assert "00000003 has forecasts (2, 4) for a truth (4, 4)" in run.warnings[0]


def test_cells_say_how_each_ended_and_on_what_footing(tmp_path: Path) -> None:
    found = written(tmp_path, COMPARED, {**CELLS, "real": "oom"}, parts=2).cells()
    assert found.source.tolist() == ["", "s", "s"]
    assert found.status.tolist() == ["ok", "oom", "ok"]
    assert found.seconds.tolist() == [3.0, 1.5, 3.0]
    assert found.n_failed.tolist() == [0, 0, 0]
    assert found.pairs.tolist() == [90, 90, 90]
    assert list(found.columns)[:7] == ["data", "source", "replicate", "arm", "share", "forecaster", "status"]


def test_a_folder_that_is_no_run_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a run folder"):
        tsgap.load(tmp_path / "nowhere")
    Store.open(tmp_path / "new").close()
    with pytest.raises(StoreError, match="no plan in it yet; run the sweep first"):
        tsgap.load(tmp_path / "new")


def test_a_run_says_in_one_line_what_it_is(tmp_path: Path) -> None:
    run = written(tmp_path, COMPARED, {"naive": CELLS["naive"], "real": "crash"})
    assert repr(run) == f"Run({str(tmp_path)!r}, 2 of 3 cells, 1 failed)"


def test_the_truth_knows_its_series(tmp_path: Path) -> None:
    run = written(tmp_path, COMPARED, CELLS)
    truth = Atoms(Store.open(tmp_path, create=False), run.manifest["data"], {}).truth("d")
    assert truth.series.tolist() == [0, 0, 1, 1]
    assert tuple(truth.ids) == IDS


def test_weights_and_groups_of_a_data_set_reach_its_profile(tmp_path: Path) -> None:
    real = seasonal(series=3, length=60)
    real["w"] = real.unique_id.map({"s0": 5.0, "s1": 1.0, "s2": 0.0})
    real["kind"] = real.unique_id.map({"s0": "odd", "s1": "even", "s2": "odd"})
    run = tsgap.sweep(
        real,
        "gen:shuffle",
        forecasters=["linear"],
        horizons=[3],
        windows=2,
        out=tmp_path / "run",
        jobs=0,
        weights="w",
        groups=("kind",),
    )
    whole = run.profile("mae").query("arm == 'synthetic'").synthetic.item()
    parts = run.profile("mae", by="series").query("arm == 'synthetic'").set_index("unique_id").synthetic
    assert whole == pytest.approx((5 * parts["s0"] + parts["s1"]) / 6)
    kinds = run.profile("mae", group="kind").query("arm == 'synthetic'").set_index("group").synthetic
    assert kinds["odd"] == pytest.approx(parts["s0"])
    assert kinds["even"] == pytest.approx(parts["s1"])


def test_a_plan_of_another_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    run = written(tmp_path, [*PLAN, row("real", "real"), row("synthetic", "synthetic")], CELLS)
    store = Store.open(run.path)
    store.write_json("plan", {**store.read_json("plan"), "version": 99})
    with pytest.raises(StoreError, match="run the same sweep again: what is computed already is reused"):
        Run(run.path)
