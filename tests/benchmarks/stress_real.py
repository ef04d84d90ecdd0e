"""What perturbed histories cost on real data, after a good source and after bad ones.

`python tests/benchmarks/stress_real.py --data FOLDER [--set NAME …]`: FOLDER holds NAME.parquet in the long format
`unique_id, ds, y`, and NAME.json with its `horizons` and `season_lengths`. The sources are made from the training part:
one that keeps trend and season, one of short blocks (half a season), shuffled series, and smooth ones from kernels.
Prints what each arm loses over all leads, the difference with its 95 % interval, the number of bins where it is proven
above 5 %, and what `tsgap show --robustness` says of each source.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path

import tsgap
from tsgap.stress import NO_GRADIENT, sentences

SETS = ("nn5_daily", "m4_hourly_a")
FORECASTERS = ("linear", "seasonal-naive")


def sources(season: int) -> dict[str, str]:
    """A good source and three bad ones."""
    blocks = f"gen:block-bootstrap:length={max(2, season // 2)}"
    return {"stl": "gen:stl-bootstrap", "blocks": blocks, "shuffle": "gen:shuffle", "smooth": "gen:kernel-synth"}


def stressed(name: str, folder: Path, out: Path, replicates: int, jobs: int) -> tsgap.Run:
    """The run of one set."""
    told = json.loads((folder / f"{name}.json").read_text())
    return tsgap.sweep(
        {name: str(folder / f"{name}.parquet")},
        sources(told["season_lengths"][0]),
        forecasters=list(FORECASTERS),
        horizons=told["horizons"],
        replicates=replicates,
        null=False,
        stress=True,
        out=out / name,
        jobs=jobs,
    )


def main() -> None:
    """Run the sets and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--set", action="append", metavar="NAME", help=f"default: {', '.join(SETS)}")
    parser.add_argument("--replicates", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="keep the runs here")
    given = parser.parse_args()
    for name in given.set or SETS:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            run = stressed(name, given.data, given.out or Path(folder), given.replicates, given.jobs)
            took = time.perf_counter() - began
            frame = run.robustness()
            print(f"\n{name}: {run.n_cells} cells, {run.n_failed} failed, {took:.0f} s")
            gaps = run.gap("mase", "horizon").groupby(["source", "forecaster"]).tail(1)
            for row in gaps.itertuples():
                print(f"  gap of {row.source}, {row.forecaster}: {row.percent:+.1f} % ({row.status})")
            longest = frame["last"].max()
            for row in frame[(frame["first"] == 1) & (frame["last"] == longest)].itertuples():
                if row.status == NO_GRADIENT:
                    continue
                of = frame[
                    (frame.source == row.source) & (frame.forecaster == row.forecaster) & (frame.view == row.view)
                ]
                proven = int((of.flag[of["last"] - of["first"] < longest - 1] != "").sum())
                print(
                    f"  {row.source:8s} {row.forecaster:15s} {row.view:13s} "
                    f"{percent(row.degradation_control)} {percent(row.degradation_synthetic)}  {row.percent:+6.1f} % "
                    f"({row.percent_low:+.1f} to {row.percent_high:+.1f})  {row.flag:4s} {proven} bins  {row.status}"
                )
            print(*(f"  {told}" for told in sentences(frame)), sep="\n")


def percent(log_ratio: float) -> str:
    """A log ratio in per cent."""
    return f"{100 * math.expm1(log_ratio):+6.1f} %"


if __name__ == "__main__":
    main()
