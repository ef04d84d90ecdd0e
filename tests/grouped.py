"""Runs written by hand whose errors differ by group: what was planted is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.hand_made import PLAN, row, written
from tsgap.panel import Floats
from tsgap.run import Run

ARMS = ("real", "synthetic", "null")
WINDOWS, LEADS = 6, 4


def battery(forecasters: Sequence[str], **more: Any) -> list[dict[str, Any]]:
    """Rows of forecasters that were each trained on real, synthetic and shuffled series."""
    return [row(arm, f"{name} {arm}", forecaster=name, **more) for name in forecasters for arm in ARMS]


def run_of(
    folder: Path,
    errors: Mapping[str, tuple[float, Any, float]],
    groups: Mapping[str, int],
    *,
    seed: int = 0,
    spread: float = 0.05,
    rows: Sequence[dict[str, Any]] | None = None,
    failed: Mapping[str, Sequence[int]] | None = None,
    column: str = "kind",
) -> Run:
    """A run of `groups` (name → number of series), `WINDOWS` windows of each series.

    `errors` of a forecaster after real, synthetic and shuffled training; the synthetic one may be a mapping of groups
    to errors. They vary by a factor of `spread` (sd of its log) from series to series, less from window to window.
    `failed`: rows that failed, by cell.
    """
    rng = np.random.default_rng(seed)
    label = [group for group, n in groups.items() for _ in range(n)]
    n = len(label) * WINDOWS
    series = np.repeat(np.arange(len(label)), WINDOWS)
    truth = rng.normal(size=(n, LEADS))
    rows = battery(list(errors)) if rows is None else rows

    def off(error: Any) -> Floats:
        of = np.array([error[g] if isinstance(error, Mapping) else error for g in label])
        of = of * np.exp(spread * rng.normal(size=len(label)))
        return truth + of[series, None] * np.exp(0.05 * rng.normal(size=(n, LEADS)))

    cells: dict[str, Any] = {"naive": off(4.0)}
    for told in rows:
        name, arm = told["forecaster"], told["arm"]
        made = off(errors[name][ARMS.index(arm)])
        lost = (failed or {}).get(told["cell"], ())
        cells[told["cell"]] = (made, dict.fromkeys(lost, "no forecast")) if len(lost) else made
    ids = [f"s{i:02d}" for i in range(len(label)) for _ in range(WINDOWS)]
    labels = {column: [label[i] for i in series]}
    return written(folder, [*PLAN, *rows], cells, truth=truth, ids=ids, groups=labels)
