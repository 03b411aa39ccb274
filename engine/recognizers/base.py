"""The Protocol of recognizers: text in, scored techniques out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from engine.types import Document, Recognition

if TYPE_CHECKING:
    from engine.knowledge import Knowledge


@runtime_checkable
class Recognizer(Protocol):
    """Reads a document and scores techniques by sentence, and perhaps for the whole.

    A recognizer is loaded once from its folder of a release and then shared by threads:
    ``recognize`` must not change it.
    """

    name: str

    @classmethod
    def load(
        cls, directory: Path | None, knowledge: Knowledge, settings: Mapping[str, Any]
    ) -> Self:
        """Load from a release.

        Parameters
        ----------
        directory : Path or None
            The recognizer's folder in the release; None where it has no files there.
        knowledge : Knowledge
            The ATT&CK knowledge in use; ids of the release are resolved through it.
        settings : mapping
            The recognizer's settings from the release's manifest.

        Raises
        ------
        ReleaseError
            If a file is missing or damaged.
        """
        ...

    def recognize(self, document: Document) -> Recognition:
        """Score every sentence of the document."""
        ...
