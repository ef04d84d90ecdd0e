"""Groups that nobody has to name: series by volume and seasonality, windows by their peaks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap import covered
from tsgap.arms import TrainingSet
from tsgap.panel import Floats, Ints, Panel, digest
from tsgap.ragged import gathered
from tsgap.splits import Split
from tsgap.store import Store

#: The grouping that is in the units of the data.
VOLUME = "volume"
#: Names of the thirds of all series, by their figure in the real training part.
THIRDS = ("low", "middle", "high")
#: Where a series has too little for a figure.
UNTOLD = "not told"
#: Names of windows without and with a peak.
PEAKS = ("no peak", "peak")
#: Of stretches of the real training part so many have no peak.
QUANTILE = 0.75
#: Fewest steps that are looked at for a peak, and fewest seasons that show how strong a season is.
STEPS, SEASONS = 4, 3
#: Changed with what groups hold.
VERSION = 1


@dataclass(frozen=True, eq=False)
class Parting:
    """What puts the series, or the windows, of a data set into groups; `limits` are those of the real training part."""

    name: str
    of: str
    names: tuple[str, ...]
    limits: tuple[float, ...]


def written(
    split: Split,
    synthetic: Mapping[str, TrainingSet],
    store: Store,
    *,
    seed: int,
    normalised: Collection[str] = (),
) -> dict[str, Any]:
    """Put the automatic groups of a data set in tables; what the manifest says of them.

    `synthetic` are training sets by the name of their source, of which the first draw is looked at; those of
    `normalised` sources have lost their units, and no share of them has a volume. Volume is the
    mean |y| of the training part of a series, seasonality how much of its variance around the running mean of a
    season the means of the seasons' steps explain (adjusted R²); thirds by the quantiles of the real series. A window
    has a peak *before* it where the last season (at least `STEPS` values) of its history has a value so far above the
    mean of the series' training part, in its standard deviations, as three quarters of the stretches of the real
    training part have none; a peak *within* it where its truth has, among stretches of its horizon. Those are known
    only afterwards: it is what users mean by peaks, and both arms forecast the same ones.
    """
    import pyarrow as pa

    name = f"groups-{digest(split.fingerprint, VERSION)}"
    figures = _figures(split.train)
    partings = list(_partings(split, figures))
    labels = {parting.name: _labels(parting, split, figures) for parting in partings}
    store.write_table(name, pa.table({of: pa.array(list(values)) for of, values in labels.items()}))
    return {
        "table": name,
        "groupings": [{"name": parting.name, "of": parting.of, "groups": list(parting.names)} for parting in partings],
        "real": _shares_in(partings, split.train, figures),
        "synthetic": {
            source: _of_columns(split, one)
            | _shares_in(
                [parting for parting in partings if parting.name != VOLUME or source not in normalised],
                one.panel,
                _figures(one.panel),
            )
            for source, one in synthetic.items()
        },
        "covered": {source: covered.written(split, one, store, seed=seed) for source, one in synthetic.items()},
    }


def _shares_in(partings: Sequence[Parting], panel: Panel, figures: Mapping[str, Floats]) -> dict[str, dict[str, float]]:
    """The share of the series of a panel in each group of every parting."""
    return {parting.name: _shares(parting, panel, figures) for parting in partings}


def _partings(split: Split, figures: Mapping[str, Floats]) -> Iterator[Parting]:
    train = split.train
    for name in (VOLUME, "seasonality"):
        known = figures[name][np.isfinite(figures[name])]
        if len(known):
            yield Parting(name, "series", (*THIRDS, UNTOLD), tuple(np.quantile(known, (1 / 3, 2 / 3)).tolist()))
    for name, width in (("peak before", max(STEPS, train.season)), ("peak within", split.horizon)):
        largest = _largest(train, width, figures)
        if len(largest):
            limit = float(np.quantile(largest, QUANTILE))
            yield Parting(name, "windows", PEAKS, (limit, float(width)))


def _figures(panel: Panel) -> dict[str, Floats]:
    """Volume, seasonality, mean and standard deviation of every series (S,)."""
    means, deviations = _moments(panel)
    volume, _ = _moments(panel.with_values(np.abs(panel.values)))
    seasonality = np.array([seasonal_strength(y, panel.season) for y in panel])
    return {VOLUME: volume, "seasonality": seasonality, "mean": means, "deviation": deviations}


def _moments(panel: Panel) -> tuple[Floats, Floats]:
    counts, found = panel.lengths, np.zeros((2, len(panel)))
    full = np.flatnonzero(counts)
    begins = panel.offsets[full]
    found[0, full] = np.add.reduceat(panel.values, begins) / counts[full] if len(full) else 0.0
    centred = panel.values - np.repeat(found[0], counts)
    found[1, full] = np.sqrt(np.add.reduceat(centred**2, begins) / counts[full]) if len(full) else 0.0
    return found[0], found[1]


def seasonal_strength(y: Floats, season: int) -> float:
    """Adjusted R² of the means of the season's steps, of what is left of a series (T,) after its running mean.

    NaN without a season, or with fewer than `SEASONS` of them; 0 for a series that does not vary.

    >>> round(seasonal_strength(np.tile([1.0, 2.0, 4.0], 8), 3), 3)
    1.0
    """
    if season < 2 or len(y) < SEASONS * season:
        return float("nan")
    width = season if season % 2 else season + 1
    weights = np.full(width, 1 / season)
    if width > season:
        weights[[0, -1]] /= 2
    half = width // 2
    left = y[half : len(y) - half] - np.convolve(y, weights, mode="valid")
    n = len(left)
    whole = float(((left - left.mean()) ** 2).sum())
    if n <= season or whole <= (1e-9 * float(np.abs(y).max())) ** 2 * n:
        return float("nan") if n <= season else 0.0
    step = np.arange(n) % season
    means = np.bincount(step, left, season) / np.bincount(step, minlength=season)
    unexplained = float(((left - means[step]) ** 2).sum())
    return 1 - (unexplained / (n - season)) / (whole / (n - 1))


def _largest(panel: Panel, width: int, figures: Mapping[str, Floats]) -> Floats:
    """The largest value of stretches from the end of each series backwards, in its deviations."""
    counts = panel.lengths // width
    series = np.repeat(np.arange(len(panel)), counts)
    if not len(series):
        return np.empty(0)
    values, _ = gathered(panel.values, panel.offsets[1:] - counts * width, counts * width)
    return _above(values.reshape(-1, width).max(1), series, figures)


def _above(largest: Floats, series: Ints, figures: Mapping[str, Floats]) -> Floats:
    """How far above the mean of its series, in standard deviations; 0 where a series does not vary and stays so."""
    mean, deviation = figures["mean"][series], figures["deviation"][series]
    apart, rounding = largest - mean, 1e-9 * np.abs(mean)
    flat = deviation <= rounding
    return np.where(flat, np.where(apart > rounding, np.inf, 0.0), apart / np.where(flat, 1.0, deviation))


def _labels(parting: Parting, split: Split, figures: Mapping[str, Floats]) -> NDArray[Any]:
    """The group of every window (N,)."""
    if parting.of == "series":
        return _thirds(parting, figures)[split.series]
    limit, width = parting.limits
    if parting.name == "peak within":
        truth = np.where(np.isnan(split.truth), -np.inf, split.truth).max(1)
        above = _above(truth, split.series, figures)
    else:
        last = np.concatenate([_last(panel) for panel in split.histories_in_blocks(int(width))])
        above = _above(last, split.series, figures)
    return np.array(parting.names, dtype=object)[(above > limit).astype(np.int64)]


def _last(histories: Panel) -> Floats:
    """The largest value of each row (n,), -inf of an empty one."""
    out, full = np.full(len(histories), -np.inf), np.flatnonzero(histories.lengths)
    if len(full):
        out[full] = np.maximum.reduceat(histories.values, histories.offsets[full])
    return out


def _thirds(parting: Parting, figures: Mapping[str, Floats]) -> NDArray[Any]:
    """The third of every series (S,)."""
    found = figures[parting.name]
    at = np.searchsorted(parting.limits, found, side="left")
    return np.array(parting.names, dtype=object)[np.where(np.isfinite(found), at, len(THIRDS))]


def _shares(parting: Parting, panel: Panel, figures: Mapping[str, Floats]) -> dict[str, float]:
    """The share of the series of a panel, or of its stretches, in each group, by the limits of the real ones."""
    if parting.of == "series":
        labels = _thirds(parting, figures)
    else:
        largest = _largest(panel, int(parting.limits[1]), figures)
        labels = np.array(parting.names, dtype=object)[(largest > parting.limits[0]).astype(np.int64)]
    return {name: float((labels == name).mean()) for name in parting.names} if len(labels) else {}


def _of_columns(split: Split, training: TrainingSet) -> dict[str, dict[str, float]]:
    """The share of synthetic series in each group of the data's columns; only twins of real series have columns."""
    out = {}
    for column, of in training.panel.groups.items() if training.footing.paired else ():
        out[column] = {group: of.count(group) / len(of) for group in dict.fromkeys(split.data.groups[column])}
    return out
