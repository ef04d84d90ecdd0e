"""Forecasters of darts, offered to tsgap; darts and torch are imported when one is trained, not before."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable

from tsgap.hookspecs import hookimpl
from tsgap.protocols import ForecasterSpec, Memory
from tsgap_darts.forecaster import DartsForecaster
from tsgap_darts.networks import dlinear, nhits, nlinear, tcn, tide, tsmixer
from tsgap_darts.quiet import requires
from tsgap_darts.regression import lightgbm, linear_regression, random_forest


def _spec(
    name: str,
    build: Callable[..., DartsForecaster],
    summary: str,
    *packages: str,
    memory: Memory,
    deterministic: bool = False,
) -> ForecasterSpec:
    params = {parameter.name: parameter.default for parameter in inspect.signature(build).parameters.values()}
    return ForecasterSpec(
        name,
        summary,
        build,
        params,
        deterministic=deterministic,
        requires=requires("darts", *packages),
        memory=memory,
    )


#: Every forecaster of this distribution. Only darts models that never fit on the history they forecast stand here.
SPECS = (
    _spec(
        "linear-regression",
        linear_regression,
        "Least squares on lagged values, all leads at once (darts).",
        memory="linear",
        deterministic=True,
    ),
    _spec("random-forest", random_forest, "Random forest on lagged values, lead by lead (darts).", memory="nonlinear"),
    _spec(
        "lightgbm",
        lightgbm,
        "Gradient boosting on lagged values, lead by lead (darts, LightGBM).",
        "lightgbm",
        memory="nonlinear",
        deterministic=True,
    ),
    _spec(
        "nlinear",
        nlinear,
        "One linear layer on the context less its last value (darts, torch).",
        "torch",
        memory="linear",
    ),
    _spec(
        "dlinear", dlinear, "Linear layers on the moving average and the rest (darts, torch).", "torch", memory="linear"
    ),
    _spec(
        "nhits",
        nhits,
        "N-HiTS: fully connected blocks at several sampling rates (darts, torch).",
        "torch",
        memory="nonlinear",
    ),
    _spec("tide", tide, "TiDE: dense encoder and decoder (darts, torch).", "torch", memory="nonlinear"),
    _spec(
        "tsmixer",
        tsmixer,
        "TSMixer: layers that mix steps and features in turn (darts, torch).",
        "torch",
        memory="nonlinear",
    ),
    _spec("tcn", tcn, "Dilated causal convolutions, lead by lead (darts, torch).", "torch", memory="nonlinear"),
)


@hookimpl
def tsgap_forecasters() -> Iterable[ForecasterSpec]:
    """The forecasters of this distribution."""
    return SPECS
