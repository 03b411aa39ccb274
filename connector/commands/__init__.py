"""``ttpscribe connector``: serve OpenCTI, look whether it can, enrich by hand."""

from __future__ import annotations

from connector.commands.connector import connector

__all__ = ["connector"]
