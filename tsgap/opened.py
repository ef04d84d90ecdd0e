"""A run folder that was opened: its plan, cells, forecasts and truth, and the evidence that gaps are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsgap import records
from tsgap.atoms import Atoms, Truth
from tsgap.augmentation import ARMS
from tsgap.comparisons import is_without_effect
from tsgap.errors import StoreError
from tsgap.panel import Floats
from tsgap.perturbing import ARMS as PERTURBED
from tsgap.protocols import MetricSpec
from tsgap.records import Names
from tsgap.store import Store

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from tsgap.evidence import Evidence
    from tsgap.grouping import Grouping
    from tsgap.verdicts import GapBy, Horizons

#: Version of the rows of a plan; cells are kept under their content, whatever the rows look like.
PLAN_VERSION = 4


def bench(manifest: Mapping[str, Any], data: str) -> dict[str, Any]:
    """What a self-check is good for: the windows of a data set, and the settings that decide how they are forecast."""
    settings = manifest.get("experiment", {})
    told = {name: settings.get(name) for name in ("scaling", "context")}
    return {"truth": manifest["data"][data]["truth"], "tsgap": manifest.get("tsgap"), **told}


class Opened:
    """What a sweep has stored, read from its folder as it was when it was first read."""

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

    def groupings(self, data: str, source: str) -> list[Grouping]:
        """The ways to part the windows of a data set: its group columns, and automatic ones of a sweep with `diagnose`.

        By the volume and the seasonality of series, by peaks before windows and within them, and by whether the
        synthetic series of this source cover the history.
        """
        from tsgap.grouping import groupings

        self._picked(data, source, None)
        told = self.manifest.get("groups", {}).get(data)
        return list(groupings(self.truth(data), told, source, self._store.read_table))

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
