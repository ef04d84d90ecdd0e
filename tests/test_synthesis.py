"""A synthetic panel outside of a sweep: the one that a sweep would draw, from nothing that a sweep would hide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tsgap
from tests.worlds import seasonal
from tsgap import inputs
from tsgap.cell import Draw, decoded_panel, execute
from tsgap.drawing import as_declared
from tsgap.errors import ContractError, DataError, ForecastError, UsageError
from tsgap.experiment import DataSpec, Experiment, source_specs
from tsgap.panel import Panel
from tsgap.plugins import choose_generator
from tsgap.shelf import write_panel

CUT: dict[str, Any] = {"horizons": "1,6", "windows": 3}


def as_swept(real: Any, generator: str, seed: int, work: Path) -> Panel:
    """What a worker of a sweep draws from this seed."""
    import cloudpickle

    data = inputs.read_data(DataSpec("real", real, horizons=(1, 6), windows=3))
    chosen = choose_generator(generator)
    draw = Draw(chosen.spec.build, dict(chosen.params), write_panel(data.train, work), seed)
    told = execute(cloudpickle.dumps(draw), str(work))
    return as_declared(decoded_panel(told, work / draw.output), chosen, data.train)


def as_read(real: Any, synthetic: Path) -> Panel:
    """The panel that a sweep makes of a file of synthetic series."""
    data = DataSpec("real", real, horizons=(1, 6), windows=3)
    found = inputs.read(Experiment((data,), source_specs(str(synthetic))))
    (panel,) = found.handed["real", synthetic.stem].replicates
    assert isinstance(panel, Panel)
    return panel


def with_gaps() -> pd.DataFrame:
    """Monthly series that begin at different times, one with a hole; twelve, so that names do not sort as numbers."""
    frame = seasonal(series=12)
    unknown = (frame.unique_id == "s2") & (frame.ds < "2002-05-01")
    late = (frame.unique_id == "s4") & (frame.ds < "2001-08-01")
    hole = (frame.unique_id == "s3") & frame.ds.between("2003-01-01", "2003-03-01")
    return frame.assign(y=frame.y.mask(hole | unknown))[~late]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("generator", ["copy", "iaaft", "block-bootstrap:length=9", "kernel-synth:length=50"])
def test_a_file_of_it_is_bit_for_bit_what_a_sweep_draws_from_the_same_seed(
    tmp_path: Path, generator: str, ending: str
) -> None:
    real = with_gaps()
    made = tsgap.synth(real, generator, seed=7, **CUT)
    path = tmp_path / f"made.{ending}"
    made.to_parquet(path) if ending == "parquet" else made.to_csv(path, index=False)
    swept, read = as_swept(real, generator, 7, tmp_path), as_read(real, path)
    assert (read.keys, read.freq, read.seasons) == (swept.keys, swept.freq, swept.seasons)
    np.testing.assert_array_equal(read.offsets, swept.offsets)
    np.testing.assert_array_equal(read.values, swept.values)


def test_nothing_after_the_first_cutoff_has_a_part_in_it() -> None:
    real = seasonal()
    cut = real.ds.unique()[-18 - 1]
    other = real.assign(y=real.y.where(real.ds <= cut, 1e6 * real.y))
    for generator in ("stl-bootstrap", "kernel-synth", "ar-sieve"):
        one, two = (tsgap.synth(frame, generator, horizons=6, windows=3) for frame in (real, other))
        pd.testing.assert_frame_equal(one, two)
    made = tsgap.synth(real, "copy", horizons=6, windows=3)
    assert made.ds.max() == cut
    pd.testing.assert_frame_equal(made, real[real.ds <= cut].reset_index(drop=True))
    assert tsgap.synth(real, "copy", horizons=6, first_cutoff="2005-03-01").ds.max() == pd.Timestamp("2005-03-01")


def test_every_series_has_the_stamps_of_its_own_training_part() -> None:
    real = with_gaps()
    made = tsgap.synth(real, "shuffle", **CUT).set_index(["unique_id", "ds"])
    assert made.index.get_level_values("ds").max() == real.ds.unique()[-18 - 1]
    assert made.loc["s2"].index.min() == pd.Timestamp("2002-05-01")
    assert made.loc["s4"].index.min() == pd.Timestamp("2001-08-01")
    assert made.loc["s1"].index.min() == pd.Timestamp("2001-01-01")
    assert made.loc["s3"].shape == made.loc["s1"].shape  # the hole is filled as in a sweep
    assert np.isfinite(made.y).all()


def test_what_is_missing_before_the_first_value_has_no_part_in_it() -> None:
    values = np.append(np.full(7, np.nan), np.arange(50.0))
    starts = np.array(["2020-01-01"], dtype="datetime64[ns]")
    real = tsgap.Dataset("late", values, np.array([0, 57]), ("a",), starts, "D", (7,))
    made = tsgap.synth(real, "copy", horizons=3, windows=2)
    assert made.ds.tolist() == pd.date_range("2020-01-08", periods=44).tolist()
    assert made.y.tolist() == list(range(44))


def test_series_that_belong_to_no_real_one_are_numbered_and_begin_with_the_first() -> None:
    made = tsgap.synth(with_gaps(), "kernel-synth", **CUT)
    assert made.unique_id.unique().tolist() == [f"sample {i:02d}" for i in range(12)]
    assert (made.groupby("unique_id").ds.min() == pd.Timestamp("2001-01-01")).all()


def test_integer_stamps_stay_integers() -> None:
    real = pd.DataFrame({"unique_id": "a", "ds": np.arange(5, 105), "y": np.random.default_rng(0).random(100)})
    made = tsgap.synth(real, "jitter:sd=0.1", horizons=4, windows=2, season_length=(1,))
    assert made.ds.tolist() == list(range(5, 97))


def test_the_seed_makes_the_sample() -> None:
    one, again, other = (tsgap.synth(seasonal(), "iaaft", seed=seed, **CUT) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, again)
    assert not one.y.equals(other.y)


class Liar:
    """Says that it is paired, and renames the series."""

    def fit(self, train: Panel, *, seed: int) -> None:
        self.train = train

    def sample(self, *, seed: int) -> Panel:
        return self.train.renamed([f"x{key}" for key in self.train.keys])


class Empty(Liar):
    """Gives no panel at all."""

    def sample(self, *, seed: int) -> Any:
        return None


def test_a_generator_that_breaks_its_contract_is_refused() -> None:
    lies = tsgap.GeneratorSpec("liar", "", build=Liar, paired=True)
    with pytest.raises(ContractError, match="liar says that it is paired, its keys or lengths are not the real ones"):
        tsgap.synth(seasonal(), lies, **CUT)
    with pytest.raises(ContractError, match="sample must return a Panel, got NoneType"):
        tsgap.synth(seasonal(), Empty, **CUT)


def test_what_cannot_be_made_is_said() -> None:
    with pytest.raises(UsageError, match="seed must be 0 or more, got -1"):
        tsgap.synth(seasonal(), "copy", seed=-1, **CUT)
    with pytest.raises(ForecastError, match="6 of 6 series are not longer than a block of 500"):
        tsgap.synth(seasonal(), "block-bootstrap:length=500", **CUT)
    with pytest.raises(DataError, match="no series is long enough for 3 windows of 600 steps"):
        tsgap.synth(seasonal(), "copy", horizons=600, windows=3)
    with pytest.raises(UsageError, match="one real data set is needed, got 2: a, b"):
        tsgap.synth({"a": seasonal(), "b": seasonal()}, "copy")
