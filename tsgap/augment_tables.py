"""What adding synthetic data does, as tables: verdict and parts by lead, the response to every share, events, room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tsgap.augment_diagnosis import NOT_MEASURABLE, Grounds
from tsgap.augment_words import NO_TELLING, RECOMMENDED, priced, worth
from tsgap.decomposition import LEVEL
from tsgap.ordering import Ordered
from tsgap.ranking import CALLS, ORDERINGS
from tsgap.rivals import rival

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.augmentation import Augmentation
    from tsgap.decomposition import Response
    from tsgap.gap import Estimate

#: Parts of the effect of as many synthetic as real pairs.
PARTS = ("total", "size", "reweight", "shortfall", "duplicates")


def _columns(*names: str) -> tuple[str, ...]:
    return tuple(name + end for name in names for end in ("", "_low", "_high"))


_HEAD = ("data", "source", "cheap", "forecaster", "metric")
COLUMNS = (
    *(*_HEAD, "first", "last", "verdict", "reason", "effect", "share"),
    *_columns("gain", "gain_duplicates", *PARTS, "half", "predictability"),
    *("worth", "worth_low", "worth_high", "rival", "rival_share", "rival_outcome"),
    *_columns("against_rival"),
    *("pairs", "synthetic_pairs", "effective", "series", "blocks", "replicates", "saw_inner", "uneven", "status"),
)
RESPONSES = (
    *(*_HEAD, "share", "chosen", "first", "last"),
    *_columns("change", "change_duplicates", "size"),
    *("inner", "worth", "worth_low", "worth_high", "worth_told"),
)
ROOM = (
    *("data", "forecaster", "metric", "first", "last", "verdict", "recommendation", "reason"),
    *_columns("half", "double", "predictability"),
    *("pairs", "series", "blocks", "status"),
)
_ORDER = ("total", "size", "reweight", "shortfall", "mechanical", "half")
EVENTS = (
    *("data", "source", "cheap", "forecaster", "event", "first", "last", "events", "pairs", "prevalence"),
    *("arm", *_columns(*ORDERINGS, *CALLS), "lost", "unforecast"),
    *("verdict", "reason", "optimal", "doubts"),
)


def figures(name: str, found: Estimate | None, place: int) -> dict[str, float]:
    """A figure with the ends of its 95 % interval, NaN where it is not known."""
    if found is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), np.nan)
    each = (found.value, found.lower(LEVEL), found.upper(LEVEL))
    return {name + end: float(of[place]) for end, of in zip(("", "_low", "_high"), each, strict=True)}


def frame_of(found: Sequence[Augmentation]) -> pd.DataFrame:
    """One row for each place of each data set, source and forecaster; one alone where nothing was measured."""
    import pandas as pd

    rows = []
    for one in found:
        if one.why:
            rows.append(_unmeasured(one))
            continue
        against, arms, seen = rival(one, found) if not one.cheap else None, one.losses, one.grounds
        head = {**_head(one), "share": one.choice.share, "pairs": arms.pairs, "synthetic_pairs": arms.synthetic_pairs}
        head |= {"effective": arms.effective, "saw_inner": one.saw_inner, "uneven": one.uneven}
        counts = one.parts.total.counts
        head |= {name: getattr(counts, name) for name in ("series", "blocks", "replicates")}
        if against is not None:
            head |= {"rival": against.source, "rival_share": against.share}
        for at, (first, last) in enumerate(one.places):
            row = {**head, "first": first, "last": last, "effect": one.effects[at], "status": "ok"}
            if not one.cheap:
                row |= {"verdict": one.diagnoses[at].state, "reason": one.diagnoses[at].reason}
            row |= figures("gain", one.gain.real, at) | figures("gain_duplicates", one.gain.duplicates, at)
            for name in PARTS:
                row |= figures(name, getattr(one.parts, name), at)
            row |= _grounds(seen, at)
            row |= _worth(one, next((d for d in one.responses if d.gain.share == one.parts.share), None), at)
            if against is not None:
                row |= {"rival_outcome": against.outcome(at), **figures("against_rival", against.ratio, at)}
            rows.append(row)
    return _framed(pd.DataFrame(rows, columns=list(COLUMNS)))


def responses_of(found: Sequence[Augmentation]) -> pd.DataFrame:
    """One row for each share and place: what it changes on the test, and on the inner origins over all leads."""
    import pandas as pd

    rows = []
    for one in found:
        for response in () if one.why or not one.source else one.responses:
            share = response.gain.share
            head = {**_head(one), "share": share, "chosen": share == one.choice.share}
            for at, (first, last) in enumerate(one.places):
                row = {**head, "first": first, "last": last}
                row |= figures("change", response.gain.real, at) | figures(
                    "change_duplicates", response.gain.duplicates, at
                )
                row |= figures("size", response.size, at) | _worth(one, response, at)
                told = worth(row["worth"], priced=True)
                inner = one.choice.inner.get(share, np.nan) if at == len(one.places) - 1 else np.nan
                rows.append({**row, "worth_told": told, "inner": inner})
    return pd.DataFrame(rows, columns=list(RESPONSES))


def room_of(found: Sequence[Augmentation]) -> pd.DataFrame:
    """One row for each place of each data set and forecaster: what the real series alone say."""
    import pandas as pd

    rows = []
    for one in found:
        if one.why:
            rows.append(_unmeasured(one))
            continue
        arms, seen = one.losses, one.grounds
        counts = seen.half.counts
        head = {**_head(one), "pairs": arms.pairs, "series": counts.series, "blocks": counts.blocks, "status": "ok"}
        double = arms.by_repeats(arms.curve.change(2.0))
        for at, (first, last) in enumerate(one.places):
            told = one.diagnoses[at]
            row = {**head, "first": first, "last": last, "verdict": told.state, "reason": told.reason}
            row |= {"recommendation": RECOMMENDED.get(told.state, NO_TELLING)}
            rows.append(row | _grounds(seen, at) | figures("double", double, at))
    return _framed(pd.DataFrame(rows, columns=list(ROOM)))


def events_of(found: Sequence[Augmentation]) -> pd.DataFrame:
    """One row for each arm, change and part at each place: how well it orders and calls events, and the verdict."""
    import pandas as pd

    rows = []
    for one in found:
        for of in one.events:
            head = {name: getattr(one, name) for name in ("data", "source", "cheap", "forecaster", "event")}
            head |= {name: getattr(of, name) for name in ("first", "last", "events", "prevalence", "unforecast")}
            head |= {"pairs": of.events + of.others, "verdict": of.verdict, "reason": "; ".join(of.reasons)}
            head |= {"optimal": of.optimal, "doubts": "; ".join(of.doubts)}
            rows += [{**head, **row} for row in _ordered(of)] or [head]
    return pd.DataFrame(rows, columns=list(EVENTS))


def _ordered(of: Ordered) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for arm, scores in of.figures.items():
        rows.append({"arm": arm, "lost": of.lost.get(arm, 0)})
        for name, score in scores.items():
            rows[-1] |= figures(name, score, 0)
    for other, scores in of.changes.items():
        rows.append({"arm": f"augmented - {other}"})
        for name, score in scores.items():
            rows[-1] |= figures(name, score, 0)
    return rows + [
        {"arm": f"part: {name}", **figures("auroc", of.parts[name], 0)} for name in _ORDER if name in of.parts
    ]


def _head(one: Augmentation) -> dict[str, Any]:
    return {name: getattr(one, name) for name in _HEAD}


def _unmeasured(one: Augmentation) -> dict[str, Any]:
    """The one row of what could not be measured."""
    return {**_head(one), "verdict": NOT_MEASURABLE, "reason": one.why, "status": one.why}


def _grounds(seen: Grounds, at: int) -> dict[str, float]:
    """What half of the pairs cost, and R² of the errors."""
    told = figures("", seen.predictability, at)
    # R² rises as ln(1 − R²) falls
    r2 = {"": -np.expm1(told[""]), "_low": -np.expm1(told["_high"]), "_high": -np.expm1(told["_low"])}
    return figures("half", seen.half, at) | {f"predictability{end}": float(of) for end, of in r2.items()}


def _worth(one: Augmentation, response: Response | None, at: int) -> dict[str, float]:
    """Further real pairs that change as much, NaN where they are not proven to change anything."""
    names = ("worth", "worth_low", "worth_high")
    if response is None or not priced(one, at):
        return dict.fromkeys(names, np.nan)
    return {name: float(getattr(response, name)[at]) for name in names}


def _framed(frame: pd.DataFrame) -> pd.DataFrame:
    """Leads as whole numbers, also where a row has none."""
    return frame.astype({"first": "Int64", "last": "Int64", "pairs": "Int64"})
