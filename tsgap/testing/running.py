"""Run the laws in worker processes: one that crashes or hangs is a broken law, and the others go on."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

import cloudpickle

from tsgap import engines
from tsgap.engines import Outcome, Task
from tsgap.errors import UsageError
from tsgap.plugins import prints_to_stderr
from tsgap.testing.checks import LAWS, Check, CheckResult, Kind, Verdict, verdict

#: Seconds that one law may take unless told otherwise.
TIMEOUT = 120.0
#: Worker processes at most unless told otherwise: every one of them imports the plugin.
_MOST = 4


def run_checks(
    checks: Sequence[Check],
    *,
    jobs: int | None = None,
    timeout: float = TIMEOUT,
    expected: Mapping[str, str] | None = None,
) -> Iterator[CheckResult]:
    """Yield the result of every check, in their order.

    `jobs` worker processes (None: the cores there are, at most 4) share the laws, each of which may take `timeout`
    seconds. With 0 they run in this process, without a limit, and a crash ends it.
    """
    reasons = expected or {}
    if jobs is None:
        jobs = min(engines.cores(), _MOST)
    if not jobs:
        for check in checks:
            with prints_to_stderr():
                found = verdict(check.law, check.subject)
            yield found.result(check.name, reasons.get(check.name))
        return
    waiting = [check.name for check in checks]
    found_by: dict[str, Verdict] = {}
    with contextlib.closing(_outcomes(_tasks(checks, timeout), jobs)) as outcomes:
        for outcome in outcomes:
            found_by[outcome.task.id] = _verdict(outcome)
            while waiting and waiting[0] in found_by:
                name = waiting.pop(0)
                yield found_by[name].result(name, reasons.get(name))


def _outcomes(tasks: Sequence[Task], jobs: int) -> Generator[Outcome]:
    """Outcomes of all tasks; those that the engine gave up after many crashes are run each on its own."""
    left = []
    with contextlib.closing(engines.run(_serve, tasks, jobs=jobs)) as outcomes:
        for outcome in outcomes:
            if outcome.status == "skipped":
                left.append(dataclasses.replace(outcome.task, group=outcome.task.id))
            else:
                yield outcome
    if left:
        yield from engines.run(_serve, left, jobs=jobs)


def _tasks(checks: Sequence[Check], timeout: float) -> list[Task]:
    """A task for each law, all in one group: the laws that a worker runs share what was fitted."""
    try:
        payloads = [cloudpickle.dumps((check.kind, cloudpickle.dumps(check.chosen), check.name)) for check in checks]
    except Exception as err:
        raise UsageError(
            f"it does not pickle, so no worker can run it ({type(err).__name__}: {err}); make it a function or class "
            "at the top of a module. Its laws can be checked in this process: --jobs 0"
        ) from err
    return [Task(check.name, "laws", payload, timeout) for check, payload in zip(checks, payloads, strict=True)]


def _serve(payload: bytes, folder: str) -> bytes:
    """One law, in a worker."""
    kind, chosen, name = cloudpickle.loads(payload)
    subject = _subject(kind, chosen)
    (law,) = [law for law in LAWS[kind][1] if law.__name__ == name]
    return json.dumps(dataclasses.asdict(verdict(law, subject))).encode()


@functools.lru_cache(maxsize=1)
def _subject(kind: Kind, chosen: bytes) -> Any:
    """What is under test, with the models that are fitted to it once for all laws of this process."""
    return LAWS[kind][0](cloudpickle.loads(chosen))


def _verdict(outcome: Outcome) -> Verdict:
    if outcome.value is not None:
        return Verdict(**json.loads(outcome.value))
    words = outcome.error
    if outcome.status == "crash" and outcome.attempt > 1:
        words += f" ({outcome.attempt} attempts)"
    if outcome.status == "timeout":
        words += ": it hangs, or --timeout must be longer"
    return Verdict(False, words, outcome.traceback, outcome.seconds)
