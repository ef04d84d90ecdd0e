"""A run's gaps and verdicts: the evidence of every source and forecaster as a table, or put before the gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from tsgap import verdict_formats
from tsgap.battery import ALL, WORSE, Battery, Mean
from tsgap.errors import UnknownNameError, UsageError
from tsgap.evidence import CONTROLS, PLACES, Evidence, Place, placed
from tsgap.findings import FAIL, INCONCLUSIVE, INSUFFICIENT_DATA, NO_SIGNAL, PASS, Rules, Verdict
from tsgap.formats import one_line
from tsgap.frequency import horizons as parsed_horizons
from tsgap.gap import Estimate, independent_mean, lead_bins, lost
from tsgap.gate import judged
from tsgap.grouping import COVERAGE
from tsgap.sentences import sentence
from tsgap.worst_group import judged_by_group

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.opened import Opened
    from tsgap.run import Run

#: What a gap is a figure for: a bin of leads, one lead alone, or leads 1..h together.
GapBy = Literal["bin", "lead", "horizon"]
#: Ends of bins: steps, or multiples of the season like "1m", joined by commas or not.
Horizons = str | int | Sequence[int | str]
#: Verdicts from the worst to the best: that of several is the worst.
SEVERITY = (FAIL, INSUFFICIENT_DATA, INCONCLUSIVE, NO_SIGNAL, PASS)
#: How a verdict that is neither PASS nor FAIL may be taken.
INCONCLUSIVE_IS = ("fail", "warn")

_FIGURES = (
    *("gap", "low", "high", "percent", "percent_low", "percent_high", "half_width", "assay", "assay_low", "rho"),
    *("series", "blocks", "replicates", "needed_series", "needed_blocks", "n_used", "status"),
)


def places_of(run: Opened, data: str, by: str = "bin", horizons: Horizons = ()) -> tuple[Place, ...]:
    """First and last lead of each place of a data set; `horizons` are the ends of its bins (default: by season)."""
    told = run.manifest["data"][data]
    longest = max(told["horizons"])
    if horizons or horizons == "":
        ends = parsed_horizons(str(horizons) if isinstance(horizons, int) else horizons, told["seasons"][0])
        if by != "bin":
            raise UsageError(f"horizons are the ends of bins, they do not go with a gap by {by}")
        if ends[-1] > longest:
            raise UsageError(
                f"{data}: horizon {ends[-1]} was not forecast; the longest horizon of this run is {longest}"
            )
        return tuple(zip([1, *(end + 1 for end in ends[:-1])], ends, strict=True))
    if by == "bin":
        return tuple(lead_bins(longest, told["seasons"][0]))
    if by == "lead":
        return tuple((lead, lead) for lead in range(1, longest + 1))
    if by == "horizon":
        return tuple((1, h) for h in sorted(told["horizons"]))
    raise UnknownNameError.of("gap by", by, get_args(GapBy))


def gaps(
    run: Run,
    metric: str,
    by: GapBy,
    *,
    data: Any = None,
    source: Any = None,
    forecaster: Any = None,
    on: str = "total",
) -> pd.DataFrame:
    """The table of `Run.gap`."""
    import pandas as pd

    check_carries(metric, "has no gap")
    level = 0.975
    rows: list[dict[str, Any]] = []
    means: dict[tuple[str, int], list[_Found]] = {}
    names = set()
    for (name, where), evidence in run.evidence(metric, by, data=data, source=source, forecaster=forecaster, on=on):
        names.add(name)
        battery = Battery.of(evidence)
        for one in evidence:
            rows += _rows(one, by, metric, level, behind=one.forecaster in battery.behind)
        mean = battery.mean(evidence)
        if battery.several:
            rows += _rows(mean.evidence, by, metric, level, mean=mean)
        if mean.gap is None:
            continue
        found = mean.gap.estimated(mean.evidence.clusters)
        for i, place in enumerate(mean.evidence.places):
            if mean.evidence.taught[i] and not np.isnan(mean.gap.value[i]):
                means.setdefault((where, i), []).append(_Found(place, found.at(i), mean.whole))
    rows += _over_data(means, len(names), by, metric, level)
    return pd.DataFrame(rows, columns=["data", "source", "forecaster", "versus", "metric", *PLACES[by], *_FIGURES])


def _rows(
    one: Evidence,
    by: GapBy,
    metric: str,
    level: float,
    *,
    behind: bool = False,
    mean: Mean | None = None,
) -> list[dict[str, Any]]:
    head = {
        "data": one.data,
        "source": one.source,
        "forecaster": one.forecaster,
        "versus": one.control,
        "metric": metric,
    }
    if one.status != "ok":
        return [{**head, **placed(by, place), "status": one.status} for place in one.places]
    gap, assay = (one.gap, one.assay) if mean is None or mean.gap is None else (mean.gap, mean.assay)
    found = gap.estimated(one.clusters)
    seen = None if assay is None else assay.estimated(one.clusters)
    margin = Rules().log_margin
    rho = np.full(len(one.places), np.nan) if seen is None else lost(found.value, seen.value, seen.lower(), margin)
    needed = found.needed(np.abs(margin - found.value))
    out = []
    for i, place in enumerate(one.places):
        row = {**head, **placed(by, place), "n_used": int(one.used[i])}
        if not one.taught[i] or np.isnan(gap.value[i]):
            out.append({**row, "status": "no pairs" if one.taught[i] else "not taught"})
            continue
        row |= _figures(found, i, level) | {"needed_series": needed[0][i], "needed_blocks": needed[1][i]}
        if seen is not None:
            row |= {"assay": seen.value[i], "assay_low": seen.lower()[i], "rho": rho[i]}
        status = "ok" if one.whole else "partial"
        status = "not applicable" if one.transfer == "none" else WORSE if behind else status
        out.append({**row, "status": status})
    return out


def _figures(found: Estimate, i: int, level: float) -> dict[str, Any]:
    value, half = float(found.value[i]), float(found.half(level)[i])
    counts = found.counts
    return {
        "gap": value,
        "low": value - half,
        "high": value + half,
        "percent": 100 * np.expm1(value),
        "percent_low": 100 * np.expm1(value - half),
        "percent_high": 100 * np.expm1(value + half),
        "half_width": float(found.half()[i]),
        "series": counts.series,
        "blocks": counts.blocks,
        "replicates": counts.replicates,
    }


@dataclass(frozen=True)
class _Found:
    """The mean over the forecasters of a data set at one place, and whether all of them are in it, without a loss."""

    place: Place
    gap: Estimate
    whole: bool


def _over_data(
    means: Mapping[tuple[str, int], Sequence[_Found]], n: int, by: GapBy, metric: str, level: float
) -> Iterator[dict[str, Any]]:
    """The geometric mean over data sets: of the bins of equal rank, or of leads and horizons that all of them have."""
    if n < 2:
        return
    for (source, _), at in means.items():
        places = {one.place for one in at}
        if len(at) < n or (len(places) > 1 and by != "bin"):
            continue
        found = independent_mean([one.gap for one in at])
        status = "ok" if all(one.whole for one in at) else "partial"
        first, last = min(p[0] for p in places), max(p[1] for p in places)
        head = {"data": ALL, "source": source, "forecaster": ALL, "versus": "", "metric": metric}
        yield {**head, **placed(by, (first, last)), **_figures(found, 0, level), "status": status}


@dataclass(frozen=True)
class Gate:
    """The verdicts of a run, one for each data set and source, and what they were asked about.

    `run` and `baseline` are folders; `on` is the gap that was judged, `versions` those of tsgap and its libraries.
    """

    verdicts: tuple[Verdict, ...]
    run: str = ""
    metric: str = "mase"
    on: str = "total"
    baseline: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def counted(self) -> tuple[Verdict, ...]:
        """The verdicts that count: the noise floor is no source, and counts only where nothing else was asked for."""
        return tuple(one for one in self.verdicts if not one.noise_floor) or self.verdicts

    @property
    def verdict(self) -> str:
        """The worst of those that count."""
        return min((one.verdict for one in self.counted), key=SEVERITY.index)

    @property
    def passed(self) -> bool:
        """Whether there are verdicts and all that count are PASS."""
        return bool(self.counted) and all(one.verdict == PASS for one in self.counted)

    def exit_code(self, inconclusive: str = "fail") -> int:
        """What `tsgap gate` exits with: 0 PASS, 1 FAIL, else 3.

        With `inconclusive` ``"warn"`` mere doubt is 0 too; a cell that failed or is missing, leads that were never
        taught, test data among the training series, a failed self-check, a baseline that cannot be compared, leads
        without a figure, or no gated forecaster at all are 3 as before.
        """
        if inconclusive not in INCONCLUSIVE_IS:
            raise UnknownNameError.of("way to take doubt", inconclusive, INCONCLUSIVE_IS)
        if self.passed:
            return 0
        if any(one.verdict == FAIL for one in self.counted):
            return 1
        forgiven = inconclusive == "warn" and self.counted
        return 0 if forgiven and all(one.verdict == PASS or one.is_doubt for one in self.counted) else 3

    def to_frame(self) -> pd.DataFrame:
        """One row for each bin of each forecaster, with its `outcome`; gaps and bounds are log ratios."""
        return verdict_formats.frame_of(self)

    def to_text(self) -> str:
        """Sentences, bins and reasons, and the next command."""
        return verdict_formats.text_of(self)

    def to_markdown(self) -> str:
        """The same for a comment under a pull request."""
        return verdict_formats.markdown_of(self)

    def to_json(self, inconclusive: str = "fail") -> str:
        """Everything for a program; the key `schema` says which version of the keys."""
        return verdict_formats.json_of(self, inconclusive=inconclusive)

    def to_junit(self, inconclusive: str = "fail") -> str:
        """JUnit XML, a suite for each verdict, for what shows the tests of a pipeline."""
        return verdict_formats.junit_of(self, inconclusive=inconclusive)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Each verdict in one sentence that needs no statistics to be understood; one line each."""
        return tuple(one_line(sentence(one)) for one in self.verdicts)

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return verdict_formats.html_of(self)


def check_carries(metric: str, otherwise: str) -> None:
    """`UsageError` for a metric whose ratio of sums says nothing of accuracy."""
    from tsgap.plugins import registry

    found = registry()
    spec = found.named("metrics", metric).spec
    if spec.gateable and spec.nonnegative:
        return
    there = sorted(name for name, one in found.metrics.items() if one.spec.gateable and one.spec.nonnegative)
    why = "it prefers forecasts that are too low or too high" if spec.nonnegative else "its loss can be negative"
    raise UsageError(f"metric {metric!r} {otherwise}: {why}; take one of {', '.join(there)}, or see its profile")


def gated(
    run: Run,
    rules: Rules,
    *,
    metric: str = "mase",
    horizons: Horizons = (),
    data: Any = None,
    source: Any = None,
    forecaster: Any = None,
    on: str = "total",
    baseline: Run | None = None,
    worst_group: bool | Sequence[str] = False,
) -> Gate:
    """The verdicts of `Run.gate`."""
    check_carries(metric, "cannot be gated")
    if on not in CONTROLS:
        raise UnknownNameError.of("gap to gate on", on, CONTROLS)
    if not isinstance(worst_group, bool) and not worst_group:
        raise UsageError("worst_group is empty: name groupings, or take True for all of them")
    picked = {"data": data, "forecaster": forecaster, "on": on}
    before = {}
    if baseline is not None:
        for (name, where), evidence in baseline.evidence(metric, "bin", horizons=horizons, **picked):
            before[name, where] = {one.forecaster: one for one in evidence}
    out = []
    for (name, where), evidence in run.evidence(metric, "bin", horizons=horizons, source=source, **picked):
        accepted = None
        if baseline is not None:
            accepted = before.get((name, where)) or _only(before, name, where)
        checked, leaks = run.checked(name), run.leaks(name, where)
        verdict = judged(evidence, rules, caps=leaks, checked=checked, baseline=accepted)
        if worst_group:
            asked: dict[str, Any] = {"metric": metric, "horizons": horizons, "forecaster": forecaster, "on": on}
            groups = _by_group(run, name, where, worst_group, **asked)
            verdict = judged_by_group(verdict, groups)
        out.append(verdict)
    if not out:
        raise UsageError(f"{run.path}: there is no synthetic source in what was asked for, so there is no verdict")
    versions = {str(name): str(number) for name, number in (run.manifest.get("versions") or {}).items()}
    return Gate(tuple(out), str(run.path), metric, on, "" if baseline is None else str(baseline.path), versions)


def _by_group(
    run: Run, data: str, source: str, wanted: bool | Sequence[str], **asked: Any
) -> dict[str, dict[str, list[Evidence]] | str]:
    """The evidence of every group of the wanted groupings, last of all leads together, or why there are no groups.

    Without a name these are all but what the source covers: of a good one the rest is too small to tell anything.
    """
    there = {one.name: one for one in run.groupings(data, source)}
    if not there:
        raise UsageError(
            f"{run.path}: {data} has no groups; name group columns (--group NAME), or run the sweep with --diagnose"
        )
    names = [name for name in there if name != COVERAGE] if isinstance(wanted, bool) else wanted
    if not names:
        raise UsageError(
            f"{run.path}: {data} has no groups but those of {COVERAGE}: --worst-group {COVERAGE} asks for them"
        )
    out: dict[str, dict[str, list[Evidence]] | str] = {}
    for name in names:
        if name not in there:
            raise UnknownNameError.of("grouping", name, there, note=f"That is what is in this run of {data}.")
        grouping = there[name]
        if grouping.why:
            out[name] = grouping.why
            continue
        picked: dict[str, Any] = {**asked, "data": data, "source": source, "whole": True}
        out[name] = {
            group: found
            for group in grouping.groups
            for _, found in run.evidence(by="bin", among=grouping.among(group), **picked)
        }
    return out


def _only(before: dict[tuple[str, str], dict[str, Evidence]], data: str, source: str) -> dict[str, Evidence]:
    """The evidence of the one source that a baseline holds for a data set, whatever its name."""
    there = [one for (name, _), one in before.items() if name == data]
    if len(there) != 1:
        names = ", ".join(where for name, where in before if name == data) or "none"
        raise UsageError(
            f"the baseline has no source {source!r} for {data}, and not exactly one other to compare with ({names})"
        )
    return there[0]
