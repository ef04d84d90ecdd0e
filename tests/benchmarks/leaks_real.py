"""Whether honest generators are clean of the test of real data, and which planted copies of it are found.

`python tests/benchmarks/leaks_real.py --data FOLDER` reads every Parquet file of a folder, with the horizons that the
JSON file of the same name gives. Generators are fitted on the training part and nothing after it, of very large data
on a part of it; as honest are that part mirrored, and reversed in time. Planted are copies of whole series beside the
series of an honest generator: of all of them (100 at most) or of one, in each way of `PLANTED`. Noise is 1 % of the
series' standard deviation. At the end stands in how many data sets each was found.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tsgap import cell, leaks
from tsgap.errors import TsgapError
from tsgap.panel import Panel
from tsgap.plugins import choose_generator
from tsgap.readers import ReadOptions, read_real
from tsgap.splits import Split, rolling

HONEST = ("block-bootstrap", "iaaft", "jitter:sd=0.1", "stl-bootstrap", "kernel-synth", "mixing", "ar-sieve")
TURNED = {"mirrored": lambda y: -y, "reversed": lambda y: y[::-1]}
#: What becomes of a series and of noise.
PLANTED = {
    "exact": lambda y, e: y,
    "times 3 plus 10": lambda y, e: 3 * y + 10,
    "noise": lambda y, e: y + e,
    "times -2 plus 5": lambda y, e: -2 * y + 5,
    "mirrored, noise": lambda y, e: e - y,
    "reversed": lambda y, e: y[::-1],
    "reversed, noise": lambda y, e: (y + e)[::-1],
    "mirrored and reversed": lambda y, e: -y[::-1],
}
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
    false, searches, found = 0, 0, []
    for path in sorted(given.data.glob("*.parquet")):
        if given.only and path.stem not in given.only:
            continue
        hits, count, there = searched(path, given.draws)
        false, searches, found = false + hits, searches + count, [*found, there]
    print(f"\n{false} of {searches} honest panels have a hit\n\nplanted, found in so many of {len(found)} data sets")
    for kind in PLANTED:
        print(f"{kind:24} all {sum(of[kind][0] for of in found):3}   one {sum(of[kind][1] for of in found):3}")


def searched(path: Path, draws: int) -> tuple[int, int, dict[str, list[bool]]]:
    """Hits in honest panels, of how many, and which planted ones were found; the line of one data set is printed."""
    horizons = json.loads(path.with_suffix(".json").read_text())["horizons"]
    split = rolling(read_real(str(path), name=path.stem, options=ReadOptions()), horizon=max(horizons))
    search = leaks._Search(split)
    void, notes = search.again()
    host, hits, count, clock = None, [], 0, 0.0
    for name, made in honest(split, draws):
        host, count, begin = host or made, count + 1, time.process_time()
        hits += [f"{name}: {told}" for told in search.words(made)]
        clock += time.process_time() - begin
    told = {kind: [search.words(planted(split, host, kind, one=one)) for one in (False, True)] for kind in PLANTED}
    print(f"{path.stem}: {len(hits)} hits in {count} panels, {clock / max(count, 1):.2f} s each", flush=True)
    for kind, both in told.items():
        print(f"    {kind:24} all {_short(both[0]):24} one {_short(both[1])}", flush=True)
    for text in (*hits, *void, *notes):
        print(f"    {text}", flush=True)
    return len(hits), count, {kind: [bool(of) for of in both] for kind, both in told.items()}


def honest(split: Split, draws: int) -> Iterator[tuple[str, Panel]]:
    """Panels that were made of the training part alone, by name."""
    train = _some(split.train)
    for name in HONEST:
        for seed in range(draws):
            try:
                yield f"{name} (seed {seed})", cell.draw(choose_generator(name).build(), train, seed)
            except TsgapError:
                continue
    for name, turned in TURNED.items():
        rows = {key: turned(y) for key, y in zip(train.keys, train, strict=True)}
        yield f"training part {name}", Panel.of(rows, freq=train.freq, seasons=train.seasons)


def planted(split: Split, host: Panel, kind: str, *, one: bool) -> Panel:
    """The series of a generator and copies of whole real ones, training part and test, from their sixth value on."""
    rng = np.random.default_rng(1)
    rows = {f"host {i}": y for i, y in enumerate(host)}
    n = len(split.data)
    for i in [int(rng.integers(n))] if one else np.linspace(0, n - 1, min(n, COPIES)).astype(int).tolist():
        y = split.data[i]
        y = y[np.isfinite(y)][5:]
        rows[f"copy {i}"] = PLANTED[kind](y, 0.01 * y.std() * rng.normal(size=len(y)))
    return Panel.of(rows, freq=split.data.freq, seasons=split.data.seasons)


def _some(train: Panel) -> Panel:
    train = train.take(np.arange(min(len(train), SERIES)))
    return train if len(train.values) <= VALUES else train.tail(VALUES // len(train))


def _short(told: list[str]) -> str:
    if not told:
        return "none"
    near = ", near" if "all but" in told[0] else ""
    return told[0].partition(" stretches")[0] + near


if __name__ == "__main__":
    main()
