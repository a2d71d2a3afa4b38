"""Markets of ccxt's list."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ares.domain.errors import UserError
from ares.venues.markets import market_of, markets_of, require_same_grid


def entry(symbol: str = "BTC/USD", price: float = 0.1, amount: float = 1e-8) -> dict[str, Any]:
    base, quote = symbol.split("/")
    return {
        "symbol": symbol,
        "id": "XXBTZUSD",
        "base": base,
        "quote": quote,
        "baseId": "XXBT",
        "precision": {"price": price, "amount": amount},
        "limits": {"amount": {"min": 0.0001}, "cost": {"min": 0.5}},
        "info": {"altname": "XBTUSD", "wsname": "XBT/USD", "status": "online"},
    }


def test_a_market_has_its_names_grid_and_minimum() -> None:
    market = market_of(entry())
    assert market.names == ("BTC/USD", "XXBTZUSD", "XBTUSD", "XBT/USD")
    assert (market.price_decimals, market.qty_decimals) == (1, 8)
    assert (market.qty_min, market.cost_min) == (Decimal("0.0001"), Decimal("0.5"))
    assert market.state == "online"
    spec = market.spec("kraken")
    assert (spec.instrument.key, spec.price_decimals, spec.qty_decimals, spec.cost_min_quote) == (
        "kraken:BTC/USD", 1, 8, 0.5,
    )  # fmt: skip


def test_a_symbol_that_is_not_traded_is_refused() -> None:
    listed = {"BTC/USD": entry()}
    assert [m.symbol for m in markets_of("kraken", listed, ["BTC/USD"])] == ["BTC/USD"]
    with pytest.raises(UserError, match="kraken does not trade ETH/USD"):
        markets_of("kraken", listed, ["BTC/USD", "ETH/USD"])


def test_a_run_on_another_grid_is_refused() -> None:
    market = market_of(entry())
    spec = market.spec("kraken")
    require_same_grid([spec], [market])
    with pytest.raises(UserError, match="BTC/USD: this run counts with 1 decimals of price and 5"):
        require_same_grid([msgspec.structs.replace(spec, qty_decimals=5)], [market])
    half = market_of(entry(price=0.5))
    with pytest.raises(UserError, match=r"prices in steps of 0\.5 are not supported"):
        require_same_grid([half.spec("kraken")], [half])
