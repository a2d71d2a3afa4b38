"""Alpaca's names of assets, its times, and its errors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec

from ares.sim.serve.market import SymbolMarket
from ares.sim.serve.orders import OrderRefusal, OrderRefused, uuid_of
from ares.sim.serve.venue import Answer
from ares.sim.serve.wire import rfc3339, text, trimmed

NEW_YORK = timezone(timedelta(hours=-5))
USD = "USD"


class AlpacaError(Exception):
    """An error as Alpaca numbers it: status of HTTP, code, message, and what else it tells."""

    def __init__(self, status: int, code: int, text: str, more: Mapping[str, Any] = {}) -> None:
        super().__init__(text)
        self.status, self.code, self.more = status, code, dict(more)

    def answer(self) -> Answer:
        """Return the answer that it is."""
        body = {**self.more, "code": self.code, "message": str(self)}
        return Answer(msgspec.json.encode(body), self.status)


def unprocessable(text: str, code: int = 40010001) -> AlpacaError:
    """Return the error of a request that makes no sense."""
    return AlpacaError(422, code, text)


def not_found(text: str) -> AlpacaError:
    """Return the error of what does not exist."""
    return AlpacaError(404, 40410000, text)


def refused(error: OrderRefused, symbol: SymbolMarket, free: Mapping[str, str]) -> AlpacaError:
    """Return a refusal in Alpaca's words; free: see ``alpaca_positions.needs``."""
    match error.refusal:
        case OrderRefusal.NO_FUNDS:
            asset, available = free["asset"], free["available"]
            requested = free["requested"]
            found = (
                f"insufficient balance for {asset} (requested: {requested}, available: {available})"
            )
            more = {"available": available, "balance": free["balance"], "symbol": asset}
            return AlpacaError(403, 40310000, found, more)
        case OrderRefusal.DUPLICATE_CLIENT_ID:
            return unprocessable("client_order_id must be unique")
        case OrderRefusal.BELOW_MIN_QTY:
            return AlpacaError(
                403, 40310000, f"cost basis must be >= minimal order size of {symbol.symbol}"
            )
        case OrderRefusal.CANCEL_ONLY | OrderRefusal.POST_ONLY:
            return unprocessable(f'asset "{symbol.symbol}" is not tradable', 42210000)
        case OrderRefusal.MAINTENANCE:
            return AlpacaError(503, 50310000, "service unavailable")
        case _:
            return unprocessable(str(error), 42210000)


def asset_id(name: str) -> str:
    """Return the id of a pair, or of a coin."""
    return uuid_of(f"alpaca asset {name}")


def compressed(symbol: SymbolMarket) -> str:
    """Return BTCUSDT for BTC/USDT, as positions and old clients have it."""
    return symbol.base + symbol.quote


def asset_facts(symbol: SymbolMarket, state: str) -> dict[str, Any]:
    """Return a pair as /v2/assets has it; state: of its market."""
    return {
        "id": asset_id(symbol.symbol),
        "class": "crypto",
        "exchange": "CRYPTO",
        "symbol": symbol.symbol,
        "name": f"{symbol.base} / {symbol.quote}",
        "status": "inactive" if state == "maintenance" else "active",
        "tradable": state == "online",
        "marginable": False,
        "maintenance_margin_requirement": 100,
        "shortable": False,
        "easy_to_borrow": False,
        "fractionable": True,
        "attributes": [],
        "min_order_size": trimmed(symbol.lot_unit, 8),
        "min_trade_increment": "0.00000001",
        "price_increment": text(1, symbol.price_decimals),
    }


def price_text(symbol: SymbolMarket, ticks: int) -> str:
    """Return a price as Alpaca writes it."""
    return trimmed(ticks, symbol.price_decimals)


def price_number(symbol: SymbolMarket, ticks: int) -> float:
    """Return a price as market data has it."""
    return float(text(ticks, symbol.price_decimals))


def size_number(lots: int) -> float:
    """Return a quantity as market data has it."""
    return float(text(lots, 8))


def time_or_none(ts_ms: int) -> str | None:
    """Return a time; None for 0."""
    return rfc3339(ts_ms) if ts_ms else None


def new_york(ts_ms: int) -> str:
    """Return a time as /v2/clock has it.

    >>> new_york(1_700_000_000_123)
    '2023-11-14T17:13:20.123000-05:00'
    """
    moment = datetime.fromtimestamp(ts_ms // 1000, UTC) + timedelta(milliseconds=ts_ms % 1000)
    return moment.astimezone(NEW_YORK).isoformat(timespec="microseconds")


def ms_of(query: Mapping[str, str], name: str, default: int) -> int:
    """Return the ms of a time that a request names; raise AlpacaError."""
    given = query.get(name)
    if not given:
        return default
    try:
        moment = datetime.fromisoformat(given.replace("Z", "+00:00"))
    except ValueError:
        raise AlpacaError(
            400, 40010001, f"Invalid format for parameter {name}: error parsing '{given}'"
        ) from None
    return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)


def whole_of(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Return a whole number of a request, from 1 to ``most``; raise AlpacaError."""
    try:
        number = int(query.get(name) or default)
    except ValueError:
        number = 0
    if not 1 <= number <= most:
        raise unprocessable(f"{name} must be between 1 and {most}")
    return number
