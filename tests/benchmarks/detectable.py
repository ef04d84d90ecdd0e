"""How well a dry run foretells the width of a gap's interval: `python tests/benchmarks/detectable.py`.

Runs sweeps on embedded data and divides the half-width of every gap by that of the seasonal-naive forecast's
relative error, which is what a dry run has. The median is `tsgap.detectable.SHARE`.
"""

from __future__ import annotations

import tempfile

import numpy as np

import tsgap
from tsgap.detectable import SHARE, detectable
from tsgap.experiment import DataSpec
from tsgap.inputs import read_data

DATA = {"card:macrodata": 5, "card:fertility": 3, "card:elnino": 20, "card:air_passengers": 5}
SOURCES = ["gen:stl-bootstrap", "gen:ar-sieve", "gen:iaaft", "gen:jitter", "gen:shuffle"]
FORECASTERS = ["linear", "gradient-boosting"]


def main() -> None:
    """Print the table."""
    print(f"{'data':<12} {'source':<14} {'forecaster':<18} half-width of the gap / of the seasonal-naive error, by bin")
    every = []
    for card, windows in DATA.items():
        with tempfile.TemporaryDirectory() as folder:
            run = tsgap.sweep({"d": card}, SOURCES, forecasters=FORECASTERS, windows=windows, out=folder)
            data = read_data(DataSpec("d", card, windows=windows))
            bins, _ = detectable(data.split, max(data.horizons))
            expected = np.array([b.half for b in bins]) / SHARE
            gaps = run.gap()
            gaps = gaps[gaps.forecaster.isin(FORECASTERS)]
            for (source, forecaster), one in gaps.groupby(["source", "forecaster"], sort=False):
                share = one.half_width.to_numpy() / expected
                if source != "shuffle":
                    every += share.tolist()
                print(f"{card[5:]:<12} {source:<14} {forecaster:<18} {' '.join(f'{x:6.2f}' for x in share)}")
    low, middle, high = np.nanquantile(every, [0.1, 0.5, 0.9])
    print(f"without shuffle: median {middle:.2f}, from {low:.2f} to {high:.2f} in 80 of 100 bins; SHARE is {SHARE}")


if __name__ == "__main__":
    main()
