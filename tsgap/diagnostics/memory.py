"""Memory: implied gaps, autocorrelations of values and sizes, the direction of time, season, trend and slow waves.

What a surrogate with the same autocovariances has lost is seen by the sizes of values and by the direction of time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tsgap.diagnostics.contrast import Contrast, Side
from tsgap.diagnostics.differences import Labels, Quantity, differences, distances
from tsgap.diagnostics.figures import Diagnosed, Figure, Sample
from tsgap.diagnostics.implied import GAP, GAP_WORST, KEPT, ONE_VALUE, from_context, from_one_value
from tsgap.diagnostics.permuting import unit_means
from tsgap.diagnostics.remainder import parted, shortest
from tsgap.diagnostics.stretches import Stretches, common_length, correlations, stretched
from tsgap.footing import default_context
from tsgap.panel import Floats
from tsgap.protocols import DiagnosticSpec

#: Leads without a season, and the longest lag then.
LEADS, LAGS = 12, 24
#: Synthetic units that stand out and are listed.
WORST = 5

_TOO_MUCH = "memory at lag {lag} is stronger than that of the real series: the generator smooths or repeats itself"
_LOST = "memory at lag {lag} is lost: "
_SIZES = "at lag {lag} the sizes of values are {} alike than the real ones: "
_NONLINEAR = "where autocorrelations agree, it takes blocks of real values or a nonlinear model"
CORRELATION = (
    Quantity("distance of autocorrelations", 0.02, _TOO_MUCH, _LOST),
    Quantity("distance of autocorrelations, worst lag", 0.05, _TOO_MUCH, _LOST),
)
SIZES = tuple(
    Quantity(name, matters, _SIZES.replace("{}", "more") + _NONLINEAR, _SIZES.replace("{}", "less") + _NONLINEAR)
    for name, matters in (
        ("distance of autocorrelations of sizes", 0.02),
        ("distance of autocorrelations of sizes, worst lag", 0.05),
    )
)
_DIRECTION = "time runs differently: steps up and down are not as in the real series; draw blocks, or a nonlinear model"
DIRECTION = Quantity("direction of time", 0.05, _DIRECTION, _DIRECTION)
SLOW = Quantity(
    "share of slow waves",
    0.05,
    "slower than a season the synthetic series move more than the real ones: check for drift",
    "slower than a season the synthetic series move less than the real ones: longer blocks, or a trend",
)
STRENGTHS = (
    Quantity(
        "strength of trend",
        0.05,
        "the trends are too strong: check for drift",
        "the trends are lost: longer blocks, or keep them",
    ),
    Quantity(
        "strength of season",
        0.05,
        "the season is too regular: let it change, or add the noise of the real series",
        "the season is lost: keep its phase, as by blocks of whole seasons, or a seasonal model",
    ),
)
#: Figures of this diagnostic that can warn.
FIGURES = 11


def measure(contrast: Contrast, *, seed: int) -> Diagnosed:
    """What the synthetic series have kept of the memory of the real ones.

    Implied gaps are logarithms, less their bias, with intervals by leaving out units; distances are absolute and grow
    with chance, which the floor shows; the others are differences, synthetic less real.
    """
    panels = contrast.real.panel, contrast.synthetic.panel
    length, m = common_length(*panels), contrast.season
    leads = max(1, min(m if m > 1 else LEADS, length // 4))
    context = min(default_context(contrast.all_real.seasons, leads, np.array([length])), length // 2)
    lags = max(1, min(max(2 * m, LAGS), length // 2))
    real, synthetic = (stretched(panel, length) for panel in panels)
    units = len(real.rows), len(synthetic.rows)
    notes = (f"{len(real.values)} real and {len(synthetic.values)} synthetic stretches of {length} values",)
    cautions = _cautions((real, synthetic), context, leads, lags, m)
    if min(units) < 2:
        why = f"{real.left_out} of {len(panels[0])} real and {synthetic.left_out} of {len(panels[1])} synthetic series "
        why += f"have no stretch of {length} values that varies"
        return Diagnosed(tuple(Figure.unknown(name, why) for name in _names()), notes=notes, cautions=cautions)
    labels = Labels.dealt(*units, figures=FIGURES, seed=seed)
    rho = _correlations(real, real.values, lags), _correlations(synthetic, synthetic.values, lags)
    advised = _Advised(m, rho[0].mean(0), rho[1].mean(0))
    own = _shape(real, m), _shape(synthetic, m)
    sizes = _correlations(real, _sizes(real.values), lags), _correlations(synthetic, _sizes(synthetic.values), lags)
    figures = (
        *from_context(
            real,
            synthetic,
            context=context,
            leads=leads,
            too_few=labels.too_few,
            advice=advised.at(advised.lag),
            seed=seed,
        ),
        *from_one_value(*rho, too_few=labels.too_few, advice=advised.at, seed=seed),
        *distances([replace(of, less=_LOST + advised.remedy) for of in CORRELATION], *rho, labels),
        *distances(SIZES, *sizes, labels),
        *differences((DIRECTION, SLOW), *own, labels),
        *_strengths(contrast, seed),
    )
    return Diagnosed(figures, _worst(contrast, synthetic, *rho), notes, cautions)


SPECS = (DiagnosticSpec("memory", "implied gap, autocorrelations, direction of time, season, trend", measure),)


@dataclass(frozen=True, eq=False)
class _Advised:
    """What to do about memory that differs by lag: the mean correlations of both sides at the lags 1 to K."""

    season: int
    real: Floats
    synthetic: Floats

    @property
    def lag(self) -> int:
        """The lag that differs most."""
        return int(np.abs(self.real - self.synthetic).argmax()) + 1

    @property
    def remedy(self) -> str:
        """What keeps memory at that lag."""
        if self.season > 1 and self.lag > 0.75 * self.season:
            return "blocks longer than a season, or a seasonal model"
        return "longer blocks, less noise, or a model of the last values"

    def at(self, lag: int) -> str:
        """Advice about a lag."""
        if abs(self.synthetic[lag - 1]) > abs(self.real[lag - 1]):
            return _TOO_MUCH.format(lag=lag)
        return _LOST.format(lag=lag) + self.remedy


def _correlations(side: Stretches, values: Floats, lags: int) -> Floats:
    """Autocorrelations of the units (U, K) at the lags 1 to K."""
    return side.of_units(correlations(values, lags))[:, 1:]


def _sizes(values: Floats) -> Floats:
    """Distances from the median, with mean 0 and standard deviation 1 (M, T); 0 where all are equal."""
    far = np.abs(values - np.median(values, axis=1, keepdims=True))
    far -= far.mean(1, keepdims=True)
    spread = far.std(1, keepdims=True)
    return np.asarray(np.where(spread > 1e-9, far / np.where(spread > 1e-9, spread, 1.0), 0.0))


def _shape(side: Stretches, season: int) -> Floats:
    """What `DIRECTION` and `SLOW` are measured by (U, 2)."""
    return np.stack([_direction(side), _slow(side, season)], axis=1)


def _direction(side: Stretches) -> Floats:
    """Skewness of the changes from step to step (U,): 0 for a process that looks alike backwards."""
    change = np.diff(side.values, axis=1)
    power = (change**2).mean(1) ** 1.5
    cubed = np.where(power > 0, (change**3).mean(1) / np.where(power > 0, power, 1.0), 0.0)
    return side.of_units(cubed)


def _slow(side: Stretches, season: int) -> Floats:
    """Share of the variance at periods well beyond a season, or beyond 20 steps without one (U,)."""
    longest = 1.5 * season if season > 1 else 20.0
    power = np.abs(np.fft.rfft(side.values, axis=1)[:, 1:]) ** 2
    period = side.values.shape[1] / np.arange(1, power.shape[1] + 1)
    return side.of_units(power[:, period > longest].sum(1) / power.sum(1))


def _strengths(contrast: Contrast, seed: int) -> tuple[Figure, ...]:
    """Strength of trend and season in the windows: 1 less the share that the remainder has of either with it."""
    m, length = contrast.season, contrast.real.length
    if length < shortest(m):
        why = f"windows of {length} values are too short for a trend and a season of {m}: {shortest(m)} needed"
        return tuple(Figure.unknown(of.name, why) for of in STRENGTHS)
    sides = _strength(contrast.real), _strength(contrast.synthetic)
    labels = Labels.dealt(len(sides[0]), len(sides[1]), figures=FIGURES, seed=seed)
    trend, season = differences(STRENGTHS, *sides, labels)
    return trend, season if m > 1 else Figure.unknown(season.name, "the data have no season")


def _strength(side: Side) -> Floats:
    """Strengths of trend and season of the units (U, 2)."""
    parts = parted(side.windows - side.windows.mean(1, keepdims=True), side.panel.season)
    rest = parts.remainder.var(1)
    found = []
    for part in (parts.trend, parts.season):
        both = (part + parts.remainder).var(1)
        found.append(np.where(both > 0, np.maximum(1 - rest / np.where(both > 0, both, 1.0), 0.0), 0.0))
    return unit_means(np.stack(found, axis=1), side.unit)


def _worst(contrast: Contrast, synthetic: Stretches, real: Floats, rho: Floats) -> tuple[Sample, ...]:
    """The synthetic units whose autocorrelations lie furthest from the real ones, in their standard deviations."""
    centre, spread = real.mean(0), real.std(0)
    far = np.abs(rho - centre) / np.where(spread > 1e-9, spread, np.inf)
    score = far.max(1)
    found = []
    for i in np.argsort(-score, kind="stable")[:WORST]:
        at = int(far[i].argmax())
        reason = f"autocorrelation at lag {at + 1} {rho[i, at]:.2f}, real series {centre[at]:.2f} ± {spread[at]:.2f}"
        row = int(synthetic.rows[i])
        size = int(contrast.synthetic.panel.lengths[row])
        found.append(Sample(contrast.synthetic.panel.keys[row], 0, size, float(score[i]), reason))
    return tuple(found)


def _names() -> tuple[str, ...]:
    both = (*CORRELATION, *SIZES, DIRECTION, SLOW, *STRENGTHS)
    return (GAP, GAP_WORST, ONE_VALUE, KEPT, *(of.name for of in both))


def _cautions(sides: tuple[Stretches, Stretches], context: int, leads: int, lags: int, season: int) -> tuple[str, ...]:
    said = []
    if any(side.left_out for side in sides):
        said.append(
            f"{sides[0].left_out} real and {sides[1].left_out} synthetic series are shorter or constant: left out"
        )
    wanted = max(2 * season, LAGS)
    if lags < wanted or leads < season:
        said.append(f"stretches reach {lags} lags and {leads} leads from {context} values, not {wanted} lags")
    return tuple(said)
