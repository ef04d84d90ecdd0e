"""How often the interval of the gap misses a true gap of 0: `python tests/benchmarks/size.py [--runs N]`.

Losses drawn with one source of chance at a time, then all together; and losses of the `linear` forecaster, trained
on real series and on second draws of the same process. Nominal: 5 %, two-sided.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # planted worlds and trials lie one folder up

from trials import Rate, Trial
from worlds import autoregressions

from tsgap.defaults.linear import Linear
from tsgap.gap import Clusters, lead_bins, log_ratio
from tsgap.panel import Floats

REPLICATES = 5
#: Standard deviations of what series, blocks of the calendar and draws have in common, as shares of the loss.
WORLDS = {
    "windows only": (0.0, 0.0, 0.0),
    "series differ": (0.10, 0.0, 0.0),
    "calendar shocks": (0.0, 0.06, 0.0),
    "seed noise": (0.0, 0.0, 0.02),
    "all together": (0.10, 0.06, 0.02),
}
#: The seasonal autoregression of the fits: short memory, memory of one season.
PHI, SEASONAL, SEASON, HORIZON, TRAIN = 0.3, 0.45, 24, 24, 480


def drawn(rng: np.random.Generator, series: int, blocks: int, runs: int, sds: tuple[float, float, float]) -> Floats:
    """By how much the interval misses 0 (runs,) for drawn losses: above 0 where it does not hold it.

    Window by window the relative difference of two arms is t with 5 degrees of freedom and sd .2, the same in every
    replicate: what replicates have in common is the window.
    """
    shape = (REPLICATES, series, blocks, runs)
    base = rng.gamma(4.0, 0.25, (1, *shape[1:]))
    change = np.broadcast_to(0.2 * rng.standard_t(5, base.shape) / np.sqrt(5 / 3), shape)
    change = change + sds[0] * rng.normal(size=(1, series, 1, runs)) + sds[1] * rng.normal(size=(1, 1, blocks, runs))
    change += sds[2] * rng.normal(size=(REPLICATES, 1, 1, runs))
    arm = base * np.maximum(1 + change, 0)
    at = (ids.ravel() for ids in np.indices((series, blocks)))
    found = log_ratio(arm.reshape(REPLICATES, -1, runs), base.reshape(1, -1, runs)).estimated(
        Clusters.of(*at, np.arange(REPLICATES))
    )
    return np.abs(found.value) - found.half(0.975)


def fitted(rng: np.random.Generator, series: int, blocks: int, shared: float) -> Floats:
    """The same (P,) for the bins of leads of one trial with the `linear` forecaster."""
    world = {"phi": PHI, "seasonal": SEASONAL, "season": SEASON, "shared": shared}
    real = autoregressions(rng, series, TRAIN + blocks * HORIZON, **world)
    trial = Trial(Linear, real, TRAIN, HORIZON, SEASON, tuple(lead_bins(HORIZON, SEASON)), SEASON)
    one = trial.evidence([autoregressions(rng, series, TRAIN, **world) for _ in range(REPLICATES)])
    found = one.gap.estimated(one.clusters)
    return np.abs(found.value) - found.half(0.975)


def of_losses(series: int, blocks: int, runs: int, seed: int = 0) -> dict[str, int]:
    """How many of the runs miss 0, in each world of drawn losses."""
    out = {}
    for number, (name, sds) in enumerate(WORLDS.items()):
        rng = np.random.default_rng([seed, series, blocks, number])
        parts = [min(100, runs - done) for done in range(0, runs, 100)]
        out[name] = sum(int((drawn(rng, series, blocks, part, sds) > 0).sum()) for part in parts)
    return out


def of_fits(series: int, blocks: int, runs: int, shared: float, seed: int = 0) -> dict[str, int]:
    """How many of the runs miss 0, in each bin of leads of the `linear` forecaster."""
    rng = np.random.default_rng([seed, series, blocks, int(100 * shared)])
    missed = np.sum([fitted(rng, series, blocks, shared) > 0 for _ in range(runs)], axis=0)
    return {f"{first}-{last}": int(n) for (first, last), n in zip(lead_bins(HORIZON, SEASON), missed, strict=True)}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="runs of drawn losses")
    parser.add_argument("--fits", type=int, default=400, help="runs of fits")
    asked = parser.parse_args()
    print(f"{asked.runs} runs of drawn losses")
    for series, blocks in ((10, 20), (50, 20)):
        for name, hits in of_losses(series, blocks, asked.runs).items():
            print(f"{name:<16} {f'{series} x {blocks}':>8} {Rate(hits, asked.runs)}", flush=True)
    print(f"\n{asked.fits} runs of fits, leads; innovations correlated between series by 0 or .3")
    for series, blocks in ((10, 20), (50, 5)):
        for shared in (0.0, 0.3):
            for leads, hits in of_fits(series, blocks, asked.fits, shared).items():
                print(f"{leads:<11} {shared:>4} {f'{series} x {blocks}':>8} {Rate(hits, asked.fits)}", flush=True)


if __name__ == "__main__":
    main()
