"""From an experiment to cells: read, split, draw the sources, build the arms, and name every cell by its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from tsgap import cell, readers
from tsgap.arms import Arms, Rules, TrainingSet, arms_of
from tsgap.drawing import Wanted
from tsgap.errors import DataError, UsageError
from tsgap.experiment import BASELINE, DataSpec, Experiment, SourceSpec
from tsgap.frequency import horizons as parse_horizons
from tsgap.panel import Dataset, Panel, digest, filled, offsets_of
from tsgap.plugins import Chosen, choose_forecaster, choose_generator
from tsgap.readers import ReadOptions, read_real
from tsgap.splits import Split, rolling

#: Draws synthetic panels, or says why not; given by the sweep, which owns the workers and the store.
Drawing = Callable[[Sequence[Wanted]], Mapping[str, "Panel | str"]]


def seed_of(*parts: object) -> int:
    """A seed in [0, 2³¹) that depends on the parts alone, not on order, process or platform."""
    raw = hashlib.blake2b(json.dumps([str(p) for p in parts]).encode(), digest_size=4).digest()
    return int.from_bytes(raw, "little") >> 1


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


@dataclass(frozen=True, eq=False)
class Source:
    """The replicates of one source for one data set; a panel, or the reason why there is none."""

    name: str
    data: str
    replicates: tuple[Panel | str, ...]
    windows: int | None
    drawn: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """Which cell an arm of a comparison reads, and on what footing. `cell` is "" where there is none to run."""

    data: str
    source: str
    replicate: int
    arm: str
    forecaster: str
    cell: str
    transfer: str
    paired: bool | None = None
    scaling: str = ""
    context: int | None = None
    leads: int | None = None
    short: int | None = None
    pairs: int | None = None
    pairs_before: int | None = None
    trained_on: str = ""
    seed: int | None = None
    error: str = ""


@dataclass(frozen=True, eq=False)
class Cell:
    """One fit and its forecasts, named by everything that could change them."""

    key: str
    data: Data
    chosen: Chosen
    training: TrainingSet | None
    context: int | None
    limit: int | None
    seed: int
    content: Mapping[str, Any]

    @property
    def splits_by_series(self) -> bool:
        """Whether blocks of series can be worked on alone."""
        return self.chosen.spec.scope == "local" and self.training is not None and self.training.footing.paired


@dataclass(frozen=True, eq=False)
class Plan:
    """All cells, and the rows that say which comparison reads which."""

    data: tuple[Data, ...]
    rows: tuple[Row, ...]
    cells: Mapping[str, Cell]
    notes: tuple[str, ...] = field(default=())


def read(spec: DataSpec) -> Data:
    """Read and split one data set; all horizons share the windows of the longest."""
    data = read_real(spec.what, name=spec.name, options=spec.options)
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
    if split.n_filled:
        notes.append(f"{split.n_filled} missing values of the training part filled after the cut")
    masked = int(np.isnan(split.truth).sum())
    if masked:
        notes.append(f"{masked} of {split.truth.size} true values are missing and not scored")
    if split.scales.undefined:
        notes.append(f"{len(split.scales.undefined)} constant series count in no scaled metric")
    return Data(spec.name, horizons, split, tuple(notes), spec.options)


def _card(what: Any) -> Any:
    if isinstance(what, str) and what.startswith("card:"):
        from tsgap.cards import cards

        return cards().get(what[5:])
    return None


def _horizons(spec: DataSpec, card: Any, season: int) -> tuple[int, ...]:
    if spec.horizons:
        return parse_horizons(",".join(str(h) for h in spec.horizons), season)
    if card is not None and card.horizons:
        return tuple(card.horizons)
    return parse_horizons("1,2,4" if season == 1 else "1,0.5m,1m,2m" if season < 40 else "1,0.25m,0.5m,1m", season)


def sources_of(data: Data, specs: Iterable[SourceSpec], experiment: Experiment, draw: Drawing) -> list[Source]:
    """Read or draw every source of a data set."""
    out, wanted = [], []
    for spec in specs:
        if spec.generator is not None:
            chosen = choose_generator(spec.generator)
            times = 1 if chosen.spec.deterministic else experiment.replicates
            wanted += [
                Wanted(f"{spec.name}/{k}", chosen, data.train, seed_of(experiment.seed, data.name, chosen.label, k))
                for k in range(times)
            ]
    drawn = draw(wanted) if wanted else {}
    for spec in specs:
        if spec.generator is not None:
            panels = [drawn[f"{spec.name}/{k}"] for k in range(experiment.replicates) if f"{spec.name}/{k}" in drawn]
            out.append(Source(spec.name, data.name, tuple(panels), None, True))
        else:
            options = replace(data.options, inverse=spec.inverse, channels=spec.channels, groups=(), weights=None)
            found = readers.read_synthetic(spec.what, name=spec.name, like=data.split.training_data, options=options)
            notes = tuple(dict.fromkeys(note for d in found for note in d.notes))
            panels = [_panel(d, data) for d in found]
            out.append(Source(spec.name, data.name, tuple(panels), found[0].windows, False, notes))
    return out


def _panel(found: Dataset, data: Data) -> Panel:
    """A synthetic data set as a panel: gaps filled, series without a value left out."""
    rows = [filled(found[i])[0] for i in range(len(found))]
    keep = [i for i, r in enumerate(rows) if len(r)]
    if not keep:
        raise DataError(f"{found.name}: no series has a value")
    return Panel(
        np.concatenate([rows[i] for i in keep]),
        offsets_of(len(rows[i]) for i in keep),
        tuple(found.keys[i] for i in keep),
        data.train.freq,
        data.train.seasons,
        tuple(found.series[i] for i in keep),
    )


def made(experiment: Experiment, sets: Sequence[Data], draw: Drawing) -> Plan:
    """Draw the sources of data sets that were read, and lay out all cells."""
    forecasters = {c.label: c for c in map(choose_forecaster, experiment.forecasters)}
    if len(forecasters) < len(experiment.forecasters):
        raise UsageError(f"a forecaster is named twice: {', '.join(map(str, experiment.forecasters))}")
    baseline = choose_forecaster(BASELINE)
    rows: list[Row] = []
    cells: dict[str, Cell] = {}
    notes: list[str] = []
    for data in sets:
        rules = Rules(data.horizons, experiment.context, experiment.scaling, experiment.match)
        nulls = _nulls(data, experiment, draw)
        untrained = _cell(data, baseline, None, 0, cells)
        rows.append(Row(data.name, "", 0, "real", baseline.label, untrained, "none"))
        for source in sources_of(data, experiment.sources_of(data.name), experiment, draw):
            notes += [f"{data.name}: {source.name}: {note}" for note in source.notes]
            for k in range(max(experiment.replicates, len(source.replicates))):
                rows += _replicate(data, source, k, nulls, rules, experiment, forecasters, cells, notes)
    notes = [f"{d.name}: {note}" for d in sets for note in d.notes] + list(dict.fromkeys(notes))
    return Plan(tuple(sets), tuple(rows), cells, tuple(notes))


def _nulls(data: Data, experiment: Experiment, draw: Drawing) -> list[Panel | None]:
    if not experiment.null:
        return [None] * experiment.replicates
    shuffle = choose_generator("shuffle")
    wanted = [
        Wanted(f"null/{k}", shuffle, data.train, seed_of(experiment.seed, data.name, "null", k))
        for k in range(experiment.replicates)
    ]
    drawn = draw(wanted)
    panels: list[Panel | None] = []
    for one in wanted:
        panel = drawn[one.name]
        if isinstance(panel, str):
            raise DataError(f"{data.name}: the shuffled arm could not be made: {panel}")
        panels.append(panel)
    return panels


def _replicate(
    data: Data,
    source: Source,
    k: int,
    nulls: Sequence[Panel | None],
    rules: Rules,
    experiment: Experiment,
    forecasters: Mapping[str, Chosen],
    cells: dict[str, Cell],
    notes: list[str],
) -> list[Row]:
    """The rows of one source and replicate, and the cells they need."""
    synthetic = source.replicates[k % len(source.replicates)]
    if isinstance(synthetic, str):
        notes.append(f"{data.name}: {source.name}: no synthetic series: {synthetic}")
        return [
            Row(data.name, source.name, k, "synthetic", label, "", chosen.spec.transfer, error=synthetic)
            for label, chosen in forecasters.items()
        ]
    arms = {}
    for scope in {c.spec.scope for c in forecasters.values()}:
        arms[scope] = arms_of(
            data.train,
            synthetic,
            null=nulls[k % len(nulls)],
            windows=source.windows,
            scope=scope,
            rules=rules,
            seed=seed_of(experiment.seed, data.name, "arms", k),
        )
        notes += [f"{data.name}: {source.name}: {note}" for note in (*_pairing(arms[scope]), *arms[scope].notes)]
    rows = []
    for label, chosen in forecasters.items():
        seed = seed_of(experiment.seed, data.name, label, k)
        for made_set in arms[chosen.spec.scope].sets:
            training = None if chosen.spec.transfer == "none" else made_set
            key = _cell(data, chosen, training, seed, cells)
            footing = made_set.footing
            rows.append(
                Row(
                    data.name,
                    source.name,
                    k,
                    made_set.arm,
                    label,
                    key,
                    chosen.spec.transfer,
                    footing.paired,
                    footing.scaling,
                    footing.context,
                    footing.leads,
                    arms[chosen.spec.scope].short,
                    made_set.pairs,
                    made_set.pairs_before,
                    made_set.panel.fingerprint,
                    cells[key].seed,
                )
            )
    return rows


def _pairing(arms: Arms) -> list[str]:
    """Unpaired is said loudly: a user who meant to pair sees at once that the ids did not match."""
    if arms.pairing.paired:
        return []
    real, synthetic = arms.pairing.only_real, arms.pairing.only_synthetic
    return [
        f"UNPAIRED: {len(arms.pairing.common)} ids match, {len(real)} real ones ({_first(real)}) and {len(synthetic)} "
        f"synthetic ones ({_first(synthetic)}) do not; local forecasters learn from a pool, in every arm"
    ]


def _first(ids: Sequence[str]) -> str:
    return f"first {ids[0]!r}" if ids else "none"


def _cell(data: Data, chosen: Chosen, training: TrainingSet | None, seed: int, cells: dict[str, Cell]) -> str:
    """The key of a cell, which is put among `cells`; equal content, equal key."""
    spec = chosen.spec
    footing = None if training is None else training.footing
    context = footing.context if footing is not None and spec.scope == "global" else None
    limit = spec.max_history if spec.max_history is not None else context
    seed = 0 if spec.deterministic or training is None else seed
    content = {
        "version": cell.VERSION,
        "windows": data.split.fingerprint,
        "view": "clean",
        "forecaster": spec.name,
        "code": chosen.identity,
        "parameters": {k: repr(v) for k, v in sorted(chosen.params.items())},
        "training": None if training is None else training.panel.fingerprint,
        "scaling": None if footing is None else footing.scaling,
        "figures": None if training is None or training.figures is None else digest(training.figures),
        "context": context,
        "limit": limit,
        "seed": seed,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    key = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    cells.setdefault(key, Cell(key, data, chosen, training, context, limit, seed, content))
    return key


#: Series in one block of a local cell: paired ones are split, a pool is fitted once for many histories.
PAIRED_BLOCK, POOLED_BLOCK = 50, 2000


def blocks(work: Cell) -> list[tuple[Any, Any]]:
    """(training rows, history rows) of the tasks of a cell; None is all rows."""
    if work.chosen.spec.scope != "local" or work.training is None:
        return [(None, None)]
    split, size = work.data.split, PAIRED_BLOCK if work.splits_by_series else POOLED_BLOCK
    n = len(split.data)
    if n <= size:
        return [(None, None)]
    out = []
    at = {key: i for i, key in enumerate(work.training.panel.keys)}
    for start in range(0, n, size):
        series = range(start, min(start + size, n))
        rows = np.flatnonzero((split.series >= start) & (split.series < start + size))
        twins = np.array([at[split.data.keys[s]] for s in series if split.data.keys[s] in at], dtype=np.int64)
        out.append((twins if work.splits_by_series else None, rows))
    return out
