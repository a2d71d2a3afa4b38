"""The queries that operators bring along in their notes, word for word."""

from __future__ import annotations

SQLITE = tuple(
    """
PRAGMA integrity_check;
SELECT symbol, COUNT(*) FROM candles GROUP BY symbol;
SELECT COUNT(*), AVG(validation_confidence) FROM retraining_history WHERE triggered_at > datetime('now', '-6 hours');
SELECT trigger_reason, COUNT(*) FROM retraining_history WHERE triggered_at > datetime('now', '-6 hours') GROUP BY trigger_reason;
SELECT AVG(confidence_score), MAX(confidence_score) FROM confidence_history WHERE symbol = 'BTC/USDT' AND timestamp > datetime('now', '-24 hours');
SELECT timestamp, error_type, message FROM error_log ORDER BY timestamp DESC LIMIT 20;
SELECT symbol, predicted_direction, pnl_absolute, confidence FROM trade_outcomes WHERE pnl_absolute < 0 ORDER BY pnl_absolute ASC LIMIT 10;
SELECT * FROM trade_outcomes ORDER BY id DESC LIMIT 20;
SELECT * FROM retraining_history ORDER BY id DESC LIMIT 10;
SELECT * FROM learning_states ORDER BY id DESC LIMIT 5;
SELECT SUM(pnl) FROM positions WHERE status = 'closed';
""".strip().splitlines()  # noqa: E501 - as operators have them
)

POSTGRES = tuple(
    """
SELECT symbol, edge_bps, executed, profitable, profit_quote FROM arbitrage_opportunities WHERE timestamp > NOW() - INTERVAL '24 hours' ORDER BY timestamp DESC;
SELECT symbol, volatility_24h, returns_1h, volume_24h FROM market_volatility WHERE timestamp > NOW() - INTERVAL '1 hour' ORDER BY timestamp DESC;
SELECT symbol, success, profit_usd, gas_cost_usd, tx_hash FROM execution_logs WHERE timestamp > NOW() - INTERVAL '24 hours' ORDER BY timestamp DESC;
SELECT model_name, accuracy, avg_actual_profit, timestamp FROM model_performance ORDER BY timestamp DESC LIMIT 10;
SELECT symbol, CAST(COUNT(*) FILTER (WHERE profitable = TRUE) AS FLOAT) / NULLIF(COUNT(*) FILTER (WHERE executed = TRUE), 0) AS win_rate FROM arbitrage_opportunities WHERE executed = TRUE GROUP BY symbol ORDER BY win_rate DESC;
""".strip().splitlines()  # noqa: E501 - as operators have them
)

TIMESCALE = (
    "SELECT time_bucket('1 hour', timestamp) AS hour, SUM(profit_quote) AS total_profit FROM"
    " arbitrage_opportunities WHERE executed = TRUE AND profitable = TRUE GROUP BY hour ORDER BY"
    " hour DESC;"
)
"""Where TimescaleDB is."""
