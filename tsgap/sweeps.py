"""Run an experiment: plan → tasks → engine → store; what is stored already is not computed again."""

from __future__ import annotations

import platform
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tsgap import cell, drawing, engines, inputs, manifest, plan
from tsgap.arms import train_figures
from tsgap.engines import Outcome, Task
from tsgap.experiment import DEFAULT_FORECASTERS, SHARED, Experiment, data_specs, source_specs, whole
from tsgap.panel import Floats, Ints, digest
from tsgap.plugins import choose_forecaster
from tsgap.readers import ReadOptions
from tsgap.run import Run
from tsgap.shelf import write_histories, write_panel
from tsgap.store import Part, Store

#: Statuses that count as missing in the next run, and those that are tried again only when asked.
AGAIN, FAILED = ("crash", "skipped"), ("error", "timeout", "oom", "contract")
#: Ends of a task that say nothing of a single view.
LOST = ("crash", "timeout", "oom")
#: Where runs go when no folder is named.
RUNS = "tsgap-runs"


@dataclass(frozen=True)
class Progress:
    """How far a sweep is: of `total` blocks of cells `ok` and `failed` ended now, `reused` were there before."""

    total: int
    ok: int
    failed: int
    reused: int
    last: str = ""


def sweep(
    real: Any,
    synthetic: Any,
    *,
    forecasters: Sequence[Any] | Mapping[str, Any] | Any = DEFAULT_FORECASTERS,
    horizons: Sequence[int | str] | str | int = (),
    windows: int | None = None,
    step: int | None = None,
    first_cutoff: str | int | None = None,
    inverse: Any = None,
    channels: Sequence[str] = (),
    out: str | Path | None = None,
    jobs: int | None = None,
    engine: str = engines.LOCAL,
    timeout: float = 600.0,
    retry_failed: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    **settings: Any,
) -> Run:
    """Train forecasters on synthetic series and on real ones, and score both on held-out real series.

    `real` is a file, ``"card:ID"``, a frame `unique_id, ds, y`, a list of darts series, or a mapping of names to
    those. `synthetic` is the same, an array of windows (N, L) or (N, L, C), ``"gen:NAME[:key=value,…]"``, a list of
    such texts, a generator (spec, class or object), or a mapping of names (``"data/source"`` binds one to a data
    set). `forecasters` are names with parameters, ``"module:callable"``, specs, classes or objects, one
    or a list or a mapping of labels to those. `horizons` are steps or multiples of the season
    (``"1m"``); `windows`, `step` and `first_cutoff` as in `tsgap.splits.rolling`. `inverse` and `channels` are for
    arrays of windows.

    `settings` are those of `Experiment` (`replicates`, `seed`, `scaling`, `context`, `match`, `null`,
    `generator_cutoff`, `quantiles`, `oracle_split`, `validation`) and of `ReadOptions` (`freq`, `season_length`,
    `id_col`, `time_col`, `target_col`, `wide`, `groups`, `weights`, `missing`, `data_dir`).

    Results go to the folder `out` (default: one under ``tsgap-runs/`` that the same experiment always gets); the
    same call again computes only what is missing. `jobs` worker processes (default: the cores there are; 0: none,
    for debugging), `timeout` seconds a cell. `engine` is ``"local"`` or the address of a cluster, such as
    ``"dask://HOST:8786"``, where `jobs` bounds what runs at once (default: all its threads). Returns a `Run`; failed
    cells are rows in it, not errors.
    """
    reading, shared = _sorted_out(settings)
    data = data_specs(
        real,
        options=ReadOptions(**reading),
        horizons=horizons,
        windows=windows,
        step=step,
        first_cutoff=first_cutoff,
    )
    for name in {"replicates", "seed", "context"} & set(shared):
        shared[name] = whole(name, shared[name])
    if shared.get("generator_cutoff") is not None:
        shared["generator_cutoff"] = str(shared["generator_cutoff"])
    sources = source_specs(synthetic, inverse=inverse, channels=tuple(channels))
    if isinstance(forecasters, Mapping):
        forecasters = [choose_forecaster(what, label=label) for label, what in forecasters.items()]
    elif not isinstance(forecasters, Iterable) or isinstance(forecasters, str):
        forecasters = [forecasters]
    experiment = Experiment(data, sources, tuple(forecasters), **shared)
    return perform(
        experiment,
        out=out,
        jobs=jobs,
        engine=engine,
        timeout=timeout,
        retry_failed=retry_failed,
        on_progress=on_progress,
    )


def _sorted_out(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    reading = set(ReadOptions.__dataclass_fields__) - {"inverse", "channels"}
    unknown = set(settings) - reading - set(SHARED)
    if unknown:
        raise TypeError(
            f"sweep() got an unexpected keyword argument {sorted(unknown)[0]!r}; settings are "
            f"{', '.join(sorted(reading | set(SHARED)))}"
        )
    return {k: v for k, v in settings.items() if k in reading}, {k: v for k, v in settings.items() if k in SHARED}


def perform(
    experiment: Experiment,
    *,
    out: str | Path | None = None,
    jobs: int | None = None,
    engine: str = engines.LOCAL,
    timeout: float = 600.0,
    retry_failed: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Run:
    """Run an experiment; see `sweep`."""
    engines.check(engine, jobs)
    given = inputs.read(experiment)
    folder = folder_of(experiment, given.data, out)
    with Store.open(folder) as store:
        work = store.work
        made = plan.made(
            experiment,
            given,
            lambda wanted: drawing.drawn(wanted, store, work=work, jobs=jobs, engine=engine, timeout=timeout),
        )
        manifest.write(experiment, made, store)
        todo = _todo(made, store, retry_failed)
        total = sum(len(plan.blocks(one)) for one in made.cells.values())
        state = Progress(total, 0, 0, total - sum(len(plan.blocks(one)) for one in todo))
        if on_progress:
            on_progress(state)
        with closing(_ended(todo, work, timeout, jobs, engine, store.path / "logs")) as ends:
            for outcome in ends:
                for part in _parts(outcome, made, work):
                    store.add(part)
                    good = part.status == "ok"
                    state = replace(state, ok=state.ok + good, failed=state.failed + (not good))
                (work / outcome.task.output).unlink(missing_ok=True)
                state = replace(state, last=outcome.task.group)
                if on_progress:
                    on_progress(state)
    return Run(folder)


def folder_of(experiment: Experiment, data: Sequence[inputs.Data], out: str | Path | None) -> Path:
    """`out`, or a folder that the same experiment on the same data always gets."""
    if out is not None:
        return Path(out)
    text = digest([d.split.fingerprint for d in data], manifest.described(experiment))
    return Path(RUNS) / "-".join([*(d.name for d in data[:3]), text[:8]])


def _todo(made: plan.Plan, store: Store, retry_failed: bool) -> list[plan.Cell]:
    """The cells that are still to be run; what is left of failed ones that are tried again is discarded."""
    # what was damaged since it was written is found before it is counted as done
    store.check()
    finished, todo = store.finished(), []
    for key, one in made.cells.items():
        status = finished.get(key)
        if status in AGAIN or (retry_failed and status in FAILED):
            store.discard(key)
            status = None
        if status is None:
            todo.append(one)
    return todo


def _ended(
    todo: Sequence[plan.Cell], work: Path, timeout: float, jobs: int | None, engine: str, logs: Path
) -> Generator[Outcome, None, None]:
    """How every task ended; what a worker did not survive with several views is done again, each view alone."""
    alone: set[str] | None = None
    while alone is None or alone:
        tasks, lost = _tasks(todo, work, timeout, alone), set[str]()
        with closing(engines.run(cell.execute, tasks, jobs=jobs, engine=engine, folder=work, log_dir=logs)) as ends:
            for outcome in ends:
                labels = outcome.task.id.split(" ")
                if outcome.status in LOST and len({label.partition("/")[0] for label in labels}) > 1:
                    lost.update(labels)
                else:
                    yield outcome
        alone = lost


def _tasks(todo: Sequence[plan.Cell], work: Path, timeout: float, alone: set[str] | None) -> Iterator[Task]:
    """One task for each block of a fit, shared by the views that are forecast from it, or of each view in `alone`."""
    import cloudpickle

    fits: dict[tuple[Any, ...], list[plan.Cell]] = {}
    for one in todo:
        fits.setdefault(one.fit if alone is None else (one.key,), []).append(one)
    for views in fits.values():
        first, training = views[0], views[0].training
        spec, split = first.chosen.spec, first.split
        homes = {one.key: write_histories(one.split, one.limit, work) for one in views}
        figures = {one.key: _history_figures(one) for one in views}
        train = None if training is None else write_panel(training.panel, work)
        for shared in _together(views):
            labels = [f"{one.key}/{i}/{count}" for one, i, count, _ in shared]
            if alone is not None and not alone.issuperset(labels):
                continue
            asked = [cell.View(homes[one.key], b.rows, _of_rows(figures[one.key], b.rows)) for one, _, _, b in shared]
            output = f"out-{digest(labels)}"
            job = cell.Job(
                spec.build,
                dict(first.chosen.params),
                train,
                shared[0][3].train_rows,
                tuple(asked),
                split.horizon,
                first.context,
                first.seed,
                "none" if training is None else training.footing.scaling,
                spec.least_history(split.data.seasons, split.horizon),
                None if training is None else training.figures,
                first.splits_by_series,
                first.quantile_levels,
                output,
            )
            n = sum(len(one.split) if b.rows is None else len(b.rows) for one, _, _, b in shared)
            limit = timeout * max(1.0, n / 2000)
            inputs = tuple(dict.fromkeys((*homes.values(), *([] if train is None else [train]))))
            yield Task(" ".join(labels), first.chosen.label, cloudpickle.dumps(job), limit, inputs, output)


def _together(views: Sequence[plan.Cell]) -> list[list[tuple[plan.Cell, int, int, plan.Block]]]:
    """The blocks (cell, part, of how many, block) that are forecast from one fit on the same training rows."""
    places: dict[int, list[tuple[plan.Cell, int, int, plan.Block]]] = {}
    for one in views:
        cut = plan.blocks(one)
        for i, block in enumerate(cut):
            places.setdefault(block.place, []).append((one, i, len(cut), block))
    return list(places.values())


def _history_figures(one: plan.Cell) -> Floats | None:
    """Location and scale of the real training part for each history (N, 2), where the scaling asks for them."""
    if one.training is None or one.training.footing.scaling != "train":
        return None
    by_key = train_figures(one.data.train)
    return np.array([by_key[key] for key in one.split.data.keys])[one.split.series]


def _of_rows(figures: Floats | None, rows: Ints | None) -> Floats | None:
    return figures if figures is None or rows is None else figures[rows]


def _parts(outcome: Outcome, made: plan.Plan, work: Path) -> Iterator[Part]:
    """What a task says of each cell it served; those that share a fit share its seconds."""
    labels = outcome.task.id.split(" ")
    results = None
    if outcome.status == "ok" and outcome.value is not None:
        results = cell.decoded_results(outcome.value, work / outcome.task.output)
    for place, label in enumerate(labels):
        key, i, n = label.split("/")
        one = made.cells[key]
        block = plan.blocks(one)[int(i)].rows
        rows = np.arange(len(one.split)) if block is None else block
        info: dict[str, Any] = {
            "data": one.data.name,
            "forecaster": one.chosen.label,
            "distribution": one.chosen.distribution,
            "version": one.chosen.version,
            "seconds": outcome.seconds / len(labels),
            "attempt": outcome.attempt,
            "host": platform.node(),
        }
        if results is not None:
            result = results[place]
            failed = {int(rows[r]): why for r, why in result.failed.items()}
            levels = () if result.quantiles is None else one.quantile_levels
            told = {**info, **result.info}
            yield Part(key, int(i), int(n), result.status, rows, result.mean, failed, told, result.quantiles, levels)
        else:
            info |= {"stage": outcome.stage, "error": outcome.error, "traceback": outcome.traceback}
            yield Part(key, int(i), int(n), outcome.status, rows, np.empty((0, 0)), {}, info)
