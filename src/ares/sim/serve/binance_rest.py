"""Binance's public spot requests, the same for REST and for the WebSocket API.

Signed requests are in ``binance_private``; what no one knows is answered as a missing key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ares.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS
from ares.sim.serve.book import Level
from ares.sim.serve.market import LOT, Candle, SymbolMarket, Trade
from ares.sim.serve.trades import LOT_DECIMALS
from ares.sim.serve.venue import Answer, SimVenue
from ares.sim.serve.wire import lots_text, money_text, text

INTERVALS = {
    **{f"{n}m": n * MINUTE_MS for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": n * HOUR_MS for n in (1, 2, 4, 6, 8, 12)},
    "1d": DAY_MS,
}
"""Those that begin at multiples of their length since 1970; 1s, 3d, 1w and 1M are not served."""

ORDER_TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT",
               "TAKE_PROFIT_LIMIT"]  # fmt: skip
STATES = dict.fromkeys(("cancel_only", "post_only", "limit_only", "reduce_only"), "BREAK") | {
    "online": "TRADING", "maintenance": "HALT",
}  # fmt: skip
"""State of a market -> status of its symbol."""

KLINES_MAX = 1000
TRADES_MAX = 1000
DEPTH_MAX = 5000


class BinanceError(Exception):
    """An error as Binance numbers it."""

    def __init__(self, code: int, text: str, status: int = 400, data: Any = None) -> None:
        super().__init__(text)
        self.code = code
        self.status = status
        self.data = data

    def body(self) -> dict[str, Any]:
        """Return what an answer has of it."""
        found = {"code": self.code, "msg": str(self)}
        return found if self.data is None else {**found, "data": self.data}


class BinanceRest:
    """The public requests of one market, by the path of REST without ``/api/v3/``."""

    def __init__(self, venue: SimVenue) -> None:
        self._venue = venue
        self._by_name = {symbol_id(symbol): symbol for symbol in venue.market.symbols}
        self._requests: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "ping": lambda _: {},
            "time": lambda _: {"serverTime": venue.clock_ms()},
            "exchangeInfo": self._info,
            "klines": self._klines,
            "uiKlines": self._klines,
            "trades": self._trades,
            "historicalTrades": self._historical,
            "aggTrades": self._aggregated,
            "depth": self._depth,
            "avgPrice": self._average,
            "ticker/24hr": lambda query: self._each(query, day_facts),
            "ticker/price": lambda query: self._each(query, _price_facts),
            "ticker/bookTicker": lambda query: self._each(query, book_ticker),
        }

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """Return the answer to a request."""
        name = path.removeprefix("/api/v3/")
        try:
            result = self.result(name, query)
        except BinanceError as error:
            return Answer(msgspec.json.encode(error.body()), error.status)
        return Answer(msgspec.json.encode(result))

    def result(self, name: str, query: Mapping[str, Any]) -> Any:
        """Return the result of a request; raise BinanceError."""
        if name not in self._requests:
            raise BinanceError(-2014, "API-key format invalid.", 401)
        return self._requests[name](query)

    def refusal(self, status: int) -> bytes:
        """Return the body of a refused request."""
        if status == 429:
            return msgspec.json.encode({"code": -1003, "msg": "Too many requests."})
        return msgspec.json.encode({"code": -1000, "msg": "Service unavailable."})

    def symbol(self, query: Mapping[str, Any]) -> SymbolMarket:
        """Return the symbol that a request names."""
        name = str(query.get("symbol", ""))
        if not name:
            raise BinanceError(
                -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
            )
        if name not in self._by_name:
            raise BinanceError(-1121, "Invalid symbol.")
        return self._by_name[name]

    def _symbols(self, query: Mapping[str, Any]) -> list[SymbolMarket]:
        """Return the symbols of a request: one, a JSON list, or all."""
        if "symbols" in query:
            given = query["symbols"]
            try:
                names = msgspec.json.decode(given) if isinstance(given, str) else given
                return [self.symbol({"symbol": name}) for name in list(names)]
            except (msgspec.MsgspecError, TypeError):
                message = "Illegal characters found in parameter 'symbols'."
                raise BinanceError(-1100, message) from None
        return [self.symbol(query)] if query.get("symbol") else self._venue.market.symbols

    def _each(
        self, query: Mapping[str, Any], facts: Callable[[SymbolMarket, int], dict[str, Any]]
    ) -> Any:
        found = [facts(symbol, self._venue.now_ms()) for symbol in self._symbols(query)]
        return found[0] if query.get("symbol") else found

    def _info(self, query: Mapping[str, Any]) -> Any:
        return {
            "timezone": "UTC",
            "serverTime": self._venue.clock_ms(),
            "rateLimits": RATE_LIMITS,
            "exchangeFilters": [],
            "symbols": [_symbol_facts(s, self._venue.state_of(s)) for s in self._symbols(query)],
        }

    def _klines(self, query: Mapping[str, Any]) -> Any:
        symbol = self.symbol(query)
        interval_ms = INTERVALS.get(str(query.get("interval", "")))
        if interval_ms is None:
            raise BinanceError(-1120, "Invalid interval.")
        limit = _limit(query, 500, KLINES_MAX)
        now_ms = self._venue.now_ms()
        end_ms = min(_whole(query, "endTime", now_ms), now_ms) + 1
        start_ms = _whole(query, "startTime", 0)
        if "startTime" in query:
            start_ms = -(-start_ms // interval_ms) * interval_ms
            first_ms = max(start_ms, symbol.from_ms - symbol.from_ms % interval_ms)
            last_ms = min(end_ms, first_ms + limit * interval_ms)
            candles = symbol.candles(interval_ms, first_ms, last_ms, now_ms)
        else:
            candles = symbol.candles(interval_ms, 0, end_ms, now_ms, limit)
        return [kline_row(symbol, candle, interval_ms) for candle in candles if candle.exists]

    def _trades(self, query: Mapping[str, Any]) -> Any:
        symbol = self.symbol(query)
        trades = symbol.last_trades(_limit(query, 500, TRADES_MAX), self._venue.now_ms())
        return [_trade_row(symbol, trade) for trade in trades]

    def _historical(self, query: Mapping[str, Any]) -> Any:
        if "fromId" not in query:
            return self._trades(query)
        symbol = self.symbol(query)
        limit, first = _limit(query, 500, TRADES_MAX), _whole(query, "fromId", 1)
        trades = symbol.trades_from_id(first, limit, self._venue.now_ms())
        return [_trade_row(symbol, trade) for trade in trades]

    def _aggregated(self, query: Mapping[str, Any]) -> Any:
        """Return aggregate trades: each trade of this market is one of its own."""
        symbol = self.symbol(query)
        limit, now_ms = _limit(query, 500, TRADES_MAX), self._venue.now_ms()
        if "fromId" in query:
            trades = symbol.trades_from_id(_whole(query, "fromId", 1), limit, now_ms)
        elif "startTime" in query:
            first = symbol.next_id(_whole(query, "startTime", 0) - 1)
            end_ms = _whole(query, "endTime", now_ms)
            trades = symbol.trades_from_id(first, limit, min(end_ms, now_ms))
        else:
            trades = symbol.last_trades(limit, min(_whole(query, "endTime", now_ms), now_ms))
        return [aggregate_row(symbol, trade) for trade in trades]

    def _depth(self, query: Mapping[str, Any]) -> Any:
        symbol = self.symbol(query)
        limit = _limit(query, 100, DEPTH_MAX)
        now_ms = self._venue.now_ms()
        book = symbol.book(now_ms).top(limit)
        return {
            "lastUpdateId": symbol.next_id(now_ms) - 1,
            "bids": levels(symbol, book.bids),
            "asks": levels(symbol, book.asks),
        }

    def _average(self, query: Mapping[str, Any]) -> Any:
        symbol = self.symbol(query)
        now_ms = self._venue.now_ms()
        candles = symbol.candles(MINUTE_MS, now_ms - 5 * MINUTE_MS, now_ms + 1, now_ms)
        lots = sum(candle.lots for candle in candles)
        turnover = sum(candle.turnover for candle in candles)
        price = turnover / (lots / LOT) if lots else symbol.last_ticks(now_ms) * tick(symbol)
        return {"mins": 5, "price": money_text(price), "closeTime": now_ms}


RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61_000},
]


def symbol_id(symbol: SymbolMarket) -> str:
    """Return BTCUSDT for BTC/USDT."""
    return symbol.base + symbol.quote


def tick(symbol: SymbolMarket) -> float:
    """Return the smallest step of the price."""
    return float(10.0**-symbol.price_decimals)


def price_text(symbol: SymbolMarket, ticks: int) -> str:
    """Return a price with 8 decimals, as Binance writes all prices."""
    return text(ticks * 10 ** (LOT_DECIMALS - symbol.price_decimals), LOT_DECIMALS)


def levels(symbol: SymbolMarket, side: list[Level]) -> list[list[str]]:
    """Return one side of a book."""
    return [[price_text(symbol, ticks), lots_text(lots)] for ticks, lots in side]


def kline_row(symbol: SymbolMarket, candle: Candle, interval_ms: int) -> list[Any]:
    """Return a candle as REST has it."""
    return [
        candle.open_ms,
        *(price_text(symbol, ticks) for ticks in candle[1:5]),
        lots_text(candle.lots),
        candle.open_ms + interval_ms - 1,
        money_text(candle.turnover),
        candle.n_trades,
        lots_text(candle.buy_lots),
        money_text(candle.buy_turnover),
        "0",
    ]


def aggregate_row(symbol: SymbolMarket, trade: Trade) -> dict[str, Any]:
    """Return an aggregate trade; ``m``: the buyer was the maker."""
    return {
        "a": trade.trade_id,
        "p": price_text(symbol, trade.ticks),
        "q": lots_text(trade.lots),
        "f": trade.trade_id,
        "l": trade.trade_id,
        "T": trade.ts_ms,
        "m": not trade.is_buy,
        "M": True,
    }


def book_ticker(symbol: SymbolMarket, now_ms: int) -> dict[str, Any]:
    """Return the best levels."""
    book = symbol.book(now_ms).top(1)
    bid = book.bids[0] if book.bids else (0, 0)
    return {
        "symbol": symbol_id(symbol),
        "bidPrice": price_text(symbol, bid[0]),
        "bidQty": lots_text(bid[1]),
        "askPrice": price_text(symbol, book.asks[0][0]),
        "askQty": lots_text(book.asks[0][1]),
    }


def day_facts(symbol: SymbolMarket, now_ms: int) -> dict[str, Any]:
    """Return the statistics of the last 24 hours."""
    day = symbol.day(now_ms)
    last = symbol.last_trades(1, now_ms)
    average = day.turnover / (day.lots / LOT) if day.lots else day.close * tick(symbol)
    best = book_ticker(symbol, now_ms)
    return {
        "symbol": best.pop("symbol"),
        "priceChange": price_text(symbol, day.close - day.open),
        "priceChangePercent": money_text(100.0 * (day.close / day.open - 1.0), 3),
        "weightedAvgPrice": money_text(average),
        "prevClosePrice": price_text(symbol, day.open),
        "lastPrice": price_text(symbol, day.close),
        "lastQty": lots_text(last[0].lots if last else 0),
        **best,
        "openPrice": price_text(symbol, day.open),
        "highPrice": price_text(symbol, day.high),
        "lowPrice": price_text(symbol, day.low),
        "volume": lots_text(day.lots),
        "quoteVolume": money_text(day.turnover),
        "openTime": now_ms - DAY_MS,
        "closeTime": now_ms,
        "firstId": day.first_id if day.n_trades else -1,
        "lastId": symbol.next_id(now_ms) - 1 if day.n_trades else -1,
        "count": day.n_trades,
    }


def _price_facts(symbol: SymbolMarket, now_ms: int) -> dict[str, Any]:
    return {
        "symbol": symbol_id(symbol),
        "price": price_text(symbol, symbol.last_ticks(now_ms)),
    }


def _trade_row(symbol: SymbolMarket, trade: Trade) -> dict[str, Any]:
    return {
        "id": trade.trade_id,
        "price": price_text(symbol, trade.ticks),
        "qty": lots_text(trade.lots),
        "quoteQty": money_text(trade.ticks * tick(symbol) * trade.lots / LOT),
        "time": trade.ts_ms,
        "isBuyerMaker": not trade.is_buy,
        "isBestMatch": True,
    }


def _symbol_facts(symbol: SymbolMarket, state: str = "online") -> dict[str, Any]:
    step = lots_text(symbol.lot_unit)
    smallest = price_text(symbol, 1)
    return {
        "symbol": symbol_id(symbol),
        "status": STATES[state],
        "baseAsset": symbol.base,
        "baseAssetPrecision": 8,
        "quoteAsset": symbol.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ORDER_TYPES,
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": smallest,
                "maxPrice": "1000000.00000000",
                "tickSize": smallest,
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": step,
                "maxQty": "9000000.00000000",
                "stepSize": step,
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": "5.00000000",
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def _whole(query: Mapping[str, Any], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except (ValueError, TypeError):
        message = f"Illegal characters found in parameter '{name}'."
        raise BinanceError(-1100, message) from None


def _limit(query: Mapping[str, Any], default: int, most: int) -> int:
    """Return the number of rows; more than the most gives the most, as on Binance."""
    limit = _whole(query, "limit", default)
    if limit < 1:
        raise BinanceError(-1130, "Data sent for parameter 'limit' is not valid.")
    return min(limit, most)
