"""The gap by group: a fault of one group is found there and nowhere else, and small groups claim nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.grouped import WINDOWS, battery, run_of
from tests.hand_made import CELLS, COMPARED, PLAN, row, written
from tsgap import cli
from tsgap.cli.subgroups import sentence, text_of
from tsgap.errors import UnknownNameError, UsageError
from tsgap.grouping import Grouping
from tsgap.subgroups import COLUMNS, MOST

GROUPS = {"shop": 8, "web": 8, "wholesale": 8}


def table(folder: Path, errors: Any, groups: dict[str, int] | None = None, **more: Any) -> pd.DataFrame:
    return run_of(folder, errors, groups or GROUPS, **more).subgroups("mae")


def whole(frame: pd.DataFrame, forecaster: str = "f") -> pd.DataFrame:
    """The rows of all leads, by group."""
    return frame[(frame.bin == "all") & (frame.forecaster == forecaster)].set_index("group")


def test_a_source_that_is_bad_for_one_group_is_found_there(tmp_path: Path) -> None:
    bad = {"shop": 1.0, "web": 1.4, "wholesale": 1.0}
    found = whole(table(tmp_path, {"f": (1.0, bad, 2.0)}))
    assert found.worst.to_dict() == {"shop": False, "web": True, "wholesale": False}
    assert found.loc["web", "low_joint"] < np.log(1.4) < found.loc["web", "high_joint"]
    assert found.loc["web", "low_joint"] > 0.2
    assert (found.loc[["shop", "wholesale"], "gap"].abs() < 0.1).all()
    assert (found.p < 1e-4).all()
    assert found.status.tolist() == ["ok"] * 3
    assert found.series.tolist() == [8] * 3
    assert found.windows.tolist() == [8 * WINDOWS] * 3
    assert found.share_real.tolist() == pytest.approx([1 / 3] * 3)
    assert found.share_synthetic.isna().all()


def test_joint_ends_are_those_of_bonferroni(tmp_path: Path) -> None:
    found = whole(table(tmp_path, {"f": (1.0, 1.1, 2.0)}))
    from scipy.stats import t

    for row_of in found.itertuples():
        # the half-width at 97.5 % and at 1 - .025/3 of one t distribution: the degrees of freedom follow from the ratio
        ratio = (row_of.high_joint - row_of.gap) / (row_of.high - row_of.gap)
        lowest, highest = (t.ppf(1 - 0.025 / 3, df) / t.ppf(0.975, df) for df in (1e6, 1))
        assert lowest < ratio < highest


def test_the_gap_of_a_group_is_that_of_a_run_of_the_group_alone(tmp_path: Path) -> None:
    run = run_of(tmp_path / "all", {"f": (1.0, 1.1, 2.0)}, GROUPS)
    of_group = run.subgroups("mae")
    among = run.groupings("d", "s")[0].among("web")
    ((_, (alone,)),) = run.evidence("mae", among=among)
    ((_, (every,)),) = run.evidence("mae")
    assert of_group[(of_group.group == "web") & (of_group.bin != "all")].gap.tolist() == alone.gap.value.tolist()
    for arm in every.losses:
        assert np.array_equal(every.losses[arm][:, among], alone.losses[arm])
    assert alone.counts.series == 8
    assert alone.used.tolist() == [int(n) // 3 for n in every.used]


def test_equal_groups_have_a_worst_one_but_are_seldom_said_to_differ(tmp_path: Path) -> None:
    found = [whole(table(tmp_path / str(i), {"f": (1.0, 1.1, 2.0)}, seed=i)) for i in range(20)]
    assert all(one.worst.sum() == 1 for one in found)
    assert sum(one.p.iloc[0] < 0.05 for one in found) <= 3


def test_a_group_of_fewer_than_five_series_is_insufficient_and_claims_nothing(tmp_path: Path) -> None:
    bad = {"shop": 1.0, "web": 1.0, "small": 3.0}
    found = whole(table(tmp_path, {"f": (1.0, bad, 2.0)}, {"shop": 8, "web": 8, "small": 4}))
    assert found.loc["small", "status"] == "insufficient"
    assert found.loc["small", "gap"] == pytest.approx(np.log(3), abs=0.1)
    assert np.isnan(found.loc["small", "low_joint"])
    assert not found.loc["small", "worst"]
    assert (found.p > 0.01).all(), "the small group has no part in the test"
    two = whole(table(tmp_path / "two", {"f": (1.0, 1.1, 2.0)}, {"shop": 8, "small": 4}))
    assert not two.worst.any()
    assert two.p.isna().all()


def test_several_forecasters_have_their_mean_and_what_learns_nothing_claims_nothing(tmp_path: Path) -> None:
    rows = [*battery(["f", "g"]), *battery(["still"], transfer="none")]
    bad = {"shop": 1.0, "web": 1.4, "wholesale": 1.0}
    frame = table(tmp_path, {"f": (1.0, bad, 2.0), "g": (1.0, 1.0, 2.0), "still": (1.0, 1.0, 1.0)}, rows=rows)
    assert list(dict.fromkeys(frame.forecaster)) == ["f", "g", "still", "all"]
    mean = whole(frame, "all")
    assert mean.gap.tolist() == pytest.approx(((whole(frame).gap + whole(frame, "g").gap) / 2).tolist())
    still = whole(frame, "still")
    assert still.status.tolist() == ["not applicable"] * 3
    assert not still.worst.any()
    assert "worst is 'web'" in text_of(frame)


def test_windows_that_failed_in_one_group_are_told_there_alone(tmp_path: Path) -> None:
    lost = {"f synthetic": range(3)}  # windows of the first shop
    found = whole(table(tmp_path, {"f": (1.0, 1.0, 2.0)}, failed=lost))
    assert found.status.to_dict() == {"shop": "partial", "web": "ok", "wholesale": "ok"}


def test_a_group_of_which_most_windows_failed_has_no_figure(tmp_path: Path) -> None:
    lost = {"f synthetic": range(7 * WINDOWS)}
    found = whole(table(tmp_path, {"f": (1.0, 1.0, 2.0)}, failed=lost))
    assert found.status.to_dict() == {"shop": "too many failed", "web": "ok", "wholesale": "ok"}
    assert np.isnan(found.loc["shop", "gap"])
    assert not found.loc["shop", "worst"]
    assert sentence(found.reset_index()).endswith("; nothing is claimed of 'shop'")


def test_a_group_that_only_the_synthetic_arm_errs_in_is_the_worst_and_how_far_it_differs_is_not_known(
    tmp_path: Path,
) -> None:
    rows = battery(["f"])
    rng = np.random.default_rng(0)
    truth, kind = rng.normal(size=(60, 4)), np.repeat(["shop", "web"], 30)
    noise = np.exp(0.01 * rng.normal(size=truth.shape))
    perfect = np.where((kind == "web")[:, None], 0.0, noise)
    cells = {"naive": truth + 4, "f real": truth + perfect, "f synthetic": truth + noise, "f null": truth + 2 * noise}
    ids = [f"s{i:02d}" for i in range(12) for _ in range(5)]
    run = written(tmp_path, [*PLAN, *rows], cells, truth=truth, ids=ids, groups={"kind": kind.tolist()})
    found = whole(run.subgroups("mae"))
    assert found.gap.tolist() == [0.0, np.inf]
    assert found.worst.tolist() == [False, True]
    assert found.p.isna().all()
    assert "worst of f is 'web' with >+999 %" in sentence(found.reset_index())


def test_windows_without_a_group_are_said_to_be_in_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(tmp_path, {"f": (1.0, 1.0, 2.0)}, GROUPS)
    none = Grouping("kind", "windows", (), np.full(24 * WINDOWS, "", dtype=object))
    monkeypatch.setattr(run, "groupings", lambda data, source: [none])
    assert run.subgroups("mae").status.tolist() == ["no window is in a group"]


def test_a_mean_claims_no_more_series_than_each_of_its_forecasters_has(tmp_path: Path) -> None:
    # of one of both nothing is left of four of the shop's eight series: 4 are too few to claim anything
    lost = {f"g {arm}": range(4 * WINDOWS) for arm in ("real", "synthetic", "null")}
    frame = table(tmp_path, {"f": (1.0, 1.1, 2.0), "g": (1.0, 1.1, 2.0)}, failed=lost)
    assert whole(frame, "f").loc["shop", "series"] == 8
    assert whole(frame, "g").loc["shop", ["series", "status"]].tolist() == [4, "insufficient"]
    assert whole(frame, "all").loc["shop", ["series", "status"]].tolist() == [4, "insufficient"]
    assert np.isnan(whole(frame, "all").loc["shop", "low_joint"])


def test_groupings_can_be_picked_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"f": (1.0, 1.0, 2.0)}, GROUPS)
    assert set(run.subgroups("mae", "kind").grouping) == {"kind"}
    with pytest.raises(UnknownNameError, match=r"no grouping is called 'size'.*kind"):
        run.subgroups("mae", "size")
    with pytest.raises(UsageError, match="mape"):
        run.subgroups("mape")


def test_a_run_without_groups_says_how_to_get_some(tmp_path: Path) -> None:
    run = written(tmp_path, COMPARED, CELLS)
    with pytest.raises(UsageError, match=r"no groups in it.*--diagnose"):
        run.subgroups("mae")


def test_one_group_and_too_many_groups_are_no_groups(tmp_path: Path) -> None:
    one = table(tmp_path / "one", {"f": (1.0, 1.0, 2.0)}, {"all of them": 6})
    assert one.status.tolist() == ["all windows are in one group"]
    many = table(tmp_path / "many", {"f": (1.0, 1.0, 2.0)}, {f"g{i}": 1 for i in range(MOST + 1)})
    assert many.status.tolist() == [f"{MOST + 1} groups are more than {MOST}"]
    assert sentence(many) == f"kind: no groups: {MOST + 1} groups are more than {MOST}"


def test_a_run_of_no_source_has_an_empty_table_or_says_why(tmp_path: Path) -> None:
    run = written(tmp_path, [row("real", "real", source="", transfer="none")], {"real": CELLS["real"]})
    with pytest.raises(UsageError, match="no groups"):
        run.subgroups("mae")


def test_the_sentence_names_the_worst_group_and_whether_groups_differ(tmp_path: Path) -> None:
    bad = {"shop": 1.0, "web": 1.4, "wholesale": 1.0}
    frame = table(tmp_path, {"f": (1.0, bad, 2.0)})
    said = sentence(frame[frame.bin == "all"])
    assert said.startswith("kind: worst of f is 'web' with +")
    assert said.endswith("groups differ (p < .001)")
    few = table(tmp_path / "few", {"f": (1.0, bad, 2.0)}, {"shop": 3, "web": 3, "wholesale": 8})
    assert "nothing is claimed" in sentence(few[few.bin == "all"])


def test_show_prints_groups_for_eyes_and_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(run_of(tmp_path, {"f": (1.0, 1.1, 2.0)}, GROUPS).path)
    assert cli.run(["show", folder, "--subgroups", "--metric", "mae"]) == 0
    printed = capsys.readouterr().out
    assert "d, s: MAE by group" in printed
    assert "wholesale" in printed
    assert cli.run(["show", folder, "--subgroups", "--metric", "mae", "--format", "csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == ",".join(COLUMNS)


def test_groupings_are_those_of_a_source_that_is_there(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"f": (1.0, 1.1, 2.0)}, GROUPS)
    assert [one.name for one in run.groupings("d", "s")] == ["kind"]
    with pytest.raises(UnknownNameError, match="no source is called 'gan'"):
        run.groupings("d", "gan")
