"""Slots on this machine, a thread each, that take tasks from one board; their outcomes in the order they end in."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tsgap.engines.slot import Breaker, Slot, name_of
from tsgap.engines.task import Function, Outcome, Task
from tsgap.engines.workshop import Workshop
from tsgap.errors import UsageError

#: So often at most is a task passed over for one of the group that a worker serves already.
PATIENCE = 3


class _Board:
    """Tasks that wait, until all is over."""

    def __init__(self) -> None:
        self._passed_over = 0
        self._waiting: deque[Task] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, task: Task) -> None:
        with self._changed:
            self._waiting.append(task)
            self._changed.notify()

    def take(self, group: str | None) -> Task | None:
        """The oldest task, of `group` if there is one and no other has waited for long; None when all is over."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            task = oldest = self._waiting[0]
            if self._passed_over < PATIENCE:
                task = next((t for t in self._waiting if t.group == group), oldest)
            self._passed_over = 0 if task is oldest else self._passed_over + 1
            self._waiting.remove(task)
            return task

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed


class _Pool:
    """Slots with a thread each, and the events that they send to the caller."""

    def __init__(self, function: str, jobs: int, folder: Path, log_dir: Path) -> None:
        self.folder = str(folder.absolute())
        self.board = _Board()
        self.breaker, self.counting = Breaker(), threading.Lock()
        self.events: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.workshop = Workshop(function, log_dir)
        self.threads = [
            threading.Thread(target=self._loop, args=(log_dir / f"slot-{i}.log",), name=f"tsgap-slot-{i}", daemon=True)
            for i in range(jobs)
        ]
        for thread in self.threads:
            thread.start()

    def _loop(self, log: Path) -> None:
        slot = Slot(self.workshop, self.folder, log)
        try:
            while (task := self.board.take(slot.group)) is not None:
                if skipped := self.breaker.skipped(task):
                    self.events.put(("end", skipped))
                    continue
                self.events.put(("start", task))
                outcome = slot.served(task, lambda: self.board.closed)
                with self.counting:
                    self.breaker.ended(outcome)
                self.events.put(("end", outcome))
        except BaseException as err:  # noqa: BLE001  raised again in the caller's thread
            self.events.put(("broken", err))
        finally:
            with contextlib.suppress(Exception):
                slot.end()

    def close(self) -> None:
        self.board.close()
        self.workshop.close()
        for thread in self.threads:
            thread.join(15.0)


def run(
    function: Function,
    tasks: Iterable[Task],
    *,
    jobs: int,
    folder: Path,
    on_start: Callable[[Task], None] | None = None,
    log_dir: Path | None = None,
) -> Iterator[Outcome]:
    """Yield the outcomes of all tasks as they end; see `tsgap.engines.run`."""
    if not hasattr(os, "fork"):
        raise UsageError("worker processes need a POSIX system; run in this process with jobs=0")
    return _outcomes(name_of(function), tasks, jobs, folder, on_start, log_dir)


def _outcomes(
    function: str,
    tasks: Iterable[Task],
    jobs: int,
    folder: Path,
    on_start: Callable[[Task], None] | None,
    log_dir: Path | None,
) -> Iterator[Outcome]:
    with contextlib.ExitStack() as stack:
        if log_dir is None:
            log_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tsgap-")))
        log_dir.mkdir(parents=True, exist_ok=True)
        pool = _Pool(function, jobs, folder, log_dir)
        stack.callback(pool.close)
        source, handed_out, more = iter(tasks), 0, True
        while True:
            while more and handed_out < 3 * jobs:
                task = next(source, None)
                if task is None:
                    more = False
                else:
                    pool.board.put(task)
                    handed_out += 1
            if not handed_out:
                return
            kind, what = pool.events.get()
            if kind == "broken":
                raise what
            if kind == "end":
                handed_out -= 1
                yield what
            elif on_start is not None:
                on_start(what)
