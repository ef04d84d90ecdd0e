"""What is held out of a synthetic training set to validate on: windows at its end, or whole series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tsgap.arms import TrainingSet
from tsgap.errors import DataError
from tsgap.footing import count_pairs
from tsgap.panel import Dataset, Floats, Ints, Panel, frozen
from tsgap.ragged import by_length, gathered, offsets_of
from tsgap.splits import DEFAULT_WINDOWS, Split, least_training, rolling, stamps_at

#: Name of the arm that is trained on what is left, and of the view that holds the windows held out.
HEAD, VIEW = "synthetic-head", "validation"
#: Names of the rows of that view: the arm that was trained on the head, and the control.
ON_SYNTHETIC = {HEAD: "synthetic→synthetic", "real": "real→synthetic"}
#: What errors are divided by where there are no twins, by the scaling of the cells.
LEVELS = {"mean-abs": "mean |y|", "standard": "standard deviation", "none": "nothing"}
#: Where whole series are held out: one of so many, at most `MOST`.
SHARE, MOST = 5, 2000


@dataclass(frozen=True, eq=False)
class HeldOut:
    """A training set without what was held out of it, and the windows held out."""

    training: TrainingSet
    split: Split


def held_out(training: TrainingSet, like: Split, *, scope: str, seed: int) -> HeldOut | str:
    """Hold out of a synthetic training set what `like` holds out of the real series; the reason where it has no room.

    Up to `DEFAULT_WINDOWS` windows of the same horizon and step at the end of every series, as many as leave half of
    the median one, and a context and its leads, to train on. Unpaired series that would keep less than half of their
    pairs: a fifth of them, by seed, of which as many leads as can be taught are held out after the rest as history.
    """
    footing = training.footing
    if footing.scaling == "train" and not footing.paired:
        return "scaling 'train' has no figures for series that are no twins"
    windows = _room(training, like)
    if windows:
        return _by_time(training, like, windows, scope)
    if footing.paired:
        longest = int(training.panel.lengths.max())
        return (
            f"the longest of {len(training.panel)} synthetic series has {longest} values: they leave no window of "
            f"{like.horizon} steps beside half of the series and a context of {footing.context} with {footing.leads} "
            "leads to learn from; ask for a shorter horizon or context"
        )
    return _by_series(training, like, scope, seed)


def _room(training: TrainingSet, like: Split) -> int:
    """How many windows the series have room for."""
    footing, lengths = training.footing, training.panel.lengths
    median = float(np.median(lengths))
    least = max(median / 2, least_training(like.data.seasons[0]), footing.context + footing.leads)
    for windows in range(min(DEFAULT_WINDOWS, like.n_windows), 0, -1):
        out = like.horizon + (windows - 1) * like.step
        left, whole = (count_pairs(n, footing.context, footing.leads).sum() for n in (lengths - out, lengths))
        # of strangers whole series may be held out, which costs less where little would be left of each
        if median - out >= least and (footing.paired or left >= whole / 2):
            return windows
    return 0


def _by_time(training: TrainingSet, like: Split, windows: int, scope: str) -> HeldOut | str:
    panel = training.panel
    starts = np.repeat(like.data.starts[:1], len(panel))
    if training.footing.paired:
        # twins bear the stamps of the real training part, which they end with
        at = {key: i for i, key in enumerate(like.data.keys)}
        twins = np.array([at[key] for key in panel.keys])
        starts = stamps_at(like.data, twins, np.maximum(like.train_ends[twins] - panel.lengths, 0))
    keys = panel.keys if training.footing.paired else _strangers(panel.keys)
    data = Dataset("held out", panel.values, panel.offsets, keys, starts, like.data.freq, like.data.seasons)
    data = replace(data, weights=panel.weights)
    try:
        split = rolling(data, horizon=like.horizon, windows=windows, step=like.step)
    except DataError as err:
        return str(err)
    lengths = panel.lengths
    place = {key: i for i, key in enumerate(keys)}
    lengths[[place[key] for key in split.data.keys]] = split.train_ends
    return HeldOut(_left(training, _cut(panel, lengths), training.figures, scope), split)


def _by_series(training: TrainingSet, like: Split, scope: str, seed: int) -> HeldOut | str:
    panel, footing = training.panel, training.footing
    fitting = np.flatnonzero(panel.lengths >= footing.context + footing.leads)
    if len(fitting) < SHARE:
        return (
            f"{len(fitting)} of {len(panel)} synthetic series have the {footing.context + footing.leads} values of a "
            f"context and the leads that can be taught; it takes {SHARE} to hold one out"
        )
    count = min(len(fitting) // SHARE, MOST)
    taken = np.sort(np.random.default_rng(seed).choice(fitting, count, replace=False))
    rest = np.setdiff1d(np.arange(len(panel)), taken)
    missing = np.full(like.horizon - footing.leads, np.nan)
    rows = [np.concatenate([panel[i], missing]) for i in taken]
    ends = panel.lengths[taken] - footing.leads
    data = Dataset(
        "held out",
        np.concatenate(rows),
        offsets_of([len(row) for row in rows]),
        _strangers([panel.keys[i] for i in taken]),
        np.repeat(like.data.starts[:1], count),
        like.data.freq,
        like.data.seasons,
    )
    series = np.arange(count)
    split = Split(data, like.horizon, like.step, ends, frozen(series), frozen(np.zeros_like(series)), frozen(ends))
    return HeldOut(_left(training, panel.take(rest), None, scope), split)


def _left(training: TrainingSet, panel: Panel, figures: Floats | None, scope: str) -> TrainingSet:
    footing = training.footing
    pairs = len(panel)
    if scope == "global":
        pairs = int(count_pairs(panel.lengths, footing.context, footing.leads).sum())
    return TrainingSet(HEAD, panel, footing, pairs, training.pairs, figures)


def _cut(panel: Panel, lengths: Ints) -> Panel:
    """Each row cut to its first `lengths` values."""
    values, offsets = gathered(panel.values, panel.offsets[:-1], lengths)
    return replace(panel, values=frozen(values), offsets=frozen(offsets))


def _strangers(keys: Sequence[str]) -> tuple[str, ...]:
    """Ids that match no training series: a pool must not take its own series for a twin."""
    return tuple(f"held out {key}" for key in keys)


def levels(split: Split, scaling: str, context: int) -> Floats:
    """What the errors of each window (N,) of a panel without twins are divided by, the same for all of its series.

    The mean over the windows of a series of what a cell divides histories by: mean |y| or standard deviation of the
    last `context` values, 1 for scaling 'none'. NaN where that is 0, or rounding beside the mean of all series.
    """
    if scaling == "none":
        return np.ones(len(split))
    each, done = np.full(len(split), np.nan), 0
    for panel in split.histories_in_blocks(context):
        for rows, y in by_length(panel.values, panel.offsets):
            each[done + rows] = np.abs(y).mean(1) if scaling == "mean-abs" else y.std(1)
        done += len(panel)
    by_series = np.bincount(split.series, weights=each) / np.bincount(split.series)
    by_series[~(by_series > 1e-12 * by_series.mean())] = np.nan
    return np.asarray(by_series[split.series])
