"""Why there is a gap, asked of an opened run: what the series lack, and how what was learnt from them bears strain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from tsgap import records
from tsgap.errors import UsageError
from tsgap.opened import Opened
from tsgap.records import Names

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.examinations import Diagnostics
    from tsgap.explaining import Measured
    from tsgap.verdicts import GapBy


class Causes(Opened):
    """The tables of a run that explain its gaps; none of them decides a verdict."""

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
        good in both and better in one, nor proven better in one with an estimate of the other within this one's
        interval; None where one of both is not known, or where a forecaster failed for this source alone, as `status`
        says. The gap is the mean over forecasters of `Run.gap`. For a generator with a knob sweep over its
        settings as sources; for files hand over outsiders. `UsageError` without diagnostics.
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
        `series`, `blocks` and `windows`; forecaster ``"all"`` is the mean over the same ones as there, in every group.
        `low_joint` to `high_joint` hold for all groups of the grouping at once (Bonferroni, 95 %). `worst` marks the
        group with the largest gap of all leads. `p`: how likely groups that do not differ would differ so much (see
        `tsgap.heterogeneity`). `share_real` and `share_synthetic` are the shares of the training series, or of their
        stretches, in the group (of coverage: of the test windows that were looked at). `status`: insufficient where
        fewer than 5 series have windows in the group (figures, but nothing is claimed: no worst, no joint ends, no part
        in `p`); else as in `gap`, or why there are no groups. Raises `UsageError` where there is no grouping.
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
