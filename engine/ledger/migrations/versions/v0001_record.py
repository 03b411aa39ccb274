"""What was read, written, seen and judged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def _numbered(name: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("sequence", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(32), nullable=False),
        *columns,
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=f"pk_{name}"),
        sa.UniqueConstraint("id", name=f"uq_{name}_id"),
        sqlite_autoincrement=True,
    )


def _of_enrichment(table: str) -> tuple[sa.Column[str], sa.ForeignKeyConstraint]:
    return sa.Column("enrichment", sa.String(32), nullable=False), sa.ForeignKeyConstraint(
        ["enrichment"], ["enrichments.id"], name=f"fk_{table}_enrichment"
    )


def _report() -> tuple[sa.Column[str], sa.Column[str]]:
    return (
        sa.Column("platform", sa.String(64), nullable=False),
        sa.Column("report", sa.Text, nullable=False),
    )


def upgrade() -> None:
    """Create the tables of the record."""
    _numbered(
        "enrichments",
        *_report(),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("digests", sa.JSON, nullable=False),
        sa.Column("release", sa.Text, nullable=False),
        sa.Column("attack_version", sa.String(32), nullable=False),
        sa.Column("operating_point", sa.String(64), nullable=False),
        sa.Column("tlp", sa.String(32)),
    )
    _numbered(
        "outcomes",
        *_of_enrichment("outcomes"),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text),
        sa.CheckConstraint("outcome IN ('done', 'failed')", name=op.f("ck_outcomes_outcome")),
    )
    _numbered(
        "written",
        *_of_enrichment("written"),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("technique", sa.String(16)),
        sa.Column("object", sa.Text),
        sa.Column("probability", sa.Float),
        sa.Column("recognizer", sa.Text),
        sa.Column("evidence", sa.Text),
        sa.Column("evidence_digest", sa.String(64)),
        sa.Column("source", sa.Text),
        sa.Column("page", sa.Integer),
        sa.Column("content_digest", sa.String(64)),
        sa.CheckConstraint(
            "kind IN ('ref', 'relationship', 'note', 'tag', 'object', 'inference')",
            name=op.f("ck_written_kind"),
        ),
    )
    _numbered(
        "files",
        *_of_enrichment("files"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    _numbered(
        "observations",
        *_report(),
        sa.Column("technique", sa.String(16)),
        sa.Column("object", sa.Text),
        sa.Column("present", sa.Boolean, nullable=False),
        sa.Column("who", sa.Text),
        sa.Column("origin", sa.Text),
    )
    _numbered(
        "verdicts",
        *_report(),
        sa.Column("technique", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("known_by", sa.String(64), nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("who", sa.Text),
        sa.Column("evidence", sa.Text),
        sa.Column("evidence_digest", sa.String(64)),
        sa.Column("enrichment", sa.String(32)),
        sa.Column("release", sa.Text),
        sa.Column("attack_version", sa.String(32)),
        sa.Column("tlp", sa.String(32)),
        sa.Column("origin", sa.Text),
        sa.CheckConstraint(
            "verdict IN ('confirmed', 'rejected', 'added')", name=op.f("ck_verdicts_verdict")
        ),
    )
    for table in ("outcomes", "written", "files"):
        op.create_index(f"ix_{table}_enrichment", table, ["enrichment"])
    for table in ("enrichments", "observations", "verdicts"):
        op.create_index(f"ix_{table}_platform_report", table, ["platform", "report"])
    op.create_index("ix_verdicts_at", "verdicts", ["at"])

    op.create_table(
        "texts",
        *_report(),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("platform", "report", "digest", name="pk_texts"),
    )
    op.create_table(
        "cursors",
        sa.Column("platform", sa.String(64), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("platform", "name", name="pk_cursors"),
    )
