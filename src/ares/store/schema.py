"""The tables of ``ares.db``, with the names and columns that operators' queries already use.

Candles, news and external series have no other source. The tables of the engine (positions and
below) are projections of the journal: each row names its ``environment`` and, if one event caused
it, its ``seq``; all rows of an environment can be deleted and written again. Times there are UTC
text ``YYYY-MM-DD HH:MM:SS[.ffffff]``, which compares with SQLite's ``datetime('now', ...)``.
"""

from __future__ import annotations

from sqlalchemy import (
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
    text,
)

SCHEMA_VERSION = "0006"
"""The newest migration; a test compares it with Alembic's head (which takes 0.2 s to read)."""

metadata = MetaData()
NOW = text("CURRENT_TIMESTAMP")

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
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", Text, nullable=False, server_default=NOW),
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
    Column("ts_ms", Integer, primary_key=True),
    Column("open", Float, nullable=False),
    Column("high", Float, nullable=False),
    Column("low", Float, nullable=False),
    Column("close", Float, nullable=False),
    Column("volume", Float, nullable=False),
    Column("source_id", Integer, nullable=False),
    sqlite_with_rowid=False,
)

news = Table(
    # One row per headline or score and scope: '' is the market, else a base currency. What is
    # stored is kept: the same headline again, or scored otherwise, changes nothing.
    "news",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("published_ms", Integer, nullable=False),
    Column("received_ms", Integer),  # of a feed: nothing was known before; a file: null
    Column("hash", Text, nullable=False),  # of the headline; '' of a bare score
    Column("headline", Text),
    Column("score", Float, nullable=False),  # -1 to 1
    Column("scorer", Text, nullable=False),
    Column("imported_at", Text, nullable=False, server_default=NOW),
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
    Column("imported_at", Text, nullable=False, server_default=NOW),
)

series_values = Table(
    # Scope: '' is every instrument, else a base currency, a symbol or a full key. What is stored is
    # kept: another value at the same publication changes nothing.
    "series_values",
    metadata,
    Column("series", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("published_ms", Integer, primary_key=True),
    Column("known_ms", Integer, nullable=False),
    Column("value", Float, nullable=False),
    sqlite_with_rowid=False,
)

projections = Table(
    # How far each environment's journal has been projected: written in the same transaction as the
    # rows, so that after a crash the projector goes on exactly where the tables end.
    "projections",
    metadata,
    Column("environment", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("state", LargeBinary),  # what rows of later entries refer to
)

positions = Table(
    "positions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", Integer),
    Column("symbol", Text, nullable=False),
    Column("status", Text, nullable=False),  # open | closed
    Column("qty", Float, nullable=False),
    Column("entry_price", Float),
    Column("exit_price", Float),
    Column("opened_at", Text),
    Column("closed_at", Text),
    Column("pnl", Float),
    Column("fees", Float),
    Column("virtual", Boolean, nullable=False, server_default=text("0")),
    Index("ix_positions_environment", "environment", "symbol", "status"),
    Index("ix_positions_status", "status"),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("client_order_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("qty", Float, nullable=False),
    Column("price", Float),
    Column("status", Text, nullable=False),
    Column("refusal", Text),
    Column("created_at", Text),
    Column("updated_at", Text),
    UniqueConstraint("environment", "client_order_id", name="uq_orders_client_order_id"),
    Index("ix_orders_status", "environment", "status"),
)

fills = Table(
    "fills",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("client_order_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("qty", Float, nullable=False),
    Column("price", Float, nullable=False),
    Column("fee", Float, nullable=False),
    Column("slippage_bps", Float),
    Column("timestamp", Text, nullable=False),
    Index("ix_fills_environment", "environment", "client_order_id"),
    Index("ix_fills_timestamp", "timestamp"),
)

trade_outcomes = Table(
    "trade_outcomes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("predicted_direction", Text),
    Column("confidence", Float),
    Column("edge_bps", Float),
    Column("entry_price", Float),
    Column("exit_price", Float),
    Column("qty", Float),
    Column("opened_at", Text),
    Column("closed_at", Text),
    Column("pnl_absolute", Float),
    Column("pnl_bps", Float),
    Column("exit_reason", Text),
    Column("virtual", Boolean, nullable=False, server_default=text("0")),
    Column("slot", Text),
    Column("ensemble_hash", Text),
    Index("ix_trade_outcomes_environment", "environment", "symbol"),
)

confidence_history = Table(
    "confidence_history",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("timestamp", Text, nullable=False),
    Column("confidence_score", Float),
    Column("edge_bps", Float),
    Column("mode_confidence", Float),
    Column("mode", Text),
    Column("timeframes", Text),
    Index("ix_confidence_history_symbol", "symbol", "timestamp"),  # one index: a row per bar
)

learning_states = Table(
    "learning_states",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("timestamp", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("previous_mode", Text),
    Column("mode_confidence", Float),
    Column("reason", Text),
    Index("ix_learning_states_environment", "environment", "symbol"),
)

retraining_history = Table(
    "retraining_history",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", Integer),
    Column("symbol", Text),
    Column("triggered_at", Text, nullable=False),
    # loss_immediate | drift | performance | schedule | manual
    Column("trigger_reason", Text, nullable=False),
    Column("completed_at", Text),
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

alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("seq", Integer),
    Column("symbol", Text),
    Column("timestamp", Text, nullable=False),
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

error_log = Table(
    "error_log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("environment", Text),
    Column("timestamp", Text, nullable=False, server_default=NOW),
    Column("error_type", Text, nullable=False),
    Column("message", Text, nullable=False),
    Index("ix_error_log_timestamp", "timestamp"),
)
