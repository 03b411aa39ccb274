"""What the double stores, and MISP's rules for storing it."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

TEXT_COLUMN = 65_535
Element = dict[str, Any]


@dataclass
class User:
    """A user with a key; what a role may do in MISP."""

    id: int
    email: str
    key: str
    org: str = "1"
    key_id: str = "7"
    role: str = "user"
    rights: dict[str, bool] = field(
        default_factory=lambda: {
            "perm_add": True,
            "perm_modify": True,
            "perm_tagger": True,
            "perm_tag_editor": False,
            "perm_audit": True,
            "perm_sighting": True,
            "perm_analyst_data": True,
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
    """Events, tags, clusters, taxonomies, analyst data and the audit log.

    Attributes
    ----------
    ahead : int
        By how many seconds MISP's clock is ahead of the real one; ``pass_time`` moves it on.
    zone : tzinfo
        In which it writes the times of the audit log and of analyst data, without saying so.
    """

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self.ahead = 0
        self.zone = UTC
        self.via = threading.local()
        self.orgs = {
            "1": {"id": "1", "name": "OURS", "uuid": "0a000000-0000-4000-8000-000000000001"},
            "2": {"id": "2", "name": "OTHERS", "uuid": "0a000000-0000-4000-8000-000000000002"},
        }
        self.events: dict[str, Element] = {}
        self.clusters: list[Cluster] = []
        self.taxonomies: dict[str, list[str]] = {}
        self.enabled: set[str] = set()
        self.free_tags: set[str] = set()
        self.audit: list[Element] = []
        self.sightings: list[Element] = []
        self.analyst_data: dict[str, list[Element]] = {"Opinion": [], "Note": []}

    def now(self) -> int:
        return int(time.time()) + self.ahead

    def pass_time(self, seconds: int) -> None:
        self.ahead += seconds

    def written_now(self) -> str:
        return datetime.fromtimestamp(self.now(), self.zone).strftime("%Y-%m-%d %H:%M:%S")

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
        org = self.orgs[str(values.get("orgc_id", "1"))]
        event = {
            "id": self.number(),
            "uuid": values.get("uuid") or str(uuid.uuid4()),
            "info": values.get("info", ""),
            "published": False,
            "publish_timestamp": "0",
            "sighting_timestamp": "0",
            "analysis": str(values.get("analysis", "0")),
            "distribution": str(values.get("distribution", "1")),
            "timestamp": str(self.now()),
            "orgc_id": org["id"],
            "Orgc": org,
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
            "timestamp": str(self.now()),
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
            "timestamp": str(self.now()),
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
        report = {
            "id": self.number(),
            "event_id": event["id"],
            "deleted": False,
            "uuid": str(uuid.uuid4()),
            "timestamp": str(self.now()),
            **values,
        }
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
            action = "galaxy" if name.startswith("misp-galaxy:") else "tag"
            self.log(event, element, action + "_local" * local, title(name), user)
            if not local:
                self.touch(event, element)
        return True

    def detach(self, event: Element, element: Element, name: str, user: User) -> None:
        gone = [tag for tag in element["Tag"] if tag["name"] == name]
        element["Tag"] = [tag for tag in element["Tag"] if tag["name"] != name]
        for tag in gone:
            kind = "galaxy" if name.startswith("misp-galaxy:") else "tag"
            action = f"remove_{'local_' * tag['local']}{kind}"
            self.log(event, element, action, title(name), user)
            if not tag["local"]:  # removing a local tag does not bump the event
                self.touch(event, element)

    def delete(self, element: Element, user: User, *, hard: bool = False) -> None:
        event, _ = self.element(element["uuid"])
        for inner in element.get("Attribute", ()):
            inner["deleted"] = True
            self.touch(event, inner)
        element["deleted"] = True
        model = "Object" if "Attribute" in element else "Attribute"
        self.log(event, element, "delete" if hard else "soft_delete", "", user, model)
        self.touch(event, element)
        if hard:
            for kind in ("Attribute", "Object", "EventReport"):
                event[kind] = [each for each in event[kind] if each is not element]
            for one in event["Object"]:
                one["Attribute"] = [a for a in one["Attribute"] if a is not element]

    def publish(self, event: Element) -> None:
        """Publishing leaves the event's own time as it was."""
        event["published"] = True
        event["publish_timestamp"] = str(self.now())

    def sight(self, attribute: Element, kind: str, user: User, at: int | None = None) -> Element:
        """Sightings leave the event's time as it was."""
        event, _ = self.element(attribute["uuid"])
        sighting = {
            "id": self.number(), "uuid": str(uuid.uuid4()), "type": kind, "source": "",
            "attribute_id": attribute["id"], "attribute_uuid": attribute["uuid"],
            "event_id": event["id"], "org_id": user.org, "date_sighting": str(at or self.now()),
        }  # fmt: skip
        self.sightings.append(sighting)
        return sighting

    def say(self, kind: str, element: Element, values: Element, user: User) -> Element:
        """Analyst data leaves the event's time as it was, too. It may answer other such data."""
        models = {each: rows for each, rows in self.analyst_data.items() if element in rows}
        if not models:
            event, _ = self.element(element["uuid"])
            models = {name: event[name] for name in ("Object", "EventReport")} | {"Event": [event]}
        model = next((name for name, some in models.items() if element in some), "Attribute")
        row = {
            "id": self.number(), "uuid": str(uuid.uuid4()), "object_uuid": element["uuid"],
            "object_type": model, "authors": user.email, "created": self.written_now(),
            "modified": self.written_now(), "orgc_uuid": self.orgs[user.org]["uuid"], **values,
        }  # fmt: skip
        self.analyst_data[kind].append(row)
        return row

    def log(
        self,
        event: Element,
        element: Element,
        action: str,
        name: str,
        user: User,
        model: str | None = None,
    ) -> None:
        if model is None:
            model = "Event" if element is event else "Attribute"
        api = getattr(self.via, "api", False)
        self.audit.append({
            "id": self.number(), "action": action, "model": model, "model_id": element["id"],
            "model_title": name, "event_id": event["id"], "user_id": str(user.id),
            "org_id": user.org, "email": user.email, "authkey_id": user.key_id if api else "0",
            "request_type": "1" if api else "0", "created": self.written_now(),
        })  # fmt: skip

    def touch(self, event: Element, element: Element | None = None) -> None:
        """An edit sets the time, in whole seconds, and the event is no longer published."""
        event["timestamp"] = str(self.now())
        event["published"] = False
        if element is not None and element is not event:
            element["timestamp"] = str(self.now())


def title(name: str) -> str:
    """What the audit log calls a tag: a galaxy's is its cluster's value."""
    return name.split('"')[1] if name.startswith("misp-galaxy:") else name
