"""The host's handle on the fork server: start and stop workers, learn how they ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tsgap.engines import worker as worker_module
from tsgap.engines.forkserver import kill_group
from tsgap.engines.link import Link
from tsgap.engines.task import TRACEBACK_LIMIT, one_line, tail
from tsgap.engines.worker import LOST_LINK
from tsgap.errors import TsgapError

#: One thread a worker: slots are the parallelism, and the number of threads changes sums in the last bits.
_ALWAYS = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
#: Equal hashes in all workers; no thread of pyarrow's in the fork server, which must have one only.
_UNLESS_SET = {"PYTHONHASHSEED": "0", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
_PROGRAM = (
    "import sys; fd, name, *sys.path[:] = sys.argv[1:]; from tsgap.engines.forkserver import main; main(int(fd), name)"
)
_LOG_LIMIT = 10_000_000
_WORDS_LIMIT = 65536
_OWN_FRAMES = f'  File "{worker_module.__file__}"'
_END_LIMIT = 10.0


class Worker:
    """One worker process: its link, its log, and how it ended once it did."""

    def __init__(self, number: int, link: Link, log: Path, control: socket.socket) -> None:
        self.number = number
        self.link = link
        self.log = log
        self.control = control  # of the fork server that was asked for it
        self.pid: int | None = None
        self.code: int | None = None
        self.error = ""
        self.was_killed = False  # by the host
        self.exited = threading.Event()
        self.mark()

    def ended(self, code: int | None, error: str = "") -> None:
        self.code, self.error = code, error
        self.exited.set()
        with contextlib.suppress(OSError):  # a forked grandchild may hold the other end open
            self.link.sock.shutdown(socket.SHUT_RDWR)

    def cause(self) -> str:
        """How the process ended, in words."""
        if self.error:
            return self.error
        if self.code is None:
            return "lost together with the fork server"
        if self.code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by signal {-self.code} ({signal.Signals(-self.code).name})"
            return f"killed by signal {-self.code}"
        if self.code == LOST_LINK:
            return "the function closed the worker's channel to the host"
        return f"the process ended with exit code {self.code}"

    def mark(self) -> None:
        """What is written to the log from here on belongs to the next task."""
        self.log_start = self.log.stat().st_size if self.log.exists() else 0

    def trim_log(self) -> None:
        """Empty a log that has grown too long; it is open for appending, so that writing goes on at its start."""
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > _LOG_LIMIT:
                os.truncate(self.log, 0)
                self.log_start = 0

    def last_words(self) -> str:
        """What the worker wrote last: where the time went or what killed it if it could tell, else its last lines."""
        try:
            with self.log.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(min(self.log_start, end), end - _WORDS_LIMIT))
                words = file.read(_WORDS_LIMIT).decode("utf-8", "replace")
        except OSError:
            return ""
        told = max(words.rfind("Timeout ("), words.rfind("Fatal Python error"))
        if told < 0:
            return tail(words)
        # The frames of the function stand first there, then those of the worker, which say nothing.
        return tail(words[told:].partition(_OWN_FRAMES)[0][:TRACEBACK_LIMIT])


class Workshop:
    """Starts the fork server when the first worker is asked for, and again if it was killed."""

    def __init__(self, function: str, log_dir: Path) -> None:
        self._function = function
        self._log = log_dir / "forkserver.log"
        self._opening = threading.Lock()
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._workers: dict[int, Worker] = {}
        self._count = 0
        self._closed = False

    def start(self, log: Path) -> Worker:
        """A new worker; whether it came to life shows on its link."""
        ours, theirs = socket.socketpair()
        link = Link(ours)
        log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            while True:
                control = self._server()
                with self._lock:
                    self._count += 1
                    worker = self._workers[self._count] = Worker(self._count, link, log, control)
                    order = json.dumps({"start": worker.number}).encode() + b"\n"
                    try:
                        socket.send_fds(control, [order], [theirs.fileno(), log_fd])
                        return worker
                    except OSError:  # the fork server is gone; another one is opened
                        del self._workers[worker.number]
                        if self._control is control:
                            self._control = None
        except BaseException:
            link.close()
            raise
        finally:
            theirs.close()
            os.close(log_fd)

    def stop(self, worker: Worker, grace: float = 0.0) -> None:
        """End a worker and its group; `grace` is the time it gets to end by itself."""
        if not worker.exited.wait(grace) if grace else not worker.exited.is_set():
            worker.was_killed = True
            with self._lock, contextlib.suppress(OSError):
                if self._control is not None:
                    self._control.sendall(json.dumps({"stop": worker.number}).encode() + b"\n")
            if not worker.exited.wait(_END_LIMIT) and worker.pid is not None:
                kill_group(worker.pid)
        worker.link.close()

    def _server(self) -> socket.socket:
        with self._opening:
            if self._control is None:
                self._control = self._open_server()
            return self._control

    def _open_server(self) -> socket.socket:
        if self._closed:
            raise TsgapError("the workers were told to end")
        ours, theirs = socket.socketpair()
        warn = [f"-W{option}" for option in sys.warnoptions]
        with theirs, self._log.open("ab") as stderr:
            process = self._process = subprocess.Popen(
                [sys.executable, "-P", *warn, "-c", _PROGRAM, str(theirs.fileno()), self._function, *sys.path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=[theirs.fileno()],
                env={**_UNLESS_SET, **os.environ, **_ALWAYS},
                start_new_session=True,
            )
        if self._closed or not ours.recv(1):  # the byte says that it is ready
            process.kill()
            process.wait()
            ours.close()
            said = one_line(self._log.read_text(errors="replace")[-1000:])
            raise TsgapError(
                f"worker processes cannot be started with {sys.executable!r}: {said or 'it ended at once'}"
            )
        threading.Thread(target=self._listen, args=(ours, process), name="tsgap-workshop", daemon=True).start()
        return ours

    def _listen(self, control: socket.socket, process: subprocess.Popen[bytes]) -> None:
        with control, control.makefile("rb") as lines, contextlib.suppress(OSError, ValueError):
            for line in lines:
                self._heard(json.loads(line))
        process.wait()
        with self._lock:
            if self._control is control:
                self._control = None
            lost = [worker for worker in self._workers.values() if worker.control is control]
            for worker in lost:
                del self._workers[worker.number]
        for worker in lost:
            if worker.pid is not None:
                kill_group(worker.pid)
            worker.ended(None)

    def _heard(self, message: dict[str, Any]) -> None:
        with self._lock:
            if "started" in message:
                self._workers[message["started"]].pid = message["pid"]
            else:
                self._workers.pop(message["exited"]).ended(message["code"], message.get("error", ""))

    def close(self) -> None:
        """End the fork server, which ends all workers; nothing is left when this returns."""
        self._closed = True
        control, process = self._control, self._process
        if control is not None:
            with contextlib.suppress(OSError):
                control.shutdown(socket.SHUT_WR)
        if process is not None:
            try:
                # A server that is not open yet has no workers and need not be asked.
                process.wait(_END_LIMIT if control is not None else 0.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
