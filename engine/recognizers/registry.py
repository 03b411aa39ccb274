"""Recognizers by name, found by the entry point group ``ttpscribe.recognizers``."""

from __future__ import annotations

from importlib.metadata import entry_points

from engine.errors import ReleaseError
from engine.recognizers.base import Recognizer

GROUP = "ttpscribe.recognizers"


def names() -> list[str]:
    """Names of all installed recognizers, sorted."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def get(name: str) -> type[Recognizer]:
    """Return the class of a recognizer.

    Raises
    ------
    ReleaseError
        If no installed package provides it.
    """
    for point in entry_points(group=GROUP, name=name):
        loaded: type[Recognizer] = point.load()
        return loaded
    raise ReleaseError(
        f"The release needs the recognizer '{name}', which is not installed "
        f"(installed: {', '.join(names()) or 'none'}). Install the package that provides it, "
        "or use another release: ttpscribe releases list"
    )
