"""What a sweep will be able to tell, before anything is fitted: the smallest gap to be expected, bin by bin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap.findings import Rules
from tsgap.gap import Clusters, Counts, lead_bins, log_ratio
from tsgap.panel import Floats, Panel
from tsgap.splits import Split

#: How wide the gap of a good source is in comparison with the relative error of the seasonal-naive forecast alone, of
#: which a part cancels between the arms: the median over sources, forecasters and bins of
#: `python tests/benchmarks/detectable.py`, which also shows how far single ones lie off.
SHARE = 0.6


@dataclass(frozen=True)
class Detectable:
    """The smallest gap to be expected at leads `first` to `last`, a log ratio, and what would bring it to the margin.

    `half` is an expectation, right to within a factor of about four: how alike the arms' errors are is known only
    after the sweep. `series` and `blocks` (of origins) are how many of them alone would be needed, infinite where
    more of them alone would not do.
    """

    first: int
    last: int
    half: float
    series: float
    blocks: float


def detectable(split: Split, horizon: int) -> tuple[tuple[Detectable, ...], Counts]:
    """What a sweep over these windows will be able to tell, and how many series and blocks of origins it rests on.

    The seasonal-naive forecast learns nothing: how far its errors differ between windows, series and origins is known
    at once. Bins without a pair have NaN.
    """
    season = split.data.seasons[0]
    places = lead_bins(horizon, season)
    errors = np.abs(split.truth[:, :horizon] - _last_season(split.histories(season), season, horizon))
    loss = errors / split.scales.mae[split.series][:, None]
    known = ~np.isnan(loss)

    def by_place(values: NDArray[Any]) -> Floats:
        return np.stack([values[:, first - 1 : last].sum(1) for first, last in places], axis=1)[None].astype(float)

    clusters = Clusters.of(split.series, split.blocks, np.zeros(1))
    # against the same mean error in every pair: what differs is chance
    found = log_ratio(by_place(np.where(known, loss, 0.0)), by_place(known)).estimated(clusters)
    there = [bool(known[:, first - 1 : last].any()) for first, last in places]
    half = np.where(there, SHARE * found.half(), np.nan)
    series, blocks, _ = found.needed(np.full(len(places), Rules().log_margin / SHARE))
    numbers = zip(half.tolist(), series.tolist(), blocks.tolist(), strict=True)
    return tuple(Detectable(*at, *of) for at, of in zip(places, numbers, strict=True)), clusters.counts


def _last_season(histories: Panel, season: int, horizon: int) -> Floats:
    """The last season of each history over and over (N, H); its last value where it is shorter than a season."""
    ahead = np.arange(horizon) % season
    return np.stack([y[ahead] if len(y) == season else np.full(horizon, y[-1]) for y in histories])
