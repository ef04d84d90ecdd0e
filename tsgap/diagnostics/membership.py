"""Membership inference: whether it can be told from the synthetic series which real ones the generator saw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tsgap.diagnostics.contrast import Contrast
from tsgap.diagnostics.dealing import PER_UNIT
from tsgap.diagnostics.figures import Diagnosed, Figure
from tsgap.diagnostics.permuting import auc, enough, numbered, p_value, redrawn, relabelled
from tsgap.nearness import flattened, nearest
from tsgap.panel import Floats, Ints, Panel
from tsgap.protocols import DiagnosticSpec
from tsgap.ragged import gathered, offsets_of

#: Values of a window: seasons, within bounds. Windows of a side at most, and pairs that are compared.
SEASONS, SHORTEST, LONGEST = 2, 16, 48
WINDOWS, PAIRS = 1000, 10**9
#: What is warned of: an area under the curve that is larger, a rate of finds so many times the rate of false alarms.
AUC, TIMES, RATE = 0.55, 3.0, 0.01
#: The share of windows that are farthest from other real series.
RAREST = 0.1
#: Windows and units of either side that it takes for a rate at so few false alarms, and for an area.
LEAST, LEAST_RARE, UNITS = 100, 20, 5
#: A figure is proven at this level, by a permutation of who is a member; there are four of them.
LEVEL = 0.0125
#: Draws of units for the interval of a rate.
DRAWS = 999
#: Outsiders may be told from members without the synthetic series at this level at most, and this share of them may be
#: in the members as they stand: every window nearer than this.
BLIND, TWICE, SAME = 0.05, 0.1, 1e-3

NAMES = (
    "area under the curve",
    "found at 1 % false alarms",
    "area under the curve, rarest tenth",
    "found at 1 % false alarms, rarest tenth",
)
UNKNOWN = (
    "nobody knows a real series of the same period that the generator never saw: hand such series over with "
    "--outsiders, or use a generator that can be refitted on half of 10 series or more"
)
STRANGE = (
    "outsiders lie farther from the members than these from each other, whatever the synthetic series are (area under "
    "the curve {:.2f}): they are of another kind or period, and an attack would tell just that; hand over outsiders "
    "that were left out by chance"
)
MEMBERS = (
    "{} of {} outsiders are among the members as they stand: nothing is known of who was not seen; leave out series "
    "that are there twice"
)
NEARER = (
    "outsiders lie nearer to the synthetic series than members do (area under the curve {:.2f}): whoever made the "
    "synthetic series knew the outsiders, or something that is like them; hand over series that were left out by chance"
)
GIVEN_AWAY = (
    "who was in the training part can be told from the synthetic series: do not hand them out as anonymous; a "
    "generator with more noise or fewer parameters remembers less"
)


def measure(contrast: Contrast, *, seed: int) -> Diagnosed:
    """How well the distance to the nearest synthetic stretch tells members from outsiders.

    Members are windows of series that the generator saw, outsiders windows of series of the same period that it did
    not see. The score of a window is one: less its distance to the nearest stretch of the synthetic series at any
    alignment, without level, slope and scale. The rarest tenth are the windows that are farthest from all other real
    series, members and outsiders alike. Intervals go by unit (Obuchowski 1997), proofs by permutations of who is a
    member. Outsiders that are handed over are held against the members first, as if these were the synthetic series:
    where outsiders lie farther from members than members from each other, an attack tells kinds or periods of series
    apart and proves nothing, which is not measurable (Das et al. 2024 on attacks that never see what a model made). An
    attack that fails proves nothing either: others may succeed (Carlini et al. 2022 on rates at few false alarms; Yao
    et al. 2025 on distances as a measure of privacy).
    """
    if contrast.is_floor:
        return Diagnosed(())
    known = contrast.known
    if known is None:
        return _nothing(UNKNOWN)
    length = int(np.clip(SEASONS * contrast.season, 24, LONGEST))
    panels = known.members, known.outsiders, known.synthetic
    shortest = [int(np.quantile(of.lengths, 0.2, method="lower")) if len(of) else 0 for of in panels]
    length = min(length, *shortest)
    if length < SHORTEST:
        return _nothing(
            f"it takes windows of {SHORTEST} values: a fifth of the members, outsiders and synthetic series have at "
            f"most {shortest[0]}, {shortest[1]} and {shortest[2]}"
        )
    rng = np.random.default_rng(seed)
    sides = [_windows(of, length, rng) for of in panels[:2]]
    if (fewest := min(len(np.unique(side.row)) for side in sides)) < UNITS or not enough(fewest, fewest, LEVEL):
        return _nothing(f"{fewest} series that are not flat are too few on one side: it takes more than {UNITS}")
    if not known.by_host and (why := _not_comparable(known.members, sides, seed)):
        return _nothing(why)
    synthetic = _within_reach(known.synthetic, sum(len(side.row) for side in sides))
    scores = [-nearest(side.flat, synthetic).distance for side in sides]
    units = [side.row for side in sides]
    if nearer := _nearer(scores, units, seed):
        return _nothing(nearer)
    rare = _rarest(panels[:2], sides)
    figures = _told(NAMES[:2], scores, units, seed)
    rare_scores = [of[on] for of, on in zip(scores, rare, strict=True)]
    rare_units = [of[on] for of, on in zip(units, rare, strict=True)]
    figures += _told(NAMES[2:], rare_scores, rare_units, seed)
    note = (
        f"{len(scores[0])} windows of {length} values of {len(known.members)} members, {len(scores[1])} of "
        f"{len(known.outsiders)} outsiders, sought in {len(synthetic.values)} synthetic values"
        + (", for which the generator was fitted on half of the series" if known.by_host else "")
    )
    return Diagnosed(tuple(figures), notes=(note,))


def _nearer(scores: list[Floats], units: list[Ints], seed: int) -> str:
    """Why outsiders that are proven nearer to the synthetic series than members are none; "" where they are not."""
    found = auc(scores[0], scores[1], *units)
    if not found.low > 0.5:
        return ""
    (first, n), (second, m) = (numbered(unit) for unit in units)
    ranked = _Ranked.of(np.concatenate(scores), np.concatenate([first, second + n]))
    outsiders = relabelled(n, m, seed=seed)
    return NEARER.format(found.value) if p_value(ranked.area(outsiders, 1 - outsiders)) <= LEVEL else ""


def _nothing(why: str) -> Diagnosed:
    return Diagnosed(tuple(Figure.unknown(name, why) for name in NAMES))


@dataclass(frozen=True, eq=False)
class _Windows:
    """Windows without level, slope and scale (N, L), and the row of the panel that each is of (N,)."""

    flat: Floats
    row: Ints


def _windows(panel: Panel, length: int, rng: np.random.Generator) -> _Windows:
    """At most so many windows, none overlapping another, evenly over the series; those that are lines left out."""
    rows = rng.permutation(np.flatnonzero(panel.lengths >= length))[:WINDOWS]
    each = np.minimum(panel.lengths[rows] // length, min(PER_UNIT, max(1, WINDOWS // max(len(rows), 1))))
    row = np.repeat(rows, each)
    slots = panel.lengths // length
    slot = np.concatenate([np.sort(rng.choice(slots[i], k, replace=False)) for i, k in zip(rows, each, strict=True)])
    shift = rng.integers(0, panel.lengths - slots * length + 1)[row]
    values, _ = gathered(panel.values, panel.offsets[row] + slot * length + shift, np.full(len(row), length))
    flat, varies = flattened(values.reshape(len(row), length))
    return _Windows(flat[varies], row[varies])


def _not_comparable(members: Panel, sides: list[_Windows], seed: int) -> str:
    """Why outsiders prove nothing: they are members themselves, or strangers to them; "" where they may."""
    whole = _within_reach(members, sum(len(side.row) for side in sides))
    own = np.stack([whole.offsets[sides[0].row], whole.offsets[sides[0].row + 1]], axis=1)
    distances = nearest(sides[0].flat, whole, apart=[own]).distance, nearest(sides[1].flat, whole).distance
    number, many = numbered(sides[1].row)
    twice = many - len(np.unique(number[distances[1] > SAME]))
    if twice > TWICE * many:
        return MEMBERS.format(twice, many)
    found = auc(-distances[1], -distances[0], sides[1].row, sides[0].row)
    numbers, counts = zip(*(numbered(side.row) for side in sides), strict=True)
    ranked = _Ranked.of(-np.concatenate(distances), np.concatenate([numbers[0], numbers[1] + counts[0]]))
    labels = relabelled(counts[0], counts[1], seed=seed)
    p = p_value(ranked.area(1 - labels, labels))
    return STRANGE.format(found.value) if p <= BLIND else ""


def _rarest(panels: tuple[Panel, ...], sides: list[_Windows]) -> list[np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Which windows of either side are among the tenth of all that is farthest from every other real series."""
    lengths = np.concatenate([panel.lengths for panel in panels])
    keys = tuple(f"{k} {key}" for k, panel in enumerate(panels) for key in panel.keys)
    whole = Panel(
        np.concatenate([panel.values for panel in panels]), offsets_of(lengths), keys, panels[0].freq, panels[0].seasons
    )
    whole = _within_reach(whole, len(sides[0].row) + len(sides[1].row))
    row = np.concatenate([sides[0].row, sides[1].row + len(panels[0])])
    own = np.stack([whole.offsets[row], whole.offsets[row + 1]], axis=1)
    flat = np.concatenate([side.flat for side in sides])
    far = nearest(flat, whole, apart=[own])
    limit = np.quantile(far.distance, 1 - RAREST)
    rare = far.distance >= limit
    return [rare[: len(sides[0].row)], rare[len(sides[0].row) :]]


def _within_reach(panel: Panel, windows: int) -> Panel:
    """The panel, or the later part of each series where there were too many pairs to compare."""
    most = PAIRS // max(1, windows)
    return panel if len(panel.values) <= most else panel.tail(max(LONGEST, most // len(panel)))


def _told(names: tuple[str, ...], scores: list[Floats], units: list[Ints], seed: int) -> list[Figure]:
    """The area under the curve, and the rate of finds, of scores of members and of outsiders."""
    number, many = [numbered(of)[0] for of in units], [numbered(of)[1] for of in units]
    if min(map(len, scores)) < LEAST_RARE or min(many) < UNITS or not enough(many[0], many[1], LEVEL):
        why = (
            f"{len(scores[0])} windows of {many[0]} members and {len(scores[1])} of {many[1]} outsiders are too few: "
            f"it takes {LEAST_RARE} of more than {UNITS} each"
        )
        return [Figure.unknown(name, why) for name in names]
    found = auc(scores[1], scores[0], units[1], units[0])
    ranked = _Ranked.of(np.concatenate(scores[::-1]), np.concatenate([number[1], number[0] + many[1]]))
    members = relabelled(many[1], many[0], seed=seed)
    p = p_value(ranked.area(members, 1 - members))
    warned = p <= LEVEL and found.low > AUC
    figures = [
        Figure(names[0], found.value, found.low, found.high, p, 0.5, "warn" if warned else "", GIVEN_AWAY * warned)
    ]
    if len(scores[1]) < LEAST:
        why = f"{len(scores[1])} windows of outsiders do not tell a rate of 1 % of them; it takes {LEAST}"
        return [*figures, Figure.unknown(names[1], why)]
    rate = ranked.rate(members, 1 - members)
    drawn = np.zeros((2, DRAWS, sum(many)))
    drawn[1, :, : many[1]], drawn[0, :, many[1] :] = (
        redrawn(n, seed=seed + k, draws=DRAWS) for k, n in enumerate((many[1], many[0]))
    )
    low, high = np.quantile(ranked.rate(*drawn), (0.025, 0.975))
    p = p_value(rate)
    warned = p <= LEVEL and low > TIMES * RATE
    figures.append(Figure(names[1], rate[0], low, high, p, RATE, "warn" if warned else "", GIVEN_AWAY * bool(warned)))
    return figures


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Windows from the highest score down: the `unit` of each (N,), and where a new score begins (G,)."""

    unit: Ints
    begins: Ints

    @classmethod
    def of(cls, scores: Floats, unit: Ints) -> _Ranked:
        """Windows by score."""
        order = np.argsort(-scores, kind="stable")
        ordered = scores[order]
        return cls(unit[order], np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]))

    def _shares(self, weights: Floats) -> Floats:
        """Share of the weight of units (P, U) that each score has (P, G)."""
        found = np.add.reduceat(weights[:, self.unit], self.begins, axis=1)
        return np.asarray(found / found.sum(1, keepdims=True))

    def area(self, members: Floats, outsiders: Floats) -> Floats:
        """How often a member scores higher, ties half (P,)."""
        ours, theirs = self._shares(members), self._shares(outsiders)
        return np.asarray((ours * (1 - theirs.cumsum(1) + theirs / 2)).sum(1))

    def rate(self, members: Floats, outsiders: Floats) -> Floats:
        """The share of members above the score that at most `RATE` of the outsiders reach (P,)."""
        ours, theirs = self._shares(members).cumsum(1), self._shares(outsiders).cumsum(1)
        return np.asarray(np.where(theirs <= RATE + 1e-12, ours, 0.0).max(1))


SPECS = (DiagnosticSpec("membership", "whether the series that the generator saw can be told", measure),)
