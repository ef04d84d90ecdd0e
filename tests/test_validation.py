"""Validating on synthetic series: planted truth for the drop to the real test, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tsgap
from tests.worlds import seasonal
from tsgap.atoms import Ended, Truth
from tsgap.cli import DONE, USAGE, run
from tsgap.errors import UsageError
from tsgap.holdout import HEAD, ON_SYNTHETIC
from tsgap.metrics import METRICS
from tsgap.run import Run, load
from tsgap.store import Store
from tsgap.validation import COLUMNS, Windows, _windows, drop, sentences

LENGTH, HORIZON, WINDOWS = 200, 6, 5
TRAINING = LENGTH - HORIZON * WINDOWS


def world(seed: int, *, damped: float = 1.0, series: int = 12) -> pd.DataFrame:
    """A draw of the process behind `seasonal`, its noise multiplied."""
    frame = seasonal(series=series, length=LENGTH, seed=seed)
    which, t = frame.unique_id.str[1:].astype(int), frame.groupby("unique_id").cumcount()
    known = 20 + which + 4 * np.sin(2 * np.pi * (t + which) / 12)
    return frame.assign(y=known + damped * (frame.y - known))


def unpaired(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(unique_id="x" + frame.unique_id)


def swept(folder: Path, synthetic: Any, real: pd.DataFrame | None = None, **given: Any) -> Run:
    settings: dict[str, Any] = {"forecasters": ["linear"], "horizons": [1, HORIZON], "windows": WINDOWS, "jobs": 0}
    settings |= {"validation": True, "null": False, "out": folder / "run"}
    return tsgap.sweep(world(0) if real is None else real, synthetic, **{**settings, **given})


def cut(windows: int, ids: list[str], values: Any, blocks: Any = None, *, replicates: int = 1) -> Windows:
    losses = np.broadcast_to(np.asarray(values, dtype=float), (replicates, windows)).copy()
    labels = np.arange(windows) if blocks is None else np.asarray(blocks)
    return Windows(losses, np.ones_like(losses), np.array(ids, dtype=object), labels)


# the statistic ----------------------------------------------------------------------------------------------------


def test_the_drop_is_the_log_ratio_of_mean_losses_however_many_windows_each_panel_has() -> None:
    real, synthetic = cut(2, ["a", "b"], [3.0, 5.0]), cut(3, ["c", "d", "e"], [1.0, 2.0, 3.0])
    found = drop(real, synthetic, np.array([0]))
    assert found.value[0] == pytest.approx(np.log(4 / 2))
    assert drop(real, synthetic, np.array([0]), root=True).value[0] == pytest.approx(np.log(2) / 2)
    assert real.contributions.sum() == pytest.approx(0)


def test_the_interval_keeps_its_promise_for_panels_that_have_nothing_in_common() -> None:
    rng = np.random.default_rng(0)
    ids = [f"r{i}" for i in range(20) for _ in range(5)], [f"s{i}" for i in range(30) for _ in range(3)]
    missed = 0
    for _ in range(400):
        panels = []
        for names, each in zip(ids, (5, 3), strict=True):
            level = np.repeat(rng.gamma(20, 1 / 20, len(names) // each), each)
            blocks = np.tile(np.arange(each), len(names) // each) + 10 * len(panels)
            panels.append(cut(len(names), names, level * rng.gamma(2, 1 / 2, len(names)), blocks))
        found = drop(panels[0], panels[1], np.array([0]))
        missed += bool(abs(found.value[0]) > found.half(0.975)[0])
    # 95 % of 400: at most 8 % missed, with four standard deviations of room at the nominal rate
    assert missed <= 38


def test_the_interval_keeps_its_promise_for_twins_and_is_shorter_for_what_they_have_in_common() -> None:
    rng = np.random.default_rng(1)
    ids, blocks = [f"s{i}" for i in range(25) for _ in range(5)], np.tile(np.arange(5), 25)
    missed, shorter = 0, []
    for _ in range(400):
        level = np.repeat(rng.gamma(2, 1 / 2, 25), 5)
        panels = []
        for k in range(2):
            shock = rng.gamma(100, 1 / 100, 5)[blocks]
            panels.append(cut(125, ids, level * shock * rng.gamma(2, 1 / 2, 125), blocks + 10 * k))
        found = drop(panels[0], panels[1], np.array([0]))
        missed += bool(abs(found.value[0]) > found.half(0.975)[0])
        stranger = cut(125, [f"x{name}" for name in ids], panels[1].losses[0], panels[1].blocks)
        shorter.append(found.se[0] / drop(panels[0], stranger, np.array([0])).se[0])
    assert missed <= 38
    assert np.mean(shorter) < 0.8


def test_replicates_that_differ_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    ids = [f"s{i}" for i in range(60)]
    real = cut(60, ids, rng.gamma(50, 1 / 50, 60), replicates=4)
    other = cut(60, ids, rng.gamma(50, 1 / 50, 60), replicates=4)
    alike = drop(real, other, np.arange(4)).se[0]
    moved = Windows(real.losses * np.array([[0.8], [1.0], [1.1], [1.3]]), real.counts, real.series, real.blocks)
    assert drop(moved, other, np.arange(4)).se[0] > 2 * alike


def test_windows_of_equal_content_are_one_in_every_draw_and_twins_keep_their_own() -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 2, 4))

    def truth(name: str, *series: Any) -> Truth:
        n = 2 * len(series)
        ids = np.repeat(np.array([f"{name}{i}" for i in range(len(series))], dtype=object), 2)
        window = np.tile([0, 1], len(series))
        block = np.arange(n) + (10 if name == "y" else 0)
        return Truth(name, (4,), np.concatenate(series), ids, window, window, block, np.ones(n), {}, {})

    truths = [truth("x", a, b), truth("y", c, b, b), truth("x", a, b)]
    ended = [Ended("ok", one.values + k + 1.0) for k, one in enumerate(truths)]
    scales = [np.ones(len(one.ids)) for one in truths]
    mae = next(one for one in METRICS if one.name == "mae")
    found = _windows(mae, {"arm": ended}, truths, scales, 4, twins=False)["arm"]
    # the windows of a, b and c: of the second draw none is of a, and b is there twice
    assert found.counts.tolist() == [[4, 4, 4, 4, 0, 0], [0, 0, 8, 8, 4, 4], [4, 4, 4, 4, 0, 0]]
    np.testing.assert_allclose(found.losses, found.counts * np.array([[1.0], [2.0], [3.0]]))
    assert len(set(found.series)) == 3
    assert found.series[0] == found.series[1]
    # what the second draw adds lies as far from its end as the first draw's
    assert found.blocks.tolist() == [0, 1, 2, 3, -2, -1]
    twins = _windows(mae, {"arm": ended}, truths, scales, 4, twins=True)["arm"]
    assert twins.series.tolist() == [*truths[0].ids, *truths[1].ids]
    assert twins.counts.tolist() == [[4] * 4 + [0] * 6, [0] * 4 + [4] * 6, [4] * 4 + [0] * 6]


# planted truth ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A second draw of the real process, and the same with a third of the noise; as twins and as strangers."""
    second, easy = world(1), world(1, damped=1 / 3)
    sources = {"second": second, "easy": easy, "second-x": unpaired(second), "easy-x": unpaired(easy)}
    return swept(tmp_path_factory.mktemp("planted"), sources, oracle_split=True)


@pytest.mark.parametrize("source", ["easy", "easy-x"])
def test_series_that_are_easy_to_forecast_show_a_large_drop(planted: Run, source: str) -> None:
    one = planted.validation(source=source).iloc[0]
    # a third of the noise is a third of the error: a drop of ln 3
    assert one.low < np.log(3) < one.high
    assert one.low > 0.75
    assert one.percent == pytest.approx(100 * (1 - np.exp(-one["drop"])))
    assert one["drop"] == pytest.approx(np.log(one.synthetic_on_real / one.synthetic_on_synthetic))
    [told] = sentences(planted.validation(source=source))
    assert "validating on the synthetic data looks 6" in told
    assert "% better than the real test" in told


@pytest.mark.parametrize("source", ["second", "second-x", "oracle-split"])
def test_a_second_draw_of_the_same_process_shows_none(planted: Run, source: str) -> None:
    one = planted.validation(source=source).iloc[0]
    assert one.low < 0 < one.high
    assert one.high - one.low < 0.5
    assert abs(np.log(one.real_on_synthetic / one.real_on_real)) < 0.2
    assert "is not proven to look better or worse" in sentences(planted.validation(source=source))[0]


def test_series_that_are_hard_to_forecast_look_worse(tmp_path: Path) -> None:
    found = swept(tmp_path, {"hard": world(1, damped=3)}).validation()
    assert found.high.iloc[0] < 0
    assert "% worse than the real test" in sentences(found)[0]


@pytest.mark.slow
def test_the_interval_of_a_second_draw_holds_none_as_often_as_it_promises(tmp_path: Path) -> None:
    missed = 0
    for k in range(100):
        real, twin = world(1000 + k, series=20), world(5000 + k, series=20)
        run = swept(tmp_path / str(k), {"twin": twin, "other": unpaired(twin)}, real, replicates=1)
        found = run.validation()
        missed += int(((found.low > 0) | (found.high < 0)).sum())
    # 5 % of 200 are 10; 23 is 8 % with three standard deviations of the pairs' mean above it
    assert missed <= 23


def test_the_errors_are_those_of_the_forecasts_that_are_stored(planted: Run) -> None:
    one = planted.validation("mase", source="easy").iloc[0]
    errors = planted.forecasts(source="easy")
    errors["loss"] = (errors.y - errors.forecast).abs()
    scale = planted._atoms.truth("data")  # the figures of the real series
    errors["loss"] /= errors.unique_id.map(dict(zip(scale.ids, scale.scales["mae"], strict=True)))
    by_arm = errors.groupby("arm").loss.mean()
    assert one.synthetic_on_real == pytest.approx(by_arm[HEAD])
    assert one.synthetic_on_synthetic == pytest.approx(by_arm[ON_SYNTHETIC[HEAD]])
    assert one.real_on_synthetic == pytest.approx(by_arm[ON_SYNTHETIC["real"]])
    assert one.real_on_real == pytest.approx(by_arm["real"])
    raw = planted.validation("mae", source="easy").iloc[0]
    assert raw.scaled_by == "nothing"
    assert one.scaled_by == "seasonal-naive error of the real series"
    assert (one.n_real, one.n_synthetic, one.horizon) == (60, 60, HORIZON)


def test_the_same_series_in_several_replicates_are_counted_once(planted: Run) -> None:
    found = planted.validation().set_index("source")
    assert found.loc["second-x", "n_synthetic"] == 60
    assert found.loc["oracle-split", "n_synthetic"] == 60


def test_the_scale_of_strangers_is_of_no_account(tmp_path: Path) -> None:
    frame = unpaired(world(1))
    sources = {"as it is": frame, "times nine": frame.assign(y=9 * frame.y)}
    found = swept(tmp_path, {k.replace(" ", "-"): v for k, v in sources.items()}).validation()
    assert found["drop"].iloc[0] == pytest.approx(found["drop"].iloc[1], abs=1e-6)
    assert set(found.scaled_by) == {"mean |y|"}


def test_short_windows_hold_out_some_of_them_and_only_leads_that_all_have_count(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = world(1).y.to_numpy().reshape(12, LENGTH)
    at = rng.choice(12 * (LENGTH - 16), 600, replace=False)
    windows = np.stack([values[i % 12, i // 12 : i // 12 + 16] for i in at])
    run = swept(tmp_path, {"short": windows}, horizons=[1, 4, 12], windows=3, forecasters=["linear", "seasonal-naive"])
    found = run.validation().set_index("forecaster")
    linear = found.loc["linear"]
    assert linear.status == "ok"
    assert linear.scaled_by == "standard deviation"
    assert (linear.n_real, linear.n_synthetic) == (36, 120)
    assert 1 <= linear.horizon < 12
    assert linear.low < 0 < linear.high
    short = run.cells().query("forecaster == 'linear' and arm == 'real-short'").iloc[0]
    across = run.cells().query("forecaster == 'linear' and arm == 'real→synthetic'").iloc[0]
    assert (across.context, across.trained_on) == (short.context, short.trained_on)


# what it leaves alone ---------------------------------------------------------------------------------------------


class Drift:
    """A local forecaster: the last value, and the mean step of its training series or of the pool."""

    def fit(self, train: tsgap.Panel, *, horizon: int, context: int | None, seed: int) -> None:
        self.steps = {key: float(np.diff(y).mean()) for key, y in zip(train.keys, train, strict=True)}

    def predict(self, history: tsgap.Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> tsgap.Forecast:
        pool = float(np.median(list(self.steps.values())))
        leads = np.arange(1, horizon + 1)
        steps = [self.steps.get(key, pool) for key in history.series]
        return tsgap.Forecast(np.stack([y[-1] + step * leads for y, step in zip(history, steps, strict=True)]))


LOCAL = tsgap.ForecasterSpec("drift", "Drift.", Drift, scope="local")


@pytest.mark.parametrize("scope", ["global", "local"])
def test_the_other_arms_and_their_tables_are_what_they_are_without_it(tmp_path: Path, scope: str) -> None:
    settings: dict[str, Any] = {"forecasters": ["linear", "seasonal-naive"], "null": True, "replicates": 2}
    if scope == "local":
        settings["forecasters"] = [LOCAL, "seasonal-naive"]
    sources = {"stl": "gen:stl-bootstrap", "x": unpaired(world(2))}
    short = world(0, series=6)[lambda f: f.groupby("unique_id").cumcount() >= LENGTH - 100]
    run = swept(tmp_path, sources, short, **settings)
    plain = swept(tmp_path / "plain", sources, short, **settings, validation=False)
    pd.testing.assert_frame_equal(run.profile(), plain.profile())
    pd.testing.assert_frame_equal(run.gap(), plain.gap())
    assert str(run.gate()) == str(plain.gate())
    new = {HEAD, *ON_SYNTHETIC.values()}
    cells, others = run.cells(), plain.cells()
    assert set(cells.arm) - set(others.arm) == new
    unchanged = [name for name in cells if name not in ("seconds", "attempt")]
    kept = cells[~cells.arm.isin(new)][unchanged].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, others[unchanged])
    assert set(run.validation().status) == {"ok"}
    with pytest.raises(UsageError, match="run the sweep with --validation"):
        plain.validation()


def test_head_and_validation_are_views_of_one_fit_and_each_truth_has_its_table(tmp_path: Path) -> None:
    run = swept(tmp_path, {"stl": "gen:stl-bootstrap", "x": unpaired(world(2))}, replicates=2)
    with Store.open(tmp_path / "run", create=False) as store:
        cells = store.read_json("plan")["cells"]
    told = run.cells().set_index(["source", "replicate", "arm"]).cell
    for source in ("stl", "x"):
        tables = set()
        for k in range(2):
            fits = {arm: {n: v for n, v in cells[told[source, k, arm]].items() if n not in ("view", "windows")}
                    for arm in (HEAD, *ON_SYNTHETIC.values(), "real")}  # fmt: skip
            assert fits[HEAD] == fits[ON_SYNTHETIC[HEAD]]
            assert fits["real"] == fits[ON_SYNTHETIC["real"]]
            assert fits[HEAD] != fits["real"]
            views = {arm: cells[told[source, k, arm]]["view"] for arm in fits}
            assert views == {HEAD: "clean", "real": "clean", **dict.fromkeys(ON_SYNTHETIC.values(), "validation")}
            [one] = [h for h in run.manifest["validation"][f"data/{source}"] if h["replicate"] == k]
            assert one["truth"] == f"truth-{cells[told[source, k, ON_SYNTHETIC[HEAD]]]['windows']}"
            assert bool(one["levels"]) == (source == "x")
            tables.add(one["truth"])
        assert len(tables) == 2


def test_nothing_of_the_test_reaches_the_head_or_what_is_held_out(tmp_path: Path) -> None:
    frame = world(0)
    later = frame.assign(y=frame.y.where(frame.groupby("unique_id").cumcount() < TRAINING, 1e6))
    runs = [swept(tmp_path / str(k), "gen:stl-bootstrap", one, replicates=1) for k, one in enumerate((frame, later))]
    tables = [[one["truth"] for one in r.manifest["validation"]["data/stl-bootstrap"]] for r in runs]
    assert tables[0] == tables[1]
    heads = [r.cells().query("arm == @HEAD").trained_on.tolist() for r in runs]
    assert heads[0] == heads[1]


class Fails:
    """A forecaster that cannot forecast series held out; with `always`, none at all."""

    def fit(self, train: tsgap.Panel, *, horizon: int, context: int | None, seed: int) -> None:
        self.level = float(train.values.std())

    def predict(self, history: tsgap.Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> tsgap.Forecast:
        if any(name.startswith("held out") for name in history.series):
            raise tsgap.errors.ForecastError("not these")
        return tsgap.Forecast(np.full((len(history), horizon), self.level))


def test_a_cell_that_fails_there_is_counted_and_costs_no_other_table(tmp_path: Path) -> None:
    run = swept(tmp_path, {"x": unpaired(world(1))}, forecasters=[Fails, "linear"], replicates=1)
    assert run.n_failed == 2
    assert set(run.failures().arm) == set(ON_SYNTHETIC.values())
    assert run.profile(forecaster="fails").status.eq("ok").all()
    found = run.validation().set_index("forecaster")
    assert found.loc["fails", "status"] == "error"
    assert np.isnan(found.loc["fails", "drop"])
    assert found.loc["linear", "status"] == "ok"


class Last:
    """A forecaster that ignores what it is trained on, and has no forecast for one window held out."""

    def fit(self, train: tsgap.Panel, *, horizon: int, context: int | None, seed: int) -> None:
        pass

    def predict(self, history: tsgap.Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> tsgap.Forecast:
        mean = np.repeat(np.array([y[-1] for y in history])[:, None], horizon, axis=1)
        out = [n for n, name in enumerate(history.series) if name == "held out row 3"][1:2]
        mean[out] = np.nan
        return tsgap.Forecast(mean, dict.fromkeys(out, "not this one"))


def test_that_training_has_no_effect_is_found_among_windows_that_can_be_compared(tmp_path: Path) -> None:
    run = swept(tmp_path, {"x": unpaired(world(1))}, forecasters=[Last], replicates=1)
    assert set(run.profile().status) == {"training has no effect"}
    # a window without a forecast is named as what it is, and the table says that it is missing
    lost = run.failed_windows()
    assert set(lost.unique_id) == {"held out row 3"}
    assert lost.window.tolist() == [1, 1]
    assert set(lost.arm) == set(ON_SYNTHETIC.values())
    assert set(run.failures().error) == {"held out row 3, window 1: not this one"}
    one = run.validation().iloc[0]
    # the file is longer than the training part: 10 of its series are as many pairs
    assert (one.status, one.n_real, one.n_synthetic) == ("partial", 60, 5 * 10 - 1)


def test_where_nothing_can_be_held_out_the_table_and_the_notes_say_why(tmp_path: Path) -> None:
    short = world(0)[lambda f: f.groupby("unique_id").cumcount() >= LENGTH - 60]
    run = swept(tmp_path, "gen:stl-bootstrap", short, replicates=1)
    one = run.validation().iloc[0]
    assert one.status.startswith("not measurable: the longest of 12 synthetic series has 30 values")
    assert np.isnan(one["drop"])
    assert any("validation on these series is not measurable" in note for note in run.manifest["notes"])
    assert run.n_failed == 0
    assert sentences(run.validation())[0].endswith(one.status)


def test_a_source_that_could_not_be_drawn_has_no_figures(tmp_path: Path) -> None:
    run = swept(tmp_path, "gen:tests.test_sweeps:Nothing", replicates=1)
    assert run.validation().status.tolist() == ["error"]


def test_a_metric_that_fails_is_a_status(tmp_path: Path, planted: Run) -> None:
    found = planted.validation("wql")
    assert set(found.status) == {"no quantiles"}


# the command line -------------------------------------------------------------------------------------------------


def test_show_prints_the_table_and_warns(planted: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["show", str(planted.path), "--validation"]) == DONE
    told = capsys.readouterr().out
    assert "syn→syn" in told
    warnings = [line for line in told.splitlines() if line.startswith("warning: ")]
    assert [line.split(", ")[1] for line in warnings] == ["easy", "easy-x"]
    assert run(["show", str(planted.path), "--validation", "--format", "json", "--source", "easy"]) == DONE
    [row] = json.loads(capsys.readouterr().out)
    assert list(row) == list(COLUMNS)
    assert run(["show", str(planted.path), "--validation", "--by", "lead"]) == USAGE
    assert "--validation is over all leads and series" in capsys.readouterr().err


def test_the_flags_and_the_file_of_settings_ask_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    world(0, series=10).to_csv("real.csv", index=False)
    flags = ["sweep", "--real", "real.csv", "-f", "linear", "--horizons", "6", "--windows", "3", "--jobs", "0"]
    flags += ["--oracle-split", "--validation", "--replicates", "1", "--out", "r", "--save-config", "e.toml"]
    assert run(flags) == DONE
    assert "validating on the synthetic series: tsgap show r --validation" in capsys.readouterr().out
    found = load("r")
    assert found.validation().source.tolist() == ["oracle-split"]
    assert run(["sweep", "e.toml", "--jobs", "0", "--out", "again", "--quiet"]) == DONE
    pd.testing.assert_frame_equal(load("again").validation(), found.validation())
    assert run(["sweep", "e.toml", "--validation"]) == USAGE
