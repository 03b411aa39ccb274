"""What was read, what was written where, and what analysts made of it.

>>> with Ledger.open("sqlite:///ledger.sqlite") as ledger:  # doctest: +SKIP
...     ledger.current_verdicts("opencti", report)
"""

from engine.errors import LedgerError
from engine.ledger.journal import Claim, Entry, Journal, LeaseLostError
from engine.ledger.ledger import Ledger
from engine.ledger.records import (
    Curation,
    Enrichment,
    Observation,
    OwnFile,
    Verdict,
    Withdrawal,
    Written,
    text_digest,
)

__all__ = [
    "Claim",
    "Curation",
    "Enrichment",
    "Entry",
    "Journal",
    "LeaseLostError",
    "Ledger",
    "LedgerError",
    "Observation",
    "OwnFile",
    "Verdict",
    "Withdrawal",
    "Written",
    "text_digest",
]
