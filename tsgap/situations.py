"""What is known before each window: its context in a few numbers, its scale, and from which value on it is an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tsgap.arms import train_figures
from tsgap.contexts import features
from tsgap.events import Event
from tsgap.footing import Footing
from tsgap.panel import Floats, Ints, digest
from tsgap.scaling import location_and_scale, scaled, spare_scales
from tsgap.splits import Split
from tsgap.store import Store

if TYPE_CHECKING:
    import pandas as pd

#: Windows of which the context is kept, at most.
MOST = 20_000


def write_contexts(split: Split, footing: Footing, store: Store) -> str:
    """The contexts of the windows of a split, of at most `MOST` of them, in a table; its name."""
    import pyarrow as pa

    name = f"contexts-{digest(split.fingerprint, footing.context, footing.scaling)}"
    rows = np.arange(len(split))
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST, replace=False))
    figures = train_figures(split.train) if footing.scaling == "train" else None
    spare = spare_scales(split.train, footing.scaling)
    found, sizes, done = [], [], 0
    for panel in split.histories_in_blocks(footing.context):
        here = rows[(rows >= done) & (rows < done + len(panel))] - done
        done += len(panel)
        some = panel.take(here)
        own = None if figures is None else np.array([figures[key] for key in some.series])
        instead = None if spare is None else spare[split.series[here + done - len(panel)]]
        shift, size, _ = location_and_scale(some, footing.scaling, footing.context, own, instead)
        # a history shorter than the context is forecast by nobody; nor is it looked at here
        full = some.lengths == footing.context
        contexts = np.zeros((len(some), footing.context))
        contexts[full] = scaled(some, shift, size).take(np.flatnonzero(full)).values.reshape(-1, footing.context)
        found.append(features(contexts, split.train.season))
        sizes.append(size)
    table = pa.table(
        {
            "row": rows,
            "size": np.concatenate(sizes),
            "features": pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(found).ravel()), found[0].shape[1]),
        }
    )
    store.write_table(name, table)
    return name


def write_thresholds(whole: Split, split: Split, event: Event, store: Store) -> str:
    """From which value on the truth of each window is an event, and the scale of its series, in a table; its name.

    Both are those of the real training part of the `whole` split, for the windows inside of it too: it is one event.
    """
    import pyarrow as pa

    name = f"events-{digest(split.fingerprint, whole.fingerprint, str(event))}"
    scale = whole.scales.mae
    at = {key: i for i, key in enumerate(whole.data.keys)}
    of = np.array([at[key] for key in split.data.keys])[split.series]
    thresholds = event.thresholds(whole.train, scale)
    store.write_table(name, pa.table({"threshold": thresholds[of], "scale": scale[of]}))
    return name


@dataclass(frozen=True, eq=False)
class Contexts:
    """The contexts of some windows: their `rows` (n,), `features` (n, F), and the `size` (n,) they were divided by."""

    rows: Ints
    features: Floats
    size: Floats

    @classmethod
    def read(cls, name: str, read: Callable[[str], pd.DataFrame]) -> Contexts:
        """From the table of that name."""
        table = read(name)
        return cls(
            table["row"].to_numpy(dtype=np.int64),
            np.stack([np.asarray(row, dtype=np.float64) for row in table["features"]]),
            table["size"].to_numpy(dtype=np.float64),
        )


def thresholds(told: Mapping[str, str], stage: str, read: Callable[[str], pd.DataFrame]) -> tuple[Floats, Floats]:
    """Threshold and scale of each window (N,) of a stage."""
    table = read(told[stage])
    return table["threshold"].to_numpy(dtype=np.float64), table["scale"].to_numpy(dtype=np.float64)
