"""Write cards, find them again, and join them to a learning curve."""

from __future__ import annotations

import logging
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from engine.errors import TrainingDataError
from engine.paths import CARD, cards_directory
from training.card.compose import CardInput, compose
from training.card.content import PROTOCOL, Card, LearningPoint
from training.card.page import page

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

log = logging.getLogger(__name__)
JSON = ".card.json"


def write_card(
    given: CardInput, knowledge: Knowledge, directory: Path | None = None
) -> tuple[Path, Path]:
    """Write the card of a release as a page and as JSON.

    Writing it again replaces it, whole or not at all; the same input gives the same bytes.

    Parameters
    ----------
    given : CardInput
    knowledge : Knowledge
        For the names of techniques.
    directory : Path, optional
        Where to; without one where ``ttpscribe releases show --card`` looks.

    Returns
    -------
    (Path, Path)
        The page and the JSON.

    Raises
    ------
    TrainingDataError
        If it cannot be written.
    """
    directory = directory or cards_directory()
    card = compose(given, knowledge)
    texts = {
        directory / f"{card.name}{CARD}": page(card),
        directory / f"{card.name}{JSON}": card.model_dump_json(indent=1) + "\n",
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            # What analysts of this installation did is not for every user of the machine.
            _replace(path, text, 0o644 if given.labels is None else 0o600)
    except OSError as error:
        raise TrainingDataError(
            f"The card of {card.name} cannot be written to {directory} ({error.strerror}). Make "
            f"it again elsewhere: ttpscribe train card {card.name} --output DIR"
        ) from error
    first, second = texts
    return first, second


def read_card(path: Path) -> Card:
    """Read the JSON of a card.

    Raises
    ------
    TrainingDataError
        If it is missing, damaged, or of a newer version.
    """
    try:
        card = Card.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise TrainingDataError(f"{path} is no card that can be read ({error}).") from error
    if card.protocol > PROTOCOL:
        raise TrainingDataError(
            f"A newer ttpscribe wrote the card {path}. Upgrade: pip install -U ttpscribe"
        )
    return card


def learning(point: LearningPoint, directory: Path | None = None) -> tuple[LearningPoint, ...]:
    """Return the learning curve up to a release: the points of all cards, and this one.

    Only points measured on the same documents stand in one curve. A card that cannot be read
    leaves a gap, and is named in the log.
    """
    points: dict[str, LearningPoint] = {}
    for path in sorted((directory or cards_directory()).glob(f"*{JSON}")):
        try:
            card = read_card(path)
        except TrainingDataError as error:
            log.warning("Left out of the learning curve: %s", error)
            continue
        points.update({one.release: one for one in card.learning if one.test == point.test})
    points[point.release] = point
    return tuple(sorted(points.values(), key=lambda one: (one.at, one.release)))


def with_earlier(given: CardInput, directory: Path | None = None) -> CardInput:
    """Return the input with what an earlier card of the same release knew beyond it.

    So that a card made again, for instance by hand, keeps what only the night could know.
    """
    release = given.release
    for folder in (directory, cards_directory(), release.path.parent):
        path = (folder or cards_directory()) / f"{release.name}{JSON}"
        if path.is_file() and (card := read_card(path)).digest == release.digest:
            return _filled(given, card)
    return given


def _filled(given: CardInput, card: Card) -> CardInput:
    return replace(
        given,
        measured=given.measured or card.measured,
        gate=given.gate or card.gate,
        changes=given.changes or card.changes,
        learning=given.learning or card.learning,
        drift=given.drift or card.drift,
        labels=given.labels or card.labels,
    )


def _replace(path: Path, text: str, mode: int) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".card-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
