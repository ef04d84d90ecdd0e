"""What each diagnostic sees of a planted fault: `python tests/benchmarks/diagnostic_power.py [--runs N]`.

Every registered diagnostic on sources with one fault each, beside a second draw that has none. Printed is the share of
the runs in which a diagnostic warns, and for every figure the share in which it does, with its mean value.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # planted worlds and trials lie one folder up

from planted import FAULTS, faulty, second_draw, unlike

from tsgap.diagnostics import Figure, contrasted
from tsgap.plugins import registry

#: The column that has no fault.
NONE = "none"


def figures(fault: str, run: int, series: int, only: Sequence[str]) -> dict[tuple[str, str], Figure]:
    """All figures of one source with a fault, by diagnostic and name."""
    rng = np.random.default_rng([run, *fault.encode()])
    real, synthetic = second_draw(unlike, series)(rng) if fault == NONE else faulty(fault, rng, series=series)
    contrast, known = contrasted(real, synthetic, seed=run), registry().diagnostics
    return {
        (name, figure.name): figure
        for name in only or known
        for figure in known[name].spec.measure(contrast, seed=run).figures
    }


def table(found: dict[str, list[dict[tuple[str, str], Figure]]]) -> list[str]:
    """One line for each diagnostic, then one for each of its figures; one column for each fault."""
    width = max(map(len, found)) + 2
    names = list(dict.fromkeys(name for runs in found.values() for one in runs for name in one))
    out = [f"{'share of runs with a warning':46}" + "".join(f"{fault:>{width}}" for fault in found)]
    for diagnostic in dict.fromkeys(of for of, _ in names):
        shares = [
            np.mean([any(f.flag == "warn" for (of, _), f in one.items() if of == diagnostic) for one in runs])
            for runs in found.values()
        ]
        out.append(f"{diagnostic:46}" + "".join(f"{share:>{width}.2f}" for share in shares))
        for name in (name for of, name in names if of == diagnostic):
            cells = []
            for runs in found.values():
                ones = [one[diagnostic, name] for one in runs if (diagnostic, name) in one]
                values = np.array([figure.value for figure in ones])
                mean = f"{np.nanmean(values):.3g}" if np.isfinite(values).any() else "-"
                cells.append(f"{np.mean([figure.flag == 'warn' for figure in ones]):.2f} ({mean})")
            out.append(f"  {name:44}" + "".join(f"{cell:>{width}}" for cell in cells))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--series", type=int, default=200, help="real series, of different characters")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--faults", nargs="+", choices=[NONE, *FAULTS], default=[NONE, *FAULTS])
    parser.add_argument("--only", nargs="+", default=[], help="diagnostics by name; all of them unless given")
    asked = parser.parse_args()
    n = asked.runs
    with ProcessPoolExecutor(asked.jobs) as pool:
        found = {
            fault: list(pool.map(figures, [fault] * n, range(n), [asked.series] * n, [asked.only] * n))
            for fault in asked.faults
        }
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
