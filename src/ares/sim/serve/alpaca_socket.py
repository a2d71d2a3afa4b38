"""Alpaca's stream of market data of crypto: trades, quotes, bars and books; JSON or MessagePack."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from ares.domain.timeframe import MINUTE_MS
from ares.sim.serve.alpaca_account import SimAlpacaAccount
from ares.sim.serve.alpaca_data import BOOK_LEVELS, AlpacaData, levels
from ares.sim.serve.book import Book, changes
from ares.sim.serve.market import SymbolMarket, Trade
from ares.sim.serve.sockets import Socket
from ares.sim.serve.venue import SimVenue
from ares.sim.serve.wire import rfc3339, to_json

CHANNELS = ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars")
TIMES = ("t",)


class DataStream:
    """One socket; every message is a list.

    account : whose keys open it; None: any key does.
    """

    def __init__(
        self, socket: Socket, venue: SimVenue, data: AlpacaData, account: SimAlpacaAccount | None
    ) -> None:
        self._socket, self._venue, self._data = socket, venue, data
        self._account = account
        self._is_open = False
        self._wanted: dict[str, dict[str, None]] = {name: {} for name in CHANNELS}
        self._books: dict[str, Book] = {}
        if "msgpack" in socket.headers.get("Content-Type", ""):
            socket.encode, socket.decode = packed, unpacked

    def opened(self) -> None:
        """Greet a new socket."""
        self._send({"T": "success", "msg": "connected"})

    def receive(self, text: str) -> None:
        """Take a request: auth, subscribe, unsubscribe."""
        try:
            message = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.MsgspecError:
            self._error(400, "invalid syntax")
            return
        action = message.get("action")
        if action == "auth":
            self._authenticate(str(message.get("key") or ""), str(message.get("secret") or ""))
        elif not self._is_open:
            self._error(401, "not authenticated")
        elif action in ("subscribe", "unsubscribe"):
            self._change(message, is_wanted=action == "subscribe")
        else:
            self._error(400, "invalid syntax")

    def trade(self, trade: Trade) -> None:
        """Send what follows from a trade."""
        symbol = self._venue.market.symbols[trade.symbol]
        name = symbol.symbol
        if name in self._wanted["trades"]:
            self._send({"T": "t", "S": name, **self._data.trade(symbol, trade)})
        if name in self._wanted["quotes"]:
            self._send({"T": "q", "S": name, **self._data.quote(symbol)})
        if name in self._wanted["orderbooks"]:
            self._send_book(symbol, symbol.book_after(trade.ticks, trade.trade_id), trade.ts_ms)

    def minute(self, ts_ms: int) -> None:
        """Send the bars of the minute that has ended, traded or not."""
        for name in self._wanted["bars"]:
            symbol = self._data.symbol(name)
            if symbol is None or self._venue.faults.in_gap(name, ts_ms - 1):
                continue
            candle = self._venue.running_candle(symbol, MINUTE_MS, ts_ms - 1)
            if candle.exists:
                self._send({"T": "b", "S": name, **self._data.bar(symbol, candle)})

    def second(self) -> None:
        """Say nothing: a quiet stream is quiet."""

    def closed(self) -> None:
        """Nothing is left to do."""

    def _authenticate(self, key: str, secret: str) -> None:
        if self._is_open:
            self._error(403, "already authenticated")
        elif self._account is not None and self._account.keys.key(key, secret) is None:
            self._error(402, "auth failed")
        else:
            self._is_open = True
            self._send({"T": "success", "msg": "authenticated"})

    def _change(self, message: Mapping[str, Any], *, is_wanted: bool) -> None:
        for channel in CHANNELS:
            names = message.get(channel)
            for name in names if isinstance(names, list) else ():
                known = [s.symbol for s in self._venue.market.symbols]
                for each in known if name == "*" else [str(name)]:
                    if is_wanted and self._data.symbol(each) is not None:
                        self._wanted[channel].setdefault(each)
                    elif not is_wanted:
                        self._wanted[channel].pop(each, None)
        subscribed = {channel: list(names) for channel, names in self._wanted.items()}
        self._send({"T": "subscription", **subscribed})
        for name in self._wanted["orderbooks"]:
            symbol = self._data.symbol(name)
            if symbol is not None and name not in self._books:
                now_ms = self._venue.now_ms()
                self._send_book(symbol, symbol.book(now_ms), now_ms)

    def _send_book(self, symbol: SymbolMarket, book: Book, ts_ms: int) -> None:
        """Send a whole book the first time, then what has changed."""
        before, top = self._books.get(symbol.symbol), book.top(BOOK_LEVELS)
        self._books[symbol.symbol] = top
        facts: dict[str, Any] = {"T": "o", "S": symbol.symbol, "t": rfc3339(ts_ms)}
        if before is None:
            bids, asks, facts["r"] = top.bids, top.asks, True
        else:
            # Every level that is left is removed: clients keep all levels that they were sent.
            bids = changes(before.bids, top.bids, BOOK_LEVELS + 1, is_bid=True)
            asks = changes(before.asks, top.asks, BOOK_LEVELS + 1, is_bid=False)
        self._send({**facts, "b": levels(symbol, bids), "a": levels(symbol, asks)})

    def _error(self, code: int, text: str) -> None:
        self._send({"T": "error", "code": code, "msg": text})

    def _send(self, message: dict[str, Any]) -> None:
        self._socket.send(to_json([message]))


def packed(text: str) -> bytes:
    """Return a message in MessagePack, its times as such; what is no JSON stays as it is."""
    try:
        rows = msgspec.json.decode(text, type=list[dict[str, Any]])
    except msgspec.MsgspecError:
        return text.encode()
    for row in rows:
        for name in TIMES:
            if name in row:
                row[name] = datetime.fromisoformat(row[name])
    return msgspec.msgpack.encode(rows)


def unpacked(data: bytes) -> str:
    """Return a message of MessagePack as JSON; what is none stays as it is."""
    try:
        return to_json(msgspec.msgpack.decode(data))
    except msgspec.MsgspecError:
        return data.decode(errors="replace")
