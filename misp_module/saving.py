"""Writes an answer into an event, and leaves alone what an analyst did there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pymisp import MISPEventReport, MISPObject

from engine.knowledge import Knowledge
from misp_module.asking import InstanceError, asked
from misp_module.instance import Instance
from misp_module.reader import attributes
from misp_module.tags import technique_of


class Saver:
    """Writes into events of an instance.

    Parameters
    ----------
    instance : Instance
    knowledge : Knowledge
    """

    def __init__(self, instance: Instance, knowledge: Knowledge) -> None:
        self._misp = instance.misp
        self._knowledge = knowledge

    def save(
        self, event: Mapping[str, Any], results: Mapping[str, Any], unwanted: Collection[str]
    ) -> list[str]:
        """Write an answer into an event; what is there already is left as it is.

        Parameters
        ----------
        event : mapping
            As it is now, with what was deleted in it.
        results : mapping
        unwanted : collection of str
            Techniques that analysts rejected on it.

        Returns
        -------
        list of str
            What was written, and what MISP did not take.
        """
        uuid = str(event["uuid"])
        known = {str(element.get("uuid")) for element in event.get("Object") or ()}
        told = []
        for values in results.get("Object", ()):
            if values["uuid"] not in known and not self._techniques(values) & set(unwanted):
                told += self._add_object(uuid, values)
        there = {str(tag.get("name")) for tag in event.get("Tag") or ()}
        for tag in results.get("Tag", ()):
            name = str(tag["name"])
            if name not in there and technique_of(name, self._knowledge) not in unwanted:
                told.append(self._tag(uuid, name, bool(tag.get("local"))))
        reports = {str(report.get("uuid")) for report in event.get("EventReport") or ()}
        for values in results.get("EventReport", ()):
            if values["uuid"] not in reports:
                report = MISPEventReport()
                report.from_dict(**values)
                asked(lambda report=report: self._misp.add_event_report(uuid, report))  # type: ignore[misc]
                told.append(f"event report '{values['name']}'")
        return told or ["nothing new"]

    def _add_object(self, event: str, values: Mapping[str, Any]) -> list[str]:
        element = MISPObject(values["name"], standalone=False)
        element.from_dict(**values)
        saved = asked(lambda: self._misp.add_object(event, element))["Object"]
        has = {
            a["uuid"]: {t["name"] for t in a.get("Tag") or ()}
            for _, a in attributes({"Object": [saved]})
        }
        told = [f"object {_title(values)}"]
        for attribute in values["Attribute"]:
            dropped = [
                tag
                for tag in attribute.get("Tag") or ()
                if tag["name"] not in has.get(attribute["uuid"], ())
            ]
            told += [
                self._tag(attribute["uuid"], tag["name"], bool(tag.get("local"))) for tag in dropped
            ]
        return told

    def _tag(self, uuid: str, name: str, local: bool) -> str:
        """Attach a tag, and say so or why not: MISP itself would say nothing."""
        try:
            answer = asked(lambda: self._misp.tag(uuid, name, local=local))
        except InstanceError as error:
            return f"no tag {name}: {error}"
        if isinstance(answer, Mapping) and answer.get("saved") is False:
            return f"no tag {name}: MISP answers '{answer.get('errors')}'"
        return f"tag {name}"

    def _techniques(self, element: Mapping[str, Any]) -> set[str]:
        names = (tag["name"] for a in element["Attribute"] for tag in a.get("Tag") or ())
        return {found for name in names if (found := technique_of(name, self._knowledge))}


def _title(element: Mapping[str, Any]) -> str:
    return str(element["Attribute"][0]["value"])
