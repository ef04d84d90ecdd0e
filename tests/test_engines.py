"""The engine against functions that misbehave: every one gets its status, nobody else is touched, nothing is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path

import chaos
import psutil
import pytest

from tsgap.engines import Outcome, Task, local, run, slot, workshop
from tsgap.engines.task import ERROR_LIMIT, TRACEBACK_LIMIT, one_line, plain, tail
from tsgap.errors import TsgapError, UnknownNameError, UsageError

#: A time limit, and what a worker gets after it, in seconds.
LIMIT, LATE = 0.6, 2.0


def tasks(*words: str, group: str | None = None, timeout: float = 30.0) -> list[Task]:
    return [Task(str(i), group or f"g{i}", word.encode(), timeout) for i, word in enumerate(words)]


def by_word(outcomes: Iterator[Outcome]) -> dict[str, Outcome]:
    return {outcome.task.payload.decode(): outcome for outcome in outcomes}


def with_marker(marker: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and any(marker in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def lives(pid: int) -> bool:
    """Whether there is such a process; one that ends while it is looked at is gone."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pids: list[int], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(lives, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


#: What a function does → status, and what the error must say.
MISBEHAVIOUR = {
    "kill": ("crash", "SIGKILL"),
    "term": ("crash", "SIGTERM"),
    "segfault": ("crash", "SIGSEGV"),
    "exit:0": ("crash", "exit code 0"),
    "exit:3": ("crash", "exit code 3"),
    "sleep": ("timeout", "0.6 s"),
    "spin": ("timeout", "0.6 s"),
    "deaf": ("timeout", "0.6 s"),
    "unwatched": ("timeout", "0.6 s"),
    "leak": ("oom", "MemoryError"),
    "raise:memory": ("oom", "MemoryError"),
    "recurse": ("error", "RecursionError"),
    "raise:value": ("error", "ValueError: wrong red value"),
    "raise:odd": ("error", "cannot be shown"),
    "raise:exit": ("error", "SystemExit: 3"),
    "raise:interrupt": ("error", "KeyboardInterrupt"),
    "raise:generator": ("error", "GeneratorExit"),
    "raise:group": ("error", "ExceptionGroup"),
    "raise:long": ("error", "ValueError: xxx"),
    "raise:surrogate": ("error", "ValueError: lone ?"),
    "wrong-type": ("error", "TypeError: the function returned int, not bytes"),
    "close-files": ("crash", "the function closed the worker's channel"),
    "steal-link": ("crash", "the function closed the worker's channel"),
    "swap-link": ("crash", "the function closed the worker's channel"),
    "fork-and-hold": ("crash", "SIGKILL"),
    "rubbish": ("crash", "not JSON"),
    "fork-and-return": ("ok", ""),
    "grandchild": ("ok", ""),
    "daemon": ("ok", ""),
    "thread": ("ok", ""),
    "speak": ("ok", ""),
    "stdin": ("ok", ""),
}


class Bedlam:
    """One run over all misbehaviour, with well-behaved neighbours in between."""

    def __init__(self, folder: Path) -> None:
        self.marker = f"tsgap-test-{os.getpid()}-{time.time_ns()}"
        self.logs = folder / "logs"
        self.stolen = folder / "stolen"
        words = []
        for word in MISBEHAVIOUR:
            argument = {"grandchild": f":{self.marker}", "daemon": f":{self.marker}", "steal-link": f":{self.stolen}"}
            words += [word + argument.get(word, ""), f"ok:{word}"]
        slow = {"sleep", "spin", "deaf", "unwatched"}
        given = [Task(str(i), f"g{i}", word.encode(), LIMIT if word in slow else 30.0) for i, word in enumerate(words)]
        before = dict(os.environ)
        with pytest.MonkeyPatch.context() as patch:
            # on busy cores a watchdog may take long to say where the time went
            patch.setattr(slot, "_AFTER_DEADLINE", LATE)
            self.outcomes = by_word(run(chaos.act, given, jobs=2, log_dir=self.logs))
        self.environment_changed = dict(os.environ) != before
        self.left = with_marker(self.marker) + psutil.Process().children(recursive=True)

    def __getitem__(self, word: str) -> Outcome:
        return next(o for name, o in self.outcomes.items() if name == word or name.startswith(f"{word}:/"))


@pytest.fixture(scope="module")
def bedlam(tmp_path_factory: pytest.TempPathFactory) -> Bedlam:
    return Bedlam(tmp_path_factory.mktemp("bedlam"))


@pytest.mark.parametrize("word", [word for word in MISBEHAVIOUR if word not in ("grandchild", "daemon")])
def test_every_misbehaviour_gets_its_status(bedlam: Bedlam, word: str) -> None:
    status, error = MISBEHAVIOUR[word]
    outcome = bedlam[word]
    assert (outcome.status, error in outcome.error) == (status, True), outcome.error
    assert (outcome.value is not None) == (status == "ok")
    assert outcome.stage == ("" if status == "ok" else "run")
    assert outcome.attempt == (2 if status == "crash" else 1)


def test_neighbours_are_untouched(bedlam: Bedlam) -> None:
    assert [word for word in MISBEHAVIOUR if bedlam.outcomes[f"ok:{word}"].value != word.encode()] == []
    assert len(bedlam.outcomes) == 2 * len(MISBEHAVIOUR)


def test_no_process_is_left_not_even_a_grandchild_in_a_session_of_its_own(bedlam: Bedlam) -> None:
    assert bedlam.left == []


def test_a_deadline_is_kept_and_says_where_the_time_went(bedlam: Bedlam) -> None:
    for word in ("sleep", "spin", "deaf"):
        assert LIMIT <= bedlam[word].seconds < LIMIT + LATE
        assert "chaos.py" in bedlam[word].traceback
        assert "forkserver.py" not in bedlam[word].traceback


def test_a_segmentation_fault_says_where_it_was(bedlam: Bedlam) -> None:
    assert "_segfault" in bedlam["segfault"].traceback


def test_texts_are_capped_and_free_of_control_characters(bedlam: Bedlam) -> None:
    for outcome in bedlam.outcomes.values():
        assert len(outcome.error) <= ERROR_LIMIT
        assert "\n" not in outcome.error
        assert len(outcome.traceback) <= TRACEBACK_LIMIT
        assert not set("\x1b\x00\r\x07") & set(outcome.error + outcome.traceback)
        (outcome.error + outcome.traceback).encode()


def test_stdin_is_empty(bedlam: Bedlam) -> None:
    assert bedlam["stdin"].value == b"|end of file"


def test_a_fork_that_returns_answers_once(bedlam: Bedlam) -> None:
    assert bedlam["fork-and-return"].value == b"twice"


def test_what_is_printed_goes_to_the_log(bedlam: Bedlam) -> None:
    logs = "".join(path.read_text(errors="replace") for path in bedlam.logs.glob("slot-*.log"))
    for words in ("from python", "error from python", "from the file descriptor", "from C", "from a child"):
        assert words in logs


def test_nothing_is_written_into_files_that_took_the_place_of_the_link(bedlam: Bedlam) -> None:
    assert bedlam.stolen.read_bytes() == b""


def test_the_environment_of_this_process_is_as_before(bedlam: Bedlam) -> None:
    assert not bedlam.environment_changed


def test_the_host_keeps_the_deadline_where_the_workers_watchdog_does_not(bedlam: Bedlam) -> None:
    assert LIMIT + LATE <= bedlam["unwatched"].seconds < LIMIT + LATE + 10.0


def test_a_fork_that_comes_back_from_the_function_ends_and_does_not_answer() -> None:
    given = tasks("fork-and-return", "children", "fork-and-return:0.2", "late:0.6", group="g")
    outcomes = run(chaos.act, given, jobs=1)
    assert [outcome.value for outcome in outcomes] == [b"twice", b"0", b"twice", b"late"]


def test_grandchildren_end_with_their_worker_not_only_with_the_run() -> None:
    marker = f"tsgap-test-{os.getpid()}-{time.time_ns()}"
    outcomes = run(chaos.act, tasks(f"grandchild:{marker}", "ok:next"), jobs=1)
    assert [next(outcomes).status for _ in range(2)] == ["ok", "ok"]
    assert gone([process.pid for process in with_marker(marker)])
    assert list(outcomes) == []


def test_nothing_reaches_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    assert next(run(chaos.act, tasks("speak"), jobs=1)).status == "ok"
    assert capfd.readouterr() == ("", "")


def test_a_log_is_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "_LOG_LIMIT", 1_000_000)
    outcomes = list(run(chaos.act, tasks("flood", "ok:x", group="g"), jobs=1, log_dir=tmp_path))
    assert [outcome.status for outcome in outcomes] == ["ok", "ok"]
    assert (tmp_path / "slot-0.log").stat().st_size <= 1_000_000  # of 30 million written


def test_a_crash_is_tried_once_more_in_a_fresh_process(tmp_path: Path) -> None:
    (outcome,) = run(chaos.act, tasks(f"once:{tmp_path / 'died'}"), jobs=1)
    assert (outcome.status, outcome.attempt) == ("ok", 2)


def test_a_group_that_crashes_three_times_in_a_row_is_given_up() -> None:
    given = tasks(*["kill"] * 6, group="bad") + tasks("ok:a", "ok:b", group="good")
    outcomes = list(run(chaos.act, given, jobs=1))
    assert [o.status for o in outcomes if o.task.group == "bad"] == ["crash"] * 3 + ["skipped"] * 3
    assert [o.status for o in outcomes if o.task.group == "good"] == ["ok", "ok"]
    skipped = outcomes[5]
    assert "3 tasks of 'bad' crashed in a row" in skipped.error
    assert "SIGKILL" in skipped.error
    assert skipped.attempt == 0


def test_crashes_that_are_not_in_a_row_do_not_end_a_group() -> None:
    given = tasks("kill", "kill", "ok:x", "kill", "kill", "raise:value", "kill", group="g")
    assert "skipped" not in [outcome.status for outcome in run(chaos.act, given, jobs=1)]


def test_a_process_serves_one_group_and_nothing_after_a_failure() -> None:
    given = [*tasks("count", "count", group="a"), *tasks("count", group="b"), *tasks("raise:value", "count", group="b")]
    outcomes = list(run(chaos.act, given, jobs=1))
    counts = [outcome.value.split() for outcome in outcomes if outcome.value]
    assert [int(asked) for _, asked in counts] == [1, 2, 1, 1]
    pids = [pid for pid, _ in counts]
    assert pids[0] == pids[1]
    assert len(set(pids)) == 3


def test_workers_have_one_thread_see_no_channel_but_their_own_and_die_before_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    words = ("sleep:0.2", "sleep:0.1", "environment", "descriptors", "order-of-death")
    outcomes = by_word(run(chaos.act, tasks(*words), jobs=3))
    assert outcomes["environment"].value == b"1"
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert outcomes["descriptors"].value == b"1"
    assert outcomes["order-of-death"].value == b"500"


def test_killing_workers_from_outside_loses_no_task() -> None:
    stop = threading.Event()
    killed = []

    def killer() -> None:
        while not stop.wait(0.05):
            # a process that has ended by itself since it was listed cannot be killed
            with contextlib.suppress(psutil.NoSuchProcess):
                for server in psutil.Process().children():
                    for worker in server.children()[:1]:
                        worker.kill()
                        killed.append(worker.pid)

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        given = [Task(str(i), "g", f"sleep:{0.002 * (i % 3)}".encode(), 30.0) for i in range(300)]
        outcomes = list(run(chaos.act, given, jobs=2))
    finally:
        stop.set()
        thread.join()
    assert sorted(o.task.id for o in outcomes) == sorted(task.id for task in given)
    assert {o.status for o in outcomes} <= {"ok", "crash"}
    assert sum(o.status == "ok" for o in outcomes) >= 295
    assert len(killed) >= 3


def test_a_fork_server_that_is_killed_is_replaced() -> None:
    outcomes = list(run(chaos.act, tasks("ok:a", "kill-server", "ok:b"), jobs=1))
    assert [outcome.status for outcome in outcomes] == ["ok", "crash", "ok"]
    assert "fork server" in outcomes[1].error
    assert psutil.Process().children(recursive=True) == []


SCRIPT = """
import os, sys
print("imported as", __name__, flush=True)
from tsgap.engines import Task, run
import chaos, psutil
given = [Task(str(i), "g%d" % i, word.encode(), 60.0) for i, word in enumerate(sys.argv[1:])]
for outcome in run(chaos.act, given, jobs=2):
    print(outcome.status, outcome.task.payload.decode(), flush=True)
    if outcome.task.payload == b"ok:go":
        print("pids", *[p.pid for p in psutil.Process().children(recursive=True)], flush=True)
print("end", flush=True)
"""


def start_script(folder: Path, *words: str) -> subprocess.Popen[str]:
    script = folder / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, str(script), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def pids_of(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("pids"):
            return [int(pid) for pid in line.split()[1:]]
    raise AssertionError("the script ended early")


def test_a_plain_script_without_a_main_guard_works(tmp_path: Path) -> None:
    process = start_script(tmp_path, "ok:a", "ok:b", "kill")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.count("imported as") == 1
    assert sorted(out.split("\n")) == sorted(["imported as __main__", "ok ok:a", "ok ok:b", "crash kill", "end", ""])


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=["kill", "term", "int"])
def test_when_the_host_is_killed_everything_ends_with_it(tmp_path: Path, signum: signal.Signals) -> None:
    marker = f"tsgap-test-{os.getpid()}-{time.time_ns()}"
    process = start_script(tmp_path, f"grandchild:{marker}", f"daemon:{marker}", "ok:go", "spin", "deaf")
    pids = pids_of(process)
    assert len(pids) >= 2
    process.send_signal(signum)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (-signum if signum != signal.SIGINT else -signal.SIGINT)
    assert ("KeyboardInterrupt" in err) == (signum == signal.SIGINT)
    assert gone(pids)
    assert with_marker(marker) == []


def test_workers_end_even_when_host_and_fork_server_die_together(tmp_path: Path) -> None:
    process = start_script(tmp_path, "ok:go", "spin", "deaf")
    pids = pids_of(process)
    (server,) = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGSTOP)  # it must not see the death of the server
    workers = [worker.pid for worker in server.children()]
    server.kill()
    process.kill()
    process.communicate(timeout=60)
    assert len(workers) >= 1
    assert gone(pids + workers)


def test_closing_the_iterator_ends_the_workers_at_once() -> None:
    outcomes = run(chaos.act, tasks("ok:a", "spin", "deaf", "sleep", timeout=60.0), jobs=3)
    assert next(outcomes).status == "ok"
    begin = time.monotonic()
    outcomes.close()  # type: ignore[attr-defined]
    assert time.monotonic() - begin < 30.0  # the tasks would go on for 60 s
    assert psutil.Process().children(recursive=True) == []
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("tsgap")] == []


def test_an_exception_of_the_caller_passes_and_ends_the_workers() -> None:
    def broken(_: Task) -> None:
        raise LookupError("the caller's own")

    def given() -> Iterator[Task]:
        yield from tasks("sleep:30")
        raise LookupError("the caller's own")

    with pytest.raises(LookupError, match="own"):
        list(run(chaos.act, tasks("sleep:30"), jobs=1, on_start=broken))
    with pytest.raises(LookupError, match="own"):
        list(run(chaos.act, given(), jobs=1))
    assert psutil.Process().children(recursive=True) == []


def test_starts_are_told_in_the_callers_thread() -> None:
    told: list[tuple[str, int]] = []
    given = tasks("ok:a", "kill", "ok:b")
    list(run(chaos.act, given, jobs=2, on_start=lambda task: told.append((task.id, threading.get_ident()))))
    assert sorted(told) == [(task.id, threading.get_ident()) for task in given]


def test_tasks_are_drawn_only_as_they_are_needed() -> None:
    drawn = 0

    def given() -> Iterator[Task]:
        nonlocal drawn
        for task in tasks(*["ok:x"] * 50):
            drawn += 1
            yield task

    for n, _ in enumerate(run(chaos.act, given(), jobs=2), start=1):
        assert drawn <= n + 3 * 2


def test_an_empty_list_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "_PROGRAM", "raise SystemExit(1)")
    assert list(run(chaos.act, [], jobs=2)) == []


def test_a_fork_server_that_cannot_start_is_an_error_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "_PROGRAM", "import sys; sys.exit('no such thing')")
    with pytest.raises(TsgapError, match=r"cannot be started .* no such thing"):
        list(run(chaos.act, tasks("ok:a", "ok:b"), jobs=2))


def test_a_function_whose_module_does_not_import_fails_at_the_start() -> None:
    stray = types.FunctionType(chaos.echo.__code__, {}, "stray")
    stray.__module__ = "no_module_of_this_name"
    outcomes = list(run(stray, tasks("a", "b"), jobs=1))
    assert [(o.status, o.stage) for o in outcomes] == [("error", "start")] * 2
    assert "no_module_of_this_name" in outcomes[0].error


def test_functions_that_no_worker_can_import_are_refused() -> None:
    def inner(payload: bytes) -> bytes:
        return payload

    stray = types.FunctionType(chaos.echo.__code__, {}, "stray")
    stray.__module__ = "__main__"
    for function in (inner, stray, lambda payload: payload):
        with pytest.raises(UsageError, match="must stand in a module"):
            run(function, [], jobs=1)


def test_engines_have_names_and_jobs_are_not_negative() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'local'"):
        run(chaos.echo, [], jobs=1, engine="locale")
    with pytest.raises(UsageError, match="got -1"):
        run(chaos.echo, [], jobs=-1)


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan")])
def test_a_time_limit_is_more_than_nothing(timeout: float) -> None:
    with pytest.raises(UsageError, match="more than 0 seconds"):
        Task("1", "g", b"", timeout)


def test_large_values_cross_both_ways() -> None:
    payload = os.urandom(1 << 20) * 48
    (outcome,) = run(chaos.echo, [Task("1", "g", payload, 30.0)], jobs=1)
    assert outcome.value == payload


@pytest.mark.slow
def test_values_beyond_a_gigabyte_cross_both_ways() -> None:
    (outcome,) = run(chaos.echo, [Task("1", "g", bytes(1_200_000_000), 120.0)], jobs=1)
    assert outcome.value is not None
    assert len(outcome.value) == 1_200_000_000


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_twenty_thousand_small_tasks_all_come_back(jobs: int) -> None:
    given = (Task(str(i), "g", b"x", 30.0) for i in range(20_000))
    assert sum(outcome.status == "ok" for outcome in run(chaos.echo, given, jobs=jobs)) == 20_000


@pytest.mark.slow
def test_death_around_returning_loses_no_task() -> None:
    given = [Task(str(i), f"g{i}", b"sometimes", 30.0) for i in range(600)]
    outcomes = list(run(chaos.act, given, jobs=4))
    assert sorted(o.task.id for o in outcomes) == sorted(task.id for task in given)
    assert {o.status for o in outcomes} == {"ok", "crash"}


def test_a_notebook_can_use_workers(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    source = (
        "import asyncio\nfrom tsgap.engines import Task, echo, run\n"
        "given = [Task(str(i), 'g', b'abc', 30.0) for i in range(4)]\n"
        "print(sorted({o.value for o in run(echo, given, jobs=2)}))"
    )
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbclient.NotebookClient(book, timeout=120, startup_timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    assert [output["text"] for output in book.cells[0].outputs] == ["[b'abc']\n"]


# jobs=0


def test_without_jobs_tasks_run_here_in_order() -> None:
    here = str(os.getpid()).encode()
    outcomes = list(run(chaos.act, tasks("count", "raise:value", "raise:memory", "raise:exit", "wrong-type"), jobs=0))
    assert outcomes[0].value is not None
    assert outcomes[0].value.split()[0] == here
    assert [outcome.status for outcome in outcomes] == ["ok", "error", "oom", "error", "error"]
    assert outcomes[1].error == "ValueError: wrong red value"
    assert "chaos.py" in outcomes[1].traceback
    assert outcomes[1].stage == "run"


def test_without_jobs_an_interrupt_passes() -> None:
    with pytest.raises(KeyboardInterrupt):
        list(run(chaos.act, tasks("raise:interrupt"), jobs=0))


def test_without_jobs_any_function_will_do() -> None:
    told: list[str] = []
    outcomes = run(chaos.echo, tasks("a"), jobs=0, on_start=lambda task: told.append(task.id))
    assert [(o.status, told) for o in outcomes] == [("ok", ["0"])]


# text


def test_text_is_made_plain() -> None:
    assert plain("a\x1b[1;31mred\x1b[0m\x1b]0;title\x07b\r\nc\td\x00\x9be\u202ef") == "aredb\nc\tdef"
    assert one_line("  a\n\n b  ") == "a b"
    assert one_line("x" * 1000) == "x" * (ERROR_LIMIT - 1) + "…"
    assert tail("x" * 9999 + "end") == "x" * (TRACEBACK_LIMIT - 3) + "end"


def test_the_board_prefers_the_group_that_a_slot_serves() -> None:
    board = local._Board()
    for task in tasks("a", group="one") + tasks("b", group="two") + tasks("c", group="one"):
        board.put(task)
    taken = [board.take(group) for group in ("two", "two", None)]
    assert [task.payload for task in taken if task] == [b"b", b"a", b"c"]
    board.close()
    assert board.take(None) is None


def test_no_task_waits_for_ever_for_those_of_other_groups() -> None:
    board = local._Board()
    for task in tasks("long", group="one") + tasks(*"abcdefgh", group="two"):
        board.put(task)
    taken = [board.take("two") for _ in range(5)]
    assert [task.payload for task in taken if task] == [b"a", b"b", b"c", b"long", b"d"]
