"""One task at a time in a worker process of its own: its deadline, its second try, and groups that are given up."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from pathlib import Path
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


def name_of(function: Function) -> str:
    """`module:qualname`, by which a worker imports it; `UsageError` where it cannot."""
    name = f"{function.__module__}:{function.__qualname__}"
    if function.__module__ == "__main__" or "<" in name:
        raise UsageError(f"a worker cannot import {name!r}; the function must stand in a module")
    return name


class Breaker:
    """Groups whose tasks crash in a row, of which nothing more is started."""

    def __init__(self) -> None:
        self._crashes: dict[str, int] = {}
        self._given_up: dict[str, str] = {}

    def skipped(self, task: Task) -> Outcome | None:
        """The outcome of a task whose group was given up; None where it may start."""
        reason = self._given_up.get(task.group)
        return None if reason is None else Outcome(task, "skipped", None, "start", reason, attempt=0)

    def ended(self, outcome: Outcome) -> None:
        """Count the crashes of its group."""
        group = outcome.task.group
        self._crashes[group] = self._crashes.get(group, 0) + 1 if outcome.status == "crash" else 0
        if self._crashes[group] >= BREAKER:
            self._given_up[group] = one_line(f"{BREAKER} tasks of {group!r} crashed in a row, last: {outcome.error}")


class Slot:
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

    def served(self, task: Task, closed: Callable[[], bool]) -> Outcome:
        """Run a task, and once more if its worker crashed, unless all is over."""
        for attempt in range(1, ATTEMPTS + 1):
            outcome = self.attempt(task, attempt)
            if outcome.status != "crash" or closed():
                break
        return outcome

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
