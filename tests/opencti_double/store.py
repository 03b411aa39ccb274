"""All objects by all their ids."""

from __future__ import annotations

from collections.abc import Iterator

from .kinds import KINDS, relationship_standard_id
from .model import Element


class Store:
    """Objects and relationships, found by internal id, standard id or any STIX id they had."""

    def __init__(self) -> None:
        self._elements: dict[str, Element] = {}
        self._ids: dict[str, str] = {}

    def __iter__(self) -> Iterator[Element]:
        return iter(sorted(self._elements.values(), key=lambda each: each.standard_id))

    def __len__(self) -> int:
        return len(self._elements)

    def find(self, any_id: str | None) -> Element | None:
        """Return the element that has this id, or None."""
        if any_id is None:
            return None
        return self._elements.get(self._ids.get(any_id, ""))

    def of_type(self, *entity_types: str) -> list[Element]:
        """Return the elements of these types or their subtypes, by standard id."""
        return [each for each in self if any(each.is_a(one) for one in entity_types)]

    def add(self, element: Element) -> None:
        element.standard_id = element.standard_id or self.standard_id(element)
        self._elements[element.id] = element
        self.reindex(element)

    def reindex(self, element: Element) -> None:
        """Forget the element's former ids and note its present ones."""
        self._ids = {key: owner for key, owner in self._ids.items() if owner != element.id}
        for each in element.all_ids():
            # Two elements may carry one STIX id (experiment d10): the owner by standard id wins.
            if each not in self._ids or each in (element.id, element.standard_id):
                self._ids[each] = element.id

    def remove(self, element: Element) -> list[Element]:
        """Remove an element, its relationships and every reference to it.

        Returns
        -------
        list of Element
            The containers that lost a reference.
        """
        gone = [element]
        gone += [
            each
            for each in self._elements.values()
            if each.is_relationship and element.id in (each.from_id, each.to_id)
        ]
        for each in gone:
            self._elements.pop(each.id, None)
        self._ids = {key: owner for key, owner in self._ids.items() if owner in self._elements}
        touched = []
        removed = {each.id for each in gone}
        for holder in self._elements.values():
            for name, ids in holder.refs.items():
                kept = [each for each in ids if each not in removed]
                if len(kept) < len(ids):
                    holder.refs[name] = kept
                    touched.append(holder)
        return touched

    def standard_id(self, element: Element) -> str:
        """Compute the id that follows from the element's present attributes."""
        if element.is_relationship:
            source, target = self.find(element.from_id), self.find(element.to_id)
            assert source is not None
            assert target is not None
            return relationship_standard_id(
                element.attributes, source.standard_id, target.standard_id
            )
        return KINDS[element.entity_type].standard_id(element.attributes)

    def label_of(self, element: Element) -> str:
        """Return how the platform names an element in its history and messages."""
        if element.is_relationship:
            return element.entity_type
        for key in ("name", "attribute_abstract", "value", "definition", "phase_name",
                    "source_name", "result_name", "opinion"):  # fmt: skip
            if element.get(key):
                label = str(element.get(key))
                break
        else:
            label = "Unknown"
        if element.entity_type == "Attack-Pattern" and element.get("x_mitre_id"):
            return f"[{element.get('x_mitre_id')}] {label}"
        return label
