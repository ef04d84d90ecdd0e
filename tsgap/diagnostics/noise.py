"""Noise: what a trend and a mean season leave of windows, how much it is, how heavy its tails, and what it hangs on."""

from __future__ import annotations

import numpy as np

from tsgap.diagnostics.contrast import Contrast, Side
from tsgap.diagnostics.differences import Labels, Quantity, differences
from tsgap.diagnostics.figures import Diagnosed, Figure, Sample
from tsgap.diagnostics.permuting import unit_means
from tsgap.diagnostics.remainder import parted, shortest
from tsgap.panel import Floats, Ints
from tsgap.protocols import DiagnosticSpec

#: What is measured of the remainder, in the order of the columns, each a mean over the windows of a unit.
QUANTITIES = (
    Quantity(
        "share of noise",
        0.03,
        "the synthetic series are too noisy: check noise that is added, and joints between blocks",
        "the synthetic series are too smooth: draw the remainder too instead of its mean",
    ),
    Quantity(
        "tails of noise",
        0.1,
        "the noise has heavier tails than the real one: check for outliers and joints between blocks",
        "the noise has lighter tails than the real one: draw it from real remainders instead of a normal distribution",
    ),
    Quantity(
        "noise that grows with the level",
        0.05,
        "the noise follows the level more than the real one: add it on the scale of the data, not of their logarithm",
        "the noise follows the level less than the real one: let its spread follow the level, or take logarithms",
    ),
    Quantity(
        "clusters of noise",
        0.05,
        "quiet and loud times last longer than in real series: check how the spread of the noise changes",
        "quiet and loud times of the real series are lost: draw the noise in blocks, or model its changing spread",
    ),
    Quantity(
        "memory of noise",
        0.05,
        "neighbouring remainders are more alike than the real ones: the generator smooths",
        "neighbouring remainders are less alike than the real ones: draw the remainder in blocks, or model its memory",
    ),
)
#: Windows that stand out and are listed.
WORST = 5


def measure(contrast: Contrast, *, seed: int) -> Diagnosed:
    """Differences between the remainders of the synthetic and of the real windows, synthetic less real.

    The remainder is what a centred moving average over whole seasons and the mean season of a window leave of it. Its
    share is that of its variance in the sum of theirs and its own. Tails are the logarithm of the range of the middle
    95 % over that of the middle half (1.07 for a normal distribution). The last three are correlations within a window:
    of the remainder's size with trend and season, of the sizes of neighbours, and of neighbours.
    """
    names = [of.name for of in QUANTITIES]
    needed, length = shortest(contrast.season), contrast.real.length
    if length < needed:
        why = f"windows of {length} values are too short for a trend and a season of {contrast.season}: {needed} needed"
        return Diagnosed(tuple(Figure.unknown(name, why) for name in names))
    (ours, our_unit, _), (theirs, their_unit, kept) = (_of(side) for side in (contrast.real, contrast.synthetic))
    left_out = [len(side.unit) - len(of) for side, of in ((contrast.real, ours), (contrast.synthetic, theirs))]
    sides = unit_means(ours, our_unit), unit_means(theirs, their_unit)
    notes, cautions = _notes(length), _cautions(left_out)
    if min(map(len, sides)) < 2:
        why = f"{left_out[0]} of {len(contrast.real.unit)} real and {left_out[1]} of "
        why += f"{len(contrast.synthetic.unit)} synthetic windows have no remainder"
        return Diagnosed(tuple(Figure.unknown(name, why) for name in names), notes=notes, cautions=cautions)
    labels = Labels.dealt(len(sides[0]), len(sides[1]), figures=len(QUANTITIES), seed=seed)
    figures = differences(QUANTITIES, *sides, labels)
    return Diagnosed(figures, _worst(contrast.synthetic, kept, theirs, ours), notes, cautions)


SPECS = (DiagnosticSpec("noise", "what trend and season leave: share, tails, spread, memory", measure),)


def _of(side: Side) -> tuple[Floats, Ints, Ints]:
    """The quantities of the windows that have a remainder (n, F), their units and their numbers."""
    windows = side.windows
    parts = parted(windows - windows.mean(1, keepdims=True), side.panel.season)
    rest = parts.remainder - parts.remainder.mean(1, keepdims=True)
    level = parts.trend + parts.season
    own = rest.var(1)
    size = np.abs(rest)
    low, first, third, high = np.quantile(rest, [0.025, 0.25, 0.75, 0.975], axis=1)
    largest = np.abs(windows).max(1)
    fine = (np.sqrt(own) > 1e-9 * largest) & (third - first > 1e-9 * largest)
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = (
            own / (own + level.var(1)),
            np.log((high - low) / (third - first)),
            _correlation(size, level),
            _correlation(size[:, 1:], size[:, :-1]),
            _correlation(rest[:, 1:], rest[:, :-1]),
        )
    kept = np.flatnonzero(fine)
    return np.stack(columns, axis=1)[kept], side.unit[kept], kept


def _correlation(a: Floats, b: Floats) -> Floats:
    """Correlation of two arrays (N, T) row by row (N,), 0 where one does not vary."""
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    scale = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    tiny = 1e-18 * ((a**2).sum(1) + (b**2).sum(1))
    return np.asarray(np.where(scale > tiny, (a * b).sum(1) / np.where(scale > tiny, scale, 1.0), 0.0))


def _notes(length: int) -> tuple[str, ...]:
    return (f"remainders of windows of {length} values, each taken apart on its own",)


def _cautions(left_out: list[int]) -> tuple[str, ...]:
    if not any(left_out):
        return ()
    return (f"{left_out[0]} real and {left_out[1]} synthetic windows without a remainder are left out",)


def _worst(side: Side, kept: Ints, theirs: Floats, ours: Floats) -> tuple[Sample, ...]:
    """The synthetic windows furthest from the middle of the real ones, in robust standard deviations."""
    middle = np.median(ours, axis=0)
    spread = 1.4826 * np.median(np.abs(ours - middle), axis=0)
    far = (theirs - middle) / np.where(spread > 0, spread, np.inf)
    score = np.abs(far).max(1)
    found = []
    for i in np.argsort(-score, kind="stable")[:WORST]:
        at = int(np.abs(far[i]).argmax())
        reason = f"{QUANTITIES[at].name} {theirs[i, at]:.2f}, real windows {middle[at]:.2f} ± {spread[at]:.2f}"
        window = kept[i]
        key = side.panel.keys[side.unit[window]]
        found.append(Sample(key, int(side.begins[window]), side.length, float(score[i]), reason))
    return tuple(found)
