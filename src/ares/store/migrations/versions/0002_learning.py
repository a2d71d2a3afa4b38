"""What a retraining came to, and the alerts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ares.store.columns import ID, Time

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns of a retraining's end, and the table of alerts."""
    op.add_column("retraining_history", sa.Column("rows", sa.Integer))
    for name in ("reason", "outcome", "verdict", "verdict_hash", "failed_lines"):
        op.add_column("retraining_history", sa.Column(name, sa.Text))
    op.create_index(
        "ix_retraining_history_environment", "retraining_history", ["environment", "seq"]
    )
    op.create_table(
        "alerts",
        sa.Column("id", ID, primary_key=True),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger),
        sa.Column("symbol", sa.Text),
        sa.Column("timestamp", Time, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("threshold", sa.Float),
        sa.Column("message", sa.Text, nullable=False),
    )
    op.create_index("ix_alerts_timestamp", "alerts", ["timestamp"])
    op.create_index("ix_alerts_environment", "alerts", ["environment", "code"])
