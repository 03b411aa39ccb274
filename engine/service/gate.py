"""What every request passes before anything of it is read: host, key, size, time.

Plain ASGI, since a framework reads a body before it asks whether the caller may send one.
"""

from __future__ import annotations

import logging
import re
import time

from engine.service.errors import Refusal, ServiceError
from engine.service.keys import Keys
from engine.service.metrics import Metrics
from engine.service.passing import App, Held, Passing, Receive, Scope, Send, fault
from engine.service.settings import ServiceSettings

# What tells nothing of reports and models: probes, the description, the page without its data.
OPEN = frozenset({"/", "/health", "/ready", "/openapi.json", "/favicon.ico"})
OPEN_BELOW = "/page/"
PROBES = frozenset({"/health", "/ready"})
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
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
            told = "The keys to the service cannot be read: its log says why."
            await request.refuse(Refusal(503, "service", told))
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
