"""The diagnostics of a sweep, kept in its folder: what is there already is not done again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan
from typing import Any

import tsgap
from tsgap import examining
from tsgap.errors import StoreError
from tsgap.examinations import TABLE
from tsgap.experiment import Experiment
from tsgap.halves import ORACLE, SERIES
from tsgap.inputs import Inputs, NotDrawn, Source
from tsgap.panel import digest
from tsgap.plugins import choose_features, code_of
from tsgap.plugins.identity import code_hash
from tsgap.protocols import DiagnosticSpec
from tsgap.replicates import Drawing
from tsgap.store import Store


@dataclass(frozen=True, eq=False)
class Entry:
    """A source that is to be examined: its `content` names all that could change what is found.

    `kept` is what the folder holds under that name and content, None where it holds nothing.
    """

    case: examining.Case
    content: str
    kept: Mapping[str, Any] | None

    @property
    def name(self) -> str:
        """The data set and the source."""
        return f"{self.case.data.name}/{self.case.source.name}"


def entries(
    experiment: Experiment, given: Inputs, sources: Sequence[Source], draw: Drawing, store: Store | None
) -> list[Entry]:
    """All that a sweep is to examine; draws and examines nothing."""
    specs, before, out = examining.specs_of(), _table(store), []
    for case in examining.cases(given, [one for one in sources if one.name != ORACLE], draw):
        fresh = Entry(case, content_of(case, experiment, specs, tsgap.__version__), None)
        kept = before.get(fresh.name)
        out.append(replace(fresh, kept=kept) if kept and kept.get("content") == fresh.content else fresh)
    return out


def content_of(case: examining.Case, experiment: Experiment, specs: Mapping[str, DiagnosticSpec], version: str) -> str:
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


def forget_others(every: Sequence[Entry], store: Store) -> None:
    """Take out of the folder what was found in other series or with other settings: its gaps are new."""
    if _table(store):
        store.write_json(TABLE, {one.name: one.kept for one in every if one.kept})


def record(every: Sequence[Entry], experiment: Experiment, store: Store) -> None:
    """Examine what the folder does not hold, and keep what was found there."""
    specs, out = examining.specs_of(), {}
    for one in every:
        out[one.name] = one.kept or {
            "content": one.content,
            "examination": examining.examine(one.case, experiment, specs)[0].told,
        }
        if not one.kept:
            store.write_json(TABLE, {**_table(store), **out})
    store.write_json(TABLE, out)


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


def foreseen(every: Sequence[Entry], store: Store | None) -> Foreseen:
    """What `record` would do; examines nothing."""
    specs, paces = examining.specs_of(), _paces(store)
    todo = [one.case for one in every if not one.kept]
    refits = sum(case.refit is not None and len(case.data.train) >= SERIES for case in todo)
    seconds = sum(paces.get((case.data.name, name), nan) for case in todo for name in specs)
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


def _table(store: Store | None) -> dict[str, Any]:
    try:
        return {} if store is None else dict(store.read_json(TABLE))
    except StoreError:
        return {}
