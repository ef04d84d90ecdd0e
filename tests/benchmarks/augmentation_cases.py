"""Do the parts of augmentation and its verdict tell what was planted? `python tests/benchmarks/augmentation_cases.py`.

Seven cases, A to G, forecast by `linear`. What a part is in truth is known by other means: the loss on a large fresh
sample of the test process, after training on further real series (size), on real pairs weighted by the densities
themselves (re-weighting), and on the synthetic series. Prints, for every case, the parts beside their truth with the
standard error of the difference, and how often each verdict was given. `--runs` is how many draws of a case.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))  # planted worlds and trials lie one folder up

import itertools

from numpy.lib.stride_tricks import sliding_window_view
from trials import Rate

import tsgap
from tsgap.augment_diagnosis import ALREADY_OPTIMAL, DATA_LIMITED, MISSPECIFIED, grounds
from tsgap.augmentation import Augmentation
from tsgap.defaults.linear import Linear
from tsgap.moments import Moments, less_level
from tsgap.panel import Floats
from tsgap.weighting import CLIP

CONTEXT, HORIZON, DRAWS = 12, 2, 5
#: Mean and standard deviation of the levels of series, in shocks.
LEVEL = 50.0, 10.0
SLICES, GROUPS, FRESH = 20, 5, 20_000
PARTS = ("total", "size", "reweight", "shortfall")
#: How far the mean of a part may lie from the truth, in ln of the loss, or in standard errors; and how often a verdict
#: has to be right.
BAR, ERRORS, RIGHT = 0.012, 2.0, 0.9


@dataclass(frozen=True)
class Process:
    """An autoregression around a level, other in every series; every `stay` steps the second coefficients have a
    `chance` to be those of the next steps.

    As the level is not known, a context tells no more than its differences do: a linear forecaster that subtracts its
    mean is well specified where the coefficients never change.
    """

    phi: tuple[tuple[float, ...], ...]
    chance: float = 0.0
    stay: int = 50

    def drawn(self, rng: np.random.Generator, series: int, *stretches: tuple[int, float | None]) -> Floats:
        """Series (S, T) made of stretches of a length, each with its own chance, None for that of the process."""
        lags = max(map(len, self.phi))
        phi = np.array([np.pad(one, (0, lags - len(one))) for one in self.phi])
        changed = []
        for length, chance in ((200, None), *stretches):
            n, first = length // self.stay + 2, int(rng.integers(self.stay))
            second = rng.random((n, series)) < (self.chance if chance is None else chance)
            changed.append(np.repeat(second, self.stay, axis=0)[first : first + length])
        which = np.concatenate(changed).astype(np.int64)
        made = rng.normal(size=(lags + len(which), series))
        for t, now in enumerate(which, lags):
            made[t] += (phi[now] * made[t - lags : t][::-1].T).sum(1)
        return made[lags + 200 :].T + rng.normal(*LEVEL, (series, 1))

    @cached_property
    def contexts(self) -> dict[tuple[int, int, int], float]:
        """How likely a context is whose first steps, so many, the first coefficients made, and the others the second.

        Of `stay` equally likely places of the next change, CONTEXT - 1 lie inside of a context.
        """
        chances = (1 - self.chance, self.chance)
        inside = (CONTEXT - 1) / self.stay
        found = {(a, a, CONTEXT): p * (1 - inside * (1 - p)) for a, p in enumerate(chances)}
        for at in range(1, CONTEXT):
            for a, b in ((0, 1), (1, 0)):
                found[a, b, at] = chances[a] * chances[b] / self.stay
        return {where: likely for where, likely in found.items() if likely}

    def density(self, contexts: Floats) -> Floats:
        """ln of the density (N,) of the differences of contexts (N, C)."""
        from scipy.special import logsumexp

        differences = np.diff(contexts, axis=1).T
        each = []
        for (before, after, at), likely in self.contexts.items():
            factor = np.linalg.cholesky(_covariance(self.phi[before], self.phi[after], at))
            z = np.linalg.solve(factor, differences)
            each.append(np.log(likely) - 0.5 * (z**2).sum(0) - np.log(np.diag(factor)).sum())
        return np.asarray(logsumexp(each, axis=0))


@cache
def _covariance(before: tuple[float, ...], after: tuple[float, ...], at: int) -> Floats:
    """Of differences in a context whose first `at` values the coefficients `before` made, the others those `after`."""
    long = 300
    weights = np.zeros((long + CONTEXT, long + CONTEXT))  # of the shocks in each value
    for t in range(len(weights)):
        weights[t, t] = 1
        for lag, phi in enumerate(before if t < long + at else after, 1):
            if t >= lag:
                weights[t] += phi * weights[t - lag]
    differences = np.diff(weights[-CONTEXT:], axis=0)
    return np.asarray(differences @ differences.T)


def sieve(taught: Floats, lags: int) -> Process:
    """An autoregression fitted by least squares to series (S, T), each less its mean."""
    pairs = sliding_window_view(taught - taught.mean(1, keepdims=True), lags + 1, axis=1).reshape(-1, lags + 1)
    phi = np.linalg.lstsq(pairs[:, :-1], pairs[:, -1], rcond=None)[0][::-1]
    # an explosive fit is shrunk until it is stationary
    while np.abs(np.roots(np.r_[1, -phi])).max() > 0.98:
        phi = 0.97 ** np.arange(1, lags + 1) * phi
    return Process((tuple(phi),))


@dataclass(frozen=True)
class Case:
    """A world: what the real series are, how `often` they have their second coefficients in the test, what is added,
    and which verdict is right.

    `learned` is how many lags a generator has that is fitted on the training part; None: `synthetic` is a process.
    """

    name: str
    series: int
    train: int
    windows: int
    real: Process
    often: float
    verdict: str
    synthetic: Process | None = None
    learned: int | None = None

    def source(self, taught: Floats) -> Process:
        """What draws the synthetic series."""
        if self.synthetic is not None:
            return self.synthetic
        return sieve(taught, self.learned or 1)


AR2, AR2_WRONG = (1.4, -0.7), (1.3, -0.65)
PERSISTENT, FLIPPING, HALF_WRONG = (0.9,), (-0.5,), (-0.3,)
ONE, RARE, OFTEN = Process((AR2,)), Process((PERSISTENT, FLIPPING), 0.1), Process((PERSISTENT, FLIPPING), 0.5)
MIXED_UP = Process((PERSISTENT, HALF_WRONG), 0.5)
_MUCH = {"series": 50, "train": 500, "windows": 60, "real": ONE, "often": 0.0}
_LITTLE = {"series": 6, "train": 33, "windows": 160, "real": ONE, "often": 0.0}
_REGIMES = {"series": 100, "train": 400, "windows": 20, "real": RARE, "often": 0.5}
CASES = (
    Case("A much data, the process itself", **_MUCH, verdict=ALREADY_OPTIMAL, synthetic=ONE),  # type: ignore[arg-type]
    Case("B little data, the process itself", **_LITTLE, verdict=DATA_LIMITED, synthetic=ONE),  # type: ignore[arg-type]
    Case("C little data, AR(12) fitted to it", **_LITTLE, verdict=DATA_LIMITED, learned=12),  # type: ignore[arg-type]
    Case("D rare regime, more of it", **_REGIMES, verdict=MISSPECIFIED, synthetic=OFTEN),  # type: ignore[arg-type]
    Case("E much data, wrong dynamics", **_MUCH, verdict=ALREADY_OPTIMAL, synthetic=Process((AR2_WRONG,))),  # type: ignore[arg-type]
    Case("F rare regime, half wrong", **_REGIMES, verdict=MISSPECIFIED, synthetic=MIXED_UP),  # type: ignore[arg-type]
    Case("G little data, AR(2) fitted to it", **_LITTLE, verdict=DATA_LIMITED, learned=2),  # type: ignore[arg-type]
)


def pairs(series: Floats, leads: int = HORIZON) -> Floats:
    """Every window (n, C + H) of series (S, T), series by series, each divided by the spread of its series."""
    own = np.sqrt((np.diff(series, axis=1) ** 2).mean(1, keepdims=True))
    return sliding_window_view(series / own, CONTEXT + leads, axis=1).reshape(-1, CONTEXT + leads)


def moments(windows: Floats, weights: Floats) -> Moments:
    """Weighted sums over windows."""
    x, y = less_level(windows, CONTEXT, "mean")
    weighted = x * weights[:, None]
    return Moments(weighted.T @ x, weighted.T @ y, weights @ y**2, float(weights.sum()))


def grouped(windows: Floats, weights: Floats | None = None) -> list[Moments]:
    """Moments of as many consecutive parts of the windows as there are slices."""
    weights = np.ones(len(windows)) if weights is None else weights
    ends = np.arange(SLICES + 1) * len(windows) // SLICES
    return [moments(windows[a:b], weights[a:b]) for a, b in itertools.pairwise(ends)]


def added(real: list[Moments], other: list[Moments], weight: float) -> list[Moments]:
    """Slice by slice."""
    return [a + b * weight for a, b in zip(real, other, strict=True)]


def learned(slices: list[Moments]) -> Linear:
    """`linear` from some slices, which take turns in its groups."""
    groups: dict[int, Moments] = {}
    for k, one in enumerate(slices):
        groups[k % GROUPS] = groups[k % GROUPS] + one if k % GROUPS in groups else one
    model = Linear()
    model.solve(list(groups.values()), seed=0)
    return model


def losses(windows: Floats, model: Linear) -> Floats:
    """Absolute errors (N,) over all leads."""
    x, y = less_level(windows, CONTEXT, "mean")
    return np.asarray(np.abs(y - x @ model.coefficients).sum(1))


def frame(series: Floats) -> pd.DataFrame:
    """Series (S, T) as a long frame."""
    n, length = series.shape
    names = np.repeat([f"s{i}" for i in range(n)], length)
    return pd.DataFrame({"unique_id": names, "ds": np.tile(np.arange(length), n), "y": series.ravel()})


def known(real: Floats, own: Process, other: Process) -> Floats:
    """How much more likely each window of real series (S, T) is in the other process, by the densities themselves."""
    contexts = sliding_window_view(real, CONTEXT + HORIZON, axis=1)[..., :CONTEXT].reshape(-1, CONTEXT)
    ratio = np.clip(np.exp(other.density(contexts) - own.density(contexts)), 1 / CLIP, CLIP)
    return np.asarray(ratio / ratio.mean())


@dataclass(frozen=True, eq=False)
class Run:
    """One draw of a case: what is found, and what the parts are in truth at the share that is taken apart."""

    found: Augmentation
    truth: dict[str, float]


def drawn(case: Case, rng: np.random.Generator, fresh: Floats) -> Run:
    """One draw of a case."""
    real = case.real.drawn(rng, case.series, (case.train, None), (case.windows * HORIZON, case.often))
    taught = real[:, : case.train]
    source = case.source(taught)
    synthetic = [source.drawn(rng, case.series, (case.train, None)) for _ in range(DRAWS)]
    with tempfile.TemporaryDirectory() as out:
        told = tsgap.augment(
            frame(real),
            {"made": [frame(one) for one in synthetic]},
            horizons=[HORIZON],
            windows=case.windows,
            context=CONTEXT,
            season_length=1,
            cheap=False,
            jobs=0,
            out=out,
        ).found[0]
        told.losses, told.diagnoses  # noqa: B018 - read before the folder goes
    whole = grouped(pairs(taught))
    more = case.real.drawn(rng, case.series, (case.train, None))
    weighted = grouped(pairs(taught), known(taught, case.real, source))

    def loss(*added_on: list[Moments]) -> float:
        return float(np.mean([losses(fresh, learned(added(whole, one, 1.0))).sum() for one in added_on]))

    alone = float(losses(fresh, learned(whole)).sum())
    truth = {
        "total": np.log(loss(*(grouped(pairs(one)) for one in synthetic)) / alone),
        "size": np.log(loss(grouped(pairs(more))) / alone),
        "reweight": np.log(loss(weighted) / alone),
    }
    truth["shortfall"] = truth["total"] - truth["size"] - truth["reweight"]
    return Run(told, truth)


@dataclass
class Found:
    """What the runs of a case found over all leads: parts, their truth, verdicts, effects and reasons."""

    parts: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PARTS})
    truth: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PARTS})
    half: list[float] = field(default_factory=list)
    r2: list[float] = field(default_factory=list)
    effective: list[float] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    shares: Counter[float] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def bias(self, name: str) -> tuple[float, float]:
        """Mean of a part less its truth, and its standard error."""
        off = np.subtract(self.parts[name], self.truth[name])
        return float(off.mean()), float(off.std(ddof=1) / np.sqrt(len(off)))

    def off(self, name: str) -> bool:
        """Whether a part misses its truth by more than the bar and more than the standard errors allow."""
        bias, error = self.bias(name)
        return not abs(bias) <= max(BAR, ERRORS * error)


def found(case: Case, runs: int, seed: int = 0) -> Found:
    """What so many draws of a case show."""
    rng = np.random.default_rng([seed, ord(case.name[0])])
    length = CONTEXT + 10 * HORIZON
    fresh = case.real.drawn(rng, FRESH // 10, (0, None), (length * 5, case.often))
    fresh = sliding_window_view(fresh, CONTEXT + HORIZON, axis=1)[:, :: length // 2].reshape(-1, CONTEXT + HORIZON)
    out = Found()
    for _ in range(runs):
        run = drawn(case, rng, fresh)
        arms = run.found.losses
        told, seen, verdict = run.found.parts, grounds(arms), run.found.diagnoses[-1]
        for name in PARTS:
            out.parts[name].append(getattr(told, name).value[-1])
            out.truth[name].append(run.truth[name])
        out.half.append(seen.half.value[-1])
        out.r2.append(-np.expm1(seen.predictability.value[-1]))
        out.effective.append(arms.effective)
        out.states[verdict.state] += 1
        out.effects[run.found.effects[-1]] += 1
        out.shares[run.found.choice.share] += 1
        if verdict.state != case.verdict:
            out.reasons[verdict.reason] += 1
    return out


def main() -> int:
    """Print the tables; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--cases", default="ABCDEFG")
    parser.add_argument("--reasons", action="store_true", help="say why other verdicts were given")
    asked = parser.parse_args()
    missed = False
    for case in CASES:
        if case.name[0] not in asked.cases:
            continue
        told = found(case, asked.runs)
        print(case.name)
        for name in PARTS:
            bias, error = told.bias(name)
            mean, truth = np.mean(told.parts[name]), np.mean(told.truth[name])
            says = "MISSED" if told.off(name) else "ok"
            print(f"  {name:<10} {mean:+.4f}  truth {truth:+.4f}  bias {bias:+.4f} ({error:.4f})  {says}")
            missed |= told.off(name)
        print(f"  half {np.mean(told.half):+.4f}  R2 {np.mean(told.r2):+.3f}  effective {np.mean(told.effective):.2f}")
        right = told.states[case.verdict]
        says = "ok" if right >= RIGHT * asked.runs else "MISSED"
        missed |= says == "MISSED"
        print(f"  {case.verdict} in {Rate(right, asked.runs)}  {says}; {dict(told.states)}")
        print(f"  at the chosen share {dict(told.effects)}; {dict(sorted(told.shares.items()))}", flush=True)
        if asked.reasons:
            for reason, times in told.reasons.most_common(5):
                print(f"    {times} x {reason}")
    return int(missed)


if __name__ == "__main__":
    warnings.simplefilter("error")
    sys.exit(main())
