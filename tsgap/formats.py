"""A frame as text for other programs: CSV, JSON rows, a LaTeX table, aligned lines, and HTML for a notebook."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

#: Rows of an HTML table; more are counted below it.
HTML_ROWS = 200

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LATEX = {
    **{c: "\\" + c for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
_STYLE = (
    "<style>.tsgap-table{border-collapse:collapse;font-size:90%}"
    ".tsgap-table th,.tsgap-table td{padding:.15em .6em;text-align:right;white-space:nowrap}"
    ".tsgap-table .name{text-align:left}"
    ".tsgap-table thead th{border-bottom:1px solid currentColor}</style>"
)


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as dictionaries."""
    rows: list[dict[str, Any]] = frame.to_dict("records")  # type: ignore[assignment]
    return rows


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain values in the order of the frame; None where a figure is missing or infinite."""
    columns = {str(name): frame[name].tolist() for name in frame.columns}
    return [dict(zip(columns, map(_plain, row), strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (bool, int, str)) or value is None else str(value)


def json_text(frame: pd.DataFrame) -> str:
    """`records` as a JSON list, one row a line."""
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in records(frame))
    return "[\n" + ",\n".join(lines) + "\n]\n" if len(frame) else "[]\n"


def csv_text(frame: pd.DataFrame) -> str:
    """Comma-separated values; text that a spreadsheet would take for a formula gets a leading apostrophe."""
    safe = frame.copy()
    for name in safe.columns:
        if safe[name].dtype == object:
            safe[name] = [_no_formula(value) for value in safe[name]]
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _no_formula(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return ("'" if value.startswith(_FORMULA) else "") + value.replace("\r", " ")  # which would end the row


def latex_text(frame: pd.DataFrame) -> str:
    """A `tabular` for the package booktabs; columns that say the same in all rows stand in a comment above it."""
    same = [name for name in frame.columns if len(frame) > 1 and frame[name].nunique(dropna=False) == 1]
    rest = [name for name in frame.columns if name not in same]
    text = [frame[name].dtype == object for name in rest]
    told = [f"% {name}: {one_line(frame[name].iloc[0])}" for name in same]
    rows = [" & ".join(map(_latex, row)) + r" \\" for row in frame[rest].itertuples(index=False, name=None)]
    return "\n".join(
        [
            *told,
            r"\begin{tabular}{" + "".join("l" if t else "r" for t in text) + "}",
            r"\toprule",
            " & ".join(_latex(str(name)) for name in rest) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def one_line(value: Any) -> str:
    """Anything as one line of text that is no command to a terminal and no break in a format of lines."""
    return "".join(c if c.isprintable() else " " for c in str(value))


def _latex(value: Any) -> str:
    if isinstance(value, float):
        return "--" if math.isnan(value) else r"$\infty$" if math.isinf(value) else f"{value:.4g}"
    return "".join(_LATEX.get(c, c) for c in one_line(value))


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Rows as lines of text: the first columns (`left`) and the last one to the left, figures to the right."""
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        *cells, last = (
            c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([*cells, last.strip()]).rstrip())
    return lines


def html_text(frame: pd.DataFrame, *, title: str = "") -> str:
    """A table that needs nothing from elsewhere: no script, no address, every name escaped."""
    names = [str(name) for name in frame.columns]
    kind = [' class="name"' if frame[name].dtype == object else "" for name in frame.columns]
    head = "".join(f"<th{c}>{html.escape(name)}</th>" for name, c in zip(names, kind, strict=True))
    rows = []
    for row in frame.head(HTML_ROWS).itertuples(index=False, name=None):
        cells = "".join(f"<td{c}>{html.escape(_short(v))}</td>" for v, c in zip(row, kind, strict=True))
        rows.append(f"<tr>{cells}</tr>")
    more = f"<p>{len(frame) - HTML_ROWS} more rows</p>" if len(frame) > HTML_ROWS else ""
    caption = f'<caption class="name">{html.escape(title)}</caption>' if title else ""
    return (
        f'<div>{_STYLE}<table class="tsgap-table">{caption}<thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>{more}</div>"
    )


def _short(value: Any) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4g}"
    return str(value)
