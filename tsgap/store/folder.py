"""The run folder: what is there, what is finished, and how it is read back; nothing half or damaged counts."""

from __future__ import annotations

import contextlib
import os
import re
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np

from tsgap import blocks
from tsgap.errors import StoreError
from tsgap.panel import Floats, Ints
from tsgap.store.files import explained, listed, new_scratch, put_whole, remove_scratch, sync_folder, write_whole
from tsgap.store.label import LABEL, check_label, label, loaded, pretty
from tsgap.store.part import Head, Part, is_part_file, read_failed, read_head, read_part, verified
from tsgap.store.sealed import DamagedError, opened, release_unused, unsealed, verify, write_sealed

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: Rows of a table that are unpacked at once where a column of it is large.
_BATCH = 2**14
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
            if (path / LABEL).exists():
                check_label(path / LABEL)
                if create:
                    _ = store.work  # shows at once whether the folder can be written
                return store
            held = sorted(p.name for p in path.iterdir()) if path.exists() else []
            if strangers := [name for name in held if name != "work" and not name.startswith(".")]:
                raise StoreError(f"{path} is not a run folder, it holds {strangers[0]!r}; give a new or an empty one")
            if not create:
                raise StoreError(f"{path} is not a run folder: there is no {LABEL} in it")
            path.mkdir(parents=True, exist_ok=True)
            write_whole(path / LABEL, pretty(label()), store.work)
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
        for head in self._all_heads():
            heads.setdefault(head.cell, []).append(head)
        chosen = {cell: self._chosen(found) for cell, found in sorted(heads.items())}
        return {cell: _status(parts) for cell, parts in chosen.items() if parts}

    def heads(self) -> dict[tuple[str, int, int], Head]:
        """What there is by cell, number of the part and of how many, also of cells that are not finished.

        Where several files are one part, that which counts. Reads the ends of the files only, as `finished` does.
        """
        found = sorted(self._all_heads(), key=lambda head: head.order, reverse=True)
        return {(head.cell, head.part, head.n_parts): head for head in found}

    def parts(self, cell: str) -> list[Part]:
        """The parts of a cell in order, every byte verified; none unless all are there and whole."""
        while chosen := self._chosen(list(self._heads(self._files(cell)))):
            parts = [part for head in chosen if (part := self._guarded(read_part, head.path)) is not None]
            if len(parts) == len(chosen):
                return parts
        return []

    def failed(self, cell: str) -> tuple[list[Head], int, dict[int, str]]:
        """The heads of a cell's parts in order, how many rows they have, and why some failed; every byte verified.

        No heads unless all parts are there and whole.
        """
        while chosen := self._chosen(list(self._heads(self._files(cell)))):
            found = [told for head in chosen if (told := self._guarded(read_failed, head.path)) is not None]
            if len(found) == len(chosen):
                failed = {row: why for _, of_part in found for row, why in of_part.items()}
                return chosen, sum(n for n, _ in found), dict(sorted(failed.items()))
        return [], 0, {}

    def forecasts(self, cell: str) -> Forecasts:
        """What a finished cell forecast, in the order of its rows 0..N-1; every byte is verified, part by part.

        A block of them or more lies in a file without a name in the run folder, not in memory: the array is mapped.
        """
        while chosen := self._chosen(list(self._heads(self._files(cell)))):
            if bad := next((head for head in chosen if head.status != "ok"), None):
                raise StoreError(f"{self.path}: cell {cell} has no forecasts, part {bad.part} is {bad.status}")
            if len({head.shape[1] for head in chosen}) > 1:
                raise StoreError(f"{self.path}: the parts of cell {cell} have different numbers of leads")
            found = self._put_together(chosen)
            release_unused()
            if found is not None:
                return found
        raise StoreError(f"{self.path}: cell {cell} is not complete; run the same command again")

    def _put_together(self, heads: Sequence[Head]) -> Forecasts | None:
        """The forecasts of all parts, None if one is gone or damaged."""
        shape = (sum(head.shape[0] for head in heads), heads[0].shape[1])
        levels = {head.levels for head in heads if head.levels}
        common = next(iter(levels)) if len(levels) == 1 else ()
        mean = self._room(*shape)
        quantiles = self._room(*shape, len(common)) if common else None
        there, failed = np.zeros(shape[0], dtype=bool), dict[int, str]()
        for head in heads:
            if (part := self._guarded(read_part, head.path)) is None:
                return None
            rows = _run_of(part.rows)
            if part.rows.min(initial=0) < 0 or part.rows.max(initial=-1) >= len(there) or there[rows].any():
                cell = f"cell {head.cell}"
                raise StoreError(f"{self.path}: the rows of {cell} are not 0 to {len(there) - 1}, each once")
            there[rows] = True
            mean[rows] = part.mean
            blocks.let_go(mean, quantiles)
            failed |= part.failed
            if quantiles is not None and part.quantiles is not None:
                quantiles[rows] = part.quantiles
            elif quantiles is not None and len(part.failed) == len(part.rows):
                quantiles[rows] = np.nan
            else:
                quantiles, common = None, ()
        return Forecasts(mean, dict(sorted(failed.items())), quantiles, common)

    def _room(self, *shape: int) -> Floats:
        """An array to be filled; one of a block or more lies in a file without a name, which goes with the array."""
        return blocks.room(*shape, large=1, folder=self.path)

    def remove(self, head: Head) -> None:
        """Remove one file of a part."""
        with explained(f"cannot remove {head.path}"):
            head.path.unlink(missing_ok=True)
            sync_folder(head.path.parent)

    def adopt(self, files: Iterable[Path]) -> int:
        """Take in parts or tables from another run folder, byte for byte; how many of them are here now, whole.

        What is here already stays, unless it is damaged. One that is not what was written is left where it is, with a
        warning.
        """
        homes, n = set(), 0
        for file in files:
            home = self._shelf(file.name) if is_part_file(file.name) else self.path / "tables"
            if (home / file.name).exists() and self._is_whole(home / file.name):
                n += 1
            elif self._adopted(file, home / file.name):
                homes.add(home)
                n += 1
        for home in homes:
            sync_folder(home)
        return n

    def _adopted(self, file: Path, target: Path) -> bool:
        with explained(f"cannot read {file}"):
            data = file.read_bytes()
            try:
                verify(data)
                if is_part_file(file.name):
                    read_head(file)
            except DamagedError as err:
                self._warn(f"{file} is damaged: {err}; it is left out")
                return False
        put_whole(file, data, target, self.work)
        self._damaged.discard(target)
        return True

    def _is_whole(self, file: Path) -> bool:
        with explained(f"cannot read {file}"):
            try:
                verify(file.read_bytes())
            except DamagedError:
                return False
        return True

    def check(self) -> list[str]:
        """Verify every byte of all parts; what is damaged goes to quarantine. Returns the new warnings."""
        before = len(self.warnings)
        for head in self._all_heads():
            self._guarded(verified, head.path)
        return self.warnings[before:]

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file `name` (the ending may be left out), whole or not at all."""
        write_whole(self._json(name), pretty(value), self.work)

    def read_json(self, name: str) -> Any:
        """What `write_json` wrote under that name; StoreError when there is none or it is no JSON."""
        return loaded(self._json(name))

    def write_table(self, name: str, frame: pd.DataFrame | pa.Table | Iterable[pa.Table]) -> None:
        """Write `tables/<name>.parquet`, sealed, whole or not at all; the index of a frame is left out.

        Tables of one schema are written one after the other, of which one is held at a time.
        """
        import pandas as pd
        import pyarrow as pa

        if isinstance(frame, pd.DataFrame):
            frame = pa.Table.from_pandas(frame, preserve_index=False)
        tables = [frame] if isinstance(frame, pa.Table) else frame
        write_whole(self._table(name), lambda file: write_sealed(file, tables, {}), self.work)

    def read_table(self, name: str) -> pd.DataFrame:
        """The table of that name, every byte verified; StoreError when there is none or it is damaged."""
        with self._table_opened(name) as file:
            frame: pd.DataFrame = unsealed(file.read()).to_pandas(use_threads=False)
        return frame

    def read_lists(self, name: str, column: str) -> tuple[pa.Table, Floats]:
        """A table without one of its columns, and that one, lists of equal length, as an array (N, H).

        As with forecasts the array is mapped where it is as large as a block.
        """
        import pyarrow as pa

        with self._table_opened(name) as file:
            table = opened(file)
            others = [one for one in table.schema_arrow.names if one != column]
            rest, done, values = [], 0, np.empty((0, 0))
            for batch in table.iter_batches(batch_size=_BATCH, use_threads=False):
                flat = batch[column].flatten().to_numpy(zero_copy_only=False)
                if not done:
                    values = self._room(table.metadata.num_rows, len(flat) // len(batch))
                values[done : done + len(batch)] = flat.reshape(len(batch), -1)
                done += len(batch)
                blocks.let_go(values)
                rest.append(batch.select(others))
        batch = flat = None
        release_unused()
        return pa.Table.from_batches(rest, table.schema_arrow.empty_table().select(others).schema), values

    @contextlib.contextmanager
    def _table_opened(self, name: str) -> Iterator[BinaryIO]:
        """The file of a table; what is found damaged in it is a StoreError."""
        path = self._table(name)
        with explained(f"cannot read {path}"), path.open("rb") as file:
            try:
                yield file
            except DamagedError as err:
                raise StoreError(f"{path} is damaged: {err}") from err

    def _json(self, name: str) -> Path:
        name = _checked(name.removesuffix(".json")) + ".json"
        if name == LABEL:
            raise ValueError(f"{LABEL} belongs to the store")
        return self.path / name

    def _table(self, name: str) -> Path:
        return self.path / "tables" / f"{_checked(name)}.parquet"

    def _shelf(self, cell: str) -> Path:
        return self.path / "parts" / cell[:2]

    def _files(self, cell: str) -> list[Path]:
        return listed(self._shelf(cell), f"{cell}-")

    def _all_heads(self) -> Iterator[Head]:
        for folder in listed(self.path / "parts"):
            yield from self._heads(listed(folder))

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


def _run_of(rows: Ints) -> slice | Ints:
    """Rows as a slice where they follow one another, which is quicker to read and to write."""
    if len(rows) and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _status(heads: list[Head]) -> str:
    return next((head.status for head in heads if head.status != "ok"), "ok")


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or ".." in name:
        raise ValueError(f"a name in a store is made of a-z, 0-9, '.', '_' and '-', got {name!r}")
    return name
