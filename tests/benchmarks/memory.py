"""The memory of a sweep over 100,000 series by the command line, host and workers together."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import made_up
from timing import Asked, Row

SERIES, LENGTH, HORIZON, JOBS = 100_000, 1000, 48, 2
#: Seconds between two looks at the memory of all processes.
PAUSE = 0.2
GIGABYTE = 1e9


def rows(asked: Asked) -> Iterator[Row]:
    """One run: the highest sum that was seen, against the bar."""
    many = asked.of(SERIES, least=20)
    what = f"memory of {many} series x {LENGTH} from Parquet, three arms, host and workers"
    if not find_spec("psutil"):
        yield Row("memory", what, [], "GB", 4, missing="pip install psutil")
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        real = made_up.file(home / "real.parquet", many, LENGTH, "h")
        synthetic = made_up.file(home / "synthetic.parquet", many, LENGTH, "h", seed=1)
        command = [sys.executable, "-m", "tsgap", "sweep", "--real", real, "--synthetic", synthetic]
        command += ["-f", "linear", "-f", "seasonal-naive", "--horizons", HORIZON, "--replicates", 1, "--jobs", JOBS]
        command += ["--quiet", "--out", home / "run"]
        peak, anonymous, minutes = _watched([str(part) for part in command])
        kept = sum(path.stat().st_size for path in (home / "run").rglob("*") if path.is_file())
    notes = (
        f"proportional memory (PSS: what processes share counts once), all processes together, every {PAUSE} s;",
        f"pages of mapped files, which can be dropped, count too: without them {anonymous / GIGABYTE:.2f} GB at most; "
        f"{minutes:.1f} minutes; the run folder holds {kept / GIGABYTE:.2f} GB",
    )
    # only Linux adds it up; elsewhere nothing was measured
    yield Row("memory", what, [peak / GIGABYTE or math.nan], "GB", 4, notes=notes)


def _watched(command: list[str]) -> tuple[int, int, float]:
    """Highest memory of a command and all that it starts, with and without mapped files, in bytes, and minutes."""
    begin, peak, anonymous = time.perf_counter(), 0, 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            every, own = _memory(process.pid)
            peak, anonymous = max(peak, every), max(anonymous, own)
            time.sleep(PAUSE)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return peak, anonymous, (time.perf_counter() - begin) / 60


def _memory(pid: int) -> tuple[int, int]:
    """Bytes (Pss, Pss_Anon) of a process and all that it started, as the kernel sums them up."""
    import psutil

    found = {"Pss:": 0, "Pss_Anon:": 0}
    try:
        every = [pid, *(one.pid for one in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return 0, 0
    for one in every:
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:  # it has ended
            continue
        for line in text.splitlines():
            name, _, size = line.partition(" ")
            if name in found:
                found[name] += 1024 * int(size.split()[0])
    return found["Pss:"], found["Pss_Anon:"]
