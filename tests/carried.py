"""Functions for the tests of a cluster: they read what was sent to them and write what goes back."""

from __future__ import annotations

import os
import time
from pathlib import Path


def relay(payload: bytes, folder: str) -> bytes:
    """Copy the input that the payload names (a file, or a folder's files end to end) to the output it names."""
    source, target = (Path(folder) / name for name in payload.decode().split())
    files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    (Path(folder) / target).write_bytes(b"".join(path.read_bytes() for path in files))
    return " ".join(path.relative_to(folder).as_posix() for path in files).encode()


def span(payload: bytes, folder: str) -> bytes:
    """Sleep for as many seconds as the payload says; when that began and ended, and in which process."""
    begin = time.time()
    time.sleep(float(payload))
    return f"{begin} {time.time()} {os.getpid()}".encode()


def steal(payload: bytes, folder: str) -> bytes:
    """Read the file that the payload names."""
    return Path(payload.decode()).read_bytes()
