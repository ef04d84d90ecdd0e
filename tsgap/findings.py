"""What a gate is asked and what it answers: rules, and the verdict with the bins it rests on, as values."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np

from tsgap.baseline import Against
from tsgap.errors import UsageError
from tsgap.gap import Counts
from tsgap.halves import ORACLE

PASS, FAIL, INCONCLUSIVE, NO_SIGNAL = "PASS", "FAIL", "INCONCLUSIVE", "NO_SIGNAL"
INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
#: Fewer replicates than this say nothing about chance, where there is chance.
LEAST_REPLICATES = 3
#: Fewer series than this decide nothing where the windows of a series overlap.
OVERLAPPING_SERIES = 10


@dataclass(frozen=True)
class Rules:
    """What is asked of a gap: fix it before looking.

    `margin` is the largest loss of accuracy that is accepted, a fraction (.05: 5 % worse). `retain` is the share of
    the real-trained arm's advantage over the shuffle-trained one that must be kept, in [0, 1). Each is to be proven
    at `level`, one-sided.
    """

    margin: float = 0.05
    retain: float = 0.5
    level: float = 0.95

    def __post_init__(self) -> None:
        for name in ("margin", "retain", "level"):
            if not isinstance(getattr(self, name), Real):
                raise UsageError(f"{name} is a number, like 0.05, got {getattr(self, name)!r}")
        if not 0 < self.margin < 1:
            raise UsageError(f"the margin is a fraction above 0 and below 1, like 0.05 for 5 %, got {self.margin}")
        if not 0 <= self.retain < 1:
            raise UsageError(f"the share of skill to retain lies from 0 up to, not including, 1, got {self.retain}")
        if not 0.5 < self.level < 1:
            raise UsageError(f"the level lies between 0.5 and 1, got {self.level}")

    @property
    def log_margin(self) -> float:
        """The margin as a log ratio."""
        return float(np.log1p(self.margin))


@dataclass(frozen=True)
class Bin:
    """What was found at leads `first` to `last`.

    `gap` is a log ratio with its two-sided 95 % interval `low` to `high`; `upper` and `lower` are the one-sided
    bounds at the rules' level, `proven` the lower bound that holds for all bins and forecasters at once. `half` is
    the smallest gap that could be told from none. `assay`: the same log ratio for shuffled training, `assay_low` its
    lower bound; `rho` is the share of the real skill that is lost, NaN unless the assay is proven; `kept` is above 0
    where the share to retain is proven to be kept. `series`, `blocks` and `replicates` are how many would settle it,
    each alone, infinite where it would not. NaN where there is nothing.
    """

    first: int
    last: int
    gap: float
    low: float
    high: float
    upper: float
    lower: float
    proven: float
    half: float
    assay: float
    assay_low: float
    rho: float
    kept: float
    series: float
    blocks: float
    replicates: float
    taught: bool
    safe: bool
    broken: bool
    no_signal: bool

    @property
    def better(self) -> bool:
        """Whether the synthetic arm is proven better than the control: no proof of fidelity."""
        return self.high < 0

    @property
    def outcome(self) -> str:
        """What was decided, in a word or two: safe, broken, no signal, undecided or not taught."""
        if not self.taught:
            return "not taught"
        return "broken" if self.broken else "safe" if self.safe else "no signal" if self.no_signal else "undecided"


@dataclass(frozen=True)
class Finding:
    """What was found for one forecaster: gated or not and why, bin by bin; `verdict` is "" where it is not gated.

    Safe up to lead `safe` (0: none proven); the first lead that loses more than the margin lies after `safe` and not
    after `breaks`, None where no break is proven. `unanswered` windows have no forecast in any arm: they are left out.
    """

    forecaster: str
    memory: str
    gated: bool
    why: str
    bins: tuple[Bin, ...]
    safe: int = 0
    breaks: int | None = None
    verdict: str = ""
    unanswered: int = 0


@dataclass(frozen=True)
class OfGroup:
    """What was found for one gated forecaster in the windows of one group, over all leads.

    `gap` and its bounds as in `Bin`; `proven` is the lower bound that holds for all groups and forecasters at once.
    `outcome`: safe, broken, undecided, insufficient (too few series or test periods to decide), or no figure;
    then `why` says what it lacks.
    """

    grouping: str
    group: str
    forecaster: str
    series: int
    blocks: int
    gap: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    upper: float = float("nan")
    lower: float = float("nan")
    proven: float = float("nan")
    outcome: str = "no figure"
    why: str = ""


@dataclass(frozen=True)
class Verdict:
    """The verdict on one source for one data set, and what it rests on.

    `caps` are the reasons why it cannot be PASS; those in `damage` are no lack of data, but something that failed, is
    missing, leaked or was never taught. `findings` one for each forecaster, `combined` the geometric mean
    over the gated ones. `safe` and `breaks` as in `Finding`, over all gated forecasters (*operational*: they see
    their full context); `memory` is the finding of the lag probe. `equivalent`: the gap is proven to lie within the
    margin on both sides. `checked`: whether the bench passed its self-check on these data, None without one.
    `overlapping`: the windows of a series overlap, and `OVERLAPPING_SERIES` series are needed to decide. `groups`: what
    was found group by group, where that was asked for.
    """

    data: str
    source: str
    verdict: str
    rules: Rules
    caps: tuple[str, ...]
    findings: tuple[Finding, ...]
    combined: tuple[Bin, ...]
    counts: Counts | None
    safe: int = 0
    breaks: int | None = None
    memory: Finding | None = None
    equivalent: bool = False
    checked: bool | None = None
    fixed: bool = False
    linear_only: bool = False
    against_baseline: tuple[Against, ...] = ()
    damage: tuple[str, ...] = ()
    overlapping: bool = False
    groups: tuple[OfGroup, ...] = ()

    @property
    def gated(self) -> tuple[Finding, ...]:
        """The findings that the verdict rests on."""
        return tuple(one for one in self.findings if one.gated)

    @property
    def worse_than_baseline(self) -> tuple[Against, ...]:
        """Where the source is proven worse than the last accepted one."""
        return tuple(at for at in self.against_baseline if at.least > 0)

    @property
    def noise_floor(self) -> bool:
        """Whether it is no verdict on a source, but on one half of the real series against the other."""
        return self.source == ORACLE

    @property
    def label(self) -> str:
        """The verdict as it is shown: a PASS without a self-check says so."""
        return f"{PASS} (unchecked)" if self.verdict == PASS and self.checked is None else self.verdict

    @property
    def is_doubt(self) -> bool:
        """Whether it is neither PASS nor FAIL for lack of data alone: all leads were judged, and nothing is damaged."""
        bins = [b for one in self.gated for b in one.bins]
        judged = bool(bins) and not any(np.isnan(b.gap) for b in bins)
        return self.verdict not in (PASS, FAIL) and judged and not self.damage
