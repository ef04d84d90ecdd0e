"""Forecasts and specs refuse what breaks the contract when they are made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tsgap.errors import ContractError, PluginError
from tsgap.protocols import (
    DatasetSpec,
    DiagnosticSpec,
    Forecast,
    Forecaster,
    ForecasterSpec,
    Generator,
    GeneratorSpec,
    MetricSpec,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
def test_a_forecast_is_kept_in_double_precision(dtype: Any) -> None:
    made = Forecast(np.ones((2, 3), dtype=dtype))
    assert made.mean.dtype == np.float64
    assert made.mean.shape == (2, 3)


@pytest.mark.parametrize(
    "mean",
    [np.zeros(3), np.zeros((2, 3, 1)), np.array([["a"]]), np.array([[True]]), np.array([[1j]]), np.array([[{}]])],
)
def test_a_forecast_that_is_no_table_of_numbers_is_refused(mean: Any) -> None:
    with pytest.raises(ContractError, match=r"must be numbers \(N, H\), got"):
        Forecast(mean)


@pytest.mark.parametrize("row", [-1, 2])
def test_a_failed_row_must_be_there(row: int) -> None:
    with pytest.raises(ContractError, match=f"failed row {row} is outside of the 2 rows"):
        Forecast(np.zeros((2, 3)), {row: "why"})


def test_quantiles_have_one_entry_a_level() -> None:
    made = Forecast(np.zeros((2, 3)), quantiles=np.zeros((2, 3, 2), dtype=np.float32), quantile_levels=(0.1, 0.9))
    assert made.quantiles is not None
    assert made.quantiles.dtype == np.float64
    with pytest.raises(ContractError, match=r"must be \(2, 3, 1\), .* quantile_levels \(0.5,\), got \(2, 3, 2\)"):
        Forecast(np.zeros((2, 3)), quantiles=np.zeros((2, 3, 2)), quantile_levels=(0.5,))


@pytest.mark.parametrize("levels", [(0.0,), (1.0,), (0.9, 0.1), (0.5, 0.5)])
def test_quantile_levels_rise_between_0_and_1(levels: tuple[float, ...]) -> None:
    with pytest.raises(ContractError, match="quantile levels must rise"):
        Forecast(np.zeros((2, 3)), quantiles=np.zeros((2, 3, len(levels))), quantile_levels=levels)


def build() -> Any:
    """Stands for a forecaster's class."""


SPECS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "forecaster": (ForecasterSpec, {"build": build}, "build"),
    "generator": (GeneratorSpec, {"build": build}, "build"),
    "metric": (MetricSpec, {"loss": build}, "loss"),
    "diagnostic": (DiagnosticSpec, {"measure": build}, "measure"),
    "data set": (DatasetSpec, {"load": build, "card": build}, "load"),
}


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("name", ["", " a", "a ", "a b", "a:b", "a=b", "a,b", "a/b", "a\\b", "a\nb", None, 3])
def test_a_name_that_cannot_be_typed_is_refused(kind: str, name: Any) -> None:
    spec, given, _ = SPECS[kind]
    with pytest.raises(PluginError, match=f"a {kind}'s name must be words joined by '-'"):
        spec(name, "", **given)


@pytest.mark.parametrize("kind", SPECS)
def test_what_builds_must_be_callable(kind: str) -> None:
    spec, given, field = SPECS[kind]
    assert spec("a-name", "", **given).name == "a-name"
    with pytest.raises(PluginError, match=f"{kind} 'a-name': what builds it cannot be called"):
        spec("a-name", "", **(given | {field: "nothing"}))


@pytest.mark.parametrize(("field", "value"), [("transfer", "some"), ("scope", "series"), ("memory", "long")])
def test_transfer_scope_and_memory_are_one_of_a_few(field: str, value: str) -> None:
    with pytest.raises(PluginError, match=f"{field} is .* got '{value}'"):
        ForecasterSpec("a", "", build, **{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("field", "value"), [("aggregate", "median"), ("scaled", "mase")])
def test_a_metric_is_averaged_and_scaled_in_a_known_way(field: str, value: str) -> None:
    with pytest.raises(PluginError, match=f"{field} is .* got '{value}'"):
        MetricSpec("a", "", build, **{field: value})  # type: ignore[arg-type]


def test_the_least_history_is_a_number_or_a_function_of_seasons_and_horizon() -> None:
    assert ForecasterSpec("a", "", build, min_history=7).least_history((12,), 6) == 7
    assert ForecasterSpec("a", "", build, min_history=lambda m, h: 2 * m[0] + h).least_history((12,), 6) == 30


def test_protocols_are_known_by_their_methods() -> None:
    class Both:
        def fit(self) -> None: ...
        def predict(self) -> None: ...

    assert isinstance(Both(), Forecaster)
    assert not isinstance(Both(), Generator)
