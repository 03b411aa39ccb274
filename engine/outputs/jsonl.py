"""JSON lines: the machine interface, one analysis a line, in pure ASCII."""

from __future__ import annotations

import json
from typing import Any

from engine.outputs.base import Context
from engine.outputs.record import record
from engine.types import Analysis


def line(analysis: Analysis, identifier: Any) -> str:
    """Return one line. ASCII survives every locale, and echoes back ids of any content."""
    values = record(analysis, identifier)
    return json.dumps(values, ensure_ascii=True, allow_nan=False, separators=(", ", ": ")) + "\n"


def write(analysis: Analysis, _context: Context) -> str:
    """Return the analysis as one line, under the document's name."""
    return line(analysis, analysis.document.name)
