"""Files in a GraphQL request (multipart), as pycti sends them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Upload:
    """A file of a request."""

    name: str
    data: bytes
    mime_type: str


def read_multipart(body: bytes, content_type: str) -> dict[str, Any]:
    """Return the GraphQL request of a multipart body, its files put into the variables."""
    match = re.search(r'boundary="?([^";]+)"?', content_type)
    if match is None:
        raise ValueError("multipart body without a boundary")
    fields: dict[str, Upload] = {}
    for part in body.split(b"--" + match.group(1).encode())[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        header = head.decode("utf-8")
        name = re.search(r'[; ]name="([^"]*)"', header)
        assert name is not None
        filename = re.search(r'filename="([^"]*)"', header)
        mime_type = re.search(r"Content-Type: ([^\r\n]+)", header)
        fields[name.group(1)] = Upload(
            filename.group(1) if filename else "",
            data.removesuffix(b"\r\n"),
            mime_type.group(1) if mime_type else "text/plain",
        )
    request: dict[str, Any] = json.loads(fields["operations"].data)
    for key, paths in json.loads(fields["map"].data).items():
        for path in paths:
            _put(request, path.split("."), fields[key])
    return request


def _put(document: Any, path: list[str], value: Any) -> None:
    for step in path[:-1]:
        document = document[int(step) if isinstance(document, list) else step]
    last = path[-1]
    document[int(last) if isinstance(document, list) else last] = value
