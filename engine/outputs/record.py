"""The machine interface: one analysis as plain JSON values, its keys in a fixed order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from engine.outputs.base import BY_NAME, Context
from engine.types import Analysis, Evidence, Finding, Inference

DECIMALS = 4
Number = Callable[[float], float]


def record(analysis: Analysis, context: Context, *, exact: bool = False) -> dict[str, Any]:
    """Return the analysis as JSON values.

    ``id``, ``findings``, ``suggestions``, ``tactics``, ``sentences`` and ``release`` are always
    there, in this order; ``inferences`` and ``warnings`` follow where there are any. A piece of
    evidence has a ``page`` where the format has pages, and a ``note`` where there is one.

    Parameters
    ----------
    analysis : Analysis
    context : Context
    exact : bool
        Write all digits of a number, so that a program can rebuild the analysis; four decimals
        without.
    """
    told = finite if exact else number
    named = context.identifier is BY_NAME
    values: dict[str, Any] = {
        "id": analysis.document.name if named else context.identifier,
        "findings": [_finding(finding, told) for finding in analysis.findings],
        "suggestions": [_finding(finding, told) for finding in analysis.suggestions],
        "tactics": [
            {"tactic": score.tactic, "probability": told(score.probability)}
            for score in analysis.tactics
        ],
        "sentences": [
            {
                "index": sentence.index,
                "techniques": [
                    {"technique": technique, "probability": told(probability)}
                    for technique, probability in sentence.techniques
                ],
            }
            for sentence in analysis.sentences
        ],
        "release": analysis.release,
    }
    if analysis.inferences:
        values["inferences"] = [inference_record(each, told) for each in analysis.inferences]
    if analysis.warnings:
        values["warnings"] = list(analysis.warnings)
    return values


def number(value: float) -> float:
    """Round to four decimals; see `finite`."""
    return round(finite(value), DECIMALS)


def finite(value: float) -> float:
    """Return a number as JSON takes it.

    Raises
    ------
    ValueError
        If the value is not finite: JSON has no NaN, and such a score is a recognizer's fault.
    """
    plain = float(value)  # numpy's float32 is no JSON number, and has digits of its own
    if not math.isfinite(plain):
        raise ValueError(f"{plain} is not a score that can be written.")
    return plain


def _finding(finding: Finding, number: Number) -> dict[str, Any]:
    return {
        "technique": finding.technique,
        "name": finding.name,
        "probability": number(finding.probability),
        "explicit": bool(finding.explicit),
        "evidence": [_evidence(evidence, number) for evidence in finding.evidence],
    }


def _evidence(evidence: Evidence, number: Number) -> dict[str, Any]:
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


def inference_record(inference: Inference, number: Number = number) -> dict[str, Any]:
    """Return one inference, with the techniques that speak for it."""
    return {
        "technique": inference.technique,
        "name": inference.name,
        "score": number(inference.score),
        "because": [
            {"technique": because.technique, "weight": number(because.weight)}
            for because in inference.because
        ],
    }
