"""Kraken's WebSocket v2: subscriptions, snapshots, updates, heartbeats; orders of an account.

What needs a token is in ``kraken_executions`` (channels) and ``kraken_requests`` (orders).
"""

from __future__ import annotations

from typing import Any

import msgspec

from ares.domain.timeframe import MINUTE_MS
from ares.sim.serve.book import Book, Level, changes, checksum
from ares.sim.serve.kraken_account import SimKrakenAccount
from ares.sim.serve.kraken_executions import CHANNELS
from ares.sim.serve.kraken_pairs import asset_id, min_lots
from ares.sim.serve.kraken_requests import RIGHTS
from ares.sim.serve.kraken_rest import INTERVALS, KrakenError, vwap
from ares.sim.serve.market import Candle, SymbolMarket, Trade
from ares.sim.serve.sockets import Socket
from ares.sim.serve.trades import LOT_DECIMALS
from ares.sim.serve.venue import SimVenue
from ares.sim.serve.wire import money_raw, raw, rfc3339, to_json

DEPTHS = (10, 25, 100, 500, 1000)
PUBLIC = ("ticker", "ohlc", "trade", "book")
PRIVATE = ("executions", "balances", "level3")
SNAPSHOT_TRADES = 50
SNAPSHOT_CANDLES = 10


class KrakenSession:
    """One socket at /v2.

    account : of the account; None: private channels and requests are refused.
    """

    def __init__(
        self, socket: Socket, venue: SimVenue, number: int, account: SimKrakenAccount | None = None
    ) -> None:
        self._socket = socket
        self._venue = venue
        self._number = number
        self._symbols = {symbol.symbol: symbol for symbol in venue.market.symbols}
        self._channels: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in PUBLIC}
        self._books: dict[int, Book] = {}
        self._instrument = False
        self._quiet = False
        self._is_private = False
        self._status = "online"
        self._states = dict.fromkeys(self._symbols, "online")
        self._account = account
        self._private = None if account is None else account.channels(self._send)

    def opened(self) -> None:
        """Send the status of the venue."""
        self._status = self._venue.system_status()
        data = {
            "api_version": "v2",
            "connection_id": 6_000_000_000_000_000_000 + self._number,
            "system": self._status,
            "version": "2.0.10",
        }
        self._send({"channel": "status", "type": "update", "data": [data]})

    def receive(self, text: str) -> None:
        """Take ping, subscribe and unsubscribe; anything else is an error, said to the client."""
        time_in = rfc3339(self._venue.clock_ms())
        try:
            message = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.MsgspecError:
            self._answer({"error": "Malformed request", "success": False}, time_in)
            return
        method = message.get("method")
        head = {"method": method}
        if "req_id" in message:
            head["req_id"] = message["req_id"]
        params = message.get("params")
        if method == "ping":
            self._answer({**head, "method": "pong"}, time_in)
        elif method in ("subscribe", "unsubscribe") and isinstance(params, dict):
            self._change(method, params, head, time_in)
        elif method in RIGHTS and isinstance(params, dict) and self._account is not None:
            self._account.request(text, lambda: self._order(method, params, head, time_in, text))
        else:
            self._answer({**head, "error": "Malformed request", "success": False}, time_in)

    def trade(self, trade: Trade) -> None:
        """Send the trade, and the candle, ticker and book that follow from it."""
        symbol = self._venue.market.symbols[trade.symbol]
        if trade.symbol in self._channels["trade"]:
            self._data("trade", "update", [_trade(symbol, trade)])
        if candle := self._channels["ohlc"].get(trade.symbol):
            minutes = candle["interval"]
            now = self._venue.running_candle(symbol, minutes * MINUTE_MS, trade.ts_ms)
            self._candles(symbol, minutes, "update", [now], trade.ts_ms)
        if trade.symbol in self._channels["ticker"]:
            self._data("ticker", "update", [_ticker(symbol, trade.ts_ms)])
        if params := self._channels["book"].get(trade.symbol):
            self._book(symbol, trade, params["depth"])

    def minute(self, ts_ms: int) -> None:
        """Send nothing: Kraken's candles are updated by trades alone."""

    def second(self) -> None:
        """Send what changed of the venue and its markets; after a silent second, a heartbeat."""
        if self._status != self._venue.system_status():
            self.opened()
        self._send_states()
        subscribed = self._instrument or any(self._channels.values()) or self._is_private
        if self._quiet and subscribed:
            self._send({"channel": "heartbeat"})
        self._quiet = True

    def _send_states(self) -> None:
        """Send the pairs whose state is another than the one that was sent."""
        symbols = self._venue.market.symbols
        changed = [s for s in symbols if self._states.get(s.symbol) != self._venue.state_of(s)]
        if self._instrument and changed:
            self._data("instrument", "update", _instruments(self._venue, changed))
        self._states = {s.symbol: self._venue.state_of(s) for s in symbols}

    def closed(self) -> None:
        """Listen to the account no more."""
        if self._private is not None:
            self._private.closed()

    def _show_token(self) -> None:
        self._is_private = self._socket.is_private = True

    def _order(
        self, method: str, params: dict[str, Any], head: dict[str, Any], time_in: str, text: str
    ) -> None:
        """Do a request about orders, and answer it unless the answer is lost."""
        if self._account is None:
            return
        try:
            results = self._account.requests.results(method, params, text)
            answers = [{"result": result, "success": True} for result in results]
            self._show_token()
        except KrakenError as error:
            answers = [{"error": str(error), "success": False}]
        if self._venue.faults.struck("reply_lost", "socket", text):
            return
        for answer in answers:
            self._answer({**head, **answer}, time_in)

    def _change_private(
        self, method: str, channel: str, params: dict[str, Any], head: dict[str, Any], time_in: str
    ) -> None:
        """Subscribe to a private channel, or unsubscribe."""
        private = self._private
        try:
            if private is None or channel not in CHANNELS:
                error = "EAuth:Invalid token" if params.get("token") else "Token(s) not found"
                self._answer({**head, "error": error, "success": False}, time_in)
                return
            if method == "unsubscribe":
                result = private.unsubscribe(channel)
            else:
                result = private.subscribe(channel, params)
        except KrakenError as refusal:
            self._answer({**head, "error": str(refusal), "success": False}, time_in)
            return
        self._show_token()
        self._answer({**head, "result": result, "success": True}, time_in)
        if method == "subscribe":
            private.snapshot(channel)

    def _change(
        self, method: str, params: dict[str, Any], head: dict[str, Any], time_in: str
    ) -> None:
        """Answer each symbol of a request; then, where subscribed, send its snapshot."""
        channel = params.get("channel")
        if channel == "instrument":
            self._instrument = method == "subscribe"
            result = {"channel": channel, "snapshot": params.get("snapshot", True)}
            self._answer({**head, "result": result, "success": True}, time_in)
            symbols = self._venue.market.symbols
            if self._instrument and result["snapshot"]:
                self._data("instrument", "snapshot", _instruments(self._venue, symbols))
            return
        if channel in PRIVATE:
            self._change_private(method, str(channel), params, head, time_in)
            return
        if channel not in PUBLIC:
            self._answer({**head, "error": "Subscription name invalid", "success": False}, time_in)
            return
        names = params.get("symbol")
        if not isinstance(names, list) or not names:
            error = "Symbol(s) not found"
            self._answer({**head, "error": error, "success": False}, time_in)
            return
        change = self._subscribe if method == "subscribe" else self._unsubscribe
        for name in names:
            error, result = change(str(channel), str(name), params)
            if error:
                refused = {**head, "error": error, "success": False, "symbol": name}
                self._answer(refused, time_in)
                continue
            self._answer({**head, "result": result, "success": True}, time_in)
            if method == "subscribe" and result["snapshot"]:
                self._snapshot(str(channel), self._symbols[str(name)])

    def _subscribe(
        self, channel: str, name: str, params: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        symbol = self._symbols.get(name)
        if symbol is None:
            return f"Currency pair not supported {name}", {}
        result: dict[str, Any] = {"channel": channel, "symbol": name}
        if channel == "ohlc":
            result["interval"] = params.get("interval", 1)
            if result["interval"] not in INTERVALS:
                return "Subscription ohlc interval not supported", {}
        if channel == "book":
            result["depth"] = params.get("depth", 10)
            if result["depth"] not in DEPTHS:
                return "Subscription depth not supported", {}
        if channel == "ticker":
            result["event_trigger"] = params.get("event_trigger", "trades")
        result["snapshot"] = params.get("snapshot", channel != "trade")
        held = self._channels[channel].get(symbol.index)
        if held is not None:
            if channel == "ohlc" and held["interval"] != result["interval"]:
                return "Already subscribed to one ohlc interval on this symbol", {}
            return "Already subscribed", {}
        self._channels[channel][symbol.index] = result
        return "", result

    def _unsubscribe(
        self, channel: str, name: str, _params: dict[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        symbol = self._symbols.get(name)
        if symbol is None:
            return f"Currency pair not supported {name}", {}
        if self._channels[channel].pop(symbol.index, None) is None:
            return "Subscription Not Found", {}
        self._books.pop(symbol.index, None)
        return "", {"channel": channel, "symbol": name}

    def _snapshot(self, channel: str, symbol: SymbolMarket) -> None:
        now_ms = self._venue.now_ms()
        params = self._channels[channel][symbol.index]
        if channel == "trade":
            trades = symbol.last_trades(SNAPSHOT_TRADES, now_ms)
            self._data("trade", "snapshot", [_trade(symbol, trade) for trade in trades])
        elif channel == "ohlc":
            interval_ms = params["interval"] * MINUTE_MS
            candles = symbol.candles(interval_ms, 0, now_ms + 1, now_ms, SNAPSHOT_CANDLES)
            self._candles(symbol, params["interval"], "snapshot", candles, now_ms)
        elif channel == "ticker":
            self._data("ticker", "snapshot", [_ticker(symbol, now_ms)])
        else:
            book = symbol.book(now_ms).top(params["depth"])
            self._books[symbol.index] = book
            self._send_book(symbol, "snapshot", book, book, now_ms)

    def _book(self, symbol: SymbolMarket, trade: Trade, depth: int) -> None:
        """Send what the trade changed in the book."""
        after = symbol.book_after(trade.ticks, trade.trade_id).top(depth)
        before = self._books.get(symbol.index, Book([], []))
        self._books[symbol.index] = after
        changed = Book(
            changes(before.bids, after.bids, depth, is_bid=True),
            changes(before.asks, after.asks, depth, is_bid=False),
        )
        if changed.bids or changed.asks:
            self._send_book(symbol, "update", changed, after, trade.ts_ms)

    def _send_book(
        self, symbol: SymbolMarket, kind: str, levels: Book, whole: Book, ts_ms: int
    ) -> None:
        def side(rows: list[Level]) -> list[dict[str, msgspec.Raw]]:
            return [
                {"price": raw(ticks, symbol.price_decimals), "qty": raw(lots, LOT_DECIMALS)}
                for ticks, lots in rows
            ]

        data = {
            "symbol": symbol.symbol,
            "bids": side(levels.bids),
            "asks": side(levels.asks),
            "checksum": checksum(whole, symbol.price_decimals),
            "timestamp": rfc3339(ts_ms),
        }
        self._data("book", kind, [data])

    def _candles(
        self, symbol: SymbolMarket, minutes: int, kind: str, candles: list[Candle], ts_ms: int
    ) -> None:
        data = [_candle(symbol, candle, minutes) for candle in candles]
        message = {"channel": "ohlc", "type": kind, "timestamp": rfc3339(ts_ms), "data": data}
        self._send(message)

    def _data(self, channel: str, kind: str, data: Any) -> None:
        self._send({"channel": channel, "type": kind, "data": data})

    def _answer(self, message: dict[str, Any], time_in: str) -> None:
        time_out = rfc3339(self._venue.clock_ms())
        self._send({**message, "time_in": time_in, "time_out": time_out})

    def _send(self, message: dict[str, Any]) -> None:
        self._quiet = False
        self._socket.send(to_json(message))


def _trade(symbol: SymbolMarket, trade: Trade) -> dict[str, Any]:
    return {
        "symbol": symbol.symbol,
        "side": "buy" if trade.is_buy else "sell",
        "price": raw(trade.ticks, symbol.price_decimals),
        "qty": raw(trade.lots, LOT_DECIMALS),
        "ord_type": "market",
        "trade_id": trade.trade_id,
        "timestamp": rfc3339(trade.ts_ms),
    }


def _candle(symbol: SymbolMarket, candle: Candle, minutes: int) -> dict[str, Any]:
    prices = (raw(ticks, symbol.price_decimals) for ticks in candle[1:5])
    opened, high, low, close = prices
    return {
        "symbol": symbol.symbol,
        "open": opened,
        "high": high,
        "low": low,
        "close": close,
        "trades": candle.n_trades,
        "volume": raw(candle.lots, LOT_DECIMALS),
        "vwap": money_raw(vwap(candle), symbol.price_decimals),
        "interval_begin": rfc3339(candle.open_ms),
        "interval": minutes,
        "timestamp": rfc3339(candle.open_ms + minutes * MINUTE_MS),
    }


def _ticker(symbol: SymbolMarket, now_ms: int) -> dict[str, Any]:
    day = symbol.day(now_ms)
    book = symbol.book(now_ms).top(1)
    last = symbol.last_ticks(now_ms)
    bid, bid_lots = book.bids[0] if book.bids else (last, 0)
    ask, ask_lots = book.asks[0]

    def price(ticks: int) -> msgspec.Raw:
        return raw(ticks, symbol.price_decimals)

    return {
        "symbol": symbol.symbol,
        "bid": price(bid),
        "bid_qty": raw(bid_lots, LOT_DECIMALS),
        "ask": price(ask),
        "ask_qty": raw(ask_lots, LOT_DECIMALS),
        "last": price(last),
        "volume": raw(day.lots, LOT_DECIMALS),
        "vwap": money_raw(vwap(day), symbol.price_decimals),
        "low": price(day.low),
        "high": price(day.high),
        "change": price(day.close - day.open),
        "change_pct": money_raw(100.0 * (day.close / day.open - 1.0), 2),
        "timestamp": rfc3339(now_ms),
    }


def _instruments(venue: SimVenue, symbols: list[SymbolMarket]) -> dict[str, Any]:
    names = sorted({name for symbol in symbols for name in (symbol.base, symbol.quote)})
    assets = [
        {
            "id": name,
            "status": "enabled",
            "precision": 4 if asset_id(name).startswith("Z") else 10,
            "precision_display": 2 if asset_id(name).startswith("Z") else 5,
            "borrowable": False,
        }
        for name in names
    ]
    pairs = [
        {
            "symbol": symbol.symbol,
            "base": symbol.base,
            "quote": symbol.quote,
            "status": venue.state_of(symbol),
            "qty_precision": LOT_DECIMALS,
            "qty_increment": raw(1, LOT_DECIMALS),
            "price_precision": symbol.price_decimals,
            "price_increment": raw(1, symbol.price_decimals),
            "tick_size": raw(1, symbol.price_decimals),
            "cost_precision": 5,
            "cost_min": msgspec.Raw(b"0.50000"),
            "qty_min": raw(min_lots(symbol), LOT_DECIMALS),
            "marginable": False,
            "has_index": False,
        }
        for symbol in symbols
    ]
    return {"assets": assets, "pairs": pairs}
