"""JSON: the machine interface, indented for people who look into the file."""

from __future__ import annotations

import json

from engine.outputs.base import Context
from engine.outputs.record import record
from engine.outputs.text import encodable
from engine.types import Analysis


def write(analysis: Analysis, context: Context) -> str:
    """Return the analysis as one JSON object."""
    text = json.dumps(record(analysis, context), ensure_ascii=False, allow_nan=False, indent=2)
    return encodable(text) + "\n"
