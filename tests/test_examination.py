"""What the diagnostics of one source say: beside the noise floor, one that fails alone, kept and read back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from trials import panel
from worlds import autoregressions

from tsgap.diagnostics import Contrast, Diagnosed, Figure, Sample, contrasted
from tsgap.errors import ContractError, DataError
from tsgap.examination import WORST, Examination, Found, examined
from tsgap.examination_formats import frame_of, html_of, json_of, markdown_of, samples_of, sentence, text_of
from tsgap.examinations import Diagnostics
from tsgap.protocols import DiagnosticSpec


@pytest.fixture(scope="module")
def contrast() -> Contrast:
    rng = np.random.default_rng(0)
    real, other = (autoregressions(rng, 12, 150, phi=0.5) for _ in range(2))
    return contrasted(panel(real), panel(2 * other), seed=0)


def spread(contrast: Contrast, *, seed: int) -> Diagnosed:
    sides = (contrast.real, contrast.synthetic)
    real, synthetic = (float(side.windows.std()) for side in sides)
    return Diagnosed((Figure("ratio of spreads", synthetic / real, flag="warn", advice="divide by two"),))


def raises(contrast: Contrast, *, seed: int) -> Diagnosed:
    raise ZeroDivisionError("nothing to divide by")


def test_every_figure_stands_beside_the_same_figure_of_the_noise_floor(contrast: Contrast) -> None:
    [found] = examined(contrast, {"spread": DiagnosticSpec("spread", "", spread)}, seed=0)
    [figure] = found.figures
    assert figure.value == pytest.approx(2, rel=0.2)
    assert figure.reference == spread(contrast.floor, seed=0).figures[0].value == pytest.approx(1, rel=0.2)


def test_a_reference_that_the_diagnostic_gives_itself_stays(contrast: Contrast) -> None:
    def expected(contrast: Contrast, *, seed: int) -> Diagnosed:
        return Diagnosed((Figure("share", 0.3, reference=0.5),))

    [found] = examined(contrast, {"own": DiagnosticSpec("own", "", expected)}, seed=0)
    assert found.figures[0].reference == 0.5


def test_a_diagnostic_that_fails_is_named_and_takes_no_other_with_it(contrast: Contrast) -> None:
    specs = {"bad": DiagnosticSpec("bad", "", raises), "spread": DiagnosticSpec("spread", "", spread)}
    one = Examination("d", "s", examined(contrast, specs, seed=0))
    assert [told.failed for told in one.found] == ["ZeroDivisionError: nothing to divide by", ""]
    assert not one.ok
    assert "bad failed" in sentence(one)
    assert "bad failed: ZeroDivisionError" in text_of([one])
    assert frame_of([one]).flag.tolist() == ["failed", "warn"]


def test_a_failure_that_only_the_floor_shows_is_a_failure(contrast: Contrast) -> None:
    def half(contrast: Contrast, *, seed: int) -> Diagnosed:
        if contrast.is_floor:
            raise DataError("the floor is too small")
        return spread(contrast, seed=seed)

    [found] = examined(contrast, {"half": DiagnosticSpec("half", "", half)}, seed=0)
    assert found.failed == "the floor is too small"
    assert not found.figures


def test_a_missing_package_is_a_failure_with_how_to_install_it(contrast: Contrast) -> None:
    needy = DiagnosticSpec("needy", "", spread, requires=("nosuch_package: pip install nosuch",))
    needy_found, found = examined(contrast, {"needy": needy, "spread": DiagnosticSpec("spread", "", spread)}, seed=0)
    assert needy_found.failed == "it needs what is not installed: nosuch_package: pip install nosuch"
    assert not needy_found.figures
    assert not found.failed


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "must return a tsgap.Diagnosed, got NoneType"),
        (Diagnosed((1.0,)), "figures of a tsgap.Diagnosed are tsgap.Figures, got 1.0"),  # type: ignore[arg-type]
        (Diagnosed((), ("a",)), "worst of a tsgap.Diagnosed are tsgap.Samples, got 'a'"),  # type: ignore[arg-type]
        (Diagnosed((Figure("x", 1), Figure("x", 2))), "two figures are called 'x'"),
    ],
)
def test_what_breaks_the_contract_is_said(contrast: Contrast, given: Any, said: str) -> None:
    [found] = examined(contrast, {"odd": DiagnosticSpec("odd", "", lambda contrast, *, seed: given)}, seed=0)
    assert said in found.failed


def test_a_figure_without_a_value_is_not_measurable_and_a_flag_is_a_known_word() -> None:
    assert Figure("x", float("nan"), flag="warn").flag == "not measurable"
    assert Figure.unknown("x", "too few").advice == "too few"
    with pytest.raises(ContractError, match="a flag is one of"):
        Figure("x", 1.0, flag="loud")  # type: ignore[arg-type]


def test_the_worst_samples_are_kept_worst_first(contrast: Contrast) -> None:
    def listed(contrast: Contrast, *, seed: int) -> Diagnosed:
        return Diagnosed((), tuple(Sample("a", i, 5, float(i % 40), "odd") for i in range(40)))

    [found] = examined(contrast, {"listed": DiagnosticSpec("listed", "", listed)}, seed=0)
    assert [worst.score for worst in found.worst] == [float(39 - i) for i in range(WORST)]


def made_up() -> Examination:
    figures = (
        Figure("area", 0.9, 0.8, 0.95, p=0.001, reference=0.5, flag="warn", advice="look at peaks", detail="skewness"),
        Figure("share", 0.01, reference=0.01),
        Figure("ratio", float("inf"), reference=1.0),
        Figure.unknown("depth", "too few series"),
    )
    worst = tuple(Sample(f"k{i}", i, 24, 10.0 - i, "a value of -3, below 0") for i in range(7))
    found = (
        Found("shift", figures, worst, ("12 stretches",), seconds=1.5, cautions=("half of the series are left out",)),
        Found("x", failed="no"),
    )
    return Examination("d", "s", found, ("3 of 9 stretches of the test",), "", ("12 real windows",))


def test_what_was_found_is_read_back_as_it_was_written() -> None:
    one = made_up()
    again = Examination.of_told(json.loads(json.dumps(one.told, allow_nan=False)))
    assert again.told == one.told
    assert again.found[0].figures[2].value == float("inf")
    assert np.isnan(again.found[0].figures[3].value)
    assert again.leaks == one.leaks
    assert again.found[0].cautions == one.found[0].cautions
    assert again.notes == one.notes
    assert again.warnings[0][1].name == "area"


def test_the_text_says_values_noise_floor_warnings_advice_and_the_worst() -> None:
    one = made_up()
    text = text_of([one], ["a note on all"])
    assert (
        "d, s: 1 of 3 figures are proven to differ from what real series show (shift); 1 could not be measured" in text
    )
    assert "Test data are among the synthetic series: no verdict on them can be a PASS." in text
    assert "LEAK: 3 of 9 stretches" in text
    assert "0.8 to 0.95" in text
    assert "WARN" in text
    assert "- shift: area (skewness): look at peaks" in text
    assert "Not measurable\n- shift: depth: too few series" in text
    assert "series 'k0', steps 0 to 23: a value of -3" in text
    assert "4 more samples (--all)" in text
    assert "- a note on all" in text
    assert "shift: half of the series are left out" in text


def rows_of(text: str) -> list[str]:
    """The figures that the table of a text has of the diagnostic shift."""
    return [line.split()[1] for line in text.splitlines() if line.startswith("shift  ")]


def test_a_text_shows_the_headline_and_what_is_warned_of_and_says_how_many_figures_more_there_are() -> None:
    shift, failed = made_up().found
    quiet = replace(shift, figures=(replace(shift.figures[0], flag="", advice=""), *shift.figures[1:]))
    one = replace(made_up(), found=(replace(quiet, figures=(*quiet.figures, Figure("last", 3.0, flag="warn"))), failed))
    text = text_of([one])
    assert rows_of(text) == ["area", "last"]
    assert "\n2 more figures are not proven to differ from what real series show (--all)\n" in text
    assert "Not measurable\n- shift: depth: too few series" in text
    assert "12 stretches" not in text
    assert "--all, in Python to_text(every=True), prints every figure" in text
    assert "2 more figures are not proven" in html_of([one])


def test_with_every_a_text_leaves_nothing_out() -> None:
    one = made_up()
    figures = tuple(Figure(f"f{i}", 1.0, flag="warn", advice="the same of all") for i in range(5))
    one = replace(one, found=(*one.found, Found("y", figures)))
    text = Diagnostics((one,)).to_text(every=True)
    assert rows_of(text) == ["area", "share", "ratio", "depth"]
    assert "y: f0; f1; f2; f3; f4: the same of all" in text
    assert "f0; f1; f2; and 2 more: the same of all" in text_of([one])
    assert all(f"series 'k{i}'" in text for i in range(7))
    assert "shift: 12 stretches" in text
    assert "more" not in text
    assert "--all" not in text
    assert text.rstrip("\n") in Diagnostics((one,)).to_markdown(every=True)
    assert str(Diagnostics((one,))) == Diagnostics((one,)).to_text() == text_of([one])


def test_what_rests_on_the_same_is_said_once() -> None:
    same = [Figure(name, 1.0, flag="warn", advice="look", detail="twice as loud") for name in ("KS", "W1")]
    one = Examination("d", "s", (Found("x", (*same, Figure("AUC", 1.0, flag="warn", advice="look", detail="lag 1"))),))
    assert "- x: KS; W1 (twice as loud); AUC (lag 1): look" in text_of([one])


def test_where_nothing_is_left_out_no_flag_is_named() -> None:
    one = Examination("d", "s", (Found("x", (Figure("y", 1.0),)),))
    assert "--all" not in text_of([one])
    assert "to_frame" not in html_of([one])
    assert text_of([one]) == text_of([one], every=True)


def test_the_tables_hold_every_figure_and_every_sample() -> None:
    frame = frame_of([made_up()])
    assert frame.figure.tolist()[:4] == ["area", "share", "ratio", "depth"]
    assert frame.ratio.tolist()[:2] == [pytest.approx(1.8), 1.0]
    assert len(samples_of([made_up()])) == 7


def test_what_a_proof_is_not_about_is_said_with_it() -> None:
    one = replace(made_up(), caution="these series alone, which are few")
    assert "real series show (shift); the proof is about these series alone, which are few" in sentence(one)
    assert Examination.of_told(one.told).caution == one.caution
    assert "the proof is about" not in sentence(replace(one, found=()))


def test_a_source_that_cannot_be_compared_says_why_everywhere() -> None:
    one = Examination("d", "s", why="2 series are too few")
    assert "d, s: cannot be compared: 2 series are too few." in text_of([one])
    assert frame_of([one]).advice.tolist() == ["2 series are too few"]
    assert "2 series are too few" in json_of([one])
    assert not Diagnostics((one,)).ok
    assert not Diagnostics(()).ok


def test_names_from_data_cannot_break_out_of_html_markdown_or_a_line() -> None:
    one = Examination("<b>d</b>", "s\n\x1b[31m", (Found("shift", (Figure("<i>x</i>", 1.0),)),))
    assert "<b>" not in html_of([one])
    assert "<i>" not in html_of([one])
    assert "\x1b" not in text_of([one])
    assert "<b>" not in markdown_of([one]).split("<details>")[0]
    hostile = Examination("d", "s", (Found("shift", (Figure("```", 1.0),)),))
    assert markdown_of([hostile]).count("````") == 2
    assert json.loads(json_of([one]))["sources"][0]["data"] == "<b>d</b>"


@pytest.mark.parametrize(("floor", "flag"), [(0.1, "warn"), (0.3, "")])
def test_what_real_series_differ_by_as_much_is_no_warning_where_more_is_worse(
    contrast: Contrast, floor: float, flag: str
) -> None:
    def distance(contrast: Contrast, *, seed: int) -> Diagnosed:
        value = floor if contrast.is_floor else 0.2
        figure = Figure("distance", value, flag="warn", advice="look", beyond_floor=True)
        return Diagnosed((figure, Figure("share", value, flag="warn", advice="look")))

    [found] = examined(contrast, {"distance": DiagnosticSpec("distance", "", distance)}, seed=0)
    assert [figure.flag for figure in found.figures] == [flag, "warn"]
    assert found.figures[0].advice == ("look" if flag else "")
