"""A card as one HTML page: no script, no other file, nothing from the network.

It quotes sentences of reports, which are hostile until proven otherwise: Jinja2 escapes them, and
the page's Content-Security-Policy allows nothing but the style whose hash it names.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from training.card.content import Card
from training.card.plots import change, quality
from training.evaluation import Interval

if TYPE_CHECKING:
    from jinja2 import Template

EN_DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def page(card: Card) -> str:
    """Return the page; the same card gives the same bytes."""
    style = _asset("page.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _template().render(
        card=card,
        style=Markup(style),  # noqa: S704 - our own file
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'",
        # Every text in them went through an escape.
        plots={name: Markup(plot) for name, plot in _plots(card).items()},  # noqa: S704
        better=[c for c in card.changes.changed if c.after > c.before] if card.changes else [],
        worse=[c for c in reversed(card.changes.changed) if c.after < c.before]
        if card.changes
        else [],
    )


def _plots(card: Card) -> dict[str, str]:
    """Return the plots that there are figures for, by name."""
    made: dict[str, str | None] = {}
    if card.measured is not None:
        if card.measured.precision_recall is not None:
            curve = card.measured.precision_recall
            made["precision_recall"] = quality.precision_recall(curve, card.points)
        if card.measured.reliability.bins:
            made["reliability"] = quality.reliability(card.measured.reliability)
        if card.measured.techniques:
            made["by_technique"] = quality.by_technique(card.measured.techniques, card.names)
    if card.recommenders:
        made["recommenders"] = quality.recommenders(card.recommenders)
    if card.gate is not None and any(check.difference for check in card.gate.checks):
        made["differences"] = change.differences(card.gate.checks)
    if card.changes is not None and any(c.before != c.after for c in card.changes.changed):
        made["changed"] = change.changed(card.changes.changed, card.names)
    if len(card.learning) > 1:
        made["learning"] = change.learning(card.learning)
    if card.drift:
        made["incoming"] = change.incoming(card.drift)
        if any(p.confirmed + p.rejected + p.added for p in card.drift):
            made["corrections"] = change.corrections(card.drift)
    return {name: plot for name, plot in made.items() if plot is not None}


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Callable[..., Any]] = {
        "figure": lambda value: EN_DASH if value is None else f"{value:.3f}",
        "two": lambda value: f"{value:.2f}",
        "signed": lambda value: f"{value:+.3f}".replace("-", MINUS),
        "count": lambda value: f"{value:,}",
        "size": _size,
        "range": _range,
    }
    environment.filters.update(filters)
    return environment.from_string(_asset("page.html.j2"))


@cache
def _asset(name: str) -> str:
    return files("training.card").joinpath("assets", name).read_text(encoding="utf-8")


def _range(interval: Interval) -> str:
    return f"{interval.low:.3f}{EN_DASH}{interval.high:.3f}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
