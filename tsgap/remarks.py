"""What a run says beside its figures: what failed, on what footing the arms stand, what reading and splitting did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from tsgap.run import Run

#: More failures than this are counted.
FAILURES = 20


def failures(run: Run) -> list[str]:
    """What failed, each cell once, and how much is missing."""
    found = run.failures()
    missing = found[found.status == "missing"].cell.nunique()
    bad = found[found.status != "missing"]
    bad = bad[~bad.cell.where(bad.cell != "", bad.data + "/" + bad.source + ": " + bad.error).duplicated()]
    lines = []
    for row in rows_of(bad.head(FAILURES)):
        trained = f", trained on {row['source']}" if row["arm"] == "synthetic" else f", {row['arm']} arm"
        who = f"{row['data']}: {row['forecaster']}{trained}"
        if row["status"] == "ok":
            lines.append(words(f"{who}: {row['n_failed']} windows failed, first {row['error']}"))
        else:
            stage = f" in {row['stage']}" if row["stage"] else ""
            lines.append(words(f"{who}: {row['status']}{stage}: {row['error']}"))
    if len(bad) > FAILURES:
        lines.append(f"{len(bad) - FAILURES} more; Run.failures() has all")
    if missing:
        lines.append(f"{missing} cells are missing; the same sweep again computes them")
    return lines


def notes(run: Run, frame: pd.DataFrame) -> list[str]:
    """Footing of each comparison, what reading and splitting did, and what is not known."""
    names = set(frame.data)
    everything = run.manifest["data"]
    lines = [
        n for n in run.manifest["notes"] if n.partition(": ")[0] in names or n.partition(": ")[0] not in everything
    ]
    lines += _footing(run, frame)
    handed = {s["name"] for s in run.manifest["experiment"]["sources"] if not s["what"].startswith("gen:")}
    shown = [name for name in dict.fromkeys(frame.source) if name in handed]
    until = run.manifest.get("generator_cutoff", "undeclared")
    if shown and until == "undeclared":
        lines.append(f"{', '.join(shown)}: undeclared up to when the generator saw real data (--generator-cutoff)")
    elif shown:
        lines.append(f"{', '.join(shown)}: the generator saw real data up to {until}, as declared")
    lines += run.warnings
    return [words(line) for line in lines]


def _footing(run: Run, frame: pd.DataFrame) -> Iterator[str]:
    """What the arms of each comparison have in common: pairing, scaling, context, and how much they learned from."""
    cells = run.cells()
    cells = cells[
        cells.data.isin(frame.data) & cells.source.isin(frame.source) & cells.forecaster.isin(frame.forecaster)
    ]
    cells = cells[(cells.transfer != "none") & cells.pairs.notna()]
    for (data, source), block in cells.groupby(["data", "source"], sort=False):
        told: dict[str, list[str]] = {}
        for (forecaster, _), one in block.groupby(["forecaster", "replicate"], sort=False):
            told.setdefault(_same_footing(one), []).append(str(forecaster))
        for line, forecasters in told.items():
            yield f"{data}: {source}: {', '.join(dict.fromkeys(forecasters))}: {line}"


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


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as dictionaries."""
    rows: list[dict[str, Any]] = frame.to_dict("records")  # type: ignore[assignment]
    return rows


def words(text: Any) -> str:
    """One line of text that no terminal takes for a command."""
    return "".join(c if c.isprintable() else "?" for c in str(text))
