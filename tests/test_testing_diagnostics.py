"""Every law of diagnostics can be broken, and an honest diagnostic keeps them all."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from tsgap import Contrast, Diagnosed, DiagnosticSpec, Figure, Sample
from tsgap.errors import UsageError
from tsgap.testing import check_diagnostic, diagnostic_checks, result
from tsgap.testing.contrasts import HARD, fair, ordinary
from tsgap.testing.diagnostic_laws import DIAGNOSTIC_LAWS, DRAWS
from tsgap.testing.subject import GlobalState


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    """Some diagnostics here change the process on purpose."""
    before = GlobalState()
    yield
    before.restore()


def honest(contrast: Contrast, *, seed: int) -> Diagnosed:
    """The difference of the mean levels of units, by permutation of units: keeps every law."""
    real, synthetic = (
        np.array([side.windows[side.unit == i].mean() for i in np.unique(side.unit)])
        for side in (contrast.real, contrast.synthetic)
    )
    both, n = np.concatenate([real, synthetic]), len(real)
    value = float(synthetic.mean() - real.mean())
    rng = np.random.default_rng(seed)
    drawn = np.array([(lambda mixed: mixed[n:].mean() - mixed[:n].mean())(rng.permutation(both)) for _ in range(199)])
    p = float((1 + (np.abs(drawn) >= abs(value)).sum()) / 200)
    spread = float(np.ptp(drawn))
    figure = Figure("level", value, value - spread, value + spread, p)
    if p <= 0.01:
        figure = replace(figure, flag="warn", advice="mend the level")
    worst = Sample(contrast.synthetic.panel.keys[0], 0, contrast.synthetic.length, 1.0, "the first one")
    return Diagnosed((figure,), (worst,))


def changed(**parts: Any) -> Callable[..., Diagnosed]:
    """An honest diagnostic, parts of whose figure are replaced."""

    def measure(contrast: Contrast, *, seed: int) -> Diagnosed:
        found = honest(contrast, seed=seed)
        return replace(found, figures=(replace(found.figures[0], **parts),))

    return measure


def listing(**parts: Any) -> Callable[..., Diagnosed]:
    """An honest diagnostic, parts of whose sample are replaced."""

    def measure(contrast: Contrast, *, seed: int) -> Diagnosed:
        found = honest(contrast, seed=seed)
        return replace(found, worst=(replace(found.worst[0], **parts),))

    return measure


def never(contrast: Contrast, *, seed: int) -> Diagnosed:
    return Diagnosed((Figure.unknown("level", "it is Friday"),))


def numbers(contrast: Contrast, *, seed: int) -> Any:
    return {"level": 1.0}


def no_floor(contrast: Contrast, *, seed: int) -> Any:
    return None if contrast.is_floor else honest(contrast, seed=seed)


def expects_zero(contrast: Contrast, *, seed: int) -> Diagnosed:
    """Needs no floor."""
    figures = () if contrast.is_floor else honest(contrast, seed=seed).figures
    return Diagnosed(tuple(replace(figure, reference=0.0) for figure in figures))


def twice(contrast: Contrast, *, seed: int) -> Diagnosed:
    found = honest(contrast, seed=seed)
    return Diagnosed(found.figures * 2)


def names_the_sides(contrast: Contrast, *, seed: int) -> Diagnosed:
    found = honest(contrast, seed=seed)
    name = "level of held-back series" if contrast.is_floor else "level of synthetic series"
    return Diagnosed((replace(found.figures[0], name=name),))


def brings_its_reference(contrast: Contrast, *, seed: int) -> Diagnosed:
    found = names_the_sides(contrast, seed=seed)
    return Diagnosed((replace(found.figures[0], reference=0.0),))


def global_chance(contrast: Contrast, *, seed: int) -> Diagnosed:
    return Diagnosed((Figure("level", np.random.normal()),))  # noqa: NPY002


def remembers() -> Callable[..., Diagnosed]:
    calls: list[int] = []

    def measure(contrast: Contrast, *, seed: int) -> Diagnosed:
        calls.append(1)
        return Diagnosed((Figure("level", float(len(calls))),))

    return measure


def other_notes() -> Callable[..., Diagnosed]:
    calls: list[int] = []

    def measure(contrast: Contrast, *, seed: int) -> Diagnosed:
        calls.append(1)
        return replace(honest(contrast, seed=seed), notes=(f"call {len(calls)}",))

    return measure


def divides_by_the_spread(contrast: Contrast, *, seed: int) -> Diagnosed:
    if not contrast.synthetic.windows.std(axis=1).any():
        raise ZeroDivisionError("float division by zero")
    return honest(contrast, seed=seed)


def none_of_few(contrast: Contrast, *, seed: int) -> Any:
    return None if len(contrast.all_synthetic) < 4 else honest(contrast, seed=seed)


def of_windows(contrast: Contrast, *, seed: int) -> Diagnosed:
    """A test of values as if all of them were independent."""
    from scipy.stats import ks_2samp

    real, synthetic = contrast.real.windows.ravel(), contrast.synthetic.windows.ravel()
    p = float(ks_2samp(real, synthetic).pvalue)
    advice = "the values differ" if p < 0.01 else ""
    return Diagnosed((Figure("level", 0.0, p=p, flag="warn" if advice else "", advice=advice),))


def centres(contrast: Contrast, *, seed: int) -> Diagnosed:
    found = honest(contrast, seed=seed)
    values = contrast.synthetic.panel.values
    (values if values.base is None else values.base).flags.writeable = True
    values.flags.writeable = True
    values -= values.mean()
    return found


def sorts_units(contrast: Contrast, *, seed: int) -> Diagnosed:
    found = honest(contrast, seed=seed)
    contrast.real.unit.flags.writeable = True
    contrast.real.unit[:] = contrast.real.unit[::-1].copy()
    return found


def touches(action: Callable[[], object]) -> Callable[..., Diagnosed]:
    def measure(contrast: Contrast, *, seed: int) -> Diagnosed:
        action()
        return honest(contrast, seed=seed)

    return measure


BROKEN: list[tuple[str, Any, str]] = [
    ("check_it_measures_ordinary_series", never, "not one of 1 figures has a value; 'level': it is Friday"),
    ("check_it_measures_ordinary_series", numbers, "measure must return a tsgap.Diagnosed, got dict"),
    ("check_it_measures_ordinary_series", no_floor, "measure must return a tsgap.Diagnosed, got NoneType"),
    ("check_it_measures_ordinary_series", twice, "two figures are called 'level'"),
    (
        "check_every_figure_has_a_reference",
        names_the_sides,
        "the figure 'level of synthetic series' has no noise floor, as measuring contrast.floor gives 'level of held",
    ),
    ("check_same_seed_same_figures", global_chance, "draw all chance from `seed`"),
    ("check_same_seed_same_figures", remembers(), "first 'level' = 1 and 'level' = "),
    ("check_same_seed_same_figures", other_notes(), "its samples, notes or their number"),
    ("check_figures_are_numbers_or_say_why_not", changed(value=inf), "has an infinite value"),
    ("check_figures_are_numbers_or_say_why_not", changed(value=1e9), "is not within its interval"),
    ("check_figures_are_numbers_or_say_why_not", changed(low=nan), "has an interval of one end, nan to"),
    ("check_figures_are_numbers_or_say_why_not", changed(p=1.5), "figure 'level': p is between 0 and 1: 1.5"),
    (
        "check_figures_are_numbers_or_say_why_not",
        changed(flag="warn", advice=" "),
        "is 'warn' without a word of advice",
    ),
    ("check_figures_are_numbers_or_say_why_not", changed(value=nan, advice=""), "is 'not measurable' without a word"),
    ("check_samples_lie_in_the_synthetic_series", listing(key="s00"), "'s00', which is no synthetic series"),
    ("check_samples_lie_in_the_synthetic_series", listing(length=500), "a sample is 500 values from step 0 on, but"),
    ("check_samples_lie_in_the_synthetic_series", listing(score=nan), "has the score nan, 'the first one'"),
    ("check_samples_lie_in_the_synthetic_series", listing(reason=""), "has the score 1.0, ''"),
    (
        "check_hard_data_are_measured_or_not_measurable",
        divides_by_the_spread,
        "constant series on both sides: it raises ZeroDivisionError: float division by zero; give tsgap.Figure.unknown",
    ),
    (
        "check_hard_data_are_measured_or_not_measurable",
        none_of_few,
        "two real and three synthetic series: measure must return a tsgap.Diagnosed, got NoneType",
    ),
    ("check_a_fair_second_draw_is_seldom_warned_of", of_windows, "12 of 12 fair second draws are warned of, first by"),
    ("check_inputs_are_not_mutated", centres, "measure changed all_synthetic of the contrast it was given"),
    ("check_inputs_are_not_mutated", sorts_units, "measure changed real.unit of the contrast it was given"),
    (
        "check_global_state_is_left_alone",
        touches(lambda: os.environ.update(TSGAP_TOUCHED="1")),
        "measure changes the environment (TSGAP_TOUCHED)",
    ),
    ("check_global_state_is_left_alone", touches(lambda: random.seed(0)), "the global generator of random"),
    ("check_global_state_is_left_alone", global_chance, "the global generator of numpy.random"),
]


def spec(measure: Any) -> DiagnosticSpec:
    return DiagnosticSpec("under-test", "Under test.", measure)


@pytest.mark.parametrize(("law", "what", "reason"), BROKEN, ids=[f"{b[0]}-{i}" for i, b in enumerate(BROKEN)])
def test_a_law_that_a_diagnostic_breaks_is_reported(law: str, what: Any, reason: str) -> None:
    (check,) = [check for check in diagnostic_checks(spec(what)) if check.name == law]
    found = result(check)
    assert found.status == "failed"
    assert reason in found.reason
    assert "\n" not in found.reason


def test_for_each_law_of_diagnostics_there_is_one_that_breaks_it() -> None:
    assert {law for law, _, _ in BROKEN} == {law.__name__ for law in DIAGNOSTIC_LAWS}


@pytest.mark.parametrize("what", [spec(honest), honest, spec(brings_its_reference), spec(expects_zero), "covering"])
def test_an_honest_diagnostic_keeps_every_law(what: Any) -> None:
    assert [(r.check, r.reason) for r in check_diagnostic(what) if r.status != "ok"] == []


def test_one_that_fails_on_hard_data_breaks_that_law_alone() -> None:
    found = check_diagnostic(divides_by_the_spread)
    assert [r.check for r in found if r.status != "ok"] == ["check_hard_data_are_measured_or_not_measurable"]


def test_hard_contrasts_are_what_they_are_called() -> None:
    made = {name: build() for name, build in HARD.items()}
    assert not np.ptp(made["constant synthetic series"].synthetic.windows)
    assert made["synthetic series that are the real ones"].paired
    assert made["a source of standardised windows of 24 values"].real.scaling == "standard"
    assert len(made["two real and three synthetic series"].all_real) == 2
    assert made["series without a season"].season == 1
    copied = made["copies of the real series under other names"]
    assert copied.all_synthetic.values.tolist() == copied.all_real.values.tolist()


def test_a_fair_draw_differs_in_nothing_but_chance() -> None:
    sides = [fair(seed) for seed in range(DRAWS)]
    levels = [[side.panel.values.mean() for side in (one.real, one.synthetic)] for one in sides]
    real, synthetic = np.array(levels).T
    error = np.sqrt((real.var(ddof=1) + synthetic.var(ddof=1)) / DRAWS)
    assert abs(real.mean() - synthetic.mean()) < 3 * error
    assert ordinary().known is not None


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("coverin", "did you mean 'covering'"),
        (1.0, "a diagnostic is a DiagnosticSpec, a function or the name or address of one, got 1.0"),
        (Contrast, "a diagnostic is a DiagnosticSpec"),
        (lambda contrast: contrast, r"its measure cannot be called with .contrast, \*, seed."),
        ("nosuch_module:measure", "there is no module 'nosuch_module'"),
    ],
)
def test_what_is_no_diagnostic_is_refused(what: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_diagnostic(what)
