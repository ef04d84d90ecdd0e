"""Does training on synthetic series serve all groups alike: the gap by group, the worst, and whether groups differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tsgap.battery import ALL, WORSE, Battery
from tsgap.errors import UnknownNameError, UsageError
from tsgap.evidence import Evidence, span
from tsgap.gap import Estimate, Linear
from tsgap.grouping import Grouping
from tsgap.heterogeneity import UNKNOWN, GroupStatistic, Heterogeneity, heterogeneity
from tsgap.panel import Ints

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.opened import Opened

#: Groups of one grouping that are looked at; where there are more they are left alone, and that is said.
MOST = 50
#: How sure intervals are, and when groups are said to differ.
LEVEL = 0.95

COLUMNS = (
    *("data", "source", "forecaster", "metric", "grouping", "of", "group", "bin", "first", "last"),
    *("series", "blocks", "windows", "gap", "low", "high", "percent", "percent_low", "percent_high"),
    *("low_joint", "high_joint", "worst", "status", "share_real", "share_synthetic", "p"),
)


def table(
    run: Opened, metric: str, by: str | Sequence[str] | None, pairs: Sequence[tuple[str, str]], forecaster: Any
) -> pd.DataFrame:
    """The table of `Run.subgroups` for some pairs of data set and source."""
    import pandas as pd

    wanted = None if by is None else (by,) if isinstance(by, str) else tuple(by)
    there: dict[str, None] = {}
    rows: list[dict[str, Any]] = []
    for data, source in pairs:
        groupings = run.groupings(data, source)
        there |= dict.fromkeys(one.name for one in groupings)
        picked = [one for one in groupings if wanted is None or one.name in wanted]
        if picked:
            asked: dict[str, Any] = {"data": data, "source": source, "forecaster": forecaster}
            # all windows decide who counts: else each group would have a mean over others
            ((_, every),) = run.evidence(metric, "bin", **asked)
            battery = Battery.of(every)
            for grouping in picked:
                rows += _rows(run, metric, grouping, battery, **asked)
    if not there:
        raise no_groups(run)
    for name in wanted or ():
        if name not in there:
            raise UnknownNameError.of("grouping", name, there, note="That is what is in this run.")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def no_groups(run: Opened) -> UsageError:
    """What is said of a run without a single grouping."""
    return UsageError(
        f"{run.path}: there are no groups in it; name group columns of the data (--group NAME), or run the sweep with "
        "--diagnose (diagnose=True) for automatic ones"
    )


def _rows(run: Opened, metric: str, grouping: Grouping, battery: Battery, **asked: Any) -> Iterator[dict[str, Any]]:
    head: dict[str, Any] = {
        "data": asked["data"],
        "source": asked["source"],
        "metric": metric,
        "grouping": grouping.name,
        "of": grouping.of,
    }
    head |= {"worst": False, "p": np.nan}
    if why := grouping.why or _why_not(grouping):
        yield {**head, "forecaster": "", "group": "", "bin": ALL, "status": why}
        return
    by_forecaster: dict[str, dict[str, _OfGroup]] = {}
    truth = run.truth(asked["data"])
    for group in grouping.groups:
        among = grouping.among(group)
        ((_, evidence),) = run.evidence(metric, "bin", among=among, whole=True, **asked)
        for which, gap in _with_mean(evidence, battery):
            behind = which.forecaster in battery.behind
            found = _OfGroup(which, gap, truth.series[among], truth.block[among], behind)
            by_forecaster.setdefault(which.forecaster, {})[group] = found
    for name, of in by_forecaster.items():
        claimed = {group: one for group, one in of.items() if one.claimed}
        p = _tested(claimed).p
        worst = max(claimed, key=lambda group: float(claimed[group].estimate.value[-1])) if len(claimed) > 1 else None
        for group, one in of.items():
            own = {**head, "forecaster": name, "group": group, "worst": group == worst, "p": p}
            own |= {"windows": int(grouping.among(group).sum()), "share_real": grouping.real.get(group, np.nan)}
            own["share_synthetic"] = grouping.synthetic.get(group, np.nan)
            yield from ({**own, **told} for told in one.told(len(claimed)))


def _why_not(grouping: Grouping) -> str:
    n = len(grouping.groups)
    if n < 2:
        return "all windows are in one group" if n else "no window is in a group"
    return f"{n} groups are more than {MOST}" if n > MOST else ""


def _with_mean(evidence: Sequence[Evidence], battery: Battery) -> Iterator[tuple[Evidence, Linear | None]]:
    """Each forecaster with its gap, None where there is none; last the mean over those that count."""
    for one in evidence:
        yield one, one.gap if one.status == "ok" else None
    if battery.several:
        mean = battery.mean(evidence)
        yield mean.evidence, mean.gap


@dataclass(frozen=True, eq=False)
class _OfGroup:
    """What was found for one group and forecaster; `series` and `blocks` (n,) are those of its windows in all data.

    `behind`: whether over all windows, after real training, the forecaster is proven worse than seasonal naive.
    """

    evidence: Evidence
    gap: Linear | None
    series: Ints
    blocks: Ints
    behind: bool = False

    @cached_property
    def estimate(self) -> Estimate:
        """The gap of every bin, last of all leads."""
        assert self.gap is not None
        return self.gap.estimated(self.evidence.clusters)

    @property
    def claimed(self) -> bool:
        """Whether anything is claimed: it learns, there are series enough, and a gap over all leads, maybe infinite."""
        one = self.evidence
        if self.gap is None or not one.taught[-1] or one.transfer == "none":
            return False
        return self.estimate.counts.population and not np.isnan(self.estimate.value[-1])

    def statistic(self) -> GroupStatistic:
        """The gap over all leads for the test of heterogeneity, of the windows that have a part in it."""
        assert self.gap is not None
        last = slice(len(self.evidence.places) - 1, None)
        parts, shares = self.gap.contributions[:, :, last], self.gap.shares[:, last]
        there = (parts != 0).any((0, 2)) | (shares[:, 0] > 0)
        gap = Linear(self.gap.value[last], parts[:, there], shares[there])
        return GroupStatistic(gap, self.series[there], self.blocks[there], self.evidence.clusters.replicates)

    def told(self, n: int) -> Iterator[dict[str, Any]]:
        """Figures of every bin, and last of all leads, whose joint ends hold for `n` groups at once."""
        places = self.evidence.places
        for i, place in enumerate(places):
            if len(places) > 2 or i == len(places) - 1:  # a single bin is all leads
                where = ALL if i == len(places) - 1 else span(place)
                yield {"bin": where, "first": place[0], "last": place[1], **self._at(i, n)}

    def _at(self, i: int, n: int) -> dict[str, Any]:
        one = self.evidence
        if self.gap is None:
            return {"status": one.status}
        found = self.estimate.at(i)
        row: dict[str, Any] = {"series": found.counts.series, "blocks": found.counts.blocks}
        value = float(found.value[0])
        if not one.taught[i] or np.isnan(value):
            return {**row, "status": "no pairs" if one.taught[i] else "not taught"}
        half = float(found.half(0.5 + LEVEL / 2)[0])
        for name, end in (("", value), ("_low", value - half), ("_high", value + half)):
            row |= {name.strip("_") or "gap": end, f"percent{name}": 100 * float(np.expm1(end))}
        if self.claimed and i == len(one.places) - 1:
            joint = float(found.half(1 - (1 - LEVEL) / 2 / n)[0])
            row |= {"low_joint": value - joint, "high_joint": value + joint}
        status = "ok" if one.whole else "partial"
        status = status if found.counts.population else "insufficient"
        return {**row, "status": "not applicable" if one.transfer == "none" else WORSE if self.behind else status}


def _tested(groups: Mapping[str, _OfGroup]) -> Heterogeneity:
    if len(groups) < 2:
        return UNKNOWN
    return heterogeneity(
        [one.statistic() for one in groups.values()], [float(one.estimate.df[-1]) for one in groups.values()]
    )
