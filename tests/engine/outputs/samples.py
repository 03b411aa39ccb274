"""Analyses built by hand, for the tests of all outputs."""

from __future__ import annotations

import hashlib

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

HOSTILE = (
    "<script>alert(1)</script> \"quoted\" 'single' \u2028 javascript:alert(1) </mark> "
    "[red]x[/red] =1+1"
)

LINES = [
    ("heading", 1, "Initial access"),
    ("prose", 1, "The actor sent a lure with a macro."),
    ("prose", 1, "The macro ran powershell.exe -enc to fetch the loader."),
    ("list_item", 1, "Run keys kept it alive (T1547.001)."),
    ("list_item", 2, "It read HKLM\\Software\\Run."),
    ("table_row", 2, "C2 | HTTPS over port 443 | beacon every 60 s"),
    ("table_row", 2, "Exfiltration | same channel"),
    ("prose", 3, HOSTILE),
    ("code", 3, "cmd.exe /c whoami"),
]


def document(lines=LINES, name="report.pdf", warnings=()) -> Document:
    text, sentences = "", []
    for index, (kind, page, line) in enumerate(lines):
        if index:
            before = lines[index - 1][0]
            same = kind == before
            text += (" " if kind == "prose" else "\n") if same else "\n\n"
        if kind == "list_item":
            text += "- "
        start = len(text)
        text += line
        sentences.append(Sentence(index, line, start, len(text), page, kind))
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    pages = max((page for _, page, _ in lines if page), default=None)
    return Document(name, text, tuple(sentences), digest, "application/pdf", pages, warnings)


def evidence(doc: Document, index: int, probability: float, recognizer="svc", part=None, note=None):
    sentence = doc.sentences[index]
    start, end = sentence.start, sentence.end
    if part is not None:
        start += sentence.text.index(part)
        end = start + len(part)
    text = doc.text[start:end]
    return Evidence(index, start, end, text, recognizer, probability, sentence.page, note)


def analysis(**changes) -> Analysis:
    doc = document()
    values = {
        "document": doc,
        "findings": (
            Finding(
                "T1547.001",
                "Registry Run Keys / Startup Folder",
                0.991234,
                True,
                (
                    evidence(doc, 3, 0.99, "explicit", part="T1547.001"),
                    evidence(doc, 3, 0.8),
                    evidence(doc, 4, 0.55, note="zero-shot"),
                ),
            ),
            Finding("T1059.001", "PowerShell", 0.87, False, (evidence(doc, 2, 0.87),)),
            Finding("T1071", "Application Layer Protocol", 0.62, False, (evidence(doc, 5, 0.62),)),
        ),
        "suggestions": (
            Finding(
                "T1566.001", "Spearphishing Attachment", 0.41, False, (evidence(doc, 1, 0.41),)
            ),
            Finding(
                "T1033",
                "System Owner/User Discovery",
                0.3,
                False,
                (evidence(doc, 8, 0.3), evidence(doc, 7, 0.2)),
            ),
            Finding("T1041", "Exfiltration Over C2 Channel", 0.25, False, ()),
        ),
        "tactics": (
            TacticScore("TA0003", "Persistence", 0.97),
            TacticScore("TA0002", "Execution", 0.9),
            TacticScore("TA0011", "Command and Control", 0.7),
        ),
        "sentences": (
            SentenceTechniques(2, (("T1059.001", 0.87),)),
            SentenceTechniques(3, (("T1547.001", 0.99),)),
        ),
        "release": "2026.11-test",
        "operating_point": "balanced",
        "attack_version": "18.1",
        "inferences": (
            Inference(
                "T1105",
                "Ingress Tool Transfer",
                0.7312,
                (Because("T1059.001", 0.6), Because("T1547.001", 0.2)),
            ),
            Inference("T1027", "Obfuscated Files or Information", 0.51),
        ),
        "warnings": ("Pages 2 to 3 hold pictures only; run OCR first.",),
    }
    return Analysis(**(values | changes))


def bare() -> Analysis:
    """Nothing found."""
    return analysis(
        document=document([("prose", None, "Nothing to see.")], "note.txt"),
        findings=(),
        suggestions=(),
        tactics=(),
        sentences=(),
        inferences=(),
        warnings=(),
    )
