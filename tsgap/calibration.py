"""Do quantile forecasts hold what they promise: shares of true values inside of central intervals, arm by arm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tsgap.errors import UsageError
from tsgap.evidence import PLACES, Evidence, placed
from tsgap.findings import LEAST_REPLICATES, OVERLAPPING_SERIES
from tsgap.gap import Clusters, Estimate, Linear
from tsgap.panel import Floats
from tsgap.protocols import MetricSpec

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.atoms import Atoms
    from tsgap.opened import Opened

#: Central intervals, by the share of true values that they promise to hold.
INTERVALS = (0.5, 0.8, 0.95)
#: Quantile levels that these intervals end at, and the median.
LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
#: Shares that are proven to be no further apart than this are equivalent.
MARGIN = 0.05
#: What is said of two shares: proven to be within the margin, proven to be beyond it, or neither.
EQUIVALENT, DIFFERS, CANNOT_TELL = "equivalent", "differs", "cannot tell"
#: Status of an interval of which the sweep did not ask both quantiles.
NOT_ASKED = "not asked for"

_ARMS = ("control", "synthetic")
COLUMNS = (
    "interval",
    *(f"{prefix}_{arm}{end}" for arm in _ARMS for prefix, end in (("coverage", ""), ("low", ""), ("high", ""))),
    *("difference", "low", "high", "verdict", "crossed_control", "crossed_synthetic"),
    *("series", "blocks", "replicates", "n_used", "status"),
)
PIT_COLUMNS = (
    *("data", "source", "forecaster", "arm", "above", "below", "share", "low", "high", "expected", "deviation"),
    *("n_used", "status"),
)


@dataclass(frozen=True, eq=False)
class Coverage:
    """Share of true values inside of an interval at each place, by arm, and synthetic less control."""

    control: Estimate
    synthetic: Estimate
    difference: Estimate


def share(hits: Floats, pairs: Floats) -> Linear:
    """Share of pairs that are hit at each place: `hits` (K, N, P) of `pairs` (N, P), both weighted alike."""
    total = pairs.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = hits.sum((0, 1)) / (total * len(hits))
        parts = np.where(total > 0, (hits - value * pairs) / (total * len(hits)), 0.0)
        return Linear(value, parts, np.where(total > 0, pairs / total, 0.0))


def estimated(statistic: Linear, pairs: Floats, clusters: Clusters) -> Estimate:
    """A share, or a difference of two, with its uncertainty, never certain because all windows were alike.

    To its variance comes that of four more clusters (series within a block of origins): two that are hit throughout
    and two that are not, or for a difference one of each of the four outcomes. After Agresti & Coull (1998),
    "Approximate is better than exact for interval estimation of binomial proportions", and Agresti & Min (2005),
    "Simple improved confidence intervals for comparing matched proportions".
    """
    # windows in which nothing differs are there all the same
    same = (pairs > 0) & (statistic.contributions == 0)
    parts = np.where(same, np.finfo(np.float64).tiny, statistic.contributions)
    found = Linear(statistic.value, parts, statistic.shares).estimated(clusters)
    cut = clusters.by_pair if found.counts.population else clusters.by_block
    n = np.count_nonzero(cut.sums(pairs), axis=0)
    more = 2 / (n + 4) ** 2
    total = found.se**2 + more
    with np.errstate(invalid="ignore"):
        df = np.where(np.isfinite(total), total**2 / (found.se**4 / found.df + more**2 / (n + 3)), found.df)
    by_origin = found.parts.copy()
    by_origin[0] += more
    return Estimate(found.value, np.sqrt(total), np.maximum(df, 1.0), by_origin, found.counts)


def coverage(outside: Mapping[str, Floats], pairs: Floats, clusters: Clusters) -> Coverage:
    """Coverage of an interval from what lies `outside` of it, by arm (K, N, P), of so many `pairs` (N, P)."""
    inside = {arm: share(pairs - outside[arm], pairs) for arm in _ARMS}
    apart = inside["synthetic"].minus(inside["control"], paired=True)
    return Coverage(*(estimated(one, pairs, clusters) for one in (*inside.values(), apart)))


def verdict(low: float, high: float, margin: float = MARGIN) -> str:
    """What the 95 % interval of a difference of shares says: two one-sided tests at 2.5 % each, either way.

    After Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power approach for assessing
    the equivalence of average bioavailability", but at 2.5 %, so that the verdict is what the interval shows.

    >>> verdict(-0.01, 0.03), verdict(-0.16, -0.09), verdict(-0.09, -0.01)
    ('equivalent', 'differs', 'cannot tell')
    """
    if -margin < low and high < margin:
        return EQUIVALENT
    return DIFFERS if low > margin or high < -margin else CANNOT_TELL


def ends(interval: float, levels: Sequence[float]) -> tuple[int, int] | None:
    """Where the two quantiles of a central interval stand among the levels; None unless both are there."""
    at = [np.flatnonzero(np.isclose(levels, level)) for level in ((1 - interval) / 2, (1 + interval) / 2)]
    return (int(at[0][0]), int(at[1][0])) if all(map(len, at)) else None


def levels_asked(run: Opened) -> tuple[float, ...]:
    """The quantile levels that the sweep asked for; `UsageError` where it asked for none."""
    levels = tuple(run.manifest["experiment"].get("quantiles") or ())
    if not levels:
        raise UsageError(
            f"{run.path}: no quantiles were asked for; run the sweep with --calibration (quantiles={list(LEVELS)})"
        )
    return levels


def _scored(name: str, loss: Callable[[Floats, Floats], Any]) -> MetricSpec:
    def each(truth: Floats, quantiles: Floats, scale: Floats, levels: Floats) -> Any:
        return loss(truth, quantiles)

    return MetricSpec(name, name, each, needs="quantiles")


def _outside(low: int, high: int) -> MetricSpec:
    return _scored("outside", lambda y, q: (y < q[..., low]) | (y > q[..., high]))


def _below(level: int) -> MetricSpec:
    """A true value that is the quantile lies half below it: else values that are mostly 0 would seem too low."""
    return _scored("below", lambda y, q: (y < q[..., level]) * 0.5 + (y <= q[..., level]) * 0.5)


_COUNTED = _scored("pairs", lambda y, q: np.ones(y.shape))


def table(run: Opened, rows: Sequence[Mapping[str, Any]], atoms: Atoms, by: Any, **picked: Any) -> pd.DataFrame:
    """The table of `Run.calibration`; `rows` are those of the plan that were `picked`."""
    import pandas as pd

    levels = levels_asked(run)
    at = {interval: ends(interval, levels) for interval in INTERVALS}
    crossings = _crossings(rows, atoms)
    counted = [one for _, of in run.evidence(_COUNTED, by, **picked) for one in of]
    outside = {
        interval: [one for _, of in run.evidence(_outside(*there), by, **picked) for one in of]
        for interval, there in at.items()
        if there is not None
    }
    out: list[dict[str, Any]] = []
    for i, one in enumerate(counted):
        head: dict[str, Any] = {"data": one.data, "source": one.source, "forecaster": one.forecaster}
        head |= {"versus": one.control} | {
            f"crossed_{arm}": crossings.get((one.data, one.source, one.forecaster, of), np.nan)
            for arm, of in (("control", one.control), ("synthetic", "synthetic"))
        }
        found = {interval: None if interval not in outside else _covered(outside[interval][i], one) for interval in at}
        for p, place in enumerate(one.places):
            for interval in INTERVALS:
                row = {**head, **placed(by, place), "interval": interval}
                out.append(row | _figures(one, found[interval], p))
    return pd.DataFrame(out, columns=["data", "source", "forecaster", "versus", *PLACES[by], *COLUMNS])


def _covered(outside: Evidence, counted: Evidence) -> Coverage | None:
    if counted.status != "ok":
        return None
    return coverage(outside.losses, counted.losses["control"][0], counted.clusters)


def _figures(one: Evidence, found: Coverage | None, p: int) -> dict[str, Any]:
    status = _status(one, p)
    if status != "ok":
        return {"status": status}
    if found is None:
        return {"n_used": int(one.used[p]), "status": NOT_ASKED}
    row: dict[str, Any] = {"n_used": int(one.used[p])}
    for arm, of in zip(_ARMS, (found.control, found.synthetic), strict=True):
        value, low, high = _interval(of, p)
        row |= {f"coverage_{arm}": value, f"low_{arm}": max(low, 0.0), f"high_{arm}": min(high, 1.0)}
    value, low, high = _interval(found.difference, p)
    counts = one.counts
    row |= {"difference": value, "low": low, "high": high, "verdict": _judged(one, low, high)}
    row |= {"series": counts.series, "blocks": counts.blocks, "replicates": counts.replicates}
    return row | {"status": "not applicable" if one.transfer == "none" else "ok" if one.whole else "partial"}


def _judged(one: Evidence, low: float, high: float) -> str:
    """The verdict on an interval of a difference, "cannot tell" where there is too little to decide anything."""
    counts = one.counts
    if not counts.enough or (one.overlapping and counts.series < OVERLAPPING_SERIES):
        return CANNOT_TELL
    said = verdict(low, high)
    # what one arm could not forecast may be what its intervals would have missed, and chance is not seen in few draws
    unseen = one.uneven or (one.stochastic and one.clusters.counts.replicates < LEAST_REPLICATES)
    return CANNOT_TELL if said == EQUIVALENT and unseen else said


def _status(one: Evidence, p: int) -> str:
    """ "ok", or why there is no figure at a place."""
    if one.status != "ok":
        return one.status
    if not one.taught[p]:
        return "not taught"
    return "ok" if one.used[p] and not np.isnan(one.losses["control"][:, :, p]).any() else "no pairs"


def _interval(of: Estimate, p: int) -> tuple[float, float, float]:
    value, half = float(of.value[p]), float(of.half(0.975)[p])
    return value, value - half, value + half


def _crossings(rows: Sequence[Mapping[str, Any]], atoms: Atoms) -> dict[tuple[str, str, str, str], float]:
    """Share of the pairs of each arm whose quantiles crossed before they were sorted, over all replicates."""
    cells: dict[tuple[str, str, str, str], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        if row["source"]:
            place = row["data"], row["source"], row["forecaster"], row["arm"]
            cells.setdefault(place, {})[row["cell"]] = row
    out = {}
    for place, of in cells.items():
        told = [(atoms.ended(row), atoms.info(cell)) for cell, row in of.items()]
        fine = [(ended, info) for ended, info in told if ended.quantiles is not None]
        pairs = sum((len(e.forecasts) - len(e.failed)) * e.forecasts.shape[1] for e, _ in fine)
        out[place] = min(sum(info["crossed"] for _, info in fine) / pairs, 1.0) if pairs else np.nan
    return out


def pit(run: Opened, **picked: Any) -> pd.DataFrame:
    """The table of `Run.pit`."""
    import pandas as pd

    levels = levels_asked(run)
    counted = [one for _, of in run.evidence(_COUNTED, "horizon", **picked) for one in of]
    below = [[one for _, of in run.evidence(_below(i), "horizon", **picked) for one in of] for i in range(len(levels))]
    out = [row for i, one in enumerate(counted) for row in _pit_rows(one, [of[i] for of in below], levels)]
    return pd.DataFrame(out, columns=list(PIT_COLUMNS))


def _pit_rows(counted: Evidence, below: Sequence[Evidence], levels: tuple[float, ...]) -> Iterator[dict[str, Any]]:
    edges = (0.0, *levels, 1.0)
    head = {"data": counted.data, "source": counted.source, "forecaster": counted.forecaster}
    last = len(counted.places) - 1
    status = _status(counted, last)
    for arm, shown in (("control", counted.control), ("synthetic", "synthetic")):
        if status != "ok":
            yield {**head, "arm": shown, "status": status}
            continue
        pairs = counted.losses["control"][0][:, last:]
        # all leads together; below the first level and above the last one there is a share too
        hits = [one.losses[arm][:, :, last:] for one in below]
        every = np.broadcast_to(pairs, hits[0].shape)
        between = [upper - lower for lower, upper in zip([np.zeros_like(every), *hits], [*hits, every], strict=True)]
        found = [estimated(share(one, pairs), pairs, counted.clusters) for one in between]
        cumulated = np.cumsum([one.value[0] for one in found])[:-1]
        deviation = float(np.abs(cumulated - levels).max())
        for i, one in enumerate(found):
            value, low, high = _interval(one, 0)
            yield {
                **head,
                **{"arm": shown, "above": edges[i], "below": edges[i + 1], "share": value},
                **{"low": max(low, 0.0), "high": min(high, 1.0), "expected": edges[i + 1] - edges[i]},
                **{"deviation": deviation, "n_used": int(counted.used[last])},
                "status": "ok" if counted.whole else "partial",
            }
