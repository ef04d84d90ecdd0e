"""Elementwise losses: by hand, by their laws, and against two other libraries after the change of units."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tsgap
from tests.worlds import seasonal
from tsgap.errors import ContractError
from tsgap.metrics import METRICS, losses
from tsgap.panel import Floats
from tsgap.run import Run

BY_NAME = {m.name: m for m in METRICS}
NAMES = ("mae", "rmse", "mape", "smape", "mase", "rmsse")
ONE = np.array(1.0)
numbers = arrays(np.float64, 6, elements=st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6))


def loss(name: str, truth: Any, forecast: Any, scale: Floats = ONE) -> Floats:
    return BY_NAME[name].loss(np.asarray(truth, dtype=float), np.asarray(forecast, dtype=float), scale)


def test_the_metrics_are_these() -> None:
    assert set(BY_NAME) == {*NAMES, "wql"}
    assert {m.name for m in METRICS if m.scaled} == {"mase", "rmsse", "wql"}
    assert {m.name for m in METRICS if m.needs == "quantiles"} == {"wql"}
    assert {m.name for m in METRICS if not m.gateable} == {"mape", "smape"}


def test_losses_worked_by_hand() -> None:
    assert loss("mae", [1, 5], [3, 2]).tolist() == [2, 3]
    assert loss("rmse", [1, 5], [3, 2]).tolist() == [4, 9]
    assert loss("mase", [1, 5], [3, 2], np.array([2.0, 3.0])).tolist() == [1, 1]
    assert loss("rmsse", [1, 5], [3, 2], np.array([2.0, 3.0])).tolist() == [1, 1]
    assert loss("mape", [2, -4], [1, -5]).tolist() == [0.5, 0.25]
    assert loss("smape", [1, -1], [3, 1]).tolist() == [1.0, 2.0]


def test_a_zero_actual_is_left_out_of_mape_and_a_perfect_zero_costs_nothing_in_smape() -> None:
    assert np.isnan(loss("mape", [0.0], [0.0])).all()
    assert loss("mape", [1e-12], [0.0]).tolist() == [1.0]
    assert loss("smape", [0.0, 0.0], [0.0, 1.0]).tolist() == [0.0, 2.0]


def test_a_forecast_that_is_missing_has_no_loss_in_any_metric() -> None:
    for name in NAMES:
        assert np.isnan(loss(name, [1.0, np.nan], [np.nan, 1.0])).all(), name


@given(numbers, numbers, st.integers(-10, 10).map(lambda k: 2.0**k))
def test_units_scale_errors_and_leave_shares_alone(truth: Floats, forecast: Floats, c: float) -> None:
    near = {"rtol": 1e-9, "atol": 1e-300}
    np.testing.assert_allclose(loss("mae", c * truth, c * forecast), c * loss("mae", truth, forecast), **near)
    np.testing.assert_allclose(loss("rmse", c * truth, c * forecast), c**2 * loss("rmse", truth, forecast), **near)
    for name in ("mape", "smape"):
        np.testing.assert_allclose(loss(name, c * truth, c * forecast), loss(name, truth, forecast), **near)
    for name in ("mase", "rmsse"):
        scaled = loss(name, c * truth, c * forecast, np.array(2.0 * c))
        np.testing.assert_allclose(scaled, loss(name, truth, forecast, np.array(2.0)), **near)


@given(numbers, numbers, st.integers(-1000, 1000))
def test_errors_do_not_depend_on_the_level(truth: Floats, forecast: Floats, shift: int) -> None:
    for name in ("mae", "rmse", "mase", "rmsse"):
        moved = loss(name, truth + shift, forecast + shift)
        np.testing.assert_allclose(moved, loss(name, truth, forecast), rtol=1e-6, atol=1e-2)


@given(numbers, numbers)
def test_losses_are_never_negative_and_smape_is_at_most_two(truth: Floats, forecast: Floats) -> None:
    for name in NAMES:
        assert np.nanmin(loss(name, truth, forecast), initial=0.0) >= 0, name
        assert np.nanmax(loss(name, truth, truth), initial=0.0) == 0, name
    assert loss("smape", truth, forecast).max() <= 2
    np.testing.assert_array_equal(loss("smape", truth, forecast), loss("smape", forecast, truth))


LEVELS = np.array([0.1, 0.5, 0.8])


def quantile_loss(truth: Any, quantiles: Any, scale: Any = ONE, levels: Floats = LEVELS) -> Floats:
    return BY_NAME["wql"].loss(np.asarray(truth, dtype=float), np.asarray(quantiles, dtype=float), scale, levels)


def test_quantile_losses_worked_by_hand() -> None:
    # 2 × mean of 0.1·1, 0.5·0, 0.2·1 over a scale of 2
    assert quantile_loss([5.0], [[4.0, 5.0, 6.0]], np.array([2.0])).tolist() == pytest.approx([0.1])
    assert quantile_loss([5.0, 0.0], [[5.0] * 3] * 2)[0] == 0.0


@given(numbers, arrays(np.float64, (6, 3), elements=st.floats(-1e6, 1e6)), st.floats(0.1, 100))
def test_the_quantile_loss_is_the_pinball_loss_of_scikit_learn(truth: Floats, quantiles: Floats, scale: float) -> None:
    from sklearn.metrics import mean_pinball_loss

    quantiles = np.sort(quantiles, axis=1)
    theirs = np.mean([mean_pinball_loss(truth, quantiles[:, k], alpha=a) for k, a in enumerate(LEVELS)])
    ours = quantile_loss(truth, quantiles, np.array(scale))
    assert ours.shape == (6,)
    assert (ours >= 0).all()
    assert ours.mean() == pytest.approx(2 * theirs / scale, rel=1e-9, abs=1e-12)


@given(numbers, numbers)
def test_the_median_alone_costs_the_absolute_error(truth: Floats, forecast: Floats) -> None:
    found = quantile_loss(truth, forecast[:, None], levels=np.array([0.5]))
    np.testing.assert_allclose(found, np.abs(truth - forecast))


def test_a_pair_without_all_of_its_quantiles_has_no_loss_and_without_any_none_has_one() -> None:
    truth, quantiles = np.ones((2, 2)), np.ones((2, 2, 3))
    quantiles[0, 1, 2] = np.nan
    levels = (0.1, 0.5, 0.8)
    wql, scale = BY_NAME["wql"], np.array([1.0, np.nan])
    assert np.isnan(losses(wql, truth, quantiles, scale, levels)).tolist() == [[False, True], [True, True]]
    for given_levels in ((), (0.1, 0.9)):
        assert np.isnan(losses(wql, truth, quantiles, np.ones(2), given_levels)).all()
    assert np.isnan(losses(wql, truth, truth, np.ones(2), levels)).all()
    assert losses(BY_NAME["mae"], truth, truth, np.ones(2), levels).tolist() == [[0, 0], [0, 0]]
    forgiving = replace(wql, loss=lambda truth, quantiles, scale, levels: np.nanmean(quantiles, axis=-1) * scale)
    assert np.isnan(losses(forgiving, truth, quantiles, np.ones(2), levels)).tolist() == [[False, True], [False] * 2]


def test_a_quantile_loss_that_keeps_the_axis_of_the_levels_breaks_its_contract() -> None:
    bad = replace(BY_NAME["wql"], loss=lambda truth, quantiles, scale, levels: truth[..., None] - quantiles)
    with pytest.raises(ContractError, match="must be as many numbers"):
        losses(bad, np.ones((2, 2)), np.ones((2, 2, 3)), np.ones(2), (0.1, 0.5, 0.8))


REAL = seasonal(series=4, length=96)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small sweep on four monthly series, three windows of six steps."""
    out = tmp_path_factory.mktemp("metrics") / "run"
    return tsgap.sweep(
        REAL, "gen:stl-bootstrap", forecasters=["linear"], horizons=[1, 6], windows=3, out=out, jobs=0, null=False
    )


def arm(run: Run) -> pd.DataFrame:
    found = run.forecasts(source="stl-bootstrap")
    return found[found.arm == "synthetic"].rename(columns={"forecast": "model"})


def training(run: Run) -> pd.DataFrame:
    """What lies before the first cutoff."""
    first = pd.Timestamp(run.manifest["data"]["data"]["first_cutoff"])
    return REAL[REAL.ds <= first]


def test_figures_of_each_series_equal_those_of_utilsforecast(run: Run) -> None:
    oracle = pytest.importorskip("utilsforecast.losses", reason="comes with tsgap-statsforecast")
    forecasts, ours = arm(run), run.profile(NAMES, by="series").query("horizon == 6")
    frame = forecasts[["unique_id", "y", "model"]].assign(ds=np.arange(len(forecasts)))
    scaled = {"seasonality": 12, "train_df": training(run)}
    theirs = {
        "mae": oracle.mae(frame, models=["model"]),
        "rmse": oracle.rmse(frame, models=["model"]),
        "mape": oracle.mape(frame, models=["model"]),
        "smape": oracle.smape(frame, models=["model"]),
        "mase": oracle.mase(frame, models=["model"], **scaled),
        "rmsse": oracle.rmsse(frame, models=["model"], **scaled),
    }
    for name, found in theirs.items():
        unit = 2.0 if name == "smape" else 1.0  # utilsforecast's lies in [0, 1]
        mine = ours[ours.metric == name].set_index("unique_id").synthetic
        np.testing.assert_allclose(mine, unit * found.set_index("unique_id").model[mine.index], rtol=1e-12)
        assert len(mine) == 4


def test_figures_of_each_window_equal_those_of_darts(run: Run) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        darts = pytest.importorskip("darts", reason="comes with tsgap-darts")
        from darts import metrics
    one = arm(run).query("unique_id == 's0' and window == 0")
    before = training(run).query("unique_id == 's0'").y.to_numpy()
    start = len(before)

    def series(values: Any, start: int) -> Any:
        stamps = pd.RangeIndex(start, start + len(values))
        return darts.TimeSeries.from_times_and_values(stamps, np.asarray(values))

    truth, forecast, known = series(one.y, start), series(one.model, start), series(before, 0)
    theirs = {
        "mae": metrics.mae(truth, forecast),
        "rmse": metrics.rmse(truth, forecast),
        "mape": metrics.mape(truth, forecast) / 100,
        "smape": metrics.smape(truth, forecast) / 100,
        "mase": metrics.mase(truth, forecast, known, m=12),
        "rmsse": metrics.rmsse(truth, forecast, known, m=12),
    }
    for name, found in theirs.items():
        mine = run.errors(name, source="stl-bootstrap").query(
            "arm == 'synthetic' and unique_id == 's0' and window == 0"
        )
        mean = mine.loss.mean()
        assert (np.sqrt(mean) if BY_NAME[name].aggregate == "root-mean" else mean) == pytest.approx(found, rel=1e-12)


def test_the_profile_pools_what_the_series_say(run: Run) -> None:
    whole = run.profile(["mae", "rmse"]).query("horizon == 6").set_index("metric").synthetic
    parts = run.profile(["mae", "rmse"], by="series").query("horizon == 6").set_index("metric").synthetic
    assert whole["mae"] == pytest.approx(parts["mae"].mean())
    assert whole["rmse"] == pytest.approx(np.sqrt((parts["rmse"] ** 2).mean()))


def test_errors_are_the_forecasts_with_one_column_more(run: Run, tmp_path: Path) -> None:
    frame = run.errors("mape")
    pd.testing.assert_frame_equal(frame.drop(columns=["metric", "loss"]), run.forecasts())
    by_hand = (frame.y - frame.forecast).abs() / frame.y.abs()
    np.testing.assert_allclose(frame.loss, by_hand)
