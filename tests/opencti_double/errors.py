"""The platform's errors, as they appear in a GraphQL answer."""

from __future__ import annotations

from typing import Any


class PlatformError(Exception):
    """An error with the code and the data that OpenCTI puts beside its message."""

    def __init__(self, message: str, code: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.extensions: dict[str, Any] = {"code": code}
        if data is not None:
            self.extensions["data"] = data


def functional_error(message: str, **data: Any) -> PlatformError:
    """A request that was understood and refused."""
    return PlatformError(
        message, "FUNCTIONAL_ERROR", {"http_status": 400, "genre": "BUSINESS", **data}
    )


def missing_reference(unresolved: list[str]) -> PlatformError:
    """A reference to something that is not there."""
    data = {
        "http_status": 404,
        "genre": "BUSINESS",
        "unresolvedIds": unresolved,
        "doc_code": "ELEMENT_NOT_FOUND",
    }
    return PlatformError("Element(s) not found", "MISSING_REFERENCE_ERROR", data)


def not_logged_in() -> PlatformError:
    """A token that nobody has."""
    return PlatformError(
        "You must be logged in to do this.",
        "AUTH_REQUIRED",
        {"http_status": 401, "genre": "TECHNICAL"},
    )


def insufficient_confidence(user_id: str, element_id: str) -> PlatformError:
    """An edit by a user whose highest confidence is below the object's (experiment k7)."""
    return functional_error(
        "User effective max confidence level is insufficient to update this element",
        user_id=user_id,
        element_id=element_id,
        doc_code="INSUFFICIENT_CONFIDENCE_LEVEL",
    )
