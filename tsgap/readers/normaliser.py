"""Normalisations of series and their inverse: figures by series name, learned from real training values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tsgap.errors import DataError
from tsgap.panel import Dataset, Floats

Kind = Literal["minmax", "zscore"]

#: The two figures of each kind, by the names that they are stored under.
FIGURES: dict[str, tuple[str, str]] = {"minmax": ("low", "high"), "zscore": ("mean", "sd")}


@dataclass(frozen=True, eq=False)
class Normaliser:
    """``minmax``: (y - low) / (high - low); ``zscore``: (y - mean) / sd; figures (S,) by series name.

    A series whose range or deviation is 0 is divided by 1. `whole` are the figures over all values.
    """

    kind: Kind
    names: tuple[str, ...]
    first: Floats
    second: Floats
    whole: tuple[float, float]

    @classmethod
    def of(cls, data: Dataset, kind: Kind) -> Normaliser:
        """Figures of each series of a data set and of all values together; missing values are left out."""
        rows = [row[~np.isnan(row)] for row in (data[i] for i in range(len(data)))]
        figures = np.array([_figures(row, kind) for row in rows])
        everything = _figures(data.values[~np.isnan(data.values)], kind)
        return cls(kind, tuple(data.keys), figures[:, 0], figures[:, 1], everything)

    @classmethod
    def stored(cls, arrays: Mapping[str, NDArray[Any]], where: str) -> Normaliser | None:
        """The normaliser that was stored beside windows, None where there is none; DataError for a broken one."""
        if "normaliser" not in arrays:
            return None
        kind = str(arrays["normaliser"])
        if kind not in FIGURES:
            raise DataError(f"{where}: the stored normaliser is {kind!r}, not one of {', '.join(FIGURES)}")
        wanted = ("series", *FIGURES[kind], "whole")
        absent = [n for n in wanted if n not in arrays]
        if absent:
            raise DataError(f"{where}: the stored {kind} normaliser lacks {', '.join(absent)}")
        names = tuple(map(str, arrays["series"]))
        first, second = (np.asarray(arrays[n], dtype=np.float64) for n in FIGURES[kind])
        whole = np.asarray(arrays["whole"], dtype=np.float64)
        if first.shape != (len(names),) or second.shape != first.shape or whole.shape != (2,):
            raise DataError(f"{where}: the stored {kind} normaliser has figures of other shapes than its series")
        if not (np.isfinite(first).all() and np.isfinite(second).all() and np.isfinite(whole).all()):
            raise DataError(f"{where}: the stored {kind} normaliser has figures that are not finite")
        return cls(kind, names, first, second, (float(whole[0]), float(whole[1])))  # type: ignore[arg-type]

    def doubt(self, values: Floats) -> str:
        """A sentence where values do not look as if they had been normalised, else nothing."""
        low, high = (-1.0, 2.0) if self.kind == "minmax" else (-20.0, 20.0)
        known = values[np.isfinite(values)]
        outside = np.mean((known < low) | (known > high)) if len(known) else 0.0
        if outside <= 0.01:
            return ""
        return (
            f"{outside:.0%} of the values lie outside of {low:g} to {high:g} ({known.min():g} to {known.max():g}): "
            f"THEY DO NOT LOOK {self.kind.upper()} NORMALISED, and were multiplied back all the same"
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `stored` reads back."""
        low, high = FIGURES[self.kind]
        return {
            "normaliser": np.array(self.kind),
            "series": np.array(self.names),
            low: self.first,
            high: self.second,
            "whole": np.array(self.whole),
        }

    def apply(self, values: Floats, name: str) -> Floats:
        """Values of the series `name` normalised."""
        shift, size = self._shift_and_size(name)
        return (values - shift) / size

    def undo(self, values: Floats, name: str | None) -> Floats:
        """Normalised values back in their units: by the figures of `name`, or of all values for None."""
        shift, size = self._shift_and_size(name)
        return values * size + shift

    def _shift_and_size(self, name: str | None) -> tuple[float, float]:
        if name is None:
            first, second = self.whole
        else:
            at = self.names.index(name)
            first, second = float(self.first[at]), float(self.second[at])
        size = second - first if self.kind == "minmax" else second
        return first, size if size > 0 else 1.0


def _figures(values: Floats, kind: Kind) -> tuple[float, float]:
    if kind == "minmax":
        return float(values.min()), float(values.max())
    return float(values.mean()), float(values.std())
