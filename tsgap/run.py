"""A run folder as tables: cells, forecasts, errors and profiles, computed anew from what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tsgap.errors import StoreError, UnknownNameError, UsageError
from tsgap.horizon import By, pooled, slices
from tsgap.metrics import percentages_are_valid
from tsgap.panel import Floats, Ints, frozen
from tsgap.protocols import MetricSpec
from tsgap.store import Store

if TYPE_CHECKING:
    import pandas as pd

#: What each arm is compared with, and what that comparison is called.
COMPARISONS = (("synthetic", "real"), ("synthetic", "real-short"), ("synthetic", "real-full"), ("null", "real"))


def load(path: str | Path) -> Run:
    """A run from its folder."""
    return Run(path)


class Run:
    """The results of a sweep. Everything is read from the folder, so a run can be looked at while it goes on."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._store = Store.open(self.path, create=False)
        try:
            self.manifest: Mapping[str, Any] = self._store.read_json("manifest")
            self._rows: list[dict[str, Any]] = self._store.read_json("plan")["rows"]
        except StoreError as err:
            raise StoreError(f"{self.path}: there is no plan in it yet; run the sweep first ({err})") from err

    def __repr__(self) -> str:
        done = self._finished
        bad = sum(status != "ok" for status in done.values())
        return f"Run({str(self.path)!r}, {len(done)} of {len(self._keys)} cells, {bad} failed)"

    @cached_property
    def _finished(self) -> dict[str, str]:
        return self._store.finished()

    @cached_property
    def _keys(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(r["cell"] for r in self._rows if r["cell"]))

    @property
    def complete(self) -> bool:
        """Whether every cell of the plan has ended, well or not."""
        return all(key in self._finished for key in self._keys)

    @property
    def n_failed(self) -> int:
        """Cells that failed, and comparisons that have no cell because their source failed."""
        return sum(self._finished.get(k, "ok") != "ok" for k in self._keys) + sum(bool(r["error"]) for r in self._rows)

    @cached_property
    def _truths(self) -> dict[str, _Truth]:
        return {name: _Truth(self._store, told) for name, told in self.manifest["data"].items()}

    def _forecasts(self, key: str) -> tuple[Floats, Mapping[int, str]] | None:
        if self._finished.get(key) != "ok":
            return None
        if key not in self._cache:
            self._cache[key] = self._store.forecasts(key)
        return self._cache[key]

    @cached_property
    def _cache(self) -> dict[str, tuple[Floats, Mapping[int, str]]]:
        return {}

    def cells(self) -> pd.DataFrame:
        """One row for each arm of each comparison: which cell it reads, on what footing, how the cell ended."""
        import pandas as pd

        out = []
        for row in self._rows:
            status = "error" if row["error"] else self._finished.get(row["cell"], "missing")
            info: Mapping[str, Any] = {}
            n_failed = 0
            if row["cell"] in self._finished:
                parts = self._store.parts(row["cell"])
                bad = [p for p in parts if p.status != "ok"]
                info = dict((bad or parts)[0].info)
                n_failed = sum(len(p.failed) for p in parts)
                info["seconds"] = sum(float(p.info.get("seconds", 0.0)) for p in parts)
            told = {k: info.get(k) for k in ("stage", "seconds", "attempt", "distribution", "version")}
            reason = row["error"] or info.get("error") or _first_reason(self, row["cell"])
            out.append({**row, "status": status, "failed_series": n_failed, **told, "error": reason})
        return pd.DataFrame(out)

    def failures(self) -> pd.DataFrame:
        """The rows of `cells` that failed, or hold series that failed."""
        cells = self.cells()
        return cells[(cells.status != "ok") | (cells.failed_series > 0)].reset_index(drop=True)

    def forecasts(self, data: str | None = None) -> pd.DataFrame:
        """Long frame: data, source, arm, forecaster, replicate, unique_id, window, cutoff, lead, y, forecast."""
        import pandas as pd

        frames = []
        for row in self._rows:
            if data not in (None, row["data"]):
                continue
            found = self._forecasts(row["cell"]) if row["cell"] else None
            if found is None:
                continue
            truth, mean = self._truths[row["data"]], found[0]
            n, h = mean.shape
            frames.append(
                pd.DataFrame(
                    {
                        **{k: row[k] for k in ("data", "source", "arm", "forecaster", "replicate")},
                        "unique_id": np.repeat(truth.ids, h),
                        "window": np.repeat(truth.window, h),
                        "cutoff": np.repeat(truth.cutoff, h),
                        "lead": np.tile(np.arange(1, h + 1), n),
                        "y": truth.values[:, :h].ravel(),
                        "forecast": mean.ravel(),
                    }
                )
            )
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def errors(self, metric: str = "mae", data: str | None = None) -> pd.DataFrame:
        """`forecasts` with the elementwise loss of one metric in column `loss`; NaN where it is left out."""
        spec = self._metric(metric)
        frame = self.forecasts(data)
        if not len(frame):
            return frame
        scale = np.ones(len(frame))
        for name, truth in self._truths.items():
            here = (frame["data"] == name).to_numpy()
            if spec.scaled and here.any():
                by_id = dict(zip(truth.ids, truth.scale(spec), strict=True))
                scale[here] = frame.loc[here, "unique_id"].map(by_id)
        frame["loss"] = spec.loss(frame["y"].to_numpy(), frame["forecast"].to_numpy(), scale)
        return frame

    def profile(self, metric: str | Sequence[str] = "mase", by: By = "horizon") -> pd.DataFrame:
        """Control, synthetic-trained error and their ratio, by horizon (cumulative 1..h), lead (h alone) or series.

        One row for data, source, arm (`synthetic` or `null`), control (`real`; `real-short`: real windows as short as
        the synthetic ones; `real-full`: more real data than the synthetic arm had), forecaster, metric and horizon.
        `n_used` of `n_total` pairs are those where the truth is known and both arms have a forecast. `skill_*` is
        1 − error / error of the seasonal-naive forecast on the same pairs. `status` says why a figure is missing.
        """
        import pandas as pd

        if by not in ("horizon", "lead", "series"):
            raise UnknownNameError.of("profile", by, ("horizon", "lead", "series"))
        names = [metric] if isinstance(metric, str) else list(metric)
        out: list[dict[str, Any]] = []
        for group in self._groups():
            for name in names:
                out += self._points(group, self._metric(name), by)
        return pd.DataFrame(out)

    def _metric(self, name: str) -> MetricSpec:
        from tsgap.plugins import metrics

        known = metrics()
        if name not in known:
            raise UnknownNameError.of("metric", name, known)
        spec: MetricSpec = known[name].spec
        return spec

    def _groups(self) -> list[_Group]:
        """The comparisons of the plan: (data, source, forecaster, arm, control) with the cells of all replicates."""
        arms: dict[tuple[str, str, str], dict[str, list[dict[str, Any]]]] = {}
        for row in self._rows:
            if row["source"]:
                place = arms.setdefault((row["data"], row["source"], row["forecaster"]), {})
                place.setdefault(row["arm"], []).append(row)
        out = []
        for (data, source, forecaster), rows in arms.items():
            for arm, control in COMPARISONS:
                if (
                    arm in rows
                    and (control in rows or rows[arm][0]["error"])
                    and (control == "real" or control in rows)
                ):
                    out.append(_Group(data, source, forecaster, arm, control, rows[arm], rows.get(control, [])))
        return out

    def _points(self, group: _Group, spec: MetricSpec, by: By) -> list[dict[str, Any]]:
        truth = self._truths[group.data]
        head = {
            "data": group.data,
            "source": group.source,
            "arm": group.arm,
            "versus": group.versus,
            "forecaster": group.forecaster,
        }
        found = [[self._forecasts(r["cell"]) for r in rows if r["cell"]] for rows in (group.control, group.rows)]
        status = self._status(group)
        baseline = self._baseline(group.data)
        horizons = truth.horizons
        bare = [(at, (at,)) for at, _ in slices(by, horizons, truth.series)]
        if status != "ok" or baseline is None:
            return [
                {**head, **truth.place(by, at), "metric": spec.name, **_EMPTY, "n_total": 0, "status": status}
                for at, _ in bare
            ]
        arms = [[f[0] for f in side if f is not None] for side in found]
        points = pooled(spec, truth.values, truth.scale(spec), [*arms, [baseline]], slices(by, horizons, truth.series))
        reached = min(f.shape[1] for side in arms for f in side)
        out = []
        valid = percentages_are_valid(truth.values) if spec.units == "fraction" else True
        for p in points:
            control, synthetic, naive = p.values
            state = self._state(group, p.at, p.n_used, p.n_total, reached, by)
            out.append(
                {
                    **head,
                    **truth.place(by, p.at),
                    "metric": spec.name,
                    "control": control,
                    "synthetic": synthetic,
                    "ratio": _over(synthetic, control),
                    "skill_control": 1 - _over(control, naive),
                    "skill_synthetic": 1 - _over(synthetic, naive),
                    "n_used": p.n_used,
                    "n_total": p.n_total,
                    "valid": valid,
                    "status": state,
                }
            )
        return out

    def _baseline(self, data: str) -> Floats | None:
        for row in self._rows:
            if row["data"] == data and not row["source"]:
                found = self._forecasts(row["cell"])
                return None if found is None else found[0]
        return None

    def _status(self, group: _Group) -> str:
        """The first status of the cells compared that is not ok."""
        for row in (*group.control, *group.rows):
            status = "error" if row["error"] else self._finished.get(row["cell"], "missing")
            if status != "ok":
                return f"{status} ({row['arm']})"
        return "ok"

    def _state(self, group: _Group, at: int, used: int, total: int, reached: int, by: By) -> str:
        if by != "series" and at > reached:
            return "not taught"
        if group.rows[0]["transfer"] == "none":
            return "not applicable"
        failed = sum(
            len(f[1]) for rows in (group.control, group.rows) for r in rows if (f := self._forecasts(r["cell"]))
        )
        if not used:
            return "no pairs"
        return f"ok ({failed} forecasts failed)" if failed else "ok"


_EMPTY: dict[str, Any] = {
    "control": np.nan,
    "synthetic": np.nan,
    "ratio": np.nan,
    "skill_control": np.nan,
    "skill_synthetic": np.nan,
    "n_used": 0,
    "valid": False,
}


def _over(a: float, b: float) -> float:
    if b == 0:
        return 1.0 if a == 0 else float("inf")
    return a / b


def _first_reason(run: Run, key: str) -> str:
    found = run._forecasts(key) if key else None
    return next(iter(found[1].values()), "") if found else ""


class _Group:
    """The rows of one comparison."""

    def __init__(
        self, data: str, source: str, forecaster: str, arm: str, versus: str, rows: list[Any], control: list[Any]
    ) -> None:
        self.data, self.source, self.forecaster = data, source, forecaster
        self.arm, self.versus, self.rows, self.control = arm, versus, rows, control


class _Truth:
    """The truth of one data set as it is stored: one row a window."""

    def __init__(self, store: Store, told: Mapping[str, Any]) -> None:
        table = store.read_table(told["truth"])
        self.horizons: tuple[int, ...] = tuple(told["horizons"])
        self.values: Floats = frozen(np.stack(table["truth"].to_list()))
        self.ids = table["unique_id"].to_numpy(dtype=object)
        self.window: Ints = table["window"].to_numpy()
        self.cutoff = table["cutoff"].to_numpy()
        self._scales = {name: table[f"{name}_scale"].to_numpy() for name in ("mae", "rmse")}
        first = np.concatenate([[True], self.ids[1:] != self.ids[:-1]])
        self.series: Ints = np.cumsum(first) - 1

    def scale(self, spec: MetricSpec) -> Floats:
        """The metric's denominators (N,)."""
        return self._scales[spec.scaled] if spec.scaled else np.ones(len(self.values))

    def place(self, by: By, at: int) -> dict[str, Any]:
        """The column that says where a figure belongs."""
        if by == "series":
            return {"unique_id": self.ids[np.searchsorted(self.series, at)], "horizon": max(self.horizons)}
        return {by: at}


__all__ = ["Run", "UsageError", "load"]
