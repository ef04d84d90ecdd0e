"""Names of frequencies, the season lengths that belong to them, and horizons written as text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from tsgap.errors import DataError, UsageError
from tsgap.panel import STEP

_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

#: Widths in nanoseconds of the units that are equally long everywhere, longest first.
WIDTHS = {
    "D": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "min": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}

# Units of the calendar: the anchors that they take and the one that is meant when none is given.
_ANCHORED: dict[str, tuple[tuple[str, ...], str]] = {
    "W": (_DAYS, "SUN"),
    "QS": (_MONTHS, "JAN"),
    "QE": (_MONTHS, "DEC"),
    "BQS": (_MONTHS, "JAN"),
    "BQE": (_MONTHS, "DEC"),
    "YS": (_MONTHS, "JAN"),
    "YE": (_MONTHS, "DEC"),
    "BYS": (_MONTHS, "JAN"),
    "BYE": (_MONTHS, "DEC"),
}
_PLAIN = ("B", "MS", "ME", "BMS", "BME")

_OLD = {
    "H": "h", "T": "min", "MIN": "min", "S": "s", "L": "ms", "U": "us", "N": "ns", "d": "D", "w": "W", "b": "B",
    "m": "ME", "M": "ME", "BM": "BME", "Q": "QE", "q": "QE", "BQ": "BQE",
    "A": "YE", "a": "YE", "Y": "YE", "y": "YE", "BA": "BYE", "BY": "BYE", "AS": "YS", "BAS": "BYS",
}  # fmt: skip

_ALIAS = re.compile(r"(\d*)\s*([A-Za-z]+)(?:-([A-Za-z]{3}))?")

_FAMILY = {"W": "week", "B": "business day"} | dict.fromkeys(("MS", "ME", "BMS", "BME"), "month")
_FAMILY |= dict.fromkeys(("QS", "QE", "BQS", "BQE"), "quarter") | dict.fromkeys(("YS", "YE", "BYS", "BYE"), "year")

# Steps of one season, for one step of the unit.
_SEASON = {"D": 7, "business day": 5, "week": 52, "month": 12, "quarter": 4, "year": 1}


def parts(alias: str) -> tuple[int, str, str]:
    """Multiple, unit and anchor ("" where there is none) of a frequency, old names put into new ones."""
    found = _ALIAS.fullmatch(alias.strip()) if isinstance(alias, str) else None
    if found is None:
        raise _nonsense(alias)
    many, unit, anchor = int(found[1] or 1), _OLD.get(found[2], found[2]), (found[3] or "").upper()
    if many < 1:
        raise _nonsense(alias)
    if unit in _ANCHORED:
        anchors, default = _ANCHORED[unit]
        anchor = anchor or default
        if anchor not in anchors:
            raise DataError(f"frequency {alias!r}: {unit!r} takes one of {', '.join(anchors)} after the dash")
        return many, unit, anchor
    if anchor or not (unit in WIDTHS or unit in _PLAIN):
        raise _nonsense(alias)
    if unit in WIDTHS:
        width = many * WIDTHS[unit]
        unit, size = next((u, w) for u, w in WIDTHS.items() if width % w == 0)
        many = width // size
    return many, unit, anchor


def canonical(alias: str) -> str:
    """The one name of a frequency, whichever of its names was given; ``"step"`` for whole-number stamps.

    >>> canonical("H"), canonical("60min"), canonical("M"), canonical("Q"), canonical("W")
    ('h', 'h', 'ME', 'QE-DEC', 'W-SUN')
    """
    if alias == STEP:
        return STEP
    many, unit, anchor = parts(alias)
    return f"{many if many > 1 else ''}{unit}{'-' + anchor if anchor else ''}"


def family(freq: str) -> str:
    """What one step is, whatever day it is stamped with: month starts and month ends are both ``"month"``.

    >>> family("MS") == family("ME"), family("W-MON") == family("W-SUN"), family("D") == family("B")
    (True, True, False)
    """
    if freq == STEP:
        return STEP
    many, unit, _ = parts(freq)
    return f"{many} {_FAMILY.get(unit, unit)}" if many > 1 else _FAMILY.get(unit, unit)


def seasons_for(freq: str) -> tuple[int, ...]:
    """Season lengths in steps that go with a frequency: the day, the week, the year.

    Raises UsageError where the table has no whole number for it; nothing is assumed then.

    >>> seasons_for("h"), seasons_for("2h"), seasons_for("15min"), seasons_for("MS"), seasons_for("YE")
    ((24,), (12,), (96,), (12,), (1,))
    """
    if freq == STEP:
        raise UsageError("whole-number stamps say nothing about seasons; give --season-length (1 for none)")
    many, unit, _ = parts(freq)
    kind = _FAMILY.get(unit, unit)
    if kind == "year":
        return (1,)
    if kind in _SEASON:
        season, rest = divmod(_SEASON[kind], many)
    elif unit in ("h", "min", "s"):
        season, rest = divmod(WIDTHS["D"], many * WIDTHS[unit])
    else:
        season, rest = 0, 1
    if rest or season < 1:
        raise UsageError(f"no season length is known for frequency {freq!r}; give --season-length (1 for none)")
    return (season,)


def horizons(text: str | Iterable[int | str], season: int) -> tuple[int, ...]:
    """Horizons in steps, rising and each once, from ``"1,6,12"`` or multiples of the season ``"0.5m,1m,2m"``.

    >>> horizons("1,6,12", 12), horizons("0.5m,1m,2m", 7)
    ((1, 6, 12), (4, 7, 14))
    """
    items = [t.strip() for t in text.split(",")] if isinstance(text, str) else [str(t).strip() for t in text]
    if not [t for t in items if t]:
        raise UsageError(f"no horizon given in {text!r}; write them as '1,6,12' or, in seasons, as '0.5m,1m,2m'")
    return tuple(sorted({_horizon(item, season) for item in items}))


def _horizon(item: str, season: int) -> int:
    if re.fullmatch(r"\d+", item):
        steps = int(item)
    elif re.fullmatch(r"(\d+\.?\d*|\.\d+)m", item):
        seasons = float(item[:-1])
        # Halves go up, so that 0.5m of a week is 4 and not the even number next to it.
        steps = max(1, math.floor(seasons * season + 0.5)) if seasons > 0 else 0
    else:
        raise UsageError(f"horizon {item!r} is neither a whole number of steps nor a multiple of the season like '2m'")
    if steps < 1:
        raise UsageError(f"horizon {item!r}: the shortest horizon is 1 step")
    return steps


def _nonsense(alias: object) -> DataError:
    return DataError(
        f"no frequency is called {alias!r}; use a pandas name such as h, 15min, D, B, W-MON, MS, QS, YE, or {STEP!r}"
        " for whole-number stamps"
    )
