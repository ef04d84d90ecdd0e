"""Files that are there whole or not at all, scratch folders that do not outlive their program, errors in words."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from tsgap.errors import StoreError

_DAY = 86400.0
_NEW = ".new-"


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an error of the system into a StoreError that begins with `what`."""
    try:
        yield
    except StoreError:
        raise
    except OSError as err:
        raise StoreError(f"{what}: {err.strerror or err}") from err


def write_whole(target: Path, data: bytes | Callable[[BinaryIO], None], scratch: Path) -> None:
    """Write a file through `scratch`, on the same file system, so that nobody ever sees half of it.

    `data` are its bytes, or what writes them into the file that it is given.
    """
    temporary = scratch / f"{secrets.token_hex(8)}.tmp"
    with explained(f"cannot write {target}" + ("" if callable(data) else f" ({len(data)} bytes)")):
        try:
            if not target.parent.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                sync_folder(target.parent.parent)
            with temporary.open("x+b") as file:
                data(file) if callable(data) else file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
            sync_folder(target.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def put_whole(source: Path, data: bytes, target: Path, scratch: Path) -> None:
    """Give a file whose bytes are `data` a second name where the system can, else write it again; whole or not at all.

    What is written once in a run folder never changes, so two of them may share a file. A second name survives a loss
    of power once its folder is synced, which is left to the caller.
    """
    temporary = scratch / f"{secrets.token_hex(8)}.tmp"
    try:
        temporary.hardlink_to(source)
    except OSError:  # another file system, one without such names, or a file of somebody else's
        write_whole(target, data, scratch)
        return
    with explained(f"cannot write {target}"):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(target)
        # where both are the same file already, renaming does nothing
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def new_scratch(shelf: Path) -> tuple[Path, int]:
    """A scratch folder in `shelf`, and its lock: as long as that is held, the folder belongs to the living.

    Folders of programs that are gone are removed. Where files cannot be locked, only those older than a day.
    """
    shelf.mkdir(exist_ok=True)
    for folder in shelf.iterdir():
        _remove_if_dead(folder)
    token = secrets.token_hex(8)
    young = shelf / (_NEW + token)
    young.mkdir()
    lock = os.open(young / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    _try_lock(lock)
    folder = shelf / token
    young.rename(folder)
    return folder, lock


def remove_scratch(folder: Path, lock: int, owner: int) -> None:
    """Remove a scratch folder; does nothing in a process that was forked from its owner."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _remove_if_dead(folder: Path) -> None:
    with contextlib.suppress(OSError):
        old = time.time() - folder.stat().st_mtime > _DAY
        if folder.name.startswith(_NEW) or not (folder / "lock").exists():
            dead = old
        else:
            lock = os.open(folder / "lock", os.O_RDWR)
            try:
                locked = _try_lock(lock)
                dead = old if locked is None else locked
                if dead:
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
            return
        if dead:
            shutil.rmtree(folder, ignore_errors=True)


def _try_lock(fd: int) -> bool | None:
    """Whether the lock was free; None where files cannot be locked."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def listed(folder: Path, start: str = "") -> list[Path]:
    """What is in a folder by name, of which some begin with `start`; nothing hidden."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.startswith(start) and not name.startswith("."))
        return [folder / name for name in names]
    except (FileNotFoundError, NotADirectoryError):
        return []
