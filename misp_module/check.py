"""Is everything in place? One line for each thing that a MISP admin can get wrong."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from engine import __version__
from engine.errors import TtpscribeError
from misp_module.install import installed, module_names
from misp_module.settings import Settings

State = Literal["good", "wrong", "unknown"]
TIMEOUT_S = 5.0
NEEDED = {"perm_add": "write objects", "perm_tagger": "tag"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: its state, and what to do where it is wrong."""

    subject: str
    state: State
    told: str


def check(settings: Settings, root: Path | None = None) -> Iterator[Check]:
    """Look at the engine, the ledger, the module files, the modules server, and the instance."""
    engine = "release" if settings.engine_url is None else "engine"
    yield _guarded(engine, lambda: _engine(settings))
    yield _guarded("ledger", _ledger)
    if root is not None:
        yield _root(root)
    yield _guarded("modules server", lambda: _server(settings.modules_url))
    yield from _instance(settings)


def _engine(settings: Settings) -> Check:
    from engine.releases import open_default
    from misp_module.analyser import remote

    if (client := remote(settings)) is not None:
        from engine.knowledge import Knowledge

        serving, ours = client.serving(), Knowledge.load().version
        client.releases()  # this one needs the key
        told = f"{client.url} serves release {serving.release}, ATT&CK {serving.attack_version}"
        if ours != serving.attack_version:
            return Check("engine", "wrong", f"{told}; here it is {ours}: update the older one")
        return Check("engine", "good", told)

    release = open_default()
    return Check("release", "good", f"{release.name}, ATT&CK {release.manifest.attack_version}")


def _ledger() -> Check:
    from engine.ledger import Ledger

    with Ledger.open() as ledger:
        ledger.check()
        return Check("ledger", "good", ledger.location)


def _root(root: Path) -> Check:
    found = installed(root)
    if found is None:
        return Check("files", "wrong", f"none in {root}: ttpscribe misp install --root {root}")
    if found.version != __version__:
        return Check("files", "wrong", f"of version {found.version}: run ttpscribe misp install")
    if not Path(found.command[0]).exists():
        return Check("files", "wrong", f"{found.command[0]} is gone: run ttpscribe misp install")
    return Check("files", "good", f"version {found.version} in {root}")


def _server(url: str) -> Check:
    parts = urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.netloc, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/modules")
        modules = json.loads(connection.getresponse().read())
        names = {module["name"] for module in modules}
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        return Check(
            "modules server", "wrong",
            f"{url} does not answer ({error}): start misp-modules -c ROOT, or set "
            "TTPSCRIBE_MISP_MODULES_URL",
        )  # fmt: skip
    finally:
        connection.close()
    if missing := [name for name in module_names() if name not in names]:
        return Check(
            "modules server", "wrong",
            f"{url} does not list {', '.join(missing)}: restart it with -c ROOT; its log says why "
            "a module fails",
        )  # fmt: skip
    return Check("modules server", "good", f"{url} lists {', '.join(module_names())}")


def _instance(settings: Settings) -> Iterator[Check]:
    from misp_module.asking import InstanceError
    from misp_module.instance import connect, is_set

    if not is_set(settings):
        yield Check(
            "MISP", "unknown",
            "no TTPSCRIBE_MISP_URL and key: tags are named as in pymispgalaxies, and the workflow "
            "action cannot write",
        )  # fmt: skip
        return
    try:
        instance = connect(settings)
        yield Check("MISP", "good", f"{settings.url}, version {instance.version()}")
        lacks = [told for right, told in NEEDED.items() if not instance.rights.get(right)]
        yield Check(
            "rights",
            "wrong" if lacks else "good",
            f"the key's user may not {' nor '.join(lacks)}: give it another role"
            if lacks
            else "the key's user may write objects and tag",
        )
        audit = instance.rights.get("perm_audit", False)
        yield Check(
            "audit log",
            "good" if audit else "unknown",
            "may be read" if audit else "the role lacks perm_audit: who took a technique off is "
            "not known, and the removal of local tags seldom",
        )  # fmt: skip
        clusters = instance.clusters()
        for galaxy, names in clusters.names.items():
            state: State = "good" if names else "wrong"
            told = f"{len(names)} techniques" if names else "missing: update the galaxies"
            yield Check(f"galaxy {galaxy}", state, told)
        yield Check(
            "taxonomies",
            "wrong" if clusters.absent else "good",
            f"enable {', '.join(sorted(clusters.absent))}" if clusters.absent else "enabled",
        )
    except InstanceError as error:
        yield Check("MISP", "wrong", str(error))


def _guarded(subject: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except TtpscribeError as error:
        return Check(subject, "wrong", str(error))


def as_json(checks: list[Check]) -> list[dict[str, Any]]:
    """Return checks as JSON values."""
    return [{"subject": c.subject, "state": c.state, "told": c.told} for c in checks]
