"""The fifty techniques of TRAM, and folding of labels onto a smaller label list."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

# The label list of the TRAM project's second model, in the ids of its time (ATT&CK v13):
# https://github.com/center-for-threat-informed-defense/tram
TRAM50_V13 = (
    *("T1003.001", "T1005", "T1012", "T1016", "T1021.001", "T1027", "T1033", "T1036.005"),
    *("T1041", "T1047", "T1053.005", "T1055", "T1056.001", "T1057", "T1059.003", "T1068"),
    *("T1070.004", "T1071.001", "T1072", "T1074.001", "T1078", "T1082", "T1083", "T1090"),
    *("T1095", "T1105", "T1106", "T1110", "T1112", "T1113", "T1140", "T1190", "T1204.002"),
    *("T1210", "T1218.011", "T1219", "T1484.001", "T1518.001", "T1543.003", "T1547.001"),
    *("T1548.002", "T1552.001", "T1557.001", "T1562.001", "T1564.001", "T1566.001"),
    *("T1569.002", "T1570", "T1573.001", "T1574.002"),
)


def tram50(knowledge: Knowledge) -> tuple[str, ...]:
    """Return the fifty techniques of TRAM in the ids of the knowledge in use, sorted."""
    resolved = (knowledge.resolve(technique).technique for technique in TRAM50_V13)
    return tuple(sorted({technique.id for technique in resolved if technique is not None}))


def with_children(techniques: Iterable[str], knowledge: Knowledge) -> frozenset[str]:
    """Add the sub-techniques of the given techniques."""
    given = frozenset(techniques)
    return given.union(*(knowledge.children(technique) for technique in given))


def fold_to(
    techniques: Iterable[str], allowed: Collection[str], knowledge: Knowledge
) -> frozenset[str]:
    """Express techniques in a label list.

    A technique of the list stays; a sub-technique that is not in it counts as its parent if
    that is; anything else is dropped.

    Parameters
    ----------
    techniques : iterable of str
        Active technique ids.
    allowed : collection of str
        The label list.
    knowledge : Knowledge
        Tells the parents.
    """
    folded = set()
    for technique in techniques:
        current: str | None = technique
        while current is not None and current not in allowed:
            current = knowledge.parent(current)
        if current is not None:
            folded.add(current)
    return frozenset(folded)


def to_parents(techniques: Iterable[str], knowledge: Knowledge) -> frozenset[str]:
    """Replace every sub-technique by its parent."""
    return frozenset(knowledge.parent(technique) or technique for technique in techniques)
