"""The OpenCTI connector: an analyst clicks "enrich" on a report, and its techniques appear.

From top to bottom: ``settings`` (what the admin chose), ``connector`` (takes messages from the
queue), ``enrichment`` (one report, step by step), ``platform`` and ``reader`` (what OpenCTI
holds), ``threats`` (whom a sentence speaks of), ``writer`` with ``note`` and ``files`` (what goes
back), ``sending`` (how it gets there), ``harvester`` (what analysts then did with it), ``commands``
(run, check, enrich, backfill, harvest). The ledger's journal has what was begun and not finished.
"""
