"""One request on its way through the service: what is known of it, and its bytes counted."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from engine.service.errors import Busy, Refusal
from engine.service.schemas import error
from engine.service.settings import MEGABYTE, ServiceSettings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

RETRY_HELD_S = 5
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


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
