"""Documents and analyses as JSON values, and back: what the service and its client agree on.

An analysis crosses as the record of ``ttpscribe analyse --format jsonl`` with a little more
around it. Asked for with ``exact``, nothing of it is lost: `read_analysis` gives back an equal
`Analysis`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from engine.outputs.base import Context
from engine.outputs.record import record
from engine.types import (
    Analysis,
    Because,
    Document,
    Evidence,
    Finding,
    Inference,
    Sentence,
    SentenceTechniques,
    TacticScore,
)


def write_document(document: Document) -> dict[str, Any]:
    """Return a document as JSON values: its text once, its sentences as places in it."""
    return {
        "name": document.name,
        "media_type": document.media_type,
        "pages": document.pages,
        "digest": document.digest,
        "warnings": list(document.warnings),
        "text": document.text,
        "sentences": [_write_sentence(sentence) for sentence in document.sentences],
    }


def _write_sentence(sentence: Sentence) -> dict[str, Any]:
    values: dict[str, Any] = {"start": sentence.start, "end": sentence.end}
    if sentence.page is not None:
        values["page"] = sentence.page
    if sentence.kind != "prose":
        values["kind"] = sentence.kind
    if sentence.heading is not None:
        values["heading"] = sentence.heading
    return values


def read_document(values: Mapping[str, Any]) -> Document:
    """Rebuild a document.

    Parameters
    ----------
    values : mapping
        As `write_document` returns them.

    Raises
    ------
    KeyError, TypeError
        If they have another form; the service looks before it calls this.
    """
    text: str = values["text"]
    return Document(
        name=values["name"],
        text=text,
        sentences=tuple(
            Sentence(
                index=index,
                text=text[each["start"] : each["end"]],
                start=each["start"],
                end=each["end"],
                page=each.get("page"),
                kind=each.get("kind") or "prose",
                heading=each.get("heading"),
            )
            for index, each in enumerate(values["sentences"])
        ),
        digest=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
        media_type=values.get("media_type") or "text/plain",
        pages=values.get("pages"),
        warnings=tuple(values.get("warnings") or ()),
    )


def write_analysis(
    analysis: Analysis,
    context: Context,
    *,
    exact: bool = False,
    whole: bool = False,
) -> dict[str, Any]:
    """Return an analysis as JSON values.

    Parameters
    ----------
    analysis : Analysis
    context : Context
    exact : bool
        All digits of all numbers.
    whole : bool
        The document, too, with its text.
    """
    values = record(analysis, context, exact=exact)
    values.setdefault("inferences", [])
    values.setdefault("warnings", [])
    for told, score in zip(values["tactics"], analysis.tactics, strict=True):
        told["name"] = score.name
    values["operating_point"] = analysis.operating_point
    values["attack_version"] = analysis.attack_version
    unknown = analysis.unknown_words
    values["unknown_words"] = unknown if unknown is None or exact else round(unknown, 4)
    document = analysis.document
    values["document"] = (
        write_document(document)
        if whole
        else {
            "name": document.name,
            "media_type": document.media_type,
            "pages": document.pages,
            "digest": document.digest,
        }
    )
    return values


def read_analysis(values: Mapping[str, Any], document: Document | None = None) -> Analysis:
    """Rebuild an analysis.

    Parameters
    ----------
    values : mapping
        As `write_analysis` returns them, with ``exact``.
    document : Document, optional
        What was analysed; without it the answer must hold it.

    Raises
    ------
    KeyError, TypeError, ValueError
        If they have another form.
    """
    return Analysis(
        document=document or read_document(values["document"]),
        findings=tuple(map(_read_finding, values["findings"])),
        suggestions=tuple(map(_read_finding, values["suggestions"])),
        tactics=tuple(
            TacticScore(each["tactic"], each["name"], each["probability"])
            for each in values["tactics"]
        ),
        sentences=tuple(
            SentenceTechniques(
                each["index"],
                tuple((one["technique"], one["probability"]) for one in each["techniques"]),
            )
            for each in values["sentences"]
        ),
        release=values["release"],
        operating_point=values["operating_point"],
        attack_version=values["attack_version"],
        inferences=tuple(map(read_inference, values["inferences"])),
        warnings=tuple(values["warnings"]),
        unknown_words=values.get("unknown_words"),
    )


def _read_finding(values: Mapping[str, Any]) -> Finding:
    return Finding(
        technique=values["technique"],
        name=values["name"],
        probability=values["probability"],
        explicit=values["explicit"],
        evidence=tuple(
            Evidence(
                sentence=each["sentence"],
                start=each["start"],
                end=each["end"],
                text=each["text"],
                recognizer=each["recognizer"],
                probability=each["probability"],
                page=each.get("page"),
                note=each.get("note"),
            )
            for each in values["evidence"]
        ),
    )


def read_inference(values: Mapping[str, Any]) -> Inference:
    """Rebuild an inference."""
    return Inference(
        technique=values["technique"],
        name=values["name"],
        score=values["score"],
        because=tuple(Because(each["technique"], each["weight"]) for each in values["because"]),
    )
