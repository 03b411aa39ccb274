"""The traffic light of an event, by its tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator

Tlp = Literal["TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"]
_ORDER: Final = ("TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED")


def _written(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    upper = value.strip().upper()
    return "TLP:CLEAR" if upper == "TLP:WHITE" else upper


TlpSetting = Annotated[Tlp, BeforeValidator(_written)]


def tlp_of(event: Mapping[str, Any]) -> str | None:
    """Return the strictest marking of an event; None where it has none.

    What the taxonomy calls unclear, or an exception to its own rules, counts as the strictest: a
    person has to look before it leaves the event.
    """
    names = [_written(str(tag.get("name") or "")) for tag in event.get("Tag") or ()]
    found = [name for name in names if name.startswith("TLP:")]
    if not found:
        return None
    return max((name if name in _ORDER else _ORDER[-1] for name in found), key=_ORDER.index)


def is_above(tlp: str | None, limit: str) -> bool:
    """Tell whether a marking is stricter than a limit; nothing is not."""
    return tlp is not None and _ORDER.index(tlp) > _ORDER.index(limit)
