"""The machine interface: one analysis as plain JSON values, its keys in a fixed order."""

from __future__ import annotations

import math
from typing import Any

from engine.outputs.base import BY_NAME, Context
from engine.types import Analysis, Evidence, Finding, Inference

DECIMALS = 4


def record(analysis: Analysis, context: Context) -> dict[str, Any]:
    """Return the analysis as JSON values.

    ``id``, ``findings``, ``suggestions``, ``tactics``, ``sentences`` and ``release`` are always
    there, in this order; ``inferences`` and ``warnings`` follow where there are any. A piece of
    evidence has a ``page`` where the format has pages, and a ``note`` where there is one.
    """
    named = context.identifier is BY_NAME
    values: dict[str, Any] = {
        "id": analysis.document.name if named else context.identifier,
        "findings": [_finding(finding) for finding in analysis.findings],
        "suggestions": [_finding(finding) for finding in analysis.suggestions],
        "tactics": [
            {"tactic": score.tactic, "probability": number(score.probability)}
            for score in analysis.tactics
        ],
        "sentences": [
            {
                "index": sentence.index,
                "techniques": [
                    {"technique": technique, "probability": number(probability)}
                    for technique, probability in sentence.techniques
                ],
            }
            for sentence in analysis.sentences
        ],
        "release": analysis.release,
    }
    if analysis.inferences:
        values["inferences"] = [_inference(inference) for inference in analysis.inferences]
    if analysis.warnings:
        values["warnings"] = list(analysis.warnings)
    return values


def number(value: float) -> float:
    """Round to four decimals.

    Raises
    ------
    ValueError
        If the value is not finite: JSON has no NaN, and such a score is a recognizer's fault.
    """
    plain = float(value)  # numpy's float32 is no JSON number, and has digits of its own
    if not math.isfinite(plain):
        raise ValueError(f"{plain} is not a score that can be written.")
    return round(plain, DECIMALS)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "technique": finding.technique,
        "name": finding.name,
        "probability": number(finding.probability),
        "explicit": bool(finding.explicit),
        "evidence": [_evidence(evidence) for evidence in finding.evidence],
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    values: dict[str, Any] = {
        "sentence": int(evidence.sentence),
        "start": int(evidence.start),
        "end": int(evidence.end),
        "text": evidence.text,
        "recognizer": evidence.recognizer,
        "probability": number(evidence.probability),
    }
    if evidence.page is not None:
        values["page"] = int(evidence.page)
    if evidence.note is not None:
        values["note"] = evidence.note
    return values


def _inference(inference: Inference) -> dict[str, Any]:
    return {
        "technique": inference.technique,
        "name": inference.name,
        "score": number(inference.score),
        "because": [
            {"technique": because.technique, "weight": number(because.weight)}
            for because in inference.because
        ],
    }
