"""Many series of one frequency: `Panel` is what plugins see, `Dataset` is what was read (stamps, missing values)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tsgap.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Frequency of a panel whose `ds` is an integer.
STEP = "step"


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself, made read-only."""
    array.flags.writeable = False
    return array


def offsets_of(lengths: Iterable[int]) -> Ints:
    """Offsets of rows of these lengths in a flat array."""
    return np.concatenate([[0], np.cumsum(np.fromiter(lengths, dtype=np.int64))]).astype(np.int64)


def digest(*parts: object) -> str:
    """Hash of arrays and of anything with a stable repr (128 bits, hexadecimal)."""
    h = hashlib.sha256()
    for part in parts:
        raw = np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else repr(part).encode()
        h.update(len(raw).to_bytes(8, "little"))
        h.update(raw)
    return h.hexdigest()[:32]


def gather(offsets: Ints, rows: NDArray[np.integer[Any]]) -> tuple[Ints, Ints]:
    """Positions of the values of `rows` in a ragged array, and the offsets of the rows taken."""
    lengths = offsets[rows + 1] - offsets[rows]
    out = offsets_of(lengths.tolist())
    where = np.repeat(offsets[rows] - out[:-1], lengths) + np.arange(out[-1])
    return where, out


@dataclass(frozen=True, eq=False)
class Panel:
    """Many series of one frequency, finite and read-only: what forecasters and generators get.

    Row `i` holds `values[offsets[i]:offsets[i + 1]]`, oldest first. `keys` are unique; `series` names the series
    that a row belongs to (the histories or windows of one series share it) and is equal to `keys` unless given.
    `seasons` are season lengths in steps, the first one is the main one. `groups` and `weights` are per row.

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
        values = np.asarray(self.values, dtype=np.float64)
        offsets = np.asarray(self.offsets, dtype=np.int64)
        object.__setattr__(self, "values", frozen(values if not values.flags.writeable else values.view()))
        object.__setattr__(self, "offsets", frozen(offsets if not offsets.flags.writeable else offsets.view()))
        object.__setattr__(self, "keys", tuple(self.keys))
        object.__setattr__(self, "series", tuple(self.series) or self.keys)
        object.__setattr__(self, "seasons", tuple(int(m) for m in self.seasons))
        n = len(self.keys)
        if len(offsets) != n + 1 or offsets[0] != 0 or offsets[-1] != len(values) or (np.diff(offsets) < 0).any():
            raise DataError(f"offsets of a panel must rise from 0 to {len(values)} in {n + 1} numbers")
        if len(set(self.keys)) != n:
            raise DataError(f"keys of a panel must be unique, {n - len(set(self.keys))} repeat")
        if len(self.series) != n:
            raise DataError(f"{len(self.series)} series names for {n} rows")
        if not self.seasons or min(self.seasons) < 1:
            raise DataError(f"seasons must be whole numbers from 1, got {self.seasons!r}")
        if not np.isfinite(values).all():
            bad = int(np.flatnonzero(~np.isfinite(values))[0])
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
        return cls(values, offsets_of(len(a) for a in arrays), tuple(rows), freq, tuple(seasons), tuple(series))

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
        """Hash of the content: values, row keys, series, frequency, seasons and weights."""
        return digest(self.values, self.offsets, self.keys, self.series, self.freq, self.seasons, self.weights)

    def take(self, rows: Sequence[int] | NDArray[np.integer[Any]]) -> Panel:
        """The panel of `rows`, in that order."""
        index = np.asarray(rows, dtype=np.int64)
        where, offsets = gather(self.offsets, index)
        return replace(
            self,
            values=frozen(self.values[where]),
            offsets=frozen(offsets),
            keys=tuple(self.keys[i] for i in index),
            series=tuple(self.series[i] for i in index),
            groups={k: tuple(v[i] for i in index) for k, v in self.groups.items()},
            weights=None if self.weights is None else frozen(self.weights[index]),
        )

    def tail(self, n: int) -> Panel:
        """Each row cut to its last `n` values."""
        lengths = np.minimum(self.lengths, n)
        offsets = offsets_of(lengths.tolist())
        where = np.repeat(self.offsets[1:] - lengths - offsets[:-1], lengths) + np.arange(offsets[-1])
        return replace(self, values=frozen(self.values[where]), offsets=frozen(offsets))

    def with_values(self, values: Floats) -> Panel:
        """The same rows with other values of the same lengths."""
        return replace(self, values=frozen(np.array(values, dtype=np.float64)))

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
        object.__setattr__(self, "series", tuple(self.series) or tuple(self.keys))
        object.__setattr__(self, "values", np.asarray(self.values, dtype=np.float64))
        n = len(self.keys)
        if n == 0:
            raise DataError(f"{self.name}: there is no series in it")
        if len(self.offsets) != n + 1 or len(self.starts) != n or len(self.series) != n:
            raise DataError(f"{self.name}: keys, offsets, starts and series do not belong together")
        if len(set(self.keys)) != n:
            raise DataError(f"{self.name}: keys must be unique")

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
        return int(np.isnan(self.values).sum())

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the content, equal for equal data whatever file format they came in."""
        clean = np.where(np.isnan(self.values), np.nan, self.values)
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
        index = np.asarray(rows, dtype=np.int64)
        where, offsets = gather(self.offsets, index)
        return replace(
            self,
            values=self.values[where],
            offsets=offsets,
            keys=tuple(self.keys[i] for i in index),
            starts=self.starts[index],
            series=tuple(self.series[i] for i in index),
            groups={k: tuple(v[i] for i in index) for k, v in self.groups.items()},
            weights=None if self.weights is None else self.weights[index],
        )


def filled(values: Floats) -> tuple[Floats, int]:
    """Values without gaps and how many were filled: linear inside, the last value after the end.

    Missing values before the first one are cut off. An array without any value comes back empty.

    >>> filled(np.array([np.nan, 1.0, np.nan, 3.0, np.nan]))[0].tolist()
    [1.0, 2.0, 3.0, 3.0]
    """
    there = np.flatnonzero(~np.isnan(values))
    if len(there) == len(values):
        return values, 0
    if not len(there):
        return values[:0], 0
    values = values[there[0] :]
    good = ~np.isnan(values)
    at = np.arange(len(values))
    return np.interp(at, at[good], values[good]), int(len(values) - good.sum())
