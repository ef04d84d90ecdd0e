"""darts' regression models on lagged values: linear regression, random forest, LightGBM."""

from __future__ import annotations

from typing import Any

from tsgap.panel import Panel
from tsgap_darts.forecaster import DartsForecaster, positive, series_of, whole
from tsgap_darts.quiet import Needed
from tsgap_darts.windows import Windows

#: Histories a matrix product gets at a time.
BLOCK = 256

LINEAR = Needed("darts.models.forecasting.linear_regression_model", "LinearRegressionModel", ("darts",))
FOREST = Needed("darts.models.forecasting.random_forest", "RandomForestModel", ("darts",))
LIGHTGBM = Needed("darts.models.forecasting.lgbm", "LightGBMModel", ("darts", "lightgbm"))


def _fitted(model: Any, train: Panel, windows: Windows, max_windows: int) -> Any:
    rows, latest = windows.capped(max_windows)
    return model.fit(series_of([train[row] for row in rows]), max_samples_per_ts=latest)


def linear_regression(*, recursive: bool = False, max_windows: int = 100_000) -> DartsForecaster:
    """Least squares on the last `context` values: all leads at once, or one lead fed back if `recursive`."""
    name = "linear-regression"
    most = whole(name, "max_windows", max_windows)

    def learn(model: Any, train: Panel, windows: Windows, seed: int, levels: tuple[float, ...]) -> Any:
        return _fitted(model(lags=windows.context, output_chunk_length=windows.leads), train, windows, most)

    return DartsForecaster(name, LINEAR, learn, recursive=bool(recursive), block=BLOCK)


def random_forest(
    *, trees: int = 50, max_depth: int = 12, min_leaf: int = 5, max_windows: int = 5_000
) -> DartsForecaster:
    """A random forest of `trees` trees that forecasts one lead and feeds it back."""
    name = "random-forest"
    settings = {
        "n_estimators": whole(name, "trees", trees),
        "max_depth": whole(name, "max_depth", max_depth),
        "min_samples_leaf": whole(name, "min_leaf", min_leaf),
        "max_features": 1 / 3,
        "n_jobs": 1,
    }
    most = whole(name, "max_windows", max_windows)

    def learn(model: Any, train: Panel, windows: Windows, seed: int, levels: tuple[float, ...]) -> Any:
        forest = model(lags=windows.context, output_chunk_length=1, random_state=seed % 2**32, **settings)
        return _fitted(forest, train, windows, most)

    return DartsForecaster(name, FOREST, learn, recursive=True, block=None)


def lightgbm(*, trees: int = 100, leaves: int = 31, lr: float = 0.1, max_windows: int = 20_000) -> DartsForecaster:
    """Gradient boosting by LightGBM that forecasts one lead and feeds it back."""
    name = "lightgbm"
    settings = {
        "n_estimators": whole(name, "trees", trees),
        "num_leaves": whole(name, "leaves", leaves, least=2),
        "learning_rate": positive(name, "lr", lr),
    }
    most = whole(name, "max_windows", max_windows)

    def learn(model: Any, train: Panel, windows: Windows, seed: int, levels: tuple[float, ...]) -> Any:
        boosting = model(
            lags=windows.context,
            output_chunk_length=1,
            random_state=seed % 2**31,
            n_jobs=1,
            verbose=-1,
            deterministic=True,
            force_row_wise=True,
            subsample_for_bin=max(most, 200_000),
            **settings,
        )
        return _fitted(boosting, train, windows, most)

    return DartsForecaster(name, LIGHTGBM, learn, recursive=True, block=None)
