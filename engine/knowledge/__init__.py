"""ATT&CK techniques, tactics, revocations and domains; one release ships, newer ones load."""

from engine.knowledge.knowledge import Knowledge, normalise_id, normalise_name
from engine.knowledge.types import Resolution, Tactic, Technique

__all__ = [
    "Knowledge",
    "Resolution",
    "Tactic",
    "Technique",
    "normalise_id",
    "normalise_name",
]
