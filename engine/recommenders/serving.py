"""Recommenders of a release."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UsageError
from engine.recommenders import registry
from engine.recommenders.base import Recommender, Row
from engine.recommenders.model import DESCRIPTION

if TYPE_CHECKING:
    from engine.releases import Release

DEFAULT = "hybrid"


def load_recommender(release: Release, name: str | None = None) -> Recommender:
    """Load a recommender of a release.

    Parameters
    ----------
    release : Release
    name : str, optional
        Its default without one.

    Raises
    ------
    UsageError
        If the release has none of that name, or none at all.
    ReleaseError
        If a file of it is damaged.
    """
    chosen = name or release.manifest.default_recommender
    if chosen is None:
        raise UsageError(
            f"Release {release.name} has no recommender. Use another: ttpscribe releases list"
        )
    directory = release.directory(f"recommenders/{chosen}")
    if directory is None:
        raise UsageError(
            f"Release {release.name} has no recommender '{chosen}'. "
            f"Choose one of: {', '.join(sorted(release.manifest.recommenders))}."
        )
    return registry.get(chosen).load(directory)


def load_directory(directory: Path, name: str | None = None) -> Recommender:
    """Load a recommender from what ``ttpscribe train recommenders`` wrote, not yet a release.

    Raises
    ------
    UsageError
        If there is none of that name.
    ReleaseError
        If a file of it is damaged.
    """
    folder = directory / "recommenders" if (directory / "recommenders").is_dir() else directory
    there = sorted(path.parent.name for path in folder.glob(f"*/{DESCRIPTION}"))
    chosen = name or (DEFAULT if DEFAULT in there else next(iter(there), DEFAULT))
    if chosen not in there:
        raise UsageError(
            f"{directory} has no recommender '{chosen}' (it has: {', '.join(there) or 'none'})."
        )
    return registry.get(chosen).load(folder / chosen)


def similar_rows(
    release: Release, observed: Mapping[str, float], k: int = 5
) -> list[tuple[Row, float, tuple[str, ...]]]:
    """Return the training rows most like a report, with what they share.

    Empty where the release has no user-kNN, which is what knows the rows.

    Returns
    -------
    list of (Row, similarity, techniques in common)
        Best first.
    """
    from engine.recommenders.user_knn import UserKnn

    directory = release.directory("recommenders/user_knn")
    return UserKnn.load(directory).similar(observed, k) if directory else []
