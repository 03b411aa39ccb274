"""Where ttpscribe keeps its own files: releases, updated knowledge."""

from __future__ import annotations

import os
from pathlib import Path

DATA_DIRECTORY = "TTPSCRIBE_DATA_DIR"


def data_directory() -> Path:
    """Return the user's data directory; it need not exist.

    The environment variable ``TTPSCRIBE_DATA_DIR`` names it; without one it is the platform's
    usual place (``~/.local/share/ttpscribe``).
    """
    if chosen := os.environ.get(DATA_DIRECTORY):
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("ttpscribe", appauthor=False)
