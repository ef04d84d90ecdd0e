"""From a data set and a source to the diagnostics of that source: what is compared, who has seen what, what leaked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tsgap import leaks
from tsgap.diagnostics import Contrast, Known, contrasted
from tsgap.drawing import Wanted
from tsgap.errors import DataError, TsgapError
from tsgap.examination import Examination, examined
from tsgap.experiment import Experiment
from tsgap.halves import halves
from tsgap.inputs import Data, Inputs, NotDrawn, Source
from tsgap.panel import Panel
from tsgap.plugins import Chosen, choose_diagnostic, choose_features, registry
from tsgap.protocols import DiagnosticSpec
from tsgap.replicates import Drawing, seed_of


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
        featurise=choose_features(experiment.features) if experiment.features else None,
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
