"""Everything that is made from the settings classes: run ``python -m connector.reference``.

``config.yml.sample``, the table in ``docs/opencti.md`` and the two files that OpenCTI's
ecosystem reads. A test fails where one of them is not what this would write.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from connector.harvest_settings import HarvestSettings
from connector.placeholder import PLACEHOLDER
from connector.settings import (
    ConnectorSettings,
    OpenCTISettings,
    TtpscribeSettings,
)
from engine import reference
from engine.service.settings import ServiceSettings

SECTIONS: dict[str, type[Any]] = {
    "opencti": OpenCTISettings,
    "connector": ConnectorSettings,
    "ttpscribe": TtpscribeSettings,
    "harvest": HarvestSettings,
}
BEGIN = "<!-- settings: made by python -m connector.reference -->"
END = "<!-- end of settings -->"
VERSION = "7.260817.0"
_SAMPLES = {("opencti", "url"): "http://localhost:8080", ("opencti", "token"): PLACEHOLDER}


def variables() -> list[tuple[str, str, str, FieldInfo]]:
    """Return (section, key, environment variable, field) of every setting."""
    return list(reference.variables(SECTIONS))


def sample() -> str:
    """Return ``config.yml.sample``."""
    head = "# Copy this to config.yml. Environment variables go before it.\n"
    ours, service = (
        reference.sample(each, _SAMPLES) for each in (SECTIONS, {"service": ServiceSettings})
    )
    return f"{head}\n{ours}\n# Of an engine service only (ttpscribe serve).\n{service}"


def table() -> str:
    """Return the table of settings for the documentation."""
    return reference.table(SECTIONS)


def schema() -> str:
    """Return ``connector_config_schema.json``: the settings by environment variable."""
    properties: dict[str, Any] = {}
    required = []
    for section, key, variable, field in variables():
        described = SECTIONS[section].model_json_schema()["properties"][key]
        described.pop("title", None)
        if "anyOf" in described:  # optional: left out is how to say null
            kinds = [each for each in described.pop("anyOf") if each.get("type") != "null"]
            described |= kinds[0]
            described.pop("default", None)
        properties[variable] = dict(sorted(described.items()))
        if field.is_required():
            required.append(variable)
    return _json(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": "ttpscribe_config.schema.json",
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": True,
        }
    )


def manifest() -> str:
    """Return ``connector_manifest.json``."""
    return _json(
        {
            "title": "ttpscribe",
            "slug": "ttpscribe",
            "description": (
                "Reads reports, cases and groupings (description, rich text and attached PDF, "
                "Word, HTML, Markdown and text files), finds the MITRE ATT&CK techniques in them "
                "with calibrated probabilities and the sentences that prove them, and infers "
                "which further techniques are likely. Adds references, 'uses' relationships, one "
                "note, an annotated HTML and an ATT&CK Navigator layer. Never undoes what an "
                "analyst changed. Runs offline, on a CPU."
            ),
            "short_description": (
                "Finds the ATT&CK techniques in reports, with the sentences that prove them, and "
                "says which further ones are likely."
            ),
            "use_cases": ["Enrichment & Analysis"],
            "solution_categories": ["Open Source Threat Intelligence"],
            "playbook_supported": True,
            "max_confidence_level": 100,
            "support_version": f">={VERSION}",
            "container_image": "ttpscribe/connector",
            "container_type": "INTERNAL_ENRICHMENT",
            "license_type": "Apache-2.0",
            "contact": "The ttpscribe authors",
        }
    )


def files(root: Path) -> dict[Path, str]:
    """Return what every generated file under ``root`` must hold."""
    metadata = root / "__metadata__"
    docs = root / "docs" / "opencti.md"
    text = docs.read_text(encoding="utf-8")
    return {
        root / "config.yml.sample": sample(),
        metadata / "connector_config_schema.json": schema(),
        metadata / "connector_manifest.json": manifest(),
        docs: reference.between(text, BEGIN, END, table()),
    }


def main() -> None:
    """Write all files."""
    for path, content in files(Path(__file__).resolve().parent.parent).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
