"""Panels and arrays on disk: what comes back is what was laid, mapped and not copied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tsgap
from tsgap import shelf
from tsgap.panel import Dataset, Panel
from tsgap.shelf import ARRAYS, TOLD, read_panel, write_blocks, write_histories, write_panel
from tsgap.splits import rolling
from tsgap.spool import Spool, mapped


def panel() -> Panel:
    rng = np.random.default_rng(0)
    rows = {name: rng.normal(size=size) for name, size in zip("abcdef", (5, 0, 3, 8, 1, 4), strict=True)}
    made = Panel.of(rows, freq="MS", seasons=(12, 3))
    return replace(made, groups={"g": tuple("xyzxyz")}, weights=np.arange(6.0), series=("a",) * 6)


def base_of(array: Any) -> Any:
    while not isinstance(array, np.memmap):
        array = array.base
    return array


def test_a_panel_lies_where_a_worker_can_map_it(tmp_path: Path) -> None:
    made = panel()
    name = write_panel(made, tmp_path)
    assert name == made.fingerprint
    found = read_panel(tmp_path, name)
    assert found.fingerprint == made.fingerprint
    assert base_of(found.values).mode == "r"
    with pytest.raises(ValueError, match="read-only"):
        found.values[0] = 1
    rows = read_panel(tmp_path, name, np.array([3, 1]))
    assert rows.fingerprint == made.take([3, 1]).fingerprint


def test_what_lies_already_is_not_written_again(tmp_path: Path) -> None:
    name = write_panel(panel(), tmp_path)
    before = (tmp_path / name / ARRAYS).stat().st_mtime_ns

    def never() -> Iterator[Panel]:
        raise AssertionError
        yield

    assert write_blocks(name, never(), tmp_path) == name
    assert (tmp_path / name / ARRAYS).stat().st_mtime_ns == before


def test_a_panel_that_was_half_written_is_written_again(tmp_path: Path) -> None:
    home = tmp_path / panel().fingerprint
    home.mkdir()
    (home / ARRAYS).write_bytes(b"half")
    assert read_panel(tmp_path, write_panel(panel(), tmp_path)).fingerprint == panel().fingerprint
    assert {path.name for path in home.iterdir()} == {ARRAYS, TOLD}


@pytest.mark.parametrize("cuts", [(1,), (2, 3), (1, 2, 3, 4, 5)])
def test_a_panel_laid_in_blocks_is_the_same_panel(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    made = panel()
    blocks = (made.take(rows) for rows in np.split(np.arange(6), cuts))
    assert read_panel(tmp_path, write_blocks("name", blocks, tmp_path)).fingerprint == made.fingerprint


def test_a_panel_without_values_can_be_laid_and_read(tmp_path: Path) -> None:
    empty = Panel.of({"a": [], "b": []})
    assert read_panel(tmp_path, write_panel(empty, tmp_path)).fingerprint == empty.fingerprint


def test_histories_are_laid_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(size=90)
    data = Dataset("d", values, np.array([0, 40, 90]), ("a", "b"), np.zeros(2), "step", (2,))
    split = rolling(data, horizon=4, windows=3)
    for limit in (None, 7):
        monkeypatch.setenv("TSGAP_BLOCK", "20")
        found = read_panel(tmp_path, write_histories(split, limit, tmp_path))
        assert found.fingerprint == split.histories(limit).fingerprint


def test_a_sweep_lets_go_of_the_panels_that_it_read_here(tmp_path: Path) -> None:
    run = tsgap.sweep("card:nile", "gen:copy", forecasters="naive", horizons=1, replicates=1, jobs=0, out=tmp_path)
    assert run.complete
    assert shelf._read.cache_info().currsize == 0


def test_arrays_come_back_from_their_places_whatever_their_shapes(tmp_path: Path) -> None:
    arrays = [np.arange(6.0).reshape(2, 3), np.empty((0, 4)), np.array([7, 8]), np.zeros((2, 0))]
    with Spool(tmp_path / "box") as spool:
        places = [spool.add(array) for array in arrays]
        places.append(spool.add(arrays[0], arrays[0][:1]))
    for place, array in zip(places, [*arrays, np.array([[0, 1, 2], [3, 4, 5], [0, 1, 2]])], strict=True):
        found = mapped(tmp_path / "box", place)
        assert found.shape == array.shape
        assert (found == array).all()
        assert not found.flags.writeable
