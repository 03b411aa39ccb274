"""What the annotated page shows, as JSON: for pages that build it themselves, like the service's.

Values are as the annotated HTML has them before they become markup: text is text, and whoever
shows it must insert it as such. Of the text's blocks, what is at its default is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from engine.outputs.base import Context
from engine.outputs.html.layout import Block, Group, Part, lay_out
from engine.outputs.html.sidebar import Sidebar
from engine.outputs.text import encodable, one_line
from engine.types import Analysis


def write(analysis: Analysis, context: Context) -> str:
    """Return the view as one JSON object on one line."""
    sidebar = Sidebar.of(analysis, context)
    document = analysis.document
    values = {
        "title": one_line(document.name) or "Untitled",
        "media_type": document.media_type,
        "pages": document.pages,
        "sentences": len(document.sentences),
        "release": analysis.release,
        "operating_point": analysis.operating_point,
        "attack_version": analysis.attack_version,
        "warnings": [one_line(warning) for warning in analysis.warnings],
        "entries": [
            {**_values(entry, "quotes"), "quotes": [_values(quote) for quote in entry.quotes]}
            for entry in (*sidebar.findings, *sidebar.suggestions)
        ],
        "inferences": [
            {
                **_values(inference, "because"),
                "because": [
                    {"technique": technique, "number": number}
                    for technique, number in inference.because
                ],
            }
            for inference in sidebar.inferences
        ],
        "tactics": [_values(tactic) for tactic in sidebar.tactics],
        "groups": [_group(group) for group in lay_out(analysis)],
    }
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return encodable(text) + "\n"


def _values(thing: Any, *without: str) -> dict[str, Any]:
    """Return the fields of a dataclass, but for those at their default."""
    return {
        field.name: getattr(thing, field.name)
        for field in fields(thing)
        if field.name not in without and getattr(thing, field.name) != field.default
    }


def _group(group: Group) -> dict[str, Any]:
    return {"kind": group.kind, "blocks": [_block(block) for block in group.blocks]}


def _block(block: Block) -> dict[str, Any]:
    return {
        **_values(block, "kind", "cells", "chips"),
        "cells": [_cell(parts) for parts in block.cells],
        "chips": [chip.number for chip in block.chips],
    }


def _cell(parts: Iterable[Part]) -> list[dict[str, Any]]:
    return [
        {**_values(part, "pieces"), "pieces": [_values(piece) for piece in part.pieces]}
        for part in parts
    ]
