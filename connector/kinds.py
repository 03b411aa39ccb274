"""The types of object that can be enriched, and what each needs to be found again.

OpenCTI derives an object's standard id from a few of its attributes. A bundle that names other
values for them than the present ones makes a second object, so these, and nothing else, go back
with every write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of object.

    Attributes
    ----------
    entity_type : str
        OpenCTI's name: ``Case-Incident``.
    stix_type : str
        Its name in a bundle: ``case-incident``.
    identity : mapping from GraphQL field to STIX property
        What the platform identifies it by, besides its id.
    description, content : str or None
        The fields that hold plain (Markdown) and rich text (HTML).
    container : bool
        Whether it can refer to techniques.
    """

    entity_type: str
    stix_type: str
    identity: Mapping[str, str]
    description: str | None = "description"
    content: str | None = "content"
    container: bool = True


_NAMED = MappingProxyType({"name": "name", "created": "created"})

_ALL = (
    Kind("Report", "report", MappingProxyType({"name": "name", "published": "published"})),
    Kind("Grouping", "grouping", MappingProxyType({**_NAMED, "context": "context"})),
    Kind("Case-Incident", "case-incident", _NAMED),
    Kind("Case-Rfi", "case-rfi", _NAMED),
    Kind("Case-Rft", "case-rft", _NAMED),
    Kind(
        "Note",
        "note",
        MappingProxyType(
            {"attribute_abstract": "abstract", "content": "content", "created": "created"}
        ),
        description="content",
        content=None,
    ),
    Kind(
        "Malware-Analysis",
        "malware-analysis",
        MappingProxyType(
            {"result_name": "result_name", "product": "product", "submitted": "submitted"}
        ),
        description=None,
        content=None,
        container=False,
    ),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.entity_type: kind for kind in _ALL})
