"""Coverage of central intervals on real data, after training on a good and on bad sources.

`python tests/benchmarks/calibration_real.py --data FOLDER`, which holds nn5_daily.parquet and m4_hourly_a.parquet in
the long format `unique_id, ds, y`; another data set by `--set NAME:HORIZONS:WINDOWS`. Three draws of each source; what
is printed is what `tsgap show RUN --calibration --by horizon` prints.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import tsgap
from tsgap.calibration import LEVELS

SETS = ("nn5_daily:1,7,14:8", "m4_hourly_a:1,12,24:5")
SOURCES = {"good": "gen:stl-bootstrap", "bad": "gen:shuffle", "averaged": "gen:mixing"}
FORECASTERS = ("linear", "gradient-boosting")


def main() -> None:
    """Print the tables of each data set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--set", action="append", metavar="NAME:HORIZONS:WINDOWS")
    parser.add_argument("--replicates", type=int, default=3)
    parser.add_argument("-f", "--forecaster", action="append")
    parser.add_argument("--out", type=Path, help="keep the runs here")
    given = parser.parse_args()
    from tsgap.cli.calibration import tables

    for text in given.set or SETS:
        name, horizons, windows = text.split(":")
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            run = tsgap.sweep(
                {name: str(given.data / f"{name}.parquet")},
                SOURCES,
                forecasters=given.forecaster or list(FORECASTERS),
                horizons=horizons,
                windows=int(windows),
                replicates=given.replicates,
                quantiles=LEVELS,
                out=(given.out or Path(folder)) / name,
            )
            swept = time.perf_counter()
            _, shown = tables(run, "horizon")
            read = time.perf_counter() - swept
            print(shown)
            print(f"{name}: sweep {swept - start:.1f} s, reading {read:.1f} s\n", flush=True)


if __name__ == "__main__":
    main()
