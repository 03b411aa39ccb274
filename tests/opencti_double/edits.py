"""Edits of one element by one user, with what follows: times, ids, history, stream."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from .errors import functional_error, insufficient_confidence
from .events import Change, Events
from .model import Clock, Element, StoredFile, User
from .stix import to_stix
from .store import Store
from .uploads import Upload


class ElementChange:
    """Collects what changes in one element; nothing is written that is there already."""

    def __init__(self, editor: Editor, element: Element) -> None:
        self._editor = editor
        self._element = element
        self.changes: list[Change] = []

    @property
    def written(self) -> bool:
        """Whether anything but the list of creators changed."""
        return any(each.field != "creator_id" for each in self.changes)

    def add_creator(self) -> None:
        user = self._editor.user
        if user.id not in self._element.creators:
            self._element.creators.append(user.id)
            self.changes.append(Change("creator_id", [(user.id, user.name)]))

    def set(self, key: str, value: Any) -> None:
        present = self._element.get(key)
        if present == value:
            return
        self._element.attributes[key] = value
        self.changes.append(Change(key, _plain(value, present), _plain(present, value)))

    def set_author(self, author: str | None) -> None:
        present = self._element.created_by
        if present == author:
            return
        self._element.created_by = author
        self.changes.append(Change("createdBy", self._named([author]), self._named([present])))

    def add_refs(self, name: str, ids: list[str]) -> None:
        present = self._element.refs.setdefault(name, [])
        new = [each for each in dict.fromkeys(ids) if each not in present]
        if new:
            present += new
            self.changes.append(Change(name, self._named(new)))

    def remove_refs(self, name: str, ids: list[str]) -> None:
        present = self._element.refs.get(name, [])
        gone = [each for each in present if each in ids]
        if gone:
            self._element.refs[name] = [each for each in present if each not in ids]
            self.changes.append(Change(name, [], self._named(gone)))

    def replace_refs(self, name: str, ids: list[str]) -> None:
        present = self._element.refs.get(name, [])
        if set(present) != set(ids):
            self._element.refs[name] = ids
            new = [each for each in ids if each not in present]
            gone = [each for each in present if each not in ids]
            self.changes.append(Change(name, self._named(new), self._named(gone)))

    def add_stix_ids(self, ids: list[str]) -> None:
        known = self._element.all_ids()
        new = [each for each in ids if each not in known]
        if new:
            self._element.stix_ids += new
            self.changes.append(Change("x_opencti_stix_ids", [(each, None) for each in new]))

    def files(self, stored: list[StoredFile]) -> None:
        if stored:
            names = [(each.name, None) for each in stored]
            self.changes.append(Change("x_opencti_files", list(names)))

    def _named(self, ids: Sequence[str | None]) -> list[tuple[str, str | None]]:
        store = self._editor.store
        found = [store.find(each) for each in ids if each is not None]
        return [(each.id, store.label_of(each)) for each in found if each is not None]


def _plain(value: Any, other: Any) -> list[tuple[str, str | None]]:
    if isinstance(value, list):
        return [(str(each), None) for each in value if each not in (other or [])]
    return [] if value is None else [(str(value), None)]


class Editor:
    """A user at work on a store. ``events`` is None in a draft: drafts emit nothing."""

    def __init__(
        self, store: Store, clock: Clock, user: User, events: Events | None, workflow_id: str,
        applicant: str | None = None,
    ) -> None:  # fmt: skip
        self.store = store
        self.clock = clock
        self.user = user
        self.events = events
        self.workflow_id = workflow_id
        self.applicant = applicant

    @contextlib.contextmanager
    def change(self, element: Element) -> Iterator[ElementChange]:
        """Collect the changes to one element; on leaving, times, ids and events follow."""
        before = to_stix(self.store, element)
        former = dict(element.attributes)
        change = ElementChange(self, element)
        yield change
        if not change.changes:
            return
        standard_id = self.store.standard_id(element)
        other = self.store.find(standard_id)
        if other is not None and other.standard_id == standard_id and other is not element:
            element.attributes = former
            raise functional_error(
                "This update will produce a duplicate", id=element.id, existingIds=[other.id]
            )
        if standard_id != element.standard_id:
            # The former id is not kept and stops resolving (k4, c8).
            change.changes.append(
                Change("standard_id", [(standard_id, None)], [(element.standard_id, None)])
            )
            element.standard_id = standard_id
        element.updated_at = element.modified = self.clock.now()
        self.store.reindex(element)
        if self.events is not None:
            self.events.updated(
                self.store, element, self.user, before, change.changes, self.applicant
            )

    def created(self, element: Element) -> None:
        if self.events is not None:
            self.events.created(self.store, element, self.user, self.applicant)

    def check_confidence(self, element: Element) -> None:
        """Refuse an edit by a user whose highest confidence is below the element's (k7)."""
        if element.confidence is not None and self.user.max_confidence < element.confidence:
            raise insufficient_confidence(self.user.id, element.id)

    def delete(self, element: Element) -> str:
        """Delete an element; containers that held it or its relationships change (k10)."""
        self.check_confidence(element)
        if self.events is not None:
            self.events.deleted(self.store, element, self.user, self.applicant)
        for holder in self.store.remove(element):
            holder.updated_at = self.clock.now()
        return element.id

    def store_files(self, element: Element, given: dict[str, Any]) -> list[StoredFile]:
        """Store the uploads of an input; return those that brought something new.

        Files are keyed by name: the same bytes change nothing (g1), other bytes overwrite what
        is there, whoever put it there, together with its markings (g2, g7).
        """
        uploads: list[Upload] = given["files"]
        markings = given.get("filesMarkings") or []
        new = []
        for position, upload in enumerate(uploads):
            ids = markings[position] if position < len(markings) else None
            stored = self.store_file(element, upload, ids or [])
            if stored is not None:
                new.append(stored)
        return new

    def store_file(
        self, element: Element, upload: Upload, markings: list[str], version: str | None = None
    ) -> StoredFile | None:
        """Store one file; None where the same bytes are there already."""
        name = upload.name
        now = self.clock.now()
        found = (self.store.find(each) for each in markings)
        stored = StoredFile(
            id=f"import/{element.entity_type}/{element.id}/{name}",
            name=name,
            data=upload.data,
            mime_type=upload.mime_type,
            version=version or now,
            last_modified=self.clock.now(),
            markings=[each.id for each in found if each is not None],
        )
        present = element.files.get(name)
        if present is not None and present.digest == stored.digest:
            return None
        element.files.pop(name, None)
        element.files[name] = stored
        return stored
