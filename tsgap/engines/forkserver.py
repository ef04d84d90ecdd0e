"""A small process with numpy and pandas loaded that forks the workers, buries them and ends with all of them."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, NoReturn

from tsgap.engines.worker import work

_PR_SET_CHILD_SUBREAPER = 36
_PRELOAD = ("numpy", "pandas")


def kill_group(pid: int) -> None:
    """SIGKILL a worker and everything in its process group."""
    for kill in (os.killpg, os.kill):  # the second one for a worker that has no group of its own yet
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


class _Server:
    """Lines of JSON on `control`: `{"start": id}` with two files, `{"stop": id}`; answers started, exited."""

    def __init__(self, control: socket.socket, name: str) -> None:
        self.control = control
        self.name = name
        self.parent = os.getppid()
        self.workers: dict[int, int] = {}  # process id → worker id
        self.files: deque[int] = deque()
        self.rest = b""

    def tell(self, **message: Any) -> None:
        self.control.sendall(json.dumps(message).encode() + b"\n")

    def serve(self) -> None:
        """Until the host closes the control socket or is gone."""
        wake_read, wake_write = os.pipe()
        for fd in (wake_read, wake_write):
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self.private = (wake_read, wake_write, self.control.fileno())
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(wake_read, select.POLLIN)
        self.control.sendall(b"\n")  # ready
        while os.getppid() == self.parent:
            ready = {fd for fd, _ in poll.poll(500)}
            if wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_read, 4096)
            self.bury()
            if self.control.fileno() in ready and not self.listen():
                return

    def listen(self) -> bool:
        """Do what the host asks; False when it closed the socket."""
        data, fds, _, _ = socket.recv_fds(self.control, 1 << 16, 2)
        self.files.extend(fds)
        if not data:
            return False
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if "start" in order:
                self.start(int(order["start"]), self.files.popleft(), self.files.popleft())
            else:
                for pid in [pid for pid, worker in self.workers.items() if worker == order["stop"]]:
                    kill_group(pid)
        return True

    def start(self, worker: int, link_fd: int, log_fd: int) -> None:
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError as err:
            self.tell(exited=worker, code=None, error=f"fork: {err}")
        else:
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for fd in (*self.private, *self.files):
                    os.close(fd)
                work(link_fd, log_fd, self.name, server)
            self.workers[pid] = worker
            self.tell(started=worker, pid=pid)
        os.close(link_fd)
        os.close(log_fd)

    def bury(self) -> None:
        """Take the exit codes of the dead, and kill what a dead worker left in its group."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.workers:
                kill_group(pid)
                self.tell(exited=self.workers.pop(pid), code=os.waitstatus_to_exitcode(status))

    def end(self) -> None:
        """Kill every worker, its group, and orphans that left their group: they became this process's children."""
        for pid in self.workers:
            kill_group(pid)
        children = Path(f"/proc/self/task/{os.getpid()}/children")
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                for child in children.read_text().split():
                    kill_group(int(child))
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.002)
            except ChildProcessError:
                return


def main(control_fd: int, name: str) -> NoReturn:
    """Run the fork server on an inherited control socket for the function `module:qualname`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = _Server(socket.socket(fileno=control_fd), name)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for module in (*_PRELOAD, name.partition(":")[0]):
        # A failure here is not the end: the worker meets it again and tells the host.
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    gc.collect()
    gc.freeze()
    try:
        server.serve()
    except OSError:
        pass  # the host is gone
    finally:
        server.end()
        os._exit(0)
