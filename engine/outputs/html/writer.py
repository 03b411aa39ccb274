"""Fill the page's template; forbid the page everything but its own style and script.

The text of a report is hostile until proven otherwise. Jinja2 escapes all of it, none of it
reaches the script, and the page's Content-Security-Policy allows neither network nor any
script or style but the two whose hashes it names.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from engine.outputs.base import Context
from engine.outputs.html.layout import lay_out
from engine.outputs.html.sidebar import Sidebar
from engine.outputs.text import encodable, one_line
from engine.types import Analysis


def write(analysis: Analysis, context: Context) -> str:
    """Return the page."""
    template, style, script = _assets()
    text = template.render(
        title=one_line(analysis.document.name) or "Untitled",
        analysis=analysis,
        sidebar=Sidebar.of(analysis, context),
        groups=lay_out(analysis),
        style=Markup(style),  # noqa: S704 - our own file, not the document's text
        script=Markup(script),  # noqa: S704
        policy="; ".join(
            [
                "default-src 'none'",
                f"style-src '{_hash(style)}'",
                f"script-src '{_hash(script)}'",
                "base-uri 'none'",
                "form-action 'none'",
            ]
        ),
    )
    return encodable(text)


@cache
def _assets() -> tuple[Template, str, str]:
    loader = PackageLoader("engine.outputs.html", "assets")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style, script = (
        loader.get_source(environment, name)[0].strip() for name in ("page.css", "page.js")
    )
    return environment.get_template("page.html.j2"), style, script


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
