"""What MISP asks: the bodies of ``POST /query`` as types.

=========================  =====================================================================
path                       told by
=========================  =====================================================================
enrich an attribute        ``attribute`` and ``event_id``
enrich an object           ``object``
Enrich Event job           ``attribute_uuid``
hover                      ``attribute`` without ``event_id``; ``persistent`` on a click
import                     ``data`` in base64, with ``filename`` unless it was pasted
AI hook                    ``use_case``
workflow action            ``params`` and the whole event in ``data``
=========================  =====================================================================
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.errors import UsageError
from misp_module.settings import Options, Settings

Kind = Literal["attribute", "object", "import", "suggest", "ping", "action"]
SERVED = ("ping", "tag_suggest")
LARGEST_LIMIT = 10
_VOLATILE = (
    "timeout",
    "persistent",
    "attribute_uuid",
    "late",
)  # the same work, however it was asked


@dataclass(frozen=True, slots=True)
class Request:
    """One query.

    Attributes
    ----------
    kind : Kind
        What is asked.
    subject : mapping
        The attribute, the object or the whole event, as MISP sends it.
    data : bytes
        The file of an import.
    name : str
        Its name.
    event : str
        Id of the event, where the request names one.
    hover : bool
        Whether the answer is only looked at.
    limit : int
        How many tags to suggest.
    options : Options
        What the admin and the user chose.
    """

    kind: Kind
    subject: Mapping[str, Any] = field(default_factory=dict)
    data: bytes = b""
    name: str = ""
    event: str = ""
    hover: bool = False
    limit: int = LARGEST_LIMIT
    options: Options = field(default_factory=Options)


def digest(body: Mapping[str, Any]) -> str:
    """Return what tells whether two queries ask for the same work."""
    same = {key: value for key, value in body.items() if key not in _VOLATILE}
    return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()


def parse(body: Mapping[str, Any], settings: Settings) -> Request:
    """Read a query.

    Raises
    ------
    UsageError
        If it is none that ttpscribe serves; the text says what is wrong.
    """
    if "use_case" in body:
        return _ai(body, settings)
    if is_background(body):
        return _action(body, settings)
    options = Options.parse(body.get("config"), settings.operating_point)
    event = str(body.get("event_id") or "")
    if "data" in body and "attribute" not in body and "object" not in body:
        name = str(body.get("filename") or "pasted text")
        data = decode(body["data"], name)
        return Request("import", data=data, name=name, event=event, options=options)
    if "object" in body:
        subject = _mapping(body["object"], "object")
        return Request("object", subject, event=event, options=options)
    if "attribute" in body:
        subject = _mapping(body["attribute"], "attribute")
        return Request("attribute", subject, event=event, hover=not event, options=options)
    raise UsageError(
        "The request has no attribute, object or data: use the module on an attribute or an "
        "object, or import a file."
    )


def is_background(body: Mapping[str, Any]) -> bool:
    """Tell whether the query is a workflow's, which is answered before its work is done."""
    return "params" in body and "use_case" not in body


def decode(data: Any, name: str) -> bytes:
    """Decode base64, as MISP sends files.

    Raises
    ------
    UsageError
        If it is none.
    """
    try:
        return base64.b64decode(data, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise UsageError(f"The content of {name} is not valid base64: send it again.") from error


def _ai(body: Mapping[str, Any], settings: Settings) -> Request:
    use_case = body["use_case"]
    if use_case not in SERVED:
        raise UsageError(
            f"ttpscribe does not serve the use case '{use_case}'; it serves {' and '.join(SERVED)}."
        )
    if use_case == "ping":
        return Request("ping")
    options = Options.parse(body.get("config"), settings.operating_point)
    params = body.get("params") or {}
    given = params.get("suggest_limit") if isinstance(params, Mapping) else None
    try:
        limit = LARGEST_LIMIT if given in (None, "") else int(given)
    except (TypeError, ValueError) as error:
        raise UsageError(f"suggest_limit is {given!r}: give a number from 1 to 10.") from error
    limit = min(max(limit, 1), LARGEST_LIMIT)
    return Request("suggest", event_of(body.get("data")), limit=limit, options=options)


def _action(body: Mapping[str, Any], settings: Settings) -> Request:
    params = body["params"]
    if isinstance(params, Mapping):  # each either a plain value or its description with one
        params = {
            key: value.get("value") if isinstance(value, Mapping) else value
            for key, value in params.items()
        }
    options = Options.parse(params, settings.operating_point)
    subject = event_of(body.get("data"))
    return Request(
        "action",
        subject,
        event=str(subject.get("uuid") or subject.get("id") or ""),
        options=options,
    )


def event_of(data: Any) -> Mapping[str, Any]:
    """Return the event in a request's ``data``, in whichever wrapping it came.

    Raises
    ------
    UsageError
        If there is none.
    """
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError as error:
            raise UsageError("The request's data is no JSON: send the whole event.") from error
    if isinstance(data, list) and data:
        data = data[0]
    if isinstance(data, Mapping):
        inner = data.get("Event")
        return {**data, **inner} if isinstance(inner, Mapping) else data
    raise UsageError("The request holds no event: send the whole event as data.")


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not value:
        raise UsageError(f"The request's {name} is empty: use the module on one that is saved.")
    for wrapping in (name.capitalize(), name):
        if isinstance(inner := value.get(wrapping), Mapping):
            return inner
    return value
