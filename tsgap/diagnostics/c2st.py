"""Can a classifier tell synthetic from real windows of units that it has not seen? A two-sample test."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np

from tsgap.diagnostics.permuting import Auc, auc, enough, numbered, p_value, relabelled, studentised, unit_means
from tsgap.panel import Floats, Ints

#: Trees of the forest, fewest windows of a leaf.
TREES, LEAF = 100, 5
#: A p-value up to this is a warning; with fewer ways to label the units than its inverse nothing could be one.
LEVEL = 0.01
#: Windows can be told apart where the lower end of the interval of the area under the curve is above this.
APART = 0.6


@dataclass(frozen=True, eq=False)
class Told:
    """How well windows of units that were left out are told apart, and the p-value of a permutation of these units.

    `scores` are those of the real and of the synthetic windows left out, `units` the units of these. `enough` is False
    where there are so few units that no p-value could be as small as `LEVEL`.
    """

    auc: Auc
    p: float
    scores: tuple[Floats, Floats]
    units: tuple[Ints, Ints]
    enough: bool

    @property
    def apart(self) -> bool:
        """Whether they can be told apart, proven."""
        return self.enough and self.p <= LEVEL and self.auc.low > APART


def halves(unit: Ints, seed: int) -> Ints:
    """Which half the unit of each window (N,) is in, 0 or 1, by chance; the second is the larger one."""
    number, n = numbered(unit)
    half = np.ones(n, dtype=np.int64)
    half[np.random.default_rng(seed).permutation(n)[: n // 2]] = 0
    return half[number]


def told_apart(
    real: Floats, synthetic: Floats, units: tuple[Ints, Ints], parts: tuple[Ints, Ints], *, seed: int
) -> Told:
    """Train a random forest on half of the units of either side, and tell windows of the others apart by it.

    `real` (N, F) and `synthetic` (M, F) are features, `units` the unit of each window, `parts` the `halves`: it learns
    from 0. The statistic is the difference between the mean scores of units, by its standard error; only scores are
    permuted, so that the classifier is trained once (Lopez-Paz & Oquab 2017, ICLR; units in the place of samples).
    """
    from sklearn.ensemble import RandomForestClassifier

    # trees see 32 bits of a number, and not its scale
    x = np.concatenate([real, synthetic]) - np.median(real, axis=0)
    spread = x.std(0)
    x = (x / np.where(spread > 0, spread, 1.0)).astype(np.float32)
    label = np.repeat([0, 1], [len(real), len(synthetic)])
    learns = np.concatenate(parts) == 0
    forest = RandomForestClassifier(
        n_estimators=TREES,
        min_samples_leaf=LEAF,
        class_weight="balanced",
        n_jobs=1,
        random_state=int(np.random.default_rng(seed).integers(2**31)),
    )
    forest.fit(x[learns], label[learns])
    score = np.full(len(x), nan)
    score[~learns] = forest.predict_proba(x[~learns])[:, 1]
    scores, of = [], []
    for side, unit, part in ((score[: len(real)], units[0], parts[0]), (score[len(real) :], units[1], parts[1])):
        scores.append(side[part == 1])
        of.append(unit[part == 1])
    means = [unit_means(side, unit) for side, unit in zip(scores, of, strict=True)]
    labels = relabelled(len(means[0]), len(means[1]), seed=seed)
    p = p_value(studentised(np.concatenate(means), labels))
    could = enough(len(means[0]), len(means[1]), LEVEL)
    return Told(auc(*scores, *of), p, (scores[0], scores[1]), (of[0], of[1]), could)
