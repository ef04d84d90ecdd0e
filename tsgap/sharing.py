"""Shares of a sweep for processes that know nothing of each other: disjoint, together everything, alike in cost."""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tsgap.errors import UsageError
from tsgap.fits import Fit


@dataclass(frozen=True)
class Shard:
    """Share `number` (from 1) of `of`."""

    number: int
    of: int

    def __post_init__(self) -> None:
        if self.of >= 1 and 1 <= self.number <= self.of:
            return
        told = f"shard {self.number}/{self.of}: shares are counted from 1"
        if self.of < 1:
            raise UsageError(f"shard {self.number}/{self.of}: there must be at least one share, such as 1/1")
        if self.number == 0:
            raise UsageError(f"{told}; if a batch system's array counts from 0, let it count from 1 to {self.of}")
        raise UsageError(f"{told} to {self.of}")

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def read(cls, given: str | Sequence[int] | Shard) -> Shard:
        """A share from ``"3/8"`` or ``(3, 8)``; `UsageError` where it is none."""
        if isinstance(given, Shard):
            return given
        if isinstance(given, str):
            found = re.fullmatch(r"\s*(-?\d+)\s*/\s*(-?\d+)\s*", given, re.ASCII)
            numbers: Sequence[int] = [int(text) for text in found.groups()] if found else ()
        else:
            numbers = list(given)
        if len(numbers) != 2 or not all(type(number) is int for number in numbers):
            raise UsageError(f"a shard is the number of a share and how many there are, such as 3/8, got {given!r}")
        return cls(*numbers)

    def share(self, fits: Sequence[Fit]) -> list[Fit]:
        """The fits of this share, in their order.

        Every forecaster's fits are dealt out by themselves, the largest first, each to the share that has least of
        them: of one forecaster's fits it is known how they compare. Nothing but the fits decides.
        """
        groups: dict[str, list[Fit]] = {}
        for fit in fits:
            groups.setdefault(fit.group, []).append(fit)
        mine: set[str] = set()
        counts = [0] * self.of
        for _, alike in sorted(groups.items()):
            loads = [(0, counts[k], k) for k in range(self.of)]
            heapq.heapify(loads)
            for fit in sorted(alike, key=lambda fit: (-fit.size, fit.name)):
                load, count, k = loads[0]
                heapq.heapreplace(loads, (load + fit.size, count + 1, k))
                counts[k] += 1
                if k == self.number - 1:
                    mine.add(fit.name)
        return [fit for fit in fits if fit.name in mine]
