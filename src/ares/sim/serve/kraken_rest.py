"""Kraken's public REST: the requests that read the market.

Private requests are in ``kraken_private``; a server without an account answers them here, as Kraken
answers an unknown key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from ares.domain.timeframe import DAY_MS, MINUTE_MS
from ares.sim.serve.kraken_pairs import asset_facts, asset_id, names_of, pair_facts, pair_id
from ares.sim.serve.market import LOT, Candle, SymbolMarket, Trade
from ares.sim.serve.venue import Answer, SimVenue
from ares.sim.serve.wire import lots_text, money_text, text

CANDLES_MAX = 720
TRADES_MAX = 1000
INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10_080, 21_600)
"""Minutes."""


class KrakenError(Exception):
    """An error as Kraken names it."""


class KrakenRest:
    """The public requests of one market."""

    def __init__(self, venue: SimVenue) -> None:
        self._venue = venue
        self._by_name = {
            name: symbol for symbol in venue.market.symbols for name in names_of(symbol)
        }
        self._requests: dict[str, Callable[[Mapping[str, str]], Any]] = {
            "Time": self._time,
            "SystemStatus": self._status,
            "Assets": self._assets,
            "AssetPairs": self._pairs,
            "Ticker": self._ticker,
            "OHLC": self._candles,
            "Trades": self._trades,
            "Depth": self._depth,
        }

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """Return the answer to a request; errors come with status 200, as Kraken sends them."""
        face, _, method = path.removeprefix("/0/").partition("/")
        if face == "private":
            return error_answer("EAPI:Invalid key")
        if face != "public" or method not in self._requests:
            return error_answer("EGeneral:Unknown method")
        try:
            result = self._requests[method](query)
        except KrakenError as error:
            return error_answer(str(error))
        return Answer(msgspec.json.encode({"error": [], "result": result}))

    def refusal(self, status: int) -> bytes:
        """Return the body of a refused request."""
        error = "EAPI:Rate limit exceeded" if status == 429 else "EService:Unavailable"
        return msgspec.json.encode({"error": [error]})

    def symbol(self, name: str) -> SymbolMarket:
        """Return a symbol by any of its names."""
        if name not in self._by_name:
            raise KrakenError("EQuery:Unknown asset pair")
        return self._by_name[name]

    def _time(self, _query: Mapping[str, str]) -> Any:
        seconds = self._venue.clock_ms() // 1000
        moment = datetime.fromtimestamp(seconds, UTC)
        return {"unixtime": seconds, "rfc1123": f"{moment:%a, %d %b %y %H:%M:%S} +0000"}

    def _status(self, _query: Mapping[str, str]) -> Any:
        moment = datetime.fromtimestamp(self._venue.clock_ms() // 1000, UTC)
        return {"status": self._venue.system_status(), "timestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}

    def _assets(self, query: Mapping[str, str]) -> Any:
        wanted = set(filter(None, query.get("asset", "").split(",")))
        known = {a for s in self._venue.market.symbols for a in (s.base, s.quote)}
        facts = {asset_id(asset): asset_facts(asset) for asset in sorted(known)}
        if not wanted:
            return facts
        found = {key: fact for key, fact in facts.items() if wanted & {key, fact["altname"]}}
        if len(found) < len(wanted):
            raise KrakenError("EQuery:Unknown asset")
        return found

    def _pairs(self, query: Mapping[str, str]) -> Any:
        """Return the pairs; one asked for with a slash is listed under the name it was given."""
        names = list(filter(None, query.get("pair", "").split(",")))
        if not names:
            return {pair_id(s): self._pair_facts(s) for s in self._venue.market.symbols}
        symbols = [(name, self.symbol(name)) for name in names]
        return {(n if "/" in n else pair_id(s)): self._pair_facts(s) for n, s in symbols}

    def _pair_facts(self, symbol: SymbolMarket) -> dict[str, Any]:
        return pair_facts(symbol, self._venue.state_of(symbol))

    def _ticker(self, query: Mapping[str, str]) -> Any:
        names = list(filter(None, query.get("pair", "").split(",")))
        symbols = [self.symbol(name) for name in names] or self._venue.market.symbols
        return {pair_id(symbol): self._ticker_of(symbol) for symbol in symbols}

    def _ticker_of(self, symbol: SymbolMarket) -> dict[str, Any]:
        now_ms = self._venue.now_ms()
        day = symbol.day(now_ms)
        midnight_ms = now_ms - now_ms % DAY_MS
        today = (symbol.candles(DAY_MS, midnight_ms, now_ms + 1, now_ms) or [day])[-1]
        last = (symbol.last_trades(1, now_ms) or [Trade(0, 0, 0, symbol.first_ticks, 0, True)])[0]
        book = symbol.book(now_ms)

        def price(ticks: int) -> str:
            return text(ticks, symbol.price_decimals)

        def level(side: list[tuple[int, int]]) -> list[str]:
            ticks, lots = side[0] if side else (last.ticks, 0)
            return [price(ticks), str(max(1, lots // LOT)), f"{lots / LOT:.3f}"]

        both = (today, day)
        return {
            "a": level(book.asks),
            "b": level(book.bids),
            "c": [price(last.ticks), lots_text(last.lots)],
            "v": [lots_text(c.lots) for c in both],
            "p": [vwap_text(symbol, c) for c in both],
            "t": [c.n_trades for c in both],
            "l": [price(c.low) for c in both],
            "h": [price(c.high) for c in both],
            "o": price(today.open),
        }

    def _candles(self, query: Mapping[str, str]) -> Any:
        """Return the newest 720 candles at most, however early ``since`` (exclusive) is."""
        symbol = self.symbol(query.get("pair", ""))
        interval = _whole(query.get("interval", "1"))
        if interval not in INTERVALS:
            raise KrakenError("EGeneral:Invalid arguments")
        since_ms = _seconds_ms(query.get("since", "0"))
        now_ms = self._venue.now_ms()
        candles = symbol.candles(interval * MINUTE_MS, 0, now_ms + 1, now_ms, CANDLES_MAX)
        rows = [
            [
                candle.open_ms // 1000,
                *(text(t, symbol.price_decimals) for t in candle[1:5]),
                vwap_text(symbol, candle),
                lots_text(candle.lots),
                candle.n_trades,
            ]
            for candle in candles
            if candle.open_ms > since_ms
        ]
        committed = candles[-2] if len(candles) > 1 else None
        last = committed.open_ms // 1000 if committed else 0
        return {pair_id(symbol): rows, "last": last}

    def _trades(self, query: Mapping[str, str]) -> Any:
        symbol = self.symbol(query.get("pair", ""))
        now_ms = self._venue.now_ms()
        count = _whole(query.get("count", str(TRADES_MAX)))
        if not 1 <= count <= TRADES_MAX:
            raise KrakenError("EGeneral:Invalid arguments")
        if "since" in query:
            first = symbol.next_id(_seconds_ms(query["since"]))
            trades = symbol.trades_from_id(first, count, now_ms)
        else:
            trades = symbol.last_trades(count, now_ms)
        rows = [
            [
                text(trade.ticks, symbol.price_decimals),
                lots_text(trade.lots),
                msgspec.Raw(f"{trade.ts_ms // 1000}.{trade.ts_ms % 1000:03d}".encode()),
                "b" if trade.is_buy else "s",
                "m",
                "",
                trade.trade_id,
            ]
            for trade in trades
        ]
        last_ns = trades[-1].ts_ms * 1_000_000 if trades else now_ms * 1_000_000
        return {pair_id(symbol): rows, "last": str(last_ns)}

    def _depth(self, query: Mapping[str, str]) -> Any:
        symbol = self.symbol(query.get("pair", ""))
        count = _whole(query.get("count", "100"))
        if not 1 <= count <= 500:
            raise KrakenError("EGeneral:Invalid arguments")
        now_ms = self._venue.now_ms()
        book = symbol.book(now_ms).top(count)
        sides = {
            name: [
                [text(ticks, symbol.price_decimals), f"{lots / LOT:.3f}", now_ms // 1000]
                for ticks, lots in side
            ]
            for name, side in (("asks", book.asks), ("bids", book.bids))
        }
        name = query.get("pair", "")
        return {(name if "/" in name else pair_id(symbol)): sides}


def error_answer(text: str) -> Answer:
    """Return an error as Kraken answers it: with status 200."""
    return Answer(msgspec.json.encode({"error": [text]}))


def vwap(candle: Candle) -> float:
    """Return the volume-weighted average price; 0 without trades, as Kraken writes it."""
    return candle.turnover / (candle.lots / LOT) if candle.lots else 0.0


def vwap_text(symbol: SymbolMarket, candle: Candle) -> str:
    """Return the same with the decimals of the pair."""
    return money_text(vwap(candle), symbol.price_decimals)


def _whole(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments") from None


def _seconds_ms(value: str) -> int:
    """Return the ms of ``since``: seconds, or nanoseconds as in ``last``."""
    try:
        number = float(value)
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments") from None
    if number >= 1e15:
        return int(value) // 1_000_000
    return int(number * 1000)
