"""Second moments of all windows of a ragged panel, without building a window, and least squares solved from them.

A window is `context` values and the `leads` after them, less the level of its context. Moments of parts add up to those
of the whole and may be weighted: a mixture, or all series but some, costs one more solve and no pass over the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tsgap.panel import Floats, Ints

#: What is subtracted from a window: the mean of its context, or its last value.
Level = Literal["mean", "last"]

#: Values that are transformed at once. Fixed, as the last bit of a sum depends on where it is cut.
_BLOCK = 2**18
#: Where sums of squares before the level of a context is subtracted are so many times what is left after, rounding
#: would show: such a block is summed window by window.
_CANCELLED = 1e3
#: Ridge that is never gone below, a window: what rounding leaves of constant series teaches nothing.
_FLOOR = 1e-12
#: Ridges that are tried, relative to the mean second moment of a context value, and how many leads are looked at.
RIDGES: tuple[float, ...] = tuple(10.0 ** (k / 2) for k in range(-12, 3))
_LEADS = 32


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over windows of products of context and leads; `+` joins data, `*` weights them.

    `xx` (C, C), context times context; `xy` (C, H), context times lead; `yy` (H,), squares of each lead; `windows`,
    how many there are, weighted.
    """

    xx: Floats
    xy: Floats
    yy: Floats
    windows: float

    __array_ufunc__ = None  # so that a number of numpy's leaves `*` to this class

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.xx + other.xx, self.xy + other.xy, self.yy + other.yy, self.windows + other.windows)

    def __mul__(self, weight: float) -> Moments:
        return Moments(weight * self.xx, weight * self.xy, weight * self.yy, weight * self.windows)

    __rmul__ = __mul__

    @property
    def power(self) -> float:
        """Mean second moment of a context value, summed over windows: what a ridge is relative to."""
        return float(np.trace(self.xx)) / len(self.xx)

    def penalty(self, ridge: float) -> float:
        """What a relative ridge adds to the diagonal of `xx`."""
        return max(ridge * self.power, _FLOOR * self.windows, float(np.finfo(np.float64).tiny))

    def coefficients(self, ridge: float) -> Floats:
        """Least squares from context to leads (C, H), shrunk by a ridge relative to `power`."""
        solved = np.linalg.solve(self.xx + self.penalty(ridge) * np.eye(len(self.xx)), self.xy)
        return np.asarray(solved, dtype=np.float64)


def total(parts: Sequence[Moments]) -> Moments:
    """The sum of parts, of which there is at least one."""
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    return whole


def chosen_ridge(parts: Sequence[Moments]) -> float | None:
    """The ridge of `RIDGES` with the smallest squared error on parts left out in turn; None with fewer than two parts.

    One eigendecomposition of the rest for each part; an error then costs O(C²) for each ridge. Errors are summed over
    parts and over leads, of which at most 32 are looked at, evenly spread: neighbours say nearly the same.
    """
    parts = [part for part in parts if part.windows > 0]
    if len(parts) < 2:
        return None
    horizon = len(parts[0].yy)
    leads = np.unique(np.linspace(0, horizon - 1, min(horizon, _LEADS)).round().astype(np.int64))
    errors = np.zeros(len(RIDGES))
    for i, left in enumerate(parts):
        rest = total([part for j, part in enumerate(parts) if j != i])
        size, basis = np.linalg.eigh(rest.xx)
        learned = basis.T @ rest.xy[:, leads]
        # with s = 1 / (size + penalty) the coefficients are basis · s · learned; the error on the part that was left
        # out is s' (basis' xx basis * learned learned') s - 2 s' diag(basis' xy learned'), up to a constant
        square = (basis.T @ left.xx @ basis) * (learned @ learned.T)
        line = ((basis.T @ left.xy[:, leads]) * learned).sum(1)
        shrunk = 1 / (np.maximum(size, 0) + np.array([[rest.penalty(ridge)] for ridge in RIDGES]))
        errors += ((shrunk @ square) * shrunk).sum(1) - 2 * shrunk @ line
    return RIDGES[int(np.argmin(errors))]


def moments_of(
    values: Floats, begins: Ints, lengths: Ints, *, context: int, leads: int, level: Level = "mean"
) -> Moments:
    """Moments of all windows in rows of a flat array, which begin at `begins` (N,); short rows have none.

    Rows are cut into segments that share no window. With z a segment of n windows, the products summed over windows
    are M[i, j] = Σ z[t+i] z[t+j]: the first row is a correlation, by Fourier transform, and every further row follows
    from the one above, M[i+1, j+1] = M[i, j] - z[i] z[j] + z[n+i] z[n+j]. Each segment is less its own mean, which
    changes no window and keeps the sums small. Equal to the products of windows to 1e-10 of their size.
    """
    width = context + leads
    whole = Moments(np.zeros((context, context)), np.zeros((context, leads)), np.zeros(leads), 0.0)
    for z, windows in _segments(values, begins, lengths, width):
        whole = whole + _block(z, windows, context, leads, level)
    return whole


def _segments(values: Floats, begins: Ints, lengths: Ints, width: int) -> Iterator[tuple[Floats, Ints]]:
    """Blocks of centred segments (R, L), padded with zeros behind, and how many windows each holds (R,)."""
    counts = np.maximum(lengths - width + 1, 0)
    most = max(4 * width, 1024) - width + 1
    pieces = -(-counts // most)
    row = np.repeat(np.arange(len(counts)), pieces)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    first = nth * counts[row] // pieces[row]
    windows = (nth + 1) * counts[row] // pieces[row] - first
    # segments of like length together: little is padded
    order = np.argsort(-windows, kind="stable")
    start = 0
    while start < len(order):
        length = _quick_length(int(windows[order[start]]) + width - 1)
        these = order[start : start + max(1, _BLOCK // length)]
        start += len(these)
        size, at = windows[these] + width - 1, begins[row[these]] + first[these]
        places = np.arange(length)
        inside = places < size[:, None]
        z = np.where(inside, values[np.where(inside, at[:, None] + places, 0)], 0.0)
        mean = z.sum(1) / size
        yield np.where(inside, z - mean[:, None], 0.0), windows[these]


def _block(z: Floats, windows: Ints, context: int, leads: int, level: Level) -> Moments:
    """Moments of a block of segments, by the shift recursion where that is exact enough."""
    width = context + leads
    sums = np.empty((context, width))
    sums[0] = _correlated(z, windows, width)
    heads = z[:, : width - 1]
    tails = np.take_along_axis(z, windows[:, None] + np.arange(width - 1), 1)
    edge = _product(tails[:, : context - 1], tails) - _product(heads[:, : context - 1], heads)
    for i in range(1, context):
        sums[i, 0] = sums[0, i]
        np.add(sums[i - 1, :-1], edge[i - 1], out=sums[i, 1:])
    ends = (tails[:, context - 1 :] ** 2).sum(0) - (heads[:, context - 1 :] ** 2).sum(0)
    squares = sums[context - 1, context - 1] + np.cumsum(ends)
    # the level of a context is a linear map of its values, so it can be subtracted from the sums
    with_level = sums.mean(0) if level == "mean" else sums[-1].copy()
    level_square = float(with_level[:context].mean() if level == "mean" else with_level[context - 1])
    less = with_level - level_square / 2
    found = Moments(
        sums[:, :context] - less[:context, None] - less[:context],
        sums[:, context:] - less[:context, None] - less[context:],
        squares - 2 * less[context:],
        float(windows.sum()),
    )
    if max(float(np.diag(sums).max()), float(squares.max())) > _CANCELLED * found.power:
        return _window_by_window(z, windows, context, leads, level)
    return found


def _correlated(z: Floats, windows: Ints, width: int) -> Floats:
    """Σ z[t] z[t+k] over the windows t of all segments, for k below `width`."""
    length = z.shape[1]
    starts = np.where(np.arange(length) < windows[:, None], z, 0.0)
    # t + k stays inside of the segment: a circle of its length does not wrap
    spectrum = np.einsum("rf,rf->f", np.fft.rfft(starts).conj(), np.fft.rfft(z))
    return np.fft.irfft(spectrum, length)[:width]


def _quick_length(n: int) -> int:
    """The smallest product of twos, threes and fives from `n` on: sizes that a Fourier transform likes."""
    odd = (3**i * 5**j for i in range(n.bit_length()) for j in range(n.bit_length()))
    return min(int(m) << (-(-n // int(m)) - 1).bit_length() for m in odd)


def _product(a: Floats, b: Floats) -> Floats:
    """a'b summed over rows: the one place where moments multiply matrices."""
    found: Floats = a.T @ b
    return found


def _window_by_window(z: Floats, windows: Ints, context: int, leads: int, level: Level) -> Moments:
    """The same moments from the windows themselves: slower, and exact where the level of contexts is all there is."""
    width = context + leads
    xx, xy, yy = np.zeros((context, context)), np.zeros((context, leads)), np.zeros(leads)
    every = sliding_window_view(z, width, axis=1)
    inside = np.arange(every.shape[1]) < windows[:, None]
    rows = max(1, _BLOCK // (every.shape[1] * width))
    for start in range(0, len(z), rows):
        some = every[start : start + rows][inside[start : start + rows]]
        x, y = less_level(some, context, level)
        xx += _product(x, x)
        xy += _product(x, y)
        yy += (y**2).sum(0)
    return Moments(xx, xy, yy, float(windows.sum()))


def less_level(windows: Floats, context: int, level: Level) -> tuple[Floats, Floats]:
    """Contexts (N, C) and leads (N, H) of windows, less the level of the context."""
    x, y = windows[:, :context], windows[:, context:]
    own = x.mean(1, keepdims=True) if level == "mean" else x[:, -1:]
    return x - own, y - own
