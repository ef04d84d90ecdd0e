"""Forecasters of darts, offered to tsgap; darts and torch are imported when one is trained, not before."""

from __future__ import annotations

from collections.abc import Iterable

from tsgap.hookspecs import hookimpl
from tsgap.protocols import ForecasterSpec
from tsgap_darts.quiet import requires
from tsgap_darts.regression import lightgbm, linear_regression, random_forest

SPECS = (
    ForecasterSpec(
        name="linear-regression",
        summary="least squares on lagged values, all leads at once (darts)",
        build=linear_regression,
        params={"recursive": False, "max_windows": 100_000},
        requires=requires("darts"),
    ),
    ForecasterSpec(
        name="random-forest",
        summary="random forest on lagged values, recursive (darts)",
        build=random_forest,
        params={"trees": 50, "max_depth": 12, "min_leaf": 5, "max_windows": 5_000},
        deterministic=False,
        requires=requires("darts"),
    ),
    ForecasterSpec(
        name="lightgbm",
        summary="gradient boosting on lagged values, recursive (darts, LightGBM)",
        build=lightgbm,
        params={"trees": 100, "leaves": 31, "lr": 0.1, "max_windows": 20_000},
        requires=requires("darts", "lightgbm"),
    ),
)


@hookimpl
def tsgap_forecasters() -> Iterable[ForecasterSpec]:
    """The forecasters of this distribution."""
    return SPECS
