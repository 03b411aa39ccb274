"""What the OpenAPI says beyond the types: the two forms of a report, and the refusals."""

from __future__ import annotations

from typing import Any

from engine.service.schemas import EXAMPLE_TEXT, AnalyseRequest, ErrorBody, InferRequest, Options

REFUSALS = {
    400: "The body is not JSON, or no form.",
    401: "No valid key.",
    404: "There is nothing of this name.",
    408: "The request did not arrive in time.",
    413: "The request is too large.",
    415: "Neither JSON nor a form.",
    422: "The request or the document is wrong; the message says what to mend.",
    429: "All places in the line are taken; see Retry-After.",
    503: "No release is open, or the answer was not there in time; see Retry-After.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the refusals of a route, as FastAPI takes them."""
    found: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorBody, "description": REFUSALS[status]} for status in statuses
    }
    for status in (429, 503):
        if status in found:
            found[status]["headers"] = {
                "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}
            }
    return found


def analyse_body() -> dict[str, Any]:
    """Return the body of ``/v1/analyse``: JSON, or a form with a file."""
    form = Options.model_json_schema()["properties"]
    properties: dict[str, Any] = {
        "file": {"type": "string", "format": "binary", "description": "PDF, DOCX, HTML, "
                 "Markdown or plain text, told by its content."},
        "added": {"type": "string", "description": 'As JSON: {"T1105": 1.0}.'},
    }  # fmt: skip
    for name in ("removed", "include", "outputs"):
        properties[name] = {
            "type": "string",
            "description": f"{form[name].get('description', '')} With commas.",
        }
    for name in ("id", "operating_point", "threshold", "inferences"):
        properties[name] = {"type": "string", "description": form[name]["description"]}
    return {
        "required": True,
        "content": {
            "application/json": {
                "schema": _inline(AnalyseRequest),
                "examples": {
                    "text": {"value": {"id": 1, "text": EXAMPLE_TEXT}},
                    "sentences": {
                        "value": {"sentences": ["It ran PowerShell.", "It dumped LSASS."]}
                    },
                },
            },
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["file"], "properties": properties}
            },
        },
    }


def infer_body() -> dict[str, Any]:
    """Return the body of ``/v1/infer``."""
    schema = _inline(InferRequest)
    examples = {str(n): {"value": each} for n, each in enumerate(schema.pop("examples"), 1)}
    return {
        "required": True,
        "content": {"application/json": {"schema": schema, "examples": examples}},
    }


def _inline(kind: type[Any]) -> dict[str, Any]:
    """Return a type's JSON schema with what it refers to put in its place."""
    schema: dict[str, Any] = kind.model_json_schema()
    parts = schema.pop("$defs", {})

    def put(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                name = value["$ref"].rsplit("/", 1)[-1]
                # JsonValue refers to itself: any value will do.
                return {} if name == "JsonValue" else put(parts[name])
            return {key: put(each) for key, each in value.items()}
        return [put(each) for each in value] if isinstance(value, list) else value

    found: dict[str, Any] = put(schema)
    return found
