"""Called by alembic: runs the revisions on the connection that ``engine.ledger.schema`` passes."""

from __future__ import annotations

from alembic import context

from engine.ledger.schema import VERSION_TABLE
from engine.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # SQLite rolls changes of the schema back as well, as we begin transactions ourselves.
    transactional_ddl=True,
)
context.run_migrations()
