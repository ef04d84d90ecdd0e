"""What perturbed histories cost each arm: planted truth, what the views share, and what must not see them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

import tsgap
from tests.hand_made import CELLS, COMPARED, IDS, PLAN, TRUTH, off_by, row, written
from tests.worlds import autoregressions, seasonal
from tsgap.cli import DONE, FAILED_CELLS, USAGE
from tsgap.cli import run as command
from tsgap.errors import UsageError
from tsgap.gap import Clusters, log_ratio
from tsgap.local import LocalForecaster
from tsgap.panel import Floats, Panel
from tsgap.perturbing import ARMS, PERTURBATIONS, arms_under
from tsgap.protocols import Forecast
from tsgap.run import Run
from tsgap.store import Store
from tsgap.stress import NO_ERROR, NO_GRADIENT, Stressed, sentences

HORIZON, WINDOWS = 6, 4


def swept(folder: Path, real: Any = None, synthetic: Any = "gen:stl-bootstrap", **given: Any) -> Run:
    asked: dict[str, Any] = {"forecasters": ["linear"], "horizons": [1, HORIZON], "windows": WINDOWS, "jobs": 0}
    asked |= {"replicates": 1, "null": False, "stress": True, "out": folder}
    return tsgap.sweep(seasonal() if real is None else real, synthetic, **{**asked, **given})


def whole(frame: pd.DataFrame, view: str | None = None) -> pd.DataFrame:
    """The rows of all leads together."""
    of = frame[(frame["first"] == 1) & (frame["last"] == frame["last"].max())]
    return of if view is None else of[of["view"] == view]


def long(values: Floats) -> pd.DataFrame:
    n, length = values.shape
    names = np.repeat([f"s{i}" for i in range(n)], length)
    return pd.DataFrame({"unique_id": names, "ds": np.tile(np.arange(length), n), "y": values.ravel()})


# planted truth ----------------------------------------------------------------------------------------------------


def test_what_noise_costs_the_last_value_of_a_random_walk_is_what_algebra_says(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    walks = long(np.cumsum(rng.normal(size=(1000, 70)), axis=1))
    given: dict[str, Any] = {"forecasters": ["naive"], "horizons": [1, 4], "season_length": 1, "windows": 8}
    run = swept(tmp_path, walks, "gen:copy", **given)
    found = run.robustness("rmsse", by="lead").set_index(["view", "bin"]).sort_index()
    for view, size in (("noise-0.2", 0.2), ("noise-0.5", 0.5)):
        for lead in (1, 2, 4):
            at = found.loc[view, str(lead)]
            # errors have variance `lead`, the noise that of the scale, E|step| = sqrt(2 / pi), times the size
            expected = 0.5 * np.log1p(size**2 * (2 / np.pi) / lead)
            assert at.degradation_control == pytest.approx(expected, abs=0.008)
            assert at.degradation_control_low < expected < at.degradation_control_high
            assert at.degradation_synthetic == at.degradation_control
            assert (at.gap, at.low, at.high, at.status, at.flag) == (0, 0, 0, "not applicable", "")


class Persistent:
    """Forecasts by powers of the lag-1 autocorrelation of the training panel."""

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        pairs = np.concatenate([np.stack([y[:-1], y[1:]]) for y in train], axis=1)
        self.phi = float((pairs[0] * pairs[1]).sum() / (pairs[0] ** 2).sum())

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        last = history.values[history.offsets[1:] - 1]
        return Forecast(last[:, None] * self.phi ** np.arange(1, horizon + 1))


class PersistentWithGradient(Persistent):
    """The same, and what the mean forecast moves with."""

    def sensitivity(self, history: Panel, *, horizon: int) -> Floats:
        return np.full((len(history), 1), self.phi)


def test_the_gap_of_degradation_is_what_two_autoregressions_differ_by(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    real, fragile = (long(autoregressions(rng, 200, 300, phi=phi)) for phi in (0.01, 0.95))
    given: dict[str, Any] = {"forecasters": [PersistentWithGradient], "horizons": [1, 2], "season_length": 1}
    run = swept(tmp_path, real, {"fragile": fragile}, windows=30, scaling="none", **given)
    found = run.robustness("rmsse", by="lead").set_index(["view", "bin"]).sort_index()
    variance = 1 / (1 - 0.01**2)
    scale = np.sqrt(2 * variance * (1 - 0.01)) * np.sqrt(2 / np.pi)

    def degradation(phi: float, size: float, lead: int) -> float:
        clean = variance * (1 - 2 * (0.01 * phi) ** lead + phi ** (2 * lead))
        return float(0.5 * np.log1p(phi ** (2 * lead) * (size * scale) ** 2 / clean))

    for lead in (1, 2):
        at = found.loc["noise-0.5", str(lead)]
        expected = [degradation(phi, 0.5, lead) for phi in (0.01, 0.95)]
        assert at.degradation_control == pytest.approx(expected[0], abs=0.01)
        assert at.degradation_synthetic == pytest.approx(expected[1], abs=0.01)
        assert at.gap == pytest.approx(at.degradation_synthetic - at.degradation_control)
        assert at.low < expected[1] - expected[0] < at.high
    assert found.loc["noise-0.5", "1"].flag == "warn"
    assert found.loc["noise-0.1", "1"].flag == ""
    # each sign moves the last value by a tenth of the scale; the worse one adds |φ^h 0.1 s| to every error
    attack = run.robustness("mae", by="lead").set_index(["view", "bin"]).sort_index().loc["attack", "1-2"]
    assert attack.degradation_synthetic > attack.degradation_control > 0


def made_up(rng: np.random.Generator, gap: float, series: int = 20, blocks: int = 6, replicates: int = 3) -> Stressed:
    """Losses of both arms from clean and perturbed histories, of windows that are alike in all four."""
    s, w = (ids.ravel() for ids in np.indices((series, blocks)))
    of_series = rng.gamma(20, 1 / 20, series)[s] * rng.gamma(60, 1 / 60, blocks)[w]
    losses: dict[str, dict[str, Floats]] = {"clean": {}, "perturbed": {}}
    for arm, lost in (("control", 0.1), ("synthetic", 0.1 + gap)):
        own = np.exp(0.05 * rng.normal(size=(series, blocks)))[s, w] * np.exp(0.02 * rng.normal(size=(replicates, 1)))
        clean = of_series * own * rng.gamma(30, 1 / 30, (replicates, len(s)))
        fragile = np.exp(lost + 0.1 * rng.normal(size=series)[s] + 0.02 * rng.normal(size=(replicates, 1)))
        losses["clean"][arm] = clean[..., None]
        losses["perturbed"][arm] = (clean * fragile * rng.gamma(30, 1 / 30, (replicates, len(s))))[..., None]
    return Stressed(
        places=((1, 1),),
        clusters=Clusters.of(s, w, np.arange(replicates)),
        taught=np.array([True]),
        used=np.array([len(s)]),
        **losses,
    )


@pytest.mark.parametrize("gap", [0.0, 0.1])
def test_the_interval_keeps_its_promise(gap: float) -> None:
    rng = np.random.default_rng(5)
    missed = 0
    for _ in range(400):
        [found] = made_up(rng, gap).rows()
        missed += not found["low"] < gap < found["high"]
    # 95 % of 400: at most 8 % missed, with room
    assert missed <= 38


def test_equal_arms_have_no_gap_and_a_narrower_interval_than_their_degradations() -> None:
    one = made_up(np.random.default_rng(0), 0.1)
    same = Stressed(
        one.places,
        clean=dict.fromkeys(one.clean, one.clean["control"]),
        perturbed=dict.fromkeys(one.perturbed, one.perturbed["control"]),
        clusters=one.clusters,
        taught=one.taught,
        used=one.used,
    )
    [found] = same.rows()
    assert (found["gap"], found["low"], found["high"], found["flag"]) == (0, 0, 0, "")
    assert found["degradation_control_high"] > found["degradation_control_low"]


def test_one_replicate_of_a_control_stands_for_all_of_them() -> None:
    one = made_up(np.random.default_rng(0), 0.1)
    control = {of: {**losses, "control": losses["control"][:1]} for of, losses in vars(one).items() if of in CLEAN}
    every = {
        of: {**losses, "control": np.repeat(losses["control"][:1], 3, axis=0)}
        for of, losses in vars(one).items()
        if of in CLEAN
    }
    rest = {"clusters": one.clusters, "taught": one.taught, "used": one.used}
    [few], [many] = (list(Stressed(one.places, **of, **rest).rows()) for of in (control, every))
    assert few["gap"] == pytest.approx(many["gap"])
    assert few["low"] == pytest.approx(many["low"])


CLEAN = ("clean", "perturbed")

# worked by hand ---------------------------------------------------------------------------------------------------

#: Every view of both arms costs them nothing.
NOTHING = {arm: off_by(1.0 if arm.endswith("real") else 2.0) for arm in ARMS if not arm.endswith("short")}


def by_hand(folder: Path, cells: dict[str, Any], *, rows: Any = None, **given: Any) -> pd.DataFrame:
    every = [*COMPARED, *(row(arm, arm) for arm in NOTHING)] if rows is None else rows
    made = written(folder, every, {**CELLS, **NOTHING, **cells} if rows is None else cells, **given)
    made.manifest["experiment"]["stress"] = True
    return made.robustness("mae").set_index(["view", "bin"]).sort_index()


def test_degradation_worked_by_hand(tmp_path: Path) -> None:
    cells = {"noise-0.5/real": off_by(1.5), "noise-0.5/synthetic": off_by(5.0)}
    found = by_hand(tmp_path, cells)
    at = found.loc["noise-0.5", "1-4"]
    assert at.degradation_control == pytest.approx(np.log(1.5))
    assert at.degradation_synthetic == pytest.approx(np.log(2.5))
    assert at.gap == pytest.approx(np.log(2.5 / 1.5))
    assert at.percent == pytest.approx(100 * (2.5 / 1.5 - 1))
    assert (at.n_used, at.n_failed, at.n_excluded, at.status) == (15, 0, 0, "ok")
    assert (found.drop("noise-0.5", level=0).gap == 0).all()


def test_windows_that_fail_in_any_of_the_four_count_in_none(tmp_path: Path) -> None:
    def uneven(low: float, high: float) -> Floats:
        return off_by(0.0) + np.array([[low], [low], [high], [low]])

    cells = {"real": uneven(1.0, 50.0), "noise-0.5/real": uneven(2.0, 900.0), "noise-0.5/synthetic": off_by(4.0)}
    for arm in ("real", "noise-0.5/real", "synthetic", "noise-0.5/synthetic"):
        base = cells.get(arm, off_by(2.0))
        found = by_hand(tmp_path / arm.replace("/", "-"), {**cells, arm: (base, {2: "no"})})
        at = found.loc["noise-0.5", "1-4"]
        assert (at.degradation_control, at.degradation_synthetic) == (
            pytest.approx(np.log(2)),
            pytest.approx(np.log(2)),
        )
        assert (at.n_used, at.n_failed, at.status) == (11, 1, "partial")


def test_the_worse_sign_of_an_attack_counts_window_by_window(tmp_path: Path) -> None:
    up = off_by(0.0) + np.array([[1.0], [3.0], [1.0], [3.0]])
    down = off_by(0.0) + np.array([[4.0], [1.0], [1.0], [1.0]])
    found = by_hand(tmp_path, {"attack+0.1/real": up, "attack-0.1/real": down})
    # mean |error| of the worse sign: 4, 3, 1 and 3, the third window and the last have 4 and 3 or 4 pairs
    expected = (4 * 4 + 4 * 3 + 4 * 1 + 3 * 3) / 15
    assert found.loc["attack", "1-4"].degradation_control in (
        pytest.approx(np.log(expected)),
        pytest.approx(np.log((4 * 4 + 4 * 3 + 4 * 1 + 4 * 3 - 3) / 15)),
    )
    assert found.loc["attack", "1-4"].degradation_synthetic == 0


def test_a_sign_that_is_worse_over_all_leads_counts_at_each(tmp_path: Path) -> None:
    up = off_by(0.0) + np.array([9.0, 1.0, 1.0, 1.0])
    down = off_by(0.0) + np.array([1.0, 9.0, 9.0, 9.0])
    found = by_hand(tmp_path, {"attack+0.1/real": up, "attack-0.1/real": down})
    assert found.loc["attack", "1"].degradation_control == 0
    assert found.loc["attack", "1-4"].degradation_control > np.log(5)


@pytest.mark.parametrize("arm", ["noise-0.5/real", "noise-0.5/synthetic", "attack-0.1/real"])
@pytest.mark.parametrize("status", ["error", "timeout", "missing"])
def test_a_view_that_did_not_end_well_has_no_figures_and_the_others_have_theirs(
    tmp_path: Path, arm: str, status: str
) -> None:
    cells = {**CELLS, **NOTHING}
    cells = {k: v for k, v in cells.items() if k != arm} | ({} if status == "missing" else {arm: status})
    rows = [*COMPARED, *(row(one, one) for one in NOTHING)]
    found = by_hand(tmp_path, cells, rows=rows)
    view = arm.partition("/")[0].replace("attack-0.1", "attack")
    assert set(found.loc[view].status) == {status}
    assert found.loc[view][["gap", "low", "high", "degradation_control", "degradation_synthetic"]].isna().all(axis=None)
    assert (found.loc[view].flag == "").all()
    assert set(found.drop(view, level=0).status) == {"ok"}
    run = Run(tmp_path)
    assert run.n_failed == (status != "missing")
    assert run.failures().arm.tolist() == [arm]
    assert set(run.profile("mae").status) == {"ok"}


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    no_attack = [*COMPARED, *(row(arm, arm) for arm in NOTHING if not arm.startswith("attack"))]
    cells = {**CELLS, **NOTHING}
    there = {r["cell"] for r in no_attack}
    found = by_hand(tmp_path / "a", {k: v for k, v in cells.items() if k in there}, rows=no_attack)
    assert set(found.loc["attack"].status) == {NO_GRADIENT}
    few = [r for r in no_attack if not r["arm"].startswith("shift")]
    found = by_hand(tmp_path / "b", {r["cell"]: cells[r["cell"]] for r in few}, rows=few)
    assert set(found.loc["shift-1"].status) == {"missing"}
    failed = [*PLAN, row("synthetic", "", error="it is broken")]
    found = by_hand(tmp_path / "c", {"naive": CELLS["naive"]}, rows=failed)
    assert set(found.status) == {"error"}
    many = {"noise-0.5/real": (off_by(1.0), dict.fromkeys((0, 1, 2), "no"))}
    assert set(by_hand(tmp_path / "d", many).loc["noise-0.5"].status) == {"too many failed"}
    short = {"noise-0.5/real": off_by(1.0, leads=1)}
    assert by_hand(tmp_path / "e", short).loc["noise-0.5"].status.to_dict() == {
        "1": "ok",
        "2-3": "not taught",
        "4": "not taught",
        "1-4": "not taught",
    }
    exact = {"real": off_by(0.0)}
    assert set(by_hand(tmp_path / "f", exact).status) == {NO_ERROR}
    alike = {arm: off_by(1.0) for arm in (*NOTHING, "synthetic")}
    rows = [{**r, "trained_on": r["arm"]} for r in [*COMPARED, *(row(one, one) for one in NOTHING)]]
    found = by_hand(tmp_path / "g", {**CELLS, **alike}, rows=rows)
    assert set(found.status) == {"training has no effect"}


def test_series_without_a_scale_count_in_nothing_whatever_the_metric(tmp_path: Path) -> None:
    scale = np.array([1.0, 1.0, np.nan, np.nan])
    hard = off_by(0.0) + np.array([[2.0], [2.0], [900.0], [900.0]])
    at = by_hand(tmp_path, {"noise-0.5/synthetic": hard}, scale=scale).loc["noise-0.5", "1-4"]
    assert (at.n_used, at.n_failed, at.n_excluded) == (8, 0, 2)
    assert at.gap == 0
    none = by_hand(tmp_path / "none", {}, scale=np.full(4, np.nan))
    assert set(none.status) == {"no windows"}
    assert set(none.n_excluded) == {4}


def test_the_short_control_is_compared_on_fidelity(tmp_path: Path) -> None:
    short = [row(arm, arm) for arm in ("real-short", *(one for one in ARMS if one.endswith("short")))]
    cells = {r["cell"]: off_by(1.0) for r in short} | {"noise-0.5/real-short": off_by(3.0)}
    run = written(tmp_path, [*COMPARED, *(row(arm, arm) for arm in NOTHING), *short], {**CELLS, **NOTHING, **cells})
    run.manifest["experiment"]["stress"] = True
    found = whole(run.robustness("mae", on="fidelity"), "noise-0.5")
    assert found.versus.tolist() == ["real-short"]
    assert found.degradation_control.tolist() == [pytest.approx(np.log(3))]
    assert whole(run.robustness("mae"), "noise-0.5").degradation_control.tolist() == [0]


# what is left alone -----------------------------------------------------------------------------------------------


def test_clean_cells_keep_their_keys_and_nothing_but_views_is_added(tmp_path: Path) -> None:
    given: dict[str, Any] = {"forecasters": ["linear", "seasonal-naive"], "null": True}
    plain, stressed = (swept(tmp_path / str(on), stress=on, **given) for on in (False, True))
    plans = [json.loads((one.path / "plan.json").read_text()) for one in (plain, stressed)]
    rows = [[r for r in one["rows"] if r["arm"] not in ARMS] for one in plans]
    assert rows[0] == rows[1] == plans[0]["rows"]
    cells = plans[0]["cells"]
    assert cells == {key: of for key, of in plans[1]["cells"].items() if "perturbation" not in of}
    assert all(of["view"] == "clean" for of in cells.values())
    assert {of["windows"] for of in plans[1]["cells"].values()} == {of["windows"] for of in cells.values()}
    for name in ("profile", "gap", "forecasts", "errors"):
        pd.testing.assert_frame_equal(getattr(plain, name)(), getattr(stressed, name)())
    verdicts = [json.loads(one.gate().to_json()) for one in (plain, stressed)]
    assert verdicts[0]["verdicts"] == verdicts[1]["verdicts"]
    # eight views of linear in two arms, six of the untrained one, whose arms are one
    assert stressed.n_cells - plain.n_cells == 8 * 2 + 6
    assert len(stressed.cells()) - len(plain.cells()) == 8 * 2 + 6 * 2
    with pytest.raises(UsageError, match="no history was perturbed; run the sweep with --stress"):
        plain.robustness()
    with pytest.raises(UsageError, match="has no gap of degradation"):
        stressed.robustness("smape")


class Whole(Persistent):
    """Can only forecast whole numbers."""

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        if (history.values != np.rint(history.values)).any():
            raise ValueError("a value is not whole")
        return super().predict(history, horizon=horizon)


def test_a_view_that_fails_is_a_failure_of_the_run_and_not_of_its_verdict(tmp_path: Path) -> None:
    real = seasonal().assign(y=lambda f: 1000 * f.y.round())
    synthetic = seasonal(seed=1).assign(y=lambda f: 1000 * f.y.round())
    given: dict[str, Any] = {"forecasters": [Whole], "scaling": "none"}
    plain = swept(tmp_path / "plain", real, {"s": synthetic}, stress=False, **given)
    run = swept(tmp_path / "stressed", real, {"s": synthetic}, **given)
    assert plain.n_failed == 0
    failed = {"noise-0.1", "noise-0.2", "noise-0.5", "missing-0.05", "missing-0.2", "shift-1"}
    assert run.n_failed == 2 * len(failed)
    assert set(run.failures().arm) == {f"{view}/{arm}" for view in failed for arm in ("real", "synthetic")}
    assert "a value is not whole" in run.failures().error[0]
    pd.testing.assert_frame_equal(run.gap(), plain.gap())
    assert [one.caps for one in run.gate().verdicts] == [one.caps for one in plain.gate().verdicts]
    found = run.robustness()
    assert set(found[found["view"].isin(failed)].status) == {"error"}
    assert "is not known: error" in next(sentences(found))
    assert command(["show", str(run.path), "--robustness"]) == FAILED_CELLS


# what views share -------------------------------------------------------------------------------------------------


class Near(LocalForecaster):
    """Between the mean of the training series and the mean of the history."""

    def fit_series(self, y: Floats, *, seasons: tuple[int, ...], horizon: int, seed: int) -> Any:
        return float(y.mean())

    def forecast_series(self, model: Any, y: Floats, *, horizon: int) -> Floats:
        return np.full(horizon, (model + y.mean()) / 2)


NEAR = tsgap.ForecasterSpec("near", "Near.", Near, scope="local")


def stored(run: Run) -> dict[str, bytes]:
    """The forecasts of every cell, by its key."""
    with Store.open(run.path) as store:
        return {key: np.ascontiguousarray(store.forecasts(key).mean).tobytes() for key in store.finished()}


@pytest.mark.parametrize("synthetic", ["gen:stl-bootstrap", "windows"])
def test_views_are_the_same_bits_whatever_the_blocks_the_workers_and_the_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synthetic: str
) -> None:
    source: Any = synthetic
    if synthetic == "windows":
        source = np.random.default_rng(0).normal(size=(300, 24))
    given: dict[str, Any] = {"forecasters": ["linear", NEAR], "horizons": [1, 3], "windows": 2}
    # more than fifty twins are fitted in blocks of series, a pool is not
    real = seasonal(series=4 if synthetic == "windows" else 55, length=50)
    base = stored(swept(tmp_path / "base", real, {"s": source}, **given))
    parts = [swept(tmp_path / f"share{k}", real, {"s": source}, shard=(k, 2), **given) for k in (1, 2)]
    tsgap.merge([one.path for one in parts], out=tmp_path / "merged")
    assert stored(Run(tmp_path / "merged")) == base
    monkeypatch.setenv("TSGAP_BLOCK", "1" if synthetic == "windows" else "400")
    assert stored(swept(tmp_path / "small", real, {"s": source}, **given)) == base


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_views_are_the_same_bits_in_workers(tmp_path: Path, jobs: int) -> None:
    given: dict[str, Any] = {"forecasters": ["linear", "seasonal-naive"]}
    assert stored(swept(tmp_path / "a", **given)) == stored(swept(tmp_path / "b", jobs=jobs, **given))


def test_a_run_that_was_clean_is_stressed_by_its_views_alone(tmp_path: Path) -> None:
    swept(tmp_path, stress=False)
    told: list[Any] = []
    run = swept(tmp_path, on_progress=told.append)
    assert told[0].reused == 3
    assert run.complete
    assert set(whole(run.robustness()).status) == {"ok"}


class Remembers(Persistent):
    """Keeps the histories it was asked for."""

    seen: ClassVar[list[Panel]] = []

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Forecast:
        Remembers.seen.append(history)
        return super().predict(history, horizon=horizon)


REMEMBERS = tsgap.ForecasterSpec("remembers", "Remembers.", Remembers)


def test_both_arms_and_all_replicates_are_asked_for_the_same_perturbed_histories(tmp_path: Path) -> None:
    Remembers.seen.clear()
    swept(tmp_path, forecasters=[REMEMBERS], scaling="none", replicates=2)
    by_arm = [one.values.tobytes() for one in Remembers.seen]
    # clean and six views; the real arm once, the synthetic one for each replicate
    assert len(by_arm) == 7 * 3
    assert len(set(by_arm)) == 7
    assert all(by_arm.count(one) == 3 for one in set(by_arm))


def test_the_short_control_sees_the_last_values_of_what_the_long_one_sees(tmp_path: Path) -> None:
    Remembers.seen.clear()
    source = np.random.default_rng(0).normal(size=(300, 18))
    run = swept(tmp_path, synthetic={"s": source}, forecasters=[REMEMBERS], scaling="none")
    assert {"noise-0.1/real-short", "shift-1/real-short"} <= set(run.cells().arm)
    lengths = {int(one.lengths[0]) for one in Remembers.seen}
    assert len(lengths) == 2
    cut = min(lengths)
    tails = [one.tail(cut).values.tobytes() for one in Remembers.seen]
    assert len(set(tails)) == 7
    assert all(tails.count(one) == 3 for one in set(tails))


def test_an_attack_on_linear_costs_more_than_noise_of_its_size(tmp_path: Path) -> None:
    run = swept(tmp_path, seasonal(series=20, length=200), windows=8)
    found = whole(run.robustness()).set_index("view")
    for arm in ("control", "synthetic"):
        attack, noise = (found.loc[view, f"degradation_{arm}"] for view in ("attack", "noise-0.1"))
        assert attack > noise + 0.02
        assert found.loc["attack", f"degradation_{arm}_low"] > found.loc["noise-0.1", f"degradation_{arm}_high"]


def test_a_constant_series_is_excluded_and_counted(tmp_path: Path) -> None:
    real = seasonal()
    real.loc[real.unique_id == "s0", "y"] = 5.0
    run = swept(tmp_path, real, forecasters=["seasonal-naive"])
    found = run.robustness("mae")
    assert set(found[found.status != NO_GRADIENT].n_excluded) == {WINDOWS}
    assert set(found[found.status != NO_GRADIENT].n_failed) == {0}
    assert run.n_failed == 0
    assert set(whole(found[found.status != NO_GRADIENT]).n_used) == {5 * WINDOWS * HORIZON}


# in words ---------------------------------------------------------------------------------------------------------


def frame_of(*rows: dict[str, Any]) -> pd.DataFrame:
    base = {"data": "d", "source": "s", "forecaster": "f", "memory": "linear", "metric": "mase", "view": "noise-0.5"}
    base |= {"first": 1, "last": 6, "percent": 1.0, "percent_low": 0.0, "percent_high": 2.0, "flag": "", "status": "ok"}
    return pd.DataFrame([{**base, **one} for one in rows])


def test_sentences_say_the_worst_that_is_proven_and_never_more_than_is_known() -> None:
    bad = {"percent": 12.0, "percent_low": 8.0, "percent_high": 16.0, "flag": "warn"}
    [told] = sentences(frame_of({}, bad, {**bad, "view": "shift-1", "percent": 9.0}))
    assert told.startswith(
        "d: s: f trained on synthetic series loses 12.0 % more under noise of 0.5 of the scale (95 %"
    )
    assert "also worse under a shift" in told
    [told] = sentences(frame_of({}, {"percent_high": 3.0, "view": "attack"}))
    assert "no forecaster loses 5 % more under any perturbation; at most 3.0 % under the worst small change" in told
    [told] = sentences(frame_of({}, {"status": "error", "percent": np.nan, "view": "attack"}))
    assert "under any perturbation" not in told
    assert told.endswith("not known everywhere: error")
    [told] = sentences(frame_of({}, {"percent": 4.0, "percent_high": 9.0}))
    assert "no perturbation is proven to cost more than 5 % extra" in told
    [told] = sentences(frame_of({"percent": -20.0, "percent_low": -25.0, "percent_high": -15.0}))
    assert "loses 20.0 % less, as a forecaster does that uses its history less" in told
    assert list(sentences(frame_of({"memory": "lag"}))) == []
    assert list(sentences(frame_of({"status": "not applicable"}))) == []


def test_the_command_line_asks_for_views_counts_them_and_shows_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seasonal().to_csv(tmp_path / "real.csv", index=False)
    asked = ["sweep", "--real", str(tmp_path / "real.csv"), "--synthetic", "gen:stl-bootstrap", "-f", "linear"]
    asked += ["--horizons", "1,6", "--windows", "3", "--fast", "--jobs", "0", "--out", str(tmp_path / "run")]
    assert command([*asked, "--stress", "--dry-run"]) == DONE
    assert "16 of them forecast perturbed histories (8 views of a fit at most" in capsys.readouterr().out
    assert command([*asked, "--dry-run"]) == DONE
    assert "perturbed" not in capsys.readouterr().out
    assert command([*asked, "--stress", "--dry-run", "--json"]) == DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["perturbed"], told["views"]) == (16, 8)
    assert command([*asked, "--stress", "--save-config", str(tmp_path / "sweep.toml")]) == DONE
    assert "stress = true" in (tmp_path / "sweep.toml").read_text()
    assert command([*asked, "--stress"]) == DONE
    assert "--robustness" in capsys.readouterr().out
    assert command(["show", str(tmp_path / "run"), "--robustness"]) == DONE
    text = capsys.readouterr().out
    assert "real loses" in text
    assert "stl-bootstrap" in text
    assert command(["show", str(tmp_path / "run"), "--robustness", "--format", "json", "--by", "lead"]) == DONE
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == len(PERTURBATIONS) * 7
    assert command(["show", str(tmp_path / "run"), "--robustness", "--group", "x"]) == USAGE


def test_helpers_of_this_file_are_sound() -> None:
    assert len(IDS) == len(TRUTH)
    assert {one for view in PERTURBATIONS for arm in ("real", "synthetic") for one in arms_under(view, arm)} == set(
        NOTHING
    )
    assert log_ratio(np.ones((1, 2, 1)), np.ones((1, 2, 1))).value.tolist() == [0]
