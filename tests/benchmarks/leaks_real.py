"""Whether honest generators are clean of the test of real data, and which planted copies of it are found.

`python tests/benchmarks/leaks_real.py --data FOLDER` reads every Parquet file of a folder, with the horizons that the
JSON file of the same name gives. Generators are fitted on the training part and nothing after it, of very large data
on a part of it. Planted are copies of whole series beside the series of an honest generator: of all of them (100 at
most) or of one, as they are, times 3 plus 10, or with noise of 1 % of the series' standard deviation.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np

from tsgap import cell, leaks
from tsgap.errors import TsgapError
from tsgap.panel import Panel
from tsgap.plugins import choose_generator
from tsgap.readers import ReadOptions, read_real
from tsgap.splits import Split, rolling

HONEST = ("block-bootstrap", "iaaft", "jitter:sd=0.1", "stl-bootstrap", "kernel-synth", "mixing", "ar-sieve")
PLANTED = ("exact", "times 3 plus 10", "noise of 1 %")
#: Series and values that a generator is fitted on at most, and series that are planted at most.
SERIES, VALUES, COPIES = 300, 150_000, 100


def main() -> None:
    """Print a line for each data set, and how many hits there were where none should be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder of Parquet files")
    parser.add_argument("--only", nargs="*", help="names of data sets")
    parser.add_argument("--draws", type=int, default=2, help="seeds of each generator")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    false, searches = 0, 0
    for path in sorted(given.data.glob("*.parquet")):
        if given.only and path.stem not in given.only:
            continue
        hits, count = searched(path, given.draws)
        false, searches = false + hits, searches + count
    print(f"\n{false} of {searches} panels of honest generators have a hit")


def searched(path: Path, draws: int) -> tuple[int, int]:
    """Hits in panels of honest generators, of how many; the line of one data set is printed."""
    horizons = json.loads(path.with_suffix(".json").read_text())["horizons"]
    split = rolling(read_real(str(path), name=path.stem, options=ReadOptions()), horizon=max(horizons))
    search = leaks._Search(split)
    void, notes = search.again()
    host, hits, count, clock = None, [], 0, 0.0
    for name in HONEST:
        for seed in range(draws):
            try:
                made = cell.draw(choose_generator(name).build(), _some(split.train), seed)
            except TsgapError:
                continue
            host, count, begin = host or made, count + 1, time.process_time()
            hits += [f"{name} (seed {seed}): {told}" for told in search.words(made)]
            clock += time.process_time() - begin
    found = [
        f"{kind}, {'one' if one else 'all'}: {_short(search.words(planted(split, host, kind, one=one)))}"
        for kind in PLANTED
        for one in (False, True)
        if host
    ]
    print(f"{path.stem}: {len(hits)} hits in {count} panels, {clock / max(count, 1):.2f} s each; {'; '.join(found)}")
    for told in (*hits, *void, *notes):
        print(f"    {told}")
    return len(hits), count


def planted(split: Split, host: Panel, kind: str, *, one: bool) -> Panel:
    """The series of a generator and copies of whole real ones, training part and test, from their sixth value on."""
    rng = np.random.default_rng(1)
    rows = {f"host {i}": y for i, y in enumerate(host)}
    n = len(split.data)
    for i in [int(rng.integers(n))] if one else range(min(n, COPIES)):
        y = split.data[i]
        y = y[np.isfinite(y)][5:]
        more = {"exact": y, "times 3 plus 10": 3 * y + 10}
        rows[f"copy {i}"] = more.get(kind, y + 0.01 * y.std() * rng.normal(size=len(y)))
    return Panel.of(rows, freq=split.data.freq, seasons=split.data.seasons)


def _some(train: Panel) -> Panel:
    train = train.take(np.arange(min(len(train), SERIES)))
    return train if len(train.values) <= VALUES else train.tail(VALUES // len(train))


def _short(told: list[str]) -> str:
    return told[0].partition(" stretches")[0] if told else "none"


if __name__ == "__main__":
    main()
