"""The double over HTTP: ``/graphql``, ``/storage/get/...`` and ``/stream/...``."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from .execution import run
from .model import User, iso
from .request import Request
from .uploads import read_multipart

if TYPE_CHECKING:
    from .platform import OpenCTIDouble

HEARTBEAT = 1.0  # seconds


@dataclass
class Fault:
    """Something that goes wrong on purpose.

    ``path`` is the beginning of the request's path, ``operation`` the name of the GraphQL
    operation; empty means any. ``times`` counts down; None means until it is removed.
    """

    path: str = "/graphql"
    operation: str = ""
    status: int | None = None
    body: str = ""
    delay: float = 0.0
    times: int | None = None
    hits: int = field(default=0, init=False)


class Faults:
    """The faults in force; the first that matches a request applies."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        self._faults.clear()

    def take(self, path: str, operation: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if not path.startswith(fault.path) or fault.operation not in ("", operation):
                    continue
                if fault.times is not None and fault.hits >= fault.times:
                    continue
                fault.hits += 1
                return fault
        return None


@dataclass(frozen=True)
class Call:
    """A request that came in, for tests that look at what was sent."""

    method: str
    path: str
    operation: str
    variables: dict[str, Any]
    headers: dict[str, str]
    user: str | None


class Server(ThreadingHTTPServer):
    """The HTTP server of one double. Threads never outlive it."""

    daemon_threads = True
    allow_reuse_address = True
    platform: OpenCTIDouble

    def __init__(self, platform: OpenCTIDouble, port: int) -> None:
        self.platform = platform
        self.stopping = threading.Event()
        super().__init__(("127.0.0.1", port), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away; crashes of resolvers are kept elsewhere."""


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Tell the platform's time, which may not be the tests'."""
        return super().date_time_string(self.server.platform.clock.seconds())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep the tests' output clean."""

    def do_POST(self) -> None:
        platform = self.server.platform
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content_type = self.headers.get("Content-Type", "")
        if not self.path.startswith("/graphql"):
            self._answer(404, "text/plain; charset=utf-8", b"Not found")
            return
        try:
            if content_type.startswith("multipart/"):
                given = read_multipart(body, content_type)
            else:
                given = json.loads(body)
            source = given["query"]
        except (ValueError, KeyError, TypeError):
            self._answer(400, "text/plain; charset=utf-8", b"Bad request")
            return
        match = re.search(r"\b(?:query|mutation)\s+(\w+)", source)
        operation = match.group(1) if match else ""
        user = self._user()
        self._record(operation, given.get("variables") or {}, user)
        if self._fail(operation):
            return
        draft_id = self.headers.get("opencti-draft-id") or None
        with platform.lock:
            applicant = self.headers.get("opencti-applicant-id")
            applicant = user.id if user is not None and user.id == applicant else None
            request = Request(platform, platform.store_of(draft_id), user, draft_id, applicant)
            answer = run(request, source, given.get("variables"))
        self._answer(200, "application/json; charset=utf-8", json.dumps(answer).encode())

    def do_GET(self) -> None:
        self._record("", {}, self._user())
        if self._fail(""):
            return
        path = unquote(urlsplit(self.path).path)
        if path.startswith(("/storage/get/", "/storage/view/")):
            self._storage(path.split("/", 3)[3])
        elif path == "/stream" or path.startswith("/stream/"):
            self._stream()
        else:
            self._answer(404, "text/plain; charset=utf-8", b"Not found")

    def _user(self) -> User | None:
        """Return the user of the token, or the one for whom a token with bypass may act."""
        platform = self.server.platform
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        user = platform.user_of(token)
        applicant = self.headers.get("opencti-applicant-id")
        if user is not None and user.bypass and applicant:
            return next((each for each in platform.users.values() if each.id == applicant), user)
        return user

    def _record(self, operation: str, variables: dict[str, Any], user: User | None) -> None:
        self.server.platform.calls.append(
            Call(
                self.command,
                self.path,
                operation,
                variables,
                {key.lower(): value for key, value in self.headers.items()},
                user.name if user else None,
            )
        )

    def _fail(self, operation: str) -> bool:
        """Apply a fault; tell whether it answered in the platform's place."""
        fault = self.server.platform.faults.take(self.path, operation)
        if fault is None:
            return False
        time.sleep(fault.delay)
        if fault.status is None:
            return False
        self._answer(fault.status, "text/plain; charset=utf-8", fault.body.encode())
        return True

    def _storage(self, file_id: str) -> None:
        platform = self.server.platform
        if self._user() is None:
            self._answer(403, "text/plain; charset=utf-8", b"Forbidden")
            return
        with platform.lock:
            store = platform.store_of(self.headers.get("opencti-draft-id") or None)
            found = [
                stored
                for element in store
                for stored in element.files.values()
                if stored.id == file_id
            ]
        if not found:
            missing = b'{"status":"error","error":"File not found or restricted"}'
            self._answer(503, "application/json; charset=utf-8", missing)
            return
        stored = found[0]
        kind = stored.mime_type
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        disposition = f'attachment; filename="{stored.name}"'
        self._answer(200, kind, stored.data, {"Content-Disposition": disposition})

    def _stream(self) -> None:
        """Send stored events after the one that the client names, then those to come."""
        platform = self.server.platform
        if self._user() is None:
            self._answer(401, "text/plain; charset=utf-8", b"You must be logged in to do this.")
            return
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-cache, no-transform")
        self.send_header("Connection", "close")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        after = self.headers.get("last-event-id") or self.headers.get("from")
        events = platform.events
        position = len(events.stream)
        if after is not None:
            first = after.split("-")[0]
            position = sum(1 for each in events.stream if each["id"].split("-")[0] <= first)
        try:
            first, last = (events.stream[at]["id"] if events.stream else "0-0" for at in (0, -1))
            told = {
                "lastEventId": last, "firstEventId": first,
                "firstEventDate": iso(int(first.split("-")[0])),
                "lastEventDate": iso(int(last.split("-")[0])),
                "streamSize": len(events.stream), "connectionId": str(uuid.uuid4()),
            }  # fmt: skip
            self._event("connected", told)
            while not self.server.stopping.is_set():
                with events.news:
                    if position >= len(events.stream):
                        events.news.wait(HEARTBEAT)
                    fresh = events.stream[position:]
                position += len(fresh)
                for each in fresh:
                    if each["event"] == "delete" and self.headers.get("listen-delete") == "false":
                        continue
                    self._event(each["event"], each["data"], each["id"])
                if not fresh:
                    self._event("heartbeat", platform.clock.now())
        except OSError:
            return  # the client went away

    def _event(self, name: str, data: Any, event_id: str | None = None) -> None:
        head = f"id: {event_id}\n" if event_id else ""
        piece = f"{head}event: {name}\ndata: {json.dumps(data)}\n\n".encode()
        self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        self.wfile.flush()

    def _answer(
        self, status: int, content_type: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
