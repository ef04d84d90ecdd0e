"""Elementwise losses: arrays in, arrays out, no averages; and the check that holds every loss to its spec."""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np

from tsgap.errors import ContractError
from tsgap.panel import Floats
from tsgap.protocols import MetricSpec


def absolute(truth: Floats, forecast: Floats, scale: Floats) -> Floats:
    """|truth − forecast|."""
    error = truth - forecast
    return np.abs(error, out=error)


def squared(truth: Floats, forecast: Floats, scale: Floats) -> Floats:
    """(truth − forecast)²."""
    error = truth - forecast
    return np.square(error, out=error)


def scaled_absolute(truth: Floats, forecast: Floats, scale: Floats) -> Floats:
    """|truth − forecast| / scale."""
    return absolute(truth, forecast, scale) / scale


def scaled_squared(truth: Floats, forecast: Floats, scale: Floats) -> Floats:
    """(truth − forecast)² / scale²."""
    error = (truth - forecast) / scale
    return np.square(error, out=error)


def percentage(truth: Floats, forecast: Floats, scale: Floats) -> Floats:
    """|truth − forecast| / |truth|, a fraction; NaN (left out) where the truth is exactly 0.

    >>> percentage(np.array([2.0, 0.0]), np.array([1.0, 1.0]), np.array(1.0)).tolist()
    [0.5, nan]
    """
    size = np.abs(truth)
    size[size == 0] = np.nan
    return absolute(truth, forecast, scale) / size


def symmetric_percentage(truth: Floats, forecast: Floats, scale: Floats) -> Floats:
    """2 |truth − forecast| / (|truth| + |forecast|), a fraction in [0, 2]; 0 where both are 0.

    >>> symmetric_percentage(np.array([0.0, 3.0]), np.array([0.0, 1.0]), np.array(1.0)).tolist()
    [0.0, 1.0]
    """
    size = np.abs(truth) + np.abs(forecast)
    size[size == 0] = 1.0
    return np.asarray(2 * absolute(truth, forecast, scale) / size)


def weighted_quantile(truth: Floats, quantiles: Floats, scale: Floats, levels: Floats) -> Floats:
    """2 × the pinball loss of each quantile, averaged over the levels, over `scale`.

    With the level 0.5 alone it is the absolute error. Koenker & Bassett (1978), Econometrica 46.

    >>> weighted_quantile(np.array([3.0]), np.array([[1.0, 2.0]]), np.array(1.0), np.array([0.1, 0.5])).tolist()
    [0.7]
    """
    error = truth[..., None] - quantiles
    return np.asarray(2 * np.maximum(levels * error, (levels - 1) * error).mean(-1) / scale)


METRICS = (
    MetricSpec("mae", "Mean absolute error.", absolute, units="data", gateable=True),
    MetricSpec("rmse", "Root mean squared error.", squared, aggregate="root-mean", units="data"),
    MetricSpec("mape", "Mean absolute percentage error, a fraction.", percentage, units="fraction", gateable=False),
    MetricSpec(
        "smape",
        "Symmetric mean absolute percentage error, in [0, 2].",
        symmetric_percentage,
        units="fraction",
        gateable=False,
    ),
    MetricSpec(
        "mase",
        "Mean absolute error over the seasonal-naive error of the real training part.",
        scaled_absolute,
        scaled="mae",
        units="seasonal-naive error",
    ),
    MetricSpec(
        "rmsse",
        "Root mean squared error over the seasonal-naive root mean squared error of the real training part.",
        scaled_squared,
        aggregate="root-mean",
        scaled="rmse",
        units="seasonal-naive error",
    ),
    MetricSpec(
        "wql",
        "Weighted quantile loss, the mean over the levels, over the seasonal-naive error of the real training part.",
        weighted_quantile,
        scaled="mae",
        units="seasonal-naive error",
        needs="quantiles",
    ),
)

#: Status of a forecaster without quantiles under a metric that needs them.
NO_QUANTILES = "no quantiles"

#: The longest reason why a metric failed, in characters.
REASON = 200


def losses(
    metric: MetricSpec, truth: Floats, forecast: Floats, scale: Floats, levels: tuple[float, ...] = ()
) -> Floats:
    """The losses of a metric (N, H), NaN where truth, forecast or denominator is missing, or it leaves a pair out.

    `truth` and `forecast` (N, H), `scale` (N,). For a metric that needs quantiles `forecast` are those of the `levels`
    (N, H, Q), NaN in all where one is missing; without them (N, H) every loss is NaN. Raises `ContractError`, one line,
    where the loss raises, gives anything but one number a pair, or a negative one although it is declared nonnegative
    or its root is taken.
    """
    if not truth.size:
        return np.empty(truth.shape)
    given = [_read_only(truth), _read_only(forecast), _read_only(scale[:, None])]
    if metric.needs == "quantiles":
        if forecast.shape != (*truth.shape, len(levels)) or not levels:
            return np.full(truth.shape, np.nan)
        given.append(_read_only(np.array(levels)))
        forecast = np.where(np.isnan(forecast).any(2), np.nan, 0.0)
    try:
        with np.errstate(all="ignore"):
            found = np.asarray(metric.loss(*given))
    except Exception as err:  # whatever a plugin raises is the metric's result
        told = " ".join("".join(traceback.format_exception_only(err)).split())
        raise ContractError(told[:REASON]) from err
    if found.shape != truth.shape or found.dtype.kind not in "fiub":
        raise ContractError(f"the loss of {truth.shape} pairs must be as many numbers, got {found.dtype} {found.shape}")
    known = found.astype(np.float64, copy=False)
    with np.errstate(all="ignore"):
        # a sum is finite only if nothing in it is missing
        whole = np.isfinite(truth.sum() + forecast.sum() + scale.sum())
    if not whole:
        known = np.where(np.isnan(truth) | np.isnan(forecast) | np.isnan(scale)[:, None], np.nan, known)
    if (metric.nonnegative or metric.aggregate == "root-mean") and not known.min() >= 0 and (known < 0).any():
        negative = known[known < 0]
        declared = "is declared nonnegative" if metric.nonnegative else "has its root taken"
        raise ContractError(f"a loss that {declared} is negative for {negative.size} pairs, first {negative[0]:.4g}")
    return known


def _read_only(values: Floats) -> Floats:
    view: Any = values.view()
    view.flags.writeable = False
    return view  # type: ignore[no-any-return]
