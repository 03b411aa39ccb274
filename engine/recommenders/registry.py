"""Recommenders by name, found by the entry point group ``ttpscribe.recommenders``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

from engine.errors import UsageError
from engine.recommenders.base import Recommender

GROUP = "ttpscribe.recommenders"


def names() -> list[str]:
    """Names of all installed recommenders, sorted."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def get(name: str) -> type[Recommender]:
    """Return the class of a recommender.

    Raises
    ------
    UsageError
        If no installed package provides it.
    """
    for point in entry_points(group=GROUP, name=name):
        loaded: type[Recommender] = point.load()
        return loaded
    raise UsageError(
        f"There is no recommender '{name}' (installed: {', '.join(names()) or 'none'}). "
        "Install the package that provides it, or choose one of these."
    )


def create(name: str, settings: Mapping[str, Any] | None = None) -> Recommender:
    """Make an unfitted recommender.

    Raises
    ------
    UsageError
        If there is none of that name, or a setting is not one of its own.
    """
    kind = get(name)
    try:
        chosen = kind.settings_type.model_validate(dict(settings or {}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"Setting '{where}' of {name}: {first['msg']}.") from error
    return kind(chosen)  # type: ignore[call-arg]
