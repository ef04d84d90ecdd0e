"""What is in a training set: the arms of a comparison, put on an equal footing so that nothing else differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tsgap.errors import UsageError
from tsgap.footing import Footing, count_pairs, cut_windows, default_context, pooled, short_context, subsample
from tsgap.panel import Floats, Panel
from tsgap.protocols import Scope
from tsgap.ragged import by_length
from tsgap.scaling import filled

#: Series a local forecaster learns from where the source is unpaired; fewer where an arm has fewer.
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

    @property
    def told(self) -> list[str]:
        """Unpaired is said loudly: a user who meant to pair sees at once that the ids did not match."""
        if self.paired:
            return []
        real, synthetic = self.only_real, self.only_synthetic
        return [
            f"UNPAIRED: {len(self.common)} ids match, {len(real)} real ones ({_first(real)}) and {len(synthetic)} "
            f"synthetic ones ({_first(synthetic)}) do not; local forecasters learn from a pool, in every arm"
        ]


def _first(ids: Sequence[str]) -> str:
    return f"first {ids[0]!r}" if ids else "none"


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


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """The training panel of one arm.

    `pairs` counts (context, target) pairs after matching, `pairs_before` before; for a local forecaster they count
    series. `figures` (N, 2) are location and scale of each row where the scaling is ``"train"``.
    """

    arm: str
    panel: Panel
    footing: Footing
    pairs: int
    pairs_before: int
    figures: Floats | None = None


def relabelled(panel: Panel, real: Sequence[str]) -> Panel:
    """The same rows under ids that match none of the `real` ones."""
    label = "row"
    while any(key.startswith(f"{label} ") for key in real):
        label = f"_{label}"
    return panel.renamed([f"{label} {i}" for i in range(len(panel))])


def figures_of(series: Sequence[str], figures: Mapping[str, tuple[float, float]]) -> Floats:
    """Location and scale (N, 2) of rows of these series; `UsageError` where a series has none."""
    missing = [s for s in series if s not in figures]
    if missing:
        raise UsageError(
            f"scaling 'train' needs the real series of every training series, there is none for {missing[0]!r} "
            f"({len(missing)} of {len(series)}); use scaling 'standard' or 'mean-abs'"
        )
    return np.array([figures[s] for s in series])


def train_figures(train: Panel) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of every real training series: what scaling ``"train"`` uses.

    A constant one has the median deviation of the others, 1 where all are constant.
    """
    mean, deviation = np.full(len(train), np.nan), np.full(len(train), np.nan)
    for rows, y in by_length(train.values, train.offsets):
        mean[rows], deviation[rows] = y.mean(axis=1), y.std(axis=1)
    deviation[~(deviation > 1e-12 * np.abs(mean))] = np.nan
    return dict(zip(train.keys, zip(mean.tolist(), filled(deviation).tolist(), strict=True), strict=True))


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
    whole: Panel | None = None,
) -> Arms:
    """The training sets that one synthetic panel needs, for forecasters of one scope.

    `real`, the control; `synthetic`; `null`, trained on `null` (a shuffled real panel) like the control; where more
    than 10 % of the control was cut to match, `real-full` beside it. Where the synthetic series are too short for
    context and horizon: `real-short`, real windows of that length, like `synthetic`; `real` then has the full
    context and size, and neither of the two more pairs than it. Local forecasters have no pairs to match: they learn
    from the twin, or from a pool of `POOL` series, equally many in every arm. Twins of different lengths are cut to
    the last values of the longer one. `whole` is the panel whose figures scaling 'train' takes, where that is more than
    `real`. `UsageError` where the context leaves the real series no lead to teach.
    """
    horizon = max(rules.horizons)
    context = rules.context or default_context(real.seasons, horizon, real.lengths)
    longest = int(synthetic.lengths.max(initial=0))
    if not longest:
        raise UsageError("the synthetic panel has no value")
    if scope == "global" and context >= real.lengths.max():
        raise UsageError(
            f"a context of {context} leaves nothing to learn: the longest real training series has "
            f"{real.lengths.max()} values; ask for a shorter context"
        )
    scaling = rules.scaling or ("mean-abs" if windows is None else "standard")
    if windows is None:
        found = pairing(real.keys, synthetic.keys)
    else:
        found = Pairing(False, (), real.keys, synthetic.keys)
    making = _Making(
        scope,
        found.paired,
        rules.match,
        scaling,
        horizon,
        seed,
        min(POOL, len(real), len(synthetic)),
        real.keys,
        train_figures(whole or real) if scaling == "train" else None,
    )
    null = None if null is None else _alike(null, real, found)
    ours, theirs = _alike(real, real, found), _alike(synthetic, real, found)
    if windows is not None or longest < min(context + horizon, int(real.lengths.max())):
        near = short_context(longest, rules.horizons, context)
        sets, notes = _with_short(making, ours, theirs, null, context, near)
        return Arms(sets, found, longest, (*_ids_told(found), *notes))
    sets, notes = _with_long(making, ours, theirs, null, context)
    return Arms(sets, found, None, (*_ids_told(found), *notes))


@dataclass(frozen=True, eq=False)
class _Making:
    """What all arms of one comparison are made with."""

    scope: Scope
    paired: bool
    match: bool
    scaling: str
    horizon: int
    seed: int
    pool: int
    real: tuple[str, ...]
    figures: dict[str, tuple[float, float]] | None

    def footing(self, panels: Sequence[Panel], context: int) -> Footing:
        reach = min(int(p.lengths.max()) for p in panels) - context
        return Footing(self.scaling, context, self.paired, max(1, min(self.horizon, reach)))

    def limit(self, panels: Sequence[Panel], footing: Footing) -> int | None:
        """Pairs that every arm may have, None where they are not matched."""
        return min(_pairs(p, footing) for p in panels) if self.match and self.scope == "global" else None

    def arm(self, name: str, panel: Panel, footing: Footing, limit: int | None, whole: Panel) -> TrainingSet:
        """The training set cut from `panel`, which is what matching twins left of `whole`."""
        if self.scope == "local":
            cut = panel if self.paired else pooled(panel, self.pool, self.seed)
            before, after = len(whole), len(cut)
        else:
            cut = panel if limit is None else subsample(panel, limit, footing, self.seed)
            before, after = _pairs(whole, footing), _pairs(cut, footing)
        rows = None if self.figures is None else figures_of(cut.series, self.figures)
        return TrainingSet(name, cut if self.paired else relabelled(cut, self.real), footing, after, before, rows)


def _with_long(
    making: _Making, real: Panel, synthetic: Panel, null: Panel | None, context: int
) -> tuple[tuple[TrainingSet, ...], list[str]]:
    """The arms where the synthetic series hold context and horizon."""
    ours, theirs = _evened(real, synthetic) if making.paired and making.match else (real, synthetic)
    full = making.footing((ours, theirs), context)
    limit = making.limit((ours, theirs), full)
    control = making.arm("real", ours, full, limit, real)
    sets = [control, making.arm("synthetic", theirs, full, limit, synthetic)]
    if making.scope == "global":
        left, before = control.pairs, control.pairs_before
    else:
        left, before = len(ours.values), len(real.values)
    if making.match and left < (1 - CUT_SHOWN) * before:
        sets.append(making.arm("real-full", real, full, None, real))
    if null is not None:
        # cut like the control: the same series by the same seed, of the same lengths
        sets.append(making.arm("null", null.tail(ours.lengths), full, None if limit is None else control.pairs, null))
    notes = _unseen_told(making, "synthetic", theirs, full) + _unseen_told(making, "real", ours, full)
    if making.scope == "global" and full.leads < making.horizon:
        notes.append(
            f"the longest training series has room for a context of {context} and leads up to {full.leads}: a direct "
            f"forecaster is not taught the later ones"
        )
    if ours is not real or theirs is not synthetic:
        notes.append(
            f"twins of different lengths were cut to the last values of the longer one: {len(ours.values)} of "
            f"{len(real.values)} real and {len(theirs.values)} of {len(synthetic.values)} synthetic values are left"
        )
    return tuple(sets), notes


def _with_short(
    making: _Making, real: Panel, synthetic: Panel, null: Panel | None, context: int, near: int
) -> tuple[tuple[TrainingSet, ...], list[str]]:
    """The arms where they do not: `real-short` is real, as short as they are and with the same `near` context."""
    longest = int(synthetic.lengths.max())
    if making.paired:
        window, theirs = _evened(real, synthetic)
        theirs = theirs if making.match else synthetic
    else:
        reachable = np.minimum(synthetic.lengths, real.lengths.max())
        window, theirs = cut_windows(real, reachable, making.seed), synthetic
    full, cut = making.footing((real,), context), making.footing((theirs, window), near)
    limit = making.limit((window, theirs), cut)
    if limit is not None:
        # many windows must not buy the synthetic arm more pairs than the control learns from
        limit = min(limit, _pairs(real, full))
    sets = [
        making.arm("real", real, full, None, real),
        making.arm("real-short", window, cut, limit, window),
        making.arm("synthetic", theirs, cut, limit, synthetic),
    ]
    if null is not None:
        sets.append(making.arm("null", null, full, None, null))
    back = f"context {near}" + (f" instead of {context}" if near != context else "")
    notes = [
        f"synthetic series of at most {longest} steps: {back}, leads up to {cut.leads} can be taught; "
        "'real-short' are real windows as short as they are"
    ]
    out = np.flatnonzero(real.lengths < int(np.median(synthetic.lengths)))
    if len(out) and not making.paired:
        notes.append(
            f"{len(out)} of {len(real)} real series are shorter than a synthetic window and give no 'real-short' "
            f"window, first {real.keys[out[0]]!r}"
        )
    if len(window) < len(theirs):
        notes.append(f"the real series have room for {len(window)} windows, the source has {len(theirs)}")
    return tuple(sets), notes + _unseen_told(making, "synthetic", theirs, cut)


def _alike(panel: Panel, real: Panel, found: Pairing) -> Panel:
    """What the arms must have in common put on a panel: frequency, seasons, and the order, groups and weights of twins.

    Without twins no arm has groups or weights, since the synthetic series have none.
    """
    if not found.paired:
        return replace(panel, series=panel.keys, freq=real.freq, seasons=real.seasons, groups={}, weights=None)
    twins, panel = _in_order(real, found.common), _in_order(panel, found.common)
    return replace(
        panel,
        series=panel.keys,
        freq=real.freq,
        seasons=real.seasons,
        groups=twins.groups,
        weights=twins.weights,
    )


def _evened(real: Panel, synthetic: Panel) -> tuple[Panel, Panel]:
    """Twins cut to the last values of the longer one; the panels themselves where they are equally long."""
    lengths = np.minimum(real.lengths, synthetic.lengths)
    ours, theirs = ((p if (p.lengths == lengths).all() else p.tail(lengths)) for p in (real, synthetic))
    return ours, theirs


def _in_order(panel: Panel, keys: tuple[str, ...]) -> Panel:
    if panel.keys == keys:
        return panel
    at = {k: i for i, k in enumerate(panel.keys)}
    return panel.take([at[k] for k in keys])


def _pairs(panel: Panel, footing: Footing) -> int:
    return int(count_pairs(panel.lengths, footing.context, footing.leads).sum())


def _ids_told(found: Pairing) -> tuple[str, ...]:
    if not found.paired or not (found.only_real or found.only_synthetic):
        return ()
    return (
        f"paired on {len(found.common)} ids; left out: {len(found.only_real)} real without a twin "
        f"{_some(found.only_real)}, {len(found.only_synthetic)} synthetic {_some(found.only_synthetic)}",
    )


def _unseen_told(making: _Making, what: str, panel: Panel, footing: Footing) -> list[str]:
    """Says so where more than 10 % of the values are in series too short to hold a single pair."""
    short = panel.lengths < footing.context + footing.leads
    share = panel.lengths[short].sum() / len(panel.values)
    if making.scope == "local" or share <= CUT_SHOWN:
        return []
    return [
        f"{short.sum()} of {len(panel)} {what} series ({share:.0%} of the values) are shorter than a context of "
        f"{footing.context} and {footing.leads} leads: they count no pair"
    ]


def _some(ids: Sequence[str]) -> str:
    return f"({', '.join(ids[:3])}{', …' if len(ids) > 3 else ''})" if ids else ""
