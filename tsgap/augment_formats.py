"""What adding synthetic data does, for eyes and programs: text, Markdown, HTML and JSON, all from the same values."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tsgap.augment_tables import events_of, figures, frame_of, responses_of, room_of
from tsgap.augment_words import (
    nothing_by_size,
    optimal_order,
    place_of,
    plain,
    priced,
    remarks,
    sentence,
    span,
    told_of_events,
    worth,
)
from tsgap.decomposition import HEADLINE
from tsgap.formats import aligned, html_text, one_line, records
from tsgap.ordering import DUPLICATED, Ordered
from tsgap.ranking import AUPRC, AUROC, BEST_BALANCED, BEST_F1, F1, ORDERINGS
from tsgap.sentences import leads, signed

if TYPE_CHECKING:
    from tsgap.augmentation import Augmentation
    from tsgap.gap import Estimate

#: Version of the keys of `json_of`; keys may be added under the same version, none is renamed or removed.
SCHEMA = 1

_LEGEND = (
    "Change of the error in %, below 0 is better, with 95 % intervals; (-) where too few series or test periods reach "
    "these leads for one. At λ = 1, as many synthetic as real pairs: "
    "total = size (what as many further real pairs would give) + re-weighting (what real pairs give that are weighted "
    "like the synthetic ones) + shortfall (what the synthetic ones lack). Worth: so many further real pairs change the "
    "error as much; 'fewer': as bad as so many real pairs fewer; 'unbounded': more than any number of them would."
)
_ROOM_LEGEND = (
    "half, double: what half or twice as many pairs like these change the error, in % with 95 % intervals. R²: share "
    "of the errors that can be foretold from what was known when they were made."
)
_EVENT_LEGEND = (
    "AUROC and AUPRC look at the order of scores; F1 at the call that the event itself sets, 'best' ones at the call "
    "that was best on inner origins. 95 % intervals. λ = 1."
)
_CALLS = (F1, BEST_F1, BEST_BALANCED)
_HEADS = {AUROC: "AUROC", AUPRC: "AUPRC", F1: "F1", BEST_F1: "best F1", BEST_BALANCED: "best balanced accuracy"}


def text_of(found: Sequence[Augmentation], notes: Sequence[str] = ()) -> str:
    """The sentences of all sources, then the tables of each, its remarks and its events, and notes on all."""
    own = [one for one in found if not one.cheap]
    lines = [line for one in own for line in _answers(one, found)]
    for one in own:
        if not one.why:
            lines += ["", f"{place_of(one)}", *_block(one)]
    lines += _cheap(found)
    lines += ["", "Notes", *(f"- {note}" for note in notes)] if notes else []
    measured = [one for one in own if not one.why]
    lines += ["", _LEGEND if any(one.source for one in measured) else _ROOM_LEGEND] if measured else []
    lines += [_EVENT_LEGEND] if any(place.figures for one in measured for place in one.events) else []
    return "\n".join(one_line(line) for line in lines) + "\n"


def _answers(one: Augmentation, found: Sequence[Augmentation]) -> Iterator[str]:
    """The verdict in a sentence, and that on events in another where they were asked for."""
    yield sentence(one, found)
    if one.events:
        last = one.events[-1]
        yield f"{place_of(one)}: {_where(one, last)}: {told_of_events(last)}"


def _block(one: Augmentation) -> Iterator[str]:
    """The tables of one source and forecaster, and what they rest on."""
    if not one.source:
        yield from aligned(list(_room(one)))
    else:
        yield from aligned(list(_parts(one)))
        yield ""
        yield f"by λ, {leads(*one.places[-1])}, on the test: shown, never used to choose"
        yield from aligned(list(_responses(one)))
    for i, place in enumerate(one.events):
        if place.figures or not i:
            yield ""
        yield f"{_where(one, place)}: {told_of_events(place)}"
        if place.figures:
            for scores in (ORDERINGS, _CALLS):
                yield from aligned(list(_arms(place, scores, again=not nothing_by_size(one))))
        if told := _order(place):
            yield told
        if told := optimal_order(place):
            yield told
    yield from (f"- {told}" for told in remarks(one))


def _where(one: Augmentation, place: Ordered) -> str:
    """An event and where it is looked for."""
    return one.event if " within " in one.event else f"{one.event}, {leads(place.first, place.last)}"


def _parts(one: Augmentation) -> Iterator[list[str]]:
    """λ = 1 taken apart, place by place."""
    yield ["leads", "total %", "= size %", "+ re-weighting %", "+ shortfall %", "verdict"]
    told = one.parts
    for at, place in enumerate(one.places):
        cells = [_cell(of, at) for of in (told.total, told.size, told.reweight, told.shortfall)]
        yield [_leads(place), *cells, one.diagnoses[at].state]


def _responses(one: Augmentation) -> Iterator[list[str]]:
    """The response to every share, over all leads."""
    again = not nothing_by_size(one)
    yield ["λ", "change %", *(["against duplicates %"] * again), "inner origins %", "worth in real pairs", ""]
    sure = priced(one)
    for response in one.responses:
        share = response.gain.share
        value, low, high = (
            worth(float(of[-1]), priced=sure) for of in (response.worth, response.worth_low, response.worth_high)
        )
        yield [
            f"{share:g}",
            _cell(response.gain.real, -1),
            *([_cell(response.gain.duplicates, -1)] * again),
            signed(one.choice.inner.get(share, math.nan)),
            value if low == high else f"{value} ({low} to {high})",
            "chosen" if share == one.choice.share else "",
        ]


def _room(one: Augmentation) -> Iterator[list[str]]:
    """What the real series alone say, place by place."""
    yield ["leads", "half %", "double %", "R²", "verdict"]
    seen, double = one.grounds, one.losses.by_repeats(one.losses.curve.change(2.0))
    for at, place in enumerate(one.places):
        told = figures("r", seen.predictability, at)
        # what rounds to zero from below is no negative zero
        value, low, high = (round(-math.expm1(told[name]), 3) + 0.0 for name in ("r", "r_high", "r_low"))
        r2 = "-" if math.isnan(value) else f"{value:.3f} ({low:.3f} to {high:.3f})" if low > -99 else f"{value:.3f} (-)"
        yield [_leads(place), _cell(seen.half, at), _cell(double, at), r2, one.diagnoses[at].state]


def _cheap(found: Sequence[Augmentation]) -> Iterator[str]:
    """Simple augmentations of the real series, each at the share that inner origins chose, by data set."""
    # a forecaster that is refused with every source is refused in the first lines already
    told = {(one.data, one.forecaster, one.why) for one in found if one.why and not one.cheap}
    shown = [one for one in found if one.cheap and (one.data, one.forecaster, one.why) not in told]
    for data in dict.fromkeys(one.data for one in shown):
        rows = [["forecaster", "augmentation", "λ", "inner origins %", "change on the test %", ""]]
        for one in shown:
            if one.data == data:
                share = math.nan if one.why else one.choice.share
                figure = "-" if math.isnan(share) else f"{share:g}"
                inner = "-" if math.isnan(share) else signed(one.choice.inner.get(share, math.nan))
                test = "-" if one.why else _cell(one.gain.real, -1)
                why = one.why or one.choice.reason or ""
                rows.append([one.forecaster, plain(one.source), figure, inner, test, why])
        yield ""
        yield f"{data}: simple augmentations of the real series, each at the λ that inner origins chose, all leads"
        yield from aligned(rows, left=2)


def _arms(place: Ordered, names: Sequence[str], *, again: bool) -> Iterator[list[str]]:
    """How well each arm orders and calls events, then the changes; those of duplicates where they are any (`again`)."""
    yield ["arm", *(_HEADS[name] for name in names), ""]
    for arm, scores in place.figures.items():
        if again or arm != DUPLICATED:
            yield [arm, *(_score(scores.get(name)) for name in names), ""]
    for other, scores in place.changes.items():
        if again or other != DUPLICATED:
            yield [f"augmented - {other}", *(_score(scores.get(name), signed=True) for name in names), ""]


def _order(place: Ordered) -> str:
    """The parts of the change of the AUROC."""
    if "total" not in place.parts:
        return ""
    names = {"total": "total", "size": "size", "reweight": "re-weighting", "shortfall": "shortfall"}
    told = [f"{words} {_score(place.parts.get(name), signed=True)}" for name, words in names.items()]
    return f"AUROC: {told[0]} = {' + '.join(told[1:])}"


def _score(found: Estimate | None, *, signed: bool = False) -> str:
    if found is None or not np.isfinite(found.value[0]):
        return "-"
    told = figures("s", found, 0)
    value, low, high = (round(told[name], 3) + 0.0 for name in ("s", "s_low", "s_high"))  # + 0.0: no negative zero
    sign = "+" if signed else ""
    if not math.isfinite(low):
        return f"{value:{sign}.3f}"
    if not signed:
        low, high = max(low, 0.0), min(high, 1.0)
    return f"{value:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def _cell(found: Estimate, at: int) -> str:
    """A ln ratio in signed per cent with its interval."""
    if not np.isfinite(found.value[at]):
        return signed(float(found.value[at]))
    return f"{signed(found.value[at])} ({span(found, at)})"


def _leads(place: tuple[int, int]) -> str:
    return f"{place[0]}" if place[0] == place[1] else f"{place[0]}-{place[1]}"


def markdown_of(found: Sequence[Augmentation], notes: Sequence[str] = ()) -> str:
    """For a comment under a pull request: the sentences, then the tables folded."""
    own = [one for one in found if not one.cheap]
    lines = ["## tsgap augment", "", *(f"- {_markdown(line)}" for one in own for line in _answers(one, found)), ""]
    # a fence longer than any run of backticks within it cannot be closed from inside
    text = text_of(found, notes).replace("```", "'''")
    lines += ["<details><summary>tables</summary>", "", "````text", text.rstrip("\n"), "````", "", "</details>", ""]
    return "\n".join(lines)


def html_of(found: Sequence[Augmentation]) -> str:
    """Sentences, and the tables, for a notebook."""
    own = [one for one in found if not one.cheap]
    said = "".join(f"<p>{html.escape(one_line(line))}</p>" for one in own for line in _answers(one, found))
    for one in own:
        if one.why:
            continue
        for table in (_parts, _responses) if one.source else (_room,):
            said += _html_table(table(one), place_of(one))
        for place in one.events:
            where = f"{place_of(one)}, {_where(one, place)}: {told_of_events(place)}"
            arms = _arms(place, (*ORDERINGS, *_CALLS), again=not nothing_by_size(one))
            said += _html_table(arms, where) if place.figures else f"<p>{html.escape(one_line(where))}</p>"
    return said


def _html_table(rows: Iterator[list[str]], title: str) -> str:
    import pandas as pd

    head, *rest = (list(map(one_line, cells)) for cells in rows)
    return html_text(pd.DataFrame(rest, columns=head, dtype=object), title=title)


def json_of(found: Sequence[Augmentation], metric: str, run: str, notes: Sequence[str] = ()) -> str:
    """Everything that was found, and what from, as JSON; what is not known or not finite is null."""
    saturation = all(not one.source for one in found)
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "run": run,
        "metric": metric,
        "headline_share": HEADLINE,
        "notes": [*notes],
    }
    told["findings"] = [
        {
            **{name: getattr(one, name) for name in ("data", "source", "cheap", "forecaster", "why")},
            "sentence": sentence(one, found),
            "remarks": list(remarks(one)),
        }
        for one in found
    ]
    tables = {"room": room_of(found)} if saturation else {"places": frame_of(found), "responses": responses_of(found)}
    told |= {name: records(frame) for name, frame in (tables | {"events": events_of(found)}).items()}
    return json.dumps(told, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _markdown(text: str) -> str:
    """Text in which no name is a link, a mention, an element or the end of a cell."""
    escaped = "".join(f"\\{c}" if c in r"\`*_[]|#~!" else c for c in one_line(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
