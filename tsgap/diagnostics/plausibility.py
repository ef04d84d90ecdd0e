"""Is each synthetic sample plausible: limits learnt on real series, rules of one's own, and an isolation forest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import nan

import numpy as np

from tsgap.diagnostics.contrast import Contrast
from tsgap.diagnostics.features import names_of
from tsgap.diagnostics.figures import Diagnosed, Figure, Sample
from tsgap.diagnostics.gaps import gaps, repairs
from tsgap.diagnostics.limits import FIGURES, Cut, Seen, learnt
from tsgap.diagnostics.permuting import numbered
from tsgap.diagnostics.rules import Rule, parsed
from tsgap.diagnostics.shares import Share, figures_of, interval
from tsgap.panel import Floats, Ints
from tsgap.protocols import DiagnosticSpec

#: Samples that are listed.
WORST = 20
#: Share of real windows that the isolation forest takes for unusual, and its trees, and into how many
#: parts real units are dealt, each of which is judged by a forest of the others.
UNUSUAL, TREES, FOLDS = 0.01, 64, 5
#: How often chance alone may lead to a warning, all learnt figures together; each rule of one's own has as much.
ALPHA = 0.05

#: What is said of a sample that goes beyond a limit no further than real ones that it was not learnt on.
AS_FAR = "; held-back real windows go as far"

_LEARNT = "look at the samples that are listed; mend the generator, or clip and round what it draws"
_FOREST = "look at the samples that are listed and at the features that are named; the shift of features says more"


def measure(contrast: Contrast, *, seed: int) -> Diagnosed:
    """How many synthetic samples break what real ones keep to; the reference is the share of held-back real ones.

    Limits and the isolation forest are learnt on the real side and tried on units that have no part in it, synthetic
    and real. A share is the mean over units of the share of each one's windows; a warning is one that is proven to be
    above the real share, at a level that all these figures divide. A rule of one's own is judged on whole series: where
    no real series breaks it, one synthetic series that does is a warning.
    """
    cuts = {side: Cut.of(getattr(contrast, side), seed=seed) for side in ("real", "synthetic", "held_back")}
    # what every data set has comes first
    found = [_forest(contrast, seed), *_limits(contrast, cuts)]
    shares = [share for share, _ in found] + list(gaps(contrast, seed=seed))
    figures = figures_of(shares, is_floor=contrast.is_floor, level=ALPHA / len(shares), seed=seed)
    listed = [sample for _, samples in found for sample in samples]
    for figure, samples in _own_rules(contrast):
        figures.append(figure)
        listed += samples
    figures += repairs(contrast)
    thinned = [side.replace("_", "-") for side, cut in cuts.items() if cut.thinned]
    notes = (f"limits look at some windows of each series by chance: {', '.join(thinned)}",) if thinned else ()
    return Diagnosed(tuple(figures), tuple(_worst(listed)), notes)


def _limits(contrast: Contrast, cuts: dict[str, Cut]) -> Iterator[tuple[Share, list[Sample]]]:
    """Each limit that was learnt, and the windows that go beyond it."""
    synthetic, held_back = cuts["synthetic"], cuts["held_back"]
    seen: dict[str, tuple[Seen, Seen]] = {}
    side = contrast.synthetic
    for limit in learnt(cuts["real"]):
        if limit.kind not in seen:
            figure = FIGURES[limit.kind]
            seen[limit.kind] = figure(synthetic.windows), figure(held_back.windows)
        ours, theirs = seen[limit.kind]
        beyond, excess = limit.beyond(ours), limit.excess(ours)
        furthest = float(limit.excess(theirs).max(initial=0.0))
        samples = [
            Sample(
                side.panel.keys[synthetic.unit[i]],
                int(synthetic.begins[i]),
                side.length,
                1 + _squashed(excess[i]),
                limit.reason(ours.figure[i], int(synthetic.begins[i] + ours.at[i]))
                + ("" if excess[i] > furthest else AS_FAR),
            )
            for i in _most(np.where(beyond, excess, -1.0), synthetic.unit)
        ]
        broken = limit.beyond(theirs).astype(np.float64)
        every = None
        if limit.fixed:
            real = cuts["real"]
            more = limit.beyond(FIGURES[limit.kind](real.windows)).astype(np.float64)
            every = np.concatenate([more, broken]), np.concatenate([real.unit, held_back.unit + real.unit.max() + 1])
        ours_broken = beyond.astype(np.float64), synthetic.unit
        yield Share(limit.name, *ours_broken, broken, held_back.unit, _LEARNT, limit.bounds, every), samples


def _forest(contrast: Contrast, seed: int) -> tuple[Share, list[Sample]]:
    """Windows that are easier to set apart by their features than 99 in 100 real ones that the forest never saw."""
    real, synthetic = contrast.features
    held_back = synthetic if contrast.is_floor else contrast.floor.features[1]
    sides = (real, contrast.real), (synthetic, contrast.synthetic), (held_back, contrast.held_back)
    others, ours, theirs = _scores([(values, side.unit) for values, side in sides], seed)
    # of n scores and one more a hundredth of n + 1 lie beyond
    rank = min(int(np.ceil((len(others) + 1) * (1 - UNUSUAL))), len(others))
    threshold = np.sort(others)[rank - 1]
    side, beyond, spread = contrast.synthetic, ours > threshold, max(float(others.std()), 1e-12)
    samples, names = [], names_of(side.featurise, real.shape[1])
    for i in _most(np.where(beyond, ours - threshold, -1.0), side.unit):
        odd = np.argsort(-np.abs(synthetic[i]), kind="stable")[:2].tolist()
        named = " and ".join(f"{names[j]} ({synthetic[i, j]:+.1f})" for j in odd)
        score = 0.5 + _squashed((ours[i] - threshold) / spread) / 2
        reason = f"unusual features, in deviations of real windows: {named}"
        samples.append(Sample(side.panel.keys[side.unit[i]], int(side.begins[i]), side.length, score, reason))
    flagged = beyond.astype(np.float64), side.unit, (theirs > threshold).astype(np.float64), contrast.held_back.unit
    told = f"easier to set apart than {rank} of {len(others)} real windows, all by forests that had not seen them"
    return Share("unusual", *flagged, _FOREST, told), samples


def _scores(sides: Sequence[tuple[Floats, Ints]], seed: int) -> list[Floats]:
    """How easily windows of several sides are set apart, real ones first, each by a forest that never saw its unit.

    Every side's units are dealt to the forests alike, so that scores of real and of other windows compare.
    """
    from sklearn.ensemble import IsolationForest

    folds, rng = [], np.random.default_rng(seed)
    for _, unit in sides:
        number, units = numbered(unit)
        # the same dealing for a side that is there twice
        folds.append((np.random.default_rng(seed).permutation(units) % FOLDS)[number])
    out = [np.empty(len(values)) for values, _ in sides]
    for k in range(FOLDS):
        forest = IsolationForest(n_estimators=TREES, random_state=int(rng.integers(2**31)), n_jobs=1)
        forest.fit(sides[0][0][folds[0] != k])
        for scores, (values, _), fold in zip(out, sides, folds, strict=True):
            if (fold == k).any():
                scores[fold == k] = -forest.score_samples(values[fold == k])
    return out


def _own_rules(contrast: Contrast) -> Iterator[tuple[Figure, list[Sample]]]:
    """The user's rules, on whole series."""
    rules = parsed(contrast.rules)
    for rule in rules:
        if contrast.synthetic.scaling != "none" and not rule.scale_free:
            why = "the synthetic windows are not in units of the data; bring them back, or ask for a rule without units"
            yield Figure.unknown(_named(rule), why), []
        else:
            yield _judged(rule, contrast, ALPHA / len(rules))


def _named(rule: Rule) -> str:
    return f"rule {rule}"


def _judged(rule: Rule, contrast: Contrast, level: float) -> tuple[Figure, list[Sample]]:
    from scipy.stats import fisher_exact

    panel = contrast.all_synthetic
    real, synthetic = rule.of(contrast.all_real), rule.of(panel)
    n, m = int(real.judged.sum()), int(synthetic.judged.sum())
    theirs, ours = int(real.broken.sum()), int(synthetic.broken.sum())
    if not m:
        return Figure.unknown(_named(rule), f"no synthetic series has {rule.least} values to judge it by"), []
    p = (
        nan
        if contrast.is_floor
        else float(fisher_exact(np.array([[ours, m - ours], [theirs, n - theirs]]), "greater")[1])
    )
    warn = not contrast.is_floor and ours > 0 and (not theirs or p <= level)
    advice = ""
    if theirs:
        advice = "real series break it too: see whether it is a rule of these data"
        advice += "; more synthetic ones do, mend the generator" if warn else ""
    elif warn:
        advice = "no real series breaks it: mend the generator, or leave out the series that do"
    figure = Figure(
        _named(rule),
        ours / m,
        *interval(ours / m, m),
        p,
        theirs / n if n else nan,
        "warn" if warn else "",
        advice,
        f"{ours} of {m} synthetic series, {theirs} of {n} real ones",
    )
    rows = np.flatnonzero(synthetic.broken)[:WORST].tolist()
    # what as many real series do stands out less than anything else
    score = 3.0 if warn else 0.4
    samples = [
        Sample(
            panel.keys[i], int(synthetic.at[i]), rule.extent(panel.lengths[i]), score, rule.reason(synthetic.found[i])
        )
        for i in rows
    ]
    return figure, samples


def _squashed(excess: float) -> float:
    """An excess from 0 on as a number below 1."""
    return 1.0 if np.isinf(excess) else float(excess / (1 + excess))


def _most(score: Floats, unit: Ints) -> list[int]:
    """The windows (N,) of the highest scores from 0 on, one of each unit, `WORST` at most."""
    chosen: list[int] = []
    units: set[int] = set()
    for i in np.argsort(-score, kind="stable").tolist():
        if score[i] < 0 or len(chosen) == WORST:
            break
        if int(unit[i]) not in units:
            units.add(int(unit[i]))
            chosen.append(i)
    return chosen


def _worst(samples: list[Sample]) -> Iterator[Sample]:
    """The samples of the highest scores, one of each series, with all reasons that were found for it."""
    best: dict[str, Sample] = {}
    reasons: dict[str, list[str]] = {}
    for sample in sorted(samples, key=lambda one: -one.score):
        best.setdefault(sample.key, sample)
        reasons.setdefault(sample.key, []).append(sample.reason)
    for sample in list(best.values())[:WORST]:
        more = len(reasons[sample.key]) - 1
        yield (
            sample
            if not more
            else Sample(
                sample.key,
                sample.start,
                sample.length,
                sample.score + min(more, 99) / 100,
                f"{sample.reason} (and {more} more)",
            )
        )


SPECS = (
    DiagnosticSpec(
        "plausibility",
        "samples that break limits learnt on real series, rules of your own, or stand out in an isolation forest",
        measure,
        requires=("sklearn", "scipy"),
    ),
)
