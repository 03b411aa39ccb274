# ruff: noqa: RUF001 - the characters that documents really hold
r"""Text -> sentences with exact offsets.

The rule is the one by which the training data were cut: every line break ends a sentence;
inside a line ``.``, ``!``, ``?`` or ``…`` does, before white space and a capital or a digit,
unless an abbreviation, an initial or a list number stands there. A full stop inside a token
(``1.2.3[.]4``, ``a.exe``, ``HKLM\...``, ``4.1.3``) never ends anything.
"""

from __future__ import annotations

import re

from engine.types import Sentence, SentenceKind

# Longer ones are cut at white space, so that a model and a reader can take them in.
MAX_SENTENCE_CHARS = 2_000

_CLOSERS = "\"'”’»)\\]}"
# Reference marks may stand between a sentence's end and the next: "in 2015.[25] [26] The". What
# follows white space ends nothing ("?? ?? ??" in a byte pattern).
_END = re.compile(
    rf"(?<!\s)[.!?…]+[{_CLOSERS}]*(?:\s?\[\d{{1,3}}(?:[,–-] ?\d{{1,3}})*\])*(?=\s|\Z)"
)
_NEXT = re.compile(r"\s+[\"'“‘«(\[{]*([^\s\"'“‘«(\[{])")
_WORD_BEFORE = re.compile(r"[^\s(\[{\"'“‘«]+\Z")
_INITIALS = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]?\Z|[A-Z]\Z")
_ENUMERATOR = re.compile(r"\s*\(?(?:\d{1,3}|[A-Za-z])\Z")
_ABBREVIATIONS = frozenset(
    [
        "al", "approx", "ca", "cf", "dr", "e.g", "eg", "est", "etc", "ext", "feat", "fig",
        "figs", "gen", "i.e", "ie", "incl", "jr", "lt", "max", "min", "mr", "mrs", "ms", "mt",
        "no", "nos", "para", "pp", "prof", "ref", "rev", "sec", "sen", "sr", "st", "tel",
        "viz", "vol", "vs",
    ]
)  # fmt: skip
# Abbreviations that also end sentences: the next word decides.
_COMPANY = frozenset(["bros", "co", "corp", "inc", "ltd"])
_MONTHS = frozenset(
    ["jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec"]
)

_BULLET = re.compile(r"[•‣▪▫◦●○■□∙➢➤]\s*|[-*–]\s+")
_NUMBERED = re.compile(r"\(?(?:\d{1,3}|[A-Za-z])[.)]\s+\S")
_CODE = re.compile(
    r"\s*(?:[{}]\s*$|//|/\*|#!|\$\w*\s*=|(?:rule|import|def|function|var)\s+\S+.*[{;:(]\s*$"
    r"|.*[;{]\s*$)"
)
_TERMINAL = '.!?…:;,"”’)'


def sentence_spans(
    text: str, start: int = 0, end: int | None = None, *, whole: bool = False
) -> list[tuple[int, int]]:
    """Offsets of the sentences in one line of text.

    Parameters
    ----------
    text : str
        Holds the line.
    start, end : int
        The line's place in it; the whole of it if left out.
    whole : bool
        Cut only what is longer than ``MAX_SENTENCE_CHARS``.

    Returns
    -------
    list of (int, int)
        Half-open, in order, without overlap; no leading or trailing white space.
    """
    stop = len(text) if end is None else end
    spans: list[tuple[int, int]] = []
    begin = start
    if not whole:
        for match in _END.finditer(text, start, stop):
            if _ends_sentence(text, start, match.start(), match.end(), stop):
                _add(spans, text, begin, match.end())
                begin = match.end()
    _add(spans, text, begin, stop)
    return spans


def split_sentences(text: str) -> tuple[Sentence, ...]:
    """Cut plain text into sentences.

    Parameters
    ----------
    text : str
        Any text, with any line ends.

    Returns
    -------
    tuple of Sentence
        ``text[s.start:s.end] == s.text`` for each.
    """
    lines = list(_lines(text))
    sentences: list[Sentence] = []
    heading: str | None = None
    for position, (start, end) in enumerate(lines):
        if start == end:
            continue
        following = lines[position + 1] if position + 1 < len(lines) else (end, end)
        blank_before = position == 0 or lines[position - 1][0] == lines[position - 1][1]
        kind = _kind(text[start:end], text[following[0] : following[1]], blank_before)
        body = start
        if kind == "list_item" and (mark := _BULLET.match(text, start, end)):
            body = mark.end() if mark.end() < end else start
        for a, b in sentence_spans(text, body, end, whole=kind == "table_row"):
            sentences.append(Sentence(len(sentences), text[a:b], a, b, None, kind, heading))
        if kind == "heading":
            heading = text[start:end]
    return tuple(sentences)


def _lines(text: str) -> list[tuple[int, int]]:
    """Offsets of the lines, without their white space at both ends."""
    found = []
    offset = 0
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        begin = offset + (len(line) - len(line.lstrip()))
        found.append((begin, begin + len(stripped)) if stripped else (offset, offset))
        offset += len(line)
    return found


def _ends_sentence(text: str, line: int, at: int, after: int, stop: int) -> bool:
    following = _NEXT.match(text, after, stop)
    if following is None:
        return True
    letter = following[1]
    if not (letter.isupper() or letter.isdigit()):
        return False
    if text[at] != "." or text[at + 1 : at + 2] == ".":
        return True
    window = text[max(line, at - 40) : at]
    word = _WORD_BEFORE.search(window)
    if word is None:
        return bool(window.strip())
    token = word[0]
    lowered = token.lower()
    if lowered in _ABBREVIATIONS or (letter.isdigit() and lowered in _MONTHS):
        return False
    if lowered in _COMPANY:
        return letter.isupper() and _starts_sentence(text, following.start(1), stop)
    if _INITIALS.match(token):
        # "the U.S. Department" goes on; "in the U.S. The actor" does not.
        return _starts_sentence(text, following.start(1), stop)
    return at - line > 8 or not _ENUMERATOR.match(text[line:at])


_STARTERS = frozenset(
    [
        "a", "an", "after", "although", "an", "as", "at", "both", "by", "during", "for",
        "from", "he", "her", "however", "if", "in", "it", "its", "no", "on", "once", "one",
        "our", "she", "since", "some", "such", "that", "the", "their", "then", "there",
        "these", "they", "this", "those", "though", "to", "unlike", "we", "what", "when",
        "where", "while", "with", "you",
    ]
)  # fmt: skip
_FIRST_WORD = re.compile(r"[^\W\d_]+")


def _starts_sentence(text: str, at: int, stop: int) -> bool:
    word = _FIRST_WORD.match(text, at, stop)
    return word is not None and word[0].lower() in _STARTERS


def _add(spans: list[tuple[int, int]], text: str, begin: int, end: int) -> None:
    while begin < end and text[begin].isspace():
        begin += 1
    while end > begin and text[end - 1].isspace():
        end -= 1
    while end - begin > MAX_SENTENCE_CHARS:
        cut = begin + MAX_SENTENCE_CHARS
        space = max(text.rfind(" ", begin + 1, cut + 1), text.rfind("\t", begin + 1, cut + 1))
        if space > begin + MAX_SENTENCE_CHARS // 2:
            cut = space
        stop = cut
        while text[stop - 1].isspace():
            stop -= 1
        spans.append((begin, stop))
        begin = cut
        while text[begin].isspace():
            begin += 1
    if end > begin:
        spans.append((begin, end))


def _kind(line: str, following: str, blank_before: bool) -> SentenceKind:
    if _BULLET.match(line) or _NUMBERED.match(line):
        return "list_item"
    if "\t" in line or line.count(" | ") >= 1 or line.startswith("|"):
        return "table_row"
    if _CODE.match(line):
        return "code"
    if blank_before and _is_heading(line, following):
        return "heading"
    return "prose"


def _is_heading(line: str, following: str) -> bool:
    if len(line) > 80 or line[-1] in _TERMINAL or not line[0].isalnum():
        return False
    words = line.split()
    if len(words) > 12 or any(char in line for char in "\\/=<>@[]{}"):
        return False
    if not any(word[0].isupper() for word in words):
        return False
    # Something longer that reads like prose comes under it, at once or after an empty line.
    return not following or (len(following) > len(line) and following[-1] in ".:")
