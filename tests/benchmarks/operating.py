"""How often the gate passes and fails sources of a known gap: `python tests/benchmarks/operating.py [--runs N]`.

Real series are seasonal autoregressions, a source draws the same process with a share of its memory of the last season
removed: none of it (an oracle), as much as makes the true gap of the worst bin of leads 5 %, the margin, or all of it.
The `linear` forecaster is fitted on every arm; PASS needs the shuffled arm too.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # planted worlds and trials lie one folder up

from trials import Rate, Trial
from worlds import autoregressions

from tsgap.defaults.linear import Linear
from tsgap.evidence import Evidence
from tsgap.findings import Rules
from tsgap.gap import lead_bins
from tsgap.gate import judged
from tsgap.panel import Floats

SERIES, BLOCKS, REPLICATES = 50, 20, 5
PHI, SEASONAL, SEASON, HORIZON, TRAIN = 0.3, 0.44, 24, 24, 480
PLACES = tuple(lead_bins(HORIZON, SEASON))
#: Share of the seasonal coefficient that each source has lost.
LOST = {"oracle": 0.0, "at the margin": 0.686, "season lost": 1.0}
#: The source at the margin in one bin of leads.
ALONE = "one bin there"


def trial(rng: np.random.Generator, shared: float, series: int = SERIES, blocks: int = BLOCKS) -> Trial:
    """Real series and their windows."""
    real = autoregressions(
        rng, series, TRAIN + blocks * HORIZON, phi=PHI, seasonal=SEASONAL, season=SEASON, shared=shared
    )
    return Trial(Linear, real, TRAIN, HORIZON, SEASON, PLACES, SEASON)


def draws(rng: np.random.Generator, lost: float, shared: float, series: int = SERIES) -> list[Floats]:
    """Draws of a source, each as large as the training part."""
    left = (1 - lost) * SEASONAL
    return [
        autoregressions(rng, series, TRAIN, phi=PHI, seasonal=left, season=SEASON, shared=shared)
        for _ in range(REPLICATES)
    ]


def true_gap(lost: float, shared: float = 0.0, runs: int = 50, seed: int = 1) -> tuple[Floats, Floats]:
    """The gap (P,) of a source that has lost so much, the mean of many trials, and its standard error."""
    rng = np.random.default_rng(seed)
    found = [trial(rng, shared).evidence(draws(rng, lost, shared)).gap.value for _ in range(runs)]
    return np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(runs)


def verdicts(runs: int, shared: float, seed: int = 0) -> dict[str, Counter[str]]:
    """The verdicts on each source."""
    rng = np.random.default_rng([seed, int(100 * shared)])
    out: dict[str, Counter[str]] = {name: Counter() for name in (*LOST, ALONE)}
    for _ in range(runs):
        one = trial(rng, shared)
        null = one.shuffled(REPLICATES, rng)
        for name, lost in LOST.items():
            found = one.evidence(draws(rng, lost, shared), null)
            out[name][judged([found], Rules()).verdict] += 1
            if name == "at the margin":
                # all bins lie there; that is harder to pass than one alone, without a share of skill to be kept
                out[ALONE][judged([alone(found)], Rules(retain=0.0)).verdict] += 1
    return out


def alone(one: Evidence, place: int = 2) -> Evidence:
    """The evidence of one place alone."""
    only = slice(place, place + 1)
    losses = {arm: of[..., only] for arm, of in one.losses.items()}
    return replace(one, places=one.places[only], losses=losses, taught=one.taught[only], used=one.used[only])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--truths", type=int, default=100, help="trials behind each true gap")
    asked = parser.parse_args()
    print("true gap, % (standard error) at leads " + ", ".join(f"{first}-{last}" for first, last in PLACES))
    for name, lost in (*LOST.items(), ("half lost", 0.5)):
        value, error = true_gap(lost, runs=asked.truths)
        told = "  ".join(f"{100 * np.expm1(v):6.2f} ({100 * e:.2f})" for v, e in zip(value, error, strict=True))
        print(f"{name:<14} {lost:.3f}   {told}", flush=True)
    print(f"\n{asked.runs} runs of {SERIES} x {BLOCKS}; innovations correlated between series by")
    for shared in (0.0, 0.3):
        for name, told in verdicts(asked.runs, shared).items():
            for verdict in ("PASS", "FAIL"):
                print(f"{shared:>4} {name:<14} {verdict}  {Rate(told[verdict], asked.runs)}  {dict(told)}", flush=True)


if __name__ == "__main__":
    main()
