"""Orders as Alpaca takes them, and the order that only takes an id."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec
import pytest
from tests.venues.test_alpaca_reports import MARKET

from ares.domain.order_events import SubmitOrder
from ares.venues.alpaca_claims import claim, is_claim
from ares.venues.alpaca_orders import RATES, order_request, positions_of, rows_of
from ares.venues.answers import NoAnswer
from ares.venues.markets import VenueMarket


@dataclass
class Kind:
    kind: str
    lots: int
    ticks: int


def command(kind: Kind) -> SubmitOrder:
    return SubmitOrder("C1", 0, kind.kind, kind.lots, kind.ticks, "signal", 0.6, 5.0, 50.0)


def test_the_three_kinds_of_order() -> None:
    entry = order_request(command(Kind("entry", 1_000_000, 3_000_050)), MARKET, 0)
    assert entry == {
        "symbol": "BTC/USDT", "side": "buy", "qty": "0.01", "client_order_id": "C1",
        "time_in_force": "ioc", "type": "limit", "limit_price": "30000.5",
    }  # fmt: skip
    bare = order_request(command(Kind("entry", 1_000_000, 0)), MARKET, 0)
    sale = order_request(command(Kind("exit", -1_000_000, 0)), MARKET, 0)
    assert (bare["type"], sale["type"], sale["side"]) == ("market", "market", "sell")
    assert "limit_price" not in sale
    collared = order_request(command(Kind("exit", -1_000_000, 2_950_000)), MARKET, 0)
    assert (collared["type"], collared["limit_price"]) == ("limit", "29500")
    assert (collared["side"], collared["time_in_force"]) == ("sell", "ioc")
    stop = order_request(command(Kind("stop", -1_000_000, 2_900_000)), MARKET, 2_842_000)
    assert (stop["type"], stop["stop_price"], stop["limit_price"]) == (
        "stop_limit", "29000", "28420",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("market", "qty"),
    [
        (MARKET, "0.00001"),
        (msgspec.structs.replace(MARKET, cost_min=Decimal(10)), "1000"),
        (msgspec.structs.replace(MARKET, qty_min=Decimal(0)), "0.00000001"),
    ],
)
def test_a_claim_is_the_smallest_order_at_the_lowest_price(market: VenueMarket, qty: str) -> None:
    made = claim("C1", market)
    assert (made["qty"], made["limit_price"], made["side"]) == (qty, "0.01", "buy")
    assert is_claim(made, [market])
    assert not is_claim({**made, "limit_price": "0.02"}, [market])
    assert not is_claim({**made, "time_in_force": "ioc"}, [market])
    assert not is_claim({**made, "side": "sell"}, [market])
    assert not is_claim({**made, "symbol": "X/Y"}, [market])


def test_no_minute_has_more_than_two_hundred_requests() -> None:
    most, seconds = RATES["rest"]
    assert most + 60.0 / seconds * most <= 200.0


def test_balances_and_lists() -> None:
    rows = [{"symbol": "BTCUSD", "qty": "0.5"}, {"symbol": "USDTUSD", "qty": "7"},
            {"symbol": "ETH/USD", "qty": "1"}]  # fmt: skip
    held = {"BTC": Decimal("0.5"), "USDT": Decimal(7), "ETH": Decimal(1)}
    assert positions_of({"rows": rows}) == held
    share = {"symbol": "SOL", "qty": "10", "asset_class": "us_equity"}
    coin = {"symbol": "SOLUSD", "qty": "2", "asset_class": "crypto"}
    assert positions_of({"rows": [share, coin]}) == {"SOL": Decimal(2)}
    for wrong in ({}, {"rows": "x"}, {"rows": [1]}):
        with pytest.raises(NoAnswer):
            rows_of(wrong)
