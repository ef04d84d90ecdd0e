"""Is the best share of synthetic data found, and is its gain what it says? `python tests/benchmarks/best_share.py`.

Real series whose differences are an autoregression, forecast one step ahead by least squares that is well specified;
the synthetic ones have another coefficient, so that they bring bias as well as pairs. With V the excess risk of real
training, of which as many synthetic pairs would have the same but for their bias B, a share λ has the excess risk
V (1 − w)² + (V + B) w², w = λ / (1 + λ): least at λ = V / (V + B). The risk of every fitted forecaster is known in
closed form, since its errors are normal. Prints how often the chosen share is the best of the grid or next to it, how
far the reported gain is from the true one on average, and how far the smallest figure of the test curve is.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import toeplitz

import tsgap
from tsgap.additive import Grouping, grouped_moments, mixed
from tsgap.augmentation import SHARES
from tsgap.defaults.linear import Linear
from tsgap.panel import Floats, Panel

SERIES, CONTEXT, TRAIN, ORIGINS = 5, 200, 600, 120
#: Coefficients of the differences, of the real and of the synthetic series: their spread is the same.
REAL, SYNTHETIC = 0.19, -0.19
STEPS, BIAS, FOUND = 1, 0.005, 0.8
GRID = (0.0, *SHARES)


@dataclass(frozen=True)
class Trial:
    """The share that was chosen, its reported and its true gain, and the same of the best share of the test curve."""

    chosen: float
    reported: float
    true: float
    best_reported: float
    best_true: float


def series(coefficient: float, length: int, rng: np.random.Generator) -> Floats:
    """Series (`SERIES`, length) whose differences are an autoregression with shocks of variance 1."""
    shocks = rng.normal(size=(SERIES, length + 50))
    differences = np.zeros_like(shocks)
    for t in range(1, shocks.shape[1]):
        differences[:, t] = coefficient * differences[:, t - 1] + shocks[:, t]
    return np.cumsum(differences[:, 50:], axis=1)


def risk(coefficients: Floats) -> float:
    """Mean squared error of a forecast from the context less its mean, by weights (C, 1) of its values."""
    # error = shock + (what the weights make of the differences before, less the truth): covariances are known
    centring = np.eye(CONTEXT) - 1 / CONTEXT
    ahead = centring @ coefficients[:, 0] + 1 / CONTEXT  # weights of the values, which add up to 1
    by_difference = -np.cumsum(ahead)[:-1]  # from the last value back: y_last − Σ …
    truth = np.zeros(CONTEXT - 1)
    truth[-1] = REAL
    spread = toeplitz(REAL ** np.arange(CONTEXT - 1)) / (1 - REAL**2)
    off = by_difference - truth
    return float(1 + off @ spread @ off)


def trial(seed: int) -> Trial:
    """One draw: augment it as a user would, and hold its figures against the risks of the same forecasters."""
    rng = np.random.default_rng(seed)
    real, synthetic = series(REAL, TRAIN + ORIGINS, rng), series(SYNTHETIC, TRAIN, rng)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked = {
            "horizons": 1,
            "windows": ORIGINS,
            "step": 1,
            "context": CONTEXT,
            "scaling": "none",
            "season_length": 1,
        }
        found = tsgap.augment(
            frame(real),
            {"other": frame(synthetic)},
            forecasters=["linear:ridge=0"],
            metric="mae",
            cheap=False,
            jobs=0,
            out=folder,
            **asked,
        )
        [one] = found.found
        curve = {0.0: 0.0} | {response.gain.share: float(response.gain.real.value[-1]) for response in one.responses}
        chosen = one.choice.share
    true = gains(real[:, :TRAIN], synthetic)
    best = min(curve, key=curve.__getitem__)
    return Trial(chosen, curve[chosen], true[chosen], curve[best], true[best])


def gains(real: Floats, synthetic: Floats) -> dict[float, float]:
    """True ln ratio of mean absolute errors by share: errors are normal, so it is half of that of the risks."""
    model = Linear(ridge=0)
    panels = [Panel.of({f"s{i}": y for i, y in enumerate(of)}) for of in (real, synthetic)]
    grouping = Grouping.of(panels[0].lengths, panels[0].series, context=CONTEXT, leads=1)
    ours, theirs = (grouped_moments(model, panel.take, grouping) for panel in panels)
    risks = {}
    for share in GRID:
        model.solve(mixed(ours, theirs, share) if share else ours, seed=0)
        risks[share] = risk(model.coefficients)
    return {share: 0.5 * math.log(one / risks[0.0]) for share, one in risks.items()}


def frame(values: Floats) -> pd.DataFrame:
    """Series in long format, by day."""
    n, length = values.shape
    stamps = pd.date_range("2020-01-01", periods=length, freq="D")
    ids = np.repeat([f"s{i}" for i in range(n)], length)
    return pd.DataFrame({"unique_id": ids, "ds": np.tile(stamps, n), "y": values.ravel()})


def best_share() -> float:
    """The best share in closed form: p coefficients from n pairs, and the bias of one of them."""
    variance = (CONTEXT - 1) / (SERIES * (TRAIN - CONTEXT))
    bias = (REAL - SYNTHETIC) ** 2 / (1 - REAL**2)
    return variance / (variance + bias)


def nearby(share: float) -> bool:
    """Whether a share of the grid is the one nearest to the best, or next to it."""
    at = min(range(len(GRID)), key=lambda i: abs(math.log((GRID[i] or 1e-3) / best_share())))
    return abs(GRID.index(share) - at) <= STEPS


def main() -> int:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=100)
    trials = [trial(seed) for seed in range(parser.parse_args().runs)]
    found = float(np.mean([nearby(one.chosen) for one in trials]))
    print(f"{len(trials)} runs, best share {best_share():.2f}; within one step of the grid: {found:.0%}")
    for label, of in (
        ("chosen on inner origins", [one.reported - one.true for one in trials]),
        ("least of the test curve", [one.best_reported - one.best_true for one in trials]),
    ):
        error = np.std(of, ddof=1) / math.sqrt(len(of))
        print(f"{label}: reported less true gain {np.mean(of):+.4f} (s.e. {error:.4f})")
    print(f"mean true gain {np.mean([one.true for one in trials]):+.4f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
