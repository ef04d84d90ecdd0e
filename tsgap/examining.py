"""From a data set and a source to the diagnostics of that source: what is compared, who has seen what, what leaked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan
from typing import Any

import tsgap
from tsgap import leaks
from tsgap.diagnostics import Contrast, Known, contrasted
from tsgap.diagnostics.features import features as own_features
from tsgap.drawing import Wanted
from tsgap.errors import DataError, StoreError, TsgapError
from tsgap.examination import Examination, examined
from tsgap.examinations import TABLE
from tsgap.experiment import Experiment
from tsgap.halves import ORACLE, SERIES, halves
from tsgap.inputs import Data, Inputs, NotDrawn, Source
from tsgap.panel import Panel, digest
from tsgap.plugins import Chosen, choose_diagnostic, choose_features, code_of, registry
from tsgap.plugins.identity import code_hash
from tsgap.protocols import DiagnosticSpec
from tsgap.replicates import Drawing, seed_of
from tsgap.store import Store


@dataclass(frozen=True, eq=False)
class Case:
    """One source that is examined: its first replicate, against the real training part of its data set.

    `refit` draws from the source's generator after a fit on a part of the real series, None for series handed over,
    whose makers never saw `outsiders`, as far as that is known.
    """

    data: Data
    source: Source
    refit: Callable[[Panel, int], Panel] | None = None
    outsiders: Panel | None = None

    @property
    def synthetic(self) -> Panel | NotDrawn:
        """The series that are examined."""
        return self.source.replicates[0]


def cases(given: Inputs, sources: Sequence[Source], draw: Drawing) -> Iterator[Case]:
    """Everything that is to be examined, in the order of data sets and sources."""
    by_name = {data.name: data for data in given.data}
    for source in sources:
        chosen = given.generators.get((source.data, source.name))
        refit = None if chosen is None else _refit(chosen, draw)
        yield Case(by_name[source.data], source, refit, given.outsiders.get(source.data))


def _refit(chosen: Chosen, draw: Drawing) -> Callable[[Panel, int], Panel]:
    def drawn(members: Panel, seed: int) -> Panel:
        wanted = Wanted(f"members of {chosen.label}", chosen, members, seed)
        panel = draw([wanted])[wanted.name]
        if isinstance(panel, NotDrawn):
            raise DataError(f"{chosen.label} could not be fitted on half of the series: {panel.reason}")
        return panel

    return drawn


def contrast_of(case: Case, experiment: Experiment) -> Contrast:
    """Both sides of a source on equal terms; `DataError` where they are too short or too few."""
    data, source = case.data, case.source
    seed = seed_of(experiment.seed, data.name, "contrast")
    if isinstance(case.synthetic, NotDrawn):
        raise DataError(f"it could not be drawn: {case.synthetic.reason}")
    as_read = {"real": data.split.training_data}
    if source.as_read is not None:
        as_read["synthetic"] = source.as_read
    known, told = _known(case, seed)
    found = contrasted(
        data.train,
        case.synthetic,
        seed=seed,
        scaling="standard" if source.normalised else "none",
        featurise=choose_features(experiment.features) if experiment.features else own_features,
        rules=experiment.rules,
        as_read=as_read,
        known=known,
    )
    several = len(source.replicates)
    notes: tuple[str, ...] = (f"the first of {several} replicates is examined",) if several > 1 else ()
    if told:
        notes += (told,)
    if source.normalised:
        notes += ("windows on both sides are brought to mean 0 and standard deviation 1",)
    return replace(found, notes=(*notes, *found.notes))


def _known(case: Case, seed: int) -> tuple[Known | None, str]:
    """Who has seen what: from a fit on half of the real series, or from series that the user held back; and a note."""
    data, told = case.data, ""
    if case.refit is not None and (dealt := halves(data.train, seed=seed)).by == "series":
        try:
            made = case.refit(dealt.real, seed)
        except DataError as err:
            told = f"nobody knows who was seen: {err}"
        else:
            told = (
                "who gives members away is asked of a fit on half of the real series, not of the outsiders handed over"
            )
            known = Known(dealt.real, dealt.synthetic, made, by_host=True)
            return known, told if case.outsiders is not None else ""
    # halves in time are parts of the same series: no outsiders
    if case.outsiders is None or isinstance(case.synthetic, NotDrawn):
        return None, told
    return Known(data.train, case.outsiders, case.synthetic), ""


def specs_of(only: Sequence[Any] = ()) -> dict[str, DiagnosticSpec]:
    """The diagnostics that are registered, or those of `only`, by what they are called.

    `only` are names, ``module:function``, functions or specs; `UnknownNameError` for a name nobody has.
    """
    if not only:
        return {name: offer.spec for name, offer in registry().diagnostics.items()}
    chosen = [(what, choose_diagnostic(what)) for what in only]
    return {what if isinstance(what, str) else spec.name: spec for what, spec in chosen}


def examine(
    case: Case, experiment: Experiment, specs: Mapping[str, DiagnosticSpec]
) -> tuple[Examination, Contrast | None]:
    """What the diagnostics say of one source, whether the test leaked into it, and what was compared, if anything."""
    data, name = case.data, case.source.name
    told: tuple[str, ...] = ()
    if not isinstance(case.synthetic, NotDrawn):
        told = tuple(leaks.words(data.split, case.synthetic))
    try:
        contrast = contrast_of(case, experiment)
    except TsgapError as err:
        return Examination(data.name, name, leaks=told, why=str(err)), None
    seed = seed_of(experiment.seed, data.name, "diagnostics")
    return Examination(
        data.name, name, examined(contrast, specs, seed=seed), told, "", contrast.notes, contrast.caution
    ), contrast


def content_of(case: Case, experiment: Experiment, specs: Mapping[str, DiagnosticSpec], version: str) -> str:
    """Names an examination by all that could change it."""
    panel = case.synthetic
    read, strangers = case.source.as_read, case.outsiders
    return digest(
        version,
        case.data.split.fingerprint,
        panel.reason if isinstance(panel, NotDrawn) else panel.fingerprint,
        case.source.normalised,
        experiment.seed,
        experiment.rules,
        # what a path or an address leads to, not its name
        code_hash(choose_features(experiment.features)) if experiment.features else "",
        strangers.fingerprint if strangers is not None else "",
        read.fingerprint if read is not None else "",
        [(name, code_of(spec)) for name, spec in specs.items()],
    )


def record(
    experiment: Experiment,
    given: Inputs,
    sources: Sequence[Source],
    draw: Drawing,
    store: Store,
) -> None:
    """Examine the sources of a sweep and keep what was found in its folder; what is there already is not done again."""
    specs = specs_of()
    out = {}
    for name, case, content, kept in _recorded(experiment, given, sources, draw, store, specs):
        out[name] = kept or {"content": content, "examination": examine(case, experiment, specs)[0].told}
        if kept is None:
            store.write_json(TABLE, {**_table(store), **out})
    store.write_json(TABLE, out)


def forget_others(
    experiment: Experiment, given: Inputs, sources: Sequence[Source], draw: Drawing, store: Store
) -> None:
    """Take out of the folder of a sweep what was found in other series or with other settings: its gaps are new."""
    if before := _table(store):
        every = _recorded(experiment, given, sources, draw, store, specs_of())
        store.write_json(TABLE, {name: before[name] for name, _, _, kept in every if kept})


@dataclass(frozen=True)
class Foreseen:
    """What a sweep has to examine: so many `diagnostics` of each of `sources`, a source counted in each data set.

    `reused` sources are in the folder as they are asked for. For `refits` of the others a generator is fitted on half
    of the series. `seconds` is what the diagnostics of the others take, as those in the folder tell; None where some
    have not run there on the same data set yet.
    """

    diagnostics: int
    sources: int
    reused: int
    refits: int
    seconds: float | None


def foreseen(
    experiment: Experiment, given: Inputs, sources: Sequence[Source], draw: Drawing, store: Store | None
) -> Foreseen:
    """What `record` would do; draws and examines nothing."""
    specs = specs_of()
    every = list(_recorded(experiment, given, sources, draw, store, specs))
    todo = [case for _, case, _, kept in every if not kept]
    refits = sum(case.refit is not None and len(case.data.train) >= SERIES for case in todo)
    paces = _paces(store)
    took = [paces.get((case.data.name, name), nan) for case in todo for name in specs]
    seconds = sum(took)
    return Foreseen(len(specs), len(every), len(every) - len(todo), refits, None if isnan(seconds) else seconds)


def _paces(store: Store | None) -> dict[tuple[str, str], float]:
    """Mean seconds of each diagnostic by data set, as the folder tells."""
    took: dict[tuple[str, str], list[float]] = {}
    for one in _table(store).values():
        told = one["examination"]
        for found in told["found"]:
            seconds = found["seconds"]
            took.setdefault((told["data"], found["diagnostic"]), []).append(nan if seconds is None else seconds)
    return {name: sum(times) / len(times) for name, times in took.items()}


def _recorded(
    experiment: Experiment,
    given: Inputs,
    sources: Sequence[Source],
    draw: Drawing,
    store: Store | None,
    specs: Mapping[str, DiagnosticSpec],
) -> Iterator[tuple[str, Case, str, dict[str, Any] | None]]:
    """Each source by its name, its case, its content, and what was found in the same before, if anything."""
    before = _table(store)
    for case in cases(given, [one for one in sources if one.name != ORACLE], draw):
        name = f"{case.data.name}/{case.source.name}"
        content = content_of(case, experiment, specs, tsgap.__version__)
        kept = before.get(name)
        yield name, case, content, kept if kept and kept.get("content") == content else None


def _table(store: Store | None) -> dict[str, Any]:
    try:
        return {} if store is None else dict(store.read_json(TABLE))
    except StoreError:
        return {}
