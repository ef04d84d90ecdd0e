"""The laws that every diagnostic keeps; each is a function that says what it found or raises `BrokenLaw`."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from math import isfinite, isnan

import numpy as np

from tsgap.diagnostics import Contrast, Diagnosed, Figure
from tsgap.errors import ContractError
from tsgap.examination import checked
from tsgap.panel import Panel
from tsgap.protocols import DiagnosticSpec
from tsgap.testing.contrasts import HARD, fair, ordinary
from tsgap.testing.subject import BrokenLaw, GlobalState, as_before, content

#: Fair second draws, and how many of them may be warned of; where five in a hundred are, more hardly ever happen.
DRAWS, WARNED = 12, 3


class DiagnosticSubject:
    """A diagnostic under test, and the state of the process before any of its code ran."""

    def __init__(self, spec: DiagnosticSpec) -> None:
        self.spec = spec
        self.untouched = GlobalState()
        self._contrasts: dict[str, Contrast] = {}
        self._found: dict[tuple[str, bool], Diagnosed] = {}

    def measured(self, contrast: Contrast, *, seed: int = 0) -> Diagnosed:
        """What the diagnostic says of a contrast, in the form that was promised."""
        try:
            return checked(self.spec.measure(contrast, seed=seed))
        except ContractError as err:
            raise BrokenLaw(str(err)) from err

    def contrast(self, case: str = "") -> Contrast:
        """An ordinary contrast, or a hard one, shared by the laws."""
        if case not in self._contrasts:
            self._contrasts[case] = HARD[case]() if case else ordinary()
        return self._contrasts[case]

    def found(self, case: str = "", *, floor: bool = False) -> Diagnosed:
        """What it says of a contrast, or of its floor, shared by the laws."""
        if (case, floor) not in self._found:
            contrast = self.contrast(case)
            self._found[case, floor] = self.measured(contrast.floor if floor else contrast)
        return self._found[case, floor]

    @property
    def measurable(self) -> Iterator[str]:
        """The cases of which it says something; on which others it fails is a law of its own."""
        yield ""
        for case in HARD:
            with contextlib.suppress(Exception):
                self.found(case), self.found(case, floor=True)
                yield case

    @property
    def everything(self) -> Iterator[tuple[str, Contrast, Diagnosed]]:
        """Every contrast and floor of these cases: in words, itself, and what the diagnostic says of it."""
        for case in self.measurable:
            contrast, words = self.contrast(case), case or "ordinary series"
            yield words, contrast, self.found(case)
            yield f"the floor of {words}", contrast.floor, self.found(case, floor=True)


def check_it_measures_ordinary_series(subject: DiagnosticSubject) -> str:
    """Of ordinary series it returns a `Diagnosed` with a figure that has a value, and of their floor a `Diagnosed`."""
    figures = subject.found().figures
    subject.found(floor=True)
    if all(isnan(figure.value) for figure in figures):
        why = f"; {figures[0].name!r}: {figures[0].advice}" if figures else ""
        raise BrokenLaw(f"of ordinary series not one of {len(figures)} figures has a value{why}")
    return f"{len(figures)} figures"


def check_every_figure_has_a_reference(subject: DiagnosticSubject) -> str:
    """A figure that is measured has one of the same name for the floor, unless it brings its own reference."""
    for case in subject.measurable:
        names = {figure.name for figure in subject.found(case, floor=True).figures}
        for figure in subject.found(case).figures:
            if not isnan(figure.value) and isnan(figure.reference) and figure.name not in names:
                raise BrokenLaw(
                    f"{case or 'ordinary series'}: the figure {figure.name!r} has no noise floor, as measuring "
                    f"contrast.floor gives {_listed(names)}; use the same names for both, or set the reference"
                )
    return "all of them"


def check_same_seed_same_figures(subject: DiagnosticSubject) -> str:
    """Equal contrasts and seeds give equal figures, samples and notes, whatever ran before and global generators do."""
    first = subject.found()
    subject.found(floor=True)
    with as_before(subject.untouched):
        random.seed(123)
        np.random.seed(123)  # noqa: NPY002 - to see whether a plugin uses it
        again = subject.measured(ordinary())
    if repr(again) == repr(first):
        return "bit for bit"
    pairs = [(a, b) for a, b in zip(first.figures, again.figures, strict=False) if repr(a) != repr(b)]
    what = f"first {_told(pairs[0][0])} and {_told(pairs[0][1])}" if pairs else "its samples, notes or their number"
    raise BrokenLaw(f"the same contrast and seed give something else, {what}; draw all chance from `seed`")


def check_figures_are_numbers_or_say_why_not(subject: DiagnosticSubject) -> str:
    """A value is finite and within its interval, p within 0 and 1; what is not measurable, or warns, says more."""
    count = 0
    for where, _, found in subject.everything:
        for figure in found.figures:
            if fault := _fault(figure):
                raise BrokenLaw(f"{where}: {_told(figure)} {fault}")
            count += 1
    return f"{count} figures"


def check_samples_lie_in_the_synthetic_series(subject: DiagnosticSubject) -> str:
    """A sample that stands out names a synthetic series, a stretch within it, a finite score and a reason."""
    count = 0
    for where, contrast, found in subject.everything:
        sizes: dict[str, int] = {}
        for panel in (contrast.synthetic.panel, contrast.all_synthetic):
            sizes |= dict(zip(panel.keys, panel.lengths.tolist(), strict=True))
        for sample in found.worst:
            size = sizes.get(sample.key)
            if size is None:
                raise BrokenLaw(f"{where}: a sample is of {sample.key!r}, which is no synthetic series")
            if not 0 <= sample.start < sample.start + sample.length <= size:
                raise BrokenLaw(
                    f"{where}: a sample is {sample.length} values from step {sample.start} on, but {sample.key!r} has "
                    f"{size} values"
                )
            if not isfinite(sample.score) or not sample.reason.strip():
                raise BrokenLaw(f"{where}: a sample of {sample.key!r} has the score {sample.score}, {sample.reason!r}")
            count += 1
    return f"{count} samples"


def check_hard_data_are_measured_or_not_measurable(subject: DiagnosticSubject) -> str:
    """Constant, equal, few, short or standardised series make it say "not measurable" at most, and never raise."""
    for case in HARD:
        for floor in (False, True):
            where = f"the floor of {case}" if floor else case
            try:
                subject.found(case, floor=floor)
            except BrokenLaw as err:
                raise BrokenLaw(f"{where}: {err}") from err
            except Exception as err:
                raise BrokenLaw(
                    f"{where}: it raises {type(err).__name__}: {err}; give tsgap.Figure.unknown(name, why) instead"
                ) from err
    return f"{len(HARD)} contrasts and their floors"


def check_a_fair_second_draw_is_seldom_warned_of(subject: DiagnosticSubject) -> str:
    """Of 12 fair second draws, whose series differ much from each other, at most 3 have a warning."""
    warned = []
    for seed in range(DRAWS):
        names = [figure.name for figure in subject.measured(fair(seed)).figures if figure.flag == "warn"]
        warned += [names] if names else []
    if len(warned) > WARNED:
        raise BrokenLaw(
            f"{len(warned)} of {DRAWS} fair second draws are warned of, first by {_listed(warned[0])}; windows of one "
            "unit are alike: permute and split units, and divide the level by the number of figures"
        )
    return f"{len(warned)} of {DRAWS} are warned of"


def check_inputs_are_not_mutated(subject: DiagnosticSubject) -> str:
    """Measuring changes neither panels nor windows nor features of the contrast."""
    contrast = ordinary()
    before = _bytes(contrast)
    for given in (contrast, contrast.floor):
        subject.measured(given)
        changed = [name for name, now in _bytes(contrast).items() if now != before[name]]
        if changed:
            raise BrokenLaw(f"measure changed {changed[0]} of the contrast it was given; copy what you want to change")
    return "bytes equal"


def check_global_state_is_left_alone(subject: DiagnosticSubject) -> str:
    """Measuring leaves random generators, warning filters, directory and environment as they were."""
    subject.found()
    with as_before(subject.untouched) as changes:
        subject.measured(ordinary())
        found = changes()
    if found:
        raise BrokenLaw(f"measure changes {' and '.join(found)}; put it back, or do without")
    return "as it was"


DIAGNOSTIC_LAWS: tuple[Callable[[DiagnosticSubject], str], ...] = (
    check_it_measures_ordinary_series,
    check_every_figure_has_a_reference,
    check_same_seed_same_figures,
    check_figures_are_numbers_or_say_why_not,
    check_samples_lie_in_the_synthetic_series,
    check_hard_data_are_measured_or_not_measurable,
    check_a_fair_second_draw_is_seldom_warned_of,
    check_inputs_are_not_mutated,
    check_global_state_is_left_alone,
)


def _fault(figure: Figure) -> str:
    """What is wrong with the numbers of a figure, or nothing."""
    for name in ("value", "low", "high", "reference"):
        if np.isinf(getattr(figure, name)):
            return f"has an infinite {name}; a figure that cannot be told is not measurable"
    if figure.flag and not figure.advice.strip():
        return f"is {figure.flag!r} without a word of advice"
    if isnan(figure.low) != isnan(figure.high):
        return f"has an interval of one end, {figure.low:g} to {figure.high:g}"
    if figure.low > figure.value or figure.high < figure.value:
        return f"is not within its interval, {figure.low:.6g} to {figure.high:.6g}"
    return ""


def _told(figure: Figure) -> str:
    return f"{figure.name!r} = {figure.value:.6g}"


def _listed(names: list[str] | set[str]) -> str:
    return ", ".join(map(repr, sorted(names)[:3])) or "no figure"


def _bytes(contrast: Contrast) -> dict[str, bytes]:
    """All that a diagnostic could change, read anew."""
    panels: dict[str, Panel] = {"all_real": contrast.all_real, "all_synthetic": contrast.all_synthetic}
    found = {}
    for name in ("real", "synthetic", "held_back"):
        side = getattr(contrast, name)
        panels[f"{name}.panel"] = side.panel
        for part in ("unit", "begins", "windows", "features"):
            found[f"{name}.{part}"] = getattr(side, part).tobytes()
    if contrast.known is not None:
        panels |= {f"known.{name}": getattr(contrast.known, name) for name in ("members", "outsiders", "synthetic")}
    found["features"] = b"".join(part.tobytes() for part in contrast.features)
    return found | {name: content(panel) for name, panel in panels.items()}
