"""Kraken's names, as its own server lists them."""

from __future__ import annotations

import pytest
from tests.sim.serving import made_bars

from ares.sim.serve.kraken_pairs import asset_id, min_lots, names_of, pair_facts
from ares.sim.serve.market import SymbolMarket


@pytest.mark.parametrize(
    ("symbol", "names"),
    [
        ("BTC/USD", ("XXBTZUSD", "XBTUSD", "XBT/USD", "BTC/USD")),
        ("BTC/USDT", ("XBTUSDT", "XBTUSDT", "XBT/USDT", "BTC/USDT")),
        ("ETH/BTC", ("XETHXXBT", "ETHXBT", "ETH/XBT", "ETH/BTC")),
        ("DOGE/EUR", ("XXDGZEUR", "XDGEUR", "XDG/EUR", "DOGE/EUR")),
        ("SOL/USD", ("SOLUSD", "SOLUSD", "SOL/USD", "SOL/USD")),
    ],
)
def test_names(symbol: str, names: tuple[str, ...]) -> None:
    assert names_of(SymbolMarket(symbol, made_bars(1, 100.0, 2)[:10])) == names


def test_facts() -> None:
    btc = SymbolMarket("BTC/USD", made_bars(1, 37_000.0, 2)[:10])
    facts = pair_facts(btc)
    assert (facts["pair_decimals"], facts["lot_decimals"], facts["tick_size"]) == (2, 8, "0.01")
    assert facts["ordermin"] == "0.00010000"
    assert min_lots(btc) == 10_000
    assert [asset_id(a) for a in ("BTC", "EUR", "USDT")] == ["XXBT", "ZEUR", "USDT"]
