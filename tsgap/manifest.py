"""What a run folder holds beside the forecasts: the truth, the rows of the plan, and how all of it came about."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import tsgap
from tsgap import augmenting, automatic_groups, situations
from tsgap.arms import TrainingSet
from tsgap.atoms import truth_table
from tsgap.blocks import ranges
from tsgap.events import Event
from tsgap.experiment import SHARED, Experiment
from tsgap.footing import Footing
from tsgap.holdout import LEVELS, levels
from tsgap.inputs import Data
from tsgap.leaks import found_in
from tsgap.opened import PLAN_VERSION
from tsgap.panel import Floats, digest
from tsgap.plan import Plan
from tsgap.replicates import seed_of
from tsgap.splits import Split
from tsgap.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

#: Settings that say nothing unless they are asked for.
_ASKED_FOR = (
    *("quantiles", "oracle_split", "validation", "augment", "cheap", "event"),
    *("diagnose", "rules", "features", "outsiders", "stress"),
)


def write(experiment: Experiment, made: Plan, store: Store) -> None:
    """The truth of every data set and view, `plan` and `manifest`."""
    splits = [*(data.split for data in made.data), *(one.split for one in made.cells.values())]
    for split in {split.fingerprint: split for split in splits}.values():
        _write_truth(split, store)
    cells = {key: dict(one.content) for key, one in made.cells.items()}
    store.write_json("plan", {"version": PLAN_VERSION, "rows": [vars(row) for row in made.rows], "cells": cells})
    found = found_in(made)
    store.write_json(
        "manifest",
        {
            "tsgap": tsgap.__version__,
            "experiment": described(experiment),
            "data": {data.name: _told(data) for data in made.data},
            "forecasters": list(made.forecasters),
            "notes": [
                *made.notes,
                *found.notes,
                *(f"{data}: {source}: LEAK: {t}" for (data, source), of in found.leaks.items() for t in of),
            ],
            "leaks": {f"{data}/{source}": told for (data, source), told in found.leaks.items()},
            **({"validation": _held(made, store)} if experiment.validation else {}),
            **({"augmentation": _augmented(made, experiment, store)} if experiment.augment else {}),
            **({"groups": _groups(made, experiment, store)} if experiment.diagnose else {}),
            "generator_cutoff": experiment.generator_cutoff or "undeclared",
            "machine": {"python": platform.python_version(), "platform": platform.platform()},
            "versions": _versions(made),
        },
    )


def described(experiment: Experiment) -> dict[str, Any]:
    """An experiment as text and numbers; Python objects by their type and content."""
    return {
        "data": [
            {
                "name": d.name,
                "what": shown(d.what),
                "horizons": list(d.horizons),
                "windows": d.windows,
                "step": d.step,
                "first_cutoff": None if d.first_cutoff is None else str(d.first_cutoff),
                "reading": {
                    f.name: str(getattr(d.options, f.name))
                    for f in fields(d.options)
                    if f.name != "data_dir" and getattr(d.options, f.name) != f.default
                },
            }
            for d in experiment.data
        ],
        "sources": [
            {"name": s.name, "what": shown(s.what), "data": s.data, "inverse": s.inverse, "channels": list(s.channels)}
            for s in experiment.sources
        ],
        "forecasters": [shown(f) for f in experiment.forecasters],
        # what is not asked for changes neither what is written nor the folder of a run
        **{
            name: _setting(name, experiment) for name in SHARED if name not in _ASKED_FOR or _is_asked(name, experiment)
        },
    }


def _setting(name: str, experiment: Experiment) -> Any:
    value = getattr(experiment, name)
    return shown(value) if name in ("outsiders", "features") else value


def _is_asked(name: str, experiment: Experiment) -> bool:
    value = getattr(experiment, name)
    # a frame is neither equal to anything nor unequal
    return value is not None and value is not False and not (isinstance(value, (str, tuple)) and not value)


def shown(what: Any) -> str:
    """Text for what a user gave: a file by its absolute path, an object by its type and the hash of its content."""
    if isinstance(what, str):
        return what if what.startswith(("gen:", "card:")) or not Path(what).exists() else str(Path(what).resolve())
    if isinstance(what, np.ndarray):
        return f"<array {what.shape} {digest(what)[:8]}>"
    if isinstance(what, (list, tuple)):
        return f"[{', '.join(shown(w) for w in what)}]"
    if hasattr(what, "fingerprint"):
        return f"<{type(what).__name__} {what.fingerprint[:8]}>"
    if type(what).__name__ == "DataFrame" and hasattr(what, "columns"):
        import pandas as pd

        frame = what if isinstance(what, pd.DataFrame) else what.to_pandas()
        return f"<DataFrame {frame.shape} {digest(pd.util.hash_pandas_object(frame).to_numpy())[:8]}>"
    return f"<{getattr(what, 'name', type(what).__name__)}>"


def _told(data: Data) -> dict[str, Any]:
    split = data.split
    return {
        "truth": truth_table(split.fingerprint),
        "fingerprint": split.data.fingerprint,
        "freq": split.data.freq,
        "seasons": list(split.data.seasons),
        "horizons": list(data.horizons),
        "series": len(split.data),
        "windows": split.n_windows,
        "step": split.step,
        "first_cutoff": str(split.cutoffs.min()),
        "last_cutoff": str(split.cutoffs.max()),
        "left_out": [list(pair) for pair in split.left_out],
    }


def _held(made: Plan, store: Store) -> dict[str, list[dict[str, Any]]]:
    """What each source has to validate on, by data set and source: the table of its truth, or why there is nothing.

    `levels` is the table of what errors are divided by, first those on the real windows, where there are no twins.
    """
    import pyarrow as pa

    out: dict[str, list[dict[str, Any]]] = {}
    written = set()
    for one in made.held:
        told: dict[str, Any] = {"replicate": one.replicate, "scope": one.scope, "why": "", "truth": "", "levels": ""}
        out.setdefault(f"{one.data.name}/{one.source}", []).append(told)
        if isinstance(one.what, str):
            told["why"] = one.what
            continue
        footing = one.what.training.footing
        told["truth"] = truth_table(one.what.split.fingerprint)
        told["scaled_by"] = "seasonal-naive error of the real series"
        if footing.paired:
            continue
        told["scaled_by"] = LEVELS[footing.scaling]
        splits = one.data.split, one.what.split
        told["levels"] = f"levels-{digest(*(s.fingerprint for s in splits), footing.scaling, footing.context)}"
        if told["levels"] not in written:
            written.add(told["levels"])
            found = np.concatenate([levels(split, footing.scaling, footing.context) for split in splits])
            store.write_table(told["levels"], pa.table({"level": found}))
    return out


def _groups(made: Plan, experiment: Experiment, store: Store) -> dict[str, dict[str, Any]]:
    """The automatic groups of each data set, beside the first draw of each source that is compared."""
    first: dict[str, dict[str, TrainingSet]] = {data.name: {} for data in made.data}
    for row in made.rows:
        if row.arm == "synthetic" and row.cell and (training := made.cells[row.cell].training) is not None:
            first[row.data].setdefault(row.source, training)
    return {
        data.name: automatic_groups.written(
            data.split,
            first[data.name],
            store,
            seed=seed_of(experiment.seed, data.name, "groups"),
            normalised={one.name for one in made.sources if one.data == data.name and one.normalised},
        )
        for data in made.data
    }


def _augmented(made: Plan, experiment: Experiment, store: Store) -> dict[str, dict[str, Any]]:
    """What augmentation needs beside forecasts, by data set: its subjects, who is refused, and tables of windows."""
    out = {}
    for data in made.data:
        splits = {"test": data.split, **({} if isinstance(data.inner, str) else {"inner": data.inner})}
        subjects = made.augmented[data.name]
        out[data.name] = {
            "subjects": [subject.told for subject in subjects],
            "refused": {name: why for name, one in made.forecasters.items() if (why := augmenting.refused(one))},
            "contexts": _contexts(subjects, splits, store),
            **({"event": _event(data, experiment.event, splits, store)} if experiment.event else {}),
        }
    return out


def _contexts(
    subjects: Sequence[augmenting.Subject], splits: Mapping[str, Split], store: Store
) -> dict[str, dict[str, str]]:
    """Tables of what was known before each window, by source and stage; sources on the same footing share them.

    Simple augmentations have none: whether errors can be foretold is asked once, of the real arm beside a source.
    """
    tables: dict[Footing, dict[str, str]] = {}
    out = {}
    for subject in subjects:
        footing = subject.footing
        if footing is None or subject.cheap:
            continue
        if footing not in tables:
            tables[footing] = {stage: situations.write_contexts(of, footing, store) for stage, of in splits.items()}
        out[subject.source] = tables[footing]
    return out


def _event(data: Data, text: str, splits: Mapping[str, Split], store: Store) -> dict[str, str]:
    event = Event.parse(text)
    tables = {stage: situations.write_thresholds(data.split, split, event, store) for stage, split in splits.items()}
    return {"event": str(event), **tables}


def _write_truth(split: Split, store: Store) -> None:
    store.write_table(truth_table(split.fingerprint), _truth_in_blocks(split))


def _truth_in_blocks(split: Split) -> Iterator[pa.Table]:
    """The truth and what is known of its windows, in tables of as many rows as a block holds."""
    import pyarrow as pa

    weights, begins = _weights(split), split.data.offsets[split.series] + split.origins
    texts = {"unique_id": split.data.keys} | {f"group {name}": of for name, of in split.data.groups.items()}
    of_series = {name: pa.array(of, type=pa.string()) for name, of in texts.items()}
    for rows in ranges(len(split), split.horizon):
        series = split.series[rows]
        values = split.data.values[begins[rows, None] + np.arange(split.horizon)]
        yield pa.table(
            {
                "unique_id": of_series["unique_id"].take(pa.array(series)),
                "window": split.window[rows],
                "cutoff": split.cutoffs[rows],
                "block": split.blocks[rows],
                "mae_scale": split.scales.mae[series],
                "rmse_scale": split.scales.rmse[series],
                "weight": weights[rows],
                "truth": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), split.horizon),
                **{name: of.take(pa.array(series)) for name, of in of_series.items() if name != "unique_id"},
            }
        )


def _weights(split: Split) -> Floats:
    """What each window weighs (N,): every series the same, or as the user says, however many windows it has."""
    counts = np.bincount(split.series, minlength=len(split.data))
    series = np.ones(len(split.data)) if split.data.weights is None else split.data.weights
    return np.asarray((series * counts.max() / counts)[split.series])


def _versions(made: Plan) -> dict[str, str]:
    out = {}
    for name in ("numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "statsmodels"):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            continue
    return out | {one.chosen.distribution: one.chosen.version for one in made.cells.values()}
