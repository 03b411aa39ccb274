"""What a sentence is there for, and whether it presents a word as a technique.

A report names techniques in three ways: it claims that the adversary used them, it advises how to
prevent or detect them, and it lists sources. Headings tell it best ("Mitigations", "References"),
then wording: advice is an order to the reader or says who should do what; a source is a line that
is little but a link.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from engine.types import Document, Sentence

Role = Literal["claim", "defence", "reference"]

_REFERENCES = re.compile(
    r"^\W*(?:\d+[.)]?\s*)?(?:references?|sources?|bibliography|citations?|further reading|"
    r"footnotes?|endnotes?|related (?:reading|links|articles)|works cited)\W*$",
    re.IGNORECASE,
)
_DEFENCE = re.compile(
    r"\b(?:mitigat\w+|recommend\w+|countermeasures?|prevention|preventing|hardening|remediation|"
    r"best practices|detections?|detecting|detection opportunities|hunting|protections?|"
    r"how to (?:protect|defend|detect)|defensive|security controls?|data sources?)\b",
    re.IGNORECASE,
)
_ADVICE = re.compile(
    r"^\W*(?:\d+[.)]\s*)?(?:disable|enable|monitor|block|ensure|implement|restrict|apply|require|"
    r"consider|audit|limit|enforce|deploy|configure|patch|educate|train|review|avoid|use|keep|"
    r"segment|prevent|detect|look for|hunt for)\b(?!\w*\s+(?:by|was|is)\b)"
    r"|\b(?:organi[sz]ations?|administrators?|admins|defenders?|users?|teams?|you|we) "
    r"(?:should|must|can|recommend|strongly recommend|advise)\b"
    r"|\b(?:recommended to|it is recommended|can be (?:mitigated|prevented|detected)|"
    r"to (?:mitigate|prevent|detect|defend against|protect against)|mitigations? for)\b"
    r"|\bM1\d{3}\b",
    re.IGNORECASE,
)
_LINK_LINE = re.compile(
    r"^\W*(?:\[?\d{1,3}\]?[.):]?)?\s*(?:.{0,30}?)(?:https?|hxxps?)://\S+\W*$", re.I
)
_TECHNIQUES_HEADING = re.compile(r"ATT&CK|MITRE|\bTTPs?\b|techniques?|tactics?", re.IGNORECASE)
_CUE_BEFORE = re.compile(
    r"\btechnique(?: name)?(?: (?:of|called|named|known as))?[ :(\"'\u201c\u2018]{1,3}$",
    re.IGNORECASE,
)
_CUE_AFTER = re.compile(r"[\"'\u201d\u2019)]? (?:sub-?)?technique\b", re.IGNORECASE)
_LONGER_NAME = re.compile(r"[A-Z][\w-]*[ -]$")  # "Token Impersonation technique"
_CELL_BEFORE = re.compile(r"(?:^|[|\t\n])\W*$")
_CELL_AFTER = re.compile(r"\s*(?:$|[|\t\n]|[(\[]T\d)")
_SMALL = frozenset({"a", "an", "and", "by", "for", "from", "in", "of", "on", "or", "over", "the"})
_SMALL |= {"through", "to", "via", "with"}
_READ = 1_000  # characters of a sentence that are enough to tell
URL = re.compile(r"(?:\bhttps?|\bhxxps?|\bftp)(?:://|\[:\]//)\S+|\bwww\.\S+", re.IGNORECASE)


def role(sentence: Sentence) -> Role:
    """Say what the sentence is there for, by its heading first, then by its wording."""
    heading, text = (sentence.heading or "")[:_READ], sentence.text[:_READ]
    if _REFERENCES.match(heading) or _LINK_LINE.match(text):
        return "reference"
    if heading and _DEFENCE.search(heading):
        return "defence"
    if sentence.kind != "heading" and _ADVICE.search(text):
        return "defence"
    return "claim"


def is_titled(mention: str) -> bool:
    """Tell whether a name is written as a title, as in "Data Encrypted for Impact"."""
    words = re.findall(r"[^\W_]+", mention)
    return all(w[0].isupper() or w[0].isdigit() or w in _SMALL for w in words) and bool(words)


def presented_as_technique(
    document: Document, sentence: Sentence, start: int, end: int, neighbours: Sequence[Sentence]
) -> bool:
    """Tell whether the text presents ``document.text[start:end]`` as a technique's name.

    It does where the name stands beside the word "technique", and where it is a whole line or cell
    in a list or table whose heading speaks of techniques or tactics.

    Parameters
    ----------
    document : Document
        The document.
    sentence : Sentence
        The sentence the name is in.
    start, end : int
        Its offsets in the document.
    neighbours : sequence of Sentence
        The sentences just before and after, for a heading that is only a line of text.
    """
    text = document.text
    quoted = text[max(0, start - 1) : start] in ('"', "\u201c", "'", "\u2018")
    if not (is_titled(text[start:end]) or quoted):
        return False
    before = text[max(sentence.start, start - 40) : start]
    after = text[end : min(max(sentence.end, end), end + 40)]
    if _CUE_BEFORE.search(before):
        return True
    if _CUE_AFTER.match(after) and not _LONGER_NAME.search(before):
        return True
    if not (_CELL_BEFORE.search(before) and _CELL_AFTER.match(after)):
        return False
    headings = [sentence.heading or "", *(n.heading or "" for n in neighbours)]
    lines = [n.text for n in neighbours if len(n.text) < 80]
    return any(_TECHNIQUES_HEADING.search(text) for text in (*headings, *lines))
