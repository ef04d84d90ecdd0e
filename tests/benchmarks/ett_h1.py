"""The accuracy of `linear` on ETTh1 beside what is published: `python tests/benchmarks/ett_h1.py --data FILE`.

FILE is the hourly set of 17,420 steps and seven channels, as ETTh1.csv (date and a column for each channel) or in the
long format `unique_id, ds, y`. The protocol is that of Zeng et al. (2023), "Are Transformers Effective for Time Series
Forecasting?", AAAI: 8640 steps for training, 2880 left out, 2880 for the test; channels in standard deviations of the
training part; look-back 336; every origin of the test, the last ones too. Exits with 1 where `linear` is worse.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

TRAIN, LEFT_OUT, TEST, LOOK_BACK = 8640, 2880, 2880, 336
SEASONS = (24, 168)
#: Horizon → mean squared and mean absolute error of DLinear, table 2 of the paper.
DLINEAR = {96: (0.375, 0.399), 192: (0.405, 0.416), 336: (0.439, 0.443), 720: (0.472, 0.490)}
#: Histories that are forecast at once.
TOGETHER = 4096


def channels(path: Path) -> NDArray[np.float64]:
    """Values (T, N) of all channels in standard deviations of the training part."""
    from tsgap.readers.options import ReadOptions
    from tsgap.readers.real import read_real

    options = ReadOptions(wide=True) if path.suffix == ".csv" and "unique_id" not in path.open().readline() else None
    data = read_real(path, options=options) if options else read_real(path)
    lengths = set(data.lengths.tolist())
    if len(lengths) != 1 or min(lengths) < TRAIN + LEFT_OUT + TEST or data.n_missing:
        sys.exit(f"{path}: needs channels of one length of at least {TRAIN + LEFT_OUT + TEST} steps, none missing")
    return standardised(data.values.reshape(len(data), -1).T)


def standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values (T, N) less the mean of the training part, in its standard deviations."""
    return (values - values[:TRAIN].mean(0)) / values[:TRAIN].std(0)


def training(values: NDArray[np.float64]) -> object:
    """The training part as a panel."""
    from tsgap import Panel

    return Panel.of({f"c{i}": y for i, y in enumerate(values[:TRAIN].T)}, freq="h", seasons=SEASONS)


def scores(model: object, values: NDArray[np.float64], horizons: tuple[int, ...]) -> dict[int, tuple[float, float]]:
    """Mean squared and mean absolute error over all origins of the test part, for each horizon.

    One forecast at the longest horizon serves the others; a shorter one has more origins.
    """
    from tsgap import Panel

    first, longest = TRAIN + LEFT_OUT, max(horizons)
    stop = first + TEST
    origins = np.arange(first, stop - min(horizons) + 1)
    sums = {h: np.zeros(3) for h in horizons}
    for channel in values.T:
        past = sliding_window_view(channel, LOOK_BACK)[origins - LOOK_BACK]
        future = sliding_window_view(np.append(channel[:stop], np.full(longest, np.nan)), longest)[origins]
        for start in range(0, len(origins), TOGETHER):
            rows = slice(start, start + TOGETHER)
            n = len(past[rows])
            offsets = np.arange(n + 1) * LOOK_BACK
            history = Panel(past[rows].ravel(), offsets, tuple(map(str, range(n))), "h", SEASONS)
            errors = model.predict(history, horizon=longest).mean - future[rows]
            for h in horizons:
                known = errors[origins[rows] + h <= stop, :h]
                sums[h] += [np.square(known).sum(), np.abs(known).sum(), known.size]
    return {h: (float(square / n), float(absolute / n)) for h, (square, absolute, n) in sums.items()}


def main() -> int:
    """Print the table; 1 where a figure is worse than the published one."""
    from tsgap.defaults.linear import Linear

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="ETTh1.csv, or the same in the long format")
    data = parser.parse_args().data
    if not data.is_file():
        parser.error(f"{data}: there is no such file")
    values = channels(data)
    worse = False
    print(f"{'horizon':>7} {'MSE':>7} {'DLinear':>8}      {'MAE':>7} {'DLinear':>8}      {'ridge':>8} {'fit, s':>7}")
    for horizon, published in DLINEAR.items():
        model = Linear()
        begin = time.perf_counter()
        model.fit(training(values), horizon=horizon, context=LOOK_BACK, seed=0)
        seconds = time.perf_counter() - begin
        found = scores(model, values, (horizon,))[horizon]
        told = ["ok" if ours <= theirs else "WORSE" for ours, theirs in zip(found, published, strict=True)]
        worse |= "WORSE" in told
        print(
            f"{horizon:>7} {found[0]:>7.4f} {published[0]:>8.3f} {told[0]:<5}{found[1]:>7.4f} {published[1]:>8.3f} "
            f"{told[1]:<5}{model.chosen_ridge:>8.2g} {seconds:>7.2f}",
            flush=True,
        )
    return int(worse)


if __name__ == "__main__":
    sys.exit(main())
