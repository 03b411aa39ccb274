"""What the engine knows besides reports: inferences, releases, techniques."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from engine.errors import KnowledgeError, TtpscribeError
from engine.outputs.evidence import url
from engine.outputs.record import finite, inference_record, number
from engine.service.analyse import parse
from engine.service.answers import InferAnswer, ReleasesAnswer, TechniqueAnswer
from engine.service.openapi import infer_body, refusals
from engine.service.passing import Passing
from engine.service.schemas import InferRequest
from engine.service.service import of

if TYPE_CHECKING:
    from engine.analysis import Engine
    from engine.knowledge import Knowledge
    from engine.releases.store import Entry

router = APIRouter()


@router.post(
    "/v1/infer",
    tags=["reports"],
    response_model=InferAnswer,
    responses=refusals(400, 401, 408, 413, 422, 429, 503),
    openapi_extra={"requestBody": infer_body()},
)
async def infer(request: Request) -> Response:
    """Rank the techniques that go with those observed, each with what speaks for it.

    Revoked ids are taken as what they are today, unknown ones passed over; `remarks` says so.
    """
    asked = parse(InferRequest, await request.body())

    def work(engine: Engine, passing: Passing) -> dict[str, Any]:
        passing.told["release"] = engine.release.name
        return _inferred(engine, asked)

    return await of(request).run(request, work)


def _inferred(engine: Engine, asked: InferRequest) -> dict[str, Any]:
    from engine.recommenders.inferring import find_platforms, find_tactics
    from engine.recommenders.observed import resolve

    given = (
        asked.techniques.items()
        if isinstance(asked.techniques, dict)
        else ((id_, 1.0) for id_ in asked.techniques)
    )
    observed = resolve(given, engine.knowledge)
    found = engine.infer(
        observed.techniques,
        asked.count,
        asked.recommender,
        tactics=find_tactics(asked.tactics, engine.knowledge),
        platforms=find_platforms(asked.platforms, engine.knowledge),
    )
    told = finite if "exact" in asked.include else number
    return {
        "id": asked.id,
        "inferences": [inference_record(one, told) for one in found],
        "remarks": list(observed.remarks),
        "recommender": asked.recommender or engine.release.manifest.default_recommender,
        "release": engine.release.name,
        "attack_version": engine.knowledge.version,
    }


@router.get(
    "/v1/releases", tags=["models"], response_model=ReleasesAnswer, responses=refusals(401, 503)
)
def releases(request: Request) -> dict[str, Any]:
    """List the releases of this machine, and say which is in use."""
    from engine.releases import ReleaseStore

    service = of(request)
    engine = service.engines.current
    try:
        champion: str | None = service.engines.champion()
    except TtpscribeError:
        champion = None
    return {
        "serving": engine.release.name,
        "champion": champion,
        "attack_version": engine.knowledge.version,
        "releases": [_release(entry, engine.release.name) for entry in ReleaseStore().list()],
    }


def _release(entry: Entry, serving: str) -> dict[str, Any]:
    manifest = entry.manifest
    return {
        "name": entry.name,
        "origin": entry.origin,
        "champion": entry.champion,
        "serving": entry.name == serving,
        "created": manifest.created.isoformat() if manifest else None,
        "attack_version": manifest.attack_version if manifest else None,
        "techniques": len(manifest.techniques) if manifest else None,
        "recognizers": sorted(manifest.recognizers) if manifest else [],
        "recommenders": sorted(manifest.recommenders) if manifest else [],
        "operating_points": {
            name: point.model_dump() for name, point in manifest.operating_points.items()
        }
        if manifest
        else {},
        "problem": entry.problem,
    }


@router.get(
    "/v1/techniques/{id:path}",
    tags=["models"],
    response_model=TechniqueAnswer,
    responses=refusals(401, 404, 503),
)
def technique(request: Request, id: str) -> dict[str, Any]:  # noqa: A002 - the path's name
    """Say what an id stands for today: T1059.001, t1059/001, or a revoked one such as T1086."""
    return _technique(of(request).engines.current.knowledge, id)


def _technique(knowledge: Knowledge, asked: str) -> dict[str, Any]:
    found = knowledge.resolve(asked[:200])
    if found.status == "unknown":
        raise KnowledgeError(
            f"'{found.id[:80]}' is not a technique of ATT&CK {knowledge.version}: check the "
            "spelling. Ids look like T1059.001."
        )
    now = found.technique
    return {
        "asked": found.id,
        "status": found.status,
        "chain": list(found.chain),
        "id": now.id if now else None,
        "name": now.full_name if now else found.name,
        "tactics": [
            {"tactic": tactic, "name": knowledge.tactic(tactic).name}
            for tactic in (now.tactics if now else ())
        ],
        "platforms": list(now.platforms) if now else [],
        "domains": list(now.domains) if now else [],
        "parent": now.parent if now else None,
        "sub_techniques": list(knowledge.children(now.id)) if now else [],
        "stix_id": now.stix_id if now else None,
        "url": url(now.id) if now else None,
        "attack_version": knowledge.version,
    }
