"""Label lists that a system is measured on: the fifty of TRAM, parents only, all of ATT&CK."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from training.labels import fold_to, to_parents, tram50

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

LabelListName = Literal["tram50", "parents", "all"]


@dataclass(frozen=True)
class LabelList:
    """A label list.

    Attributes
    ----------
    name : str
        What to call it.
    express : callable
        Takes technique ids and returns them as members of the list: sub-techniques folded onto
        a parent that is in it, what has no place in it left out.
    labels : tuple of str or None
        The members, sorted; None for the open lists, whose members are those that occur.
    """

    name: str
    express: Callable[[Iterable[str]], frozenset[str]]
    labels: tuple[str, ...] | None = None


def label_list(name: LabelListName, knowledge: Knowledge) -> LabelList:
    """Return one of the label lists by name."""
    if name == "tram50":
        labels = tram50(knowledge)
        allowed = frozenset(labels)
        return LabelList(name, lambda ids: fold_to(ids, allowed, knowledge), labels)
    if name == "parents":
        return LabelList(name, lambda ids: to_parents(ids, knowledge))
    return LabelList(name, frozenset)
