"""How often diagnostics warn of a source that is as good as real: `python tests/benchmarks/diagnostic_nulls.py`.

Every registered diagnostic on second draws of the real population: series alike, series unlike each other, twins under
the same names, short windows as a source, few long series, whole numbers. For each figure with a permutation: how often
its p-value is at most .05. For coverage: its mean less what is expected, and how often its interval misses that.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from math import isnan
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # planted worlds and trials lie one folder up

from planted import NULLS
from trials import Rate

from tsgap.diagnostics import Figure, contrasted
from tsgap.plugins import registry


def figures(world: str, run: int, only: Sequence[str]) -> list[tuple[str, Figure]]:
    """All figures of one null, each with its diagnostic."""
    contrast = contrasted(*NULLS[world](np.random.default_rng([run, *world.encode()])), seed=run)
    known = registry().diagnostics
    return [(name, figure) for name in only or known for figure in known[name].spec.measure(contrast, seed=run).figures]


def lines(world: str, several: Sequence[Sequence[tuple[str, Figure]]]) -> list[str]:
    """The table of one world."""
    by_name, warned = defaultdict(list), defaultdict(int)
    for found in several:
        for diagnostic, figure in found:
            by_name[diagnostic, figure.name].append(figure)
        for diagnostic in {diagnostic for diagnostic, figure in found if figure.flag == "warn"}:
            warned[diagnostic] += 1
    out = [f"\n{world}, {len(several)} runs", f"{'':46}  warnings                    p <= .05"]
    for diagnostic in dict.fromkeys(name for name, _ in by_name):
        out.append(f"{diagnostic:46} {Rate(warned[diagnostic], len(several))}")
        for (of, name), ones in by_name.items():
            proven = [figure.p <= 0.05 for figure in ones if not isnan(figure.p)]
            dumb = sum(figure.flag == "not measurable" for figure in ones)
            if of == diagnostic:
                out.append(
                    f"  {name:44} {Rate(sum(figure.flag == 'warn' for figure in ones), len(ones))}   "
                    + (str(Rate(sum(proven), len(proven))) if proven else "")
                    + (f"   {dumb} not measurable" if dumb else "")
                )
    if ("covering", "coverage") in by_name:
        ones = [figure for figure in by_name["covering", "coverage"] if not isnan(figure.value)]
        expected = np.array([float(figure.detail.split()[0]) for figure in ones])
        apart = np.array([figure.value for figure in ones]) - expected
        missed = sum(not figure.low <= e <= figure.high for figure, e in zip(ones, expected, strict=True))
        out.append(
            f"coverage less its expectation {apart.mean():+.4f} (s.e. {apart.std() / np.sqrt(len(apart)):.4f}); "
            f"its interval misses it {Rate(missed, len(ones))}"
        )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="number of the first run, which is its seed")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--worlds", nargs="+", choices=NULLS, default=list(NULLS))
    parser.add_argument("--only", nargs="+", default=[], help="diagnostics by name; all of them unless given")
    asked = parser.parse_args()
    with ProcessPoolExecutor(asked.jobs) as pool:
        for world in asked.worlds:
            runs = range(asked.first, asked.first + asked.runs)
            n = len(runs)
            print("\n".join(lines(world, list(pool.map(figures, [world] * n, runs, [asked.only] * n)))), flush=True)


if __name__ == "__main__":
    main()
