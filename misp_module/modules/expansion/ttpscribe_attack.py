"""MISP expansion and hover module: the ATT&CK techniques that a text, a link or a file shows."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where `misp install` put the client

from misp_module.client import ask

mispattributes: dict[str, Any] = {
    "input": ["text", "comment", "other", "link", "url", "attachment", "malware-sample"],
    "format": "misp_standard",
}
moduleinfo: dict[str, Any] = {
    "version": "1",
    "author": "The ttpscribe authors",
    "name": "ttpscribe: ATT&CK techniques",
    "description": "Finds MITRE ATT&CK techniques in texts, links and files, with the sentences "
    "that prove them, and infers which further ones are likely.",
    "module-type": ["expansion", "hover"],
    "logo": "",
    "requirements": ["ttpscribe"],
    "features": "One object per technique with its galaxy tag, evidence, probability and release; "
    "an event report with all evidence, suggestions and inferences.",
    "references": ["https://attack.mitre.org/"],
    "input": "A text, comment, link, PDF, DOCX or HTML file, or an object that holds them.",
    "output": "One attack-pattern object per technique, and an event report.",
}
moduleconfig = [
    "operating_point",
    "inferences",
    "event_report",
    "tag_event",
    "local_tags",
    "fetch_links",
]


def handler(q: bytes | str | bool = False) -> dict[str, Any] | bool:
    """Answer one query."""
    return ask(q)


def introspection() -> dict[str, Any]:
    """Say what goes in, and in which format the answer comes."""
    return mispattributes


def version() -> dict[str, Any]:
    """Describe the module and the settings that it takes."""
    return moduleinfo | {"config": moduleconfig}
