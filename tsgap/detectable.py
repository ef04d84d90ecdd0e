"""What a sweep will be able to tell, before anything is fitted: the smallest gap to be expected, bin by bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsgap.gap import Clusters, Counts, lead_bins, log_ratio
from tsgap.gate import Rules
from tsgap.panel import Floats, Panel
from tsgap.splits import Split

#: How wide the gap of a good source is in comparison with the ratio of two forecasts that learn nothing: the median
#: over forecasters and bins of `python tests/benchmarks/detectable.py`, which also shows how far single ones lie off.
SHARE = 0.5


@dataclass(frozen=True)
class Detectable:
    """The smallest gap to be expected at leads `first` to `last`, a log ratio, and what would bring it to the margin.

    `half` is an expectation, right to within a factor of about three: how alike the arms' errors are is known only
    after the sweep. `series` and `blocks` (of origins) are how many of them alone would be needed, infinite where
    more of them alone would not do.
    """

    first: int
    last: int
    half: float
    series: float
    blocks: float


def detectable(split: Split, horizon: int, *, margin: float = Rules().margin) -> tuple[tuple[Detectable, ...], Counts]:
    """What a sweep over these windows will be able to tell, and how many series and blocks of origins it rests on.

    Two forecasts that learn nothing, the last season and the mean of the last two, are scored on the windows: the
    interval of their ratio is as wide as the windows, series and origins make it. Bins without a pair have NaN.
    """
    season = split.data.seasons[0]
    places = lead_bins(horizon, season)
    truth, scale = split.truth[:, :horizon], split.scales.mae[split.series][:, None]
    histories = split.histories(2 * season)
    losses = [np.abs(truth - _last_seasons(histories, season, horizon, n)) / scale for n in (1, 2)]
    known = ~np.logical_or.reduce([np.isnan(one) for one in losses])
    summed = [
        np.stack([np.where(known, one, 0.0)[:, first - 1 : last].sum(1) for first, last in places], axis=1)[None]
        for one in losses
    ]
    clusters = Clusters.of(split.series, split.blocks, np.zeros(1))
    found = log_ratio(summed[1], summed[0]).estimated(clusters)
    half = SHARE * found.half()
    series, blocks, _ = found.needed(np.full(len(places), np.log1p(margin) / SHARE))
    there = np.any(summed[0] > 0, axis=(0, 1))
    half = np.where(there, half, np.nan)
    return tuple(
        Detectable(*place, *(float(x[i]) for x in (half, series, blocks))) for i, place in enumerate(places)
    ), clusters.counts


def _last_seasons(histories: Panel, season: int, horizon: int, n: int) -> Floats:
    """The mean of the last `n` seasons that are there, over and over (N, H); the last value where there is none."""
    out = np.empty((len(histories), horizon))
    ahead = np.arange(horizon) % season
    lengths = np.asarray(histories.lengths)
    for i, y in enumerate(histories):
        seasons = min(n, int(lengths[i]) // season)
        out[i] = y[len(y) - seasons * season :].reshape(seasons, season).mean(0)[ahead] if seasons else y[-1]
    return out
