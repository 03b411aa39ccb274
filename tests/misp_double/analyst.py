"""Edits as a person makes them in the interface."""

from __future__ import annotations

from .model import Element, Store, User


class Analyst:
    """One user in the interface of the double."""

    def __init__(self, store: Store, user: User) -> None:
        self._store = store
        self.user = user

    def tag(self, element: Element, name: str, *, local: bool = False) -> None:
        event, _ = self._store.element(element["uuid"])
        assert self._store.attach(event, element, name, local, self.user)

    def remove_tag(self, element: Element, name: str) -> None:
        event, _ = self._store.element(element["uuid"])
        assert name in [tag["name"] for tag in element["Tag"]]
        self._store.detach(event, element, name, self.user)

    def replace_tag(self, element: Element, old: str, new: str) -> None:
        self.remove_tag(element, old)
        self.tag(element, new)

    def delete(self, element: Element, *, hard: bool = False) -> None:
        self._store.delete(element, self.user, hard=hard)

    def restore(self, element: Element) -> None:
        event, _ = self._store.element(element["uuid"])
        for each in (element, *element.get("Attribute", ())):
            each["deleted"] = False
            self._store.touch(event, each)

    def edit(self, element: Element, **values: str) -> None:
        event, _ = self._store.element(element["uuid"])
        element.update(values)
        self._store.touch(event, element)

    def publish(self, event: Element) -> None:
        self._store.publish(event)

    def sighting(self, attribute: Element, kind: str = "1", at: int | None = None) -> Element:
        return self._store.sight(attribute, kind, self.user, at)

    def opinion(self, element: Element, value: int, comment: str = "") -> Element:
        values = {"opinion": str(value), "comment": comment}
        return self._store.say("Opinion", element, values, self.user)

    def note(self, element: Element, text: str) -> Element:
        return self._store.say("Note", element, {"note": text}, self.user)

    def say_again(self, row: Element, **values: str) -> None:
        """Change an opinion or a note."""
        row.update(values, modified=self._store.written_now())

    def take_back(self, row: Element) -> None:
        """Delete a sighting, an opinion or a note: MISP keeps nothing of it."""
        for rows in (self._store.sightings, *self._store.analyst_data.values()):
            rows[:] = [each for each in rows if each is not row]
