"""The tables of the database, the same on SQLite and PostgreSQL.

Candles, news and external series have no other source. The tables of the engine, in
``projected_tables``, are projections of the journal. The names and columns that operators' queries
use (``positions``, ``trade_outcomes``, ...) are views of them, see migrations 0007 and 0009: one
environment, real trades, champions.

Times are UTC. On SQLite they are text ``YYYY-MM-DD HH:MM:SS[.ffffff]``, which compares with
``datetime('now', ...)``; on PostgreSQL timestamps with a time zone, which compare with ``NOW()``.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

import ares.store.projected_tables  # noqa: F401 - its tables belong to the same collection
from ares.store.columns import ID, NOW, Time, metadata

__all__ = [
    "candle_series",
    "candle_sources",
    "candles",
    "commands",
    "engines",
    "external_series",
    "instruments",
    "metadata",
    "news",
    "projections",
    "series_values",
    "shown_environment",
]


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
    # saved, and replaced by triggers when a bar is changed or deleted by other hands. `checksum` is
    # that of all rows (see store.rows); NULL: not known.
    "candle_series",
    metadata,
    Column("symbol", Text, primary_key=True),
    Column("venue", Text, primary_key=True),
    Column("interval", Text, primary_key=True),
    Column("bars", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("checksum", BigInteger),
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
