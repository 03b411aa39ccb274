"""From observed techniques to inferences: recommend, filter, name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from engine.errors import UsageError
from engine.recommenders.base import Recommendation, Recommender
from engine.types import Inference

if TYPE_CHECKING:
    from engine.knowledge import Knowledge


def infer(
    recommender: Recommender,
    observed: Mapping[str, float],
    knowledge: Knowledge,
    *,
    k: int = 20,
    tactics: Collection[str] = (),
    platforms: Collection[str] = (),
) -> tuple[Inference, ...]:
    """Rank the techniques that are likely, given those observed.

    Parameters
    ----------
    recommender : Recommender
    observed : mapping from technique to weight
        Active techniques, weights in (0, 1].
    knowledge : Knowledge
        Techniques that are no longer active in it are not inferred.
    k : int
        How many at most.
    tactics : collection of str
        Tactic ids; only techniques of one of them. Empty: all.
    platforms : collection of str
        As ATT&CK writes them; only techniques that work on one of them. Empty: all.

    Returns
    -------
    tuple of Inference
        Best first; empty where nothing was observed, since there is nothing to infer from.
    """
    if not observed:
        return ()
    filters = (tactics, platforms)
    # To explain every technique of the catalogue takes long; few are filtered out as a rule.
    asked, inferences = k, _kept(recommender.recommend(observed, k), observed, knowledge, filters)
    while len(inferences) < k and asked < len(recommender.techniques_):
        asked *= 8
        ranked = recommender.recommend(observed, asked)
        inferences = _kept(ranked, observed, knowledge, filters)
    return tuple(inferences[:k])


def _kept(
    ranked: Iterable[Recommendation],
    observed: Mapping[str, float],
    knowledge: Knowledge,
    filters: tuple[Collection[str], Collection[str]],
) -> list[Inference]:
    tactics, platforms = filters
    kept = {}
    for technique, score, because in ranked:
        known = knowledge.resolve(technique).technique
        if known is None or known.id in observed or known.id in kept:
            continue
        in_tactic = not tactics or any(tactic in tactics for tactic in known.tactics)
        on_platform = not platforms or any(platform in platforms for platform in known.platforms)
        if in_tactic and on_platform:
            kept[known.id] = Inference(known.id, known.full_name, score, because)
    return list(kept.values())


def find_tactics(names: Collection[str], knowledge: Knowledge) -> frozenset[str]:
    """Return the ids of tactics given by id, name or short name.

    Raises
    ------
    UsageError
        If there is no such tactic.
    """
    found = set()
    for name in names:
        wanted = name.strip().casefold().replace(" ", "-")
        ids = {
            tactic.id
            for tactic in knowledge.tactics()
            if wanted in (tactic.id.casefold(), tactic.shortname)
        }
        if not ids:
            known = dict.fromkeys(tactic.shortname for tactic in knowledge.tactics("enterprise"))
            raise UsageError(f"There is no tactic '{name}'. Choose from: {', '.join(known)}.")
        found |= ids
    return frozenset(found)


def find_platforms(names: Collection[str], knowledge: Knowledge) -> frozenset[str]:
    """Return platforms as ATT&CK writes them.

    Raises
    ------
    UsageError
        If no technique has such a platform.
    """
    platforms = {p.casefold(): p for t in knowledge.techniques() for p in t.platforms}
    if unknown := [name for name in names if name.strip().casefold() not in platforms]:
        raise UsageError(
            f"There is no platform '{unknown[0]}'. "
            f"Choose from: {', '.join(sorted(platforms.values()))}."
        )
    return frozenset(platforms[name.strip().casefold()] for name in names)
