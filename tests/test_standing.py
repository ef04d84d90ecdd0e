"""How far a plan is in a run folder, read from the ends of its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.test_sweeps import swept
from tsgap import plan
from tsgap.fits import Fit, fits_of
from tsgap.standing import AGAIN, FAILED, ROWS, ROWS_FAILED, Standing, has_failed
from tsgap.store import STATUSES, Part, Store

KEY = "ab" * 16


def part(number: int, of: int, status: str = "ok", shift: float = 0.0, **info: Any) -> Part:
    """A part of one row."""
    mean = np.full((1, 2), shift) if status == "ok" else np.empty((0, 0))
    return Part(KEY, number, of, status, np.array([number]), mean, {}, {"seconds": 1.0, **info})


def test_heads_are_those_that_count_also_of_cells_that_are_not_finished(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.add(part(0, 3, "crash"))
        store.add(part(0, 3, shift=1.0))
        store.add(part(0, 3, shift=2.0))
        store.add(part(2, 3, "error"))
        store.add(part(0, 1, "timeout"))
        assert store.finished() == {KEY: "timeout"}
        heads = store.heads()
        assert {place: head.status for place, head in heads.items()} == {
            (KEY, 0, 3): "ok",
            (KEY, 2, 3): "error",
            (KEY, 0, 1): "timeout",
        }
        assert heads[(KEY, 0, 3)].digest == part(0, 3, shift=1.0).digest
        store.remove(heads[(KEY, 0, 1)])
        assert (KEY, 0, 1) not in store.heads()
        assert store.finished() == {}


@pytest.fixture
def fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Fit]:
    """The fits of a sweep that ended."""
    seen, real = list[plan.Plan](), plan.made

    def made(*asked: Any) -> plan.Plan:
        seen.append(real(*asked))
        return seen[-1]

    monkeypatch.setattr(plan, "made", made)
    swept(tmp_path, "gen:shuffle", null=False)
    return fits_of(seen[0].cells.values())


def test_what_ended_is_done_and_teaches_the_pace(tmp_path: Path, fits: list[Fit]) -> None:
    with Store.open(tmp_path / "run") as store:
        stand = Standing.of(fits, store)
        places = [piece.place for fit in fits for piece in fit.pieces]
        assert all(stand.is_done(place, retry_failed=True) for place in places)
        assert not any(map(stand.failed, places))
        linear = [fit for fit in fits if fit.group == "linear"]
        seconds = sum(stand.heads[piece.place].info["seconds"] for fit in linear for piece in fit.pieces)
        assert stand.pace.of("linear") == pytest.approx(seconds / sum(fit.size for fit in linear))
    nothing = Standing.of(fits, None)
    assert not any(nothing.is_done(place, retry_failed=False) for place in places)
    assert nothing.pace.of("linear") is None


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "ok"])
def test_what_ended_badly_is_tried_again_at_once_or_when_asked(tmp_path: Path, fits: list[Fit], status: str) -> None:
    assert (status in AGAIN) != (status in FAILED)
    place = fits[0].pieces[0].place
    with Store.open(tmp_path / "other") as store:
        store.add(Part(place[0], 0, 1, status, np.arange(18), np.empty((0, 0))))
        stand = Standing.of(fits, store)
    assert stand.is_done(place, retry_failed=False) == (status in FAILED)
    assert not stand.is_done(place, retry_failed=True)
    assert stand.failed(place)


def test_a_part_of_which_every_window_failed_has_failed() -> None:
    assert has_failed(part(0, 1, **{ROWS: 1, ROWS_FAILED: 1}))
    assert not has_failed(part(0, 1, **{ROWS: 2, ROWS_FAILED: 1}))
    assert not has_failed(part(0, 1))
    assert has_failed(part(0, 1, "oom"))


def test_the_size_of_a_fit_counts_what_is_learned_from_and_what_is_forecast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fits: list[Fit]
) -> None:
    sizes = {fit.group: fit.size for fit in fits}
    assert sizes == {"seasonal-naive": 18 * 6, "linear": 6 * 102 + 18 * 6}
