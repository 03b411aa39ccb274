"""What the platform stores: objects, relationships, files and users."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .kinds import KINDS, RELATIONSHIP


class Clock:
    """Milliseconds since 1970 that never stand still, so that every change has its own time.

    ``ahead`` is by how many seconds it differs from the tests' clock.
    """

    def __init__(self) -> None:
        self._last = 0
        self.ahead = 0.0

    def seconds(self) -> float:
        return max(datetime.now(UTC).timestamp() + self.ahead, self._last / 1000)

    def milliseconds(self) -> int:
        now = int((datetime.now(UTC).timestamp() + self.ahead) * 1000)
        self._last = max(now, self._last + 1)
        return self._last

    def now(self) -> str:
        return iso(self.milliseconds())


def iso(milliseconds: int) -> str:
    """Format a time as the platform does: ``2026-11-22T03:21:50.663Z``."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"


def parse_time(value: str) -> datetime:
    """Read a time of the platform or of STIX."""
    moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def normal_time(value: str) -> str:
    """Rewrite a time in the platform's own form."""
    return iso(round(parse_time(value).timestamp() * 1000))


@dataclass
class User:
    """Someone with a token. ``bypass`` lets a token act for another user, as the worker's does."""

    name: str
    token: str
    max_confidence: int = 100
    bypass: bool = False
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class StoredFile:
    """A file attached to an object; its id is its path in the storage."""

    id: str
    name: str
    data: bytes
    mime_type: str
    version: str
    last_modified: str
    markings: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass
class Element:
    """An object or a relationship with its attributes and its references.

    ``refs`` holds internal ids, several under every name; ``created_by`` at most one.
    """

    entity_type: str
    attributes: dict[str, Any]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    standard_id: str = ""
    stix_ids: list[str] = field(default_factory=list)
    created_at: str = ""
    updated_at: str = ""
    modified: str = ""
    creators: list[str] = field(default_factory=list)
    created_by: str | None = None
    refs: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    from_id: str | None = None
    to_id: str | None = None

    @property
    def is_relationship(self) -> bool:
        return self.from_id is not None

    @property
    def parent_types(self) -> tuple[str, ...]:
        return RELATIONSHIP if self.is_relationship else KINDS[self.entity_type].parents

    @property
    def graphql_type(self) -> str:
        if self.is_relationship:
            return "StixCoreRelationship"
        return KINDS[self.entity_type].graphql

    @property
    def stix_type(self) -> str:
        return "relationship" if self.is_relationship else KINDS[self.entity_type].stix

    @property
    def confidence(self) -> int | None:
        value = self.attributes.get("confidence")
        return None if value is None else int(value)

    def get(self, key: str) -> Any:
        return self.attributes.get(key)

    def all_ids(self) -> list[str]:
        return [self.id, self.standard_id, *self.stix_ids]

    def is_a(self, entity_type: str) -> bool:
        """Tell whether the element is of a type or of one of its parents."""
        return entity_type == self.entity_type or entity_type in self.parent_types
