"""What a run says beside its figures: what failed, on what footing the arms stand, what reading and splitting did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tsgap.augmentation import ARMS
from tsgap.formats import rows_of
from tsgap.holdout import ON_SYNTHETIC
from tsgap.horizon import METRIC_FAILED, NO_EFFECT
from tsgap.perturbing import ARMS as PERTURBED

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.run import Run

#: More failures than this are counted, and more windows of a cell that failed for one reason.
FAILURES, WINDOWS = 20, 5


def all_well(run: Run, frame: pd.DataFrame) -> bool:
    """Whether every cell of a run is there and ended well, and so did the metrics of a profile of it."""
    return run.complete and not run.n_failed and not frame.status.str.startswith(METRIC_FAILED).any()


def failures(run: Run) -> list[str]:
    """What failed, cells that ended alike in one line, and how much is missing."""
    bad, missing = _each_once(run.failures())
    alike = Counter(_failure(row) for row in bad)
    lines = [line if n == 1 else f"{line} ({n} cells)" for line, n in alike.items()]
    if len(lines) > FAILURES:
        lines[FAILURES:] = [f"{len(lines) - FAILURES} more; 'tsgap show RUN --failures' has all"]
    return [*lines, *missing]


def details(
    run: Run,
    *,
    data: Sequence[str] | None = None,
    source: Sequence[str] | None = None,
    forecaster: Sequence[str] | None = None,
) -> Iterator[str]:
    """Every failure of a run, line by line: what failed, its windows and why, and the stored traceback."""
    bad, missing = _each_once(run.failures(data=data, source=source, forecaster=forecaster))
    windows = dict(iter(run.failed_windows(data=data, source=source, forecaster=forecaster).groupby("cell")))
    for row in bad:
        yield _failure(row).partition(", first ")[0] if row["cell"] in windows else _failure(row)
        if row["cell"] in windows:
            of_cell = windows[row["cell"]].drop_duplicates(["unique_id", "window"])
            for reason, those in of_cell.groupby("reason", sort=False):
                yield words(f"    {_counted(len(those))}: {reason}")
                first = [f"{one['unique_id']}, window {one['window']}" for one in rows_of(those.head(WINDOWS))]
                more = len(those) - len(first)
                rest = f"; {more} more, Run.failed_windows() has all" if more else ""
                yield words(f"        {'; '.join(first)}{rest}")
        for line in row["traceback"].rstrip().splitlines():
            yield "    " + words(line.expandtabs(4))
    yield from missing
    if not bad and not missing:
        yield "no failures"


def _each_once(found: pd.DataFrame) -> tuple[list[dict[str, Any]], list[str]]:
    """The failures of `Run.failures`, each cell and each failed source once, and what to say of missing cells."""
    missing = found[found.status == "missing"].cell.nunique()
    bad = found[found.status != "missing"]
    bad = bad[~bad.cell.where(bad.cell != "", bad.data + "/" + bad.source + ": " + bad.error).duplicated()]
    are = "1 cell is" if missing == 1 else f"{missing} cells are"
    told = f"{are} missing; the same sweep again computes what is, or the other shards do ('tsgap merge')"
    return rows_of(bad), [told] if missing else []


def _failure(row: dict[str, Any]) -> str:
    if not row["cell"]:
        return words(f"{row['data']}: {row['source']}: no synthetic series: {row['error']}")
    view, _, arm = row["arm"].rpartition("/")
    trained = f", trained on {row['source']}" if arm == "synthetic" else f", {arm} arm"
    who = f"{row['data']}: {row['forecaster']}{trained}" + (f", {view}" if view else "")
    if row["status"] == "ok":
        return words(f"{who}: {_counted(row['n_failed'])} failed, first {row['error']}")
    stage = f" in {row['stage']}" if row["stage"] else ""
    return words(f"{who}: {row['status']}{stage}: {row['error']}")


def _counted(n: int) -> str:
    return "1 window" if n == 1 else f"{n} windows"


def without_figures(block: pd.DataFrame) -> Iterator[str]:
    """Which metrics failed, and which forecasters ignore their training, in the rows of a profile."""
    for status in dict.fromkeys(block.status[block.status.str.startswith(METRIC_FAILED)]):
        yield str(status)
    ignoring = list(dict.fromkeys(block.forecaster[block.status == NO_EFFECT]))
    if ignoring:
        yield (
            f"{', '.join(ignoring)}: training has no effect, forecasts are the same bit for bit whatever was trained "
            "on; it refits on the history or ignores its training, and a ratio would say nothing"
        )


def notes(run: Run, frame: pd.DataFrame) -> list[str]:
    """Footing of each comparison, what reading and splitting did, and what is not known."""
    lines = [*_of_sources(run, frame), *_footing(run, frame)]
    for until, sources in frame.groupby("generator_saw", sort=False).source.unique().items():
        who = ", ".join(sources)
        if until == "undeclared":
            lines.append(f"{who}: undeclared up to when the generator saw real data (--generator-cutoff)")
        elif until != "the training part" and not str(until).startswith("no generator"):
            lines.append(f"{who}: the generator saw real data up to {until}, as declared")
    lines += run.warnings
    return [words(line) for line in lines]


def _of_sources(run: Run, frame: pd.DataFrame) -> Iterable[str]:
    """The notes of the sweep on what is shown; those that say the same of several sources are one."""
    everything, sources = run.manifest["data"], set(run.cells().source)
    merged: dict[tuple[str, str], list[str]] = {}
    for note in run.manifest["notes"]:
        data, _, rest = note.partition(": ")
        source, _, text = rest.partition(": ")
        if data in everything and source and source in sources:
            if ((frame.data == data) & (frame.source == source)).any():
                merged.setdefault((data, text), []).append(source)
        elif data not in everything or data in set(frame.data):
            merged.setdefault((note, ""), [])
    return [f"{head}: {', '.join(names)}: {text}" if names else head for (head, text), names in merged.items()]


def _footing(run: Run, frame: pd.DataFrame) -> Iterator[str]:
    """What the arms of each comparison have in common: pairing, scaling, context, and how much they learned from."""
    cells = run.cells()
    cells = cells[
        cells.data.isin(frame.data) & cells.source.isin(frame.source) & cells.forecaster.isin(frame.forecaster)
    ]
    cells = cells[
        (cells.transfer != "none") & cells.pairs.notna() & ~cells.arm.isin([*ON_SYNTHETIC.values(), *ARMS, *PERTURBED])
    ]
    for (data,), of_data in cells.groupby(["data"], sort=False):
        sources: dict[tuple[str, str], list[str]] = {}
        for (source,), block in of_data.groupby(["source"], sort=False):
            told: dict[str, list[str]] = {}
            for (forecaster, _), one in block.groupby(["forecaster", "replicate"], sort=False):
                told.setdefault(_same_footing(one), []).append(str(forecaster))
            for line, forecasters in told.items():
                sources.setdefault((", ".join(dict.fromkeys(forecasters)), line), []).append(str(source))
        for (who, line), names in sources.items():
            yield f"{data}: {', '.join(names)}: {who}: {line}"


def _same_footing(arms: pd.DataFrame) -> str:
    first = arms.iloc[0]
    local = first["scope"] == "local"
    unit = "series" if local else "training pairs"
    counts = []
    for row in rows_of(arms):
        before = f" of {int(row['pairs_before'])}" if row["pairs"] != row["pairs_before"] else ""
        look = "" if local or row["context"] == first["context"] else f" (context {int(row['context'])})"
        counts.append(f"{row['arm']} {int(row['pairs'])}{before}{look}")
    context = "" if local else f", context {int(first['context'])}"
    pairing = "paired" if first["paired"] else "unpaired"
    return f"{pairing}, scaling {first['scaling']}{context}; {unit}: {', '.join(counts)}"


def words(text: Any) -> str:
    """One line of text that no terminal takes for a command."""
    return "".join(c if c.isprintable() else "?" for c in str(text))
