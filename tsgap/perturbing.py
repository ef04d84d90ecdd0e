"""What is done to histories to see how forecasts bear it: noise, gaps, a level shift, and a bounded attack.

Sizes are in units of what MASE divides by: the seasonal-naive error of the real training part of a series. Noise, gaps
and shifts depend on the series, the window and a seed alone: not on the arm, on which rows come together, or on how far
back a forecaster looks, since they are drawn from the end of a history backwards. The attack is that of Goodfellow,
Shlens & Szegedy (2015), "Explaining and Harnessing Adversarial Examples": one step along the sign of the gradient.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tsgap.errors import ContractError
from tsgap.panel import Floats, Ints, Panel, frozen
from tsgap.protocols import Differentiable, Forecaster, ForecasterSpec
from tsgap.ragged import bridged, leading, row_blocks

#: Raised when the same perturbation would give other histories than before: part of the key of its cells.
VERSION = 1

Kind = Literal["noise", "missing", "shift", "attack"]
#: Kinds that need the gradient of the forecaster.
ATTACK: Kind = "attack"
#: What is done, by its name: one perturbation, or the two signs of an attack, of which the worse counts.
PERTURBATIONS: Mapping[str, tuple[tuple[Kind, float], ...]] = {
    "noise-0.1": (("noise", 0.1),),
    "noise-0.2": (("noise", 0.2),),
    "noise-0.5": (("noise", 0.5),),
    "missing-0.05": (("missing", 0.05),),
    "missing-0.2": (("missing", 0.2),),
    "shift-1": (("shift", 1.0),),
    "attack": (("attack", 0.1), ("attack", -0.1)),
}
#: The same in words.
WORDS: Mapping[str, str] = {
    "noise-0.1": "noise of 0.1 of the scale",
    "noise-0.2": "noise of 0.2 of the scale",
    "noise-0.5": "noise of 0.5 of the scale",
    "missing-0.05": "5 % of the values missing and filled",
    "missing-0.2": "20 % of the values missing and filled",
    "shift-1": "a shift of the last values by the scale",
    "attack": "the worst small change of at most 0.1 of the scale",
}
#: Arms whose histories are perturbed.
PERTURBED = ("synthetic", "real", "real-short")
#: A shift begins within the last season, within as many steps where the season is shorter.
LEAST_REACH = 4
#: Values before those that are wanted, from which a gap at their beginning is bridged.
BEFORE = 32


@dataclass(frozen=True)
class Perturbation:
    """What is done to every history of a view.

    ``"noise"``: independent normal values of standard deviation `size` times the scale are added. ``"missing"``: values
    are lost at random, each with the chance `size`, and filled as the host fills gaps: linear between known values,
    after the last one that one; before the first one of a series, that one. ``"shift"``: everything from a random step
    of the last season on (of the last `LEAST_REACH` steps where that is shorter) is raised by `size` times the scale.
    ``"attack"``: every value is moved by `size` times the scale along the sign of the gradient of the mean forecast, or
    against it where `size` is negative; neither knows the truth.
    """

    kind: Kind
    size: float
    seed: int = 0

    @property
    def name(self) -> str:
        """Its name as a view."""
        return f"{self.kind}{self.size:+g}" if self.kind == ATTACK else f"{self.kind}-{self.size:g}"

    @property
    def content(self) -> dict[str, Any]:
        """What names it in the key of a cell."""
        seed = {} if self.kind == ATTACK else {"seed": self.seed}
        return {"version": VERSION, "kind": self.kind, "size": self.size, **seed}

    def limit(self, wanted: int | None) -> int | None:
        """How many last values of a history must be known for `wanted` perturbed ones; None are all."""
        return wanted + BEFORE if wanted is not None and self.kind == "missing" else wanted


def arm_under(name: str, arm: str) -> str:
    """What an arm is called whose histories are perturbed: the rows of a plan tell it by that.

    >>> arm_under("noise-0.1", "synthetic")
    'noise-0.1/synthetic'
    """
    return f"{name}/{arm}"


def arms_under(name: str, arm: str) -> tuple[str, ...]:
    """The arms of one thing that is done: one, or one for each sign."""
    return tuple(arm_under(Perturbation(*one).name, arm) for one in PERTURBATIONS[name])


#: All arms whose histories are perturbed.
ARMS = frozenset(one for name in PERTURBATIONS for arm in PERTURBED for one in arms_under(name, arm))


def perturbations_for(spec: ForecasterSpec, seeds: Mapping[str, int]) -> Iterator[Perturbation]:
    """Everything that can be done to the histories of a forecaster; `seeds` by kind."""
    for of in PERTURBATIONS.values():
        for kind, size in of:
            if kind != ATTACK or tells_gradient(spec):
                yield Perturbation(kind, size, seeds[kind])


def tells_gradient(spec: ForecasterSpec) -> bool:
    """Whether a forecaster is known to tell its gradient."""
    return isinstance(spec.build, type) and issubclass(spec.build, Differentiable)


def perturbed(histories: Panel, how: Perturbation, scales: Floats, limit: int | None) -> Panel:
    """Histories after noise, gaps or a shift, cut to their last `limit` values; `scales` (N,), NaN leaves a row alone.

    `how.limit(limit)` last values of each must be there, or all there are.
    """
    sizes = how.size * np.nan_to_num(scales)
    values = histories.values.copy()
    rows = [values[begin:end] for begin, end in zip(histories.offsets[:-1], histories.offsets[1:], strict=True)]
    reach = max(histories.season, LEAST_REACH)
    for y, size, key in zip(rows, sizes.tolist(), histories.keys, strict=True):
        rng = _rng(how, key)
        if how.kind == "noise":
            y[::-1] += size * rng.standard_normal(len(y))
        elif how.kind == "missing":
            lost = rng.random(len(y))[::-1] < how.size
            lost[-1:] &= not lost.all()  # where nothing else is left, the last value stays
            y[lost] = np.nan
        elif how.kind == "shift":
            y[-int(rng.integers(1, reach + 1)) :] += size
        else:
            raise ContractError(f"{how.kind!r} is not done without a forecaster's gradient")
    if how.kind == "missing":
        _fill(values, histories.offsets)
    out = histories.with_values(frozen(values))
    return out if limit is None else out.tail(limit)


def attacked(histories: Panel, rows: Ints, forecaster: Forecaster, scaled: Panel, sizes: Floats, horizon: int) -> Panel:
    """Some `rows` of the histories moved along the gradient of the mean forecast from what is `scaled`, one for each.

    `sizes` (N,) in units of the data, NaN leaves a row alone. What a history is shifted and divided by is taken for
    fixed: the gradient in the units of the forecaster has the signs of that in the units of the data.
    """
    if not isinstance(forecaster, Differentiable):
        raise ContractError(f"{type(forecaster).__name__} does not tell its gradient")
    gradient = np.asarray(forecaster.sensitivity(scaled, horizon=horizon), dtype=np.float64)
    if gradient.ndim != 2 or len(gradient) != len(scaled) or not np.isfinite(gradient).all():
        raise ContractError(
            f"sensitivity must give finite numbers ({len(scaled)}, C), one for each of the last C values of a history, "
            f"got shape {gradient.shape}"
        )
    back, values = gradient.shape[1], histories.values.copy()
    steps = np.sign(gradient) * np.nan_to_num(sizes[rows])[:, None]
    begins, ends = histories.offsets[rows], histories.offsets[rows + 1]
    for row in row_blocks(np.arange(len(rows) + 1) * back):
        at = ends[row, None] + np.arange(-back, 0)
        inside = at >= begins[row, None]
        values[at[inside]] += steps[row][inside]
    return histories.with_values(frozen(values))


def _rng(how: Perturbation, key: str) -> np.random.Generator:
    """Chance that depends on the seed of the perturbation and on the name of a window alone."""
    word = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
    return np.random.default_rng([how.seed, word])


def _fill(values: Floats, offsets: Ints) -> None:
    """Fill what is missing as the host fills gaps; what lies before the first known value of a row takes that one."""
    missing = np.flatnonzero(np.isnan(values))
    before = leading(missing, offsets)
    for row in np.flatnonzero(before).tolist():
        first = offsets[row] + before[row]
        values[offsets[row] : first] = values[first]
    if len(left := np.flatnonzero(np.isnan(values))):
        ends = offsets[np.searchsorted(offsets, left, side="right")]
        values[left] = bridged(values, left, left, ends)
