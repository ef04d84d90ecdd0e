"""The gap by group and the ranks of forecasters, for a good and a bad source on real data.

`python tests/benchmarks/subgroups_real.py NAME=FILE:HORIZONS:WINDOWS:STEP:SHORT …`, for example
`nn5=nn5_daily.parquet:1,7,14:8:14:3`; without arguments on embedded data. The good source resamples remainders around
trend and season, the bad one blocks of SHORT values, which keep no season.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import tsgap
from tsgap.cli.ranks import text_of as ranks
from tsgap.cli.subgroups import text_of as groups

EMBEDDED = ("macrodata=card:macrodata:1,4,8:6:8:2",)
FORECASTERS = ("linear", "gradient-boosting", "lag-probe")


def main() -> None:
    """Print both tables of each data set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="*", default=EMBEDDED)
    parser.add_argument("-f", "--forecaster", action="append")
    parser.add_argument("--replicates", type=int, default=3)
    parser.add_argument("--out", type=Path, help="keep the runs here")
    given = parser.parse_args()
    for text in given.data:
        name, _, rest = text.partition("=")
        what, horizons, windows, step, short = rest.rsplit(":", 4)
        with tempfile.TemporaryDirectory() as folder:
            run = tsgap.sweep(
                {name: what},
                {"good": "gen:stl-bootstrap", "bad": f"gen:block-bootstrap:length={short}"},
                forecasters=given.forecaster or FORECASTERS,
                horizons=horizons,
                windows=int(windows),
                step=int(step),
                replicates=given.replicates,
                diagnose=True,
                out=(given.out or Path(folder)) / name,
            )
            print(groups(run.subgroups()))
            print(ranks(run.rank_consistency()))
            print("\n".join(run.gate(worst_group=True).sentences), flush=True)


if __name__ == "__main__":
    main()
