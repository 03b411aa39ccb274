"""The service as an ASGI application: routes, refusals, start and end."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine import __version__
from engine.errors import DocumentError, KnowledgeError, ReleaseError, TtpscribeError, UsageError
from engine.service import analyse, catalogue, health, page
from engine.service.errors import Refusal
from engine.service.gate import Gate
from engine.service.passing import fault
from engine.service.schemas import error
from engine.service.service import Service
from engine.service.settings import ServiceSettings

log = logging.getLogger("ttpscribe.service")

DESCRIPTION = """Finds the MITRE ATT&CK techniques in threat reports, with the sentences that prove
them. Every refusal is `{"error": {"code", "message"}}`; the message says what to do."""

# What a client may have to mend, by the class that says so: status, and code for programs.
REFUSALS: tuple[tuple[type[TtpscribeError], int, str], ...] = (
    (UsageError, 422, "usage"),
    (DocumentError, 422, "document"),
    (KnowledgeError, 404, "knowledge"),
    (ReleaseError, 503, "release"),
    (TtpscribeError, 503, "service"),
)


def build(service: Service) -> FastAPI:
    """Return the application of a service, its gate not yet before it."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.engines.watch()
        try:
            yield
        finally:
            service.close()

    app = FastAPI(
        title="ttpscribe",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        exception_handlers={
            Refusal: _refuse,
            TtpscribeError: _refuse_known,
            HTTPException: _refuse_http,
            Exception: _refuse_fault,
        },
        separate_input_output_schemas=False,
    )
    app.state.service = service
    app.include_router(analyse.router)
    app.include_router(catalogue.router)
    app.include_router(health.router)
    app.include_router(page.router)
    return app


def guarded(settings: ServiceSettings) -> Gate:
    """Return the whole service as an ASGI application; its release is opened here.

    Raises
    ------
    TtpscribeError
        If there is no release that can be opened.
    """
    service = Service(settings)
    service.engines.open()
    return Gate(build(service), settings=settings, keys=service.keys, metrics=service.metrics)


def _answer(request: Request, refusal: Refusal) -> Response:
    request.scope["state"]["request"].code = refusal.code
    body = json.dumps(error(refusal.code, refusal.message)).encode()
    return Response(body, refusal.status, refusal.headers, "application/json")


async def _refuse(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)  # noqa: S101 - what it is registered for
    return _answer(request, refusal)


async def _refuse_known(request: Request, problem: Exception) -> Response:
    status, code = next((s, c) for kind, s, c in REFUSALS if isinstance(problem, kind))
    headers = {"Retry-After": "5"} if status == 503 else None
    return _answer(request, Refusal(status, code, str(problem), headers))


async def _refuse_http(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)  # noqa: S101 - what it is registered for
    known = {
        404: ("path", "There is no such path. GET /openapi.json lists them."),
        405: ("method", "This path has no such method. GET /openapi.json lists them."),
    }
    code, message = known.get(problem.status_code, ("usage", str(problem.detail)))
    return _answer(request, Refusal(problem.status_code, code, message, problem.headers))


async def _refuse_fault(request: Request, _problem: Exception) -> Response:
    return _answer(request, fault(request.scope["state"]["request"].id))
