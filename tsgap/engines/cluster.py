"""Tasks on a Dask cluster: its workers run the slots of this package, so limits, crashes and results are the same.

Dask carries bundles of tasks there and back, finds idle threads and runs again what a lost worker had; `Client.submit`
is used and not `Client.get_executor`, which has one set of options for all: a bundle could not go back to the worker
that has been given its inputs. Inputs go to a node when one of its bundles asks for them, by name and in pieces,
through the scheduler; nothing is read from a shared folder, and only this process writes results. The code of plugins
runs in worker processes of the slots, never in a Dask worker.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

from tsgap.engines import connection, node
from tsgap.engines.connection import Cluster
from tsgap.engines.slot import Breaker, name_of
from tsgap.engines.task import Function, Outcome, Task
from tsgap.errors import TsgapError, UsageError

#: Bytes that travel in one message, of inputs, of output files, and of the payloads of a bundle.
PIECE, PAYLOADS = 16 << 20, 4 << 20
#: Seconds of work that make a bundle, and the most tasks it may have.
BUNDLE, MOST = 1.0, 16
#: Bundles that are on their way for each thread of the cluster, and how often a task goes there before it is given up.
AHEAD, JOURNEYS = 2, 4
#: Seconds between two looks at how many threads there are.
_GLANCE = 1.0


def run(
    function: Function,
    tasks: Iterable[Task],
    *,
    jobs: int | None,
    folder: Path,
    engine: str,
    on_start: Callable[[Task], None] | None = None,
    log_dir: Path | None = None,
) -> Iterator[Outcome]:
    """Yield the outcomes of all tasks as they end; see `tsgap.engines.run`.

    `jobs` bounds the bundles that are on their way at once (None: two for each thread of the cluster). `on_start` is
    called when a task is sent. Raises `UsageError` where the scheduler cannot be reached or a worker cannot give the
    same results, `TsgapError` where no worker is left.
    """
    try:
        import distributed  # noqa: F401  asked for by name only when it is needed
    except ImportError as err:
        raise UsageError(f"engine {engine!r} needs Dask: pip install 'tsgap[dask]'") from err
    return _outcomes(name_of(function), tasks, jobs, folder, engine, on_start, log_dir)


def _outcomes(
    function: str,
    tasks: Iterable[Task],
    jobs: int | None,
    folder: Path,
    engine: str,
    on_start: Callable[[Task], None] | None,
    log_dir: Path | None,
) -> Iterator[Outcome]:
    source = iter(tasks)
    first = next(source, None)
    if first is None:
        return
    with Cluster(engine, function, log_dir) as cluster:
        yield from _Journeys(cluster, itertools.chain([first], source), jobs, folder, on_start).outcomes()


class _Journeys:
    """Which tasks wait, which are on their way, and how often each went."""

    def __init__(
        self,
        cluster: Cluster,
        source: Iterator[Task],
        jobs: int | None,
        folder: Path,
        on_start: Callable[[Task], None] | None,
    ) -> None:
        self._cluster, self._source, self._jobs, self._folder = cluster, source, jobs, folder
        self._on_start = on_start
        self._waiting: deque[Task] = deque()
        self._again: deque[tuple[list[Task], str]] = deque()  # bundles that go once more, and to which worker
        self._flying: dict[str, tuple[float, list[Task]]] = {}  # since when, which
        self._journeys: dict[str, int] = {}
        self._laid: dict[tuple[str, str], tuple[float, int]] = {}  # site, input → when last, how often
        self._pace: dict[str, float] = {}  # group → seconds a task
        self._breaker = Breaker()
        self._checked, self._slots, self._seen = 0.0, 0, time.monotonic()

    def outcomes(self) -> Iterator[Outcome]:
        """All outcomes, as they come."""
        while True:
            self._count()
            while len(self._flying) < (self._jobs or AHEAD * max(1, self._slots)):
                skipped, bundle, worker = self._next()
                yield from skipped
                if not bundle:
                    break
                self._flying[self._cluster.send(bundle, worker).key] = (time.monotonic(), bundle)
            if not self._flying:
                return
            with suppress(Empty):
                future = self._cluster.done.get(timeout=_GLANCE)
                yield from self._arrived(future, *self._flying.pop(future.key))

    def _count(self) -> None:
        """Look now and then how many threads there are."""
        now = time.monotonic()
        if now - self._checked > _GLANCE:
            self._slots, self._checked = self._cluster.slots(), now
        if self._slots:
            self._seen = now
        elif now - self._seen > connection.PATIENCE:
            raise TsgapError(
                f"no worker is left at {self._cluster.engine!r}, and none came back in {connection.PATIENCE:g} s; what "
                "has ended is kept, the same call goes on from there"
            )

    def _next(self) -> tuple[list[Outcome], list[Task], str]:
        """What is skipped, then the next bundle and its worker; no bundle when all are on their way."""
        if self._again:
            return [], *self._again.popleft()
        skipped: list[Outcome] = []
        bundle: list[Task] = []
        size = 0
        while True:
            task = self._waiting.popleft() if self._waiting else next(self._source, None)
            if task is None:
                break
            if given_up := self._breaker.skipped(task):
                skipped.append(given_up)
                continue
            size += len(task.payload)
            most = min(MOST, max(1, int(BUNDLE / max(self._pace.get(task.group, BUNDLE), 1e-9))))
            if bundle and (task.group != bundle[0].group or len(bundle) >= most or size > PAYLOADS):
                self._waiting.appendleft(task)
                break
            bundle.append(task)
            if self._on_start is not None and task.id not in self._journeys:
                self._on_start(task)
        return skipped, bundle, ""

    def _arrived(self, future: Any, sent: float, bundle: list[Task]) -> Iterator[Outcome]:
        reply = self._cluster.reply(future)
        if reply is not None and reply.missing:
            self._again.append((bundle, self._provide(reply, sent)))
        elif reply is None or reply.closed:
            yield from self._lost(bundle)
        else:
            for task, ended in zip(bundle, reply.ended, strict=True):
                if ended.size is not None and not self._written(task, ended, reply.worker):
                    yield from self._lost([task])
                    continue
                said = (ended.status, ended.value, ended.stage, ended.error, ended.traceback)
                outcome = Outcome(task, *said, ended.seconds, ended.attempt, reply.host)
                # what does not end well goes alone from here on
                seconds = ended.seconds if ended.status == "ok" else BUNDLE
                self._pace[task.group] = (self._pace.get(task.group, seconds) + seconds) / 2
                self._breaker.ended(outcome)
                yield outcome

    def _lost(self, bundle: list[Task]) -> Iterator[Outcome]:
        """Tasks whose worker was lost go again, each alone: one of them may be what kills workers."""
        for task in bundle:
            self._journeys[task.id] = self._journeys.get(task.id, 0) + 1
            if self._journeys[task.id] < JOURNEYS:
                self._again.append(([task], ""))
            else:
                why = f"the workers of the cluster that had it were lost {JOURNEYS} times"
                outcome = Outcome(task, "crash", None, "run", why, attempt=self._journeys[task.id])
                self._breaker.ended(outcome)
                yield outcome

    def _provide(self, reply: node.Reply, sent: float) -> str:
        """Send a worker what it has not had since the bundle was sent; its address, or nothing if it is lost."""
        cluster = self._cluster
        for name in reply.missing:
            last, count = self._laid.get((reply.site, name), (0.0, 0))
            if last > sent:
                continue
            if count >= JOURNEYS:
                raise TsgapError(f"worker {reply.worker} of {cluster.engine!r} lost the input {name!r} {count} times")
            home = self._folder / name
            files = sorted(path for path in home.rglob("*") if path.is_file()) if home.is_dir() else [home]
            try:
                for path in files:
                    file = "" if path == home else path.relative_to(home).as_posix()
                    for offset, data in _pieces(path):
                        cluster.ask(reply.worker, node.lay, name, file, offset, data)
                cluster.ask(reply.worker, node.laid, name)
                self._laid[reply.site, name] = (time.monotonic(), count + 1)
            except ConnectionError:
                return ""
        return reply.worker

    def _written(self, task: Task, ended: node.Ended, worker: str) -> bool:
        """Lay an output file into the folder of this run; False where its worker was lost."""
        path, size = self._folder / task.output, ended.size or 0
        if ended.output is not None:
            path.write_bytes(ended.output)
            return True
        try:
            with path.open("wb") as target:
                while (offset := target.tell()) < size:
                    target.write(self._cluster.ask(worker, node.piece, task.output, offset, PIECE))
            self._cluster.ask(worker, node.fetched, task.output)
        except ConnectionError:
            path.unlink(missing_ok=True)
            return False
        return True


def _pieces(path: Path) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each piece of a file, one at least."""
    with path.open("rb") as source:
        yield 0, source.read(PIECE)
        while data := source.read(PIECE):
            yield source.tell() - len(data), data
