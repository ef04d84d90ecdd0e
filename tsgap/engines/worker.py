"""The life of a worker process: settle down, then serve tasks from its link until it is killed."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import importlib
import os
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

from tsgap.engines.link import Link
from tsgap.engines.task import Function, described, one_line

#: Exit code of a worker whose function closed the files under it.
LOST_LINK = 71
#: Exit code of a worker that was ended by its own watchdog.
WATCHDOG = 1

_PR_SET_PDEATHSIG = 1
_LONGEST_WATCH = 1e6


def resolve(name: str) -> Function:
    """The function called `module:qualname`."""
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    function: Function = found
    return function


def work(link_fd: int, log_fd: int, name: str, server: int) -> NoReturn:
    """Serve `name` for the host; never returns."""
    code = 70
    try:
        _settle(log_fd, server)
        code = _serve(link_fd, name)
    except BaseException:  # noqa: BLE001  said in the log; the host sees the exit code
        traceback.print_exc()
    finally:
        os._exit(code)


def _settle(log_fd: int, server: int) -> None:
    """A session of its own, output into the log, death together with the fork server."""
    os.setsid()
    for signum in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != server:
            os._exit(0)
        with contextlib.suppress(OSError):  # where memory runs out, the worker goes and not the host
            Path("/proc/self/oom_score_adj").write_text("500")
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)
    os.close(log_fd)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable(file=2)


def _serve(link_fd: int, name: str) -> int:
    place = os.fstat(link_fd).st_ino
    link = Link(socket.socket(fileno=link_fd))
    try:
        function = resolve(name)
    except BaseException as err:  # noqa: BLE001  told to the host, which charges it to the task
        _, line, trace = described(err)
        link.send({"status": "unready", "error": line, "traceback": trace})
        return 0
    link.send({"status": "ready"})
    while True:
        try:
            header, payload = link.receive()
        except OSError:
            return 0
        reply, value = _attempt(function, payload, header["folder"], float(header["timeout"]))
        del payload
        try:
            if os.fstat(link_fd).st_ino != place:
                return LOST_LINK
            link.send(reply, value)
        except OSError:
            return LOST_LINK


def _attempt(function: Function, payload: bytes, folder: str, timeout: float) -> tuple[dict[str, Any], bytes]:
    # A thread in C: it shows where the time went and ends the process even while the GIL is held or the host is gone.
    own = os.getpid()
    faulthandler.dump_traceback_later(min(timeout, _LONGEST_WATCH), exit=True, file=2)
    begin = time.perf_counter()
    value = b""
    try:
        value = function(payload, folder)
        if not isinstance(value, bytes):
            found, value = type(value).__qualname__, b""
            raise TypeError(f"the function returned {found}, not bytes")
        reply: dict[str, Any] = {"status": "ok"}
    except BaseException as err:  # noqa: BLE001  the failure is recorded as the result
        status, line, trace = described(err)
        reply = {"status": status, "error": one_line(line), "traceback": trace}
    if os.getpid() != own:  # a fork that the function made and that came back here
        os._exit(0)
    reply["seconds"] = time.perf_counter() - begin
    faulthandler.cancel_dump_traceback_later()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):  # the function may have replaced or closed them
            stream.flush()
    return reply, value
