"""Ragged rows: gathered, counted and bridged as the plain formula has it, whatever is worked on at once."""

from __future__ import annotations

import hashlib
import os
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tsgap import blocks
from tsgap.errors import DataError, StoreError, UsageError
from tsgap.panel import Dataset, Panel, digest, filled, frozen
from tsgap.ragged import gathered, leading, missing_at, offsets_of, row_blocks, summed
from tsgap.splits import Split, rolling


@pytest.fixture(params=["7", "1", ""])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(blocks.VARIABLE, request.param)
    return str(request.param)


def ragged(seed: int, *, rows: int = 40, longest: int = 60, gaps: float = 0.2) -> Dataset:
    """Series of all lengths with gaps, some of them at the start, some constant, some without a single value."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest, rows)
    values = rng.normal(size=lengths.sum()).round(2)
    values[rng.random(len(values)) < gaps] = np.nan
    offsets = offsets_of(lengths)
    values[offsets[3] : offsets[4]] = np.nan
    values[offsets[5] : offsets[6]] = 1.5
    values[offsets[7] : offsets[7] + 2] = np.nan
    keys = tuple(f"k{i}" for i in range(rows))
    return Dataset("ragged", values, offsets, keys, np.zeros(rows, dtype=np.int64), "step", (3,))


@pytest.mark.parametrize("longest", [5, 40, 500])
def test_rows_are_gathered_as_if_one_by_one(block: str, longest: int) -> None:
    rng = np.random.default_rng(longest)
    values = rng.normal(size=2000)
    lengths = rng.integers(0, longest, 30)
    begins = rng.integers(0, len(values) - lengths)
    begins[1:4] = begins[0] + np.cumsum(lengths[:3])  # neighbours
    begins = np.minimum(begins, len(values) - lengths)
    found, offsets = gathered(values, begins, lengths)
    assert offsets.tolist() == [0, *np.cumsum(lengths).tolist()]
    assert found.tolist() == [v for b, n in zip(begins, lengths, strict=True) for v in values[b : b + n].tolist()]
    nothing, offsets = gathered(values, begins[:0], lengths[:0])
    assert len(nothing) == 0
    assert offsets.tolist() == [0]


def test_blocks_of_rows_hold_every_row_once_and_no_more_values_than_are_worked_on_at_once(block: str) -> None:
    lengths = np.random.default_rng(0).integers(0, 12, 50)
    offsets = offsets_of(lengths)
    cut = list(row_blocks(offsets))
    assert [i for s in cut for i in range(s.start, s.stop)] == list(range(50))
    assert all(lengths[s].sum() <= blocks.size() or s.stop - s.start == 1 for s in cut)
    thin = list(row_blocks(offsets, 3))
    assert [i for s in thin for i in range(s.start, s.stop)] == list(range(50))
    assert all(3 * lengths[s].sum() <= blocks.size() or s.stop - s.start == 1 for s in thin)


@pytest.mark.parametrize("cut", [0, 2])
def test_stretches_are_added_up_as_if_one_by_one(cut: int) -> None:
    rng = np.random.default_rng(4)
    offsets = offsets_of(rng.integers(0, 6, 50))
    values, begins, stops = rng.integers(-9, 9, offsets[-1]), offsets[:-1], offsets[1:] - cut
    wanted = [values[begin : max(begin, stop)].sum() for begin, stop in zip(begins, stops, strict=True)]
    assert summed(values, begins, stops).tolist() == wanted


@pytest.mark.parametrize("seed", range(5))
def test_missing_values_are_counted_as_row_by_row(block: str, seed: int) -> None:
    data = ragged(seed, gaps=0.5)
    assert missing_at(data.values).tolist() == np.flatnonzero(np.isnan(data.values)).tolist()
    expected = [next((i for i, v in enumerate(data[s]) if v == v), len(data[s])) for s in range(len(data))]
    assert leading(data.missing, data.offsets).tolist() == expected


@pytest.mark.parametrize(
    "array",
    [
        np.arange(100.0),
        np.arange(100.0).reshape(10, 10).T,
        np.arange(100.0)[::3],
        np.arange(5).astype("datetime64[ns]"),
        np.array([True, False]),
        np.array(["a", "bc"]),
        np.empty((0, 3)),
        np.array(4.0),
    ],
)
def test_a_digest_is_that_of_the_bytes(array: np.ndarray) -> None:
    h = hashlib.sha256()
    for raw in (np.ascontiguousarray(array).tobytes(), b"('a', 1)"):
        h.update(len(raw).to_bytes(8, "little"))
        h.update(raw)
    assert digest(array, ("a", 1)) == h.hexdigest()[:32]


def test_missing_values_of_other_bits_have_the_same_fingerprint() -> None:
    data = ragged(1)
    other = data.values.copy()
    other[data.missing[::2]] = np.array(0xFFF8000000000001, dtype=np.uint64).view(np.float64)
    made = Dataset("x", other, data.offsets, data.keys, data.starts, data.freq, data.seasons)
    assert other.tobytes() != data.values.tobytes()
    assert made.fingerprint == data.fingerprint
    parts = (np.where(np.isnan(other), np.nan, other), data.offsets, data.keys, data.starts, "step", (3,))
    assert made.fingerprint == digest(*parts)


def test_the_first_value_that_is_not_finite_is_named_in_whatever_block_it_is(block: str) -> None:
    rows = {"a": np.arange(9.0), "b": np.r_[np.arange(20.0), np.inf, np.nan]}
    with pytest.raises(DataError, match="series 'b' has inf"):
        Panel.of(rows)
    values = np.concatenate(list(rows.values()))
    with pytest.raises(DataError, match="1 values are infinite, first in 'b'"):
        Dataset("x", values, offsets_of([9, 22]), ("a", "b"), np.zeros(2), "step", (1,))


def plain(data: Dataset, series: int, end: int, limit: int | None) -> list[float]:
    known = filled(data[series][:end])[0]
    return (known if limit is None else known[max(len(known) - limit, 0) :]).tolist()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limit", [None, 4])
def test_a_split_is_the_same_whatever_is_worked_on_at_once(block: str, seed: int, limit: int | None) -> None:
    split = rolling(ragged(seed, longest=90), horizon=3, windows=3, step=2)
    data = split.data
    assert [y.tolist() for y in split.train] == [plain(data, s, e, None) for s, e in enumerate(split.train_ends)]
    histories = split.histories(limit)
    pairs = list(zip(split.series.tolist(), split.origins.tolist(), strict=True))
    assert [y.tolist() for y in histories] == [plain(data, s, o, limit) for s, o in pairs]
    np.testing.assert_array_equal(split.truth, [data[s][o : o + 3] for s, o in pairs])
    cut = list(split.histories_in_blocks(limit))
    assert np.concatenate([p.values for p in cut]).tolist() == histories.values.tolist()
    assert [k for p in cut for k in p.keys] == list(histories.keys)
    assert [k for p in cut for k in p.series] == list(histories.series)
    assert np.concatenate([p.lengths for p in cut]).tolist() == histories.lengths.tolist()
    assert block != "7" or len(cut) > 10


@pytest.mark.parametrize("seed", range(3))
def test_scales_are_those_of_each_series_alone(block: str, seed: int) -> None:
    split = rolling(ragged(seed, longest=90), horizon=3, windows=3, step=2)
    mae, rmse = [], []
    for s, end in enumerate(split.train_ends):
        y = split.data[s][:end]
        d = (y[3:] - y[:-3])[~np.isnan(y[3:] - y[:-3])]
        mae.append(np.mean(np.abs(d)) if len(d) else np.nan)
        rmse.append(np.sqrt(np.mean(d**2)) if len(d) else np.nan)
    usual = np.array([k not in {*split.scales.fallback, *split.scales.undefined} for k in split.data.keys])
    np.testing.assert_allclose(split.scales.mae[usual], np.array(mae)[usual], rtol=1e-12)
    np.testing.assert_allclose(split.scales.rmse[usual], np.array(rmse)[usual], rtol=1e-12)
    assert usual.sum() > 10


def test_scales_do_not_depend_on_the_blocks_to_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    data = ragged(4, longest=90)
    found = []
    for size in ("1", "7", "100", ""):
        monkeypatch.setenv(blocks.VARIABLE, size)
        split = rolling(data, horizon=3, windows=3, step=2)
        found.append(
            (split.scales.mae.tobytes(), split.scales.rmse.tobytes(), split.scales.fallback, split.fingerprint)
        )
    assert len(set(found)) == 1


def test_the_training_part_as_data_keeps_its_gaps_and_is_not_copied_where_it_has_none() -> None:
    split = rolling(ragged(2, longest=90), horizon=3, windows=3, step=2)
    ends = split.train_ends
    np.testing.assert_array_equal(
        split.training_data.values, np.concatenate([split.data[s][:e] for s, e in enumerate(ends)])
    )
    whole = rolling(even(5, 60), horizon=3)
    assert whole.training_data.values is whole.train.values
    np.testing.assert_array_equal(whole.training_data.offsets, offsets_of(whole.train_ends))


def even(rows: int, length: int) -> Dataset:
    values = np.random.default_rng(0).normal(size=rows * length)
    keys = tuple(f"k{i}" for i in range(rows))
    offsets = np.arange(rows + 1) * length
    return Dataset("even", values, offsets, keys, np.zeros(rows, dtype=np.int64), "step", (7,))


def test_all_rows_and_all_values_are_the_panel_itself() -> None:
    panel = rolling(even(5, 60), horizon=3).train
    assert panel.take(range(5)) is panel
    assert panel.tail(1000) is panel
    assert panel.take([1, 0, 2, 3, 4]) is not panel
    assert len(panel.tail(5).values) == 25


SPLIT = 2000, 300


@pytest.mark.parametrize(
    ("work", "share"),
    [
        (lambda split: split.fingerprint, 0.1),
        (lambda split: split.scales, 0.1),
        (lambda split: split.train, 1.1),
        (lambda split: split.training_data, 1.1),
        (lambda split: split.train.fingerprint, 1.1),
        (lambda split: split.train.take(np.arange(1, 2000)), 2.2),
        (lambda split: split.histories(40), 1.0),
        (lambda split: [p.fingerprint for p in split.histories_in_blocks()], 0.3),
        (lambda split: split.truth, 0.5),
    ],
)
def test_nothing_needs_temporaries_as_large_as_the_panel(
    work: Callable[[Split], object], share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(blocks.VARIABLE, "2000")
    split = rolling(even(*SPLIT), horizon=20, windows=5)
    tracemalloc.start()
    try:
        work(split)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # a megabyte for names
    assert peak < share * split.data.values.nbytes + 4e6, peak


@pytest.mark.parametrize("size", ["10", ""])
def test_a_large_array_lies_in_a_file_and_is_as_good_as_one_in_memory(
    size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv(blocks.VARIABLE, size)
    array = blocks.room(1000)
    assert (blocks.mapping(array) is None) == (size == "")
    array[:] = np.arange(1000.0)
    blocks.let_go(array)
    assert array.tolist() == list(range(1000))
    assert blocks.room(39).shape == (39,)
    assert not list(tmp_path.iterdir())


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_without_room_on_the_disk_it_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(blocks.VARIABLE, "10")
    monkeypatch.setattr(os, "posix_fallocate", full)
    assert blocks.mapping(blocks.room(1000)) is None
    assert blocks.mapping(blocks.room(1000, folder=tmp_path)) is None


def test_a_folder_comes_before_that_for_temporary_files_and_gives_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(blocks.VARIABLE, "10")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    (tmp_path / "run").mkdir()
    array = blocks.room(1000, folder=tmp_path / "run")
    assert blocks.mapping(array) is not None
    assert not list((tmp_path / "run").iterdir())
    assert blocks.mapping(blocks.room(1000)) is None
    (tmp_path / "gone").mkdir()
    assert blocks.mapping(blocks.room(1000, folder=tmp_path / "not there")) is not None


def test_without_room_anywhere_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=rf"no room for {2**60} bytes: not in {tmp_path}, in .* and not in memory"):
        blocks.room(2**57, folder=tmp_path)


def test_where_files_cannot_be_reserved_they_are_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(blocks.VARIABLE, "10")
    monkeypatch.delattr(os, "posix_fallocate")
    array = blocks.room(1001, folder=tmp_path)
    assert blocks.mapping(array) is not None
    array[:] = 1.0
    assert array.sum() == 1001


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="says how much memory a process has, on Linux alone")
def test_what_was_worked_on_does_not_stay_in_memory() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    n = blocks.LARGE * blocks.DEFAULT
    before = resident()
    values, offsets = gathered(blocks.room(n), np.arange(0, n, 1024), np.full(n // 1024, 1024))
    panel = Panel(frozen(values), offsets, tuple(map(str, range(n // 1024))), "step", (1,))
    assert panel.fingerprint
    assert len(panel.tail(1000).values) == 1000 * (n // 1024)
    # two blocks at most, and the names
    assert resident() - before < 0.8 * values.nbytes


@pytest.mark.parametrize("text", ["0", "-5", "1e6", "abc", str(2**63), str(blocks.MOST + 1)])
def test_a_block_that_is_no_whole_number_of_values_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(blocks.VARIABLE, text)
    with pytest.raises(UsageError, match=f"TSGAP_BLOCK must be a whole number of values from 1 to .*, got '{text}'"):
        blocks.size()
    monkeypatch.setenv(blocks.VARIABLE, str(blocks.MOST))
    assert list(blocks.ranges(5, 3)) == [slice(0, 5)]
