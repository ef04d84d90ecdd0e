"""Evidence from runs written by hand: which losses count, in which arm, and what is said where they do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_made import PLAN, TRUTH, off_by, offered, row, written
from worlds import seasonal

import tsgap
from tsgap.errors import UsageError
from tsgap.evidence import Evidence
from tsgap.gap import Counts
from tsgap.plugins import Registered
from tsgap.protocols import MetricSpec
from tsgap.run import Run

ARMS = (row("real", "real"), row("synthetic", "synthetic"), row("null", "null"))
CELLS = {"naive": off_by(4.0), "real": off_by(1.0), "synthetic": off_by(2.0), "null": off_by(3.0)}


def run_of(folder: Path, cells: dict[str, Any] | None = None, rows: Any = ARMS, **more: Any) -> Run:
    named = {told["cell"] for told in (*PLAN, *rows)}
    ended = {name: how for name, how in {**CELLS, **(cells or {})}.items() if name in named}
    return written(folder / "run", [*PLAN, *rows], ended, **more)


def evidence(run: Run, metric: str = "mae", by: Any = "bin", **more: Any) -> Evidence:
    ((_, (one, *others)),) = run.evidence(metric, by, **more)
    assert not others
    return one


def replicated(arms: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Rows of arms by the cell of each replicate."""
    return [
        row(arm, cell, replicate=k, draw=k, stochastic=True)
        for arm, cells in arms.items()
        for k, cell in enumerate(cells)
    ]


def test_losses_are_sums_over_the_leads_of_a_bin_for_each_window(tmp_path: Path) -> None:
    one = evidence(run_of(tmp_path), horizons=(1, 3, 4))
    assert one.places == ((1, 1), (2, 3), (4, 4))
    # the last window has no truth at lead 3
    wanted = np.array([[1, 2, 1], [1, 2, 1], [1, 2, 1], [1, 1, 1]])
    for arm, error in (("control", 1.0), ("synthetic", 2.0), ("null", 3.0), ("naive", 4.0)):
        np.testing.assert_array_equal(one.losses[arm], error * wanted[None])
    assert one.used.tolist() == [4, 7, 4]
    assert one.taught.all()
    assert (one.status, one.uneven, one.missing, one.control) == ("ok", 0, (), "real")


def test_gap_assay_and_shortfall_are_those_of_the_arms(tmp_path: Path) -> None:
    one = evidence(run_of(tmp_path))
    np.testing.assert_allclose(one.gap.value, np.log(2))
    assert one.assay is not None
    np.testing.assert_allclose(one.assay.value, np.log(3))
    short = one.shortfall(0.25)
    assert short is not None
    np.testing.assert_allclose(short.value, 2 - 0.25 - 0.75 * 3)


@pytest.mark.parametrize("without", ["real", "synthetic", "null"])
def test_a_window_that_failed_in_one_arm_counts_in_none_and_is_told(tmp_path: Path, without: str) -> None:
    one = evidence(run_of(tmp_path, {without: (CELLS[without], {1: "it broke"})}), by="horizon")
    for arm in ("control", "synthetic", "null", "naive"):
        assert (one.losses[arm][:, 1] == 0).all()
        assert (one.losses[arm][:, [0, 2, 3]] > 0).all()
    assert one.uneven == 1
    assert one.used.tolist() == [3, 11]


def test_a_window_that_failed_everywhere_is_left_out_and_even(tmp_path: Path) -> None:
    failed = {arm: (CELLS[arm], {1: "too short"}) for arm in ("real", "synthetic", "null")}
    one = evidence(run_of(tmp_path, failed), by="horizon")
    assert (one.uneven, one.used.tolist()) == (0, [3, 11])


@pytest.mark.parametrize("naive", ["crash", (CELLS["naive"], {1: "it broke"})], ids=["whole", "one window"])
def test_without_the_seasonal_naive_forecasts_nobody_knows_whether_the_control_is_worse(
    tmp_path: Path, naive: Any
) -> None:
    run = run_of(tmp_path, {"naive": naive})
    one = evidence(run)
    assert one.missing == ("seasonal-naive forecasts: missing",)
    assert "naive" not in one.losses
    np.testing.assert_allclose(one.gap.value, np.log(2))
    (verdict,) = run.gate(metric="mae").verdicts
    assert verdict.damage == ("f: seasonal-naive forecasts: missing",)


def test_where_most_windows_failed_everywhere_the_others_speak_for_none(tmp_path: Path) -> None:
    def run(name: str, *failed: int) -> Run:
        cells = {arm: (CELLS[arm], dict.fromkeys(failed, "too high")) for arm in ("real", "synthetic", "null")}
        return run_of(tmp_path / name, cells)

    assert evidence(run("half", 0, 2)).status == "ok"
    most = run("most", 0, 1, 2)
    assert evidence(most).status == "too many failed"
    assert set(most.gap("mae")["status"]) == {"too many failed"}
    (verdict,) = most.gate(metric="mae").verdicts
    assert (verdict.verdict, verdict.damage) == ("INCONCLUSIVE", ("f: too many failed",))


def test_a_window_that_failed_in_one_replicate_counts_in_none(tmp_path: Path) -> None:
    rows = replicated({"real": ["real"] * 2, "synthetic": ["s0", "s1"], "null": ["null"] * 2})
    one = evidence(run_of(tmp_path, {"s0": off_by(2.0), "s1": (off_by(2.0), {3: "it broke"})}, rows))
    assert one.uneven == 1
    assert (one.losses["synthetic"][:, 3] == 0).all()


def test_leads_that_one_arm_never_learned_are_not_taught_and_bring_nothing(tmp_path: Path) -> None:
    one = evidence(run_of(tmp_path, {"synthetic": off_by(2.0, leads=2)}), by="lead")
    assert one.taught.tolist() == [True, True, False, False]
    assert one.used.tolist() == [4, 4, 0, 0]
    for losses in one.losses.values():
        assert (losses[..., 2:] == 0).all()
    # a bin of which one lead is not taught is not taught
    assert evidence(run_of(tmp_path / "again", {"null": off_by(3.0, leads=3)}), by="horizon").taught.tolist() == [
        True,
        False,
    ]


def test_replicates_that_are_one_cell_are_one(tmp_path: Path) -> None:
    rows = replicated({"real": ["real"] * 3, "synthetic": ["s0", "s1", "s2"], "null": ["null"] * 3})
    one = evidence(run_of(tmp_path, {f"s{k}": off_by(2.0 + k) for k in range(3)}, rows))
    assert {arm: len(losses) for arm, losses in one.losses.items()} == {
        "synthetic": 3,
        "control": 1,
        "null": 1,
        "naive": 1,
    }
    assert one.losses["synthetic"][:, 0, 0].tolist() == [2.0, 3.0, 4.0]
    np.testing.assert_allclose(one.gap.value, np.log(3))
    assert one.gap.estimated(one.clusters).counts == Counts(2, 2, 3)
    assert one.stochastic


def test_where_nothing_is_drawn_anew_there_is_one_replicate(tmp_path: Path) -> None:
    rows = replicated({"real": ["real"] * 3, "synthetic": ["synthetic"] * 3, "null": ["null"] * 3})
    one = evidence(run_of(tmp_path, rows=rows))
    assert one.gap.estimated(one.clusters).counts.replicates == 1


def test_draws_that_are_used_twice_are_one_cluster(tmp_path: Path) -> None:
    cells = {f"s{k}": off_by(2.0 + k) for k in range(4)}
    arms = {"real": ["real"] * 4, "synthetic": list(cells), "null": ["null"] * 4}
    rows = [{**told, "draw": told["replicate"] % 2} for told in replicated(arms)]
    one = evidence(run_of(tmp_path, cells, rows))
    assert one.clusters.counts.replicates == 2
    assert one.clusters.replicates.tolist() == [0, 1, 0, 1]


def test_rows_of_a_plan_may_come_in_any_order(tmp_path: Path) -> None:
    rows = replicated({"real": ["real"] * 2, "synthetic": ["s0", "s1"]})
    one = evidence(run_of(tmp_path, {"s0": off_by(2.0), "s1": off_by(5.0)}, rows[::-1]))
    assert one.losses["synthetic"][:, 0, 0].tolist() == [2.0, 5.0]


def test_windows_are_clustered_by_series_and_block(tmp_path: Path) -> None:
    one = evidence(run_of(tmp_path))
    assert one.clusters.series.tolist() == [0, 0, 1, 1]
    assert one.clusters.blocks.tolist() == [0, 1, 0, 1]


def test_a_series_without_a_pair_that_counts_makes_no_sample_larger(tmp_path: Path) -> None:
    truth, ids = np.vstack([TRUTH] * 3), [name for name in "abcdef" for _ in range(2)]
    weights, scale = np.ones(12), np.ones(12)
    weights[:2], scale[2:4] = 0.0, np.nan  # one has no weight, one no denominator
    truth[4:6] = np.nan
    truth[7] = np.nan
    cells = {arm: np.vstack([off_by(error)] * 3) for arm, error in zip(CELLS, (4.0, 1.0, 2.0, 3.0), strict=True)}
    run = run_of(tmp_path, cells, truth=truth, ids=ids, weights=weights, scale=scale)
    one = evidence(run, "mase")
    assert one.clusters.counts == Counts(3, 2, 1)
    assert one.used.tolist()[0] == 7  # pairs that are scored, those without weight too
    assert evidence(run, "mae").clusters.counts == Counts(4, 2, 1)


def test_leads_without_a_pair_that_counts_have_no_losses_rather_than_none(tmp_path: Path) -> None:
    truth = TRUTH.copy()
    truth[:, 0] = np.nan
    one = evidence(run_of(tmp_path, truth=truth), by="lead")
    assert np.isnan(one.losses["synthetic"][..., 0]).all()
    assert not np.isnan(one.losses["synthetic"][..., 1:]).any()
    assert np.isnan(one.gap.value[0])
    assert (one.taught.all(), one.used[0]) == (True, 0)


def test_a_root_metric_gives_the_ratio_of_roots(tmp_path: Path) -> None:
    one = evidence(run_of(tmp_path), "rmse", by="horizon")
    assert one.root
    np.testing.assert_array_equal(one.losses["synthetic"][0, 0], [4.0, 16.0])
    np.testing.assert_allclose(one.gap.value, np.log(2))


def test_weights_and_scales_are_those_of_the_series(tmp_path: Path) -> None:
    weights, scale = np.array([1.0, 1.0, 3.0, 3.0]), np.array([1.0, 1.0, 10.0, 10.0])
    one = evidence(run_of(tmp_path, weights=weights, scale=scale), "mase", by="lead")
    np.testing.assert_allclose(one.losses["control"][0, :, 0], [1.0, 1.0, 0.3, 0.3])


def test_the_control_is_all_real_series_or_such_as_are_as_short(tmp_path: Path) -> None:
    rows = [*ARMS, row("real-short", "short")]
    run = run_of(tmp_path, {"short": off_by(1.5)}, rows)
    total, fidelity = evidence(run), evidence(run, on="fidelity")
    assert (total.control, fidelity.control) == ("real", "real-short")
    np.testing.assert_allclose(total.gap.value, np.log(2))
    np.testing.assert_allclose(fidelity.gap.value, np.log(2 / 1.5))
    assert fidelity.assay is not None
    np.testing.assert_allclose(fidelity.assay.value, np.log(3 / 1.5))
    # where no windows are short the control is what it is
    assert evidence(run_of(tmp_path / "again"), on="fidelity").control == "real"


@pytest.mark.parametrize("arm", ["real", "synthetic"])
@pytest.mark.parametrize("ended", ["crash", "timeout", "oom"])
def test_an_arm_that_failed_leaves_nothing_but_its_status(tmp_path: Path, arm: str, ended: str) -> None:
    one = evidence(run_of(tmp_path, {arm: ended}))
    assert (one.status, dict(one.losses)) == (ended, {})
    assert one.missing == (f"{'control' if arm == 'real' else arm} arm: {ended}",)


def test_a_missing_cell_is_told(tmp_path: Path) -> None:
    cells = {name: forecast for name, forecast in CELLS.items() if name != "synthetic"}
    one = evidence(written(tmp_path / "run", [*PLAN, *ARMS], cells))
    assert (one.status, one.missing) == ("missing", ("synthetic arm: missing",))


def test_one_failed_replicate_of_three_fails_the_arm(tmp_path: Path) -> None:
    rows = replicated({"real": ["real"] * 3, "synthetic": ["s0", "s1", "s2"]})
    one = evidence(run_of(tmp_path, {"s0": off_by(2.0), "s1": "crash", "s2": off_by(2.0)}, rows))
    assert (one.status, one.missing) == ("crash", ("synthetic arm: crash",))


def test_a_failed_shuffled_arm_is_left_out_and_told(tmp_path: Path) -> None:
    one = evidence(run_of(tmp_path, {"null": "crash"}))
    assert (one.status, one.missing) == ("ok", ("null arm: crash",))
    assert "null" not in one.losses
    assert one.assay is None
    assert one.shortfall(0.5) is None


def test_a_source_that_could_not_be_drawn_has_no_control_to_hide_behind(tmp_path: Path) -> None:
    one = evidence(run_of(tmp_path, rows=[row("synthetic", "", error="it cannot be drawn")]))
    assert (one.status, one.missing) == ("no control", ("synthetic arm: error",))
    only = evidence(run_of(tmp_path / "again", rows=[row("real", "real")]))
    assert only.status == "missing"


def test_a_metric_that_breaks_its_contract_is_a_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(truth: Any, forecast: Any, scale: Any) -> Any:
        raise ValueError("no such thing")

    spec = MetricSpec("broken", "Broken.", broken)
    offered(monkeypatch, Registered(spec, "here", "1"))
    one = evidence(run_of(tmp_path), "broken")
    assert one.status == "metric failed: ValueError: no such thing"
    assert not one.losses


def test_training_without_effect_is_a_status(tmp_path: Path) -> None:
    rows = [row("real", "same", trained_on="a"), row("synthetic", "other", trained_on="b")]
    one = evidence(run_of(tmp_path, {"same": off_by(1.0), "other": off_by(1.0)}, rows))
    assert one.status == "training has no effect"


def test_the_naive_forecast_is_there_only_with_every_pair(tmp_path: Path) -> None:
    one = evidence(run_of(tmp_path, {"naive": (off_by(4.0), {0: "too short"})}))
    assert "naive" not in one.losses
    assert one.uneven == 0
    # where the pair does not count anyway it is not needed
    failed = {name: (CELLS[name], {0: "too short"}) for name in CELLS}
    assert "naive" in evidence(run_of(tmp_path / "again", failed)).losses


def test_pairs_tell_runs_apart_that_count_other_windows(tmp_path: Path) -> None:
    def without(window: int, folder: str) -> Evidence:
        return evidence(run_of(tmp_path / folder, {"synthetic": (off_by(2.0), {window: "it broke"})}))

    first, same, other = without(0, "a"), without(0, "b"), without(1, "c")
    assert first.used.tolist() == other.used.tolist()
    assert first.pairs == same.pairs != other.pairs
    assert evidence(run_of(tmp_path / "d", weights=np.array([2.0, 2.0, 1.0, 1.0]))).pairs != first.pairs


def test_horizons_that_were_not_forecast_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="horizon 5 was not forecast; the longest horizon of this run is 4"):
        evidence(run_of(tmp_path), horizons=(1, 5))


def test_under_a_metric_of_quantiles_the_naive_forecast_is_its_own_at_every_level(tmp_path: Path) -> None:
    run = tsgap.sweep(
        seasonal(series=6, length=120),
        "gen:copy",
        forecasters=["linear"],
        horizons=[1, 3],
        quantiles=[0.1, 0.5, 0.9],
        replicates=1,
        out=tmp_path / "run",
        jobs=0,
    )
    (((_, (by_quantiles,))),) = run.evidence("wql")
    (((_, (by_mean,))),) = run.evidence("mase")
    # twice the pinball loss of one value, averaged over levels that lie evenly about the middle, is its absolute error
    np.testing.assert_allclose(by_quantiles.losses["naive"], by_mean.losses["naive"])
    assert not by_quantiles.missing
