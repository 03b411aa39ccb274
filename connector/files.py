"""The two files that are attached to a report, and how to tell them from an analyst's."""

from __future__ import annotations

import base64
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connector.report import Report
from engine.outputs import Context, get
from engine.types import Analysis

if TYPE_CHECKING:
    from connector.settings import TtpscribeSettings

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "ttpscribe/opencti")
HTML = "html"
NAVIGATOR = "navigator"
_SUFFIXES = {HTML: "annotated.html", NAVIGATOR: "navigator.json"}
_OURS = re.compile(r"ttpscribe-[0-9a-f]{12}-(?:annotated\.html|navigator\.json)")


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file to attach."""

    name: str
    media_type: str
    data: bytes

    def to_stix(self, report: Report) -> dict[str, Any]:
        """Return it as an entry of ``x_opencti_files``, marked as the report is."""
        return {
            "name": self.name,
            "data": base64.b64encode(self.data).decode("ascii"),
            "mime_type": self.media_type,
            "object_marking_refs": report.marking_refs,
            # Else connectors that import documents would take our own output for a report.
            "no_trigger_import": True,
        }


def name_of(report_id: str, output: str) -> str:
    """Return the name of a report's file: its own on every run, and nobody else's.

    OpenCTI stores files by name and overwrites in place, so a name an analyst could choose would
    cost them their file.
    """
    return f"ttpscribe-{uuid.uuid5(NAMESPACE, report_id).hex[:12]}-{_SUFFIXES[output]}"


def is_ours(name: str) -> bool:
    """Tell whether a file was written by ttpscribe, on this report or another."""
    return _OURS.fullmatch(name) is not None


def render(
    report: Report, analysis: Analysis, context: Context, settings: TtpscribeSettings
) -> list[OwnFile]:
    """Return the files that the settings ask for."""
    wanted = [HTML] if settings.write_html else []
    wanted += [NAVIGATOR] if settings.write_navigator else []
    files = []
    for output in wanted:
        made = get(output)
        data = made.write(analysis, context).encode("utf-8", "replace")
        files.append(OwnFile(name_of(report.id, output), made.media_type, data))
    return files
