"""Four metrics over four horizons of every series: the figures of a profile next to `utilsforecast.evaluate`.

Both score two forecasters' forecasts of the same windows, held in memory: arrays here, a long frame there, whose making
is not timed. `evaluate` is called once for each horizon, on the rows up to it, which are cut beforehand too.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import numpy as np
import pandas as pd
from timing import Asked, Row, in_turns, ratios

from tsgap.horizon import Blocks, figures
from tsgap.metrics import METRICS

NAMES, HORIZONS = ("mae", "rmse", "mape", "smape"), (1, 12, 24, 48)
SERIES, WINDOWS = 10_000, 3
#: How far the two may differ, relatively.
ALIKE = 1e-9
MODELS = ("control", "synthetic")


def rows(asked: Asked) -> Iterator[Row]:
    """How many times faster, by series and over all series; how far the figures by series differ."""
    what = "times as fast as utilsforecast.evaluate, MAE RMSE MAPE sMAPE"
    if importlib.util.find_spec("utilsforecast") is None:
        yield Row("metrics", what, (), "ratio", 5, at_least=True, missing="pip install utilsforecast")
        return
    from utilsforecast import losses
    from utilsforecast.evaluation import evaluate

    series, steps = asked.of(SERIES), max(HORIZONS)
    n = series * WINDOWS
    rng = np.random.default_rng(0)
    truth = 100 + rng.normal(size=(n, steps)).cumsum(1)
    forecasts = [truth + rng.normal(size=truth.shape) * spread for spread in (1.0, 1.1)]
    blocks = {"series": Blocks.of(np.repeat(np.arange(series), WINDOWS)), "horizon": Blocks.of(np.zeros(n, dtype=int))}
    specs = [one for one in METRICS if one.name in NAMES]
    each = np.ones(n)
    lead = np.tile(np.arange(1, steps + 1), n)
    long = pd.DataFrame({"unique_id": np.repeat(np.arange(series), WINDOWS * steps), "ds": lead, "y": truth.ravel()})
    long = long.assign(**{name: one.ravel() for name, one in zip(MODELS, forecasts, strict=True)})
    cut = {h: long[lead <= h].reset_index(drop=True) for h in HORIZONS}

    def ours(by: str) -> dict[str, np.ndarray]:
        settings = {"by": by, "horizons": HORIZONS, "scale": each, "weights": each, "blocks": blocks[by]}
        return {one.name: figures(one, truth, [[f] for f in forecasts], **settings).values for one in specs}

    def theirs() -> dict[int, pd.DataFrame]:
        metrics = [getattr(losses, name) for name in NAMES]
        return {h: evaluate(frame, metrics=metrics, models=list(MODELS)) for h, frame in cut.items()}

    here, there = ours("series"), theirs()
    off = 0.0
    for place, h in enumerate(HORIZONS):
        for name, frame in there[h].groupby("metric"):
            unit = 2.0 if name == "smape" else 1.0  # theirs lies in [0, 1]
            wanted = unit * frame.sort_values("unique_id")[list(MODELS)].to_numpy().T
            off = max(off, float(np.abs(here[str(name)][:, :, place] / wanted - 1).max()))
    figured = len(NAMES) * len(HORIZONS)
    by_series, pooled, evaluated = in_turns(asked.runs, lambda: ours("series"), lambda: ours("horizon"), theirs)
    yield Row(
        "metrics",
        f"{what}, a figure for each series",
        ratios(evaluated.wall, by_series.wall),
        "ratio",
        5,
        at_least=True,
        notes=(f"{series} series, {WINDOWS} windows, {len(MODELS)} forecasts, {figured} figures for each",),
    )
    yield Row("metrics", "the same against figures over all series", ratios(evaluated.wall, pooled.wall), "ratio")
    yield Row("metrics", "largest relative difference of a figure of a series", [off], "relative", ALIKE)
    yield Row("metrics", "figures for each series, seconds", by_series.wall, "s")
    yield Row("metrics", "utilsforecast.evaluate, seconds", evaluated.wall, "s")
