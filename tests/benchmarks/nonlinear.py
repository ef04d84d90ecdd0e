"""What a surrogate that keeps linear memory alone costs each forecaster: `python tests/benchmarks/nonlinear.py`.

Real series have memory that is not linear; the source is IAAFT, which keeps their values and their spectrum. The
`linear` forecaster must not notice, `gradient-boosting` must. The oracle is a second draw of the process.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # planted worlds and trials lie one folder up

from trials import Trial, panel
from worlds import logistic_maps, threshold_autoregressions

from tsgap.defaults.boosting import GradientBoosting
from tsgap.defaults.linear import Linear
from tsgap.defaults.surrogates import iaaft_surrogates
from tsgap.gap import Estimate
from tsgap.panel import Floats
from tsgap.protocols import Forecaster

WORLDS = {"SETAR": threshold_autoregressions, "logistic map": logistic_maps}
FORECASTERS: dict[str, Callable[[], Forecaster]] = {"linear": Linear, "gradient-boosting": GradientBoosting}
SERIES, TRAIN, WINDOWS, CONTEXT = 20, 1000, 40, 12
PLACES = ((1, 1), (2, 2), (3, 4))


def surrogates(taught: Floats, draws: int) -> list[Floats]:
    """IAAFT surrogates of the training part."""
    source = iaaft_surrogates()
    source.fit(panel(taught), seed=0)
    return [source.sample(seed=seed).values.reshape(taught.shape) for seed in range(draws)]


def found(world: str, forecaster: str, draws: int, seed: int = 0) -> dict[str, Estimate]:
    """The gap of the surrogates and of the oracle."""
    rng = np.random.default_rng(seed)
    horizon = PLACES[-1][1]
    real = WORLDS[world](rng, SERIES, TRAIN + WINDOWS * horizon)
    trial = Trial(FORECASTERS[forecaster], real, TRAIN, horizon, CONTEXT, PLACES)
    sources = {
        "iaaft": surrogates(trial.taught, draws),
        "oracle": [WORLDS[world](rng, SERIES, TRAIN) for _ in range(draws)],
    }
    out = {}
    for name, drawn in sources.items():
        one = trial.evidence(drawn)
        out[name] = one.gap.estimated(one.clusters)
    return out


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="draws of each source")
    asked = parser.parse_args()
    print(" " * 42 + "".join(f"{f'leads {a}-{b}' if a < b else f'lead {a}':>22}" for a, b in PLACES))
    for world in WORLDS:
        for forecaster in FORECASTERS:
            for source, one in found(world, forecaster, asked.runs).items():
                told = "".join(f"{v:>12.4f} ± {h:<7.4f}" for v, h in zip(one.value, one.half(0.975), strict=True))
                print(f"{world:<14}{forecaster:<20}{source:<8}{told}", flush=True)


if __name__ == "__main__":
    main()
