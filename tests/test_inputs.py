"""What a sweep is fed with: synthetic files as panels, without a copy where there is nothing to mend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tsgap import blocks
from tsgap.errors import DataError
from tsgap.experiment import DataSpec, Experiment, SourceSpec
from tsgap.inputs import Source, read
from tsgap.panel import filled


def frame(rows: int = 6, length: int = 60, seed: int = 0) -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=length)
    values = np.random.default_rng(seed).normal(size=rows * length)
    ids = np.repeat([f"s{i}" for i in range(rows)], length)
    return pd.DataFrame({"unique_id": ids, "ds": np.tile(days, rows), "y": values})


def handed(synthetic: object) -> Source:
    data = (DataSpec("data", frame(), horizons=(2,), windows=2),)
    given = read(Experiment(data, (SourceSpec("mine", what=synthetic),), ("seasonal-naive",)))
    return given.handed["data", "mine"]


@pytest.mark.parametrize("size", ["7", ""])
def test_gaps_of_synthetic_series_are_filled_as_row_by_row(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(blocks.VARIABLE, size)
    made = frame(seed=1)
    made.loc[np.random.default_rng(2).random(len(made)) < 0.4, "y"] = np.nan
    made.loc[made["unique_id"] == "s3", "y"] = np.nan
    source = handed(made)
    (panel,) = source.replicates
    assert panel.keys == ("s0", "s1", "s2", "s4", "s5")
    expected = [filled(made.loc[made["unique_id"] == key, "y"].to_numpy())[0] for key in panel.keys]
    assert [y.tolist() for y in panel] == [y.tolist() for y in expected]
    assert any("missing values of the synthetic series filled" in note for note in source.notes)


def test_values_of_a_file_without_gaps_are_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tsgap import readers

    frame(seed=1).to_parquet(tmp_path / "made.parquet")
    seen = []

    def read_synthetic(*what: object, **how: object) -> list[readers.synthetic.Dataset]:
        seen.extend(original(*what, **how))
        return seen

    original = readers.read_synthetic
    monkeypatch.setattr(readers, "read_synthetic", read_synthetic)
    (panel,) = handed(str(tmp_path / "made.parquet")).replicates
    assert panel.values is seen[0].values


def test_a_panel_without_a_value_is_an_error() -> None:
    with pytest.raises(DataError, match="no row has a value"):
        handed(frame().assign(y=np.nan))
