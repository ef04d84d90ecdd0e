"""Drawn panels: kept in the run folder in blocks, found again whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worlds import seasonal
from tsgap.drawing import Wanted, drawn, stored
from tsgap.inputs import NotDrawn
from tsgap.panel import Panel
from tsgap.plugins import choose_generator
from tsgap.store import Store


def train() -> Panel:
    frame = seasonal(series=5)
    return Panel.of({key: of.y.to_numpy() for key, of in frame.groupby("unique_id")}, freq="MS", seasons=(12,))


@pytest.mark.parametrize("block", ["1", "250", ""])
def test_what_was_drawn_is_found_again_however_it_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: str
) -> None:
    monkeypatch.setenv("TSGAP_BLOCK", block)
    wanted = Wanted("shuffle", choose_generator("shuffle"), train(), 7)
    with Store.open(tmp_path / "run") as store:
        found = drawn([wanted], store, work=store.work, jobs=0, timeout=60.0)["shuffle"]
        assert isinstance(found, Panel)
        tables = list((tmp_path / "run" / "tables").iterdir())
        assert len(tables) == 1 + {"1": 5, "250": 3, "": 1}[block]
    monkeypatch.setenv("TSGAP_BLOCK", "")
    with Store.open(tmp_path / "run") as store:
        again = stored(wanted, store, store.work)
        assert again is not None
        assert again.fingerprint == found.fingerprint
        elsewhere = Wanted("shuffle", wanted.chosen, wanted.train, 8)
        assert stored(elsewhere, store, store.work) is None


def test_a_panel_with_a_damaged_block_is_drawn_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSGAP_BLOCK", "250")
    wanted = Wanted("shuffle", choose_generator("shuffle"), train(), 7)
    with Store.open(tmp_path / "run") as store:
        first = drawn([wanted], store, work=store.work, jobs=0, timeout=60.0)["shuffle"]
    block = tmp_path / "run" / "tables" / f"{wanted.table}-1.parquet"
    block.write_bytes(block.read_bytes()[:-200] + bytes(200))
    with Store.open(tmp_path / "run") as store:
        assert stored(wanted, store, store.work) is None
        second = drawn([wanted], store, work=store.work, jobs=0, timeout=60.0)["shuffle"]
        assert not isinstance(first, NotDrawn)
        assert not isinstance(second, NotDrawn)
        assert second.fingerprint == first.fingerprint
