"""A person at the interface: creates and edits, with their own rights and under their name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .model import Element, User
from .mutations import CoreObjectEdit
from .request import Request
from .uploads import Upload

if TYPE_CHECKING:
    from .platform import OpenCTIDouble


class Person:
    """A user's edits. Objects may be given themselves or by any of their ids."""

    def __init__(self, platform: OpenCTIDouble, user: User) -> None:
        self._platform = platform
        self.user = user

    def remove_ref(self, container: Element | str, target: Element | str) -> None:
        """Take an object out of a container, as the cross in the interface's list does."""
        with self._edit(container) as edit:
            edit.relationDelete(toId=self._id(target), relationship_type="object")

    def add_ref(self, container: Element | str, target: Element | str) -> None:
        """Put an object into a container."""
        given = {"toId": self._id(target), "relationship_type": "object"}
        with self._edit(container) as edit:
            edit.relationAdd(input=given)

    def add_label(self, element: Element | str, label: Element | str) -> None:
        with self._edit(element) as edit:
            edit.relationAdd(input={"toId": self._id(label), "relationship_type": "object-label"})

    def set(self, element: Element | str, key: str, value: object) -> None:
        """Set one attribute of an object."""
        values = value if isinstance(value, list) else [value]
        with self._edit(element) as edit:
            edit.fieldPatch(input=[{"key": key, "value": values}])

    def set_status(self, element: Element | str, name: str) -> None:
        """Move an object on in its workflow."""
        self.set(element, "x_opencti_workflow_id", self._platform.status(name))

    def remove_label(self, element: Element | str, label: Element | str) -> None:
        with self._edit(element) as edit:
            edit.relationDelete(toId=self._id(label), relationship_type="object-label")

    def say(self, opinion: str, *about: Element | str, explanation: str | None = None) -> Element:
        """Give an opinion, such as ``strongly-disagree``, on objects."""
        return self._platform.create(
            "Opinion", self.user.name, opinion=opinion, explanation=explanation,
            objects=[self._id(each) for each in about], confidence=100,
        )  # fmt: skip

    def note(self, content: str, *about: Element | str) -> Element:
        """Write a note on objects."""
        return self._platform.create(
            "Note", self.user.name, content=content, attribute_abstract="From an analyst",
            objects=[self._id(each) for each in about], confidence=100,
        )  # fmt: skip

    def rename(self, element: Element | str, name: str) -> None:
        """Rename an object. A report's standard id changes with its name."""
        self.set(element, "name", name)

    def set_markings(self, element: Element | str, markings: list[str]) -> None:
        """Put these markings, given as ``TLP:GREEN``, in the place of the present ones."""
        ids = [self._platform.marking(each).id for each in markings]
        with self._edit(element) as edit:
            edit.fieldPatch(input=[{"key": "objectMarking", "value": ids}])

    def upload(
        self, element: Element | str, name: str, data: bytes, mime_type: str = "text/plain",
        markings: list[str] | None = None,
    ) -> None:  # fmt: skip
        """Attach a file by hand."""
        ids = [self._platform.marking(each).id for each in markings or []]
        with self._edit(element) as edit:
            edit.importPush(file=Upload(name, data, mime_type), fileMarkings=ids)

    def delete_file(self, element: Element | str, name: str) -> None:
        with self._platform.lock:
            self._platform.element(element).files.pop(name)

    def delete(self, element: Element | str) -> None:
        """Delete an object: a note, a relationship, a whole report."""
        with self._edit(element) as edit:
            edit.delete()

    delete_note = delete
    delete_relationship = delete

    def ask_enrichment(
        self, element: Element | str, connector_id: str, draft_id: str | None = None
    ) -> str:
        """Click on enrich; return the work's id."""
        with self._edit(element, draft_id) as edit:
            return edit.askEnrichment(connectorId=connector_id).id

    @contextlib.contextmanager
    def _edit(
        self, element: Element | str, draft_id: str | None = None
    ) -> Iterator[CoreObjectEdit]:
        platform = self._platform
        with platform.lock:
            request = Request(platform, platform.store_of(draft_id), self.user, draft_id)
            yield CoreObjectEdit(request, self._id(element))

    @staticmethod
    def _id(element: Element | str) -> str:
        return element.id if isinstance(element, Element) else element
