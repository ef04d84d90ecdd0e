"""The verdicts of a gate for eyes and programs: text, JSON, Markdown, JUnit and a table, all from the same values."""

from __future__ import annotations

import html
import json
import math
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tsgap.evidence import span
from tsgap.findings import FAIL, INSUFFICIENT_DATA, PASS, Bin, Finding, OfGroup, Rules, Verdict
from tsgap.formats import aligned, html_text, one_line
from tsgap.sentences import interval, kept, leads, percent, reasons, sentence, share, signed

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    import pandas as pd

    from tsgap.verdicts import Gate

#: Version of the keys of `json_of`; keys may be added under the same version, none is renamed or removed.
SCHEMA = 1

_HEADS = ("forecaster", "leads", "gap %", "95 % interval", "at most", "shuffled", "skill kept", "")
_LEGEND = (
    "gap: how much larger errors are after training on synthetic than on real series, in %; at most: its upper bound. "
    "shuffled: the same for training on shuffled real series. skill kept: share of what real training gains over "
    "shuffled training, where that can be measured."
)
_FIGURES = ("gap", "low", "high", "upper", "lower", "proven", "half", "assay", "assay_low")


def frame_of(gate: Gate) -> pd.DataFrame:
    """One row for each bin of each forecaster of each verdict; forecasters without figures have one row."""
    import pandas as pd

    rows = []
    for verdict in gate.verdicts:
        for one in verdict.findings:
            head: dict[str, Any] = {"data": verdict.data, "source": verdict.source, "verdict": verdict.verdict}
            head |= {"forecaster": one.forecaster, "memory": one.memory, "gated": one.gated, "why": one.why}
            rows += [{**head, **_told(b)} for b in one.bins] or [{**head, "outcome": "not gated"}]
    names = ("data", "source", "verdict", "forecaster", "memory", "gated", "why", "first", "last", "outcome")
    return pd.DataFrame(rows, columns=[*names, *_FIGURES, "skill_kept", *_NEEDED])


_NEEDED = ("needed_series", "needed_blocks", "needed_replicates")


def _told(b: Bin) -> dict[str, Any]:
    figures = {name: getattr(b, name) for name in _FIGURES}
    needed = dict(zip(_NEEDED, (b.series, b.blocks, b.replicates), strict=True))
    return {"first": b.first, "last": b.last, "outcome": b.outcome, **figures, "skill_kept": 1 - b.rho, **needed}


def html_of(gate: Gate) -> str:
    """Sentences, and the bins as a table, for a notebook."""
    rows = [[*map(one_line, cells)] for verdict in gate.verdicts for cells in _table(verdict, everything=True)]
    said = "".join(f"<p>{html.escape(one_line(sentence(one)))}</p>" for one in gate.verdicts)
    import pandas as pd

    return said + html_text(pd.DataFrame(rows, columns=["data", "source", *_HEADS[:-1], "outcome"], dtype=object))


def text_of(gate: Gate) -> str:
    """The sentences, then bins and reasons of each verdict, then the next command."""
    lines = [*_overall(gate), *(sentence(one) for one in gate.verdicts)]
    for verdict in gate.verdicts:
        lines += ["", f"{verdict.data}, {verdict.source}: {verdict.label} ({_rests_on(gate, verdict)})"]
        rows = list(_table(verdict))
        if rows:
            lines += aligned([_HEADS, *rows])
        lines += [f"- {told}" for told in reasons(verdict)]
    lines += ["", _LEGEND, "", f"next: {next_command(gate)}"]
    return "\n".join(one_line(line) for line in lines) + "\n"


def _overall(gate: Gate) -> list[str]:
    """How the verdicts count together, where there are several."""
    if len(gate.verdicts) == 1:
        return []
    counts = Counter(one.verdict for one in gate.counted)
    told = ", ".join(f"{n} {name}" for name, n in counts.items())
    aside = "; the noise floor is shown and does not count" if len(gate.counted) < len(gate.verdicts) else ""
    return [f"{gate.verdict}, the worst of {_many(len(gate.counted), 'verdict')} ({told}){aside}"]


def _rests_on(gate: Gate, verdict: Verdict) -> str:
    rules = verdict.rules
    told = [f"{gate.metric}, {gate.on} gap, margin {share(rules.margin)}, {share(rules.retain)} of the skill to keep"]
    if verdict.counts is not None:
        c = verdict.counts
        told.append(f"{c.series} series, {_many(c.blocks, 'test period')}, {_many(c.replicates, 'replicate')}")
    return "; ".join(told)


def _many(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _table(verdict: Verdict, *, everything: bool = False) -> Iterator[list[str]]:
    """The cells of each bin; `everything` puts data and source before them and repeats the forecaster."""
    for one in verdict.findings:
        for i, b in enumerate(one.bins):
            name = one.forecaster if one.gated else f"{one.forecaster} ({one.why})"
            yield [
                *((verdict.data, verdict.source) if everything else ()),
                name if everything or not i else "",
                span((b.first, b.last)),
                *(signed(b.gap), interval(b.low, b.high), signed(b.upper), signed(b.assay), kept(b.rho)),
                _outcome(b, verdict.rules),
            ]


def _outcome(b: Bin, rules: Rules) -> str:
    lacks = ": skill kept?" if b.outcome == "undecided" and b.upper < rules.log_margin else ""
    return b.outcome + lacks + (", better than real" if b.better else "")


def next_command(gate: Gate) -> str:
    """The command that shows, or brings, what is missing next."""
    run = shlex.quote(gate.run or "RUN")
    worst = next(one for one in gate.counted if one.verdict == gate.verdict)
    only = f" --source {shlex.quote(worst.source)}" if len(gate.verdicts) > 1 else ""
    if worst.verdict == FAIL:
        return f"tsgap show {run} --gap --by lead{only}   (where it breaks)"
    if worst.damage:
        return _repair(worst, run)
    if worst.verdict == INSUFFICIENT_DATA:
        return "the same sweep with more --windows or shorter --horizons   (--dry-run says what they will tell)"
    if worst.verdict != PASS and any("shuffled arm" in told for told in worst.caps):
        return "the same sweep without --fast or --no-null   (without the shuffled arm there can be no PASS)"
    if worst.verdict != PASS:
        return f"tsgap show {run} --gap{only}   (how many series or test periods would settle)"
    if worst.checked is None:
        return "the same sweep with --selfcheck   (does the bench see what it claims to see on these data?)"
    return f"tsgap show {run}"


def _repair(verdict: Verdict, run: str) -> str:
    """The command for what forbids a PASS and is no lack of data; what weighs most comes first."""
    if any(one.startswith("LEAK: ") for one in verdict.damage):
        return (
            "tsgap split REAL --out train.parquet   (with the flags of the sweep: fit the generator on that part alone)"
        )
    if verdict.checked is False:
        return "tsgap selfcheck REAL   (what the bench does not see on these data)"
    if any("cannot be compared with the baseline" in one for one in verdict.damage):
        return "the sweep of the baseline again, with the real data, windows and horizons of this one"
    taught = min((max((b.last for b in one.bins if b.taught), default=0) for one in verdict.gated), default=0)
    if all(": NOT TAUGHT: " in one for one in verdict.damage) and taught:
        return f"tsgap gate {run} --horizons {taught}   (the leads that were taught; longer series would teach more)"
    if all(one.endswith(": missing") for one in verdict.damage):
        return "the same sweep again, or its other shards and tsgap merge   (they compute what is missing)"
    return f"tsgap show {run} --failures   (what failed; the same sweep with --retry failed tries it again)"


def json_of(gate: Gate, *, inconclusive: str = "fail") -> str:
    """Everything that was decided, and what from, as JSON; what is not known or not finite is null."""
    told = {
        "schema": SCHEMA,
        "verdict": gate.verdict,
        "exit_code": gate.exit_code(inconclusive),
        "inconclusive": inconclusive,
        "run": gate.run,
        "baseline": gate.baseline,
        "metric": gate.metric,
        "gate_on": gate.on,
        "versions": dict(gate.versions),
        "verdicts": [_verdict(one) for one in gate.verdicts],
    }
    return json.dumps(_finite(told), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _verdict(one: Verdict) -> dict[str, Any]:
    counts = one.counts
    return {
        "data": one.data,
        "source": one.source,
        "noise_floor": one.noise_floor,
        "verdict": one.verdict,
        "label": one.label,
        "sentence": sentence(one),
        "reasons": list(reasons(one)),
        "caps": list(one.caps),
        "damage": list(one.damage),
        "is_doubt": one.is_doubt,
        "equivalent": one.equivalent,
        "checked": one.checked,
        "fixed": one.fixed,
        "linear_only": one.linear_only,
        "overlapping": one.overlapping,
        "rules": {name: getattr(one.rules, name) for name in ("margin", "retain", "level")},
        "counts": None
        if counts is None
        else {name: getattr(counts, name) for name in ("series", "blocks", "replicates", "population")},
        "safe": one.safe,
        "breaks": one.breaks,
        "memory": None if one.memory is None else {"safe": one.memory.safe, "breaks": one.memory.breaks},
        "against_baseline": [asdict(at) for at in one.against_baseline],
        "worse_than_baseline": [asdict(at) for at in one.worse_than_baseline],
        "findings": [_finding(finding) for finding in one.findings],
        "combined": [_told(b) for b in one.combined],
        **({"groups": [asdict(of) for of in one.groups]} if one.groups else {}),
    }


def _finding(one: Finding) -> dict[str, Any]:
    names = ("forecaster", "memory", "gated", "why", "verdict", "safe", "breaks")
    return {**{name: getattr(one, name) for name in names}, "bins": [_told(b) for b in one.bins]}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_finite(held) for held in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def markdown_of(gate: Gate) -> str:
    """For a comment under a pull request: the sentences, then a folded table for each verdict."""
    lines = [f"## tsgap gate: {gate.verdict}", ""]
    lines += [f"- {_markdown(sentence(one))}" for one in gate.verdicts]
    for verdict in gate.verdicts:
        title = f"{verdict.data}, {verdict.source}: {verdict.label}"
        lines += ["", f"<details><summary>{html.escape(one_line(title))}</summary>", "", _rests_on(gate, verdict), ""]
        rows = list(_table(verdict))
        if rows:
            lines += [_row(_HEADS), "|---|" + "---:|" * (len(_HEADS) - 2) + "---|", *(map(_row, rows)), ""]
        lines += [*(f"- {_markdown(told)}" for told in reasons(verdict)), "", "</details>"]
    # a fence longer than any run of backticks within it cannot be closed from inside
    return "\n".join([*lines, "", "````text", one_line(next_command(gate)).replace("```", "'''"), "````", ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_markdown, cells))} |"


def _markdown(text: str) -> str:
    """Text in which no name is a link, a mention, an element or the end of a cell."""
    escaped = "".join(f"\\{c}" if c in r"\`*_[]|#~!" else c for c in one_line(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")


def junit_of(gate: Gate, *, inconclusive: str = "fail") -> str:
    """JUnit XML: a suite for each data set and source, with a case for the verdict, each gated bin and each group.

    The verdict is a failure where it is FAIL, an error where it is no PASS and counts as one, else skipped. A bin is a
    failure where it is broken, and skipped where it is not safe: it is the verdict that says what follows from that.
    A verdict that does not count, and its bins, are skipped where they are not PASS.
    """
    from xml.etree import ElementTree as xml

    suites = xml.Element("testsuites", name="tsgap gate")
    for verdict in gate.verdicts:
        place = one_line(f"{verdict.data}.{verdict.source}")
        cases = [xml.Element("testcase", classname=place, name="verdict", time="0")]
        told = {"message": one_line(sentence(verdict)), "type": verdict.verdict}
        counts = verdict in gate.counted
        if verdict.verdict != PASS:
            forgiven = not counts or (inconclusive == "warn" and verdict.is_doubt)
            kind = "failure" if verdict.verdict == FAIL and counts else "skipped" if forgiven else "error"
            xml.SubElement(cases[0], kind, told).text = _details(gate, verdict)
        for one in verdict.gated:
            cases += [_case(place, f"{one.forecaster}, {leads(b.first, b.last)}", b, counts) for b in one.bins]
        cases += [_case(place, f"{of.grouping} {of.group!r}, {of.forecaster}", of, counts) for of in verdict.groups]
        sums = {
            name: str(sum(case.find(kind) is not None for case in cases))
            for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
        }
        suite = xml.SubElement(suites, "testsuite", {"name": place, "tests": str(len(cases)), **sums, "time": "0"})
        suite.extend(cases)
    for name in ("tests", "failures", "errors", "skipped"):
        suites.set(name, str(sum(int(suite.get(name, 0)) for suite in suites)))
    xml.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(suites, encoding="unicode") + "\n"


def _case(place: str, name: str, one: Bin | OfGroup, counts: bool) -> Element:
    """A bin or a group as a case, which has failed where it is broken and the verdict counts."""
    from xml.etree import ElementTree as xml

    case = xml.Element("testcase", classname=place, name=one_line(name), time="0")
    if one.outcome != "safe":
        why = f"{one.outcome}: {_said(one)}"
        kind = "failure" if one.outcome == "broken" and counts else "skipped"
        xml.SubElement(case, kind, {"message": one_line(why), "type": one.outcome})
    return case


def _said(one: Bin | OfGroup) -> str:
    """The gap with its interval, or why there is none."""
    if math.isnan(one.gap):
        return one.why if isinstance(one, OfGroup) else "no figure"
    return f"gap {percent(one.gap)}, from {percent(one.low)} to {percent(one.high)}"


def _details(gate: Gate, verdict: Verdict) -> str:
    return "\n".join(one_line(line) for line in [_rests_on(gate, verdict), *reasons(verdict)])
