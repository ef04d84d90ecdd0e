"""From a fit to the task of a worker, and from how that ended to the parts of the store."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tsgap import cell
from tsgap.arms import train_figures
from tsgap.engines import Outcome, Task
from tsgap.fits import Fit, Piece
from tsgap.panel import Floats, Ints
from tsgap.plan import Cell
from tsgap.scaling import spare_scales
from tsgap.shelf import write_histories, write_panel
from tsgap.standing import ROWS, ROWS_FAILED
from tsgap.store import Part


class Tasks:
    """Makes tasks of `timeout` seconds for 2,000 windows or a blend, and lays what each reads into `work`."""

    def __init__(self, work: Path, timeout: float) -> None:
        self._work = work
        self._timeout = timeout
        self._homes: dict[tuple[str, int | None], str] = {}
        self._figures: dict[tuple[str, str], Floats] = {}
        self._spares: dict[tuple[str, str], Floats | None] = {}

    def of(self, fit: Fit) -> Task:
        """What a worker is sent for a fit."""
        import cloudpickle

        first, training = fit.pieces[0].cell, fit.pieces[0].cell.training
        spec, split = first.chosen.spec, first.split
        train = None if training is None else write_panel(training.panel, self._work)
        others = None if first.others is None else write_panel(first.others.panel, self._work)
        views = tuple(self._view(piece) for piece in fit.pieces)
        output = f"out-{fit.name}"
        job = cell.Job(
            build=spec.build,
            params=dict(first.chosen.params),
            train=train,
            train_rows=fit.pieces[0].block.train_rows,
            views=views,
            horizon=split.horizon,
            context=first.context,
            seed=first.seed,
            scaling="none" if training is None else training.footing.scaling,
            least_history=spec.least_history(split.data.seasons, split.horizon),
            figures=None if training is None else training.figures,
            twins_only=first.splits_by_series,
            quantile_levels=first.quantile_levels,
            others=others,
            other_figures=None if first.others is None else first.others.figures,
            leads=None if training is None else training.footing.leads,
            uses_weights=spec.uses_weights,
            output=output,
        )
        blends = len({piece.cell.key for piece in fit.pieces if piece.cell.blend is not None})
        limit = self._timeout * max(1.0, blends, sum(piece.windows for piece in fit.pieces) / 2000)
        panels = (name for name in (train, others) if name is not None)
        inputs = dict.fromkeys((*(view.histories for view in views), *panels))
        return Task(fit.name, fit.group, cloudpickle.dumps(job), limit, tuple(inputs), output)

    def _view(self, piece: Piece) -> cell.View:
        one, rows = piece.cell, piece.block.rows
        how = one.perturbation
        limit = one.limit if how is None else how.limit(one.limit)
        asked = one.split.fingerprint, limit
        if asked not in self._homes:
            self._homes[asked] = write_histories(one.split, limit, self._work)
        figures, spare = self._history_figures(one), self._spare(one)
        scales = None if how is None else one.split.scales.mae[one.split.series]
        own, sizes, others = (of if of is None or rows is None else of[rows] for of in (figures, scales, spare))
        return cell.View(self._homes[asked], rows, own, one.blend, how, sizes, one.limit, others)

    def _spare(self, one: Cell) -> Floats | None:
        """What stands in for each history that has no scale (N,), where histories are scaled by their own."""
        asked = one.split.fingerprint, "none" if one.training is None else one.training.footing.scaling
        if asked not in self._spares:
            spare = spare_scales(one.split.train, asked[1])
            self._spares[asked] = None if spare is None else spare[one.split.series]
        return self._spares[asked]

    def _history_figures(self, one: Cell) -> Floats | None:
        """Location and scale of the real training part for each history (N, 2), where the scaling asks for them."""
        if one.training is None or one.training.footing.scaling != "train":
            return None
        # a blend is learned from what lies before its windows, which is not all of the training part for inner ones
        train = one.data.train if one.blend is None else one.training.panel
        asked = train.fingerprint, one.split.fingerprint
        if asked not in self._figures:
            by_key = train_figures(train)
            self._figures[asked] = np.array([by_key[key] for key in one.split.data.keys])[one.split.series]
        return self._figures[asked]


def parts_of(fit: Fit, outcome: Outcome, work: Path) -> Iterator[Part]:
    """What a task says of each piece of its fit; those that share it share its seconds."""
    results = None
    if outcome.status == "ok" and outcome.value is not None:
        results = cell.decoded_results(outcome.value, work / outcome.task.output)
    for place, piece in enumerate(fit.pieces):
        one, (key, i, n) = piece.cell, piece.place
        rows: Ints = np.arange(len(one.split)) if piece.block.rows is None else piece.block.rows
        info: dict[str, Any] = {
            "data": one.data.name,
            "forecaster": one.chosen.label,
            "distribution": one.chosen.distribution,
            "version": one.chosen.version,
            "seconds": outcome.seconds / len(fit.pieces),
            "attempt": outcome.attempt,
            "host": outcome.host or platform.node(),
        }
        if results is not None:
            result = results[place]
            failed = {int(rows[r]): why for r, why in result.failed.items()}
            levels = () if result.quantiles is None else one.quantile_levels
            told = {**info, **result.info, ROWS: len(rows), ROWS_FAILED: len(failed)}
            yield Part(key, i, n, result.status, rows, result.mean, failed, told, result.quantiles, levels)
        else:
            info |= {"stage": outcome.stage, "error": outcome.error, "traceback": outcome.traceback}
            yield Part(key, i, n, outcome.status, rows, np.empty((0, 0)), {}, info)
