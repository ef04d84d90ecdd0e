"""Populations of series and what can go wrong with a source of them, planted: for diagnostics of the data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

from tsgap.panel import Floats, Panel

#: Season of all populations, values of a series, and of a window where the source hands over windows.
SEASON, LENGTH, WINDOW = 12, 256, 64


def panel(rows: Floats | list[Floats], name: str = "s", season: int = SEASON) -> Panel:
    """Series called by a name and their number."""
    return Panel.of({f"{name}{i}": row for i, row in enumerate(rows)}, seasons=(season,))


def alike(rng: np.random.Generator, series: int, length: int = LENGTH) -> Floats:
    """Series (S, T) of one process: a season with a phase of its own, and an autoregression."""
    return _made(rng, np.full(series, 0.6), np.ones(series), np.zeros(series), np.ones(series), length)


def unlike(rng: np.random.Generator, series: int, length: int = LENGTH) -> Floats:
    """Series (S, T) of which each has a memory, a season, a level and a scale of its own, over decades."""
    return _made(rng, *_characters(rng, series), length)


def counts(rng: np.random.Generator, series: int, length: int = LENGTH) -> Floats:
    """Series (S, T) of whole numbers, many of them 0: sales of slow articles."""
    rate = rng.gamma(1.0, 0.5, (series, 1)) * (1 + 0.5 * np.sin(2 * np.pi * np.arange(length) / SEASON))
    return rng.poisson(rate).astype(np.float64)


def _characters(rng: np.random.Generator, series: int) -> tuple[Floats, Floats, Floats, Floats]:
    scale = np.exp(rng.normal(0, 1.5, series))
    return rng.uniform(0.1, 0.9, series), rng.uniform(0, 3, series), scale * rng.uniform(0, 20, series), scale


def _made(
    rng: np.random.Generator, memory: Floats, season: Floats, level: Floats, scale: Floats, length: int
) -> Floats:
    noise = rng.normal(size=(len(memory), length + 50))
    kept = [lfilter([np.sqrt(1 - phi**2)], [1, -phi], of)[50:] for phi, of in zip(memory, noise, strict=True)]
    phase = rng.uniform(0, SEASON, (len(memory), 1))
    wave = np.sin(2 * np.pi * (np.arange(length) + phase) / SEASON)
    return level[:, None] + scale[:, None] * (np.array(kept) + season[:, None] * wave)


def second_draw(world: Callable[..., Floats], series: int) -> Callable[[np.random.Generator], tuple[Panel, Panel]]:
    """Real series and as many others of the same population."""
    return lambda rng: (panel(world(rng, series)), panel(world(rng, series), "new "))


def twins(rng: np.random.Generator) -> tuple[Panel, Panel]:
    """Series of different characters, and a second draw of each of them under its own name."""
    characters = _characters(rng, 60)
    return panel(_made(rng, *characters, LENGTH)), panel(_made(rng, *characters, LENGTH))


def windows(rng: np.random.Generator) -> tuple[Panel, Panel]:
    """Few long series of different characters, and many short windows, each of a series of its own."""
    return panel(unlike(rng, 40, 2 * LENGTH)), panel(unlike(rng, 400, WINDOW), "window ")


def few(rng: np.random.Generator) -> tuple[Panel, Panel]:
    """Three long series of different characters, and a second draw of each of them."""
    characters = _characters(rng, 3)
    return panel(_made(rng, *characters, 12 * LENGTH)), panel(_made(rng, *characters, 12 * LENGTH))


#: Sources that are as good as real series: any warning of them is false.
NULLS: dict[str, Callable[[np.random.Generator], tuple[Panel, Panel]]] = {
    "alike": second_draw(alike, 60),
    "unlike": second_draw(unlike, 60),
    "twins": twins,
    "short windows": windows,
    "few series": few,
    "counts": second_draw(counts, 60),
}


def block_bootstrap(rng: np.random.Generator, rows: Floats, block: int = 24) -> Floats:
    """Blocks of each series from random places of it, one after another."""
    out = np.empty_like(rows)
    for row, of in zip(out, rows, strict=True):
        starts = rng.integers(0, len(of) - block + 1, -(-len(of) // block))
        row[:] = np.concatenate([of[s : s + block] for s in starts])[: len(of)]
    return out


def shuffled(rng: np.random.Generator, rows: Floats) -> Floats:
    """The values of each series in random order."""
    return rng.permuted(rows, axis=1)


def jittered(rng: np.random.Generator, rows: Floats, size: float = 0.3) -> Floats:
    """With noise of so many standard deviations of its series."""
    return rows + size * rows.std(1, keepdims=True) * rng.normal(size=rows.shape)


def moved(rng: np.random.Generator, rows: Floats, size: float = 1.0) -> Floats:
    """The last quarter of every `WINDOW` values higher by so many standard deviations of its series."""
    late = np.arange(rows.shape[1]) % WINDOW >= WINDOW - WINDOW // 4
    return np.asarray(rows + size * rows.std(1, keepdims=True) * late)


def backwards(rng: np.random.Generator, rows: Floats) -> Floats:
    """The last value first."""
    return np.ascontiguousarray(rows[:, ::-1])


def louder(rng: np.random.Generator, rows: Floats, size: float = 1.5) -> Floats:
    """Every series around its own mean, larger by a factor."""
    centre = rows.mean(1, keepdims=True)
    return np.asarray(centre + size * (rows - centre))


def half_of_kinds(rng: np.random.Generator, rows: Floats) -> Floats:
    """The half of the series that change least from step to step, for what they vary."""
    change = np.abs(np.diff(rows, axis=1)).mean(1) / rows.std(1)
    return rows[np.argsort(change)[: len(rows) // 2]]


#: What can be done to a second draw, by name: the fault, and how many series (S,) of how many values it is done to.
FAULTS: dict[str, tuple[Callable[[np.random.Generator, Floats], Floats], int, int]] = {
    "block bootstrap 24": (block_bootstrap, 60, LENGTH),
    "shuffle": (shuffled, 60, LENGTH),
    "jitter .3 sd": (jittered, 60, LENGTH),
    "half of the kinds": (half_of_kinds, 120, LENGTH),
    "targets +1 sd": (moved, 240, WINDOW),
    "half as loud again": (louder, 60, LENGTH),
    "backwards": (backwards, 60, LENGTH),
}


def faulty(
    name: str, rng: np.random.Generator, world: Callable[..., Floats] = unlike, series: int = 60
) -> tuple[Panel, Panel]:
    """Real series of a world, and a source that has the fault of this name."""
    fault, many, length = FAULTS[name]
    drawn = world(rng, many * series // 60, length)
    return panel(world(rng, series)), panel(fault(rng, drawn), "made ")
