"""Which fit starts next and how long the rest takes, on made-up seconds."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tsgap.schedule import CHANGE, Pace, Queue


@dataclass(frozen=True, eq=False)
class Made:
    """A fit that takes some seconds."""

    group: str
    size: int
    seconds: float


def fits(**groups: Sequence[float]) -> list[Any]:
    """Fits by forecaster, from their seconds; how size and seconds go together is each forecaster's own."""
    return [
        Made(group, round(1000 * seconds * (1 + 9 * (i % 2))), seconds)
        for i, (group, all_of) in enumerate(groups.items())
        for seconds in all_of
    ]


def worked(order: Iterator[Any], slots: int, queue: Queue | None = None, *, ahead: int = 3) -> list[tuple[float, Any]]:
    """When each fit ends with workers that take them as they come, drawn ahead as an engine does.

    Where it is a `queue` that is drawn from, it is told what ended.
    """
    now, waiting, out = 0.0, list[Any](), list[tuple[float, Any]]()
    running: list[tuple[float, int, Any]] = []
    idle: list[str] = [""] * slots
    for n in range(10**6):
        while len(waiting) + len(running) < ahead * slots and (fit := next(order, None)) is not None:
            waiting.append(fit)
        while waiting and idle:
            fit = waiting.pop(0)
            serves = fit.group if fit.group in idle else idle[0]
            idle.remove(serves)
            change = CHANGE if serves != fit.group else 0.0
            heapq.heappush(running, (now + change + fit.seconds, n + len(running), fit))
        if not running:
            return out
        now, _, fit = heapq.heappop(running)
        idle.append(fit.group)
        out.append((now, fit))
        if queue is not None:
            queue.ended(fit, fit.seconds)
    raise AssertionError


def learned(all_of: Sequence[Any]) -> Pace:
    """What is known after a run of the same fits."""
    pace = Pace()
    for fit in all_of:
        pace.learn(fit.group, fit.size, fit.seconds)
    return pace


def changes(order: Sequence[Any]) -> int:
    """How often the next fit is another forecaster's."""
    return sum(one.group != other.group for one, other in itertools.pairwise(order))


WORLDS = {
    "one long fit planned last": {"quick": [1.0] * 40, "slow": [10.0] * 6 + [60.0]},
    "a long forecaster planned last": {"a": [0.01] * 50, "b": [0.1] * 50, "c": [30.0, 25.0, 20.0, 5.0, 3.0]},
    "long and short in each": {"a": [100.0] + [1.0] * 100, "b": [50.0] * 3},
    "alike": {"a": [3.0] * 10, "b": [3.0] * 10, "c": [3.0] * 10},
    "thousandfold": {"naive": [0.02] * 30, "linear": [0.1] * 30, "ets": [20.0] * 30, "boosting": [4.0] * 30},
}


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("slots", [2, 3])
def test_all_ends_no_later_than_in_the_order_of_the_plan_and_near_the_optimum(name: str, slots: int) -> None:
    all_of = fits(**WORLDS[name])
    planned = worked(iter(all_of), slots)[-1][0]
    queue = Queue(all_of, learned(all_of), slots)
    done = worked(queue, slots, queue)
    assert len(done) == len(all_of) == len({id(fit) for _, fit in done})
    seconds = [fit.seconds for fit in all_of]
    starts = CHANGE * len(WORLDS[name])
    optimum = max(sum(seconds) / slots, *seconds)
    assert done[-1][0] <= planned + CHANGE
    assert done[-1][0] <= 1.1 * optimum + starts


def test_nothing_known_costs_little_more() -> None:
    all_of = fits(**WORLDS["thousandfold"])
    queue = Queue(all_of, Pace(), 2)
    optimum = sum(fit.seconds for fit in all_of) / 2
    assert worked(queue, 2, queue)[-1][0] <= 1.1 * optimum + 2 * CHANGE * 4


def test_a_forecaster_of_which_nothing_is_known_comes_first() -> None:
    all_of = fits(known=[50.0] * 3, new=[1.0] * 3)
    pace = learned(all_of[:3])
    assert next(Queue(all_of, pace, 2)).group == "new"


def test_forecasters_come_one_after_the_other_each_longest_first() -> None:
    rng = np.random.default_rng(0)
    all_of = fits(a=rng.uniform(3, 5, 40), b=rng.uniform(3, 5, 40), c=rng.uniform(3, 5, 40))
    rng.shuffle(all_of)  # type: ignore[arg-type]
    order = list(Queue(all_of, learned(all_of), 2))
    assert len(order) == 120
    assert changes(order) <= 4 < changes(all_of)
    first = [fit.seconds for fit in order if fit.group == order[0].group]
    assert first == sorted(first, reverse=True)


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_the_seconds_left_fall_and_are_right_halfway(slots: int) -> None:
    rng = np.random.default_rng(1)
    all_of = fits(a=rng.uniform(0.01, 0.02, 50), b=rng.uniform(1, 2, 50), c=rng.uniform(10, 20, 50))
    ends = [end for end, _ in worked(Queue(all_of, Pace(), slots), slots)]
    queue = Queue(all_of, Pace(), slots)
    assert queue.seconds_left is None
    told = []

    class Watched(Queue):
        def ended(self, fit: Any, seconds: float | None) -> None:
            super().ended(fit, seconds)
            told.append(self.seconds_left)

    watched = Watched(all_of, Pace(), slots)
    ends = [end for end, _ in worked(watched, slots, watched)]
    half = next(i for i, end in enumerate(ends) if end >= ends[-1] / 2)
    left = [seconds for seconds in told if seconds is not None]
    assert len(left) == len(all_of)
    assert 1 / 1.5 < left[half] / (ends[-1] - ends[half]) < 1.5
    assert left[half:] == sorted(left[half:], reverse=True)
    assert left[-1] == 0


def test_a_count_of_cells_would_have_been_wrong_by_far() -> None:
    all_of = fits(a=[0.01] * 100, b=[10.0] * 10)
    queue = Queue(all_of, learned(all_of), 1)
    for fit in all_of[:100]:
        queue.ended(fit, fit.seconds)
    assert queue.seconds_left == pytest.approx(100.0)


def test_what_was_never_started_teaches_nothing() -> None:
    pace, [fit] = Pace(), fits(a=[1.0])
    Queue([fit], pace, 1).ended(fit, None)
    assert pace.of("a") is None


def test_how_many_share_the_work_is_measured_where_it_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("tsgap.schedule.time.monotonic", lambda: now[0])
    all_of = fits(a=[2.0] * 80)
    queue = Queue(all_of, Pace(), None)
    assert queue.slots == 1
    now[0] += 20.0
    for fit in all_of[:40]:
        queue.ended(fit, fit.seconds)
    assert queue.slots == 4
    assert queue.seconds_left == pytest.approx(20.0)
