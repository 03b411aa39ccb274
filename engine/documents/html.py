# ruff: noqa: RUF001 - the characters that documents really hold
"""HTML -> blocks: the main text with its headings, lists and tables; no menus, no scripts."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from engine.documents.blocks import Block, Parsed, assemble, clean, row_text
from engine.documents.encodings import decode
from engine.documents.limits import Limits
from engine.documents.links import hidden_target
from engine.errors import DocumentError
from engine.types import SentenceKind

_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_BLOCKS = _HEADINGS | frozenset(
    [
        "address", "article", "aside", "blockquote", "body", "caption", "center", "dd",
        "details", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form",
        "header", "hr", "html", "legend", "li", "main", "nav", "ol", "option", "p", "pre",
        "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "title", "tr",
        "ul",
    ]
)  # fmt: skip
_NEVER = frozenset(
    [
        "audio", "button", "canvas", "datalist", "dialog", "embed", "head", "iframe", "input",
        "map", "math", "menu", "meter", "noscript", "object", "progress", "script", "select",
        "style", "svg", "template", "textarea", "video",
    ]
)  # fmt: skip
_OUTSIDE = frozenset(("aside", "footer", "header", "nav"))
_ROLES = frozenset(
    [
        "alertdialog", "banner", "complementary", "contentinfo", "dialog", "menu", "menubar",
        "navigation", "search", "tablist", "toolbar",
    ]
)  # fmt: skip
_FURNITURE = re.compile(
    r"(?:^|[\s_-])(?:cookies?|consent|gdpr|onetrust|breadcrumbs?|share|sharing|social|addtoany"
    r"|sidebar|navbar|menu|newsletter|subscribe|related|skip-?link|advert(?:isement)?s?|popup"
    r"|modal|pagination|pager|visually-hidden|sr-only)(?:$|[\s_-])",
    re.IGNORECASE,
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_REFERENCE = re.compile(r"\s*\d{1,3}(?:[\s,–-]+\d{1,3})*\s*")
_TECHNIQUE = re.compile(r"\bT\d{4}\b")
_MAIN = ".//main | .//*[@role='main'] | .//article"
# A table with longer cells lays out the page; its cells are read as text.
_MAX_CELL_CHARS = 1_500


def parse(data: bytes, limits: Limits) -> Parsed:
    """Read the main text of a web page."""
    text, warning = _decode(data)
    warnings = [warning] if warning else []
    blocks = read_html(text, warnings=warnings)
    if not blocks:
        raise DocumentError("The HTML file shows no text: save the page as a browser displays it.")
    return assemble(blocks, max_chars=limits.max_text_chars, warnings=warnings)


def read_html(text: str, *, whole: bool = False, warnings: list[str] | None = None) -> list[Block]:
    """Turn HTML into blocks; ``whole`` keeps all of it, for fragments that have no menus."""
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        tree = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        if "empty" in str(error):
            return []
        # A parser that mends every fault gives up for one reason only.
        raise MemoryError from error
    if warnings is not None and any("depth" in entry.message for entry in parser.error_log):
        warnings.append("The page nests too deeply; what lies deepest was not read.")
    if tree is None:
        return []
    if whole:
        return _Walker(set()).walk(tree)
    dropped = {e for e in tree.iter(etree.Element) if e.tag in _NEVER or _is_hidden(e)}
    root = _main(tree, dropped)
    total = _size(root, dropped)
    dropped |= {
        e
        for e in root.iter(etree.Element)
        if e is not root and _is_furniture(e, root) and _may_go(e, dropped, total)
    }
    blocks = _Walker(dropped).walk(root)
    title = tree.find(".//h1")
    if title is not None and root.find(".//h1") is None:
        shown = clean(" ".join(title.itertext()))
        if shown and all(block.text != shown for block in blocks[:3]):
            blocks.insert(0, Block(shown, "heading"))
    return blocks


def _decode(data: bytes) -> tuple[str, str | None]:
    declared = _META.search(data[:4096])
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"))
    # Whoever reads the declaration as ASCII knows that these are not true.
    wide = declared and declared[1].lower().startswith((b"utf-16", b"utf-32", b"utf_16", b"utf_32"))
    if declared and not marked and not wide:
        try:
            return data.decode(declared[1].decode("ascii")), None
        except (LookupError, UnicodeError):
            pass  # the page is wrong about itself, as many are: look at the bytes
    return decode(data)


def _is_hidden(element: Any) -> bool:
    return (
        element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
        or bool(_HIDDEN.search(element.get("style") or ""))
    )


def _size(root: Any, dropped: set[Any]) -> int:
    """Characters of text under an element, without what is dropped."""
    size = 0
    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        if event == "end":
            size += len((element.tail or "").strip()) if element is not root else 0
        elif element in dropped and element is not root:
            walker.skip_subtree()
        else:
            size += len((element.text or "").strip())
    return size


def _main(tree: Any, dropped: set[Any]) -> Any:
    """Find the smallest element marked as main that holds most of the text."""
    body = tree.find(".//body")
    body = tree if body is None else body
    root, size = body, _size(body, dropped)
    for candidate in tree.xpath(_MAIN)[:50]:
        held = _size(candidate, dropped)
        if held >= 0.4 * size and candidate not in dropped:
            root, size = candidate, held
    return root


def _is_furniture(element: Any, root: Any) -> bool:
    tag = element.tag
    if tag in _OUTSIDE and (tag == "nav" or root.tag in ("body", "html")):
        return not (tag == "header" and any(a.tag == "article" for a in element.iterancestors()))
    if element.get("role") in _ROLES:
        return True
    named = f"{element.get('class') or ''} {element.get('id') or ''}"
    return tag not in ("body", "html", "table", "td", "tr") and bool(_FURNITURE.search(named))


def _may_go(element: Any, dropped: set[Any], total: int) -> bool:
    """Never drop most of a page, nor a list of techniques that is no menu."""
    if _size(element, dropped) > 0.3 * total:
        return False
    return element.tag in _OUTSIDE or not _TECHNIQUE.search("".join(element.itertext()))


class _Walker:
    """Collects blocks in one pass over a tree, without recursion: pages nest deeply."""

    def __init__(self, dropped: set[Any]) -> None:
        self.dropped = dropped
        self.blocks: list[Block] = []
        self.buffer: list[str] = []
        self.kind: list[SentenceKind] = []
        self.mark = ""
        self.lists: list[int | None] = []  # the next number; None where items have bullets
        self.tables: list[bool] = []  # whether each open table holds data
        self.row: list[str] = []
        self.anchors: list[int] = []
        self.pre = 0

    def walk(self, root: Any) -> list[Block]:
        walker = etree.iterwalk(root, events=("start", "end"))
        for event, element in walker:
            if not isinstance(element.tag, str):
                if event == "end" and element.tail:
                    self.buffer.append(element.tail)
            elif event == "start":
                if element in self.dropped and element is not root:
                    walker.skip_subtree()
                    continue
                self.start(element)
                self.buffer.append(element.text or "")
            else:
                if element not in self.dropped or element is root:
                    self.end(element)
                if element is not root:
                    self.buffer.append(element.tail or "")
        self.flush()
        return self.blocks

    def start(self, element: Any) -> None:
        tag = element.tag
        if tag in _BLOCKS or tag == "br":
            self.flush()
        if tag in _HEADINGS or element.get("role") == "heading":
            self.kind.append("heading")
        elif tag == "pre":
            self.pre += 1
            self.kind.append("code")
        elif tag in ("ul", "ol"):
            self.lists.append(_number(element.get("start")) if tag == "ol" else None)
        elif tag == "li":
            self.mark = self._next_mark()
        elif tag == "table":
            self.tables.append(_holds_data(element))
        elif tag == "tr":
            self.row = []
        elif tag in ("a", "sup"):
            self.anchors.append(len(self.buffer))

    def end(self, element: Any) -> None:
        tag = element.tag
        if tag in ("a", "sup") and self.anchors:
            at = min(self.anchors.pop(), len(self.buffer))
            shown = "".join(self.buffer[at:])
            if tag == "a":
                self.buffer.append(hidden_target(element.get("href")))
            elif _REFERENCE.fullmatch(shown):
                numbers = ", ".join(re.split(r"[\s,]+", shown.strip()))
                self.buffer[at:] = [f"[{numbers}]"]
            return
        in_row = bool(self.tables and self.tables[-1])
        if tag in ("td", "th") and in_row:
            self.row.append(clean("".join(self.buffer)))
            self.buffer.clear()
        elif tag == "tr" and in_row:
            self.blocks.append(Block(row_text(self.row), "table_row"))
            self.row = []
        elif tag in _BLOCKS:
            self.flush()
        if tag == "table" and self.tables:
            self.tables.pop()
        elif tag in ("ul", "ol") and self.lists:
            self.lists.pop()
        elif tag == "li":
            self.mark = ""
        if tag in _HEADINGS or element.get("role") == "heading" or tag == "pre":
            self.kind.pop()
            self.pre -= tag == "pre"

    def flush(self) -> None:
        if self.tables and self.tables[-1]:
            self.buffer.append(" ")
            return
        text = "".join(self.buffer)
        self.buffer.clear()
        self.anchors = [0] * len(self.anchors)
        for line in text.split("\n") if self.pre else [text]:
            shown = clean(line)
            if shown:
                kind = self.kind[-1] if self.kind else "prose"
                if self.mark and kind == "prose":
                    kind, shown = "list_item", self.mark + shown
                    self.mark = ""
                self.blocks.append(Block(shown, kind))

    def _next_mark(self) -> str:
        if not self.lists or self.lists[-1] is None:
            return "• "
        number = self.lists[-1]
        self.lists[-1] = number + 1
        return f"{number}. "


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 6 else 1


def _holds_data(table: Any) -> bool:
    """Whether a table's rows are records; else it lays out the page or frames one cell."""
    if table.find(".//table") is not None or table.find(".//pre") is not None:
        return False
    rows = table.findall(".//tr")
    if max((sum(c.tag in ("td", "th") for c in row) for row in rows), default=0) < 2:
        return False
    return all(
        len("".join(cell.itertext())) <= _MAX_CELL_CHARS
        for row in rows
        for cell in row
        if isinstance(cell.tag, str)
    )
