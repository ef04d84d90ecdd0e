"""Many series of one frequency: `Panel` is what plugins see, `Dataset` is what was read (stamps, missing values)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsgap import blocks
from tsgap.errors import DataError
from tsgap.ragged import Floats as Floats
from tsgap.ragged import Ints as Ints
from tsgap.ragged import bridged, gathered, missing_at, offsets_of

if TYPE_CHECKING:
    import pandas as pd

#: Frequency of a panel whose `ds` is an integer.
STEP = "step"

# Not all missing values have the same bits.
_NAN = np.float64(np.nan)


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself, made read-only."""
    array.flags.writeable = False
    return array


def digest(*parts: object) -> str:
    """Hash of arrays and of anything with a stable repr (128 bits, hexadecimal); no array is copied for it."""
    h = hashlib.sha256()
    for part in parts:
        raw = _bytes_of(part) if isinstance(part, np.ndarray) else np.frombuffer(repr(part).encode(), np.uint8)
        h.update(len(raw).to_bytes(8, "little"))
        for s in blocks.passed(raw):
            h.update(raw[s].data)
    return h.hexdigest()[:32]


def _bytes_of(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The bytes of an array in C order, which are only copied where they lie otherwise."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8) if array.size else np.empty(0, np.uint8)


def _first(values: Floats, good: Callable[[Floats], NDArray[np.bool_]]) -> int | None:
    """Position of the first value that is not good, None where all are."""
    for s in blocks.passed(values):
        fine = good(values[s])
        if not fine.all():
            return int(s.start + np.argmin(fine))
    return None


def _chosen(n: int, rows: Sequence[int] | NDArray[np.integer[Any]]) -> Ints:
    """Row numbers as numpy understands an index: negative ones count from the end, a mask selects."""
    index = np.asarray(rows)
    return np.asarray(np.arange(n)[index if index.size else index.astype(np.int64)], dtype=np.int64)


def _texts(names: Iterable[object]) -> tuple[str, ...]:
    """Names as plain text, so that equal names have equal hashes whatever library they came from."""
    return tuple(map(str, names))


def _own(array: Any, dtype: Any) -> NDArray[Any]:
    """An array that nobody can write to: the same one if it is read-only, else a copy."""
    array = np.asarray(array, dtype=dtype, order="C")
    return frozen(array.copy() if array.flags.writeable else array)


@dataclass(frozen=True, eq=False)
class Panel:
    """Many series of one frequency, finite and read-only: what forecasters and generators get.

    Row `i` holds `values[offsets[i]:offsets[i + 1]]`, oldest first. `keys` are unique; `series` names the series
    that a row belongs to (the histories or windows of one series share it) and is equal to `keys` unless given.
    `seasons` are season lengths in steps, the first one is the main one. `groups` and `weights` are per row. An
    array that could still be written to is copied. Raises `DataError` where the parts do not belong together.

    >>> p = Panel.of({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0]}, freq="D", seasons=(7,))
    >>> len(p), p[1].tolist(), p.lengths.tolist()
    (2, [4.0, 5.0], [3, 2])
    """

    values: Floats
    offsets: Ints
    keys: tuple[str, ...]
    freq: str
    seasons: tuple[int, ...]
    series: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    weights: Floats | None = None

    def __post_init__(self) -> None:
        values, offsets = _own(self.values, np.float64), _own(self.offsets, np.int64)
        keys = _texts(self.keys)
        n = len(keys)
        for name, part in (
            ("values", values),
            ("offsets", offsets),
            ("keys", keys),
            ("series", _texts(self.series) or keys),
            ("seasons", tuple(int(m) for m in self.seasons)),
            ("groups", {name: _texts(of) for name, of in self.groups.items()}),
            ("weights", None if self.weights is None else _own(self.weights, np.float64)),
        ):
            object.__setattr__(self, name, part)
        if values.ndim != 1:
            raise DataError(f"values of a panel are one flat array, got shape {values.shape}")
        if len(offsets) != n + 1 or offsets[0] != 0 or offsets[-1] != len(values) or (np.diff(offsets) < 0).any():
            raise DataError(f"offsets of a panel must rise from 0 to {len(values)} in {n + 1} numbers")
        _check_rows(keys, self.series, self.groups, self.weights)
        if not self.seasons or min(self.seasons) < 1:
            raise DataError(f"seasons must be whole numbers from 1, got {self.seasons!r}")
        bad = _first(values, np.isfinite)
        if bad is not None:
            row = int(np.searchsorted(offsets, bad, side="right")) - 1
            raise DataError(f"values of a panel must be finite, series {self.keys[row]!r} has {values[bad]}")

    @classmethod
    def of(
        cls,
        rows: Mapping[str, Sequence[float] | Floats],
        *,
        freq: str = STEP,
        seasons: Sequence[int] = (1,),
        series: Sequence[str] = (),
    ) -> Panel:
        """Build a panel from a mapping of key to values."""
        arrays = [np.asarray(v, dtype=np.float64) for v in rows.values()]
        values = np.concatenate(arrays) if arrays else np.empty(0)
        return cls(values, offsets_of([len(a) for a in arrays]), tuple(rows), freq, tuple(seasons), tuple(series))

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, row: int) -> Floats:
        """Values of one row, read-only."""
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[Floats]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"Panel({len(self)} series, {len(self.values)} values, freq={self.freq!r}, seasons={self.seasons})"

    @property
    def season(self) -> int:
        """The main season length in steps."""
        return self.seasons[0]

    @property
    def lengths(self) -> Ints:
        """Number of values of each row (N,)."""
        return np.diff(self.offsets)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the content: values, row keys, series, frequency, seasons, weights and groups."""
        groups = sorted(self.groups.items())
        return digest(self.values, self.offsets, self.keys, self.series, self.freq, self.seasons, self.weights, groups)

    def take(self, rows: Sequence[int] | NDArray[np.integer[Any]]) -> Panel:
        """The panel of `rows`, in that order."""
        index = _chosen(len(self), rows)
        if np.array_equal(index, np.arange(len(self))):
            return self
        values, offsets = gathered(self.values, self.offsets[index], self.lengths[index])
        return replace(
            self,
            values=frozen(values),
            offsets=frozen(offsets),
            keys=tuple(self.keys[i] for i in index),
            series=tuple(self.series[i] for i in index),
            groups={k: tuple(v[i] for i in index) for k, v in self.groups.items()},
            weights=None if self.weights is None else frozen(self.weights[index]),
        )

    def tail(self, n: int | Ints) -> Panel:
        """Each row cut to its last `n` values, one number for all rows or one for each (N,)."""
        lengths = np.clip(n, 0, self.lengths)
        if np.array_equal(lengths, self.lengths):
            return self
        values, offsets = gathered(self.values, self.offsets[1:] - lengths, lengths)
        return replace(self, values=frozen(values), offsets=frozen(offsets))

    def with_values(self, values: Floats) -> Panel:
        """The same rows with other values of the same lengths."""
        return replace(self, values=np.asarray(values, dtype=np.float64))

    def renamed(self, keys: Sequence[str]) -> Panel:
        """The same values under other keys; each row becomes a series of its own."""
        return replace(self, keys=tuple(keys), series=tuple(keys))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A panel as it was read: NaN where a value is missing, a stamp for every first value.

    The values of a series lie on a full grid of `freq` from `starts[i]` on. `starts` is datetime64[ns], or int64
    where `freq` is `STEP`. `notes` says in words what reading repaired; `windows` is the common length where the
    data came as an array of windows without ids and stamps.
    """

    name: str
    values: Floats
    offsets: Ints
    keys: tuple[str, ...]
    starts: NDArray[Any]
    freq: str
    seasons: tuple[int, ...]
    series: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    weights: Floats | None = None
    notes: tuple[str, ...] = ()
    windows: int | None = None

    def __post_init__(self) -> None:
        keys = _texts(self.keys)
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "series", _texts(self.series) or keys)
        object.__setattr__(self, "values", np.asarray(self.values, dtype=np.float64))
        object.__setattr__(self, "offsets", np.asarray(self.offsets, dtype=np.int64))
        object.__setattr__(self, "seasons", tuple(int(m) for m in self.seasons))
        kind = np.int64 if self.freq == STEP else "datetime64[ns]"
        object.__setattr__(self, "starts", np.asarray(self.starts).astype(kind))
        n = len(keys)
        if n == 0:
            raise DataError(f"{self.name}: there is no series in it")
        if len(self.offsets) != n + 1 or len(self.starts) != n:
            raise DataError(f"{self.name}: keys, offsets, starts and series do not belong together")
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.values) or (self.lengths < 0).any():
            raise DataError(f"{self.name}: offsets must rise from 0 to {len(self.values)}")
        bad = _first(self.values, lambda block: ~np.isinf(block))
        if bad is not None:
            row = int(np.searchsorted(self.offsets, bad, side="right")) - 1
            raise DataError(f"{self.name}: {np.isinf(self.values).sum()} values are infinite, first in {keys[row]!r}")
        try:
            _check_rows(keys, self.series, self.groups, self.weights)
        except DataError as err:
            raise DataError(f"{self.name}: {err}") from err

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, row: int) -> Floats:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self)} series, {len(self.values)} values, freq={self.freq!r})"

    @property
    def lengths(self) -> Ints:
        """Number of steps of each series (S,), missing ones included."""
        return np.diff(self.offsets)

    @property
    def n_missing(self) -> int:
        """How many steps have no value."""
        return len(self.missing)

    @cached_property
    def missing(self) -> Ints:
        """Positions in `values` of the steps that have no value, rising."""
        return frozen(missing_at(self.values))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the content, equal for equal data whatever file format they came in."""
        clean = self.values
        if (clean[self.missing].view(np.int64) != _NAN.view(np.int64)).any():
            clean = np.where(np.isnan(clean), np.nan, clean)
        return digest(clean, self.offsets, self.keys, self.starts.astype(np.int64), self.freq, self.seasons)

    def stamps(self, row: int, *, start: int = 0, count: int | None = None) -> pd.DatetimeIndex | Ints:
        """Stamps of `count` steps from step `start` of a series on; may run past its end."""
        n = int(self.lengths[row]) - start if count is None else count
        if self.freq == STEP:
            return np.arange(n, dtype=np.int64) + int(self.starts[row]) + start
        import pandas as pd

        offset = pd.tseries.frequencies.to_offset(self.freq)
        first = pd.Timestamp(self.starts[row]) + start * offset if start else pd.Timestamp(self.starts[row])
        return pd.date_range(first, periods=n, freq=self.freq)

    def take(self, rows: Sequence[int] | NDArray[np.integer[Any]]) -> Dataset:
        """The data set of `rows`, in that order."""
        index = _chosen(len(self), rows)
        if np.array_equal(index, np.arange(len(self))):
            return self
        values, offsets = gathered(self.values, self.offsets[index], self.lengths[index])
        return replace(
            self,
            values=frozen(values),
            offsets=offsets,
            keys=tuple(self.keys[i] for i in index),
            starts=self.starts[index],
            series=tuple(self.series[i] for i in index),
            groups={k: tuple(v[i] for i in index) for k, v in self.groups.items()},
            weights=None if self.weights is None else self.weights[index],
        )


def _check_rows(
    keys: tuple[str, ...], series: tuple[str, ...], groups: Mapping[str, tuple[str, ...]], weights: Floats | None
) -> None:
    n = len(keys)
    if len(set(keys)) != n:
        seen: set[str] = set()
        first = next(k for k in keys if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise DataError(f"keys must be unique, {n - len(set(keys))} of {n} repeat, first {first!r}")
    if len(series) != n:
        raise DataError(f"{len(series)} series names for {n} rows")
    for name, of in groups.items():
        if len(of) != n:
            raise DataError(f"group {name!r} has {len(of)} entries for {n} rows")
    if weights is not None and (weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any()):
        raise DataError(f"weights must be {n} finite numbers from 0, got shape {weights.shape}")


def filled(values: Floats) -> tuple[Floats, int]:
    """Values without gaps and how many were filled: linear inside, the last value after the end.

    Missing values before the first one are cut off. An array without any value comes back empty.

    >>> filled(np.array([np.nan, 1.0, np.nan, 3.0, np.nan]))[0].tolist()
    [1.0, 2.0, 3.0, 3.0]
    """
    known = ~np.isnan(values)
    if known.all():
        return values, 0
    if not known.any():
        return values[:0], 0
    out = values[int(np.argmax(known)) :].copy()
    missing = np.flatnonzero(np.isnan(out))
    out[missing] = bridged(out, missing, missing, len(out))
    return out, len(missing)
