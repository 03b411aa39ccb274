"""How a night can end before it is done; each with an exit code of its own for schedulers."""

from __future__ import annotations

from typing import ClassVar

from engine.errors import TtpscribeError


class AnotherRunError(TtpscribeError):
    """Another nightly is running on this data directory."""

    exit_code: ClassVar[int] = 20


class OutOfTimeError(TtpscribeError):
    """The time budget is spent; the next call goes on with the same night."""

    exit_code: ClassVar[int] = 21
