"""What every request passes before anything of it is read: host, key, size, time.

Plain ASGI, since a framework reads a body before it asks whether the caller may send one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from engine.service.errors import Busy, Refusal, ServiceError
from engine.service.keys import Keys
from engine.service.metrics import Metrics
from engine.service.schemas import error
from engine.service.settings import MEGABYTE, ServiceSettings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# What tells nothing of reports and models: probes, the description, the page without its data.
OPEN = frozenset({"/", "/health", "/ready", "/openapi.json", "/favicon.ico"})
OPEN_BELOW = "/page/"
PROBES = frozenset({"/health", "/ready"})
RETRY_HELD_S = 5
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = logging.getLogger("ttpscribe.service")


class Gate:
    """Asks for the key, counts the bytes, keeps the time, and logs a line a request.

    Parameters
    ----------
    app : ASGI application
    settings : ServiceSettings
    keys : Keys
    metrics : Metrics
    """

    def __init__(
        self, app: App, *, settings: ServiceSettings, keys: Keys, metrics: Metrics
    ) -> None:
        self.app = app
        self.settings = settings
        self.keys = keys
        self.metrics = metrics
        self._had_keys = False
        self._held = Held(settings.max_held_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Passing(scope, receive, send, self.settings, self._held)
        scope.setdefault("state", {})["request"] = request
        begun = time.perf_counter()
        try:
            await self._pass(request)
        except Refusal as refusal:
            await request.refuse(refusal)
        except ServiceError as problem:  # the keys cannot be read: nobody gets in
            log.error("keys", extra={"fields": {"problem": str(problem)}})
            await request.refuse(Refusal(503, "service", str(problem)))
        except Exception:
            log.exception("fault", extra={"fields": {"request": request.id}})
            await request.refuse(fault(request.id))
        finally:
            self._held.give_back(request.received)
            self._note(request, time.perf_counter() - begun)

    async def _pass(self, request: Passing) -> None:
        if not self._host_is_ours(request):
            raise Refusal(
                421, "host",
                "The service is not known by this name. Use its own, or name it in "
                "TTPSCRIBE_SERVICE_ALLOWED_HOSTS.",
            )  # fmt: skip
        if not self._may_enter(request):
            raise Refusal(
                401, "key",
                "This needs a valid key: Authorization: Bearer KEY. The admin makes one with: "
                "ttpscribe serve keys add NAME",
                {"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        if request.length > self.settings.max_request_bytes:
            raise request.too_large()
        self._held.check(request.length)
        await self.app(request.scope, request.receive, request.send)

    def _host_is_ours(self, request: Passing) -> bool:
        if request.scope["path"] in PROBES:
            return True  # probes call by address
        # A page in a browser on this machine could reach a service without keys by a name that
        # its owner points to 127.0.0.1.
        allowed = self.settings.allowed_hosts
        if not allowed and self.settings.is_loopback and not self._has_keys():
            allowed = LOOPBACK
        host = re.sub(r":\d+$", "", request.header("host").lower())
        return not allowed or host in allowed

    def _has_keys(self) -> bool:
        self._had_keys |= bool(there := self.keys.all())
        return bool(there)

    def _may_enter(self, request: Passing) -> bool:
        path = request.scope["path"]
        if path in OPEN or path.startswith(OPEN_BELOW):
            return True
        if path == "/metrics" and self.settings.open_metrics:
            return True
        if not self._has_keys():
            # Only where nobody but this machine, or whom the admin lets in, can call. A file of
            # keys that was there and is gone lets nobody in.
            keyless = self.settings.is_loopback or self.settings.allow_anyone
            return keyless and not self._had_keys
        scheme, _, given = request.header("authorization").partition(" ")
        if scheme.lower() != "bearer":
            return False
        request.key = self.keys.name_of(given.strip())
        return request.key is not None

    def _note(self, request: Passing, seconds: float) -> None:
        path = request.path()
        self.metrics.requests.labels(path, str(request.status)).inc()
        self.metrics.seconds.labels(path).observe(seconds)
        if request.code:
            self.metrics.refused.labels(request.code).inc()
        fields = {
            "request": request.id,
            "method": request.scope["method"],
            "path": path,
            "status": request.status,
            "ms": round(seconds * 1000),
            "bytes": request.received,
            "key": request.key,
            "code": request.code,
            **request.told,
        }
        quiet = path in ("/health", "/ready", "/metrics")
        told = {name: value for name, value in fields.items() if value is not None}
        log.log(logging.DEBUG if quiet else logging.INFO, "request", extra={"fields": told})


class Held:
    """The bytes of all requests that are in memory, bounded.

    Parameters
    ----------
    most : int
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.bytes = 0

    def check(self, more: int) -> None:
        """Refuse what would be too much."""
        if self.bytes + more > self.most:
            raise Busy(RETRY_HELD_S)

    def take(self, number: int) -> None:
        """Count bytes that came in."""
        self.check(number)
        self.bytes += number

    def give_back(self, number: int) -> None:
        """Count bytes that are not needed any more."""
        self.bytes -= number


class Passing:
    """One request on its way through: what is known of it, its bytes counted."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        settings: ServiceSettings,
        held: Held,
    ) -> None:
        self.scope = scope
        self._held = held
        self._receive = receive
        self._send = send
        self._most = settings.max_request_bytes
        self._seconds = settings.receive_seconds
        self._end = time.monotonic() + settings.receive_seconds
        self._complete = False
        self.headers: dict[str, str] = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        given = self.header("x-request-id")
        self.id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex[:16]
        self.received = 0
        self.status = 0
        self.key: str | None = None
        self.code: str | None = None
        self.told: dict[str, Any] = {}

    @property
    def length(self) -> int:
        """The length that the client announces, in bytes; 0 where it does not."""
        given = self.header("content-length")
        return int(given) if given.isdecimal() else 0

    def header(self, name: str) -> str:
        """Return a header, or nothing."""
        return self.headers.get(name, "")

    def path(self) -> str:
        """Return the path as the service writes it, so that no id gets into log or metrics."""
        route = self.scope.get("route")
        return str(getattr(route, "path", None) or "other")

    async def receive(self) -> Message:
        """Receive, within the time and the size that are allowed."""
        if self._complete:
            return await self._receive()  # only the end of the connection can come
        try:
            async with asyncio.timeout(max(0.0, self._end - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise Refusal(
                408, "too_slow", f"The request did not arrive within {self._seconds:g} s."
            ) from None
        size = len(message.get("body", b""))
        if self.received + size > self._most:
            raise self.too_large()
        self._held.take(size)
        self.received += size
        self._complete = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send, with the request's id and what a browser should keep to."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self.id.encode("latin-1")),
                (b"x-content-type-options", b"nosniff"),
                (b"cache-control", b"no-store"),
            ]
        await self._send(message)

    def too_large(self) -> Refusal:
        """Say that the request is too large."""
        most = self._most / MEGABYTE
        return Refusal(413, "too_large", f"The request is over {most:g} MB: split it.")

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with an error, unless an answer has begun."""
        self.code = refusal.code
        if self.status:
            return
        body = json.dumps(error(refusal.code, refusal.message)).encode()
        fields = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            **refusal.headers,
        }
        if not self._complete and (self.received or self.length):
            fields["connection"] = "close"  # what is left of the body is not read
        pairs = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        await self.send({"type": "http.response.start", "status": refusal.status, "headers": pairs})
        await self.send({"type": "http.response.body", "body": body})


def fault(request: str) -> Refusal:
    """Say that the service itself failed."""
    return Refusal(
        500, "fault",
        "The service failed on this, which is a fault of it. Its log has the details, under "
        f"request {request}. Please report them.",
    )  # fmt: skip
