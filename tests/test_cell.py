"""One fit and its forecasts: what reaches a forecaster, what comes back, and how failures end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsgap import additive, cell
from tsgap.cell import Draw, Job, Result, View
from tsgap.defaults import boosting, generators, linear, naive
from tsgap.errors import ContractError, ForecastError
from tsgap.panel import Dataset, Floats, Panel
from tsgap.protocols import Forecast, ForecasterSpec
from tsgap.scaling import location_and_scale, scaled
from tsgap.shelf import ARRAYS, write_panel
from tsgap.splits import rolling

SPECS = {spec.name: spec for spec in (*naive.SPECS, *linear.SPECS, *boosting.SPECS)}
FAST = {"gradient-boosting": {"iterations": 10}}


def panel(n: int = 6, length: int = 60, *, seed: int = 0, level: float = 50.0) -> Panel:
    rng = np.random.default_rng(seed)
    t = np.arange(length)
    rows = {
        f"s{i}": level * (i + 1) + 9 * (i + 1) * np.sin(2 * np.pi * t / 12) + rng.normal(0, i + 1, length)
        for i in range(n)
    }
    return Panel.of(rows, freq="MS", seasons=(12,))


class Says:
    """A forecaster that answers with what a function makes of the histories; it keeps what it was given."""

    last: Says

    def __init__(self, answer: Callable[[Panel, int], Any], fit: Callable[[Panel], None] | None = None) -> None:
        self.answer, self.learn = answer, fit
        Says.last = self

    def fit(self, train: Panel, *, horizon: int, context: int | None, seed: int) -> None:
        self.train, self.asked = train, (horizon, context, seed)
        if self.learn:
            self.learn(train)

    def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Any:
        self.history = history
        return self.answer(history, horizon)


def last(history: Panel, horizon: int) -> Forecast:
    return Forecast(np.repeat(history.values[history.offsets[1:] - 1][:, None], horizon, axis=1))


def laid(panel: Panel, folder: Path) -> str:
    """Where a panel was laid, whatever folder is said to be the worker's."""
    return str(folder / write_panel(panel, folder))


def job(folder: Path, build: Any, train: Panel | None, histories: Panel, **options: Any) -> Job:
    given: dict[str, Any] = {
        "params": {},
        "train_rows": None,
        "horizon": 3,
        "context": 12,
        "seed": 5,
        "scaling": "mean-abs",
        "least_history": 1,
    }
    home = None if train is None else laid(train, folder)
    view = View(laid(histories, folder), options.pop("history_rows", None), options.pop("history_figures", None))
    return Job(build=build, train=home, views=(view,), **(given | options))


def forecast(made: Job) -> Result:
    """The result of a job with one view."""
    [result] = cell.forecast(made, Path())
    return result


def said(folder: Path, answer: Any, **options: Any) -> Result:
    fit = options.pop("fit", None)
    histories = options.pop("histories", panel(seed=1))
    return forecast(job(folder, lambda: Says(answer, fit), panel(), histories, **options))


@pytest.mark.parametrize("scaling", ["mean-abs", "standard", "none"])
def test_every_row_is_scaled_by_its_own_recent_values(scaling: str) -> None:
    made = panel()
    for context in (None, 1, 7, 500):
        location, scale, ones = location_and_scale(made, scaling, context, None)
        for i, y in enumerate(made):
            recent = y if context is None else y[-context:]
            if scaling == "none":
                wanted = (0.0, 1.0)
            elif scaling == "mean-abs":
                wanted = (0.0, float(np.mean(np.abs(recent))))
            else:
                wanted = (float(recent.mean()), float(recent.std()) or 1.0)
            np.testing.assert_allclose((location[i], scale[i]), wanted, rtol=1e-12)
        assert ones == (6 if scaling == "standard" and context == 1 else 0)
        back = scaled(made, location, scale).values * np.repeat(scale, 60) + np.repeat(location, 60)
        np.testing.assert_allclose(back, made.values, rtol=1e-12)


def test_a_row_without_scale_is_divided_by_one_and_counted() -> None:
    rows = Panel.of(
        {"zero": np.zeros(5), "none": [], "constant": np.full(7, 0.1), "tiny": np.full(3, 1e-200), "y": [4]}
    )
    location, scale, ones = location_and_scale(rows, "mean-abs", None, None)
    assert (location.tolist(), scale.tolist(), ones) == ([0] * 5, [1, 1, pytest.approx(0.1), 1, 4], 2)
    location, scale, ones = location_and_scale(rows, "standard", None, None)
    assert (scale.tolist(), ones) == ([1] * 5, 4)
    assert location[2] == pytest.approx(0.1)


def test_scaling_train_needs_figures_and_there_is_no_other_scaling() -> None:
    figures = np.array([[1.0, 2.0]] * 6)
    location, scale, _ = location_and_scale(panel(), "train", 3, figures)
    assert (location.tolist(), scale.tolist()) == ([1.0] * 6, [2.0] * 6)
    with pytest.raises(ContractError, match="without the figures"):
        location_and_scale(panel(), "train", 3, None)
    with pytest.raises(ContractError, match="no scaling 'log'"):
        location_and_scale(panel(), "log", 3, None)


def test_a_forecaster_sees_scaled_values_and_its_answer_comes_back_in_units(tmp_path: Path) -> None:
    histories = panel(seed=1)
    result = said(tmp_path, last)
    assert result.status == "ok"
    np.testing.assert_allclose(result.mean, [[y[-1]] * 3 for y in histories], rtol=1e-12)
    seen = Says.last
    assert seen.asked == (3, 12, 5)
    np.testing.assert_allclose([np.abs(y).mean() for y in seen.train], 1)
    np.testing.assert_allclose([np.abs(y[-12:]).mean() for y in seen.history], 1)
    assert seen.history.keys == histories.keys
    assert set(result.info) == {"load_seconds", "fit_seconds", "predict_seconds", "unit_scaled", "unit_scaled_training"}


def test_figures_of_the_training_part_follow_the_rows_of_a_block(tmp_path: Path) -> None:
    rows = np.array([4, 1])
    figures, ours = np.column_stack([np.arange(6.0), np.arange(6.0) + 1]), np.array([[1.0, 2.0], [3.0, 4.0]])
    made = job(tmp_path, lambda: Says(last), panel(), panel(seed=1), scaling="train", train_rows=rows,
               history_rows=rows, figures=figures, history_figures=ours)  # fmt: skip
    result = forecast(made)
    np.testing.assert_allclose(Says.last.train[0], (panel()[4] - 4) / 5)
    np.testing.assert_allclose(Says.last.history[1], (panel(seed=1)[1] - 3) / 4)
    np.testing.assert_allclose(result.mean[:, 0], [panel(seed=1)[4][-1], panel(seed=1)[1][-1]])


def test_zero_histories_are_forecast_unscaled_and_counted(tmp_path: Path) -> None:
    rows = Panel.of({"zero": np.zeros(20), "one": np.ones(20), "late": np.r_[np.ones(8), np.zeros(12)]}, seasons=(12,))
    result = said(tmp_path, last, histories=rows)
    assert result.mean[:, 0].tolist() == [0, 1, 0]
    assert (result.info["unit_scaled"], result.info["unit_scaled_training"]) == (2, 0)


def test_a_forecaster_without_parameters_is_not_fitted(tmp_path: Path) -> None:
    def never(train: Panel) -> None:
        raise AssertionError

    result = forecast(job(tmp_path, lambda: Says(last, never), None, panel(), scaling="none", context=None))
    assert result.status == "ok"
    assert result.mean[:, 0].tolist() == [y[-1] for y in panel()]


def test_short_histories_fail_one_by_one(tmp_path: Path) -> None:
    rows = Panel.of({"a": np.arange(9.0), "b": np.arange(20.0), "c": []})
    result = said(tmp_path, last, histories=rows, least_history=10)
    assert result.failed == {0: "the history has 9 values, 10 are needed", 2: "the history has 0 values, 10 are needed"}
    assert np.isnan(result.mean[[0, 2]]).all()
    assert result.mean[1].tolist() == [19.0] * 3
    assert Says.last.history.keys == ("b",)


def test_when_all_histories_are_too_short_nothing_is_asked(tmp_path: Path) -> None:
    result = said(tmp_path, None, histories=Panel.of({"a": [1.0]}), least_history=10)
    assert (result.status, result.info["error"][:22]) == ("error", "all 1 windows failed, ")


def test_a_series_without_a_twin_fails_where_only_twins_count_and_nothing_is_fitted_for_it(tmp_path: Path) -> None:
    seen = []

    def fit(train: Panel, **asked: Any) -> None:
        seen.append(train.keys)

    key = panel().keys[0]
    histories = Panel.of({"a@0": [1.0, 2.0], "b@0": [3.0, 4.0]}, series=(key, "stranger"))
    result = said(tmp_path, last, fit=fit, histories=histories, twins_only=True)
    assert dict(result.failed) == {1: "its series has no twin in the training panel"}
    rows = {"train_rows": np.array([], dtype=np.int64), "history_rows": np.array([1])}
    alone = said(tmp_path, last, fit=fit, histories=histories, twins_only=True, **rows)
    assert (alone.status, dict(alone.failed)) == ("ok", {0: "its series has no twin in the training panel"})
    assert len(seen) == 1


def test_a_block_that_cannot_be_fitted_fails_its_rows_and_not_the_cell(tmp_path: Path) -> None:
    def never(train: Panel, **asked: Any) -> None:
        raise ForecastError("too short")

    histories = Panel.of({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    asked: dict[str, Any] = {"fit": never, "histories": histories, "history_rows": np.array([1])}
    result = said(tmp_path, None, train_rows=np.array([1]), **asked)
    assert (result.status, dict(result.failed), result.mean.shape) == ("ok", {0: "too short"}, (1, 3))
    # what all blocks are trained on fails them all
    result = said(tmp_path, None, **asked)
    assert (result.status, result.info["stage"], result.info["error"]) == ("error", "fit", "too short")


def test_rows_that_fail_are_counted_one_by_one_and_hide_no_other(tmp_path: Path) -> None:
    def answer(history: Panel, horizon: int) -> Forecast:
        mean = last(history, horizon).mean
        mean[0, 1], mean[1, 2], mean[2, 0], mean[4] = np.nan, np.inf, 1e5, -np.inf
        return Forecast(mean, {4: ValueError("its own reason")})  # type: ignore[dict-item]

    result = said(tmp_path, answer)
    assert result.failed == {
        4: "its own reason",
        0: "the forecast is not finite",
        1: "the forecast is not finite",
        2: "the forecast has diverged",
    }
    assert np.isfinite(result.mean).all(1).tolist() == [False, False, False, True, False, True]


@pytest.mark.parametrize(("times", "fails"), [(900, False), (1100, True), (-1100, True)])
def test_diverged_is_a_thousand_times_range_and_level(tmp_path: Path, times: float, fails: bool) -> None:
    rows = Panel.of({"a": [-1.0, 3.0, 2.0], "b": [-1.0, 3.0, 2.0]})  # range 4, level 3

    def answer(history: Panel, horizon: int) -> Forecast:
        return Forecast(np.outer([times * 7.0, 0.0], np.ones(horizon)))

    result = said(tmp_path, answer, histories=rows, scaling="none")
    assert (0 in result.failed) == fails


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda h, n: np.zeros((len(h), n)), "predict must return a Forecast, got ndarray"),
        (lambda h, n: None, "got NoneType"),
        (lambda h, n: Forecast(np.zeros((len(h) - 1, n))), "asked for 6 rows and up to 3 leads, it gave (5, 3)"),
        (lambda h, n: Forecast(np.zeros((len(h), n + 1))), "it gave (6, 4)"),
        (lambda h, n: Forecast(np.zeros((len(h), 0))), "it gave (6, 0)"),
        (lambda h, n: Forecast(np.zeros(len(h))), "must be numbers (N, H)"),
        (lambda h, n: Forecast(np.full((len(h), n), "a")), "must be numbers"),
        (lambda h, n: Forecast(np.zeros((len(h), n)), {99: "why"}), "failed row 99"),
        (lambda h, n: Forecast(np.zeros((len(h), n)), {}, np.zeros((len(h), n, 2)), (0.5,)), "quantile_levels (0.5,)"),
    ],
)
def test_an_answer_of_the_wrong_kind_breaks_the_contract(tmp_path: Path, answer: Any, told: str) -> None:
    result = said(tmp_path, answer)
    assert result.status == "contract"
    assert told in result.info["error"]
    assert result.info["stage"] in ("predict", "check")
    assert result.mean.shape == (0, 0)


def test_fewer_leads_are_an_answer(tmp_path: Path) -> None:
    assert said(tmp_path, lambda h, n: last(h, 2)).mean.shape == (6, 2)


def raiser(err: Exception) -> Callable[..., Any]:
    def raises(*args: Any) -> Any:
        raise err

    return raises


@pytest.mark.parametrize("stage", ["build", "fit", "predict"])
@pytest.mark.parametrize(
    ("err", "told"), [(ForecastError("there is too little"), "there is too little"), (KeyError("x"), "KeyError: 'x'")]
)
def test_an_exception_is_a_result_with_its_stage(tmp_path: Path, stage: str, err: Exception, told: str) -> None:
    if stage == "build":
        result = forecast(job(tmp_path, raiser(err), panel(), panel()))
    else:
        answer, fit = (raiser(err), None) if stage == "predict" else (last, raiser(err))
        result = said(tmp_path, answer, fit=fit)
    assert (result.status, result.info["stage"], result.info["error"]) == ("error", stage, told)
    assert "raises" in result.info["traceback"]


def test_running_out_of_memory_is_the_engines_business(tmp_path: Path) -> None:
    with pytest.raises(MemoryError):
        said(tmp_path, raiser(MemoryError()))


def writes(made: Panel, *_: Any) -> Any:
    made.values[0] = 1


def moves(made: Panel, *_: Any) -> Any:
    made.offsets[0] = 1


@pytest.mark.parametrize("change", [writes, moves])
@pytest.mark.parametrize("stage", ["fit", "predict"])
def test_a_forecaster_that_writes_to_its_inputs_fails(tmp_path: Path, change: Any, stage: str) -> None:
    result = said(tmp_path, change) if stage == "predict" else said(tmp_path, last, fit=change)
    assert (result.status, result.info["stage"]) == ("error", stage)
    assert "read-only" in result.info["error"]


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("scaling", ["mean-abs", "standard"])
def test_blocks_are_the_whole_bit_by_bit(tmp_path: Path, name: str, scaling: str) -> None:
    spec, histories = SPECS[name], panel(23, 47, seed=2)
    train = None if spec.transfer == "none" else panel()
    made = job(tmp_path, spec.build, train, histories, params=FAST.get(name, {}), horizon=14, scaling=scaling)
    whole = forecast(made)
    assert whole.status == "ok"
    assert np.isfinite(whole.mean).all()
    order = np.random.default_rng(0).permutation(23)
    for rows in (*np.split(order, [1, 3, 10]), np.array([22])):
        part = forecast(replace(made, views=(replace(made.views[0], rows=rows),)))
        assert part.mean.tobytes() == whole.mean[rows].tobytes()


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("scaling", ["mean-abs", "standard"])
def test_a_view_is_forecast_the_same_alone_and_next_to_others_bit_by_bit(
    tmp_path: Path, name: str, scaling: str
) -> None:
    spec = SPECS[name]
    train = None if spec.transfer == "none" else panel()
    views = [panel(23, 47, seed=2), panel(4, 30, seed=3, level=900.0), panel(1, 80, seed=4)]
    given: dict[str, Any] = {"params": FAST.get(name, {}), "horizon": 14, "scaling": scaling}
    jobs = [job(tmp_path, spec.build, train, histories, **given) for histories in views]
    for order in ([0, 1, 2], [2, 0, 1]):
        together = cell.forecast(replace(jobs[0], views=tuple(jobs[k].views[0] for k in order)), Path())
        for k, found in zip(order, together, strict=True):
            alone = forecast(jobs[k])
            assert alone.status == "ok"
            assert found.mean.tobytes() == alone.mean.tobytes()
            assert (found.status, found.failed, found.info.keys()) == (alone.status, alone.failed, alone.info.keys())


@pytest.mark.parametrize("series", [1, 4, 40])
@pytest.mark.parametrize("scaling", ["mean-abs", "standard", "none"])
def test_an_additive_forecaster_learns_from_blocks_what_it_learns_from_the_whole_panel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, series: int, scaling: str
) -> None:
    monkeypatch.setattr(additive, "BLOCK", 100)
    made = job(tmp_path, linear.Linear, panel(series), panel(5, seed=2), scaling=scaling)
    fitted: list[Panel] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear.Linear, "fit", lambda self, train, **asked: fitted.append(train))
        found = forecast(made)
    assert (found.status, fitted) == ("ok", [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cell, "Additive", type(None))
        assert forecast(made).mean.tobytes() == found.mean.tobytes()


def test_an_additive_forecaster_that_is_asked_for_quantiles_is_fitted(tmp_path: Path) -> None:
    made = job(tmp_path, linear.Linear, panel(), panel(5, seed=2), quantile_levels=(0.1, 0.9))
    found = forecast(made)
    assert found.quantiles is not None
    assert found.mean.tobytes() == forecast(replace(made, quantile_levels=())).mean.tobytes()


def two_views(folder: Path, answer: Any, **options: Any) -> list[Result]:
    fit = options.pop("fit", None)
    made = job(folder, lambda: Says(answer, fit), panel(), panel(seed=1), **options)
    other = View(laid(panel(2, 40, seed=3), folder), made.views[0].rows)
    return list(cell.forecast(replace(made, views=(*made.views, other)), Path()))


def test_two_views_are_forecast_from_one_fit(tmp_path: Path) -> None:
    seen: list[Panel] = []
    results = two_views(tmp_path, last, fit=seen.append)
    assert [r.mean.shape for r in results] == [(6, 3), (2, 3)]
    assert len(seen) == 1


@pytest.mark.parametrize(("err", "status"), [(KeyError("x"), "error"), (ContractError("x"), "contract")])
def test_what_goes_wrong_in_one_view_is_its_own_and_in_the_fit_that_of_all(
    tmp_path: Path, err: Exception, status: str
) -> None:
    def answer(history: Panel, horizon: int) -> Forecast:
        if len(history) == 6:
            raise err
        return last(history, horizon)

    assert [r.status for r in two_views(tmp_path, answer)] == [status, "ok"]
    assert [r.status for r in two_views(tmp_path, last, fit=raiser(err))] == [status] * 2


def test_quantiles_are_unscaled_like_the_mean_and_only_asked_for_where_wanted(tmp_path: Path) -> None:
    asked: list[Any] = []

    class Bands(Says):
        def predict(self, history: Panel, *, horizon: int, **levels: Any) -> Forecast:
            asked.append(levels)
            mean = last(history, horizon).mean
            around = np.array(levels.get("quantile_levels", ())) - 0.5
            return Forecast(mean, {}, mean[..., None] + around, levels.get("quantile_levels", ()))

    for scaling in ("mean-abs", "standard"):
        made = job(tmp_path, lambda: Bands(last), panel(), panel(seed=1), scaling=scaling)
        assert forecast(made).quantiles is None
        assert asked.pop() == {}
        result = forecast(replace(made, quantile_levels=(0.25, 0.5)))
        assert asked.pop() == {"quantile_levels": (0.25, 0.5)}
        _, scale, _ = location_and_scale(panel(seed=1), scaling, 12, None)
        assert result.quantiles is not None
        np.testing.assert_allclose(result.quantiles[..., 1], result.mean)
        np.testing.assert_allclose(result.quantiles[..., 0], result.mean - 0.25 * scale[:, None])
        assert result.info["crossed"] == 0
    raw = cell.execute(cloudpickle.dumps(replace(made, quantile_levels=(0.25, 0.5))), str(tmp_path))
    [travelled] = cell.decoded_results(raw, tmp_path / made.output)
    assert travelled.quantiles is not None
    assert travelled.quantiles.tobytes() == result.quantiles.tobytes()


def test_a_row_with_a_quantile_that_is_not_finite_or_far_away_fails(tmp_path: Path) -> None:
    def answer(history: Panel, horizon: int) -> Forecast:
        mean = last(history, horizon).mean
        quantiles = np.repeat(mean[..., None], 2, axis=2)
        quantiles[0, 1, 0], quantiles[1, 2, 1], quantiles[2, 0, 1] = np.nan, np.inf, 1e5
        mean[3, 0] = quantiles[3, 0, 0] = np.nan
        return Forecast(mean, {4: "its own"}, quantiles, (0.1, 0.9))

    class Bands(Says):
        def predict(self, history: Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> Any:
            return self.answer(history, horizon)

    made = job(tmp_path, lambda: Bands(answer), panel(), panel(seed=1))
    result = forecast(replace(made, quantile_levels=(0.1, 0.9)))
    assert result.failed == {
        4: "its own",
        0: "a quantile is not finite",
        1: "a quantile is not finite",
        2: "the forecast has diverged",
        3: "the forecast is not finite",
    }
    assert result.quantiles is not None
    assert np.isfinite(result.quantiles).all((1, 2)).tolist() == [False] * 5 + [True]
    other = forecast(replace(made, quantile_levels=(0.2, 0.9)))
    assert (other.status, other.info["stage"]) == ("contract", "check")
    assert "asked for the quantiles (0.2, 0.9), it gave (0.1, 0.9)" in other.info["error"]
    assert sorted(forecast(made).failed) == [3, 4]


def test_a_forecaster_without_quantiles_has_not_failed(tmp_path: Path) -> None:
    result = said(tmp_path, last, quantile_levels=(0.1, 0.9))
    assert (result.status, result.failed, result.quantiles) == ("ok", {}, None)


def test_a_view_of_which_no_history_is_long_enough_costs_the_other_nothing(tmp_path: Path) -> None:
    found = two_views(tmp_path, last, least_history=50)
    assert [r.status for r in found] == ["ok", "error"]
    assert found[1].info["error"].startswith("all 2 windows failed, first ")


@pytest.mark.parametrize("name", SPECS)
def test_forecasts_follow_level_and_scale(tmp_path: Path, name: str) -> None:
    """What `standard` undoes: any affine map of training and history, each its own."""
    spec, train, histories = SPECS[name], panel(), panel(5, seed=3)
    options: dict[str, Any] = {"params": FAST.get(name, {}), "scaling": "standard"}
    one = forecast(job(tmp_path, spec.build, train, histories, **options))
    train, moved = train.with_values(7 - 3 * train.values), histories.with_values(1000 + 2 * histories.values)
    if name == "gradient-boosting":  # trees are not the same upside down
        train = train.with_values(-train.values)
    other = forecast(job(tmp_path, spec.build, train, moved, **options))
    np.testing.assert_allclose(other.mean, 1000 + 2 * one.mean, rtol=1e-6)


def test_there_is_no_future_in_the_files_of_a_worker(tmp_path: Path) -> None:
    values = np.concatenate([np.arange(40.0), np.full(4, 777.0)])
    data = Dataset("d", values, np.array([0, 44]), ("a",), np.array([0]), "step", (2,))
    split = rolling(data, horizon=4, windows=1)
    home = tmp_path / write_panel(split.histories(10), tmp_path)
    job(tmp_path, naive.naive, split.train, split.histories(10))
    assert np.fromfile(home / ARRAYS, count=10).tolist() == list(range(30, 40))
    truth = np.float64(777).tobytes()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert truth not in path.read_bytes()
            assert "777" not in path.read_bytes().decode("latin1")


def broken(history: Panel, horizon: int) -> Forecast:
    return Forecast(np.where(np.arange(len(history))[:, None] == 1, np.nan, np.ones((len(history), horizon))))


@pytest.mark.parametrize("answer", [last, broken, raiser(KeyError("Ω \ud800"))])
def test_results_travel_without_pickle(tmp_path: Path, answer: Any) -> None:
    made = job(tmp_path, lambda: Says(answer), panel(), panel(seed=1))
    raw = cell.execute(cloudpickle.dumps(made), str(tmp_path))
    [found], wanted = cell.decoded_results(raw, tmp_path / made.output), forecast(made)
    assert (found.status, dict(found.failed)) == (wanted.status, dict(wanted.failed))
    assert found.mean.tobytes() == wanted.mean.tobytes()
    assert found.info.keys() == wanted.info.keys()
    assert b"pickle" not in raw
    json.dumps(found.info)


def test_the_views_of_a_job_travel_in_their_order(tmp_path: Path) -> None:
    made = job(tmp_path, lambda: Says(last), panel(), panel(seed=1))
    made = replace(made, views=(*made.views, View(laid(panel(2, 40, seed=3), tmp_path))))
    raw = cell.execute(cloudpickle.dumps(made), str(tmp_path))
    found, wanted = cell.decoded_results(raw, tmp_path / made.output), list(cell.forecast(made, tmp_path))
    assert [r.mean.tolist() for r in found] == [r.mean.tolist() for r in wanted]
    assert [len(r.mean) for r in found] == [6, 2]


def test_drawn_panels_travel_too(tmp_path: Path) -> None:
    train = panel()
    raw = cell.execute(cloudpickle.dumps(Draw(generators.shuffle, {}, write_panel(train, tmp_path), 7)), str(tmp_path))
    wanted = generators.shuffle()
    wanted.fit(train, seed=7)
    assert cell.decoded_panel(raw, tmp_path / "out").fingerprint == wanted.sample(seed=7).fingerprint


class DrawsNothing:
    """A generator that does not give a panel."""

    def fit(self, train: Panel, *, seed: int) -> None:
        """Nothing to learn."""

    def sample(self, *, seed: int) -> Any:
        return np.zeros(3)


def test_a_generator_must_give_a_panel() -> None:
    with pytest.raises(ContractError, match="sample must return a Panel, got ndarray"):
        cell.draw(DrawsNothing(), panel(), 0)


@given(st.lists(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=9), min_size=1, max_size=8), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_the_scale_of_a_row_does_not_depend_on_the_others(rows: list[list[float]], context: int) -> None:
    made = Panel.of({str(i): r for i, r in enumerate(rows)})
    for scaling in ("mean-abs", "standard"):
        together: tuple[Floats, Floats, int] = location_and_scale(made, scaling, context, None)
        alone = [location_and_scale(made.take([i]), scaling, context, None) for i in range(len(made))]
        assert together[0].tolist() == [a[0][0] for a in alone]
        assert together[1].tolist() == [a[1][0] for a in alone]
        assert together[2] == sum(a[2] for a in alone)


def test_specs_of_the_host_are_forecasters() -> None:
    for spec in SPECS.values():
        assert isinstance(spec, ForecasterSpec)
        assert {"fit", "predict"} <= set(dir(spec.build()))
