"""Messages between the modules server and its worker: a JSON head and a body of bytes.

Each is preceded by the lengths of both, so a body (a whole report) needs no second encoding.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

_LENGTHS = struct.Struct(">IQ")
MAX_BODY = 256 * 1024 * 1024


class ClosedError(Exception):
    """The other side has ended."""


def send(sock: socket.socket, head: Mapping[str, Any], body: bytes = b"") -> None:
    """Send one message.

    Raises
    ------
    OSError
        If the other side has ended.
    """
    packed = json.dumps(head).encode()
    sock.sendall(_LENGTHS.pack(len(packed), len(body)) + packed)
    if body:
        sock.sendall(body)


def receive(sock: socket.socket) -> tuple[dict[str, Any], bytes]:
    """Wait for one message.

    Raises
    ------
    ClosedError
        If the other side has ended, or does not speak this protocol.
    TimeoutError
        If the socket has a time limit and nothing came within it.
    """
    head_length, body_length = _LENGTHS.unpack(_exactly(sock, _LENGTHS.size))
    if body_length > MAX_BODY:
        raise ClosedError(f"a message of {body_length:,} bytes is none of this protocol")
    head: dict[str, Any] = json.loads(_exactly(sock, head_length))
    return head, _exactly(sock, body_length)


def _exactly(sock: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = sock.recv(min(length - len(parts), 1 << 20))
        if not part:
            raise ClosedError("the other side has ended")
        parts += part
    return bytes(parts)
