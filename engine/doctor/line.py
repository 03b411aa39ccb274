"""What a check tells: one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failed", "unused"]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing looked at.

    Attributes
    ----------
    part : str
        What was looked at.
    state : State
        ``failed``: something does not work. ``warning``: it works, and should be seen to.
        ``unused``: this deployment has no such part.
    says : str
        What was found.
    do : str or None
        What to do about it; every ``failed`` and ``warning`` says so, here or in ``says``.
    """

    part: str
    state: State
    says: str
    do: str | None = None
