"""The run folder: what was added is read back or reported, whatever happened in between."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from tsgap.errors import StoreError
from tsgap.store import SCHEMA, STATUSES, Part, Store
from tsgap.store.part import read_head, read_part
from tsgap.store.sealed import DamagedError

A, B = "a" * 32, "b" * 32


def part_of(
    cell: str = A, part: int = 0, n_parts: int = 1, *, status: str = "ok", seed: int = 0, n: int = 5, horizon: int = 3
) -> Part:
    """Block `part` of a cell, every `n_parts`-th row of it; the rows are the same numbers for one seed."""
    rows = np.arange(n)[::-1] * n_parts + part
    if status != "ok":
        return Part(cell, part, n_parts, status, rows, np.empty((0, 0)), info={"error": "x"})
    mean = np.random.default_rng([seed, part]).normal(size=(n, horizon))
    mean[1] = np.nan
    return Part(cell, part, n_parts, status, rows, mean, {int(rows[1]): "too short"}, {"seconds": 1.5})


def files(store: Store) -> list[Path]:
    return sorted((store.path / "parts").rglob("*.parquet"))


def same(one: Part, other: Part) -> bool:
    return (
        (one.cell, one.part, one.n_parts, one.status) == (other.cell, other.part, other.n_parts, other.status)
        and np.array_equal(one.rows, other.rows)
        and one.mean.shape == other.mean.shape
        and np.array_equal(one.mean, other.mean, equal_nan=True)
        and dict(one.failed) == dict(other.failed)
        and dict(one.info) == dict(other.info)
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "run") as opened:
        yield opened


# parts


def test_a_part_comes_back_as_it_was(store: Store) -> None:
    given = part_of()
    store.add(given)
    (found,) = store.parts(A)
    assert same(found, given)
    assert store.warnings == []


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "ok"])
def test_a_failure_is_a_part_too(store: Store, status: str) -> None:
    given = part_of(status=status)
    store.add(given)
    assert same(store.parts(A)[0], given)
    assert store.finished() == {A: status}
    with pytest.raises(StoreError, match=f"no forecasts, part 0 is {status}"):
        store.forecasts(A)


def test_any_text_and_number_survives(store: Store) -> None:
    mean = np.array([[np.inf, -np.inf, -0.0, 5e-324], [np.nan, 1e308, 0.1, np.pi]])
    reason = "tsgap.seal " + "0" * 64 + " \x1b[31m \ud800 é"
    info = {"error": "lone \ud800 tsgap.seal" + "0" * 64, "seconds": float("nan"), "nested": {"a": [1, None, True]}}
    store.add(Part(A, 0, 1, "ok", np.array([1, 0]), mean, {0: reason}, info))
    (found,) = store.parts(A)
    assert found.mean.tobytes() == mean.tobytes()
    assert found.failed == {0: reason.replace("\ud800", "?")}
    assert json.dumps(found.info, sort_keys=True) == json.dumps(info, sort_keys=True)


def test_a_cell_without_rows_or_leads_is_possible(store: Store) -> None:
    store.add(Part(A, 0, 1, "ok", np.empty(0, dtype=int), np.empty((0, 7))))
    store.add(Part(B, 0, 1, "ok", np.arange(3), np.empty((3, 0))))
    assert store.forecasts(A).mean.shape == (0, 7)
    assert store.forecasts(B).mean.shape == (3, 0)


def test_forecasts_stand_in_the_order_of_the_rows_whatever_the_order_of_parts(store: Store) -> None:
    parts = [part_of(part=i, n_parts=3) for i in range(3)]
    for part in (parts[2], parts[0], parts[1]):
        store.add(part)
    found = store.forecasts(A)
    mean, failed = found.mean, found.failed
    assert (found.quantiles, found.levels) == (None, ())
    for part in parts:
        assert np.array_equal(mean[part.rows], part.mean, equal_nan=True)
    assert failed == {int(row): "too short" for part in parts for row in part.failed}
    assert np.isnan(mean[list(failed)]).all()


def test_a_cell_counts_only_when_all_of_its_parts_are_there(store: Store) -> None:
    for part in (0, 2):
        store.add(part_of(part=part, n_parts=3))
    assert store.finished() == {}
    assert store.parts(A) == []
    with pytest.raises(StoreError, match="not complete"):
        store.forecasts(A)
    store.add(part_of(part=1, n_parts=3))
    assert store.finished() == {A: "ok"}


def test_a_cell_has_the_status_of_its_first_part_that_is_not_ok(store: Store) -> None:
    for part, status in enumerate(["ok", "timeout", "error"]):
        store.add(part_of(part=part, n_parts=3, status=status))
    assert store.finished() == {A: "timeout"}


def test_a_cell_cut_anew_counts_by_a_whole_cut(store: Store) -> None:
    store.add(part_of(part=1, n_parts=3, seed=9))
    for part in range(2):
        store.add(part_of(part=part, n_parts=2))
    assert store.finished() == {A: "ok"}
    assert [part.n_parts for part in store.parts(A)] == [2, 2]
    store.add(part_of(status="error"))
    assert store.finished() == {A: "ok"}


def with_quantiles(part: Part, *levels: float) -> Part:
    """The same part with quantiles around its forecasts."""
    return replace(part, quantiles=part.mean[..., None] + np.array(levels), levels=levels)


def test_quantiles_come_back_as_they_were_in_the_order_of_the_rows(store: Store) -> None:
    parts = [with_quantiles(part_of(part=i, n_parts=2), 0.1, 0.5, 0.9) for i in range(2)]
    for part in parts[::-1]:
        store.add(part)
    found = store.forecasts(A)
    assert found.levels == (0.1, 0.5, 0.9)
    assert found.quantiles is not None
    assert np.array_equal(found.quantiles, found.mean[..., None] + np.array(found.levels), equal_nan=True)
    back = store.parts(A)[0]
    assert back.quantiles is not None
    assert back.quantiles.tobytes() == parts[0].quantiles.tobytes()  # type: ignore[union-attr]
    assert (back.digest, back.levels) == (parts[0].digest, parts[0].levels)


def test_a_part_without_quantiles_is_the_file_it_was_before_there_were_any() -> None:
    part = Part(A, 0, 1, "ok", np.array([0, 1]), np.array([[1.0, 2.0], [np.nan, np.nan]]), {1: "why"}, {"x": 1})
    assert part.digest == "cc8deb2ad5d6e6c7243fdd332c6f5fcc"
    assert with_quantiles(part, 0.5).digest != part.digest
    assert replace(with_quantiles(part, 0.5), levels=(0.6,)).digest != with_quantiles(part, 0.5).digest


def test_a_cell_of_which_a_block_lacks_quantiles_has_none_unless_every_row_of_it_failed(store: Store) -> None:
    store.add(with_quantiles(part_of(part=0, n_parts=2), 0.1, 0.9))
    whole = part_of(part=1, n_parts=2)
    store.add(whole)
    assert store.forecasts(A).quantiles is None
    store.add(with_quantiles(part_of(B, part=0, n_parts=2), 0.1, 0.9))
    nothing = {int(row): "too short" for row in whole.rows}
    store.add(Part(B, 1, 2, "ok", whole.rows, np.full((5, 3), np.nan), nothing))
    found = store.forecasts(B)
    assert found.quantiles is not None
    assert np.isnan(found.quantiles[whole.rows]).all()
    assert np.isfinite(found.quantiles[found.mean[:, 0] == found.mean[:, 0]]).all()


def test_a_cell_without_rows_or_leads_may_have_quantiles(store: Store) -> None:
    store.add(Part(A, 0, 1, "ok", np.arange(3), np.empty((3, 0)), quantiles=np.empty((3, 0, 2)), levels=(0.1, 0.9)))
    found = store.forecasts(A).quantiles
    assert found is not None
    assert found.shape == (3, 0, 2)


def test_quantiles_that_do_not_belong_to_the_forecasts_are_refused() -> None:
    for quantiles, levels in ((np.zeros((5, 3, 2)), (0.5,)), (np.zeros((5, 3, 2)), ()), (None, (0.5,))):
        with pytest.raises(ValueError, match="the quantiles of"):
            replace(part_of(), quantiles=quantiles, levels=levels)


def test_rows_that_are_not_all_there_are_refused(store: Store) -> None:
    store.add(Part(A, 0, 1, "ok", np.array([0, 2]), np.zeros((2, 3))))
    with pytest.raises(StoreError, match="not 0 to 1"):
        store.forecasts(A)


def test_parts_with_different_leads_are_refused(store: Store) -> None:
    store.add(part_of(part=0, n_parts=2, horizon=3))
    store.add(part_of(part=1, n_parts=2, horizon=4))
    with pytest.raises(StoreError, match="different numbers of leads"):
        store.forecasts(A)


def test_a_cell_without_its_parts_is_missing_and_others_stay(store: Store) -> None:
    near = A[:-1] + "b"
    for cell in (A, near):
        store.add(part_of(cell, status="error"))
    [head] = [head for head in store.heads().values() if head.cell == A]
    store.remove(head)
    assert store.finished() == {near: "error"}
    store.remove(head)
    store.add(part_of(A))
    assert store.finished() == {A: "ok", near: "error"}


def test_the_same_result_twice_is_one_file(store: Store) -> None:
    given = part_of()
    store.add(given)
    store.add(Part(A, 0, 1, "ok", given.rows, given.mean, given.failed, {"seconds": 9.0, "host": "other"}))
    assert len(files(store)) == 1
    assert store.finished() == {A: "ok"}
    assert store.warnings == []


def test_different_results_for_one_part_are_reported_and_the_first_counts(store: Store) -> None:
    first, second = part_of(seed=1), part_of(seed=2)
    store.add(first)
    store.add(second)
    for opened in (store, Store.open(store.path, create=False)):
        assert same(opened.parts(A)[0], first)
        assert opened.finished() == {A: "ok"}
        assert len(opened.warnings) == 1
        assert "not reproducible" in opened.warnings[0]


def test_what_is_ok_wins_over_a_failure_without_a_word(store: Store) -> None:
    store.add(part_of(status="crash"))
    store.add(part_of())
    assert store.finished() == {A: "ok"}
    assert store.warnings == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": "../../etc"}, "hex digits"),
        ({"cell": "abc"}, "hex digits"),
        ({"part": 1}, "no part 1 of 1"),
        ({"status": "fine"}, "no status is called 'fine'"),
        ({"rows": np.array([1, 1])}, "different numbers"),
        ({"mean": np.zeros((3, 4))}, r"must be \(2, H\), got \(3, 4\)"),
        ({"status": "error"}, r"must be \(0, H\), got \(2, 4\)"),
        ({"failed": {7: "no"}}, "row 7 is said to have failed"),
    ],
)
def test_a_part_that_makes_no_sense_is_refused(change: dict[str, object], message: str) -> None:
    good = {"cell": A, "part": 0, "n_parts": 1, "status": "ok", "rows": np.arange(2), "mean": np.zeros((2, 4))}
    Part(**good)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        Part(**{**good, **change})  # type: ignore[arg-type]


def test_any_parquet_reader_can_read_a_part(store: Store) -> None:
    given = part_of()
    store.add(given)
    frame = pd.read_parquet(files(store)[0])
    assert frame.columns.tolist() == ["row", "mean", "failed"]
    assert np.array_equal(np.stack(frame["mean"].tolist()), given.mean, equal_nan=True)


# damage


def test_the_bytes_of_floats_lie_apart_and_so_take_less_room(store: Store) -> None:
    rng = np.random.default_rng(0)
    mean = 100 + rng.normal(size=(500, 12)).cumsum(1)
    store.add(Part("0123abcd", 0, 1, "ok", np.arange(500), mean))
    store.write_table("scores", pd.DataFrame({"name": ["a"] * 500, "loss": mean[:, 0], "n": np.arange(500)}))
    (part,), table = store.path.glob("parts/*/*.parquet"), store.path / "tables" / "scores.parquet"
    found = {}
    for path in (part, table):
        told = pq.read_metadata(path).row_group(0)
        for column in (told.column(i) for i in range(told.num_columns)):
            found[column.path_in_schema] = "BYTE_STREAM_SPLIT" in column.encodings
    assert found == {
        **{"row": False, "mean.list.element": True, "failed": False},
        **{"name": False, "loss": True, "n": False},
    }
    assert part.stat().st_size < 0.9 * mean.nbytes
    np.testing.assert_array_equal(store.forecasts("0123abcd").mean, mean)


def test_no_flipped_bit_is_ever_silently_wrong(store: Store) -> None:
    given = part_of(n=40, horizon=12)
    store.add(given)
    (path,) = files(store)
    data = path.read_bytes()
    rng = random.Random(1)
    places = {rng.randrange(len(data) * 8) for _ in range(300)}
    places |= set(range(len(data) * 8 - 4000, len(data) * 8, 23))  # the footer above all
    accepted = []
    for place in places:
        bad = bytearray(data)
        bad[place // 8] ^= 1 << place % 8
        path.write_bytes(bad)
        try:
            read_part(path)
            accepted.append(place)
        except DamagedError:
            pass
        with contextlib.suppress(DamagedError):
            assert read_head(path).info == given.info  # the head is right or refused, even without the seal
    assert accepted == []
    path.write_bytes(data)
    assert same(read_part(path), given)


def test_no_flipped_bit_of_a_table_is_ever_silently_wrong(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsgap.store.sealed._PIECE", 700)
    rng = np.random.default_rng(0)
    store.write_table("t", pd.DataFrame({"id": ["a", "b"] * 100, "y": list(rng.normal(size=(200, 3)))}))
    path = store.path / "tables" / "t.parquet"
    whole = path.read_bytes()
    assert store.read_lists("t", "y")[1].shape == (200, 3)
    for at in [*range(0, len(whole), 97), *range(len(whole) - 12, len(whole))]:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        for read in (lambda: store.read_lists("t", "y"), lambda: store.read_table("t")):
            with pytest.raises(StoreError, match="is damaged"):
                read()
    for keep in (0, 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:keep])
        with pytest.raises(StoreError, match="is damaged"):
            store.read_lists("t", "y")


@pytest.mark.parametrize("keep", [0, 3, 11, 100, -1, -9, 0.5])
def test_a_part_cut_short_goes_to_quarantine_and_its_cell_is_missing(store: Store, keep: float) -> None:
    for cell in (A, B):
        store.add(part_of(cell))
    path = files(store)[0]
    size = path.stat().st_size
    os.truncate(path, int(size * keep) if isinstance(keep, float) else keep % size)
    assert store.finished() == {B: "ok"}
    assert len(store.warnings) == 1
    assert path.name in store.warnings[0]
    assert not path.exists()
    assert [p.name for p in (store.path / "quarantine").iterdir()] == [path.name]
    store.add(part_of(A))
    assert store.finished() == {A: "ok", B: "ok"}


def test_damage_in_the_data_is_found_when_it_is_read(store: Store) -> None:
    store.add(part_of())
    (path,) = files(store)
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    assert store.finished() == {A: "ok"}
    with pytest.raises(StoreError, match="not complete"):
        store.forecasts(A)
    assert "quarantine" in store.warnings[0]
    assert store.finished() == {}


def test_check_reads_every_byte(store: Store) -> None:
    for cell in (A, B):
        store.add(part_of(cell))
    data = bytearray(files(store)[0].read_bytes())
    data[40] ^= 1
    files(store)[0].write_bytes(data)
    assert len(store.check()) == 1
    assert store.check() == []
    assert store.finished() == {B: "ok"}


def test_a_damaged_duplicate_gives_way_to_a_whole_one(store: Store) -> None:
    first, second = part_of(seed=1), part_of(seed=2)
    store.add(first)
    (path,) = files(store)
    store.add(second)
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    assert same(store.parts(A)[0], second)


def test_a_part_under_the_name_of_another_is_refused(store: Store) -> None:
    store.add(part_of(A))
    (path,) = files(store)
    path.rename(path.with_name(path.name.replace(A, A[:-1] + "c")))
    assert store.finished() == {}
    assert "file of another part" in store.warnings[0]


def test_a_foreign_file_among_the_parts_is_left_alone_and_told(store: Store) -> None:
    store.add(part_of())
    stray = files(store)[0].parent / "notes.txt"
    stray.write_text("mine")
    (stray.parent / ".DS_Store").write_text("")
    assert store.finished() == {A: "ok"}
    assert len(store.warnings) == 1
    assert stray.exists()


# the folder


def test_a_new_folder_says_what_it_is(store: Store) -> None:
    label = json.loads((store.path / "store.json").read_text())
    assert (label["kind"], label["schema"]) == ("tsgap run", SCHEMA)
    assert label["created_by"].startswith("tsgap ")


def test_a_folder_of_a_newer_layout_is_refused(store: Store) -> None:
    (store.path / "store.json").write_text(
        json.dumps({"kind": "tsgap run", "schema": SCHEMA + 1, "created_by": "tsgap 9"})
    )
    with pytest.raises(StoreError, match=r"written by tsgap 9 in layout 2.*use a newer tsgap"):
        Store.open(store.path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1}', "\x00"])
def test_a_label_that_is_none_is_refused(store: Store, text: str) -> None:
    (store.path / "store.json").write_text(text)
    with pytest.raises(StoreError, match=r"store\.json"):
        Store.open(store.path)


def test_folders_and_files_that_are_no_run_are_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    for create in (True, False):
        with pytest.raises(StoreError, match=r"not a run folder, it holds 'thesis\.tex'"):
            Store.open(tmp_path, create=create)
        with pytest.raises(StoreError, match="is a file"):
            Store.open(tmp_path / "thesis.tex", create=create)
    with pytest.raises(StoreError, match="cannot open"):
        Store.open(tmp_path / "thesis.tex" / "run")
    with pytest.raises(StoreError, match=r"there is no store\.json"):
        Store.open(tmp_path / "nothing", create=False)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_becomes_a_run(tmp_path: Path) -> None:
    (tmp_path / ".gitkeep").write_text("")
    Store.open(tmp_path).close()
    assert (tmp_path / "store.json").exists()


@contextlib.contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """A folder that cannot be written to, also when the tests run as root."""
    for folder in (path, *path.rglob("*")):
        folder.chmod(0o555 if folder.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for folder in (path, *path.rglob("*")):
            folder.chmod(0o755)


def test_a_read_only_run_can_be_read_and_not_written() -> None:
    path = Path(tempfile.mkdtemp(prefix="tsgap-test-"))
    try:
        path.chmod(0o755)
        with Store.open(path / "run") as store:
            for cell in (A, B):
                store.add(part_of(cell))
            store.write_json("manifest.json", {"a": 1})
        os.truncate(files(store)[0], 100)
        with unwritable(path):
            with pytest.raises(StoreError, match=r"cannot write to the run folder .*: Permission denied"):
                Store.open(path / "run")
            with pytest.raises(StoreError, match="Permission denied"):
                Store.open(path / "new")
            reader = Store.open(path / "run", create=False)
            assert reader.finished() == {B: "ok"}
            assert reader.parts(A) == []
            assert reader.forecasts(B).mean.shape == (5, 3)
            assert reader.read_json("manifest.json") == {"a": 1}
            assert len(reader.warnings) == 1
            assert "left where it is (Permission denied)" in reader.warnings[0]
            with pytest.raises(StoreError, match="Permission denied"):
                reader.add(part_of())
    finally:
        shutil.rmtree(path)


def test_a_full_disk_is_an_error_with_the_path_and_nothing_half_is_left(store: Store) -> None:
    store.add(part_of(A))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    work = store.work
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(StoreError, match=rf"cannot write {store.path}/parts/bb/.*File too large"):
            store.add(part_of(B, n=1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in work.iterdir()] == ["lock"]
    assert store.finished() == {A: "ok"}
    store.add(part_of(B, n=1000))
    assert store.finished() == {A: "ok", B: "ok"}


def test_the_scratch_folder_goes_when_the_store_is_closed(store: Store) -> None:
    work = store.work
    (work / "panel.npy").write_bytes(b"x")
    assert work.is_dir()
    store.close()
    assert not work.exists()
    assert store.work != work


def test_scratch_of_the_living_stays_and_that_of_the_dead_goes(store: Store) -> None:
    code = (
        "import sys, time; from tsgap.store import Store; s = Store.open(sys.argv[1])\n"
        "(s.work / 'big').write_text('x'); print(s.work, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(store.path)], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        Store.open(store.path).close()
        assert (theirs / "big").exists()
        process.kill()
    Store.open(store.path).close()
    assert not theirs.exists()
    assert store.work.exists()


def test_scratch_that_was_never_finished_goes_after_a_day(store: Store) -> None:
    young, old = store.path / "work" / ".new-1", store.path / "work" / ".new-2"
    for folder in (young, old):
        folder.mkdir()
    long_ago = time.time() - 2 * 86400
    os.utime(old, (long_ago, long_ago))
    Store.open(store.path).close()
    assert (young.exists(), old.exists()) == (True, False)


# tables and JSON


def test_tables_come_back_as_they_were(store: Store) -> None:
    frame = pd.DataFrame(
        {
            "unique_id": ["ä", None, "c"],
            "ds": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03"]),
            "y": [1.0, np.nan, -0.0],
            "n": [1, 2, 3],
        }
    )
    store.write_table("truth", frame)
    pd.testing.assert_frame_equal(store.read_table("truth"), frame)
    pd.testing.assert_frame_equal(pd.read_parquet(store.path / "tables" / "truth.parquet"), frame)
    store.write_table("truth", frame.iloc[:1])
    assert len(store.read_table("truth")) == 1


def test_a_damaged_or_missing_table_is_an_error(store: Store) -> None:
    store.write_table("truth", pd.DataFrame({"y": np.arange(1000.0)}))
    path = store.path / "tables" / "truth.parquet"
    data = path.read_bytes()
    rng = random.Random(2)
    for _ in range(100):
        bad = bytearray(data)
        place = rng.randrange(len(data) * 8)
        bad[place // 8] ^= 1 << place % 8
        path.write_bytes(bad)
        with pytest.raises(StoreError, match="is damaged"):
            store.read_table("truth")
    pq.write_table(pq.read_table(pd.io.common.BytesIO(data)).replace_schema_metadata(None), path)
    with pytest.raises(StoreError, match="no seal"):
        store.read_table("truth")
    with pytest.raises(StoreError, match="No such file"):
        store.read_table("other")


def test_json_comes_back_as_it_was(store: Store) -> None:
    value = {"name": "é", "list": [1, 2.5, None, True], "nested": {"a": {}}}
    store.write_json("manifest.json", value)
    assert store.read_json("manifest") == store.read_json("manifest.json") == value
    assert json.loads((store.path / "manifest.json").read_text()) == value
    with pytest.raises(StoreError, match="No such file"):
        store.read_json("plan")
    (store.path / "manifest.json").write_text('{"name": ')
    with pytest.raises(StoreError, match="is damaged"):
        store.read_json("manifest")
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write_json("plan", float("nan"))


@pytest.mark.parametrize("name", ["../up", "a/b", "", "store.json", "A", "x" * 80, "a..b", "nul\x00"])
def test_names_that_are_paths_are_refused(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="store"):
        store.write_json(name, 1)
    if name != "store.json":
        with pytest.raises(ValueError, match="name in a store"):
            store.write_table(name, pd.DataFrame({"a": [1]}))


# kills and two writers

WRITER = """
import sys, numpy as np, pyarrow.parquet
from tsgap.store import Part, Store
store = Store.open(sys.argv[1])
done = store.finished()
print("open", flush=True)
for i in range(int(sys.argv[2])):
    cell = f"{i:032x}"
    if cell in done:
        continue
    mean = np.random.default_rng(i).normal(size=(50, 12))
    for part in range(2):
        store.add(Part(cell, part, 2, "ok", np.arange(25) * 2 + part, mean[part::2], info={"writer": sys.argv[3]}))
    print(cell, flush=True)
print("end", flush=True)
"""


def write(path: Path, count: int, name: str = "w") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(count), name], stdout=subprocess.PIPE, text=True
    )


def expect_all(store: Store, count: int) -> None:
    assert store.finished() == {f"{i:032x}": "ok" for i in range(count)}
    for i in range(count):
        found = store.forecasts(f"{i:032x}")
        assert np.array_equal(found.mean, np.random.default_rng(i).normal(size=(50, 12)))
        assert found.failed == {}
    assert store.warnings == []


def test_a_writer_killed_at_any_time_loses_nothing_that_it_had_finished(tmp_path: Path) -> None:
    rng = random.Random(3)
    finished: set[str] = set()
    for _ in range(5):
        with write(tmp_path / "run", 10_000) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            told = [process.stdout.readline() for _ in range(rng.randrange(4))]
            time.sleep(0.02 * rng.random())
            process.send_signal(signal.SIGKILL)
            told = "".join([*told, process.stdout.read()]).split("\n")[:-1]
        finished |= set(told)
        reader = Store.open(tmp_path / "run", create=False)
        found = set(reader.finished())
        assert finished <= found
        assert len(found - finished) <= 1  # written, but killed before it could say so
        finished |= found
        assert reader.warnings == []
    assert len(finished) > 4
    store = Store.open(tmp_path / "run")
    assert store.check() == []
    store.close()
    assert list((tmp_path / "run" / "work").iterdir()) == []


def test_two_writers_at_once_both_finish(tmp_path: Path) -> None:
    writers = [write(tmp_path / "run", 40, str(i)) for i in range(2)]
    for process in writers:
        with process:
            assert process.stdout is not None
            assert process.stdout.read().endswith("end\n")
        assert process.returncode == 0
    store = Store.open(tmp_path / "run", create=False)
    expect_all(store, 40)
    assert len(files(store)) == 80


class Life(RuleBasedStateMachine):
    """Any order of adding, damaging, discarding and opening again: the store says what a plain dict says."""

    cells = Bundle("cells")

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tsgap-life-"))
        self.store = Store.open(self.folder / "run")
        self.model: dict[tuple[str, int], tuple[str, Part]] = {}  # what counts, by cell and part: file name, part

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)

    @rule(target=cells, digit=st.sampled_from("0123"))
    def name(self, digit: str) -> str:
        return digit * 16

    @rule(cell=cells, part=st.sampled_from([0, 1]), status=st.sampled_from(["ok", "ok", "error", "crash"]))
    def add(self, cell: str, part: int, status: str) -> None:
        given = part_of(cell, part, 2, status=status)
        self.store.add(given)
        for path in (self.store.path / "parts" / cell[:2]).glob(f"{cell}-{part}of2-*"):
            if path.name != given.file_name:
                path.unlink()  # one file a part, so that the model is plain
        self.model[cell, part] = (given.file_name, given)

    @rule(cell=cells)
    def remove(self, cell: str) -> None:
        for head in self.store.heads().values():
            if head.cell == cell:
                self.store.remove(head)
        for part in (0, 1):
            self.model.pop((cell, part), None)

    @rule(cell=cells, part=st.sampled_from([0, 1]), where=st.floats(0, 1, exclude_max=True))
    def truncate(self, cell: str, part: int, where: float) -> None:
        if (cell, part) in self.model:
            path = self.store.path / "parts" / cell[:2] / self.model.pop((cell, part))[0]
            os.truncate(path, int(path.stat().st_size * where))

    @rule(cell=cells, part=st.sampled_from([0, 1]), where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    def flip(self, cell: str, part: int, where: float, bit: int) -> None:
        if (cell, part) in self.model:
            path = self.store.path / "parts" / cell[:2] / self.model.pop((cell, part))[0]
            data = bytearray(path.read_bytes())
            data[int(len(data) * where)] ^= 1 << bit
            path.write_bytes(data)
            assert len(self.store.check()) == 1

    @rule()
    def leave_rubbish(self) -> None:
        (self.store.work / "half.tmp").write_bytes(b"PAR1")

    @rule()
    def open_again(self) -> None:
        self.store.close()
        self.store = Store.open(self.folder / "run")

    @invariant()
    def says_what_is_there(self) -> None:
        if not hasattr(self, "store"):
            return
        wanted: dict[str, str] = {}
        for cell in {cell for cell, _ in self.model}:
            if (cell, 0) in self.model and (cell, 1) in self.model:
                parts = [self.model[cell, part][1] for part in (0, 1)]
                wanted[cell] = next((part.status for part in parts if part.status != "ok"), "ok")
                assert all(same(*pair) for pair in zip(self.store.parts(cell), parts, strict=True))
            else:
                assert self.store.parts(cell) == []
        assert self.store.finished() == wanted


Life.TestCase.settings = settings(max_examples=15, stateful_step_count=12, deadline=None, database=None)
TestLife = Life.TestCase
