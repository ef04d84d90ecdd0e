"""Synthetic data from files, folders, patterns, frames or arrays to one data set a replicate."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tsgap.errors import DataError, UsageError
from tsgap.panel import STEP, Dataset
from tsgap.readers import frames
from tsgap.readers.assemble import NO_STAMPS, alike, assemble_like, own_freq
from tsgap.readers.columns import SINGLE, Long, read_long, read_wide
from tsgap.readers.options import ReadOptions
from tsgap.readers.real import read_path
from tsgap.readers.regular import read_regular, regular_dataset
from tsgap.readers.windows import read_arrays, windows_dataset

#: The part of a pattern that stands for the number or name of a replicate.
REPLICATE = "{replicate}"

_ARRAYS = (".npy", ".npz")
_ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".tsf", *_ARRAYS)

_DEFAULTS = ReadOptions()


def read_synthetic(what: object, *, name: str, like: Dataset, options: ReadOptions = _DEFAULTS) -> list[Dataset]:
    """Synthetic series, one data set for each replicate.

    `what` is a file of any format that real data may have, an .npy or .npz file, a folder (each file a replicate,
    in the order of their names, numbers by size), a path with ``{replicate}`` in it, a frame, an array of windows,
    or a list of those. `like` is the real training part: frequency, seasons and the figures that undo a
    normalisation come from it. Raises DataError as `read_real` does, and for stamps of another frequency.
    """
    many = _replicates(what)
    return [
        _one(one, name=name if len(many) == 1 else f"{name}/{k}", like=like, options=options)
        for k, one in enumerate(many)
    ]


def _replicates(what: object) -> list[Any]:
    if isinstance(what, str | Path):
        if REPLICATE in str(what):
            return _matching(str(what))
        path = Path(what)
        return _files_in(path) if path.is_dir() else [path]
    if isinstance(what, list | tuple) and not what:
        raise UsageError("an empty list of synthetic data")
    if isinstance(what, list | tuple) and not all(frames.is_darts(w) for w in what):
        if any(isinstance(w, list | tuple | dict | int | float) for w in what):
            raise UsageError("a list of synthetic data holds one file, frame or array for each replicate")
        return list(what)
    return [what]


def _matching(pattern: str) -> list[Path]:
    if pattern.count(REPLICATE) > 1:
        raise UsageError(f"{pattern}: {REPLICATE} may stand in a pattern once")
    before, after = pattern.split(REPLICATE)
    # The folder that can be listed is the one before the pattern's first open part.
    folder = Path(before + "x").parent
    rest = pattern[len(str(folder)) + 1 :] if str(folder) != "." else pattern.removeprefix("./")
    named = re.compile(re.escape(rest).replace(re.escape(REPLICATE), r"[^/]+"))
    depth = "/".join("*" for _ in rest.split("/"))
    found = [p for p in folder.glob(depth) if named.fullmatch(p.relative_to(folder).as_posix())]
    if not found:
        raise DataError(f"{pattern}: no file matches {before}*{after}")
    return sorted(found, key=_natural)


def _files_in(folder: Path) -> list[Path]:
    files = [p for p in folder.iterdir() if p.suffix.lower() in _ENDINGS and not p.name.startswith((".", "_"))]
    if not files:
        raise DataError(f"{folder}: no file in it ends in one of {', '.join(_ENDINGS)}")
    return sorted(files, key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Numbers in names by their size, so that 10 comes after 9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.as_posix())]


def _one(what: Any, *, name: str, like: Dataset, options: ReadOptions) -> Dataset:
    if isinstance(what, Dataset):
        return what
    if isinstance(what, np.ndarray):
        return windows_dataset(what, name=name, like=like, options=options, where="the array")
    if isinstance(what, str | Path):
        path = Path(what)
        if path.suffix.lower() in _ARRAYS:
            if not path.is_file():
                raise DataError(f"{path}: there is no such file")
            array, beside = read_arrays(path)
            return windows_dataset(array, name=name, like=like, options=options, where=str(path), beside=beside)
        if not path.exists() and set(str(path)) & set("*?{"):
            raise DataError(f"{path}: there is no such file or folder; a pattern of replicates says {REPLICATE}")
        if not path.exists() or path.suffix.lower() in _ENDINGS or path.is_dir():
            data = _regular(path, name=name, like=like, options=options)
            if data is not None:
                return _undone(data, like, options)
            long, _ = read_path(path, options, stamps_needed=False)
        else:
            raise UsageError(f"{path}: the ending {path.suffix!r} is not one of {', '.join(_ENDINGS)}")
    else:
        table = frames.table_of(what, options)
        long = (read_wide if options.wide else read_long)(table, options, stamps_needed=False)
    if options.channels:
        raise UsageError(f"{long.table.where}: channels are named for arrays of windows (N, L, C), not for series")
    return _undone(assemble_like(_named(long, like), name=name, like=like, options=options), like, options)


def _regular(path: Path, *, name: str, like: Dataset, options: ReadOptions) -> Dataset | None:
    """What a plain Parquet file holds, None for everything else."""
    found = None if options.channels else read_regular(path, options, stamps_needed=False)
    if found is None:
        return None
    if found.keys == (SINGLE,) and len(like) == 1:
        found = replace(found, keys=like.keys)
    if found.dated is None:
        found = replace(found, notes=(*NO_STAMPS, *found.notes))
    freq = own_freq(found.longest, like, options) if found.dated else STEP
    data = regular_dataset(found, name=name, options=replace(options, season_length=like.seasons), freq=freq)
    return None if data is None else alike(data, like, where=str(path))


def _named(long: Long, like: Dataset) -> Long:
    """A synthetic single series under the name of the real one, where that is single too."""
    return replace(long, ids=like.keys) if long.ids == (SINGLE,) and len(like) == 1 else long


def _undone(data: Dataset, like: Dataset, options: ReadOptions) -> Dataset:
    if options.inverse is None:
        return data
    from tsgap.readers.normaliser import Normaliser

    figures = Normaliser.of(like, options.inverse)
    known = set(figures.names)
    values = np.concatenate([figures.undo(data[i], k if k in known else None) for i, k in enumerate(data.keys)])
    unmatched = sum(k not in known for k in data.keys)
    note = f"{options.inverse} undone by the figures of the real training part, series by series"
    if unmatched:
        note += f" where the name is the same, over all its values for the other {unmatched} of {len(data)} series"
    return replace(data, values=values, notes=(*data.notes, *filter(None, [figures.doubt(data.values)]), note))
