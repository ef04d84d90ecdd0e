"""Arrays of windows without ids and stamps, as generators leave them, to data sets."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tsgap.errors import DataError, UsageError
from tsgap.panel import STEP, Dataset, Floats
from tsgap.readers.normaliser import Normaliser
from tsgap.readers.options import ReadOptions

#: Names that an array of windows may have in an .npz file that holds several.
NAMES = ("windows", "samples", "data", "synthetic")

#: The series of windows that were given without channels.
UNNAMED = "windows"


def read_arrays(path: Path) -> tuple[NDArray[Any], Mapping[str, NDArray[Any]]]:
    """The array of windows of an .npy or .npz file, and all arrays beside it; nothing in it is executed."""
    try:
        loaded = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as err:
        raise DataError(f"{path}: not readable as a NumPy file without pickled objects: {err}") from err
    if isinstance(loaded, np.ndarray):
        return loaded, {}
    with loaded:
        try:
            arrays = {name: loaded[name] for name in loaded.files}
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as err:
            raise DataError(f"{path}: not readable without pickled objects: {err}") from err
    named = [n for n in NAMES if n in arrays]
    if len(arrays) == 1:
        return next(iter(arrays.values())), arrays
    if len(named) == 1:
        return arrays[named[0]], arrays
    listed = ", ".join(f"{n} {a.shape}" for n, a in arrays.items()) or "none"
    raise DataError(
        f"{path}: cannot tell which array holds the windows; call one of them 'windows'. There are: {listed}"
    )


def windows_dataset(
    array: NDArray[Any],
    *,
    name: str,
    like: Dataset,
    options: ReadOptions,
    where: str,
    beside: Mapping[str, NDArray[Any]] | None = None,
) -> Dataset:
    """The data set of windows (N, L) or (N, L, C); each channel is a series, each window a row.

    Frequency and seasons are those of `like`, stamps are not known. `beside` holds the arrays that were stored with
    them: keys that name the series of every window, and a normaliser. Windows that are not finite are left out and
    counted. Raises DataError for other shapes and types, and where no finite window is left.
    """
    array = np.asarray(array)
    beside = beside or {}
    if array.dtype.kind not in "fiu" or array.ndim not in (2, 3) or 0 in array.shape:
        raise DataError(f"{where}: windows must be numbers (N, L) or (N, L, C), found {array.dtype} {array.shape}")
    notes: list[str] = []
    values = array.astype(np.float64)
    n, length = values.shape[:2]
    series = _series_of_windows(beside, n, values.ndim, where)
    if values.ndim == 2 and series is None:
        if len(options.channels) > 1:
            raise UsageError(f"{where}: {len(options.channels)} channels are named, the array (N, L) has one")
        series = [(options.channels or (UNNAMED,))[0]] * n
    if series is None:
        channels = _channels(values.shape[2], like, options, where, notes)
        values = values.transpose(0, 2, 1).reshape(-1, length)
        series = list(channels) * n
        keys = [f"w{i}:{c}" for i in range(n) for c in channels]
        if len(channels) > 1:
            notes.append(
                f"{len(channels)} channels became series of their own; structure across channels is not tested"
            )
    else:
        values = values.reshape(n, length)
        keys = [f"w{i}" for i in range(n)]
    good = np.isfinite(values).all(axis=1)
    if not good.all():
        if not good.any():
            raise DataError(f"{where}: none of {len(values)} windows is finite")
        notes.append(f"{int((~good).sum())} of {len(values)} windows were left out: they hold NaN or infinite values")
    kept = np.flatnonzero(good)
    values, keys, series = values[kept], [keys[i] for i in kept], [series[i] for i in kept]
    if options.inverse is not None:
        values = _undone(values, series, like, options, beside, where, notes)
    count = len(keys)
    return Dataset(
        name=name,
        values=values.reshape(-1),
        offsets=np.arange(count + 1, dtype=np.int64) * length,
        keys=tuple(keys),
        starts=np.zeros(count, dtype=np.int64 if like.freq == STEP else "datetime64[ns]"),
        freq=like.freq,
        seasons=like.seasons,
        series=tuple(series),
        notes=tuple(notes),
        windows=length,
    )


def _channels(n: int, like: Dataset, options: ReadOptions, where: str, notes: list[str]) -> tuple[str, ...]:
    if options.channels:
        if len(options.channels) != n:
            raise UsageError(f"{where}: {len(options.channels)} channels are named, the array has {n}")
        return options.channels
    if n == len(like):
        if n > 1:
            notes.append(f"channels taken to be the real series in this order: {_shown(like.keys)}")
        return like.keys
    return tuple(f"c{i}" for i in range(n))


def _series_of_windows(beside: Mapping[str, NDArray[Any]], n: int, ndim: int, where: str) -> list[str] | None:
    """The series of each window, where the array was stored with `keys` for them."""
    if ndim != 2 or "keys" not in beside or beside["keys"].dtype.kind != "U":
        return None
    keys = beside["keys"]
    if keys.shape != (n,):
        raise DataError(
            f"{where}: {n} windows and keys of shape {keys.shape}; hand back 'keys' for every window or none"
        )
    return [str(k) for k in keys]


def _undone(
    values: Floats,
    series: Sequence[str],
    like: Dataset,
    options: ReadOptions,
    beside: Mapping[str, NDArray[Any]],
    where: str,
    notes: list[str],
) -> Floats:
    assert options.inverse is not None
    stored = Normaliser.stored(beside, where)
    if stored is not None and stored.kind != options.inverse:
        raise UsageError(f"{where}: the stored normaliser is {stored.kind!r}, {options.inverse!r} was to be undone")
    figures = stored or Normaliser.of(like, options.inverse)
    origin = "stored with the windows" if stored else "of the real training part"
    notes += filter(None, [figures.doubt(values)])
    names = list(dict.fromkeys(series))
    known = [n for n in names if n in set(figures.names)]
    out = values.copy()
    of = np.array(series)
    for n in names:
        at = np.flatnonzero(of == n)
        out[at] = figures.undo(values[at], n if n in figures.names else None)
    if len(known) == len(names):
        notes.append(f"{options.inverse} undone by the figures {origin}, series by series")
    else:
        some = "" if not known else f" for {len(names) - len(known)} of {len(names)} channels"
        notes.append(
            f"{options.inverse} undone by the figures {origin}, over all values{some}, as no series has their name"
        )
    return out


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
