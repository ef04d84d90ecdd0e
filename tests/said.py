"""All that a run says, as text and bytes: what must be the same however it was computed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.worlds import seasonal
from tsgap import examining
from tsgap.run import Run
from tsgap.store import Store

#: Settings under which a sweep has something to say in every view.
EVERYTHING: dict[str, Any] = {
    **{"forecasters": ["linear", "seasonal-naive"], "horizons": [1, 6], "windows": 2, "replicates": 2},
    **{"stress": True, "calibration": True, "diagnose": True, "groups": ["kind"], "null": False},
}
#: The quick ones among the diagnostics; for the last of them the generator is fitted once more.
_QUICK = ("memory", "noise", "copies", "membership")
_VIEWS = ("profile", "gap", "robustness", "subgroups", "calibration", "rank_consistency", "frontier", "predictors")


def in_groups(series: int = 12, length: int = 90) -> pd.DataFrame:
    """Series of two kinds, as many as it takes to fit a generator on half of them."""
    frame = seasonal(series, length)
    return frame.assign(kind=np.where(frame.unique_id.str[1:].astype(int) % 2, "odd", "even"))


def only_quick_diagnostics(patch: pytest.MonkeyPatch) -> None:
    """Sweeps ask these alone, in this process."""
    every = examining.specs_of
    patch.setattr(examining, "specs_of", lambda only=(): every(only or _QUICK))


def said(run: Run) -> dict[str, Any]:
    """The forecasts and tables of a run that was swept with `EVERYTHING`, and each of its views."""
    out: dict[str, Any] = {}
    with Store.open(run.path) as store:
        for key in store.finished():
            found = store.forecasts(key)
            bits = [
                one if one is None else np.ascontiguousarray(one).tobytes() for one in (found.mean, found.quantiles)
            ]
            out[f"cell {key}"] = (bits, found.failed)
        for file in sorted((run.path / "tables").glob("*.parquet")):
            out[f"table {file.stem}"] = store.read_table(file.stem).to_json(double_precision=15)
    out |= {name: getattr(run, name)().to_json(double_precision=15) for name in _VIEWS}
    told = run.diagnostics().found
    # how long each took is no result
    out["diagnostics"] = [replace(one, found=tuple(replace(o, seconds=0.0) for o in one.found)) for one in told]
    out["gate"] = json.loads(run.gate(worst_group=True).to_json())["verdicts"]
    return out


def differing(one: Run, other: Run) -> list[str]:
    """Where two runs do not say the same."""
    a, b = said(one), said(other)
    return [name for name in {**a, **b} if name not in a or name not in b or a[name] != b[name]]
