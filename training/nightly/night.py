"""What one night knows when it ends: given to the release card, and told to people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.harvest import Harvest
    from engine.releases import Release
    from training.gate.types import Trial
    from training.labels.verdicts import FrozenLabels


@dataclass(frozen=True, kw_only=True)
class Night:
    """One run of the nightly.

    Attributes
    ----------
    run : str
        Its name; also that of its directory.
    began : datetime
    directory : Path
        Holds the journal of its steps and what they made.
    harvests : tuple of Harvest
        One a platform.
    labels : FrozenLabels or None
        The frozen label set; None where there was nothing to learn from.
    challenger : Release or None
        The one that was put before the gate; None where none was trained.
    trial : Trial or None
        What the gate saw and decided.
    published : bool
        The challenger is the champion now.
    """

    run: str
    began: datetime
    directory: Path
    harvests: tuple[Harvest, ...] = ()
    labels: FrozenLabels | None = None
    challenger: Release | None = None
    trial: Trial | None = None
    published: bool = False
