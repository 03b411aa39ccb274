"""The outputs by name. A new one is a module with ``write`` and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from engine.errors import UsageError
from engine.outputs.base import Output
from engine.outputs.columns import HEADER

_ALL = (
    Output("table", "engine.outputs.table", ".txt", "text/plain", between="\n"),
    Output(
        "json",
        "engine.outputs.json",
        ".json",
        "application/json",
        opening="[\n",
        between=",\n",
        closing="]\n",
    ),
    Output("jsonl", "engine.outputs.jsonl", ".jsonl", "application/x-ndjson"),
    Output("csv", "engine.outputs.csv", ".csv", "text/csv", header=HEADER),
    Output("stix", "engine.outputs.stix", ".stix.json", "application/stix+json", joins=False),
    Output(
        "navigator", "engine.outputs.navigator", ".navigator.json", "application/json", joins=False
    ),
    Output("html", "engine.outputs.html", ".html", "text/html", joins=False),
    Output("view", "engine.outputs.html.view", ".view.json", "application/json", joins=False),
)

OUTPUTS: Mapping[str, Output] = MappingProxyType({output.name: output for output in _ALL})


def get(name: str) -> Output:
    """Return an output by name.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    if name not in OUTPUTS:
        raise UsageError(f"There is no format '{name}'. Choose from: {', '.join(OUTPUTS)}.")
    return OUTPUTS[name]
