"""The MISP instance, through PyMISP: who we are there, its tag names, its events."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from pymisp import PyMISP

from engine.errors import UsageError
from engine.knowledge import Knowledge
from misp_module.asking import asked
from misp_module.audit import People
from misp_module.reader import attributes, is_report
from misp_module.settings import Settings
from misp_module.tags import GALAXIES, PROVENANCE, Clusters, likelihood, names_of

TIMEOUT_S = (3.0, 20.0)
# Whole events can be large, and MISP builds them before it sends the first byte.
LONG_TIMEOUT_S = (3.0, 120.0)
INDEX_PAGE = 10_000
TAXONOMIES = frozenset(tag.split(":")[0] for tag in (*PROVENANCE, likelihood(1.0)))
_BOTH: Final = [0, 1]  # alive and deleted


def is_set(settings: Settings) -> bool:
    """Tell whether the settings name an instance and a key."""
    return bool(settings.url and settings.secret())


@cache
def connect(settings: Settings, timeout: tuple[float, float] = TIMEOUT_S) -> Instance:
    """Connect to the instance of the settings.

    Raises
    ------
    UsageError
        If they name none.
    InstanceError
        If it does not answer, or does not accept the key.
    """
    if not settings.url or not (key := settings.secret()):
        raise UsageError(
            "No MISP instance is set. Set TTPSCRIBE_MISP_URL, and TTPSCRIBE_MISP_KEY or "
            "TTPSCRIBE_MISP_KEY_FILE."
        )
    url, trust = settings.url, str(settings.ca_file) if settings.ca_file else True
    return Instance(asked(lambda: PyMISP(url, key, trust, tool="ttpscribe", timeout=timeout)))


class Instance:
    """A MISP instance.

    Parameters
    ----------
    misp : PyMISP
        Connected, with ttpscribe's own key.
    """

    def __init__(self, misp: PyMISP) -> None:
        self.misp = misp

    @property
    def rights(self) -> Mapping[str, bool]:
        """What the user of the key may do: ``perm_add``, ``perm_tagger`` and so on."""
        role = self.misp._current_role  # PyMISP asked for it when it connected, and keeps it there
        return {key: bool(value) for key, value in role.items() if key.startswith("perm_")}

    @property
    def user(self) -> Mapping[str, str]:
        """The user of the key: ``id``, ``email`` and ``org_id``."""
        user = self.misp._current_user
        return {key: str(user.get(key) or "") for key in ("id", "email", "org_id")}

    def people(self, bots: Iterable[str] = ()) -> People:
        """Return who counts as a person here."""
        user = self.user
        return People(frozenset({user["id"], user["email"]}), frozenset(bots))

    def version(self) -> str:
        """Return the version of MISP."""
        return str(asked(lambda: self.misp.misp_instance_version).get("version"))

    def clusters(self) -> Clusters:
        """Return the names of the clusters of techniques, and which taxonomies are missing."""
        names, knowledge = {}, Knowledge.load()
        for galaxy, uuid in GALAXIES.items():
            found = asked(lambda uuid=uuid: self.misp.search_galaxy_clusters(uuid), missing=[])  # type: ignore[misc]
            values = [entry.get("GalaxyCluster", entry) for entry in found]
            of_galaxy = (value for value in values if value.get("type", galaxy) == galaxy)
            names[galaxy] = names_of(of_galaxy, knowledge)
        taxonomies = asked(self.misp.taxonomies)
        enabled = {
            entry["Taxonomy"]["namespace"]
            for entry in taxonomies
            if str(entry["Taxonomy"].get("enabled")).lower() in ("1", "true")
        }
        return Clusters(names, "instance", TAXONOMIES - enabled)

    def event(self, event: str) -> dict[str, Any]:
        """Return a whole event: its reports as files, what was deleted in it, what was said of it.

        Raises
        ------
        InstanceError
            If there is none, or the key may not see it.
        """
        found = asked(lambda: self.misp.get_event(event, deleted=_BOTH))
        whole: dict[str, Any] = found["Event"]
        self.fetch_files(whole)
        return whole

    def events(self, events: Sequence[str]) -> list[dict[str, Any]]:
        """Return those of the events, by their numbers, that are there; without files."""
        found = self.search("events", eventid=list(events), deleted=_BOTH, includeAnalystData=True)
        return [entry["Event"] for entry in found]

    def fetch_files(self, event: Mapping[str, Any]) -> None:
        """Fetch the content of files that may be reports, one by one: samples may be huge."""
        for element, attribute in attributes(event):
            if element.get("deleted") or attribute.get("deleted") or not is_report(attribute):
                continue
            found = self.search("attributes", uuid=str(attribute["uuid"]), with_attachments=True)
            rows = found.get("Attribute", ()) if isinstance(found, Mapping) else ()
            attribute["data"] = next((row.get("data") for row in rows), None)

    def search(self, controller: str, **wanted: Any) -> Any:
        """Search events or attributes, with PyMISP's parameters or MISP's own."""
        search: Callable[..., Any] = self.misp.search  # whose types know few of MISP's lists
        return asked(lambda: search(controller=controller, **wanted))

    def index(self, since: str | None = None) -> Iterator[dict[str, Any]]:
        """Give number, uuid, time, and whether it is published, of all events that changed.

        Parameters
        ----------
        since : str, optional
            A time as MISP understands it (``7d``); all events without.
        """
        seen: set[str] = set()
        for page in itertools.count(1):
            rows = asked(
                lambda page=page: self.misp.search_index(  # type: ignore[misc]
                    minimal=True, timestamp=since, sort="id", limit=INDEX_PAGE, page=page
                )
            )
            new = [row for row in rows if str(row["id"]) not in seen]
            yield from new
            seen.update(str(row["id"]) for row in new)
            if not new or len(rows) < INDEX_PAGE:
                return
