"""The trade half of the kernel: scores in, orders and money out."""

from ares.kernel.trade.arrays import (
    Market,
    Signals,
    TradeParams,
    TradeRecords,
    TradeState,
    new_records,
    new_venue,
)
from ares.kernel.trade.rules import (
    InstrumentRules,
    Rules,
    first_state,
    reset_posterior,
    specs_record,
    trade_params,
    volatility_start_ms,
)
from ares.kernel.trade.scan import TradeLog, scan, to_grid

__all__ = [
    "InstrumentRules",
    "Market",
    "Rules",
    "Signals",
    "TradeLog",
    "TradeParams",
    "TradeRecords",
    "TradeState",
    "first_state",
    "new_records",
    "new_venue",
    "reset_posterior",
    "scan",
    "specs_record",
    "to_grid",
    "trade_params",
    "volatility_start_ms",
]
