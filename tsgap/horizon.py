"""From elementwise losses to profiles: the only place that averages over windows and leads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tsgap.panel import Floats, Ints
from tsgap.protocols import MetricSpec

By = Literal["horizon", "lead", "series"]


@dataclass(frozen=True)
class Point:
    """The figures of one horizon, lead or series.

    `values` one figure for each of the arms compared, over the pairs that all of them have; NaN where there is none.
    `n_used` of `n_total` (window, lead) pairs went into them.
    """

    at: int
    values: tuple[float, ...]
    n_used: int
    n_total: int


def pooled(
    metric: MetricSpec,
    truth: Floats,
    scale: Floats,
    arms: Sequence[Sequence[Floats]],
    slices: Iterator[tuple[int, tuple[slice | Ints, slice]]],
) -> list[Point]:
    """One figure an arm and slice, over the (window, lead) pairs common to all arms.

    `truth` (N, H), NaN where missing; `scale` (N,), the metric's denominators (NaN: the series is left out); each
    arm is its replicates' forecasts (N, H′), averaged loss by loss; `slices` select rows and leads. A pair counts
    where the truth is known and every replicate of every arm has a forecast.
    """
    horizon = truth.shape[1]
    losses = [
        np.mean([metric.loss(truth, _wide(f, horizon), scale[:, None]) for f in forecasts], axis=0)
        for forecasts in arms
    ]
    common: NDArray[np.bool_] = np.logical_and.reduce([np.isfinite(loss) for loss in losses])
    out = []
    for at, where in slices:
        used = common[where]
        n = int(used.sum())
        means = [float(loss[where][used].mean()) if n else float("nan") for loss in losses]
        values = [np.sqrt(m) if metric.aggregate == "root-mean" else m for m in means]
        out.append(Point(at, tuple(float(v) for v in values), n, int(used.size)))
    return out


def _wide(forecast: Floats, horizon: int) -> Floats:
    """(N, H′) filled up to (N, H) with NaN: leads that were not taught have no forecast."""
    if forecast.shape[1] == horizon:
        return forecast
    out = np.full((len(forecast), horizon), np.nan)
    out[:, : forecast.shape[1]] = forecast
    return out


def slices(by: By, horizons: Sequence[int], series: Ints) -> Iterator[tuple[int, tuple[slice | Ints, slice]]]:
    """The selections of a profile: cumulative 1..h (`horizon`), h alone (`lead`), or one series at a time."""
    everything = slice(None)
    if by == "horizon":
        for h in horizons:
            yield h, (everything, slice(0, h))
    elif by == "lead":
        for h in range(1, max(horizons) + 1):
            yield h, (everything, slice(h - 1, h))
    else:
        bounds = np.flatnonzero(np.diff(series)) + 1
        for rows in np.split(np.arange(len(series)), bounds):
            yield int(series[rows[0]]), (slice(int(rows[0]), int(rows[-1]) + 1), slice(0, max(horizons)))
