"""Reads docker-compose.yml as Compose does: variables filled in, profiles chosen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-+])([^}]*))?\}")


def variables(text: str) -> dict[str, str]:
    """Return the variables of the file with their defaults."""
    found: dict[str, str] = {}
    for name, sign, word in _VARIABLE.findall(text):
        found.setdefault(name, word if sign == "-" else "")
    return found


def compose(
    env: Mapping[str, str] | None = None, profiles: tuple[str, ...] = ("*",)
) -> dict[str, Any]:
    """Return the file with variables filled in, and the services of the profiles."""
    text = (PROJECT / "docker-compose.yml").read_text(encoding="utf-8")
    given = env or {}
    filled = _fill(yaml.safe_load(text), given)
    filled["services"] = {
        name: service
        for name, service in filled["services"].items()
        if profiles == ("*",)
        or not service.get("profiles")
        or set(service["profiles"]) & set(profiles)
    }
    return filled


def sample() -> dict[str, str]:
    """Return .env.sample with every line in force, also those that only show a default."""
    text = (PROJECT / ".env.sample").read_text(encoding="utf-8")
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", text, re.MULTILINE))


def _fill(value: Any, env: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill(each, env) for key, each in value.items()}
    if isinstance(value, list):
        return [_fill(each, env) for each in value]
    if not isinstance(value, str) or "${" not in value:
        return value

    # As the specification says: ":-" and ":+" take what is empty as not set.
    def filled(found: re.Match[str]) -> str:
        given, sign, word = env.get(found[1], ""), found[2], found[3] or ""
        return (word if given else "") if sign == "+" else given or word

    text = _VARIABLE.sub(filled, value)
    if value.startswith("${") and text in ("true", "false"):
        return text == "true"
    return int(text) if value.startswith("${") and text.isdigit() else text
