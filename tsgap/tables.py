"""A run on the terminal: profile or gap of each data set and source, what failed, what was noted, the verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from tsgap.findings import Rules
from tsgap.formats import aligned, rows_of
from tsgap.horizon import NO_EFFECT, By
from tsgap.remarks import failures, notes, without_figures, words
from tsgap.sentences import MANY, interval, kept, share, signed

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.text import Text

    from tsgap.run import Run
    from tsgap.verdicts import GapBy

#: More leads than this are thinned out in a table, more series cut to the worst.
LEADS, SERIES = 24, 10
#: Width of what is no terminal: wider than any line.
WIDE = 10_000

#: Rows whose control was not simply trained on the real series: how they are called, and what that means.
VERSUS = {
    "real-short": (
        "vs short windows",
        "the control, real-short, was trained on real windows as short as the synthetic ones",
    ),
    "real-full": ("vs all real data", "the control, real-full, was trained on all real data, before matching cut them"),
}

GAP_HEADS = ("forecaster", "leads", "gap %", "95 % interval", "could tell", "settled by", "shuffled", "skill kept", "")
GAP_LEGEND = (
    "gap: how much larger errors are after training on synthetic than on real series, in %; below 0 is better than "
    "real, which is no proof of fidelity. could tell: the smallest gap that could be told from none. settled by: how "
    "many series or test periods, each alone, would tell the gap from one of 5 %; a dash where neither alone would. "
    "shuffled: the gap of training on shuffled real series, which is what can be seen at all. skill kept: share of "
    "what real training gains over shuffled training, where that is proven to be more than 5 %. all: geometric mean "
    "over those that learn, are no probes and are not worse than naive."
)
LEGEND = (
    "control: error after training on real series. ratio: synthetic / control, 1 is no loss, more is worse. shuffled: "
    "that ratio after training on shuffled real series. skill: 1 - error / error of the seasonal-naive forecast. "
    "pairs: (window, lead) pairs scored, the same in both arms."
)


def render(
    run: Run,
    *,
    metrics: Sequence[str] = ("mase",),
    by: By = "horizon",
    group: str | None = None,
    data: Sequence[str] | None = None,
    source: Sequence[str] | None = None,
    forecaster: Sequence[str] | None = None,
    console: Console | None = None,
) -> pd.DataFrame:
    """Print the profile, one table for each data set, source and metric; then failures and notes. Returns it.

    `console`: a rich console to print on; by default standard output, as wide as the text where that is no
    terminal. Names are shown as text, whatever they hold.
    """
    if console is None:
        with console_for() as console:
            return render(
                run,
                metrics=metrics,
                by=by,
                group=group,
                data=data,
                source=source,
                forecaster=forecaster,
                console=console,
            )
    frame = run.profile(metrics, by, group=group, data=data, source=source, forecaster=forecaster)
    for (name,), of_data in frame.groupby(["data"], sort=False):
        _say(console, "\n" + _about(run, str(name)), style="bold")
        horizons = run.manifest["data"][name]["horizons"]
        for (where, metric), block in of_data.groupby(["source", "metric"], sort=False):
            _say(console, f"\n{where}: {str(metric).upper()}", style="bold")
            lines, left_out = _table(block, by, horizons, console.width)
            for line in lines:
                console.print(line, soft_wrap=True)
            for aside in (*left_out, *_asides(block, by, horizons)):
                _say(console, aside, style="dim")
    if len(frame):
        _say(console, "\n" + " ".join(_legend(frame, by)), style="dim")
    _listed(console, Failures=failures(run), Notes=notes(run, frame))
    if len(frame):
        found = run.gate(data=data, source=source, forecaster=forecaster)
        _listed(console, **{f"Verdict at a margin of {share(Rules().margin)}": found.sentences})
        _say(
            console,
            f"tsgap gate {quote(str(run.path))}: why, bin by bin, for other margins, and as an exit code",
            style="dim",
        )
    return frame


def render_gap(
    run: Run,
    *,
    metrics: Sequence[str] = ("mase",),
    by: GapBy = "bin",
    data: Sequence[str] | None = None,
    source: Sequence[str] | None = None,
    forecaster: Sequence[str] | None = None,
    console: Console,
) -> pd.DataFrame:
    """Print the gap with its interval, one table for each data set, source and metric. Returns it."""
    import pandas as pd
    from rich.text import Text

    frames = [run.gap(metric, by, data=data, source=source, forecaster=forecaster) for metric in metrics]
    frame = pd.concat(frames, ignore_index=True)
    for (name,), of_data in frame.groupby(["data"], sort=False):
        about = _about(run, str(name)) if name in run.manifest["data"] else f"{name}: geometric mean over data sets"
        _say(console, "\n" + about, style="bold")
        for (where, metric), block in of_data.groupby(["source", "metric"], sort=False):
            _say(console, f"\n{where}: {str(metric).upper()}", style="bold")
            still = block.forecaster.isin(_learning_nothing(block)) & block.forecaster.duplicated(keep="last")
            head, *lines = aligned([GAP_HEADS, *(_gap_cells(row, by) for row in rows_of(block[~still]))], left=2)
            console.print(Text(head, style="underline"), soft_wrap=True)
            for line in lines:
                console.print(Text(line), soft_wrap=True)
    if len(frame):
        _say(console, "\n" + GAP_LEGEND, style="dim")
    _listed(console, Failures=failures(run))
    return frame


def _gap_cells(row: dict[str, Any], by: GapBy) -> list[str]:
    leads = {"bin": row.get("bin"), "lead": row.get("lead"), "horizon": f"1-{row.get('horizon')}"}[by]
    return [
        row["forecaster"],
        str(leads),
        signed(row["gap"]),
        interval(row["low"], row["high"]),
        signed(row["half_width"]),
        _settled(row),
        signed(row["assay"]),
        kept(row["rho"]),
        "" if row["status"] == "ok" else str(row["status"]),
    ]


def _settled(row: dict[str, Any]) -> str:
    """What would tell a gap from one of 5 %, where it is not told apart yet."""
    if math.isnan(row["half_width"]):
        return "-"
    ways = [(row["needed_series"], row["series"], "series"), (row["needed_blocks"], row["blocks"], "periods")]
    if any(needed <= there for needed, there, _ in ways):
        return "told"
    return " or ".join(f"{int(needed)} {what}" for needed, _, what in ways if needed < MANY) or "-"


def _listed(console: Console, **told: Sequence[str]) -> None:
    """Lists under their titles; without anything to say no title."""
    for title, lines in told.items():
        if lines:
            _say(console, f"\n{title}", style="bold")
        for text in lines:
            _say(console, f"- {text}")


@contextmanager
def console_for(out: Path | None = None) -> Iterator[Console]:
    """Standard output, or the file `out`, as a console: as wide as the text where it is no terminal."""
    from rich.console import Console

    if out is not None:
        with out.open("w", encoding="utf-8") as file:
            yield Console(file=file, highlight=False, width=WIDE)
        return

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # who reads has had enough: that is no failure of ours

    console = Output(highlight=False)
    yield console if console.is_terminal else Output(highlight=False, width=WIDE)


def _say(console: Console, text: str, style: str = "") -> None:
    """Text that may be broken between words on a terminal; one line elsewhere."""
    from rich.text import Text

    lines = [words(line) for line in text.split("\n")]
    console.print(Text("\n".join(lines), style=style), soft_wrap=not console.is_terminal)


def _about(run: Run, data: str) -> str:
    told = run.manifest["data"][data]
    seasons = ", ".join(map(str, told["seasons"]))
    windows = "1 window" if told["windows"] == 1 else f"up to {told['windows']} windows, {told['step']} steps apart"
    return (
        f"{data}: {told['series']} series, freq {told['freq']}, season {seasons}, {windows}, "
        f"training up to {_stamp(told['first_cutoff'])}"
    )


def _stamp(text: Any) -> str:
    return str(text)[:19].replace("T", " ").removesuffix(" 00:00:00")


#: What a table does without, one after the other, where a terminal is too narrow for it.
_DISPENSABLE = ("skill", "pairs", "shuffled")


def _table(block: pd.DataFrame, by: By, horizons: Sequence[int], width: int) -> tuple[list[Text], list[str]]:
    """The lines of one data set, source and metric, and which columns had no room.

    Where they are too wide, the name of a forecaster goes on a line of its own before columns are left out. One that
    learns nothing has its longest horizon alone.
    """
    from rich.text import Text

    place = "lead" if by == "lead" else "leads"
    heads = ["forecaster", *(["group"] if "group" in block else []), *(["series"] if by == "series" else [])]
    left = len(heads)
    heads += [place, "control", "skill", "synthetic", "skill", "ratio", "shuffled", "pairs", ""]
    shuffled = {_where(row): row["ratio"] for row in rows_of(block[block.arm == "null"])}
    said = (block.arm != "null") & ((block.versus == "real") | (block.status != "not applicable"))
    rows = [_cells(row, by, shuffled) for row in rows_of(_shown(block[said], by, horizons))]
    keep, stacked, dropped = list(range(len(heads))), False, []
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]

    def needed() -> int:
        return sum(widths[i] + 2 for i in keep[stacked:] if widths[i]) - 2

    if needed() > width:
        stacked = True
    for name in _DISPENSABLE:
        if needed() > width:
            keep = [i for i in keep if heads[i] != name]
            dropped.append(name)

    def aligned(cells: Sequence[str]) -> str:
        shown = [cells[i].ljust(widths[i]) if i < left else cells[i].rjust(widths[i]) for i in keep[stacked:-1]]
        return "  ".join([*shown, cells[-1]]).rstrip()

    lines = [Text(aligned(heads), style="underline")]
    last = ""
    for cells in rows:
        if stacked and cells[0] != last:
            lines.append(Text(cells[0], style="bold"))
        lines.append(Text(aligned(["" if cells[0] == last else cells[0], *cells[1:]])))
        last = cells[0]
    return lines, [f"no room for: {', '.join(dropped)}"] if dropped else []


def _cells(row: dict[str, Any], by: By, shuffled: dict[tuple[Any, ...], float]) -> list[str]:
    plain = row["versus"] == "real"
    cells = [
        row["forecaster"] if plain else f"  {VERSUS[row['versus']][0]}",
        *([row["group"]] if "group" in row else []),
        *([row["unique_id"]] if by == "series" else []),
        str(row["lead"]) if by == "lead" else f"1-{row['horizon']}",
        figure(row["control"]),
        _skill(row["skill_control"]),
        figure(row["synthetic"]),
        _skill(row["skill_synthetic"]),
        figure(row["ratio"]),
        figure(shuffled.get(_where(row), math.nan) if plain else math.nan),
        f"{row['n_used']}/{row['n_total']}",
        _remark(row),
    ]
    return [words(cell) for cell in cells]


def _where(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in ("forecaster", "group", "unique_id", "horizon", "lead"))


def _shown(block: pd.DataFrame, by: By, horizons: Sequence[int]) -> pd.DataFrame:
    """The rows that a table has room for; `_asides` says what was left out."""
    if by != "series":
        at = block[by]
        brief = block.forecaster.isin(_learning_nothing(block))
        few = at.isin(_few_leads(horizons) if by == "lead" else horizons)
        kept: pd.DataFrame = block[few & (~brief | (at == at.max()))]
        return kept
    import pandas as pd

    longest = block[block.horizon == block.horizon.max()].sort_values("ratio", ascending=False, kind="stable")
    worst = dict(iter(longest.groupby(["forecaster", "versus"], sort=False)))
    order = block[["forecaster", "versus"]].drop_duplicates().itertuples(index=False, name=None)
    chosen: pd.DataFrame = pd.concat([worst[pair].head(SERIES) for pair in order])
    return chosen


def _legend(frame: pd.DataFrame, by: By) -> Iterator[str]:
    """The words of the tables that a frame needs."""
    yield LEGEND
    applicable = frame.status != "not applicable"
    for versus, (name, meaning) in VERSUS.items():
        if ((frame.versus == versus) & applicable).any():
            yield f"{name}: {meaning}."
    if not applicable.all():
        longest = "" if by == "series" else f"; the longest {by} is shown"
        yield f"not applicable: nothing is learned, the ratio is 1{longest}."
    scored = frame.status.isin(("partial", "too many failed", "not applicable", NO_EFFECT))
    if (scored & (frame.failed_control + frame.failed_synthetic > 0)).any():
        yield (
            "failed windows: control + synthetic; such a row is over what is left and compares within itself only, "
            "and has no figure where more than half is lost."
        )


def _learning_nothing(block: pd.DataFrame) -> list[str]:
    """Forecasters whose rows are not applicable, all of them."""
    there = dict.fromkeys(block.forecaster)
    return [name for name in there if (block.status[block.forecaster == name] == "not applicable").all()]


def _few_leads(horizons: Sequence[int]) -> list[int]:
    """All leads up to `LEADS` of them; else the horizons asked for, and ever fewer leads the further out."""
    longest = max(horizons)
    if longest <= LEADS:
        return list(range(1, longest + 1))
    return sorted({*horizons, *(round(longest ** (i / LEADS)) for i in range(LEADS))})


def _asides(block: pd.DataFrame, by: By, horizons: Sequence[int]) -> Iterator[str]:
    if by == "lead" and max(horizons) > LEADS:
        yield f"{len(_few_leads(horizons))} of {max(horizons)} leads are shown; --format csv has all"
    if by == "series" and (block.unique_id.nunique() > SERIES or block.horizon.nunique() > 1):
        yield (
            f"the {SERIES} largest ratios of {block.unique_id.nunique()} series at the longest horizon are shown; "
            "--format csv has all"
        )
    yield from without_figures(block)
    if not block.valid.all():
        yield "percentages mean little here: actuals are negative, near 0, or spread wider than their mean"


def figure(value: float) -> str:
    """A figure in a few characters; a dash where there is none."""
    if math.isnan(value):
        return "-"
    size = abs(value)
    if not math.isfinite(value) or (size and not 1e-3 <= size < 1e6):
        return f"{value:.3g}"
    return f"{value:.{3 if size < 100 else 1 if size < 1e4 else 0}f}"


def _skill(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.2f}"


def _remark(row: dict[str, Any]) -> str:
    # the reason why a metric failed is said below the table
    status = str(row["status"]).partition(":")[0]
    lost = f"{row['failed_control']}+{row['failed_synthetic']}"
    if status == "partial":
        return f"failed windows: {lost}"
    if status == "too many failed":
        return f"too many failed: {lost}"
    if status in ("not applicable", NO_EFFECT) and lost != "0+0":
        return f"{status}, failed windows: {lost}"
    return "" if status == "ok" else status
