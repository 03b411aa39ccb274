"""OpenCTI as the connector asks it: few questions, each tried again while it may help.

All requests go through pycti's client, with the headers (token, draft) that it sets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import requests

from connector.errors import ConnectorError, OutOfScope, Refused, Unavailable
from connector.kinds import KINDS
from connector.report import (
    HEAD,
    AttachedFile,
    Report,
    StoredTechnique,
    fields,
    markings,
    nodes,
    parse,
)

if TYPE_CHECKING:
    from connector.settings import Settings

T = TypeVar("T")
FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
_CHUNK = 1 << 20
# Answers that another try does not change.
_FINAL = frozenset({
    "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT", "FORBIDDEN_ACCESS", "FUNCTIONAL_ERROR",
    "MISSING_REFERENCE_ERROR", "UNSUPPORTED_ERROR",
})  # fmt: skip
_STORED = "id standard_id x_mitre_id name revoked"


@dataclass(frozen=True, slots=True)
class StoredNote:
    """A note that the platform holds."""

    id: str
    content: str
    confidence: int | None
    created: str


@dataclass(frozen=True, slots=True)
class Tracking:
    """How far the import of a work is."""

    status: str
    expected: int
    imported: int
    processed: bool
    errors: tuple[str, ...]

    @property
    def finished(self) -> bool:
        """Whether everything that was announced has been imported."""
        return self.status == "complete" or self.imported >= self.expected


class Platform:
    """What the connector asks OpenCTI.

    Parameters
    ----------
    api : OpenCTIApiClient
    retries : int
        How often a request is tried again.
    timeout : float
        Seconds to wait for one answer.
    """

    def __init__(self, api: Any, retries: int = 5, timeout: float = 60) -> None:
        self.api = api
        self.retries = retries
        api.session_requests_timeout = timeout

    def ask(self, what: str, question: Callable[[], T], retries: int | None = None) -> T:
        """Ask, and ask again at growing intervals where the fault may pass.

        Raises
        ------
        Unavailable
            If OpenCTI does not answer, or answers with an error, after all tries.
        Refused
            If it answers that it will not.
        """
        wait = FIRST_WAIT
        retries = self.retries if retries is None else retries
        for attempt in range(retries + 1):
            try:
                return question()
            except (requests.RequestException, ValueError, OSError) as error:
                fault = _understand(what, error)
                if isinstance(fault, Refused) and not fault.may_pass:
                    raise fault from error
                if attempt == retries:
                    raise fault from error
            time.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
        raise AssertionError("not reached")

    # -- the report --

    def check_markings(self, entity_type: str, any_id: str, max_tlp: str) -> None:
        """Ask for the markings of an object, and for nothing else.

        Raises
        ------
        OutOfScope
            If it is of another type, deleted meanwhile, or marked above ``max_tlp``.
        """
        node = self._read(entity_type, any_id, HEAD)
        above = [m.definition for m in markings(node.get("objectMarking"))
                 if not allowed(m.definition, max_tlp)]  # fmt: skip
        if above:
            raise OutOfScope(
                f"It is marked {', '.join(above)}, above the highest TLP that this connector "
                f"may read ({max_tlp}). Nothing was read."
            )

    def report(self, entity_type: str, any_id: str) -> Report:
        """Read an object with all that an enrichment needs; files are only listed."""
        return parse(self._read(entity_type, any_id, fields(KINDS[entity_type])))

    def _read(self, entity_type: str, any_id: str, selection: str) -> dict[str, Any]:
        if entity_type not in KINDS:
            raise OutOfScope(
                f"ttpscribe does not read objects of type {entity_type}, only {', '.join(KINDS)}."
            )
        read = self.api.stix2.get_reader(entity_type)
        node = self.ask(
            f"reading the {entity_type}", lambda: read(id=any_id, customAttributes=selection)
        )
        if node is None:
            raise OutOfScope(
                "It is not there any more, or this connector's user may not see it: deleted, "
                "renamed in the meantime, or restricted to an organization."
            )
        return dict(node)

    def download(self, file: AttachedFile, max_bytes: int) -> bytes | None:
        """Fetch a file; None where the storage does not give it.

        Raises
        ------
        Unavailable
            If OpenCTI cannot be reached.
        """
        url = f"{self.api.base_url}/storage/get/{quote(file.id, safe='/')}"

        def fetch() -> bytes | None:
            with self.api.session.get(
                url,
                headers=self.api.request_headers,
                verify=self.api.ssl_verify,
                cert=self.api.cert,
                proxies=self.api.proxies,
                timeout=self.api.session_requests_timeout,
                stream=True,
            ) as answer:
                if not answer.ok:
                    return None
                data = bytearray()
                for chunk in answer.iter_content(_CHUNK):
                    data += chunk
                    if len(data) > max_bytes:
                        break
                return bytes(data)

        # A missing file answers 503 as a broken storage does: one more try tells no more.
        return self.ask(f"fetching {file.name}", fetch)

    # -- what is there already --

    def techniques(self, ids: Collection[str]) -> dict[str, StoredTechnique]:
        """Return the attack-patterns of the platform by ATT&CK id; those not there are left out."""
        if not ids:
            return {}
        filters = {
            "mode": "and",
            "filters": [{"key": "x_mitre_id", "values": sorted(ids)}],
            "filterGroups": [],
        }
        found = self.ask(
            "looking up techniques",
            lambda: self.api.attack_pattern.list(
                filters=filters, customAttributes=_STORED, getAll=True
            ),
        )
        # Where one id stands on several objects, the oldest that is not revoked counts.
        ordered = sorted(nodes(found), key=lambda node: (bool(node["revoked"]), node["id"]))
        stored: dict[str, StoredTechnique] = {}
        for node in ordered:
            stored.setdefault(
                node["x_mitre_id"],
                StoredTechnique(node["id"], node["standard_id"], node["x_mitre_id"], node["name"]),
            )
        return stored

    def uses(self, source: str) -> dict[str, str]:
        """Return a threat's ``uses`` relationships: standard id of the technique to their own."""
        found = self.ask(
            "looking up relationships",
            lambda: self.api.stix_core_relationship.list(
                fromId=source,
                relationship_type="uses",
                toTypes=["Attack-Pattern"],
                first=500,
                getAll=True,
                customAttributes="""
                    id standard_id entity_type
                    to { ... on AttackPattern { id standard_id } }
                """,
            ),
        )
        return {
            node["to"]["standard_id"]: node["standard_id"] for node in nodes(found) if node["to"]
        }

    def note(self, any_id: str) -> StoredNote | None:
        """Return a note, or None where there is none of that id."""
        node = self.ask(
            "reading the note",
            lambda: self.api.note.read(
                id=any_id, customAttributes="id entity_type content confidence created"
            ),
        )
        if node is None:
            return None
        return StoredNote(node["id"], node["content"], node["confidence"], node["created"])

    def highest_confidence(self) -> int:
        """Return the confidence that this connector's user can give at most."""
        answer = self.ask(
            "asking for the user's rights",
            lambda: self.api.query(
                "query Me { me { effective_confidence_level { max_confidence } } }"
            ),
        )
        level = answer["data"]["me"]["effective_confidence_level"]
        return 100 if level is None else int(level["max_confidence"])

    # -- works --

    def tracking(self, work_id: str) -> Tracking | None:
        """Return how far a work is, or None where the platform has forgotten it."""
        work = self.ask("asking for the work", lambda: self.api.work.get_work(work_id))
        if work is None:
            return None
        about = work.get("tracking") or {}
        return Tracking(
            status=str(work["status"]),
            expected=int(about.get("import_expected_number") or 0),
            imported=int(about.get("import_processed_number") or 0),
            processed=work.get("processed_time") is not None,
            errors=tuple(str(each["message"]) for each in work.get("errors") or ()),
        )

    def report_work(self, work_id: str, message: str, *, failed: bool = False) -> None:
        """Say in the work how it ended."""
        self.ask(
            "reporting the work",
            lambda: self.api.work.to_processed(work_id, message, failed),
        )


def connect(settings: Settings, retries: int | None = None) -> Platform:
    """Talk to OpenCTI without being registered as a connector there."""
    from pycti import OpenCTIApiClient

    api = OpenCTIApiClient(
        str(settings.opencti.url).rstrip("/"),
        settings.opencti.token.get_secret_value(),
        log_level="critical",
        ssl_verify=settings.opencti.ssl_verify,
        perform_health_check=False,
    )
    ours = settings.ttpscribe
    return Platform(api, ours.retries if retries is None else retries, ours.request_timeout)


def allowed(marking: str, max_tlp: str) -> bool:
    """Tell whether something marked so may be read; markings other than TLP do not count."""
    from pycti import OpenCTIConnectorHelper

    marking = marking.strip().upper()
    if not marking.startswith("TLP:"):
        return True
    return bool(OpenCTIConnectorHelper.check_max_tlp(marking, max_tlp))


def _understand(what: str, error: Exception) -> ConnectorError:
    """Make a sentence of pycti's exception."""
    detail = error.args[0] if error.args else None
    if isinstance(error, requests.Timeout):
        return Unavailable(f"OpenCTI did not answer in time while {what}. Try again later.")
    if isinstance(error, requests.RequestException | OSError) and not isinstance(
        error, requests.exceptions.JSONDecodeError
    ):
        return Unavailable(f"OpenCTI could not be reached while {what}. Try again later.")
    if not isinstance(detail, dict):
        return Unavailable(
            f"OpenCTI answered with an error of its server while {what}. Try again later."
        )
    if detail.get("name") == "AUTH_REQUIRED":
        return Refused(
            f"OpenCTI did not accept the connector's token while {what}: it is wrong, or was "
            "renewed. An administrator must set OPENCTI_TOKEN.",
            may_pass=True,
        )
    said = str(detail.get("error_message") or detail.get("name"))
    if detail.get("name") in _FINAL:
        return Refused(f"OpenCTI refused while {what}: {said}")
    return Unavailable(f"OpenCTI answered with an error while {what}: {said}")
