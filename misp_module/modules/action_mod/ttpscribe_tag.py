"""MISP action module: a workflow's event gets its techniques, in the background."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where `misp install` put the client

from misp_module.client import ask

moduleconfig = {
    "params": {
        "operating_point": {
            "type": "string",
            "description": "precise, balanced or sensitive; empty for the site's choice.",
            "value": "",
        },
    },
    "blocking": False,
    "support_filters": False,
    "expect_misp_core_format": True,
}
returns = "boolean"
moduleinfo: dict[str, Any] = {
    "version": "1",
    "author": "The ttpscribe authors",
    "name": "ttpscribe: write techniques",
    "description": "Reads the texts of the event and writes technique objects, tags and an event "
    "report into it, with the key that ttpscribe has for this MISP.",
    "module-type": ["action"],
    "logo": "",
    "requirements": ["ttpscribe", "TTPSCRIBE_MISP_URL", "TTPSCRIBE_MISP_KEY"],
    "features": "Answers at once and works in the background.",
    "references": ["https://attack.mitre.org/"],
    "input": "The event that a workflow selected.",
    "output": "Nothing; the event is changed through MISP's API.",
}


def handler(q: bytes | str | bool = False) -> dict[str, Any] | bool:
    """Answer one query."""
    return ask(q)


def introspection() -> dict[str, Any]:
    """Describe the parameters that a workflow sets."""
    return {"config": moduleconfig}


def version() -> dict[str, Any]:
    """Describe the module."""
    return moduleinfo | {"config": moduleconfig}
