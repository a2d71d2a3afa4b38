"""The statements that write the engine's tables, and the names of these tables.

Raw SQL with tuples, in batches: the projector writes while the engine runs, and SQLAlchemy's insert
takes two to four times as long (measured).
"""

from __future__ import annotations

TABLES = (
    "all_positions", "all_orders", "all_fills", "all_trade_outcomes", "all_confidence_history",
    "all_learning_states", "all_error_log", "all_retraining_history", "all_alerts",
    "all_market_volatility", "all_model_performance", "all_execution_logs",
)  # fmt: skip

PROJECTIONS = "projections"
"""How far each environment's journal is in them."""

CONFIDENCE = (
    "INSERT INTO all_confidence_history (environment, seq, symbol, timestamp, confidence_score,"
    " edge_bps, mode_confidence, mode, slot) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
ORDER = (
    "INSERT INTO all_orders (environment, seq, client_order_id, symbol, side, kind, qty, price,"
    " status, refusal, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
ORDER_STATUS = (
    "UPDATE all_orders SET status = ?, updated_at = ? WHERE environment = ? AND client_order_id = ?"
)
FILL = (
    "INSERT INTO all_fills (environment, seq, client_order_id, symbol, side, qty, price, fee,"
    " slippage_bps, timestamp) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
OPENED = (
    "INSERT INTO all_positions (environment, seq, symbol, status, qty, entry_price, opened_at,"
    " fees) VALUES (?, ?, ?, 'open', ?, ?, ?, ?)"
)
CHANGED = (
    "UPDATE all_positions SET qty = ?, entry_price = ?, fees = ?"
    " WHERE environment = ? AND seq = ? AND status = 'open'"
)
CLOSED = (
    "UPDATE all_positions SET status = 'closed', seq = ?, qty = ?, entry_price = ?, exit_price = ?,"
    " closed_at = ?, pnl = ?, fees = ? WHERE environment = ? AND seq = ? AND status = 'open'"
)
OUTCOME = (
    "INSERT INTO all_trade_outcomes (environment, seq, symbol, predicted_direction, confidence,"
    " edge_bps, entry_price, exit_price, qty, opened_at, closed_at, pnl_absolute, pnl_bps,"
    " exit_reason, virtual, slot, ensemble_hash) VALUES"
    " (?, ?, ?, 'long', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
MODE = (
    "INSERT INTO all_learning_states (environment, seq, symbol, timestamp, mode, previous_mode,"
    " mode_confidence, reason, slot) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
ERROR = (
    "INSERT INTO all_error_log (environment, timestamp, error_type, message) VALUES (?, ?, ?, ?)"
)
TRAINING = (
    "INSERT INTO all_retraining_history (environment, seq, symbol, triggered_at, trigger_reason,"
    " reason) VALUES (?, ?, ?, ?, ?, ?)"
)
TRAINED = (
    "UPDATE all_retraining_history SET completed_at = ?, duration_s = ?, epochs = ?,"
    " validation_confidence = ?, success = ?, ensemble_hash = ?, message = ?, rows = ?,"
    " outcome = ?, verdict = ?, verdict_hash = ?, failed_lines = ?"
    " WHERE environment = ? AND seq = ?"
)
ALERT = (
    "INSERT INTO all_alerts (environment, seq, symbol, timestamp, code, value, threshold, message)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
MARKET = (
    "INSERT INTO all_market_volatility (environment, seq, symbol, timestamp, volatility_24h,"
    " returns_1h, volume_24h) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
MODEL = (
    "INSERT INTO all_model_performance (environment, seq, model_name, timestamp, accuracy,"
    " avg_actual_profit, symbol, ensemble_hash, slot, virtual, trades, avg_net_bps)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
EXECUTION = (
    "INSERT INTO all_execution_logs (environment, seq, symbol, timestamp, success, profit_usd,"
    " client_order_id, kind, outcome, profit_quote) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
EXECUTED_LATE = (
    "UPDATE all_execution_logs SET success = ?, profit_usd = ?, profit_quote = ?"
    " WHERE environment = ? AND client_order_id = ?"
)
BEGUN = "INSERT INTO projections (environment, seq) VALUES (?, 0) ON CONFLICT DO NOTHING"
PROJECTED = "SELECT seq, state, position, updated_at FROM projections WHERE environment = ?"
PROGRESS = (
    "UPDATE projections SET seq = ?, state = ?, position = ?, updated_at = ?"
    " WHERE environment = ? AND seq = ?"
)
"""Matches no row where another worker has written since, or has deleted the rows."""

STATEMENTS = (
    CONFIDENCE, ORDER, FILL, OPENED, OUTCOME, MODE, ERROR, TRAINING, ALERT, MARKET, MODEL,
    EXECUTION, ORDER_STATUS, CHANGED, CLOSED, TRAINED, EXECUTED_LATE,
)  # fmt: skip
"""In the order in which those of a batch may be executed, all rows of one at a time: what is
updated was inserted before, and a position is changed before it is closed.
"""
RANKS = {statement: rank for rank, statement in enumerate(STATEMENTS)}
