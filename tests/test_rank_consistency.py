"""Do both arms rank forecasters alike: planted orders, Kendall's tau of a second library, and who is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from tests.grouped import WINDOWS, battery, run_of
from tsgap import cli
from tsgap.cli.ranks import sentences, text_of
from tsgap.errors import UsageError
from tsgap.gap import log_ratio
from tsgap.rank_consistency import COLUMNS, LEAST, OPPOSITE, SAME, UNTOLD

GROUPS = {"all": 20}
#: Errors after real, synthetic and shuffled training: the same order in both, and the first two swapped.
ALIKE: dict[str, Any] = {"a": (1.0, 1.5, 9.0), "b": (2.0, 3.0, 9.0), "c": (4.0, 6.0, 9.0)}
SWAPPED: dict[str, Any] = {**ALIKE, "a": (1.0, 3.0, 9.0), "b": (2.0, 1.5, 9.0)}


def table(folder: Path, errors: Any, groups: dict[str, int] | None = None, **more: Any) -> pd.DataFrame:
    return run_of(folder, errors, groups or GROUPS, **more).rank_consistency("mae")


def test_the_same_order_in_both_arms_is_tau_1_and_proven(tmp_path: Path) -> None:
    found = table(tmp_path, ALIKE)
    assert list(found.columns) == list(COLUMNS)
    assert found[["tau", "low", "high"]].to_numpy().tolist() == [[1.0, 1.0, 1.0]] * 3
    assert found.order.tolist() == [SAME] * 3
    assert list(zip(found["first"], found["second"], strict=True)) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert (found.series == 20).all()
    assert found.real.iloc[0] == pytest.approx(np.log(0.5), abs=0.05)


def test_a_swap_that_was_planted_is_proven_and_named(tmp_path: Path) -> None:
    found = table(tmp_path, SWAPPED)
    assert found.order.tolist() == [OPPOSITE, SAME, SAME]
    assert found.tau.iloc[0] == pytest.approx(1 / 3)
    assert found.synthetic_low.iloc[0] > 0 > found.real_high.iloc[0]
    assert "PROVEN IN OPPOSITE ORDER: a and b" in text_of(found)


def test_a_reversed_order_is_tau_minus_1(tmp_path: Path) -> None:
    found = table(tmp_path, {"a": (1.0, 4.0, 9.0), "b": (2.0, 2.0, 9.0), "c": (4.0, 1.0, 9.0)})
    assert found.tau.iloc[0] == -1.0
    assert found.order.tolist() == [OPPOSITE] * 3


def test_an_order_within_chance_is_not_told_and_tau_is_uncertain(tmp_path: Path) -> None:
    close = {"a": (1.0, 1.0, 9.0), "b": (1.0, 1.0, 9.0), "c": (1.0, 1.0, 9.0)}
    found = table(tmp_path, close, spread=0.3)
    assert found.order.tolist() == [UNTOLD] * 3
    assert found.low.iloc[0] < found.high.iloc[0]


@pytest.mark.parametrize("seed", range(3))
def test_tau_is_that_of_scipy_on_the_errors_of_the_profile(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors = {name: (*rng.uniform(1, 2, size=2).tolist(), 9.0) for name in "abcdef"}
    run = run_of(tmp_path, errors, GROUPS)
    profile = run.profile("mae")
    last = profile[(profile.horizon == 4) & (profile.arm == "synthetic")]
    expected = kendalltau(last.control, last.synthetic).statistic
    assert run.rank_consistency("mae").tau.iloc[0] == pytest.approx(expected)


def test_ties_are_those_of_tau_b(tmp_path: Path) -> None:
    from tsgap.rank_consistency import _tau

    one, other = np.array([[1.0, 1.0, 2.0, 3.0]]), np.array([[1.0, 2.0, 2.0, 4.0]])
    assert _tau(one, other)[0] == pytest.approx(kendalltau(one[0], other[0]).statistic)
    assert np.isnan(_tau(np.ones((1, 3)), other[:, :3])[0])


def test_the_interval_holds_the_tau_of_the_population(tmp_path: Path) -> None:
    # of a population of which each run holds 20 series: a and b are close, their order is often mistaken
    errors = {"a": (1.0, 1.0, 9.0), "b": (1.03, 1.03, 9.0), "c": (4.0, 4.0, 9.0)}
    found = [table(tmp_path / str(seed), errors, spread=0.1, seed=seed).iloc[0] for seed in range(20)]
    assert sum(one.tau < 1 for one in found) >= 3
    assert sum(one.low <= 1.0 <= one.high for one in found) >= 18


def test_who_learns_nothing_and_who_failed_is_left_out_and_said(tmp_path: Path) -> None:
    rows = [*battery(list("abc")), *battery(["still"], transfer="none"), *battery(["gone"])]
    errors = {**ALIKE, "still": (1.0, 1.0, 1.0), "gone": (1.0, 1.0, 9.0)}
    lost = {"gone synthetic": range(3)}
    found = table(tmp_path, errors, rows=rows, failed=lost)
    assert set(found["first"]) | set(found["second"]) == {"a", "b", "c"}
    left_out = found.left_out.iloc[0]
    assert "still: it learns nothing" in left_out
    assert "gone: some of its windows failed" in left_out
    assert any(told.startswith("left out: ") for told in sentences(found.to_dict("records")))


def test_two_forecasters_have_no_ranks(tmp_path: Path) -> None:
    found = table(tmp_path, {name: ALIKE[name] for name in "ab"})
    assert found.status.tolist() == [f"2 forecasters that learn, it takes {LEAST}"]
    assert np.isnan(found.tau.iloc[0])
    assert "no rank consistency" in text_of(found)


def test_few_series_are_drawn_by_test_period(tmp_path: Path) -> None:
    found = table(tmp_path, ALIKE, {"all": 2})
    assert found.tau.iloc[0] == 1.0
    assert found.series.iloc[0] == 2


def test_few_series_are_no_reason_to_be_sure(tmp_path: Path) -> None:
    close = {"a": (1.0, 1.0, 9.0), "b": (1.001, 1.001, 9.0), "c": (1.002, 1.002, 9.0)}
    found = table(tmp_path, close, {"all": 1}, spread=0.0).iloc[0]
    assert found.low < found.high, "test periods are drawn where there is one series"


def test_the_orders_of_all_pairs_hold_at_once(tmp_path: Path) -> None:
    run = run_of(tmp_path, ALIKE, GROUPS)
    found = run.rank_consistency("mae").iloc[0]
    ((_, (a, b, _)),) = run.evidence("mae", whole=True)
    alone = log_ratio(a.losses["control"][:, :, -1:], b.losses["control"][:, :, -1:]).estimated(a.clusters)
    assert found.real_high - found.real == pytest.approx(float(alone.half(1 - 0.025 / 3)[0]))


def test_what_carries_no_gap_ranks_nobody(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="mape"):
        run_of(tmp_path, ALIKE, GROUPS).rank_consistency("mape")


def test_windows_that_failed_everywhere_change_nothing_but_the_pairs(tmp_path: Path) -> None:
    lost = {f"{name} {arm}": range(WINDOWS) for name in "abc" for arm in ("real", "synthetic", "null")}
    found = table(tmp_path, ALIKE, failed=lost)
    assert found.order.tolist() == [SAME] * 3
    assert (found.series == 19).all()


def test_show_prints_ranks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(run_of(tmp_path, SWAPPED, GROUPS).path)
    assert cli.run(["show", folder, "--ranks", "--metric", "mae"]) == 0
    assert "d, s: MAE: tau 0.33" in capsys.readouterr().out
