"""`tsgap show --validation`: what validating on the synthetic series promises, and what the real test shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.run import Run

_HEADS = ("source", "forecaster", "leads", "syn→syn", "real→syn", "syn→real", "real→real", "looks better", "95 %", "")
_LEGEND = (
    "trained on → forecast; syn→syn is the error of a validation on held-out synthetic series. looks better: how far "
    "it is below syn→real, the same forecaster's error in the real test."
)


def tables(run: Run, metrics: Sequence[str], **only: Any) -> tuple[pd.DataFrame, str]:
    """The rows of `Run.validation` for each metric, and their text: a table a data set and metric, then warnings."""
    import pandas as pd

    from tsgap.formats import aligned, one_line, rows_of
    from tsgap.validation import sentences

    frames = [run.validation(metric, **only) for metric in metrics]
    frame = pd.concat(frames, ignore_index=True)
    lines: list[str] = []
    for (data, metric), block in frame.groupby(["data", "metric"], sort=False):
        rows = rows_of(block)
        by = ", ".join(dict.fromkeys(str(row["scaled_by"]) for row in rows if isinstance(row["scaled_by"], str)))
        lines += ["", f"{one_line(data)}: {str(metric).upper()}" + (f", errors over: {by}" if by else "")]
        lines += aligned([_HEADS, *map(_cells, rows)], left=2)
    if lines:
        lines += ["", _LEGEND, *(f"warning: {one_line(told)}" for told in sentences(frame[frame.low > 0]))]
    return frame, "\n".join(lines) + "\n"


def _cells(row: Mapping[str, Any]) -> list[str]:
    import math

    errors = ("synthetic_on_synthetic", "real_on_synthetic", "synthetic_on_real", "real_on_real")
    known = not math.isnan(row["drop"])
    low, high = (-100 * math.expm1(-row[name]) if known else math.nan for name in ("low", "high"))
    return [
        row["source"],
        row["forecaster"],
        "-" if math.isnan(row["horizon"]) else f"1-{int(row['horizon'])}",
        *("-" if math.isnan(row[name]) else f"{row[name]:.4g}" for name in errors),
        f"{row['percent']:.3g} %" if known else "-",
        f"{low:.3g} to {high:.3g}" if known else "-",
        "" if row["status"] == "ok" else row["status"],
    ]
