"""The MISP instance, through PyMISP: its tag names, its events, and writing into them."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pymisp import MISPEventReport, MISPObject, PyMISP, PyMISPError

from engine.errors import TtpscribeError, UsageError
from engine.knowledge import Knowledge
from engine.paths import data_directory
from misp_module.settings import Settings
from misp_module.tags import (
    GALAXIES,
    PROVENANCE,
    Clusters,
    likelihood,
    names_of,
    shipped,
    technique_of,
)
from misp_module.verdicts import REMOVALS, attributes, rejected

TIMEOUT_S = (3.0, 20.0)
RETRY_S = 300.0
_ask_again: dict[Path, float] = {}
TAXONOMIES = frozenset(tag.split(":")[0] for tag in (*PROVENANCE, likelihood(1.0)))
log = logging.getLogger("ttpscribe.instance")
T = TypeVar("T")


class InstanceError(TtpscribeError):
    """The MISP instance does not answer, or refuses."""

    exit_code = 7


def is_set(settings: Settings) -> bool:
    """Tell whether the settings name an instance and a key."""
    return bool(settings.url and settings.secret())


@cache
def connect(settings: Settings) -> Instance:
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
    return Instance(_asked(lambda: PyMISP(url, key, trust, tool="ttpscribe", timeout=TIMEOUT_S)))


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

    def version(self) -> str:
        """Return the version of MISP."""
        return str(_asked(lambda: self.misp.misp_instance_version).get("version"))

    def clusters(self) -> Clusters:
        """Return the names of the clusters of techniques, and which taxonomies are missing."""
        names, knowledge = {}, Knowledge.load()
        for galaxy, uuid in GALAXIES.items():
            found = _asked(lambda uuid=uuid: self.misp.search_galaxy_clusters(uuid), missing=[])  # type: ignore[misc]
            values = [entry.get("GalaxyCluster", entry) for entry in found]
            of_galaxy = (value for value in values if value.get("type", galaxy) == galaxy)
            names[galaxy] = names_of(of_galaxy, knowledge)
        taxonomies = _asked(self.misp.taxonomies)
        enabled = {
            entry["Taxonomy"]["namespace"]
            for entry in taxonomies
            if str(entry["Taxonomy"].get("enabled")).lower() in ("1", "true")
        }
        return Clusters(names, "instance", TAXONOMIES - enabled)

    def event(self, event: str) -> dict[str, Any]:
        """Return a whole event, with what was deleted in it.

        Raises
        ------
        InstanceError
            If there is none, or the key may not see it.
        """
        found = _asked(lambda: self.misp.get_event(event, deleted=[0, 1]))
        whole: dict[str, Any] = found["Event"]
        return whole

    def removals(self, event: str) -> list[dict[str, Any]]:
        """Return the audit log's rows of tags taken off an event; none without audit rights."""
        rows = _asked(lambda: self.misp.direct_call(f"audit_logs/eventIndex/{event}"), missing=[])
        logs = [row.get("AuditLog", row) for row in rows if isinstance(row, Mapping)]
        return [dict(row) for row in logs if row.get("action") in REMOVALS]

    def changed(self, since: str) -> list[str]:
        """Return the uuids of events that changed since a time, as MISP understands it (``7d``)."""
        rows = _asked(lambda: self.misp.search_index(minimal=True, timestamp=since))
        return [str(row["uuid"]) for row in rows]

    def save(self, event: Mapping[str, Any], results: Mapping[str, Any]) -> list[str]:
        """Write an answer into an event; what is there, was deleted or rejected is left alone.

        Returns
        -------
        list of str
            What was written, and what MISP did not take.
        """
        knowledge = Knowledge.load()
        uuid = str(event["uuid"])
        wrong = rejected(event, self.removals(str(event["id"])), knowledge)
        known = {str(element.get("uuid")) for element in event.get("Object") or ()}
        told = []
        for values in results.get("Object", ()):
            if values["uuid"] not in known and not wrong & _techniques_of(values, knowledge):
                told += self._add_object(uuid, values)
        there = {str(tag.get("name")) for tag in event.get("Tag") or ()}
        for tag in results.get("Tag", ()):
            name = str(tag["name"])
            if name not in there and technique_of(name, knowledge) not in wrong:
                told.append(self._tag(uuid, name, bool(tag.get("local"))))
        reports = {str(report.get("uuid")) for report in event.get("EventReport") or ()}
        for values in results.get("EventReport", ()):
            if values["uuid"] not in reports:
                report = MISPEventReport()
                report.from_dict(**values)
                _asked(lambda report=report: self.misp.add_event_report(uuid, report))  # type: ignore[misc]
                told.append(f"event report '{values['name']}'")
        return told or ["nothing new"]

    def _add_object(self, event: str, values: Mapping[str, Any]) -> list[str]:
        element = MISPObject(values["name"], standalone=False)
        element.from_dict(**values)
        saved = _asked(lambda: self.misp.add_object(event, element))["Object"]
        has = {
            a["uuid"]: {t["name"] for t in a.get("Tag") or ()}
            for _, a in attributes({"Object": [saved]})
        }
        told = [f"object {_title(values)}"]
        for attribute in values["Attribute"]:
            dropped = [
                tag
                for tag in attribute.get("Tag") or ()
                if tag["name"] not in has.get(attribute["uuid"], ())
            ]
            told += [
                self._tag(attribute["uuid"], tag["name"], bool(tag.get("local"))) for tag in dropped
            ]
        return told

    def _tag(self, uuid: str, name: str, local: bool) -> str:
        """Attach a tag, and say so or why not: MISP itself would say nothing."""
        try:
            answer = _asked(lambda: self.misp.tag(uuid, name, local=local))
        except InstanceError as error:
            return f"no tag {name}: {error}"
        if isinstance(answer, Mapping) and answer.get("saved") is False:
            return f"no tag {name}: MISP answers '{answer.get('errors')}'"
        return f"tag {name}"


def known_clusters(settings: Settings) -> Clusters:
    """Return the instance's tag names, from the copy on disk while it is new enough.

    Where the instance does not answer, an older copy serves, or else the shipped names; it is asked
    again after ``RETRY_S``.
    """
    address = hashlib.sha256(str(settings.url).encode()).hexdigest()[:16]
    path = data_directory() / "misp" / f"clusters-{address}.json"
    kept, age = _kept(path)
    if kept is not None and age < settings.tags_hours * 3600:
        return kept
    if time.monotonic() < _ask_again.get(path, 0.0):
        return kept or shipped()
    try:
        clusters = connect(settings).clusters()
    except InstanceError as error:
        # Every try costs seconds that an answer does not have.
        _ask_again[path] = time.monotonic() + RETRY_S
        log.warning(
            "the names of tags are those of %s: %s",
            "an old copy" if kept else "pymispgalaxies",
            error,
        )
        return kept or shipped()
    _keep(path, {"names": clusters.names, "absent": sorted(clusters.absent)})
    return clusters


def _kept(path: Path) -> tuple[Clusters | None, float]:
    """Return the copy on disk and its age in seconds; None where there is none to read."""
    try:
        age = time.time() - path.stat().st_mtime
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Clusters(kept["names"], "instance", frozenset(kept["absent"])), age
    except (OSError, ValueError, KeyError):
        return None, 0.0


def _keep(path: Path, values: Mapping[str, Any]) -> None:
    partial = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(values), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        log.warning("the names of tags cannot be kept: %s", error)


def _asked(call: Callable[[], Any], missing: Any = None) -> Any:
    """Call PyMISP; its errors, raised or returned, become ours, or ``missing`` for a refusal."""
    try:
        answer = call()
    except (PyMISPError, OSError) as error:
        raise InstanceError(f"MISP does not answer as it should: {error}") from error
    if isinstance(answer, Mapping) and answer.get("errors") and answer.get("saved") is not False:
        if missing is not None:
            return missing
        raise InstanceError(f"MISP refuses: {_words(answer['errors'])}")
    return answer


def _words(errors: Any) -> str:
    if isinstance(errors, Iterable) and not isinstance(errors, str):
        for part in errors:
            if isinstance(part, Mapping):
                return str(part.get("message") or part.get("errors") or part)
    return str(errors)


def _techniques_of(element: Mapping[str, Any], knowledge: Knowledge) -> set[str]:
    names = (tag["name"] for a in element["Attribute"] for tag in a.get("Tag") or ())
    return {found for name in names if (found := technique_of(name, knowledge))}


def _title(element: Mapping[str, Any]) -> str:
    return str(element["Attribute"][0]["value"])
