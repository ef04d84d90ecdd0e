"""Tasks on a Dask cluster: its workers run the slots of this package, so limits, crashes and results are the same.

Dask carries shards there and back, finds idle threads and runs again what a lost worker had; `Client.submit` is used
and not its executor, whose futures do not say that a shard was lost. Inputs go to a node when one of its shards asks
for them, by name and in pieces, through the scheduler; nothing is read from a shared folder, and only this process
writes results. The code of plugins runs in worker processes of the slots, never in a Dask worker.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import pickle
import platform
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from tsgap.engines import node
from tsgap.engines.slot import Breaker, name_of
from tsgap.engines.task import Function, Outcome, Task, described, one_line
from tsgap.errors import TsgapError, UsageError

#: Seconds to reach the scheduler, and to wait for a worker where none is left.
REACH, PATIENCE = 5.0, 60.0
#: Bytes that travel in one message, of inputs, of output files, and of the payloads of a shard.
PIECE, PAYLOADS = 16 << 20, 4 << 20
#: Seconds of work that make a shard, and the most tasks it may have.
SHARD, MOST = 1.0, 16
#: Shards that are on their way for each thread of the cluster, and how often a task goes there before it is given up.
AHEAD, JOURNEYS = 2, 4
#: Distributions that the numbers depend on, or without which a task cannot be read.
NUMBERS = ("cloudpickle", "numpy", "pandas", "scipy", "scikit-learn", "statsmodels", "tsgap")

_PORT = 8786
_GLANCE = 1.0
_END_LIMIT = 20.0


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

    `jobs` bounds the shards that are on their way at once (None: two for each thread of the cluster). `on_start` is
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
    with _Cluster(engine, function, log_dir) as cluster:
        yield from _Journeys(cluster, itertools.chain([first], source), jobs, folder, on_start).outcomes()


class _Cluster:
    """The connection to a cluster for one run: checked workers, shards sent, questions asked."""

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

    def __enter__(self) -> _Cluster:
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
            return sum(self.client.sync(self.client.scheduler.ncores, callback_timeout=REACH).values())
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

    def send(self, shard: list[Task], worker: str) -> Any:
        """A shard on its way, if it can be then to `worker`; its future comes into `done` when it has ended."""
        future = self.client.submit(
            node.serve,
            self.run,
            self._function,
            self.here,
            pickle.dumps(shard),
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
        """Call a function in a worker, whatever its threads do; OSError where it is lost."""
        try:
            return self.client.run(function, self.run, *arguments, workers=[worker])[worker]
        except (KeyError, ValueError, RuntimeError) as err:
            raise ConnectionError(f"worker {worker} is gone: {err}") from err


class _Journeys:
    """Which tasks wait, which are on their way, and how often each went."""

    def __init__(
        self,
        cluster: _Cluster,
        source: Iterator[Task],
        jobs: int | None,
        folder: Path,
        on_start: Callable[[Task], None] | None,
    ) -> None:
        self._cluster, self._source, self._jobs, self._folder = cluster, source, jobs, folder
        self._on_start = on_start
        self._waiting: deque[Task] = deque()
        self._again: deque[tuple[list[Task], str]] = deque()  # shards that go once more, and to which worker
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
                skipped, shard, worker = self._next()
                yield from skipped
                if not shard:
                    break
                self._flying[self._cluster.send(shard, worker).key] = (time.monotonic(), shard)
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
        elif now - self._seen > PATIENCE:
            raise TsgapError(
                f"no worker is left at {self._cluster.engine!r}, and none came back in {PATIENCE:g} s; what has ended "
                "is kept, the same call goes on from there"
            )

    def _next(self) -> tuple[list[Outcome], list[Task], str]:
        """What is skipped, then the next shard and its worker; no shard when all are on their way."""
        if self._again:
            return [], *self._again.popleft()
        skipped: list[Outcome] = []
        shard: list[Task] = []
        size = 0
        while True:
            task = self._waiting.popleft() if self._waiting else next(self._source, None)
            if task is None:
                break
            if given_up := self._breaker.skipped(task):
                skipped.append(given_up)
                continue
            size += len(task.payload)
            most = min(MOST, max(1, int(SHARD / max(self._pace.get(task.group, SHARD), 1e-9))))
            if shard and (task.group != shard[0].group or len(shard) >= most or size > PAYLOADS):
                self._waiting.appendleft(task)
                break
            shard.append(task)
            if self._on_start is not None and task.id not in self._journeys:
                self._on_start(task)
        return skipped, shard, ""

    def _arrived(self, future: Any, sent: float, shard: list[Task]) -> Iterator[Outcome]:
        reply = self._cluster.reply(future)
        if reply is not None and reply.missing:
            self._again.append((shard, self._provide(reply, sent)))
        elif reply is None or reply.closed:
            yield from self._lost(shard)
        else:
            for task, ended in zip(shard, reply.ended, strict=True):
                if ended.size is not None and not self._written(task, ended, reply.worker):
                    yield from self._lost([task])
                    continue
                said = (ended.status, ended.value, ended.stage, ended.error, ended.traceback)
                outcome = Outcome(task, *said, ended.seconds, ended.attempt, reply.host)
                # what does not end well goes alone from here on
                seconds = ended.seconds if ended.status == "ok" else SHARD
                self._pace[task.group] = (self._pace.get(task.group, seconds) + seconds) / 2
                self._breaker.ended(outcome)
                yield outcome

    def _lost(self, shard: list[Task]) -> Iterator[Outcome]:
        """Tasks whose worker was lost go again, each alone: one of them may be what kills workers."""
        for task in shard:
            self._journeys[task.id] = self._journeys.get(task.id, 0) + 1
            if self._journeys[task.id] < JOURNEYS:
                self._again.append(([task], ""))
            else:
                why = f"the workers of the cluster that had it were lost {JOURNEYS} times"
                outcome = Outcome(task, "crash", None, "run", why, attempt=JOURNEYS)
                self._breaker.ended(outcome)
                yield outcome

    def _provide(self, reply: node.Reply, sent: float) -> str:
        """Send a worker what it has not had since the shard was sent; its address, or nothing if it is lost."""
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


def _installed() -> dict[str, str]:
    """Versions here of what numbers depend on: numeric libraries, plugins, and what those say they need."""
    names = list(NUMBERS)
    for point in importlib.metadata.entry_points(group="tsgap"):
        if point.dist is not None and point.dist.name != "tsgap":
            needs = [need for need in point.dist.requires or () if "extra ==" not in need]
            names += [point.dist.name, *(re.split(r"[^A-Za-z0-9._-]", need, maxsplit=1)[0] for need in needs)]
    return node.versions(tuple(dict.fromkeys(names)))
