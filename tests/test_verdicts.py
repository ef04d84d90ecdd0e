"""Gaps and verdicts of runs written by hand: every place, every mean, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hand_made import PLAN, TRUTH, off_by, offered, row, written

from tsgap.errors import UnknownNameError, UsageError
from tsgap.findings import FAIL, INCONCLUSIVE, INSUFFICIENT_DATA, PASS
from tsgap.panel import Floats
from tsgap.plugins import Registered
from tsgap.protocols import MetricSpec
from tsgap.run import Run

ARMS = ("real", "synthetic", "null")
SERIES, WINDOWS, LEADS = 6, 5, 4


def battery(*forecasters: str, data: str = "d", source: str = "s", **more: Any) -> list[dict[str, Any]]:
    """Rows of forecasters that were each trained on real, synthetic and shuffled series."""
    return [
        row(arm, f"{data} {source} {name} {arm}", data=data, source=source, forecaster=name, **more)
        for name in forecasters
        for arm in ARMS
    ]


def small(folder: Path, errors: dict[str, tuple[Any, Any, Any]], rows: Any = None, **more: Any) -> Run:
    """A run of two series: by forecaster the errors of its arms, or how they ended."""
    rows = battery(*errors) if rows is None else rows
    cells: dict[str, Any] = {"naive": off_by(4.0)}
    for told in rows:
        how = errors[told["forecaster"]][ARMS.index(told["arm"])]
        cells[told["cell"]] = off_by(how) if isinstance(how, (int, float)) else how
    return written(folder / "run", [*PLAN, *rows], cells, **more)


def large(folder: Path, errors: dict[str, tuple[float, float, float]], *, seed: int = 0, **more: Any) -> Run:
    """A run of series and windows enough to decide; errors differ a little from window to window."""
    rng = np.random.default_rng(seed)
    n = SERIES * WINDOWS
    truth = rng.normal(size=(n, LEADS))

    def off(error: float) -> Floats:
        return truth + error * (1 + 0.01 * rng.normal(size=truth.shape))

    rows = battery(*errors)
    cells = {told["cell"]: off(errors[told["forecaster"]][ARMS.index(told["arm"])]) for told in rows}
    ids = [f"s{i}" for i in range(SERIES) for _ in range(WINDOWS)]
    return written(folder, [*PLAN, *rows], {"naive": off(4.0), **cells}, truth=truth, ids=ids, **more)


def table(run: Run, metric: str = "mae", by: Any = "bin", **more: Any) -> pd.DataFrame:
    return run.gap(metric, by, **more)


# -- the table of gaps ------------------------------------------------------------------------------------------------


def test_a_gap_is_told_for_every_bin_with_what_it_rests_on(tmp_path: Path) -> None:
    found = table(large(tmp_path / "run", {"f": (1.0, 1.2, 2.0)}))
    assert found[["bin", "first", "last"]].to_numpy().tolist() == [["1", 1, 1], ["2-3", 2, 3], ["4", 4, 4]]
    np.testing.assert_allclose(found["gap"], np.log(1.2), atol=0.01)
    np.testing.assert_allclose(found["percent"], 100 * np.expm1(found["gap"]))
    np.testing.assert_allclose(found["assay"], np.log(2), atol=0.01)
    np.testing.assert_allclose(found["rho"], 0.2, atol=0.02)
    assert (found["low"] < found["gap"]).all()
    assert (found["gap"] < found["high"]).all()
    np.testing.assert_allclose(found["percent_high"], 100 * np.expm1(found["high"]))
    # the interval is two-sided, the smallest gap that could be told one-sided
    assert (found["half_width"] < found["high"] - found["gap"]).all()
    assert found[["series", "blocks", "replicates"]].drop_duplicates().to_numpy().tolist() == [[SERIES, WINDOWS, 1]]
    assert found["n_used"].tolist() == [30, 60, 30]
    assert set(found["status"]) == {"ok"}
    assert (found["needed_series"] >= SERIES).all()
    assert set(found["forecaster"]) == {"f"}


@pytest.mark.parametrize(
    ("by", "columns", "places"),
    [("lead", ["lead"], [[1], [2], [3], [4]]), ("horizon", ["horizon"], [[1], [4]])],
)
def test_a_gap_is_told_lead_by_lead_or_up_to_a_horizon(
    tmp_path: Path, by: str, columns: list[str], places: list[list[int]]
) -> None:
    found = table(small(tmp_path, {"f": (1.0, 2.0, 3.0)}), by=by)
    assert found[columns].to_numpy().tolist() == places
    np.testing.assert_allclose(found["gap"], np.log(2))
    assert found["n_used"].tolist() == ([4, 4, 3, 4] if by == "lead" else [4, 15])


def test_a_copy_has_a_gap_of_exactly_0_and_no_rho_where_nothing_is_seen(tmp_path: Path) -> None:
    found = table(small(tmp_path, {"f": (1.0, 1.0, 1.01)}))
    assert (found[["gap", "low", "high", "percent"]] == 0).all(axis=None)
    assert found["rho"].isna().all()


def test_all_is_the_geometric_mean_over_those_that_learn(tmp_path: Path) -> None:
    errors = {"a": (1.0, 2.0, 4.0), "b": (1.0, 1.0, 2.0), "probe": (1.0, 9.0, 9.0), "canary": (1.0, 1.0, 1.0)}
    rows = battery("a", "b") + battery("probe", memory="lag") + battery("canary", transfer="none")
    found = table(small(tmp_path, errors, rows)).set_index("forecaster")
    np.testing.assert_allclose(found.loc["all", "gap"].astype(float), np.log(2) / 2)
    np.testing.assert_allclose(found.loc["all", "assay"].astype(float), np.log(8) / 2)
    assert set(found.loc["all", "status"]) == {"ok"}
    assert set(found.loc["canary", "status"]) == {"not applicable"}
    assert set(found.loc["probe", "status"]) == {"ok"}


def test_one_forecaster_is_its_own_mean(tmp_path: Path) -> None:
    assert "all" not in set(table(small(tmp_path, {"a": (1.0, 2.0, 3.0)}))["forecaster"])


@pytest.mark.parametrize("lost", ["crash", (off_by(2.0), {1: "it broke"})])
def test_a_mean_from_which_something_is_missing_is_partial(tmp_path: Path, lost: Any) -> None:
    errors = {"a": (1.0, 2.0, 4.0), "b": (1.0, 2.0, 2.0), "c": (1.0, lost, 2.0)}
    found = table(small(tmp_path, errors)).set_index("forecaster")
    assert set(found.loc["all", "status"]) == {"partial"}
    assert set(found.loc["a", "status"]) == {"ok"}
    assert set(found.loc["c", "status"]) == {lost if isinstance(lost, str) else "partial"}
    if lost == "crash":
        assert found.loc["c", "gap"].isna().all()
    else:
        assert found.loc["all", "n_used"].tolist() == found.loc["c", "n_used"].tolist()


def test_leads_without_a_pair_have_no_gap_and_not_one_of_0(tmp_path: Path) -> None:
    truth = TRUTH.copy()
    truth[:, 0] = np.nan
    run = small(tmp_path, {"a": (1.0, 2.0, 4.0), "b": (1.0, 1.0, 2.0)}, truth=truth)
    found = table(run).set_index(["forecaster", "bin"])
    for name in ("a", "b", "all"):
        assert found.loc[(name, "1"), "status"] == "no pairs"
        assert np.isnan(found.loc[(name, "1"), "gap"])
        assert found.loc[(name, "1"), "n_used"] == 0
        assert found.loc[(name, "4"), "status"] == "ok"
    weightless = small(tmp_path / "again", {"a": (1.0, 2.0, 4.0)}, weights=np.zeros(4))
    assert set(table(weightless)["status"]) == {"no pairs"}
    assert run.gate(metric="mae").verdict != PASS


def test_leads_that_were_never_taught_have_no_gap(tmp_path: Path) -> None:
    found = table(small(tmp_path, {"a": (1.0, off_by(2.0, leads=3), 4.0)}), by="lead")
    assert found["status"].tolist() == ["ok", "ok", "ok", "not taught"]
    assert np.isnan(found["gap"].iloc[-1])


def two_sets(folder: Path, second: tuple[Any, Any, Any]) -> Run:
    errors = {"f": (1.0, 2.0, 3.0), "g": second}
    rows = battery("f") + [{**told, "forecaster": "f"} for told in battery("g", data="e")]
    cells: dict[str, Any] = {"naive": off_by(4.0)}
    for told in rows:
        how = errors["f" if told["data"] == "d" else "g"][ARMS.index(told["arm"])]
        cells[told["cell"]] = off_by(how) if isinstance(how, float) else how
    naive = [*PLAN, row("real", "naive", source="", forecaster="seasonal-naive", transfer="none", data="e")]
    return written(folder / "run", [*naive, *rows], cells, data=("d", "e"))


def test_the_mean_over_data_sets_counts_each_once(tmp_path: Path) -> None:
    found = table(two_sets(tmp_path, (1.0, 4.0, 5.0))).set_index(["data", "bin"])
    np.testing.assert_allclose(found.loc["all", "gap"].astype(float), np.log(8) / 2)
    assert found.loc["all", "forecaster"].unique().tolist() == ["all"]
    assert found.loc["all", "status"].unique().tolist() == ["ok"]
    assert found.loc["all"].index.tolist() == ["1", "2-3", "4"]


def test_there_is_no_mean_over_data_sets_of_which_one_failed(tmp_path: Path) -> None:
    found = table(two_sets(tmp_path, (1.0, "crash", 5.0)))
    assert set(found["data"]) == {"d", "e"}
    assert set(found.loc[found["data"] == "e", "status"]) == {"crash"}


def test_one_data_set_has_no_mean_over_data_sets(tmp_path: Path) -> None:
    assert set(table(small(tmp_path, {"a": (1.0, 2.0, 3.0)}))["data"]) == {"d"}


def test_tables_can_be_narrowed_and_names_are_checked(tmp_path: Path) -> None:
    run = small(tmp_path, {"a": (1.0, 2.0, 3.0), "b": (1.0, 2.0, 3.0)})
    assert set(table(run, forecaster="b")["forecaster"]) == {"b"}
    with pytest.raises(UnknownNameError, match="nobody"):
        table(run, forecaster="nobody")
    with pytest.raises(UnknownNameError, match="decade"):
        table(run, by="decade")


# -- verdicts of a run ------------------------------------------------------------------------------------------------


def test_a_run_passes_or_fails_by_the_margin(tmp_path: Path) -> None:
    run = large(tmp_path / "run", {"f": (1.0, 1.1, 2.0)})
    assert run.gate(0.2, metric="mae").verdict == PASS
    assert run.gate(0.2, metric="mae").passed
    failed = run.gate(0.05, metric="mae")
    assert (failed.verdict, failed.passed) == (FAIL, False)
    assert run.gate(0.2, metric="rmse").verdict == PASS
    # a tenth is lost, that leaves nine tenths
    assert run.gate(0.2, metric="mae", retain=0.95).verdict == INCONCLUSIVE


def test_two_series_in_two_blocks_are_insufficient_data(tmp_path: Path) -> None:
    assert small(tmp_path, {"f": (1.0, 1.0, 2.0)}).gate(metric="mae").verdict == INSUFFICIENT_DATA


def test_the_horizons_that_are_gated_can_be_chosen(tmp_path: Path) -> None:
    run = large(tmp_path / "run", {"f": (1.0, 1.0, 2.0)})
    (one,) = run.gate(metric="mae", horizons=(1, 3)).verdicts
    assert [(b.first, b.last) for b in one.findings[0].bins] == [(1, 1), (2, 3)]
    for bad in ((5,), (0,), (2, 99)):
        with pytest.raises(UsageError, match="horizon"):
            run.gate(metric="mae", horizons=bad)


@pytest.mark.parametrize("metric", ["mape", "smape"])
def test_percentages_cannot_be_gated(tmp_path: Path, metric: str) -> None:
    run = large(tmp_path / "run", {"f": (1.0, 1.0, 2.0)})
    with pytest.raises(UsageError, match=f"metric '{metric}' cannot be gated: it prefers .*; take one of mae, "):
        run.gate(metric=metric)
    with pytest.raises(UsageError, match=f"metric '{metric}' has no gap: it prefers"):
        run.gap(metric)
    assert len(run.profile(metric))


def test_a_loss_that_can_be_negative_has_no_gap_and_cannot_be_gated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = MetricSpec("signed", "Signed.", lambda truth, forecast, scale: truth - forecast, nonnegative=False)
    offered(monkeypatch, Registered(spec, "here", "1"))
    with pytest.raises(UsageError, match="metric 'signed' cannot be gated: its loss can be negative"):
        large(tmp_path / "run", {"f": (1.0, 1.0, 2.0)}).gate(metric="signed")
    with pytest.raises(UsageError, match="metric 'signed' has no gap: its loss can be negative"):
        large(tmp_path / "again", {"f": (1.0, 1.0, 2.0)}).gap("signed")


def test_names_that_are_not_there_are_refused(tmp_path: Path) -> None:
    run = large(tmp_path / "run", {"f": (1.0, 1.0, 2.0)})
    with pytest.raises(UnknownNameError, match="nonsense"):
        run.gate(metric="nonsense")
    with pytest.raises(UnknownNameError, match="everything"):
        run.gate(metric="mae", on="everything")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="nobody"):
        run.gate(metric="mae", source="nobody")


def test_a_run_without_a_source_has_no_verdict(tmp_path: Path) -> None:
    run = written(tmp_path / "run", PLAN, {"naive": off_by(4.0)})
    with pytest.raises(UsageError, match="there is no synthetic source in what was asked for"):
        run.gate(metric="mae")


def test_the_worst_verdict_is_that_of_all(tmp_path: Path) -> None:
    found = two_sets(tmp_path, (1.0, "crash", 5.0)).gate(metric="mae")
    assert [(one.data, one.verdict) for one in found.verdicts] == [("d", INSUFFICIENT_DATA), ("e", INCONCLUSIVE)]
    assert (found.verdict, found.passed) == (INSUFFICIENT_DATA, False)


def test_what_a_run_knows_of_self_checks_and_leaks_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = large(tmp_path / "run", {"f": (1.0, 1.0, 2.0)})
    for checked, label in ((None, "PASS (unchecked)"), (True, PASS), (False, INCONCLUSIVE)):
        monkeypatch.setattr(Run, "checked", lambda self, data, checked=checked: checked)
        assert run.gate(metric="mae").verdicts[0].label == label
    monkeypatch.undo()
    monkeypatch.setattr(run, "manifest", {**run.manifest, "leaks": {"d/s": ["3 windows"]}})
    (leaky,) = run.gate(metric="mae").verdicts
    assert (leaky.verdict, leaky.caps) == (INCONCLUSIVE, ("LEAK: 3 windows",))


def test_a_run_is_held_against_the_last_accepted_one(tmp_path: Path) -> None:
    before = large(tmp_path / "before", {"f": (1.0, 1.0, 2.0)}, seed=0)
    worse = large(tmp_path / "worse", {"f": (1.0, 1.03, 2.0)}, seed=0)
    assert worse.gate(metric="mae").verdict == PASS
    found = worse.gate(metric="mae", baseline=before)
    assert found.verdict == FAIL
    assert found.verdicts[0].worse_than_baseline
    assert before.gate(metric="mae", baseline=worse).verdict == PASS
    assert before.gate(metric="mae", baseline=tmp_path / "before").verdict == PASS


def test_a_baseline_of_another_name_is_taken_where_it_is_the_only_one(tmp_path: Path) -> None:
    run = large(tmp_path / "run", {"f": (1.0, 1.0, 2.0)})
    rows, naive = battery("f", source="older"), np.zeros((30, 4))
    n = SERIES * WINDOWS
    truth = np.random.default_rng(0).normal(size=(n, LEADS))
    ids = [f"s{i}" for i in range(SERIES) for _ in range(WINDOWS)]
    cells = {told["cell"]: truth + 1.0 + ARMS.index(told["arm"]) for told in rows}
    older = written(tmp_path / "older", [*PLAN, *rows], {"naive": naive, **cells}, truth=truth, ids=ids)
    assert run.gate(metric="mae", baseline=older).verdict == PASS
    two = written(
        tmp_path / "two",
        [*PLAN, *rows, *battery("f", source="oldest")],
        {"naive": naive, **cells, **{told["cell"]: truth + 1.0 for told in battery("f", source="oldest")}},
        truth=truth,
        ids=ids,
    )
    with pytest.raises(UsageError, match=r"no source 's' for d, and not exactly one other .*\(older, oldest\)"):
        run.gate(metric="mae", baseline=two)
