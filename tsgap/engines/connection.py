"""The connection to a Dask cluster for one run: workers that are checked, bundles sent, questions asked."""

from __future__ import annotations

import errno
import importlib.metadata
import itertools
import pickle
import platform
import re
import time
import uuid
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tsgap.engines import node
from tsgap.engines.task import Task, described, one_line
from tsgap.errors import TsgapError, UsageError

#: Seconds to reach the scheduler, and to wait for a worker where there is none.
REACH, PATIENCE = 5.0, 60.0
#: Distributions that the numbers depend on, or without which a task cannot be read.
NUMBERS = ("cloudpickle", "numpy", "pandas", "scipy", "scikit-learn", "statsmodels", "tsgap")

_PORT = 8786
_ANSWER, _END_LIMIT = 30.0, 20.0
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)


def _check_certificates(address: str) -> None:
    """Raises here what is missing: a client that is half made would say it once more when it goes."""
    from distributed.security import Security

    security: Any = Security
    if address.startswith("tls") and security().get_connection_args("client").get("ssl_context") is None:
        raise TypeError("TLS without certificates: Dask's configuration names none under distributed.comm.tls")


class Cluster:
    """The connection to a cluster for one run: checked workers, bundles sent, questions asked."""

    def __init__(self, engine: str, function: str, log_dir: Path | None) -> None:
        from distributed import Client

        self.engine, self.run, self.log_dir = engine, uuid.uuid4().hex, log_dir
        self._function = function
        self._count = itertools.count()
        self.done: SimpleQueue[Any] = SimpleQueue()
        scheme, _, place = engine.partition("://")
        if not re.search(r":\d+$", place):
            place = f"{place}:{_PORT}"
        try:
            address = f"{'tls' if scheme.endswith('tls') else 'tcp'}://{place}"
            connect: Any = Client
            _check_certificates(address)
            self.client: Any = connect(address, timeout=REACH, set_as_default=False, name="tsgap")
        except (OSError, ValueError, TypeError) as err:  # a timeout is an OSError
            raise UsageError(
                f"no Dask scheduler answers at {engine!r} within {REACH:g} s ({one_line(str(err))}); "
                "is the address right, and is it started?"
            ) from err
        try:
            self._wait()
            self.here = _installed()
            self._check()
        except BaseException:
            self.client.close(timeout=REACH)
            raise

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        """End what runs on the nodes, keep the last words of their logs."""
        try:
            with suppress(Exception):  # what is gone already has ended
                said = self.client.sync(
                    self.client._run, node.end, self.run, on_error="ignore", callback_timeout=_END_LIMIT
                )
                if self.log_dir is not None:
                    self.log_dir.mkdir(parents=True, exist_ok=True)
                    for number, logs in enumerate(said.values()):
                        for name, text in logs.items():
                            (self.log_dir / f"node-{number}-{name}").write_bytes(text)
        finally:
            self.client.close(timeout=REACH)

    def slots(self) -> int:
        """Threads of all workers; 0 where there is none."""
        try:
            return sum(self.client.sync(self.client.scheduler.ncores, callback_timeout=_ANSWER).values())
        except (OSError, ValueError, RuntimeError) as err:
            raise TsgapError(f"the Dask scheduler of {self.engine!r} is gone: {one_line(str(err))}") from err

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.slots():
            if time.monotonic() > deadline:
                raise UsageError(f"the Dask scheduler of {self.engine!r} has no worker; none came in {PATIENCE:g} s")
            time.sleep(0.1)

    def _check(self) -> None:
        """Every worker that there is can give the same results as this process."""
        python = self.here[node.PYTHON]
        for worker, found in self._everywhere(platform.python_version).items():
            if ".".join(str(found).split(".")[:2]) != python:
                raise self._refused(worker, f"it runs Python {found}, this process {platform.python_version()}")
        for worker, found in self._everywhere(importlib.metadata.version, "tsgap").items():
            if isinstance(found, Exception):
                raise self._refused(worker, "tsgap is not installed there")
            if found != self.here["tsgap"]:
                raise self._refused(worker, f"it has tsgap {found}, this process {self.here['tsgap']}")
        for worker, found in self._everywhere(node.versions, tuple(self.here)).items():
            if isinstance(found, Exception):
                raise self._refused(worker, f"tsgap cannot be loaded there: {described(found)[1]}")
            if different := node.mismatch(self.here, found):
                raise self._refused(worker, f"it has {different}")

    def _everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.client.run(function, *arguments, on_error="return")
        return {worker: said for worker, said in found.items() if not isinstance(said, OSError)}

    def _refused(self, worker: str, why: str) -> UsageError:
        return UsageError(
            f"worker {worker} of {self.engine!r} would not give the same results: {why}; install there what is "
            "installed here, plugins too"
        )

    def send(self, bundle: list[Task], worker: str) -> Any:
        """A bundle on its way, if it can be then to `worker`; its future comes into `done` when it has ended."""
        with warnings.catch_warnings():  # that a long payload should rather be scattered: it has one reader
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            future = self.client.submit(
                node.serve,
                self.run,
                self._function,
                self.here,
                pickle.dumps(bundle),
                key=f"tsgap-{self.run}-{next(self._count)}",
                workers=[worker] if worker else None,
                allow_other_workers=bool(worker),
                pure=False,
            )
        future.add_done_callback(self.done.put)
        return future

    def reply(self, future: Any) -> node.Reply | None:
        """What came back; None where the workers that had it were lost."""
        from distributed import KilledWorker

        try:
            if future.status == "finished":
                reply: node.Reply = future.result(timeout=PATIENCE)
                if reply.refused:
                    raise self._refused(reply.worker, f"it has {reply.refused}")
                return reply
            error = future.exception(timeout=PATIENCE) if future.status == "error" else None
        except (OSError, TimeoutError):
            return None
        finally:
            future.release()
        if error is None or isinstance(error, (KilledWorker, OSError)):
            return None
        if isinstance(error, ImportError):
            raise self._refused("", f"one that came later says {described(error)[1]}")
        raise TsgapError(f"a worker of {self.engine!r} failed: {described(error)[1]}") from error

    def ask(self, worker: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in a worker, whatever its threads do; `ConnectionError` where it is lost."""
        try:
            return self.client.run(function, self.run, *arguments, workers=[worker])[worker]
        except (OSError, KeyError, ValueError, RuntimeError) as err:
            if isinstance(err, OSError) and err.errno in _NO_ROOM:
                raise TsgapError(f"worker {worker} of {self.engine!r} has no room for a file: {err}") from err
            raise ConnectionError(f"worker {worker} is gone: {err}") from err


def _installed() -> dict[str, str]:
    """Versions here of what numbers depend on: numeric libraries, plugins, and what those say they need."""
    names = list(NUMBERS)
    for point in importlib.metadata.entry_points(group="tsgap"):
        if point.dist is not None and point.dist.name != "tsgap":
            needs = [need for need in point.dist.requires or () if "extra ==" not in need]
            names += [point.dist.name, *(re.split(r"[^A-Za-z0-9._-]", need, maxsplit=1)[0] for need in needs)]
    return node.versions(tuple(dict.fromkeys(names)))
