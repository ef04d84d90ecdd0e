"""`tsgap show --robustness`: what perturbed histories cost each arm, and what the synthetic one loses more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.run import Run

_HEADS = ("source", "forecaster", "histories", "leads", "real loses", "syn loses", "more", "95 %", "windows", "")
_LEGEND = (
    "histories: noise-0.1 adds noise of .1 of the seasonal-naive error of a series, missing-0.05 loses and fills 5 % "
    "of the values, shift-1 raises the last values by one such error, attack is the worst change of .1 of it. "
    "loses: how much larger the error from perturbed histories is than that from clean ones, of the same forecaster. "
    "more: what the synthetic-trained one loses beyond the real-trained one; 'worse' where that is proven above 5 %. "
    "A forecaster that uses a history less loses less: read it beside the gap (--gap)."
)


def tables(run: Run, metrics: Sequence[str], by: str | None = None, **only: Any) -> tuple[pd.DataFrame, str]:
    """The rows of `Run.robustness` for each metric, and their text: a table a data set and metric, then sentences.

    Without `by` the text has all leads together, and those bins where something is proven.
    """
    import pandas as pd

    from tsgap.formats import aligned, one_line, rows_of
    from tsgap.stress import NO_GRADIENT, sentences

    place: Any = by or "bin"
    frame = pd.concat([run.robustness(metric, place, **only) for metric in metrics], ignore_index=True)
    shown = frame
    if by is None:
        last = frame.groupby("data")["last"].transform("max")
        shown = frame[((frame["first"] == 1) & (frame["last"] == last)) | (frame.flag != "")]
    blind = shown.status == NO_GRADIENT
    shown, without = shown[~blind], list(dict.fromkeys(shown.forecaster[blind]))
    lines: list[str] = []
    for (data, metric), block in shown.groupby(["data", "metric"], sort=False):
        lines += ["", f"{one_line(data)}: {str(metric).upper()}"]
        lines += aligned([_HEADS, *map(_cells, rows_of(block))], left=3)
    told = [one_line(sentence) for sentence in sentences(frame)]
    if excluded := int(frame.n_excluded.max()) if len(frame) else 0:
        told.append(f"{excluded} windows count in nothing here: their series have no scale to be perturbed by")
    if without:
        told.append(f"no attack on {one_line(', '.join(without))}: these do not tell their gradient")
    return frame, "\n".join([*lines, "", _LEGEND, *told]) + "\n"


def _cells(row: Mapping[str, Any]) -> list[str]:
    known = not math.isnan(row["gap"])
    loses = (100 * math.expm1(row[f"degradation_{arm}"]) if known else math.nan for arm in ("control", "synthetic"))
    state = "" if row["status"] == "ok" else row["status"]
    failed = f"{row['n_failed']} failed" if row["n_failed"] else ""
    return [
        row["source"],
        row["forecaster"],
        row["view"],
        row["bin"],
        *(f"{round(one, 1) + 0.0:+.1f} %" if known else "-" for one in loses),
        f"{round(row['percent'], 1) + 0.0:+.1f} %" if known else "-",
        f"{round(row['percent_low'], 1) + 0.0:.1f} to {round(row['percent_high'], 1) + 0.0:.1f}" if known else "-",
        failed,
        ", ".join(filter(None, ["worse" if row["flag"] else "", state])),
    ]
