"""The calls that PyMISP makes, over HTTP."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

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


def route(pattern: str) -> Callable[[Route], Route]:
    def add(function: Route) -> Route:
        ROUTES.append((re.compile(pattern), function))
        return function

    return add


@route(r"servers/getPyMISPVersion\.json")
@route(r"servers/getVersion")
def _version(_double, user, _data, _):
    return {"version": VERSION, "perm_sync": False, "perm_sighting": user.may("perm_sighting")}


@route(r"users/view/me")
def _me(_double, user, _data, _):
    role = {"id": "3", "name": user.role, **user.rights}
    return {"User": {"id": str(user.id), "email": user.email}, "Role": role, "UserSetting": {}}


@route(r"attributes/describeTypes\.json")
def _types(_double, _user, _data, _):
    return json.loads((files("pymisp") / "data" / "describeTypes.json").read_text())


@route(r"events/view/([\w-]+)")
def _event(double, _user, data, reference):
    event = double.event(reference)
    if data.get("deleted"):
        return {"Event": event}

    def alive(elements):
        return [element for element in elements if not element.get("deleted")]

    objects = [{**o, "Attribute": alive(o["Attribute"])} for o in alive(event["Object"])]
    attributes, reports = alive(event["Attribute"]), alive(event["EventReport"])
    return {"Event": {**event, "Object": objects, "Attribute": attributes, "EventReport": reports}}


@route(r"events/index")
def _index(double, _user, data, _):
    since = since_of(data.get("timestamp", 0))
    return [
        {key: event[key] for key in ("id", "uuid", "timestamp", "published")}
        for event in double.events.values()
        if int(event["timestamp"]) >= since
    ]


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


@route(r"tags/attachTagToObject")
def _attach(double, user, data, _):
    needs(user, "perm_tagger")
    event, element = double.element(data["uuid"])
    if double.attach(event, element, data["tag"], bool(data.get("local")), user):
        return {"saved": True, "success": "Tag attached."}
    return {"saved": False, "errors": "Invalid Tag."}


@route(r"tags/removeTagFromObject")
def _detach(double, user, data, _):
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


@route(r"audit_logs/eventIndex/(\d+)")
def _audit(double, user, _data, number):
    needs(user, "perm_audit")
    return [{"AuditLog": row} for row in double.audit if row["event_id"] == number]


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
    user = double.users.get(key)
    if user is None:
        message = "Authentication failed. Please make sure you pass the API key of an API user."
        return 403, {"name": message, "message": message, "url": f"/{path}"}
    for pattern, function in ROUTES:
        if found := pattern.fullmatch(path):
            try:
                return 200, function(double, user, data, found[1] if found.re.groups else "")
            except RefusedError as error:
                return error.status, {"name": str(error), "message": str(error), "url": f"/{path}"}
    return 404, {"name": f"not in the double: {path}", "message": f"not in the double: {path}"}
