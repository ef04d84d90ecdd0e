"""Rolling origins: which part of a data set is for training, and the windows (history, truth) after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap.blocks import let_go
from tsgap.errors import DataError
from tsgap.frequency import WIDTHS, parts
from tsgap.panel import STEP, Dataset, Panel, digest, frozen
from tsgap.ragged import Floats, Ints, bridged, gathered, leading, missing_at, offsets_of, row_blocks, summed

#: Windows that a split asks for when nothing was said and the series are long enough.
DEFAULT_WINDOWS = 5


@dataclass(frozen=True)
class Scales:
    """In-sample errors of the seasonal naive forecast on the real training part: what MASE and RMSSE divide by.

    `mae` and `rmse` (S,), in units of the data, over the pairs of which both values are there. Where the seasonal
    difference is 0 throughout, or no pair is there, the deviation from the median (mae) or mean (rmse) stands in
    (`fallback` names those series); NaN where that is 0 too (`undefined` names them: they count in no scaled
    metric). What is below 1e-12 of the mean |y| is rounding and counts as 0.
    """

    mae: Floats
    rmse: Floats
    fallback: tuple[str, ...]
    undefined: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Split:
    """Training parts and windows of a data set; N windows of S series, sorted by series, then by time.

    The training part of series `s` is its first `train_ends[s]` steps: nothing else may be seen by a generator,
    a scaler or a fit. Window `n` belongs to series `series[n]`, is its `window[n]`-th, and knows the first
    `origins[n]` steps; its truth are the `horizon` steps after that. `left_out` holds (series, reason).
    """

    data: Dataset
    horizon: int
    step: int
    train_ends: Ints
    series: Ints
    window: Ints
    origins: Ints
    left_out: tuple[tuple[str, str], ...] = ()
    first_cutoff: str | None = None

    def __len__(self) -> int:
        return len(self.origins)

    @property
    def n_windows(self) -> int:
        """The largest number of windows of a series."""
        return int(self.window.max()) + 1

    @cached_property
    def fingerprint(self) -> str:
        """Hash of data, groups, weights, cutoffs and horizon."""
        per_series = (sorted(self.data.groups.items()), self.data.weights)
        return digest(self.data.fingerprint, *per_series, self.train_ends, self.series, self.origins, self.horizon)

    @cached_property
    def _training(self) -> tuple[Panel, int]:
        data = self.data
        values, offsets, n_filled = known_before(data, np.arange(len(data)), self.train_ends)
        panel = Panel(values, offsets, data.keys, data.freq, data.seasons, data.series, data.groups, data.weights)
        return panel, n_filled

    @property
    def train(self) -> Panel:
        """The real training part, gaps filled after the cut."""
        return self._training[0]

    @property
    def n_filled(self) -> int:
        """How many missing steps of the training part were filled."""
        return self._training[1]

    @property
    def training_data(self) -> Dataset:
        """The training part as a data set: stamps, and missing values left as they are."""
        values, offsets = self.train.values, self.train.offsets
        if self.n_filled or not np.array_equal(offsets[1:], np.cumsum(self.train_ends)):
            values, offsets = gathered(self.data.values, self.data.offsets[:-1], self.train_ends)
        return Dataset(
            self.data.name,
            frozen(values),
            offsets,
            self.data.keys,
            self.data.starts,
            self.data.freq,
            self.data.seasons,
            self.data.series,
            self.data.groups,
            self.data.weights,
        )

    def histories(self, limit: int | None = None, *, windows: slice = slice(None)) -> Panel:
        """What may be known at each origin (N rows, keys 'series@window'), cut to the last `limit` values.

        `windows` are those that are wanted, without a step. The arrays are copies that end where the history ends: no
        view of them leads to the truth.
        """
        data, series = self.data, self.series[windows]
        values, offsets, _ = known_before(data, series, self.origins[windows], limit)
        names = [data.keys[s] for s in series.tolist()]
        return Panel(
            values,
            offsets,
            tuple(f"{name}@{w}" for name, w in zip(names, self.window[windows].tolist(), strict=True)),
            data.freq,
            data.seasons,
            tuple(names),
            {name: tuple(of[s] for s in series.tolist()) for name, of in data.groups.items()},
        )

    def histories_in_blocks(self, limit: int | None = None) -> Iterator[Panel]:
        """The rows of `histories(limit)` in panels of `blocks.size()` values at most, or one row each."""
        lengths = self.origins if limit is None else np.minimum(self.origins, limit)
        for windows in row_blocks(offsets_of(lengths)):
            yield self.histories(limit, windows=windows)
            let_go(self.data.values)

    @cached_property
    def truth(self) -> Floats:
        """What came after each origin (N, H), NaN where it is missing. For the scorer alone."""
        begins = self.data.offsets[self.series] + self.origins
        values, _ = gathered(self.data.values, begins, np.full(len(self), self.horizon))
        return frozen(values.reshape(len(self), self.horizon))

    @cached_property
    def cutoffs(self) -> NDArray[Any]:
        """Stamp of the last known step of each window (N,): datetime64[ns], or int64 for integer steps."""
        return stamps_at(self.data, self.series, self.origins - 1)

    @cached_property
    def blocks(self) -> Ints:
        """Block of the calendar of each window's origin (N,): windows of one block share times, whatever the series.

        A block is as many steps wide as the horizon, or as two origins of a series are apart if that is more.
        """
        at = self.cutoffs
        if at.dtype.kind == "M":
            ns = at.astype("datetime64[ns]").astype(np.int64)
            # steps of the calendar differ in length: their mean width serves, since only the order of blocks counts
            longest = int(np.argmax(self.data.lengths))
            ends = stamps_at(self.data, np.array([longest, longest]), np.array([0, self.data.lengths[longest] - 1]))
            width = np.diff(ends.astype(np.int64))[0] / (self.data.lengths[longest] - 1)
            at = np.rint((ns - ns.min()) / width).astype(np.int64)
        return frozen((at - at.min()) // max(self.horizon, self.step))

    @cached_property
    def scales(self) -> Scales:
        """What MASE and RMSSE divide by, from the real training part alone."""
        data, m = self.data, self.data.seasons[0]
        mae, rmse, rounding = (np.empty(len(data)) for _ in range(3))
        holed = len(data.missing) > 0
        for rows in row_blocks(offsets_of(self.train_ends)):
            y, offsets = gathered(data.values, data.offsets[rows], self.train_ends[rows])
            begins, ends = offsets[:-1], offsets[1:]
            apart = y[m:] - y[:-m]
            np.abs(apart, out=apart)
            mae[rows] = _means(apart, begins, ends - m, holed=holed)
            rmse[rows] = np.sqrt(_means(np.square(apart, out=apart), begins, ends - m, holed=holed))
            rounding[rows] = 1e-12 * _means(np.abs(y), begins, ends, holed=holed)
            let_go(data.values)
        fallback, undefined = [], []
        for s in np.flatnonzero(~(mae > rounding)).tolist():
            values = data[s][: self.train_ends[s]]
            values = values[~np.isnan(values)]
            mae[s], rmse[s] = np.mean(np.abs(values - np.median(values))), np.std(values)
            if mae[s] > rounding[s]:
                fallback.append(data.keys[s])
            else:
                mae[s] = rmse[s] = np.nan
                undefined.append(data.keys[s])
        return Scales(frozen(mae), frozen(rmse), tuple(fallback), tuple(undefined))


def _means(values: Floats, begins: Ints, ends: Ints, *, holed: bool) -> Floats:
    """Mean of the values from each begin (S,) up to its end that are there, NaN where there is none.

    Both rise, and no end lies after the next begin. Where nothing is `holed`, no value is missing.
    """
    count = np.maximum(ends - begins, 0)
    if holed:
        there = ~np.isnan(values)
        values, count = np.where(there, values, 0.0), summed(there.astype(np.int64), begins, ends)
    return np.where(count > 0, summed(values, begins, ends) / np.maximum(count, 1), np.nan)


def known_before(data: Dataset, series: Ints, ends: Ints, limit: int | None = None) -> tuple[Floats, Ints, int]:
    """The first `ends[n]` steps of series `series[n]` without gaps: flat values, offsets, how many were filled.

    The arrays are copies. Leading missing values are cut off; a gap is bridged only where its far side lies before
    the end, else it takes the last value; then each row is cut to its last `limit` values. A series without a
    value before the end has an empty row.
    """
    begins = data.offsets[series] + np.minimum(leading_missing(data)[series], ends)
    stops = data.offsets[series] + ends
    lengths = stops - begins if limit is None else np.minimum(stops - begins, limit)
    values, offsets = gathered(data.values, stops - lengths, lengths)
    gaps = missing_at(values) if len(data.missing) else data.missing
    if len(gaps):
        row = np.searchsorted(offsets, gaps, side="right") - 1
        at = gaps + (stops - offsets[1:])[row]
        values[gaps] = bridged(data.values, data.missing, at, stops[row])
    return frozen(values), frozen(offsets), len(gaps)


def leading_missing(data: Dataset) -> Ints:
    """How many steps of each series lie before its first value (S,); all of them where it has none."""
    return leading(data.missing, data.offsets)


def stamps_at(data: Dataset, series: Ints, positions: Ints) -> NDArray[Any]:
    """Stamp of step `positions[n]` of series `series[n]`, for all n."""
    if data.freq == STEP:
        return np.asarray(data.starts[series] + positions)
    width = _width(data.freq)
    if width is not None:
        return np.asarray(data.starts[series] + positions * np.timedelta64(width, "ns"))
    last = np.zeros(len(data), dtype=np.int64)
    np.maximum.at(last, series, positions)
    out = np.empty(len(series), dtype="datetime64[ns]")
    for rows, first, grid in _grids(data, last + 1):
        place = np.full(len(data), -1)
        place[rows] = first
        here = place[series] >= 0
        out[here] = grid[place[series[here]] + positions[here]]
    return out


def _width(freq: str) -> int | None:
    """Nanoseconds of one step, None where steps differ (months, business days)."""
    many, unit, _ = parts(freq)
    return many * WIDTHS[unit] if unit in WIDTHS else None


def _grids(data: Dataset, counts: Ints) -> Iterator[tuple[Ints, Ints, NDArray[Any]]]:
    """Series whose stamps lie on one calendar grid: their rows, the place of their first stamp, and the grid.

    Each grid is long enough for `counts[i]` stamps of every series on it.
    """
    import pandas as pd

    rest = np.arange(len(data))
    while len(rest):
        starts = data.starts[rest]
        first = int(rest[np.argmin(starts)])
        span = pd.date_range(data.starts[first], starts.max(), freq=data.freq).to_numpy()
        place = np.searchsorted(span, starts)
        on = (place < len(span)) & (np.append(span, span[-1:])[place] == starts) if len(span) else starts != starts
        # a first stamp that is not on its own grid begins at the next one, as `Dataset.stamps` has it
        alone = starts == data.starts[first]
        place, on = np.where(alone, 0, place), on | alone
        count = int((place[on] + counts[rest[on]]).max())
        yield rest[on], place[on], np.asarray(data.stamps(first, count=count))
        rest = rest[~on]


def least_training(season: int) -> int:
    """The fewest values of a training part: two seasons and one value, at least five."""
    return max(2 * season, 4) + 1


def default_windows(lengths: Ints, horizon: int, step: int, season: int) -> int:
    """Up to `DEFAULT_WINDOWS`, as many as leave half of the median series (and the least training) before them."""
    median = float(np.median(lengths))
    keep = max(median / 2, least_training(season))
    return int(np.clip((median - keep - horizon) // step + 1, 1, DEFAULT_WINDOWS))


def rolling(
    data: Dataset,
    *,
    horizon: int,
    windows: int | None = None,
    step: int | None = None,
    first_cutoff: str | int | None = None,
) -> Split:
    """Split a data set at rolling origins; all horizons share the windows of the longest.

    Origins are counted back from the end of each series, `step` apart (default: the horizon), so that the last
    truth ends with the series. With `first_cutoff`, the stamp of the last training value, they are counted on
    from that stamp. Series that are too short are left out and listed; `DataError` when none is left.
    """
    step = horizon if step is None else step
    for name, value in (("horizon", horizon), ("step", step), ("windows", 1 if windows is None else windows)):
        if value < 1:
            raise DataError(f"{data.name}: {name} must be at least 1, got {value}")
    lengths = data.lengths
    if windows is None:
        windows = default_windows(lengths, horizon, step, data.seasons[0])
    if first_cutoff is None:
        first = lengths - (horizon + (windows - 1) * step)
        available = np.full(len(data), windows)
    else:
        first = _positions(data, first_cutoff) + 1
        available = np.minimum((lengths - horizon - first) // step + 1, windows)
    least = least_training(data.seasons[0])
    known = np.maximum(first, 0) - leading_missing(data)
    begins, reach = data.offsets[:-1], np.clip(first, 0, lengths)
    n_values = reach - np.diff(np.searchsorted(data.missing, [begins, begins + reach]), axis=0)[0]
    usable = (known >= least) & (available >= 1) & (n_values >= least)
    left_out = tuple(
        (data.keys[i], _why_left_out(int(lengths[i]), first_cutoff, int(known[i]), int(available[i]), least))
        for i in np.flatnonzero(~usable)
    )
    if not usable.any():
        raise DataError(
            f"{data.name}: no series is long enough for {windows} windows of {horizon} steps, {step} apart, and "
            f"{least} training values; first {left_out[0][0]!r}: {left_out[0][1]}. "
            "Ask for fewer windows or a shorter horizon"
        )
    index = np.flatnonzero(usable)
    counts = available[index]
    window = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    origins = np.repeat(first[index], counts) + window * step
    return Split(
        data.take(index),
        horizon,
        step,
        frozen(first[index]),
        frozen(np.repeat(np.arange(len(index)), counts)),
        frozen(window),
        frozen(origins),
        left_out,
        None if first_cutoff is None else str(first_cutoff),
    )


def _why_left_out(length: int, first_cutoff: str | int | None, known: int, available: int, least: int) -> str:
    if known < least:
        return f"{length} values leave {max(known, 0)} for training, {least} are needed"
    if available < 1:
        return f"{length} values end before the horizon after {first_cutoff} is over"
    return f"fewer than {least} values in its training part are not missing"


def _positions(data: Dataset, cutoff: str | int) -> Ints:
    """Position of the last step at or before `cutoff` in each series, -1 where it begins later."""
    if data.freq == STEP:
        try:
            at = int(cutoff)
        except ValueError:
            raise DataError(f"{data.name}: its stamps are integers, the first cutoff {cutoff!r} is not") from None
        return np.asarray(np.clip(at - data.starts, -1, data.lengths - 1), dtype=np.int64)
    import pandas as pd

    try:
        # a number would be taken for nanoseconds since 1970
        stamp = None if isinstance(cutoff, int) else pd.Timestamp(cutoff)
    except ValueError:
        stamp = None
    if stamp is None or pd.isna(stamp) or stamp.tz is not None:
        raise DataError(f"{data.name}: the first cutoff {cutoff!r} is not a date without a time zone")
    at = stamp.to_datetime64().astype("datetime64[ns]")
    width = _width(data.freq)
    if width is not None:
        out = (at - data.starts) // np.timedelta64(width, "ns")
    else:
        out = np.empty(len(data), dtype=np.int64)
        for rows, first, grid in _grids(data, data.lengths):
            out[rows] = np.searchsorted(grid, at, side="right") - 1 - first
    return np.asarray(np.clip(out, -1, data.lengths - 1), dtype=np.int64)
