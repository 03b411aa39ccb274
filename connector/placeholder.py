"""What `config.yml.sample` and `.env.sample` leave to the admin."""

from __future__ import annotations

PLACEHOLDER = "ChangeMe"


def chosen(value: str) -> str:
    """Refuse what is still as in the sample."""
    if value.strip() in ("", PLACEHOLDER):
        raise ValueError(f"it is still '{value}': set your own")
    return value.strip()
