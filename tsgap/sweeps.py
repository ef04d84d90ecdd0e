"""Run an experiment: plan → tasks → engine → store; what is stored already is not computed again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tsgap import cell, drawing, engines, inputs, manifest, plan, recording
from tsgap.calibration import LEVELS
from tsgap.engines import Outcome
from tsgap.experiment import DEFAULT_FORECASTERS, SHARED, Experiment, data_specs, levels_of, source_specs, whole
from tsgap.fits import Fit, fits_of
from tsgap.panel import Panel, digest
from tsgap.plugins import choose_forecaster
from tsgap.readers import ReadOptions
from tsgap.run import Run
from tsgap.schedule import Pace, Queue
from tsgap.sharing import Shard
from tsgap.shelf import forget
from tsgap.standing import Standing, has_failed
from tsgap.store import Part, Store
from tsgap.tasks import Tasks, parts_of

#: Ends of a task that say nothing of a single view.
LOST = ("crash", "timeout", "oom")
#: Where runs go when no folder is named.
RUNS = "tsgap-runs"


@dataclass(frozen=True)
class Progress:
    """How far a sweep is: of `total` blocks of cells `ok` and `failed` ended now, `reused` were there before.

    `seconds_left` is an estimate from what fits of the same forecasters took, None as long as nothing is known.
    `faults` counts all that has no forecast: blocks that failed, now or before, or of which every window did, and rows
    of the plan without a cell. Of a shard everything is counted for its own share.
    """

    total: int
    ok: int
    failed: int
    reused: int
    last: str = ""
    seconds_left: float | None = None
    faults: int = 0

    @property
    def done(self) -> int:
        """Blocks that have ended."""
        return self.ok + self.failed + self.reused

    def after(self, part: Part) -> Progress:
        """The same with one more part."""
        good = part.status == "ok"
        counts = {"ok": self.ok + good, "failed": self.failed + (not good), "faults": self.faults + has_failed(part)}
        return replace(self, **counts)  # type: ignore[arg-type]


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
    shard: str | tuple[int, int] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    calibration: bool = False,
    **settings: Any,
) -> Run:
    """Train forecasters on synthetic series and on real ones, and score both on held-out real series.

    `real` is a file, ``"card:ID"``, a frame `unique_id, ds, y`, a list of darts series, or a mapping of names to
    those. `synthetic` is the same, an array of windows (N, L) or (N, L, C), ``"gen:NAME[:key=value,…]"``, a list of
    such texts, a generator (spec, class or object), or a mapping of names (``"data/source"`` binds one to a data
    set); None where nothing synthetic is asked for. `forecasters` are names with parameters, ``"module:callable"``,
    specs, classes or objects, one or a list or a mapping of labels to those. `horizons` are steps or multiples of the
    season (``"1m"``); `windows`, `step` and `first_cutoff` as in `tsgap.splits.rolling`. `inverse` and `channels` are
    for arrays of windows. `calibration` asks for the quantiles that `Run.calibration` is about, beside any others.

    `settings` are those of `Experiment` (`replicates`, `seed`, `scaling`, `context`, `match`, `null`,
    `generator_cutoff`, `quantiles`, `oracle_split`, `validation`, `augment`, `cheap`, `event`, `diagnose`, `rules`,
    `features`, `outsiders`, `stress`) and of `ReadOptions`
    (`freq`, `season_length`, `id_col`, `time_col`, `target_col`, `wide`, `groups`, `weights`, `missing`, `data_dir`).

    Results go to the folder `out` (default: one under ``tsgap-runs/`` that the same experiment always gets); the
    same call again computes only what is missing. `jobs` worker processes (default: the cores there are; 0: none,
    for debugging), `timeout` seconds a cell. `engine` is ``"local"`` or the address of a cluster, such as
    ``"dask://HOST:8786"``, where `jobs` bounds what runs at once (default: all its threads). `shard` (``"3/8"`` or
    ``(3, 8)``) computes only the third of eight shares, which `tsgap.merge` puts together. Returns a `Run`; failed
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
    if calibration:
        shared["quantiles"] = (*(set(LEVELS) | set(levels_of(shared.get("quantiles")))),)
    if shared.get("generator_cutoff") is not None:
        shared["generator_cutoff"] = str(shared["generator_cutoff"])
    sources = () if synthetic is None else source_specs(synthetic, inverse=inverse, channels=tuple(channels))
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
        shard=shard,
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
    shard: str | tuple[int, int] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Run:
    """Run an experiment; see `sweep`."""
    engines.check(engine, jobs)
    share = None if shard is None else Shard.read(shard)
    given = inputs.read(experiment)
    folder = folder_of(experiment, given.data, out)
    with Store.open(folder) as store:
        work, logs = store.work, store.path / "logs"

        def draw(wanted: Sequence[drawing.Wanted]) -> Mapping[str, Panel | inputs.NotDrawn]:
            return drawing.drawn(wanted, store, work=work, jobs=jobs, engine=engine, timeout=timeout)

        made = plan.made(experiment, given, draw)
        examined = recording.entries(experiment, given, made.sources, draw, store) if experiment.diagnose else []
        if experiment.diagnose:
            recording.forget_others(examined, store)
        manifest.write(experiment, made, store)
        # what was damaged since it was written is found before it is counted as done
        store.check()
        every = fits_of(made.cells.values())
        mine = every if share is None else share.share(every)
        stand = Standing.of(every, store)
        todo = _todo(mine, stand, store, retry_failed)
        slots = engines.cores() if jobs is None and engine == engines.LOCAL else jobs
        faults = sum(bool(row.error) for row in made.rows)
        state = _at_the_start(mine, todo, stand, slots, faults)
        if on_progress:
            on_progress(state)
        tasks = Tasks(work, timeout)

        def run(queue: Queue) -> Generator[Outcome]:
            return engines.run(cell.execute, map(tasks.of, queue), jobs=jobs, engine=engine, folder=work, log_dir=logs)

        with closing(_ended(todo, stand.pace, slots, run)) as ends:
            for fit, outcome, left in ends:
                for part in parts_of(fit, outcome, work):
                    store.add(part)
                    state = state.after(part)
                (work / outcome.task.output).unlink(missing_ok=True)
                state = replace(state, last=fit.group, seconds_left=left)
                if on_progress:
                    on_progress(state)
        if experiment.diagnose and (share is None or share.number == 1):
            recording.record(examined, experiment, store)
    forget()
    return Run(folder)


def folder_of(experiment: Experiment, data: Sequence[inputs.Data], out: str | Path | None) -> Path:
    """`out`, or a folder that the same experiment on the same data always gets."""
    if out is not None:
        return Path(out)
    text = digest([d.split.fingerprint for d in data], manifest.described(experiment))
    return Path(RUNS) / "-".join([*(d.name for d in data[:3]), text[:8]])


def _todo(fits: Sequence[Fit], stand: Standing, store: Store, retry_failed: bool) -> list[Fit]:
    """The fits that are still to be made; what is left of failed pieces that are tried again is removed."""
    places = {piece.place for fit in fits for piece in fit.pieces}
    wanted = {place for place in places if not stand.is_done(place, retry_failed=retry_failed)}
    for place in wanted & set(stand.heads):
        store.remove(stand.heads[place])
    return [some for fit in fits for some in fit.only(wanted)]


def _at_the_start(
    fits: Sequence[Fit], todo: Sequence[Fit], stand: Standing, slots: int | None, faults: int
) -> Progress:
    """What is there before anything is run, with `faults` beside the cells."""
    places, waiting = ({piece.place for fit in of for piece in fit.pieces} for of in (fits, todo))
    faults += sum(map(stand.failed, places - waiting))
    left = Queue(todo, stand.pace, slots).seconds_left
    return Progress(len(places), 0, 0, len(places) - len(waiting), seconds_left=left, faults=faults)


def _ended(
    todo: Sequence[Fit], pace: Pace, slots: int | None, run: Callable[[Queue], Generator[Outcome]]
) -> Generator[tuple[Fit, Outcome, float | None]]:
    """How every fit ended, and the seconds left; what no worker survived with several views is done view by view."""
    while todo:
        queue, lost, fits = Queue(todo, pace, slots), list[Fit](), {fit.name: fit for fit in todo}
        with closing(run(queue)) as ends:
            for outcome in ends:
                fit = fits[outcome.task.id]
                queue.ended(fit, outcome.seconds if outcome.attempt else None)
                if outcome.status in LOST and len(alone := fit.apart()) > 1:
                    lost += alone
                else:
                    yield fit, outcome, queue.seconds_left
        todo = lost
