"""From inputs to cells: build the arms of what is compared, and name every cell by its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from tsgap import augmenting, cell
from tsgap.arms import Arms, TrainingSet, arms_of
from tsgap.augmentation import FRACTION
from tsgap.blends import Blend, adds_moments
from tsgap.errors import DataError, UsageError
from tsgap.experiment import BASELINE, Experiment
from tsgap.halves import ORACLE
from tsgap.holdout import HEAD, ON_SYNTHETIC, VIEW, HeldOut, held_out
from tsgap.inputs import Data, Inputs, NotDrawn, Source
from tsgap.panel import digest
from tsgap.perturbing import PERTURBED, Kind, Perturbation, arm_under, perturbations_for
from tsgap.plugins import Chosen, choose_forecaster
from tsgap.protocols import Scope
from tsgap.replicates import Compared, Drawing, Replicate, compared, seed_of
from tsgap.splits import Split

#: Name of the view that every cell has: the histories of the data set as they are.
CLEAN = "clean"


@dataclass(frozen=True)
class Row:
    """Which cell an arm of a comparison reads, and on what footing. `cell` is "" where there is none to run.

    `draw` says which draw of the source the replicate holds. `stochastic`: another replicate could have come out
    otherwise, by the source or by the forecaster. `fixed`: the source is one file, of which there is no other draw.
    """

    data: str
    source: str
    replicate: int
    arm: str
    forecaster: str
    cell: str
    transfer: str
    scope: str
    generator_saw: str = ""
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
    traceback: str = ""
    memory: str = ""
    draw: int = 0
    stochastic: bool = False
    fixed: bool = False
    share: float = 0.0


@dataclass(frozen=True, eq=False)
class Cell:
    """A fit and the forecasts of one view, named by everything that could change them.

    `split` has the windows whose histories are forecast: those of the data set for the view "clean". Where there is a
    `blend`, that is what is learned, from `training` and the synthetic set `others`.
    """

    key: str
    data: Data
    split: Split
    chosen: Chosen
    training: TrainingSet | None
    context: int | None
    limit: int | None
    seed: int
    content: Mapping[str, Any]
    blend: Blend | None = None
    others: TrainingSet | None = None
    perturbation: Perturbation | None = None

    @property
    def view(self) -> str:
        """Name of the view."""
        return str(self.content["view"])

    @property
    def quantile_levels(self) -> tuple[float, ...]:
        """Levels whose quantiles are asked for."""
        return tuple(self.content.get("quantiles", ()))

    @property
    def fit(self) -> tuple[Any, ...]:
        """Equal for cells of one task: all that names a cell but its view, with moments also its blend; and horizon."""
        left_out = {"view", "windows", "perturbation", *(("blend",) if self.adds_moments else ())}
        rest = {name: value for name, value in self.content.items() if name not in left_out}
        least = self.chosen.spec.least_history(self.split.data.seasons, self.split.horizon)
        return self.data.name, self.chosen.label, self.split.horizon, least, json.dumps(rest, sort_keys=True)

    @property
    def adds_moments(self) -> bool:
        """Whether blends are known to be weighted sums of moments, which are gathered once for all of them."""
        return adds_moments(self.chosen.spec, self.quantile_levels)

    @property
    def splits_by_series(self) -> bool:
        """Whether blocks of series can be worked on alone."""
        return self.chosen.spec.scope == "local" and self.training is not None and self.training.footing.paired


#: An arm, its training set, and what it forecasts: the windows of the data set (None), these perturbed, or others.
_Asked = tuple[str, TrainingSet, Split | Perturbation | None]


@dataclass(frozen=True, eq=False)
class Held:
    """What one replicate of a source has to validate on, for forecasters of one scope, or why there is nothing."""

    data: Data
    source: str
    scope: Scope
    replicate: int
    what: HeldOut | str


@dataclass(frozen=True, eq=False)
class Plan:
    """All cells, and the rows that say which comparison reads which."""

    data: tuple[Data, ...]
    rows: tuple[Row, ...]
    cells: Mapping[str, Cell]
    notes: tuple[str, ...] = field(default=())
    held: tuple[Held, ...] = field(default=())
    augmented: Mapping[str, tuple[augmenting.Subject, ...]] = field(default_factory=dict)
    forecasters: Mapping[str, Chosen] = field(default_factory=dict)
    sources: tuple[Source, ...] = field(default=())


def made(experiment: Experiment, inputs: Inputs, draw: Drawing) -> Plan:
    """Draw the sources of what was read, and lay out all cells."""
    baseline = choose_forecaster(BASELINE)
    rows: list[Row] = []
    cells: dict[str, Cell] = {}
    notes: list[str] = []
    held: list[Held] = []
    augmented: dict[str, tuple[augmenting.Subject, ...]] = {}
    every: list[Source] = []
    for data in inputs.data:
        untrained = _cell(data, baseline, None, 0, cells, quantiles=experiment.quantiles)
        rows.append(Row(data.name, "", 0, "real", baseline.label, untrained, "none", baseline.spec.scope))
        sources = list(compared(data, inputs, experiment, draw))
        every += [one.source for one in sources]
        for one in sources:
            told = list(one.source.notes)
            for replicate in one.replicates if experiment.augment != "only" else ():
                rows += _replicate(data, one, replicate, experiment, inputs.forecasters, cells, told, held)
            notes += [f"{data.name}: {one.source.name}: {note}" for note in told]
        if experiment.augment:
            added = [one for one in sources if one.source.name != ORACLE]
            augmented[data.name] = tuple(augmenting.subjects(data, added, inputs, experiment, draw))
            rows += _augmented(data, augmented[data.name], experiment, inputs.forecasters, cells)
    notes = [f"{d.name}: {note}" for d in inputs.data for note in d.notes] + list(dict.fromkeys(notes))
    return Plan(inputs.data, tuple(rows), cells, tuple(notes), tuple(held), augmented, inputs.forecasters, tuple(every))


def _augmented(
    data: Data,
    subjects: Sequence[augmenting.Subject],
    experiment: Experiment,
    forecasters: Mapping[str, Chosen],
    cells: dict[str, Cell],
) -> list[Row]:
    """The rows of everything that is added to the real series, and the cells they need."""
    rows = []
    for subject in subjects:
        for label, chosen in forecasters.items():
            if augmenting.refused(chosen):
                continue
            for one in augmenting.arms(subject, chosen, data, experiment):
                view = CLEAN if one.split is None else augmenting.VIEW
                asked: dict[str, Any] = {"quantiles": experiment.quantiles, "view": view, "split": one.split}
                key = _cell(data, chosen, one.real, one.seed, cells, blend=one.blend, others=one.others, **asked)
                row = Row(
                    data=data.name,
                    source=subject.source,
                    replicate=one.replicate,
                    forecaster=label,
                    cell=key,
                    transfer=chosen.spec.transfer,
                    scope=chosen.spec.scope,
                    generator_saw=subject.generator_saw,
                    memory=chosen.spec.memory,
                    seed=cells[key].seed,
                    draw=one.replicate if one.arm == FRACTION else subject.draws[one.replicate],
                    stochastic=subject.stochastic or not chosen.spec.deterministic,
                    fixed=subject.fixed,
                    share=one.share,
                    **{**_told(one.real), "arm": one.arm},
                )
                rows.append(row)
    return rows


def _replicate(
    data: Data,
    one: Compared,
    replicate: Replicate,
    experiment: Experiment,
    forecasters: Mapping[str, Chosen],
    cells: dict[str, Cell],
    notes: list[str],
    held: list[Held],
) -> list[Row]:
    """The rows of one source and replicate, and the cells they need."""
    source, k = one.source, replicate.number
    own: dict[str, dict[str, Any]] = {
        label: {
            "data": data.name,
            "source": source.name,
            "replicate": k,
            "forecaster": label,
            "transfer": chosen.spec.transfer,
            "scope": chosen.spec.scope,
            "generator_saw": source.generator_saw,
            "memory": chosen.spec.memory,
            "draw": replicate.draw,
            "stochastic": chosen.spec.transfer == "learned" and (source.stochastic or not chosen.spec.deterministic),
            "fixed": source.fixed,
        }
        for label, chosen in forecasters.items()
    }
    rows = []
    for scope in dict.fromkeys(c.spec.scope for c in forecasters.values()):
        arms = _arms(data, one, replicate, scope, experiment)
        if isinstance(arms, NotDrawn):
            failed: dict[str, Any] = {"arm": "synthetic", "cell": "", "error": arms.reason, "traceback": arms.traceback}
            rows += [Row(**own[label], **failed) for label, c in forecasters.items() if c.spec.scope == scope]
            continue
        notes += [*(() if source.name == ORACLE else arms.pairing.told), *arms.notes]
        asked: list[_Asked] = [(made_set.arm, made_set, None) for made_set in arms.sets]
        if experiment.validation:
            seed = seed_of(experiment.seed, data.name, VIEW)
            taken = held_out(_of(arms, "synthetic"), data.split, scope=scope, seed=seed)
            held.append(Held(data, source.name, scope, k, taken))
            asked += _validating(arms, taken, notes)
        for label, chosen in forecasters.items():
            if chosen.spec.scope != scope:
                continue
            seed = seed_of(experiment.seed, data.name, chosen.address, k)
            for arm, made_set, at in (*asked, *_perturbed(arms, chosen, data, experiment)):
                training = None if chosen.spec.transfer == "none" else made_set
                view: dict[str, Any] = {"view": VIEW, "split": at} if isinstance(at, Split) else {"how": at}
                key = _cell(data, chosen, training, seed, cells, quantiles=experiment.quantiles, **view)
                facts = {**own[label], **_told(made_set), "arm": arm, "short": arms.short}
                rows.append(Row(**facts, cell=key, seed=cells[key].seed))
    order = list(forecasters)
    return sorted(rows, key=lambda row: order.index(row.forecaster))


def _validating(arms: Arms, taken: HeldOut | str, notes: list[str]) -> list[_Asked]:
    """What validating on synthetic series asks for: its head on the real windows, and both arms on those held out."""
    if isinstance(taken, str):
        notes.append(f"validation on these series is not measurable: {taken}")
        return []
    # a control that looks back as far as the synthetic arm does
    control = _of(arms, "real-short" if arms.short is not None else "real")
    return [
        (HEAD, taken.training, None),
        (ON_SYNTHETIC[HEAD], taken.training, taken.split),
        (ON_SYNTHETIC["real"], control, taken.split),
    ]


def _perturbed(arms: Arms, chosen: Chosen, data: Data, experiment: Experiment) -> Iterator[_Asked]:
    """What is forecast from perturbed histories: the same ones in every arm and replicate, and in every noise."""
    seeds = {kind: seed_of(experiment.seed, data.name, "perturbed", kind) for kind in get_args(Kind)}
    for how in perturbations_for(chosen.spec, seeds) if experiment.stress else ():
        yield from ((arm_under(how.name, one.arm), one, how) for one in arms.sets if one.arm in PERTURBED)


def _of(arms: Arms, name: str) -> TrainingSet:
    return next(made_set for made_set in arms.sets if made_set.arm == name)


def _arms(data: Data, one: Compared, replicate: Replicate, scope: Scope, experiment: Experiment) -> Arms | NotDrawn:
    """The training sets of a replicate, or why there are none."""
    if isinstance(replicate.synthetic, NotDrawn):
        return replicate.synthetic
    try:
        return arms_of(
            replicate.real,
            replicate.synthetic,
            null=replicate.null,
            windows=one.source.windows,
            scope=scope,
            rules=one.rules,
            seed=seed_of(experiment.seed, data.name, "arms", replicate.number),
            whole=data.train,
        )
    except UsageError as err:
        if one.source.name != ORACLE:
            raise
        return NotDrawn(f"half of the real training part is too little: {err}")


def _told(made_set: TrainingSet) -> dict[str, Any]:
    """What a row says of the training set of its arm."""
    footing = made_set.footing
    return {
        "arm": made_set.arm,
        "paired": footing.paired,
        "scaling": footing.scaling,
        "context": footing.context,
        "leads": footing.leads,
        "pairs": made_set.pairs,
        "pairs_before": made_set.pairs_before,
        "trained_on": made_set.panel.fingerprint,
    }


def _cell(
    data: Data,
    chosen: Chosen,
    training: TrainingSet | None,
    seed: int,
    cells: dict[str, Cell],
    *,
    quantiles: tuple[float, ...] = (),
    view: str = CLEAN,
    split: Split | None = None,
    blend: Blend | None = None,
    others: TrainingSet | None = None,
    how: Perturbation | None = None,
) -> str:
    """The key of a cell, which is put among `cells`; equal content, equal key.

    `quantiles` are those of the experiment. A `view` other than the clean one has the histories of a `split` of its
    own, or those of the data's own after a perturbation, forecast from the same fit. A `blend` is made of `training`
    and `others`.
    """
    view = view if how is None else how.name
    if (view == CLEAN) != (split is None and how is None) or (split is not None and how is not None):
        raise ValueError(
            f"the view {CLEAN!r} is that of the data's own split; every other one needs a split or a perturbation"
        )
    split = split or data.split
    spec = chosen.spec
    footing = None if training is None else training.footing
    context = footing.context if footing is not None and spec.scope == "global" else None
    most = spec.most_history(split.data.seasons, split.horizon)
    limit = context if most is None else most
    seed = 0 if spec.deterministic or training is None else seed
    content = {
        "version": cell.VERSION,
        "windows": split.fingerprint,
        "view": view,
        "forecaster": spec.name,
        "code": chosen.identity,
        "parameters": chosen.content,
        "training": None if training is None else training.panel.fingerprint,
        "scaling": None if footing is None else footing.scaling,
        "figures": None if training is None or training.figures is None else digest(training.figures),
        "context": context,
        "limit": limit,
        "seed": seed,
        **({"quantiles": list(quantiles)} if quantiles else {}),
        **({} if how is None else {"perturbation": how.content}),
        **({} if blend is None else _blend_told(blend, training, others, spec.uses_weights)),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    key = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    if footing is not None and footing.scaling == "train":
        unknown = set(split.data.keys) - set(data.train.keys)
        if unknown:
            raise DataError(
                f"{data.name}: scaling 'train' has no figures for {len(unknown)} series of the view {view!r}, first "
                f"{min(unknown)!r}; ask for another scaling"
            )
    cells.setdefault(key, Cell(key, data, split, chosen, training, context, limit, seed, content, blend, others, how))
    return key


def _blend_told(
    blend: Blend, training: TrainingSet | None, others: TrainingSet | None, uses_weights: bool
) -> dict[str, Any]:
    """What names a blend beside the real series: its shares, the other series, and the leads that are taught."""
    return {
        "blend": blend.content,
        "others": None if others is None else others.panel.fingerprint,
        "other_figures": None if others is None or others.figures is None else digest(others.figures),
        "leads": None if training is None else training.footing.leads,
        "uses_weights": uses_weights,
    }
