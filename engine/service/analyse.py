"""``POST /v1/analyse``: a text, sentences, a document or a file in; findings with evidence out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from engine.documents import Limits, from_sentences, from_text, read_bytes
from engine.documents.sniff import MEDIA_TYPES
from engine.errors import DocumentError
from engine.outputs import OUTPUTS, Context
from engine.outputs.base import BY_NAME
from engine.service.answers import AnalyseAnswer
from engine.service.errors import Refusal
from engine.service.openapi import analyse_body, refusals
from engine.service.passing import Passing
from engine.service.schemas import AnalyseRequest, Options
from engine.service.service import Service, of
from engine.service.wire import read_document, write_analysis
from engine.types import Analysis, Document

if TYPE_CHECKING:
    from engine.analysis import Engine

router = APIRouter(tags=["reports"])
Body = TypeVar("Body", bound=BaseModel)
# Lists in a form: repeated, or one field with commas.
LISTS = ("removed", "include", "outputs")


@router.post(
    "/v1/analyse",
    response_model=AnalyseAnswer,
    responses=refusals(400, 401, 408, 413, 415, 422, 429, 503),
    openapi_extra={"requestBody": analyse_body()},
)
async def analyse(request: Request) -> Response:
    """Find the techniques of a report, with the sentences that prove them.

    Send JSON with `text`, `sentences` or `document`, or a form with a `file` (PDF, DOCX, HTML,
    Markdown, text). `start` and `end` count characters (Unicode code points), end excluded. One
    release makes the whole answer, and `release` names it.
    """
    service = of(request)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        options, read = await _of_form(request, service.limits)
    elif kind == "application/json":
        asked = parse(AnalyseRequest, await request.body())
        options, read = asked, lambda: _document(asked, service.limits)
    else:
        raise Refusal(
            415, "usage", "Send application/json, or multipart/form-data with a field 'file'."
        )

    def work(engine: Engine, passing: Passing) -> dict[str, Any]:
        document = read()
        analysis = engine.analyse(
            document,
            options.operating_point,
            threshold=options.threshold,
            inferences=options.inferences,
            added=options.added,
            removed=frozenset(options.removed),
        )
        _note(service, passing, analysis)
        return _answer(engine, analysis, options)

    return await service.run(request, work)


def parse(kind: type[Body], content: bytes) -> Body:
    """Read a request's JSON.

    Raises
    ------
    Refusal
        If it is not JSON, or not what is asked for. What was sent is not repeated.
    """
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise _wrong(error) from None


def _wrong(error: ValidationError) -> Refusal:
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    if faults[0]["type"] == "json_invalid":
        return Refusal(400, "usage", f"The request is not JSON in UTF-8: {faults[0]['msg']}.")
    told = [
        f"{'.'.join(str(part)[:80] for part in fault['loc']) or 'request'}: "
        f"{fault['msg'].removeprefix('Value error, ')}"
        for fault in faults[:5]
    ]
    return Refusal(422, "usage", "The request is wrong. " + "; ".join(told) + ".")


def _document(asked: AnalyseRequest, limits: Limits) -> Document:
    name = asked.id if isinstance(asked.id, str) and asked.id else None
    length = len(asked.document.text) if asked.document else sum(map(len, asked.sentences or ()))
    if length > limits.max_text_chars:
        raise DocumentError(
            f"The document has {length:,} characters, over the service's limit of "
            f"{limits.max_text_chars:,}: split it, or have TTPSCRIBE_SERVICE_MAX_TEXT_CHARS raised."
        )
    if asked.document is not None:
        return read_document(asked.document.model_dump())
    if asked.sentences is not None:
        return from_sentences(asked.sentences, name or "sentences")
    return from_text(asked.text or "", name or "text", limits=limits)


class _InMemory(MultiPartParser):
    """Keeps uploads in memory: no text of a report gets onto a disk."""

    spool_max_size = 2**31


async def _of_form(request: Request, limits: Limits) -> tuple[Options, Callable[[], Document]]:
    try:
        parser = _InMemory(
            request.headers, request.stream(), max_files=1, max_fields=100, max_part_size=2**20
        )
        form = await parser.parse()
    except (MultiPartException, ValueError, KeyError) as error:
        raise Refusal(400, "usage", f"The form cannot be read ({error}).") from error
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Refusal(422, "usage", "The form has no file: put it into the field 'file'.")
        data = await file.read()
        fields = [(name, text) for name, text in form.multi_items() if isinstance(text, str)]
    finally:
        await form.close()
    options = _options(fields)
    # The name alone: some browsers send the path.
    name = (file.filename or "").replace("\\", "/").rsplit("/", 1)[-1] or "file"
    declared = file.content_type
    return options, lambda: read_bytes(data, name, declared, limits)


def _options(fields: list[tuple[str, str]]) -> Options:
    values: dict[str, Any] = {}
    for name, text in fields:
        if name in LISTS:
            parts = [part.strip() for part in text.split(",") if part.strip()]
            values.setdefault(name, []).extend(parts)
        elif name == "added":
            try:
                values[name] = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise Refusal(
                    422, "usage", 'The field added is not JSON: write {"T1105": 1.0}.'
                ) from error
        elif text.strip():
            values[name] = text
    try:
        return Options.model_validate(values)
    except ValidationError as error:
        raise _wrong(error) from None


def _answer(engine: Engine, analysis: Analysis, options: Options) -> dict[str, Any]:
    identifier = BY_NAME if options.id is None else options.id
    context = Context(engine.knowledge, identifier=identifier)
    values = write_analysis(
        analysis, context, exact="exact" in options.include, whole="text" in options.include
    )
    if options.outputs:
        values["outputs"] = {
            name: OUTPUTS[name].header + OUTPUTS[name].write(analysis, context)
            for name in dict.fromkeys(options.outputs)
        }
    return values


def _note(service: Service, passing: Passing, analysis: Analysis) -> None:
    metrics = service.metrics
    kind = analysis.document.media_type  # as the client says, where it sends sentences
    metrics.documents.labels(kind if kind in MEDIA_TYPES else "other").inc()
    metrics.sentences.inc(len(analysis.document.sentences))
    metrics.findings.observe(len(analysis.findings))
    for finding in analysis.findings:
        metrics.probability.observe(finding.probability)
    if analysis.unknown_words is not None:
        metrics.unknown.observe(analysis.unknown_words)
    passing.told |= {
        "release": analysis.release,
        "sentences": len(analysis.document.sentences),
        "findings": len(analysis.findings),
    }
