"""From files to every diagnostic, alone and beside a sweep with perturbed histories, groups and calibration."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import made_up
from timing import Asked, Row

SERIES, LENGTH, JOBS = 1000, 500, 2


def rows(asked: Asked) -> Iterator[Row]:
    """All diagnostics without a forecaster; the same, and all that needs forecasts, beside a sweep with `linear`."""
    many = asked.of(SERIES, least=40)
    what = f"diagnose: {many} daily series x {LENGTH}, outsiders, every diagnostic"
    yield Row("diagnose", what, _timed(asked, many, _alone), "seconds", 60, notes=("horizons 1, 7, 14",))
    what = f"diagnose: the same beside a sweep, linear, perturbed histories, groups, quantiles, {JOBS} workers"
    notes = ("horizons 1, 7, 14; two replicates; every table read",)
    yield Row("diagnose", what, _timed(asked, many, _beside), "seconds", 60, notes=notes)


def _timed(asked: Asked, many: int, work: Callable[..., None]) -> list[float]:
    seconds = []
    for _ in range(asked.runs):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            names = ("real", "made", "outsiders")
            files = [str(made_up.file(home / f"{n}.parquet", many, LENGTH, "D", seed=i)) for i, n in enumerate(names)]
            begin = time.perf_counter()
            work(*files[:2], home, outsiders=_renamed(files[2]), horizons="1,7,14", jobs=JOBS)
            seconds.append(time.perf_counter() - begin)
    return seconds


def _renamed(path: str) -> str:
    """The same series under ids that the real ones have not."""
    import pandas as pd

    frame = pd.read_parquet(path)
    frame.assign(unique_id="other " + frame.unique_id.astype(str)).to_parquet(path)
    return path


def _alone(real: str, synthetic: str, home: Path, **settings: Any) -> None:
    import tsgap

    found = tsgap.diagnose(real, {"made": synthetic}, **settings)
    str(found)
    assert found.ok, found


def _beside(real: str, synthetic: str, home: Path, **settings: Any) -> None:
    import tsgap
    from tsgap.calibration import LEVELS

    asked: dict[str, Any] = {
        "diagnose": True,
        "stress": True,
        "quantiles": LEVELS,
        "replicates": 2,
        "out": home / "run",
    }
    run = tsgap.sweep(real, {"made": synthetic}, forecasters="linear", **asked, **settings)
    assert run.n_failed == 0
    str(run.diagnostics())
    for table in (run.robustness, run.subgroups, run.calibration, run.pit, run.frontier, run.predictors):
        assert len(table())
