"""Is it alive, does it take work, how is it doing."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from engine import __version__
from engine.errors import TtpscribeError
from engine.service.answers import HealthAnswer, ReadyAnswer
from engine.service.openapi import refusals
from engine.service.service import of

router = APIRouter(tags=["operation"])


@router.get("/health", response_model=HealthAnswer)
async def health() -> dict[str, str]:
    """Say that the process is alive. Restart it where this does not answer."""
    return {"status": "alive", "version": __version__}


@router.get("/ready", response_model=ReadyAnswer, responses=refusals(503))
def ready(request: Request) -> dict[str, Any]:
    """Say whether a release is open and work is taken. Send no work where this is no 200."""
    service = of(request)
    engine = service.engines.current
    try:
        champion: str | None = service.engines.champion()
    except TtpscribeError:
        champion = None
    return {
        "status": "ready",
        "release": engine.release.name,
        "attack_version": engine.knowledge.version,
        "champion": champion,
    }


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Metrics."},
        **refusals(401),
    },
)
def metrics(request: Request) -> Response:
    """Return the metrics as Prometheus reads them."""
    return Response(of(request).metrics.text(), media_type=CONTENT_TYPE_LATEST)
