"""Kraken's names of assets and pairs: XXBT, XBTUSDT, XBT/USDT and BTC/USDT are of the same kind."""

from __future__ import annotations

from typing import Any

from ares.sim.serve.market import SymbolMarket
from ares.sim.serve.wire import text

_ALTNAMES = {"BTC": "XBT", "DOGE": "XDG"}
_CRYPTO = ("XBT", "ETH", "LTC", "XRP", "XLM", "ETC", "ZEC", "XMR", "REP", "MLN", "XDG")
_FIAT = ("USD", "EUR", "GBP", "JPY", "CAD", "AUD")

FEES = [[0, 0.4], [10_000, 0.35], [50_000, 0.24], [100_000, 0.22], [250_000, 0.2]]
FEES_MAKER = [[0, 0.25], [10_000, 0.2], [50_000, 0.14], [100_000, 0.12], [250_000, 0.1]]


def altname(asset: str) -> str:
    """Return an asset's name in pairs: XBT for BTC."""
    return _ALTNAMES.get(asset, asset)


def asset_id(asset: str) -> str:
    """Return an asset's id: XXBT for BTC, ZUSD for USD, USDT for USDT."""
    name = altname(asset)
    return f"X{name}" if name in _CRYPTO else f"Z{name}" if name in _FIAT else name


def pair_id(symbol: SymbolMarket) -> str:
    """Return a pair's id: XXBTZUSD where both assets are old ones, else XBTUSDT."""
    base, quote = asset_id(symbol.base), asset_id(symbol.quote)
    if base != altname(symbol.base) and quote != altname(symbol.quote):
        return base + quote
    return altname(symbol.base) + altname(symbol.quote)


def names_of(symbol: SymbolMarket) -> tuple[str, ...]:
    """Return every name under which REST knows a pair: id, altname, wsname, WebSocket v2 symbol."""
    base, quote = altname(symbol.base), altname(symbol.quote)
    return pair_id(symbol), base + quote, f"{base}/{quote}", symbol.symbol


def asset_facts(asset: str) -> dict[str, Any]:
    """Return an asset as REST lists it."""
    is_fiat = altname(asset) in _FIAT
    return {
        "aclass": "currency",
        "altname": altname(asset),
        "decimals": 4 if is_fiat else 10,
        "display_decimals": 2 if is_fiat else 5,
        "status": "enabled",
    }


def pair_facts(symbol: SymbolMarket, status: str = "online") -> dict[str, Any]:
    """Return a pair as REST lists it."""
    return {
        "altname": altname(symbol.base) + altname(symbol.quote),
        "wsname": f"{altname(symbol.base)}/{altname(symbol.quote)}",
        "aclass_base": "currency",
        "base": asset_id(symbol.base),
        "aclass_quote": "currency",
        "quote": asset_id(symbol.quote),
        "lot": "unit",
        "cost_decimals": 5,
        "pair_decimals": symbol.price_decimals,
        "lot_decimals": 8,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": FEES,
        "fees_maker": FEES_MAKER,
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": text(min_lots(symbol), 8),
        "costmin": "0.5",
        "tick_size": text(1, symbol.price_decimals),
        "status": status,
    }


def min_lots(symbol: SymbolMarket) -> int:
    """Return the smallest order in lots of 1e-8: about 5 units of the quote currency."""
    price = symbol.first_ticks / 10**symbol.price_decimals
    size = 10**8
    while size * price > 5e8 and size > 1:
        size //= 10
    return size
