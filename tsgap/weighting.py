"""Which real stretches look like the synthetic series: a density ratio on contexts, and what is done with it.

A *stretch* is some consecutive windows of one row, each a context and its leads: `windows` (G,) of them, at least
one, from window `first` (G,) of row `row` (G,) on. The context in its middle stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsgap import blocks
from tsgap.additive import Grouping
from tsgap.contexts import features
from tsgap.errors import UsageError
from tsgap.footing import count_pairs
from tsgap.panel import Floats, Ints, Panel, frozen
from tsgap.ragged import gathered, offsets_of, row_blocks

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

#: A weight is at most so many times, and at least such a part of, what equal densities would give.
CLIP = 10.0
#: Windows of each side that the classifier learns from, at most.
SAMPLE = 10_000
#: Fewer windows of a side than these say nothing of its density.
LEAST = 50
#: Parts of the series, of which each is weighed by a classifier that learned from the others.
FOLDS = 5
#: Penalties that are tried, relative to the mean loss of a window; the strongest one first.
_PENALTIES = (1.0, 0.1, 0.01, 0.001)
#: Standard deviations beyond which a feature says no more.
_FAR = 4.0


@dataclass(frozen=True, eq=False)
class Ratio:
    """Weights of stretches (G,), of which the mean over windows is 1, and how much they rest on.

    `effective` in [0, 1] is Kish's share of windows that the weights leave, times the share of synthetic windows that
    are at most `CLIP` times as dense as real ones: what lies beyond has no real counterpart that could be weighted.
    `auc` says how well contexts of series that were left out are told apart, .5 where not at all.
    """

    weights: Floats
    effective: float
    auc: float


def density_ratio(
    real: Callable[[Ints], Panel],
    synthetic: Callable[[Ints], Panel],
    cut: Grouping,
    other_lengths: Ints,
    *,
    season: int,
    seed: int,
) -> Ratio:
    """Weights for real stretches by which their contexts are distributed as those of the synthetic series.

    `real(rows)` and `synthetic(rows)` give some rows, scaled as a learner sees them; `cut` are the real stretches,
    `other_lengths` the lengths of all synthetic rows. At most a block of values is asked for at a time. The ratio of
    densities is that of a logistic regression on features of the context and their squares (Sugiyama, Suzuki & Kanamori
    2012, Density ratio estimation in machine learning, chapter 4), learned without the part of the series that it
    weighs; twins have equal row numbers, so that no classifier sees the twin of what it weighs. Its penalty is chosen
    on the parts left out, and where nothing is better there than a constant every weight is 1. `UsageError` where a
    side has fewer than `LEAST` windows.
    """
    others = Grouping.stretches(other_lengths, context=cut.context, leads=cut.leads)
    for side, of in (("real", cut), ("synthetic", others)):
        if of.windows.sum() < LEAST:
            raise UsageError(
                f"{of.windows.sum()} windows of {of.context} values and {of.leads} more lie in the {len(of.lengths)} "
                f"{side} series: their contexts cannot be weighed, which takes {LEAST}; ask for a shorter context or "
                "horizon"
            )
    rng = np.random.default_rng(seed)
    sides = (_sampled(real, cut, season, rng), _sampled(synthetic, others, season, rng))
    x, fold = (np.concatenate(both) for both in zip(*sides, strict=True))
    label = np.repeat([0, 1], [len(side[0]) for side in sides])
    learned, found = _learned(x, fold, label)
    log_ratio = np.zeros(len(cut.row))
    middle = cut.first + (cut.windows - 1) // 2
    for these, seen in _features(real, cut, cut.row, middle, season):
        log_ratio[these] = learned(seen, _fold(cut, cut.row[these], middle[these]))
    weights = np.clip(np.exp(log_ratio), 1 / CLIP, CLIP)
    weights *= cut.windows.sum() / (weights @ cut.windows)
    covered = float((found[label == 1] <= np.log(CLIP)).mean())
    return Ratio(frozen(weights), kish(weights, cut.windows) * covered, _auc(found, label))


def kish(weights: Floats, windows: Ints) -> float:
    """Kish's effective share of windows: 1 where all weigh the same.

    >>> kish(np.array([1.0, 3.0]), np.array([1, 1]))
    0.8
    """
    return float((weights @ windows) ** 2 / (windows.sum() * (weights**2 @ windows)))


def _sampled(
    read: Callable[[Ints], Panel], cut: Grouping, season: int, rng: np.random.Generator
) -> tuple[Floats, Ints]:
    """Features of at most `SAMPLE` windows of the stretches (n, F), and the fold of each."""
    ends = np.cumsum(cut.windows)
    total = int(ends[-1])
    flat = np.sort(rng.choice(total, SAMPLE, replace=False)) if total > SAMPLE else np.arange(total)
    stretch = np.searchsorted(ends, flat, side="right")
    row, at = cut.row[stretch], cut.first[stretch] + flat - (ends - cut.windows)[stretch]
    found, fold = [], []
    for these, seen in _features(read, cut, row, at, season):
        found.append(seen)
        fold.append(_fold(cut, row[these], at[these]))
    return np.concatenate(found), np.concatenate(fold)


def _fold(cut: Grouping, row: Ints, at: Ints) -> Ints:
    """Which part each window belongs to: series take turns; a single one is cut in time."""
    if len(cut.lengths) > 1:
        return np.asarray(row % FOLDS)
    return np.asarray(at * FOLDS // count_pairs(cut.lengths[row], cut.context, cut.leads))


def _features(
    read: Callable[[Ints], Panel], cut: Grouping, row: Ints, at: Ints, season: int
) -> Iterator[tuple[Ints, Floats]]:
    """Features of the contexts that begin at `at` (n,) in `row` (n,), block by block: which ones, and (k, F)."""
    order = np.lexsort((at, row))
    wanted, starts = np.unique(row[order], return_index=True)
    starts = np.append(starts, len(row))
    for rows in row_blocks(offsets_of(cut.lengths[wanted])):
        panel = read(wanted[rows])
        these = order[starts[rows.start] : starts[rows.stop]]
        begins = panel.offsets[np.searchsorted(wanted[rows], row[these])] + at[these]
        for some in blocks.ranges(len(these), cut.context):
            size = np.full(some.stop - some.start, cut.context)
            seen, _ = gathered(panel.values, begins[some], size)
            yield these[some], features(seen.reshape(len(size), cut.context), season)


def _learned(x: Floats, fold: Ints, label: Ints) -> tuple[Callable[[Floats, Ints], Floats], Floats]:
    """What gives the log ratio of contexts from classifiers that did not learn from their fold, and that of the sample.

    Both sides count the same, however many windows they have. Weights that rest on little only add noise to what is
    made of them; a difference that is overlooked would be taken for none. So the penalty with the best mean gain is
    taken, however uncertain it is.
    """
    from scipy.special import log_expit

    each = 0.5 / np.bincount(label)[label]
    centre = each @ x
    spread = np.sqrt(each @ (x - centre) ** 2)
    spread[spread <= 1e-9 * np.abs(centre)] = np.inf

    def design(contexts: Floats) -> Floats:
        z = np.clip((contexts - centre) / spread, -_FAR, _FAR)
        return np.concatenate([z, z**2], axis=1)

    seen = design(x)
    best, chosen = 0.0, (list[Any](), np.zeros(len(x)))
    for penalty in _PENALTIES:
        models = [_classifier(seen, label, each, fold != k, penalty) for k in range(FOLDS)]
        found = _outside(models, seen, fold)
        gain = float(each @ (np.log(2) + log_expit(np.where(label == 1, found, -found))))
        if gain > best:
            best, chosen = gain, (models, found)
    return lambda contexts, folds: _outside(chosen[0], design(contexts), folds), chosen[1]


def _classifier(design: Floats, label: Ints, each: Floats, inside: Any, penalty: float) -> LogisticRegression | None:
    """A logistic regression for equally many of both sides; None where one side has nothing inside."""
    from sklearn.linear_model import LogisticRegression

    sums = np.bincount(label[inside], weights=each[inside], minlength=2)
    if not sums.all():
        return None
    weight = 0.5 * each[inside] / sums[label[inside]]
    return LogisticRegression(C=1 / penalty, max_iter=1000).fit(design[inside], label[inside], sample_weight=weight)


def _outside(models: list[Any], design: Floats, fold: Ints) -> Floats:
    """The log ratio of each context by the classifier that did not learn from its fold, 0 where there is none."""
    found = np.zeros(len(design))
    for k, model in enumerate(models):
        mine = np.flatnonzero(fold == k)
        if model is not None and len(mine):
            # no matrix product: its last bit depends on how many rows come together
            found[mine] = np.einsum("nf,f->n", design[mine], model.coef_[0]) + model.intercept_[0]
    return found


def _auc(log_ratio: Floats, label: Ints) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(label, log_ratio))


def classes(weights: Floats, windows: Ints, n: int = 16) -> tuple[Ints, Floats]:
    """Stretches of about the same weight together: the class of each (G,), and the mean weight over its windows.

    At most `n` classes of equal width in the logarithm. The sum of weights over all windows stays as it is.

    >>> classes(np.array([0.5, 2.0, 0.5]), np.array([1, 1, 3]))[0].tolist()
    [0, 1, 0]
    """
    if not (np.isfinite(weights).all() and (weights > 0).all()):
        raise UsageError("weights to be put into classes must be finite and above 0")
    size = np.log(weights)
    width = max(float(np.ptp(size)), 1e-9)
    number = np.minimum(((size - size.min()) / width * n).astype(np.int64), n - 1)
    _, number = np.unique(number, return_inverse=True)
    return number, np.bincount(number, weights=weights * windows) / np.bincount(number, weights=windows)


def drawn(cut: Grouping, weights: Floats, panel: Panel, *, pairs: int, seed: int) -> Panel:
    """A panel of real stretches, drawn again until it holds `pairs` windows; each counts as often as its weight says.

    Every stretch is there as many whole times as it is expected to be, and once more by chance for the rest
    (systematic resampling: Kitagawa 1996), in random order; the last one is cut. So each window is expected in
    proportion to its weight. Rows are called 'again 0', …, and belong to the series that they are from. `UsageError`
    where `pairs` is below 1 or no window weighs anything.
    """
    windows = cut.windows
    if pairs < 1:
        raise UsageError(f"a training set of {pairs} pairs cannot be drawn; ask for at least one")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights @ windows > 0):
        raise UsageError(f"weights of {len(weights)} stretches must be finite, none below 0 and not all 0")
    rng = np.random.default_rng(seed)
    expected = pairs * weights / (weights @ windows)
    # what rounding leaves below a whole copy is one
    copies = np.floor(expected + 1e-9).astype(np.int64)
    rest, left = pairs - int(copies @ windows), np.maximum(expected - copies, 0)
    picked = [np.repeat(np.arange(len(cut.row)), copies)]
    while rest > 0:
        order = rng.permutation(np.flatnonzero((left if left.any() else expected) * windows))
        these = _systematic(order, (left if left.any() else expected)[order], rng)
        these = these[np.cumsum(windows[these]) - windows[these] < rest]
        picked.append(these)
        rest -= int(windows[these].sum())
    stretch = np.concatenate(picked)
    stretch = stretch[windows[stretch] > 0]
    row, sizes = cut.row[stretch], windows[stretch] + cut.context + cut.leads - 1
    sizes[-1] += rest
    values, offsets = gathered(panel.values, panel.offsets[row] + cut.first[stretch], sizes)
    return Panel(
        frozen(values),
        frozen(offsets),
        tuple(f"again {i}" for i in range(len(stretch))),
        panel.freq,
        panel.seasons,
        tuple(panel.series[r] for r in row.tolist()),
        weights=None if panel.weights is None else frozen(panel.weights[row]),
    )


def _systematic(of: Ints, expected: Floats, rng: np.random.Generator) -> Ints:
    """Some of these, each about as many times as expected: those that points at equal distances fall on."""
    ends = np.cumsum(expected)
    n = max(1, round(float(ends[-1])))
    points = (rng.random() + np.arange(n)) * ends[-1] / n
    return np.asarray(of[np.minimum(np.searchsorted(ends, points, side="right"), len(of) - 1)])
