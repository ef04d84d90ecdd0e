"""Run tasks one after another in this process, for debugging."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tsgap.engines.task import Function, Outcome, Task, described


def run(
    function: Function,
    tasks: Iterable[Task],
    *,
    jobs: int,
    folder: Path,
    on_start: Callable[[Task], None] | None = None,
    log_dir: Path | None = None,
) -> Iterator[Outcome]:
    """Yield the outcomes in order; an exception is an outcome, only KeyboardInterrupt passes through."""
    for task in tasks:
        if on_start is not None:
            on_start(task)
        begin = time.perf_counter()
        try:
            value = function(task.payload, str(folder))
            if not isinstance(value, bytes):
                raise TypeError(f"the function returned {type(value).__qualname__}, not bytes")
        except KeyboardInterrupt:
            raise
        except BaseException as err:  # noqa: BLE001  the failure is recorded as the result
            status, line, trace = described(err)
            outcome = Outcome(task, status, None, "run", line, trace, time.perf_counter() - begin)
        else:
            outcome = Outcome(task, "ok", value, seconds=time.perf_counter() - begin)
        yield outcome
