"""The review label: on reports whose verdicts would teach most, and only where we put it.

What is written down in the ledger before each step tells our label from an analyst's own. Where
an analyst took ours off, it is not put back while the report stays in the queue.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from connector.errors import Refused
from connector.memory import PLATFORM
from connector.platform import Platform
from connector.report import nodes
from engine.ledger import Ledger

CURSOR = "review labels"
# "begun" is between writing down and doing: whether the label got there is not known.
BEGUN, OURS, DECLINED = "begun", "ours", "declined"


class Marks:
    """The review labels on one platform.

    Parameters
    ----------
    platform : Platform
    ledger : Ledger
        Remembers where the label is ours.
    label : str
    """

    def __init__(self, platform: Platform, ledger: Ledger, label: str) -> None:
        self._platform = platform
        self._ledger = ledger
        self._label = label
        self._state: dict[str, str] = json.loads(ledger.cursor(PLATFORM, CURSOR) or "{}")

    def put(self, reports: Sequence[str]) -> dict[str, str]:
        """Mark exactly these; return what was done with each, or why not.

        Raises
        ------
        Unavailable
            If OpenCTI cannot be reached; what was done until then is remembered.
        """
        done = {}
        for report in sorted(self._state.keys() - set(reports)):
            done[report] = self._take_off(report)
        for report in dict.fromkeys(reports):
            done[report] = self._put_on(report)
        return done

    def _put_on(self, report: str) -> str:
        before = self._state.get(report)
        labels = self._labels(report)
        if labels is None:
            self._remember(report, None)
            return "gone, or not to be seen by the connector's user"
        if self._label.casefold() in labels:
            if before == BEGUN:
                self._remember(report, OURS)
            return "marked already" if before else "marked already, by somebody else"
        if before in (OURS, DECLINED):
            self._remember(report, DECLINED)
            return "not marked: an analyst took the label off"
        self._remember(report, BEGUN)
        try:
            self._platform.ask(
                "labelling a report",
                lambda: self._platform.api.stix_domain_object.add_label(
                    id=report, label_name=self._label
                ),
            )
        except Refused as error:
            self._remember(report, None)
            return f"not marked: {error}"
        self._remember(report, OURS)
        return "marked"

    def _take_off(self, report: str) -> str:
        before = self._state[report]
        labels = self._labels(report)
        if labels is None or before == DECLINED or self._label.casefold() not in labels:
            self._remember(report, None)
            return "gone" if labels is None else "no longer to be marked"
        try:
            self._platform.ask(
                "taking a label off",
                lambda: self._platform.api.stix_domain_object.remove_label(
                    id=report, label_name=self._label
                ),
            )
        except Refused as error:
            return f"still marked: {error}"
        self._remember(report, None)
        return "mark taken off"

    def _labels(self, report: str) -> set[str] | None:
        node: dict[str, Any] | None = self._platform.ask(
            "looking at a report's labels",
            lambda: self._platform.api.stix_domain_object.read(
                id=report, customAttributes="id objectLabel { id value }"
            ),
        )
        if node is None:
            return None
        return {str(each["value"]).casefold() for each in nodes(node.get("objectLabel"))}

    def _remember(self, report: str, state: str | None) -> None:
        if self._state.get(report) == state:
            return
        if state is None:
            del self._state[report]
        else:
            self._state[report] = state
        self._ledger.set_cursor(PLATFORM, CURSOR, json.dumps(self._state, sort_keys=True))
