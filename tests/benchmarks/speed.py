"""What speed and memory are promised, measured: `python tests/benchmarks/speed.py [ROW …] [--runs N] [--scale S]`.

Prints one table of medians and exits with 1 where a bar is missed. `--scale 0.01` tries everything on a hundredth of
the sizes, without judging.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # started from anywhere, and by workers

from timing import Asked, header, printed

#: Row of the table → the module beside this one whose `rows(asked)` measures it.
ROWS = {
    "overhead": "overhead",
    "metrics": "metrics",
    "moments": "moments",
    "ets": "smoothing",
    "verdict": "verdict",
    "augment": "adding",
    "diagnose": "diagnosing",
    "scaling": "scaling",
    "memory": "memory",
}


def main() -> int:
    """Print the table; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"{', '.join(ROWS)}; default: all of them")
    parser.add_argument("--runs", type=int, default=5, help="how often each thing is timed")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the sizes; bars are for 1")
    asked = parser.parse_args()
    unknown = [name for name in asked.rows if name not in ROWS]
    if unknown or asked.runs < 1 or not asked.scale > 0:
        parser.error(f"rows are {', '.join(ROWS)}; runs from 1, scale above 0; got {' '.join(sys.argv[1:])!r}")
    print(header(), flush=True)
    missed = False
    for name in asked.rows or ROWS:
        rows = importlib.import_module(ROWS[name]).rows(Asked(asked.runs, asked.scale))
        missed |= printed(rows, judged=asked.scale == 1)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
