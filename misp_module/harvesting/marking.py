"""The tag that shows analysts which events to look at, put on and taken off only by us."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from misp_module.asking import InstanceError, asked
from misp_module.records import PLATFORM
from misp_module.snapshot import tag_names

if TYPE_CHECKING:
    from engine.ledger import Ledger
    from misp_module.instance import Instance

_CURSOR: Final = "marked"


class Marker:
    """Marks events.

    Parameters
    ----------
    instance : Instance
    ledger : Ledger
        Remembers which events bear the tag because of us.
    tag : str
        Put on as a local tag: it stays on this instance, and the event's time as it is.
    """

    def __init__(self, instance: Instance, ledger: Ledger, tag: str) -> None:
        self._instance = instance
        self._ledger = ledger
        self._tag = tag

    def mark(self, reports: Sequence[str]) -> dict[str, str]:
        """Mark exactly these events.

        Returns
        -------
        mapping from report to str
            What was done, or why not.
        """
        ours = self._marked()
        numbers = sorted({*reports, *ours}, key=int)
        events = {str(event["id"]): event for event in self._events(numbers)}
        told = {}
        for report in numbers:
            event = events.get(report)
            if event is None:
                told[report] = "gone, or the key may not see it"
                self._forget(report, ours)
            elif report in reports:
                told[report] = self._put_on(event, ours)
            else:
                told[report] = self._take_off(event, ours)
        return told

    def _events(self, numbers: Sequence[str]) -> list[Mapping[str, Any]]:
        if not numbers:
            return []
        found = self._instance.search("events", eventid=list(numbers), metadata=True)
        return [entry["Event"] for entry in found]

    def _put_on(self, event: Mapping[str, Any], ours: dict[str, str]) -> str:
        report, uuid = str(event["id"]), str(event["uuid"])
        if self._tag in tag_names(event):
            return "marked already" if report in ours else "an analyst has marked it"
        # First, as a crash between the two must not leave a mark that nobody takes off.
        self._remember(report, uuid, ours)
        try:
            answer = asked(lambda: self._instance.misp.tag(uuid, self._tag, local=True))
            refused = isinstance(answer, Mapping) and answer.get("saved") is False
            why = str(answer.get("errors")) if refused else ""
        except InstanceError as error:
            why = str(error)
        if why:
            self._forget(report, ours)
            return f"not marked: {why} Does the tag {self._tag} exist, and may the key tag?"
        return "marked"

    def _take_off(self, event: Mapping[str, Any], ours: dict[str, str]) -> str:
        report = str(event["id"])
        if self._tag in tag_names(event):
            try:
                asked(lambda: self._instance.misp.untag(str(event["uuid"]), self._tag))
            except InstanceError as error:
                return f"still marked: {error}"
        self._forget(report, ours)
        return "no longer marked"

    def _marked(self) -> dict[str, str]:
        """Return the uuids of the events that we marked, by number."""
        kept: dict[str, dict[str, str]] = json.loads(self._ledger.cursor(PLATFORM, _CURSOR) or "{}")
        return kept.get(self._tag, {})

    def _remember(self, report: str, uuid: str, ours: dict[str, str]) -> None:
        ours[report] = uuid
        self._keep(ours)

    def _forget(self, report: str, ours: dict[str, str]) -> None:
        if ours.pop(report, None) is not None:
            self._keep(ours)

    def _keep(self, ours: Mapping[str, str]) -> None:
        kept = json.loads(self._ledger.cursor(PLATFORM, _CURSOR) or "{}")
        self._ledger.set_cursor(PLATFORM, _CURSOR, json.dumps({**kept, self._tag: dict(ours)}))
