"""Technique ids as reports print them.

Found are ``T1059.001``, ``T1059/001`` and ``t1059.001``; ids in links to ATT&CK; the split cells
of ATT&CK's own tables (``T1059 | .001``); short forms (``T1021.001, .002``); full-width
digits; and ids broken over lines. Passed over are ids inside longer tokens: file names,
hashes, base64, host names, paths, CVE numbers. Whether an id exists is for the knowledge to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# Full-width forms become ASCII one to one, so that offsets stay true.
_WIDTH = {0xFF01 + i: 0x21 + i for i in range(94)} | {0x3002: ".", 0x2024: "."}

_BREAK = r"(?:[-\u00ad]?[ \t]*\r?\n[ \t]*)"  # a line break, perhaps after a hyphen
_JOIN = r"(?:[-\u00ad]\r?\n)?"  # a hyphenated break within the number
_NUMBER = rf"\d{_JOIN}\d{_JOIN}\d{_JOIN}\d"
_CELL = r"(?:[ \t]*\|[ \t]*|\t+| )"  # between two cells of a table
_ID = re.compile(
    rf"(?<![A-Za-z0-9_\\@%$&+])([Tt])({_NUMBER})(?![0-9A-Za-z_@\\])"
    rf"(?:({_BREAK}?[./]{_BREAK}?|[./] |{_CELL}\.|-)(\d{{3}})(?![0-9A-Za-z_]|[./-]\d))?"
)
_MORE = re.compile(r"\s?(?:,|/|&|;|and|or)\s?\.(\d{3})(?![0-9A-Za-z])")
_LINK = re.compile(r"(?:techniques?|atomics|attack\.mitre\.org)[^\s]{0,40}[/=]$", re.IGNORECASE)
_BEFORE_HYPHEN = re.compile(r"(?:ATT&CK|MITRE|TTP|ID|[A-Z]?[a-z]+)-$")
_CLUE = re.compile(r"ATT&CK|MITRE|technique", re.IGNORECASE)
_WORD_BEFORE = re.compile(r"(?:^|[\s(\[|,;])(?:[A-Za-z]+|[Tt]\d{4}(?:\.\d{3})?)/$")
_FILE_AFTER = re.compile(r"\.[a-z][a-z0-9]{0,9}(?![A-Za-z0-9])")
_LOOK_BACK = 80


class IdMention(NamedTuple):
    """An id in the text: its offsets, its usual form, and whether it stands in a link."""

    start: int
    end: int
    id: str
    in_link: bool


def find_ids(text: str) -> Iterator[IdMention]:
    """Find everything that is written as a technique id, in order.

    Parameters
    ----------
    text : str
        A whole document, so that an id broken over two lines is seen.

    Yields
    ------
    IdMention
        Of known and unknown ids alike.
    """
    if not text.isascii():
        text = text.translate(_WIDTH)
    for match in _ID.finditer(text):
        letter, number, separator, sub = match.groups()
        before = text[max(0, match.start() - _LOOK_BACK) : match.start()]
        link = bool(_LINK.search(before))
        if not link and not _stands_alone(text, before, match, strict=letter == "t"):
            continue
        end = match.end()
        number = re.sub(r"\D", "", number)
        if separator is None and _continues(text, end):
            continue
        base = f"T{number}"
        yield IdMention(match.start(), end, f"{base}.{sub}" if sub else base, link)
        while sub and (more := _MORE.match(text, end)):
            yield IdMention(more.start(1) - 1, more.end(), f"{base}.{more[1]}", False)
            end = more.end()


def _stands_alone(text: str, before: str, match: re.Match[str], *, strict: bool) -> bool:
    """Tell a printed id from a piece of a path, a file name, a host name or encoded data."""
    last, after = before[-1:], text[match.end() : match.end() + 12]
    if after[:1] in ("=", "+") or _FILE_AFTER.match(after):
        return False
    if last == "/" and not _WORD_BEFORE.search(before):
        return False
    if last == "-" and before[-2:-1].isalnum() and not _BEFORE_HYPHEN.search(before):
        return False
    if last == "." and not before.lower().endswith("attack."):
        return before[-2:-1].isspace()
    if last == "=" and not before[-2:-1].isalpha():
        return False
    if strict:
        return _lower_case_stands(text, before, match, after)
    return True


def _lower_case_stands(text: str, before: str, match: re.Match[str], after: str) -> bool:
    if re.match(r"-[a-z0-9]", after) or before.endswith("-"):
        return False
    if match[4] or before.lower().endswith("attack."):
        return True
    # Four digits after a small t are model numbers as well: something must speak for ATT&CK.
    around = text[max(0, match.start() - _LOOK_BACK) : match.end() + _LOOK_BACK]
    return bool(_CLUE.search(around))


def _continues(text: str, end: int) -> bool:
    """``T1059.0011`` and ``T1059.1`` are not ids, and not their first half either."""
    return bool(re.match(r"[./]\d", text[end : end + 2]))
