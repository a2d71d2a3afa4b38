"""Binance's spot streams (/ws, /stream) and its WebSocket API (/ws-api/v3), the public part."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ares.sim.serve.binance_account import SimBinanceAccount
from ares.sim.serve.binance_rest import (
    INTERVALS,
    RATE_LIMITS,
    BinanceError,
    BinanceRest,
    aggregate_row,
    book_ticker,
    day_facts,
    levels,
    price_text,
    symbol_id,
)
from ares.sim.serve.book import Book, changes
from ares.sim.serve.market import Candle, SymbolMarket, Trade
from ares.sim.serve.sockets import Socket
from ares.sim.serve.venue import SimVenue
from ares.sim.serve.wire import lots_text, money_text, to_json

_PARTIAL = re.compile(r"depth(5|10|20)(@100ms|@1000ms)?")
_DIFFERENCE = re.compile(r"depth(@100ms|@1000ms)?")
ALL_LEVELS = 1 << 30

API_METHODS = {
    "ping": "ping",
    "time": "time",
    "exchangeInfo": "exchangeInfo",
    "klines": "klines",
    "uiKlines": "uiKlines",
    "depth": "depth",
    "trades.recent": "trades",
    "trades.historical": "historicalTrades",
    "trades.aggregate": "aggTrades",
    "avgPrice": "avgPrice",
    "ticker.24hr": "ticker/24hr",
    "ticker.price": "ticker/price",
    "ticker.book": "ticker/bookTicker",
}
"""Method of the WebSocket API -> request of REST."""


class BinanceStreams:
    """One socket of streams.

    combined : events are wrapped in ``{"stream": ..., "data": ...}``.
    streams  : subscribed from the start, by the address.
    """

    def __init__(
        self, socket: Socket, venue: SimVenue, streams: Iterable[str], *, combined: bool
    ) -> None:
        self._socket = socket
        self._venue = venue
        self._combined = combined
        self._symbols = {symbol_id(s).lower(): s for s in venue.market.symbols}
        self._streams: dict[str, None] = {}
        self._by_symbol: dict[int, list[tuple[str, str]]] = {}
        self._books: dict[str, tuple[int, Book]] = {}
        self._subscribe(streams)

    def opened(self) -> None:
        """Say nothing, as Binance."""

    def receive(self, text: str) -> None:
        """Take a request: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, properties."""
        try:
            message = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.MsgspecError:
            self._error(3, "Invalid JSON: expected value at line 1 column 1", None)
            return
        number = message.get("id")
        method, params = message.get("method"), message.get("params", [])
        is_list = isinstance(params, list) and all(isinstance(name, str) for name in params)
        if method == "LIST_SUBSCRIPTIONS":
            self._result(list(self._streams), number)
        elif method in ("SUBSCRIBE", "UNSUBSCRIBE") and is_list:
            (self._subscribe if method == "SUBSCRIBE" else self._unsubscribe)(params)
            self._result(None, number)
        elif method == "SET_PROPERTY" and isinstance(params, list) and len(params) == 2:
            self._combined = bool(params[1])
            self._result(None, number)
        elif method == "GET_PROPERTY":
            self._result(self._combined, number)
        else:
            self._error(2, "Invalid request: unknown variant or missing field", number)

    def trade(self, trade: Trade) -> None:
        """Send the events that a trade causes."""
        symbol = self._venue.market.symbols[trade.symbol]
        for stream, kind in self._by_symbol.get(trade.symbol, ()):
            event = self._event(symbol, trade, stream, kind)
            if event is not None:
                self._send(stream, event)

    def minute(self, ts_ms: int) -> None:
        """Send the candles that are closed at ``ts_ms``, traded or not."""
        for index, streams in self._by_symbol.items():
            symbol = self._venue.market.symbols[index]
            if self._venue.faults.in_gap(symbol.symbol, ts_ms - 1):
                continue
            for stream, kind in streams:
                interval_ms = INTERVALS.get(kind.removeprefix("kline_"), 0)
                if not interval_ms or ts_ms % interval_ms:
                    continue
                closed = self._venue.running_candle(symbol, interval_ms, ts_ms - 1)
                if closed.exists:
                    self._send(stream, self._kline(symbol, closed, kind, is_closed=True))

    def closed(self) -> None:
        """Nothing is left to do."""

    def second(self) -> None:
        """Send the statistics of 24 hours, once a second as Binance does."""
        for index, streams in self._by_symbol.items():
            for stream, kind in streams:
                if kind in ("ticker", "miniTicker"):
                    self._send(stream, self._ticker(self._venue.market.symbols[index], kind))

    def _event(
        self, symbol: SymbolMarket, trade: Trade, stream: str, kind: str
    ) -> dict[str, Any] | None:
        """Return what a stream sends for a trade, if anything."""
        if kind == "trade":
            row = aggregate_row(symbol, trade)
            row = {"t": row["a"], **{name: row[name] for name in ("p", "q", "T", "m", "M")}}
            return self._stamped("trade", symbol, row)
        if kind == "aggTrade":
            return self._stamped("aggTrade", symbol, aggregate_row(symbol, trade))
        if kind == "bookTicker":
            best = book_ticker(symbol, trade.ts_ms)
            names = {"b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty"}
            levels_ = {short: best[name] for short, name in names.items()}
            return {"u": trade.trade_id, "s": best["symbol"], **levels_}
        if kind.startswith("kline_"):
            interval_ms = INTERVALS[kind.removeprefix("kline_")]
            running = self._venue.running_candle(symbol, interval_ms, trade.ts_ms)
            return self._kline(symbol, running, kind, is_closed=False)
        if match := _PARTIAL.fullmatch(kind):
            book = symbol.book_after(trade.ticks, trade.trade_id).top(int(match.group(1)))
            bids, asks = levels(symbol, book.bids), levels(symbol, book.asks)
            return {"lastUpdateId": trade.trade_id, "bids": bids, "asks": asks}
        if _DIFFERENCE.fullmatch(kind):
            return self._difference(symbol, trade, stream)
        return None

    def _difference(self, symbol: SymbolMarket, trade: Trade, stream: str) -> dict[str, Any]:
        """Return the changes of the book since the last event; ids follow on without a gap."""
        after = symbol.book_after(trade.ticks, trade.trade_id)
        if stream in self._books:
            last_id, before = self._books[stream]
        else:
            last_id = trade.trade_id - 1
            before = symbol.book(trade.ts_ms - 1)
        self._books[stream] = (trade.trade_id, after)
        row = {
            "U": last_id + 1,
            "u": trade.trade_id,
            "b": levels(symbol, changes(before.bids, after.bids, ALL_LEVELS, is_bid=True)),
            "a": levels(symbol, changes(before.asks, after.asks, ALL_LEVELS, is_bid=False)),
        }
        return self._stamped("depthUpdate", symbol, row)

    def _kline(
        self, symbol: SymbolMarket, candle: Candle, kind: str, *, is_closed: bool
    ) -> dict[str, Any]:
        interval = kind.removeprefix("kline_")
        opened, high, low, close = (price_text(symbol, ticks) for ticks in candle[1:5])
        row = {
            "t": candle.open_ms,
            "T": candle.open_ms + INTERVALS[interval] - 1,
            "s": symbol_id(symbol),
            "i": interval,
            "f": candle.first_id if candle.n_trades else -1,
            "L": candle.first_id + candle.n_trades - 1 if candle.n_trades else -1,
            "o": opened,
            "c": close,
            "h": high,
            "l": low,
            "v": lots_text(candle.lots),
            "n": candle.n_trades,
            "x": is_closed,
            "q": money_text(candle.turnover),
            "V": lots_text(candle.buy_lots),
            "Q": money_text(candle.buy_turnover),
            "B": "0",
        }
        return self._stamped("kline", symbol, {"k": row})

    def _ticker(self, symbol: SymbolMarket, kind: str) -> dict[str, Any]:
        day = day_facts(symbol, self._venue.now_ms())
        names = {"c": "lastPrice", "o": "openPrice", "h": "highPrice", "l": "lowPrice"}
        names |= {"v": "volume", "q": "quoteVolume"}
        if kind == "ticker":
            names |= {
                "p": "priceChange",
                "P": "priceChangePercent",
                "w": "weightedAvgPrice",
                "x": "prevClosePrice",
                "Q": "lastQty",
                "b": "bidPrice",
                "B": "bidQty",
                "a": "askPrice",
                "A": "askQty",
                "O": "openTime",
                "C": "closeTime",
                "F": "firstId",
                "L": "lastId",
                "n": "count",
            }
        row = {short: day[name] for short, name in names.items()}
        return self._stamped("24hrTicker" if kind == "ticker" else "24hrMiniTicker", symbol, row)

    def _stamped(self, event: str, symbol: SymbolMarket, row: dict[str, Any]) -> dict[str, Any]:
        return {"e": event, "E": self._venue.clock_ms(), "s": symbol_id(symbol), **row}

    def _subscribe(self, streams: Iterable[str]) -> None:
        """Subscribe; a stream that does not exist is taken and never sends, as on Binance."""
        for stream in streams:
            name, _, kind = stream.partition("@")
            symbol = self._symbols.get(name)
            if not kind or stream in self._streams:
                continue
            self._streams[stream] = None
            known = kind.removeprefix("kline_") in INTERVALS if "kline" in kind else True
            if symbol is not None and known:
                self._by_symbol.setdefault(symbol.index, []).append((stream, kind))

    def _unsubscribe(self, streams: Iterable[str]) -> None:
        for stream in streams:
            self._streams.pop(stream, None)
            self._books.pop(stream, None)
            for subscribed in self._by_symbol.values():
                subscribed[:] = [each for each in subscribed if each[0] != stream]

    def _result(self, result: Any, number: Any) -> None:
        self._socket.send(to_json({"result": result, "id": number}))

    def _error(self, code: int, text: str, number: Any) -> None:
        self._socket.send(to_json({"error": {"code": code, "msg": text}, "id": number}))

    def _send(self, stream: str, event: dict[str, Any]) -> None:
        self._socket.send(to_json({"stream": stream, "data": event} if self._combined else event))


class BinanceApi:
    """One socket of the WebSocket API: requests of REST by another way."""

    def __init__(
        self, socket: Socket, rest: BinanceRest, account: SimBinanceAccount | None = None
    ) -> None:
        self._socket = socket
        self._rest = rest
        self._account = account
        self._stream = None
        if account is not None:
            self._stream = account.stream(lambda event: socket.send(to_json(event)))

    def opened(self) -> None:
        """Say nothing, as Binance."""

    def receive(self, text: str) -> None:
        """Answer a request; each answer has the request's id."""
        try:
            message = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.MsgspecError:
            message = {}
        faults = None if self._account is None else self._account.venue.faults
        late = faults.struck("request_late", "socket", text) if faults else None
        if late is None:
            self._reply(message, text)
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(late.ms / 1000.0, self._reply, message, text)

    def _reply(self, message: dict[str, Any], text: str) -> None:
        """Do a request and answer it, unless the answer is lost."""
        answer = self._answer(message, text)
        if self._account and self._account.venue.faults.struck("reply_lost", "socket", text):
            return
        limits = [{**limit, "count": 2} for limit in RATE_LIMITS[:1]]
        self._socket.send(to_json({"id": message.get("id"), **answer, "rateLimits": limits}))

    def _answer(self, message: dict[str, Any], text: str) -> dict[str, Any]:
        name, params = str(message.get("method")), message.get("params") or {}
        if not message:
            return _refused(BinanceError(-1135, "Invalid JSON Request"))
        if not isinstance(params, dict):
            return _refused(BinanceError(-1100, "Illegal characters found in parameter 'params'."))
        try:
            return {"status": 200, "result": self._result(name, params, text)}
        except BinanceError as error:
            return _refused(error)

    def _result(self, name: str, params: dict[str, Any], text: str) -> Any:
        if self._account is not None and self._stream is not None:
            if name == "userDataStream.subscribe.signature":
                self._socket.is_private = True
                return self._stream.subscribe(params)
            if name == "userDataStream.unsubscribe":
                return self._stream.unsubscribe(params)
            private = self._account.private
            if private.knows(name):
                keys = self._account.keys
                return private.result(name, "socket", text, lambda: keys.admit_params(params))
        if name not in API_METHODS:
            raise BinanceError(-1105, "Unknown method.")
        return self._rest.result(API_METHODS[name], params)

    def trade(self, trade: Trade) -> None:
        """Send nothing."""

    def minute(self, ts_ms: int) -> None:
        """Send nothing."""

    def closed(self) -> None:
        """Send nothing more of the account."""
        if self._stream is not None:
            self._stream.closed()

    def second(self) -> None:
        """Send nothing."""


def _refused(error: BinanceError) -> dict[str, Any]:
    return {"status": error.status, "error": error.body()}


def streams_of(path: str, query: Mapping[str, str]) -> tuple[list[str], bool]:
    """Return the streams that an address names, and whether their events are wrapped.

    ``/stream/ws`` is ``/ws``: ccxt knows spot by ``/stream`` in the address.

    >>> streams_of("/stream", {"streams": "btcusdt@trade/btcusdt@kline_1m"})
    (['btcusdt@trade', 'btcusdt@kline_1m'], True)
    >>> streams_of("/stream/ws/0", {})
    ([], False)
    """
    path = path.removeprefix("/stream") if path.startswith("/stream/ws") else path
    if path.startswith("/stream"):
        return [name for name in query.get("streams", "").split("/") if name], True
    return [name for name in path.removeprefix("/ws").split("/") if "@" in name], False
