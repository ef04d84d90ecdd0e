"""What a sweep is fed with: data sets read and split, files of sources read, plugins found. Nothing is drawn yet.

Whatever is wrong with what a user gave shows here, before anything is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tsgap import readers
from tsgap.errors import DataError, UsageError
from tsgap.experiment import DataSpec, Experiment, SourceSpec
from tsgap.frequency import horizons as parse_horizons
from tsgap.panel import STEP, Dataset, Panel, frozen
from tsgap.plugins import Chosen, choose_features, choose_forecaster, choose_generator, registry
from tsgap.readers import ReadOptions
from tsgap.readers.catalog import catalog
from tsgap.splits import Split, known_before, least_training, rolling, stamps_at

#: Origins inside of the training part that are asked of a series, and windows of all series together.
INNER_ORIGINS, INNER_WINDOWS = 10, 1000


@dataclass(frozen=True, eq=False)
class Data:
    """A data set ready for cells: as it was read, its horizons, its split, and what is to be said about it."""

    name: str
    horizons: tuple[int, ...]
    split: Split
    notes: tuple[str, ...]
    options: ReadOptions

    @cached_property
    def train(self) -> Panel:
        """The real training part."""
        return self.split.train

    @cached_property
    def inner(self) -> Split | str:
        """Origins inside of the training part, which choices are made on; the reason where it has no room for one.

        Up to `INNER_ORIGINS` a series, or as many as give `INNER_WINDOWS` windows in all where series are few, after
        two thirds of the median training series; nearer to each other than those of the test where they would not fit.
        """
        known, horizon, step = self.split.training_data, self.split.horizon, self.split.step
        wanted = max(INNER_ORIGINS, -(-INNER_WINDOWS // len(known)))
        median = float(np.median(known.lengths))
        room = max(int(min(median / 3, median - least_training(known.seasons[0]))) - horizon, 0)
        step = int(np.clip(room // (wanted - 1), 1, step))
        windows = min(wanted, room // step + 1)
        try:
            return rolling(known, horizon=horizon, windows=windows, step=step)
        except DataError as err:
            return f"the training part has no room for inner origins: {err}"


@dataclass(frozen=True)
class NotDrawn:
    """Why a generator gave no panel: one line, and the end of its traceback."""

    reason: str
    traceback: str = ""


@dataclass(frozen=True, eq=False)
class Source:
    """The replicates of one source for one data set; a panel, or the reason why there is none.

    `generator_saw` is how much of the real data its maker is known to have seen. `stochastic`: there are, or could
    be, other draws of it; not so of a single file, nor of a generator that always gives the same.
    """

    name: str
    data: str
    replicates: tuple[Panel | NotDrawn, ...]
    windows: int | None
    notes: tuple[str, ...] = ()
    generator_saw: str = "the training part"
    stochastic: bool = False
    as_read: Dataset | None = None
    normalised: bool = False

    @property
    def fixed(self) -> bool:
        """Whether it is one file: what is found is about this file, not about what made it."""
        return len(self.replicates) == 1 and not self.stochastic and self.generator_saw != "the training part"


@dataclass(frozen=True, eq=False)
class Inputs:
    """All that is known before a source is drawn: data, sources handed over, and the plugins that were named.

    `handed` and `generators` are by (data set, source), `outsiders`, real series that no generator saw, by data set.
    """

    data: tuple[Data, ...]
    handed: Mapping[tuple[str, str], Source]
    generators: Mapping[tuple[str, str], Chosen]
    forecasters: Mapping[str, Chosen]
    outsiders: Mapping[str, Panel] = field(default_factory=dict)


def read(experiment: Experiment) -> Inputs:
    """Read and check everything that the user gave."""
    forecasters = {c.label: c for c in map(choose_forecaster, experiment.forecasters)}
    if len(forecasters) < len(experiment.forecasters):
        labels = [choose_forecaster(f).label for f in experiment.forecasters]
        twice = next(label for label in labels if labels.count(label) > 1)
        raise UsageError(
            f"two forecasters are called {twice!r}: leave one out, give it other parameters, or label them in Python "
            "(forecasters={'mine': …})"
        )
    generators = {
        (name, spec.name): choose_generator(spec.generator)
        for name in experiment.names
        for spec in experiment.sources_of(name)
        if spec.generator is not None
    }
    data = tuple(read_data(spec) for spec in experiment.data)
    if experiment.generator_cutoff is not None:
        for one in data:
            _check_generator_cutoff(one, experiment.generator_cutoff)
    handed = {
        (one.name, spec.name): _handed(spec, one, experiment.generator_cutoff or "undeclared")
        for one in data
        for spec in experiment.sources_of(one.name)
        if spec.generator is None
    }
    if experiment.features is not None:
        choose_features(experiment.features)
    strangers = {} if experiment.outsiders is None else {d.name: _outsiders(experiment.outsiders, d) for d in data}
    return Inputs(data, handed, generators, forecasters, strangers)


def read_data(spec: DataSpec) -> Data:
    """Read and split one data set; all horizons share the windows of the longest."""
    data = readers.read_real(spec.what, name=spec.name, options=spec.options)
    card = _card(spec.what)
    horizons = _horizons(spec, card, data.seasons[0])
    windows = spec.windows if spec.windows is not None else (card.windows if card and not spec.horizons else None)
    split = rolling(data, horizon=max(horizons), windows=windows, step=spec.step, first_cutoff=spec.first_cutoff)
    notes = list(data.notes)
    if split.left_out:
        shown = "; ".join(f"{key}: {why}" for key, why in split.left_out[:3])
        notes.append(
            f"{len(split.left_out)} of {len(data)} series left out ({shown}{'; …' if len(split.left_out) > 3 else ''})"
        )
    if data.freq != STEP:
        last = stamps_at(split.data, np.arange(len(split.data)), split.train_ends - 1)
        if ahead := int((last > last.min()).sum()):
            notes.append(
                f"training parts end between {str(last.min())[:19]} and {str(last.max())[:19]}: those of {ahead} "
                "series hold times that are test times of others; a first cutoff ends all at the same time"
            )
    if split.n_filled:
        notes.append(f"{split.n_filled} missing values of the training part filled after the cut")
    masked = int(np.isnan(split.truth).sum())
    if masked:
        notes.append(f"{masked} of {split.truth.size} true values are missing and not scored")
    counts = np.bincount(split.series)
    if counts.min() < counts.max():
        notes.append(f"series have {counts.min()} to {counts.max()} windows; each series weighs the same")
    if split.scales.undefined:
        notes.append(f"{len(split.scales.undefined)} constant series count in no scaled metric")
    return Data(spec.name, horizons, split, tuple(notes), spec.options)


def _card(what: Any) -> Any:
    if isinstance(what, str) and what.startswith("card:"):
        known = catalog()
        return known.cards.get(known.id_of(what[5:]))
    return None


def _horizons(spec: DataSpec, card: Any, season: int) -> tuple[int, ...]:
    if spec.horizons:
        return parse_horizons(",".join(str(h) for h in spec.horizons), season)
    if card is not None and card.horizons:
        return tuple(card.horizons)
    return parse_horizons("1,2,4" if season == 1 else "1,0.5m,1m,2m" if season < 40 else "1,0.25m,0.5m,1m", season)


def _check_generator_cutoff(data: Data, declared: str) -> None:
    first: Any = data.split.cutoffs.min()
    try:
        if data.split.data.freq == STEP:
            past = int(declared) > first
        else:
            import pandas as pd

            stamp = pd.Timestamp(declared)
            if pd.isna(stamp):
                raise ValueError(declared)
            past = stamp.to_datetime64() > first
    except ValueError:
        raise DataError(f"{data.name}: the generator's cutoff {declared!r} is not a stamp like {first}") from None
    if past:
        raise UsageError(
            f"{data.name}: the generator saw real data up to {declared}, the first origin is {str(first)[:19]}: it has "
            "seen the test. Fit it on what 'tsgap split' writes, or ask for a later first cutoff"
        )


def _handed(spec: SourceSpec, data: Data, generator_saw: str) -> Source:
    """A source from files or objects; its gaps are filled, counted and said."""
    if isinstance(spec.what, str) and not Path(spec.what).exists() and spec.what in registry().generators:
        raise UsageError(f"{spec.what}: there is no such file, but a generator of that name: gen:{spec.what}")
    options = replace(data.options, inverse=spec.inverse, channels=spec.channels, groups=(), weights=None)
    # names, frequency and seasons are the same in both; figures to undo a normalisation are those of the training part
    like = data.split.data if spec.inverse is None else data.split.training_data
    found = readers.read_synthetic(spec.what, name=spec.name, like=like, options=options)
    notes = list(dict.fromkeys(note for d in found for note in d.notes))
    missing = sum(d.n_missing for d in found)
    if missing:
        notes.append(f"{missing} missing values of the synthetic series filled")
    panels = tuple({panel.fingerprint: panel for panel in (_panel(d, data) for d in found)}.values())
    if len(panels) < len(found):
        # the same series again say nothing about chance
        notes.append(f"its {len(found)} replicates hold {len(panels)} different ones: equal ones count once")
    return Source(
        spec.name,
        data.name,
        panels,
        found[0].windows,
        tuple(notes),
        generator_saw,
        stochastic=len(panels) > 1,
        as_read=found[0],
        normalised=found[0].windows is not None and spec.inverse is None,
    )


def _panel(found: Dataset, data: Data) -> Panel:
    """A synthetic data set as a panel: gaps filled, series without a value left out."""
    values, offsets = found.values, found.offsets
    if found.n_missing:
        values, offsets, _ = known_before(found, np.arange(len(found)), found.lengths)
    keep = np.flatnonzero(np.diff(offsets))
    if not len(keep):
        raise DataError(f"{found.name}: no series has a value")
    # a row without a value has no place in the flat array
    return Panel(
        values,
        frozen(np.append(offsets[keep], offsets[-1])),
        tuple(found.keys[i] for i in keep.tolist()),
        data.train.freq,
        data.train.seasons,
        tuple(found.series[i] for i in keep.tolist()),
    )


def _outsiders(what: Any, data: Data) -> Panel:
    """Real series that a generator never saw, up to the end of the training part, gaps filled.

    `DataError` where none has a value by then, or where one is in the training part too.
    """
    if isinstance(what, str):
        what = what.replace("{data}", data.name)
    found = readers.read_real(
        what, name=f"outsiders of {data.name}", options=replace(data.options, groups=(), weights=None)
    )
    both = set(found.keys) & set(data.train.keys)
    if both:
        raise DataError(
            f"{data.name}: {len(both)} of {len(found)} series that the generator never saw are in the real data too, "
            f"first {min(both)!r}; leave them out of one or the other"
        )
    last = data.split.cutoffs[data.split.window == 0].max()
    ends = np.array([_known_steps(found, row, last) for row in range(len(found))], dtype=np.int64)
    values, offsets, _ = known_before(found, np.arange(len(found)), ends)
    keep = np.flatnonzero(np.diff(offsets))
    if not len(keep):
        raise DataError(f"{data.name}: no series that the generator never saw has a value up to {str(last)[:19]}")
    like = data.train
    panel = Panel(values, offsets, found.keys, like.freq, like.seasons)
    return panel.take(keep)


def _known_steps(found: Dataset, row: int, last: Any) -> int:
    stamps = np.asarray(found.stamps(row))
    return int(np.searchsorted(stamps, last, side="right"))
