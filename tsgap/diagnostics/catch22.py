"""Catch22 with mean and standard deviation, by aeon: ``--features tsgap.diagnostics.catch22:features``."""

from __future__ import annotations

import numpy as np

from tsgap.errors import UsageError
from tsgap.panel import Floats


def features(windows: Floats, season: int) -> Floats:
    """Features (N, 24) of windows (N, L) (Lubba et al. 2019, Data Mining and Knowledge Discovery 33).

    What aeon cannot say of a window is 0. `UsageError` where aeon is not installed.
    """
    try:
        from aeon.transformations.collection.feature_based import Catch22
    except ImportError as err:
        raise UsageError(
            f"Catch22 needs aeon, which cannot be imported ({err}): pip install 'tsgap[features]'"
        ) from err
    made = Catch22(catch24=True, replace_nans=True).fit_transform(np.asarray(windows)[:, None, :])
    return np.nan_to_num(np.asarray(made, dtype=np.float64), posinf=0.0, neginf=0.0)
