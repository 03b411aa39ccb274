"""What can stop an enrichment. Each text is written for the analyst who reads it in the work."""

from __future__ import annotations

from engine.errors import TtpscribeError


class ConnectorError(TtpscribeError):
    """Base of the connector's errors."""

    exit_code = 20


class SettingsError(ConnectorError):
    """A setting is missing or wrong."""

    exit_code = 2


class OutOfScope(ConnectorError):  # noqa: N818 - a refusal, not a fault
    """The object is none that this connector reads, or is marked above the highest TLP."""


class Unavailable(ConnectorError):  # noqa: N818 - names the state of the other side
    """OpenCTI or its queue cannot be reached, or answers with an error that may pass."""

    exit_code = 21


class Refused(ConnectorError):  # noqa: N818 - names what the other side did
    """OpenCTI answers, and says no: the token, the rights, or the request itself.

    ``may_pass`` is true where asking again later may help.
    """

    exit_code = 22

    def __init__(self, message: str, *, may_pass: bool = False) -> None:
        super().__init__(message)
        self.may_pass = may_pass
