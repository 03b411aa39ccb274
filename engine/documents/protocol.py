"""Frames between the engine and the parser's process: lengths, JSON, raw bytes. No pickle."""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

_HEADER = struct.Struct(">IQ")


def send(stream: BinaryIO, message: dict[str, Any], payload: bytes = b"") -> None:
    """Write one frame: both lengths, the message as JSON, the payload as it is."""
    # ASCII JSON carries every str, lone surrogates too.
    head = json.dumps(message, separators=(",", ":")).encode("ascii")
    stream.write(_HEADER.pack(len(head), len(payload)))
    stream.write(head)
    stream.write(payload)
    stream.flush()


def receive(stream: BinaryIO, max_bytes: int | None = None) -> tuple[dict[str, Any], bytes]:
    """Read one frame.

    Raises
    ------
    EOFError
        If the stream ends before or inside it.
    ValueError
        If it is no frame, or announces more than ``max_bytes``.
    """
    head_size, payload_size = _HEADER.unpack(_exactly(stream, _HEADER.size))
    if max_bytes is not None and head_size + payload_size > max_bytes:
        raise ValueError(f"a frame of {head_size + payload_size} bytes is too large")
    message = json.loads(_exactly(stream, head_size))
    if not isinstance(message, dict):
        raise ValueError("a frame must hold a JSON object")
    return message, _exactly(stream, payload_size)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("the stream ended inside a frame")
    return data
