"""Messages between the host and a worker: a JSON header and raw bytes over a socket, never pickle."""

from __future__ import annotations

import json
import select
import socket
from typing import Any

_HEADER_LIMIT = 1 << 20


class LinkError(ConnectionError):
    """The other side is gone, or what it sent is no message."""


class Link:
    """One end of a private stream socket; blocks as long as the socket's own timeout allows."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._reader = sock.makefile("rb")

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        """Send one message."""
        raw = json.dumps({**header, "size": len(body)}).encode()
        self.sock.sendall(len(raw).to_bytes(4, "big") + raw)
        if body:
            self.sock.sendall(body)

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """The next message; LinkError when the other side ended."""
        length = int.from_bytes(self._exactly(4), "big")
        if length > _HEADER_LIMIT:
            raise LinkError(f"a header of {length} bytes is no header")
        try:
            header = json.loads(self._exactly(length))
        except ValueError as err:
            raise LinkError("a header that is not JSON") from err
        if not isinstance(header, dict) or not isinstance(header.get("size"), int) or header["size"] < 0:
            raise LinkError("a header without the size of its body")
        return header, self._exactly(header["size"])

    def _exactly(self, size: int) -> bytes:
        data = self._reader.read(size)
        if len(data) < size:
            raise LinkError("the other side closed the channel")
        return data

    def is_broken(self) -> bool:
        """Whether the other side is gone or speaks unasked; only between messages, when nothing is on the way."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close the socket."""
        self._reader.close()
        self.sock.close()
