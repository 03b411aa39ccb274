"""Pages about settings, made from the settings classes: a sample of config.yml, and a table.

A section is a class of pydantic-settings; its fields' descriptions are the documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

Sections = Mapping[str, type[Any]]


def variables(sections: Sections) -> Iterator[tuple[str, str, str, FieldInfo]]:
    """Yield (section, key, environment variable, field) of every setting."""
    for section, kind in sections.items():
        for key, field in kind.model_fields.items():
            yield section, key, f"{kind.model_config['env_prefix']}{key.upper()}", field


def sample(sections: Sections, given: Mapping[tuple[str, str], str]) -> str:
    """Return a config.yml with every setting, its default and its meaning.

    Parameters
    ----------
    sections : mapping from name to settings class
    given : mapping from (section, key) to str
        What to write for settings that have no default.
    """
    lines: list[str] = []
    before = ""
    for section, key, variable, field in variables(sections):
        if section != before:
            lines += ["", f"{section}:"] if before else [f"{section}:"]
            before = section
        lines.append(f"  # {variable}: {field.description}")
        value = given.get((section, key))
        if value is not None:
            lines.append(f"  {key}: '{value}'")
        else:
            lines.append(f"  {'# ' if _default(field) is None else ''}{key}: {_yaml(field)}")
    return "\n".join(lines) + "\n"


def table(sections: Sections) -> str:
    """Return a table of the settings in Markdown."""
    lines = ["| Environment variable | `config.yml` | Default | Meaning |", "|---|---|---|---|"]
    for section, key, variable, field in variables(sections):
        default = "required" if field.is_required() else f"`{_yaml(field)}`"
        if not field.is_required() and _default(field) is None:
            default = ""
        lines.append(f"| `{variable}` | `{section}.{key}` | {default} | {field.description} |")
    return "\n".join(lines)


def between(text: str, begin: str, end: str, content: str) -> str:
    """Put the content between two marks of a page, in place of what is there."""
    before, rest = text.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n{content}\n{end}{after}"


def _default(field: FieldInfo) -> Any:
    default = field.get_default()
    return None if default is PydanticUndefined or isinstance(default, SecretStr) else default


def _yaml(field: FieldInfo) -> str:
    default = _default(field)
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return f"'{','.join(default)}'"
    return f"'{default}'" if isinstance(default, str) else str(default)
