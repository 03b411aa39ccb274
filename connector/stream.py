"""OpenCTI's live stream: who changed a report's techniques, as it happens.

Of an update it is the ``changes`` in its context that count: they name what came and what went.
The patches beside them work by position, and name objects that were only moved.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from connector.changes import Hand
from connector.errors import Refused, Unavailable
from connector.history import Edit, named
from connector.kinds import KINDS
from connector.platform import FIRST_WAIT, LONGEST_WAIT, Platform

OPENCTI_EXTENSION = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"
LIVE = "/stream/live"
SILENCE = 60.0  # seconds; the platform sends a heartbeat every few
_SPOKEN_OF = KINDS.keys() | {"Opinion"}


@dataclass(frozen=True, slots=True)
class Event:
    """A change that may hold verdicts, or ``connected`` at the beginning.

    Attributes
    ----------
    entity_id : str
        The internal id of what changed.
    edits : tuple of Edit
        Techniques that came and went.
    """

    kind: str
    id: str
    entity_type: str = ""
    entity_id: str = ""
    edits: tuple[Edit, ...] = ()


class Stream:
    """Listens to the live stream, and again where it broke off.

    Parameters
    ----------
    platform : Platform
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def events(
        self, position: Callable[[], str | None], stopped: Callable[[], bool]
    ) -> Iterator[Event]:
        """Yield what happens, from a position on.

        Parameters
        ----------
        position : callable
            Gives the id of the last event that was dealt with; None to begin now.
        stopped : callable
            Asked with every heartbeat.

        Raises
        ------
        Refused
            If the user may not read it.
        Unavailable
            If it stays away after all tries.
        """
        failures, wait = 0, FIRST_WAIT
        while not stopped():
            try:
                for event in self._listen(position(), stopped):
                    failures, wait = 0, FIRST_WAIT
                    yield event
            except requests.RequestException as error:
                failures += 1
                if failures > self._platform.retries:
                    raise Unavailable(
                        "The live stream of OpenCTI broke off and stays away. What was harvested "
                        "is recorded; start again when OpenCTI is there."
                    ) from error
            if stopped():
                return
            time.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)

    def _listen(self, after: str | None, stopped: Callable[[], bool]) -> Iterator[Event]:
        api = self._platform.api
        headers = {
            "Authorization": api.request_headers["Authorization"],
            "listen-delete": "false",
            "no-dependencies": "true",
            "with-inferences": "false",
        }
        if after is not None:
            headers["last-event-id"] = headers["from"] = after
        with api.session.get(
            api.base_url + LIVE,
            headers=headers,
            verify=api.ssl_verify,
            cert=api.cert,
            proxies=api.proxies,
            timeout=(api.session_requests_timeout, SILENCE),
            stream=True,
        ) as answer:
            if answer.status_code in (401, 403):
                raise Refused(
                    "OpenCTI does not let the connector's user read the live stream: give it the "
                    "right to connect connectors (CONNECTORAPI), or harvest without --follow."
                )
            answer.raise_for_status()
            # Pieces as they come. Without chunks only a byte at a time does not wait for more.
            chunked = "chunked" in answer.headers.get("Transfer-Encoding", "")
            pieces = answer.iter_content(None if chunked else 1)
            for message in messages(lines(pieces)):
                if stopped():
                    return
                event = understand(message)
                if event is not None:
                    yield event


def lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a text that comes in pieces; an event may be megabytes long."""
    line = bytearray()
    for piece in pieces:
        *ended, rest = piece.split(b"\n")
        for each in ended:
            line += each
            yield bytes(line).rstrip(b"\r")
            line.clear()
        line += rest


def messages(given: Iterable[bytes]) -> Iterator[dict[str, str]]:
    """Yield server-sent events: the fields of each."""
    fields: dict[str, list[str]] = {}
    for raw in given:
        line = raw.decode("utf-8", "replace")
        if not line:
            if fields:
                yield {name: "\n".join(values) for name, values in fields.items()}
            fields = {}
            continue
        name, _, value = line.partition(":")
        if name:  # a line that begins with a colon is a comment
            fields.setdefault(name, []).append(value.removeprefix(" "))


def understand(message: dict[str, str]) -> Event | None:
    """Return what an event says; None where it holds no verdict."""
    kind, identifier = message.get("event", ""), message.get("id", "")
    if kind == "connected":
        return Event(kind, identifier)
    if kind not in ("create", "update"):
        return None
    payload: dict[str, Any] = json.loads(message["data"])
    origin = payload.get("origin") or {}
    if origin.get("referer") == "init-dependencies":
        return None  # there before, and only shown beside something else
    about = (payload["data"].get("extensions") or {}).get(OPENCTI_EXTENSION) or {}
    if about.get("type") not in _SPOKEN_OF:
        return None
    who = Hand(str(origin.get("applicant_id") or origin.get("user_id") or ""), "")
    # The object's own times may still be those from before the change.
    at = datetime.fromtimestamp(int(identifier.split("-")[0]) / 1000, UTC)
    edits = []
    for change in (payload.get("context") or {}).get("changes") or ():
        for present, key in ((True, "changes_added"), (False, "changes_removed")):
            shown = [_shown(each) for each in change.get(key) or ()]
            edits += [
                Edit(technique=each, present=present, who=who, at=at, origin=identifier,
                     known_by="stream")
                for each in named(shown)
            ]  # fmt: skip
    return Event(kind, identifier, about["type"], about["id"], tuple(edits))


def _shown(value: dict[str, Any]) -> str:
    """Return how a changed value is called: ``[T1047] Windows Management Instrumentation``."""
    translated = json.loads(value["translated"]) if value.get("translated") else {}
    return str(translated.get(value.get("raw"), ""))
