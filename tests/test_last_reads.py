"""What is read last: when a call returns, no thread of pyarrow's still holds memory that needs Python to be let go.

Such a thread aborts the process ("terminate called without an active exception") if the interpreter ends before it.
"""

from __future__ import annotations

import io
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tsgap.readers import tables
from tsgap.store.sealed import opened, sealed, unsealed

TIMES = 60


@pytest.fixture(autouse=True)
def no_other_thread_runs_python() -> Iterator[None]:
    """A thread that waits for the interpreter goes on waiting, so that what it holds is seen."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(100.0)
    yield
    sys.setswitchinterval(before)


def sealed_table() -> bytes:
    return sealed(pa.table({"y": np.random.default_rng(0).normal(size=20_000), "row": np.arange(20_000)}), {})


def outlived(content: bytes, read: Callable[[Any], Any]) -> int:
    """How often memory is still held when what read it has returned and what was read is gone."""
    alive = 0
    for _ in range(TIMES):
        memory = np.frombuffer(content, dtype=np.uint8).copy()
        known = weakref.ref(memory)
        read(memory)
        del memory
        alive += known() is not None
    return alive


def test_a_sealed_table_is_let_go_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsgap.store.sealed.verify", lambda data: None)  # it takes bytes alone
    assert outlived(sealed_table(), unsealed) == 0


def test_the_file_of_a_table_is_let_go_when_it_is_read() -> None:
    content, alive = sealed_table(), 0
    for _ in range(TIMES):
        file = io.BytesIO(content)
        known = weakref.ref(file)
        for _batch in opened(file).iter_batches(5_000, use_threads=False):
            pass
        del file
        alive += known() is not None
    assert alive == 0


def test_a_csv_file_is_let_go_when_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = ("unique_id,ds,y\n" + "".join(f"a,{i},{i}.5\n" for i in range(5_000))).encode()
    monkeypatch.setattr(Path, "read_bytes", lambda self: content)
    held = 0
    for _ in range(TIMES):
        before = sys.getrefcount(content)
        tables.read_csv(tmp_path / "x.csv", text=("unique_id", "ds"))
        held += sys.getrefcount(content) != before
    assert held == 0
