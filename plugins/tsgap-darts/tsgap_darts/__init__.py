"""Forecasters of darts, offered to tsgap; darts and torch are imported when one is trained, not before."""

from __future__ import annotations

from collections.abc import Iterable

from tsgap.hookspecs import hookimpl
from tsgap.protocols import ForecasterSpec
from tsgap_darts.networks import dlinear, nhits, nlinear, tcn, tide, tsmixer
from tsgap_darts.quiet import requires
from tsgap_darts.regression import lightgbm, linear_regression, random_forest

TRAINING = {"steps": 300, "batch_size": 64, "lr": 0.001}

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
    ForecasterSpec(
        name="nlinear",
        summary="one linear layer on the context less its last value (darts, torch)",
        build=nlinear,
        params={"steps": 300, "batch_size": 64, "lr": 0.005},
        deterministic=False,
        requires=requires("darts", "torch"),
    ),
    ForecasterSpec(
        name="dlinear",
        summary="linear layers on moving average and remainder (darts, torch)",
        build=dlinear,
        params={"steps": 300, "batch_size": 64, "lr": 0.005, "kernel_size": 25},
        deterministic=False,
        requires=requires("darts", "torch"),
    ),
    ForecasterSpec(
        name="nhits",
        summary="N-HiTS, fully connected blocks at several rates (darts, torch)",
        build=nhits,
        params={**TRAINING, "layer_widths": 128, "dropout": 0.0, "instance_norm": True},
        deterministic=False,
        requires=requires("darts", "torch"),
    ),
    ForecasterSpec(
        name="tide",
        summary="TiDE, dense encoder and decoder (darts, torch)",
        build=tide,
        params={**TRAINING, "hidden_size": 64, "dropout": 0.0, "instance_norm": True},
        deterministic=False,
        requires=requires("darts", "torch"),
    ),
    ForecasterSpec(
        name="tsmixer",
        summary="TSMixer, layers that mix steps and features (darts, torch)",
        build=tsmixer,
        params={**TRAINING, "hidden_size": 32, "num_blocks": 2, "dropout": 0.0, "instance_norm": True},
        deterministic=False,
        requires=requires("darts", "torch"),
    ),
    ForecasterSpec(
        name="tcn",
        summary="dilated causal convolutions, recursive (darts, torch)",
        build=tcn,
        params={"steps": 300, "batch_size": 64, "lr": 0.002, "num_filters": 16, "kernel_size": 3, "dropout": 0.0},
        deterministic=False,
        requires=requires("darts", "torch"),
    ),
)


@hookimpl
def tsgap_forecasters() -> Iterable[ForecasterSpec]:
    """The forecasters of this distribution."""
    return SPECS
