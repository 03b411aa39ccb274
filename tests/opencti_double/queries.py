"""The queries: reading single objects and lists, works, connectors, history."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .errors import PlatformError
from .filters import page, select
from .kinds import BY_GRAPHQL
from .model import Element
from .request import Request, connection
from .stix import to_stix
from .vocabularies import CATEGORIES
from .works import Connector

VERSION = "7.260817.0"

# Types of the schema that stand for several types of object.
_ABSTRACT = {
    "Identity": "Identity", "ThreatActor": "Threat-Actor", "StixCoreObject": "Stix-Core-Object",
    "StixDomainObject": "Stix-Domain-Object",
}  # fmt: skip


def entity_type_of(graphql_type: str) -> str:
    """Return OpenCTI's name for a type of the schema."""
    if graphql_type in _ABSTRACT:
        return _ABSTRACT[graphql_type]
    return BY_GRAPHQL[graphql_type].entity_type


def read(request: Request, graphql_type: str, any_id: str) -> Element | None:
    """Return one object by any of its ids; null where it is unknown or of another type."""
    element = request.store.find(any_id)
    if element is None:
        return None
    if graphql_type == "StixCoreRelationship":
        return element if element.is_relationship else None
    return element if element.is_a(entity_type_of(graphql_type)) else None


def listing(request: Request, graphql_type: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return a page of the objects of a type."""
    types = given.get("types") or [entity_type_of(graphql_type)]
    chosen = select(
        request.store, request.store.of_type(*types), given.get("filters"), given.get("search")
    )
    return _paged(chosen, given)


def _paged(elements: list[Any], given: dict[str, Any]) -> dict[str, Any]:
    return page(
        elements,
        given.get("first"),
        given.get("after"),
        given.get("orderBy"),
        given.get("orderMode"),
    )


def relationships(request: Request, given: dict[str, Any]) -> dict[str, Any]:
    """Return a page of relationships, by their ends, types and times."""
    store = request.store

    def ids(key: str) -> set[str] | None:
        if given.get(key) is None:
            return None
        return {each.id for each in map(store.find, given[key]) if each is not None}

    sources, targets, either = ids("fromId"), ids("toId"), ids("fromOrToId")
    types = given.get("relationship_type")
    chosen = []
    for each in store:
        if not each.is_relationship:
            continue
        source, target = store.find(each.from_id), store.find(each.to_id)
        assert source is not None
        assert target is not None
        if (
            (types is None or each.entity_type in types or "stix-core-relationship" in types)
            and (sources is None or source.id in sources)
            and (targets is None or target.id in targets)
            and (either is None or {source.id, target.id} & either)
            and _of_types(source, given.get("fromTypes"))
            and _of_types(target, given.get("toTypes"))
        ):
            chosen.append(each)
    return _paged(select(store, chosen, given.get("filters"), given.get("search")), given)


def _of_types(element: Element, types: list[str] | None) -> bool:
    return not types or any(element.is_a(each) for each in types)


def contains(request: Request, given: dict[str, Any]) -> bool:
    """Tell whether a container refers to an object."""
    container = request.store.find(given["id"])
    element = request.store.find(given["stixObjectOrStixRelationshipId"])
    if container is None or element is None:
        return False
    return element.id in container.refs.get("objects", [])


def me(request: Request, _: dict[str, Any]) -> dict[str, Any]:
    """Describe the user of the token."""
    user = request.user
    assert user is not None
    person = {"__typename": "User", "id": user.id, "name": user.name, "entity_type": "User"}
    return {
        "id": user.id,
        "name": user.name,
        "user_email": f"{user.name}@example.org",
        "entity_type": "User",
        "parent_types": ["Basic-Object", "Internal-Object"],
        "objectOrganization": connection([]),
        "administrated_organizations": [],
        "capabilities": [
            {"id": each, "name": each, "description": each}
            for each in (["BYPASS"] if user.bypass else ["KNOWLEDGE", "CONNECTORAPI"])
        ],
        "capabilitiesInDraft": [],
        "groups": connection([]),
        "effective_confidence_level": {
            "max_confidence": user.max_confidence,
            "overrides": [],
            "source": {"type": "User", "object": person},
        },
    }


def connector_fields(request: Request, connector: Connector | None) -> dict[str, Any] | None:
    """Describe a connector, with the address of RabbitMQ and the names of its queues."""
    if connector is None:
        return None
    broker, given = request.platform.broker, connector.given
    return {
        "id": connector.id,
        "name": connector.name,
        "active": True,
        "auto": given.get("auto"),
        "only_contextual": given.get("only_contextual"),
        "connector_type": given.get("type"),
        "connector_scope": given.get("scope"),
        "connector_state": connector.state,
        "connector_info": connector.info,
        "connector_user_id": connector.user.id,
        "connector_user": {"id": connector.user.id, "name": connector.user.name, "api_tokens": []},
        "connector_queue_details": {"messages_number": 0, "messages_size": 0},
        "jwks": json.dumps({"keys": [_PUBLIC_KEY]}, separators=(",", ":")),
        "built_in": False,
        "created_at": connector.created_at,
        "updated_at": connector.updated_at,
        "config": {
            "connection": {
                "host": broker.host,
                "vhost": broker.vhost,
                "use_ssl": False,
                "port": broker.port,
                "user": broker.user,
                "pass": broker.password,
            },
            "s3": {
                "endpoint": "127.0.0.1",
                "port": 9000,
                "use_ssl": False,
                "bucket_name": "opencti-bucket",
                "bucket_region": "us-east-1",
                "access_key": "unused",
                "secret_key": "unused",
            },
            "listen": f"listen_{connector.id}",
            "listen_routing": f"listen_routing_{connector.id}",
            "listen_exchange": "amqp.connector.exchange",
            "push": f"push_{connector.id}",
            "push_routing": f"push_routing_{connector.id}",
            "push_exchange": "amqp.worker.exchange",
        },
    }


# A public key (Ed25519) of nobody: pycti only checks that the set can be read.
_PUBLIC_KEY = {
    "kid": "ee5b10bf6ef2a6ff", "use": "sig", "alg": "EdDSA", "crv": "Ed25519", "kty": "OKP",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}  # fmt: skip


def works(request: Request, given: dict[str, Any]) -> dict[str, Any]:
    """Return works, newest first; only the filter by connector is known."""
    chosen = sorted(
        request.platform.works.works.values(), key=lambda each: each.timestamp, reverse=True
    )
    for one in (given.get("filters") or {}).get("filters", []):
        if one["key"] != ["connector_id"]:
            raise PlatformError(f"unknown filter {one['key']}", "UNSUPPORTED_ERROR")
        chosen = [each for each in chosen if each.connector_id in one["values"]]
    return connection(chosen, given.get("first"))


def logs(request: Request, given: dict[str, Any]) -> dict[str, Any]:
    """Return the history; it can be filtered by the object, the user and the kind of change."""
    chosen = list(request.platform.events.logs)
    for one in (given.get("filters") or {}).get("filters", []):
        for key in one["key"]:
            chosen = [each for each in chosen if _log_value(each, key) in map(str, one["values"])]
    chosen.sort(key=lambda each: each["timestamp"], reverse=given.get("orderMode") == "desc")
    after = given.get("after")
    known = [each["id"] for each in chosen]
    start = known.index(after) + 1 if after in known else 0
    page = connection(chosen[start:], given.get("first"))
    for edge in page["edges"]:
        edge["cursor"] = edge["node"]["id"]
    if page["edges"]:
        page["pageInfo"]["endCursor"] = page["edges"][-1]["cursor"]
    return page


def _log_value(log: dict[str, Any], key: str) -> str:
    values = {
        "context_data.id": log["context_data"]["entity_id"],
        "contextEntityId": log["context_data"]["entity_id"],
        "user_id": log["user_id"],
        "members_user": log["user_id"],
        "event_type": log["event_type"],
        "event_scope": log["event_scope"],
    }
    if key not in values:
        raise PlatformError(f"incorrect filter key {key}", "UNSUPPORTED_ERROR")
    return str(values[key])


def _all_connectors(request: Request, _: dict[str, Any]) -> list[Any]:
    return [connector_fields(request, each) for each in request.platform.works.connectors.values()]


def _stix(request: Request, given: dict[str, Any]) -> str | None:
    element = request.store.find(given["id"])
    return None if element is None else json.dumps(to_stix(request.store, element))


QUERIES: dict[str, Callable[[Request, dict[str, Any]], Any]] = {
    "about": lambda request, given: {"version": VERSION},
    "me": me,
    "settings": lambda request, given: {
        "id": "settings", "platform_title": "OpenCTI", "platform_url": request.platform.url
    },
    "stix": _stix,
    "stixCoreRelationships": relationships,
    "stixNestedRefRelationships": lambda request, given: connection([]),
    "vocabularyCategories": lambda request, given: CATEGORIES,
    "connector": lambda request, given: connector_fields(
        request, request.platform.works.connectors.get(given["id"])
    ),
    "connectorsForWorker": _all_connectors,
    "work": lambda request, given: request.platform.works.works.get(given["id"]),
    "works": works,
    "isWorkAlive": lambda request, given: given["id"] in request.platform.works.works,
    "log": lambda request, given: next(
        (each for each in request.platform.events.logs if each["id"] == given["id"]), None
    ),
    "logs": logs,
}  # fmt: skip


def query(request: Request, name: str, returned: str, given: dict[str, Any]) -> Any:
    """Answer a query: by its own function, else by what it returns, one object or a list."""
    if name in QUERIES:
        return QUERIES[name](request, given)
    if "Contains" in name:
        return contains(request, given)
    if returned.endswith("Connection"):
        return listing(request, returned.removesuffix("Connection"), given)
    return read(request, returned, given["id"])
