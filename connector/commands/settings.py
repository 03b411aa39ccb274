"""The settings as the commands read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from connector.errors import ConnectorError

if TYPE_CHECKING:
    from connector.settings import Settings


def load(config: Path | None) -> Settings:
    """Read the settings; say what to install where the packages for OpenCTI are missing."""
    try:
        from connector.settings import Settings
    except ImportError as error:  # pragma: no cover
        raise ConnectorError(
            f"{error.name} is missing. Install it: pip install 'ttpscribe[opencti]'"
        ) from error
    return Settings.load(config)
