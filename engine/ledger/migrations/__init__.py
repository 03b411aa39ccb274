"""The schema of the ledger and its history, run by ``engine.ledger.schema``."""
