"""Is everything there that the connector needs? One line for each part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from connector.errors import Refused
from connector.memory import PLATFORM
from connector.platform import Platform, connect
from engine.errors import TtpscribeError

if TYPE_CHECKING:
    from connector.analyser import RemoteAnalyser
    from connector.settings import Settings

State = Literal["ok", "warning", "failed"]
RIGHTS = {
    "CONNECTORAPI": "connect and register connectors",
    "KNOWLEDGE_KNUPDATE": "create and update knowledge",
    "KNOWLEDGE_KNUPLOAD": "upload files",
}


@dataclass(frozen=True, slots=True)
class Line:
    """The state of one part."""

    part: str
    state: State
    says: str


def check(settings: Settings) -> Iterator[Line]:
    """Look at every part, and go on past what fails."""
    yield Line("settings", "ok", f"scope {', '.join(settings.connector.scope)}, "
               f"highest marking {settings.ttpscribe.max_tlp}")  # fmt: skip
    yield from _part("engine", lambda: _engine(settings))
    yield from _part("ledger", lambda: _ledger(settings))
    platforms: list[Platform] = []
    yield from _part("OpenCTI", lambda: _reach(settings, platforms))
    for platform in platforms:
        yield from _part("version", lambda platform=platform: _version(platform))  # type: ignore[misc]
        yield from _part("user", lambda platform=platform: _user(platform))  # type: ignore[misc]
        yield from _part("harvest", lambda platform=platform: _harvest(platform, settings))  # type: ignore[misc]


def _part(name: str, look: Callable[[], Iterator[tuple[State, str]]]) -> Iterator[Line]:
    try:
        for state, says in look():
            yield Line(name, state, says)
    except TtpscribeError as error:
        yield Line(name, "failed", str(error))


def _engine(settings: Settings) -> Iterator[tuple[State, str]]:
    from connector.analyser import LocalAnalyser, RemoteAnalyser, chosen

    analyser = chosen(settings.ttpscribe)
    if isinstance(analyser, RemoteAnalyser):
        yield from _service(analyser)
        return
    engine = LocalAnalyser().engine
    point = engine.release.manifest.operating_point(settings.ttpscribe.operating_point)
    yield (
        "ok",
        (
            f"release {engine.release.name}, ATT&CK {engine.knowledge.version}, "
            f"{settings.ttpscribe.operating_point}: writes from "
            f"{settings.ttpscribe.threshold or point.write_threshold:.2f} on"
        ),
    )


def _service(analyser: RemoteAnalyser) -> Iterator[tuple[State, str]]:
    serving = analyser.client.serving()
    analyser.client.releases()  # this one needs the key
    yield (
        "ok",
        f"{analyser.client.url} serves release {serving.release}, ATT&CK {serving.attack_version}",
    )
    if (ours := analyser.knowledge.version) != serving.attack_version:
        yield (
            "warning",
            f"ATT&CK {ours} here, {serving.attack_version} there: bring both to the same release "
            "(ttpscribe knowledge update)",
        )


def _ledger(settings: Settings) -> Iterator[tuple[State, str]]:
    from engine.ledger import Ledger

    url = settings.ttpscribe.ledger_url
    with Ledger.open(url.get_secret_value() if url else None) as ledger:
        ledger.check()
        counts = ledger.journal(PLATFORM, settings.connector.id).counts()
        open_ones = counts.get("waiting", 0) + counts.get("taken", 0)
        yield "ok", f"{ledger.location}, {open_ones} enrichments open"
        if failed := counts.get("failed", 0):
            yield "ok", f"{failed} enrichments failed so far; their works say why"


def _reach(settings: Settings, platforms: list[Platform]) -> Iterator[tuple[State, str]]:
    platform = connect(settings, retries=0)
    platform.ask("connecting", lambda: platform.api.query("query Me { me { id } }"))
    platforms.append(platform)
    yield "ok", f"{platform.api.base_url} answers, and takes the token"


def _version(platform: Platform) -> Iterator[tuple[State, str]]:
    from pycti import __version__ as pycti

    answer = platform.ask(
        "asking for the version",
        lambda: platform.api.query("query Version { about { version } }"),
    )
    version = answer["data"]["about"]["version"]
    if version == pycti:
        yield "ok", f"OpenCTI {version}, as pycti"
    else:
        yield (
            "failed",
            (
                f"OpenCTI is {version}, pycti is {pycti}: they must be the same. Install the "
                f"release of ttpscribe for OpenCTI {version}, or: pip install pycti=={version}"
            ),
        )


def _user(platform: Platform) -> Iterator[tuple[State, str]]:
    answer = platform.ask(
        "asking for the user",
        lambda: platform.api.query(
            "query Me { me { name capabilities { name } "
            "effective_confidence_level { max_confidence } } }"
        ),
    )
    me: dict[str, Any] = answer["data"]["me"]
    held = {str(each["name"]) for each in me["capabilities"] or []}
    missing = [] if "BYPASS" in held else [right for right in RIGHTS if right not in held]
    if "CONNECTORAPI" in missing:
        yield "failed", f"{me['name']} may not {RIGHTS['CONNECTORAPI']} (CONNECTORAPI)"
    elif missing:
        needed = ", ".join(f"{RIGHTS[right]} ({right})" for right in missing)
        yield "warning", f"{me['name']} may perhaps not {needed}"
    else:
        yield "ok", f"{me['name']} has the rights that are needed"
    level = me["effective_confidence_level"]
    highest = 100 if level is None else int(level["max_confidence"])
    if highest == 100:
        yield "ok", "confidence up to 100"
    else:
        yield (
            "warning",
            (
                f"confidence up to {highest}: on reports of a higher one OpenCTI drops what is "
                "written, without a word. Raise the user's maximum to 100."
            ),
        )


def _harvest(platform: Platform, settings: Settings) -> Iterator[tuple[State, str]]:
    from connector.history import People, read_history

    harvest = settings.harvest
    people, notes = People.of(platform, harvest.bots, harvest.mass_edits)
    for note in notes:
        yield "warning", note
    try:
        read_history(platform, people.own.id)
    except Refused as error:
        yield (
            "warning",
            f"{people.own.name} may not read the history, so verdicts are less sure: {error}",
        )
    else:
        yield "ok", f"the history can be read, {people.bots} users are known as no analysts"
