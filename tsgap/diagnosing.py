"""Synthetic against real series without a forecaster, asked from Python or from the command line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tsgap import drawing, inputs
from tsgap.examinations import Diagnostics
from tsgap.examining import cases, examine, specs_of
from tsgap.experiment import BASELINE, Experiment, data_specs, source_specs
from tsgap.readers import ReadOptions
from tsgap.replicates import Drawing, compared
from tsgap.store import Store


def diagnose(
    real: Any,
    synthetic: Any,
    *,
    only: Any = (),
    rules: Sequence[str] | str = (),
    features: Any = None,
    outsiders: Any = None,
    seed: int = 0,
    horizons: Sequence[int | str] | str | int = (),
    windows: int | None = None,
    step: int | None = None,
    first_cutoff: str | int | None = None,
    inverse: Any = None,
    channels: Sequence[str] = (),
    jobs: int | None = None,
    timeout: float = 600.0,
    **reading: Any,
) -> Diagnostics:
    """Compare synthetic with real series themselves, without any forecaster: why there may be a gap.

    `real` and `synthetic` as in `tsgap.sweep`; the real series are those of its training part, split alike (`horizons`,
    `windows`, `step`, `first_cutoff`), and the test is looked for among the synthetic ones. `only` is a
    diagnostic or a list of them, each a name, ``module:function`` or a function (default: all that are registered).
    `rules` are your own for what is plausible, such as ``"y >= 0"``; `features` (``"module:function"`` or a function of
    windows (N, L) and a season length) stands in for the features of windows; `outsiders` are real series of the same
    period that the makers of the synthetic ones never saw, without which membership inference needs a generator of
    tsgap. `reading` are the settings of `ReadOptions`.
    """
    data = data_specs(
        real,
        options=ReadOptions(**reading),
        horizons=horizons,
        windows=windows,
        step=step,
        first_cutoff=first_cutoff,
    )
    sources = source_specs(synthetic, inverse=inverse, channels=tuple(channels))
    asked: dict[str, Any] = {"rules": rules, "features": features, "outsiders": outsiders, "seed": seed}
    experiment = Experiment(data, sources, (BASELINE,), diagnose=True, **asked)
    return of_experiment(
        experiment, only=only if isinstance(only, (list, tuple)) else [only], jobs=jobs, timeout=timeout
    )


def of_experiment(
    experiment: Experiment, *, only: Sequence[Any] = (), jobs: int | None = None, timeout: float = 600.0
) -> Diagnostics:
    """What `diagnose` says of the data and sources of an experiment; generators are drawn from once."""
    specs = specs_of(only)
    # one draw is examined, whatever the forecasters of the experiment are
    alone = replace(experiment, replicates=1, forecasters=(BASELINE,), null=False, oracle_split=False)
    given = inputs.read(alone)
    notes = [f"{data.name}: {note}" for data in given.data for note in data.notes]
    found, contrasts = [], {}
    with _drawing(jobs, timeout) as draw:
        sources = [one.source for data in given.data for one in compared(data, given, alone, draw)]
        for case in cases(given, sources, draw):
            one, contrast = examine(case, alone, specs)
            found.append(one)
            notes += [f"{case.data.name}: {case.source.name}: {note}" for note in case.source.notes]
            if contrast is not None:
                contrasts[case.data.name, case.source.name] = contrast
    return Diagnostics(tuple(found), tuple(dict.fromkeys(notes)), contrasts)


@contextmanager
def _drawing(jobs: int | None, timeout: float) -> Iterator[Drawing]:
    """Draws in workers, with a store of its own for as long as it is used; what was mapped from there stays."""
    with tempfile.TemporaryDirectory(prefix="tsgap-") as home, Store.open(Path(home) / "drawn") as store:
        yield lambda wanted: drawing.drawn(wanted, store, work=store.work, jobs=jobs, timeout=timeout)


__all__ = ["Diagnostics", "diagnose", "of_experiment"]
