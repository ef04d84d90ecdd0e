"""`tsgap show --calibration`: how many true values quantile forecasts hold, after real and after synthetic training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tsgap.formats import aligned, one_line, rows_of

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.run import Run

_HEADS = ("forecaster", "leads", "interval", "real-trained", "synthetic-trained", "points apart", "")
_LEGEND = (
    "% of true values inside of the central interval, and in brackets its own 95 % interval; points apart: synthetic "
    "less real. equivalent: proven to be within 5 points, as the bracket shows (two one-sided tests at 2.5 %); "
    "differs: proven to be further apart."
)
_PIT_LEGEND = (
    "PIT: % of true values between neighbouring quantile levels, all leads; off: furthest from a level, points."
)
#: A share of pairs whose quantiles cross that is worth a line.
_CROSSED = 0.001


def tables(run: Run, by: Any, **only: Any) -> tuple[pd.DataFrame, str]:
    """The rows of `Run.calibration`, and their text: for each source sentences, coverage, WQL gap and PIT."""
    frame = run.calibration(by, **only)
    whole = run.calibration("horizon", **only)
    gaps, spread = run.gap("wql", by, **only), run.pit(**only)
    every = run.gap("wql", "horizon", **only)
    lines: list[str] = []
    for (data, source), block in frame.groupby(["data", "source"], sort=False):
        of, losses = (one[(one.data == data) & (one.source == source)] for one in (whole, every))
        lines += ["", f"{one_line(data)}, {one_line(source)}"]
        lines += [f"  {one_line(told)}" for told in (*sentences(of, losses), *run.leaks(str(data), str(source)))]
        lines += aligned([_HEADS, *(_cells(row) for row in rows_of(block))], left=2)
        found = gaps[(gaps.data == data) & (gaps.source == source) & gaps.gap.notna()]
        if len(found):
            cells = ([row["forecaster"], _leads(row), *_gap(row)] for row in rows_of(found))
            lines += ["", *aligned([("forecaster", "leads", "WQL gap %", "95 % interval"), *cells], left=2)]
        there = spread[(spread.data == data) & (spread.source == source) & spread.share.notna()]
        if len(there):
            lines += ["", *aligned(list(_histogram(there)), left=2)]
    return frame, "\n".join([*lines, "", _LEGEND, _PIT_LEGEND]) + "\n"


def sentences(frame: pd.DataFrame, gaps: pd.DataFrame) -> Iterator[str]:
    """What each forecaster of a source shows over all leads: its widest interval, others that differ, and its loss.

    `frame` and `gaps` are by horizon; wide intervals may hold all that they promise, which their loss shows alone.
    """
    from tsgap.calibration import DIFFERS

    for forecaster, block in frame.groupby("forecaster", sort=False):
        longest = block[block.horizon == block.horizon.max()]
        known = rows_of(longest[longest.difference.notna()].sort_values("interval"))
        if not known:
            yield f"{forecaster}: {longest.status.iloc[-1]}"
            continue
        *narrower, widest = known
        lost = rows_of(gaps[(gaps.forecaster == forecaster) & (gaps.horizon == widest["horizon"])])
        yield _sentence(widest) + "".join(map(_lost, lost))
        yield from (_sentence(row) for row in narrower if row["verdict"] == DIFFERS)
        crossed = [widest[f"crossed_{arm}"] for arm in ("control", "synthetic")]
        if max(crossed) > _CROSSED:
            yield (
                f"quantiles of {forecaster} crossed in {100 * crossed[0]:.1f} % of pairs after real training, "
                f"{100 * crossed[1]:.1f} % after synthetic, and were sorted"
            )


def _lost(row: Mapping[str, Any]) -> str:
    from tsgap.sentences import larger, percent

    if math.isnan(row["gap"]):
        return ""
    return f"; WQL {larger(row['gap'])} ({percent(row['low'])} to {percent(row['high'])})"


def _sentence(row: Mapping[str, Any]) -> str:
    from tsgap.calibration import DIFFERS, EQUIVALENT, MARGIN

    points = f"{100 * MARGIN:g} points"
    told = {EQUIVALENT: f"proven to be within {points}", DIFFERS: f"proven to be more than {points}"}
    apart, low, high = row["difference"], row["low"], row["high"]
    if apart < 0:
        apart, low, high = -apart, -high, -low
    size = f"{100 * apart:.1f} points {'fewer' if row['difference'] < 0 else 'more'}"
    real, synthetic = (f"{100 * row[f'coverage_{arm}']:.1f} %" for arm in ("control", "synthetic"))
    return (
        f"{100 * row['interval']:g} % intervals of {row['forecaster']} hold {real} after real training, {synthetic} "
        f"after synthetic: {size} ({100 * low:.1f} to {100 * high:.1f}), "
        + told.get(row["verdict"], f"which cannot be told from {points}")
    )


def _leads(row: Mapping[str, Any]) -> str:
    from tsgap.evidence import span

    return str(row["bin"]) if "bin" in row else str(row["lead"]) if "lead" in row else span((1, row["horizon"]))


def _cells(row: Mapping[str, Any]) -> list[str]:
    head = [row["forecaster"], _leads(row), f"{100 * row['interval']:g} %"]
    if math.isnan(row["difference"]):
        return [*head, "-", "-", "-", row["status"]]
    arms = [_within(row[f"coverage_{arm}"], row[f"low_{arm}"], row[f"high_{arm}"]) for arm in ("control", "synthetic")]
    apart = _within(row["difference"], row["low"], row["high"], "+")
    return [*head, *arms, apart, row["verdict"] + ("" if row["status"] == "ok" else f" ({row['status']})")]


def _within(value: float, low: float, high: float, sign: str = "") -> str:
    return f"{100 * value:{sign}.1f} ({100 * low:{sign}.1f} to {100 * high:{sign}.1f})"


def _gap(row: Mapping[str, Any]) -> list[str]:
    from tsgap.sentences import interval, signed

    return [signed(row["gap"]), interval(row["low"], row["high"])]


def _histogram(frame: pd.DataFrame) -> Iterator[list[str]]:
    """The shares between levels: what is expected, then a line for each forecaster and arm."""
    for i, ((forecaster, arm), block) in enumerate(frame.groupby(["forecaster", "arm"], sort=False)):
        if not i:
            yield ["PIT", "below %", *(f"{100 * level:g}" for level in block.below), "off"]
            yield ["", "expected", *(f"{100 * share:.1f}" for share in block.expected), ""]
        shares = (f"{100 * share:.1f}" for share in block.share)
        yield [str(forecaster), str(arm), *shares, f"{100 * block.deviation.iloc[0]:.1f}"]
