"""MISP's AI hook: suggests galaxy tags for a whole event, for the analyst to tick."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where `misp install` put the client

from misp_module.client import ask

mispattributes: dict[str, Any] = {"input": ["event"], "format": "misp_standard"}
moduleinfo: dict[str, Any] = {
    "version": "1",
    "author": "The ttpscribe authors",
    "name": "ttpscribe: AI connector",
    "description": "Suggests MITRE ATT&CK techniques as tags, from all texts of an event.",
    "module-type": ["ai"],
    "logo": "",
    "requirements": ["ttpscribe"],
    "features": "Serves the use cases tag_suggest and ping. Never suggests a technique that the "
    "event has, nor one that an analyst took off.",
    "references": ["https://attack.mitre.org/"],
    "input": "A whole event.",
    "output": "Tags, most probable first.",
}
moduleconfig = ["operating_point", "fetch_links"]


def handler(q: bytes | str | bool = False) -> dict[str, Any] | bool:
    """Answer one query."""
    return ask(q)


def introspection() -> dict[str, Any]:
    """Say what goes in, and in which format the answer comes."""
    return mispattributes


def version() -> dict[str, Any]:
    """Describe the module and the settings that it takes."""
    return moduleinfo | {"config": moduleconfig}
