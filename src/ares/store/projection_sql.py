"""The statements that write the engine's tables, and the names of these tables.

Raw SQL with tuples, in batches: the projector writes while the engine runs, and SQLAlchemy's insert
takes two to four times as long (measured).
"""

from __future__ import annotations

TABLES = (
    "positions", "orders", "fills", "trade_outcomes", "confidence_history", "learning_states",
    "error_log", "retraining_history", "alerts",
)  # fmt: skip

CONFIDENCE = (
    "INSERT INTO confidence_history (environment, seq, symbol, timestamp, confidence_score,"
    " edge_bps, mode_confidence, mode) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
ORDER = (
    "INSERT INTO orders (environment, seq, client_order_id, symbol, side, kind, qty, price, status,"
    " refusal, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
ORDER_STATUS = (
    "UPDATE orders SET status = ?, updated_at = ? WHERE environment = ? AND client_order_id = ?"
)
FILL = (
    "INSERT INTO fills (environment, seq, client_order_id, symbol, side, qty, price, fee,"
    " slippage_bps, timestamp) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
OPENED = (
    "INSERT INTO positions (environment, seq, symbol, status, qty, entry_price, opened_at, fees,"
    " virtual) VALUES (?, ?, ?, 'open', ?, ?, ?, ?, 0)"
)
CHANGED = (
    "UPDATE positions SET qty = ?, entry_price = ?, fees = ?"
    " WHERE environment = ? AND seq = ? AND status = 'open'"
)
CLOSED = (
    "UPDATE positions SET status = 'closed', seq = ?, qty = ?, entry_price = ?, exit_price = ?,"
    " closed_at = ?, pnl = ?, fees = ? WHERE environment = ? AND seq = ? AND status = 'open'"
)
OUTCOME = (
    "INSERT INTO trade_outcomes (environment, seq, symbol, predicted_direction, confidence,"
    " edge_bps, entry_price, exit_price, qty, opened_at, closed_at, pnl_absolute, pnl_bps,"
    " exit_reason, virtual, slot, ensemble_hash) VALUES"
    " (?, ?, ?, 'long', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
MODE = (
    "INSERT INTO learning_states (environment, seq, symbol, timestamp, mode, previous_mode,"
    " mode_confidence, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
ERROR = "INSERT INTO error_log (environment, timestamp, error_type, message) VALUES (?, ?, ?, ?)"
TRAINING = (
    "INSERT INTO retraining_history (environment, seq, symbol, triggered_at, trigger_reason,"
    " reason) VALUES (?, ?, ?, ?, ?, ?)"
)
TRAINED = (
    "UPDATE retraining_history SET completed_at = ?, duration_s = ?, epochs = ?,"
    " validation_confidence = ?, success = ?, ensemble_hash = ?, message = ?, rows = ?,"
    " outcome = ?, verdict = ?, verdict_hash = ?, failed_lines = ?"
    " WHERE environment = ? AND seq = ?"
)
ALERT = (
    "INSERT INTO alerts (environment, seq, symbol, timestamp, code, value, threshold, message)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
PROGRESS = (
    "INSERT INTO projections (environment, seq, state) VALUES (?, ?, ?)"
    " ON CONFLICT (environment) DO UPDATE SET seq = excluded.seq, state = excluded.state"
)
