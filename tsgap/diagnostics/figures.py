"""What a diagnostic says: figures beside the noise floor, and the samples that stand out."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan
from typing import Literal, get_args

from tsgap.errors import ContractError

#: "" is nothing to be seen, "warn" is proven to differ, "not measurable" says that the data cannot tell.
Flag = Literal["", "warn", "not measurable"]
FLAGS: tuple[Flag, ...] = get_args(Flag)


@dataclass(frozen=True, eq=False)
class Figure:
    """One figure of a diagnostic.

    `value`, with its 95 % interval `low` to `high` by series and the `p` of a permutation of series, NaN where there is
    none. `reference` is the same figure for real against held-back real series: the noise floor. The host fills it in
    with the figure of that name for the contrast's floor, unless the diagnostic did. `flag` is "" , ``"warn"`` or
    ``"not measurable"``; a figure without a value is not measurable, whatever its flag says. `advice` is what to do
    about a warning, or why nothing could be measured; `detail` what the figure rests on, such as the features that tell
    the sides apart. `beyond_floor`: a warning stands only where the value is above its reference, as for a distance
    that has no interval; the host takes it back else. Figures are equal that say the same, what is not known
    included. No figure decides a verdict.
    """

    name: str
    value: float
    low: float = nan
    high: float = nan
    p: float = nan
    reference: float = nan
    flag: Flag = ""
    advice: str = ""
    detail: str = ""
    beyond_floor: bool = False

    def __post_init__(self) -> None:
        if self.flag not in FLAGS:
            raise ContractError(f"figure {self.name!r}: a flag is one of {', '.join(map(repr, FLAGS))}: {self.flag!r}")
        for name in ("value", "low", "high", "p", "reference"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if not isnan(self.p) and not 0 <= self.p <= 1:
            raise ContractError(f"figure {self.name!r}: p is between 0 and 1: {self.p}")
        if self.low > self.high:
            raise ContractError(f"figure {self.name!r}: the interval runs from {self.low} down to {self.high}")
        if isnan(self.value):
            object.__setattr__(self, "flag", "not measurable")

    def __eq__(self, other: object) -> bool:
        return repr(self) == repr(other) if isinstance(other, Figure) else NotImplemented

    def __hash__(self) -> int:
        return hash(repr(self))

    @classmethod
    def unknown(cls, name: str, why: str) -> Figure:
        """A figure that could not be measured."""
        return cls(name, nan, flag="not measurable", advice=why)


@dataclass(frozen=True)
class Sample:
    """A stretch of the synthetic series that stands out: `length` values of the series `key` from step `start` on.

    `score` says how much it stands out, larger is more; `reason` why, in words.
    """

    key: str
    start: int
    length: int
    score: float
    reason: str

    def __post_init__(self) -> None:
        # numbers of numpy are none that JSON knows
        object.__setattr__(self, "start", int(self.start))
        object.__setattr__(self, "length", int(self.length))
        object.__setattr__(self, "score", float(self.score))


@dataclass(frozen=True)
class Diagnosed:
    """What one diagnostic found: `figures`, the `worst` samples, worst first, and `notes` on what it looked at.

    The first figure is the headline: texts show it always, the others where they warn, and all on request, as the
    notes. `cautions` are always shown: what the figures are not about, such as series that were left out.
    """

    figures: tuple[Figure, ...]
    worst: tuple[Sample, ...] = ()
    notes: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
