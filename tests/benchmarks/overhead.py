"""What the host costs beside a forecaster that costs nothing, and what darts and sktime take for the same work."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import made_up
import numpy as np
from numpy.typing import NDArray
from timing import Asked, Row, in_turns, less, ratios

SERIES, WINDOWS, STEPS, LENGTH, SEASON = 10_000, 3, 48, 480, 24
METRICS = ["mae", "rmse", "mape", "mase"]
#: How many series the other libraries forecast, and two that say what a sweep costs before the first.
FEW, NONE = 20, 2
MICRO = 1e6


def rows(asked: Asked) -> Iterator[Row]:
    """The sweep's own cost, and what the same forecasts and metrics cost elsewhere."""
    many = asked.of(SERIES, least=50)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        ways = {n: _sweep(made_up.file(home / f"{n}.parquet", n, LENGTH, "h"), home) for n in (many, NONE, FEW)}
        values = made_up.series(FEW, LENGTH, SEASON, seed=0)
        others = {name: way for name, way in OTHERS.items() if find_spec(name)}
        for name, way in others.items():
            _same(name, way(values)(), ways[FEW]())
        calls = [ways[many], ways[NONE], *(way(values) for way in others.values())]
        for call in calls:
            call()
        taken = in_turns(asked.runs, *calls)
    windows = (many - NONE) * WINDOWS
    own = [x / windows for x in less(taken[0].wall, taken[1].wall)]
    start = float(np.median(taken[1].wall))
    yield Row(
        "overhead",
        f"sweep and profile of {many} series x {WINDOWS} windows x {STEPS} steps, a series-window",
        [MICRO * x for x in own],
        "µs",
        50,
        notes=(
            f"Parquet file, gen:copy, no shuffled arm, no worker processes, {len(METRICS)} metrics at four horizons; "
            f"less {start:.2f} s, what the same takes for {NONE} series;",
            f"processor's time {MICRO * float(np.median(less(taken[0].cpu, taken[1].cpu))) / windows:.1f} µs",
        ),
    )
    for name, times in zip(others, taken[2:], strict=True):
        each = [x / (FEW * WINDOWS) for x in times.wall]
        cost = MICRO * float(np.median(each))
        note = f"{name}: {cost:.0f} µs a series-window of {FEW} series; the mean absolute error is the same"
        yield Row("overhead", f"the same with {name}, over tsgap", ratios(each, own), "times", 20, True, notes=(note,))
    for name in OTHERS.keys() - others.keys():
        yield Row("overhead", f"the same with {name}, over tsgap", [], "times", 20, True, f"pip install {name}")


def _sweep(path: Path, home: Path) -> Callable[[], float]:
    """A sweep from the file to its profile, never a stored one; the seasonal-naive mean absolute error."""
    import tsgap

    def way() -> float:
        with tempfile.TemporaryDirectory(dir=home) as out:
            run = tsgap.sweep(
                str(path),
                "gen:copy",
                forecasters="seasonal-naive",
                horizons=(6, 12, 24, STEPS),
                windows=WINDOWS,
                step=STEPS,
                replicates=1,
                null=False,
                jobs=0,
                out=out,
            )
            table = run.profile(METRICS)
        return float(table[(table.metric == "mae") & (table.horizon == STEPS)].control.iloc[0])

    return way


def _darts(values: NDArray[np.float64]) -> Callable[[], float]:
    """historical_forecasts and four metrics of darts; the mean absolute error."""
    import pandas as pd
    from darts import TimeSeries, metrics
    from darts.models import NaiveSeasonal

    when = pd.DatetimeIndex(made_up.stamps(LENGTH, "h"))
    given = [TimeSeries.from_times_and_values(when, y) for y in values]

    def way() -> float:
        said = NaiveSeasonal(K=SEASON).historical_forecasts(
            given,
            start=-WINDOWS * STEPS,
            start_format="position",
            forecast_horizon=STEPS,
            stride=STEPS,
            retrain=True,
            last_points_only=False,
        )
        actual = [y for y, own in zip(given, said, strict=True) for _ in own]
        flat = [one for own in said for one in own]
        mae = metrics.mae(actual, flat)
        metrics.rmse(actual, flat)
        metrics.mape(actual, flat)
        metrics.mase(actual, flat, actual, m=SEASON)
        assert len(flat) == len(values) * WINDOWS
        return float(np.mean(mae))

    return way


def _sktime(values: NDArray[np.float64]) -> Callable[[], float]:
    """evaluate of sktime with four metrics; the mean absolute error."""
    import pandas as pd
    from sktime.forecasting.model_evaluation import evaluate
    from sktime.forecasting.naive import NaiveForecaster
    from sktime.performance_metrics import forecasting as scores
    from sktime.split import ExpandingWindowSplitter

    index = pd.PeriodIndex(pd.DatetimeIndex(made_up.stamps(LENGTH, "h")), freq="h")
    given = [pd.Series(y, index=index) for y in values]
    cut = ExpandingWindowSplitter(
        fh=np.arange(1, STEPS + 1), initial_window=LENGTH - WINDOWS * STEPS, step_length=STEPS
    )
    scoring = [
        scores.MeanAbsoluteError(),
        scores.MeanSquaredError(square_root=True),
        scores.MeanAbsolutePercentageError(),
        scores.MeanAbsoluteScaledError(sp=SEASON),
    ]

    def way() -> float:
        with redirect_stderr(StringIO()):  # it announces its next version at every window
            found = [evaluate(NaiveForecaster(sp=SEASON), cut, y, scoring=scoring) for y in given]
        assert all(len(one) == WINDOWS for one in found)
        return float(np.mean([one["test_MeanAbsoluteError"] for one in found]))

    return way


OTHERS: dict[str, Callable[[NDArray[np.float64]], Callable[[], float]]] = {"darts": _darts, "sktime": _sktime}


def _same(name: str, found: float, own: Any) -> None:
    if not np.isclose(found, own, rtol=1e-9):
        raise AssertionError(f"{name} finds a mean absolute error of {found}, tsgap {own}: not the same work")
