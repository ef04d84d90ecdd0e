"""What a task costs in the local engine: `python tests/benchmarks/engine.py` prints a table, medians of five runs."""

from __future__ import annotations

import statistics
import time

from tsgap.engines import Task, echo, run

RUNS, TASKS = 5, 500


def seconds(jobs: int, group: str) -> float:
    """Wall time of `TASKS` tasks that do nothing, after the workers have started."""
    given = (Task(str(i), group.format(i=i), b"x", 30.0) for i in range(TASKS))
    outcomes = run(echo, given, jobs=jobs)
    next(outcomes)
    begin = time.perf_counter()
    for _ in outcomes:
        pass
    return time.perf_counter() - begin


def main() -> None:
    """Print the table."""
    print(f"{'jobs':>4}  {'process':<22} {'median µs a task':>16} {'min':>8} {'max':>8}")
    for jobs in (1, 2):
        for group, process in (("g", "kept"), ("g{i}", "fresh for every task")):
            times = [1e6 * seconds(jobs, group) / TASKS for _ in range(RUNS)]
            print(f"{jobs:>4}  {process:<22} {statistics.median(times):>16.0f} {min(times):>8.0f} {max(times):>8.0f}")


if __name__ == "__main__":
    main()
