"""Alpaca's messages and answers as events."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from ares.domain.order_events import OrderAccepted, OrderEnded, OrderFilled, StopTriggered
from ares.venues.alpaca_fees import CryptoFees, fees_of
from ares.venues.alpaca_reports import AlpacaReports
from ares.venues.amounts import NotANumber
from ares.venues.markets import VenueMarket

MARKET = VenueMarket(
    "BTC/USDT", "BTC/USDT", ("BTC/USDT",), "BTC", "BTC", "USDT",
    Decimal("0.01"), Decimal("1e-8"), Decimal("0.00001"), Decimal(0),
)  # fmt: skip
FEES = CryptoFees(1_500, 2_500)


def reports() -> AlpacaReports:
    return AlpacaReports([MARKET], FEES, lambda: 7)


def order(**changes: Any) -> dict[str, Any]:
    return {
        "id": "V1", "client_order_id": "C1", "symbol": "BTC/USDT", "side": "buy", "type": "limit",
        "time_in_force": "ioc", "limit_price": "31000", "qty": "0.5", "filled_qty": "0",
        "status": "new", "updated_at": "2023-11-14T22:13:20Z", **changes,
    }  # fmt: skip


def message(event: str, described: dict[str, Any], **fill: Any) -> str:
    data = {"event": event, "timestamp": "2023-11-14T22:13:20Z", "order": described, **fill}
    return json.dumps({"stream": "trade_updates", "data": data})


def test_a_purchase_pays_in_what_it_buys() -> None:
    reading = reports().read(message("fill", order(filled_qty="0.5"), price="30000", qty="0.5"))
    filled, end = reading.events
    assert isinstance(filled, OrderFilled)
    assert (filled.lots, filled.price_ticks) == (50_000_000, 3_000_000)
    assert (filled.fee_units, filled.base_fee_units) == (0, 125_000)
    assert filled.exec_id == "V1:0.5"
    assert isinstance(end, OrderEnded)
    assert (end.reason, end.cum_lots) == ("filled", 50_000_000)


def test_stream_and_rest_tell_the_same_execution() -> None:
    described = order(filled_qty="0.20", status="partially_filled")
    streamed = reports().read(message("partial_fill", described, price="30000", qty="0.2"))
    activity = {"price": "30000", "qty": "0.2", "cum_qty": "0.2",
                "transaction_time": "2023-11-14T22:13:20Z"}  # fmt: skip
    assert reports().execution(activity, described) == streamed.events


def test_an_end_tells_what_was_filled_in_all() -> None:
    for filled, lots in (("0.2", 20_000_000), ("0", 0)):
        reading = reports().read(message("canceled", order(filled_qty=filled, status="canceled")))
        (end,) = reading.events
        assert isinstance(end, OrderEnded)
        assert (end.reason, end.cum_lots) == ("cancelled", lots)


def test_a_sale_pays_in_quote_and_a_maker_pays_less() -> None:
    sale = order(side="sell", type="stop_limit", time_in_force="gtc", limit_price="29000",
                 filled_qty="0.5", status="filled")  # fmt: skip
    for price, ppm in (("29500", 2_500), ("29000", 1_500)):
        filled = reports().read(message("fill", sale, price=price, qty="0.5")).events[0]
        assert isinstance(filled, OrderFilled)
        assert filled.lots == -50_000_000
        assert filled.fee_units == int(price) * 10**8 // 2 * ppm // 10**6


def test_a_stop_that_fills_in_part_was_triggered() -> None:
    part = order(side="sell", type="stop_limit", time_in_force="gtc", filled_qty="0.2")
    filled, triggered = (
        reports().read(message("partial_fill", part, price="30000", qty="0.2")).events
    )
    assert isinstance(filled, OrderFilled)
    assert triggered == StopTriggered("C1", 7)
    assert reports().triggered(order(filled_qty="0.2")) == []
    assert reports().triggered({**part, "filled_qty": "0"}) == []


def test_other_messages_of_the_stream() -> None:
    read = reports().read
    assert read('{"stream":"listening","data":{"streams":["trade_updates"]}}').subscribed
    assert not read('{"stream":"listening","data":{"streams":[]}}').subscribed
    refused = read('{"stream":"authorization","data":{"status":"unauthorized","message":"no"}}')
    assert "no" in refused.broken
    assert read('{"stream":"authorization","data":{"status":"authorized"}}').broken == ""
    (accepted,) = read(message("new", order())).events
    assert accepted == OrderAccepted("C1", 7, "V1")
    assert read(message("pending_cancel", order())).events == []
    assert (
        read(message("fill", order(symbol="X/Y", filled_qty="1"), price="1", qty="1")).events[:-1]
        == []
    )
    claim = order(limit_price="0.01", time_in_force="gtc")
    assert read(message("new", claim)).events == []
    for wrong in ("[]", "{", '{"stream":"trade_updates","data":{}}'):
        with pytest.raises(ValueError, match=r".+"):
            read(wrong)


def test_numbers_that_are_none() -> None:
    with pytest.raises(NotANumber):
        reports().read(message("fill", order(filled_qty="1"), price="x", qty="1"))
    with pytest.raises(NotANumber):
        reports().standing(order(side="hold"))


def test_fees_follow_the_tier() -> None:
    assert fees_of({"crypto_tier": 8}) == CryptoFees(0, 1_000)
    assert fees_of({}) == fees_of({"crypto_tier": 99}) == FEES
