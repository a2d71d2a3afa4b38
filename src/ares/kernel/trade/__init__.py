"""The trade half of the kernel: scores in, orders and money out."""

from ares.kernel.trade.rules import (
    InstrumentRules,
    Rules,
    first_state,
    seat,
    specs_record,
    volatility_start_ms,
)
from ares.kernel.trade.scan import Market, Signals, TradeLog, TradeState, scan, to_grid

__all__ = [
    "InstrumentRules",
    "Market",
    "Rules",
    "Signals",
    "TradeLog",
    "TradeState",
    "first_state",
    "scan",
    "seat",
    "specs_record",
    "to_grid",
    "volatility_start_ms",
]
