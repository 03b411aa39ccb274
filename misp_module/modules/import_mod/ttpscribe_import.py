"""MISP import module: a report becomes technique objects, tags and an event report."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where `misp install` put the client

from misp_module.client import ask

mispattributes: dict[str, Any] = {"inputSource": ["file", "paste"], "format": "misp_standard"}
userConfig = {  # noqa: N816
    "operating_point": {
        "type": "String",
        "message": "precise, balanced or sensitive; empty for the site's choice.",
    },
    "inferences": {
        "type": "Boolean",
        "message": "Also list the techniques that are likely, though the text does not show them.",
        "checked": "True",
    },
    "tag_event": {
        "type": "Boolean",
        "message": "Tag the event too, not only the objects.",
        "checked": "True",
    },
}
moduleinfo: dict[str, Any] = {
    "version": "1",
    "author": "The ttpscribe authors",
    "name": "ttpscribe: import a report",
    "description": "Reads a report (PDF, DOCX, HTML, Markdown or text) into the event: its text "
    "with the evidence marked, and its MITRE ATT&CK techniques.",
    "module-type": ["import"],
    "logo": "",
    "requirements": ["ttpscribe"],
    "features": "Choose the operating point, inferences on or off, and whether to tag the event.",
    "references": ["https://attack.mitre.org/"],
    "input": "A PDF, DOCX, HTML, Markdown or text file, or pasted text.",
    "output": "One attack-pattern object per technique, event tags and an event report.",
}
moduleconfig = ["operating_point", "local_tags"]


def handler(q: bytes | str | bool = False) -> dict[str, Any] | bool:
    """Answer one query."""
    return ask(q)


def introspection() -> dict[str, Any]:
    """Say what goes in, which settings a user has, and in which format the answer comes."""
    return mispattributes | {"userConfig": userConfig}


def version() -> dict[str, Any]:
    """Describe the module and the settings that it takes."""
    return moduleinfo | {"config": moduleconfig}
