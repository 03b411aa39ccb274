"""Targets of links that say more than the link's text: ATT&CK pages."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ATTACK = re.compile(
    r"(?:https?://)?(?:www\.)?attack\.mitre\.org/(?:versions/v[\d.]+/)?"
    r"techniques/(T\d{4})(?:/(\d{3}))?(?=[/?#]|$)",
    re.IGNORECASE,
)


_BOUND = frozenset("\ufdd0\ufdd1")
# A target in a parser's text, until the whole text is known.
_HIDDEN = re.compile("\ufdd0(T\\d{4}(?:/\\d{3})?)\ufdd1")
_PRINTED = re.compile(r"\bT\d{4}(?:[./]\d{3})?(?!\d)")


def hidden_target(target: str | None) -> str:
    """Mark, behind a link's text, the technique it points to; empty for any other link."""
    match = _ATTACK.match((target or "").strip())
    if match is None:
        return ""
    return f"\ufdd0{match[1].upper()}{'/' + match[2] if match[2] else ''}\ufdd1"


def show_targets(texts: Sequence[str]) -> list[str]:
    """Print the address of each marked technique that the document does not print itself.

    A reader sees such a link's target; so must the recognizers. Where the id stands in the text
    anyhow, its address would only be noise between the words.

    >>> show_targets(["Ran a script" + hidden_target("https://attack.mitre.org/techniques/T1059/")])
    ['Ran a script (https://attack.mitre.org/techniques/T1059)']
    """
    printed: set[str] = set()
    for text in texts:
        for found in _PRINTED.findall(_HIDDEN.sub("", text)):
            printed |= {found.replace(".", "/"), found[:5]}

    def shown(match: re.Match[str]) -> str:
        if match[1] in printed:
            return ""
        return f" (https://attack.mitre.org/techniques/{match[1]})"

    return [
        _HIDDEN.sub(shown, text).replace("\ufdd0", "").replace("\ufdd1", "")
        if not _BOUND.isdisjoint(text)
        else text
        for text in texts
    ]
