"""What Binance's messages and answers say, as events."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from ares.domain.events import Event
from ares.domain.order_events import OrderAccepted, OrderAmended, OrderEnded, OrderFilled
from ares.venues.amounts import NotANumber
from ares.venues.binance_reports import BinanceReports
from ares.venues.known_orders import KnownOrders, Reading
from ares.venues.markets import VenueMarket

NOW, AT = 1_700_000_000_000, 1_700_000_000_123
OWN_ID = "a1b2c3d4" + "0" * 24
MARKET = VenueMarket(
    "BTC/USDT", "BTCUSDT", ("BTC/USDT", "BTCUSDT"), "BTC", "BTC", "USDT", Decimal("0.01"),
    Decimal("0.00001"), Decimal("0.00001"), Decimal(5),
)  # fmt: skip


def made(lines: list[str] | None = None) -> BinanceReports:
    say = (lines if lines is not None else []).append
    return BinanceReports([MARKET], KnownOrders(), lambda: NOW, say)


def report(kind: str, status: str, **changes: Any) -> dict[str, Any]:
    found = {
        "e": "executionReport", "s": "BTCUSDT", "c": OWN_ID, "C": "", "S": "BUY", "x": kind,
        "X": status, "i": 77, "q": "0.02000000", "P": "0.00000000", "z": "0.01000000",
        "l": "0.01000000", "L": "37000.01000000", "n": "0.00001000", "N": "BTC", "T": AT, "t": 5,
        "r": "NONE",
    }  # fmt: skip
    return {**found, **changes}


def read(event: dict[str, Any], reports: BinanceReports | None = None) -> Reading:
    text = json.dumps({"subscriptionId": 0, "event": event})
    return (reports or made()).read(text)


def events(kind: str, status: str, **changes: Any) -> list[Event]:
    return read(report(kind, status, **changes)).events


def test_an_order_is_accepted() -> None:
    assert events("NEW", "NEW") == [OrderAccepted(OWN_ID, NOW, "77")]


def test_a_fee_in_base_currency_is_reported_apart_from_the_lots() -> None:
    filled = OrderFilled(OWN_ID, NOW, 1_000, 3_700_001, 0, "BTCUSDT-5", 0, AT, 1_000)
    assert events("TRADE", "PARTIALLY_FILLED") == [filled]
    ended = OrderEnded(OWN_ID, NOW, "filled", 1_000, venue_ms=AT)
    assert events("TRADE", "FILLED") == [filled, ended]


def test_a_fee_in_quote_currency_of_a_sale() -> None:
    (event,) = events("TRADE", "PARTIALLY_FILLED", S="SELL", n="0.37000010", N="USDT")
    assert event == OrderFilled(OWN_ID, NOW, -1_000, 3_700_001, 37_000_010, "BTCUSDT-5", 0, AT)


def test_a_fee_in_a_third_asset_waits_for_its_price() -> None:
    reports, bnb = made(), report("TRADE", "PARTIALLY_FILLED", n="0.00100000", N="BNB")
    reading = read(bnb, reports)
    assert (reading.events, [r["N"] for r in reading.unexplained]) == ([], ["BNB"])
    event = reports.filled(reports.reported(reading.unexplained[0]), Decimal(600))
    assert (event.fee_units, event.base_fee_units) == (60_000_000, 0)


def test_a_fee_without_a_price_is_mentioned_and_not_counted() -> None:
    lines: list[str] = []
    reports = made(lines)
    trade = reports.reported(report("TRADE", "FILLED", n="2", N="XYZ"))
    assert reports.filled(trade, None).fee_units == 0
    assert "a fee of 2 XYZ is not counted" in lines[0]


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("EXPIRED", "EXPIRED", "expired"),
        ("TRADE_PREVENTION", "EXPIRED_IN_MATCH", "expired"),
        ("REJECTED", "REJECTED", "rejected"),
    ],
)
def test_ends(kind: str, status: str, reason: str) -> None:
    (event,) = events(kind, status)
    assert isinstance(event, OrderEnded)
    assert (event.reason, event.cum_lots, event.detail) == (reason, 1_000, status)


def test_a_cancel_has_an_id_of_its_own_and_names_the_order() -> None:
    (event,) = events("CANCELED", "CANCELED", c="theirs", C=OWN_ID, z="0.00000000")
    assert event == OrderEnded(OWN_ID, NOW, "cancelled", 0, "CANCELED", venue_ms=AT)


def test_a_stop_that_a_person_reduced() -> None:
    (event,) = events("REPLACED", "NEW", S="SELL", q="0.00500000", P="30000.00000000")
    assert event == OrderAmended(OWN_ID, NOW, -500, 3_000_000)


def test_another_market_is_left_out() -> None:
    assert events("TRADE", "PARTIALLY_FILLED", s="ETHUSDT") == []


def test_executions_of_the_stream_are_remembered() -> None:
    reports = made()
    read(report("TRADE", "FILLED"), reports)
    assert list(reports.recent) == [("BTCUSDT-5", AT)]


def test_answers_of_the_socket() -> None:
    reports = made()
    assert reports.read('{"id":"1","status":200,"result":{"subscriptionId":0}}').subscribed
    ping = reports.read('{"id":"ping","status":200,"result":{}}')
    assert (ping.subscribed, ping.broken) == (False, "")
    refused = reports.read('{"id":"1","status":401,"error":{"code":-2015,"msg":"Invalid key"}}')
    assert "Invalid key" in refused.broken
    assert read({"e": "eventStreamTerminated"}, reports).broken
    assert read({"e": "outboundAccountPosition", "B": []}, reports) == Reading()


@pytest.mark.parametrize("text", ["[]", "{", "7"])
def test_what_is_no_message_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own, or ours
        made().read(text)


def order(**changes: Any) -> dict[str, Any]:
    found = {
        "symbol": "BTCUSDT", "orderId": 77, "clientOrderId": OWN_ID, "status": "NEW",
        "side": "SELL", "type": "STOP_LOSS", "origQty": "0.02", "executedQty": "0.01",
        "stopPrice": "30000", "updateTime": AT,
    }  # fmt: skip
    return {**found, **changes}


def test_where_an_order_stands() -> None:
    assert made().standing(order()) == [OrderAccepted(OWN_ID, NOW, "77")]
    (ended,) = made().standing(order(status="CANCELED"))
    assert ended == OrderEnded(OWN_ID, NOW, "cancelled", -1_000, "CANCELED", venue_ms=AT)
    with pytest.raises(NotANumber):
        made().standing(order(symbol="ETHUSDT"))


def test_rest_tells_an_execution_as_the_stream_does() -> None:
    reports = made()
    row = {
        "symbol": "BTCUSDT", "id": 5, "orderId": 77, "price": "37000.01000000",
        "qty": "0.01000000", "commission": "0.00001000", "commissionAsset": "BTC", "time": AT,
        "isBuyer": True,
    }  # fmt: skip
    by_stream = reports.filled(reports.reported(report("TRADE", "FILLED")), None)
    assert reports.filled(reports.trade(row, OWN_ID), None) == by_stream
    with pytest.raises(NotANumber):
        reports.trade({**row, "symbol": "ETHUSDT"}, OWN_ID)
