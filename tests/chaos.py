"""Functions that misbehave in every way a forecaster's code can, for the tests of the engine."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

import psutil


class OddError(Exception):
    """Cannot be shown: its message raises, and its name is not a name."""

    def __str__(self) -> str:
        raise RuntimeError("no message")


OddError.__qualname__ = "Odd\x1b[31m\nError"


def echo(payload: bytes, folder: str) -> bytes:
    """Give back what came."""
    return payload


def act(payload: bytes, folder: str) -> bytes:
    """Do what the payload says: `word` or `word:argument`."""
    word, _, argument = payload.decode().partition(":")
    result = ACTIONS[word](argument)
    return result if isinstance(result, bytes) or word == "wrong-type" else b"done"


def _spin(_: str) -> None:
    sum(range(10**12))  # one call in C that never gives the GIL back


def _deaf(_: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(60)


def _leak(_: str) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (400 << 20, 400 << 20))
    hoard = []
    while True:
        hoard.append(bytearray(16 << 20))


def _speak(_: str) -> None:
    print("from python \x1b[31m")
    print("error from python", file=sys.stderr)
    os.write(1, b"from the file descriptor\n")
    libc = ctypes.CDLL(None)
    libc.puts(b"from C")
    libc.fflush(None)
    subprocess.run(["echo", "from a child"], check=True)


def _flood(_: str) -> None:
    for _line in range(300):
        os.write(1, b"x" * 100_000 + b"\n")
        time.sleep(0.005)


def _recurse(argument: str) -> None:
    _recurse(argument)


def _grandchild(argument: str) -> None:
    subprocess.Popen([sys.executable, "-c", f"import time; time.sleep(300)  # {argument}"])


def _daemon(argument: str) -> None:
    """A grandchild in a session of its own, whose parent is gone."""
    code = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True)"
    subprocess.run([sys.executable, "-c", code, f"import time; time.sleep(300)  # {argument}"], check=True)


def _close_files(_: str) -> None:
    os.closerange(0, 4096)


def _steal_link(argument: str) -> None:
    """Close all files, then open one under every number."""
    os.closerange(0, 64)
    for _number in range(64):
        os.open(argument, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def _swap_link(_: str) -> None:
    """Close all files, then open a socket under every number, as a connection to somebody else would be."""
    os.closerange(0, 64)
    for _pair in range(32):
        for end in socket.socketpair():
            end.detach()


def _fork_and_return(delay: str) -> bytes:
    if os.fork() == 0:
        time.sleep(float(delay or 0))
    return b"twice"


def _children(_: str) -> bytes:
    """How many children of this process do not end, however long one waits."""
    _, left = psutil.wait_procs(psutil.Process().children(), timeout=20)
    return str(len(left)).encode()


def _late(delay: str) -> bytes:
    time.sleep(float(delay))
    return b"late"


def _unwatched(_: str) -> None:
    """Switch off the worker's own watchdog, then hang."""
    faulthandler.cancel_dump_traceback_later()
    time.sleep(3600)


def _fork_and_hold(_: str) -> None:
    """A child in a session of its own that holds copies of all open files, and then death."""
    if os.fork() == 0:
        os.setsid()
        time.sleep(300)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def _stdin(_: str) -> bytes:
    return sys.stdin.read().encode() + b"|end of file"


def _thread(_: str) -> None:
    threading.Thread(target=time.sleep, args=(300,)).start()


def _raise(kind: str) -> None:
    raise {
        "value": ValueError("wrong \x1b[31mred\x1b[0m\nvalue\x00"),
        "odd": OddError(),
        "exit": SystemExit(3),
        "interrupt": KeyboardInterrupt(),
        "generator": GeneratorExit(),
        "group": ExceptionGroup("several", [ValueError("a"), TypeError("b")]),
        "memory": MemoryError(),
        "long": ValueError("x" * 1_000_000),
        "surrogate": ValueError("lone \ud800"),
    }[kind]


def _segfault(_: str) -> None:
    ctypes.string_at(0)


def _once(path: str) -> None:
    """Die the first time only."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        os.kill(os.getpid(), signal.SIGKILL)


def _count(_: str) -> bytes:
    """How many times this process was asked: state that a worker keeps between tasks."""
    module = sys.modules[__name__]
    module.asked = getattr(module, "asked", 0) + 1  # type: ignore[attr-defined]
    return f"{os.getpid()} {module.asked}".encode()  # type: ignore[attr-defined]


def _environment(_: str) -> bytes:
    return os.environ.get("OMP_NUM_THREADS", "unset").encode()


def _descriptors(_: str) -> bytes:
    """How many sockets this process has open."""
    kinds = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one of the listing itself
            kinds.append(os.readlink(f"/proc/self/fd/{fd}"))
    return str(sum(kind.startswith("socket:") for kind in kinds)).encode()


def _order_of_death(_: str) -> bytes:
    with open("/proc/self/oom_score_adj", "rb") as file:
        return file.read().strip()


def _rubbish(_: str) -> None:
    """Write into the channel to the host."""
    for fd in range(3, 64):
        with contextlib.suppress(OSError):
            socket.socket(fileno=os.dup(fd)).sendall(b"\x00\x00\x00\x05hello")


def _sometimes(_: str) -> bytes:
    """Die in one of five, at some moment around returning."""
    if int.from_bytes(os.urandom(1), "big") % 5 == 0:
        delay = int.from_bytes(os.urandom(1), "big") / 255 * 0.002
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return b"x" * 300_000


ACTIONS = {
    "sometimes": _sometimes,
    "ok": lambda argument: argument.encode(),
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "term": lambda _: os.kill(os.getpid(), signal.SIGTERM),
    "kill-server": lambda _: (os.kill(os.getppid(), signal.SIGKILL), time.sleep(60)),
    "segfault": _segfault,
    "exit": lambda argument: os._exit(int(argument or 0)),
    "sleep": lambda argument: time.sleep(float(argument or 3600)),
    "spin": _spin,
    "deaf": _deaf,
    "leak": _leak,
    "speak": _speak,
    "flood": _flood,
    "stdin": _stdin,
    "recurse": _recurse,
    "raise": _raise,
    "grandchild": _grandchild,
    "daemon": _daemon,
    "close-files": _close_files,
    "steal-link": _steal_link,
    "swap-link": _swap_link,
    "fork-and-return": _fork_and_return,
    "children": _children,
    "late": _late,
    "unwatched": _unwatched,
    "fork-and-hold": _fork_and_hold,
    "thread": _thread,
    "wrong-type": lambda _: 42,
    "once": _once,
    "count": _count,
    "environment": _environment,
    "descriptors": _descriptors,
    "order-of-death": _order_of_death,
    "rubbish": _rubbish,
    "big": lambda argument: bytes(int(argument)),
}
