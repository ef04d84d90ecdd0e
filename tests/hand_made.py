"""Run folders written by hand: forecasts, ends of cells and truth that a test chooses, without a sweep."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tsgap.opened import PLAN_VERSION
from tsgap.panel import Floats
from tsgap.plugins import Registered, registry
from tsgap.run import Run
from tsgap.store import Part, Store

#: Two series of two windows, four leads; one value is missing.
TRUTH = np.array([[1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 5.0], [10.0, 20.0, 30.0, 40.0], [20.0, 30.0, np.nan, 50.0]])
IDS = ("a", "a", "b", "b")


def offered(monkeypatch: pytest.MonkeyPatch, *metrics: Registered) -> None:
    """Metrics offered beside those that are installed."""
    real = registry()
    more = dataclasses.replace(real, metrics={**real.metrics, **{m.spec.name: m for m in metrics}})
    monkeypatch.setattr("tsgap.plugins.registry", lambda: more)


def off_by(error: float, leads: int = 4) -> Floats:
    """Forecasts of `TRUTH` (its missing value is 40) that are too high by `error` everywhere."""
    return (np.nan_to_num(TRUTH, nan=40.0) + error)[:, :leads]


#: What a row says of chance and memory, where a test does not care.
CHANCE = {"memory": "linear", "draw": 0, "stochastic": False, "fixed": False}


def row(arm: str, cell: str, **more: Any) -> dict[str, Any]:
    """A row of a plan: data `d`, source `s`, forecaster `f`, trained on real or synthetic series."""
    told = {"data": "d", "source": "s", "replicate": 0, "arm": arm, "forecaster": "f", "cell": cell}
    told |= {
        "transfer": "learned",
        "scope": "global",
        "generator_saw": "undeclared",
        "paired": True,
        "scaling": "mean-abs",
        "context": 8,
        "leads": 4,
        "short": None,
    }
    return {
        **told,
        "pairs": 90,
        "pairs_before": 90,
        "trained_on": "",
        "seed": 0,
        "error": "",
        "traceback": "",
        **CHANCE,
        **more,
    }


def written(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    cells: Mapping[str, Any],
    *,
    truth: Floats = TRUTH,
    ids: Sequence[str] = IDS,
    horizons: Sequence[int] = (1, 4),
    scale: Floats | float = 1.0,
    weights: Floats | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    data: Sequence[str] = ("d",),
    notes: Sequence[str] = (),
    sources: Mapping[str, str] | None = None,
    parts: int = 1,
    quantiles: Sequence[float] = (),
) -> Run:
    """A run of the cells by the names that `rows` use, each cut into `parts`.

    A cell is its forecasts, forecasts with the rows that failed, or the word for how it ended. Where the run asks for
    `quantiles`, forecasts (N, H, Q) are those, and their middle ones the mean.
    """
    names = dict.fromkeys([r["cell"] for r in rows if r["cell"]])
    keys = {name: f"{i:08x}" for i, name in enumerate(names, start=1)}
    with Store.open(folder) as store:
        n = len(truth)
        window = [list(ids[:i]).count(ids[i]) for i in range(n)]
        table = {
            "unique_id": list(ids),
            "window": window,
            "cutoff": window,
            "block": window,
            "mae_scale": np.broadcast_to(np.asarray(scale, dtype=float), n).copy(),
            "rmse_scale": np.broadcast_to(np.asarray(scale, dtype=float), n).copy(),
            "weight": np.ones(n) if weights is None else weights,
            "truth": list(truth),
            **{f"group {name}": list(of) for name, of in (groups or {}).items()},
        }
        store.write_table("truth", pa.table(table))
        told = {"truth": "truth", "horizons": list(horizons), "freq": "MS", "seasons": [12], "series": len(set(ids))}
        told |= {"windows": 2, "step": 4, "first_cutoff": "2001-01-01", "last_cutoff": "2001-05-01", "left_out": []}
        store.write_json(
            "plan",
            {"version": PLAN_VERSION, "rows": [{**r, "cell": keys.get(r["cell"], "")} for r in rows], "cells": {}},
        )
        made = [{"name": name, "what": what} for name, what in (sources or {"s": "gen:copy"}).items()]
        manifest = {"data": dict.fromkeys(data, told), "notes": list(notes), "generator_cutoff": "undeclared"}
        store.write_json("manifest", {**manifest, "experiment": {"sources": made, "quantiles": [*quantiles]}})
        for name, ended in cells.items():
            for part in _parts(keys[name], ended, n, parts, tuple(quantiles)):
                store.add(part)
    return Run(folder)


def _parts(key: str, ended: Any, n: int, parts: int, levels: tuple[float, ...]) -> list[Part]:
    info = {"seconds": 1.5, "attempt": 1, "distribution": "here", "version": "1"}
    if isinstance(ended, str):
        bad = {**info, "stage": "fit", "error": f"{ended} it is", "traceback": f"the end of {ended}"}
        return [Part(key, 0, 1, ended, np.arange(n), np.empty((0, 0)), {}, bad)]
    mean, failed = ended if isinstance(ended, tuple) else (ended, {})
    mean = mean.copy()
    mean[list(failed)] = np.nan
    quantiles = mean if mean.ndim == 3 else None
    out = []
    for i, rows in enumerate(np.array_split(np.arange(n), parts)):
        mine = {r: why for r, why in failed.items() if r in rows}
        if quantiles is None:
            out.append(Part(key, i, parts, "ok", rows, mean[rows], mine, info))
            continue
        given = quantiles[rows]
        told = {**info, "crossed": int((np.diff(given, axis=2) < 0).any(2).sum())}
        given = np.sort(given, axis=2)
        out.append(Part(key, i, parts, "ok", rows, given[..., len(levels) // 2], mine, told, given, levels))
    return out


#: The rows of one comparison with its reference, and cells for them: control off by 1, synthetic off by 2.
PLAN = (row("real", "naive", source="", forecaster="seasonal-naive", transfer="none"),)
COMPARED = (*PLAN, row("real", "real"), row("synthetic", "synthetic"))
CELLS = {"naive": off_by(4.0), "real": off_by(1.0), "synthetic": off_by(2.0)}
