"""Does the implied gap foretell the gap of `linear`? `python tests/benchmarks/implied_gap.py [--data FILE]`.

The implied gap is computed from autocovariances of training parts alone, with the context and the leads of the sweep
that measures the gap of `linear` in root mean squared error, lead by lead. Prints both for each generator and how they
agree: Pearson's correlation over generators and leads, Spearman's over generators of the means over leads. FILE is
hourly, in the long format `unique_id, ds, y`; without it seven series are made up. Exits with 1 where Pearson's is
below .9.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))  # started from anywhere

import made_up

import tsgap
from tsgap.diagnostics.implied import implied_gap
from tsgap.panel import Floats, Panel
from tsgap.plugins import choose_generator

GENERATORS = (
    "copy",
    "shuffle",
    "block-bootstrap:length=6",
    "block-bootstrap:length=24",
    "block-bootstrap:length=100",
    "seasonal-block-bootstrap:length=24",
    "stl-bootstrap",
    "iaaft",
    "phase-randomised",
    "time-reversed",
    "jitter:sd=0.1",
    "jitter:sd=0.3",
    "jitter:sd=1.0",
    "mixing",
    "season-scramble",
    "seasonal-template",
    "ar-sieve:order=2",
    "ar-sieve:order=60",
)
SEASON, HORIZON, CONTEXT, WINDOWS = 24, 48, 48, 60
#: Steps between origins: no whole days, else each lead would always fall on the same hour.
STEP = 53
SERIES, LENGTH = 7, 6000
BAR = 0.9


def training(path: Path, windows: int) -> Panel:
    """What is known before the first forecast."""
    from tsgap.readers.real import read_real

    data = read_real(path)
    known = {key: data[i][: len(data[i]) - (windows - 1) * STEP - HORIZON] for i, key in enumerate(data.keys)}
    return Panel.of(known, freq=data.freq, seasons=(SEASON,))


def implied(train: Panel, generator: str, draws: int) -> Floats:
    """The implied gap by lead (H,), mean over draws."""
    source = choose_generator(generator).build()
    source.fit(train, seed=0)
    found = [implied_gap(train, source.sample(seed=seed), context=CONTEXT, horizon=HORIZON) for seed in range(draws)]
    return np.asarray(np.mean(found, axis=0))


def measured(path: Path, generators: dict[str, str], draws: int, windows: int) -> dict[str, Floats]:
    """The gap of `linear` by lead (H,) for each generator."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = tsgap.sweep(
            path,
            {name: f"gen:{generator}" for name, generator in generators.items()},
            forecasters="linear",
            horizons=HORIZON,
            windows=windows,
            step=STEP,
            context=CONTEXT,
            season_length=SEASON,
            replicates=draws,
            null=False,
            out=Path(folder) / "run",
        )
        frame = run.gap("rmsse", by="lead")
    return {name: frame[frame.source == name].sort_values("lead").gap.to_numpy() for name in generators}


def main() -> int:
    """Print the table; 1 where the correlation is below the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="hourly series in the long format; default: made up")
    parser.add_argument("--runs", type=int, default=2, help="draws of each generator")
    parser.add_argument("--windows", type=int, default=WINDOWS, help="forecast origins of a series")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = asked.data or made_up.file(Path(folder) / "made_up.parquet", SERIES, LENGTH, "h")
        generators = {text.replace(":", " ").replace("=", " "): text for text in GENERATORS}
        train = training(path, asked.windows)
        told = {name: implied(train, text, asked.runs) for name, text in generators.items()}
        found = measured(path, generators, asked.runs, asked.windows)
    return report(told, found)


def report(told: dict[str, Floats], found: dict[str, Floats]) -> int:
    """Print both gaps by generator, and how they agree; 1 where they do not."""
    from scipy.stats import pearsonr, spearmanr

    leads = sorted({1, SEASON // 2, SEASON, HORIZON})
    print(f"{'':<34}{'lead':>5}" + "".join(f"{lead:>16}" for lead in leads) + f"{'all':>16}")
    print(f"{'generator':<39}" + "   implied   gap" * (len(leads) + 1))
    for name, by_lead in told.items():
        pairs = [(by_lead[lead - 1], found[name][lead - 1]) for lead in leads]
        pairs.append((by_lead.mean(), found[name].mean()))
        print(f"{name:<39}" + "".join(f"{a:>10.3f}{b:>6.3f}" for a, b in pairs))
    x, y = (np.concatenate([of[name] for name in told]) for of in (told, found))
    slope, intercept = np.polyfit(x, y, 1)
    r = float(pearsonr(x, y).statistic)
    means = [[of[name].mean() for name in told] for of in (told, found)]
    print(f"\n{len(told)} generators x {HORIZON} leads: Pearson {r:.3f}, gap = {intercept:+.3f} {slope:+.2f} implied")
    print(f"means over leads: Pearson {pearsonr(*means).statistic:.3f}, Spearman {spearmanr(*means).statistic:.3f}")
    return int(not r >= BAR)


if __name__ == "__main__":
    sys.exit(main())
