"""What goes to an engine and what comes back: a task, its outcome, and text that is safe to show."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from tsgap.errors import UsageError

#: What a task runs: payload and folder in, a short answer out; what is long goes into the task's output file.
Function = Callable[[bytes, str], bytes]

Status = Literal["ok", "error", "timeout", "crash", "oom", "skipped"]
STATUSES: tuple[str, ...] = get_args(Status)

#: The longest error line and the longest traceback that are kept, in characters.
ERROR_LIMIT, TRACEBACK_LIMIT = 500, 4000

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Task:
    """One unit of work: a payload that the function understands, and the seconds it may take.

    Consecutive crashes are counted per `group`, and a worker process serves one group only. `inputs` are the files and
    folders that the function reads, named by their content as they lie in the folder of the run; `output` is the file
    that it may write there.
    """

    id: str
    group: str
    payload: bytes
    timeout: float
    inputs: tuple[str, ...] = ()
    output: str = ""

    def __post_init__(self) -> None:
        if not self.timeout > 0:
            raise UsageError(f"the time limit of a task must be more than 0 seconds, got {self.timeout}")


@dataclass(frozen=True)
class Outcome:
    """How a task ended; `value` is what the function returned when `status` is ok, else None.

    `stage` says where it went wrong (`start` or `run`), `error` is one line, `traceback` the tail of one or of what
    the worker wrote last. `attempt` counts from 1; it is 0 for a task that was never started. `host` names the machine
    it ran on, where that may be another one.
    """

    task: Task
    status: Status
    value: bytes | None = None
    stage: str = ""
    error: str = ""
    traceback: str = ""
    seconds: float = 0.0
    attempt: int = 1
    host: str = ""


def plain(text: str) -> str:
    """Text without terminal escapes, control and direction characters; line ends and tabs stay."""
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def one_line(text: str) -> str:
    """Plain text as a single line of at most `ERROR_LIMIT` characters."""
    line = " ".join(plain(text).split())
    return line if len(line) <= ERROR_LIMIT else line[: ERROR_LIMIT - 1] + "…"


def tail(text: str) -> str:
    """The last `TRACEBACK_LIMIT` characters of a text, plain."""
    return plain(text[-2 * TRACEBACK_LIMIT :])[-TRACEBACK_LIMIT:]


def described(error: BaseException) -> tuple[Status, str, str]:
    """Status, one line and traceback of an exception, however odd its class is."""
    status: Status = "oom" if isinstance(error, MemoryError) else "error"
    try:
        name = type(error).__qualname__
        line = one_line(f"{name}: {error}" if str(error) else name)
    except BaseException:  # noqa: BLE001  a class may fail to give its own message
        line = "an exception that cannot be shown"
    try:
        trace = tail("".join(traceback.format_exception(error)))
    except BaseException:  # noqa: BLE001  the same for its traceback
        trace = ""
    return status, line, trace
