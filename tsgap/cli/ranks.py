"""`tsgap show --ranks`: the order of forecasters after synthetic and after real training, for eyes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tsgap.formats import aligned, one_line, rows_of
from tsgap.rank_consistency import OPPOSITE, SAME
from tsgap.sentences import interval, signed

if TYPE_CHECKING:
    import pandas as pd

_LEGEND = (
    "tau: agreement of the order of forecasters after training on synthetic and on real series, over all leads; 1 is "
    "the same order, -1 the opposite one, with the interval of 95 % of draws of series and replicates. real, "
    "synthetic: how much larger the errors of the first forecaster are than those of the second, in %, with intervals "
    "that hold for all pairs at once. opposite: the order is proven in both arms, and not the same."
)
_HEADS = ("first", "second", "real %", "interval", "synthetic %", "interval", "order")


def text_of(frame: pd.DataFrame) -> str:
    """A sentence and a table of pairs for each data set and source."""
    lines: list[str] = []
    for _, block in frame.groupby(["data", "source", "metric"], sort=False):
        rows = rows_of(block)
        lines += ["", *map(one_line, sentences(rows))]
        if rows[0]["status"] == "ok":
            lines += aligned([_HEADS, *map(_cells, rows)], left=2)
    return "\n".join([*lines[1:], "", _LEGEND]) + "\n" if lines else "nothing to rank\n"


def sentences(rows: Sequence[Mapping[Any, Any]]) -> list[str]:
    """What is said of one data set and source, from its rows."""
    first = rows[0]
    head = f"{first['data']}, {first['source']}: {str(first['metric']).upper()}"
    said = [f"{head}: no rank consistency: {first['status']}"]
    if first["status"] == "ok":
        swapped = [f"{row['first']} and {row['second']}" for row in rows if row["order"] == OPPOSITE]
        same = sum(row["order"] == SAME for row in rows)
        pairs = f"{same} of {len(rows)} pairs are proven to stand in the same order"
        swaps = f"PROVEN IN OPPOSITE ORDER: {', '.join(swapped)}" if swapped else "none proven in the opposite one"
        ends = f"{first['low']:.2f} to {first['high']:.2f}"
        said = [f"{head}: tau {first['tau']:.2f} ({ends}) over {first['forecasters']} forecasters; {pairs}, {swaps}"]
    return [*said, *([f"left out: {first['left_out']}"] if first["left_out"] else [])]


def _cells(row: Mapping[Any, Any]) -> list[str]:
    figures = []
    for name in ("real", "synthetic"):
        figures += [signed(row[name]), interval(row[f"{name}_low"], row[f"{name}_high"])]
    return [str(row["first"]), str(row["second"]), *figures, str(row["order"])]
