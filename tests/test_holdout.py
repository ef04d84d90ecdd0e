"""What is held out of a synthetic training set, and what stays in it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tests.worlds import seasonal
from tsgap.arms import Rules, TrainingSet, arms_of
from tsgap.experiment import DataSpec
from tsgap.footing import Footing
from tsgap.holdout import HEAD, LEVELS, HeldOut, held_out, levels
from tsgap.inputs import Data, read_data
from tsgap.panel import Panel
from tsgap.splits import Split

HORIZON, WINDOWS = 6, 3


def data(series: int = 6, length: int = 120, **given: Any) -> Data:
    return read_data(DataSpec("d", seasonal(series, length), horizons=(1, HORIZON), **{"windows": WINDOWS, **given}))


def training(panel: Panel, *, context: int = 24, leads: int = HORIZON, paired: bool = True, scaling: str = "mean-abs"):
    """A synthetic training set of a panel."""
    return TrainingSet("synthetic", panel, Footing(scaling, context, paired, leads), 9, 9)


def strangers(panel: Panel) -> Panel:
    return panel.renamed([f"row {i}" for i in range(len(panel))])


def taken(*args: Any, scope: str = "global", seed: int = 0) -> HeldOut:
    found = held_out(*args, scope=scope, seed=seed)
    assert isinstance(found, HeldOut), found
    return found


@pytest.mark.parametrize("paired", [True, False])
def test_the_end_of_every_series_is_held_out_as_that_of_the_real_series_is(paired: bool) -> None:
    one = data()
    panel = one.train if paired else strangers(one.train)
    found = taken(training(panel, paired=paired), one.split)
    assert found.training.arm == HEAD
    assert found.training.panel.keys == panel.keys
    assert (found.split.horizon, found.split.step, found.split.n_windows) == (HORIZON, HORIZON, WINDOWS)
    for row, y in enumerate(panel):
        head = len(y) - HORIZON * WINDOWS
        assert found.training.panel[row].tolist() == y[:head].tolist()
        mine = np.flatnonzero(found.split.series == row)
        assert found.split.truth[mine].ravel().tolist() == y[head:].tolist()
        histories = found.split.histories()
        assert [histories[n].tolist() for n in mine] == [y[: head + HORIZON * w].tolist() for w in range(WINDOWS)]


def test_twins_bear_the_ids_and_stamps_of_the_real_series_and_strangers_match_nothing() -> None:
    one = data()
    twins = taken(training(one.train), one.split).split
    assert twins.data.keys == one.train.keys
    # the last window held out ends where the real training part does
    last = twins.cutoffs[twins.window == WINDOWS - 1] + np.timedelta64(HORIZON * 30, "D")
    first = one.split.cutoffs[one.split.window == 0]
    assert (abs(last - first) < np.timedelta64(10, "D")).all()
    assert len(set(twins.blocks)) == WINDOWS
    others = taken(training(strangers(one.train), paired=False), one.split)
    assert not set(others.split.data.keys) & {*one.train.keys, *others.training.panel.keys}


def test_at_least_half_of_the_median_series_stays_and_enough_to_learn_from() -> None:
    one = data(windows=5, length=200)
    for length, context, windows in itertools.product((36, 42, 60, 90, 170), (6, 24, 30), (5,)):
        found = held_out(training(one.train.tail(length), context=context), one.split, scope="global", seed=0)
        room = (length - max(length / 2, context + HORIZON, 25) - HORIZON) // HORIZON + 1
        if room < 1:
            assert isinstance(found, str)
            assert f"the longest of 6 synthetic series has {length} values" in found
            continue
        assert isinstance(found, HeldOut)
        assert found.split.n_windows == min(windows, room)
        assert found.training.pairs > 0


def test_a_series_too_short_to_hold_a_window_out_stays_whole() -> None:
    one = data()
    lengths = np.array([102, 102, 102, 102, 102, 30])
    panel = one.train.tail(lengths)
    found = taken(training(panel), one.split)
    assert found.split.data.keys == panel.keys[:5]
    assert found.training.panel.lengths.tolist() == [84] * 5 + [30]


def test_of_short_windows_a_fifth_is_held_out_by_seed() -> None:
    one = data()
    rng = np.random.default_rng(0)
    panel = Panel.of({f"row {i}": rng.normal(size=16) for i in range(53)}, freq="MS", seasons=(12,))
    footing: dict[str, Any] = {"context": 12, "leads": 4, "paired": False, "scaling": "standard"}
    found = taken(training(panel, **footing), one.split)
    assert (len(found.split), len(found.training.panel)) == (10, 43)
    assert found.training.pairs == 43
    kept = set(found.training.panel.keys)
    out = [i for i, key in enumerate(panel.keys) if key not in kept]
    assert found.split.truth[:, :4].tolist() == [panel[i][-4:].tolist() for i in out]
    # leads that the windows cannot show are missing, not made up
    assert np.isnan(found.split.truth[:, 4:]).all()
    assert [y.tolist() for y in found.split.histories()] == [panel[i][:-4].tolist() for i in out]
    again = taken(training(panel, **footing), one.split)
    assert again.split.fingerprint == found.split.fingerprint
    assert taken(training(panel, **footing), one.split, seed=1).split.fingerprint != found.split.fingerprint


@pytest.mark.parametrize("length", [36, 42, 48, 60, 72, 102])
def test_strangers_keep_at_least_half_of_what_there_is_to_learn(length: int) -> None:
    one = data(series=12)
    panel = training(strangers(one.train.tail(length)), paired=False)
    whole = 12 * (length - 24 - HORIZON + 1)
    found = taken(panel, one.split)
    assert found.training.pairs >= whole / 2
    by_series = len(found.training.panel) < 12
    assert by_series == (length < 42)
    if by_series:
        assert len(found.split) == 2


def test_where_nothing_can_be_held_out_the_reason_is_said() -> None:
    one = data()
    few = Panel.of({f"row {i}": np.arange(16.0) for i in range(4)}, freq="MS", seasons=(12,))
    told = held_out(training(few, context=12, leads=4, paired=False), one.split, scope="global", seed=0)
    assert told == (
        "4 of 4 synthetic series have the 16 values of a context and the leads that can be taught; it takes 5 to hold "
        "one out"
    )
    told = held_out(training(one.train.tail(30)), one.split, scope="global", seed=0)
    assert "they leave no window of 6 steps beside half of the series and a context of 24 with 6 leads" in str(told)
    unknown = training(strangers(one.train), paired=False, scaling="train")
    assert "no figures for series that are no twins" in str(held_out(unknown, one.split, scope="global", seed=0))


@pytest.mark.parametrize("scope", ["global", "local"])
@pytest.mark.parametrize("scaling", ["mean-abs", "train"])
def test_the_head_is_on_the_footing_of_the_synthetic_arm(scope: Any, scaling: str) -> None:
    one = data()
    rules = Rules(one.horizons, scaling=scaling)
    twin = one.train.with_values(one.train.values[::-1] + 1)
    sets = arms_of(one.train, twin, null=None, windows=None, scope=scope, rules=rules, seed=0).sets
    synthetic = next(s for s in sets if s.arm == "synthetic")
    head = taken(synthetic, one.split, scope=scope).training
    assert head.footing == synthetic.footing
    assert (head.figures is None) == (scaling != "train")
    if head.figures is not None:
        assert head.figures.tolist() == synthetic.figures.tolist()  # type: ignore[union-attr]
    assert 0 < head.pairs <= synthetic.pairs


def test_levels_are_what_cells_divide_by_the_same_for_all_windows_of_a_series() -> None:
    split: Split = data().split
    recent = [y[-24:] for y in split.histories()]
    for scaling, of in (("mean-abs", lambda y: np.abs(y).mean()), ("standard", np.std)):
        assert scaling in LEVELS
        slow = [np.mean([of(y) for y, t in zip(recent, split.series, strict=True) if t == s]) for s in split.series]
        np.testing.assert_allclose(levels(split, scaling, 24), slow)
    assert levels(split, "none", 24).tolist() == [1.0] * len(split)


def test_a_series_without_a_level_is_left_out() -> None:
    frame = seasonal()
    frame.loc[frame.unique_id == "s2", "y"] = 7.0
    split = read_data(DataSpec("d", frame, horizons=(HORIZON,), windows=WINDOWS)).split
    found = levels(split, "standard", 24)
    assert np.isnan(found[split.series == 2]).all()
    assert np.isfinite(found[split.series != 2]).all()
