"""`tsgap show --frontier` and `--predictors`: what sources cost, and what ranks them as the gap does, for eyes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tsgap.formats import aligned, one_line, rows_of

if TYPE_CHECKING:
    import pandas as pd


def frontier_text(frame: pd.DataFrame) -> str:
    """The table of `frontier` for eyes."""
    rows = [["data", "source", "gap %", "95 %", "membership AUC", "95 %", ""]]
    for row in rows_of(frame):
        mark = {True: "efficient", False: ""}.get(row["efficient"], row["status"])
        gap = _span("+.1f", *(100 * math.expm1(row[name]) for name in ("gap", "low", "high")))
        rows.append(
            [row["data"], row["source"], *gap, *_span(".3f", row["auc"], row["auc_low"], row["auc_high"]), mark]
        )
    legend = (
        "gap: over all leads, the mean over forecasters that count, as in show --gap. AUC of membership inference: .5 "
        "gives nobody away. "
        "efficient: no other source beats it. One does that is better in the gap and in what gives members away, or "
        "proven better in one of them and within this one's interval in the other."
    )
    return "\n".join([*aligned(rows, left=2), "", legend]) + "\n"


def predictors_text(frame: pd.DataFrame) -> str:
    """The table of `predictors` for eyes, and under it why other figures are not in it."""
    rows = [["data", "diagnostic", "figure", "rank correlation with the gap", "95 %", "sources"]]
    for row in rows_of(frame[frame.status == "ok"]):
        rho = _span("+.2f", row["correlation"], row["low"], row["high"])
        rows.append([row["data"], row["diagnostic"], row["figure"], *rho, str(int(row["sources"]))])
    without = [
        f"{data}: {len(block)} figure{'s' if len(block) > 1 else ''} without a rank correlation: {status}"
        for (data, status), block in frame[frame.status != "ok"].groupby(["data", "status"], sort=False)
    ]
    legend = (
        "rank correlation: +1 is a figure that puts the sources of a data set in the order of their gaps, -1 in the "
        "opposite one; beside it its 95 % interval. Of many figures some do so by chance."
    )
    table = [*aligned(rows, left=3), ""] if len(rows) > 1 else []
    return "\n".join([*table, *map(one_line, without), "", legend]) + "\n"


def _span(spec: str, value: float, low: float, high: float) -> tuple[str, str]:
    """A figure and its interval as texts; "-" for what is not known."""
    known = math.isfinite(low) and math.isfinite(high)
    return "-" if math.isnan(value) else format(value, spec), f"{low:{spec}} to {high:{spec}}" if known else ""
