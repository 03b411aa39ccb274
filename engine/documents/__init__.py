r"""Bytes -> text with pages and offsets -> sentences.

>>> from engine.documents import from_text
>>> [s.text for s in from_text("It ran C:\\a.exe. Then it slept.").sentences]
['It ran C:\\a.exe.', 'Then it slept.']
"""

from __future__ import annotations

from engine.documents.limits import Limits
from engine.documents.reading import (
    content_of,
    from_sentences,
    from_text,
    read_bytes,
    read_path,
)
from engine.documents.sentences import split_sentences
from engine.documents.sniff import media_type_of

__all__ = [
    "Limits",
    "content_of",
    "from_sentences",
    "from_text",
    "media_type_of",
    "read_bytes",
    "read_path",
    "split_sentences",
]
