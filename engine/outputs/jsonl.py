"""JSON lines: the machine interface, one analysis a line, in pure ASCII."""

from __future__ import annotations

import json

from engine.outputs.base import Context
from engine.outputs.record import record
from engine.types import Analysis


def write(analysis: Analysis, context: Context) -> str:
    """Return one line. ASCII survives every locale, and echoes back ids of any content."""
    return json.dumps(record(analysis, context), ensure_ascii=True, allow_nan=False) + "\n"
