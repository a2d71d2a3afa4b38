"""Binance's signed REST, request by request: orders, look-ups, filters, errors, faults."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sim.trading import BinanceScene

from ares.sim.serve.wire import text


def price(ticks: int) -> str:
    return text(ticks, 2)


def bid(scene: BinanceScene, **params: Any) -> dict[str, Any]:
    """Return the parameters of a limit order that rests."""
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    return {**order, "quantity": "0.5", "price": price(scene.last() - 10_000), **params}


def market(**params: Any) -> dict[str, Any]:
    return {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.25", **params}


def free_of(scene: BinanceScene, asset: str) -> str:
    (row,) = [b for b in scene.result("GET account")["balances"] if b["asset"] == asset]
    return str(row["free"])


def test_a_market_order_is_answered_with_its_fills_and_pays_in_what_it_gets() -> None:
    scene = BinanceScene()
    order = scene.result("POST order", **market(newClientOrderId="mine"))
    assert (order["status"], order["clientOrderId"], order["executedQty"]) == (
        *("FILLED", "mine", "0.25000000"),
    )
    (fill,) = order["fills"]
    assert (fill["commission"], fill["commissionAsset"]) == ("0.00025000", "BTC")
    assert free_of(scene, "BTC") == "2.24975000"
    (trade,) = scene.result("GET myTrades", symbol="BTCUSDT")
    assert (trade["id"], trade["orderId"]) == (fill["tradeId"], order["orderId"])
    assert trade["quoteQty"] == order["cummulativeQuoteQty"]
    sold = scene.result("POST order", **market(side="SELL", newOrderRespType="RESULT"))
    assert "fills" not in sold
    (trade,) = scene.result("GET myTrades", symbol="BTCUSDT", orderId=sold["orderId"])
    assert trade["commissionAsset"] == "USDT"


def test_an_order_is_listed_looked_up_and_cancelled() -> None:
    scene = BinanceScene()
    order = scene.result("POST order", **bid(scene, newClientOrderId="mine"))
    names = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    assert (order["status"], order["fills"]) == ("NEW", [])
    (listed,) = scene.result("GET openOrders", symbol="BTCUSDT")
    assert listed == scene.result("GET order", **names)
    assert scene.result("GET openOrders", symbol="ADAUSDT") == []
    (row,) = [b for b in scene.result("GET account")["balances"] if b["asset"] == "USDT"]
    assert float(row["locked"]) > 0
    cancelled = scene.result("DELETE order", symbol="BTCUSDT", orderId=order["orderId"])
    assert (cancelled["status"], cancelled["origClientOrderId"]) == ("CANCELED", "mine")
    assert scene.code("DELETE order", **names) == -2011
    assert scene.result("GET order", **names)["status"] == "CANCELED"
    assert scene.code("GET order", symbol="BTCUSDT", orderId=5) == -2013
    assert [o["orderId"] for o in scene.result("GET allOrders", symbol="BTCUSDT")] == [
        order["orderId"]
    ]
    for _ in range(2):
        scene.result("POST order", **bid(scene))
    assert len(scene.result("DELETE openOrders", symbol="BTCUSDT")) == 2
    assert scene.code("DELETE openOrders", symbol="BTCUSDT") == -2011


def test_an_amendment_only_reduces_and_keeps_the_order() -> None:
    scene = BinanceScene()
    order = scene.result("POST order", **bid(scene))
    name = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
    amended = scene.result("PUT order/amend/keepPriority", **name, newQty="0.4")
    assert amended["amendedOrder"]["qty"] == "0.40000000"
    assert amended["amendedOrder"]["orderId"] == order["orderId"]
    for quantity in ("0.4", "0.6"):
        assert scene.code("PUT order/amend/keepPriority", **name, newQty=quantity) == -2038
    assert scene.result("GET order", **name)["origQty"] == "0.40000000"


def test_a_replacement_is_cancel_and_order() -> None:
    scene = BinanceScene()
    order = scene.result("POST order", **bid(scene))
    mode = {"cancelReplaceMode": "STOP_ON_FAILURE"}
    replaced = scene.result(
        "POST order/cancelReplace",
        **bid(scene, quantity="0.3"),
        **mode,
        cancelOrderId=order["orderId"],
    )
    assert replaced["cancelResponse"]["status"] == "CANCELED"
    assert replaced["newOrderResponse"]["origQty"] == "0.30000000"
    again = {**bid(scene), "cancelOrderId": order["orderId"]}
    status, answer = scene.ask("POST order/cancelReplace", **again, **mode)
    assert (status, answer["code"], answer["data"]["newOrderResult"]) == (
        *(400, -2022, "NOT_ATTEMPTED"),
    )
    status, answer = scene.ask(
        "POST order/cancelReplace", **again, cancelReplaceMode="ALLOW_FAILURE"
    )
    assert (status, answer["code"], answer["data"]["newOrderResult"]) == (409, -2021, "SUCCESS")
    assert len(scene.exchange.open_orders()) == 2


def test_stops_rest_and_one_that_would_trigger_is_refused() -> None:
    scene = BinanceScene()
    below, above = price(scene.last() - 5_000), price(scene.last() + 5_000)
    stop = market(side="SELL", type="STOP_LOSS", stopPrice=below)
    order = scene.result("POST order", **stop)
    assert "status" not in order, "an acknowledgement"
    assert (
        scene.result("GET order", symbol="BTCUSDT", orderId=order["orderId"])["isWorking"] is False
    )
    assert scene.code("POST order", **{**stop, "stopPrice": above}) == -2010
    scene.trade(scene.last() - 6_000)
    found = scene.result("GET order", symbol="BTCUSDT", orderId=order["orderId"])
    assert (found["status"], found["type"]) == ("FILLED", "STOP_LOSS")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"symbol": "FOOBAR"}, -1121),
        ({"side": "HOLD"}, -1117),
        ({"type": "ICEBERG"}, -1116),
        ({"timeInForce": "DAY"}, -1115),
        ({"quantity": ""}, -1102),
        ({"quantity": "x"}, -1100),
        ({"quantity": "0.000000001"}, -1111),
        ({"quantity": "0.000001"}, -1013),
        ({"quantity": "9999"}, -2010),
        ({"quantity": "0.00001"}, -1013),
        ({"price": "100.001"}, -1013),
        ({"type": "LIMIT_MAKER", "price": "90000"}, -2010),
        ({"recvWindow": "x"}, -1100),
    ],
)
def test_a_wrong_order_is_refused_with_binances_code(params: dict[str, str], code: int) -> None:
    scene = BinanceScene()
    assert scene.code("POST order", **bid(scene, **params)) == code
    assert scene.exchange.orders == {}


def test_a_client_id_is_refused_while_its_order_is_open() -> None:
    scene = BinanceScene()
    scene.result("POST order", **bid(scene, newClientOrderId="mine"))
    assert scene.code("POST order", **bid(scene, newClientOrderId="mine")) == -2010
    scene.result("DELETE openOrders", symbol="BTCUSDT")
    scene.result("POST order", **bid(scene, newClientOrderId="mine"))
    assert scene.result("POST order/test", **bid(scene)) == {}
    assert scene.code("POST order/test", **bid(scene, quantity="9999")) == -2010


def test_pages_are_cut_at_the_limit_the_newest_or_from_where_asked() -> None:
    scene = BinanceScene()
    ids = []
    for _ in range(5):
        ids.append(scene.result("POST order", **market(quantity="0.01"))["orderId"])
        scene.now_s += 10.0
    rows = scene.result("GET allOrders", symbol="BTCUSDT", limit=2)
    assert [row["orderId"] for row in rows] == ids[-2:]
    rows = scene.result("GET allOrders", symbol="BTCUSDT", orderId=ids[1], limit=2)
    assert [row["orderId"] for row in rows] == ids[1:3]
    start = scene.now_ms - 35_000
    rows = scene.result("GET allOrders", symbol="BTCUSDT", startTime=start)
    assert [row["orderId"] for row in rows] == ids[2:]
    trades = scene.result("GET myTrades", symbol="BTCUSDT", fromId=2, limit=3)
    assert [trade["id"] for trade in trades] == [2, 3, 4]


def test_errors_inside_an_answer_stale_look_ups_and_incomplete_pages() -> None:
    scene = BinanceScene()
    scene.fault("error_before", count=1, only="POST")
    assert scene.ask("POST order", **bid(scene))[1]["code"] == -1000
    scene.fault("error_after", count=1, only="POST")
    assert scene.ask("POST order", **bid(scene)) == (
        200,
        {"code": -1007, "msg": "Timeout waiting for response from backend server. Send status "
                       "unknown; execution status unknown."},
    )  # fmt: skip
    assert len(scene.exchange.open_orders()) == 1
    number = scene.fault("stale")
    scene.advance(0.1)
    scene.result("POST order", **bid(scene))
    assert len(scene.result("GET openOrders")) == 1
    scene.faults.clear(number)
    assert len(scene.result("GET openOrders")) == 2
    scene.fault("incomplete", count=1)
    assert len(scene.result("GET openOrders")) == 1
    scene.fault("unavailable", count=1)
    assert scene.ask("GET openOrders")[0] == 503
    scene.fault("maintenance")
    assert scene.code("POST order", **bid(scene)) == -1013
