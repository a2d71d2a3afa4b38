"""External series: values with the instants at which they were published and known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ares.store.columns import Time

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of external series."""
    op.create_table(
        "external_series",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.Column("imported_at", Time, nullable=False, server_default=sa.text("CURRENT_TIMESTAMP")),
    )
    op.create_table(
        "series_values",
        sa.Column("series", sa.Text, primary_key=True),
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("published_ms", sa.BigInteger, primary_key=True),
        sa.Column("known_ms", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
