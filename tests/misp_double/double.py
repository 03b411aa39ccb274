"""The double: a store, users, an analyst, and a server for them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import cache
from http.server import ThreadingHTTPServer
from importlib.resources import files
from typing import Any, Self

from . import results, server
from .analyst import Analyst
from .model import Cluster, Element, Store, User

TAXONOMIES = ("ai-computer-assisted", "estimative-language", "false-positive", "workflow")


class MispDouble(Store):
    """A MISP instance with the galaxies and taxonomies that MISP ships."""

    def __init__(self) -> None:
        super().__init__()
        self.bot = User(2, "ttpscribe@example.org", "b" * 40)
        self.person = User(3, "analyst@example.org", "a" * 40)
        self.script = User(4, "script@example.org", "c" * 40, key_id="9")
        self.users = {user.key: user for user in (self.bot, self.person, self.script)}
        self.analyst = Analyst(self, self.person)
        self.requests: list[tuple[str, str]] = []
        self.unknown: list[str] = []
        self.failing: Callable[[str], bool] = lambda _: False
        self.clusters = list(shipped_clusters())
        for namespace in TAXONOMIES:
            self.taxonomies[namespace] = taxonomy(namespace)
            self.enabled.add(namespace)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), server.handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fails(self, path: str) -> bool:
        """Tell whether this call is to fail, as a test may want."""
        return self.failing(path)

    def as_script(self, edit: Callable[[Analyst], None]) -> None:
        """Edit as a program does, with a key of its own."""
        self.via.api = True
        try:
            edit(Analyst(self, self.script))
        finally:
            self.via.api = False

    def event_with(self, info: str, *attributes: tuple[str, str], **more: Any) -> Element:
        """Make an event with attributes of (type, value)."""
        event = self.add_event({"info": info, **more})
        for kind, value in attributes:
            attribute, _ = self.add_attribute(event, {"type": kind, "value": value}, self.person)
            event["Attribute"].append(attribute)
        return event

    def save_module_results(
        self, event: Element, answer: dict[str, Any], user: User | None = None, default: str = ""
    ) -> results.Saved:
        """Save a module's answer as MISP does; ``default`` is the value that was enriched."""
        return results.save(self, event, answer, user or self.person, default)


@cache
def shipped_clusters() -> tuple[Cluster, ...]:
    """Return the clusters that MISP ships."""
    found = []
    folder = files("pymispgalaxies") / "data" / "misp-galaxy" / "clusters"
    for galaxy in ("mitre-attack-pattern", "mitre-ics-techniques"):
        for value in json.loads((folder / f"{galaxy}.json").read_text())["values"]:
            meta = value["meta"]
            number = meta.get("external_id") or meta.get("Technique ID", [""])[0]
            found.append(Cluster(galaxy, value["value"], number))
    return tuple(found)


@cache
def taxonomy(namespace: str) -> list[str]:
    """Return the tags of a taxonomy, from its own file."""
    folder = files("pytaxonomies") / "data" / "misp-taxonomies" / namespace
    machine = json.loads((folder / "machinetag.json").read_text())
    entries = {values["predicate"]: values["entry"] for values in machine.get("values", ())}
    tags = []
    for predicate in machine["predicates"]:
        name = predicate["value"]
        tags += [f'{namespace}:{name}="{e["value"]}"' for e in entries.get(name, ())] or [
            f"{namespace}:{name}"
        ]
    return tags
