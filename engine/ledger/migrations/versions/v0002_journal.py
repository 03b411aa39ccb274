"""The journal of messages that a queue has handed over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables of the journal."""
    op.create_table(
        "journal",
        sa.Column("sequence", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("platform", sa.String(64), nullable=False),
        sa.Column("queue", sa.String(128), nullable=False),
        sa.Column("message", sa.String(255), nullable=False),
        sa.Column("work", sa.Text),
        sa.Column("report", sa.Text),
        sa.Column("body", sa.Text),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("holder", sa.String(32)),
        sa.Column("lease_until", _MOMENT),
        sa.Column("error", sa.Text),
        sa.Column("received", _MOMENT, nullable=False),
        sa.Column("finished", _MOMENT),
        sa.PrimaryKeyConstraint("sequence", name="pk_journal"),
        sa.CheckConstraint(
            "state IN ('waiting', 'taken', 'done', 'failed')", name=op.f("ck_journal_state")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_journal_platform_queue_message",
        "journal",
        ["platform", "queue", "message"],
        unique=True,
    )
    op.create_index("ix_journal_platform_queue_state", "journal", ["platform", "queue", "state"])
    op.create_table(
        "steps",
        sa.Column("sequence", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("entry", _COUNTER, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("result", sa.JSON),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_steps"),
        sa.ForeignKeyConstraint(["entry"], ["journal.sequence"], name="fk_steps_entry"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_steps_entry_name", "steps", ["entry", "name"], unique=True)
