"""What the double stores, and MISP's rules for storing it."""

from __future__ import annotations

import itertools
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

TEXT_COLUMN = 65_535
Element = dict[str, Any]


@dataclass
class User:
    """A user with a key; what a role may do in MISP."""

    id: int
    email: str
    key: str
    role: str = "user"
    rights: dict[str, bool] = field(
        default_factory=lambda: {
            "perm_add": True,
            "perm_modify": True,
            "perm_tagger": True,
            "perm_tag_editor": False,
            "perm_audit": True,
            "perm_sighting": True,
        }
    )

    def may(self, right: str) -> bool:
        return self.rights.get(right, False)


@dataclass(frozen=True)
class Cluster:
    galaxy: str
    value: str
    external_id: str

    @property
    def tag(self) -> str:
        return f'misp-galaxy:{self.galaxy}="{self.value}"'


class RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Store:
    """Events, tags, clusters, taxonomies and the audit log."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self.events: dict[str, Element] = {}
        self.clusters: list[Cluster] = []
        self.taxonomies: dict[str, list[str]] = {}
        self.enabled: set[str] = set()
        self.free_tags: set[str] = set()
        self.audit: list[Element] = []

    def number(self) -> str:
        return str(next(self._ids))

    def known_tags(self) -> set[str]:
        tags = {cluster.tag for cluster in self.clusters} | self.free_tags
        return tags.union(*(self.taxonomies[namespace] for namespace in self.enabled))

    def event(self, reference: str) -> Element:
        for event in self.events.values():
            if reference in (event["id"], event["uuid"]):
                return event
        raise RefusedError(404, "Invalid event")

    def element(self, reference: str) -> tuple[Element, Element]:
        """Find an event, attribute, object or report by id or uuid, and the event it is in."""
        for event in self.events.values():
            if reference in (event["uuid"], event["id"]):
                return event, event
            for element in self.elements(event):
                if reference in (element.get("uuid"), element.get("id")):
                    return event, element
        raise RefusedError(404, "Invalid element")

    def elements(self, event: Element) -> list[Element]:
        inner = [a for element in event["Object"] for a in element["Attribute"]]
        return [*event["Attribute"], *event["Object"], *inner, *event["EventReport"]]

    def attributes(self, event: Element) -> list[Element]:
        return [*event["Attribute"], *(a for o in event["Object"] for a in o["Attribute"])]

    def add_event(self, values: Element) -> Element:
        event = {
            "id": self.number(),
            "uuid": values.get("uuid") or str(uuid.uuid4()),
            "info": values.get("info", ""),
            "published": False,
            "analysis": str(values.get("analysis", "0")),
            "distribution": str(values.get("distribution", "1")),
            "timestamp": str(int(time.time())),
            "Attribute": [],
            "Object": [],
            "EventReport": [],
            "Tag": [],
            "Galaxy": [],
        }
        self.events[event["id"]] = event
        return event

    def add_attribute(
        self, event: Element, values: Element, user: User
    ) -> tuple[Element, list[str]]:
        """Store an attribute; unknown tags are left out, and returned."""
        value = str(values["value"]).encode()[:TEXT_COLUMN].decode(errors="ignore")
        attribute = {
            **{key: item for key, item in values.items() if key not in ("Tag", "Galaxy")},
            "id": self.number(),
            "event_id": event["id"],
            "uuid": values.get("uuid") or str(uuid.uuid4()),
            "value": value,
            "deleted": False,
            "timestamp": str(int(time.time())),
            "Tag": [],
        }
        dropped = [
            tag["name"]
            for tag in values.get("Tag") or ()
            if not self.attach(event, attribute, tag["name"], bool(tag.get("local")), user)
        ]
        return attribute, dropped

    def add_object(self, event: Element, values: Element, user: User) -> tuple[Element, list[str]]:
        element = {
            **{key: item for key, item in values.items() if key != "Attribute"},
            "id": self.number(),
            "event_id": event["id"],
            "uuid": values.get("uuid") or str(uuid.uuid4()),
            "deleted": False,
            "Attribute": [],
        }
        dropped = []
        for inner in values.get("Attribute") or ():
            attribute, lost = self.add_attribute(event, inner, user)
            element["Attribute"].append({**attribute, "object_id": element["id"]})
            dropped += lost
        event["Object"].append(element)
        self.touch(event)
        return element, dropped

    def add_report(self, event: Element, values: Element) -> Element:
        if not values.get("name"):
            raise RefusedError(403, "Could not save the event report: no name")
        report = {"id": self.number(), "deleted": False, "uuid": str(uuid.uuid4()), **values}
        event["EventReport"].append(report)
        self.touch(event)
        return report

    def attach(self, event: Element, element: Element, name: str, local: bool, user: User) -> bool:
        """Tag something, if the tag exists or the user may create it."""
        if not user.may("perm_tagger"):
            return False
        if name not in self.known_tags():
            if not user.may("perm_tag_editor"):
                return False
            self.free_tags.add(name)
        if all(tag["name"] != name for tag in element["Tag"]):
            element["Tag"].append({"id": self.number(), "name": name, "local": local})
            if not local:
                self.touch(event)
        return True

    def detach(self, event: Element, element: Element, name: str, user: User) -> None:
        gone = [tag for tag in element["Tag"] if tag["name"] == name]
        element["Tag"] = [tag for tag in element["Tag"] if tag["name"] != name]
        for tag in gone:
            galaxy = name.startswith("misp-galaxy:")
            kind = ("local_" if tag["local"] else "") + ("galaxy" if galaxy else "tag")
            self.log(event, f"remove_{kind}", name.split('"')[1] if galaxy else name, user)
            if not tag["local"]:  # removing a local tag does not bump the event
                self.touch(event)

    def log(self, event: Element, action: str, title: str, user: User) -> None:
        self.audit.append({
            "id": self.number(), "action": action, "model_title": title, "event_id": event["id"],
            "user_id": str(user.id), "authkey_id": "0", "created": str(int(time.time())),
        })  # fmt: skip

    @staticmethod
    def touch(event: Element) -> None:
        event["timestamp"] = str(max(int(time.time()), int(event["timestamp"]) + 1))
