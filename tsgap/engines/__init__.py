"""Run one function over many tasks, results as they end; which engine does it is chosen by name."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Generator, Iterable
from pathlib import Path

from tsgap.engines.task import Function, Outcome, Status, Task
from tsgap.errors import UnknownNameError, UsageError

__all__ = ["ENGINES", "LOCAL", "Function", "Outcome", "Status", "Task", "check", "cores", "echo", "run"]

#: The engine on this machine.
LOCAL = "local"
#: Name of an engine, which is the scheme of its address → module whose `run` has the signature of the one below, with
#: the address for `engine`.
ENGINES: dict[str, str] = {
    LOCAL: "tsgap.engines.local",
    "dask": "tsgap.engines.cluster",
    "dask+tls": "tsgap.engines.cluster",
}


def cores() -> int:
    """The processors this process may use; 0 where worker processes cannot be forked."""
    if not hasattr(os, "fork"):
        return 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check(engine: str, jobs: int | None = None) -> str:
    """The name in `engine`, a name or an address; `UsageError` where there is no such engine or it cannot do this."""
    name, _, place = engine.partition("://")
    if name not in ENGINES:
        raise UnknownNameError.of("engine", name, ENGINES)
    if (name == LOCAL) != (not place):
        raise UsageError(f"engine {engine!r}: write {LOCAL!r} or the address of a scheduler, as in 'dask://HOST:8786'")
    if jobs is not None and jobs < 0:
        raise UsageError(f"jobs must be 0 (this process) or more, got {jobs}")
    if jobs == 0 and name != LOCAL:
        raise UsageError(f"jobs=0 runs everything in this process, which engine {engine!r} is not for; leave one away")
    return name


def run(
    function: Function,
    tasks: Iterable[Task],
    *,
    jobs: int | None = None,
    folder: Path | None = None,
    on_start: Callable[[Task], None] | None = None,
    log_dir: Path | None = None,
    engine: str = LOCAL,
) -> Generator[Outcome]:
    """Yield one outcome for every task, in the order in which they end.

    `function` must be importable by its module and name; it is called with a task's payload and the path of `folder`,
    in which the task's inputs lie and to which it writes its output (None: the working directory). `jobs` worker
    processes share the work (None: as many as there are cores, or threads in the cluster); 0 runs it in this process,
    in order and without a time limit. `on_start` is called in the caller's thread. What workers print goes to one
    capped file a slot in `log_dir`. Tasks are drawn from the iterable as slots become free. Closing the iterator, or an
    exception in the loop that reads it, ends all workers and whatever they started.

    >>> from tsgap.engines import Task, run
    >>> [o.value for o in run(echo, [Task("1", "g", b"abc", 5.0)], jobs=0)]
    [b'abc']
    """
    name, options = check(engine, jobs), {} if engine == LOCAL else {"engine": engine}
    if name == LOCAL and jobs is None:
        jobs = cores()
    module = importlib.import_module(ENGINES[name] if jobs != 0 else "tsgap.engines.inline")
    outcomes: Generator[Outcome] = module.run(
        function, tasks, jobs=jobs, folder=folder or Path(), on_start=on_start, log_dir=log_dir, **options
    )
    return outcomes


def echo(payload: bytes, folder: str) -> bytes:
    """The payload as it is: what a task costs beside its work."""
    return payload
