"""Kraken's messages and answers as events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.venues.test_markets import entry

from ares.domain.order_events import OrderAccepted, OrderAmended, OrderEnded, OrderFilled
from ares.venues.amounts import NotANumber
from ares.venues.known_orders import KnownOrder, KnownOrders
from ares.venues.kraken_reports import KrakenReports
from ares.venues.markets import market_of

OWN_ID = "a1b2c3d4" + "0" * 24
NOW = 1_700_000_000_000


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def known() -> KnownOrders:
    return KnownOrders()


@pytest.fixture
def reports(known: KnownOrders, lines: list[str]) -> KrakenReports:
    return KrakenReports([market_of(entry())], known, lambda: NOW, lines.append)


def message(*data: dict[str, Any], sequence: int = 1, kind: str = "update") -> str:
    return json.dumps(
        {"channel": "executions", "type": kind, "data": list(data), "sequence": sequence}
    )


def placed(kind: str = "new", **more: Any) -> dict[str, Any]:
    order = {"order_id": "O1", "cl_ord_id": OWN_ID, "symbol": "BTC/USD", "side": "sell"}
    return {**order, "exec_type": kind, **more}


def traded(exec_id: str = "T1", **more: Any) -> dict[str, Any]:
    fields = {
        "exec_id": exec_id, "last_qty": 0.3, "last_price": 37000.1,
        "fees": [{"asset": "USD", "qty": 28.86}], "timestamp": "2023-11-14T22:13:20.500000Z",
    }  # fmt: skip
    return placed("trade", **{**fields, **more})


def test_every_entry_of_a_message_counts(reports: KrakenReports) -> None:
    """ccxt sorts a whole message by its first entry: here an execution would be lost."""
    text = message(placed("new"), traded(), placed("filled", cum_qty=0.3), placed("status"))
    assert reports.read(text).events == [
        OrderAccepted(OWN_ID, NOW, "O1"),
        OrderFilled(
            OWN_ID, NOW, -30_000_000, 370_001, 2_886_000_000, "T1", 0, venue_ms=1_700_000_000_500
        ),
        OrderEnded(OWN_ID, NOW, "filled", -30_000_000),
    ]


def test_digits_are_those_of_the_message(reports: KrakenReports) -> None:
    text = message(traded()).replace("0.3", "0.12345678").replace("37000.1", "99999999999.1")
    (event,) = reports.read(text).events
    assert isinstance(event, OrderFilled)
    assert (event.lots, event.price_ticks) == (-12_345_678, 999_999_999_991)


def test_an_update_without_our_id_is_recognised_by_the_venues(reports: KrakenReports) -> None:
    reports.read(message(placed()))
    bare = {"order_id": "O1", "exec_type": "canceled", "cum_qty": 0, "reason": "User requested"}
    assert reports.read(message(bare, sequence=2)).events == [
        OrderEnded(OWN_ID, NOW, "cancelled", 0, "User requested")
    ]
    partly = {**bare, "cum_qty": 0.25}
    (event,) = reports.read(message(partly, sequence=3)).events
    assert event == OrderEnded(OWN_ID, NOW, "cancelled", -25_000_000, "User requested")


def test_the_execution_of_an_order_that_is_not_known_yet_waits(reports: KrakenReports) -> None:
    unknown = {k: v for k, v in traded().items() if k != "cl_ord_id"}
    reading = reports.read(message(unknown))
    assert reading.events == []
    (entry_,) = reading.unexplained
    (event,) = reports.execution(entry_, "O1")
    assert isinstance(event, OrderFilled)
    assert event.client_id == "O1"


def test_a_snapshot_is_learnt_and_not_reported(reports: KrakenReports, known: KnownOrders) -> None:
    assert reports.read(message(placed(), kind="snapshot")).events == []
    assert known.get("O1") == KnownOrder(OWN_ID, 0, -1)


def test_a_lost_message_breaks_the_session(reports: KrakenReports) -> None:
    assert reports.read(message(placed(), sequence=1)).broken == ""
    assert reports.read(message(placed(), sequence=2)).broken == ""
    reading = reports.read(message(traded(), sequence=4))
    assert "message 4 came after 2" in reading.broken
    assert len(reading.events) == 1  # what did come counts
    reports.begin_session()
    assert reports.read(message(placed(), sequence=1)).broken == ""


def test_a_subscription_is_confirmed_by_the_venues_word(reports: KrakenReports) -> None:
    answer = {"method": "subscribe", "success": True, "result": {"channel": "executions"}}
    assert reports.read(json.dumps(answer)).subscribed
    other = {"method": "subscribe", "success": True, "result": {"channel": "balances"}}
    assert not reports.read(json.dumps(other)).subscribed
    refused = {"method": "subscribe", "success": False, "error": "EAccount:Invalid permissions"}
    assert "Invalid permissions" in reports.read(json.dumps(refused)).broken
    assert reports.read('{"channel": "heartbeat"}').events == []
    with pytest.raises(ValueError, match="Expecting"):
        reports.read('{"channel": "executions"')


def test_an_amendment_is_looked_up(reports: KrakenReports) -> None:
    reports.read(message(placed()))
    assert reports.read(message(placed("amended"), sequence=2)).look_ups == [(OWN_ID, 0)]


def test_fees_in_other_assets_are_translated_or_mentioned(
    reports: KrakenReports, lines: list[str]
) -> None:
    in_base = traded(fees=[{"asset": "BTC", "qty": 0.001}])
    in_other = traded("T2", fees=[{"asset": "KFEE", "qty": 5}])
    first, second = reports.read(message(in_base, in_other)).events
    assert isinstance(first, OrderFilled)
    assert isinstance(second, OrderFilled)
    assert first.fee_units == 3_700_010_000  # 0.001 BTC at 37000.1
    assert second.fee_units == 0
    assert "counted at 37000.1" in lines[0]
    assert "5 KFEE is not counted" in lines[1]


def test_rest_tells_the_same_execution_under_the_same_id(reports: KrakenReports) -> None:
    (streamed,) = reports.read(message(traded())).events
    trade = {
        "ordertxid": "O1", "pair": "XBTUSD", "time": 1_700_000_000.5, "type": "sell",
        "price": "37000.1", "fee": "28.86", "vol": "0.30000000",
    }  # fmt: skip
    assert reports.trade("T1", trade, OWN_ID) == [streamed]
    assert reports.trade("T1", {**trade, "pair": "ETHUSD"}, OWN_ID) == []


def rest_order(status: str, kind: str = "limit", **more: Any) -> dict[str, Any]:
    described = {"pair": "XBTUSD", "type": "sell", "ordertype": kind, "price": "36000.0"}
    return {"status": status, "descr": described, "vol": "0.5", "vol_exec": "0.2", **more}


def test_where_an_order_stands(reports: KrakenReports, known: KnownOrders) -> None:
    assert reports.standing("O1", rest_order("open"), OWN_ID) == [OrderAccepted(OWN_ID, NOW, "O1")]
    assert known.get("O1") == KnownOrder(OWN_ID, 0, -1)
    assert reports.standing("O1", rest_order("open", "stop-loss"), OWN_ID) == [
        OrderAmended(OWN_ID, NOW, -50_000_000, 360_000),
        OrderAccepted(OWN_ID, NOW, "O1"),
    ]
    ended = rest_order("canceled", reason="User requested", closetm=1_700_000_000.5)
    assert reports.standing("O1", ended, OWN_ID) == [
        OrderEnded(
            OWN_ID, NOW, "cancelled", -20_000_000, "User requested", venue_ms=1_700_000_000_500
        )
    ]
    with pytest.raises(NotANumber, match="of no instrument"):
        reports.standing("O1", {"status": "open"}, OWN_ID)
