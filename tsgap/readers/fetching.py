"""Originals of data cards: from a local folder or the network, never without the hash of their bytes."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from tsgap.cards import Original
from tsgap.errors import DataError

#: Environment variable that names a folder with originals.
FOLDER = "TSGAP_DATA"

#: The largest file that is fetched, in bytes.
LARGEST = 256 * 2**20

_HERE = ("localhost", "127.0.0.1", "::1")


def original(wanted: Original, *, id: str, data_dir: str | Path | None = None) -> Path:
    """A local copy of an original whose bytes have the card's sha256.

    It is looked for in `data_dir`, else in the folder that ``TSGAP_DATA`` names (there as ``ID/NAME`` or ``NAME``),
    else in the user's cache, and only then fetched into the cache. Raises DataError where the bytes are others.
    """
    name = urllib.parse.unquote(Path(urllib.parse.urlsplit(wanted.url).path).name)
    given = data_dir or os.environ.get(FOLDER)
    if given:
        if not Path(given).is_dir():
            raise DataError(f"{given}: there is no such folder to look for {name!r} in")
        for path in (Path(given) / id / name, Path(given) / name):
            if path.is_file():
                check(path, wanted.sha256, advice=f"it is not the version that the card {id!r} was written for")
                return path
    return fetch(wanted.url, sha256=wanted.sha256, folder=cache())


def cache() -> Path:
    """The folder that fetched originals are kept in."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("tsgap")) / "originals"


def fetch(url: str, *, sha256: str, folder: Path, largest: int = LARGEST) -> Path:
    """Fetch a file into `folder` under its hash, unless it is there; a file with another hash is thrown away.

    Only https is spoken, http with this machine alone. Raises DataError for other addresses, failures, more than
    `largest` bytes, and another hash.
    """
    path = folder / f"{sha256}{Path(urllib.parse.urlsplit(url).path).suffix}"
    if path.exists():
        check(path, sha256, advice="the cached copy was changed; delete it")
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".part-{uuid.uuid4().hex}"
    try:
        _download(url, part, largest)
        check(part, sha256, advice="the file at that address is not the one that the card means", name=url)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def check(path: Path, sha256: str, *, advice: str, name: str | None = None) -> None:
    """DataError where a file's bytes do not have this hash."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise DataError(f"{name or path}: sha256 {found[:16]}…, the card says {sha256[:16]}…: {advice}")


class _OnlySafe(urllib.request.HTTPRedirectHandler):
    """Redirects are held to the same rule as the first address."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> Any:
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_address(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HERE):
        raise DataError(f"{url}: only https addresses are fetched")


def _download(url: str, target: Path, largest: int) -> None:
    _check_address(url)
    opener = urllib.request.build_opener(_OnlySafe)
    try:
        with opener.open(url, timeout=60) as answer, target.open("wb") as file:
            total = 0
            while block := answer.read(1 << 20):
                total += len(block)
                if total > largest:
                    raise DataError(f"{url}: more than {largest} bytes; too large to be fetched")
                file.write(block)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as err:
        raise DataError(
            f"{url}: cannot be fetched ({err}); fetch it yourself and give its folder with --data-dir or {FOLDER}"
        ) from err
