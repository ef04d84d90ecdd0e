"""Which windows the synthetic series cover: those of a mode that was left out are not, those of a fair draw are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.test_automatic_groups import data_of, found, training
from tsgap import covered
from tsgap.covered import COVERED
from tsgap.grouping import COVERAGE, Grouping
from tsgap.inputs import Data
from tsgap.panel import Floats, Panel

LENGTH = 120
INSIDE, OUTSIDE = COVERED


def modes(series: int, seed: int) -> Floats:
    """Half of the series alternate, half of them walk slowly."""
    rng = np.random.default_rng(seed)
    made = np.empty((series, LENGTH))
    for i in range(series):
        phi = -0.9 if i % 2 else 0.95
        noise, y = rng.normal(size=LENGTH + 50), 0.0
        for t, e in enumerate(noise):
            y = phi * y + e
            made[i, max(t - 50, 0)] = y
    return 50 + made


def panel(values: Floats, like: Data) -> Panel:
    keys = tuple(f"made{i}" for i in range(len(values)))
    n = values.shape[1]
    return Panel(values.ravel(), n * np.arange(len(values) + 1), keys, like.train.freq, like.train.seasons)


def coverage(values: Floats, made: Floats, folder: Path, **more: str) -> tuple[Data, Grouping]:
    data = data_of(values)
    _, groups = found(data, folder, s=training(panel(made, data), **more))
    return data, groups[COVERAGE]


@pytest.mark.parametrize("scaling", ["standard", "mean-abs", "none"])
def test_a_fair_second_draw_covers_what_real_series_cover_each_other(tmp_path: Path, scaling: str) -> None:
    _, of = coverage(modes(40, 0), modes(40, 1), tmp_path, scaling=scaling)
    # of points with as many neighbours on either side all but 1 in 2^5 are covered
    assert of.real[INSIDE] > 0.9
    assert of.synthetic == {}


def test_windows_of_a_mode_that_was_left_out_are_not_covered(tmp_path: Path) -> None:
    data, of = coverage(modes(40, 0), modes(40, 1)[::2], tmp_path, scaling="standard")
    left_out = data.split.series % 2 == 1
    assert (of.label[left_out] == OUTSIDE).mean() > 0.7
    assert (of.label[~left_out] == INSIDE).mean() > 0.8


def test_series_of_another_level_cover_nothing_unless_scaling_hides_it(tmp_path: Path) -> None:
    values, far = modes(40, 0), modes(40, 1) + 1000
    assert coverage(values, far, tmp_path / "none", scaling="none")[1].groups == (OUTSIDE,)
    assert coverage(values, far, tmp_path / "standard", scaling="standard")[1].real[INSIDE] > 0.9


def test_a_window_is_not_near_to_real_windows_of_its_own_series(tmp_path: Path) -> None:
    # contexts differ by the level of their series alone: only those of the same series are nearer than the synthetic
    shape = np.tile([1.0, -1.0], LENGTH // 2)
    values, shifted = (10 * np.arange(40)[:, None] + shift + shape for shift in (500, 503))
    _, of = coverage(values, shifted, tmp_path, scaling="none")
    assert of.real[INSIDE] > 0.9


def test_a_history_shorter_than_the_context_is_in_no_group(tmp_path: Path) -> None:
    values = modes(40, 0)
    values[3, : LENGTH - 3 * 6 - 12] = np.nan
    data = data_of(values)
    _, groups = found(data, tmp_path, s=training(panel(modes(40, 1), data), context=16))
    label, mine = groups[COVERAGE].label, data.split.series == 3
    assert mine.sum() == 3
    assert (label[mine] == "").tolist() == [True, False, False]
    assert (label[~mine] != "").all()


def test_of_many_windows_some_are_asked_and_the_others_are_in_no_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(covered, "ASKED", 17)
    _, of = coverage(modes(40, 0), modes(40, 1), tmp_path)
    assert (of.label != "").sum() == 17
    assert sum(of.real.values()) == pytest.approx(1)


def test_too_few_contexts_are_said_and_make_no_groups(tmp_path: Path) -> None:
    data = data_of(modes(6, 0))
    short = panel(np.random.default_rng(0).normal(size=(3, 8)), data)
    told, groups = found(data, tmp_path, s=training(short))
    assert told["covered"]["s"]["why"] == "only 3 contexts of 8 values can be compared"
    assert groups[COVERAGE].groups == ()
    assert groups[COVERAGE].why


def test_the_same_seed_gives_the_same_groups_in_blocks_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = coverage(modes(20, 0), modes(20, 1), tmp_path / "a")[1]
    monkeypatch.setenv("TSGAP_BLOCK", "64")
    again = coverage(modes(20, 0), modes(20, 1), tmp_path / "b")[1]
    assert once.label.tolist() == again.label.tolist()


def test_figures_of_the_training_part_scale_both_sides(tmp_path: Path) -> None:
    from dataclasses import replace

    data = data_of(modes(40, 0))
    made = panel(modes(40, 1), data)
    figures = np.array([[one.mean(), one.std()] for one in made])
    _, groups = found(data, tmp_path, s=replace(training(made, scaling="train"), figures=figures))
    assert groups[COVERAGE].real[INSIDE] > 0.85
