"""The main job: train on synthetic, score on real, next to a control trained on real."""

from __future__ import annotations

import heapq
import itertools
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tsgap
from tests.said import EVERYTHING, differing, in_groups, only_quick_diagnostics
from tests.worlds import seasonal
from tsgap import fits, plan
from tsgap.atoms import Atoms
from tsgap.drawing import stand_in
from tsgap.engines import Outcome, Task
from tsgap.errors import DataError, ForecastError, StoreError, UnknownNameError, UsageError
from tsgap.experiment import DataSpec, Experiment, SourceSpec
from tsgap.inputs import read_data
from tsgap.plan import seed_of
from tsgap.previews import preview
from tsgap.run import Run
from tsgap.schedule import Queue
from tsgap.store import Store
from tsgap.sweeps import Progress

FAST = ["seasonal-naive", "linear"]


class Broken:
    """A forecaster that cannot fit."""

    def fit(self, train: tsgap.Panel, *, horizon: int, context: int | None, seed: int) -> None:
        raise ForecastError("it never could")

    def predict(self, history: tsgap.Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> tsgap.Forecast:
        raise AssertionError


class Seeded(Broken):
    """A forecaster whose forecast is its seed."""

    def fit(self, train: tsgap.Panel, *, horizon: int, context: int | None, seed: int) -> None:
        self.seed = seed

    def predict(self, history: tsgap.Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> tsgap.Forecast:
        return tsgap.Forecast(np.full((len(history), horizon), self.seed / 2**31))


class Slow(Broken):
    """A forecaster that never comes back from `fit`."""

    def fit(self, train: tsgap.Panel, *, horizon: int, context: int | None, seed: int) -> None:
        time.sleep(600)


def swept(tmp_path: Path, synthetic: Any = "gen:copy", **given: Any) -> Run:
    """A small sweep in this process, of one replicate."""
    settings: dict[str, Any] = {
        "replicates": 1,
        "forecasters": FAST,
        "horizons": [1, 6],
        "windows": 3,
        "jobs": 0,
        "out": tmp_path / "run",
    }
    return tsgap.sweep(given.pop("real", seasonal()), synthetic, **{**settings, **given})


def test_a_copy_of_the_training_part_shows_no_gap_at_all(tmp_path: Path) -> None:
    found = swept(tmp_path, forecasters=[*FAST, "gradient-boosting"]).profile(["mae", "mase", "rmse"])
    copies = found[found.arm == "synthetic"]
    assert len(copies) == 3 * 3 * 2
    assert (copies.ratio == 1.0).all()
    assert copies.n_used.eq(copies.n_total).all()


def test_shuffled_series_show_a_gap_and_an_untrained_forecaster_none(tmp_path: Path) -> None:
    found = swept(tmp_path, "gen:shuffle").profile("mase").set_index(["arm", "forecaster", "horizon"])
    assert found.loc[("synthetic", "linear", 1), "ratio"] > 1.2
    assert found.loc[("synthetic", "seasonal-naive", 6), "ratio"] == 1.0
    assert found.loc[("synthetic", "seasonal-naive", 6), "status"] == "not applicable"
    assert found.loc[("null", "linear", 1), "ratio"] > 1.2


def test_the_same_call_again_computes_nothing_and_gives_the_same_table(tmp_path: Path) -> None:
    seen: list[Progress] = []
    first = swept(tmp_path, ["gen:stl-bootstrap", "gen:shuffle"], on_progress=seen.append)
    again = swept(tmp_path, ["gen:stl-bootstrap", "gen:shuffle"], on_progress=seen.append)
    assert seen[0].reused == 0
    assert (seen[-1].reused, seen[-1].ok) == (seen[-1].total, 0)
    pd.testing.assert_frame_equal(first.profile(), again.profile())


def test_a_forecaster_more_costs_only_its_own_cells(tmp_path: Path) -> None:
    seen: list[Progress] = []
    swept(tmp_path, forecasters=["linear"])
    run = swept(tmp_path, forecasters=["linear", "linear:ridge=0.1"], on_progress=seen.append)
    assert (seen[-1].reused, seen[-1].ok) == (3, 2)
    assert set(run.profile().forecaster) == {"linear", "linear:ridge=0.1"}


def test_the_control_is_fitted_once_for_all_sources(tmp_path: Path) -> None:
    cells = swept(tmp_path, ["gen:stl-bootstrap", "gen:shuffle"]).cells()
    controls = cells[(cells.arm == "real") & (cells.forecaster == "linear")]
    assert len(controls) == 2
    assert controls.cell.nunique() == 1


def test_worker_processes_give_the_same_numbers_as_this_process(tmp_path: Path) -> None:
    one = swept(tmp_path, "gen:stl-bootstrap", out=tmp_path / "a")
    two = swept(tmp_path, "gen:stl-bootstrap", out=tmp_path / "b", jobs=2)
    pd.testing.assert_frame_equal(one.profile(), two.profile())


def test_a_forecaster_that_fails_is_a_row_and_costs_no_other(tmp_path: Path) -> None:
    run = swept(tmp_path, forecasters=[*FAST, Broken])
    found = run.profile().query("arm == 'synthetic'").groupby("forecaster").status.first()
    assert found["linear"] == "ok"
    assert found["broken"].startswith("error")
    assert run.n_failed == 2
    failures = run.failures()
    assert set(failures.stage) == {"fit"}
    assert set(failures.error) == {"it never could"}
    assert run.profile().query("forecaster == 'broken'").ratio.isna().all()


def test_failed_cells_are_tried_again_only_when_asked(tmp_path: Path) -> None:
    seen: list[Progress] = []
    swept(tmp_path, forecasters=[Broken])
    swept(tmp_path, forecasters=[Broken], on_progress=seen.append)
    assert seen[-1].failed == 0
    swept(tmp_path, forecasters=[Broken], retry_failed=True, on_progress=seen.append)
    assert seen[-1].failed == 2


def test_a_forecaster_that_hangs_is_stopped_at_its_time_limit(tmp_path: Path) -> None:
    run = swept(tmp_path, forecasters=[Slow], jobs=2, timeout=1.0, null=False)
    cells = run.cells().query("forecaster == 'slow'")
    assert set(cells.status) == {"timeout"}


def test_the_model_seed_depends_on_the_replicate_and_never_on_the_arm(tmp_path: Path) -> None:
    run = swept(tmp_path, "gen:shuffle", forecasters=[Seeded, "linear"], replicates=2)
    seeds = run.cells().query("forecaster == 'seeded'").groupby("replicate").seed.unique()
    assert [len(s) for s in seeds] == [1, 1]
    assert seeds[0][0] != seeds[1][0]
    linear = run.cells().query("forecaster == 'linear' and arm == 'real'")
    assert linear.cell.nunique() == 1


def test_a_seed_depends_on_its_parts_alone() -> None:
    assert seed_of(0, "a", "linear", 1) == 570751541
    assert seed_of(0, "a", "linear", 1) != seed_of(0, "a", "linear", 2)
    assert 0 <= seed_of("x") < 2**31


def test_a_generator_that_fails_is_a_failed_row_for_every_forecaster(tmp_path: Path) -> None:
    run = swept(tmp_path, "gen:tests.test_sweeps:Nothing")
    assert run.n_failed == len(FAST)
    assert "nothing to give" in run.cells().query("arm == 'synthetic'").error.iloc[0]
    assert "in fit" in run.failures().traceback.iloc[0]
    assert run.profile().query("arm == 'synthetic'").status.str.startswith("error").all()


class Reversed:
    """A generator that turns every series round."""

    def fit(self, train: tsgap.Panel, *, seed: int) -> None:
        self.train = train

    def sample(self, *, seed: int) -> tsgap.Panel:
        return self.train.with_values(np.concatenate([y[::-1] for y in self.train]))


def test_a_generator_class_is_a_source_and_forecasters_may_have_labels(tmp_path: Path) -> None:
    run = swept(tmp_path, Reversed, forecasters={"mine": "linear", "yours": "linear"})
    assert set(run.profile().source) == {"reversed"}
    assert set(run.profile().forecaster) == {"mine", "yours"}


class Swapped(Reversed):
    """A generator that hands the real series out under each other's names."""

    def sample(self, *, seed: int) -> tsgap.Panel:
        order = np.roll(np.arange(len(self.train)), 1)
        return self.train.take(order).renamed(self.train.keys)


class Shorter(Reversed):
    """A generator of series shorter than the real ones."""

    def sample(self, *, seed: int) -> tsgap.Panel:
        return self.train.tail(5)


def test_a_generator_is_paired_only_if_it_says_so_and_then_held_to_it(tmp_path: Path) -> None:
    for paired in (True, False):
        spec = tsgap.GeneratorSpec("swapped", "", Swapped, paired=paired)
        run = swept(tmp_path, spec, out=tmp_path / str(paired))
        assert set(run.cells().query("source != ''").paired) == {paired}
    short = swept(tmp_path, tsgap.GeneratorSpec("shorter", "", Shorter), out=tmp_path / "short")
    assert "keys or lengths are not the real ones" in short.failures().error.iloc[0]


def test_every_series_weighs_the_same_however_many_windows_it_has(tmp_path: Path) -> None:
    frame = seasonal(series=3)
    frame = frame[(frame.unique_id != "s0") | (frame.ds < "2009-08-01")]
    run = swept(tmp_path, real=frame, first_cutoff="2008-12-01", step=6, windows=None)
    errors = run.errors("mae").query("arm == 'synthetic' and forecaster == 'linear'")
    assert sorted(errors.groupby("unique_id").window.nunique()) == [1, 4, 4]
    expected = errors.groupby("unique_id").loss.mean().mean()
    shown = run.profile("mae").query("arm == 'synthetic' and forecaster == 'linear' and horizon == 6").synthetic
    assert shown.iloc[0] == pytest.approx(expected)
    assert any("each series weighs the same" in note for note in run.manifest["notes"])


class Silent(Broken):
    """A forecaster that has no number to give."""

    def fit(self, train: tsgap.Panel, *, horizon: int, context: int | None, seed: int) -> None:
        pass

    def predict(self, history: tsgap.Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> tsgap.Forecast:
        return tsgap.Forecast(np.full((len(history), horizon), np.nan))


def test_a_forecaster_without_a_single_forecast_has_failed(tmp_path: Path) -> None:
    run = swept(tmp_path, forecasters=[Silent])
    assert run.n_failed == 2
    assert set(run.failures().status) == {"error"}
    assert "all 18 windows failed, first 's0@0': the forecast is not finite" in set(run.failures().error)


def test_a_part_that_was_damaged_is_computed_again(tmp_path: Path) -> None:
    seen: list[Progress] = []
    first = swept(tmp_path, "gen:shuffle")
    part = sorted((tmp_path / "run" / "parts").rglob("*.parquet"))[0]
    raw = bytearray(part.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    part.write_bytes(raw)
    again = swept(tmp_path, "gen:shuffle", on_progress=seen.append)
    assert (seen[-1].ok, seen[-1].reused) == (1, seen[-1].total - 1)
    pd.testing.assert_frame_equal(first.profile(), again.profile())


class Nothing:
    """A generator that gives nothing."""

    def fit(self, train: tsgap.Panel, *, seed: int) -> None:
        raise ForecastError("nothing to give")

    def sample(self, *, seed: int) -> tsgap.Panel:
        raise AssertionError


def test_ids_that_do_not_match_are_said_loudly_and_unpair_the_control_too(tmp_path: Path) -> None:
    other = seasonal(seed=1)
    other["unique_id"] = "x" + other.unique_id
    run = swept(tmp_path, other)
    assert any("UNPAIRED" in note for note in run.manifest["notes"])
    cells = run.cells().query("forecaster == 'linear'")
    assert not cells.paired.astype(bool).any()


def test_blocks_of_a_local_cell_give_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tsgap_statsforecast")
    whole = swept(tmp_path, forecasters=["auto-theta"], out=tmp_path / "a")
    monkeypatch.setattr(fits, "PAIRED_BLOCK", 2)
    parts = swept(tmp_path, forecasters=["auto-theta"], out=tmp_path / "b")
    assert len(list((tmp_path / "b" / "parts").rglob("*.parquet"))) > len(
        list((tmp_path / "a" / "parts").rglob("*.parquet"))
    )
    pd.testing.assert_frame_equal(whole.profile(), parts.profile())


def test_windows_are_compared_with_real_windows_and_with_all_of_the_real_data(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    real = seasonal(length=200)
    values = real.y.to_numpy().reshape(6, 200)[:, :150]
    starts = rng.integers(0, 150 - 24, 4000)
    windows = np.stack([values[rng.integers(6), s : s + 24] for s in starts])
    run = swept(tmp_path, windows, real=real, forecasters=["linear"], horizons=[1, 6, 18])
    found = run.profile("mase").query("arm == 'synthetic'").set_index(["versus", "horizon"])
    assert set(found.index.get_level_values("versus")) == {"real", "real-short"}
    assert abs(np.log(found.loc[("real-short", 6), "ratio"])) < 0.05
    assert found.loc[("real", 18), "status"] == "not taught"
    assert np.isnan(found.loc[("real", 18), "ratio"])
    cells = run.cells().query("arm != 'real' or source != ''")
    assert set(cells.scaling) == {"standard"}
    assert len(set(cells.query("arm in ('synthetic', 'real-short')").pairs)) == 1


def test_replicates_in_a_folder_are_averaged_pair_by_pair(tmp_path: Path) -> None:
    folder = tmp_path / "draws"
    folder.mkdir()
    for k in range(2):
        seasonal(seed=10 + k).to_parquet(folder / f"{k}.parquet")
    run = swept(tmp_path, str(folder), null=False)
    cells = run.cells().query("arm == 'synthetic' and forecaster == 'linear'")
    assert sorted(cells.replicate) == [0, 1]
    assert cells.cell.nunique() == 2
    both = run.errors("mae").query("arm == 'synthetic' and forecaster == 'linear'")
    expected = both.groupby(["unique_id", "window", "lead"]).loss.mean().mean()
    shown = run.profile("mae").query("arm == 'synthetic' and forecaster == 'linear' and horizon == 6").synthetic
    assert shown.iloc[0] == pytest.approx(expected)


def test_two_data_sets_are_kept_apart(tmp_path: Path) -> None:
    run = swept(tmp_path, "gen:copy", real={"a": seasonal(), "b": seasonal(seed=5)})
    assert list(run.profile().data.unique()) == ["a", "b"]


def test_a_generator_that_saw_the_test_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it has seen the test"):
        swept(tmp_path, generator_cutoff="2010-12-01")
    with pytest.raises(DataError, match="is not a stamp"):
        swept(tmp_path, generator_cutoff="soon")
    with pytest.raises(DataError, match="is not a stamp"):
        swept(tmp_path, generator_cutoff="NaT")
    assert swept(tmp_path, generator_cutoff="2005-01-01").manifest["generator_cutoff"] == "2005-01-01"
    assert swept(tmp_path).manifest["generator_cutoff"] == "undeclared"


def test_settings_may_be_numpy_numbers_and_stamps_and_one_forecaster_needs_no_list(tmp_path: Path) -> None:
    given = {"forecasters": "linear", "horizons": np.array([1, 6]), "windows": np.int64(3), "seed": np.int64(0)}
    found = swept(tmp_path, **given, generator_cutoff=pd.Timestamp("2005-01-01"))
    assert found.manifest["generator_cutoff"] == "2005-01-01 00:00:00"
    plain = swept(tmp_path, forecasters=["linear"])
    pd.testing.assert_frame_equal(found.profile(), plain.profile())


def test_a_count_that_is_not_a_whole_number_is_refused(tmp_path: Path) -> None:
    for name in ("windows", "step", "replicates", "seed", "context"):
        with pytest.raises(UsageError, match=f"{name} must be a whole number, got 2.5"):
            swept(tmp_path, **{name: 2.5})
    assert not (tmp_path / "run").exists()


def test_a_misspelt_setting_and_a_misspelt_forecaster_are_named(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="'replicate'"):
        swept(tmp_path, replicate=2)
    with pytest.raises(UnknownNameError, match="did you mean 'linear'"):
        swept(tmp_path, forecasters=["linaer"])
    with pytest.raises(UsageError, match="two forecasters are called 'linear'"):
        swept(tmp_path, forecasters=["linear", "linear"])
    assert not (tmp_path / "run").exists()


def test_a_preview_says_what_would_be_computed_and_why_and_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "run"
    frame = seasonal()

    def experiment(*forecasters: str, real: pd.DataFrame = frame) -> Experiment:
        data = (DataSpec("data", real, horizons=(1, 6), windows=3),)
        return Experiment(data, (SourceSpec("shuffle", "gen:shuffle"),), forecasters, replicates=1)

    fresh = preview(experiment(*FAST), out=out)
    assert (fresh.tasks, fresh.reused) == (4, 0)
    assert fresh.reasons == {"new": 2, "its source is not drawn yet": 2}
    assert not out.exists()
    swept(tmp_path, {"shuffle": "gen:shuffle"}, real={"data": frame})
    before = sorted(p.name for p in out.rglob("*"))
    more = preview(experiment(*FAST, "linear:ridge=1"), out=out)
    assert (more.reused, more.reasons) == (4, {"new": 3})
    assert more.unknown == ("linear:ridge=1",)
    changed = frame.assign(y=frame.y + 1)
    assert "changed: windows" in " ".join(preview(experiment(*FAST, real=changed), out=out).reasons)
    assert sorted(p.name for p in out.rglob("*")) == before


def test_a_run_without_a_folder_of_its_own_gets_the_same_one_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one = swept(tmp_path, out=None)
    two = swept(tmp_path, out=None)
    three = swept(tmp_path, out=None, seed=1)
    assert one.path == two.path
    assert one.path.parent == Path("tsgap-runs")
    assert three.path != one.path


class Counted(Broken):
    """A forecaster that writes down each of its fits and forecasts; a local one by the series it learned from."""

    def __init__(self, log: str = "") -> None:
        self.log = log

    def told(self, what: str) -> None:
        with Path(self.log).open("a") as file:
            file.write(what + "\n")

    def fit(self, train: tsgap.Panel, *, horizon: int, context: int | None, seed: int) -> None:
        self.told(f"fit {train.fingerprint}")
        self.mean = {key: float(y.mean()) for key, y in zip(train.keys, train, strict=True)}
        self.pool = float(np.mean(list(self.mean.values())))

    def predict(self, history: tsgap.Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> tsgap.Forecast:
        self.told("predict")
        levels = [y[-1] + self.mean.get(key, self.pool) for key, y in zip(history.series, history, strict=True)]
        return tsgap.Forecast(np.repeat(np.array(levels)[:, None], horizon, axis=1))


@dataclass
class Views:
    """Sweeps whose cells are asked for in several views; what they left behind."""

    folder: Path
    scope: Any
    clean: bool = True
    later: bool = True
    synthetic: Any = None
    build: Any = Counted

    def __call__(self, name: str, **given: Any) -> dict[tuple[str, str], Any]:
        """Forecasts by view and training series."""
        spec = tsgap.ForecasterSpec(
            "counted", "", self.build, params={"log": str(self.folder / "log")}, scope=self.scope
        )  # fmt: skip
        split = read_data(DataSpec("later", seasonal(seed=5), horizons=(1, 6), windows=2)).split
        real, seen = plan.made, {}

        def made(*asked: Any) -> plan.Plan:
            found = real(*asked)
            cells = {key: one for key, one in found.cells.items() if self.clean or one.training is None}
            for one in found.cells.values() if self.later else ():
                if one.training is not None:
                    plan._cell(one.data, one.chosen, one.training, one.seed, cells, view="later", split=split)
            seen.update(cells)
            return replace(found, rows=tuple(row for row in found.rows if row.cell in cells), cells=cells)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plan, "made", made)
            swept(self.folder, self.synthetic, forecasters=[spec], out=self.folder / name, null=False, **given)
        with Store.open(self.folder / name, create=False) as store:
            return {
                (one.view, one.training.panel.fingerprint): store.forecasts(key).mean
                for key, one in seen.items()
                if one.training is not None
            }

    def log(self) -> list[str]:
        """What was done since this was asked last."""
        path = self.folder / "log"
        told = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return told


@pytest.mark.parametrize(("scope", "synthetic", "parts"), [("global", "gen:shuffle", 1), ("local", "gen:shuffle", 3),
                                                           ("local", "strangers", 3)])  # fmt: skip
def test_views_are_forecast_from_one_fit_and_are_what_they_are_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scope: str, synthetic: str, parts: int
) -> None:
    monkeypatch.setattr(fits, "PAIRED_BLOCK", 2)
    monkeypatch.setattr(fits, "POOLED_BLOCK", 2)
    given = seasonal(seed=9).assign(unique_id=lambda f: "x" + f.unique_id) if synthetic == "strangers" else synthetic
    views = Views(tmp_path, scope, synthetic=given)
    both = views("both")
    log = views.log()
    fitted = [line for line in log if line != "predict"]
    assert len(fitted) == 2 * parts
    assert len(log) == 3 * len(fitted)
    if synthetic != "strangers":  # every block of a pool is fitted on the same series
        assert len(set(fitted)) == len(fitted)
    assert {view for view, _ in both} == {"clean", "later"}
    clean, later = replace(views, later=False)("clean"), replace(views, clean=False)("later")
    assert len(views.log()) == 4 * len(fitted)
    for place, found in both.items():
        assert found.tobytes() == (clean | later)[place].tobytes()
        assert len(found) == {"clean": 18, "later": 12}[place[0]]


class Dies(Counted):
    """A forecaster whose process ends where it is asked for twelve histories."""

    def predict(self, history: tsgap.Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> tsgap.Forecast:
        if len(history) == 12:
            os._exit(3)
        return super().predict(history, horizon=horizon)


def test_a_view_that_ends_its_worker_takes_no_other_with_it(tmp_path: Path) -> None:
    seen: list[Progress] = []
    views = Views(tmp_path, "global", synthetic="gen:copy", build=Dies)
    with pytest.raises(StoreError, match="no forecasts, part 0 is crash"):
        views("run", jobs=1, on_progress=seen.append)
    assert (seen[-1].total, seen[-1].ok, seen[-1].failed) == (3, 2, 1)
    with Store.open(tmp_path / "run", create=False) as store:
        cells = store.read_json("plan")["cells"]
        ended = {cells[key]["view"]: status for key, status in store.finished().items() if cells[key]["training"]}
    assert ended == {"clean": "ok", "later": "crash"}


def test_only_the_view_that_is_missing_is_forecast(tmp_path: Path) -> None:
    views = Views(tmp_path, "global", synthetic="gen:shuffle")
    before = replace(views, later=False)("run")
    assert sorted(line.split()[0] for line in views.log()) == ["fit"] * 2 + ["predict"] * 2
    seen: list[Progress] = []
    both = views("run", on_progress=seen.append)
    assert sorted(line.split()[0] for line in views.log()) == ["fit"] * 2 + ["predict"] * 2
    assert (seen[-1].total, seen[-1].reused, seen[-1].ok) == (5, 3, 2)
    assert all(both[place].tobytes() == found.tobytes() for place, found in before.items())
    views("run", on_progress=seen.append)
    assert views.log() == []
    assert seen[-1].reused == 5


def test_a_view_is_scored_against_the_truth_of_its_own_windows(tmp_path: Path) -> None:
    Views(tmp_path, "global", synthetic="gen:shuffle")("run")
    with Store.open(tmp_path / "run", create=False) as store:
        cells = store.read_json("plan")["cells"]
        atoms = Atoms(store, store.read_json("manifest")["data"], cells)
        found = {cells[key]["view"]: (atoms.truth_of(row), atoms.ended(row)) for key in cells
                 if (row := {"data": "data", "cell": key, "error": ""}) and cells[key]["training"]}  # fmt: skip
    for view, seed, n in (("clean", 0, 3), ("later", 5, 2)):
        truth, ended = found[view]
        split = read_data(DataSpec("d", seasonal(seed=seed), horizons=(1, 6), windows=n)).split
        assert truth.values.tolist() == split.truth.tolist()
        assert truth.scales["mae"].tolist() == split.scales.mae[split.series].tolist()
        assert (ended.status, len(ended.forecasts)) == ("ok", 6 * n)


def test_scaling_train_has_the_figures_of_each_views_own_series(tmp_path: Path) -> None:
    views = Views(tmp_path, "global", synthetic=seasonal(seed=9))
    both = views("both", scaling="train")
    alone = replace(views, clean=False)("later", scaling="train")
    for place, found in alone.items():
        assert both[place].tobytes() == found.tobytes()
    # the last value is scaled and comes back; the mean of a training series is near 0 after scaling
    last = [y[-1] for y in read_data(DataSpec("d", seasonal(seed=5), horizons=(1, 6), windows=2)).split.histories()]
    real = next(found for place, found in both.items() if place[0] == "later")
    np.testing.assert_allclose(real[:, 0], last, rtol=0.1)


class Spread(Broken):
    """A forecaster with quantiles around the last value; only if `honest` do they rise."""

    def __init__(self, honest: bool = True) -> None:
        self.honest = honest

    def fit(self, train: tsgap.Panel, *, horizon: int, context: int | None, seed: int) -> None:
        self.size = float(np.mean([np.abs(np.diff(y)).mean() for y in train]))

    def predict(self, history: tsgap.Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> tsgap.Forecast:
        mean = np.repeat(np.array([y[-1] + 0.01 * self.size for y in history])[:, None], horizon, axis=1)
        if not quantile_levels:
            return tsgap.Forecast(mean)
        around = self.size * (np.array(quantile_levels) - 0.5) * (1 if self.honest else -1)
        return tsgap.Forecast(mean, {}, mean[..., None] + around, quantile_levels)


def test_quantiles_are_asked_for_stored_in_units_and_scored(tmp_path: Path) -> None:
    losses = pytest.importorskip("utilsforecast.losses", reason="comes with tsgap-statsforecast")
    levels = (0.1, 0.5, 0.8)
    run = swept(tmp_path, "gen:shuffle", forecasters=[Spread, "seasonal-naive"], quantiles="0.8,0.1,0.5", null=False)
    found = run.profile("wql").query("horizon == 6").set_index("forecaster")
    assert found.loc["spread", "status"] == "ok"
    assert found.loc["seasonal-naive", "status"] == "no quantiles"
    assert np.isnan(found.loc["seasonal-naive", "ratio"])
    # shuffling makes the steps of a series larger, and with them the spread
    assert found.loc["spread", "ratio"] != 1
    cells = run.cells().query("forecaster == 'spread' and arm == 'real'")
    with Store.open(run.path, create=False) as store:
        stored = store.forecasts(cells.cell.iloc[0])
    assert stored.levels == levels
    assert stored.quantiles is not None
    errors = run.errors("wql").query("forecaster == 'spread' and arm == 'real'")
    scale = Atoms(Store.open(run.path, create=False), run.manifest["data"], {}).truth("data").scales["mae"]
    frame = pd.DataFrame({"unique_id": errors.unique_id, "y": errors.y})
    names = [f"q{level}" for level in levels]
    for k, name in enumerate(names):
        frame[name] = stored.quantiles[:, :, k].ravel()
    theirs = losses.mqloss(frame, models={"model": names}, quantiles=np.array(levels)).set_index("unique_id").model
    by_series = dict(zip(errors.unique_id.unique(), scale[::3], strict=True))
    ours = errors.groupby("unique_id").loss.mean()
    for key, value in ours.items():
        assert value == pytest.approx(2 * theirs[key] / by_series[key])


def test_quantiles_that_cross_are_sorted_and_counted(tmp_path: Path) -> None:
    spec = tsgap.ForecasterSpec("crossing", "", Spread, params={"honest": False})
    run = swept(tmp_path, forecasters=[spec, Spread], quantiles=(0.1, 0.9), null=False)
    found = run.cells().query("arm == 'real' and source != ''").set_index("forecaster").cell
    with Store.open(run.path, create=False) as store:
        one, other = (store.forecasts(found[name]) for name in ("crossing", "spread"))
        told = [store.parts(found[name])[0].info["crossed"] for name in ("crossing", "spread")]
    assert told == [18 * 6, 0]
    assert one.quantiles is not None
    np.testing.assert_allclose(one.quantiles, other.quantiles)


def test_without_quantiles_nothing_is_asked_and_a_metric_of_them_says_so(tmp_path: Path) -> None:
    run = swept(tmp_path, forecasters=[Spread], null=False)
    assert set(run.profile("wql").status) == {"no quantiles"}
    assert run.errors("wql").loss.isna().all()
    cells = {key for key in run.cells().cell if key}
    asked = swept(tmp_path, forecasters=[Spread], null=False, quantiles=0.5)
    assert not cells & set(asked.cells().cell)


KILLED = """
import os, signal, sys, pytest, tsgap
from tests.said import EVERYTHING, in_groups, only_quick_diagnostics
only_quick_diagnostics(pytest.MonkeyPatch())
def on_progress(state):
    if state.ok >= int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
tsgap.sweep(in_groups(), "gen:stl-bootstrap", out=sys.argv[1], jobs=2, on_progress=on_progress, **EVERYTHING)
"""


@pytest.mark.parametrize("cells", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_sweep_that_was_killed_halfway_is_finished_by_the_same_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    only_quick_diagnostics(monkeypatch)
    root = Path(__file__).parent.parent
    env = {**os.environ, "PYTHONPATH": str(root)}
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "killed"), str(cells)], env=env, cwd=root)
    assert killed.returncode == -signal.SIGKILL
    seen: list[Progress] = []
    resumed, whole = (
        tsgap.sweep(
            *(in_groups(), "gen:stl-bootstrap"), out=tmp_path / name, jobs=0, on_progress=seen.append, **EVERYTHING
        )
        for name in ("killed", "whole")
    )
    assert cells <= seen[0].reused < seen[0].total
    assert resumed.complete
    assert differing(whole, resumed) == []


class Virtual:
    """An engine on which every task takes the seconds that it is said to take; what it does is done in this process."""

    def __init__(self, slots: int, seconds: Callable[[Task], float]) -> None:
        self.slots, self.seconds, self.now = slots, seconds, 0.0
        self.order: list[str] = []
        self.laid: list[set[str]] = []

    def run(self, function: Any, given: Iterable[Task], *, folder: Path, **_: Any) -> Generator[Outcome]:
        tasks, ends = iter(given), list[tuple[float, int, Task]]()
        while True:
            while len(ends) < self.slots and (task := next(tasks, None)) is not None:
                self.order.append(task.group)
                self.laid.append({p.name for p in folder.iterdir() if p.is_dir()} - set(task.inputs))
                heapq.heappush(ends, (self.now + self.seconds(task), len(self.order), task))
            if not ends:
                return
            self.now, _, task = heapq.heappop(ends)
            value = function(task.payload, str(folder))
            yield Outcome(task, "ok", value, seconds=self.seconds(task))


SPEED = {"seasonal-naive": 0.01, "linear": 1.0, "linear:ridge=1": 60.0}


def test_the_time_that_is_left_is_right_halfway_though_cells_differ_thousandfold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Virtual(2, lambda task: SPEED.get(task.group, 1.0) * (1 + zlib.crc32(task.id.encode()) % 100 / 200))
    told: list[tuple[float, float | None]] = []
    settings = {"forecasters": list(SPEED), "replicates": 4, "out": tmp_path / "run"}
    with monkeypatch.context() as patch:
        patch.setattr("tsgap.engines.run", engine.run)
        sources = ["gen:stl-bootstrap", "gen:shuffle", "gen:block-bootstrap:length=6"]
        swept(tmp_path, sources, jobs=2, on_progress=lambda p: told.append((engine.now, p.seconds_left)), **settings)
    begin = told[0][0]  # what was drawn took its time too
    half = next(i for i, (now, _) in enumerate(told) if now - begin >= (engine.now - begin) / 2)
    now, left = told[half]
    assert told[0][1] is None
    assert left is not None
    assert 1 / 1.5 < left / (engine.now - now) < 1.5
    after = [left for _, left in told[half:] if left is not None]
    assert all(later < 1.1 * earlier for earlier, later in itertools.pairwise(after) if earlier)
    assert after[-1] == 0
    # the next sweep knows from the start what a forecaster takes
    with Store.open(tmp_path / "run") as store:
        ended = sorted(store.heads().items())
        for label in SPEED:
            for _, head in [one for one in ended if one[1].info["forecaster"] == label][1::2]:
                store.remove(head)
    again = Virtual(2, engine.seconds)
    told.clear()
    with monkeypatch.context() as patch:
        patch.setattr("tsgap.engines.run", again.run)
        swept(tmp_path, sources, jobs=2, on_progress=lambda p: told.append((again.now, p.seconds_left)), **settings)
    left = told[0][1]
    assert left is not None
    assert 1 / 1.5 < left / again.now < 1.5
    assert again.order[0] == "linear:ridge=1"
    assert sum(one != other for one, other in itertools.pairwise(again.order)) <= 3


def test_results_do_not_depend_on_the_order_in_which_fits_are_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = swept(tmp_path, "gen:stl-bootstrap", out=tmp_path / "a")
    monkeypatch.setattr(Queue, "_chosen", lambda queue: list(queue._waiting)[-1])
    two = swept(tmp_path, "gen:stl-bootstrap", out=tmp_path / "b")
    pd.testing.assert_frame_equal(one.profile(), two.profile())


def test_what_a_task_reads_is_laid_down_when_it_is_drawn_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Virtual(1, lambda task: 1.0)
    monkeypatch.setattr("tsgap.engines.run", engine.run)
    monkeypatch.setattr("tsgap.drawing.drawn", lambda wanted, *_, **__: {w.name: stand_in(w) for w in wanted})
    swept(tmp_path, ["gen:stl-bootstrap", "gen:shuffle"], forecasters=["linear"], jobs=1)
    assert [len(others) for others in engine.laid] == sorted(len(others) for others in engine.laid)
    assert not engine.laid[0]
    assert len(engine.laid[-1]) >= 3


def test_a_sweep_goes_on_from_the_parts_of_a_cell_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fits, "PAIRED_BLOCK", 2)
    spec = tsgap.ForecasterSpec("counted", "", Counted, params={"log": str(tmp_path / "log")}, scope="local")
    given: dict[str, Any] = {"forecasters": [spec], "null": False}
    before = swept(tmp_path, **given).profile()
    files = sorted((tmp_path / "run" / "parts").rglob("*-*of3-*.parquet"))
    assert len(files) == 3
    files[1].unlink()
    (tmp_path / "log").unlink()
    seen: list[Progress] = []
    again = swept(tmp_path, on_progress=seen.append, **given)
    assert (seen[-1].reused, seen[-1].ok) == (3, 1)
    assert sorted(line.split()[0] for line in (tmp_path / "log").read_text().splitlines()) == ["fit", "predict"]
    pd.testing.assert_frame_equal(before, again.profile())


def test_a_cell_that_was_cut_otherwise_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tsgap.ForecasterSpec("counted", "", Counted, params={"log": str(tmp_path / "log")}, scope="local")
    swept(tmp_path, forecasters=[spec], null=False)
    monkeypatch.setattr(fits, "PAIRED_BLOCK", 2)
    seen: list[Progress] = []
    swept(tmp_path, forecasters=[spec], null=False, on_progress=seen.append)
    assert (seen[-1].reused, seen[-1].ok) == (4, 0)
