"""A cluster of two local worker processes that share no folder: same results to the bit, nothing lost, nothing left."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import carried
import chaos
import numpy as np
import psutil
import pytest

import tsgap
from tests.said import EVERYTHING, differing, in_groups, only_quick_diagnostics
from tests.test_engines import lives
from tests.worlds import seasonal
from tsgap import cli
from tsgap.engines import Outcome, Task, cluster, connection, run
from tsgap.errors import TsgapError, UnknownNameError, UsageError
from tsgap.local import LocalForecaster
from tsgap.panel import Floats
from tsgap.store import Store

pytest.importorskip("distributed", reason="the extra dask")

#: Runs before everything else in every process of a node: what lies under the driver's folder cannot be opened there.
GUARD = """
import importlib.metadata, os, sys
forbidden, hidden = os.environ["TEST_FORBIDDEN"], os.environ.get("TEST_HIDDEN", "")
def guard(event, arguments):
    if event == "open" and str(arguments[0]).startswith(forbidden):
        raise PermissionError(f"a node must not read {arguments[0]}")
sys.addaudithook(guard)
if hidden:
    class Hidden:
        def find_spec(name, path=None, target=None):
            if name.partition(".")[0] == "tsgap":
                raise ModuleNotFoundError(f"No module named {name!r}")
    sys.meta_path.insert(0, Hidden)
if hidden == "uninstalled":
    def version(name, known=importlib.metadata.version):
        if name == "tsgap":
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)
    version.__qualname__ = "version"
    version.__module__ = "importlib.metadata"
    importlib.metadata.version = version
"""


class Nodes:
    """A scheduler and worker processes, each with folders of its own."""

    def __init__(self, folder: Path, forbidden: Path, *options: str) -> None:
        self.folder, self.forbidden, self._options = folder, forbidden, options
        self.workers: list[subprocess.Popen[bytes]] = []
        site = folder / "site"
        site.mkdir(parents=True)
        (site / "sitecustomize.py").write_text(GUARD)
        self._said = folder / "scheduler.json"
        self._paths = os.pathsep.join([str(site), str(Path(__file__).parent)])
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")

    def _start(self, what: str, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--scheduler-file", str(self._said)]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*command, "--no-dashboard", *self._options, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    **{"PYTHONPATH": self._paths, "TEST_FORBIDDEN": str(self.forbidden), **environment},
                },
            )

    def join(self, *, nanny: bool = False, threads: int = 1, **environment: str) -> subprocess.Popen[bytes]:
        """One more worker process."""
        home = self.folder / f"worker-{len(self.workers)}"
        (home / "tmp").mkdir(parents=True)
        options = ["--nthreads", str(threads), "--local-directory", str(home), *([] if nanny else ["--no-nanny"])]
        self.workers.append(self._start("worker", *options, **environment, TMPDIR=str(home / "tmp")))
        return self.workers[-1]

    @property
    def engine(self) -> str:
        """The address of the scheduler, once it is there."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError):
                address = str(json.loads(self._said.read_text())["address"])
                return address.replace("tcp://", "dask://").replace("tls://", "dask+tls://")
            time.sleep(0.02)
        raise TimeoutError((self.folder / "log").read_text())

    def wait(self, count: int) -> Nodes:
        """Until so many workers have joined."""
        from distributed import Client

        with Client(self.engine.replace("dask", "tcp"), set_as_default=False) as client:
            client.wait_for_workers(count, timeout=120)
        return self

    def served(self) -> list[psutil.Process]:
        """Processes that the workers have started for runs."""
        found = []
        for worker in self.workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                for process in psutil.Process(worker.pid).children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        if "tsgap.engines.forkserver" in " ".join(process.cmdline()):
                            found.append(process)
        return found

    def laid(self) -> list[Path]:
        """Folders of runs that lie on the nodes; one that vanishes while it is read is passed over."""
        walked = (entry for worker in self.folder.glob("worker-*") for entry in os.walk(worker))
        return [Path(home, name) for home, names, _ in walked for name in names if name.startswith("tsgap-")]

    def close(self) -> None:
        """End everything."""
        started = [*self.workers, self.scheduler]
        below = [
            child
            for process in started
            if process.poll() is None
            for child in psutil.Process(process.pid).children(recursive=True)
        ]
        for process in (*started, *below):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for process in started:
            process.wait()


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of this process, which no node can read."""
    return tmp_path_factory.mktemp("driver")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, driver: Path) -> Iterator[Nodes]:
    """Two workers, one under a nanny, whose processes are daemons."""
    made = Nodes(tmp_path_factory.mktemp("nodes") / "all", driver)
    try:
        made.join(nanny=True)
        made.join()
        yield made.wait(2)
    finally:
        made.close()


@pytest.fixture
def more_nodes(tmp_path: Path, driver: Path) -> Iterator[Callable[..., Nodes]]:
    """Clusters for one test."""
    made: list[Nodes] = []

    def start(*workers: dict[str, str]) -> Nodes:
        made.append(Nodes(tmp_path / f"nodes-{len(made)}", driver))
        for environment in workers:
            made[-1].join(**environment)
        return made[-1].wait(len(workers)) if workers else made[-1]

    yield start
    for one in made:
        one.close()


def gone(what: Callable[[], object], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def tasks(*words: str, group: str = "", timeout: float = 30.0) -> list[Task]:
    return [Task(str(i), group or f"g{i}", word.encode(), timeout) for i, word in enumerate(words)]


def lose_once(monkeypatch: pytest.MonkeyPatch, *functions: Callable[..., object]) -> list[object]:
    """The first call of each of these functions in a worker finds it gone; those that did."""
    ask, lost = connection.Cluster.ask, list[object]()

    def asked(self: connection.Cluster, worker: str, function: Callable[..., object], *arguments: object) -> object:
        if function in functions and function not in lost:
            lost.append(function)
            raise ConnectionError("gone")
        return ask(self, worker, function, *arguments)

    monkeypatch.setattr(connection.Cluster, "ask", asked)
    return lost


def by_id(outcomes: Iterator[Outcome]) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    for outcome in outcomes:
        assert outcome.task.id not in found
        found[outcome.task.id] = outcome
    return found


# the same results


class Shaken:
    """The last value, shaken by the seed and by what it was trained on."""

    def fit(self, train: tsgap.Panel, *, horizon: int, context: int | None, seed: int) -> None:
        self.shake = np.random.default_rng(seed).normal(np.mean(train.values), 1.0, horizon)

    def predict(self, history: tsgap.Panel, *, horizon: int, quantile_levels: tuple[float, ...] = ()) -> tsgap.Forecast:
        return tsgap.Forecast(np.array([y[-1] for y in history])[:, None] + self.shake)


class Means(LocalForecaster):
    """The mean of the training series and the last value, half each."""

    def fit_series(self, y: Floats, *, seasons: tuple[int, ...], horizon: int, seed: int) -> float:
        return float(np.mean(y))

    def forecast_series(self, model: float, y: Floats, *, horizon: int) -> Floats:
        return np.full(horizon, (model + y[-1]) / 2)


MEANS = tsgap.ForecasterSpec("means", "series by series", Means, scope="local")
SHAKEN = tsgap.ForecasterSpec("shaken", "by chance", Shaken, deterministic=False)


def swept(out: Path, engine: str, **more: object) -> tsgap.Run:
    settings: dict[str, object] = {
        **{"forecasters": ["linear", SHAKEN, MEANS], "replicates": 1, "horizons": [1, 6], "windows": 3},
        **{"out": out, "jobs": None if "://" in engine else 2, "engine": engine},
    }
    return tsgap.sweep(seasonal(4, 90), "gen:block-bootstrap", **{**settings, **more})


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="in short"),
        pytest.param(
            {
                **{"forecasters": ["gradient-boosting:iterations=20", SHAKEN, "holt-winters"], "replicates": 2},
                **{"quantiles": [0.1, 0.5, 0.9], "oracle_split": True, "validation": True},
            },
            id="in full",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_sweep_gives_the_same_to_the_bit_as_on_this_machine(
    nodes: Nodes, driver: Path, more: dict[str, object]
) -> None:
    if more:
        pytest.importorskip("tsgap_statsforecast", reason="forecasts series one by one")
    here, there = (
        swept(driver / f"{name}-{len(more)}", engine, **more)
        for name, engine in {"here": "local", "there": nodes.engine}.items()
    )
    assert (there.complete, there.n_failed) == (True, 0)
    mine, other = (run.forecasts() for run in (here, there))
    assert len(mine) > 300
    assert mine.forecast.notna().all()
    assert mine.forecast.to_numpy().tobytes() == other.forecast.to_numpy().tobytes()
    assert mine.drop(columns="forecast").equals(other.drop(columns="forecast"))
    assert here.profile().to_json() == there.profile().to_json()
    with Store.open(here.path) as one, Store.open(there.path) as two:
        assert one.finished() == two.finished()
    assert gone(nodes.laid)
    assert gone(nodes.served)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"forecasters": ["linear"], "replicates": 1}, id="in short"),
        pytest.param({}, id="in full", marks=pytest.mark.slow),
    ],
)
def test_all_views_of_a_sweep_are_the_same_to_the_bit_as_on_this_machine(
    nodes: Nodes, driver: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, object]
) -> None:
    only_quick_diagnostics(monkeypatch)
    here, there = (
        tsgap.sweep(
            *(in_groups(), "gen:stl-bootstrap"),
            **{**EVERYTHING, **more, "out": driver / f"views-{name}-{len(more)}", "engine": engine, "jobs": jobs},
        )
        for name, engine, jobs in (("here", "local", 0), ("there", nodes.engine, None))
    )
    assert (there.complete, there.n_failed) == (True, 0)
    assert differing(here, there) == []


def test_inputs_and_outputs_travel_whole_and_inputs_once(
    nodes: Nodes, driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PIECE", 1000)
    work = driver / "carried"
    (work / "folder" / "deep").mkdir(parents=True)
    noise = np.random.default_rng(0).bytes(4500)
    for name, data in {"file": noise, "folder/a": noise[:1000], "folder/deep/b": noise[:2001], "empty": b""}.items():
        (work / name).write_bytes(data)
    sent: list[str] = []
    ask = connection.Cluster.ask

    def counted(self: connection.Cluster, worker: str, function: Callable[..., object], *arguments: object) -> object:
        if function is cluster.node.laid:
            sent.append(f"{worker} {arguments[0]}")
        return ask(self, worker, function, *arguments)

    monkeypatch.setattr(connection.Cluster, "ask", counted)
    given = [
        Task(f"{name}-{i}", "g", f"{name} out-{name}-{i}".encode(), 30.0, (name,), f"out-{name}-{i}")
        for i in range(4)
        for name in ("file", "folder", "empty")
    ]
    found = by_id(run(carried.relay, given, folder=work, engine=nodes.engine))
    assert {outcome.status for outcome in found.values()} == {"ok"}
    assert found["folder-0"].value == b"folder/a folder/deep/b"
    for i in range(4):
        assert (work / f"out-file-{i}").read_bytes() == noise
        assert (work / f"out-folder-{i}").read_bytes() == noise[:1000] + noise[:2001]
        assert (work / f"out-empty-{i}").read_bytes() == b""
    assert len(sent) == len(set(sent)) >= 3
    assert {outcome.host for outcome in found.values()} == {os.uname().nodename}


@pytest.mark.slow
def test_a_long_output_comes_back_in_pieces(nodes: Nodes, driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = driver / "long"
    work.mkdir()
    data = np.random.default_rng(1).bytes(cluster.node.INLINE + cluster.PIECE + 1)
    (work / "file").write_bytes(data)
    lose_once(monkeypatch, cluster.node.lay, cluster.node.piece)
    (outcome,) = run(
        carried.relay, [Task("0", "g", b"file out", 30.0, ("file",), "out")], folder=work, engine=nodes.engine
    )
    assert outcome.status == "ok"
    assert (work / "out").read_bytes() == data


@pytest.mark.slow
def test_a_long_payload_travels_without_a_warning(nodes: Nodes) -> None:
    payload = np.random.default_rng(2).bytes(12 << 20)
    (outcome,) = run(chaos.echo, [Task("0", "g", payload, 30.0)], engine=nodes.engine)
    assert outcome.value == payload


def test_a_node_cannot_read_the_folder_of_the_driver(nodes: Nodes, driver: Path) -> None:
    (driver / "secret").write_text("s")
    (outcome,) = run(carried.steal, tasks(str(driver / "secret")), engine=nodes.engine)
    assert "PermissionError: a node must not read" in outcome.error


@pytest.mark.slow
def test_a_cluster_may_ask_for_certificates(tmp_path: Path, driver: Path) -> None:
    import dask

    if not shutil.which("openssl"):
        pytest.skip("no openssl to make certificates with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tsgap"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    files = ("--tls-ca-file", str(certificate), "--tls-cert", str(certificate), "--tls-key", str(key))
    made = Nodes(tmp_path / "nodes", driver, "--protocol", "tls", *files)
    mine = {"ca-file": str(certificate), "client.cert": str(certificate), "client.key": str(key)}
    try:
        made.join()
        assert made.engine.startswith("dask+tls://")
        with dask.config.set({f"distributed.comm.tls.{name}": value for name, value in mine.items()}):
            assert [o.status for o in run(chaos.act, tasks("ok:x"), engine=made.engine)] == ["ok"]
        with pytest.raises(UsageError, match=r"no Dask scheduler answers at 'dask\+tls://.*TLS"):
            list(run(chaos.act, tasks("ok:x"), engine=made.engine))
    finally:
        made.close()


# what goes wrong


def test_what_functions_do_wrong_has_the_status_that_it_has_on_this_machine(nodes: Nodes) -> None:
    slow = {"sleep", "spin"}
    words = ("kill", "segfault", "exit:3", "raise:value", "leak", "wrong-type", "speak", *slow)
    given = [Task(word, word, word.encode(), 0.6 if word in slow else 30.0) for word in words]
    given += [Task(f"ok {word}", word, f"ok:{word}".encode(), 30.0) for word in words]
    here, there = (
        {
            key: (one.status, one.value, one.stage, one.error, one.attempt)
            for key, one in by_id(run(chaos.act, given, jobs=jobs, engine=engine)).items()
        }
        for jobs, engine in ((2, "local"), (None, nodes.engine))
    )
    assert here == there
    assert {one[0] for one in there.values()} == {"ok", "crash", "error", "timeout", "oom"}


def test_a_group_that_crashes_three_times_in_a_row_is_given_up_over_all_nodes(nodes: Nodes) -> None:
    outcomes = list(run(chaos.act, tasks(*["kill"] * 40, group="bad"), engine=nodes.engine))
    counts = {status: sum(o.status == status for o in outcomes) for status in ("crash", "skipped")}
    assert sum(counts.values()) == 40
    assert 3 <= counts["crash"] <= 8  # those that were on their way
    assert all("3 tasks of 'bad' crashed in a row" in o.error for o in outcomes if o.status == "skipped")


def test_a_plugin_that_a_node_has_not_fails_its_cells_with_the_reason(
    nodes: Nodes, driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (driver / "only_here.py").write_text(
        "import tsgap\nclass Mine:\n"
        "    def fit(self, train, *, horizon, context, seed): pass\n"
        "    def predict(self, history, *, horizon, quantile_levels=()): raise AssertionError\n"
    )
    monkeypatch.syspath_prepend(driver)
    made = swept(driver / "partly", nodes.engine, forecasters=["only_here:Mine", "linear"], replicates=1, null=False)
    cells = made.cells()
    mine = cells[cells.forecaster == "only_here:Mine"]
    assert set(mine.status) == {"error"}
    assert mine.error.str.contains("No module named 'only_here'").all()
    assert set(cells[cells.forecaster == "linear"].status) == {"ok"}


def test_a_worker_that_is_lost_while_inputs_go_there_costs_nothing(
    nodes: Nodes, driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = driver / "lost"
    work.mkdir()
    (work / "file").write_bytes(b"abc")
    lost = lose_once(monkeypatch, cluster.node.lay, cluster.node.laid)
    given = [Task("0", "g", b"file out", 30.0, ("file",), "out")]
    (outcome,) = run(carried.relay, given, folder=work, engine=nodes.engine)
    assert (outcome.status, (work / "out").read_bytes(), len(lost)) == ("ok", b"abc", 2)


def test_a_worker_without_room_is_named(nodes: Nodes, driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, *arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    from distributed import Client

    (driver / "file").write_bytes(b"abc")
    monkeypatch.setattr(connection.Cluster, "_check", lambda self: monkeypatch.setattr(Client, "run", full))
    with pytest.raises(TsgapError, match=r"worker tcp://127.* has no room for a file: .*No space left"):
        list(
            run(
                carried.relay, [Task("0", "g", b"file out", 30.0, ("file",), "out")], folder=driver, engine=nodes.engine
            )
        )


@pytest.mark.slow
def test_jobs_bounds_what_runs_at_once(nodes: Nodes) -> None:
    given = tasks(*["0.15"] * 6, group="g")
    spans = sorted(
        tuple(map(float, (o.value or b"").split()[:2])) for o in run(carried.span, given, jobs=1, engine=nodes.engine)
    )
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))
    pids = {(o.value or b"").split()[2] for o in run(carried.span, given, engine=nodes.engine)}
    assert len(pids) == 2


def test_closing_the_iterator_ends_what_runs_on_the_nodes(nodes: Nodes, tmp_path: Path) -> None:
    outcomes = run(chaos.act, tasks("speak", *["sleep:60"] * 4), engine=nodes.engine, log_dir=tmp_path)
    assert next(outcomes).status == "ok"
    assert nodes.served()
    begin = time.monotonic()
    outcomes.close()
    assert gone(nodes.served)
    assert gone(nodes.laid)
    assert time.monotonic() - begin < 40  # the tasks would go on for 60 s
    assert "from C" in "".join(path.read_text(errors="replace") for path in tmp_path.glob("node-*-slot-*.log"))
    assert [o.status for o in run(chaos.act, tasks("ok:x"), engine=nodes.engine)] == ["ok"]


SCRIPT = """
import sys
import chaos
from tsgap.engines import Task, run
for outcome in run(chaos.act, [Task(str(i), "g", b"sleep:60", 90.0) for i in range(4)], engine=sys.argv[1]):
    pass
"""


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("signum", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_when_the_driver_is_killed_or_interrupted_its_work_on_the_nodes_ends(
    nodes: Nodes, signum: signal.Signals
) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    script = subprocess.Popen([sys.executable, "-c", SCRIPT, nodes.engine], env=environment, stderr=subprocess.DEVNULL)
    try:
        assert gone(lambda: len(nodes.served()) < 4, 80)  # two fork servers, two workers
        assert nodes.laid()
    finally:
        script.send_signal(signum)
        script.wait(30)
    assert gone(nodes.served)
    assert gone(nodes.laid)


def test_a_worker_that_is_killed_loses_no_task_and_leaves_no_process(
    more_nodes: Callable[..., Nodes], driver: Path
) -> None:
    made, words = more_nodes({}, {}), ["0.05"] * 60
    outcomes = run(carried.span, tasks(*words, group="g"), engine=made.engine)
    found = [next(outcomes) for _ in range(10)]
    victim = made.workers[0]
    # the other worker may have served all of those while this one was beginning
    assert gone(lambda: len(psutil.Process(victim.pid).children(recursive=True)) < 2, 60)
    theirs = psutil.Process(victim.pid).children(recursive=True)
    victim.kill()
    found += outcomes
    assert sorted(int(o.task.id) for o in found) == list(range(60))
    assert {o.status for o in found} == {"ok"}
    assert gone(lambda: [process.pid for process in theirs if lives(process.pid)])


def test_when_all_workers_are_gone_that_is_said_after_a_while(
    more_nodes: Callable[..., Nodes], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = more_nodes({})
    outcomes = run(chaos.act, tasks("ok:x", *["sleep:60"] * 3, group="g"), engine=made.engine)
    assert next(outcomes).status == "ok"
    monkeypatch.setattr(connection, "PATIENCE", 1.0)
    made.workers[0].kill()
    with pytest.raises(TsgapError, match=r"no worker is left at 'dask://127.*the same call goes on from there"):
        list(outcomes)


@pytest.mark.slow
def test_when_the_scheduler_is_gone_that_is_said(
    more_nodes: Callable[..., Nodes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_ANSWER", 1.0)
    made = more_nodes({})
    outcomes = run(chaos.act, tasks("ok:x", *["sleep:60"] * 3, group="g"), engine=made.engine)
    assert next(outcomes).status == "ok"
    made.scheduler.kill()
    with pytest.raises(TsgapError, match=r"the Dask scheduler of 'dask://127.* is gone"):
        list(outcomes)
    assert gone(made.served)


def test_a_task_that_loses_its_workers_again_and_again_is_a_crash(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection.Cluster, "reply", lambda self, future: None)
    outcomes = list(run(chaos.act, tasks("ok:x", "ok:y"), engine=nodes.engine))
    assert [(o.status, o.attempt) for o in outcomes] == [("crash", cluster.JOURNEYS)] * 2
    assert "were lost 4 times" in outcomes[0].error


# refusals


@pytest.mark.parametrize(
    ("engine", "error", "words"),
    [
        ("dask", UsageError, r"'dask://HOST:8786'"),
        ("local://x", UsageError, r"'dask://HOST:8786'"),
        ("dusk://host:1", UnknownNameError, "did you mean 'dask'"),
    ],
)
def test_an_engine_that_there_is_not_is_named(engine: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        run(chaos.act, tasks("ok:x"), engine=engine)


@pytest.mark.parametrize("command", [["sweep", "--synthetic", "gen:copy", "--real"], ["selfcheck"]])
@pytest.mark.parametrize(
    ("engine", "words"), [("dask", "dask://HOST:8786"), ("dask://127.0.0.1:9", "no Dask scheduler")]
)
def test_the_flag_of_the_command_line_says_which_engine(
    command: list[str],
    engine: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(connection, "REACH", 0.5)
    command = [*command, "card:macrodata", "--horizons", "1", "--out", str(tmp_path / "run"), "--engine", engine]
    assert cli.run(command) == cli.USAGE
    assert words in capsys.readouterr().err


def test_a_cluster_does_not_go_with_no_workers_or_a_function_that_cannot_be_imported(nodes: Nodes) -> None:
    with pytest.raises(UsageError, match="jobs=0 runs everything in this process"):
        run(chaos.act, tasks("ok:x"), jobs=0, engine=nodes.engine)
    with pytest.raises(UsageError, match="must stand in a module"):
        run(lambda payload, folder: b"", tasks("ok:x"), engine=nodes.engine)


def test_an_address_where_nobody_answers_is_named_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REACH", 1.0)
    begin = time.monotonic()
    with pytest.raises(UsageError, match=r"no Dask scheduler answers at 'dask://127.0.0.1:9' within 1 s"):
        list(run(chaos.act, tasks("ok:x"), engine="dask://127.0.0.1:9"))
    assert time.monotonic() - begin < 30  # it would wait for a minute for workers


def test_without_tasks_nobody_is_asked() -> None:
    assert list(run(chaos.act, [], engine="dask://127.0.0.1:9")) == []


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'tsgap\[dask\]'"):
        run(chaos.act, tasks("ok:x"), engine="dask://127.0.0.1:9")


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        ("Python", "3.8", r"it runs Python 3\.\d+"),
        ("tsgap", "0.0.7", r"it has tsgap .*, this process 0\.0\.7"),
        ("tsgap's own code", "other", r"it has tsgap's own code .* instead of other"),
        ("numpy", "1.0", r"it has numpy .* instead of 1\.0"),
    ],
)
def test_a_node_with_other_versions_is_refused(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, name: str, version: str, words: str
) -> None:
    installed = {**connection._installed(), name: version}
    monkeypatch.setattr(connection, "_installed", lambda: installed)
    with pytest.raises(UsageError, match=rf"worker tcp://127.*would not give the same results: {words}"):
        list(run(chaos.act, tasks("ok:x"), engine=nodes.engine))


def test_a_node_that_comes_later_is_held_to_the_same(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {**connection._installed(), "numpy": "1.0"}
    monkeypatch.setattr(connection, "_installed", lambda: installed)
    monkeypatch.setattr(connection.Cluster, "_check", lambda self: None)
    with pytest.raises(UsageError, match=r"it has numpy .* instead of 1\.0"):
        list(run(chaos.act, tasks("ok:x"), engine=nodes.engine))


@pytest.mark.parametrize(
    ("hidden", "words"),
    [
        ("uninstalled", "tsgap is not installed there"),
        ("broken", "tsgap cannot be loaded there: .*No module named"),
    ],
)
@pytest.mark.slow
def test_a_node_without_tsgap_is_refused(more_nodes: Callable[..., Nodes], hidden: str, words: str) -> None:
    made = more_nodes({"TEST_HIDDEN": hidden})
    with pytest.raises(UsageError, match=words):
        list(run(chaos.act, tasks("ok:x"), engine=made.engine))


@pytest.mark.slow
def test_a_cluster_without_workers_is_waited_for_and_then_named(
    more_nodes: Callable[..., Nodes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PATIENCE", 0.3)
    with pytest.raises(UsageError, match=r"has no worker; none came in 0\.3 s"):
        list(run(chaos.act, tasks("ok:x"), engine=more_nodes().engine))
