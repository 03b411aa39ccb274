"""That a verdict was taken back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the table of withdrawals."""
    op.create_table(
        "withdrawals",
        sa.Column("sequence", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("platform", sa.String(64), nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("technique", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("who", sa.Text),
        sa.Column("origin", sa.Text),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_withdrawals"),
        sa.UniqueConstraint("id", name="uq_withdrawals_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_withdrawals_platform_report", "withdrawals", ["platform", "report"])
    op.create_index("ix_withdrawals_verdict", "withdrawals", ["verdict"])
