"""Annotated HTML: the document with its evidence highlighted, in one file without network."""

from engine.outputs.html.writer import write

__all__ = ["write"]
