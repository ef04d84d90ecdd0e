"""How near the nearest stretch of a panel is to given ones, up to level, slope and scale, or turned, at any place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tsgap.blocks import let_go, ranges
from tsgap.occurrences import NEAR, TURNS, Stretches, positions, sliding, turned
from tsgap.panel import Floats, Ints, Panel

#: Of a stretch that a line explains but for this share of its variance nothing is left to compare.
LINE = 1e-4
#: So many times the tolerance of equal values must be left of a stretch beside a smooth curve.
SMOOTH = 5.0
#: Stretches of the panel that are made at once.
_BLOCK = 2**13
#: Pairs of stretches that are compared at once, and how many of the panel these are at least and at most.
_PAIRS, _TOGETHER = 2**18, (256, _BLOCK)
#: What is nearer than this share of a distance is so in single precision too.
_SURE = 0.9

Singles = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Nearest:
    """How far the nearest stretch is, and where in the values of the panel it begins (n,); inf and -1 where none is.

    A distance is the root mean square of the difference of two stretches, each with mean 0, slope 0 and standard
    deviation 1: 0 is the same, 1.4 is unrelated. `turn` (n,) is the number in `TURNS` of how the nearest one is turned.
    """

    distance: Floats
    start: Ints
    turn: Ints


def flattened(stretches: Floats, *, line: float = LINE) -> tuple[Floats, NDArray[np.bool_]]:
    """Stretches (n, L) with mean 0, slope 0 and standard deviation 1, and of which more than a line is left (n,)."""
    time = _time(stretches.shape[1])
    centred = stretches - stretches.mean(1, keepdims=True)
    left = centred - np.outer(centred @ time, time)
    deviation, whole = left.std(1), centred.std(1)
    varies = (deviation > np.sqrt(line) * whole) & (whole > 1e-9 * np.abs(stretches).max(1, initial=0.0))
    return left / np.where(varies, deviation, 1.0)[:, None], varies


def steps_that_count(stretches: Floats) -> Floats:
    """How many steps from value to value make up flattened stretches (n, L): about 1 where it is one jump (n,).

    It is the inverse of the steps' concentration, as one counts effective parts: (sum of squares)² / sum of fourth
    powers. A third of L is noise.
    """
    squares = np.diff(stretches, axis=1) ** 2
    return np.asarray(squares.sum(1) ** 2 / np.maximum((squares**2).sum(1), np.finfo(float).tiny))


def detail(windows: Floats) -> Floats:
    """Root mean square of what a polynomial leaves of windows (n, L): of degree 6, or a quarter of their length (n,).

    Smooth stretches are all alike up to it: between those of unrelated series some are near by chance.
    """
    length = windows.shape[1]
    basis = np.linalg.qr(np.vander(np.linspace(-1.0, 1.0, length), min(6, length // 4) + 1))[0]
    # no matrix product with the windows in a row: its last bit depends on how many come together
    shares = np.einsum("nl,lk->nk", windows, basis)
    return np.asarray(np.sqrt(((windows - np.einsum("nk,lk->nl", shares, basis)) ** 2).mean(1)))


def telling(stretches: Stretches) -> NDArray[np.bool_]:
    """Which stretches (n,) are no smooth curves: of these the tolerance of equal ones leaves nothing to tell apart."""
    told = [detail(stretches.standardised(rows)) >= SMOOTH * NEAR for rows in ranges(len(stretches), stretches.length)]
    return np.concatenate([np.zeros(0, dtype=bool), *told])


def nearest(
    stretches: Floats,
    panel: Panel,
    *,
    apart: Sequence[Ints] = (),
    turns: bool = False,
    enough: Floats | None = None,
) -> Nearest:
    """The nearest stretch of a panel to each of some `flattened` ones (n, L).

    It is looked for in single precision, block by block; those of the panel that are a line are nowhere.
    Each of `apart` (n, 2) says which positions of the panel do not count: from its first to before its second number.
    With `turns` those of the panel are looked at in each of `TURNS`: of what is even and what is odd about the middle
    of two stretches the products are a and b, and a + b, −a − b, a − b and b − a those of the stretches in every turn.
    Where one is nearer than `enough` (n,) there may be others that are nearer still.
    """
    n, length = stretches.shape
    best, at = np.zeros(n, dtype=np.float32), np.full(n, -1, dtype=np.int64)
    least = np.full(n, np.inf) if enough is None else length * (1 - (_SURE * enough) ** 2 / 2)
    rows, wanted = np.arange(n), _parts(stretches.astype(np.float32), turns)
    for block in ranges(len(panel.values) - length + 1, 1, _BLOCK):
        if not len(rows):
            break
        there = _parts(_windows(panel, block, length), turns)
        size = int(np.clip(_PAIRS // len(rows), *_TOGETHER))
        room = np.empty((len(wanted), len(rows), size), dtype=np.float32)
        for piece in ranges(len(there[0]), 1, size):
            products = room[:, :, : piece.stop - piece.start]
            for mine, theirs, product in zip(wanted, there, products, strict=True):
                np.matmul(mine, theirs[piece].T, out=product)
            alike = products[0]
            if turns:
                np.abs(products, out=products)
                alike += products[1]
            begin = block.start + piece.start
            for span in apart:
                _leave_out(alike, span[rows] - begin)
            place = alike.argmax(1)
            value = alike[np.arange(len(rows)), place]
            better = value > best[rows]
            best[rows[better]], at[rows[better]] = value[better], place[better] + begin
        let_go(panel.values)
        left = best[rows] < least[rows]
        if not left.all():
            rows, wanted = rows[left], tuple(part[left] for part in wanted)
    found = np.flatnonzero(at >= 0)
    distance, turn = np.full(n, np.inf), np.zeros(n, dtype=np.int64)
    for some in ranges(len(found), length):
        of = found[some]
        # what was found is more than a line up to rounding, and has a scale
        exact, _ = flattened(panel.values[positions(at[of], length)], line=LINE / 100)
        for how in range(len(TURNS) if turns else 1):
            far = np.sqrt(((turned(exact, np.full(len(of), how)) - stretches[of]) ** 2).mean(1))
            turn[of] = np.where(far < distance[of], how, turn[of])
            distance[of] = np.minimum(far, distance[of])
    return Nearest(distance, at, turn)


def dimensions(stretches: Floats, panel: Panel, *, floor: float) -> float:
    """In how many dimensions the stretches of a panel differ around some `flattened` ones (n, L), in any turn.

    It is told from how much farther the second nearest is than the nearest, which has nothing in common with it: in D
    dimensions the ratio is above x with probability x^−D (Facco et al. 2017). The lower quartile of the ratios leaves
    copies among them out of account. What is nearer than `floor` is that far. Where nothing is farther it is infinite.
    """
    first = nearest(stretches, panel, turns=True)
    length = stretches.shape[1]
    around = np.stack([first.start - length + 1, first.start + length], axis=1)
    second = nearest(stretches, panel, turns=True, apart=[around])
    known = np.isfinite(second.distance)
    ratio = np.maximum(second.distance[known], floor) / np.maximum(first.distance[known], floor)
    quartile = float(np.quantile(np.log(ratio), 0.25)) if len(ratio) else 0.0
    return float(-np.log(0.75) / quartile) if quartile > 0 else float(np.inf)


def _parts(stretches: Singles, turns: bool) -> tuple[Singles, ...]:
    """What is even about the middle of stretches (n, ⌈L/2⌉) and what is odd (n, ⌊L/2⌋): products add up; or all."""
    if not turns:
        return (stretches,)
    half = stretches.shape[1] // 2
    first, last, root = stretches[:, :half], stretches[:, ::-1][:, :half], np.float32(np.sqrt(0.5))
    return np.hstack([root * (first + last), stretches[:, half : stretches.shape[1] - half]]), root * (first - last)


def _windows(panel: Panel, block: slice, length: int) -> Singles:
    """Stretches of the panel from each position of a block on with standard deviation 1; 0 where there are none."""
    y, inside = _block(panel, block.start, block.stop - block.start, length)
    scale, hidden = _scales(y, length)
    windows = np.lib.stride_tricks.sliding_window_view(y.astype(np.float32), length)
    there = np.multiply(windows, np.where(inside, scale, 0.0).astype(np.float32)[:, None])
    if len(slow := np.flatnonzero(inside & hidden)):
        exact, varies = flattened(panel.values[positions(slow + block.start, length)])
        there[slow] = exact * varies[:, None]
    return there


def _leave_out(alike: Singles, span: Ints) -> None:
    first, last = np.clip(span, 0, alike.shape[1]).T
    for row in np.flatnonzero(last > first).tolist():
        alike[row, first[row] : last[row]] = -1.0


def _block(panel: Panel, begin: int, count: int, length: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Values of a block around the mean of each series there, and which stretches lie within one series."""
    y = panel.values[begin : begin + count + length - 1].copy()
    first, last = np.searchsorted(panel.offsets, (begin, begin + len(y) - 1), side="right") - 1
    begins = np.maximum(panel.offsets[first : last + 1] - begin, 0)
    sizes = np.diff(begins, append=len(y))
    begins, sizes = begins[sizes > 0], sizes[sizes > 0]
    y -= np.repeat(np.add.reduceat(y, begins) / sizes, sizes)
    ends = np.repeat(begins + sizes, sizes)[: len(y) - length + 1]
    return y, np.asarray(np.arange(len(ends)) + length <= ends)


def _scales(y: Floats, length: int) -> tuple[Floats, NDArray[np.bool_]]:
    """One over the standard deviation around a line of each stretch, 0 where it is a line; and where it is hidden (n,).

    Where a level hides what varies, single precision would lose it: the scale is 0 there too.
    """
    first = np.arange(len(y) - length + 1)
    total, square = sliding(y, length), sliding(y * y, length)
    weighted = sliding(y * np.arange(len(y)), length) - (first + (length - 1) / 2) * total
    whole = square - total * total / length
    left = whole - weighted**2 / (length * (length**2 - 1) / 12)
    varies, hidden = left > LINE / 10 * whole, whole <= 1e-6 * square
    if hidden.any():
        hidden &= sliding((np.diff(y) != 0).astype(np.float64), length - 1) > 0
    varies &= (whole > 1e-6 * square) & (whole > 0)
    return np.where(varies, np.sqrt(length / np.where(varies, left, 1.0)), 0.0), hidden


def _time(length: int) -> Floats:
    time = np.arange(length) - (length - 1) / 2
    return np.asarray(time / np.sqrt((time**2).sum()))
