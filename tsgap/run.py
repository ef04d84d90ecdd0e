"""The results of a sweep as tables: errors, gaps, verdicts and what else was asked, all from what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tsgap import records
from tsgap.augment_reading import Asked, augmentations
from tsgap.augmentation import ARMS
from tsgap.causes import Causes
from tsgap.comparisons import comparisons, profiled
from tsgap.errors import UnknownNameError, UsageError
from tsgap.horizon import BYS, By
from tsgap.records import Names

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.augmentation import Augmentation
    from tsgap.plots import Plots
    from tsgap.verdicts import GapBy, Gate, Horizons

_FIGURES = (
    *("metric", "control", "synthetic", "ratio", "skill_control", "skill_synthetic"),
    *("n_used", "n_total", "failed_control", "failed_synthetic", "valid", "status", "generator_saw"),
)


def load(path: str | Path) -> Run:
    """A run from its folder."""
    return Run(path)


class Run(Causes):
    """The results of a sweep, read from its folder; a sweep that goes on is seen as it was when it was first read."""

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
        ones, where there are such. Where several forecasters learn, ``"all"`` is the geometric mean over those that
        count: the ones that the gate judges, without the lag probe. Data ``"all"`` is the mean over data sets, bins by
        their rank. `status` as in `profile`; or "worse than naive": after real training the forecaster is proven worse
        than seasonal naive over all leads together, so its figures stand and count towards no mean; or "no forecaster
        counts", of a mean that has nobody to be over.
        """
        from tsgap.verdicts import gaps

        return gaps(self, metric, by, data=data, source=source, forecaster=forecaster, on=on)

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
        True for all there are but "coverage", whose groups are the source's own doing; see `subgroups`), of the gap
        over all leads: PASS only where it is proven smaller than the margin in each, FAIL where some is proven larger;
        a group that is too small to decide forbids a PASS.
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


__all__ = ["Run", "load"]
