"""Where ttpscribe keeps its own files: releases and their cards, updated knowledge."""

from __future__ import annotations

import os
from pathlib import Path

DATA_DIRECTORY = "TTPSCRIBE_DATA_DIR"
CARD = ".card.html"


def data_directory() -> Path:
    """Return the user's data directory; it need not exist.

    The environment variable ``TTPSCRIBE_DATA_DIR`` names it; without one it is the platform's
    usual place (``~/.local/share/ttpscribe``).
    """
    if chosen := os.environ.get(DATA_DIRECTORY):
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("ttpscribe", appauthor=False)


def cards_directory() -> Path:
    """Return where the cards of releases are; one is called by its release, with `CARD` added.

    They lie apart from the releases, which never change, while a card may be made again.
    """
    return data_directory() / "cards"
