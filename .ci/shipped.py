"""Which distributions ship: what the core and each extra need, and what that needs in turn.

Read from the environment's own metadata, so that it is what a user of the extras gets, and no
network is asked. Tools of development are left out.
"""

from __future__ import annotations

import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parent.parent
NOT_SHIPPED = {"dev"}


def extras() -> list[str]:
    """Return the extras that users install."""
    table = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    return sorted(set(table["project"]["optional-dependencies"]) - NOT_SHIPPED)


def shipped(*chosen: str) -> set[str]:
    """Return the normalized names of what ttpscribe with these extras installs, without itself.

    Raises
    ------
    PackageNotFoundError
        If something of it is not installed here: `make install` mends that.
    """
    asked: dict[str, set[str]] = {}
    waiting = [("ttpscribe", frozenset(chosen))]
    while waiting:
        name, wanted = waiting.pop()
        known = asked.get(name)
        if known is not None and wanted <= known:
            continue
        asked[name] = (known or set()) | wanted
        for line in distribution(name).requires or []:
            need = Requirement(line)
            applies = need.marker is None or any(
                need.marker.evaluate({"extra": extra}) for extra in ("", *asked[name])
            )
            if applies:
                waiting.append((canonicalize_name(need.name), frozenset(need.extras)))
    return set(asked) - {"ttpscribe"}
