"""What the cells of a plan hold as plain tables: how each ended, what failed, forecasts and losses one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tsgap.atoms import Atoms
from tsgap.errors import UnknownNameError
from tsgap.metrics import losses
from tsgap.protocols import MetricSpec

if TYPE_CHECKING:
    import pandas as pd

Rows = Sequence[Mapping[str, Any]]
#: One name or several to keep; None keeps all.
Names = str | Sequence[str] | None

_PLACE = ("data", "source", "arm", "forecaster", "replicate")
_CELLS = (
    *("data", "source", "replicate", "arm", "share", "forecaster", "status", "n_failed", "stage", "error", "seconds"),
    *(
        "attempt",
        "distribution",
        "version",
        "transfer",
        "scope",
        "generator_saw",
        "paired",
        "scaling",
        "context",
        "leads",
        "short",
        "pairs",
    ),
    *("pairs_before", "trained_on", "seed", "cell"),
)
_WINDOWS = (*_PLACE, "share", "unique_id", "window", "cutoff", "reason", "cell")
_FORECASTS = (*_PLACE, "unique_id", "window", "cutoff", "lead", "y", "forecast")


def among(name: str, wanted: Names) -> bool:
    """Whether a name is kept."""
    return wanted is None or name in ([wanted] if isinstance(wanted, str) else wanted)


def picked(rows: Sequence[dict[str, Any]], every: Rows, **wanted: Names) -> list[dict[str, Any]]:
    """The rows of the `data`, `source` and `forecaster` that are wanted; `UnknownNameError` where none has a name."""
    kinds = {"data": "data set", "source": "source", "forecaster": "forecaster"}
    for column, names in wanted.items():
        known = {row[column] for row in every}
        for name in [names] if isinstance(names, str) else names or ():
            if name not in known:
                raise UnknownNameError.of(kinds[column], name, known - {""}, note="That is what is in this run.")
    return [row for row in rows if all(among(row[column], names) for column, names in wanted.items())]


def cells(rows: Rows, atoms: Atoms) -> pd.DataFrame:
    """The table of `Run.cells`."""
    import pandas as pd

    return pd.DataFrame([_told(row, atoms) for row in rows], columns=list(_CELLS))


def failures(rows: Rows, atoms: Atoms) -> pd.DataFrame:
    """The table of `Run.failures`."""
    import pandas as pd

    told = [_told(row, atoms) for row in rows]
    failed = [row for row in told if row["status"] != "ok" or row["n_failed"]]
    return pd.DataFrame(failed, columns=[*_CELLS, "traceback"])


def _told(row: Mapping[str, Any], atoms: Atoms) -> dict[str, Any]:
    info = atoms.info(row["cell"])
    why = row["error"] or info.get("error")
    if not why and info["failed"]:
        n, reason = next(iter(info["failed"].items()))
        truth = atoms.truth_of(row)
        every = f"all {info['windows']} windows failed, first " if len(info["failed"]) == info["windows"] else ""
        why = f"{every}{truth.ids[n]!s}, window {truth.window[n]}: {reason}"
    told = {name: info.get(name) for name in ("stage", "seconds", "attempt", "distribution", "version")}
    return {
        **row,
        **told,
        "status": "error" if row["error"] else atoms.status(row["cell"]),
        "n_failed": len(info["failed"]),
        "error": why or "",
        "traceback": info.get("traceback") or row["traceback"],
    }


def failed_windows(rows: Rows, atoms: Atoms) -> pd.DataFrame:
    """The table of `Run.failed_windows`."""
    import pandas as pd

    found = []
    for row in rows:
        for n, reason in atoms.info(row["cell"])["failed"].items():
            truth = atoms.truth_of(row)
            place = {"unique_id": truth.ids[n], "window": truth.window[n], "cutoff": truth.cutoff[n]}
            found.append({**row, **place, "reason": reason})
    return pd.DataFrame(found, columns=list(_WINDOWS))


def forecasts(rows: Rows, atoms: Atoms, metric: MetricSpec | None = None) -> pd.DataFrame:
    """The table of `Run.forecasts`, or with a metric that of `Run.errors`."""
    import pandas as pd

    columns = [*_FORECASTS, *(() if metric is None else ("metric", "loss"))]
    frames = []
    for row in rows:
        ended = atoms.ended(row)
        if ended.status != "ok":
            continue
        truth, (n, h) = atoms.truth_of(row), ended.forecasts.shape
        y = truth.values[:, :h]
        table = {
            **{name: row[name] for name in _PLACE},
            "unique_id": np.repeat(truth.ids, h),
            "window": np.repeat(truth.window, h),
            "cutoff": np.repeat(truth.cutoff, h),
            "lead": np.tile(np.arange(1, h + 1), n),
            "y": y.ravel(),
            "forecast": ended.forecasts.ravel(),
        }
        if metric is not None:
            loss = losses(metric, y, ended.scored(metric), truth.scale(metric), ended.levels)
            table |= {"metric": metric.name, "loss": loss.ravel()}
        frames.append(pd.DataFrame(table, columns=columns))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
