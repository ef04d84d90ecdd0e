"""Which windows of the test have a history that the synthetic series cover."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tsgap.arms import TrainingSet, train_figures
from tsgap.blocks import let_go, ranges
from tsgap.contexts import NAMES, features
from tsgap.panel import Floats, Ints, Panel, digest
from tsgap.ragged import gathered
from tsgap.scaling import location_and_scale, scaled
from tsgap.splits import Split
from tsgap.store import Store

#: Names of windows whose history is covered or not.
COVERED = ("covered", "not covered")
#: Contexts of a side at most, and which neighbour among the real ones says how near a synthetic one must be.
WINDOWS, NEIGHBOUR = 2000, 5
#: Windows of the test that are asked at most; the others are in neither group.
ASKED = 20_000
#: A feature that spreads less than this share of the largest one does not vary.
ROUNDING = 1e-12
#: Changed with what is meant by covered.
VERSION = 1


def written(split: Split, training: TrainingSet, store: Store, *, seed: int) -> dict[str, str]:
    """Put whether the history of each window of the test is covered in a table; its name, or why there is none.

    Histories are cut to the context and scaled as forecasters see them, and compared by the features of
    `tsgap.contexts`, in standard deviations of the real ones. One is covered where some synthetic context lies as near
    as its `NEIGHBOUR`-th neighbour among as many contexts of the real training part, those of its own series left out
    (where there are others). After Naeem, Oh, Uh, Choi & Yoo (2020), "Reliable fidelity and diversity metrics for
    generative models".
    """
    import pyarrow as pa

    rng, scaling, context = np.random.default_rng(seed), training.footing.scaling, training.footing.context
    of = train_figures(split.train) if scaling == "train" else None
    figures = None if of is None else np.array([of[key] for key in split.data.keys])
    ours = None if of is None else np.array([of[key] for key in split.train.keys])
    real, whose = _contexts(split.train, scaling, context, ours, rng)
    made, _ = _contexts(training.panel, scaling, context, training.figures, rng)
    n = min(len(real), len(made))
    if n <= 2 * NEIGHBOUR:
        return {"table": "", "why": f"only {n} contexts of {context} values can be compared"}
    of_real, of_made = (np.sort(rng.permutation(len(one))[:n]) for one in (real, made))
    real, whose, made = real[of_real], whose[of_real], made[of_made]
    rows = np.sort(rng.permutation(len(split))[:ASKED])
    asked, rows = _histories(split, rows, scaling, context, figures)
    centre, spread = real.mean(0), real.std(0)
    # a feature that scaling makes the same everywhere differs by rounding alone
    spread = np.where(spread > ROUNDING * max(1.0, float(np.abs(real).max())), spread, np.inf)
    real, made, asked = ((one - centre) / spread for one in (real, made, asked))
    if len(np.unique(whose)) < 2 * NEIGHBOUR:
        whose = np.full(n, -1)
    labels = np.full(len(split), "", dtype=object)
    labels[rows] = np.array(COVERED, dtype=object)[(~_is_covered(asked, split.series[rows], real, whose, made)) * 1]
    name = f"covered-{digest(split.fingerprint, training.panel.fingerprint, scaling, context, seed, VERSION)}"
    store.write_table(name, pa.table({"covered": pa.array(list(labels))}))
    return {"table": name, "why": ""}


def _contexts(
    panel: Panel, scaling: str, context: int, figures: Floats | None, rng: np.random.Generator
) -> tuple[Floats, Ints]:
    """Features (n, F) of at most `WINDOWS` contexts of a panel by chance, scaled; the row that each is of (n,)."""
    room = np.maximum(panel.lengths - context + 1, 0)
    ends = np.cumsum(room)
    at = np.sort(rng.choice(int(room.sum()), min(WINDOWS, int(room.sum())), replace=False))
    row = np.searchsorted(ends, at, side="right")
    starts = panel.offsets[row] + at - (ends - room)[row]
    values, offsets = gathered(panel.values, starts, np.full(len(starts), context))
    some = Panel(values, offsets, tuple(map(str, range(len(row)))), panel.freq, panel.seasons)
    let_go(panel.values)
    return _seen(some, scaling, context, None if figures is None else figures[row]), row


def _histories(split: Split, rows: Ints, scaling: str, context: int, figures: Floats | None) -> tuple[Floats, Ints]:
    """Features (n, F) of the contexts of some windows, scaled; which of the `rows` have a history so long."""
    parts, kept, done = [np.empty((0, len(NAMES)))], [], 0
    for panel in split.histories_in_blocks(context):
        here = rows[(rows >= done) & (rows < done + len(panel))] - done
        here = here[panel.lengths[here] == context]
        if len(here):
            series = split.series[here + done]
            parts.append(_seen(panel.take(here), scaling, context, None if figures is None else figures[series]))
        kept.append(here + done)
        done += len(panel)
    return np.concatenate(parts), np.concatenate(kept)


def _seen(contexts: Panel, scaling: str, context: int, figures: Floats | None) -> Floats:
    """Features (n, F) of rows of `context` values, scaled as forecasters see them."""
    shift, size, _ = location_and_scale(contexts, scaling, context, figures)
    return features(scaled(contexts, shift, size).values.reshape(-1, context), contexts.season)


def _is_covered(asked: Floats, mine: Ints, real: Floats, whose: Ints, made: Floats) -> NDArray[np.bool_]:
    """Whether the nearest of `made` (n, F) is as near to each of `asked` (N, F) as its neighbour among the `real`."""
    out = np.zeros(len(asked), dtype=bool)
    for rows in ranges(len(asked), len(real), 2**22):
        apart = _squares(asked[rows], real)
        apart[mine[rows, None] == whose] = np.inf
        radius = np.partition(apart, NEIGHBOUR - 1, axis=1)[:, NEIGHBOUR - 1]
        out[rows] = _squares(asked[rows], made).min(1) <= radius
    return out


def _squares(one: Floats, other: Floats) -> Floats:
    """Squared distances (n, m)."""
    return np.asarray((one**2).sum(1)[:, None] - 2 * one @ other.T + (other**2).sum(1))
