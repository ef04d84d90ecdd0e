"""The run folder: what is there, what is finished, and how it is read back; nothing half or damaged counts."""

from __future__ import annotations

import json
import os
import re
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

import tsgap
from tsgap.errors import StoreError
from tsgap.panel import Floats
from tsgap.store.files import explained, new_scratch, remove_scratch, sync_folder, write_whole
from tsgap.store.part import Head, Part, is_part_file, read_head, read_part
from tsgap.store.sealed import DamagedError, sealed, unsealed

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: Version of the layout; a folder of a newer one is refused.
SCHEMA = 1

_LABEL = "store.json"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Forecasts of a cell: `mean` (N, H′), the rows that `failed`, and `quantiles` (N, H′, Q) of `levels`, or None."""

    mean: Floats
    failed: Mapping[int, str]
    quantiles: Floats | None = None
    levels: tuple[float, ...] = ()


class Store:
    """A run folder; several processes may write to one at a time.

    `warnings` collects in words what was found damaged or contradictory. `work` is a scratch folder on the same
    file system, removed by `close` or at the end of the program; those of programs that were killed are removed by
    the next one that opens the folder for writing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.warnings: list[str] = []
        self._damaged: set[Path] = set()  # those that could not be moved away
        self._work: Path | None = None
        self._end: weakref.finalize[[Path, int, int], Store] | None = None

    @classmethod
    def open(cls, path: str | Path, *, create: bool = True) -> Store:
        """Open a run folder to write to it; with `create=False` one that exists, to read it."""
        store = cls(Path(path))
        path = store.path
        if path.exists() and not path.is_dir():
            raise StoreError(f"{path} is a file; give a folder for the run")
        with explained(f"cannot open the run folder {path}"):
            if (path / _LABEL).exists():
                _check_label(path / _LABEL)
                if create:
                    _ = store.work  # shows at once whether the folder can be written
                return store
            held = sorted(p.name for p in path.iterdir()) if path.exists() else []
            if strangers := [name for name in held if name != "work" and not name.startswith(".")]:
                raise StoreError(f"{path} is not a run folder, it holds {strangers[0]!r}; give a new or an empty one")
            if not create:
                raise StoreError(f"{path} is not a run folder: there is no {_LABEL} in it")
            path.mkdir(parents=True, exist_ok=True)
            label = {"kind": "tsgap run", "schema": SCHEMA, "created_by": f"tsgap {tsgap.__version__}"}
            write_whole(path / _LABEL, _pretty(label), store.work)
        return store

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the scratch folder."""
        if self._end is not None:
            self._end()
        self._work = self._end = None

    @property
    def work(self) -> Path:
        """Scratch folder of this object, made at its first use."""
        if self._work is None:
            with explained(f"cannot write to the run folder {self.path}"):
                self._work, lock = new_scratch(self.path / "work")
            self._end = weakref.finalize(self, remove_scratch, self._work, lock, os.getpid())
        return self._work

    def add(self, part: Part) -> None:
        """Write a part, whole or not at all; StoreError when the disk is full, say."""
        file = self._shelf(part.cell) / part.file_name
        write_whole(file, part.to_bytes(), self.work)
        self._damaged.discard(file)

    def finished(self) -> dict[str, str]:
        """Status of every cell of which all parts are there: ok, or that of its first part that is not.

        Reads the ends of the files only. A file that is damaged there goes to `quarantine/`, with a warning.
        """
        heads: dict[str, list[Head]] = {}
        for folder in _listed(self.path / "parts"):
            for head in self._heads(_listed(folder)):
                heads.setdefault(head.cell, []).append(head)
        chosen = {cell: self._chosen(found) for cell, found in sorted(heads.items())}
        return {cell: _status(parts) for cell, parts in chosen.items() if parts}

    def parts(self, cell: str) -> list[Part]:
        """The parts of a cell in order, every byte verified; none unless all are there and whole."""
        while chosen := self._chosen(list(self._heads(self._files(cell)))):
            parts = [part for head in chosen if (part := self._guarded(read_part, head.path)) is not None]
            if len(parts) == len(chosen):
                return parts
        return []

    def forecasts(self, cell: str) -> Forecasts:
        """What a finished cell forecast, in the order of its rows 0..N-1."""
        parts = self.parts(cell)
        if not parts:
            raise StoreError(f"{self.path}: cell {cell} is not complete; run the same command again")
        if bad := next((part for part in parts if part.status != "ok"), None):
            raise StoreError(f"{self.path}: cell {cell} has no forecasts, part {bad.part} is {bad.status}")
        if len({part.mean.shape[1] for part in parts}) > 1:
            raise StoreError(f"{self.path}: the parts of cell {cell} have different numbers of leads")
        rows = np.concatenate([part.rows for part in parts])
        order = np.argsort(rows)
        if not np.array_equal(rows[order], np.arange(len(rows))):
            raise StoreError(f"{self.path}: the rows of cell {cell} are not 0 to {len(rows) - 1}, each once")
        failed = {row: reason for part in parts for row, reason in part.failed.items()}
        mean = np.concatenate([part.mean for part in parts])[order]
        quantiles, levels = _quantiles(parts)
        return Forecasts(mean, dict(sorted(failed.items())), None if quantiles is None else quantiles[order], levels)

    def discard(self, cell: str) -> None:
        """Remove all parts of a cell, so that it counts as missing."""
        with explained(f"cannot remove cell {cell} from {self.path}"):
            for file in self._files(cell):
                file.unlink(missing_ok=True)
            if self._shelf(cell).exists():
                sync_folder(self._shelf(cell))

    def check(self) -> list[str]:
        """Verify every byte of all parts; what is damaged goes to quarantine. Returns the new warnings."""
        before = len(self.warnings)
        for folder in _listed(self.path / "parts"):
            for head in self._heads(_listed(folder)):
                self._guarded(read_part, head.path)
        return self.warnings[before:]

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file `name` (the ending may be left out), whole or not at all."""
        write_whole(self._json(name), _pretty(value), self.work)

    def read_json(self, name: str) -> Any:
        """What `write_json` wrote under that name; StoreError when there is none or it is no JSON."""
        return _loaded(self._json(name))

    def write_table(self, name: str, frame: pd.DataFrame | pa.Table) -> None:
        """Write `tables/<name>.parquet`, sealed, whole or not at all; the index of a frame is left out."""
        import pyarrow as pa

        table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame, preserve_index=False)
        write_whole(self._table(name), sealed(table, {}), self.work)

    def read_table(self, name: str) -> pd.DataFrame:
        """The table of that name, every byte verified; StoreError when there is none or it is damaged."""
        path = self._table(name)
        with explained(f"cannot read {path}"):
            data = path.read_bytes()
        try:
            frame: pd.DataFrame = unsealed(data).to_pandas(use_threads=False)
        except DamagedError as err:
            raise StoreError(f"{path} is damaged: {err}") from err
        return frame

    def _json(self, name: str) -> Path:
        name = _checked(name.removesuffix(".json")) + ".json"
        if name == _LABEL:
            raise ValueError(f"{_LABEL} belongs to the store")
        return self.path / name

    def _table(self, name: str) -> Path:
        return self.path / "tables" / f"{_checked(name)}.parquet"

    def _shelf(self, cell: str) -> Path:
        return self.path / "parts" / cell[:2]

    def _files(self, cell: str) -> list[Path]:
        return [file for file in _listed(self._shelf(cell)) if file.name.startswith(f"{cell}-")]

    def _heads(self, files: Iterable[Path]) -> Iterator[Head]:
        for file in files:
            if file in self._damaged:
                continue
            if not is_part_file(file.name):
                self._warn(f"{file} is not a part of a run and is ignored")
            elif (head := self._guarded(read_head, file)) is not None:
                yield head

    def _guarded(self, read: Callable[[Path], _T], file: Path) -> _T | None:
        """What `read` makes of a file; None if it is gone, or damaged: then it goes to quarantine."""
        with explained(f"cannot read {file}"):
            try:
                return read(file)
            except FileNotFoundError:
                return None
            except DamagedError as err:
                why = str(err)
        shelf = self.path / "quarantine"
        try:
            shelf.mkdir(exist_ok=True)
            file.replace(shelf / file.name)
            fate = "moved to quarantine"
        except OSError as err:
            self._damaged.add(file)
            fate = f"left where it is ({err.strerror})"
        self._warn(f"{file} is damaged: {why}; {fate}, its cell counts as missing")
        return None

    def _chosen(self, heads: list[Head]) -> list[Head]:
        """One head for each part of a cell; none if parts are missing.

        A cell may have been cut into different numbers of parts: a cut that is all ok wins, then the coarser one.
        """
        cuts: dict[int, dict[int, Head]] = {}
        for head in sorted(heads, key=lambda head: head.order):
            first = cuts.setdefault(head.n_parts, {}).setdefault(head.part, head)
            if first.digest != head.digest and first.status == head.status == "ok":
                self._warn(
                    f"part {head.part} of cell {head.cell} is not reproducible: {first.path.name} and {head.path.name} "
                    f"differ; the one written first counts"
                )
        whole = [[cut[i] for i in range(n)] for n, cut in sorted(cuts.items()) if len(cut) == n]
        return min(whole, key=lambda parts: _status(parts) != "ok", default=[])

    def _warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)


def _quantiles(parts: list[Part]) -> tuple[Floats | None, tuple[float, ...]]:
    """The quantiles of all parts, NaN for a part of which every row failed; none unless all others have the same."""
    levels = {part.levels for part in parts if part.levels or len(part.failed) < len(part.rows)}
    if len(levels) != 1 or levels == {()}:
        return None, ()
    [common] = levels
    nothing = [np.full((*part.mean.shape, len(common)), np.nan) for part in parts]
    found = [n if part.quantiles is None else part.quantiles for part, n in zip(parts, nothing, strict=True)]
    return np.concatenate(found), common


def _status(heads: list[Head]) -> str:
    return next((head.status for head in heads if head.status != "ok"), "ok")


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or ".." in name:
        raise ValueError(f"a name in a store is made of a-z, 0-9, '.', '_' and '-', got {name!r}")
    return name


def _pretty(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _loaded(path: Path) -> Any:
    with explained(f"cannot read {path}"):
        data = path.read_bytes()
    try:
        return json.loads(data)
    except ValueError as err:
        raise StoreError(f"{path} is damaged: {err}") from err


def _check_label(path: Path) -> None:
    label = _loaded(path)
    schema = label.get("schema") if isinstance(label, dict) and label.get("kind") == "tsgap run" else None
    if not isinstance(schema, int):
        raise StoreError(f"{path} is not the label of a run folder")
    if schema > SCHEMA:
        raise StoreError(
            f"{path.parent} was written by {label.get('created_by')} in layout {schema}; this is tsgap "
            f"{tsgap.__version__}, which knows layouts up to {SCHEMA}; use a newer tsgap"
        )
