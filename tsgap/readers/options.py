"""How a file or frame is to be read: one frozen value for every reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tsgap.errors import UnknownNameError, UsageError
from tsgap.frequency import canonical


@dataclass(frozen=True)
class ReadOptions:
    """Names of columns, and what to do about frequency, seasons and missing values.

    `freq` None: inferred and checked. `season_length` empty: from the card or the table by frequency. `wide`: one
    column of stamps, each other column a series. `groups` are static columns, `weights` one static column of
    numbers. `missing` ``"error"`` refuses data with gaps. `data_dir` holds the originals of data cards. For arrays
    of windows, `inverse` undoes a normalisation by the figures of the real training part (or by those stored with
    the array) and `channels` names the channels.
    """

    freq: str | None = None
    season_length: tuple[int, ...] = ()
    id_col: str = "unique_id"
    time_col: str = "ds"
    target_col: str = "y"
    wide: bool = False
    groups: tuple[str, ...] = ()
    weights: str | None = None
    missing: Literal["fill", "error"] = "fill"
    data_dir: str | Path | None = None
    inverse: Literal["minmax", "zscore"] | None = None
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.freq is not None:
            object.__setattr__(self, "freq", canonical(self.freq))
        object.__setattr__(self, "season_length", _numbers(self.season_length))
        object.__setattr__(self, "groups", _names("groups", self.groups))
        object.__setattr__(self, "channels", _names("channels", self.channels))
        if self.missing not in ("fill", "error"):
            raise UnknownNameError.of("way to treat missing values", str(self.missing), ("fill", "error"))
        if self.inverse not in (None, "minmax", "zscore"):
            raise UnknownNameError.of("normalisation to undo", str(self.inverse), ("minmax", "zscore"))


def _numbers(seasons: int | Sequence[int]) -> tuple[int, ...]:
    given = (seasons,) if isinstance(seasons, int) else tuple(seasons)
    for m in given:
        if isinstance(m, bool) or int(m) != m or m < 1:
            raise UsageError(f"a season length is a whole number of steps from 1 (1 for no season), got {m!r}")
    return tuple(int(m) for m in given)


def _names(what: str, names: str | Sequence[str]) -> tuple[str, ...]:
    given = (names,) if isinstance(names, str) else tuple(names)
    if len(set(given)) < len(given):
        raise UsageError(f"{what} {', '.join(given)}: a name is given twice")
    return given
