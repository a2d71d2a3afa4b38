"""Columns of ``model_performance`` and ``execution_logs``; tables are made anew from journals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SHOWN = "environment = (SELECT environment FROM shown_environment)"


def upgrade() -> None:
    """Add the columns and make the views again; those of PostgreSQL have the columns of before."""
    for name in ("model_performance", "execution_logs"):
        op.execute(f"DROP VIEW {name}")
    op.add_column("all_model_performance", sa.Column("symbol", sa.Text))
    op.add_column("all_model_performance", sa.Column("ensemble_hash", sa.Text))
    op.add_column("all_model_performance", sa.Column("slot", sa.Text))
    virtual = sa.Column("virtual", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("all_model_performance", virtual)
    op.add_column("all_model_performance", sa.Column("trades", sa.Integer))
    op.add_column("all_model_performance", sa.Column("avg_net_bps", sa.Float))
    for name in ("client_order_id", "kind", "outcome"):
        op.add_column("all_execution_logs", sa.Column(name, sa.Text))
    op.add_column("all_execution_logs", sa.Column("profit_quote", sa.Float))
    index = "ix_execution_logs_client_order_id"
    op.create_index(index, "all_execution_logs", ["environment", "client_order_id"])
    op.execute(
        "CREATE VIEW model_performance AS SELECT * FROM all_model_performance"
        f" WHERE {SHOWN} AND NOT virtual"
    )
    op.execute(f"CREATE VIEW execution_logs AS SELECT * FROM all_execution_logs WHERE {SHOWN}")
    op.execute("UPDATE projections SET state = NULL")
