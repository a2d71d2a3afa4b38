"""The tables that are projections of the journal: ``all_positions`` and the others of the engine.

Each row names its ``environment`` and, if one event caused it, its ``seq``; all rows of an
environment can be deleted and written again.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from ares.store.columns import ID, NOW, Time, metadata

all_positions = Table(
    "all_positions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", BigInteger),
    Column("symbol", Text, nullable=False),
    Column("status", Text, nullable=False),  # open | closed
    Column("qty", Float, nullable=False),
    Column("entry_price", Float),
    Column("exit_price", Float),
    Column("opened_at", Time),
    Column("closed_at", Time),
    Column("pnl", Float),
    Column("fees", Float),
    Column("virtual", Boolean, nullable=False, server_default=false()),
    Index("ix_positions_environment", "environment", "symbol", "status"),
    Index("ix_positions_status", "status"),
)

all_orders = Table(
    "all_orders",
    metadata,
    Column("id", ID, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("client_order_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("qty", Float, nullable=False),
    Column("price", Float),
    Column("status", Text, nullable=False),
    Column("refusal", Text),
    Column("created_at", Time),
    Column("updated_at", Time),
    UniqueConstraint("environment", "client_order_id", name="uq_orders_client_order_id"),
    Index("ix_orders_status", "environment", "status"),
)

all_fills = Table(
    "all_fills",
    metadata,
    Column("id", ID, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("client_order_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("qty", Float, nullable=False),
    Column("price", Float, nullable=False),
    Column("fee", Float, nullable=False),
    Column("slippage_bps", Float),
    Column("timestamp", Time, nullable=False),
    Index("ix_fills_environment", "environment", "client_order_id"),
    Index("ix_fills_timestamp", "timestamp"),
)

all_trade_outcomes = Table(
    "all_trade_outcomes",
    metadata,
    Column("id", ID, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("predicted_direction", Text),
    Column("confidence", Float),
    Column("edge_bps", Float),
    Column("entry_price", Float),
    Column("exit_price", Float),
    Column("qty", Float),
    Column("opened_at", Time),
    Column("closed_at", Time),
    Column("pnl_absolute", Float),
    Column("pnl_bps", Float),
    Column("exit_reason", Text),
    Column("virtual", Boolean, nullable=False, server_default=false()),
    Column("slot", Text),
    Column("ensemble_hash", Text),
    Index("ix_trade_outcomes_environment", "environment", "symbol"),
)

all_confidence_history = Table(
    "all_confidence_history",
    metadata,
    Column("id", ID, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("timestamp", Time, nullable=False),
    Column("confidence_score", Float),
    Column("edge_bps", Float),
    Column("mode_confidence", Float),
    Column("mode", Text),
    Column("timeframes", Text),
    Column("slot", Text),  # champion | challenger
    Index("ix_confidence_history_symbol", "symbol", "timestamp"),  # one index: many rows
)

all_learning_states = Table(
    "all_learning_states",
    metadata,
    Column("id", ID, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("timestamp", Time, nullable=False),
    Column("mode", Text, nullable=False),
    Column("previous_mode", Text),
    Column("mode_confidence", Float),
    Column("reason", Text),
    Column("slot", Text),  # champion | challenger
    Index("ix_learning_states_environment", "environment", "symbol"),
)

all_retraining_history = Table(
    "all_retraining_history",
    metadata,
    Column("id", ID, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", BigInteger),
    Column("symbol", Text),
    Column("triggered_at", Time, nullable=False),
    # loss_immediate | drift | performance | schedule | manual
    Column("trigger_reason", Text, nullable=False),
    Column("completed_at", Time),
    Column("duration_s", Float),
    Column("epochs", Integer),
    Column("validation_confidence", Float),
    Column("success", Boolean),
    Column("ensemble_hash", Text),
    Column("message", Text),
    Column("rows", Integer),
    Column("reason", Text),
    Column("outcome", Text),  # published | refused | unchanged | failed; null: under way
    Column("verdict", Text),  # passed | refused; null: it was not judged
    Column("verdict_hash", Text),
    Column("failed_lines", Text),
    Index("ix_retraining_history_triggered_at", "triggered_at"),
    Index("ix_retraining_history_environment", "environment", "seq"),
)

all_alerts = Table(
    "all_alerts",
    metadata,
    Column("id", ID, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", BigInteger),
    Column("symbol", Text),
    Column("timestamp", Time, nullable=False),
    Column("code", Text, nullable=False),
    Column("value", Float),
    Column("threshold", Float),
    Column("message", Text, nullable=False),
    Index("ix_alerts_timestamp", "timestamp"),
    Index("ix_alerts_environment", "environment", "code"),
)

all_error_log = Table(
    "all_error_log",
    metadata,
    Column("id", ID, primary_key=True),
    Column("environment", Text),
    Column("timestamp", Time, nullable=False, server_default=NOW),
    Column("error_type", Text, nullable=False),
    Column("message", Text, nullable=False),
    Index("ix_error_log_timestamp", "timestamp"),
)

all_arbitrage_opportunities = Table(
    "all_arbitrage_opportunities",
    metadata,
    Column("id", ID, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", BigInteger),
    Column("symbol", Text, nullable=False),
    Column("timestamp", Time, nullable=False),
    Column("edge_bps", Float),
    Column("executed", Boolean, nullable=False, server_default=false()),
    Column("profitable", Boolean),
    Column("profit_quote", Float),
    Index("ix_arbitrage_opportunities_timestamp", "timestamp"),
)

all_market_volatility = Table(
    "all_market_volatility",
    metadata,
    Column("id", ID, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", BigInteger),
    Column("symbol", Text, nullable=False),
    Column("timestamp", Time, nullable=False),
    Column("volatility_24h", Float),  # root of the sum of squared returns of the base bars
    Column("returns_1h", Float),
    Column("volume_24h", Float),  # in base currency
    Index("ix_market_volatility_timestamp", "timestamp"),
)

all_execution_logs = Table(
    "all_execution_logs",
    metadata,
    Column("id", ID, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", BigInteger),
    Column("symbol", Text, nullable=False),
    Column("timestamp", Time, nullable=False),
    Column("success", Boolean, nullable=False),
    Column("profit_usd", Float),
    Column("gas_cost_usd", Float),
    Column("tx_hash", Text),
    Column("client_order_id", Text),
    Column("kind", Text),  # entry | exit | stop
    Column("outcome", Text),  # why the order ended
    Column("profit_quote", Float),  # of the trade that it closed
    Index("ix_execution_logs_client_order_id", "environment", "client_order_id"),
    Index("ix_execution_logs_timestamp", "timestamp"),
)

all_model_performance = Table(
    "all_model_performance",
    metadata,
    Column("id", ID, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", BigInteger),
    Column("model_name", Text, nullable=False),
    Column("timestamp", Time, nullable=False),
    Column("accuracy", Float),  # share of trades that earned more than they cost
    Column("avg_actual_profit", Float),  # in quote currency; null: virtual trades
    Column("symbol", Text),
    Column("ensemble_hash", Text),
    Column("slot", Text),  # champion | challenger
    Column("virtual", Boolean, nullable=False, server_default=false()),
    Column("trades", Integer),
    Column("avg_net_bps", Float),
    Index("ix_model_performance_timestamp", "timestamp"),
)
