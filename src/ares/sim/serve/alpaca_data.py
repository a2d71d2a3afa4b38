"""Alpaca's market data of crypto by REST: /v1beta3/crypto/us; it needs no key."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from ares.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS
from ares.sim.serve.alpaca_words import (
    AlpacaError,
    compressed,
    ms_of,
    price_number,
    size_number,
    whole_of,
)
from ares.sim.serve.book import Level
from ares.sim.serve.market import LOT, Candle, SymbolMarket, Trade
from ares.sim.serve.venue import Answer, SimVenue
from ares.sim.serve.wire import rfc3339

UNITS = {"MIN": MINUTE_MS, "T": MINUTE_MS, "HOUR": HOUR_MS, "H": HOUR_MS, "DAY": DAY_MS,
         "D": DAY_MS}  # fmt: skip
"""Unit of a timeframe, in capitals; weeks and months are not served."""

ROWS_MAX = 10_000
ALL_MS = 1 << 52
BOOK_LEVELS = 20


class RowsUntil(NamedTuple):
    """RowsUntil of one pair with their times; until_ms: up to which they are all there are."""

    rows: list[tuple[int, dict[str, Any]]]
    until_ms: int


class AlpacaData:
    """The public requests of one market."""

    def __init__(self, venue: SimVenue) -> None:
        self._venue = venue
        self._by_name = {
            name: symbol
            for symbol in venue.market.symbols
            for name in (symbol.symbol, compressed(symbol))
        }
        self._requests: dict[str, Callable[[Mapping[str, str]], Any]] = {
            "bars": self._bars,
            "trades": self._trades,
            "quotes": self._quotes,
            "latest/bars": lambda q: {"bars": self._each(q, self._latest_bar)},
            "latest/trades": lambda q: {"trades": self._each(q, self._latest_trade)},
            "latest/quotes": lambda q: {"quotes": self._each(q, self.quote)},
            "latest/orderbooks": lambda q: {"orderbooks": self._each(q, self.book)},
            "snapshots": lambda q: {"snapshots": self._each(q, self._snapshot)},
        }

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """Return the answer to a request."""
        name = path.removeprefix("/v1beta3/crypto/").partition("/")[2]
        try:
            if not path.startswith("/v1beta3/crypto/") or name not in self._requests:
                raise AlpacaError(404, 40410000, "endpoint not found")  # noqa: TRY301
            return Answer(msgspec.json.encode(self._requests[name](query)))
        except AlpacaError as error:
            return error.answer()

    def symbol(self, name: str) -> SymbolMarket | None:
        """Return a pair by its name."""
        return self._by_name.get(name)

    def quote(self, symbol: SymbolMarket) -> dict[str, Any]:
        """Return the best levels."""
        book = symbol.book(self._venue.now_ms()).top(1)
        bid = book.bids[0] if book.bids else (0, 0)
        return {
            "ap": price_number(symbol, book.asks[0][0]),
            "as": size_number(book.asks[0][1]),
            "bp": price_number(symbol, bid[0]),
            "bs": size_number(bid[1]),
            "t": rfc3339(self._venue.now_ms()),
        }

    def book(self, symbol: SymbolMarket) -> dict[str, Any]:
        """Return the best levels of both sides."""
        now_ms = self._venue.now_ms()
        book = symbol.book(now_ms).top(BOOK_LEVELS)
        sides = {"a": levels(symbol, book.asks), "b": levels(symbol, book.bids)}
        return {**sides, "t": rfc3339(now_ms)}

    def bar(self, symbol: SymbolMarket, candle: Candle) -> dict[str, Any]:
        """Return a candle; of a silent minute it is flat and has no volume."""
        average = candle.turnover / (candle.lots / LOT) if candle.lots else 0.0
        return {
            "c": price_number(symbol, candle.close),
            "h": price_number(symbol, candle.high),
            "l": price_number(symbol, candle.low),
            "n": candle.n_trades,
            "o": price_number(symbol, candle.open),
            "t": rfc3339(candle.open_ms).replace(".000000", ""),
            "v": size_number(candle.lots),
            "vw": average,
        }

    def trade(self, symbol: SymbolMarket, trade: Trade) -> dict[str, Any]:
        """Return a trade; ``tks``: side of the taker."""
        return {
            "i": trade.trade_id,
            "p": price_number(symbol, trade.ticks),
            "s": size_number(trade.lots),
            "t": rfc3339(trade.ts_ms),
            "tks": "B" if trade.is_buy else "S",
        }

    def _symbols(self, query: Mapping[str, str]) -> list[SymbolMarket]:
        names = [name for name in str(query.get("symbols") or "").split(",") if name]
        if not names:
            raise AlpacaError(400, 40010001, "symbols is required")
        wrong = [name for name in names if name not in self._by_name]
        if wrong:
            raise AlpacaError(400, 40010001, f"Invalid symbol(s): {', '.join(wrong)}")
        return [self._by_name[name] for name in names]

    def _each(
        self, query: Mapping[str, str], facts: Callable[[SymbolMarket], Any]
    ) -> dict[str, Any]:
        return {symbol.symbol: facts(symbol) for symbol in self._symbols(query)}

    def _bars(self, query: Mapping[str, str]) -> Any:
        interval_ms = timeframe_ms(str(query.get("timeframe") or ""))
        low_ms, high_ms = self._window(query)

        def rows(symbol: SymbolMarket, n: int) -> RowsUntil:
            now_ms = self._venue.now_ms()
            first_ms = max(low_ms, symbol.from_ms - symbol.from_ms % interval_ms)
            last_ms = min(high_ms + 1, now_ms - interval_ms + 1, first_ms + n * interval_ms)
            candles = symbol.candles(interval_ms, first_ms, last_ms, now_ms)
            found = [(c.open_ms, self.bar(symbol, c)) for c in candles if c.exists]
            is_all = last_ms > min(high_ms, now_ms - interval_ms)
            return RowsUntil(found, ALL_MS if is_all else last_ms - 1)

        return self._pages("bars", query, rows)

    def _trades(self, query: Mapping[str, str]) -> Any:
        low_ms, high_ms = self._window(query)

        def rows(symbol: SymbolMarket, n: int) -> RowsUntil:
            first = symbol.next_id(low_ms - 1)
            trades = symbol.trades_from_id(first, n, min(high_ms, self._venue.now_ms()))
            found = [(trade.ts_ms, self.trade(symbol, trade)) for trade in trades]
            return RowsUntil(found, found[-1][0] if len(found) == n else ALL_MS)

        return self._pages("trades", query, rows)

    def _quotes(self, query: Mapping[str, str]) -> Any:
        """Return the quotes of now alone: earlier ones are not kept."""
        rows = {symbol.symbol: [self.quote(symbol)] for symbol in self._symbols(query)}
        return {"quotes": rows, "next_page_token": None}

    def _window(self, query: Mapping[str, str]) -> tuple[int, int]:
        """Return start and end, both inclusive; the day of now where none is named."""
        now_ms = self._venue.now_ms()
        start_ms = ms_of(query, "start", now_ms - now_ms % DAY_MS)
        if query.get("page_token"):
            start_ms = _after(str(query["page_token"])) + 1
        return start_ms, ms_of(query, "end", now_ms)

    def _pages(
        self,
        key: str,
        query: Mapping[str, str],
        rows: Callable[[SymbolMarket, int], RowsUntil],
    ) -> Any:
        """Return a page of at most so many rows in all, in order of time, and the token of the
        next. A page ends between two instants.
        """
        limit = whole_of(query, "limit", 1_000, ROWS_MAX)
        found: dict[str, list[Any]] = {}
        read = {symbol.symbol: rows(symbol, limit + 1) for symbol in self._symbols(query)}
        until_ms = min(each.until_ms for each in read.values())
        every = [(ms, name, row) for name, each in read.items() for ms, row in each.rows]
        every = sorted((row for row in every if row[0] <= until_ms), key=lambda row: row[0])
        cut = every
        if len(every) > limit:
            cut = [row for row in every[:limit] if row[0] < every[limit][0]] or every[:limit]
            until_ms = cut[-1][0]
        token = None
        if until_ms < ALL_MS:
            token = base64.b64encode(str(until_ms).encode()).decode()
        for _, name, row in cut:
            found.setdefault(name, []).append(row)
        return {key: found, "next_page_token": token}

    def _latest_bar(self, symbol: SymbolMarket) -> dict[str, Any]:
        now_ms = self._venue.now_ms()
        candles = symbol.candles(MINUTE_MS, 0, now_ms - MINUTE_MS + 1, now_ms, 1)
        return self.bar(symbol, candles[-1]) if candles else {}

    def _latest_trade(self, symbol: SymbolMarket) -> dict[str, Any]:
        trades = symbol.last_trades(1, self._venue.now_ms())
        return self.trade(symbol, trades[-1]) if trades else {}

    def _snapshot(self, symbol: SymbolMarket) -> dict[str, Any]:
        now_ms = self._venue.now_ms()
        days = symbol.candles(DAY_MS, 0, now_ms + 1, now_ms, 2)
        daily = [self.bar(symbol, day) for day in days]
        return {
            "dailyBar": daily[-1] if daily else {},
            "latestQuote": self.quote(symbol),
            "latestTrade": self._latest_trade(symbol),
            "minuteBar": self._latest_bar(symbol),
            "prevDailyBar": daily[-2] if len(daily) > 1 else {},
        }


def levels(symbol: SymbolMarket, side: list[Level]) -> list[dict[str, float]]:
    """Return one side of a book."""
    return [{"p": price_number(symbol, ticks), "s": size_number(lots)} for ticks, lots in side]


def timeframe_ms(text: str) -> int:
    """Return the length of a timeframe; raise AlpacaError.

    >>> timeframe_ms("1min"), timeframe_ms("2Hour")
    (60000, 7200000)
    """
    digits = "".join(c for c in text if c.isdigit())
    unit_ms = UNITS.get(text[len(digits) :].upper(), 0)
    n = int(digits or 0)
    if not unit_ms or not n or not text.startswith(digits):
        raise AlpacaError(400, 40010001, f"Invalid timeframe: {text}")
    return n * unit_ms


def _after(token: str) -> int:
    try:
        return int(base64.b64decode(token))
    except ValueError:
        raise AlpacaError(400, 40010001, "Invalid page_token") from None
