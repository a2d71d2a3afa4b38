"""News: headlines and scores with their times."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ares.store.columns import ID, Time

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of news."""
    op.create_table(
        "news",
        sa.Column("id", ID, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("published_ms", sa.BigInteger, nullable=False),
        sa.Column("received_ms", sa.BigInteger),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("headline", sa.Text),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("scorer", sa.Text, nullable=False),
        sa.Column("imported_at", Time, nullable=False, server_default=sa.text("CURRENT_TIMESTAMP")),
        sa.UniqueConstraint("source", "scope", "published_ms", "hash", name="uq_news"),
    )
    op.create_index("ix_news_scope", "news", ["scope", "published_ms"])
