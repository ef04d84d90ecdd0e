"""The gap beside what diagnostics say: does memory explain it, what foretells it, and what does it cost in privacy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsgap.battery import Battery
from tsgap.diagnostics import implied, membership
from tsgap.evidence import Evidence
from tsgap.examination import Examination
from tsgap.panel import Floats

if TYPE_CHECKING:
    import pandas as pd

#: Diagnostic and name of the figures that are read here.
MEMBERSHIP = "membership", membership.NAMES[0]
MEMORY = "memory", implied.GAP
#: Fewer sources than this give no rank correlation.
SOURCES = 5
#: Below this log ratio a gap is none to speak of.
MARGIN = math.log(1.05)

_FRONTIER = ("data", "source", "gap", "low", "high", "percent", "auc", "auc_low", "auc_high", "efficient", "status")
_PREDICTORS = ("data", "diagnostic", "figure", "correlation", "low", "high", "sources", "status")


@dataclass(frozen=True)
class Measured:
    """The gap of a source over all leads, a log ratio with its 95 % interval, NaN where there is none.

    `over` are the forecasters whose mean it is, `lost` those that failed; `why` there is none, where it is NaN.
    """

    data: str
    source: str
    gap: float
    low: float
    high: float
    over: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    why: str = ""


def measured(evidence: Iterable[tuple[tuple[str, str], Sequence[Evidence]]]) -> list[Measured]:
    """The gap of each source at the last place of its evidence, which is all leads: the mean over forecasters.

    Geometric, over those that count, as in `Run.gap` and the gate.
    """
    found = []
    for (data, source), every in evidence:
        battery = Battery.of(every)
        mean = battery.mean(every)
        value = low = high = math.nan
        why = mean.evidence.status
        if mean.gap is not None and mean.evidence.taught[-1]:
            gap = mean.gap.estimated(mean.evidence.clusters)
            value, half = float(gap.value[-1]), float(gap.half(0.975)[-1])
            low, high = value - half, value + half
            why = "no pairs"
        elif mean.gap is not None:
            why = "not taught"
        over = tuple(one.forecaster for one in battery.counted(every))
        why = why if math.isnan(value) else ""
        found.append(Measured(data, source, value, low, high, over, battery.lost, why))
    return found


def _without(gaps: Sequence[Measured]) -> dict[tuple[str, str], str]:
    """The sources for which a forecaster failed that is in the mean of another one of that data set: which, in words.

    It may be the one that would have lost most: such gaps are not compared.
    """
    counted = {(one.data, name) for one in gaps for name in one.over}
    lacking = {(one.data, one.source): [name for name in one.lost if (one.data, name) in counted] for one in gaps}
    return {at: f"not compared: its mean is without {', '.join(names)}" for at, names in lacking.items() if names}


def frontier(gaps: Sequence[Measured], found: Sequence[Examination]) -> pd.DataFrame:
    """One row for each source: its gap, the AUC of membership inference on it, and whether no other is better in both.

    `efficient` is True where no other source of that data set beats it: by being at least as good in both and better in
    one, or by being proven better in one (the intervals do not meet) with an estimate of the other that lies within or
    below this one's interval. An AUC below one half is no better than one half. None where either is not known, or the
    gap is without a forecaster that failed for this source alone: `status` says which.
    """
    import pandas as pd

    by_name, without = {(one.data, one.source): one for one in found}, _without(gaps)
    rows = []
    for one in gaps:
        there = by_name.get((one.data, one.source))
        auc = None if there is None else there.figure(*MEMBERSHIP)
        if auc is None or math.isnan(auc.value):
            status = "not measurable" if auc is None else f"not measurable: {auc.advice}"
        elif math.isnan(one.gap):
            status = f"no gap: {one.why}" if one.why else "no gap"
        else:
            status = without.get((one.data, one.source), "ok")
        told = (math.nan,) * 3 if auc is None else (auc.value, auc.low, auc.high)
        percent = 100 * math.expm1(one.gap) if math.isfinite(one.gap) else math.nan
        rows.append((one.data, one.source, one.gap, one.low, one.high, percent, *told, None, status))
    frame = pd.DataFrame(rows, columns=list(_FRONTIER))
    frame["efficient"] = frame["efficient"].astype(object)
    for _, rest in frame[frame.status == "ok"].groupby("data", sort=False):
        cost, attack = rest[["gap", "low", "high"]].to_numpy(), rest[["auc", "auc_low", "auc_high"]].to_numpy()
        marks = _efficient(np.stack([cost, np.maximum(attack, 0.5)], axis=1))
        frame.loc[rest.index, "efficient"] = np.array(marks, dtype=object)
    return frame


def _efficient(costs: Floats) -> list[bool]:
    """Which sources no other beats, by their costs (N, 2, 3): two kinds, each with its interval."""
    value, low, high = (costs[:, :, i] for i in range(3))
    beats = np.all(value[:, None] <= value[None], axis=2) & np.any(value[:, None] < value[None], axis=2)
    for one, other in ((0, 1), (1, 0)):
        # what is not known of an interval proves nothing
        proven = high[:, None, one] < low[None, :, one]
        beats |= proven & (value[:, None, other] <= high[None, :, other])
    beaten: list[bool] = np.logical_or.reduce(beats, axis=0).tolist()
    return [not one for one in beaten]


def predictors(gaps: Sequence[Measured], found: Sequence[Examination]) -> pd.DataFrame:
    """One row for each figure of each diagnostic: Spearman's rank correlation with the gap over the sources.

    By data set, with a 95 % interval (Bonett & Wright 2000, "Sample size requirements for estimating Pearson, Kendall
    and Spearman correlations"). `status` is "ok", or why there is none: fewer than `SOURCES` sources with both, or
    nothing that varies. That the gaps themselves are uncertain is in no interval. A source whose gap is without a
    forecaster that failed for it alone is left out.
    """
    import pandas as pd

    by_name, without = {(one.data, one.source): one for one in found}, _without(gaps)
    rows = []
    for data in dict.fromkeys(one.data for one in gaps):
        mine = [one for one in gaps if one.data == data and (data, one.source) in by_name]
        for diagnostic, name in _names(by_name[data, one.source] for one in mine):
            pairs = [
                (_value(by_name[data, one.source], diagnostic, name), one.gap)
                for one in mine
                if (data, one.source) not in without
            ]
            rows.append((data, diagnostic, name, *_correlation(np.array(pairs, dtype=np.float64).reshape(-1, 2))))
    frame = pd.DataFrame(rows, columns=list(_PREDICTORS))
    order = frame.correlation.abs().fillna(-1.0)
    return (
        frame.assign(order=order)
        .sort_values(["data", "order"], ascending=[True, False], kind="stable")[list(_PREDICTORS)]
        .reset_index(drop=True)
    )


def _names(found: Iterator[Examination]) -> list[tuple[str, str]]:
    named = ((told.diagnostic, figure.name) for one in found for told in one.found for figure in told.figures)
    return list(dict.fromkeys(named))


def _value(one: Examination, diagnostic: str, name: str) -> float:
    figure = one.figure(diagnostic, name)
    return math.nan if figure is None else figure.value


def _correlation(pairs: Floats) -> tuple[float, float, float, int, str]:
    """Spearman's ρ of pairs (N, 2), its interval, of how many, and the status."""
    from scipy.stats import norm, spearmanr

    whole = pairs[np.isfinite(pairs).all(1)]
    n = len(whole)
    nothing = math.nan, math.nan, math.nan, n
    if n < SOURCES:
        return *nothing, f"{n} {'source has' if n == 1 else 'sources have'} both, it takes {SOURCES}"
    if (np.ptp(whole, axis=0) == 0).any():
        return *nothing, "the same for all sources"
    rho = float(spearmanr(whole[:, 0], whole[:, 1]).statistic)
    half = float(norm.ppf(0.975)) * math.sqrt((1 + rho**2 / 2) / (n - 3))
    # perfect order has no interval of its own: the one of the next best order, which two neighbours in turn give
    most = 1 - 12 / (n * (n**2 - 1))
    middle = math.atanh(min(max(rho, -most), most))
    return rho, math.tanh(middle - half), math.tanh(middle + half), n, "ok"


def agreements(gaps: Sequence[Measured], found: Sequence[Examination]) -> list[str]:
    """Whether the memory that the series have lost explains the gap, a sentence for each source that says something."""
    by_name = {(one.data, one.source): one for one in found}
    told = []
    for one in gaps:
        there = by_name.get((one.data, one.source))
        implied = None if there is None else there.figure(*MEMORY)
        if implied is None or math.isnan(implied.value) or math.isnan(one.gap):
            continue
        if said := _agreement(one, implied.value, implied.flag == "warn"):
            told.append(f"{one.data}, {one.source}: {said}")
    return told


def _agreement(one: Measured, implied: float, lost: bool) -> str:
    gap, memory_gap = (f"{100 * math.expm1(value):.1f} %" for value in (one.gap, implied))
    if one.low > MARGIN and lost:
        return f"the gap ({gap}) has a cause in lost linear memory: the autocorrelations alone imply {memory_gap}"
    if one.low > MARGIN:
        return (
            f"the gap ({gap}) is not one of linear memory, of which the autocorrelations imply {memory_gap}: look at "
            "nonlinear dependence, at level and scale, at noise, and at how much there is to learn from"
        )
    if one.high < MARGIN and lost:
        return f"memory is lost (the autocorrelations imply {memory_gap}) where these forecasters do not use it ({gap})"
    return ""
