"""The calls that PyMISP makes, over HTTP. Calls and parameters that are not here fail the test."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from . import views
from .model import RefusedError, User

if TYPE_CHECKING:
    from .double import MispDouble

GALAXIES = {
    "c4e851fa-775f-11e7-8163-b774922098cd": "mitre-attack-pattern",
    "99261a7e-2270-40eb-823f-834cc1ad3159": "mitre-ics-techniques",
}
VERSION = "2.5.20"
Route = Callable[["MispDouble", User, dict[str, Any], str], Any]
ROUTES: list[tuple[re.Pattern[str], Route]] = []


class UnknownError(Exception):
    """Something that MISP may have, and the double has not."""


def route(pattern: str) -> Callable[[Route], Route]:
    def add(function: Route) -> Route:
        ROUTES.append((re.compile(pattern), function))
        return function

    return add


def only(data: dict[str, Any], *names: str) -> None:
    # PyMISP sends all switches of a search along that are off.
    if odd := {name for name, value in data.items() if value} - set(names):
        raise UnknownError(f"parameters {sorted(odd)}")


@route(r"servers/getPyMISPVersion\.json")
@route(r"servers/getVersion")
def _version(_double, user, _data, _):
    return {"version": VERSION, "perm_sync": False, "perm_sighting": user.may("perm_sighting")}


@route(r"users/view/me")
def _me(double, user, _data, _):
    role = {"id": "3", "name": user.role, **user.rights}
    person = {"id": str(user.id), "email": user.email, "org_id": user.org}
    return {"User": person, "Role": role, "UserSetting": {}, "Organisation": double.orgs[user.org]}


@route(r"attributes/describeTypes\.json")
def _types(_double, _user, _data, _):
    return _described()


@cache
def _described() -> Any:
    return json.loads((files("pymisp") / "data" / "describeTypes.json").read_text())


@route(r"events/view/([\w-]+)")
def _event(double, _user, data, reference):
    only(data, "deleted")
    wanted = {str(each) for each in data.get("deleted", [0])}
    return views.event_view(double, double.event(reference), deleted=wanted, analyst_data=True)


@route(r"events/restSearch")
def _search(double, _user, data, _):
    only(data, "returnFormat", "eventid", "deleted", "includeAnalystData",
         "metadata", "timestamp")  # fmt: skip
    if data["returnFormat"] != "json":
        raise UnknownError(f"format {data['returnFormat']}")
    found = list(double.events.values())
    if "eventid" in data:
        wanted = data["eventid"] if isinstance(data["eventid"], list) else [data["eventid"]]
        found = [event for event in found if event["id"] in [str(each) for each in wanted]]
    if "timestamp" in data:
        begin = since_of(data["timestamp"])
        found = [event for event in found if int(event["timestamp"]) >= begin]
    deleted = data.get("deleted", 0)
    wanted = {str(each) for each in (deleted if isinstance(deleted, list) else [deleted])}
    return {
        "response": [
            views.event_view(
                double,
                event,
                deleted=wanted,
                analyst_data=bool(data.get("includeAnalystData")),
                metadata=bool(data.get("metadata")),
            )
            for event in found
        ]
    }


@route(r"events/index")
def _index(double, _user, data, _):
    only(data, "minimal", "timestamp", "sort", "direction", "limit", "page")
    if not data.get("minimal") or data.get("sort") not in (None, "id"):
        raise UnknownError("an index that is not minimal, or sorted otherwise")
    since, events = since_of(data.get("timestamp", 0)), list(double.events.values())
    found = [event for event in events if int(event["timestamp"]) >= since]
    limit, page = int(data.get("limit", len(found))), int(data.get("page", 1))
    return [
        {
            "id": event["id"], "uuid": event["uuid"], "timestamp": event["timestamp"],
            "sighting_timestamp": event["sighting_timestamp"], "published": event["published"],
            "orgc_uuid": event["Orgc"]["uuid"],
        }
        for event in found[(page - 1) * limit : page * limit]
    ]  # fmt: skip


@route(r"attributes/restSearch")
def _attributes(double, _user, data, _):
    only(data, "returnFormat", "uuid", "deleted", "withAttachments")
    keys = (
        "id",
        "uuid",
        "event_id",
        "type",
        "value",
        *["data"] * bool(data.get("withAttachments")),
    )
    return {
        "response": {
            "Attribute": [
                {key: attribute[key] for key in keys if key in attribute}
                for event in double.events.values()
                for attribute in double.attributes(event)
                if attribute["uuid"] in data["uuid"]
            ]
        }
    }


@route(r"objects/view/([\w-]+)")
def _object(double, _user, _data, reference):
    return {"Object": double.element(reference)[1]}


@route(r"sightings/restSearch")
def _sightings(double, _user, data, _):
    only(data, "returnFormat", "type", "from", "to", "last")
    if "from" in data and "to" in data:
        raise UnknownError("a range of sightings")
    begin = since_of(data.get("last", "30d"))  # a beginning without an end is not heeded
    return {
        "response": [
            {"Sighting": sighting}
            for sighting in double.sightings
            if sighting["type"] == str(data["type"]) and int(sighting["date_sighting"]) >= begin
        ]
    }


@route(r"analyst_data/index/(\w+(?:/\w+:\w+)*)")
def _analyst_data(double, _user, _data, path):
    kind, named = named_of(path)
    limit, page = int(named.get("limit", 10**6)), int(named.get("page", 1))
    rows = double.analyst_data[kind][(page - 1) * limit : page * limit]
    return [{kind: row} for row in rows]


@route(r"objects/add/([\w-]+)")
def _add_object(double, user, data, reference):
    needs(user, "perm_add")
    event = double.event(reference)
    if any(data.get("uuid") == element["uuid"] for element in double.elements(event)):
        raise RefusedError(403, "Object could not be saved: uuid is not unique")
    return {"Object": double.add_object(event, data.get("Object", data), user)[0]}


@route(r"eventReports/add/([\w-]+)")
def _add_report(double, user, data, reference):
    needs(user, "perm_add")
    return {"EventReport": double.add_report(double.event(reference), data)}


@route(r"eventReports/view/([\w-]+)")
def _report(double, _user, _data, reference):
    _, element = double.element(reference)
    if "content" not in element:
        raise RefusedError(404, "Invalid Event Report")
    return {"EventReport": element}


@route(r"tags/attachTagToObject")
def _attach(double, user, data, _):
    needs(user, "perm_tagger")
    event, element = double.element(data["uuid"])
    if double.attach(event, element, data["tag"], bool(data.get("local")), user):
        return {"saved": True, "success": "Tag attached."}
    return {"saved": False, "errors": "Invalid Tag."}


@route(r"tags/removeTagFromObject")
def _detach(double, user, data, _):
    needs(user, "perm_tagger")
    event, element = double.element(data["uuid"])
    double.detach(event, element, data["tag"], user)
    return {"saved": True}


@route(r"galaxy_clusters/index/([\w-]+)(?:/.*)?")
def _clusters(double, _user, _data, uuid):
    galaxy = GALAXIES.get(uuid)
    found = [cluster for cluster in double.clusters if cluster.galaxy == galaxy]
    if not found:
        raise RefusedError(404, "Invalid galaxy")
    return [
        {
            "GalaxyCluster": {
                "value": cluster.value,
                "type": cluster.galaxy,
                "tag_name": cluster.tag,
                "GalaxyElement": [{"key": "external_id", "value": cluster.external_id}],
            }
        }
        for cluster in found
    ]


@route(r"taxonomies(?:/index)?")
def _taxonomies(double, _user, _data, _):
    return [
        {"Taxonomy": {"namespace": namespace, "enabled": namespace in double.enabled}}
        for namespace in double.taxonomies
    ]


@route(r"audit_logs/eventIndex/(\d+(?:/\w+:\w+)*)")
def _event_audit(double, user, data, path):
    needs(user, "perm_audit")
    only(data)
    number, named = named_of(path)
    rows = views.audit_rows(double, {"event_id": number})
    return views.audit_page(rows, named, ("authkey_id", "request_type"))


@route(r"admin/audit_logs/index((?:/\w+:\w+)*)")
def _audit(double, user, data, path):
    needs(user, "perm_audit")
    only(data, "event_id", "action")
    return views.audit_page(views.audit_rows(double, data), named_of(path)[1], ())


def named_of(path: str) -> tuple[str, dict[str, str]]:
    """Split CakePHP's named parameters off a path."""
    first, *parts = path.split("/")
    return first, dict(part.split(":", 1) for part in parts)


def needs(user: User, right: str) -> None:
    if not user.may(right):
        raise RefusedError(403, "You do not have permission to use this functionality.")


def since_of(timestamp: Any) -> int:
    found = re.fullmatch(r"(\d+)([dhm])", str(timestamp))
    if not found:
        return int(float(timestamp))
    return int(time.time()) - int(found[1]) * {"d": 86_400, "h": 3_600, "m": 60}[found[2]]


def handler(double: MispDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.answer(json.loads(body or b"{}"))

        def answer(self, data: dict[str, Any]) -> None:
            path = unquote(self.path.split("?")[0]).strip("/")
            double.requests.append((self.command, path))
            status, answer = respond(double, path, self.headers.get("Authorization", ""), data)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def respond(double: MispDouble, path: str, key: str, data: dict[str, Any]) -> tuple[int, Any]:
    if double.fails(path):
        return 500, {"name": "An internal error", "message": "An internal error", "url": path}
    user = double.users.get(key)
    if user is None:
        message = "Authentication failed. Please make sure you pass the API key of an API user."
        return 403, {"name": message, "message": message, "url": f"/{path}"}
    double.via.api = True
    for pattern, function in ROUTES:
        if found := pattern.fullmatch(path):
            try:
                return 200, function(double, user, data, found[1] if found.re.groups else "")
            except RefusedError as error:
                return error.status, {"name": str(error), "message": str(error), "url": f"/{path}"}
            except UnknownError as error:
                return _unknown(double, f"{path}: {error}")
    return _unknown(double, path)


def _unknown(double: MispDouble, what: str) -> tuple[int, Any]:
    double.unknown.append(what)
    return 404, {"name": f"not in the double: {what}", "message": f"not in the double: {what}"}
