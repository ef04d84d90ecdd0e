"""Worker slots on this machine: a process, a deadline and a retry for every task, whatever the function does."""

from __future__ import annotations

import contextlib
import os
import select
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tsgap.engines.link import LinkError
from tsgap.engines.task import STATUSES, Function, Outcome, Status, Task, one_line, tail
from tsgap.engines.worker import WATCHDOG
from tsgap.engines.workshop import Worker, Workshop
from tsgap.errors import UsageError

#: A group is given up after this many tasks in a row that crashed.
BREAKER = 3
#: How often a task is tried in all when its worker crashes.
ATTEMPTS = 2
#: Seconds that the worker's own watchdog gets to say where the time went before the group is killed.
_AFTER_DEADLINE = 0.5
_START_LIMIT = 300.0
_TRANSFER_LIMIT = 60.0
_GLANCE = 0.25


class _Board:
    """Tasks that wait, and groups that were given up."""

    def __init__(self) -> None:
        self._waiting: deque[Task] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._crashes: dict[str, int] = {}
        self._given_up: dict[str, str] = {}

    def put(self, task: Task) -> None:
        with self._changed:
            self._waiting.append(task)
            self._changed.notify()

    def take(self, group: str | None) -> Task | None:
        """The oldest task, of `group` if there is one; None when all is over."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            task = next((t for t in self._waiting if t.group == group), self._waiting[0])
            self._waiting.remove(task)
            return task

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed

    def given_up(self, group: str) -> str:
        """Why nothing of a group is started any more, or nothing."""
        return self._given_up.get(group, "")

    def ended(self, outcome: Outcome) -> None:
        group = outcome.task.group
        with self._changed:
            self._crashes[group] = self._crashes.get(group, 0) + 1 if outcome.status == "crash" else 0
            if self._crashes[group] >= BREAKER:
                self._given_up[group] = one_line(
                    f"{BREAKER} tasks of {group!r} crashed in a row, last: {outcome.error}"
                )


class _Slot:
    """One worker at a time; a fresh one for another group and after anything but success."""

    def __init__(self, workshop: Workshop, folder: str, log: Path) -> None:
        self._workshop = workshop
        self._folder = folder
        self._log = log
        self._worker: Worker | None = None
        self.group: str | None = None

    def end(self, grace: float = 0.0) -> None:
        if self._worker is not None:
            self._workshop.stop(self._worker, grace)
            self._worker = None

    def attempt(self, task: Task, attempt: int) -> Outcome:
        """Run a task once."""
        if self._worker is not None and (task.group != self.group or self._worker.link.is_broken()):
            self.end()  # died while idle: nobody's fault
        begin = time.monotonic()
        if self._worker is None:
            self.group = task.group
            worker = self._worker = self._workshop.start(self._log)
            try:
                reply, _ = self._reply(worker, begin + _START_LIMIT)
            except OSError:
                self.end(grace=1.0)
                return self._ended(task, "crash", "start", worker.cause(), worker.last_words(), begin, attempt)
            if reply["status"] == "unready":
                self.end()
                return self._ended(task, "error", "start", reply["error"], reply["traceback"], begin, attempt)
        worker = self._worker
        worker.mark()
        begin = time.monotonic()
        try:
            worker.link.sock.settimeout(_TRANSFER_LIMIT + len(task.payload) / 1e7)
            worker.link.send({"timeout": task.timeout, "folder": self._folder}, task.payload)
            reply, value = self._reply(worker, time.monotonic() + task.timeout + _AFTER_DEADLINE)
        except OSError as err:  # the link broke, or nothing came in time
            late = time.monotonic() - begin >= task.timeout
            silent = isinstance(err, TimeoutError)
            self.end(grace=0.0 if silent else 1.0)
            words = worker.last_words()
            if late and (silent or worker.code == WATCHDOG):
                return self._ended(
                    task, "timeout", "run", f"no result within {task.timeout:g} s", words, begin, attempt
                )
            cause = str(err) if worker.was_killed else worker.cause()
            return self._ended(task, "crash", "run", cause, words, begin, attempt)
        worker.trim_log()
        if reply["status"] == "ok":
            return Outcome(task, "ok", value, seconds=float(reply["seconds"]), attempt=attempt)
        self.end()
        return self._ended(task, reply["status"], "run", reply["error"], reply["traceback"], begin, attempt)

    @staticmethod
    def _ended(task: Task, status: Status, stage: str, error: str, trace: str, begin: float, attempt: int) -> Outcome:
        return Outcome(task, status, None, stage, one_line(error), tail(trace), time.monotonic() - begin, attempt)

    def _reply(self, worker: Worker, deadline: float) -> tuple[dict[str, Any], bytes]:
        poll = select.poll()
        poll.register(worker.link.sock, select.POLLIN)
        while not poll.poll(1000 * max(0.0, min(_GLANCE, deadline - time.monotonic()))):
            worker.trim_log()
            if time.monotonic() >= deadline:
                raise TimeoutError("no answer in time")
        worker.link.sock.settimeout(_TRANSFER_LIMIT)
        reply, value = worker.link.receive()
        if reply.get("status") not in (*STATUSES, "ready", "unready"):
            raise LinkError(f"an answer of the kind {reply.get('status')!r}")
        return reply, value


class _Pool:
    """Slots with a thread each, and the events that they send to the caller."""

    def __init__(self, function: str, jobs: int, folder: Path, log_dir: Path) -> None:
        self.folder = str(folder.absolute())
        self.board = _Board()
        self.events: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.workshop = Workshop(function, log_dir)
        self.threads = [
            threading.Thread(target=self._loop, args=(log_dir / f"slot-{i}.log",), name=f"tsgap-slot-{i}", daemon=True)
            for i in range(jobs)
        ]
        for thread in self.threads:
            thread.start()

    def _loop(self, log: Path) -> None:
        slot = _Slot(self.workshop, self.folder, log)
        try:
            while (task := self.board.take(slot.group)) is not None:
                if reason := self.board.given_up(task.group):
                    self.events.put(("end", Outcome(task, "skipped", None, "start", reason, attempt=0)))
                    continue
                self.events.put(("start", task))
                for attempt in range(1, ATTEMPTS + 1):
                    outcome = slot.attempt(task, attempt)
                    if outcome.status != "crash" or self.board.closed:
                        break
                self.board.ended(outcome)
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
    name = f"{function.__module__}:{function.__qualname__}"
    if function.__module__ == "__main__" or "<" in name:
        raise UsageError(f"a worker cannot import {name!r}; the function must stand in a module")
    return _outcomes(name, tasks, jobs, folder, on_start, log_dir)


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
