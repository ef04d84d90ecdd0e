"""Elementwise losses: arrays in, arrays out, no averages; which aggregate each one takes stands in its spec."""

from __future__ import annotations

import numpy as np

from tsgap.panel import Floats
from tsgap.protocols import MetricSpec


def absolute(truth: Floats, forecast: Floats, scale: Floats) -> Floats:
    """|truth − forecast| / scale."""
    return np.abs(truth - forecast) / scale


def squared(truth: Floats, forecast: Floats, scale: Floats) -> Floats:
    """(truth − forecast)² / scale²."""
    return ((truth - forecast) / scale) ** 2


def percentage(truth: Floats, forecast: Floats, scale: Floats) -> Floats:
    """|truth − forecast| / |truth|, a fraction; NaN (left out) where the truth is exactly 0.

    >>> percentage(np.array([2.0, 0.0]), np.array([1.0, 1.0]), np.array(1.0)).tolist()
    [0.5, nan]
    """
    size = np.abs(truth)
    return np.abs(truth - forecast) / np.where(size > 0, size, np.nan)


def symmetric_percentage(truth: Floats, forecast: Floats, scale: Floats) -> Floats:
    """2 |truth − forecast| / (|truth| + |forecast|), a fraction in [0, 2]; 0 where both are 0.

    >>> symmetric_percentage(np.array([0.0, 3.0]), np.array([0.0, 1.0]), np.array(1.0)).tolist()
    [0.0, 1.0]
    """
    size = np.abs(truth) + np.abs(forecast)
    return 2 * np.abs(truth - forecast) / np.where(size > 0, size, 1.0)


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
        absolute,
        scaled="mae",
        units="seasonal-naive error",
    ),
    MetricSpec(
        "rmsse",
        "Root mean squared error over the seasonal-naive root mean squared error of the real training part.",
        squared,
        aggregate="root-mean",
        scaled="rmse",
        units="seasonal-naive error",
    ),
)
