"""Who counts towards a mean: the same forecasters in the gate, the gaps, the groups and what explains the gap."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.grouped import ARMS, battery, run_of
from tests.hand_made import PLAN, written
from tests.test_gate import PLACES, ended, made
from tsgap.battery import ALL, NOBODY, WORSE, Battery
from tsgap.cli import run as tsgap
from tsgap.evidence import Evidence
from tsgap.explaining import measured
from tsgap.findings import Rules
from tsgap.gate import judged
from tsgap.horizon import NO_EFFECT
from tsgap.metrics import NO_QUANTILES
from tsgap.run import Run

GROUPS = {"shop": 8, "web": 8, "wholesale": 8}
#: A bad source: `sharp` loses 50 %; `blunt` is off by more than seasonal naive (4) after either training and loses
#: nothing. The mean over both would halve the gap.
GAP = np.log(1.5)
ERRORS: dict[str, Any] = {"sharp": (1.0, 1.5, 3.0), "blunt": (6.0, 6.0, 6.5)}


def planted(folder: Path, errors: Mapping[str, Any] = ERRORS, **more: Any) -> Run:
    return run_of(folder, errors, GROUPS, spread=0.005, **more)


# -- the rule itself --------------------------------------------------------------------------------------------------


def test_who_is_proven_worse_than_seasonal_naive_does_not_count_and_by_how_much_is_said() -> None:
    found = Battery.of([made(0.3), made(0.0, naive=-0.2, forecaster="bad")])
    assert found.behind == {"bad"}
    assert found.why["linear"] == ""
    assert found.why["bad"].startswith("trained on real data it is proven worse than the seasonal-naive forecast")
    assert (found.several, found.lost) == (True, ())


def test_who_only_seems_to_be_behind_counts_and_so_does_who_cannot_be_compared() -> None:
    unsure = made(0.0, naive=0.0, seed=3)
    assert Battery.of([unsure]).why == {"linear": ""}
    assert Battery.of([made(0.0, naive=None)]).behind == frozenset()


def test_probes_and_who_learns_nothing_or_failed_do_not_count() -> None:
    probe, canary = made(memory="lag", forecaster="probe"), made(transfer="none", forecaster="canary")
    found = Battery.of([made(), probe, canary, ended("timeout"), ended(NO_EFFECT, "still")])
    assert [name for name, why in found.why.items() if not why] == ["linear"]
    assert found.why["probe"] == "a probe"
    assert (found.why["trees"], found.why["still"]) == ("timeout", NO_EFFECT)
    assert found.several
    assert found.lost == ("trees",)
    assert not Battery.of([made(), probe, canary, ended(NO_EFFECT, "still")]).several


def test_a_mean_is_whole_without_who_is_behind_naive_but_not_without_who_failed() -> None:
    behind = made(0.0, naive=-0.2, forecaster="bad")
    for others, whole in (
        ([], True),
        ([behind], True),
        ([ended(NO_EFFECT)], True),
        ([ended(NO_QUANTILES)], True),
        ([ended("crash")], False),
        ([behind, ended("crash")], False),
        ([made(0.1, forecaster="holed", uneven=1)], False),
        ([made(0.1, forecaster="holed", unanswered=1)], False),
        ([dataclasses.replace(behind, uneven=1)], True),
    ):
        evidence = [made(0.3), *others]
        mean = Battery.of(evidence).mean(evidence)
        assert mean.gap is not None
        assert (mean.whole, mean.evidence.uneven) == (whole, int(not whole))


def test_without_anyone_who_counts_there_is_no_mean() -> None:
    evidence = [made(naive=-0.2), made(naive=-0.3, forecaster="other")]
    mean = Battery.of(evidence).mean(evidence)
    assert (mean.gap, mean.assay, mean.whole) == (None, None, False)
    assert (mean.evidence.forecaster, mean.evidence.status, mean.evidence.losses) == (ALL, NOBODY, {})


def summed(one: Evidence, places: Any) -> Evidence:
    """The same losses, summed over other places."""
    of = {
        arm: np.stack(
            [sum(losses[:, :, i] for i, at in enumerate(one.places) if first <= at[0] and at[1] <= last)
             for first, last in places],
            axis=2,
        )
        for arm, losses in one.losses.items()
    }  # fmt: skip
    return dataclasses.replace(
        one, places=places, losses=of, taught=np.ones(len(places), bool), used=np.full(len(places), 9)
    )


@pytest.mark.parametrize("worse_first", [True, False])
def test_nested_horizons_do_not_count_the_first_leads_twice(worse_first: bool) -> None:
    # behind naive in the first leads and ahead of it later, or the other way round: all leads together are level or not
    one = made(0.0, noise=0.01)
    level = (-0.6, 0.4, 0.3) if worse_first else (0.2, -0.3, 0.0)
    one.losses["naive"][:] *= np.exp(np.array(level) - 0.3)
    by_bin = Battery.of([one]).behind
    nested = tuple((1, last) for _, last in PLACES)
    assert Battery.of([summed(one, nested)]).behind == by_bin == (frozenset() if worse_first else {"linear"})
    assert Battery.of([summed(one, (*PLACES, (1, PLACES[-1][1])))]).behind == by_bin


# -- one run gives one answer -----------------------------------------------------------------------------------------


def test_a_forecaster_behind_naive_dilutes_no_mean_of_a_bad_source(tmp_path: Path) -> None:
    run = planted(tmp_path)
    gate = run.gate(metric="mae").verdicts[0]
    assert [one.forecaster for one in gate.gated] == ["sharp"]
    near = pytest.approx([GAP] * 3, abs=0.02)
    assert [b.gap for b in gate.combined] == near
    gap = run.gap("mae").set_index("forecaster")
    assert gap.loc[ALL, "gap"].tolist() == near
    assert set(gap.loc[ALL, "status"]) == {"ok"}
    groups = run.subgroups("mae")
    assert groups[(groups.forecaster == ALL) & (groups.bin == "all")].gap.tolist() == near
    (one,) = measured(run.evidence("mae", whole=True))
    assert one.gap == pytest.approx(GAP, abs=0.02)
    assert (one.over, one.lost, one.why) == (("sharp",), (), "")


@pytest.mark.parametrize("errors", [ERRORS, {**ERRORS, "other": (2.0, 2.4, 4.0)}])
def test_the_combined_mean_of_the_gate_is_the_row_of_all(tmp_path: Path, errors: Any) -> None:
    run = planted(tmp_path, errors)
    bins = run.gate(metric="mae").verdicts[0].combined
    rows = run.gap("mae").set_index("forecaster").loc[ALL]
    for name in ("gap", "low", "high", "assay"):
        assert rows[name].tolist() == [getattr(b, name) for b in bins]


@pytest.mark.parametrize("by", ["bin", "lead", "horizon"])
def test_who_is_left_out_keeps_its_figures_and_says_so_in_every_table(tmp_path: Path, by: Any) -> None:
    frame = planted(tmp_path).gap("mae", by).set_index("forecaster")
    assert set(frame.loc["blunt", "status"]) == {WORSE}
    assert np.isfinite(frame.loc["blunt", ["gap", "low", "high", "assay"]].astype(float)).all(axis=None)
    assert set(frame.loc["sharp", "status"]) == {"ok"}
    assert frame.loc[ALL, "gap"].tolist() == frame.loc["sharp", "gap"].tolist()


@pytest.mark.parametrize(("first", "rest"), [(9.0, 1.0), (1.0, 9.0)])
def test_all_leads_decide_together_whatever_a_table_is_by(tmp_path: Path, first: float, rest: float) -> None:
    # nested horizons (1, 4) would weigh the first lead twice: behind naive by them, and not by bins, or the reverse
    rows = battery(["f", "g"])
    truth = np.random.default_rng(0).normal(size=(30, 4))
    noise = np.exp(0.01 * np.random.default_rng(1).normal(size=truth.shape))
    of = {"f": np.array([first, rest, rest, rest]), "g": np.full(4, 0.5)}
    cells = {told["cell"]: truth + of[told["forecaster"]] * (1 + ARMS.index(told["arm"]) / 4) * noise for told in rows}
    ids = [f"s{i}" for i in range(6) for _ in range(5)]
    naive = truth + (first + 3 * rest) / 4 * np.where(first > rest, 1.05, 0.95) * noise
    run = written(tmp_path, [*PLAN, *rows], {"naive": naive, **cells}, truth=truth, ids=ids)
    behind = first < rest
    for by in ("bin", "lead", "horizon"):
        frame = run.gap("mae", by).set_index("forecaster")  # type: ignore[arg-type]
        assert set(frame.loc["f", "status"]) == {WORSE if behind else "ok"}, by
    assert [one.gated for one in run.gate(metric="mae").verdicts[0].findings] == [not behind, True]


def test_all_windows_decide_who_counts_in_a_group(tmp_path: Path) -> None:
    # `blunt` beats naive in one group alone, `keen` is behind it in one group alone
    errors = {
        "sharp": ((1.0,) * 3, (1.5,) * 3),
        "blunt": ((2.0, 9.0, 9.0), (2.0, 9.0, 9.0)),
        "keen": ((5.0, 1.0, 1.0), (6.0, 1.2, 1.2)),
    }
    rows = battery(list(errors))
    rng = np.random.default_rng(0)
    kind = np.repeat(np.arange(3), 30)
    truth = rng.normal(size=(90, 4))
    noise = np.exp(0.01 * rng.normal(size=truth.shape))
    null = {"sharp": 3.0, "blunt": 12.0, "keen": 12.0}

    def off(told: dict[str, Any]) -> np.ndarray:
        name, arm = told["forecaster"], told["arm"]
        by_group = (null[name],) * 3 if arm == "null" else errors[name][arm == "synthetic"]
        return np.asarray(truth + np.array(by_group)[kind][:, None] * noise)

    cells = {told["cell"]: off(told) for told in rows}
    ids = [f"s{i:02d}" for i in range(18) for _ in range(5)]
    labels = {"kind": [list(GROUPS)[k] for k in kind]}
    run = written(tmp_path, [*PLAN, *rows], {"naive": truth + 4 * noise, **cells}, truth=truth, ids=ids, groups=labels)
    frame = run.subgroups("mae").query("bin == 'all'").set_index(["forecaster", "group"])
    assert set(frame.loc["blunt", "status"]) == {WORSE}
    assert set(frame.loc["keen", "status"]) == {"ok"}
    mean = (frame.loc["sharp", "gap"] + frame.loc["keen", "gap"]) / 2
    np.testing.assert_allclose(frame.loc[ALL, "gap"].astype(float), mean.astype(float))
    by_group = run.gate(metric="mae", worst_group=True).verdicts[0].groups
    assert {one.forecaster for one in by_group} == {"sharp", "keen"}


def test_where_nobody_counts_the_mean_says_so(tmp_path: Path) -> None:
    run = planted(tmp_path, {"blunt": (6.0, 6.0, 6.5), "dull": (7.0, 9.0, 9.0)})
    frame = run.gap("mae").set_index("forecaster")
    assert set(frame.loc[ALL, "status"]) == {NOBODY}
    assert frame.loc[ALL, "gap"].isna().all()
    groups = run.subgroups("mae").query("bin == 'all'").set_index("forecaster")
    assert set(groups.loc[ALL, "status"]) == {NOBODY}
    (one,) = measured(run.evidence("mae", whole=True))
    assert (np.isnan(one.gap), one.why) == (True, NOBODY)
    assert run.gate(metric="mae").verdicts[0].combined == ()


def test_a_single_forecaster_behind_naive_has_figures_and_no_mean_over_data_sets(tmp_path: Path) -> None:
    frame = planted(tmp_path, {"blunt": (6.0, 6.0, 6.5)}).gap("mae")
    assert set(frame.forecaster) == {"blunt"}
    assert set(frame.status) == {WORSE}


def test_one_that_counts_beside_one_that_failed_is_a_partial_mean_everywhere(tmp_path: Path) -> None:
    rows = battery(["f", "g"])
    run = planted(tmp_path, {"f": (1.0, 1.2, 2.0), "g": (1.0, 1.2, 2.0)}, rows=rows, failed={"g synthetic": range(100)})
    for frame in (run.gap("mae"), run.subgroups("mae")):
        assert set(frame[frame.forecaster == ALL].status) == {"partial"}
    assert set(run.gap("mae", forecaster="g").status) == {"too many failed"}
    (one,) = measured(run.evidence("mae", whole=True))
    assert (one.over, one.lost) == (("f",), ("g",))


def test_show_prints_who_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(planted(tmp_path).path)
    assert tsgap(["show", path, "--gap", "--metric", "mae"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("blunt")]
    assert [line.endswith(WORSE) for line in lines] == [True] * 3
    assert tsgap(["show", path, "--subgroups", "--metric", "mae"]) == 0
    assert "kind: worst is" in capsys.readouterr().out, "the sentence is about the mean"
    nobody = planted(tmp_path / "nobody", {"blunt": (6.0, 6.0, 6.5), "dull": (7.0, 9.0, 9.0)})
    assert tsgap(["show", str(nobody.path), "--subgroups", "--metric", "mae"]) == 3
    assert "kind: worst of blunt, which counts towards no mean, is" in capsys.readouterr().out


def test_the_level_of_the_rules_is_that_of_the_proof() -> None:
    # 20 series: behind naive by so much that 60 % are sure of it, and 95 % are not
    one = made(0.0, naive=-0.002, seed=1)
    sure = [judged([one], Rules(level=level)).findings[0].gated for level in (0.6, 0.9999)]
    assert sure == [False, True]
