"""Real against synthetic series on equal terms, as diagnostics see them: two sides, and the noise floor beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from tsgap.contexts import ROUNDING
from tsgap.errors import DataError
from tsgap.panel import Dataset, Floats, Ints, Panel, frozen
from tsgap.ragged import gathered

#: Deviations beyond which a feature says no more.
FAR = 5.0

#: Features (N, F) of windows (N, L) with a season length.
Featurise = Callable[[Floats, int], Floats]


@dataclass(frozen=True, eq=False)
class Side:
    """One side: units that are taken for independent, and N windows of `length` values, none overlapping another.

    A row of `panel` is a unit: a series, or a stretch of one where series are few. `unit` (N,) is the row of each
    window, `begins` (N,) where in that row it starts. With `scaling` ``"standard"`` every window has mean 0 and
    standard deviation 1, else it is in the units of the data.
    """

    panel: Panel
    unit: Ints
    begins: Ints
    length: int
    scaling: Literal["none", "standard"]
    featurise: Featurise

    @cached_property
    def windows(self) -> Floats:
        """The windows (N, L)."""
        values, _ = gathered(
            self.panel.values, self.panel.offsets[self.unit] + self.begins, np.full(len(self.unit), self.length)
        )
        found = values.reshape(len(self.unit), self.length)
        if self.scaling == "standard":
            found = found - found.mean(1, keepdims=True)
            deviation = found.std(1, keepdims=True)
            found = found / np.where(deviation > 0, deviation, 1.0)
        return frozen(found)

    @cached_property
    def typical(self) -> float:
        """Median standard deviation of the windows that vary, 1 where none does."""
        deviation = self.windows.std(1)
        varies = deviation > ROUNDING * np.abs(self.windows).max(1, initial=0.0)
        return float(np.median(deviation[varies])) if varies.any() else 1.0

    @cached_property
    def features(self) -> Floats:
        """Features of the windows (N, F), finite."""
        found = np.asarray(self.featurise(self.windows, self.panel.season), dtype=np.float64)
        if found.ndim != 2 or len(found) != len(self.windows) or not np.isfinite(found).all():
            raise DataError(
                f"features must be finite numbers, a row for each of {len(self.windows)} windows, got an array "
                f"{found.shape} with {int((~np.isfinite(found)).sum())} that are not finite"
            )
        return frozen(found)


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of who has seen what: `synthetic` was made from `members`, and never from `outsiders`.

    Members and outsiders are real series of the same period. `by_host`: the host fitted the generator itself.
    """

    members: Panel
    outsiders: Panel
    synthetic: Panel
    by_host: bool = False


@dataclass(frozen=True, eq=False)
class Contrast:
    """Real against synthetic series, with as many windows on either side, and what of real series was held back.

    The real units are dealt into two halves: `real` is one, `held_back` the other. `synthetic` are units of the
    synthetic series, where these are twins of real ones those of the held-back half: no series is on both sides.
    `floor` is the contrast between the two real halves: what every figure is held against. Of a window the last
    `leads` values are what would be forecast from the others. `all_real` and `all_synthetic` are the panels that
    all this was taken from, uncut; `as_read` the same two (``"real"``, ``"synthetic"``) before gaps were filled, where
    that is known. `rules` are the user's own, in words. `known` says who has seen what, None where nobody knows.
    `caution` says what a proof is not about, where units are few or depend on each other.
    """

    real: Side
    synthetic: Side
    held_back: Side
    leads: int
    all_real: Panel
    all_synthetic: Panel
    paired: bool = False
    as_read: Mapping[str, Dataset] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    known: Known | None = None
    notes: tuple[str, ...] = ()
    caution: str = ""

    @property
    def season(self) -> int:
        """The main season length in steps."""
        return self.all_real.season

    @property
    def is_floor(self) -> bool:
        """Whether both sides are real."""
        return self.synthetic is self.held_back

    @cached_property
    def floor(self) -> Contrast:
        """Real against held-back real series."""
        return replace(
            self,
            synthetic=self.held_back,
            all_real=self.real.panel,
            all_synthetic=self.held_back.panel,
            paired=False,
            as_read={},
            known=None,
            notes=(),
        )

    @cached_property
    def features(self) -> tuple[Floats, Floats]:
        """Features of the real and of the synthetic windows (N, F) each, in deviations from the real median.

        One deviation is half of what holds the middle 68 % of the real windows, a standard deviation where these are
        normal: the level of a few large series does not make all others look alike. Beyond `FAR` a feature says no
        more. Where these 68 % are equal it is the standard deviation; one that does not vary at all is only centred.
        """
        low, centre, high = np.quantile(self.real.features, [0.159, 0.5, 0.841], axis=0)
        spread, least = (high - low) / 2, 1e-9 * np.abs(self.real.features).max(0)
        spread = np.where(spread > least, spread, self.real.features.std(0))
        spread = np.where(spread > least, spread, 1.0)
        real, synthetic = (
            frozen(np.clip((x - centre) / spread, -FAR, FAR)) for x in (self.real.features, self.synthetic.features)
        )
        return real, synthetic
