"""Connections between guards, and to the processes that they watch."""

import json
import os
import socket
import time
from contextlib import suppress
from typing import Any


class WireEnd:
    """An end of a connection: whole JSON lines come out of what arrives."""

    def __init__(self, handle: int, link: socket.socket | None = None) -> None:
        self.handle, self.link = handle, link
        self.member: dict[str, Any] = {}  # what the other end has said of itself
        self.heard = time.monotonic()
        self._rest = b""

    def read(self) -> tuple[list[dict[str, Any]], bool]:
        """Messages that have come, and whether the other end is there."""
        try:
            data = os.read(self.handle, 1 << 16) if self.link is None else self.link.recv(1 << 16)
        except OSError:
            data = b""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.heard = time.monotonic()
        return [json.loads(line) for line in lines if line.strip()], bool(data)

    def write(self, **message: Any) -> None:
        """Send a message, if somebody is there."""
        data = (json.dumps(message, allow_nan=False) + "\n").encode()
        with suppress(OSError):
            os.write(self.handle, data) if self.link is None else self.link.sendall(data)


def listening(address: str) -> socket.socket:
    """A socket at a free port: of this machine alone, where the address is."""
    if socket.gethostbyname(address).startswith("127."):
        return socket.create_server((address, 0))
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", 0))
