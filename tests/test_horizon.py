"""Averages over windows and leads: common pairs, weights, blocks, and what has no figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tsgap.horizon import Blocks, Figures, figures, percentages_are_valid, ratio, skill
from tsgap.metrics import METRICS
from tsgap.panel import Floats

BY_NAME = {m.name: m for m in METRICS}
TRUTH = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])


def figured(metric: str, truth: Floats, *arms: Any, **more: Any) -> Figures:
    n = len(truth)
    settings: dict[str, Any] = {
        "by": "horizon",
        "horizons": (1, truth.shape[1]),
        "scale": np.ones(n),
        "weights": np.ones(n),
        "blocks": Blocks.of(np.zeros(n, dtype=np.int64)),
    }
    listed = [arm if isinstance(arm, list) else [arm] for arm in arms]
    return figures(BY_NAME[metric], truth, listed, **{**settings, **more})


def test_cumulative_and_per_lead_figures_worked_by_hand() -> None:
    forecast = TRUTH + np.array([1.0, 2.0, 6.0])
    assert figured("mae", TRUTH, forecast).values[0, 0].tolist() == [1.0, 3.0]
    assert figured("mae", TRUTH, forecast, by="lead").values[0, 0].tolist() == [1.0, 2.0, 6.0]
    assert figured("rmse", TRUTH, forecast).values[0, 0] == pytest.approx([1.0, np.sqrt(41 / 3)])
    assert figured("mae", TRUTH, forecast, horizons=(3, 2)).at.tolist() == [2, 3]


def test_a_pair_that_one_arm_lacks_is_left_out_of_all_of_them() -> None:
    control, synthetic = TRUTH + 1.0, TRUTH + 3.0
    control[0] = TRUTH[0] + 100.0
    synthetic[0] = np.nan
    found = figured("mae", TRUTH, control, synthetic)
    assert found.values[:, 0].tolist() == [[1.0, 1.0], [3.0, 3.0]]
    assert found.used[0].tolist() == [2, 6]
    assert found.total[0].tolist() == [3, 9]


def test_a_pair_that_one_replicate_lacks_is_left_out_of_all_of_them() -> None:
    other = TRUTH + 5.0
    other[1, 2] = np.nan
    found = figured("mae", TRUTH, [TRUTH + 1.0, TRUTH + 3.0], [TRUTH, other])
    assert found.used[0].tolist() == [3, 8]
    assert found.values[:, 0].tolist() == [[2.0, 2.0], [2.5, 2.5]]


def test_missing_truth_is_never_scored() -> None:
    truth = TRUTH.copy()
    truth[2, 1:] = np.nan
    found = figured("mae", truth, TRUTH + 1.0, np.where(np.isnan(truth), 1e6, TRUTH + 2.0))
    assert found.used[0].tolist() == [3, 7]
    assert found.values[:, 0, 1].tolist() == [1.0, 2.0]


def test_an_infinite_loss_is_not_left_out() -> None:
    bad = TRUTH.copy()
    bad[0, 0] = np.inf
    found = figured("mae", TRUTH, TRUTH + 1.0, bad)
    assert found.values[1, 0].tolist() == [np.inf, np.inf]
    assert found.used[0].tolist() == [3, 9]


def test_root_mean_square_is_pooled_over_pairs_not_averaged_over_windows() -> None:
    truth = np.zeros((2, 2))
    forecast = np.array([[1.0, 1.0], [7.0, 7.0]])
    assert figured("rmse", truth, forecast).values[0, 0, 1] == 5.0


def test_leads_that_were_not_taught_have_no_figure_nor_has_a_horizon_that_holds_them() -> None:
    found = figured("mae", TRUTH, TRUTH + 1.0, (TRUTH + 2.0)[:, :2], horizons=(1, 2, 3), reference=TRUTH + 4.0)
    assert found.taught.tolist() == [True, True, False]
    assert np.isnan(found.values[:, 0, 2]).all()
    assert np.isnan(found.reference[0, 2])
    assert found.used[0].tolist() == [3, 6, 0]
    by_lead = figured("mae", TRUTH, TRUTH + 1.0, (TRUTH + 2.0)[:, :2], by="lead")
    assert by_lead.used[0].tolist() == [3, 3, 0]


def test_without_any_pair_there_is_no_figure_and_no_warning() -> None:
    found = figured("mase", TRUTH, TRUTH + 1.0, TRUTH, scale=np.full(3, np.nan))
    assert np.isnan(found.values).all()
    assert found.used.sum() == 0


def test_weights_weigh_pairs_and_not_their_count() -> None:
    forecast = TRUTH + np.array([[1.0], [2.0], [9.0]])
    found = figured("mae", TRUTH, forecast, weights=np.array([3.0, 1.0, 0.0]))
    assert found.values[0, 0].tolist() == [1.25, 1.25]
    assert found.used[0].tolist() == [3, 9]
    squared = figured("rmse", TRUTH, forecast, weights=np.array([3.0, 1.0, 0.0]))
    assert squared.values[0, 0] == pytest.approx([np.sqrt(7 / 4)] * 2)
    nothing = figured("mae", TRUTH, forecast, weights=np.zeros(3))
    assert np.isnan(nothing.values).all()


def test_blocks_are_averaged_apart_in_the_order_of_their_labels() -> None:
    blocks = Blocks.of(np.array(["north", "south", "north"]))
    found = figured("mae", TRUTH, TRUTH + np.array([[1.0], [9.0], [3.0]]), blocks=blocks)
    assert found.values[0, :, 1].tolist() == [2.0, 9.0]
    assert found.used[:, 1].tolist() == [6, 3]
    assert blocks.first.tolist() == [0, 1]


def test_the_reference_has_a_figure_only_if_it_has_all_pairs() -> None:
    reference = TRUTH + 2.0
    whole = figured("mae", TRUTH, TRUTH + 1.0, reference=reference)
    assert whole.reference[0].tolist() == [2.0, 2.0]
    reference[1, 2] = np.nan
    holed = figured("mae", TRUTH, TRUTH + 1.0, reference=reference)
    assert holed.reference[0, 0] == 2.0
    assert np.isnan(holed.reference[0, 1])
    assert holed.values[0, 0].tolist() == [1.0, 1.0]


def test_ratio_and_skill_of_nothing_by_nothing() -> None:
    zero, one = np.array([0.0]), np.array([1.0])
    assert ratio(zero, zero).tolist() == [1.0]
    assert ratio(one, zero).tolist() == [np.inf]
    assert ratio(zero, one).tolist() == [0.0]
    assert np.isnan(ratio(np.array([np.nan]), zero)).all()
    assert skill(zero, zero).tolist() == [0.0]
    assert skill(one, 4 * one).tolist() == [0.75]
    assert skill(one, zero).tolist() == [-np.inf]


@given(arrays(np.float64, (4, 3), elements=st.floats(-1e3, 1e3)), arrays(np.float64, (4, 3), elements=st.floats(-5, 5)))
def test_a_block_of_its_own_says_what_it_says_alone(truth: Floats, error: Floats) -> None:
    labels = np.array([0, 1, 1, 0])
    together = figured("rmse", truth, truth + error, blocks=Blocks.of(labels))
    for block in (0, 1):
        alone = figured("rmse", truth[labels == block], (truth + error)[labels == block])
        np.testing.assert_allclose(together.values[0, block], alone.values[0, 0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("at_once", [1, 15, 40, 1000])
@pytest.mark.parametrize("lengths", [[1] * 7, [3] * 6, [1, 4, 2, 9, 1], [40, 2], [30]])
@pytest.mark.parametrize("by", ["horizon", "lead"])
@pytest.mark.parametrize("lacks", [False, True])
def test_figures_are_those_of_a_loop_however_the_windows_are_cut(
    monkeypatch: pytest.MonkeyPatch, at_once: int, lengths: list[int], by: str, lacks: bool
) -> None:
    monkeypatch.setattr("tsgap.horizon.AT_ONCE", at_once)
    monkeypatch.setattr("tsgap.horizon.MANY", 10)
    labels = np.repeat(np.arange(len(lengths)), lengths)
    rng = np.random.default_rng(3)
    truth, forecast = rng.normal(size=(2, len(labels), 5))
    weights = rng.uniform(1, 2, len(labels))
    if lacks:
        forecast[rng.random(forecast.shape) < 0.2] = np.nan
    mixed = rng.permutation(len(labels))
    found = figured(
        "rmse",
        truth[mixed],
        forecast[mixed],
        by=by,
        horizons=(2, 3, 5),
        weights=weights[mixed],
        blocks=Blocks.of(labels[mixed]),
    )
    squares = (truth - forecast) ** 2
    for block in range(len(lengths)):
        for place, h in enumerate([2, 3, 5] if by == "horizon" else range(1, 6)):
            leads = slice(0, h) if by == "horizon" else slice(h - 1, h)
            rows = [
                (value, weights[n])
                for n in np.flatnonzero(labels == block)
                for value in squares[n, leads]
                if not np.isnan(value)
            ]
            assert found.used[block, place] == len(rows)
            lost = lengths[block] * len(range(5)[leads]) - len(rows)
            assert found.lost[block, place] == lost
            wanted = np.nan
            if rows and lost <= len(rows):
                wanted = np.sqrt(sum(v * w for v, w in rows) / sum(w for _, w in rows))
            assert found.values[0, block, place] == pytest.approx(wanted, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("at_once", [1, 15, 40])
def test_pieces_hold_every_window_once_and_end_with_a_block_unless_they_lie_within_one(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("tsgap.horizon.AT_ONCE", at_once)
    blocks = Blocks.of(np.repeat(np.arange(5), [1, 4, 2, 9, 1]))
    seen = []
    for rows, held, begins in blocks.pieces(5):
        assert isinstance(rows, slice)
        assert len(begins) == held.stop - held.start
        assert rows.stop in {*blocks.starts.tolist(), 17} or held.stop - held.start == 1
        assert rows.stop - rows.start <= max(1, at_once // 5)
        seen += range(rows.start, rows.stop)
    assert seen == list(range(17))


def test_percentages_are_valid_only_on_actuals_well_away_from_zero() -> None:
    def valid(*rows: Any) -> list[bool]:
        truth = np.array(rows, dtype=float)
        return percentages_are_valid(truth, Blocks.of(np.arange(len(rows)))).tolist()

    steady = [10.0, 11.0, 12.0, np.nan]
    assert valid(steady) == [True]
    assert valid([10.0, 11.0, -1.0, 12.0]) == [False]
    assert valid([10.0, 0.0, 12.0, 11.0]) == [False]
    assert valid([1.0, 1.0, 1.0, 30.0]) == [False]
    assert valid([0.0] * 4) == [False]
    assert valid([np.nan] * 4) == [False]
    assert valid(steady, [0.0] * 4, steady) == [True, False, True]
    assert percentages_are_valid(np.array([steady, [0.0] * 4]), Blocks.of(np.zeros(2))).tolist() == [False]
