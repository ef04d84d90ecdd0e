"""How often equal groups are said to differ, and unequal ones found: `python tests/benchmarks/heterogeneity.py`.

Losses are drawn with series, blocks of the calendar and draws that each have something in common, and put into groups
by series or by windows at random (then groups share series and blocks). Nominal: 5 %.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # trials lie one folder up

from trials import Rate

from tsgap.gap import POPULATION, Clusters, log_ratio
from tsgap.heterogeneity import GroupStatistic, heterogeneity
from tsgap.panel import Ints

#: How windows fall into groups, from the series and block of each.
Parting = Callable[[Ints, np.random.Generator], Ints]
PARTINGS: dict[str, Parting] = {
    "2 groups of series": lambda series, _: series % 2,
    "3 groups of series": lambda series, _: series % 3,
    "3 groups, 6 series each in two": lambda series, _: np.minimum(series // 6, 2),
    "6 groups of series": lambda series, _: series % 6,
    "a quarter of windows": lambda series, rng: (rng.random(len(series)) < 0.25).astype(np.int64),
    "a tenth of windows": lambda series, rng: (rng.random(len(series)) < 0.1).astype(np.int64),
}
#: Series, blocks and draws.
SIZES = ((18, 5, 5), (30, 5, 5), (30, 20, 5), (60, 10, 3))
#: Standard deviations of what series, blocks and draws have in common, and of how unequal series weigh.
WORLDS = {
    "all": (0.10, 0.06, 0.02, 0.0),
    "windows only": (0.0, 0.0, 0.0, 0.0),
    "loud draws": (0.10, 0.06, 0.10, 0.0),
    "heavy series": (0.10, 0.06, 0.02, 1.0),
}
EFFECT = 0.1


def p_of(
    rng: np.random.Generator, size: tuple[int, int, int], world: tuple[float, ...], part: Parting, effect: float
) -> float:
    """p of one trial; `effect` is added to the gap of the second group. NaN where fewer than two groups are tested."""
    series, blocks = (labels.ravel() for labels in np.indices(size[:2]))
    group = part(series, rng)
    of_series, of_block, of_draw, heavy = world
    base = np.exp(heavy * rng.normal(size=size[0])[series] + 0.2 * rng.standard_t(5, size=len(series)))
    bump = of_series * rng.normal(size=size[0])[series] + of_block * rng.normal(size=size[1])[blocks]
    bump = bump + effect * (group == 1)
    real = base * np.exp(0.1 * rng.normal(size=len(series)))
    drawn = [
        base
        * np.exp(
            bump + of_draw * (rng.normal() + rng.normal(size=size[0])[series]) + 0.1 * rng.normal(size=len(series))
        )
        for _ in range(size[2])
    ]
    synthetic, draws = np.stack(drawn), np.arange(size[2])
    shares, degrees = [], []
    for g in np.unique(group):
        at = group == g
        if len(np.unique(series[at])) < POPULATION:
            continue
        gap = log_ratio(synthetic[:, at, None], real[None, at, None])
        degrees.append(float(gap.estimated(Clusters.of(series[at], blocks[at], draws)).df[0]))
        shares.append(GroupStatistic(gap, series[at], blocks[at], draws))
    return heterogeneity(shares, degrees).p


def main() -> None:
    """Print the share of trials with p < .05, without and with a difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=300)
    given = parser.parse_args()
    worst = 0.0
    for size in SIZES:
        for name, part in PARTINGS.items():
            for world, sds in WORLDS.items():
                rates = []
                for effect in (0.0, EFFECT):
                    found = [
                        p_of(np.random.default_rng([seed, *size]), size, sds, part, effect)
                        for seed in range(given.runs)
                    ]
                    known = [p for p in found if np.isfinite(p)]
                    rates.append(Rate(sum(p < 0.05 for p in known), len(known)) if known else None)
                null, power = rates
                if null is None or power is None:
                    continue
                worst = max(worst, null.hits / null.runs)
                shape = "x".join(map(str, size))
                print(f"{shape:8} {name:32} {world:13} size {null}  found {power.hits / power.runs:.2f}", flush=True)
    print(f"largest size: {worst:.3f}")


if __name__ == "__main__":
    main()
