"""What histories without a scale of their own are forecast in, and that no figure hangs on the units of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tsgap
from tsgap.panel import Panel
from tsgap.scaling import location_and_scale, spare_scales

TRAIN = Panel.of({"zero": np.zeros(9), "none": [], "small": [0.0, 2.0], "large": [0.0, 6.0]})


@pytest.mark.parametrize(
    ("scaling", "wanted"), [("mean-abs", [2.0, 2.0, 1.0, 3.0]), ("standard", [2.0, 2.0, 1.0, 3.0])]
)
def test_the_scale_of_the_training_part_stands_in_and_where_there_is_none_the_median(
    scaling: str, wanted: list[float]
) -> None:
    spare = spare_scales(TRAIN, scaling)
    assert spare is not None
    assert spare.tolist() == wanted
    histories = Panel.of({"zero": [0.0, 0.0], "none": [0.0], "small": [0.0, 0.0], "large": [4.0, 12.0]})
    _, scale, ones = location_and_scale(histories, scaling, 2, None, spare)
    assert scale[:3].tolist() == wanted[:3], "no scale of their own"
    assert scale[3] == (8.0 if scaling == "mean-abs" else 4.0), "what has one keeps it"
    assert ones == 3


def test_where_no_series_has_a_scale_it_is_1_and_other_scalings_need_none() -> None:
    spare = spare_scales(Panel.of({"a": np.zeros(3), "b": []}), "mean-abs")
    assert spare is not None
    assert spare.tolist() == [1.0, 1.0]
    assert spare_scales(TRAIN, "none") is None
    assert spare_scales(TRAIN, "train") is None


def intermittent(unit: float, length: int = 60) -> pd.DataFrame:
    """Series of which many histories are 0 throughout, in other units."""
    rng = np.random.default_rng(0)
    y = rng.poisson(3.0, size=(30, length)) * (rng.random((30, length)) < 0.15) * unit
    stamps = pd.date_range("2015-01-01", periods=length, freq="MS")
    ids = np.repeat([f"s{i:02d}" for i in range(30)], length)
    return pd.DataFrame({"unique_id": ids, "ds": np.tile(stamps, 30), "y": y.ravel()})


@pytest.mark.parametrize("scaling", ["mean-abs", "standard", "train"])
def test_no_error_hangs_on_the_units_of_the_data(tmp_path: Path, scaling: str) -> None:
    told = []
    for unit in (1.0, 2.0**-10, 2.0**10):
        run = tsgap.sweep(
            intermittent(unit),
            "gen:iaaft",
            forecasters=["lag-probe", "linear", "gradient-boosting"],
            horizons=[2],
            windows=2,
            context=6,
            scaling=scaling,
            replicates=1,
            null=False,
            jobs=0,
            out=tmp_path / str(unit),
        )
        told.append(run.profile()[["control", "synthetic"]].to_numpy())
    assert np.isfinite(told[0]).all()
    assert (told[0] < 5).all(), "in units of the series, as MASE is"
    for other in told[1:]:
        np.testing.assert_allclose(other, told[0], rtol=1e-6)


def test_what_a_self_check_foretells_does_not_either() -> None:
    asked: dict[str, Any] = {"horizons": [1, 2], "windows": 2, "jobs": 0}
    one, other = (tsgap.selfcheck(intermittent(unit, 120), **asked) for unit in (1.0, 2.0**-10))
    assert "the gap that the autocorrelation foretells" in str(one)
    assert str(one) == str(other)
