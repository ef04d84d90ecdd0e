"""`tsgap sweep --dry-run`: what would be computed, and what it will be able to tell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tsgap.detectable import Detectable
    from tsgap.gap import Counts
    from tsgap.previews import Preview
    from tsgap.recording import Foreseen


def show_preview(found: Preview, *, as_json: bool) -> None:
    """Print what a sweep would do, or the same as JSON."""
    import json

    if as_json:
        told = {
            "folder": str(found.folder),
            "cells": found.tasks,
            **({} if found.shard is None else {"shard": str(found.shard), "of_cells": found.whole}),
            **({"perturbed": found.perturbed, "views": found.views} if found.perturbed else {}),
            "reused": found.reused,
            "reasons": dict(found.reasons),
            "seconds": found.seconds,
            "unknown": list(found.unknown),
            **({} if found.examined is None else {"diagnostics": _counted(found.examined)}),
            "detectable": {name: _as_json(*expected) for name, expected in found.detectable.items()},
        }
        click.echo(json.dumps(told, indent=1))
        return
    for data in found.data:
        split = data.split
        seasons = ", ".join(map(str, split.data.seasons))
        click.echo(
            f"{data.name}: {len(split.data)} series, freq {split.data.freq}, season {seasons}, "
            f"{split.n_windows} windows {split.step} steps apart, horizons {', '.join(map(str, data.horizons))}, "
            f"training up to {str(split.cutoffs.min())[:19].removesuffix('T00:00:00')}"
        )
        for line in _told(*found.detectable[data.name]):
            click.echo(f"  {line}")
    for note in found.notes:
        click.echo(f"  {note}")
    if found.shard is not None:
        click.echo(f"share {found.shard}: {found.tasks} of {found.whole} cells")
    click.echo(f"{found.tasks} cells in {found.folder}: {found.reused} reused, {found.tasks - found.reused} to compute")
    if found.perturbed:
        click.echo(
            f"  {found.perturbed} of them forecast perturbed histories ({found.views} views of a fit at most, without "
            "another fit)"
        )
    for reason, n in sorted(found.reasons.items()):
        click.echo(f"  {n:5d} {reason}")
    if found.seconds:
        click.echo(f"about {found.seconds:.0f} s of work, by the cells of the same forecasters in the folder")
    if found.unknown:
        click.echo(f"time not known yet: {', '.join(found.unknown)}")
    for line in _diagnostics(found):
        click.echo(line)


def _diagnostics(found: Preview) -> Iterator[str]:
    """What is examined beside the cells, in words."""
    if found.examined is None:
        return
    one, told = found.examined, _counted(found.examined)
    sources = "source" if one.sources == 1 else f"of {one.sources} sources"
    todo = told["total"] - told["reused"]
    yield f"{told['total']} diagnostics, {one.diagnostics} of each {sources}: {told['reused']} reused, {todo} to run"
    if one.refits:
        many = "1 generator is" if one.refits == 1 else f"{one.refits} generators are"
        yield f"  {many} fitted once more for them, on half of the series"
    if todo:
        yield "  time not known yet" if one.seconds is None else f"  about {one.seconds:.0f} s, by those in the folder"


def _counted(one: Foreseen) -> dict[str, Any]:
    """The diagnostics for a program, every one of every source counted."""
    return {
        "total": one.diagnostics * one.sources,
        "reused": one.diagnostics * one.reused,
        "each": one.diagnostics,
        "sources": one.sources,
        "refits": one.refits,
        "seconds": one.seconds,
    }


def _told(expected: Sequence[Detectable], counts: Counts) -> Iterator[str]:
    """What can be told of the gap, in words."""
    from tsgap.findings import Rules
    from tsgap.sentences import leads, least, more, share

    margin = Rules().margin
    bins = ", ".join(
        f"{leads(b.first, b.last)} {_size(100 * math.expm1(b.half))} %" for b in expected if b.half == b.half
    )
    yield f"smallest gap that can be told from none, to within a factor of about 4: {bins or 'none: no pair is scored'}"
    if not counts.enough:
        yield f"no verdict: {counts.series} series and {counts.blocks} test periods; {least(counts)} are needed"
    known = [b for b in expected if b.half == b.half]
    worst = max(known, key=lambda b: b.half, default=None)
    if worst is None or worst.half < math.log1p(margin):
        return
    ways = more(("series", [worst.series], counts.series), ("test periods (--windows)", [worst.blocks], counts.blocks))
    needs = f"about {ways}" if ways else "more series and more windows: neither alone would do"
    yield f"a gap of {share(margin)} at {leads(worst.first, worst.last)} needs {needs}"


def _size(percent: float) -> str:
    """Two digits, and no more figures than they are.

    >>> _size(9.73), _size(44.6), _size(101.2)
    ('9.7', '45', '101')
    """
    return f"{percent:.2g}" if percent < 99.5 else f"{percent:.0f}"


def _as_json(expected: Sequence[Detectable], counts: Counts) -> dict[str, Any]:
    """The same for a program; null where it is not known or more would not do."""
    bins = [{k: v if math.isfinite(v) else None for k, v in vars(b).items()} for b in expected]
    return {"bins": bins, **vars(counts), "enough": counts.enough}
