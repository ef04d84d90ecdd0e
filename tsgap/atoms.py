"""What is stored of a run as arrays: the truth of each data set, and how each cell ended; every file is read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsgap import blocks
from tsgap.errors import StoreError
from tsgap.metrics import NO_QUANTILES
from tsgap.panel import Floats, Ints, frozen
from tsgap.protocols import MetricSpec
from tsgap.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

#: Bytes of forecasts kept in memory and in mapped files; those used longest ago are read again when they are asked for.
KEPT, KEPT_MAPPED = 512 * 2**20, 32 * 2**30


def truth_table(windows: str) -> str:
    """Name of the table that holds the truth of the windows with this fingerprint."""
    return f"truth-{windows}"


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth of one data set: N windows, sorted by series, then by time.

    `name` says what it is by its content; `values` (N, H), NaN where missing; `ids`, `window`, `cutoff`, `block` (of
    the calendar), `weights` (N,); `scales` the denominators of scaled metrics by their kind, `groups` the values of
    each group by its name, (N,) each.
    """

    name: str
    horizons: tuple[int, ...]
    values: Floats
    ids: NDArray[Any]
    window: Ints
    cutoff: NDArray[Any]
    block: Ints
    weights: Floats
    scales: Mapping[str, Floats]
    groups: Mapping[str, NDArray[Any]]

    @classmethod
    def read(cls, store: Store, told: Mapping[str, Any]) -> Truth:
        """The truth of a data set, as its entry in the manifest says."""
        table, values = store.read_lists(told["truth"], "truth")
        columns = {name: table[name] for name in table.column_names}
        return cls(
            told["truth"],
            tuple(told["horizons"]),
            frozen(values),
            _names(columns["unique_id"]),
            columns["window"].to_numpy(),
            columns["cutoff"].to_numpy(),
            columns["block"].to_numpy(),
            columns["weight"].to_numpy().astype(np.float64) if "weight" in columns else np.ones(len(values)),
            {name: columns[f"{name}_scale"].to_numpy().astype(np.float64) for name in ("mae", "rmse")},
            {name[6:]: _names(of) for name, of in columns.items() if name.startswith("group ")},
        )

    @cached_property
    def series(self) -> Ints:
        """Number of the series of each window (N,)."""
        return np.cumsum(np.concatenate([[False], self.ids[1:] != self.ids[:-1]]))

    def scale(self, metric: MetricSpec) -> Floats:
        """The metric's denominators (N,)."""
        return self.scales[metric.scaled] if metric.scaled else np.ones(len(self.values))


def _names(column: pa.ChunkedArray) -> NDArray[Any]:
    """Texts as an array of objects, equal ones the same object."""
    found = column.dictionary_encode(null_encoding="encode").unify_dictionaries()
    if not found.num_chunks:
        return np.empty(0, dtype=object)
    names = np.array([str(name) for name in found.chunk(0).dictionary.to_pylist()], dtype=object)
    return np.asarray(names[np.concatenate([chunk.indices.to_numpy() for chunk in found.chunks])])


@dataclass(frozen=True, eq=False)
class Ended:
    """How a cell ended: `forecasts` (N, H′) if it is ok, with NaN in the windows that `failed` names.

    `quantiles` (N, H′, Q) of the `levels`, None where there are none.
    """

    status: str
    forecasts: Floats = field(default_factory=lambda: np.empty((0, 0)))
    failed: Mapping[int, str] = field(default_factory=dict)
    quantiles: Floats | None = None
    levels: tuple[float, ...] = ()

    def scored(self, metric: MetricSpec) -> Floats:
        """What the metric scores: the quantiles if it needs them and there are some, else the forecasts."""
        return self.forecasts if metric.needs == "mean" or self.quantiles is None else self.quantiles

    def under(self, metric: MetricSpec) -> str:
        """The status under a metric: "no quantiles" for a cell that is ok and has none, where the metric needs them."""
        lacks = self.status == "ok" and metric.needs == "quantiles" and self.quantiles is None
        return NO_QUANTILES if lacks else self.status

    @cached_property
    def mapped(self) -> bool:
        """Whether the forecasts lie in a file rather than in memory."""
        return blocks.mapping(self.forecasts) is not None

    def failures(self, n: int) -> Ints:
        """Which of `n` windows failed (N,), 1 or 0; all of them if the cell did. What is missing has not failed."""
        if self.status == "missing":
            return np.zeros(n, dtype=np.int64)
        if self.status != "ok":
            return np.ones(n, dtype=np.int64)
        return np.bincount(np.fromiter(self.failed, np.int64, len(self.failed)), minlength=n)


def _size(ended: Ended) -> int:
    return ended.forecasts.nbytes + (0 if ended.quantiles is None else ended.quantiles.nbytes)


class Atoms:
    """The cells and truths of one run folder, as they were when they were first asked for."""

    def __init__(self, store: Store, data: Mapping[str, Any], cells: Mapping[str, Mapping[str, Any]]) -> None:
        self._store = store
        self._told = data
        self._cells = cells
        self._truths: dict[str, Truth] = {}
        self._ended: dict[str, Ended] = {}
        self._info: dict[str, dict[str, Any]] = {}

    @cached_property
    def finished(self) -> dict[str, str]:
        """Status of every cell that ended."""
        return self._store.finished()

    def truth(self, data: str) -> Truth:
        """The truth of a data set."""
        if data not in self._truths:
            self._truths[data] = Truth.read(self._store, self._told[data])
        return self._truths[data]

    def truth_of(self, row: Mapping[str, Any]) -> Truth:
        """The truth that the cell of a row of the plan is scored against: that of its view."""
        content = self._cells.get(row["cell"], {})
        told = self._told[row["data"]]
        if content.get("view", "clean") == "clean":
            return self.truth(row["data"])
        table = truth_table(content["windows"])
        if table == told["truth"]:
            # other histories of the same windows
            return self.truth(row["data"])
        if table not in self._truths:
            self._truths[table] = Truth.read(self._store, {**told, "truth": table})
        return self._truths[table]

    def ended(self, row: Mapping[str, Any]) -> Ended:
        """How the cell of a row of the plan ended; a row without a cell has the status of what kept it from one."""
        key = row["cell"]
        if row["error"]:
            return Ended("error")
        if self.finished.get(key) == "ok":
            if (ended := self._ended.pop(key, None)) is None:
                ended = self._read(key, self.truth_of(row).values.shape)
            if ended.status == "ok":
                self._ended[key] = ended
                self._forget()
                return ended
            self.finished[key] = ended.status
            if ended.status == "missing":
                del self.finished[key]
        return Ended(self.finished.get(key, "missing"))

    def _read(self, key: str, shape: tuple[int, ...]) -> Ended:
        try:
            found = self._store.forecasts(key)
        except StoreError as err:
            self._store.warnings.append(str(err))
            return Ended("contract" if self._store.parts(key) else "missing")
        mean, failed = found.mean, found.failed
        if len(mean) != shape[0] or mean.shape[1] > shape[1]:
            self._store.warnings.append(f"cell {key} has forecasts {mean.shape} for a truth {shape}")
            return Ended("contract")
        if len(failed) == len(mean):
            return Ended("error")
        quantiles = None if found.quantiles is None else frozen(found.quantiles)
        return Ended("ok", frozen(mean), failed, quantiles, found.levels)

    def _forget(self) -> None:
        held = {False: 0, True: 0}
        most = {False: KEPT, True: KEPT_MAPPED}
        for key, ended in reversed(list(self._ended.items())):
            held[ended.mapped] += _size(ended)
            if held[ended.mapped] > max(most[ended.mapped], _size(ended)):
                del self._ended[key]

    def status(self, key: str) -> str:
        """How a cell ended: one of which all parts are ok but every window failed is an error."""
        status = self.finished.get(key, "missing")
        if status == "ok" and 0 < self.info(key)["windows"] == len(self.info(key)["failed"]):
            status = self.finished[key] = "error"
        return status

    def info(self, key: str) -> Mapping[str, Any]:
        """What the workers said of a finished cell: of the first part that is not ok; of all its parts `seconds` and
        `crossed`, in how many pairs quantiles crossed.

        `failed` maps each of its `windows` without a forecast to the reason, in their order.
        """
        if key not in self._info:
            heads, windows, failed = self._store.failed(key) if key in self.finished else ([], 0, {})
            worst = next((head for head in heads if head.status != "ok"), heads[0] if heads else None)
            self._info[key] = {
                **({} if worst is None else worst.info),
                "seconds": sum(float(head.info.get("seconds", 0.0)) for head in heads) if heads else None,
                "crossed": sum(int(head.info.get("crossed", 0)) for head in heads),
                "windows": windows,
                "failed": failed,
            }
        return self._info[key]
