"""One fit and the views forecast from it, in a worker: scale → fit → forecast → unscale; a failure is a result."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tsgap.additive import Grouping, grouped_moments
from tsgap.blends import Blend, Blending, Rows, Stock
from tsgap.errors import ContractError, ForecastError
from tsgap.footing import reach
from tsgap.panel import Floats, Ints, Panel
from tsgap.perturbing import ATTACK, Perturbation, attacked, perturbed
from tsgap.protocols import Additive, Forecast, Forecaster, Generator
from tsgap.replies import checked, laid_out, rising, unusable
from tsgap.scaling import Scaled, location_and_scale, scaled
from tsgap.shelf import read_panel
from tsgap.spool import Extent, Spool, mapped

#: Raised when the same inputs would give other forecasts than before, also for a change in `tsgap.scaling`,
#: `tsgap.blends`, `tsgap.replies` or `tsgap.local`, whose code no forecaster's identity holds: part of each cell's key.
VERSION = 3


@dataclass(frozen=True)
class Result:
    """What a cell, one view of a fit, (or one block of its rows) has to say.

    `mean` (N, H′) in the units of the data, NaN in failed rows; `failed` maps a row to its reason; `quantiles`
    (N, H′, Q) likewise, None where the forecaster has none or none were asked. `info` has `load_seconds`,
    `fit_seconds`, `predict_seconds`, and how many histories (`unit_scaled`) and training series
    (`unit_scaled_training`) have no scale of their own, as where all values are 0; `crossed` is in how many pairs of
    row and lead the quantiles did not rise, and were sorted; of a failure `stage`, `error`, `traceback`.
    """

    status: str
    mean: Floats
    failed: Mapping[int, str] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    quantiles: Floats | None = None


@dataclass(frozen=True, eq=False)
class View:
    """Histories that are forecast from a fit: the name of their panel, which of its rows, and their figures.

    `rows` None are all; a view with rows is a block of one, of which every row may fail. `figures` (rows, 2) are those
    of scaling 'train', `spare` (rows,) what stands in where a history has no scale. `blend`: what is learned for this
    view, where that is not the training panel as it is. `perturbation`: what is done to the histories, in units of
    `scales` (rows,), before they are cut to their last `limit` values.
    """

    histories: str
    rows: Ints | None = None
    figures: Floats | None = None
    blend: Blend | None = None
    perturbation: Perturbation | None = None
    scales: Floats | None = None
    limit: int | None = None
    spare: Floats | None = None


@dataclass(frozen=True, eq=False)
class Job:
    """Everything a worker needs to fit once and forecast every view: what may be seen, and nothing else.

    Panels are named as they lie in the folder of the worker. `output` is the file there that the forecasts go to.
    `twins_only`: a history whose series is not in the training panel fails, so that blocks of series may be worked on
    alone. Where views have blends these are made of `train` and of the synthetic panel `others`, with `leads` that
    are taught.
    """

    build: Any
    params: Mapping[str, Any]
    train: str | None
    train_rows: Ints | None
    views: tuple[View, ...]
    horizon: int
    context: int | None
    seed: int
    scaling: str
    least_history: int
    figures: Floats | None = None
    twins_only: bool = False
    quantile_levels: tuple[float, ...] = ()
    others: str | None = None
    other_figures: Floats | None = None
    leads: int | None = None
    uses_weights: bool = False
    output: str = "out"


@dataclass(frozen=True)
class Draw:
    """Everything a worker needs to fit a generator and draw one synthetic panel into the file `output`."""

    build: Any
    params: Mapping[str, Any]
    train: str
    seed: int
    output: str = "out"


@dataclass(frozen=True, eq=False)
class _Asked:
    """The histories of a view as a forecaster gets them, and what takes its answer back to the units of the data."""

    histories: Panel
    location: Floats
    scale: Floats
    failed: Mapping[int, str]
    info: Mapping[str, Any]

    @cached_property
    def ready(self) -> Ints:
        """Rows that are forecast: those that have not failed already."""
        return np.delete(np.arange(len(self.histories)), list(self.failed))

    @property
    def given(self) -> Panel:
        """Those rows, scaled."""
        return scaled(self.histories, self.location, self.scale).take(self.ready)


class _Clock:
    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        now, before = time.perf_counter(), self._last
        self._last = now
        return round(now - before, 6)


def forecast(job: Job, folder: Path) -> Iterator[Result]:
    """Fit on the training panel once and forecast every view; what goes wrong comes back as a result.

    One result for each view, made when it is asked for. What goes wrong before the first forecast is the result of
    them all; what goes wrong in one view is its own. The panels lie in `folder`.
    """
    stage, clock = "load", _Clock()
    info: dict[str, Any] = {}
    try:
        train = None if job.train is None else read_panel(folder, job.train, job.train_rows)
        # one that none of the views needs is not fitted
        wanted = any(len(_asked(job, folder, view, train).ready) for view in job.views)
        info["load_seconds"] = clock.lap()
        if train is not None and any(view.blend is not None for view in job.views):
            yield from _blended(job, folder, train, info)
            return
        stage = "build"
        forecaster: Forecaster = job.build(**job.params)
        stage = "fit"
        if train is not None and wanted:
            info["unit_scaled_training"] = _fit(job, forecaster, train)
        info["fit_seconds"] = clock.lap()
    except MemoryError:
        raise
    except Exception as err:  # noqa: BLE001 - whatever a plugin raises is the cell's result
        yield from [_failure(job, view, stage, err, info) for view in job.views]
        return
    for view in job.views:
        yield _answered(job, folder, view, train, forecaster, info)


def _blended(job: Job, folder: Path, train: Panel, told: Mapping[str, Any]) -> Iterator[Result]:
    """What each view says of its own blend; what goes wrong is that of the one view."""
    real = _rows(job, train, job.figures)
    others = None if job.others is None else _rows(job, read_panel(folder, job.others), job.other_figures)
    if job.context is None or job.leads is None:
        raise ContractError("a blend is made of pairs of a context and leads, which a local forecaster has not")
    stock = Stock(real, others, job.context, job.leads, train.season)
    blending = Blending(stock, weighted=job.uses_weights, quantiles=bool(job.quantile_levels))
    last: tuple[Blend, Forecaster, bool] | None = None
    for view in job.views:
        stage, info, clock = "build", dict(told), _Clock()
        try:
            if view.blend is None:
                raise ContractError("a view without a blend among views that have one")
            if last is None or last[0] != view.blend:
                last, forecaster = None, job.build(**job.params)
                stage = "fit"
                weighted = blending.teach(forecaster, view.blend, horizon=job.horizon, seed=job.seed)
                last = view.blend, forecaster, weighted
            _, forecaster, info["weighted"] = last
            if view.blend.reweighted:
                info["effective"] = stock.ratio.effective
            info["fit_seconds"] = clock.lap()
        except MemoryError:
            raise
        except Exception as err:  # noqa: BLE001 - whatever a plugin raises is the cell's result
            yield _failure(job, view, stage, err, info)
            continue
        yield _answered(job, folder, view, train, forecaster, info)


def _rows(job: Job, panel: Panel, figures: Floats | None) -> Rows:
    return Rows(Scaled(panel, job.scaling, figures).read, panel.lengths, panel.series)


def _fit(job: Job, forecaster: Forecaster, train: Panel) -> int:
    """Fit on the scaled training panel; how many of its series have no scale.

    An additive forecaster learns from moments, of which the panel is read and scaled block by block, unless quantiles
    are asked for: those need more than moments.
    """
    figures = job.figures if job.figures is None or job.train_rows is None else job.figures[job.train_rows]
    real = Scaled(train, job.scaling, figures)
    if isinstance(forecaster, Additive) and job.context is not None and not job.quantile_levels:
        context, leads = reach(train.lengths, train.seasons, horizon=job.horizon, context=job.context)
        grouping = Grouping.of(train.lengths, train.series, context=context, leads=leads)
        forecaster.solve(grouped_moments(forecaster, real.read, grouping), seed=job.seed)
    else:
        forecaster.fit(real.read(np.arange(len(train))), horizon=job.horizon, context=job.context, seed=job.seed)
    return real.ones


def _asked(job: Job, folder: Path, view: View, train: Panel | None) -> _Asked:
    histories, how = read_panel(folder, view.histories, view.rows), view.perturbation
    if how is not None and how.kind != ATTACK and view.scales is not None:
        histories = perturbed(histories, how, view.scales, view.limit)
    return _prepared(job, view, histories, train)


def _attacked(job: Job, view: View, asked: _Asked, train: Panel | None, forecaster: Forecaster) -> _Asked:
    """What is asked with each history changed as it moves this forecaster most."""
    if view.perturbation is None or view.scales is None or not len(asked.ready):
        return asked
    ready, sizes = asked.ready, view.perturbation.size * view.scales
    return _prepared(job, view, attacked(asked.histories, ready, forecaster, asked.given, sizes, job.horizon), train)


def _prepared(job: Job, view: View, histories: Panel, train: Panel | None) -> _Asked:
    location, scale, ones = location_and_scale(histories, job.scaling, job.context, view.figures, view.spare)
    failed = _too_short(histories, job.least_history)
    if job.twins_only and train is not None:
        failed |= _without_twin(histories, train)
    return _Asked(histories, location, scale, failed, {"unit_scaled": ones})


def _answered(
    job: Job, folder: Path, view: View, train: Panel | None, forecaster: Forecaster, told: Mapping[str, Any]
) -> Result:
    """The forecasts of one view in the units of the data."""
    stage, info = "scale", dict(told)
    try:
        asked = _asked(job, folder, view, train)
        if view.perturbation is not None and view.perturbation.kind == ATTACK:
            stage = "perturb"
            asked = _attacked(job, view, asked, train, forecaster)
        info |= asked.info
        ready, histories, failed = asked.ready, asked.histories, dict(asked.failed)
        location, scale = asked.location[ready, None], asked.scale[ready, None]
        stage, clock = "predict", _Clock()
        answer = Forecast(np.empty((0, job.horizon)))
        if len(ready):
            levels: dict[str, Any] = {"quantile_levels": job.quantile_levels} if job.quantile_levels else {}
            answer = forecaster.predict(asked.given, horizon=job.horizon, **levels)
        info["predict_seconds"] = clock.lap()
        stage = "check"
        mean = checked(answer, len(ready), job.horizon)
        quantiles = rising(answer, job.quantile_levels, info)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = mean * scale + location
            if quantiles is not None:
                quantiles = quantiles * scale[:, None] + location[:, None]
        failed |= {int(ready[i]): str(reason) for i, reason in answer.failed.items()}
        failed |= unusable(mean, quantiles, histories.take(ready), ready, failed)
        out = laid_out(mean, len(histories), ready, failed)
        if failed and len(failed) == len(histories) and view.rows is None:
            first = min(failed)
            raise ForecastError(f"all {len(failed)} windows failed, first {histories.keys[first]!r}: {failed[first]}")
    except MemoryError:
        raise
    except Exception as err:  # noqa: BLE001 - whatever a plugin raises is the cell's result
        return _failure(job, view, stage, err, info)
    spread = None if quantiles is None else laid_out(quantiles, len(histories), ready, failed)
    return Result("ok", out, failed, info, spread)


def _failure(job: Job, view: View, stage: str, err: Exception, info: Mapping[str, Any]) -> Result:
    shared = job.train_rows is None and stage in ("load", "build", "fit")
    if isinstance(err, ForecastError) and view.rows is not None and not shared:
        # a block of a cell: its rows have no forecast, the other blocks have theirs
        rows = range(len(view.rows))
        return Result("ok", np.full((len(rows), job.horizon), np.nan), dict.fromkeys(rows, str(err)[:1000]), info)
    told = str(err) if isinstance(err, (ForecastError, ContractError)) else f"{type(err).__name__}: {err}"
    tail = "".join(traceback.format_exception(err))[-4000:]
    status = "contract" if isinstance(err, ContractError) else "error"
    return Result(status, np.empty((0, 0)), {}, {**info, "stage": stage, "error": told[:1000], "traceback": tail})


def _too_short(histories: Panel, least: int) -> dict[int, str]:
    short = np.flatnonzero(histories.lengths < max(least, 1))
    return {int(i): f"the history has {histories.lengths[i]} values, {least} are needed" for i in short}


def _without_twin(histories: Panel, train: Panel) -> dict[int, str]:
    known = set(train.keys)
    return {i: "its series has no twin in the training panel" for i, s in enumerate(histories.series) if s not in known}


def draw(generator: Generator, train: Panel, seed: int) -> Panel:
    """Fit a generator on the real training part and draw one panel; `ContractError` where it gives anything else."""
    generator.fit(train, seed=seed)
    panel = generator.sample(seed=seed)
    if not isinstance(panel, Panel):
        raise ContractError(f"sample must return a Panel, got {type(panel).__name__}")
    return panel


def execute(payload: bytes, folder: str) -> bytes:
    """Run a pickled `Job` or `Draw` on what lies in `folder`; arrays go to its output file, the rest is JSON."""
    import cloudpickle

    job, home = cloudpickle.loads(payload), Path(folder)
    with Spool(home / job.output) as spool:
        if isinstance(job, Draw):
            panel = draw(job.build(**job.params), read_panel(home, job.train), job.seed)
            told: Any = {
                **{"keys": panel.keys, "series": panel.series, "freq": panel.freq, "seasons": panel.seasons},
                **{"values": spool.add(panel.values), "offsets": spool.add(panel.offsets)},
            }
        else:
            told = [_told(result, spool) for result in forecast(job, home)]
    return json.dumps(told).encode()


def _told(result: Result, spool: Spool) -> dict[str, Any]:
    return {
        "status": result.status,
        "mean": spool.add(result.mean),
        "failed": {str(row): reason for row, reason in result.failed.items()},
        "info": result.info,
        "quantiles": None if result.quantiles is None else spool.add(result.quantiles),
    }


def decoded_results(raw: bytes, output: Path) -> list[Result]:
    """The results of a `Job`, one for each of its views; their arrays are mapped from its output file."""

    def array(extent: Extent | None) -> Any:
        return None if extent is None else mapped(output, extent)

    return [
        Result(
            one["status"],
            array(one["mean"]),
            {int(k): v for k, v in one["failed"].items()},
            one["info"],
            array(one["quantiles"]),
        )
        for one in json.loads(raw)
    ]


def decoded_panel(raw: bytes, output: Path) -> Panel:
    """The panel of a `Draw`, mapped from its output file."""
    told = json.loads(raw)
    return Panel(
        mapped(output, told["values"]),
        mapped(output, told["offsets"]),
        tuple(told["keys"]),
        told["freq"],
        tuple(told["seasons"]),
        tuple(told["series"]),
    )
