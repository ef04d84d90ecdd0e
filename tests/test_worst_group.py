"""The gate by group: one bad group fails, a small one forbids a pass, and without the option nothing changes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.grouped import WINDOWS, battery, run_of
from tests.hand_made import CELLS, COMPARED, written
from tests.test_gate import made
from tsgap.cli import run as tsgap
from tsgap.errors import UnknownNameError, UsageError
from tsgap.findings import FAIL, INCONCLUSIVE, INSUFFICIENT_DATA, PASS, OfGroup, Rules
from tsgap.gate import judged
from tsgap.grouping import COVERAGE, Grouping
from tsgap.run import Run
from tsgap.verdicts import Gate, _by_group
from tsgap.worst_group import judged_by_group

GROUPS = {"shop": 8, "web": 8, "wholesale": 8}
#: Errors of a source that is as good as real training everywhere, and of one that is bad for one group.
GOOD: dict[str, Any] = {"f": (1.0, 1.0, 2.0)}
BAD: dict[str, Any] = {"f": (1.0, {"shop": 1.0, "web": 1.32, "wholesale": 1.0}, 2.0)}


def gated(folder: Path, errors: Any = GOOD, groups: Any = None, worst_group: Any = True, **more: Any) -> Gate:
    asked = {name: more.pop(name) for name in ("margin",) if name in more}
    run = run_of(folder, errors, groups or GROUPS, spread=0.005, **more)
    return run.gate(asked.get("margin", 0.05), metric="mae", worst_group=worst_group)


def outcomes(gate: Gate) -> dict[str, str]:
    return {one.group: one.outcome for one in gate.verdicts[0].groups}


def test_what_is_safe_in_every_group_passes(tmp_path: Path) -> None:
    found = gated(tmp_path)
    assert found.verdict == PASS
    assert outcomes(found) == dict.fromkeys(GROUPS, "safe")
    assert "so it is in each of 3 groups over all leads" in found.sentences[0]


def test_one_broken_group_fails_where_all_together_do_not(tmp_path: Path) -> None:
    # a fault of one group in three is diluted: over all windows it lies within this margin
    found = gated(tmp_path, BAD, margin=0.2)
    assert found.verdict == FAIL
    assert outcomes(found) == {"shop": "safe", "web": "broken", "wholesale": "safe"}
    assert "in the group 'web' of kind" in found.sentences[0]
    assert found.exit_code() == 1
    without = run_of(tmp_path / "again", BAD, GROUPS, spread=0.005).gate(0.2, metric="mae")
    assert without.verdict == PASS


def test_a_broken_group_has_to_be_broken_for_all_groups_and_forecasters_at_once(tmp_path: Path) -> None:
    verdict = gated(tmp_path, {"f": BAD["f"], "g": BAD["f"]}, margin=0.2).verdicts[0]
    alone = gated(tmp_path / "one", BAD, margin=0.2).verdicts[0]
    for one in (*verdict.groups, *alone.groups):
        assert one.proven < one.lower < one.gap < one.upper
    # twelve comparisons ask more of each than three do
    ratio = [
        (one.gap - one.proven) / (one.gap - one.lower)
        for v in (verdict, alone)
        for one in v.groups
        if (one.group, one.forecaster) == ("web", "f")
    ]
    assert ratio[0] > ratio[1]


def test_an_undecided_group_forbids_a_pass_and_says_which(tmp_path: Path) -> None:
    errors = {"f": (1.0, {"shop": 1.0, "web": 1.1, "wholesale": 1.0}, 2.0)}
    run = run_of(tmp_path, errors, GROUPS, spread=0.12)
    found = run.gate(0.15, metric="mae", worst_group=True)
    assert run.gate(0.15, metric="mae").verdict == PASS
    assert found.verdict == INCONCLUSIVE
    assert "kind 'web': the gap of f cannot be told from the margin" in found.verdicts[0].caps
    assert found.exit_code() == 3
    assert found.exit_code("warn") == 0, "more series of the group would decide"


def test_a_group_that_is_too_small_forbids_a_pass_however_good_it_is(tmp_path: Path) -> None:
    found = gated(tmp_path, groups={"shop": 8, "web": 8, "small": 4})
    assert found.verdict == INCONCLUSIVE
    assert outcomes(found)["small"] == "insufficient"
    assert any("kind 'small' has 4 series" in cap for cap in found.verdicts[0].caps)
    assert "would pass on d, but there can be no PASS" in found.sentences[0]
    bad = {"f": (1.0, {"shop": 1.0, "web": 1.0, "small": 9.0}, 20.0)}
    run = run_of(tmp_path / "bad", bad, {"shop": 20, "web": 20, "small": 4}, spread=0.005)
    assert run.gate(0.95, metric="mae", worst_group=True).verdict != FAIL, "4 series prove nothing of a group"


def test_windows_that_failed_in_one_group_forbid_a_pass_for_good(tmp_path: Path) -> None:
    found = gated(tmp_path, failed={"f synthetic": range(7 * WINDOWS)})
    assert found.verdict == INCONCLUSIVE
    assert outcomes(found)["shop"] == "no figure"
    assert any(told.startswith("kind 'shop': f: too many failed") for told in found.verdicts[0].damage)
    assert found.exit_code("warn") == 3


def test_nothing_changes_without_the_option(tmp_path: Path) -> None:
    run = run_of(tmp_path, BAD, GROUPS, spread=0.005)
    plain, by_group = run.gate(0.2, metric="mae"), run.gate(0.2, metric="mae", worst_group=True)
    assert "groups" not in json.loads(plain.to_json())["verdicts"][0]
    for text in (plain.to_text(), plain.to_markdown(), plain.to_junit(), plain.to_json()):
        assert "wholesale" not in text
    for text in (by_group.to_text(), by_group.to_markdown()):
        assert "groups of kind, over all leads, by forecaster: 2 safe, 1 broken" in text
    groups = json.loads(by_group.to_json())["verdicts"][0]["groups"]
    assert [one["outcome"] for one in groups] == ["safe", "broken", "safe"]
    cases = {case.get("name"): case for case in ElementTree.fromstring(by_group.to_junit()).iter("testcase")}
    assert cases["kind 'web', f"].find("failure") is not None
    assert list(cases["kind 'shop', f"]) == []


def test_forecasters_that_are_not_gated_have_no_part_in_it(tmp_path: Path) -> None:
    rows = [*battery(["f"]), *battery(["probe"], memory="lag")]
    errors = {"f": (1.0, 1.0, 2.0), "probe": (1.0, 3.0, 5.0)}
    assert gated(tmp_path, errors, rows=rows).verdict == PASS


def test_too_little_data_stays_too_little(tmp_path: Path) -> None:
    found = gated(tmp_path, {"f": (1.0, 3.0, 20.0)}, {"a": 2, "b": 2})
    assert found.verdict == INSUFFICIENT_DATA


def test_few_series_prove_nothing_of_a_group_in_however_many_test_periods() -> None:
    few, many = made(2.0, series=4, blocks=30), made(0.0, series=20, blocks=30)
    before = judged([many], Rules())
    found = judged_by_group(before, {"kind": {"few": [few], "many": [many]}})
    assert {one.group: one.outcome for one in found.groups} == {"few": "insufficient", "many": "safe"}
    assert (before.verdict, found.verdict) == (PASS, INCONCLUSIVE)


def test_a_broken_group_does_not_outvote_insufficient_data() -> None:
    before = replace(judged([made(0.0)], Rules()), verdict=INSUFFICIENT_DATA)
    groups = {"kind": {"broken": [made(2.0)], "fine": [made(0.0)]}}
    assert judged_by_group(before, groups).verdict == INSUFFICIENT_DATA
    assert judged_by_group(replace(before, verdict=INCONCLUSIVE), groups).verdict == FAIL


def test_overlapping_windows_need_more_series_in_a_group_too(tmp_path: Path) -> None:
    run = run_of(tmp_path, GOOD, GROUPS, spread=0.005)
    run.manifest["data"]["d"]["step"] = 2
    found = run.gate(metric="mae", worst_group=True)
    assert outcomes(found) == dict.fromkeys(GROUPS, "insufficient")
    assert found.verdict == INCONCLUSIVE


def test_no_groups_at_all_are_refused_and_what_is_not_measurable_forbids_a_pass(tmp_path: Path) -> None:
    bare = written(tmp_path / "bare", COMPARED, CELLS)
    with pytest.raises(UsageError, match="has no groups"):
        bare.gate(metric="mae", worst_group=True)
    run = run_of(tmp_path / "run", GOOD, GROUPS, spread=0.005)
    with pytest.raises(UnknownNameError, match="no grouping is called 'volume'"):
        run.gate(metric="mae", worst_group="volume")
    ((_, evidence),) = run.evidence("mae")
    before = judged(evidence, run.gate(metric="mae").verdicts[0].rules)
    assert before.verdict == PASS
    assert judged_by_group(before, {"coverage": "only 3 contexts"}).verdict == INCONCLUSIVE
    assert judged_by_group(before, {}).verdict == INCONCLUSIVE


def test_the_command_takes_a_grouping_or_all_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run: Run = run_of(tmp_path, BAD, GROUPS, spread=0.005)
    asked = ["gate", str(run.path), "--metric", "mae", "--margin", "0.2"]
    assert tsgap(asked) == 0
    assert tsgap([*asked, "--worst-group"]) == 1
    assert tsgap([*asked, "--worst-group", "kind"]) == 1
    assert "in the group 'web' of kind" in capsys.readouterr().out
    assert tsgap([*asked, "--worst-group", "volume"]) == 2


def test_without_a_name_what_the_source_covers_is_no_grouping_of_the_gate() -> None:
    label = np.array(["a", "b"], dtype=object)
    there = [Grouping("region", "series", ("a", "b"), label), Grouping(COVERAGE, "windows", ("a", "b"), label)]
    run = SimpleNamespace(path="runs/x", groupings=lambda data, source: there, evidence=lambda **_: iter(()))
    assert list(_by_group(run, "d", "s", True)) == ["region"]  # type: ignore[arg-type]
    assert list(_by_group(run, "d", "s", [COVERAGE])) == [COVERAGE]  # type: ignore[arg-type]


def test_a_group_without_a_figure_says_why_and_never_shows_a_number_that_is_none(tmp_path: Path) -> None:
    errors = {"f": GOOD["f"], "g": GOOD["f"]}
    found = gated(tmp_path, errors, failed={"g synthetic": range(5 * WINDOWS)})
    assert {(one.group, one.forecaster): (one.outcome, one.why) for one in found.verdicts[0].groups} == {
        **{(group, "f"): ("safe", "") for group in GROUPS},
        **{(group, "g"): ("safe", "") for group in ("web", "wholesale")},
        ("shop", "g"): ("no figure", "too many failed"),
    }
    cases = {case.get("name"): case for case in ElementTree.fromstring(found.to_junit()).iter("testcase")}
    skipped = cases["kind 'shop', g"].find("skipped")
    assert skipped is not None
    assert (skipped.get("message"), skipped.get("type")) == ("no figure: too many failed", "no figure")
    nothing = tuple(OfGroup("kind", name, "f", 8, 6, why="no pairs") for name in "ab")
    bare = replace(found, verdicts=(replace(found.verdicts[0], groups=nothing),))
    for text in (found.to_text(), found.to_markdown(), found.to_junit(), bare.to_text(), bare.to_markdown()):
        assert not any(word in text for word in (" nan", "unknown", "(- %)"))
    assert "groups of kind, over all leads, by forecaster: 2 no figure\n" in bare.to_text()
    assert json.loads(found.to_json())["verdicts"][0]["groups"][1]["why"] == "too many failed"
    assert json.loads(found.to_json())["verdicts"][0]["groups"][1]["gap"] is None


def test_a_bin_without_a_figure_is_skipped_with_a_word_and_not_with_unknown_numbers() -> None:
    untaught = made(0.0, taught=np.array([True, True, False]))
    gate = Gate((judged([untaught], Rules()),))
    cases = {case.get("name"): case for case in ElementTree.fromstring(gate.to_junit()).iter("testcase")}
    skipped = cases["linear, leads 5 to 12"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "not taught: no figure"


# -- what is missing never makes a verdict better ---------------------------------------------------------------------


def test_a_gated_forecaster_that_a_group_lacks_forbids_a_pass_for_good() -> None:
    both = [made(0.0), made(0.0, forecaster="trees")]
    before = judged(both, Rules())
    assert before.verdict == PASS
    found = judged_by_group(before, {"kind": {"a": both, "b": both[:1]}})
    assert found.verdict == INCONCLUSIVE
    assert found.damage == ("kind 'b': trees: missing",)
    assert [(one.group, one.forecaster, one.why) for one in found.groups if one.outcome != "safe"] == [
        ("b", "trees", "missing")
    ]


@pytest.mark.parametrize(
    ("fault", "why", "told"),
    [
        ({"taught": np.array([True, True, False])}, "not taught", "NOT TAUGHT: no figure over all leads"),
        ({"status": "no windows", "losses": {}}, "no windows", "no windows"),
        ({"uneven": 2}, "", "2 windows have a forecast in one arm and none in another"),
    ],
)
def test_what_a_group_lacks_is_damage_and_said(fault: dict[str, Any], why: str, told: str) -> None:
    before = judged([made(0.0)], Rules())
    found = judged_by_group(before, {"kind": {"a": [made(0.0)], "b": [made(0.0, **fault)]}})
    assert found.verdict == INCONCLUSIVE
    assert found.damage == (f"kind 'b': linear: {told}",)
    assert [one.why for one in found.groups] == ["", why]


def test_a_gap_that_is_not_a_number_and_uneven_windows_are_both_told() -> None:
    nothing = made(0.0, uneven=3)
    nothing.losses["synthetic"][:, :, -1] = np.nan
    found = judged_by_group(judged([made(0.0)], Rules()), {"kind": {"a": [nothing]}})
    assert (found.verdict, found.equivalent) == (INCONCLUSIVE, False)
    assert [told.partition("linear: ")[2] for told in found.damage] == [
        "3 windows have a forecast in one arm and none in another",
        "no figure over all leads",
    ]


def test_an_infinite_gap_of_a_group_is_not_safe() -> None:
    perfect = made(0.0)
    perfect.losses["control"][:] = 0.0
    found = judged_by_group(judged([made(0.0)], Rules()), {"kind": {"a": [made(0.0)], "b": [perfect]}})
    assert [one.outcome for one in found.groups] == ["safe", "undecided"]
    assert found.verdict == INCONCLUSIVE


def test_a_grouping_without_a_single_group_forbids_a_pass_beside_one_that_is_safe() -> None:
    found = judged_by_group(judged([made(0.0)], Rules()), {"kind": {"a": [made(0.0)]}, "size": {}})
    assert found.verdict == INCONCLUSIVE
    assert found.caps == ("size: no groups: no window is in a group",)


def test_windows_of_a_group_that_are_there_in_one_arm_alone_forbid_a_pass(tmp_path: Path) -> None:
    # few enough for a figure, and all of them the synthetic arm's
    found = gated(tmp_path, failed={"f synthetic": range(2)})
    assert found.verdict == INCONCLUSIVE
    assert outcomes(found) == dict.fromkeys(GROUPS, "safe")
    told = "2 windows have a forecast in one arm and none in another"
    assert found.verdicts[0].damage == (f"f: {told}", f"kind 'shop': f: {told}")


def test_a_grouping_that_one_of_two_data_sets_lacks_is_refused_and_the_data_set_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path, GOOD, GROUPS, spread=0.005)
    (kind,) = run.groupings("d", "s")
    ((_, evidence),) = run.evidence("mae")
    monkeypatch.setattr(Run, "evidence", lambda self, *_, **__: iter([(("d", "s"), evidence), (("e", "s"), evidence)]))
    monkeypatch.setattr(Run, "checked", lambda self, data: None)
    monkeypatch.setattr(Run, "groupings", lambda self, data, source: [kind] if data == "d" else [])
    with pytest.raises(UsageError, match="e has no groups"):
        run.gate(metric="mae", worst_group=True)
    other = replace(kind, name="size")
    monkeypatch.setattr(Run, "groupings", lambda self, data, source: [kind if data == "d" else other])
    with pytest.raises(UnknownNameError, match=r"no grouping is called 'kind'.*of e"):
        run.gate(metric="mae", worst_group="kind")


def test_asking_for_no_grouping_at_all_is_refused(tmp_path: Path) -> None:
    run = run_of(tmp_path, GOOD, GROUPS, spread=0.005)
    for nothing in ((), []):
        with pytest.raises(UsageError, match="worst_group is empty"):
            run.gate(metric="mae", worst_group=nothing)
    assert run.gate(metric="mae", worst_group=False).verdict == PASS
    label = np.array(["covered", "not covered"], dtype=object)
    there = [Grouping(COVERAGE, "windows", ("covered", "not covered"), label)]
    bare = SimpleNamespace(path="runs/x", groupings=lambda data, source: there)
    with pytest.raises(UsageError, match="no groups but those of coverage"):
        _by_group(bare, "d", "s", True)  # type: ignore[arg-type]
