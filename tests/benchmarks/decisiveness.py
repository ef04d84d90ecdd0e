"""How often the gate decides what is known beforehand, and how many series and windows a margin of 5 % takes.

`python tests/benchmarks/decisiveness.py [NAME=FILE:HORIZONS:WINDOWS …]`, for example
`nn5=nn5_daily.parquet:1,7,14:12`; without arguments on embedded data. One half of the real series against the other
(`oracle-split`) should PASS, shuffled series should FAIL; each is drawn anew `--seeds` times.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import tsgap
from tsgap.evidence import Evidence
from tsgap.gap import Estimate
from tsgap.run import Run

EMBEDDED = ("macrodata=card:macrodata:1,4,8:6", "fertility=card:fertility:1,2:5")
WINDOWS, MARGIN = (5, 10, 20, 40), 0.05


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="*", default=EMBEDDED)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("-f", "--forecaster", action="append")
    parser.add_argument("--season-length", type=lambda text: tuple(map(int, text.split(","))), default=())
    parser.add_argument("--scaling")
    parser.add_argument("--out", type=Path, help="keep the runs here")
    given = parser.parse_args()
    forecasters = given.forecaster or ["linear", "gradient-boosting"]
    print(f"{'data':<16} {'forecaster':<18} {'source':<13} verdicts of {given.seeds} seeds")
    needs: list[str] = []
    for text in given.data:
        name, _, rest = text.partition("=")
        what, horizons, windows = rest.rsplit(":", 2)
        with tempfile.TemporaryDirectory() as folder:
            runs = [
                tsgap.sweep(
                    {name: what},
                    ["gen:shuffle"],
                    oracle_split=True,
                    forecasters=forecasters,
                    horizons=horizons,
                    windows=int(windows),
                    season_length=given.season_length,
                    scaling=given.scaling,
                    seed=seed,
                    out=(given.out or Path(folder)) / f"{name}-{seed}",
                )
                for seed in range(given.seeds)
            ]
            for forecaster in forecasters:
                for source in ("oracle-split", "shuffle"):
                    print(f"{name:<16} {forecaster:<18} {source:<13} {_verdicts(runs, source, forecaster)}", flush=True)
            needs += _needs(name, runs[0])
    print(
        f"\nseries that oracle-split needs for a margin of {MARGIN:.0%}, by blocks of origins (-: no number would do)"
    )
    print(f"{'data':<16} {'forecaster':<18} {'leads':<8} {'has':>9} {'half':>6}" + "".join(f"{w:>7}" for w in WINDOWS))
    print("\n".join(needs))


def _verdicts(runs: list[Run], source: str, forecaster: str) -> str:
    found = Counter(run.gate(source=source, forecaster=forecaster).verdict for run in runs)
    return ", ".join(f"{n} {verdict}" for verdict, n in found.most_common())


def _needs(name: str, run: Run) -> Iterator[str]:
    for _, evidence in run.evidence(source="oracle-split"):
        for one in evidence:
            if one.status == "ok":
                yield from _of_one(name, one)


def _of_one(name: str, one: Evidence) -> Iterator[str]:
    found = one.gap.estimated(one.clusters)
    counts = found.counts
    for i, (first, last) in enumerate(one.places):
        cells = "".join(f"{_series(found.at(i), blocks):>7}" for blocks in WINDOWS)
        leads = str(first) if first == last else f"{first}-{last}"
        half = 100 * math.expm1(found.half()[i])
        has = f"{counts.series}x{counts.blocks}"
        yield f"{name:<16} {one.forecaster:<18} {leads:<8} {has:>9} {half:>5.1f}%{cells}"


def _series(found: Estimate, blocks: int) -> str:
    """Series that would bring the half-width down to the margin with so many blocks of origins."""
    windows, series, shocks, draws = found.parts[:, 0]
    ratio = found.counts.blocks / blocks
    allowed = (math.log1p(MARGIN) * found.se[0] / found.half()[0]) ** 2 - shocks * ratio - draws
    if allowed <= 0:
        return "-"
    return str(max(5, int(np.ceil(found.counts.series * (windows * ratio + series) / allowed))))


if __name__ == "__main__":
    main()
