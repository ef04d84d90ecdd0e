"""What a worker of a cluster does for a run: take its inputs in, serve bundles in slots, hand out what they wrote."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.metadata
import pickle
import platform
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tsgap.engines.slot import Breaker, Slot
from tsgap.engines.task import Outcome, Status, Task
from tsgap.engines.workshop import Workshop

#: Output files of a bundle travel with its reply up to this many bytes together; others are asked for in pieces.
INLINE = 8 << 20
#: Seconds after which a run that asks for nothing any more is ended.
IDLE = 120.0
#: Bytes of each log that are handed out at the end.
_LOG_TAIL = 1 << 20
_GLANCE = 0.5
#: A task that Dask still wants is in one of these states in its worker.
_WANTED = ("executing", "long-running", "resumed")
_OVER = ("closing", "closed", "failed")
#: What the version of Python and the digest of this package are called among those of distributions.
PYTHON, CODE = "Python", "tsgap's own code"


@dataclass(frozen=True)
class Ended:
    """How a task ended here, less the task; `size` is that of its output file, `output` its bytes if they are few."""

    status: Status
    value: bytes | None
    stage: str
    error: str
    traceback: str
    seconds: float
    attempt: int
    size: int | None
    output: bytes | None


@dataclass(frozen=True)
class Reply:
    """What became of a bundle: it was `refused`, inputs are `missing`, the run was `closed` here, or all `ended`.

    `site` tells one folder of inputs from another, `worker` is the address that pieces are sent to.
    """

    worker: str
    site: str = ""
    host: str = ""
    refused: str = ""
    missing: tuple[str, ...] = ()
    closed: bool = False
    ended: tuple[Ended, ...] = ()


class Site:
    """What one process of the cluster holds of one run: a folder with its inputs, and slots that stay warm."""

    def __init__(self, worker: Any, function: str) -> None:
        self.token = uuid.uuid4().hex
        self._worker = worker
        self._root = Path(worker.local_directory) / f"tsgap-{self.token}"
        self.home, self.logs = self._root / "work", self._root / "logs"
        for folder in (self.home, self.logs):
            folder.mkdir(parents=True)
        self._workshop = Workshop(function, self.logs)
        self._idle: list[Slot] = []
        self._count = 0
        self._lock = threading.Lock()
        self._serving: dict[str, float] = {}  # key of the bundle → since when
        self._last = time.monotonic()
        self.closed = threading.Event()
        threading.Thread(target=self._watch, name="tsgap-site", daemon=True).start()

    @contextlib.contextmanager
    def slot(self, key: str, group: str) -> Iterator[Slot]:
        """A slot for a bundle, if there is one then that which served its group last."""
        with self._lock:
            self._serving[key] = time.monotonic()
            free = sorted(self._idle, key=lambda slot: slot.group != group)
            if free:
                self._idle.remove(free[0])
            else:
                self._count += 1
        slot = free[0] if free else Slot(self._workshop, str(self.home), self.logs / f"slot-{self._count}.log")
        try:
            yield slot
        finally:
            with self._lock:
                self._idle.append(slot)
                del self._serving[key]
                self._last = time.monotonic()

    def touch(self) -> None:
        """Something was asked of it."""
        self._last = time.monotonic()

    def _watch(self) -> None:
        # The driver may end without a word, and its scheduler takes back what it asked for; so may the scheduler.
        while not self.closed.wait(_GLANCE):
            with self._lock:
                serving = dict(self._serving)
            known = self._worker.state.tasks
            unwanted = [key for key in serving if key not in known or known[key].state not in _WANTED]
            idle = not serving and time.monotonic() - self._last > IDLE
            if unwanted or idle or self._worker.status.name in _OVER:
                self.close()

    def close(self) -> dict[str, bytes]:
        """End all workers and remove the folder; the last words of the logs, by file name."""
        self.closed.set()
        self._workshop.close()
        said = {}
        with contextlib.suppress(OSError):
            for path in sorted(self.logs.iterdir()):
                said[path.name] = path.read_bytes()[-_LOG_TAIL:]
        shutil.rmtree(self._root, ignore_errors=True)
        return said


#: Run and worker → its site; None where the run is over, since a bundle may still come in after its end.
_SITES: dict[tuple[str, str], Site | None] = {}
_OPENING = threading.Lock()


def _site(run: str, worker: Any, function: str) -> Site | None:
    place = (run, worker.id)
    with _OPENING:
        known = _SITES.get(place)
        if place in _SITES and (known is None or not known.closed.is_set()):
            return known
        site = _SITES[place] = Site(worker, function)
        return site


def _open(run: str, worker: Any) -> Site:
    site = _SITES.get((run, worker.id))
    if site is None or site.closed.is_set():
        raise ConnectionError(f"the run {run} is not open in worker {worker.address}")
    site.touch()
    return site


def serve(run: str, function: str, here: Mapping[str, str], raw: bytes) -> Reply:
    """Run the tasks of a bundle one after another, each in a worker process under its time limit."""
    from distributed import get_worker

    worker: Any = get_worker()
    key = worker.get_current_task()
    if refused := mismatch(here, versions(tuple(here))):
        return Reply(worker.address, refused=refused)
    site = _site(run, worker, function)
    if site is None:
        return Reply(worker.address, closed=True)
    tasks: Sequence[Task] = pickle.loads(raw)
    wanted = dict.fromkeys(name for task in tasks for name in task.inputs)
    if missing := tuple(name for name in wanted if not (site.home / name).exists()):
        site.touch()
        return Reply(worker.address, site.token, missing=missing)
    ended, room, breaker = [], INLINE, Breaker()
    with site.slot(key, tasks[0].group) as slot:
        for task in tasks:
            outcome = breaker.skipped(task) or slot.served(task, site.closed.is_set)
            if site.closed.is_set():
                return Reply(worker.address, closed=True)
            breaker.ended(outcome)
            ended.append(_ended(outcome, site.home, room))
            room -= len(ended[-1].output or b"")
    return Reply(worker.address, site.token, platform.node(), ended=tuple(ended))


def _ended(outcome: Outcome, home: Path, room: int) -> Ended:
    size = output = None
    path = home / outcome.task.output
    if outcome.task.output and path.is_file():
        size = path.stat().st_size
        if outcome.status != "ok":
            size = None
        elif size <= room:
            output = path.read_bytes()
        if output is not None or size is None:
            path.unlink()
    said = (outcome.status, outcome.value, outcome.stage, outcome.error, outcome.traceback)
    return Ended(*said, outcome.seconds, outcome.attempt, size, output)


def lay(run: str, name: str, file: str, offset: int, data: bytes, dask_worker: Any) -> None:
    """Take in a piece of a file of the input `name` ("" if it is the file itself); nobody sees it before `laid`."""
    path = _half(_open(run, dask_worker), name) / file if file else _half(_open(run, dask_worker), name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("r+b" if offset else "wb") as target:
        target.truncate(offset)
        target.seek(offset)
        target.write(data)


def laid(run: str, name: str, dask_worker: Any) -> None:
    """The input `name` is here as a whole."""
    site = _open(run, dask_worker)
    if not (site.home / name).exists():
        _half(site, name).rename(site.home / name)


def _half(site: Site, name: str) -> Path:
    return site.home / f"{name}.part"


def piece(run: str, output: str, offset: int, size: int, dask_worker: Any) -> bytes:
    """Some bytes of an output file."""
    with (_open(run, dask_worker).home / output).open("rb") as source:
        source.seek(offset)
        return source.read(size)


def fetched(run: str, output: str, dask_worker: Any) -> None:
    """An output file is not needed any more."""
    (_open(run, dask_worker).home / output).unlink(missing_ok=True)


async def end(run: str, dask_worker: Any) -> dict[str, bytes]:
    """End what runs here for a run, and remove its files; what its workers printed last, by file name."""
    with _OPENING:
        site = _SITES.get((run, dask_worker.id))
        _SITES[run, dask_worker.id] = None
    return {} if site is None else await asyncio.to_thread(site.close)


@lru_cache(maxsize=4)
def versions(distributions: tuple[str, ...]) -> dict[str, str]:
    """Version of each distribution that is installed here, of Python, and a digest of tsgap's own code."""
    found = {PYTHON: ".".join(platform.python_version_tuple()[:2]), CODE: _own_code()}
    for name in distributions:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.setdefault(name, importlib.metadata.version(name))
    return found


def _own_code() -> str:
    root = Path(__file__).resolve().parents[1]
    told = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        told.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return told.hexdigest()[:12]


def mismatch(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """How what is installed in two places differs, where both have it; nothing where it does not."""
    differing = [name for name in here if name in there and here[name] != there[name]]
    return ", ".join(f"{name} {there[name]} instead of {here[name]}" for name in differing)
