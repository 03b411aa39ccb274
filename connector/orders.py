"""Enrichments that nobody asked for by the queue: one report by its id, or all of a time."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from connector.connector import Connector, Outcome
from connector.errors import ConnectorError, OutOfScope
from connector.kinds import KINDS
from connector.platform import Platform

PAGE = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """A report in a list."""

    id: str
    entity_type: str
    name: str


def find(platform: Platform, any_id: str) -> Listed:
    """Return the object of an id.

    Raises
    ------
    OutOfScope
        If there is none, or it is of no type that can be enriched.
    """
    node = platform.ask(
        "looking for the report",
        lambda: platform.api.stix_domain_object.read(
            id=any_id, customAttributes="id standard_id entity_type"
        ),
    )
    if node is None or node["entity_type"] not in KINDS:
        raise OutOfScope(
            f"There is no report '{any_id}' in OpenCTI that this connector's user may see. "
            "Its id stands in the address of its page."
        )
    return Listed(node["id"], node["entity_type"], any_id)


def enrich(connector: Connector, report: Listed) -> Outcome:
    """Enrich one report now."""
    claim = connector.journal.take(
        f"enrich-{uuid.uuid4()}", _body(report, "enrich"), report=report.id
    )
    if claim is None:
        raise ConnectorError("Another process works on this report. Try again in a minute.")
    return connector.process(claim)


def enrich_once(connector: Connector, report: Listed, series: str) -> Outcome | None:
    """Enrich a report of a series; None where the series had it before.

    A series that is interrupted goes on where it was: the journal knows what is done.
    """
    claim = connector.journal.take(
        f"{series}/{report.id}", _body(report, "backfill"), report=report.id
    )
    return None if claim is None else connector.process(claim)


def reports(
    platform: Platform, entity_type: str, since: str, label: str | None
) -> Iterator[Listed]:
    """Yield the reports that came into OpenCTI since a time, oldest first.

    Parameters
    ----------
    platform : Platform
    entity_type : str
    since : str
        ISO time; by the time of their creation in OpenCTI.
    label : str, optional
        Only those that carry it.
    """
    filters = [{"key": "created_at", "values": [since], "operator": "gte"}]
    if label is not None:
        filters.append({"key": "objectLabel", "values": [_label_id(platform, label)]})
    group = {"mode": "and", "filters": filters, "filterGroups": []}
    kind = getattr(platform.api, entity_type.lower().replace("-", "_"))
    identity = KINDS[entity_type].identity
    name = next(each for each in ("name", "result_name", "attribute_abstract") if each in identity)
    after = None
    while True:
        page = platform.ask(
            "listing reports",
            lambda after=after: kind.list(  # type: ignore[misc]
                filters=group,
                first=PAGE,
                after=after,
                orderBy="created_at",
                orderMode="asc",
                withPagination=True,
                customAttributes=f"id standard_id entity_type created_at {name}",
            ),
        )
        for node in page["entities"]:
            yield Listed(node["id"], entity_type, str(node.get(name) or node["id"]))
        if not page["pagination"]["hasNextPage"]:
            return
        after = page["pagination"]["endCursor"]


def _label_id(platform: Platform, label: str) -> str:
    group = {
        "mode": "and",
        "filters": [{"key": "value", "values": [label]}],
        "filterGroups": [],
    }
    found = platform.ask(
        "looking for the label",
        lambda: platform.api.label.list(filters=group, customAttributes="id entity_type value"),
    )
    for node in found:
        if str(node["value"]).casefold() == label.casefold():
            return str(node["id"])
    raise ConnectorError(f"OpenCTI has no label '{label}'.")


def _body(report: Listed, mode: str) -> str:
    """Return a message such as the platform's, that opens its own work."""
    message = {
        "internal": {
            "work_id": None,
            "applicant_id": None,
            "draft_id": None,
            "mode": mode,
            "start_work": f"ttpscribe {mode}: {report.name}"[:200],
        },
        "event": {
            "event_type": "INTERNAL_ENRICHMENT",
            "entity_id": report.id,
            "entity_type": report.entity_type,
        },
    }
    return json.dumps(message)
