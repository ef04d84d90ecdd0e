"""Panels on disk, each in a folder that is named by its content, where every worker can map it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tsgap.panel import Ints, Panel, digest, frozen
from tsgap.ragged import offsets_of
from tsgap.splits import Split
from tsgap.spool import Extent, Spool, mapped

#: The files of a panel: what is said of its rows, written last, and its arrays.
TOLD, ARRAYS = "panel.json", "arrays"


def write_panel(panel: Panel, folder: Path) -> str:
    """Lay a panel into `folder`; its name there, which is its fingerprint. Does nothing where it lies already."""
    return write_blocks(panel.fingerprint, [panel], folder)


def write_blocks(name: str, blocks: Iterable[Panel], folder: Path) -> str:
    """Lay a panel that comes in blocks of rows into `folder` as `name`; at most one block is held at a time.

    `blocks` are not touched where the panel lies already. There must be at least one.
    """
    home = folder / name
    if (home / TOLD).exists():
        return name
    home.mkdir(parents=True, exist_ok=True)
    keys: list[str] = []
    series: list[str] = []
    groups: dict[str, list[str]] = {}
    lengths, weights, laid = [], [], []
    with Spool(home / "arrays.tmp") as spool:
        for block in blocks:
            laid.append(spool.add(block.values))
            keys += block.keys
            series += block.series
            lengths.append(block.lengths)
            for group, of in block.groups.items():
                groups.setdefault(group, []).extend(of)
            if block.weights is not None:
                weights.append(block.weights)
        offsets = spool.add(offsets_of(np.concatenate(lengths)))
        weighed = spool.add(*weights) if weights else None
    told = {
        **{"keys": keys, "series": series, "groups": groups, "freq": block.freq, "seasons": block.seasons},
        # the blocks lie end to end
        "values": [laid[0][0], [sum(shape[0] for _, shape, _ in laid)], laid[0][2]],
        **{"offsets": offsets, "weights": weighed},
    }
    (home / "panel.tmp").write_text(json.dumps(told))
    # by renaming: another process may have the file that lay there mapped
    (home / "arrays.tmp").replace(home / ARRAYS)
    (home / "panel.tmp").replace(home / TOLD)
    return name


def write_histories(split: Split, limit: int | None, folder: Path) -> str:
    """Lay the histories of a split, cut to their last `limit` values, into `folder`; their name there."""
    return write_blocks(digest(split.fingerprint, limit), split.histories_in_blocks(limit), folder)


def read_panel(folder: Path, name: str, rows: Ints | None = None) -> Panel:
    """A panel as it was laid: mapped read-only, or a copy of `rows` alone."""
    panel = _read(str(folder / name))
    return panel if rows is None else panel.take(rows)


def forget() -> None:
    """Let go of the panels that were read in this process: what is mapped keeps its room on the disk."""
    _read.cache_clear()


@lru_cache(maxsize=4)
def _read(home: str) -> Panel:
    """Kept, since a job reads block after block of the same panel and the names of its rows are long to read."""
    path = Path(home)
    told: dict[str, Any] = json.loads((path / TOLD).read_text())

    def array(extent: Extent) -> Any:
        return mapped(path / ARRAYS, extent)

    return Panel(
        array(told["values"]),
        frozen(np.array(array(told["offsets"]))),
        tuple(told["keys"]),
        told["freq"],
        tuple(told["seasons"]),
        tuple(told["series"]),
        {name: tuple(of) for name, of in told["groups"].items()},
        None if told["weights"] is None else array(told["weights"]),
    )
