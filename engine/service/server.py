"""Runs the service: binds, speaks TLS, drains on SIGTERM."""

from __future__ import annotations

import logging
import socket
import ssl
from typing import Any

import uvicorn

from engine import __version__
from engine.errors import UsageError
from engine.service import logs
from engine.service.app import guarded
from engine.service.errors import ServiceError
from engine.service.keys import Keys
from engine.service.settings import ServiceSettings

log = logging.getLogger("ttpscribe.service")
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def run(settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT; requests that run then are still answered.

    Raises
    ------
    TtpscribeError
        If the address may not be served or is taken, TLS cannot be set up, or no release opens.
    """
    check(settings)
    logs.set_up(settings.log_level)
    listening = _bind(settings)
    config = uvicorn.Config(
        guarded(settings),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="none",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
        **_tls(settings),
    )
    config.load()
    if config.ssl is not None:
        config.ssl.minimum_version = VERSIONS[settings.tls_min_version]
    _Server(config).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Says where it listens, once it does, and when it begins to end."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or ():
            host, port = each.getsockname()[:2]
            scheme = "https" if self.config.is_ssl else "http"
            name = f"[{host}]" if ":" in host else host
            fields = {"url": f"{scheme}://{name}:{port}", "version": __version__}
            log.info("listening", extra={"fields": fields})

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.info("draining", extra={"fields": {"requests": len(self.server_state.tasks)}})
        await super().shutdown(sockets)


def check(settings: ServiceSettings) -> None:
    """Refuse what would let anybody in, or would not work.

    Raises
    ------
    UsageError
        If so; the text says what to do.
    """
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise UsageError(
            "TLS needs both: TTPSCRIBE_SERVICE_TLS_CERT, the certificate, and "
            "TTPSCRIBE_SERVICE_TLS_KEY, its key."
        )
    if settings.is_loopback or settings.allow_anyone:
        return
    if not Keys(settings.keys_path).all():
        raise UsageError(
            f"The service would be open to anyone who reaches {settings.host}, for there are no "
            "keys. Make one: ttpscribe serve keys add NAME. Or serve this machine only (--host "
            "127.0.0.1), or set TTPSCRIBE_SERVICE_ALLOW_ANYONE=true if the network checks callers."
        )


def _bind(settings: ServiceSettings) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except (OSError, OverflowError) as error:
        told = getattr(error, "strerror", None) or error
        raise ServiceError(
            f"Cannot listen on {settings.host}:{settings.port} ({told}). Choose another address "
            "or port: ttpscribe serve --host ADDRESS --port PORT"
        ) from error
    listening.set_inheritable(True)
    return listening


def _tls(settings: ServiceSettings) -> dict[str, Any]:
    if settings.tls_cert is None or settings.tls_key is None:
        return {}
    try:
        trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trial.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ServiceError(
            f"The certificate {settings.tls_cert} and its key {settings.tls_key} cannot be used "
            f"({error.strerror or error}). Both are PEM files, the key without a passphrase."
        ) from error
    return {
        "ssl_certfile": settings.tls_cert,
        "ssl_keyfile": settings.tls_key,
        "ssl_ciphers": CIPHERS,
    }
