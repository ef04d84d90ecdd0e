"""What is known before each window: contexts as a forecaster sees them, and the values from which on it is an event."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.worlds import seasonal
from tsgap import situations
from tsgap.contexts import features
from tsgap.events import Event
from tsgap.experiment import DataSpec
from tsgap.footing import Footing
from tsgap.inputs import Data, read_data
from tsgap.readers import ReadOptions
from tsgap.situations import Contexts, thresholds, write_contexts, write_thresholds
from tsgap.splits import Split
from tsgap.store import Store

CONTEXT = 12


@pytest.fixture
def data() -> Data:
    return read_data(DataSpec("data", seasonal(6, 120), ReadOptions(), (1, 6), 3))


def inner(data: Data) -> Split:
    assert not isinstance(data.inner, str)
    return data.inner


@pytest.mark.parametrize("scaling", ["mean-abs", "standard", "train", "none"])
def test_contexts_are_the_scaled_last_values_of_each_history(data: Data, scaling: str, tmp_path: Path) -> None:
    for split in (data.split, inner(data)):
        with Store.open(tmp_path) as store:
            name = write_contexts(split, Footing(scaling, CONTEXT, False, 6), store)
            found = Contexts.read(name, store.read_table)
        assert found.rows.tolist() == list(range(len(split)))
        for row, history in enumerate(split.histories()):
            last, train = history[-CONTEXT:], split.train[int(split.series[row])]
            shift, size = {
                "mean-abs": (0.0, np.abs(last).mean()),
                "standard": (last.mean(), last.std()),
                "train": (train.mean(), train.std()),
                "none": (0.0, 1.0),
            }[scaling]
            assert found.size[row] == pytest.approx(size)
            expected = features(((last - shift) / size)[None], split.train.season)[0]
            np.testing.assert_allclose(found.features[row], expected, atol=1e-9)


def test_contexts_of_zeros_have_the_scale_of_their_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = seasonal(6, 120)
    late = frame.groupby("unique_id").cumcount() >= 80
    data = read_data(DataSpec("data", frame.assign(y=frame.y.where(~late, 0.0)), ReadOptions(), (1, 6), 3))
    monkeypatch.setenv("TSGAP_BLOCK", "30")
    with Store.open(tmp_path) as store:
        name = write_contexts(data.split, Footing("mean-abs", CONTEXT, False, 6), store)
        found = Contexts.read(name, store.read_table)
    wanted = [np.abs(data.split.train[int(series)]).mean() for series in data.split.series]
    assert len(set(wanted)) > 1
    np.testing.assert_allclose(found.size, wanted)


def test_of_many_windows_the_contexts_of_some_are_kept(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    footing = Footing("none", CONTEXT, False, 6)
    with Store.open(tmp_path / "all") as store:
        every = Contexts.read(write_contexts(data.split, footing, store), store.read_table)
    monkeypatch.setattr(situations, "MOST", 7)
    monkeypatch.setenv("TSGAP_BLOCK", "30")
    with Store.open(tmp_path / "some") as store:
        some = Contexts.read(write_contexts(data.split, footing, store), store.read_table)
    assert len(some.rows) == len(set(some.rows.tolist())) == 7
    assert (some.features == every.features[some.rows]).all()
    assert (some.size == every.size[some.rows]).all()


def test_an_event_is_the_same_inside_the_training_part_and_after_it(data: Data, tmp_path: Path) -> None:
    event = Event.parse("y > q0.9")
    with Store.open(tmp_path) as store:
        told = {
            stage: write_thresholds(data.split, split, event, store)
            for stage, split in (("test", data.split), ("inner", inner(data)))
        }
        found = {stage: thresholds(told, stage, store.read_table) for stage in told}
    own = event.thresholds(data.train, data.split.scales.mae)
    for stage, split in (("test", data.split), ("inner", inner(data))):
        assert found[stage][0].tolist() == own[split.series].tolist()
        assert found[stage][1].tolist() == data.split.scales.mae[split.series].tolist()
