"""Run an experiment: plan → tasks → engine → store; what is stored already is not computed again."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import tsgap
from tsgap import cell, engines, plan
from tsgap.arms import train_figures
from tsgap.engines import Outcome, Task
from tsgap.errors import StoreError, UsageError
from tsgap.experiment import DEFAULT_FORECASTERS, Experiment, data_specs, source_specs
from tsgap.panel import Floats, Panel, digest, frozen, offsets_of
from tsgap.plugins import Chosen
from tsgap.readers import ReadOptions
from tsgap.run import Run
from tsgap.store import Part, Store

#: Statuses that count as missing in the next run, and those that are tried again only when asked.
AGAIN, FAILED = ("crash", "skipped"), ("error", "timeout", "oom", "contract")
#: Where runs go when no folder is named.
RUNS = "tsgap-runs"


@dataclass(frozen=True)
class Progress:
    """How far a sweep is: tasks, of which `ok` and `failed` ended now and `reused` were there before."""

    total: int
    ok: int
    failed: int
    reused: int
    last: str = ""


def sweep(
    real: Any,
    synthetic: Any,
    *,
    forecasters: Sequence[Any] = DEFAULT_FORECASTERS,
    horizons: Sequence[int | str] | str | int = (),
    windows: int | None = None,
    step: int | None = None,
    first_cutoff: str | int | None = None,
    replicates: int = 1,
    seed: int = 0,
    scaling: str | None = None,
    context: int | None = None,
    match: bool = True,
    null: bool = True,
    inverse: str | None = None,
    channels: Sequence[str] = (),
    generator_cutoff: str | None = None,
    out: str | Path | None = None,
    jobs: int | None = None,
    timeout: float = 600.0,
    retry_failed: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    **reading: Any,
) -> Run:
    """Train forecasters on synthetic series and on real ones, and score both on held-out real series.

    `real` is a file, ``"card:ID"``, a frame `unique_id, ds, y`, a list of darts series, or a mapping of names to
    those. `synthetic` is the same, an array of windows (N, L) or (N, L, C), ``"gen:NAME[:key=value,…]"``, a list of
    such texts, or a mapping of names. `horizons` are steps or multiples of the season (``"1m"``); other options as
    in `Experiment`, `DataSpec` and `ReadOptions` (`freq`, `season_length`, column names, …). Results go to the
    folder `out` (default: one under ``tsgap-runs/`` named after the experiment); the same call again computes only
    what is missing. `jobs` worker processes (default: the cores there are; 0: none, for debugging), `timeout`
    seconds a cell. Returns a `Run`; failed cells are rows in it, not errors.
    """
    data = data_specs(
        real,
        options=ReadOptions(**reading),
        horizons=_listed(horizons),
        windows=windows,
        step=step,
        first_cutoff=first_cutoff,
    )
    experiment = Experiment(
        data,
        source_specs(synthetic, inverse=inverse, channels=tuple(channels)),
        tuple(forecasters),
        replicates,
        seed,
        scaling,
        context,
        match,
        null,
        generator_cutoff,
    )
    return perform(experiment, out=out, jobs=jobs, timeout=timeout, retry_failed=retry_failed, on_progress=on_progress)


def _listed(horizons: Sequence[int | str] | str | int) -> tuple[int | str, ...]:
    if isinstance(horizons, str):
        return tuple(h.strip() for h in horizons.split(","))
    return (horizons,) if isinstance(horizons, int) else tuple(horizons)


def perform(
    experiment: Experiment,
    *,
    out: str | Path | None = None,
    jobs: int | None = None,
    timeout: float = 600.0,
    retry_failed: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Run:
    """Run an experiment; see `sweep`."""
    jobs = cores() if jobs is None else jobs
    data = [plan.read(spec) for spec in experiment.data]
    _check_generator_cutoff(experiment, data)
    folder = Path(out) if out is not None else Path(RUNS) / folder_name(experiment, data)
    store = Store.open(folder)
    work = store.work
    made = plan.made(experiment, data, lambda wanted: _drawn(wanted, store, work, jobs, timeout))
    _write_inputs(experiment, made, store)
    todo, reused = missing(made, store, retry_failed)
    state = Progress(sum(len(plan.blocks(c)) for c in made.cells.values()), 0, 0, reused)
    if on_progress:
        on_progress(state)
    with closing(
        engines.run(cell.execute, _tasks(todo, work, timeout), jobs=jobs, log_dir=store.path / "logs")
    ) as ends:
        for outcome in ends:
            part = _part(outcome, made)
            store.add(part)
            good = part.status == "ok"
            state = replace(state, ok=state.ok + good, failed=state.failed + (not good), last=outcome.task.group)
            if on_progress:
                on_progress(state)
    store.close()
    return Run(folder)


def cores() -> int:
    """The processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def folder_name(experiment: Experiment, data: Sequence[plan.Data]) -> str:
    """A name that the same experiment on the same data always gets."""
    text = digest([d.split.fingerprint for d in data], described(experiment))
    return "-".join([*(d.name for d in data[:3]), text[:8]])


def described(experiment: Experiment) -> dict[str, Any]:
    """An experiment as plain text and numbers, for the manifest; objects by their type."""
    return {
        "data": [
            {
                "name": d.name,
                "what": _shown(d.what),
                "horizons": list(d.horizons),
                "windows": d.windows,
                "step": d.step,
                "first_cutoff": d.first_cutoff,
            }
            for d in experiment.data
        ],
        "sources": [
            {"name": s.name, "what": _shown(s.what), "data": s.data, "inverse": s.inverse, "channels": list(s.channels)}
            for s in experiment.sources
        ],
        "forecasters": [_shown(f) for f in experiment.forecasters],
        "replicates": experiment.replicates,
        "seed": experiment.seed,
        "scaling": experiment.scaling,
        "context": experiment.context,
        "match": experiment.match,
        "null": experiment.null,
        "generator_cutoff": experiment.generator_cutoff,
    }


def _shown(what: Any) -> str:
    return what if isinstance(what, str) else f"<{type(what).__name__}>"


def _check_generator_cutoff(experiment: Experiment, data: Sequence[plan.Data]) -> None:
    if experiment.generator_cutoff is None:
        return
    for d in data:
        first = d.split.cutoffs.min()
        if d.split.data.freq == "step":
            declared: Any = int(experiment.generator_cutoff)
        else:
            import pandas as pd

            declared = pd.Timestamp(experiment.generator_cutoff).to_datetime64()
        if declared > first:
            raise UsageError(
                f"{d.name}: the generator saw real data up to {experiment.generator_cutoff}, the first origin is "
                f"{str(first)[:19]}: it has seen the test. Fit it on 'tsgap split', or move the first cutoff"
            )


def missing(made: plan.Plan, store: Store, retry_failed: bool) -> tuple[list[plan.Cell], int]:
    """The cells that are still to be run, and how many tasks are there already."""
    finished = store.finished()
    todo, reused = [], 0
    for key, work in made.cells.items():
        status = finished.get(key)
        if status in AGAIN or (retry_failed and status in FAILED):
            store.discard(key)
            status = None
        if status is None:
            todo.append(work)
        else:
            reused += len(plan.blocks(work))
    return todo, reused


def _tasks(todo: Sequence[plan.Cell], work: Path, timeout: float) -> Iterator[Task]:
    import cloudpickle

    for one in todo:
        split, spec = one.data.split, one.chosen.spec
        histories = cell.write_panel(split.histories(one.limit), work)
        train = None if one.training is None else cell.write_panel(one.training.panel, work)
        parts = plan.blocks(one)
        for i, (train_rows, history_rows) in enumerate(parts):
            scaling = "none" if one.training is None else one.training.footing.scaling
            job = cell.Job(
                spec.build,
                dict(one.chosen.params),
                train,
                train_rows,
                histories,
                history_rows,
                split.horizon,
                one.context,
                one.seed,
                scaling,
                spec.least_history(split.data.seasons, split.horizon),
                None if one.training is None else one.training.figures,
                _history_figures(one, history_rows) if scaling == "train" else None,
            )
            n = len(split) if history_rows is None else len(history_rows)
            yield Task(
                f"{one.key}/{i}/{len(parts)}", one.chosen.label, cloudpickle.dumps(job), timeout * max(1.0, n / 2000)
            )


def _history_figures(one: plan.Cell, rows: Any) -> Floats:
    figures = train_figures(one.data.train)
    out = np.array([figures[one.data.split.data.keys[s]] for s in one.data.split.series])
    return out if rows is None else out[rows]


def _part(outcome: Outcome, made: plan.Plan) -> Part:
    key, i, n = outcome.task.id.split("/")
    work = made.cells[key]
    rows = plan.blocks(work)[int(i)][1]
    rows = np.arange(len(work.data.split)) if rows is None else rows
    info: dict[str, Any] = {
        "data": work.data.name,
        "forecaster": work.chosen.label,
        "distribution": work.chosen.distribution,
        "version": work.chosen.version,
        "seconds": outcome.seconds,
        "attempt": outcome.attempt,
        "host": platform.node(),
    }
    if outcome.status == "ok" and outcome.value is not None:
        result = cell.decoded_result(outcome.value)
        failed = {int(rows[r]): why for r, why in result.failed.items()}
        return Part(key, int(i), int(n), result.status, rows, result.mean, failed, {**info, **result.info})
    info |= {"stage": outcome.stage, "error": outcome.error, "traceback": outcome.traceback}
    return Part(key, int(i), int(n), outcome.status, rows, np.empty((0, 0)), {}, info)


def _drawn(
    wanted: Sequence[tuple[str, Chosen, Panel, int]], store: Store, work: Path, jobs: int, timeout: float
) -> Mapping[str, Panel | str]:
    """Synthetic panels from generators, in workers; what was drawn before is read from the store."""
    import cloudpickle

    out: dict[str, Panel | str] = {}
    tasks, names = [], {}
    for name, chosen, train, seed in wanted:
        params = {k: repr(v) for k, v in sorted(chosen.params.items())}
        table = "source-" + digest(chosen.spec.name, chosen.identity, params, train.fingerprint, seed)
        known = _stored_panel(store, table, train)
        if known is not None:
            out[name] = known
            continue
        draw = cell.Draw(chosen.spec.build, dict(chosen.params), cell.write_panel(train, work), seed)
        tasks.append(Task(name, chosen.label, cloudpickle.dumps(draw), timeout))
        names[name] = (table, train, chosen)
    with closing(engines.run(cell.execute, tasks, jobs=min(jobs, len(tasks)), log_dir=store.path / "logs")) as ends:
        for outcome in ends:
            table, train, chosen = names[outcome.task.id]
            if outcome.status != "ok" or outcome.value is None:
                out[outcome.task.id] = f"{outcome.status}: {outcome.error}"
                continue
            panel = cell.decoded_panel(outcome.value)
            if chosen.spec.paired and panel.keys != train.keys:
                out[outcome.task.id] = f"contract: {chosen.label} says it is paired, its keys are not the real ones"
                continue
            _store_panel(store, table, panel)
            out[outcome.task.id] = panel
    return out


def _store_panel(store: Store, table: str, panel: Panel) -> None:
    import pyarrow as pa

    values = pa.ListArray.from_arrays(pa.array(panel.offsets.astype(np.int32)), pa.array(panel.values))
    store.write_table(table, pa.table({"key": list(panel.keys), "series": list(panel.series), "values": values}))


def _stored_panel(store: Store, table: str, train: Panel) -> Panel | None:
    try:
        found = store.read_table(table)
    except StoreError:
        return None
    rows = found["values"].to_list()
    return Panel(
        frozen(np.concatenate(rows)),
        frozen(offsets_of(len(r) for r in rows)),
        tuple(found["key"]),
        train.freq,
        train.seasons,
        tuple(found["series"]),
    )


def _write_inputs(experiment: Experiment, made: plan.Plan, store: Store) -> None:
    """The truth, the rows of the plan, and the manifest: all that the tables need beside the forecasts."""
    import pyarrow as pa

    told = {}
    for data in made.data:
        split = data.split
        keys = np.array(split.data.keys, dtype=object)[split.series]
        offsets = pa.array((np.arange(len(split) + 1) * split.horizon).astype(np.int32))
        table = {
            "unique_id": keys.tolist(),
            "window": split.window,
            "cutoff": split.cutoffs,
            "mae_scale": split.scales.mae[split.series],
            "rmse_scale": split.scales.rmse[split.series],
            "truth": pa.ListArray.from_arrays(offsets, pa.array(split.truth.ravel())),
        }
        for name, of in split.data.groups.items():
            table[f"group {name}"] = np.array(of, dtype=object)[split.series].tolist()
        store.write_table(f"truth-{split.fingerprint}", pa.table(table))
        told[data.name] = {
            "truth": f"truth-{split.fingerprint}",
            "fingerprint": split.data.fingerprint,
            "freq": split.data.freq,
            "seasons": list(split.data.seasons),
            "horizons": list(data.horizons),
            "series": len(split.data),
            "windows": split.n_windows,
            "step": split.step,
            "first_cutoff": str(split.cutoffs.min())[:19],
            "last_cutoff": str(split.cutoffs.max())[:19],
            "left_out": [list(pair) for pair in split.left_out],
        }
    store.write_json("plan", {"rows": [vars(r) for r in made.rows]})
    store.write_json(
        "manifest",
        {
            "tsgap": tsgap.__version__,
            "experiment": described(experiment),
            "data": told,
            "notes": list(made.notes),
            "generators_saw": experiment.generator_cutoff or "undeclared",
            "machine": {"python": platform.python_version(), "platform": platform.platform(), "cores": cores()},
            "versions": _versions(made),
        },
    )


def _versions(made: plan.Plan) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    out = {}
    for name in ("numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "statsmodels"):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            continue
    for one in made.cells.values():
        out[one.chosen.distribution] = one.chosen.version
    return out


__all__ = ["Progress", "described", "folder_name", "missing", "perform", "sweep"]
