"""`tsgap gate`: exit codes, formats, and that nothing but a PASS passes by accident."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.hand_made import PLAN, row, written
from tests.verdicts_made_up import a_bin, a_finding, a_verdict, broken, nothing, undecided
from tsgap.cli import run as tsgap
from tsgap.errors import UnknownNameError, UsageError
from tsgap.findings import FAIL, INCONCLUSIVE, INSUFFICIENT_DATA, NO_SIGNAL, PASS, Verdict
from tsgap.halves import ORACLE
from tsgap.run import Run
from tsgap.verdicts import Gate

SERIES, WINDOWS, LEADS = 12, 6, 8
IDS = [f"s{i:02d}" for i in range(SERIES) for _ in range(WINDOWS)]
RNG = np.random.default_rng(1)
TRUTH = RNG.normal(10.0, 1.0, (SERIES * WINDOWS, LEADS))
#: Errors of the control of each forecaster.
NOISE = {name: RNG.normal(0.0, 1.0, TRUTH.shape) for name in ("f", "g")}


def judged(folder: Path, factor: float = 1.0, *, null: float | None = 2.0, end: Any = None, **more: Any) -> Run:
    """A run whose synthetic arm's errors are `factor` times the control's, and the shuffled arm's `null` times."""
    rows, cells = [*PLAN], {"naive": TRUTH + 3.0}
    for name, noise in NOISE.items():
        arms = {"real": 1.0, "synthetic": factor, **({} if null is None else {"null": null})}
        rows += [
            row(arm, f"{name}-{arm}", forecaster=name, memory="nonlinear" if name == "g" else "linear") for arm in arms
        ]
        cells |= {f"{name}-{arm}": TRUTH + times * noise for arm, times in arms.items()}
    if isinstance(end, str) and end == "missing":
        del cells["f-synthetic"]
    elif end is not None:
        cells["f-synthetic"] = end
    return written(folder, rows, cells, truth=TRUTH, ids=IDS, horizons=(1, LEADS), **more)


def code_of(run: Run, *args: str) -> int:
    return tsgap(["gate", str(run.path), *args])


def test_the_exit_code_is_the_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(judged(tmp_path / "pass", 1.01)) == 0
    assert capsys.readouterr().out.startswith("PASS (unchecked): trained on 's' instead of real d series")
    assert code_of(judged(tmp_path / "fail", 1.5)) == 1
    assert capsys.readouterr().out.startswith("FAIL: trained on 's'")
    assert code_of(judged(tmp_path / "skill", 1.04, null=1.06)) == 3
    assert capsys.readouterr().out.startswith("INCONCLUSIVE: trained on 's'")
    assert code_of(judged(tmp_path / "silent", 1.0, null=1.0)) == 3
    assert capsys.readouterr().out.startswith("NO_SIGNAL: at lead 1 of d ")


def test_margin_and_retained_share_are_those_of_the_flags(tmp_path: Path) -> None:
    run = judged(tmp_path, 1.3)
    assert code_of(run) == 1
    assert code_of(run, "--margin", "0.5") == 0
    assert code_of(run, "--margin", "0.5", "--retain", "0.9") == 3
    assert code_of(run, "--metric", "rmse", "--margin", "0.5") == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--margin", "0"], "the margin is a fraction above 0"),
        (["--margin", "nan"], "the margin is a fraction above 0"),
        (["--margin", "five"], "'five' is not a valid float"),
        (["--retain", "1"], "the share of skill to retain"),
        (["--metric", "mape"], "metric 'mape' cannot be gated"),
        (["--metric", "mese"], "did you mean"),
        (["--source", "t"], "no source is called 't'"),
        (["-f", "h"], "no forecaster is called 'h'"),
        (["--data", "e"], "no data set is called 'e'"),
        (["--horizons", "0"], "the shortest horizon is 1 step"),
        (["--horizons", "9"], "horizon 9 was not forecast; the longest horizon of this run is 8"),
        (["--horizons", "1m"], "horizon 12 was not forecast"),
        (["--horizons", "soon"], "'soon' is neither a whole number of steps nor"),
        (["--horizons", ""], "no horizon given"),
        (["--inconclusive", "pass"], "'pass' is not one of"),
        (["--gate-on", "gap"], "'gap' is not one of"),
        (["--format", "xml"], "'xml' is not one of"),
        (["-f", "seasonal-naive"], "no verdict"),
    ],
)
def test_a_users_mistake_is_never_a_pass(
    tmp_path: Path, args: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = judged(tmp_path)
    assert code_of(run, *args, "--inconclusive", "warn" if args[0] != "--inconclusive" else "pass") == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.out == ""


def test_what_is_no_run_is_an_input_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tsgap(["gate", str(tmp_path / "nowhere")]) == 74
    assert tsgap(["gate", str(tmp_path)]) == 74
    run = judged(tmp_path / "run")
    assert code_of(run, "--baseline", str(tmp_path / "nowhere")) == 74
    assert code_of(run, "-o", str(tmp_path / "no" / "folder")) == 74
    (run.path / "manifest.json").write_text("{")
    assert code_of(run) == 74
    assert capsys.readouterr().out == ""


def test_a_reader_that_has_had_enough_changes_no_verdict(tmp_path: Path) -> None:
    code = "import sys; from tsgap.cli import run; sys.exit(run(['gate', sys.argv[1]]))"
    shells = []
    for factor in (1.01, 1.5):
        command = [sys.executable, "-c", code, judged(tmp_path / str(factor), factor).path]
        shell = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert shell.stdout is not None
        shell.stdout.close()
        shells.append(shell)
    assert [(shell.communicate()[1], shell.returncode) for shell in shells] == [(b"", 0), (b"", 1)]


def test_doubt_may_be_a_warning_and_damage_never(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    warn = ("--inconclusive", "warn")
    doubt = judged(tmp_path / "doubt", 1.04, null=1.06)
    assert (code_of(doubt), capsys.readouterr().err) == (3, "")
    assert code_of(doubt, *warn) == 0
    assert "this is no PASS; it exits with 0 because of --inconclusive warn" in capsys.readouterr().err
    fast = judged(tmp_path / "fast", 1.0, null=None)
    assert (code_of(fast), code_of(fast, *warn)) == (3, 0)
    assert "without the shuffled arm nobody knows what it could have lost" in capsys.readouterr().out
    assert code_of(judged(tmp_path / "fail", 1.5), *warn) == 1
    holed = TRUTH + NOISE["f"], {0: "no"}
    short = TRUTH[:, :4] + NOISE["f"][:, :4]
    for name, end in (("crash", "crash"), ("missing", "missing"), ("holed", holed), ("short", short)):
        run = judged(tmp_path / name, 1.0, end=end)
        assert (code_of(run), code_of(run, *warn)) == (3, 3), name


def test_a_leak_and_a_failed_self_check_are_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = judged(tmp_path)
    assert (code_of(run), run.gate().verdicts[0].label) == (0, "PASS (unchecked)")
    monkeypatch.setattr(Run, "checked", lambda self, data: True)
    assert (code_of(run), run.gate().verdicts[0].label) == (0, "PASS")
    with monkeypatch.context() as patch:
        patch.setattr(Run, "leaks", lambda self, data, source: ["LEAK: 3 windows of the test"])
        assert (code_of(run), code_of(run, "--inconclusive", "warn")) == (3, 3)
    monkeypatch.setattr(Run, "checked", lambda self, data: False)
    assert (code_of(run), code_of(run, "--inconclusive", "warn")) == (3, 3)


def test_a_gate_that_judged_nobody_is_no_warning(tmp_path: Path) -> None:
    rows = [*PLAN, *(row(arm, "naive", forecaster="still", transfer="none") for arm in ("real", "synthetic", "null"))]
    run = written(tmp_path, rows, {"naive": TRUTH + 3.0}, truth=TRUTH, ids=IDS, horizons=(1, LEADS))
    assert run.gate().verdict == NO_SIGNAL
    assert (code_of(run), code_of(run, "--inconclusive", "warn")) == (3, 3)


VERDICTS = {
    PASS: a_verdict(PASS),
    FAIL: a_verdict(FAIL, a_finding(a_bin(1, 1), broken(2, 7)), breaks=7, safe=1),
    INCONCLUSIVE: a_verdict(INCONCLUSIVE, a_finding(undecided(1, 3), a_bin(4, 6))),
    NO_SIGNAL: a_verdict(NO_SIGNAL, a_finding(undecided(1, 3, no_signal=True))),
    INSUFFICIENT_DATA: a_verdict(INSUFFICIENT_DATA, a_finding(undecided(1, 3))),
}
DAMAGED = a_verdict(INCONCLUSIVE, caps=("linear: crash",), damage=("linear: crash",))


@pytest.mark.parametrize(
    ("words", "fail", "warn"),
    [
        ((PASS,), 0, 0),
        ((PASS, FAIL), 1, 1),
        ((NO_SIGNAL, FAIL, INCONCLUSIVE), 1, 1),
        ((PASS, INCONCLUSIVE), 3, 0),
        ((INSUFFICIENT_DATA,), 3, 0),
        ((NO_SIGNAL, PASS), 3, 0),
    ],
)
def test_of_several_verdicts_the_worst_counts(words: tuple[str, ...], fail: int, warn: int) -> None:
    gate = Gate(tuple(VERDICTS[word] for word in words))
    assert (gate.exit_code(), gate.exit_code("warn")) == (fail, warn)
    assert gate.passed is (fail == 0)
    assert Gate((*gate.verdicts, DAMAGED)).exit_code("warn") == (1 if FAIL in words else 3)


@pytest.mark.parametrize("floor", [FAIL, INCONCLUSIVE, INSUFFICIENT_DATA, NO_SIGNAL, PASS])
@pytest.mark.parametrize(("source", "code"), [(PASS, 0), (FAIL, 1), (INCONCLUSIVE, 3)])
def test_the_noise_floor_is_shown_and_does_not_count_beside_a_source(source: str, code: int, floor: str) -> None:
    bins = {FAIL: broken(), PASS: a_bin(), NO_SIGNAL: undecided(no_signal=True)}
    one, other = (a_verdict(word, a_finding(bins.get(word, undecided()))) for word in (source, floor))
    gate = Gate((one, replace(other, source=ORACLE)))
    assert (gate.exit_code(), gate.verdict, gate.passed) == (code, source, source == PASS)
    first, _, said, *_ = gate.to_text().splitlines()
    assert first == f"{source}, the worst of 1 verdict (1 {source}); the noise floor is shown and does not count"
    assert "one half of the real sales series" in said or floor in (INSUFFICIENT_DATA, NO_SIGNAL)
    assert "oracle-split" not in gate.to_text().partition("next: ")[2]
    suites = ElementTree.fromstring(gate.to_junit())
    assert (suites.get("failures") != "0", suites.get("errors")) == (source == FAIL, str(int(source == INCONCLUSIVE)))


def test_the_noise_floor_counts_where_nothing_else_was_asked_for() -> None:
    alone = Gate((replace(a_verdict(FAIL, a_finding(broken())), source=ORACLE),))
    assert alone.exit_code() == 1
    assert ElementTree.fromstring(alone.to_junit()).get("failures") == "2"


def test_leads_without_a_figure_are_no_mere_doubt() -> None:
    holed = a_verdict(INCONCLUSIVE, a_finding(a_bin(1, 1), undecided(2, 3, np.nan)))
    assert Gate((holed,)).exit_code("warn") == 3
    assert "some leads have no figure" in str(Gate((holed,)))


def test_a_gate_without_a_verdict_passes_nothing() -> None:
    empty = Gate(())
    assert not empty.passed
    assert (empty.exit_code(), empty.exit_code("warn")) == (3, 3)
    with pytest.raises(UnknownNameError, match="'ignore'"):
        empty.exit_code("ignore")


def test_horizons_are_ends_of_bins_in_steps_or_seasons(tmp_path: Path) -> None:
    run = judged(tmp_path)
    for horizons in ("2,8", (2, 8), ["2", 8], np.array([2, 8])):
        if isinstance(horizons, np.ndarray):
            horizons = list(horizons)
        (verdict,) = run.gate(horizons=horizons).verdicts
        assert [(b.first, b.last) for b in verdict.combined] == [(1, 2), (3, 8)]
    (verdict,) = run.gate(horizons="0.5m").verdicts
    assert [(b.first, b.last) for b in verdict.combined] == [(1, 6)]
    (verdict,) = run.gate(horizons=4).verdicts
    assert [(b.first, b.last) for b in verdict.combined] == [(1, 4)]
    with pytest.raises(UsageError, match="horizon 9 was not forecast"):
        run.gate(horizons=9)


def test_text_has_the_sentence_first_then_bins_reasons_and_the_next_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(judged(tmp_path / "run", 1.5), "--source", "s") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("FAIL: trained on 's' instead of real d series, the errors of ")
    assert lines[2] == (
        "d, s: FAIL (mase, total gap, margin 5 %, 50 % of the skill to keep; 12 series, 6 test periods, 1 replicate)"
    )
    assert lines[3].split() == [
        *("forecaster", "leads", "gap", "%", "95", "%", "interval", "at", "most", "shuffled", "skill", "kept")
    ]
    assert lines[4].split() == ["f", "1", "+50.0", "+50.0", "to", "+50.0", "+50.0", "+100.0", "50", "%", "broken"]
    assert "- break horizon, operational (full context): in (0, 1]: safe at no lead, broken by lead 1" in lines
    assert "- no self-check was made on these data (sweep --selfcheck)" in lines
    assert lines[-1] == f"next: tsgap show {tmp_path / 'run'} --gap --by lead   (where it breaks)"


def test_several_verdicts_begin_with_the_worst_of_them() -> None:
    text = Gate((VERDICTS[PASS], VERDICTS[FAIL], VERDICTS[PASS]), run="r").to_text()
    assert text.splitlines()[0] == "FAIL, the worst of 3 verdicts (2 PASS, 1 FAIL)"
    assert text.rstrip().endswith("next: tsgap show r --gap --by lead --source gan   (where it breaks)")


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (DAMAGED, "tsgap show r --failures"),
        (a_verdict(INCONCLUSIVE, damage=("x: null arm: missing",)), "next: the same sweep again, or its other shards"),
        (a_verdict(INCONCLUSIVE, a_finding(a_bin(1, 7), nothing(8, 9)), damage=("x: NOT TAUGHT: y",)), "--horizons 7 "),
        (a_verdict(INCONCLUSIVE, damage=("LEAK: 3 windows", "x: crash")), "next: tsgap split REAL "),
        (a_verdict(INCONCLUSIVE, damage=("x",), checked=False), "next: tsgap selfcheck REAL"),
        (a_verdict(INCONCLUSIVE, damage=("LEAK baseline: crash",)), "tsgap show r --failures"),
        (
            a_verdict(INCONCLUSIVE, damage=("x: cannot be compared with the baseline: y",)),
            "next: the sweep of the base",
        ),
        (VERDICTS[INCONCLUSIVE], "tsgap show r --gap "),
        (VERDICTS[INSUFFICIENT_DATA], "the same sweep with more --windows or shorter --horizons "),
        (a_verdict(INCONCLUSIVE, caps=("f: without the shuffled arm",)), "the same sweep without --fast or --no-null "),
        (VERDICTS[PASS], "the same sweep with --selfcheck"),
        (a_verdict(PASS, checked=True), "next: tsgap show r\n"),
    ],
)
def test_the_next_command_fits_the_verdict(verdict: Verdict, said: str) -> None:
    assert said in Gate((verdict,), run="r").to_text()


def test_an_undecided_bin_says_whether_it_is_the_skill_that_is_not_proven() -> None:
    bins = (undecided(1, 1, 0.0, upper=0.01), undecided(2, 3), nothing(4, 5), a_bin(6, 7, -0.1))
    lines = Gate((a_verdict(INCONCLUSIVE, a_finding(*bins)),)).to_text().splitlines()
    ends = [" ".join(line.split()[-3:]) for line in lines[4:8]]
    assert lines[4].endswith("undecided: skill kept?")
    assert lines[5].endswith(" undecided")
    assert lines[6].endswith(" -  not taught")
    assert lines[7].endswith("safe, better than real")
    assert len(ends) == 4


KEYS = {
    *("schema", "verdict", "exit_code", "inconclusive", "run", "baseline", "metric", "gate_on", "versions", "verdicts")
}
VERDICT_KEYS = {
    *(
        "noise_floor",
        "data",
        "source",
        "verdict",
        "label",
        "sentence",
        "reasons",
        "caps",
        "damage",
        "is_doubt",
        "equivalent",
    ),
    *("checked", "fixed", "linear_only", "overlapping", "rules", "counts", "safe", "breaks", "memory"),
    *("against_baseline", "worse_than_baseline", "findings", "combined"),
}
FINDING_KEYS = {"forecaster", "memory", "gated", "why", "verdict", "safe", "breaks", "bins"}
BIN_KEYS = {
    *("first", "last", "outcome", "gap", "low", "high", "upper", "lower", "proven", "half", "assay", "assay_low"),
    *("skill_kept", "needed_series", "needed_blocks", "needed_replicates"),
}


def test_the_keys_of_json_are_those_of_its_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = judged(tmp_path, 1.5)
    assert code_of(run, "--format", "json", "--inconclusive", "warn") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == 1
    assert set(told) == KEYS
    (verdict,) = told["verdicts"]
    assert set(verdict) == VERDICT_KEYS
    assert set(verdict["findings"][0]) == FINDING_KEYS
    assert set(verdict["findings"][0]["bins"][0]) == set(verdict["combined"][0]) == BIN_KEYS
    assert verdict["rules"] == {"margin": 0.05, "retain": 0.5, "level": 0.95}
    assert verdict["counts"] == {"series": 12, "blocks": 6, "replicates": 1, "population": True}
    assert (told["verdict"], told["exit_code"], told["inconclusive"]) == ("FAIL", 1, "warn")
    assert told["run"] == str(tmp_path)
    assert verdict["findings"][0]["bins"][0]["gap"] == pytest.approx(np.log(1.5))


def test_json_is_null_where_there_is_no_finite_figure() -> None:
    gate = Gate((a_verdict(INCONCLUSIVE, a_finding(nothing(1, 2), undecided(3, 4, gap=np.inf)), counts=None),))
    text = gate.to_json()
    assert "NaN" not in text
    assert "Infinity" not in text
    (verdict,) = json.loads(text)["verdicts"]
    first, second = verdict["findings"][0]["bins"]
    assert (first["gap"], second["gap"], second["needed_replicates"], verdict["counts"]) == (None,) * 4


def test_markdown_is_a_heading_the_sentences_and_a_folded_table_and_no_name_is_markup() -> None:
    hostile = "a|b`c*[x](http://y)<img>@all"
    one = a_verdict(FAIL, a_finding(broken(), name=hostile), breaks=1)
    text = Gate((one,), run="r`` ```x").to_markdown()
    lines = text.splitlines()
    assert lines[0] == "## tsgap gate: FAIL"
    assert lines[2].startswith("- FAIL: trained on 'gan' instead of real sales series")
    table = [line for line in lines if line.startswith("|")]
    plain = [line.replace(r"\|", "") for line in table]
    assert len({line.count("|") for line in plain}) == 1
    assert len(table) == 3
    for bad in ("[x](", "<img", "img>", "@all", "a|b"):
        assert bad not in text
    assert text.count("````") == 2
    assert text.count("<details>") == text.count("</details>") == 1


@pytest.mark.parametrize(
    ("verdict", "inconclusive", "found"),
    [
        (VERDICTS[PASS], "fail", None),
        (VERDICTS[FAIL], "fail", "failure"),
        (VERDICTS[FAIL], "warn", "failure"),
        (VERDICTS[INCONCLUSIVE], "fail", "error"),
        (VERDICTS[INCONCLUSIVE], "warn", "skipped"),
        (VERDICTS[NO_SIGNAL], "fail", "error"),
        (VERDICTS[INSUFFICIENT_DATA], "warn", "skipped"),
        (DAMAGED, "warn", "error"),
    ],
)
def test_junit_says_what_the_exit_code_says(verdict: Verdict, inconclusive: str, found: str | None) -> None:
    gate = Gate((verdict,))
    suites = ElementTree.fromstring(gate.to_junit(inconclusive))
    first = suites.find("testsuite/testcase")
    assert first is not None
    assert first.get("name") == "verdict"
    assert [child.tag for child in first] == ([] if found is None else [found])
    is_red = bool([*suites.iter("failure"), *suites.iter("error")])
    assert is_red is (gate.exit_code(inconclusive) != 0)


def test_junit_has_the_usual_structure_and_counts_and_survives_any_name(tmp_path: Path) -> None:
    name = 'f<&"\x1b\x00\ud800'
    bins = (a_bin(1, 1), broken(2, 7), undecided(8, 14), nothing(15, 28))
    probe = a_finding(broken(), name="lag-probe", memory="lag", gated=False, why="a probe")
    gate = Gate((a_verdict(FAIL, a_finding(*bins, name=name), probe, breaks=7), VERDICTS[PASS], DAMAGED))
    text = gate.to_junit()
    target = tmp_path / "gate.xml"
    target.write_text(text, encoding="utf-8")
    suites = ElementTree.parse(target).getroot()
    assert suites.tag == "testsuites"
    assert {child.tag for child in suites} == {"testsuite"}
    totals = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in suites:
        cases = suite.findall("testcase")
        counted = {"tests": len(cases)}
        for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            counted[key] = sum(case.find(tag) is not None for case in cases)
        assert {key: int(suite.attrib[key]) for key in counted} == counted
        assert len({case.get("name") for case in cases}) == len(cases)
        assert all(case.get("classname") == suite.get("name") and float(case.get("time", "x")) == 0 for case in cases)
        totals = {key: n + counted[key] for key, n in totals.items()}
    assert {key: int(suites.attrib[key]) for key in totals} == totals
    cases = suites[0].findall("testcase")
    assert [case.get("name", "").rpartition(", ")[2] for case in cases] == [
        *("verdict", "lead 1", "leads 2 to 7", "leads 8 to 14", "leads 15 to 28")
    ]
    assert [[child.tag for child in case] for case in cases] == [
        *(["failure"], [], ["failure"], ["skipped"], ["skipped"])
    ]


@pytest.mark.parametrize("fmt", ["text", "json", "markdown", "junit"])
def test_a_file_gets_the_format_and_the_terminal_the_sentences(
    tmp_path: Path, fmt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = judged(tmp_path / "run", 1.5)
    assert code_of(run, "--format", fmt) == 1
    text = capsys.readouterr().out
    assert code_of(run, "--format", fmt, "-o", str(tmp_path / "out")) == 1
    assert capsys.readouterr().out == str(run.gate()) + "\n"
    assert (tmp_path / "out").read_text() == text


def test_names_are_text_whatever_they_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "[red]x[/red]\x1b[2J\n"
    hostile = a_verdict(FAIL, a_finding(broken(), name=name), breaks=1, caps=(name,))
    gate = Gate((hostile,), run=name)
    for text in (gate.to_text(), gate.to_markdown(), gate.to_junit(), str(gate), gate._repr_html_()):
        assert "\x1b" not in text
    assert len(str(gate).splitlines()) == 1


def test_in_a_notebook_a_gate_is_its_sentences_and_a_table(tmp_path: Path) -> None:
    gate = judged(tmp_path, 1.5).gate()
    assert repr(gate) == str(gate)
    shown = gate._repr_html_()
    assert shown.startswith("<p>FAIL: trained on &#x27;s&#x27;")
    assert shown.count("<tr>") == 1 + sum(len(one.bins) for one in gate.verdicts[0].findings)
    assert "<script" not in Gate((a_verdict(PASS, a_finding(a_bin(), name="<script>")),))._repr_html_()
    frame = gate.to_frame()
    assert set(frame.outcome) == {"broken"}
    assert set(frame.forecaster) == {"f", "g"}
    assert frame.gap.to_numpy() == pytest.approx(np.log(1.5))
    assert frame.skill_kept.to_numpy() == pytest.approx(0.5)


def test_the_frame_loses_no_forecaster() -> None:
    out = a_finding(name="naive", gated=False, why="it learns nothing")
    frame = Gate((a_verdict(PASS, a_finding(a_bin()), out),)).to_frame()
    assert frame.forecaster.tolist() == ["linear", "naive"]
    assert frame.outcome.tolist() == ["safe", "not gated"]
    assert frame.why.tolist() == ["", "it learns nothing"]


def test_a_version_that_is_proven_worse_than_the_baseline_fails_though_it_is_within_the_margin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = judged(tmp_path / "before", 1.0), judged(tmp_path / "after", 1.03)
    assert code_of(after) == 0
    capsys.readouterr()
    assert code_of(after, "--baseline", str(before.path)) == 1
    out = capsys.readouterr().out
    assert out.startswith("FAIL: 's' is proven worse for d than the last accepted version: the errors of ")
    assert "are 3.0 % larger (95 % sure: at least 3.0 % larger)" in out.splitlines()[0]
    capsys.readouterr()
    assert code_of(before, "--baseline", str(after.path)) == 0
    assert "- not proven worse than the last accepted version; nearest to it, the errors of " in capsys.readouterr().out
    assert code_of(after, "--baseline", str(after.path)) == 0
    assert "not proven worse than the last accepted version; " in capsys.readouterr().out
    assert code_of(after, "--baseline", str(before.path), "--format", "json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["baseline"] == str(before.path)
    (worse, *_) = told["verdicts"][0]["worse_than_baseline"]
    assert set(worse) == {"forecaster", "first", "last", "gap", "least"}
    junit = ElementTree.fromstring(after.gate(baseline=before).to_junit())
    failure = junit.find("testsuite/testcase[@name='verdict']/failure")
    assert failure is not None


def test_a_baseline_on_other_windows_forbids_the_pass_and_is_no_mere_doubt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    after = judged(tmp_path / "after", 1.0)
    other = judged(tmp_path / "other", 1.0, end=(TRUTH + NOISE["f"], {0: "no"}))
    assert code_of(after, "--baseline", str(other.path), "--inconclusive", "warn") == 3
    assert "f: cannot be compared with the baseline: other windows, horizons or scored pairs" in capsys.readouterr().out


def test_help_loads_nothing_heavy() -> None:
    heavy = "[m for m in ('numpy', 'pandas', 'scipy', 'pyarrow') if m in sys.modules]"
    code = f"import sys; from tsgap.cli import run; run(['gate', '--help']); print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
