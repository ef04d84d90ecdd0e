"""What was missing or out of order as series were read: how much, how long, and what reading repaired."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tsgap.diagnostics.contrast import Contrast
from tsgap.diagnostics.figures import Figure
from tsgap.diagnostics.shares import Share
from tsgap.panel import Dataset, Floats, Ints

#: How far beyond the longest gap of real series a limit lies, and series of a side that are looked at, at most.
TOLERANCE, SERIES = 0.1, 1000

_ADVICE = "leave out as much as the real series do, or fill the gaps before the series are handed over"
_REPAIRED = "write the series with stamps that rise and lie on the grid of the real ones"


def gaps(contrast: Contrast, *, seed: int) -> Iterator[Share]:
    """The share of missing values, and of series with a gap longer than real ones have; nothing where none was read."""
    if not {"real", "synthetic"} <= set(contrast.as_read):
        return
    real, synthetic = (_some(contrast.as_read[side], seed) for side in ("real", "synthetic"))
    taught = set(contrast.real.panel.series)
    learning = np.array([key in taught for key in real.keys])
    held = np.flatnonzero(~learning)
    if learning.all() or not learning.any():
        # few series are on both sides, in stretches
        learning, held = np.ones(len(real), dtype=bool), np.arange(len(real))
    rows = np.arange(len(synthetic))
    (ours, our_gaps), (theirs, their_gaps) = _missing(synthetic), _missing(real)
    yield Share("missing values", ours, rows, theirs[held], held, _ADVICE, "mean over series")
    limit = int(np.ceil((1 + TOLERANCE) * their_gaps[learning].max()))
    yield Share(
        "gap too long",
        (our_gaps > limit).astype(np.float64),
        rows,
        (their_gaps[held] > limit).astype(np.float64),
        held,
        _ADVICE,
        f"share of series with more than {limit} steps missing in a row",
    )


def repairs(contrast: Contrast) -> Iterator[Figure]:
    """How many repairs of stamps reading reported of the synthetic series; a warning where the real ones took none."""
    if not {"real", "synthetic"} <= set(contrast.as_read):
        return
    ours, theirs = (
        [note for note in contrast.as_read[side].notes if "stamp" in note and "time zone" not in note]
        for side in ("synthetic", "real")
    )
    warn = bool(ours) and not theirs
    yield Figure(
        "stamps repaired",
        len(ours),
        reference=len(theirs),
        flag="warn" if warn else "",
        advice=_REPAIRED if warn else "",
        detail="; ".join(ours[:3]),
    )


def _missing(data: Dataset) -> tuple[Floats, Ints]:
    """Share of missing values and longest gap of each series (S,)."""
    row = np.searchsorted(data.offsets, data.missing, side="right") - 1
    share = np.bincount(row, minlength=len(data)) / np.maximum(data.lengths, 1)
    longest = np.zeros(len(data), dtype=np.int64)
    if len(row):
        begins = np.append(0, np.flatnonzero((np.diff(data.missing) != 1) | (np.diff(row) != 0)) + 1)
        np.maximum.at(longest, row[begins], np.diff(np.append(begins, len(row))))
    return share, longest


def _some(data: Dataset, seed: int) -> Dataset:
    if len(data) <= SERIES:
        return data
    return data.take(np.sort(np.random.default_rng(seed).choice(len(data), SERIES, replace=False)))
