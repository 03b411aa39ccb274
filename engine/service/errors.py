"""What can go wrong between a client and the service."""

from __future__ import annotations

from collections.abc import Mapping

from engine.errors import TtpscribeError


class ServiceError(TtpscribeError):
    """The engine service cannot be started, asked or understood."""

    exit_code = 8


class Unreachable(ServiceError):  # noqa: N818 - names the state of the other side
    """The service does not answer, or has no time, after all tries. Asking later may help."""


class Refused(ServiceError):  # noqa: N818 - names what the other side did
    """The service answers, and says no to this client: the key, the rights, the address."""


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """Inside the service: ends a request with a status, a code for programs, a text for people."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


class Busy(Refusal):
    """The line is full; ``retry_after`` seconds from now there may be a place."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            429, "busy", f"The service has no place free: ask again in {retry_after} s.",
            {"Retry-After": str(retry_after)},
        )  # fmt: skip


class Late(Refusal):
    """Time ran out before the answer was there."""

    def __init__(self) -> None:
        super().__init__(
            503, "late",
            "The answer was not there in time: ask again, or split the document. The admin sets "
            "the time by TTPSCRIBE_SERVICE_DEADLINE_SECONDS.",
            {"Retry-After": "5"},
        )  # fmt: skip
