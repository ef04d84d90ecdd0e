"""Which fit is started next, and how long the rest will take: by the seconds that fits of the forecaster took."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from tsgap.fits import Fit

#: Seconds that another forecaster costs a worker: a new process, and the import of a library.
CHANGE = 2.0
#: So many changes must be made good by what is left of a forecaster before it is left for one not known yet.
_WORTH = 10


class Pace:
    """Seconds of work for each unit of size, by forecaster, learned from fits that ended."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._sizes: dict[str, float] = {}

    def learn(self, group: str, size: float, seconds: float) -> None:
        """Take in what a fit of this size took."""
        self._seconds[group] = self._seconds.get(group, 0.0) + seconds
        self._sizes[group] = self._sizes.get(group, 0.0) + size

    def of(self, group: str) -> float | None:
        """Seconds for each unit of size, None where no fit of the forecaster ended yet."""
        return self._seconds[group] / self._sizes[group] if group in self._sizes else None

    def seconds(self, sizes: dict[str, int]) -> float | None:
        """Expected work on these sizes by forecaster; one not known is taken to be like the others, None if all are."""
        if not sizes:
            return 0.0
        if not self._sizes:
            return None
        common = sum(self._seconds.values()) / sum(self._sizes.values())
        return sum(size * (common if (pace := self.of(group)) is None else pace) for group, size in sizes.items())


class Queue(Iterator[Fit]):
    """Fits in the order in which they are to be started; what is learned meanwhile counts from the next one on.

    Forecasters of which nothing is known come first; after that one after the other, the one with most work left
    first, and of each the longest fit first. A fit that is long against all that is left is started at once, wherever
    it belongs, so that at the end none is left alone while other workers have nothing to do. `slots` workers share the
    work; where that is not known (None) it is taken to be as many as were busy so far.
    """

    def __init__(self, fits: Iterable[Fit], pace: Pace, slots: int | None) -> None:
        self._waiting: dict[str, list[Fit]] = {}
        for fit in fits:
            self._waiting.setdefault(fit.group, []).append(fit)
        for of_group in self._waiting.values():
            of_group.sort(key=lambda fit: -fit.size)
            of_group.reverse()  # the next one is taken from the end
        self._left = {group: sum(fit.size for fit in of_group) for group, of_group in self._waiting.items()}
        self._open = dict(self._left)
        self._count = sum(map(len, self._waiting.values()))
        self._pace = pace
        self._slots = slots
        self._begin, self._worked = time.monotonic(), 0.0
        self._group = ""

    def __next__(self) -> Fit:
        if not self._waiting:
            raise StopIteration
        self._group = group = self._chosen()
        fit = self._waiting[group].pop()
        self._left[group] -= fit.size
        if not self._waiting[group]:
            del self._waiting[group], self._left[group]
        return fit

    def ended(self, fit: Fit, seconds: float | None) -> None:
        """Take note that a fit ended, after so many seconds; None if it was never started."""
        self._count -= 1
        self._open[fit.group] -= fit.size
        if seconds is not None:
            self._worked += seconds
            self._pace.learn(fit.group, fit.size, seconds)

    @property
    def slots(self) -> float:
        """Workers that share the work."""
        if self._slots is not None:
            return max(self._slots, 1)
        return max(self._worked / max(time.monotonic() - self._begin, 1e-9), 1.0)

    @property
    def seconds_left(self) -> float | None:
        """Seconds until all have ended, if those that run now have just begun; None where nothing is known."""
        work = self._pace.seconds({group: size for group, size in self._open.items() if size})
        return None if work is None else work / max(min(self.slots, self._count), 1)

    def _chosen(self) -> str:
        """The forecaster whose turn it is."""
        mine = self._group if self._group in self._waiting else ""
        if unknown := [group for group in self._waiting if self._pace.of(group) is None]:
            if mine in unknown or (mine and self._work(mine) < _WORTH * CHANGE * self.slots):
                return mine
            return unknown[0]
        mine = mine or max(self._waiting, key=self._work)
        longest = max(self._waiting, key=self._longest)
        return longest if self._longest(longest) > self._longest(mine) + CHANGE and self._is_long(longest) else mine

    def _is_long(self, group: str) -> bool:
        """Whether its longest fit takes more than half the time that all workers need for what is left."""
        return self._longest(group) > sum(map(self._work, self._waiting)) / (2 * self.slots)

    def _longest(self, group: str) -> float:
        return self._waiting[group][-1].size * (self._pace.of(group) or 0.0)

    def _work(self, group: str) -> float:
        return self._left[group] * (self._pace.of(group) or 0.0)
