"""What perturbed histories cost each arm, and how much more the synthetic one loses: degradation and its gap, read.

Degradation is ln of an arm's error from perturbed histories over its own error from clean ones, on the windows that all
four forecasts have. The gap of degradation is that of the synthetic arm less that of its control.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsgap.atoms import Atoms
from tsgap.errors import ContractError
from tsgap.evidence import NO_WINDOWS, Place, Row, distinct, placed, rows_by_arm, scored
from tsgap.findings import Rules
from tsgap.gap import Clusters, Linear, log_ratio
from tsgap.horizon import METRIC_FAILED, NO_EFFECT, TOO_MANY_FAILED
from tsgap.panel import Floats, Ints
from tsgap.perturbing import ATTACK, PERTURBATIONS, WORDS, arms_under
from tsgap.protocols import MetricSpec

if TYPE_CHECKING:
    import pandas as pd

#: Status of an attack on a forecaster that does not tell its gradient, and where a clean forecast is without an error.
NO_GRADIENT, NO_ERROR = "no gradient", "no error"
ARMS = ("synthetic", "control")
COLUMNS = (
    *("data", "source", "forecaster", "memory", "versus", "metric", "view", "bin", "first", "last"),
    *(f"degradation_{arm}{end}" for arm in reversed(ARMS) for end in ("", "_low", "_high")),
    *("gap", "low", "high", "percent", "percent_low", "percent_high"),
    *("n_used", "n_failed", "n_excluded", "flag", "status"),
)


@dataclass(frozen=True, eq=False)
class Stressed:
    """Losses of both arms, from clean and from perturbed histories, summed over the leads of each place.

    `clean` and `perturbed` (K, N, P) of each of `ARMS`, K = 1 where all replicates are one cell: the pairs are those
    that every replicate of all four has. `failed` windows have no forecast in some of them and count in none;
    `excluded` have no scale to be perturbed by. `taught` and `used` (P,). `status` is "ok", or why there is nothing.
    """

    places: tuple[Place, ...]
    status: str = "ok"
    learned: bool = True
    clean: Mapping[str, Floats] = field(default_factory=dict)
    perturbed: Mapping[str, Floats] = field(default_factory=dict)
    clusters: Clusters | None = None
    root: bool = False
    taught: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))
    used: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    failed: int = 0
    excluded: int = 0

    def degradation(self, arm: str) -> Linear:
        """ln of the arm's error from perturbed histories over that from clean ones."""
        return log_ratio(self.perturbed[arm], self.clean[arm], root=self.root)

    @property
    def gap(self) -> Linear:
        """How much more the synthetic arm loses than its control."""
        return self.degradation("synthetic").minus(self.degradation("control"), paired=True)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The figures of each place."""
        counts = {"n_failed": self.failed, "n_excluded": self.excluded}
        if self.status != "ok" or self.clusters is None:
            for _ in self.places:
                yield {**counts, "n_used": 0, "flag": "", "status": self.status}
            return
        statistics = {f"degradation_{arm}": self.degradation(arm) for arm in ARMS} | {"gap": self.gap}
        found = {name: one.estimated(self.clusters) for name, one in statistics.items()}
        halves = {name: one.half(0.975) for name, one in found.items()}
        for i in range(len(self.places)):
            row: dict[str, Any] = {
                **counts,
                "n_used": int(self.used[i]),
                "flag": "",
                "status": self._status(i, found["gap"].value[i]),
            }
            if row["status"] in ("ok", "partial", "not applicable"):
                for name, one in found.items():
                    value, half = float(one.value[i]), float(halves[name][i])
                    low, high = ("low", "high") if name == "gap" else (f"{name}_low", f"{name}_high")
                    row |= {name: value, low: value - half, high: value + half}
                row |= {f"percent{end}": 100 * np.expm1(row[of]) for end, of in _PERCENT}
                # comparisons with NaN are False: what is not known is not proven
                row["flag"] = "warn" if row["low"] > Rules().log_margin else ""
            yield row

    def _status(self, i: int, gap: float) -> str:
        if not self.taught[i]:
            return "not taught"
        if not self.used[i]:
            return "no pairs"
        if not np.isfinite(gap):
            return NO_ERROR
        if not self.learned:
            return "not applicable"
        return "partial" if self.failed else "ok"


_PERCENT = (("", "gap"), ("_low", "low"), ("_high", "high"))


def stressed(
    view: str,
    by_arm: Mapping[str, Sequence[Row]],
    control: str,
    atoms: Atoms,
    metric: MetricSpec,
    places: Sequence[Place],
    *,
    without_effect: bool = False,
) -> Stressed:
    """What one view says of one source and forecaster; the last of the `places` holds all leads together.

    `by_arm` are the rows of a plan by their arm, in the order of their replicates.
    """
    facts: dict[str, Any] = {"places": tuple(places), "root": metric.aggregate == "root-mean"}
    names = {"synthetic": "synthetic", "control": control}
    rows = {(of, ""): by_arm.get(arm, ()) for of, arm in names.items()}
    rows |= {(of, under): by_arm.get(under, ()) for of, arm in names.items() for under in arms_under(view, arm)}
    first = next(iter(rows["synthetic", ""]), None)
    if first is None or not rows["control", ""] or first["error"]:
        status = "missing" if first is None else atoms.ended(first).status if first["error"] else "no control"
        return Stressed(status=status, **facts)
    if not all(rows.values()):
        return Stressed(status=NO_GRADIENT if PERTURBATIONS[view][0][0] == ATTACK else "missing", **facts)
    truth = atoms.truth(first["data"])
    kept = np.flatnonzero(~np.isnan(truth.scales["mae"]))
    facts |= {"learned": first["transfer"] != "none", "excluded": len(truth.values) - len(kept)}
    ended = {place: [atoms.ended(row) for row in of] for place, of in rows.items()}
    status = next((told for of in ended.values() for e in of if (told := e.under(metric)) != "ok"), "ok")
    if status == "ok" and without_effect:
        status = NO_EFFECT
    if status == "ok" and not len(kept):
        status = NO_WINDOWS
    if status != "ok":
        return Stressed(status=status, **facts)
    failed = np.logical_or.reduce([e.failures(len(truth.values))[kept] > 0 for of in ended.values() for e in of])
    facts["failed"] = int(failed.sum())
    if failed.mean() > 0.5:
        return Stressed(status=TOO_MANY_FAILED, **facts)
    different = {"/".join(place): distinct(rows[place], of) for place, of in ended.items()}
    try:
        found = scored(different, metric, truth, places, None, kept)
    except ContractError as err:
        return Stressed(status=f"{METRIC_FAILED}: {err}", **facts)
    reached = min(e.forecasts.shape[1] for of in different.values() for e in of)
    under = {of: [found.losses["/".join(place)] for place in rows if place[0] == of and place[1]] for of in ARMS}
    draws = np.array([row["draw"] for row in rows["synthetic", ""]], dtype=np.int64)
    taught = np.array([last <= reached for _, last in places])
    return Stressed(
        clean={of: found.losses[f"{of}/"] for of in ARMS},
        perturbed={of: _worse(signs) for of, signs in under.items()},
        clusters=Clusters.of(truth.series[kept], truth.block[kept], draws, np.asarray(found.counting.any(1))),
        taught=taught,
        used=found.used * taught,
        **facts,
    )


def _worse(signs: Sequence[Floats]) -> Floats:
    """Losses (K, N, P) of the sign that is worse in each window of each replicate, over the leads of the last place."""
    if len(signs) == 1:
        return signs[0]
    one, other = signs
    return np.where(other[:, :, -1:] > one[:, :, -1:], other, one)


def table(
    rows: Sequence[Row],
    atoms: Atoms,
    metric: MetricSpec,
    places_of: Callable[[str], Sequence[Place]],
    *,
    on: str = "total",
    without_effect: Callable[[str, str], bool] = lambda data, forecaster: False,
) -> pd.DataFrame:
    """The table of `Run.robustness` from the rows of a plan, those of clean and of perturbed histories.

    `places_of` gives the places of a data set, `without_effect` says whether a forecaster ignores its training.
    """
    import pandas as pd

    there: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row["source"]:
            there.setdefault((row["data"], row["source"], row["forecaster"]), []).append(row)
    out: list[dict[str, Any]] = []
    for (data, source, forecaster), of in there.items():
        by_arm, control = rows_by_arm(of, on)
        head = {"data": data, "source": source, "forecaster": forecaster, "memory": of[0]["memory"]}
        head |= {"versus": control, "metric": metric.name}
        asked = list(places_of(data))
        whole = 1, max(last for _, last in asked)
        places = [*(place for place in asked if place != whole), whole]
        ignores = without_effect(data, forecaster)
        for view in PERTURBATIONS:
            found = stressed(view, by_arm, control, atoms, metric, places, without_effect=ignores)
            for place, row in zip(places, found.rows(), strict=True):
                out.append({**head, "view": view, **placed("bin", place), **row})
    return pd.DataFrame(out, columns=list(COLUMNS))


def sentences(frame: pd.DataFrame) -> Iterator[str]:
    """What the rows of `Run.robustness` say of each source, over all leads together: one sentence each.

    Probes and forecasters that learn nothing are left out.
    """
    frame = frame[(frame.memory != "lag") & (frame.status != "not applicable")]
    for (data, source, metric), block in frame.groupby(["data", "source", "metric"], sort=False):
        longest = block[(block["first"] == 1) & (block["last"] == block["last"].max())]
        yield f"{data}: {source}: {_sentence(longest, str(metric).upper())}"


def _sentence(whole: pd.DataFrame, metric: str) -> str:
    known: list[Any] = list(whole[whole.status.isin(["ok", "partial"])].itertuples())
    lost = sorted({str(one) for one in whole.status[~whole.status.isin(["ok", "partial", NO_GRADIENT])]})
    rest = f"; not known everywhere: {', '.join(lost)}" if lost else ""
    if not known:
        return f"how its forecasts bear perturbed histories is not known: {', '.join(lost) or NO_GRADIENT}"
    over = f"{metric}, leads 1-{known[0].last}"
    worse = [one for one in known if one.flag]
    least = min(known, key=lambda one: one.percent_high)
    if least.percent_high < -100 * Rules().margin:
        rest += (
            f"; under {WORDS[least.view]} {least.forecaster} loses {-least.percent:.1f} % less, as a forecaster does "
            "that uses its history less: that is no praise where the gap is large"
        )
    most = max(worse or known, key=lambda one: one.percent)
    who = f"{most.forecaster} trained on synthetic series"
    by = f"95 % interval {most.percent_low:.1f} to {most.percent_high:.1f} %; {over}"
    if worse:
        others = [WORDS[view] for view in dict.fromkeys(one.view for one in worse) if view != most.view]
        also = f"; also worse under {', '.join(others)}" if others else ""
        return f"{who} loses {most.percent:.1f} % more under {WORDS[most.view]} ({by}){also}{rest}"
    margin, last = 100 * Rules().margin, max(known, key=lambda one: one.percent_high)
    if last.percent_high < margin and not lost:
        return (
            f"trained on synthetic series no forecaster loses {margin:g} % more under any perturbation; at most "
            f"{max(last.percent_high, 0):.1f} % under {WORDS[last.view]} ({over}){rest}"
        )
    return (
        f"no perturbation is proven to cost more than {margin:g} % extra; most under {WORDS[most.view]}: {who} loses "
        f"{most.percent:.1f} % more ({by}){rest}"
    )
