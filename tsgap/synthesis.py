"""A synthetic panel from a generator, fitted on what a sweep trains on and nothing after it, for use elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tsgap import cell
from tsgap.drawing import as_declared
from tsgap.errors import UsageError
from tsgap.experiment import data_spec, whole
from tsgap.inputs import Data, read_data
from tsgap.panel import Dataset
from tsgap.plugins import Chosen, choose_generator
from tsgap.readers import ReadOptions
from tsgap.splits import stamps_at

if TYPE_CHECKING:
    import pandas as pd


def synth(
    real: Any,
    generator: Any,
    *,
    seed: int = 0,
    horizons: Sequence[int | str] | str | int = (),
    windows: int | None = None,
    step: int | None = None,
    first_cutoff: str | int | None = None,
    **reading: Any,
) -> pd.DataFrame:
    """A synthetic panel as a long frame `unique_id, ds, y`, for a sweep or for use elsewhere.

    The generator is fitted on the training part that a sweep of `real` with the same `horizons`, `windows`, `step`
    and `first_cutoff` has, filled as there, and sees nothing after it. `generator` is ``"NAME[:key=value,…]"``,
    ``"module:callable"``, a spec, a class or an object. Series of a paired generator have the ids and stamps of the
    real ones; others are numbered and begin with the first real one. `reading` are the settings of `ReadOptions`.
    """
    from tsgap.readers.writing import long_frame

    if (whole("seed", seed) or 0) < 0:
        raise UsageError(f"seed must be 0 or more, got {seed}")
    spec = data_spec(
        real,
        options=ReadOptions(**reading),
        horizons=horizons,
        windows=windows,
        step=step,
        first_cutoff=first_cutoff,
    )
    return long_frame(sampled(read_data(spec), choose_generator(generator), seed=seed))


def sampled(data: Data, chosen: Chosen, *, seed: int) -> Dataset:
    """What the generator draws from this seed after a fit on the training part, with stamps.

    It is the panel that a sweep draws from the same seed. Errors of the generator pass through.
    """
    panel = as_declared(cell.draw(chosen.build(), data.train, seed), chosen, data.train)
    real = data.split.data
    # a training part begins with its first value, and ends at the cutoff
    rows = np.arange(len(real))
    starts = stamps_at(real, rows, data.split.train_ends - data.train.lengths)
    if not chosen.spec.paired:
        starts = np.full(len(panel), starts.min(), dtype=starts.dtype)
    return Dataset(chosen.label, panel.values, panel.offsets, panel.keys, starts, real.freq, real.seasons)
