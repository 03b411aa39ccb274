"""That a report counted as curated."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the table of curations."""
    op.create_table(
        "curations",
        sa.Column("sequence", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("platform", sa.String(64), nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("known_by", sa.String(64), nullable=False),
        sa.Column("who", sa.Text),
        sa.Column("tlp", sa.String(32)),
        sa.Column("digest", sa.String(64)),
        sa.Column("attack_version", sa.String(32)),
        sa.Column("origin", sa.Text),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_curations"),
        sa.UniqueConstraint("id", name="uq_curations_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_curations_platform_report", "curations", ["platform", "report"])
