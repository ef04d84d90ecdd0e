"""Catch22 with mean and standard deviation, by aeon: ``--features tsgap.diagnostics.catch22:features``."""

from __future__ import annotations

import numpy as np

from tsgap.errors import UsageError
from tsgap.panel import Floats

#: The features, in the order of the columns: aeon's short names, mean and standard deviation.
NAMES = (
    *("mode_5", "mode_10", "acf_timescale", "acf_first_min", "ami2", "trev", "high_fluctuation", "stretch_high"),
    *("transition_matrix", "periodicity", "embedding_dist", "ami_timescale", "whiten_timescale"),
    *("outlier_timing_pos", "outlier_timing_neg", "centroid_freq", "stretch_decreasing", "entropy_pairs"),
    *("rs_range", "dfa", "low_freq_power", "forecast_error", "mean", "standard deviation"),
)


def features(windows: Floats, season: int) -> Floats:
    """Features `NAMES` (N, 24) of windows (N, L) (Lubba et al. 2019, Data Mining and Knowledge Discovery 33).

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


features.names = NAMES  # type: ignore[attr-defined]
