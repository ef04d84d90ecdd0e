"""Where the lag probe says that memory breaks, and where it does: `python tests/benchmarks/break_horizon.py`.

Real series are first-order autoregressions, a source joins moving blocks of them. Its gap is known in closed form: of
two values h steps apart a share (1 − h/L)₊ lies in one block, with their own correlation; the others have in common the
mean of their series alone.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # planted worlds and trials lie one folder up

from trials import Rate, Trial
from worlds import autoregressions

from tsgap.defaults.generators import blocks
from tsgap.defaults.probe import LagProbe
from tsgap.findings import Rules
from tsgap.gate import judged
from tsgap.panel import Floats

PHI, TRAIN, HORIZON, WINDOWS, REPLICATES = 0.98, 2000, 48, 20, 5
ENDS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
PLACES = tuple(zip((1, *(end + 1 for end in ENDS[:-1])), ENDS, strict=True))
LENGTHS = (12, 24, 48)


def curve(length: int) -> Floats:
    """The gap (P,) of blocks of `length` for a probe that knows the true covariances, squared errors, root."""
    h = np.arange(1, HORIZON + 1)
    rho = PHI**h
    lags = np.arange(1, TRAIN)
    of_mean = (1 + 2 * ((1 - lags / TRAIN) * PHI**lags).sum()) / TRAIN
    apart = np.minimum(h / length, 1.0)
    slope = (1 - apart) * rho + apart * of_mean
    lost, kept = 1 - 2 * rho * slope + slope**2, 1 - rho**2
    return np.array([0.5 * np.log(lost[a - 1 : b].sum() / kept[a - 1 : b].sum()) for a, b in PLACES])


@dataclass
class Found:
    """What the runs found of blocks of one length."""

    gaps: list[Floats] = field(default_factory=list)
    safe: list[int] = field(default_factory=list)
    breaks: list[int | None] = field(default_factory=list)


def found(series: int, runs: int, seed: int = 0) -> dict[int, Found]:
    """Gaps and break horizons of the probe in every run, for every length of a block."""
    rng = np.random.default_rng([seed, series])
    out = {length: Found() for length in LENGTHS}
    for _ in range(runs):
        real = autoregressions(rng, series, TRAIN + WINDOWS * HORIZON, phi=PHI)
        trial = Trial(LagProbe, real, TRAIN, HORIZON, 1, PLACES, root=True, memory="lag")
        null = trial.shuffled(REPLICATES, rng)
        for length, told in out.items():
            draws = [np.stack([blocks(y, length, rng) for y in trial.taught]) for _ in range(REPLICATES)]
            one = trial.evidence(draws, null)
            memory = judged([one], Rules()).memory
            assert memory is not None
            told.gaps.append(one.gap.value)
            told.safe.append(memory.safe)
            told.breaks.append(memory.breaks)
    return out


def wrong(told: Found, length: int) -> tuple[int, int]:
    """In how many runs a lead is called safe that is not, and in how many a break is proven before there is one."""
    lossy = [first for (first, _), gap in zip(PLACES, curve(length), strict=True) if gap > Rules().log_margin]
    first = min(lossy, default=HORIZON + 1)
    return sum(safe >= first for safe in told.safe), sum(at is not None and at < first for at in told.breaks)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--series", type=int, nargs="+", default=[10, 50])
    asked = parser.parse_args()
    print("leads             " + "".join(f"{f'{a}-{b}' if a < b else a:>8}" for a, b in PLACES))
    for series in asked.series:
        for length, told in found(series, asked.runs).items():
            mean, sd = np.mean(told.gaps, axis=0), np.std(told.gaps, axis=0)
            print(f"{series} x {WINDOWS}, blocks of {length}")
            for name, values in (("  curve", curve(length)), ("  mean gap", mean), ("  sd of a run", sd)):
                print(f"{name:<18}" + "".join(f"{value:>8.4f}" for value in values))
            unsafe, unbroken = wrong(told, length)
            proven = [at for at in told.breaks if at is not None]
            print(f"  largest distance of the mean from the curve {np.abs(mean - curve(length)).max():.4f}")
            print(f"  wrong safe claims  {Rate(unsafe, asked.runs)}, median safe up to {np.median(told.safe):g}")
            at = f", median {np.median(proven):g} in {len(proven)} runs" if proven else ", none proven"
            print(f"  wrong break claims {Rate(unbroken, asked.runs)}{at}", flush=True)


if __name__ == "__main__":
    main()
