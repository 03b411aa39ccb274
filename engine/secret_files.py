"""Secrets from files: where ``NAME`` would hold a secret, ``NAME_FILE`` may name its file.

Container engines hand secrets over as files. A variable shows in the description of the container
and passes to every child process; a file does neither.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import UsageError

LARGEST = 65_536


def secret_from_file(variable: str) -> str | None:
    """Return what the file holds that ``variable`` with ``_FILE`` names, without line ends.

    None where the variable is not set.

    Raises
    ------
    UsageError
        If the file cannot be read, or is empty.
    """
    name = f"{variable}_FILE"
    if not (given := os.environ.get(name)):
        return None
    try:
        with Path(given).open(encoding="utf-8") as file:
            secret = file.read(LARGEST).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(
            f"{name} names {given}, which cannot be read ({why}): make it readable for the user "
            "that ttpscribe runs as."
        ) from error
    if not secret:
        raise UsageError(f"{name} names {given}, which is empty: write the secret into it.")
    return secret


def with_secret(section: Mapping[str, Any] | None, key: str, variable: str) -> dict[str, Any]:
    """Return a section of config.yml with the secret of ``variable`` with ``_FILE`` over its own.

    Raises
    ------
    UsageError
        As `secret_from_file`.
    """
    secret = secret_from_file(variable)
    return {**(section or {}), **({} if secret is None else {key: secret})}
