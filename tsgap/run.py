"""A run folder as tables: cells, forecasts, errors and profiles, computed anew from what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tsgap import records
from tsgap.atoms import Atoms, Truth
from tsgap.augment_reading import Asked, augmentations
from tsgap.augmentation import ARMS
from tsgap.comparisons import comparisons, is_without_effect, profiled
from tsgap.errors import StoreError, UnknownNameError, UsageError
from tsgap.horizon import BYS, By
from tsgap.panel import Floats
from tsgap.perturbing import ARMS as PERTURBED
from tsgap.protocols import MetricSpec
from tsgap.records import Names
from tsgap.store import Store

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from tsgap.augmentation import Augmentation
    from tsgap.evidence import Evidence
    from tsgap.examinations import Diagnostics
    from tsgap.explaining import Measured
    from tsgap.grouping import Grouping
    from tsgap.plots import Plots
    from tsgap.verdicts import GapBy, Gate, Horizons

_FIGURES = (
    *("metric", "control", "synthetic", "ratio", "skill_control", "skill_synthetic"),
    *("n_used", "n_total", "failed_control", "failed_synthetic", "valid", "status", "generator_saw"),
)


def load(path: str | Path) -> Run:
    """A run from its folder."""
    return Run(path)


def bench(manifest: Mapping[str, Any], data: str) -> dict[str, Any]:
    """What a self-check is good for: the windows of a data set, and the settings that decide how they are forecast."""
    settings = manifest.get("experiment", {})
    told = {name: settings.get(name) for name in ("scaling", "context")}
    return {"truth": manifest["data"][data]["truth"], "tsgap": manifest.get("tsgap"), **told}


#: Version of the rows of a plan; cells are kept under their content, whatever the rows look like.
PLAN_VERSION = 4


class Run:
    """The results of a sweep, read from its folder; a sweep that goes on is seen as it was when it was first read."""

    def __init__(self, path: str | Path, *, warnings: Sequence[str] = ()) -> None:
        self.path = Path(path)
        self._store = Store.open(self.path, create=False)
        self._store.warnings += warnings
        try:
            self.manifest: Mapping[str, Any] = self._store.read_json("manifest")
            plan: Mapping[str, Any] = self._store.read_json("plan")
        except StoreError as err:
            raise StoreError(f"{self.path}: there is no plan in it yet; run the sweep first ({err})") from err
        if plan.get("version") != PLAN_VERSION:
            raise StoreError(
                f"{self.path}: its plan was written by another version of tsgap (plan {plan.get('version')}, this one "
                f"reads {PLAN_VERSION}); run the same sweep again: what is computed already is reused"
            )
        every: list[dict[str, Any]] = plan["rows"]
        #: what is compared with a control, and what is added to the real series
        self._rows = [row for row in every if row["arm"] not in ARMS | PERTURBED]
        self._added = [row for row in every if row["arm"] in ARMS]
        #: forecasts from perturbed histories
        self._perturbed = [row for row in every if row["arm"] in PERTURBED]
        self._atoms = Atoms(self._store, self.manifest["data"], plan["cells"])
        self._without_effect: dict[tuple[str, str], bool] = {}
        self._keys = tuple(dict.fromkeys(r["cell"] for r in every if r["cell"]))

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.n_ended} of {self.n_cells} cells, {self.n_failed} failed)"

    def _repr_html_(self) -> str:
        from tsgap.formats import html_text

        return html_text(self.profile(), title=repr(self))

    @property
    def plot(self) -> Plots:
        """Draws the run: `run.plot()` is `run.plot.profile()`; needs the extra `plot`."""
        from tsgap.plots import Plots

        return Plots(self)

    @property
    def n_cells(self) -> int:
        """Cells of the plan."""
        return len(self._keys)

    @property
    def n_ended(self) -> int:
        """Cells of the plan that have ended, well or not."""
        return sum(key in self._atoms.finished for key in self._keys)

    @property
    def complete(self) -> bool:
        """Whether every cell of the plan has ended, well or not."""
        return self.n_ended == self.n_cells

    @property
    def n_failed(self) -> int:
        """Cells that failed, and rows of the plan that have no cell because their source failed.

        A cell in which every window failed has failed; one that is missing has not.
        """
        ends = [self._atoms.status(key) for key in self._keys]
        return sum(end not in ("ok", "missing") for end in ends) + sum(bool(row["error"]) for row in self._every)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was found damaged or contradictory while reading."""
        return tuple(self._store.warnings)

    def cells(self) -> pd.DataFrame:
        """One row for each arm of each comparison and replicate, in the order of the plan.

        `data, source, replicate, arm, share` (of what is added to the real series), `forecaster`; `status` (ok, error,
        timeout, crash, oom, contract, skipped, or missing); `n_failed` windows without a forecast; `stage` and `error`
        say what failed, or the first of those windows; `seconds` of work and `attempt`; `distribution` and `version`
        of the forecaster, its `transfer` and `scope`; then the footing: `paired, scaling, context, leads` that can be
        taught, `short` (length of short synthetic series), `pairs` after and `pairs_before` matching ((context,
        target) pairs; series where the scope is local), `trained_on` (fingerprint), `seed`, and the key `cell`. The
        rows of the arm ``real`` with an empty `source` are the seasonal-naive forecasts that skill is measured against.
        """
        return records.cells(self._every, self._atoms)

    def failures(self, *, data: Names = None, source: Names = None, forecaster: Names = None) -> pd.DataFrame:
        """The rows of `cells` that did not end well, are missing, or have windows without a forecast.

        With a column `traceback`: the end of what the worker had to say, empty where nothing was kept.
        """
        return records.failures(self._picked(data, source, forecaster, added=True), self._atoms)

    def failed_windows(self, *, data: Names = None, source: Names = None, forecaster: Names = None) -> pd.DataFrame:
        """One row for each window without a forecast; cells that failed before they had one are in `failures` alone.

        `data, source, arm, forecaster, replicate, share` (of what is added to the real series), `unique_id, window,
        cutoff`, the `reason`, and the key `cell`.
        """
        return records.failed_windows(self._picked(data, source, forecaster, added=True), self._atoms)

    def forecasts(self, *, data: Names = None, source: Names = None, forecaster: Names = None) -> pd.DataFrame:
        """One row for each forecast of each cell that is ok, in the order of the plan, by window and lead.

        `data, source, arm, forecaster, replicate, unique_id, window, cutoff, lead, y, forecast`. `y` is NaN where
        the truth is missing, `forecast` where that window failed; leads that were not taught have no row. `cutoff`
        is the stamp of the last value that was known. An arm that serves several sources is repeated for each;
        rows with an empty `source` are the seasonal-naive forecasts that skill is measured against.
        """
        return records.forecasts(self._picked(data, source, forecaster), self._atoms)

    def errors(
        self, metric: str = "mae", *, data: Names = None, source: Names = None, forecaster: Names = None
    ) -> pd.DataFrame:
        """`forecasts` with columns `metric` and `loss`, the elementwise loss of one metric.

        NaN where it is left out: the truth or the forecast is missing, or the metric is not defined there. Raises
        `ContractError` where the metric breaks its contract.
        """
        return records.forecasts(self._picked(data, source, forecaster), self._atoms, self._metric(metric))

    def profile(
        self,
        metric: str | Sequence[str] = "mase",
        by: By = "horizon",
        *,
        group: str | None = None,
        data: Names = None,
        source: Names = None,
        forecaster: Names = None,
    ) -> pd.DataFrame:
        """Errors after training on real and on synthetic series, and their ratio, horizon by horizon.

        `by` is ``"horizon"`` (leads 1..h together, column `horizon`), ``"lead"`` (lead h alone, column `lead`) or
        ``"series"`` (columns `unique_id` and `horizon`). With `group`, the name of a static column, there is one
        block for each of its values (column `group`). One row for each `data`, `source`, `arm`, `versus`,
        `forecaster`, place and `metric`, in the order of the plan.

        `arm` is what the column `synthetic` was trained on: ``synthetic``, or ``null``, shuffled real series.
        `versus` is what `control` was trained on: ``real``; ``real-short``, real windows as short as the synthetic
        ones; or ``real-full``, all real data where matching cut more than a tenth of them. `ratio` is synthetic over
        control: 1 is no loss, more is worse; 1 where both are 0. `skill_control` and `skill_synthetic` are 1 − error
        over that of the seasonal-naive forecast on the same pairs.

        `n_used` of `n_total` pairs (window, lead) are those where the truth is known, the metric is defined, and
        every replicate of both arms has a forecast; `failed_control` and `failed_synthetic` count windows without
        one, over all replicates: the figures of a row with failures are over the pairs that are left, comparable
        within the row and not with other forecasters' rows. `valid` is False where the actuals make percentages
        meaningless.

        `status`: ok; partial (figures, but some windows failed); not applicable (nothing is learned: the ratio is
        1); training has no effect (it is said to learn, but its forecasts are bit for bit the same whatever it was
        trained on: there is no ratio). Without figures: not taught (the series are too short to teach that lead);
        too many failed (more pairs are lost to failures than are left); no pairs (or all of weight 0); metric failed,
        with the reason (it raises, or gives something else than a loss for each pair); no quantiles (the metric needs
        them, the forecaster has none, or the sweep asked for none); or how the first cell that is
        not ok ended (error, timeout, crash, oom, contract, skipped, missing). `generator_saw`: the training part (tsgap
        fitted the generator), the declared stamp up to which real data were seen, or undeclared.
        """
        import pandas as pd

        if by not in BYS:
            raise UnknownNameError.of("profile", by, BYS)
        metrics = {name: self._metric(name) for name in ([metric] if isinstance(metric, str) else metric)}
        place = {"horizon": ("horizon",), "lead": ("lead",), "series": ("unique_id", "horizon")}[by]
        head = ("data", "source", "arm", "versus", "forecaster", *(() if group is None else ("group",)))
        columns = [*head, *place, *_FIGURES]
        frames = []
        for one in comparisons(self._picked(data, source, forecaster)):
            asked: dict[str, Any] = {"by": by, "group": group, "baseline": self._naive(one.data)}
            asked["without_effect"] = self._is_without_effect(one.data, one.forecaster)
            for name, spec in metrics.items():
                table = profiled(one, self._atoms, spec, **asked) | {"metric": name}
                frames.append(pd.DataFrame(table, columns=columns))
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)

    def gap(
        self,
        metric: str = "mase",
        by: GapBy = "bin",
        *,
        data: Names = None,
        source: Names = None,
        forecaster: Names = None,
        on: Literal["total", "fidelity"] = "total",
    ) -> pd.DataFrame:
        """The gap between training on synthetic and on real series, place by place, and how sure it is.

        `by` is ``"bin"`` (columns `bin`, `first`, `last`: leads that count together), ``"lead"`` (lead h alone) or
        ``"horizon"`` (leads 1..h together). `gap` is the log ratio of summed errors, synthetic over control, `low` to
        `high` its 95 % interval, `percent…` the same as per cent worse; 0 is no loss, negative is better than real,
        which is no proof of fidelity. `half_width` is the smallest gap that could be told from none (one-sided, 95
        %). `assay` is the same log ratio for shuffled training, `assay_low` its lower bound: what could be seen at
        all; `rho`, the share of the real skill that is lost, stands only where the assay is proven larger than 5 %.
        `series`, `blocks` (of origins on the calendar) and `replicates` are what the interval rests on;
        `needed_series` and `needed_blocks` are how many of them alone would tell the gap from one of 5 %.

        `on`: ``"total"`` compares with all real data; ``"fidelity"`` with real windows as short as the synthetic
        ones, where there are such. Forecaster ``"all"`` is the geometric mean over those that learn (but for the lag
        probe), data ``"all"`` over data sets, bins by their rank. `status` as in `profile`.
        """
        from tsgap.verdicts import gaps

        return gaps(self, metric, by, data=data, source=source, forecaster=forecaster, on=on)

    def calibration(
        self, by: GapBy = "bin", *, data: Names = None, source: Names = None, forecaster: Names = None
    ) -> pd.DataFrame:
        """Share of true values inside of central 50, 80 and 95 % intervals, after real and after synthetic training.

        One row for each `data`, `source`, `forecaster`, place (as in `gap`) and `interval` (0.5, 0.8, 0.95).
        `coverage_control` and `coverage_synthetic` with their 95 % intervals `low_…` to `high_…`; `difference` is
        synthetic less control, `low` to `high` its 95 % interval. `verdict`: equivalent where that interval lies within
        5 points (two one-sided tests at 2.5 % each), differs where it lies beyond 5 points, else cannot tell. So it is
        with less data than decides anything; and nothing is equivalent where a window failed in some arm or replicate
        and not in all, or where there is chance and fewer than 3 replicates. `crossed_…` is the share of the pairs of
        an arm whose quantiles crossed before they were sorted, over all leads. Pairs count as in `gap`. `status` as
        there, or not asked for: the sweep did not ask for both quantiles that the interval ends at. Raises
        `UsageError` where it asked for none.
        """
        from tsgap.calibration import table

        rows = self._picked(data, source, forecaster)
        return table(self, rows, self._atoms, by, data=data, source=source, forecaster=forecaster)

    def pit(self, *, data: Names = None, source: Names = None, forecaster: Names = None) -> pd.DataFrame:
        """Share of true values between neighbouring quantiles, over all leads, by arm: a histogram of the PIT.

        One row for each `data`, `source`, `forecaster`, `arm` and pair of levels `above` and `below`: the `share` with
        its 95 % interval `low` to `high`, and what is `expected`. `deviation` is how far the share below a level is
        from that level where it is furthest, the same in all rows of an arm. A true value that is the quantile itself
        lies half below it. `status` as in `calibration`.
        """
        from tsgap.calibration import pit

        return pit(self, data=data, source=source, forecaster=forecaster)

    def validation(
        self, metric: str = "mase", *, data: Names = None, source: Names = None, forecaster: Names = None
    ) -> pd.DataFrame:
        """How far an error found by validating on held-out synthetic series is below that of the real test.

        One row for each `data`, `source` and `forecaster`, over leads 1..`horizon`, those that all have. The errors are
        named by what was trained on and what was forecast: `synthetic_on_synthetic`, `real_on_synthetic`,
        `synthetic_on_real` and `real_on_real`; the synthetic arm is trained on what is left of the synthetic series.
        `drop` = ln(synthetic_on_real / synthetic_on_synthetic) with its 95 % interval `low` to `high`; above 0 the
        synthetic validation looks better than the real test, `percent` (= 100 (1 − e^−drop)) by how much.

        A scaled metric is divided by what `scaled_by` says, the same in both panels: the figure of the real series
        where the synthetic ones are their twins; else, series by series, the mean |y| or standard deviation of as many
        values before each window as a forecaster looks back. `n_real` and `n_synthetic` count windows. `status`: ok;
        partial (some windows failed); control: … (the real arm has no errors); no pairs; no error (all forecasts of a
        panel are exact); not measurable, with the reason; else as in `profile`. Raises `UsageError` where the sweep
        was not asked for it.
        """
        from tsgap.validation import table

        if "validation" not in self.manifest:
            raise UsageError(
                f"{self.path}: nothing was held out to validate on; run the sweep with --validation (validation=True)"
            )
        picked, held = self._picked(data, source, forecaster), self.manifest["validation"]
        return table(picked, self._atoms, self._metric(metric), held, self._store.read_table)

    def augmentations(
        self, metric: str = "mase", *, data: Names = None, source: Names = None, forecaster: Names = None
    ) -> list[Augmentation]:
        """What adding each source to the real series does, by data set and forecaster, in the order of the plan.

        Raises `UsageError` where the sweep was not asked for it.
        """
        from tsgap.verdicts import places_of

        if "augmentation" not in self.manifest:
            raise UsageError(
                f"{self.path}: nothing was added to the real series; run the sweep with --augment (augment='also'), or "
                "'tsgap augment'"
            )
        asked = Asked(self._metric(metric), lambda name: places_of(self, name), self._store.read_table, self.leaks)
        told = {
            name: {**of, "subjects": [one for one in of["subjects"] if records.among(one["source"], source)]}
            for name, of in self.manifest["augmentation"].items()
            if records.among(name, data)
        }
        rows = [row for row in self._picked(data, source, forecaster, added=True) if row["arm"] in ARMS]
        labels = [shown for shown in self.manifest["forecasters"] if records.among(shown, forecaster)]
        return list(augmentations(rows, self._atoms, told, labels, asked))

    def robustness(
        self,
        metric: str = "mase",
        by: GapBy = "bin",
        *,
        data: Names = None,
        source: Names = None,
        forecaster: Names = None,
        on: Literal["total", "fidelity"] = "total",
    ) -> pd.DataFrame:
        """How much more accuracy the synthetic arm loses than its control when histories are perturbed.

        One row for each `data`, `source`, `forecaster`, `view` (what is done to the histories, see
        `tsgap.perturbing.PERTURBATIONS`) and place, the last of them all leads together; `by` and `on` as in `gap`.
        `degradation_control` and `degradation_synthetic` are ln of the error from perturbed histories over that from
        clean ones, `gap` is the second less the first, each with its 95 % interval; `percent…` is what the synthetic
        arm loses more, in per cent. `flag` is "warn" where it is proven above 5 %. The attack counts, window by window,
        with the worse of its two signs over all leads. `n_failed` windows have no forecast in some arm, clean or
        perturbed, and count in none; `n_excluded` have no scale to be perturbed by. `status` as in `profile`; "no
        gradient" where a forecaster does not tell what an attack needs. Raises `UsageError` where the sweep was not
        asked for it.
        """
        from tsgap.stress import table
        from tsgap.verdicts import check_carries, places_of

        if not self.manifest["experiment"].get("stress"):
            raise UsageError(f"{self.path}: no history was perturbed; run the sweep with --stress (stress=True)")
        check_carries(metric, "has no gap of degradation")
        return table(
            self._picked(data, source, forecaster, added=True),
            self._atoms,
            self._metric(metric),
            lambda name: places_of(self, name, by),
            on=on,
            without_effect=self._is_without_effect,
        )

    def gate(
        self,
        margin: float = 0.05,
        *,
        retain: float = 0.5,
        metric: str = "mase",
        horizons: Horizons = (),
        data: Names = None,
        source: Names = None,
        forecaster: Names = None,
        on: Literal["total", "fidelity"] = "total",
        baseline: str | Path | Run | None = None,
        worst_group: bool | str | Sequence[str] = False,
    ) -> Gate:
        """PASS, FAIL or why it cannot be told, for each data set and source.

        PASS: in every bin of leads of every gated forecaster the gap is proven smaller than `margin` (a fraction),
        and real training to gain over shuffled training, of which at least the share `retain` is proven to be kept.
        FAIL: some gap is proven larger than the margin. NO_SIGNAL: shuffled training is as good as real. Else
        INSUFFICIENT_DATA or INCONCLUSIVE. `horizons` are the ends of the bins that are gated, in steps or in seasons
        like "1m" (default: by season, up to the longest horizon). `baseline`: the run of the last accepted version; a
        source that is proven worse fails. `worst_group`: the same is asked of every group of a grouping (its name, or
        True for all there are; see `subgroups`), of the gap over all leads: PASS only where it is proven smaller than
        the margin in each, FAIL where some is proven larger; a group that is too small to decide forbids a PASS.
        Raises `UsageError` where `metric` cannot be gated.
        """
        from tsgap.findings import Rules
        from tsgap.verdicts import gated

        before = Run(baseline) if isinstance(baseline, (str, Path)) else baseline
        rules = Rules(margin, retain)
        picked: dict[str, Any] = {"data": data, "source": source, "forecaster": forecaster}
        groups = (worst_group,) if isinstance(worst_group, str) else worst_group
        asked: dict[str, Any] = {"metric": metric, "horizons": horizons, "on": on, "baseline": before}
        return gated(self, rules, **asked, worst_group=groups, **picked)

    def evidence(
        self,
        metric: str | MetricSpec = "mase",
        by: GapBy = "bin",
        *,
        horizons: Horizons = (),
        data: Names = None,
        source: Names = None,
        forecaster: Names = None,
        on: str = "total",
        whole: bool = False,
        among: NDArray[np.bool_] | None = None,
    ) -> Iterator[tuple[tuple[str, str], list[Evidence]]]:
        """What gaps and verdicts rest on: ((data, source), evidence of each forecaster), in the order of the plan.

        With `whole` the last place is all leads together. `among` (N,) are the windows of the one data set that are
        looked at; the others are left out.
        """
        from tsgap.evidence import gathered
        from tsgap.verdicts import places_of

        spec = metric if isinstance(metric, MetricSpec) else self._metric(metric)
        there: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
        for row in self._picked(data, source, forecaster):
            if row["source"]:
                there.setdefault((row["data"], row["source"]), {}).setdefault(row["forecaster"], []).append(row)
        for (name, where), of_source in there.items():
            places, naive = places_of(self, name, by, horizons), self._naive(name)
            told = self.manifest["data"][name]
            if whole:
                places = (*places, (1, places[-1][1]))
            yield (
                (name, where),
                [
                    gathered(
                        rows,
                        self._atoms,
                        spec,
                        places,
                        on=on,
                        naive=naive,
                        without_effect=self._is_without_effect(name, label),
                        overlapping=told["step"] < max(told["horizons"]),
                        among=among,
                    )
                    for label, rows in of_source.items()
                ],
            )

    def diagnostics(self, metric: str = "mase", *, data: Names = None, source: Names = None) -> Diagnostics:
        """What the diagnostics say of the synthetic series themselves; `UsageError` where none were asked for.

        Its notes say whether lost memory explains the gap by this metric.
        """
        from tsgap.examinations import of_store
        from tsgap.explaining import agreements

        self._picked(data, source, None)
        found = of_store(self._store, lambda name, where: records.among(name, data) and records.among(where, source))
        return replace(found, notes=tuple(agreements(self._measured(metric, data, source), found.found)))

    def frontier(self, metric: str = "mase", *, data: Names = None, source: Names = None) -> pd.DataFrame:
        """What each source costs in accuracy and in privacy: one row for each, with the efficient ones marked.

        `gap` (a log ratio over all leads, `low` to `high`, and `percent` worse) and the `auc` of membership inference
        (`auc_low` to `auc_high`; .5 gives nobody away). `efficient`: no other source of that data set is at least as
        good in both and better in one; None where one of both is not known, as `status` says. For a generator with a
        knob sweep over its settings as sources; for files hand over outsiders. `UsageError` without diagnostics.
        """
        from tsgap.explaining import frontier

        return frontier(self._measured(metric, data, source), self.diagnostics(metric, data=data, source=source).found)

    def predictors(self, metric: str = "mase", *, data: Names = None, source: Names = None) -> pd.DataFrame:
        """Do cheap measures foretell the gap? Rank correlations of all figures of diagnostics with it, over sources.

        One row for each `data`, `diagnostic` and `figure`: Spearman's `correlation` with its 95 % interval `low` to
        `high` over so many `sources`, the strongest first; `status` says why there is none. `UsageError` without
        diagnostics.
        """
        from tsgap.explaining import predictors

        found = self.diagnostics(metric, data=data, source=source).found
        return predictors(self._measured(metric, data, source), found)

    def _measured(self, metric: str, data: Names, source: Names) -> list[Measured]:
        from tsgap.explaining import measured

        return measured(self.evidence(metric, "bin", data=data, source=source, whole=True))

    def groupings(self, data: str, source: str) -> list[Grouping]:
        """The ways to part the windows of a data set: its group columns, and automatic ones of a sweep with `diagnose`.

        By the volume and the seasonality of series, by peaks before windows and within them, and by whether the
        synthetic series of this source cover the history.
        """
        from tsgap.grouping import groupings

        self._picked(data, source, None)
        told = self.manifest.get("groups", {}).get(data)
        return list(groupings(self.truth(data), told, source, self._store.read_table))

    def subgroups(
        self,
        metric: str = "mase",
        by: str | Sequence[str] | None = None,
        *,
        data: Names = None,
        source: Names = None,
        forecaster: Names = None,
    ) -> pd.DataFrame:
        """The gap by group, the worst group of each grouping, and whether its groups differ.

        `by` names groupings, None takes all: static group columns, and the automatic ones of a sweep with `diagnose`.
        One row for each `data`, `source`, `forecaster`, `grouping`, `group` and `bin` of leads, last all leads (bin
        ``"all"``). `gap`, `low`, `high` and `percent…` as in `gap`, over the windows of the group alone, which has
        `series`, `blocks` and `windows`. `low_joint` to `high_joint` hold for all groups of the grouping at once
        (Bonferroni, 95 %). `worst` marks the group with the largest gap of all leads. `p`: how likely groups that do
        not differ would differ so much (see `tsgap.heterogeneity`). `share_real` and `share_synthetic` are the shares
        of the training series, or of their stretches, in the group (of coverage: of the test windows that were looked
        at). `status`: insufficient where fewer than 5 series have windows in the group (figures, but nothing is
        claimed: no worst, no joint ends, no part in `p`); else as in `gap`, or why there are no groups. Raises
        `UsageError` where there is no grouping.
        """
        from tsgap.subgroups import table
        from tsgap.verdicts import check_carries

        check_carries(metric, "has no gap")
        rows = self._picked(data, source, forecaster)
        pairs = list(dict.fromkeys((row["data"], row["source"]) for row in rows if row["source"]))
        return table(self, metric, by, pairs, forecaster)

    def rank_consistency(
        self, metric: str = "mase", *, data: Names = None, source: Names = None, forecaster: Names = None
    ) -> pd.DataFrame:
        """Whether training on synthetic series ranks forecasters as training on real series does, over all leads.

        One row for each `data`, `source` and pair of forecasters. `tau` is Kendall's tau-b between their errors in the
        two arms, `low` to `high` its 95 % interval (the same in all rows of a source). `real` and `synthetic` are log
        ratios, the error of the `first` forecaster over that of the `second` in each arm, with intervals that hold for
        all pairs at once; `order`: ``"same"`` or ``"opposite"`` where both are proven, else ``"not told"``. At least 3
        forecasters that learn are needed; `left_out` says who is not ranked and why, `status` why there is no tau.
        """
        from tsgap.rank_consistency import table
        from tsgap.verdicts import check_carries

        check_carries(metric, "has no gap")
        return table(self, metric, data, source, forecaster)

    def truth(self, data: str) -> Truth:
        """The truth of the windows of a data set, with the weights and denominators that metrics need."""
        return self._atoms.truth(data)

    def checked(self, data: str) -> bool | None:
        """Whether the bench passed its self-check on a data set as it is in this run.

        None if it was not made, was made with other data or settings, or could show nothing.
        """
        try:
            found: Mapping[str, Any] = self._store.read_json("selfcheck").get(data, {})
        except StoreError:
            return None
        verdict = found.get("verdict") if found.get("bench") == bench(self.manifest, data) else None
        return {"passed": True, "broken": False}.get(str(verdict))

    def leaks(self, data: str, source: str) -> list[str]:
        """What was found of the test among the training series of a source, in words."""
        return [f"LEAK: {told}" for told in self.manifest.get("leaks", {}).get(f"{data}/{source}", [])]

    def _picked(self, data: Names, source: Names, forecaster: Names, *, added: bool = False) -> list[dict[str, Any]]:
        """Rows of what is compared, with `added` also those of what is added to the real series, and of other views."""
        every, of = self._every, self._every if added else self._rows
        return records.picked(of, every, data=data, source=source, forecaster=forecaster)

    @property
    def _every(self) -> list[dict[str, Any]]:
        return [*self._rows, *self._added, *self._perturbed]

    def _metric(self, name: str) -> MetricSpec:
        from tsgap.plugins import registry

        spec: MetricSpec = registry().named("metrics", name).spec
        return spec

    def _is_without_effect(self, data: str, forecaster: str) -> bool:
        place = data, forecaster
        if place not in self._without_effect:
            rows = [row for row in self._rows if row["source"] and (row["data"], row["forecaster"]) == place]
            self._without_effect[place] = is_without_effect(rows, self._atoms)
        return self._without_effect[place]

    def _naive(self, data: str) -> Floats | None:
        row = next((row for row in self._rows if row["data"] == data and not row["source"]), None)
        ended = None if row is None else self._atoms.ended(row)
        return ended.forecasts if ended is not None and ended.status == "ok" else None


__all__ = ["Run", "load"]
