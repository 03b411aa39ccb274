"""ATT&CK Navigator layers, format 4.5, for Navigator 4.9 and later.

A layer holds one domain of ATT&CK. Findings of one domain give one layer, an object; those of
several give a list of layers, which the Navigator opens as one tab each.

Source: layer format 4.5, https://github.com/mitre-attack/attack-navigator (layers/spec/v4.5).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from engine.outputs.base import Context
from engine.outputs.evidence import (
    look_up,
    pages,
    place,
    ranked,
    recognizers,
    sentence_text,
    url,
)
from engine.outputs.text import encodable, one_line, percent
from engine.types import Analysis, Document, Finding, Inference

LAYER_FORMAT = "4.5"
NAVIGATOR = "5.2.0"
DOMAINS = ("enterprise", "mobile", "ics")
EVIDENCE_SHOWN = 3
EVIDENCE_LIMIT = 300

GRADIENT = ("#fff7d6", "#f6a53b", "#c2410c")
SUGGESTION_COLOUR = "#b9d7f2"
INFERENCE_COLOUR = "#d5c6ee"


def write(analysis: Analysis, context: Context) -> str:
    """Return the layer, or the list of layers, as JSON."""
    layers = [
        _layer(analysis, domain, entries, context)
        for domain in DOMAINS
        if (entries := _entries(analysis, domain, context))
    ]
    if not layers:
        layers = [_layer(analysis, DOMAINS[0], [], context)]
    content = layers[0] if len(layers) == 1 else layers
    return encodable(json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2)) + "\n"


def _layer(
    analysis: Analysis, domain: str, entries: list[dict[str, Any]], context: Context
) -> dict[str, Any]:
    name = one_line(analysis.document.name, 120)
    return {
        "name": name if domain == DOMAINS[0] else f"{name} ({domain})",
        "versions": {
            "attack": analysis.attack_version.split(".")[0],
            "navigator": NAVIGATOR,
            "layer": LAYER_FORMAT,
        },
        "domain": f"{domain}-attack",
        "description": (
            f"Techniques that ttpscribe found in {name}. The score is the probability in "
            "percent; inferences have none, for the text does not support them."
        ),
        "sorting": 3,
        "layout": {
            "layout": "side",
            "aggregateFunction": "max",
            "showID": True,
            "showName": True,
            "showAggregateScores": False,
            "countUnscored": False,
            "expandedSubtechniques": "annotated",
        },
        "hideDisabled": False,
        "techniques": entries + _parents(entries, context),
        "gradient": {"colors": list(GRADIENT), "minValue": 0, "maxValue": 100},
        "legendItems": [
            {"label": "Finding, more likely the darker", "color": GRADIENT[-1]},
            {"label": "Suggestion: less sure", "color": SUGGESTION_COLOUR},
            {"label": "Inference: not in the text", "color": INFERENCE_COLOUR},
        ],
        "showTacticRowBackground": False,
        "selectTechniquesAcrossTactics": True,
        "selectSubtechniquesWithParent": False,
        "selectVisibleTechniques": False,
        "metadata": _pairs(
            ("Document", name),
            ("Text SHA-256", analysis.document.digest),
            ("Release", one_line(analysis.release)),
            ("Operating point", analysis.operating_point),
            ("ATT&CK", analysis.attack_version),
        ),
    }


def _entries(analysis: Analysis, domain: str, context: Context) -> list[dict[str, Any]]:
    def here(technique: str) -> bool:
        found = look_up(context.knowledge, technique)
        return found is not None and next(d for d in DOMAINS if d in found.domains) == domain

    entries = [
        _finding(analysis.document, f, "finding") for f in analysis.findings if here(f.technique)
    ]
    entries += [
        _finding(analysis.document, f, "suggestion") | {"color": SUGGESTION_COLOUR}
        for f in analysis.suggestions
        if here(f.technique)
    ]
    entries += [_inference(i) for i in analysis.inferences if here(i.technique)]
    # The Navigator keeps one annotation a technique; the surest kind comes first.
    return list({entry["techniqueID"]: entry for entry in reversed(entries)}.values())[::-1]


def _finding(document: Document, finding: Finding, kind: str) -> dict[str, Any]:
    evidence = ranked(finding)
    quotes = [
        f"“{one_line(sentence_text(document, e), EVIDENCE_LIMIT)}” ({place(e)})"
        for e in evidence[:EVIDENCE_SHOWN]
    ]
    more = len(evidence) - EVIDENCE_SHOWN
    if more > 0:
        quotes.append(f"and {more} more")
    return {
        "techniqueID": finding.technique,
        "score": round(finding.probability * 100, 1),
        "comment": "\n".join(quotes) or "The document as a whole; no single sentence.",
        "enabled": True,
        "metadata": _pairs(
            ("Kind", kind),
            ("Probability", percent(finding.probability)),
            ("Named in the text", "yes" if finding.explicit else "no"),
            ("Pages", ", ".join(map(str, pages(finding)))),
            ("Recognizers", ", ".join(recognizers(finding.evidence))),
        ),
        "links": _links(finding.technique),
        "showSubtechniques": False,
    }


def _inference(inference: Inference) -> dict[str, Any]:
    because = ", ".join(reason.technique for reason in inference.because)
    return {
        "techniqueID": inference.technique,
        "color": INFERENCE_COLOUR,
        "comment": "Not in the text. Likely given the findings"
        + (f", above all {because}." if because else "."),
        # Enabled: the Navigator paints a disabled technique grey, and its colour is lost.
        "enabled": True,
        "metadata": _pairs(("Kind", "inference"), ("Rank score", f"{inference.score:.4f}")),
        "links": _links(inference.technique),
        "showSubtechniques": False,
    }


def _parents(entries: Iterable[dict[str, Any]], context: Context) -> list[dict[str, Any]]:
    """Open the parents of listed sub-techniques; return entries of those not listed."""
    listed = {entry["techniqueID"]: entry for entry in entries}
    missing: dict[str, dict[str, Any]] = {}
    for technique in listed:
        parent = context.knowledge.parent(technique)
        if parent in listed:
            listed[parent]["showSubtechniques"] = True
        elif parent is not None:
            missing[parent] = {"techniqueID": parent, "showSubtechniques": True}
    return [missing[parent] for parent in sorted(missing)]


def _pairs(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    # The Navigator refuses a layer with an empty value.
    return [{"name": name, "value": value} for name, value in pairs if value]


def _links(technique: str) -> list[dict[str, str]]:
    page = url(technique)
    return [{"label": "ATT&CK", "url": page}] if page else []
