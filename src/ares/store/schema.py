"""The tables of the database, the same on SQLite and PostgreSQL.

Candles, news and external series have no other source. The tables of the engine (``all_positions``
and below) are projections of the journal: each row names its ``environment`` and, if one event
caused it, its ``seq``; all rows of an environment can be deleted and written again. The names and
columns that operators' queries use (``positions``, ``trade_outcomes``, ...) are views of them, see
migration 0007: one environment, real trades, champions.

Times are UTC. On SQLite they are text ``YYYY-MM-DD HH:MM:SS[.ffffff]``, which compares with
``datetime('now', ...)``; on PostgreSQL timestamps with a time zone, which compare with ``NOW()``.
"""

from __future__ import annotations

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

SCHEMA_VERSION = "0007"
"""The newest migration; a test compares it with Alembic's head (which takes 0.2 s to read)."""

metadata = MetaData()
NOW = text("CURRENT_TIMESTAMP")
ID = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database gives; SQLite gives one to INTEGER alone."""
Time = Text().with_variant(TIMESTAMP(timezone=True), "postgresql")

instruments = Table(
    "instruments",
    metadata,
    Column("venue", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("price_decimals", Integer, nullable=False),
    Column("qty_decimals", Integer, nullable=False),
    Column("cost_min_quote", Float, nullable=False, server_default=text("0")),
)

candle_sources = Table(
    "candle_sources",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", Time, nullable=False, server_default=NOW),
)

candle_series = Table(
    # One row per (instrument, interval). `version` names the content: a hash chained over what was
    # saved, and replaced by triggers when a bar is changed or deleted by other hands.
    "candle_series",
    metadata,
    Column("symbol", Text, primary_key=True),
    Column("venue", Text, primary_key=True),
    Column("interval", Text, primary_key=True),
    Column("bars", Integer, nullable=False),
    Column("version", Text, nullable=False),
)

candles = Table(
    # Clustered by its key (no rowid): a series is read in one sweep, and GROUP BY symbol needs no
    # sorting. A source that no longer exists costs nothing but its name: no foreign key per bar.
    "candles",
    metadata,
    Column("symbol", Text, primary_key=True),
    Column("venue", Text, primary_key=True),
    Column("interval", Text, primary_key=True),
    Column("ts_ms", BigInteger, primary_key=True),
    Column("open", Float, nullable=False),
    Column("high", Float, nullable=False),
    Column("low", Float, nullable=False),
    Column("close", Float, nullable=False),
    Column("volume", Float, nullable=False),
    Column("source_id", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

news = Table(
    # One row per headline or score and scope: '' is the market, else a base currency. What is
    # stored is kept: the same headline again, or scored otherwise, changes nothing.
    "news",
    metadata,
    Column("id", ID, primary_key=True),
    Column("source", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("published_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger),  # of a feed: nothing was known before; a file: null
    Column("hash", Text, nullable=False),  # of the headline; '' of a bare score
    Column("headline", Text),
    Column("score", Float, nullable=False),  # -1 to 1
    Column("scorer", Text, nullable=False),
    Column("imported_at", Time, nullable=False, server_default=NOW),
    UniqueConstraint("source", "scope", "published_ms", "hash", name="uq_news"),
    Index("ix_news_scope", "scope", "published_ms"),
)

external_series = Table(
    # One row per series of `ares data import-series`. The version rises with every import that
    # adds values; the hash is of all values.
    "external_series",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("imported_at", Time, nullable=False, server_default=NOW),
)

series_values = Table(
    # Scope: '' is every instrument, else a base currency, a symbol or a full key. What is stored is
    # kept: another value at the same publication changes nothing.
    "series_values",
    metadata,
    Column("series", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("published_ms", BigInteger, primary_key=True),
    Column("known_ms", BigInteger, nullable=False),
    Column("value", Float, nullable=False),
    sqlite_with_rowid=False,
)

projections = Table(
    # How far each environment's journal has been projected: written in the same transaction as the
    # rows, so that after a crash the projector goes on exactly where the tables end.
    "projections",
    metadata,
    Column("environment", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("state", LargeBinary),  # what rows of later entries refer to
    Column("position", LargeBinary),  # where in the journal that entry ends
    Column("updated_at", Time),  # wall time of the newest rows
)

shown_environment = Table(
    # The environment whose rows the views show: one row.
    "shown_environment",
    metadata,
    Column("environment", Text, primary_key=True),
)

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

commands = Table(
    # What people asked of a running engine: its own truth, and the audit trail. The answer stands
    # in its row. Times are milliseconds of wall time since 1970.
    "commands",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("environment", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("arguments", Text, nullable=False),  # JSON object of texts
    Column("expected_version", Text, nullable=False),  # '' where it does not matter
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("answered_ms", BigInteger),
    Column("outcome", Text),  # done | refused; null: not answered
    Column("detail", Text),
    Index("ix_commands_environment", "environment", "answered_ms"),
)

engines = Table(
    # The heartbeat of the engine of each environment, with its status as JSON.
    "engines",
    metadata,
    Column("environment", Text, primary_key=True),
    Column("pid", Integer, nullable=False),
    Column("host", Text, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("beat_ms", BigInteger, nullable=False),
    Column("stopped_ms", BigInteger),  # of a clean stop; null: it runs, or its process was ended
    Column("version", Text, nullable=False),
    Column("state", Text, nullable=False),
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
    Column("volatility_24h", Float),
    Column("returns_1h", Float),
    Column("volume_24h", Float),
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
    Column("accuracy", Float),
    Column("avg_actual_profit", Float),
    Index("ix_model_performance_timestamp", "timestamp"),
)
