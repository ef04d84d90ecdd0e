"""What is offered: nothing is estimated on a history, the library's own law holds, failures stay where they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from statsforecast_series import SEASON, panel, scaled, seasonal_series
from tsgap_statsforecast import REFUSED, air_passengers, models, tsgap_datasets, tsgap_forecasters
from tsgap_statsforecast.states import ets_forecast, theta_forecast

from tsgap.errors import ForecastError, UsageError
from tsgap.local import LocalForecaster
from tsgap.panel import Panel
from tsgap.plugins import choose_forecaster
from tsgap.protocols import Forecaster

SPECS = {spec.name: spec for spec in tsgap_forecasters() if not spec.refused}
SEASONS = (SEASON,)


@pytest.fixture
def optimiser_calls(monkeypatch):
    """Every call of an optimiser that statsforecast's models have, by name."""
    from statsforecast import arima, ces, ets, theta

    calls: list[str] = []

    def spy_on(owner, attribute, name):
        real = getattr(owner, attribute)

        def spy(*args, **options):
            calls.append(name)
            return real(*args, **options)

        monkeypatch.setattr(owner, attribute, spy)

    for module, name in ((ets._ets, "ets"), (ces._ces, "ces"), (theta._theta, "theta")):
        spy_on(module, "optimize", name)
        spy_on(module, "optimize_dist", name)
    spy_on(arima, "minimize", "arima")
    return calls


OPTIMISER = {
    "auto-ets": "ets",
    "holt-winters": "ets",
    "mstl": "ets",
    "auto-theta": "theta",
    "dynamic-optimized-theta": "theta",
    "auto-ces": "ces",
    "arima": "arima",
    "auto-arima": "arima",
}


@pytest.mark.parametrize("name", SPECS)
def test_an_optimiser_runs_in_training_and_none_runs_on_a_history(name, optimiser_calls):
    forecaster = SPECS[name].build()
    train = panel([seasonal_series(60, seed=i) for i in range(3)])
    forecaster.fit(train, horizon=6, context=None, seed=0)
    assert set(optimiser_calls) == {OPTIMISER[name]}
    assert len(optimiser_calls) >= 3

    optimiser_calls.clear()
    rows = {
        "s0": scaled(seasonal_series(80, seed=9, phase=4)),
        "short": scaled(seasonal_series(24, seed=9, phase=4)),
        "constant": np.ones(40),
        "zero": np.zeros(40),
        "new": scaled(seasonal_series(80, seed=9, phase=4)),
    }
    forecast = forecaster.predict(Panel.of(rows, seasons=SEASONS), horizon=6)
    assert optimiser_calls == []
    assert not set(forecast.failed) & {0, 1, 4}


def test_the_spy_sees_that_forward_would_optimise_on_a_constant_history(optimiser_calls):
    from statsforecast.models import AutoETS

    model = AutoETS(season_length=SEASON, model="ANA").fit(scaled(seasonal_series(60, seed=0)))
    optimiser_calls.clear()
    model.forward(y=np.ones(40), h=3)
    assert optimiser_calls == ["ets"]


def library_model(name):
    from statsforecast.models import (
        ARIMA,
        MSTL,
        AutoARIMA,
        AutoCES,
        AutoETS,
        AutoTheta,
        DynamicOptimizedTheta,
        HoltWinters,
    )

    return {
        "auto-ets": lambda: AutoETS(season_length=SEASON),
        "holt-winters": lambda: HoltWinters(season_length=SEASON),
        "auto-theta": lambda: AutoTheta(season_length=SEASON),
        "dynamic-optimized-theta": lambda: DynamicOptimizedTheta(season_length=SEASON),
        "auto-ces": lambda: AutoCES(season_length=SEASON),
        "mstl": lambda: MSTL(season_length=SEASON, trend_forecaster=AutoETS(model="ZZN")),
        "arima": lambda: ARIMA(order=(1, 1, 1), season_length=SEASON, seasonal_order=(0, 1, 1)),
        "auto-arima": lambda: AutoARIMA(
            season_length=SEASON, approximation=True, nmodels=10, max_p=2, max_q=2, max_P=1, max_Q=1
        ),
    }[name]()


def from_its_own_start(name, model, y):
    """The adapter's forecast of the training series itself, from the states that the optimiser found for it."""
    if name in ("auto-ets", "holt-winters"):
        return ets_forecast(model, y, horizon=15, states=model["par"][4:])
    if name in ("auto-theta", "dynamic-optimized-theta"):
        return theta_forecast(model, y, horizon=15, level=model["par"]["initial_smoothed"])
    if name == "mstl":
        seasons, trend = model
        rest, ahead = models._without_seasons(y, seasons, 15)
        return ets_forecast(trend, rest, horizon=15, states=trend["par"][4:]) + ahead
    return SPECS[name].build().forecast_series(model, y, horizon=15)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("seed", [0, 1])
def test_forecasting_the_training_series_from_its_own_start_is_what_the_library_predicts(name, seed):
    y = scaled(seasonal_series(75, seed=seed))
    ours = SPECS[name].build().fit_series(y.copy(), seasons=SEASONS, horizon=15, seed=0)
    theirs = library_model(name).fit(y.copy()).predict(h=15)["mean"]
    np.testing.assert_allclose(from_its_own_start(name, ours, y), theirs, rtol=1e-10)


def test_several_seasons_are_all_taken_out():
    from statsforecast.models import MSTL, AutoETS

    rng = np.random.default_rng(3)
    t = np.arange(150)
    y = 5 + np.sin(2 * np.pi * t / 7) + np.cos(2 * np.pi * t / 30) + rng.normal(size=150) * 0.1
    theirs = MSTL(season_length=[7, 30], trend_forecaster=AutoETS(model="ZZN")).fit(y).predict(h=40)["mean"]
    seasons, trend = models.MSTL().fit_series(y.copy(), seasons=(7, 30), horizon=40, seed=0)
    rest, ahead = models._without_seasons(y, seasons, 40)
    np.testing.assert_allclose(ets_forecast(trend, rest, horizon=40, states=trend["par"][4:]) + ahead, theirs)


@pytest.mark.parametrize("name", sorted(set(SPECS) - {"auto-arima"}))
def test_a_history_without_noise_is_continued_wherever_in_the_season_it_starts(name):
    train = panel([seasonal_series(96, seed=i, level=0.01) for i in range(3)])
    exact = 40 + 8 * np.sin(2 * np.pi * np.arange(5, 100) / SEASON)
    forecaster = SPECS[name].build()
    forecaster.fit(train, horizon=SEASON, context=None, seed=0)
    history = Panel.of({"s1": exact[:60] / 40, "new": exact[:60] / 40}, seasons=SEASONS)
    forecast = forecaster.predict(history, horizon=SEASON)
    np.testing.assert_allclose(
        forecast.mean * 40, np.tile(exact[60:72], (2, 1)), atol=1.5 if name == "auto-ces" else 0.5
    )


def test_theta_takes_the_season_from_the_history_only_where_training_found_one():
    rng = np.random.default_rng(1)
    seasonal = scaled(seasonal_series(96, seed=0))
    seasonless = scaled(10 + rng.normal(size=96))
    history = Panel.of({"s0": scaled(seasonal_series(96, seed=5, noise=0.1))}, seasons=SEASONS)
    spread = []
    for train in (seasonal, seasonless):
        forecaster = models.AutoTheta()
        forecaster.fit(Panel.of({"s0": train}, seasons=SEASONS), horizon=12, context=None, seed=0)
        spread.append(float(np.ptp(forecaster.predict(history, horizon=12).mean)))
    assert spread[0] > 0.4
    assert spread[1] < 0.1


def test_theta_adds_the_season_where_a_history_is_not_positive():
    forecaster = models.AutoTheta()
    forecaster.fit(panel([seasonal_series(96, seed=0)]), horizon=12, context=None, seed=0)
    assert forecaster._models["s0"]["decomposition_type"] == "multiplicative"
    exact = np.sin(2 * np.pi * np.arange(84) / SEASON)
    forecast = forecaster.predict(Panel.of({"s0": exact[:72]}, seasons=SEASONS), horizon=12)
    np.testing.assert_allclose(forecast.mean[0], exact[72:], atol=0.05)


def test_a_series_that_cannot_be_fitted_stays_alone_with_its_reason():
    rows = [seasonal_series(60, seed=i) for i in range(3)]
    train = Panel.of(
        {"a": scaled(rows[0]), "constant": np.ones(60), "b": scaled(rows[1]), "short": np.arange(5.0)}, seasons=SEASONS
    )
    forecaster = models.AutoCES()
    forecaster.fit(train, horizon=6, context=None, seed=0)
    history = Panel.of({k: scaled(rows[2]) for k in ("a", "constant", "b", "short", "new")}, seasons=SEASONS)
    forecast = forecaster.predict(history, horizon=6)
    assert forecast.failed == {
        1: "its training series could not be fitted: a constant series teaches complex exponential smoothing nothing",
        3: "its training series could not be fitted: 5 values are too few, it needs 24",
    }
    assert np.isfinite(forecast.mean[[0, 2, 4]]).all()


def test_multiplicative_training_and_a_history_with_zeros_is_a_reason_and_not_another_model():
    forecaster = models.HoltWinters(error="M")
    forecaster.fit(panel([seasonal_series(60, seed=0)]), horizon=6, context=None, seed=0)
    with_zero = scaled(np.maximum(seasonal_series(60, seed=1) - 8, 0))
    forecast = forecaster.predict(Panel.of({"s0": with_zero}, seasons=SEASONS), horizon=6)
    assert list(forecast.failed) == [0]
    assert "ultiplicative" in forecast.failed[0]


@pytest.mark.parametrize("name", ["auto-ets", "arima"])
def test_the_pool_is_the_median_of_its_models(name):
    forecaster = SPECS[name].build()
    assert isinstance(forecaster, LocalForecaster)
    rows = [scaled(seasonal_series(60, seed=i)) for i in range(5)]
    forecaster.fit(panel(rows), horizon=6, context=None, seed=0)
    y = scaled(seasonal_series(70, seed=30, phase=3))
    forecast = forecaster.predict(Panel.of({"new": y, "s3": y}, seasons=SEASONS), horizon=6)
    each = [forecaster.forecast_series(m, y.copy(), horizon=6) for m in forecaster._models.values()]
    np.testing.assert_array_equal(forecast.mean[0], np.median(each, axis=0))
    np.testing.assert_array_equal(forecast.mean[1], each[3])


def test_a_panel_without_a_season_has_no_seasonal_part():
    y = np.cumsum(np.random.default_rng(0).normal(size=60)) + 30
    fitted = models.ARIMA(p=0, d=1, q=1).fit_series(y, seasons=(1,), horizon=3, seed=0)
    assert list(fitted.model_["coef"]) == ["ma1"]


@pytest.mark.parametrize("name", ["holt-winters", "mstl"])
def test_a_model_that_is_all_season_says_so_on_a_panel_without_one(name):
    with pytest.raises(ForecastError, match="longer than 1 step"):
        SPECS[name].build().fit(Panel.of({"a": np.arange(40.0)}), horizon=3, context=None, seed=0)


def test_parameters_reach_the_model():
    y = scaled(seasonal_series(75, seed=0))
    assert models.AutoETS(model="AAN").fit_series(y, seasons=SEASONS, horizon=3, seed=0)["components"][:3] == "AAN"
    assert models.HoltWinters(error="M").fit_series(y, seasons=SEASONS, horizon=3, seed=0)["components"][:3] == "MAM"
    orders = {"p": 2, "d": 0, "q": 0, "P": 1, "D": 0, "Q": 0}
    fitted = models.ARIMA(**orders).fit_series(y, seasons=SEASONS, horizon=3, seed=0)
    assert list(fitted.model_["coef"]) == ["ar1", "ar2", "sar1", "intercept"]


@pytest.mark.parametrize(
    ("build", "params"),
    [
        (models.AutoETS, {"model": "ZZ"}),
        (models.AutoETS, {"model": "XYZ"}),
        (models.HoltWinters, {"error": "Z"}),
        (models.ARIMA, {"p": -1}),
        (models.ARIMA, {"Q": 0.5}),
    ],
)
def test_parameters_that_make_no_sense_are_refused_when_it_is_built(build, params):
    with pytest.raises(UsageError, match=next(iter(params))):
        build(**params)


@pytest.mark.parametrize("seasons", [(1,), (2,), (3,), (4,), (7,), (12,), (7, 30)])
@pytest.mark.parametrize("name", sorted(set(SPECS) - {"auto-arima"}))
def test_the_least_history_is_enough(name, seasons):
    if seasons == (1,) and name in ("holt-winters", "mstl"):
        pytest.skip("has nothing to forecast without a season")
    n = SPECS[name].least_history(seasons, 6)
    rows = {}
    for i in range(2):
        rng = np.random.default_rng(i)
        rows[f"s{i}"] = scaled(10 + 2 * np.sin(2 * np.pi * np.arange(n) / max(seasons[0], 2)) + rng.normal(size=n) / 2)
    forecaster = SPECS[name].build()
    train = Panel.of(rows, seasons=seasons)
    forecaster.fit(train, horizon=6, context=None, seed=0)
    forecast = forecaster.predict(Panel.of({"s0": rows["s1"], "s1": rows["s0"]}, seasons=seasons), horizon=6)
    assert not forecast.failed


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_cannot_carry_parameters_over_are_refused_with_the_reason(name):
    with pytest.raises(UsageError, match="would say nothing about the training data"):
        choose_forecaster(name)


def test_what_is_refused_cannot_be_built_either():
    spec = next(spec for spec in tsgap_forecasters() if spec.name == "croston-classic")
    assert "For intermittent data use" in spec.refused
    with pytest.raises(ForecastError, match="cannot carry over"):
        spec.build()


def test_specs_are_local_learned_and_build_forecasters():
    assert len(SPECS) == 8
    for spec in SPECS.values():
        assert (spec.scope, spec.transfer, spec.deterministic) == ("local", "learned", True)
        assert isinstance(spec.build(**spec.params), Forecaster)


def test_asking_for_quantiles_gives_none():
    forecaster = models.DynamicOptimizedTheta()
    forecaster.fit(panel([seasonal_series(60, seed=0)]), horizon=3, context=None, seed=0)
    history = panel([seasonal_series(60, seed=1)])
    assert forecaster.predict(history, horizon=3, quantile_levels=(0.1, 0.9)).quantiles is None


def test_the_plugin_itself_imports_neither_statsforecast_nor_pandas():
    code = (
        "import sys, tsgap_statsforecast as t; list(t.tsgap_forecasters()); list(t.tsgap_datasets());"
        "print(sorted({'pandas', 'statsforecast', 'statsmodels', 'scipy'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_airline_passengers_are_a_long_frame():
    frame = air_passengers()
    assert list(frame.columns) == ["unique_id", "ds", "y"]
    assert (len(frame), frame["y"].sum(), set(frame["unique_id"])) == (144, 40363.0, {"AirPassengers"})
    (spec,) = tsgap_datasets()
    assert spec.name == "air_passengers"


def test_the_readme_lists_what_is_offered_with_its_parameters():
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    table = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| `")]
    told = {}
    for names, params in table:
        for name in names.split(","):
            told[name.strip(" `")] = params.strip(" `")
    assert told == {n: ", ".join(f"{k}={v}" for k, v in spec.params.items()) for n, spec in SPECS.items()}


def test_the_card_of_the_airline_passengers_is_there():
    (spec,) = tsgap_datasets()
    assert "air_passengers" in spec.card()
