"""The last price and the book of each symbol, computed once for an instant and a trade."""

from __future__ import annotations

from collections.abc import Callable

from ares.sim.serve.book import Book
from ares.sim.serve.market import SymbolMarket


class Quotes:
    """What a market shows now.

    now_ms : the market's time.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._last: dict[int, tuple[int, int, int]] = {}
        self._books: dict[int, tuple[int, int, Book]] = {}

    def last_ticks(self, symbol: SymbolMarket) -> int:
        """Return the price of the last trade; before the first one, the first open."""
        return self._last_trade(symbol)[0]

    def book(self, symbol: SymbolMarket) -> Book:
        """Return the order book after the last trade."""
        ticks, trade_id = self._last_trade(symbol)
        kept = self._books.get(symbol.index)
        if kept is None or kept[:2] != (ticks, trade_id):
            kept = (ticks, trade_id, symbol.book_after(ticks, trade_id))
            self._books[symbol.index] = kept
        return kept[2]

    def _last_trade(self, symbol: SymbolMarket) -> tuple[int, int]:
        now_ms, kept = self._now_ms(), self._last.get(symbol.index)
        if kept is None or kept[0] != now_ms:
            trades = symbol.last_trades(1, now_ms)
            ticks, trade_id = (
                (trades[0].ticks, trades[0].trade_id) if trades else (symbol.first_ticks, 0)
            )
            kept = (now_ms, ticks, trade_id)
            self._last[symbol.index] = kept
        return kept[1], kept[2]
