"""The OpenCTI connector: an analyst clicks "enrich" on a report, and its techniques appear.

From top to bottom: ``settings`` (what the admin chose), ``connector`` (takes messages from the
queue), ``enrichment`` (one report, step by step), ``platform`` and ``reader`` (what OpenCTI
holds), ``threats`` (whom a sentence speaks of), ``writer`` with ``note`` and ``files`` (what goes
back), ``journal`` (what was begun and not finished), ``commands`` (run, check, enrich, backfill).
"""
