"""What moments save `linear`: the part of the table that `python tests/benchmarks/moments.py [--data FILE]` prints.

FILE is ETTh1 as for `ett_h1.py`; without it seven hourly series of the same length are made up.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # started from anywhere

import made_up
import numpy as np
from ett_h1 import LOOK_BACK, SEASONS, TRAIN, channels, scores, standardised, training
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from timing import Asked, Row, header, in_turns, less, printed, ratios

HORIZONS = (96, 192, 336, 720)
#: What the synthetic series count beside the real ones.
SHARES = tuple(np.round(np.linspace(0.1, 2.0, 11), 2).tolist())
#: Windows that are multiplied at once where they are built.
TOGETHER = 4096
#: How DLinear was trained for the published figures: windows in a step, passes over all of them; and the steps timed.
BATCH, PASSES, TIMED = 32, 10, 300


def rows(asked: Asked, data: Path | None = None) -> Iterator[Row]:
    """Moments against windows; arms and mixtures from one pass over the data; one fit against one by gradients."""
    from threadpoolctl import threadpool_limits

    values = channels(data) if data else standardised(made_up.series(7, 17_420, SEASONS[0], seed=0).T)
    with threadpool_limits(1):
        for horizon in (96, 720):
            yield _against_windows(asked, values, horizon)
        yield from _mixtures(asked, values)
        yield _against_gradients(asked, values)


def _against_windows(asked: Asked, values: NDArray[np.float64], horizon: int) -> Row:
    from tsgap.moments import moments_of

    rows = np.ascontiguousarray(values[:TRAIN].T)
    n = len(rows)
    begins, lengths = np.arange(n) * TRAIN, np.full(n, TRAIN)

    def quick() -> Any:
        return moments_of(rows.ravel(), begins, lengths, context=LOOK_BACK, leads=horizon)

    def slow() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        xx, xy = np.zeros((LOOK_BACK, LOOK_BACK)), np.zeros((LOOK_BACK, horizon))
        for y in rows:
            windows = sliding_window_view(y, LOOK_BACK + horizon)
            for start in range(0, len(windows), TOGETHER):
                block = windows[start : start + TOGETHER]
                block = block - block[:, :LOOK_BACK].mean(1, keepdims=True)
                x = block[:, :LOOK_BACK]
                xx += x.T @ x
                xy += x.T @ block[:, LOOK_BACK:]
        return xx, xy

    found, (xx, xy) = quick(), slow()
    apart = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in ((found.xx, xx), (found.xy, xy)))
    taken = in_turns(asked.runs, quick, slow)
    note = f"{1000 * np.median(taken[0].wall):.0f} ms; equal to {apart:.0e} of their size"
    what = f"windows built and multiplied, over moments, look-back {LOOK_BACK}, horizon {horizon}"
    return Row("moments", what, ratios(taken[1].wall, taken[0].wall), "times", 10, True, notes=(note,))


def _mixtures(asked: Asked, values: NDArray[np.float64]) -> Iterator[Row]:
    from tsgap.additive import Grouping, grouped_moments, mixed
    from tsgap.defaults.generators import BlockBootstrap
    from tsgap.defaults.linear import Linear

    real: Any = training(values)
    generator = BlockBootstrap()
    generator.fit(real, seed=0)
    synthetic = generator.sample(seed=0)
    shares = SHARES[: asked.of(len(SHARES))]
    grouping = Grouping.of(real.lengths, real.series, context=LOOK_BACK, leads=max(HORIZONS))
    fits, whole = [], []
    for _ in range(asked.runs):
        begin = time.process_time()
        gatherer = Linear()
        ours, theirs = (grouped_moments(gatherer, panel.take, grouping) for panel in (real, synthetic))
        arms = [ours, theirs, *(mixed(ours, theirs, share) for share in shares)]
        models = [Linear() for _ in arms]
        for model, parts in zip(models, arms, strict=True):
            model.solve(parts, seed=0)
        fits.append(time.process_time() - begin)
        found = [scores(model, values, HORIZONS) for model in models]
        whole.append(time.process_time() - begin)
    squares = [round(found[0][h][0], 3) for h in HORIZONS]
    note = f"{len(arms)} fits, a ridge chosen for each; mean squared errors of the real arm {squares}"
    what = f"linear: real, synthetic and {len(shares)} mixtures, horizons {HORIZONS[0]} to {HORIZONS[-1]}: all fits"
    yield Row("moments", what, fits, "CPU s", 2, notes=(note,))
    yield Row("moments", "the same with forecasts of every origin of the test part, and scores", whole, "CPU s", 20)


def _against_gradients(asked: Asked, values: NDArray[np.float64]) -> Row:
    from tsgap.defaults.linear import Linear

    horizon = HORIZONS[0]
    what = f"DLinear of darts, {PASSES} passes in steps of {BATCH} windows, over one fit of linear"
    if not (find_spec("torch") and find_spec("darts")):
        return Row("moments", what, [], "times", 100, True, "pip install torch==2.13.0 'darts[torch]'")
    panel: Any = training(values)

    def quick() -> None:
        Linear().fit(panel, horizon=horizon, context=LOOK_BACK, seed=0)

    ways = (quick, _dlinear(values, horizon, 1 + TIMED), _dlinear(values, horizon, 1))
    for way in ways:
        way()
    taken = in_turns(asked.runs, *ways)
    steps = PASSES * (-(-values.shape[1] * (TRAIN - LOOK_BACK - horizon + 1) // BATCH))
    fits = [t * steps / TIMED for t in less(taken[1].wall, taken[2].wall)]
    note = (
        f"horizon {horizon}: {np.median(taken[0].wall):.2f} s against {np.median(fits):.0f} s, "
        f"which is {steps} steps of which {TIMED} are timed, start-up left out"
    )
    return Row("moments", what, ratios(fits, taken[0].wall), "times", 100, True, notes=(note,))


def _dlinear(values: NDArray[np.float64], horizon: int, steps: int) -> Callable[[], None]:
    """Some steps of training, from a fresh network."""
    import logging

    import torch
    from darts import TimeSeries
    from darts.models import DLinearModel

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    series = [TimeSeries.from_values(y.astype(np.float32)) for y in values[:TRAIN].T]
    quiet = {
        "accelerator": "cpu",
        "max_steps": steps,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }

    def way() -> None:
        model = DLinearModel(
            input_chunk_length=LOOK_BACK,
            output_chunk_length=horizon,
            n_epochs=1,
            batch_size=BATCH,
            random_state=0,
            pl_trainer_kwargs=quiet,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(series)

    return way


def main() -> int:
    """Print the table; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="ETTh1.csv, or the same in the long format; default: made up")
    parser.add_argument("--runs", type=int, default=5, help="how often each thing is timed")
    asked = parser.parse_args()
    print(header(), flush=True)
    return int(printed(rows(Asked(asked.runs), asked.data), judged=True))


if __name__ == "__main__":
    sys.exit(main())
