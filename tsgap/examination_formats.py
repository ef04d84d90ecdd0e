"""What diagnostics found, for eyes and programs: text, Markdown, HTML, JSON and frames, all from the same values."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

from tsgap.formats import aligned, html_text, one_line

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.diagnostics import Figure, Sample
    from tsgap.examination import Examination, Found

#: Version of the keys of `json_of`; keys may be added under the same version, none is renamed or removed.
SCHEMA = 1
#: Worst samples of a diagnostic, and figures of which it says the same, that a text names if it is not to show all.
_SHOWN = 3

_LEGEND = (
    "value: the figure for real against synthetic series, with its 95 % interval by unit; real-real: the same figure "
    "for real against held-back real series, the noise floor; p: of a permutation of units. A unit is a series, or a "
    "stretch of one where series are few. WARN: proven to differ, and by enough to matter; each diagnostic may warn of "
    "5 % of fair draws by chance. Diagnostics explain; only the gap and the leak check decide a verdict."
)
_REST = (
    "--all, in Python to_text(every=True), prints every figure and sample, and what each diagnostic looked at; JSON, "
    "CSV and to_frame() have every figure in any case."
)
_FIGURES = ("data", "source", "diagnostic", "figure", "value", "low", "high", "reference", "ratio", "p", "flag")
_SAMPLES = ("data", "source", "diagnostic", "series", "start", "length", "score", "reason")


def frame_of(found: Sequence[Examination]) -> pd.DataFrame:
    """One row for each figure; a diagnostic that failed, and a source that could not be compared, is a row too."""
    import pandas as pd

    rows = []
    for one in found:
        head = {"data": one.data, "source": one.source}
        if one.why:
            rows.append({**head, "flag": "not measurable", "advice": one.why})
        for told in one.found:
            if told.failed:
                rows.append({**head, "diagnostic": told.diagnostic, "flag": "failed", "advice": told.failed})
            rows += [{**head, "diagnostic": told.diagnostic, **_row(figure)} for figure in told.figures]
    return pd.DataFrame(rows, columns=[*_FIGURES, "advice", "detail"])


def _row(figure: Figure) -> dict[str, Any]:
    told = {name: getattr(figure, name) for name in ("value", "low", "high", "reference", "p", "flag")}
    return {**told, "figure": figure.name, "ratio": _ratio(figure), "advice": figure.advice, "detail": figure.detail}


def _ratio(figure: Figure) -> float:
    """The value over that of the noise floor; NaN where one of them says nothing as a ratio."""
    return figure.value / figure.reference if figure.value >= 0 and figure.reference > 0 else float("nan")


def samples_of(found: Sequence[Examination]) -> pd.DataFrame:
    """One row for each sample that stands out, worst first within its diagnostic."""
    import pandas as pd

    rows = [
        (one.data, one.source, told.diagnostic, worst.key, worst.start, worst.length, worst.score, worst.reason)
        for one in found
        for told in one.found
        for worst in told.worst
    ]
    return pd.DataFrame(rows, columns=list(_SAMPLES))


def sentence(one: Examination) -> str:
    """What the diagnostics say of one source, in a sentence."""
    where = f"{one.data}, {one.source}"
    leaked = " Test data are among the synthetic series: no verdict on them can be a PASS." if one.leaks else ""
    if one.why:
        return f"{where}: cannot be compared: {one.why}.{leaked}"
    figures = [figure for told in one.found for figure in told.figures]
    measured = [figure for figure in figures if figure.flag != "not measurable"]
    said = f"{len(one.warnings)} of {len(measured)} figures are proven to differ from what real series show"
    if not measured:
        said = "no figure could be measured"
    if one.warnings:
        said += f" ({', '.join(dict.fromkeys(diagnostic for diagnostic, _ in one.warnings))})"
        said += f"; the proof is about {one.caution}" if one.caution else ""
    if measured and (more := len(figures) - len(measured)):
        said += f"; {more} could not be measured"
    if one.failed:
        said += f"; {', '.join(told.diagnostic for told in one.failed)} failed"
    return f"{where}: {said}.{leaked}"


def text_of(found: Sequence[Examination], notes: Sequence[str] = (), *, every: bool = False) -> str:
    """The sentences of all sources, then of each what to do, the figures and the worst samples.

    Shown are the headline of each diagnostic and what is warned of, and all else with `every`.
    """
    lines = [sentence(one) for one in found]
    blocks = [list(_block(one, every)) for one in found]
    for one, block in zip(found, blocks, strict=True):
        lines += ["", f"{one.data}, {one.source}", *block]
    lines += ["", "Notes", *(f"- {note}" for note in notes)] if notes else []
    if not every and blocks != [list(_block(one, True)) for one in found]:
        lines += ["", _REST]
    lines += ["", _LEGEND] if any(one.found for one in found) else []
    return "\n".join(one_line(line) for line in lines) + "\n"


def _block(one: Examination, every: bool) -> Iterator[str]:
    """What is warned of and what to do about it, then figures, then the samples and what was looked at."""
    yield from (f"LEAK: {told}" for told in one.leaks)
    if one.why:
        yield f"cannot be compared: {one.why}"
    yield from (f"- {told.diagnostic} failed: {told.failed}" for told in one.failed)
    for told in one.found:
        yield from _reasons(told, "warn", every)
    table = list(_table(one.found, every))
    if len(table) > 1:
        yield ""
        yield from aligned(table, left=2)
    if rest := _rest(one, every):
        yield from ("", f"{rest} (--all)")
    unknown = (line for told in one.found for line in _reasons(told, "not measurable", every))
    yield from _headed("Not measurable", unknown)
    yield from _headed("Samples that stand out most", (line for told in one.found for line in _samples(told, every)))
    notes = ((told, note) for told in one.found for note in (*(told.notes if every else ()), *told.cautions))
    said = (f"- {told.diagnostic}: {note}" for told, note in notes)
    yield from _headed("What was compared", (*said, *(f"- {note}" for note in one.notes)))


def _shown(told: Found, every: bool) -> list[Figure]:
    """The figures that are shown: the headline and what is warned of, or every one."""
    return [one for at, one in enumerate(told.figures) if every or not at or one.flag == "warn"]


def _rest(one: Examination, every: bool) -> str:
    """How many figures are not shown because there is nothing to be seen; "" where there are none."""
    n = 0 if every else sum(figure.flag == "" for told in one.found for figure in told.figures[1:])
    return f"{n} more figure{'s are' if n > 1 else ' is'} not proven to differ from what real series show" if n else ""


def _headed(head: str, lines: Iterable[str]) -> Iterator[str]:
    """Lines under a head, nothing where there are none."""
    every = list(lines)
    if every:
        yield from ("", head, *every)


def _reasons(told: Found, flag: str, every: bool) -> Iterator[str]:
    """What a diagnostic says of its figures with this flag, once for those of which it says the same."""
    why: dict[str, list[Figure]] = {}
    for figure in told.figures:
        if figure.flag == flag:
            why.setdefault(figure.advice, []).append(figure)
    for said, ones in why.items():
        named = ones if every else ones[:_SHOWN]
        by_detail: dict[str, list[str]] = {}
        for figure in named:
            detail = "" if figure.detail in said else f" ({figure.detail})"
            by_detail.setdefault(detail, []).append(figure.name)
        many = "; ".join(f"{'; '.join(names)}{detail}" for detail, names in by_detail.items())
        many += f"; and {len(ones) - len(named)} more" if len(ones) > len(named) else ""
        yield f"- {told.diagnostic}: {many}: {said}".removesuffix(": ")


def _samples(told: Found, every: bool) -> Iterator[str]:
    shown = told.worst if every else told.worst[:_SHOWN]
    for worst in shown:
        yield f"- {told.diagnostic}: {_stretch(worst)}: {worst.reason}"
    if more := len(told.worst) - len(shown):
        yield f"- {told.diagnostic}: {more} more sample{'s' if more > 1 else ''} (--all)"


def _stretch(worst: Sample) -> str:
    last = worst.start + worst.length - 1
    steps = f"step {last}" if worst.length == 1 else f"steps {worst.start} to {last}"
    return f"series {worst.key!r}, {steps}"


def _table(found: Sequence[Found], every: bool) -> Iterator[list[str]]:
    yield ["diagnostic", "figure", "value", "95 %", "real-real", "p", ""]
    for told in found:
        for figure in _shown(told, every):
            interval = (
                "" if isnan(figure.low) or isnan(figure.high) else f"{_number(figure.low)} to {_number(figure.high)}"
            )
            flag = {"warn": "WARN", "not measurable": "not measurable"}.get(figure.flag, "")
            yield [
                told.diagnostic,
                figure.name,
                _number(figure.value),
                interval,
                _number(figure.reference),
                "" if isnan(figure.p) else "<.001" if figure.p < 0.001 else f"{figure.p:.3f}",
                flag,
            ]


def _number(value: float) -> str:
    return "-" if isnan(value) else f"{value + 0.0:.3g}" if isfinite(value) else str(value)


def markdown_of(found: Sequence[Examination], notes: Sequence[str] = (), *, every: bool = False) -> str:
    """For a comment under a pull request: the sentences, then the text folded."""
    text = text_of(found, notes, every=every).replace("```", "'''")
    said = (f"- {html.escape(one_line(sentence(one)), quote=False)}" for one in found)
    lines = ["## tsgap diagnose", "", *said, ""]
    lines += ["<details><summary>tables</summary>", "", "````text", text.rstrip("\n"), "````", "", "</details>", ""]
    return "\n".join(lines)


def html_of(found: Sequence[Examination]) -> str:
    """Sentences and the figures that `text_of` shows, for a notebook."""
    import pandas as pd

    said = ""
    for one in found:
        said += f"<p>{html.escape(one_line(sentence(one)))}</p>"
        head, *rows = (list(map(one_line, row)) for row in _table(one.found, False))
        if rows:
            said += html_text(pd.DataFrame(rows, columns=head, dtype=object), title=f"{one.data}, {one.source}")
        if rest := _rest(one, False):
            said += f"<p>{rest}: to_frame() has every figure</p>"
    return said


def json_of(found: Sequence[Examination], notes: Sequence[str] = ()) -> str:
    """Everything as JSON; what is not known is null, what is infinite a text."""
    told = {"schema": SCHEMA, "notes": [*notes], "sources": [{"sentence": sentence(one), **one.told} for one in found]}
    return json.dumps(told, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
