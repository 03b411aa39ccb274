"""What the platform tells about a change: its history (``logs``) and its event stream."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .model import Clock, Element, User, iso
from .stix import to_stix
from .store import Store

# The names under which the history speaks of fields.
_FIELD_LABELS = {
    "objects": "Contains", "objectMarking": "Markings", "objectLabel": "Label",
    "createdBy": "Author", "name": "Name", "description": "Description", "content": "Content",
    "confidence": "Confidence level", "published": "Publication date",
}  # fmt: skip
# Raw values, each with its readable text where it has one of its own.
Values = Sequence[tuple[str, str | None]]

_SILENT = {"creator_id", "standard_id", "x_opencti_stix_ids"}


@dataclass
class Change:
    """One field of one element: what came and what went, as raw value and as readable text."""

    field: str
    added: Values = ()
    removed: Values = ()

    def as_json(self, entity_type: str) -> dict[str, Any]:
        def values(pairs: Values) -> list[dict[str, str]]:
            return [
                {"raw": raw}
                if text is None
                else {"raw": raw, "translated": json.dumps({raw: text}, separators=(",", ":"))}
                for raw, text in pairs
            ]

        return {
            "field": f"{entity_type}--{self.field}",
            "changes_added": values(self.added),
            "changes_removed": values(self.removed),
        }


class Events:
    """History and stream of the main store, and those who listen to changes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.logs: list[dict[str, Any]] = []
        self.stream: list[dict[str, Any]] = []
        self.news = threading.Condition()
        self.listeners: list[Callable[[str, Element, User], None]] = []

    def created(
        self, store: Store, element: Element, user: User, applicant: str | None = None
    ) -> None:
        label = store.label_of(element)
        if element.is_relationship:
            message = f"creates the relation {element.entity_type} {_ends(store, element)}"
        else:
            message = f"creates a {element.entity_type} `{label}`"
        event = self._publish("create", message, to_stix(store, element), user, None, applicant)
        self._log(event, store, "create", element, user, message, [])
        self._tell("create", element, user)

    def deleted(
        self, store: Store, element: Element, user: User, applicant: str | None = None
    ) -> None:
        """Publish a deletion; call it while the element is still in the store."""
        if element.is_relationship:
            message = f"deletes the relation {element.entity_type} {_ends(store, element)}"
        else:
            message = f"deletes a {element.entity_type} `{store.label_of(element)}`"
        event = self._publish("delete", message, to_stix(store, element), user, None, applicant)
        self._log(event, store, "delete", element, user, message, [])

    def updated(
        self,
        store: Store,
        element: Element,
        user: User,
        before: dict[str, Any],
        changes: list[Change],
        applicant: str | None = None,
    ) -> None:
        after = to_stix(store, element)
        context = {
            "patch": json_patch(before, after),
            "reverse_patch": json_patch(after, before),
            "related_restrictions": {"markings": list(element.refs.get("objectMarking", []))},
            "pir_ids": [],
            "changes": [each.as_json(element.entity_type) for each in changes],
        }
        text = f"Update {len(changes)} elements"
        event = self._publish("update", text, after, user, context, applicant)
        told = [each for each in changes if each.field not in _SILENT]
        message = ", ".join(_sentence(each) for each in told)
        self._log(event, store, "update", element, user, message, told)
        self._tell("update", element, user)

    def _tell(self, what: str, element: Element, user: User) -> None:
        for listener in self.listeners:
            listener(what, element, user)

    def _publish(
        self,
        kind: str,
        message: str,
        data: dict[str, Any],
        user: User,
        context: dict[str, Any] | None,
        applicant: str | None,
    ) -> str:
        """Put an event on the stream; return its id, which the history has as well (f1)."""
        event_id = f"{self._clock.milliseconds()}-0"
        payload: dict[str, Any] = {
            "version": "4",
            "type": kind,
            "scope": "external",
            "message": message,
            "origin": {
                "socket": "query",
                "ip": "127.0.0.1",
                "user_id": user.id,
                "group_ids": [],
                "organization_ids": [],
                "user_metadata": {"ip": "127.0.0.1"},
                # For whom a worker, or another token with the right to, acts (06).
                **({"applicant_id": applicant} if applicant else {}),
            },
            "data": copy.deepcopy(data),
        }
        if context is not None:
            payload["context"] = context
        payload["event_id"] = event_id
        with self.news:
            self.stream.append({"id": event_id, "event": kind, "data": payload})
            self.news.notify_all()
        return event_id

    def _log(
        self,
        event_id: str,
        store: Store,
        scope: str,
        element: Element,
        user: User,
        message: str,
        changes: list[Change],
    ) -> None:
        moment = int(event_id.split("-")[0])
        self.logs.append(
            {
                "id": event_id,
                "entity_type": "History",
                "event_type": "mutation",
                "event_scope": scope,
                "event_status": "success",
                "timestamp": iso(moment),
                "user_id": user.id,
                "user": user,
                "context_uri": f"/dashboard/id/{element.id}",
                "context_data": {
                    "entity_id": element.id,
                    "entity_name": store.label_of(element),
                    "entity_type": element.entity_type,
                    "from_id": element.from_id,
                    "to_id": element.to_id,
                    "message": message,
                    "commit": None,
                    "changes": [
                        {
                            "field": _FIELD_LABELS.get(each.field, each.field),
                            "changes_added": [text or raw for raw, text in each.added],
                            "changes_removed": [text or raw for raw, text in each.removed],
                        }
                        for each in changes
                    ],
                },
            }
        )


def json_patch(before: Any, after: Any, path: str = "") -> list[dict[str, Any]]:
    """Return the JSON patch from one document to another, lists compared by position.

    Positional as on the platform: where one of many refs goes, all after it are replaced.
    """
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        steps = []
        for key in before:
            here = f"{path}/{key}"
            if key not in after:
                steps.append({"op": "remove", "path": here})
            else:
                steps += json_patch(before[key], after[key], here)
        steps += [
            {"op": "add", "path": f"{path}/{key}", "value": after[key]}
            for key in after
            if key not in before
        ]
        return steps
    if isinstance(before, list) and isinstance(after, list):
        common = min(len(before), len(after))
        steps = [
            {"op": "remove", "path": f"{path}/{index}"}
            for index in range(len(before) - 1, common - 1, -1)
        ]
        for index in range(common - 1, -1, -1):
            steps += json_patch(before[index], after[index], f"{path}/{index}")
        return steps + [
            {"op": "add", "path": f"{path}/{index}", "value": after[index]}
            for index in range(common, len(after))
        ]
    return [{"op": "replace", "path": path, "value": after}]


def _sentence(change: Change) -> str:
    label = _FIELD_LABELS.get(change.field, change.field)
    added = ", ".join(text or raw for raw, text in change.added)
    removed = ", ".join(text or raw for raw, text in change.removed)
    if added and removed:
        return f"replaces `{removed}` by `{added}` in `{label}`"
    return f"adds `{added}` in `{label}`" if added else f"removes `{removed}` in `{label}`"


def _ends(store: Store, element: Element) -> str:
    source, target = store.find(element.from_id), store.find(element.to_id)
    assert source is not None
    assert target is not None
    return (
        f"from `{store.label_of(source)}` ({source.entity_type}) "
        f"to `{store.label_of(target)}` ({target.entity_type})"
    )
