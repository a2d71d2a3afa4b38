"""Rows of all environments apart from what the plain names show: one environment, real trades.

Rows of history runs are dropped: a run has its tables beside its journal, from which ``ares db
rebuild`` makes them again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ares.store.columns import ID, Time

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

PROJECTED = (
    "positions", "orders", "fills", "trade_outcomes", "confidence_history", "learning_states",
    "error_log", "retraining_history", "alerts",
)  # fmt: skip
SHOWN = "environment = (SELECT environment FROM shown_environment)"
ONLY = {
    "trade_outcomes": f"{SHOWN} AND NOT virtual",
    "confidence_history": f"{SHOWN} AND slot = 'champion'",
    "learning_states": f"{SHOWN} AND slot = 'champion'",
    "error_log": f"(environment IS NULL OR {SHOWN})",
}
FUTURE = ("arbitrage_opportunities", "market_volatility", "execution_logs", "model_performance")


def upgrade() -> None:
    """Rename the tables, and make views of their names."""
    for name in (*PROJECTED, "projections"):
        op.execute(f"DELETE FROM {name} WHERE environment LIKE 'history/%'")
    op.add_column("projections", sa.Column("position", sa.LargeBinary))
    op.add_column("projections", sa.Column("updated_at", Time))
    for name in PROJECTED:
        op.rename_table(name, f"all_{name}")
    for name in ("confidence_history", "learning_states"):
        op.add_column(f"all_{name}", sa.Column("slot", sa.Text))
        op.execute(f"UPDATE all_{name} SET slot = 'champion'")
    op.create_table("shown_environment", sa.Column("environment", sa.Text, primary_key=True))
    op.execute("INSERT INTO shown_environment (environment) VALUES ('paper')")
    _arbitrage()
    for name in (*PROJECTED, *FUTURE):
        op.execute(f"CREATE VIEW {name} AS SELECT * FROM all_{name} WHERE {ONLY.get(name, SHOWN)}")
    op.execute(
        f"CREATE VIEW virtual_trades AS SELECT * FROM all_trade_outcomes WHERE {SHOWN} AND virtual"
    )


def _arbitrage() -> None:
    _table(
        "arbitrage_opportunities",
        sa.Column("symbol", sa.Text, nullable=False),
        _number("edge_bps"),
        sa.Column("executed", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("profitable", sa.Boolean),
        _number("profit_quote"),
    )
    _table(
        "market_volatility",
        sa.Column("symbol", sa.Text, nullable=False),
        _number("volatility_24h"),
        _number("returns_1h"),
        _number("volume_24h"),
    )
    _table(
        "execution_logs",
        sa.Column("symbol", sa.Text, nullable=False),
        sa.Column("success", sa.Boolean, nullable=False),
        _number("profit_usd"),
        _number("gas_cost_usd"),
        sa.Column("tx_hash", sa.Text),
    )
    _table(
        "model_performance",
        sa.Column("model_name", sa.Text, nullable=False),
        _number("accuracy"),
        _number("avg_actual_profit"),
    )


def _table(name: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        f"all_{name}",
        sa.Column("id", ID, primary_key=True),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger),
        sa.Column("timestamp", Time, nullable=False),
        *columns,
    )
    op.create_index(f"ix_{name}_timestamp", f"all_{name}", ["timestamp"])


def _number(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Float)
