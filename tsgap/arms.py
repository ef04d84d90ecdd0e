"""What is in a training set: the arms of a comparison, put on an equal footing so that nothing else differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tsgap.errors import UsageError
from tsgap.panel import Floats, Ints, Panel, frozen
from tsgap.protocols import Scope

#: Series a local forecaster learns from where the source is unpaired, the same number in every arm.
POOL = 20
#: Share of ids that must match for a source to count as paired.
PAIRED_SHARE = 0.95
#: The control is shown at full size too where matching cut more than this share of its pairs.
CUT_SHOWN = 0.1
#: Scalings a cell knows.
SCALINGS = ("mean-abs", "standard", "train", "none")


@dataclass(frozen=True)
class Pairing:
    """Whether synthetic series stand for the real ones of the same id, and which ids do not match."""

    paired: bool
    common: tuple[str, ...]
    only_real: tuple[str, ...]
    only_synthetic: tuple[str, ...]


def pairing(real: Sequence[str], synthetic: Sequence[str]) -> Pairing:
    """Paired when at least 95 % of the ids of either side are found on the other.

    >>> pairing(["a", "b"], ["b", "a"]).paired, pairing(["a", "b"], ["x", "y"]).paired
    (True, False)
    """
    ours, theirs = set(real), set(synthetic)
    common = tuple(k for k in real if k in theirs)
    share = len(common) / max(len(ours | theirs), 1)
    return Pairing(
        share >= PAIRED_SHARE,
        common,
        tuple(k for k in real if k not in theirs),
        tuple(k for k in synthetic if k not in ours),
    )


@dataclass(frozen=True)
class Footing:
    """What the arms of one comparison have in common.

    `context` is how far a global forecaster looks back; `paired` whether training ids are those of the real series
    (else they are relabelled in every arm alike); `leads` how many leads the shortest arm can teach a direct
    forecaster after that context.
    """

    scaling: str
    context: int
    paired: bool
    leads: int


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """The training panel of one arm.

    `pairs` counts (context, target) pairs after matching, `pairs_before` before; for a local
    forecaster they count series. `figures` (N, 2) are location and
    scale of each row where the scaling is ``"train"``.
    """

    arm: str
    panel: Panel
    footing: Footing
    pairs: int
    pairs_before: int
    figures: Floats | None = None


def count_pairs(lengths: NDArray[np.int64], context: int, leads: int) -> Ints:
    """(context, target of `leads` steps) pairs that series of these lengths hold (N,)."""
    return np.maximum(lengths - context - leads + 1, 0)


def default_context(seasons: tuple[int, ...], horizon: int, lengths: NDArray[np.int64]) -> int:
    """Two of the longest seasons or the horizon, whichever is longer; at most the shortest training part and a third
    of the median one."""
    wanted = max(2 * max(seasons), horizon, 4)
    return int(max(1, min(wanted, lengths.min(), max(2 * seasons[0], np.median(lengths) // 3))))


def short_context(length: int, horizons: Sequence[int], context: int) -> int:
    """The context for training series of `length` steps.

    As long as possible while the longest horizon that leaves at least a third of the window is still taught.
    """
    fitting = [h for h in horizons if length - h >= max(length / 3, 1)]
    return int(max(1, min(context, length - max(fitting) if fitting else length // 2)))


def subsample(panel: Panel, pairs: int, footing: Footing, seed: int) -> Panel:
    """Whole series in random order until `pairs` pairs are there; the last one keeps its most recent part."""
    have = count_pairs(panel.lengths, footing.context, footing.leads)
    if have.sum() <= pairs:
        return panel
    order = np.random.default_rng(seed).permutation(len(panel))
    before = np.cumsum(have[order]) - have[order]
    order = order[(before < pairs) & (have[order] > 0)]
    taken = np.sort(order)
    missing = pairs - int(have[order[:-1]].sum())
    cut = panel.take(taken)
    lengths = cut.lengths.copy()
    last = int(np.searchsorted(taken, order[-1]))
    lengths[last] = missing + footing.context + footing.leads - 1
    return trimmed(cut, lengths)


def trimmed(panel: Panel, lengths: Ints) -> Panel:
    """Each row cut to its last `lengths[i]` values."""
    ends = panel.offsets[1:]
    keep = np.arange(len(panel.values)) >= np.repeat(ends - lengths, panel.lengths)
    return replace(panel, values=frozen(panel.values[keep]), offsets=frozen(np.concatenate([[0], np.cumsum(lengths)])))


def cut_windows(panel: Panel, length: int, count: int, seed: int) -> Panel:
    """`count` windows of `length` steps from random places of the panel, without repetition while there are enough.

    A window keeps the name of its series in `series`; a series shorter than `length` gives none.
    """
    places = np.maximum(panel.lengths - length + 1, 0)
    total = int(places.sum())
    if not total:
        raise UsageError(
            f"no real training series has the {length} values of a synthetic window (longest: {panel.lengths.max()})"
        )
    rng = np.random.default_rng(seed)
    flat = np.sort(rng.choice(total, count, replace=count > total))
    row = np.searchsorted(np.cumsum(places), flat, side="right")
    start = panel.offsets[row] + flat - (np.cumsum(places) - places)[row]
    return Panel(
        frozen(panel.values[(start[:, None] + np.arange(length)).ravel()]),
        frozen(np.arange(count + 1) * length),
        tuple(f"w{i}" for i in range(count)),
        panel.freq,
        panel.seasons,
        tuple(panel.series[r] for r in row),
    )


def pooled(panel: Panel, seed: int) -> Panel:
    """At most `POOL` series, by seed: what a local forecaster learns from where the source is unpaired."""
    if len(panel) <= POOL:
        return panel
    return panel.take(np.sort(np.random.default_rng(seed).choice(len(panel), POOL, replace=False)))


def relabelled(panel: Panel) -> Panel:
    """The same rows under ids that match no real series."""
    return panel.renamed([f"row {i}" for i in range(len(panel))])


def _figures(panel: Panel, figures: dict[str, tuple[float, float]]) -> Floats:
    missing = [s for s in panel.series if s not in figures]
    if missing:
        raise UsageError(
            f"scaling 'train' needs the real series of every training series, there is none for {missing[0]!r} "
            f"({len(missing)} of {len(panel)}); use scaling 'standard' or 'mean-abs'"
        )
    return np.array([figures[s] for s in panel.series])


def train_figures(train: Panel) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of every real training series, as scaling ``"train"`` uses them."""
    return {key: (float(y.mean()), float(y.std()) or 1.0) for key, y in zip(train.keys, train, strict=True)}


@dataclass(frozen=True)
class Rules:
    """How the arms of one data set are put on an equal footing.

    `context` None: `default_context`. `scaling` None: 'standard' for arrays of windows, else 'mean-abs'. `match`
    False leaves the arms at the sizes they have.
    """

    horizons: tuple[int, ...]
    context: int | None = None
    scaling: str | None = None
    match: bool = True
    null: bool = True


@dataclass(frozen=True, eq=False)
class Arms:
    """The training sets of one source and replicate, and what is to be said about them."""

    sets: tuple[TrainingSet, ...]
    pairing: Pairing
    short: int | None
    notes: tuple[str, ...]


def arms_of(
    real: Panel,
    synthetic: Panel,
    *,
    null: Panel | None,
    windows: int | None,
    scope: Scope,
    rules: Rules,
    seed: int,
) -> Arms:
    """The training sets that one synthetic panel needs, for forecasters of one scope.

    `real`, the control; `synthetic`; `null`, trained on `null` (a shuffled real panel) like the control; where more
    than 10 % of the control was cut to match, `real-full` beside it. Where the synthetic series are too short for
    context and horizon: `real-short`, real windows of that length, like `synthetic`; `real` then has the full
    context and size. Local forecasters have no pairs to match: they learn from the twin, or from a pool of `POOL`.
    """
    horizon = max(rules.horizons)
    context = rules.context or default_context(real.seasons, horizon, real.lengths)
    longest = int(synthetic.lengths.max())
    short = longest if windows is not None or longest < min(context + horizon, int(real.lengths.max())) else None
    scaling = rules.scaling or ("mean-abs" if windows is None else "standard")
    figures = train_figures(real) if scaling == "train" else None
    notes = []
    if windows is None:
        found = pairing(real.keys, synthetic.keys)
    else:
        found = Pairing(False, (), real.keys, synthetic.keys)
    if found.paired:
        if found.only_real or found.only_synthetic:
            notes.append(
                f"paired on {len(found.common)} ids; left out: {len(found.only_real)} real without a twin "
                f"{_some(found.only_real)}, {len(found.only_synthetic)} synthetic {_some(found.only_synthetic)}"
            )
        real, synthetic = _in_order(real, found.common), _in_order(synthetic, found.common)
        null = None if null is None else _in_order(null, found.common)

    def footing(panels: Sequence[Panel], context: int) -> Footing:
        reach = min(int(p.lengths.max()) for p in panels) - context
        return Footing(scaling, context, found.paired, max(1, min(horizon, reach)))

    def made(arm: str, panel: Panel, footing: Footing, limit: int | None) -> TrainingSet:
        if scope == "local":
            cut = panel if found.paired else pooled(panel, seed)
            before, after = len(panel), len(cut)
        else:
            cut = panel if limit is None else subsample(panel, limit, footing, seed)
            before, after = _pairs(panel, footing), _pairs(cut, footing)
        rows = None if figures is None else _figures(cut, figures)
        return TrainingSet(arm, cut if found.paired else relabelled(cut), footing, after, before, rows)

    sets: list[TrainingSet]
    match = rules.match and scope == "global"
    if short is None:
        full = footing((real, synthetic), context)
        limit = min(_pairs(real, full), _pairs(synthetic, full)) if match else None
        sets = [made("real", real, full, limit), made("synthetic", synthetic, full, limit)]
        if match and sets[0].pairs < (1 - CUT_SHOWN) * sets[0].pairs_before:
            sets.append(made("real-full", real, full, None))
    else:
        near = short_context(short, rules.horizons, context)
        window = cut_windows(real, short, len(synthetic), seed)
        window = window.renamed(synthetic.keys) if found.paired else window
        full, cut = footing((real,), context), footing((synthetic, window), near)
        notes.append(
            f"synthetic series of at most {short} steps: context {near} instead of {context}, leads up to "
            f"{cut.leads} can be taught; 'real-short' are real windows of {short} steps"
        )
        limit = min(_pairs(window, cut), _pairs(synthetic, cut)) if match else None
        sets = [
            made("real", real, full, None),
            made("real-short", window, cut, limit),
            made("synthetic", synthetic, cut, limit),
        ]
    if null is not None:
        cut_too = match and sets[0].pairs < sets[0].pairs_before
        sets.append(made("null", null, full, sets[0].pairs if cut_too else None))
    return Arms(tuple(sets), found, short, tuple(notes))


def _in_order(panel: Panel, keys: Sequence[str]) -> Panel:
    at = {k: i for i, k in enumerate(panel.keys)}
    return panel.take([at[k] for k in keys])


def _pairs(panel: Panel, footing: Footing) -> int:
    return int(count_pairs(panel.lengths, footing.context, footing.leads).sum())


def _some(ids: Sequence[str]) -> str:
    return f"({', '.join(ids[:3])}{', …' if len(ids) > 3 else ''})" if ids else ""
