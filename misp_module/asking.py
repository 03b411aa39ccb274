"""Calls of PyMISP, which raises some errors and returns others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pymisp import PyMISPError

from engine.errors import TtpscribeError


class InstanceError(TtpscribeError):
    """The MISP instance does not answer, or refuses."""

    exit_code = 7


def asked(call: Callable[[], Any], missing: Any = None) -> Any:
    """Call PyMISP; its errors, raised or returned, become ours, or ``missing`` for a refusal."""
    try:
        answer = call()
    except (PyMISPError, OSError) as error:
        raise InstanceError(f"MISP does not answer as it should: {error}") from error
    if isinstance(answer, Mapping) and answer.get("errors") and answer.get("saved") is not False:
        if missing is not None:
            return missing
        raise InstanceError(f"MISP refuses: {_words(answer['errors'])}")
    return answer


def _words(errors: Any) -> str:
    if isinstance(errors, Iterable) and not isinstance(errors, str):
        for part in errors:
            if isinstance(part, Mapping):
                return str(part.get("message") or part.get("errors") or part)
    return str(errors)
