"""`tsgap show --subgroups`: the gap by group, for eyes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tsgap.battery import ALL, NOBODY, WORSE
from tsgap.formats import aligned, one_line, rows_of
from tsgap.sentences import NAMED, interval, percent, signed
from tsgap.subgroups import LEVEL

if TYPE_CHECKING:
    import pandas as pd

_HEADS = ("group", "series", "windows", "gap %", "95 % interval", "all at once", "real", "synthetic", "")
_LEGEND = (
    "gap: how much larger errors are after training on synthetic than on real series, over all leads, in %. all at "
    "once: intervals that hold for all groups of a grouping together. real, synthetic: share of the series, or of "
    "their stretches, in the group. insufficient: fewer than 5 series, nothing is claimed. p: how likely groups would "
    "differ so much by chance."
)


def text_of(frame: pd.DataFrame) -> str:
    """A sentence and a table for each data set, source and grouping: of all forecasters, or of the only one."""
    lines: list[str] = []
    for (data, source, metric), of_source in frame.groupby(["data", "source", "metric"], sort=False):
        lines += ["", f"{data}, {source}: {str(metric).upper()} by group"]
        for (_,), block in of_source.groupby(["grouping"], sort=False):
            whole = block[block.bin == ALL]
            shown = whole[whole.forecaster == _shown(whole)]
            idle = bool((whole.status == NOBODY).any() or (shown.status == WORSE).any())
            lines += ["", *map(one_line, [sentence(shown, idle=idle)])]
            rows = [_cells(row) for row in rows_of(shown) if row["group"]]
            lines += aligned([_HEADS, *rows]) if rows else []
    return "\n".join([*lines[1:], "", _LEGEND]) + "\n" if lines else "no groups\n"


def _shown(whole: pd.DataFrame) -> str:
    """The mean over forecasters where it has a figure, else the first that has one, with a worst group if there is."""
    known = whole[whole.gap.notna() & (whole.status != "not applicable")]
    if (known.forecaster == ALL).any():
        return ALL
    best = next(told for told in (known[known.worst], known, whole) if len(told))
    return str(best.forecaster.iloc[0])


def sentence(groups: pd.DataFrame, *, idle: bool = False) -> str:
    """What is said of one grouping and forecaster, from its rows of all leads; `idle`: it counts towards no mean."""
    first = groups.iloc[0]
    if not first["group"]:
        return f"{first['grouping']}: no groups: {first['status']}"
    who = "" if first["forecaster"] == ALL else f" of {first['forecaster']}{', which counts towards no mean,' * idle}"
    worst = groups[groups.worst]
    if not len(worst):
        return f"{first['grouping']}: fewer than 2 groups have 5 series and a figure{who}: nothing is claimed"
    row = worst.iloc[0]
    p = float(row["p"])
    differ = "whether groups differ is not known"
    if np.isfinite(p):
        said = "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("0.", ".")
        differ = f"groups differ ({said})" if p < 1 - LEVEL else f"groups are not proven to differ ({said})"
    ends = f"{interval(row['low_joint'], row['high_joint'])}, all groups at once"
    silent = [repr(name) for name in groups[groups.low_joint.isna() & ~groups.worst].group]
    some = ", ".join(silent) if len(silent) <= NAMED else f"{len(silent)} other groups"
    rest = f"; nothing is claimed of {some}" if silent else ""
    return f"{row['grouping']}: worst{who} is {row['group']!r} with {percent(row['gap'])} ({ends}); {differ}{rest}"


def _cells(row: Mapping[Any, Any]) -> list[str]:
    def count(value: float) -> str:
        return "-" if np.isnan(value) else str(int(value))

    def share(value: float) -> str:
        return "-" if np.isnan(value) else f"{100 * value:.0f} %"

    return [
        str(row["group"]),
        count(row["series"]),
        count(row["windows"]),
        signed(row["gap"]),
        interval(row["low"], row["high"]),
        interval(row["low_joint"], row["high_joint"]),
        share(row["share_real"]),
        share(row["share_synthetic"]),
        "" if row["status"] == "ok" else str(row["status"]),
    ]
