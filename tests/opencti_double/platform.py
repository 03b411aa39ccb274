"""The platform itself: what a test starts, fills, breaks and looks into."""

from __future__ import annotations

import copy
import secrets
import threading
import time
import uuid
from typing import Any, Self

from .analyst import Person
from .edits import Editor
from .events import Events
from .model import Clock, Element, User
from .rabbitmq import RabbitMQ
from .server import Call, Fault, Faults, Server
from .store import Store
from .uploads import Upload
from .upsert import upsert, upsert_relationship
from .views import relationship_view, report_view
from .vocabularies import VALUES
from .works import Work, Works

TLP = ("TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED")


class OpenCTIDouble:
    """An OpenCTI on 127.0.0.1. Use it as a context manager; see the package's text."""

    def __init__(self, broker: RabbitMQ, port: int = 0) -> None:
        self.broker = broker
        self.lock = threading.RLock()
        self.clock = Clock()
        self.store = Store()
        self.events: Events = Events(self.clock)
        self.works: Works = Works(self.clock, broker)
        self.faults = Faults()
        self.calls: list[Call] = []
        self.refusals: list[str] = []
        self.crashes: list[str] = []
        self.workflow_id = str(uuid.uuid4())
        self.statuses: dict[str, dict[str, Any]] = {}
        self.workflow_id = self.status("NEW")
        self.users = {
            name: User(name, secrets.token_hex(16), bypass=name in ("admin", "worker"))
            for name in ("admin", "worker", "connector", "analyst")
        }
        self.analyst = Person(self, self.users["analyst"])
        self.admin = Person(self, self.users["admin"])
        self._drafts: dict[str, Store] = {}
        self._port = port
        self._server: Server | None = None
        self._fill()
        self.events.listeners.append(
            lambda what, element, user: self.works.automatic(self.store, what, element, user)
        )

    # -- life --------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def up(self) -> None:
        """Answer requests, after ``down`` under the same address as before."""
        self._server = Server(self, self._port)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self) -> None:
        """Refuse connections; what is stored is kept."""
        server, self._server = self._server, None
        if server is not None:
            server.stopping.set()
            server.shutdown()
            server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def token(self) -> str:
        """The token of the connector's user."""
        return self.users["connector"].token

    # -- faults ------------------------------------------------------------------------------

    def fail(self, **how: Any) -> Fault:
        """Add a fault, such as ``fail(status=500, times=2, operation="Report")``."""
        return self.faults.add(Fault(**how))

    def storage_down(self) -> Fault:
        """Answer every download with 503, as a platform without its storage does."""
        body = '{"status":"error","error":"File not found or restricted"}'
        return self.fail(path="/storage", status=503, body=body)

    def expire_token(self, user: str = "connector") -> None:
        """Give a user another token; the present one is nobody's from now on."""
        self.users[user].token = secrets.token_hex(16)

    def user_of(self, token: str) -> User | None:
        return next((each for each in self.users.values() if each.token == token), None)

    # -- content -----------------------------------------------------------------------------

    def create_report(
        self,
        name: str = "Example Spider targets banks",
        *,
        description: str | None = None,
        content: str | None = None,
        confidence: int | None = 75,
        published: str = "2026-11-20T00:00:00.000Z",
        markings: list[str] | None = None,
        files: list[tuple[str, bytes, str]] | None = None,
        objects: list[Element] | None = None,
        author: Element | None = None,
        labels: list[str] | None = None,
    ) -> Element:
        """Create a report as an analyst; ``files`` are (name, bytes, media type)."""
        return self.create(
            "Report",
            name=name,
            description=description,
            content=content,
            confidence=confidence,
            published=published,
            report_types=["threat-report"],
            createdBy=author.id if author else None,
            objectMarking=[self.marking(each).id for each in markings or ["TLP:GREEN"]],
            objectLabel=[self.create("Label", value=each).id for each in labels or []],
            objects=[each.id for each in objects or []],
            files=[Upload(*each) for each in files or []],
        )

    def create(self, entity_type: str, user: str = "analyst", **given: Any) -> Element:
        """Create any object by OpenCTI's names, such as ``create("Malware", name="Emotet")``."""
        with self.lock:
            return upsert(self._editor(user), entity_type, given)

    def create_attack_pattern(self, x_mitre_id: str, name: str, **given: Any) -> Element:
        return self.create(
            "Attack-Pattern", "admin", x_mitre_id=x_mitre_id, name=name, confidence=100, **given
        )

    def relate(
        self, source: Element, relationship_type: str, target: Element, **given: Any
    ) -> Element:
        """Create a relationship as an analyst."""
        ends = {"fromId": source.id, "toId": target.id, "relationship_type": relationship_type}
        with self.lock:
            return upsert_relationship(self._editor("analyst"), {**ends, **given})

    def marking(self, definition: str) -> Element:
        with self.lock:
            for each in self.store.of_type("Marking-Definition"):
                if each.get("definition") == definition:
                    return each
        raise KeyError(definition)

    def status(self, name: str) -> str:
        """Return the id of a workflow status, which is made if there is none of that name."""
        for each in self.statuses.values():
            if each["template"]["name"] == name:
                return str(each["id"])
        made = str(uuid.uuid4())
        template = {"id": str(uuid.uuid4()), "name": name, "color": "#ff9800"}
        self.statuses[made] = {"id": made, "template": template, "order": len(self.statuses)}
        return made

    def person(self, name: str) -> Person:
        """Return another user, made at need."""
        user = self.users.setdefault(name, User(name, secrets.token_hex(16)))
        return Person(self, user)

    # -- enrichment --------------------------------------------------------------------------

    def ask_enrichment(self, report: Element | str, connector_id: str) -> str:
        """Ask for an enrichment as the analyst; return the work's id."""
        return self.analyst.ask_enrichment(report, connector_id)

    def ask_playbook(
        self, report: Element | str, connector_id: str, bundle: dict[str, Any]
    ) -> None:
        """Send a report through a playbook's step; the answers are in ``playbook_steps``."""
        with self.lock:
            self.works.ask_playbook(self.store, self.element(report), connector_id, bundle)

    @property
    def playbook_steps(self) -> list[dict[str, Any]]:
        return self.works.playbook_steps

    def work(self, work_id: str) -> Work:
        return self.works.works[work_id]

    def wait_for_work(self, work_id: str, timeout: float = 30.0, status: str = "complete") -> Work:
        """Wait until a work has a status; the error says how far it came."""
        deadline = time.monotonic() + timeout
        work = self.work(work_id)
        while time.monotonic() < deadline:
            if work.status == status:
                return work
            time.sleep(0.02)
        raise TimeoutError(f"work not {status} after {timeout:.0f} s: {work}")

    def queue_size(self, connector_id: str, queue: str = "listen") -> int:
        """Return how many messages wait in a queue (``listen`` or ``push``)."""
        connection = self.broker.connect()
        declared = connection.channel().queue_declare(f"{queue}_{connector_id}", passive=True)
        connection.close()
        return int(declared.method.message_count)

    # -- drafts ------------------------------------------------------------------------------

    def add_draft(self, name: str) -> dict[str, str]:
        """Open a draft: a copy of everything, changed apart and without events."""
        draft_id = str(uuid.uuid4())
        with self.lock:
            self._drafts[draft_id] = copy.deepcopy(self.store)
        return {"id": draft_id, "name": name}

    def store_of(self, draft_id: str | None) -> Store:
        if draft_id is None:
            return self.store
        if draft_id not in self._drafts:
            self._drafts[draft_id] = copy.deepcopy(self.store)
        return self._drafts[draft_id]

    # -- looking in --------------------------------------------------------------------------

    def element(self, element: Element | str) -> Element:
        """Return the stored object, by itself or by any of its ids."""
        found = self.store.find(element.id if isinstance(element, Element) else element)
        if found is None:
            raise KeyError(element)
        return found

    def state(self, report: Element | str, draft_id: str | None = None) -> dict[str, Any]:
        """Return what a reader of the report sees, as plain values that compare with ``==``."""
        with self.lock:
            store = self.store_of(draft_id)
            found = store.find(report.id if isinstance(report, Element) else report)
            if found is None:
                raise KeyError(report)
            return report_view(store, found)

    def relationships(self, source: Element | None = None) -> list[dict[str, Any]]:
        """Return relationships as plain values, by standard id."""
        with self.lock:
            return [
                relationship_view(self.store, each)
                for each in self.store
                if each.is_relationship and (source is None or each.from_id == source.id)
            ]

    def _editor(self, user: str) -> Editor:
        return Editor(self.store, self.clock, self.users[user], self.events, self.workflow_id)

    def _fill(self) -> None:
        """Put in what every platform has from the start."""
        for order, definition in enumerate(TLP, start=1):
            self.create("Marking-Definition", "admin", definition_type="TLP",
                        definition=definition, x_opencti_order=order,
                        x_opencti_color="#2e7d32")  # fmt: skip
        for category, names in VALUES.items():
            for name in names:
                self.create("Vocabulary", "admin", name=name, category=category)
