"""Forecasts and truth larger than a block lie in files without a name; what is read is the same as from memory."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hand_made import CELLS, COMPARED, IDS, TRUTH, off_by, written
from worlds import seasonal

import tsgap
from tsgap import blocks
from tsgap.atoms import Atoms
from tsgap.errors import StoreError
from tsgap.run import Run
from tsgap.store import Part, Store

KEY = "a" * 32


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of five values: nothing fits into one."""
    monkeypatch.setenv(blocks.VARIABLE, "5")


def filled(folder: Path, *, parts: int = 3, quantiles: bool = False) -> Store:
    store = Store.open(folder)
    rng = np.random.default_rng(0)
    order = rng.permutation(20)
    for i, rows in enumerate(np.array_split(order, parts)):
        more = {"quantiles": rng.normal(size=(len(rows), 4, 2)), "levels": (0.1, 0.9)} if quantiles else {}
        mean = rng.normal(size=(len(rows), 4))
        mean[0] = np.nan
        store.add(Part(KEY, i, parts, "ok", rows, mean, {int(rows[0]): f"why {i}"}, {}, **more))
    return store


@pytest.mark.parametrize("quantiles", [False, True])
def test_forecasts_larger_than_a_block_are_mapped_and_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quantiles: bool
) -> None:
    with filled(tmp_path / "run", quantiles=quantiles) as store:
        in_memory = store.forecasts(KEY)
        monkeypatch.setenv(blocks.VARIABLE, "5")
        mapped = store.forecasts(KEY)
        for one, other in ((in_memory.mean, mapped.mean), (in_memory.quantiles, mapped.quantiles)):
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                assert blocks.mapping(one) is None
                assert blocks.mapping(other) is not None
                np.testing.assert_array_equal(one, other)
        assert in_memory.failed == mapped.failed
        assert len(mapped.failed) == 3


def test_mapped_forecasts_leave_no_file_behind_and_survive_their_store(tmp_path: Path, small_blocks: None) -> None:
    with filled(tmp_path / "run") as store:
        before = sorted((tmp_path / "run").rglob("*"))
        found = store.forecasts(KEY).mean
        assert sorted((tmp_path / "run").rglob("*")) == before
    assert np.isfinite(found).sum() == 17 * 4


def test_pages_that_were_let_go_come_back_as_they_were(tmp_path: Path, small_blocks: None) -> None:
    with filled(tmp_path / "run") as store:
        found = store.forecasts(KEY).mean
    known = found.copy()
    blocks.let_go(found, known, None)
    np.testing.assert_array_equal(found, known)


def test_a_part_that_is_damaged_while_others_are_put_together_leaves_the_cell_missing(
    tmp_path: Path, small_blocks: None
) -> None:
    with filled(tmp_path / "run") as store:
        last = sorted((tmp_path / "run" / "parts").rglob("*.parquet"))[-1]
        data = bytearray(last.read_bytes())
        data[len(data) // 3] ^= 1
        last.write_bytes(data)
        with pytest.raises(StoreError, match="not complete"):
            store.forecasts(KEY)
        assert any("is damaged" in warning for warning in store.warnings)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_who_may_only_read_a_folder_maps_forecasts_elsewhere(tmp_path: Path, small_blocks: None) -> None:
    filled(tmp_path / "run").close()
    (tmp_path / "run").chmod(0o555)
    try:
        found = Store.open(tmp_path / "run", create=False).forecasts(KEY).mean
    finally:
        (tmp_path / "run").chmod(0o755)
    assert blocks.mapping(found) is not None


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="room cannot be asked for beforehand")
def test_with_full_disks_forecasts_are_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_blocks: None
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with filled(tmp_path / "run") as store:
        mapped = store.forecasts(KEY).mean
        monkeypatch.setattr(os, "posix_fallocate", full)
        held = store.forecasts(KEY).mean
    assert (blocks.mapping(mapped) is None, blocks.mapping(held) is None) == (False, True)
    np.testing.assert_array_equal(mapped, held)


def test_what_a_run_says_does_not_depend_on_the_size_of_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = {**CELLS, "synthetic": (off_by(2.0), {2: "too hard"})}
    expected = written(tmp_path, COMPARED, cells, groups={"place": list("xyxy")}, parts=3)
    asked: list[dict[str, object]] = [{}, {"by": "lead"}, {"by": "series"}, {"group": "place"}]
    wanted = [expected.profile(["mae", "rmse", "smape"], **more) for more in asked]  # type: ignore[arg-type]
    gap, gate, held = expected.gap("mae"), expected.gate(metric="mae").to_frame(), expected.forecasts()
    for values in ("1", "3", "7", "12"):
        monkeypatch.setenv(blocks.VARIABLE, values)
        run = Run(tmp_path)
        for more, one in zip(asked, wanted, strict=True):
            found = run.profile(["mae", "rmse", "smape"], **more)  # type: ignore[arg-type]
            pd.testing.assert_frame_equal(found, one, check_exact=True)
        pd.testing.assert_frame_equal(run.gap("mae"), gap, check_exact=True)
        pd.testing.assert_frame_equal(run.gate(metric="mae").to_frame(), gate, check_exact=True)
        pd.testing.assert_frame_equal(run.forecasts(), held, check_exact=True)


def test_the_truth_of_a_sweep_comes_back_from_however_many_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = seasonal(series=6, length=80)
    frame["place"] = ["north" if name in ("s0", "s3") else "south" for name in frame.unique_id]
    asked = {"forecasters": ["seasonal-naive"], "horizons": [1, 5], "replicates": 1, "jobs": 0, "groups": ["place"]}
    whole = tsgap.sweep(frame, "gen:copy", out=tmp_path / "whole", **asked).truth("data")
    monkeypatch.setenv(blocks.VARIABLE, "13")
    cut = tsgap.sweep(frame, "gen:copy", out=tmp_path / "cut", **asked).truth("data")
    assert whole.name == cut.name
    assert blocks.mapping(cut.values) is not None
    for name in ("values", "ids", "window", "cutoff", "block", "weights", "series"):
        one, other = getattr(whole, name), getattr(cut, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    for name in ("scales", "groups"):
        assert set(getattr(whole, name)) == set(getattr(cut, name))
        for key, one in getattr(whole, name).items():
            np.testing.assert_array_equal(one, getattr(cut, name)[key])
    last = frame[frame.unique_id == "s5"].y.to_numpy()[-5:]
    np.testing.assert_array_equal(cut.values[-1], last)
    assert set(cut.groups["place"]) == {"north", "south"}


def test_what_workers_said_is_known_without_unpacking_forecasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = written(tmp_path, COMPARED, {**CELLS, "synthetic": (off_by(2.0), {1: "no", 3: "never"})}, parts=2)

    def never(*_: object) -> None:
        raise AssertionError("forecasts were unpacked")

    monkeypatch.setattr(Store, "parts", never)
    monkeypatch.setattr(Store, "forecasts", never)
    cells = run.cells().set_index("arm")
    assert cells.loc["synthetic", "n_failed"] == 2
    assert cells.loc["synthetic", "error"] == "a, window 1: no"
    assert cells.loc["synthetic", "seconds"] == 3.0
    assert run.n_failed == 0


@pytest.mark.slow
def test_a_cell_of_many_windows_is_read_in_the_memory_of_a_few_blocks(tmp_path: Path) -> None:
    n, per = 200_000, 10_000
    rng = np.random.default_rng(0)
    with Store.open(tmp_path / "run") as store:
        for i in range(n // per):
            rows = np.arange(i * per, (i + 1) * per)
            store.add(Part(KEY, i, n // per, "ok", rows, rng.normal(size=(per, 48))))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = store.forecasts(KEY).mean
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert found.nbytes > 70 * 2**20
    assert grown < 48 * 2**10


def test_the_ids_of_a_truth_are_texts_that_equal_ones_share(tmp_path: Path) -> None:
    truth = Atoms(Store.open(written(tmp_path, COMPARED, CELLS).path), {"d": {"truth": "truth", "horizons": [4]}}, {})
    found = truth.truth("d")
    assert found.ids.tolist() == list(IDS)
    assert found.ids[0] is found.ids[1]
    np.testing.assert_array_equal(found.values, TRUTH)
