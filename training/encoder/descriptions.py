"""Texts that say what each technique is, for all domains of ATT&CK."""

from __future__ import annotations

import json
from collections import defaultdict
from importlib.resources import files
from typing import TYPE_CHECKING

from training.labels import LabelSet

if TYPE_CHECKING:
    from engine.knowledge import Knowledge

DESCRIPTIONS = "attack-techniques"
# Examples of use beyond this many add little: prototypes of a technique soon repeat each other.
MOST_EXAMPLES = 7


def describe(labels: LabelSet, knowledge: Knowledge) -> dict[str, str]:
    """Return a description of every active technique, sorted by id.

    From the label set's records of techniques; where it has none from the package
    ``pymispgalaxies`` if that is installed (mobile techniques); else the name and the tactics.
    """
    own = {
        technique: example.text
        for example in labels.examples
        if example.source == DESCRIPTIONS
        for technique in example.techniques
    }
    galaxy = _galaxy()
    texts = {}
    for technique in knowledge.techniques():
        if technique.id in own:
            # These begin with the name already, but a sub-technique's without its parent's.
            parent = f"{technique.parent_name}: " if technique.parent_name else ""
            texts[technique.id] = parent + own[technique.id]
        elif technique.id in galaxy:
            texts[technique.id] = f"{technique.full_name}. {galaxy[technique.id]}"
        else:
            tactics = ", ".join(knowledge.tactic(tactic).name for tactic in technique.tactics)
            texts[technique.id] = f"{technique.full_name}. Adversaries use it for {tactics}."
    return texts


def examples_of_use(labels: LabelSet) -> dict[str, tuple[str, ...]]:
    """Return texts that show a technique alone, at most a few each, without descriptions."""
    texts: dict[str, list[str]] = defaultdict(list)
    for example in labels.examples:
        if example.source == DESCRIPTIONS or len(example.techniques) != 1:
            continue
        (technique,) = example.techniques
        if len(texts[technique]) < MOST_EXAMPLES:
            texts[technique].append(example.text)
    return {technique: tuple(found) for technique, found in texts.items()}


def _galaxy() -> dict[str, str]:
    try:
        path = files("pymispgalaxies") / "data/misp-galaxy/clusters/mitre-attack-pattern.json"
        values = json.loads(path.read_bytes())["values"]
    except (ImportError, OSError, ValueError):
        return {}
    return {
        value["meta"]["external_id"]: value["description"]
        for value in values
        if value.get("description") and value.get("meta", {}).get("external_id")
    }
