"""Does augmentation order events better, or only move the threshold? `python tests/benchmarks/events.py [--runs N]`.

Three processes, forecast by `linear`. In one the synthetic series have the same peaks more often: forecasts after a
peak rise, their order stays. In the next a dip foretells a peak, so rarely in the real training part that it cannot be
learned there: the synthetic series teach it, and the order gets better. In the last they are more of the same.

Then how often the interval of a change misses a true change of 0, with one source of chance at a time and with all.
Nominal: 5 %, two-sided.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # planted worlds and trials lie one folder up

from trials import Rate, panel

from tsgap.additive import Grouping, grouped_moments, mixed
from tsgap.defaults.linear import Linear
from tsgap.events import Event
from tsgap.gap import Clusters
from tsgap.ordering import AUGMENTED, DUPLICATED, NEITHER, ORDERING, REAL, THRESHOLD, EventScores, Ordered, ordering
from tsgap.panel import Floats
from tsgap.ranking import AUPRC, AUROC, BALANCED, F1

SERIES, TRAIN, WINDOWS, HORIZON, CONTEXT, REPLICATES = 100, 400, 80, 2, 48, 5
EVENT = Event.parse("y > q0.95")
#: Standard deviations of what series, blocks of the calendar and draws have in common.
CHANCE = {
    "windows only": (0.0, 0.0, 0.0),
    "series differ": (0.3, 0.0, 0.0),
    "calendar shocks": (0.0, 0.3, 0.0),
    "draws differ": (0.0, 0.0, 0.3),
    "all together": (0.3, 0.3, 0.3),
}
LEADS = 6
#: Shocks for each step in the real series and in the synthetic ones.
OFTEN = (0.02, 0.1)
#: Dips for each step in the training part, in the test part, and in the synthetic series.
DIPS = (0.0002, 0.02, 0.02)


def lasting(rng: np.random.Generator, shape: tuple[int, int], often: float) -> Floats:
    """Series (S, T) that forget what is small and remember what is large, with noise and, so often, upward shocks.

    What to expect next rises with the last value, whatever came before: the best order is that of the last values.
    """
    burn = 50
    made = rng.normal(size=(burn + shape[1], shape[0]))
    made += (rng.random(made.shape) < often) * rng.gamma(4, 1.0, made.shape)
    for t in range(1, len(made)):
        made[t] += 0.4 * made[t - 1] + 0.5 * np.maximum(made[t - 1] - 1.5, 0)
    return np.ascontiguousarray(made[burn:].T)


def foretold(rng: np.random.Generator, shape: tuple[int, int], often: Floats) -> Floats:
    """An autoregression (S, T) with dips, so many at each step (T,), and a peak six steps after each."""
    from scipy.signal import lfilter

    made: Floats = lfilter([1.0], [1.0, -0.5], rng.normal(size=shape), axis=1)
    dips = rng.random(shape) < often
    made -= 4.0 * dips
    for after, size in ((6, 4.0), (7, 3.0)):
        made[:, after:] += size * dips[:, :-after]
    return made


def same_kind(rng: np.random.Generator) -> tuple[Floats, Callable[[], Floats]]:
    """Real series, and how synthetic ones are drawn that have the same peaks more often."""
    real = lasting(rng, (SERIES, TRAIN + WINDOWS * HORIZON), OFTEN[0])
    return real, lambda: lasting(rng, (SERIES, TRAIN), OFTEN[1])


def rare_regime(rng: np.random.Generator) -> tuple[Floats, Callable[[], Floats]]:
    """Real series, and how synthetic ones are drawn in which dips foretell peaks as often as in the test part."""
    often = np.repeat(DIPS[:2], (TRAIN, WINDOWS * HORIZON))
    real = foretold(rng, (SERIES, len(often)), often)
    return real, lambda: foretold(rng, (SERIES, TRAIN), np.full(TRAIN, DIPS[2]))


def more_of_the_same(rng: np.random.Generator) -> tuple[Floats, Callable[[], Floats]]:
    """Real series, and how synthetic ones of the same process are drawn."""
    real = lasting(rng, (SERIES, TRAIN + WINDOWS * HORIZON), OFTEN[0])
    return real, lambda: lasting(rng, (SERIES, TRAIN), OFTEN[0])


def told(real: Floats, draw: Callable[[], Floats]) -> Ordered:
    """What is known of adding as many synthetic series to the real ones, over all leads."""
    train, at = panel(real[:, :TRAIN]), TRAIN + HORIZON * np.arange(WINDOWS)[:, None]
    histories = panel(real[:, at + np.arange(-CONTEXT, 0)].reshape(-1, CONTEXT))
    truth = real[:, at + np.arange(HORIZON)].reshape(-1, HORIZON)
    scale = np.abs(np.diff(real[:, :TRAIN])).mean(1)
    series, blocks = (ids.ravel() for ids in np.indices((SERIES, WINDOWS)))
    thresholds, scale = EVENT.thresholds(train, scale)[series], scale[series]
    model = Linear()
    grouping = Grouping.of(train.lengths, train.series, context=CONTEXT, leads=HORIZON)

    def scores(parts: tuple[object, ...]) -> Floats:
        model.solve(parts, seed=0)
        return EVENT.scores(model.predict(histories, horizon=HORIZON).mean, thresholds, scale)

    own = grouped_moments(model, train.take, grouping)
    of_real = scores(own)[None]
    more = [scores(mixed(own, grouped_moments(model, panel(draw()).take, grouping), 1.0)) for _ in range(REPLICATES)]
    arms = {REAL: of_real, DUPLICATED: of_real, AUGMENTED: np.stack(more)}
    clusters = Clusters.of(series, blocks, np.arange(REPLICATES))
    scored = EventScores(EVENT.labels(truth, thresholds), arms, EVENT.call())
    return ordering(scored, clusters, [(1, HORIZON)])[0]


WORLDS = {
    "same kind": (same_kind, THRESHOLD),
    "rare regime": (rare_regime, ORDERING),
    "more of the same": (more_of_the_same, NEITHER),
}


def found(world: str, runs: int, seed: int = 0) -> list[Ordered]:
    """What every run of a world finds."""
    make, _ = WORLDS[world]
    return [told(*make(np.random.default_rng([seed, run]))) for run in range(runs)]


def of_tables(world: str, runs: int, seed: int = 0) -> list[Ordered]:
    """What `tsgap.augment` finds over all leads in every run of a world, from tables of real series and of one draw."""
    import pandas as pd

    import tsgap

    def table(values: Floats) -> pd.DataFrame:
        row, at = (ids.ravel() for ids in np.indices(values.shape))
        return pd.DataFrame({"unique_id": np.char.add("s", row.astype(str)), "ds": at, "y": values.ravel()})

    out = []
    split = {"horizons": HORIZON, "windows": WINDOWS, "context": CONTEXT, "season_length": 1}
    for run in range(runs):
        real, draw = WORLDS[world][0](np.random.default_rng([seed, run]))
        told = tsgap.augment(table(real), table(draw()), event=str(EVENT), cheap=False, seed=run, jobs=0, **split)
        out.append(told.found[0].events[-1])
    return out


def drawn(rng: np.random.Generator, series: int, blocks: int, sds: tuple[float, float, float]) -> dict[str, bool]:
    """Which intervals of a change miss 0, for scores of two arms that differ by chance alone, at a prevalence of 5 %.

    What drives the truth has parts that windows, series and blocks share. The arms' scores follow it up to noise and
    to factors and shifts of each series, of each block, and of each draw: a draw shifts windows its own way.
    """
    shape = (series, blocks, LEADS)

    def common(size: tuple[int, ...], sd: float) -> Floats:
        return np.asarray(sd * rng.normal(size=size))

    drive = common((series, blocks, 1), 0.7) + common(shape, 0.7)
    drive += common((series, 1, 1), 0.5 * (sds[0] > 0)) + common((1, blocks, 1), 0.5 * (sds[1] > 0))
    truth = drive + rng.normal(size=shape)

    def arm() -> Floats:
        factor = 1 + common((series, 1, 1), sds[0]) + common((1, blocks, 1), sds[1])
        shift = common((series, 1, 1), sds[0]) + common((1, blocks, 1), sds[1])
        return np.asarray(factor * drive + shift + common(shape, 0.6))

    real, more = arm(), arm() + common((REPLICATES, 1, 1, 1), sds[2]) * rng.normal(size=shape)
    at = (ids.ravel() for ids in np.indices((series, blocks)))
    labels = (truth > np.quantile(truth, 0.95)).astype(float).reshape(-1, LEADS)
    arms = {REAL: real.reshape(1, -1, LEADS), AUGMENTED: more.reshape(REPLICATES, -1, LEADS)}
    scored = EventScores(labels, arms, float(np.quantile(real, 0.95)))
    one = ordering(scored, Clusters.of(*at, np.arange(REPLICATES)), [(1, LEADS)])[0]
    return {which: bool(abs(of.value[0]) > of.half(0.975)[0]) for which, of in one.changes[REAL].items()}


def missed(runs: int, series: int, blocks: int, sds: tuple[float, float, float], seed: int = 0) -> Counter[str]:
    """In how many runs the interval of the change of each figure misses 0."""
    rng = np.random.default_rng([seed, series, blocks])
    return sum((Counter(drawn(rng, series, blocks, sds)) for _ in range(runs)), Counter())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--tables", type=int, default=0, help="runs of `tsgap.augment`, some 10 s each")
    parser.add_argument("--chance", type=int, default=400, help="runs for each source of chance")
    asked = parser.parse_args()
    print(f"{EVENT}; augmented less real: mean and sd of a run")
    for way, runs in ((found, asked.runs), (of_tables, asked.tables)):
        for world, (_, right) in WORLDS.items() if runs else ():
            several = way(world, runs)
            verdicts = Counter(one.verdict for one in several)
            print(f"{world}, {way.__name__}: {right} {Rate(verdicts[right], runs)}; {dict(verdicts)}")
            print(f"  {'prevalence':<18} {np.mean([one.prevalence for one in several]):7.3f}")
            for which in (AUROC, AUPRC, F1, BALANCED):
                change = np.array([one.changes[REAL][which].value[0] for one in several])
                of_real = np.mean([one.figures[REAL][which].value[0] for one in several])
                print(f"  {which:<18} {of_real:7.3f} {change.mean():+8.4f} {change.std():7.4f}", flush=True)
    for series, blocks in ((10, 20), (50, 5), (50, 20)) if asked.chance else ():
        print(f"\n{asked.chance} runs of drawn scores, {series} series in {blocks} blocks")
        for name, sds in CHANCE.items():
            hits = missed(asked.chance, series, blocks, sds)
            for which in (AUROC, AUPRC, F1, BALANCED):
                print(f"{name:<16} {which:<18} {Rate(hits[which], asked.chance)}", flush=True)


if __name__ == "__main__":
    main()
