"""Rolling origins: which part of a data set is for training, and the windows (history, truth) after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap.errors import DataError
from tsgap.panel import STEP, Dataset, Floats, Ints, Panel, digest, filled, frozen, offsets_of

#: Windows that a split asks for when nothing was said and the series are long enough.
DEFAULT_WINDOWS = 5


@dataclass(frozen=True)
class Scales:
    """In-sample errors of the seasonal naive forecast on the real training part: what MASE and RMSSE divide by.

    `mae` and `rmse` (S,), in units of the data. Where the seasonal difference is 0 throughout, the deviation from
    the median (mae) or mean (rmse) stands in (`fallback` names those series); NaN where that is 0 too
    (`undefined` names them: they count in no scaled metric).
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
        """Hash of data, cutoffs and horizon."""
        return digest(self.data.fingerprint, self.train_ends, self.series, self.origins, self.horizon)

    @cached_property
    def _training(self) -> tuple[Panel, int]:
        rows = [filled(self.data[s][:end]) for s, end in enumerate(self.train_ends)]
        panel = Panel(
            np.concatenate([values for values, _ in rows]),
            offsets_of(len(values) for values, _ in rows),
            self.data.keys,
            self.data.freq,
            self.data.seasons,
            self.data.series,
            self.data.groups,
            self.data.weights,
        )
        return panel, sum(n for _, n in rows)

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
        where = np.concatenate([np.arange(o, o + n) for o, n in zip(self.data.offsets, self.train_ends, strict=False)])
        return Dataset(
            self.data.name,
            self.data.values[where],
            offsets_of(self.train_ends.tolist()),
            self.data.keys,
            self.data.starts,
            self.data.freq,
            self.data.seasons,
            self.data.series,
            self.data.groups,
            self.data.weights,
        )

    def histories(self, limit: int | None = None) -> Panel:
        """What may be known at each origin (N rows, keys 'series@window'), cut to the last `limit` values.

        The arrays are copies that end where the history ends: no view of them leads to the truth.
        """
        data, first = self.data, self.data.offsets[self.series]
        gappy = _gappy(data)[self.series]
        if not gappy.any():
            lengths = self.origins if limit is None else np.minimum(self.origins, limit)
            offsets = offsets_of(lengths.tolist())
            begin = first + self.origins - lengths
            values = data.values[np.repeat(begin - offsets[:-1], lengths) + np.arange(offsets[-1])]
        else:
            rows = []
            for n, (begin, origin) in enumerate(zip(first, self.origins, strict=True)):
                known = data.values[begin : begin + origin]
                known = filled(known)[0] if gappy[n] else known
                rows.append(known if limit is None else known[max(0, len(known) - limit) :])
            offsets, values = offsets_of(len(r) for r in rows), np.concatenate(rows)
        return Panel(
            frozen(values),
            frozen(offsets),
            tuple(f"{data.keys[s]}@{w}" for s, w in zip(self.series, self.window, strict=True)),
            data.freq,
            data.seasons,
            tuple(data.keys[s] for s in self.series),
            {name: tuple(of[s] for s in self.series) for name, of in data.groups.items()},
        )

    @cached_property
    def truth(self) -> Floats:
        """What came after each origin (N, H), NaN where it is missing. For the scorer alone."""
        begin = self.data.offsets[self.series] + self.origins
        return frozen(self.data.values[begin[:, None] + np.arange(self.horizon)])

    @cached_property
    def cutoffs(self) -> NDArray[Any]:
        """Stamp of the last known step of each window (N,): datetime64[ns], or int64 for integer steps."""
        return stamps_at(self.data, self.series, self.origins - 1)

    @cached_property
    def scales(self) -> Scales:
        """What MASE and RMSSE divide by, from the real training part alone."""
        train, m = self.train, self.data.seasons[0]
        mae, rmse = np.full(len(train), np.nan), np.full(len(train), np.nan)
        fallback, undefined = [], []
        for s, y in enumerate(train):
            diff = y[m:] - y[:-m]
            if not len(diff) or not np.any(diff):
                fallback.append(train.keys[s])
                mae[s], rmse[s] = np.mean(np.abs(y - np.median(y))), np.std(y)
                if np.all(y == y[0]):
                    mae[s] = rmse[s] = np.nan
                    undefined.append(fallback.pop())
            else:
                mae[s], rmse[s] = np.mean(np.abs(diff)), np.sqrt(np.mean(diff**2))
        return Scales(frozen(mae), frozen(rmse), tuple(fallback), tuple(undefined))


def _gappy(data: Dataset) -> NDArray[np.bool_]:
    missing = np.concatenate([[0], np.cumsum(np.isnan(data.values))])
    return np.diff(missing[data.offsets]) > 0


def stamps_at(data: Dataset, series: Ints, positions: Ints) -> NDArray[Any]:
    """Stamp of step `positions[n]` of series `series[n]`, for all n."""
    if data.freq == STEP:
        return np.asarray(data.starts[series] + positions)
    out = np.empty(len(series), dtype="datetime64[ns]")
    starts, which = np.unique(data.starts, return_inverse=True)
    which = which[series]
    for u in range(len(starts)):
        rows = np.flatnonzero(which == u)
        if len(rows):
            any_series = int(series[rows[0]])
            grid = np.asarray(data.stamps(any_series, count=int(positions[rows].max()) + 1))
            out[rows] = grid[positions[rows]]
    return out


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
    lead_in = np.array([_leading_missing(data[i]) for i in range(len(data))]) if data.n_missing else 0
    least = least_training(data.seasons[0])
    known = np.maximum(first, 0) - lead_in
    kept = np.flatnonzero((known >= least) & (available >= 1))
    left_out = [(data.keys[i], _why_short(data, i, first_cutoff, int(known[i]), least)) for i in _rest(len(data), kept)]
    usable = [i for i in kept.tolist() if np.isfinite(data[i][: first[i]]).sum() >= least]
    left_out += [
        (data.keys[i], f"fewer than {least} values in its training part are not missing")
        for i in kept.tolist()
        if i not in set(usable)
    ]
    if not usable:
        raise DataError(
            f"{data.name}: no series is long enough for {windows} windows of {horizon} steps, {step} apart, and "
            f"{least} training values; first {left_out[0][0]!r}: {left_out[0][1]}. "
            "Ask for fewer windows or a shorter horizon"
        )
    index = np.array(usable)
    counts = available[index]
    window = np.concatenate([np.arange(c) for c in counts])
    origins = np.repeat(first[index], counts) + window * step
    return Split(
        data.take(index),
        horizon,
        step,
        frozen(first[index]),
        frozen(np.repeat(np.arange(len(index)), counts)),
        frozen(window),
        frozen(origins),
        tuple(left_out),
        None if first_cutoff is None else str(first_cutoff),
    )


def _rest(n: int, kept: NDArray[np.integer[Any]]) -> Sequence[int]:
    mask = np.ones(n, dtype=bool)
    mask[kept] = False
    return [int(i) for i in np.flatnonzero(mask)]


def _why_short(data: Dataset, i: int, first_cutoff: str | int | None, known: int, least: int) -> str:
    if first_cutoff is not None and known >= least:
        return f"{data.lengths[i]} values end before the horizon after {first_cutoff} is over"
    return f"{data.lengths[i]} values leave {max(known, 0)} for training, {least} are needed"


def _leading_missing(values: Floats) -> int:
    there = np.isfinite(values)
    return int(np.argmax(there)) if there.any() else len(values)


def _positions(data: Dataset, cutoff: str | int) -> Ints:
    """Position of the last step at or before `cutoff` in each series, -1 where it begins later."""
    if data.freq == STEP:
        try:
            at = int(cutoff)
        except ValueError:
            raise DataError(f"{data.name}: its stamps are integers, the first cutoff {cutoff!r} is not") from None
        return np.asarray(np.minimum(at - data.starts, data.lengths - 1), dtype=np.int64)
    import pandas as pd

    try:
        stamp = pd.Timestamp(cutoff)
    except ValueError:
        raise DataError(f"{data.name}: the first cutoff {cutoff!r} is not a date") from None
    out = np.empty(len(data), dtype=np.int64)
    starts, which = np.unique(data.starts, return_inverse=True)
    for u in range(len(starts)):
        rows = np.flatnonzero(which == u)
        longest = rows[np.argmax(data.lengths[rows])]
        out[rows] = np.searchsorted(np.asarray(data.stamps(int(longest))), np.datetime64(stamp), side="right") - 1
    return np.minimum(out, data.lengths - 1)
