"""What adding synthetic data did, in parts: size, re-weighting and shortfall, and which share to add.

Axes as in `tsgap.gap`; the last place is all leads together. A share λ is synthetic pairs over real pairs. All figures
are ln ratios of mean losses, below 0 where the arm is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tsgap.curve import ROUNDING, Curve, effective_times, learning_curve, unknown
from tsgap.errors import UsageError
from tsgap.gap import Clusters, Estimate, Linear, log_ratio
from tsgap.panel import Floats, Ints

#: The share that is taken apart, and judged.
HEADLINE = 1.0
#: What is proven is proven by the ends of the two-sided 95 % interval.
LEVEL = 0.975
#: Weights whose effective sample is no larger a share of the pairs say nothing.
LEAST_EFFECTIVE = 0.05


@dataclass(frozen=True, eq=False)
class InnerLosses:
    """Losses at origins inside the real training part: `real` and, by share, `augmented`, each (K or 1, N′, P)."""

    real: Floats
    augmented: Mapping[float, Floats]


@dataclass(frozen=True, eq=False)
class ArmLosses:
    """Summed losses on the test windows, (K, N, P) or (1, N, P) where all replicates are one.

    By share: `augmented` with synthetic pairs, `duplicated` with as many real ones again, `reweighted` with as many
    real ones drawn, or weighted, like the synthetic. `fractions` (repeats, N, P), by share of the real pairs.
    `residuals` are squared losses (1, N, P) of the real arm as they are, and after what a model foretold of its errors
    was taken off. What is not there is missing and counts as not known; `missing` may say why, by name of the field.

    `pairs` real and `synthetic_pairs` (context, leads) are there; where `weighted` all synthetic ones count, with the
    weight λ · pairs / synthetic_pairs. `parameters` are those of the curve, `effective` the share of the pairs that the
    weights of `reweighted` leave. `clusters` are those of the test windows, and of the K draws. `root`: losses are
    squared, their root is asked for.
    """

    real: Floats
    clusters: Clusters
    pairs: int
    parameters: int
    augmented: Mapping[float, Floats] = field(default_factory=dict)
    duplicated: Mapping[float, Floats] = field(default_factory=dict)
    reweighted: Mapping[float, Floats] = field(default_factory=dict)
    fractions: Mapping[float, Floats] = field(default_factory=dict)
    inner: InnerLosses | None = None
    residuals: tuple[Floats, Floats] | None = None
    synthetic_pairs: int | None = None
    weighted: bool = False
    effective: float = np.nan
    root: bool = False
    missing: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        draws, shape = len(self.clusters.replicates), self.real.shape[1:]
        for name in ("augmented", "duplicated", "reweighted"):
            for share, one in getattr(self, name).items():
                if len(one) not in (1, draws) or one.shape[1:] != shape:
                    raise UsageError(
                        f"losses of {name} at share {share:g} have the shape {one.shape}, not ({draws} or 1, "
                        f"{shape[0]}, {shape[1]}); all arms hold the same draws, windows and places"
                    )
        if self.weighted and not self.synthetic_pairs:
            raise UsageError(f"synthetic_pairs is {self.synthetic_pairs}: weights are shared by at least one pair")

    @cached_property
    def curve(self) -> Curve:
        """The learning curve of the real arm."""
        return learning_curve(self.real, self.fractions, pairs=self.pairs, parameters=self.parameters, root=self.root)

    def against_real(self, share: float) -> Linear:
        """ln of the augmented arm's mean loss over the real one's."""
        return self._ratio(self.augmented.get(share), self.real) if share else self._nothing

    def against_duplicates(self, share: float) -> Linear:
        """ln of the augmented arm's mean loss over that of the duplicated one."""
        return self._ratio(self.augmented.get(share), self.duplicated.get(share)) if share else self._nothing

    def duplicates(self, share: float) -> Linear:
        """ln of the duplicated arm's mean loss over the real one's: what mere size does to the learner."""
        return self._ratio(self.duplicated.get(share), self.real) if share else self._nothing

    def reweighting(self, share: float) -> Linear:
        """ln of the re-weighted arm's mean loss over that of the duplicated one; not known of too few effective."""
        if not share:
            return self._nothing
        if not self.effective > LEAST_EFFECTIVE:
            return self._unknown
        return self._ratio(self.reweighted.get(share), self.duplicated.get(share))

    def size(self, share: float) -> Linear:
        """ln of what the curve foretells with so many further real pairs, over the mean loss with those there are."""
        return self.curve.change(effective_times(share, self.pairs, self.synthetic_pairs if self.weighted else None))

    @cached_property
    def predictability(self) -> Linear:
        """ln(1 − R²) of the real arm's errors, foretold from the context: below 0 where they are predictable.

        Not known where there are no errors to foretell, or none that were looked at.
        """
        if self.residuals is None:
            return self._unknown
        before, after = self.residuals
        found = log_ratio(after, before)
        unseen = before.sum((0, 1)) == 0
        found.value[unseen] = found.contributions[:, :, unseen] = np.nan
        return found

    def estimated(self, one: Linear) -> Estimate:
        """With its uncertainty; its replicates are the K draws."""
        return one.estimated(self.clusters)

    def by_repeats(self, one: Linear) -> Estimate:
        """With its uncertainty; its replicates are the sub-samples of the curve."""
        repeats = np.arange(len(one.contributions))
        return one.estimated(Clusters(self.clusters.series, self.clusters.blocks, repeats))

    def apart(self, one: Linear, other: Linear) -> Estimate:
        """`one` − `other`, of which the first has the K draws as replicates and the second the sub-samples."""
        return difference(one, other, self.clusters)

    def _ratio(self, arm: Floats | None, control: Floats | None) -> Linear:
        if arm is None or control is None:
            return self._unknown
        return log_ratio(once(arm), once(control), root=self.root)

    @property
    def _unknown(self) -> Linear:
        return unknown(*self.real.shape[1:])

    @property
    def _nothing(self) -> Linear:
        """Exactly 0: nothing was added."""
        n, places = self.real.shape[1:]
        return Linear(np.zeros(places), np.zeros((1, n, places)), np.full((n, places), 1 / n))


def once(losses: Floats) -> Floats:
    """One replicate where all are the same to the bit, so that equal arms are equal in sum."""
    return losses[:1] if (losses == losses[:1]).all() else losses


def difference(one: Linear, other: Linear, clusters: Clusters) -> Estimate:
    """`one` − `other`, statistics of the same windows whose replicates have nothing in common, with its uncertainty.

    The replicates of `one` are those of `clusters`, those of `other` are each for itself. What a replicate adds beyond
    the mean of its kind is stretched, so that few of one kind beside many of the other count as few.
    """
    kinds: list[tuple[float, Linear, Ints]] = []
    for sign, of, ids in ((1.0, one, clusters.replicates), (-1.0, other, np.arange(len(other.contributions)))):
        if len(of.contributions) > 1:
            kinds.append((sign, of, ids))
    with np.errstate(invalid="ignore"):  # two infinite ones have no difference
        value, shares = one.value - other.value, (one.shares + other.shares) / 2
    by_window = one.contributions.sum(0) - other.contributions.sum(0)
    if not kinds:
        return Linear(value, by_window[None], shares).estimated(clusters)
    rows = sum(len(of.contributions) for _, of, _ in kinds)
    draws = sum(len(set(ids.tolist())) for _, _, ids in kinds)
    parts, labels = [], []
    for number, (sign, of, ids) in enumerate(kinds):
        n = len(set(ids.tolist()))
        stretch = np.sqrt(n / max(n - 1, 1) * (draws - 1) / draws)
        parts.append(sign * stretch * (of.contributions - of.contributions.mean(0)) + by_window / rows)
        labels.append(ids * len(kinds) + number)
    ids = np.unique(np.concatenate(labels), return_inverse=True)[1].ravel()
    return Linear(value, np.concatenate(parts), shares).estimated(Clusters(clusters.series, clusters.blocks, ids))


@dataclass(frozen=True, eq=False)
class Parts:
    """What adding a `share` did, at each place: `total` = `size` + `reweight` + `shortfall`.

    `total` is the augmented arm against the real one; `size` what as many further real pairs would give; `reweight`
    what real pairs give that are weighted like the synthetic ones, against duplicates; `shortfall` what is left, above
    0 what the synthetic pairs lack. `duplicates` against the real arm is a check: 0 unless mere size moves the learner.
    """

    share: float
    total: Estimate
    size: Estimate
    reweight: Estimate
    shortfall: Estimate
    duplicates: Estimate


def parts(arms: ArmLosses, share: float = HEADLINE) -> Parts:
    """The parts of the effect of a share."""
    total, size, reweight = arms.against_real(share), arms.size(share), arms.reweighting(share)
    draws = max(len(total.contributions), len(reweight.contributions))
    with np.errstate(invalid="ignore"):
        left = Linear(
            total.value - reweight.value,
            total.over(draws) - reweight.over(draws),
            (total.shares + reweight.shares) / 2,
        )
    return Parts(
        share,
        arms.estimated(total),
        arms.by_repeats(size),
        arms.estimated(reweight),
        arms.apart(left, size),
        arms.estimated(arms.duplicates(share)),
    )


@dataclass(frozen=True, eq=False)
class Gain:
    """What a share does on the test windows, against the real arm and against duplicates."""

    share: float
    real: Estimate
    duplicates: Estimate

    @property
    def helps(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Where (P,) the arm is proven better than both."""
        known = self.real.counts.enough and self.duplicates.counts.enough
        return known & (self.real.upper(LEVEL) < -ROUNDING) & (self.duplicates.upper(LEVEL) < -ROUNDING)


def gain(arms: ArmLosses, share: float) -> Gain:
    """What a share does on the test windows; exactly nothing at a share of 0."""
    return Gain(share, arms.estimated(arms.against_real(share)), arms.estimated(arms.against_duplicates(share)))


@dataclass(frozen=True)
class Choice:
    """The share that the inner origins choose, NaN with the `reason` where they cannot.

    `inner` is ln of the mean loss over that of the real arm there, over all leads, by share: the smallest of them is
    too good to be true, what the share does is judged on the test windows.
    """

    share: float
    inner: Mapping[float, float]
    reason: str | None = None


def choice(arms: ArmLosses) -> Choice:
    """The share with the smallest mean loss at the inner origins over all leads and replicates; 0 adds nothing."""
    if arms.inner is None:
        return Choice(np.nan, {}, arms.missing.get("inner", "there are no origins inside the training part"))
    whole = float(arms.inner.real[..., -1].mean())
    if not (np.isfinite(whole) and whole >= 0):
        return Choice(np.nan, {}, "the losses of the real arm at the inner origins are not all known")
    means = {0.0: whole} | {share: float(one[..., -1].mean()) for share, one in sorted(arms.inner.augmented.items())}
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = {
            share: 0.0 if mean == whole else float(np.log(mean / whole) * (0.5 if arms.root else 1.0))
            for share, mean in means.items()
        }
    known = {share: mean for share, mean in means.items() if np.isfinite(mean)}
    if len(known) < 2:
        return Choice(np.nan, inner, "no augmented arm was forecast at the inner origins")
    return Choice(min(known, key=known.__getitem__), inner)


@dataclass(frozen=True, eq=False)
class Response:
    """One share: its gain, the size effect that the curve foretells, and how many real pairs it is worth (P,).

    `worth_low` and `worth_high` are those of the ends of its 95 % interval, the curve taken as it is.
    """

    gain: Gain
    size: Estimate
    worth: Floats
    worth_low: Floats
    worth_high: Floats


def responses(arms: ArmLosses) -> tuple[Response, ...]:
    """The response to every share that was tried."""
    out = []
    for share in sorted(arms.augmented):
        one = gain(arms, share)
        ends = (arms.curve.worth(total) for total in (one.real.value, one.real.upper(LEVEL), one.real.lower(LEVEL)))
        out.append(Response(one, arms.by_repeats(arms.size(share)), *ends))
    return tuple(out)
