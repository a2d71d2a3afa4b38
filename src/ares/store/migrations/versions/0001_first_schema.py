"""The first schema: candles, and the projections of the engine's journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ares.store.columns import ID, Time

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table and index, and the triggers that keep a series' content version correct."""
    _candles()
    _trading()
    _learning()
    op.create_table(
        "error_log",
        _id(),
        _text("environment"),
        _time("timestamp", needed=True, default="CURRENT_TIMESTAMP"),
        _text("error_type", needed=True),
        _text("message", needed=True),
    )
    op.create_index("ix_error_log_timestamp", "error_log", ["timestamp"])


def _candles() -> None:
    op.create_table(
        "instruments",
        _key("venue"),
        _key("symbol"),
        _whole("price_decimals", needed=True),
        _whole("qty_decimals", needed=True),
        sa.Column("cost_min_quote", sa.Float, nullable=False, server_default=sa.text("0")),
    )
    op.create_table(
        "candle_sources",
        _id(),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        _time("created_at", needed=True, default="CURRENT_TIMESTAMP"),
    )
    op.create_table(
        "candle_series",
        _key("symbol"),
        _key("venue"),
        _key("interval"),
        _whole("bars", needed=True),
        _text("version", needed=True),
    )
    op.create_table(
        "candles",
        _key("symbol"),
        _key("venue"),
        _key("interval"),
        sa.Column("ts_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        *(_number(name, needed=True) for name in ("open", "high", "low", "close", "volume")),
        _long("source_id", needed=True),
        sqlite_with_rowid=False,
    )
    for name, when, count in (
        ("candles_deleted", "DELETE", ", bars = bars - 1"),
        ("candles_updated", "UPDATE", ""),
    ):
        _renew_version(name, when, count)


def _renew_version(name: str, when: str, count: str) -> None:
    """Give a series a new content version when a bar is changed or deleted by other hands."""
    postgres = op.get_context().dialect.name == "postgresql"
    chance = "md5(random()::text || clock_timestamp()::text)"
    version = chance if postgres else "lower(hex(randomblob(16)))"
    renew = (
        f"UPDATE candle_series SET version = {version}{count} "
        "WHERE symbol = OLD.symbol AND venue = OLD.venue AND interval = OLD.interval;"
    )
    if not postgres:
        op.execute(f"CREATE TRIGGER {name} AFTER {when} ON candles BEGIN {renew} END")
        return
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {renew} RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} AFTER {when} ON candles FOR EACH ROW EXECUTE FUNCTION {name}()"
    )


def _trading() -> None:
    op.create_table("projections", _key("environment"), _long("seq", needed=True))
    op.create_table(
        "positions",
        _id(),
        _text("environment", needed=True),
        _long("seq"),
        _text("symbol", needed=True),
        _text("status", needed=True),
        _number("qty", needed=True),
        _number("entry_price"),
        _number("exit_price"),
        _time("opened_at"),
        _time("closed_at"),
        _number("pnl"),
        _number("fees"),
        _virtual(),
    )
    op.create_index("ix_positions_environment", "positions", ["environment", "symbol", "status"])
    op.create_index("ix_positions_status", "positions", ["status"])
    op.create_table(
        "orders",
        _id(),
        _text("environment", needed=True),
        _long("seq", needed=True),
        *(_text(name, needed=True) for name in ("client_order_id", "symbol", "side", "kind")),
        _number("qty", needed=True),
        _number("price"),
        _text("status", needed=True),
        _text("refusal"),
        *(_time(name) for name in ("created_at", "updated_at")),
        sa.UniqueConstraint("environment", "client_order_id", name="uq_orders_client_order_id"),
    )
    op.create_index("ix_orders_status", "orders", ["environment", "status"])
    op.create_table(
        "fills",
        _id(),
        _text("environment", needed=True),
        _long("seq", needed=True),
        *(_text(name, needed=True) for name in ("client_order_id", "symbol", "side")),
        *(_number(name, needed=True) for name in ("qty", "price", "fee")),
        _number("slippage_bps"),
        _time("timestamp", needed=True),
    )
    op.create_index("ix_fills_environment", "fills", ["environment", "client_order_id"])
    op.create_index("ix_fills_timestamp", "fills", ["timestamp"])
    op.create_table(
        "trade_outcomes",
        _id(),
        _text("environment", needed=True),
        _long("seq", needed=True),
        _text("symbol", needed=True),
        _text("predicted_direction"),
        *(_number(name) for name in ("confidence", "edge_bps", "entry_price", "exit_price", "qty")),
        *(_time(name) for name in ("opened_at", "closed_at")),
        *(_number(name) for name in ("pnl_absolute", "pnl_bps")),
        _text("exit_reason"),
        _virtual(),
        *(_text(name) for name in ("slot", "ensemble_hash")),
    )
    op.create_index("ix_trade_outcomes_environment", "trade_outcomes", ["environment", "symbol"])


def _learning() -> None:
    op.create_table(
        "confidence_history",
        _id(),
        _text("environment", needed=True),
        _long("seq", needed=True),
        _text("symbol", needed=True),
        _time("timestamp", needed=True),
        *(_number(name) for name in ("confidence_score", "edge_bps", "mode_confidence")),
        *(_text(name) for name in ("mode", "timeframes")),
    )
    op.create_index("ix_confidence_history_symbol", "confidence_history", ["symbol", "timestamp"])
    op.create_table(
        "learning_states",
        _id(),
        _text("environment", needed=True),
        _long("seq", needed=True),
        _text("symbol", needed=True),
        _time("timestamp", needed=True),
        _text("mode", needed=True),
        _text("previous_mode"),
        _number("mode_confidence"),
        _text("reason"),
    )
    op.create_index("ix_learning_states_environment", "learning_states", ["environment", "symbol"])
    op.create_table(
        "retraining_history",
        _id(),
        _text("environment", needed=True),
        _long("seq"),
        _text("symbol"),
        _time("triggered_at", needed=True),
        _text("trigger_reason", needed=True),
        _time("completed_at"),
        _number("duration_s"),
        _whole("epochs"),
        _number("validation_confidence"),
        sa.Column("success", sa.Boolean),
        *(_text(name) for name in ("ensemble_hash", "message")),
    )
    op.create_index("ix_retraining_history_triggered_at", "retraining_history", ["triggered_at"])


def _id() -> sa.Column[int]:
    return sa.Column("id", ID, primary_key=True)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _text(name: str, *, needed: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=not needed)


def _time(name: str, *, needed: bool = False, default: str | None = None) -> sa.Column[str]:
    server_default = None if default is None else sa.text(default)
    return sa.Column(name, Time, nullable=not needed, server_default=server_default)


def _number(name: str, *, needed: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Float, nullable=not needed)


def _whole(name: str, *, needed: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=not needed)


def _long(name: str, *, needed: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=not needed)


def _virtual() -> sa.Column[bool]:
    return sa.Column("virtual", sa.Boolean, nullable=False, server_default=sa.false())
