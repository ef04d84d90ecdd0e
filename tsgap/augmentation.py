"""What adding one source to real series does to one forecaster: parts, responses, the choice, verdicts and events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tsgap.augment_diagnosis import (
    CANNOT_TELL,
    HURTS,
    MISMATCH,
    NOT_MEASURABLE,
    Diagnosis,
    Grounds,
    diagnoses,
    effect,
    grounds,
)
from tsgap.decomposition import HEADLINE, ArmLosses, Choice, Gain, Parts, Response, parts, responses
from tsgap.evidence import Place
from tsgap.findings import LEAST_REPLICATES
from tsgap.ordering import Ordered

#: Arms on the test windows, and those on inner origins by the same names after `INNER`.
REAL, SYNTHETIC, AUGMENTED, DUPLICATED, REWEIGHTED, FRACTION = (
    *("blend-real", "blend-synthetic", "augmented"),
    *("duplicated", "reweighted", "fraction"),
)
INNER = "inner-"
#: What the losses of each arm are called.
FIELDS: Mapping[str, str] = {
    REAL: "real",
    SYNTHETIC: "synthetic",
    AUGMENTED: "augmented",
    DUPLICATED: "duplicated",
    REWEIGHTED: "reweighted",
    FRACTION: "fractions",
}
#: All arms.
ARMS = frozenset(stage + arm for stage in ("", INNER) for arm in FIELDS)
#: Synthetic pairs to a real pair that are tried.
SHARES = (0.1, 0.25, 0.5, 1.0, 2.0)
#: What the names of simple augmentations of the real series begin with: a source may be called like the generator.
CHEAP = "cheap "


@dataclass(frozen=True, eq=False)
class Augmentation:
    """What adding one source to the real series of a data set does to one forecaster.

    `why` is not empty where nothing could be measured. `places` are bins of leads, the last one all leads together.
    `source` "" is nothing: the real series by themselves. `cheap`: made from the real series by a simple rule.
    `saw_inner`: the source may be made from what follows the inner origins. `uneven` windows failed in some arm and
    count in none: then only harm is proven. `unanswered` windows failed in all. `events` say how `event` is ordered and
    called, place by place. `leaks` are what was found of the test among the synthetic series.
    """

    data: str
    source: str
    forecaster: str
    metric: str
    places: tuple[Place, ...]
    cheap: bool = False
    saw_inner: bool = False
    fixed: bool = False
    stochastic: bool = False
    why: str = ""
    arms: ArmLosses | None = None
    uneven: int = 0
    unanswered: int = 0
    event: str = ""
    events: tuple[Ordered, ...] = ()
    leaks: tuple[str, ...] = ()

    @cached_property
    def losses(self) -> ArmLosses:
        """The losses of all arms; there must be some."""
        if self.arms is None:
            raise ValueError(f"nothing was measured: {self.why}")
        return self.arms

    @property
    def few_draws(self) -> str:
        """Why nothing is proven where chance was not drawn often enough; "" where it was."""
        draws = self.losses.clusters.counts.replicates
        if not self.stochastic or draws >= LEAST_REPLICATES:
            return ""
        many = f"{draws} draw{'s' * (draws > 1)}"
        return f"with {many} of what is left to chance nothing is proven; it takes {LEAST_REPLICATES}"

    @cached_property
    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """The verdict at each place."""
        if self.few_draws:
            return (Diagnosis(NOT_MEASURABLE, self.few_draws),) * len(self.places)
        found = diagnoses(self.grounds, synthetic=bool(self.source))
        if not self.uneven:
            return found
        told = f"{self.uneven} windows have a forecast in one arm and none in another"
        return tuple(one if one.state == MISMATCH else Diagnosis(NOT_MEASURABLE, told) for one in found)

    @cached_property
    def grounds(self) -> Grounds:
        """What the verdicts rest on."""
        return grounds(self.losses)

    @property
    def choice(self) -> Choice:
        """The share that the inner origins choose."""
        return self.grounds.choice

    @property
    def gain(self) -> Gain:
        """What the chosen share does on the test windows."""
        return self.grounds.gain

    @cached_property
    def effects(self) -> tuple[str, ...]:
        """What the chosen share does at each place, in a word."""
        if self.few_draws:
            return (CANNOT_TELL,) * len(self.places)
        found = effect(self.gain)
        # the windows that an arm left out may be those it forecasts worst
        return tuple(CANNOT_TELL if self.uneven and one != HURTS else one for one in found)

    @cached_property
    def parts(self) -> Parts:
        """The parts of what as many synthetic as real pairs do."""
        return parts(self.losses, HEADLINE)

    @cached_property
    def responses(self) -> tuple[Response, ...]:
        """What every share does on the test windows: shown, never used to choose."""
        return responses(self.losses)
