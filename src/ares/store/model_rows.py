"""Rows of ``model_performance``: one after each trade of an ensemble, over its trades so far."""

from __future__ import annotations

import msgspec

from ares.core.slot import Slot
from ares.domain.events import TradeClosed
from ares.domain.instrument import MONEY_DECIMALS
from ares.domain.utc import utc_sql
from ares.store.confidence_rows import Row

UNITS = 10**MONEY_DECIMALS


class ModelTrades(msgspec.Struct):
    """The trades of one ensemble in its lane, of money or virtual: how many, and their results."""

    ensemble_hash: str = ""
    trades: int = 0
    wins: int = 0
    profit_units: int = 0
    net_bps: float = 0.0


class ModelRows:
    """Counts the trades of the ensemble in each lane since it came there.

    trades : by lane, the trades of money; virtual: the virtual ones.
    """

    def __init__(self, environment: str, symbols: list[str]) -> None:
        self._environment, self._symbols = environment, symbols
        self.trades = [ModelTrades() for _ in symbols]
        self.virtual = [ModelTrades() for _ in symbols]

    def row(self, seq: int, trade: TradeClosed, slot: Slot, role: str) -> Row | None:
        """Take a trade that closed; return its row, None where the lane has no ensemble.

        A trade is right if it earned more than it cost: its direction was predicted correctly.
        """
        if not slot.hash:
            return None
        lane, symbol = trade.instrument, self._symbols[trade.instrument]
        kept = self.virtual if trade.virtual else self.trades
        if kept[lane].ensemble_hash != slot.hash:
            kept[lane] = ModelTrades(slot.hash)
        so_far = kept[lane]
        so_far.trades += 1
        so_far.wins += trade.net_bps > 0.0
        so_far.profit_units += trade.pnl_units
        so_far.net_bps += trade.net_bps
        n = so_far.trades
        profit = None if trade.virtual else so_far.profit_units / n / UNITS
        return (
            self._environment, seq, f"{symbol} {slot.hash[:12]}", utc_sql(trade.exit_ms),
            so_far.wins / n, profit, symbol, slot.hash, role, trade.virtual, n, so_far.net_bps / n,
        )  # fmt: skip
