"""The memory of a sweep over 100,000 series by the command line, host and workers together."""

from __future__ import annotations

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
        peak, resident, minutes = _watched([str(part) for part in command])
        kept = sum(path.stat().st_size for path in (home / "run").rglob("*") if path.is_file())
    notes = (
        f"proportional memory (PSS: what processes share is counted once), summed over all processes, every {PAUSE} s; "
        "pages of mapped files count",
        f"highest sum of resident memory, in which what is shared counts for each: {resident / GIGABYTE:.2f} GB; "
        f"{minutes:.1f} minutes; the run folder holds {kept / GIGABYTE:.2f} GB",
    )
    yield Row("memory", what, [peak / GIGABYTE], "GB", 4, notes=notes)


def _watched(command: list[str]) -> tuple[int, int, float]:
    """Highest proportional and highest resident memory of a command and all that it starts, in bytes, and minutes."""
    begin, peak, resident = time.perf_counter(), 0, 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            shared, every = _memory(process.pid)
            peak, resident = max(peak, shared), max(resident, every)
            time.sleep(PAUSE)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return peak, resident, (time.perf_counter() - begin) / 60


def _memory(pid: int) -> tuple[int, int]:
    import psutil

    shared = every = 0
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0, 0
    for one in processes:
        try:
            used = one.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        shared, every = shared + used.pss, every + used.rss
    return shared, every
