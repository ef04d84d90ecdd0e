"""Run one function over many tasks, results as they end; which engine does it is chosen by name."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Generator, Iterable
from pathlib import Path

from tsgap.engines.task import Function, Outcome, Status, Task
from tsgap.errors import UnknownNameError, UsageError

__all__ = ["ENGINES", "Function", "Outcome", "Status", "Task", "cores", "echo", "run"]

#: Name of an engine → module whose `run` has the signature of the one below, less `engine`.
ENGINES: dict[str, str] = {"local": "tsgap.engines.local"}


def cores() -> int:
    """The processors this process may use; 0 where worker processes cannot be forked."""
    if not hasattr(os, "fork"):
        return 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(
    function: Function,
    tasks: Iterable[Task],
    *,
    jobs: int,
    folder: Path | None = None,
    on_start: Callable[[Task], None] | None = None,
    log_dir: Path | None = None,
    engine: str = "local",
) -> Generator[Outcome]:
    """Yield one outcome for every task, in the order in which they end.

    `function` must be importable by its module and name; it is called with a task's payload and the path of `folder`,
    in which the task's inputs lie. `jobs` worker processes share the work; 0 runs it in this process, in order and
    without a time limit. `on_start` is called in the caller's thread. What workers print goes to one capped file a slot
    in `log_dir`. Tasks are drawn from the iterable as slots become free. Closing the iterator, or an exception in the
    loop that reads it, ends all workers and whatever they started.

    >>> from tsgap.engines import Task, run
    >>> [o.value for o in run(echo, [Task("1", "g", b"abc", 5.0)], jobs=0)]
    [b'abc']
    """
    if jobs < 0:
        raise UsageError(f"jobs must be 0 (this process) or more, got {jobs}")
    if engine not in ENGINES:
        raise UnknownNameError.of("engine", engine, ENGINES)
    module = importlib.import_module(ENGINES[engine] if jobs else "tsgap.engines.inline")
    outcomes: Generator[Outcome] = module.run(
        function, tasks, jobs=jobs, folder=folder or Path(), on_start=on_start, log_dir=log_dir
    )
    return outcomes


def echo(payload: bytes, folder: str) -> bytes:
    """The payload as it is: what a task costs beside its work."""
    return payload
