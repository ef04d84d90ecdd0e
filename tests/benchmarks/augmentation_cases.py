"""Do the parts of augmentation and its verdict tell what was planted? `python tests/benchmarks/augmentation_cases.py`.

Seven cases, A to G, forecast by `linear`. What a part is in truth is known by other means: the loss on a large fresh
sample of the test process, after training on further real series (size), on real pairs weighted by the densities
themselves (re-weighting), and on the synthetic series. Prints, for every case, the parts beside their truth with the
standard error of the difference, and how often each verdict was given. `--runs` is how many draws of a case.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # planted worlds and trials lie one folder up

import itertools

from numpy.lib.stride_tricks import sliding_window_view
from trials import Rate, panel

from tsgap.contexts import features
from tsgap.curve import FRACTIONS, REPEATS
from tsgap.decomposition import ArmLosses, InnerLosses, parts
from tsgap.defaults.linear import Linear
from tsgap.diagnosis import (
    ALREADY_OPTIMAL,
    DATA_LIMITED,
    MISSPECIFIED,
    diagnoses,
    effect,
    evidence,
)
from tsgap.gap import Clusters
from tsgap.moments import Moments, less_level
from tsgap.panel import Floats, Ints
from tsgap.weighting import CLIP, density_ratio

CONTEXT, HORIZON, DRAWS = 12, 2, 5
#: Standard deviation of the levels of series, in shocks.
LEVEL = 10.0
DOSES = (0.1, 0.25, 0.5, 1.0, 2.0)
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

    def drawn(self, rng: np.random.Generator, series: int, length: int) -> Floats:
        """Series (S, T)."""
        lags = max(map(len, self.phi))
        phi = np.array([np.pad(one, (0, lags - len(one))) for one in self.phi])
        burn = 200 + int(rng.integers(self.stay))
        regime = (rng.random((series, (burn + length) // self.stay + 1)) < self.chance).astype(np.int64)
        made = rng.normal(size=(lags + burn + length, series))
        for t in range(lags, len(made)):
            of = phi[regime[:, (t - lags) // self.stay]]
            made[t] += (of * made[t - lags : t][::-1].T).sum(1)
        return made[-length:].T + LEVEL * rng.normal(size=(series, 1))

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
    """A world: what the real series are, before and in the test, what is added, and which verdict is right.

    `learned` is how many lags a generator has that is fitted on the training part; None: `synthetic` is a process.
    """

    name: str
    series: int
    train: int
    inner: int
    windows: int
    real: Process
    test: Process
    verdict: str
    synthetic: Process | None = None
    learned: int | None = None

    def source(self, taught: Floats) -> Process:
        """What draws the synthetic series."""
        if self.synthetic is not None:
            return self.synthetic
        return sieve(taught, self.learned or 1)


AR2, AR2_WRONG = (1.4, -0.7), (1.3, -0.65)
PERSISTENT, FLIPPING, HALF_WRONG = (0.9,), (-0.5,), (-0.1,)
ONE, RARE, OFTEN = Process((AR2,)), Process((PERSISTENT, FLIPPING), 0.1), Process((PERSISTENT, FLIPPING), 0.5)
MIXED_UP = Process((PERSISTENT, HALF_WRONG), 0.5)
_MUCH = {"series": 50, "train": 500, "inner": 50, "windows": 60, "real": ONE, "test": ONE}
_LITTLE = {"series": 8, "train": 28, "inner": 4, "windows": 100, "real": ONE, "test": ONE}
_REGIMES = {"series": 20, "train": 1500, "inner": 100, "windows": 100, "real": RARE, "test": OFTEN}
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


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows to forecast: values (N, C + H), what errors are divided by (N, 1), series and origin of each (N,)."""

    values: Floats
    scale: Floats
    series: Ints
    origins: Ints

    @classmethod
    def of(cls, series: Floats, scale: Floats, windows: int) -> Windows:
        """The last `windows` windows of series (S, T), whose leads do not overlap."""
        at = series.shape[1] - HORIZON * np.arange(windows, 0, -1) - CONTEXT
        values = series[:, at[:, None] + np.arange(CONTEXT + HORIZON)]
        of, origin = np.indices(values.shape[:2])
        return cls(
            values.reshape(-1, CONTEXT + HORIZON), np.repeat(scale, windows)[:, None], of.ravel(), origin.ravel()
        )

    def errors(self, model: Linear) -> Floats:
        """Truth less forecast (N, H), scaled."""
        x, y = less_level(self.values, CONTEXT, "mean")
        return np.asarray((y - x @ model.coefficients) / self.scale)

    def losses(self, model: Linear) -> Floats:
        """Absolute errors of lead 1 and of all leads (N, P)."""
        return by_place(np.abs(self.errors(model)))

    @cached_property
    def contexts(self) -> Floats:
        """Features (N, F) of what comes before, scaled."""
        return features(self.values[:, :CONTEXT] / self.scale, 1)


def by_place(losses: Floats) -> Floats:
    """Losses (N, H) summed over the leads of each place (N, P)."""
    return np.stack([losses[:, 0], losses.sum(1)], axis=1)


def weights(real: Floats, synthetic: Floats) -> tuple[Floats, float]:
    """Of each window of real series (S, T), how much more likely it is among synthetic ones; the effective share."""
    sides = panel(real), panel(synthetic)
    n, each = len(real), real.shape[1] - CONTEXT - HORIZON + 1
    row, first = np.repeat(np.arange(n), each), np.tile(np.arange(each), n)
    found = density_ratio(
        *(side.take for side in sides),
        *(side.lengths for side in sides),
        row,
        first,
        np.ones_like(row),
        context=CONTEXT,
        leads=HORIZON,
        season=1,
        seed=0,
    )
    return found.weights, found.effective


def known(real: Floats, own: Process, other: Process) -> Floats:
    """The same from the densities themselves, clipped alike."""
    contexts = sliding_window_view(real, CONTEXT + HORIZON, axis=1)[..., :CONTEXT].reshape(-1, CONTEXT)
    ratio = np.clip(np.exp(other.density(contexts) - own.density(contexts)), 1 / CLIP, CLIP)
    return np.asarray(ratio / ratio.mean())


def foretold(near: Windows, model: Linear, test: Windows, errors: Floats) -> Floats:
    """Errors on the test (N, H) less what boosted trees foretell that learned the errors at inner origins."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    seen = near.errors(model)
    left = errors.copy()
    for lead in range(HORIZON):
        trees = HistGradientBoostingRegressor(max_iter=100, learning_rate=0.05, max_leaf_nodes=8, early_stopping=False)
        trees.set_params(min_samples_leaf=max(20, len(seen) // 50), l2_regularization=1.0, random_state=0)
        left[:, lead] -= trees.fit(near.contexts, seen[:, lead]).predict(test.contexts)
    return left


@dataclass(frozen=True, eq=False)
class Run:
    """One draw of a case: the losses of all arms, and what the parts are in truth at the share that is taken apart."""

    arms: ArmLosses
    truth: dict[str, float]


def drawn(case: Case, rng: np.random.Generator, fresh: Windows) -> Run:
    """One draw of a case."""
    real = np.concatenate(
        [
            case.real.drawn(rng, case.series, case.train),
            case.test.drawn(rng, case.series, CONTEXT + case.windows * HORIZON),
        ],
        axis=1,
    )
    taught, before = real[:, : case.train], real[:, : case.train - case.inner * HORIZON]
    scale = np.abs(np.diff(taught, axis=1)).mean(1)
    test, near = Windows.of(real, scale, case.windows), Windows.of(taught, scale, case.inner)
    stages = {}
    for stage, known_part in (("test", taught), ("inner", before)):
        source = case.source(known_part)
        stages[stage] = [source.drawn(rng, *known_part.shape) for _ in range(DRAWS)]
    whole, inner = grouped(pairs(taught)), grouped(pairs(before))
    models = {
        (stage, dose): [learned(added(own, grouped(pairs(other)), dose)) for other in stages[stage]]
        for stage, own in (("test", whole), ("inner", inner))
        for dose in DOSES
    }
    weighed, effective = zip(*(weights(taught, other) for other in stages["test"]), strict=True)
    mixed = [learned(added(whole, grouped(pairs(taught), w), 1.0)) for w in weighed]
    orders = [rng.permutation(SLICES) for _ in range(REPEATS // 2)]
    orders += [order[::-1] for order in orders]
    cut = {q: [order[: round(q * SLICES)] for order in orders] for q in FRACTIONS}
    model, inner_model = learned(whole), learned(inner)
    losses = test.losses(model)[None]
    errors = test.errors(model)
    clusters = Clusters.of(test.series, test.origins, np.arange(DRAWS))
    arms = ArmLosses(
        losses,
        clusters,
        pairs=len(pairs(taught)),
        parameters=CONTEXT,
        augmented={dose: np.stack([test.losses(one) for one in models["test", dose]]) for dose in DOSES},
        duplicated=dict.fromkeys(DOSES, losses),
        reweighted={1.0: np.stack([test.losses(one) for one in mixed])},
        fractions={
            q: np.stack([test.losses(learned([whole[k] for k in np.sort(of)])) for of in repeats])
            for q, repeats in cut.items()
        },
        inner=InnerLosses(
            near.losses(inner_model)[None],
            {dose: np.stack([near.losses(one) for one in models["inner", dose]]) for dose in DOSES},
        ),
        residuals=tuple(by_place(e**2)[None] for e in (errors, foretold(near, inner_model, test, errors))),  # type: ignore[arg-type]
        synthetic_pairs=len(pairs(taught)),
        weighted=True,
        effective=min(effective),
    )
    more = learned(added(whole, grouped(pairs(case.real.drawn(rng, *taught.shape))), 1.0))
    own = case.source(taught)
    ratio = learned(added(whole, grouped(pairs(taught), known(taught, case.real, own)), 1.0))
    base = np.log(fresh.losses(model).sum(0))
    true = {
        "total": np.log(np.mean([fresh.losses(one).sum(0) for one in models["test", 1.0]], axis=0)) - base,
        "size": np.log(fresh.losses(more).sum(0)) - base,
        "reweight": np.log(fresh.losses(ratio).sum(0)) - base,
    }
    true["shortfall"] = true["total"] - true["size"] - true["reweight"]
    return Run(arms, {name: float(value[-1]) for name, value in true.items()})


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
    series = case.test.drawn(rng, FRESH // 10, CONTEXT + 10 * case.test.stay)
    fresh = Windows.of(series, np.abs(np.diff(series, axis=1)).mean(1).mean() * np.ones(len(series)), 10)
    out = Found()
    for _ in range(runs):
        run = drawn(case, rng, fresh)
        told, seen = parts(run.arms), evidence(run.arms)
        verdict = diagnoses(seen)[-1]
        for name in PARTS:
            out.parts[name].append(getattr(told, name).value[-1])
            out.truth[name].append(run.truth[name])
        out.half.append(seen.half.value[-1])
        out.r2.append(-np.expm1(seen.predictability.value[-1]))
        out.effective.append(run.arms.effective)
        out.states[verdict.state] += 1
        out.effects[effect(seen.gain)[-1]] += 1
        out.shares[seen.choice.share] += 1
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
