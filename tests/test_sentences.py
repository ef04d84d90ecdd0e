"""Verdicts in words: right, short, and never a figure that is none."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verdicts_made_up import a_bin, a_finding, a_verdict, broken, nothing, undecided
from tsgap.baseline import Against
from tsgap.findings import FAIL, INCONCLUSIVE, INSUFFICIENT_DATA, NO_SIGNAL, PASS, Bin, Rules, Verdict
from tsgap.gap import Counts
from tsgap.sentences import horizon, larger, leads, percent, reasons, sentence, settle, share, signed

LN = math.log


def test_a_pass_says_how_much_may_be_lost_at_most_where_and_that_nobody_checked_the_bench() -> None:
    bins = (a_bin(1, 1, LN(1.01), 0.01), a_bin(2, 7, LN(1.02), 0.02))
    assert sentence(a_verdict(PASS, a_finding(*bins, memory="nonlinear"))) == (
        "PASS (unchecked): trained on 'gan' instead of real sales series, forecasters make errors at most 4.1 % larger "
        "at every lead up to 7 (95 % sure; the worst is linear at leads 2 to 7); the margin is 5 %."
    )
    assert sentence(a_verdict(PASS, checked=True)).startswith("PASS: trained on 'gan'")


def test_a_pass_whose_bounds_lie_below_zero_is_no_larger_error_and_sends_to_the_diagnostics() -> None:
    told = sentence(a_verdict(PASS, a_finding(a_bin(1, 7, -0.1, 0.02))))
    assert "forecasters make no larger errors at every lead up to 7" in told
    assert "better than real at leads 1 to 7 of linear: see 'tsgap diagnose'" in told
    assert "smaller" not in told
    many = [a_bin(i, i, -0.1, 0.02) for i in range(1, 5)]
    assert "better than real at 4 places: see 'tsgap diagnose'" in sentence(a_verdict(PASS, a_finding(*many)))


def test_a_fail_names_the_worst_leads_what_is_proven_and_where_it_breaks() -> None:
    bins = (a_bin(1, 1), broken(2, 7, LN(1.8), proven=LN(1.6)), broken(8, 14, LN(2.0), proven=LN(1.2)))
    told = sentence(a_verdict(FAIL, a_finding(*bins), safe=1, breaks=7))
    assert told == (
        "FAIL: trained on 'gan' instead of real sales series, the errors of linear are 80.0 % larger at leads 2 to 7 "
        "(95 % sure: at least 60.0 % larger), more than the margin of 5 %; safe up to lead 1, proven broken by lead 7."
    )
    assert "safe at no lead" in sentence(a_verdict(FAIL, a_finding(broken()), breaks=1))


def test_a_fail_against_the_baseline_alone_says_so_and_beside_a_break_it_is_a_reason() -> None:
    worse = (Against("linear", 1, 1, LN(1.05), LN(1.01)), Against("linear", 2, 7, LN(1.2), LN(1.1)))
    told = sentence(a_verdict(FAIL, against_baseline=worse))
    assert told == (
        "FAIL: 'gan' is proven worse for sales than the last accepted version: the errors of linear at leads 2 to 7 "
        "are 20.0 % larger (95 % sure: at least 10.0 % larger)."
    )
    both = a_verdict(FAIL, a_finding(broken()), breaks=1, against_baseline=worse)
    assert "more than the margin" in sentence(both)
    assert len([why for why in reasons(both) if why.startswith("worse than the last accepted version: ")]) == 2


def test_without_signal_it_says_that_nothing_could_be_lost_and_where_to_gate_instead() -> None:
    quiet = undecided(8, 14, 0.0, assay=LN(1.003), no_signal=True)
    told = sentence(a_verdict(NO_SIGNAL, a_finding(a_bin(1, 7), quiet)))
    assert told == (
        "NO_SIGNAL: at leads 8 to 14 of sales linear learns nothing from real series that shuffled ones do not teach "
        "(its errors are 0.3 % larger after training on them), so 'gan' could lose nothing there and nothing is "
        "proven; gate on horizons up to 7."
    )
    first = sentence(a_verdict(NO_SIGNAL, a_finding(undecided(1, 1, 0.0, assay=0.0, no_signal=True))))
    assert "its errors are the same after training on them" in first
    assert "up to 0" not in first


def test_where_nobody_was_gated_it_says_who_and_why() -> None:
    naive = a_finding(name="seasonal-naive", memory="none", gated=False, why="not applicable: it learns nothing")
    told = sentence(a_verdict(NO_SIGNAL, naive, counts=None))
    why = "(seasonal-naive: not applicable: it learns nothing)"
    assert told == f"NO_SIGNAL: no forecaster can show on sales what 'gan' lost {why}."


@pytest.mark.parametrize(
    ("counts", "needed"),
    [
        (Counts(3, 6, 5), "3 series and 6 separate test periods; 5 series, or 20 test periods for these series alone,"),
        (Counts(1, 6, 5), "1 series and 6 separate test periods; 5 series, or 20 test periods for this series alone,"),
        (Counts(30, 4, 5), "30 series and 4 separate test periods; 5 test periods are needed"),
        (Counts(30, 1, 5), "30 series and 1 separate test period; 5 test periods are needed"),
    ],
)
def test_too_few_data_says_what_there_is_what_is_needed_and_which_way_it_leans(counts: Counts, needed: str) -> None:
    told = sentence(a_verdict(INSUFFICIENT_DATA, a_finding(undecided(1, 3, LN(1.1), rho=math.nan)), counts=counts))
    assert needed in told
    assert told.endswith("It leans to FAIL: over all forecasters errors are 10.0 % larger at leads 1 to 3, the worst.")


def test_overlapping_windows_of_few_series_are_called_that() -> None:
    told = sentence(a_verdict(INSUFFICIENT_DATA, counts=Counts(7, 30, 5), overlapping=True))
    assert "the test windows of a series overlap, and so few series of sales (7) decide nothing" in told
    assert "10 are needed" in told


def test_what_is_not_decided_has_its_range_its_leaning_and_what_would_settle_it() -> None:
    bins = (undecided(1, 1, LN(1.03), low=LN(0.98), high=LN(1.09)), undecided(2, 7, 0.0, blocks=20.0, series=math.inf))
    assert sentence(a_verdict(INCONCLUSIVE, a_finding(*bins))) == (
        "INCONCLUSIVE: trained on 'gan' instead of real sales series, the errors of linear are 3.0 % larger at lead 1, "
        "anything from 2.0 % smaller to 9.0 % larger (95 % sure): that cannot be told from the margin of 5 %. It leans "
        "to PASS: over all forecasters errors are 3.0 % larger at lead 1, the worst. About 20 test periods instead of "
        "6 would settle it."
    )


def test_a_small_gap_without_proof_of_skill_says_what_is_not_proven() -> None:
    b = undecided(1, 1, 0.0, upper=0.01, low=-0.01, high=0.01, kept=-0.1)
    told = sentence(a_verdict(INCONCLUSIVE, a_finding(b)))
    assert "within the margin of 5 %, but it is not proven that 50 % of what real training gains over shuffled" in told
    assert "It leans to PASS: over all forecasters errors are no larger at any lead." in told


def test_most_skill_lost_leans_to_fail_even_within_the_margin() -> None:
    b = undecided(1, 1, LN(1.02), assay=LN(1.025), rho=0.8, kept=-0.1)
    told = sentence(a_verdict(INCONCLUSIVE, a_finding(b)))
    assert "It leans to FAIL: over all forecasters 80 % of the real skill is lost at lead 1." in told


def test_what_would_pass_but_for_a_cap_says_so_with_the_first_and_counts_the_rest() -> None:
    caps = ("linear: synthetic arm: crash", "LEAK: 3 windows")
    told = sentence(a_verdict(INCONCLUSIVE, caps=caps))
    assert told == (
        "INCONCLUSIVE: 'gan' would pass on sales, but there can be no PASS: linear: synthetic arm: crash (and 1 more, "
        "see below)."
    )
    holed = a_verdict(INCONCLUSIVE, a_finding(a_bin(1, 1), nothing(2, 3)), caps=("linear: NOT TAUGHT",))
    assert "is safe where there are figures on sales, but there can be no PASS: linear: NOT TAUGHT." in sentence(holed)
    none = a_verdict(INCONCLUSIVE, a_finding(nothing()), caps=("linear: crash",))
    assert sentence(none) == "INCONCLUSIVE: nothing can be said of 'gan' on sales: linear: crash."


def test_the_scope_is_said_where_it_is_less_than_one_may_think() -> None:
    narrow = a_verdict(PASS, counts=Counts(1, 30, 5), fixed=True, linear_only=True)
    scope = "for this series only; for this file; linear memory only: no forecaster that sees more was gated"
    assert sentence(narrow).endswith(f"the margin is 5 % ({scope}).")
    assert f"scope: {scope}" in list(reasons(narrow))
    assert "scope" not in " ".join(reasons(a_verdict(PASS)))


def test_the_reasons_keep_the_two_break_horizons_apart() -> None:
    probe = a_finding(broken(), name="lag-probe", memory="lag", gated=False, why="a probe", safe=7, breaks=14)
    told = list(reasons(a_verdict(FAIL, a_finding(broken(4, 7)), probe, safe=3, breaks=7, memory=probe)))
    assert "break horizon, operational (full context): in (3, 7]: safe up to lead 3, broken by lead 7" in told
    assert "break horizon, memory (lag probe, lead = lag): in (7, 14]: safe up to lead 7, broken by lead 14" in told
    assert not [why for why in told if "lag-probe is not gated" in why]


def test_equivalence_better_than_real_and_a_missing_self_check_are_reasons() -> None:
    told = list(reasons(a_verdict(PASS, a_finding(a_bin(1, 3, -0.03, 0.01)), equivalent=True)))
    assert "EQUIVALENT: the gap is proven to lie within 5 % on both sides at every lead" in told
    assert "better than real at linear leads 1 to 3: that is no proof of fidelity, see 'tsgap diagnose'" in told
    assert "no self-check was made on these data (sweep --selfcheck)" in told
    assert not [why for why in reasons(a_verdict(PASS, checked=True)) if "self-check" in why]


@pytest.mark.parametrize(
    ("ratio", "words", "figure"),
    [
        (0.0, "the same", "0.0"),
        (LN(1.0004), "the same", "0.0"),
        (LN(0.9996), "the same", "0.0"),
        (LN(1.834), "83.4 % larger", "+83.4"),
        (LN(0.95), "5.0 % smaller", "-5.0"),
        (LN(12), "12 times as large", ">+999"),
        (LN(2000), "more than 1000 times as large", ">+999"),
        (math.inf, "more than 1000 times as large", ">+999"),
        (-math.inf, "100.0 % smaller", "-100.0"),
        (math.nan, "unknown", "-"),
    ],
)
def test_a_log_ratio_has_words_and_a_figure(ratio: float, words: str, figure: str) -> None:
    assert larger(ratio) == words
    assert signed(ratio) == figure
    assert percent(ratio) == ("unknown" if figure == "-" else f"{figure} %")


def test_leads_shares_and_horizons_read_as_they_are_said() -> None:
    assert (leads(3, 3), leads(1, 7)) == ("lead 3", "leads 1 to 7")
    assert (share(0.05), share(0.125)) == ("5 %", "12.5 %")
    assert horizon(0, 1) == "in (0, 1]: safe at no lead, broken by lead 1"
    assert horizon(28, None) == "none proven; safe up to lead 28"


def test_nothing_is_promised_that_would_not_settle_it() -> None:
    never = undecided(series=math.inf, blocks=math.inf, replicates=math.inf)
    assert settle([never], Counts(30, 6, 5)) == " More series, test periods or replicates alone would not settle it."
    each = [undecided(series=math.inf, blocks=9.0), undecided(series=99.0, blocks=math.inf)]
    assert settle(each, Counts(30, 6, 5)) == settle([never], Counts(30, 6, 5))
    assert settle([undecided(series=10.0, blocks=3.0)], Counts(30, 6, 5)) == ""
    assert (
        settle([undecided(blocks=2e7, series=99.0)], Counts(30, 6, 5))
        == " About 99 series instead of 30 would settle it."
    )
    assert settle([undecided(series=99.0), undecided(series=70.0, blocks=math.inf)], Counts(30, 6, 5)) == (
        " About 99 series instead of 30 would settle it."
    )
    assert settle([], Counts(30, 6, 5)) == settle([undecided()], None) == ""


FIGURE = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.3, 0.01, LN(1.05), 0.06, 2.0, 800.0, 1e-18])
NEEDED = st.sampled_from([math.nan, math.inf, 1.0, 7.0, 50.0, 1e7])


@st.composite
def bins(draw: Any) -> tuple[Bin, ...]:
    ends = draw(st.lists(st.integers(1, 40), min_size=1, max_size=4, unique=True).map(sorted))
    names = ("gap", "low", "high", "upper", "lower", "proven", "half", "assay", "assay_low", "rho", "kept")
    flags = ("taught", "safe", "broken", "no_signal")
    return tuple(
        Bin(
            first,
            last,
            **{name: draw(FIGURE) for name in names},
            **{name: draw(NEEDED) for name in ("series", "blocks", "replicates")},
            **{name: draw(st.booleans()) for name in flags},
        )
        for first, last in zip([1, *(end + 1 for end in ends[:-1])], ends, strict=True)
    )


@st.composite
def verdicts(draw: Any) -> Verdict:
    """A verdict whose parts agree no better than the word they carry needs."""
    word = draw(st.sampled_from([PASS, FAIL, NO_SIGNAL, INSUFFICIENT_DATA, INCONCLUSIVE]))
    findings = [a_finding(*draw(bins()), name=f"f{i}") for i in range(draw(st.integers(0, 3)))]
    worse: tuple[Against, ...] = ()
    is_broken = any(b.broken for one in findings for b in one.bins)
    if word == PASS:
        findings = findings or [a_finding(a_bin())]
    if word == FAIL and not is_broken:
        worse = (Against("f0", 1, 3, draw(FIGURE), 0.01),)
    if word == NO_SIGNAL and not any(b.no_signal for one in findings for b in one.bins):
        findings = []
    left_out = a_finding(
        *draw(bins()), name="naive", gated=False, why=draw(st.sampled_from(["", "a probe", "timeout"]))
    )
    return a_verdict(
        word,
        *findings,
        left_out,
        combined=draw(st.just(()) | bins()),
        counts=draw(st.none() | st.builds(Counts, *(st.integers(0, 40),) * 3)),
        caps=tuple(draw(st.lists(st.sampled_from(["f0: crash", "LEAK: x"]), max_size=2))),
        against_baseline=worse,
        safe=draw(st.integers(0, 9)),
        breaks=draw(st.integers(1, 40)) if is_broken else draw(st.none()),
        memory=draw(st.none() | st.just(left_out)),
        equivalent=draw(st.booleans()),
        checked=draw(st.sampled_from([None, True, False])),
        fixed=draw(st.booleans()),
        linear_only=draw(st.booleans()),
        overlapping=draw(st.booleans()),
        rules=draw(st.builds(Rules, st.sampled_from([0.01, 0.05, 0.99]), st.sampled_from([0.0, 0.5, 0.9]))),
    )


@settings(max_examples=100, deadline=None)
@given(verdicts())
def test_no_verdict_whatsoever_says_nan_or_inf_or_ends_in_an_exception(verdict: Verdict) -> None:
    told = [sentence(verdict), *reasons(verdict)]
    assert told[0].startswith(verdict.label + ": ")
    assert told[0].rstrip().endswith(".")
    for text in told:
        assert not re.search(r"\b(nan|inf|None|NaN)\b|[+-]-\d|  ", text), text
        assert "\n" not in text
    for one in verdict.gated:
        for b in one.bins:
            if b.better:
                assert any("see 'tsgap diagnose'" in text for text in told)
