"""Kraken's private REST, request by request: orders, look-ups, pages, errors, faults."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.sim.trading import BTC, Scene

from ares.sim.serve.wire import text


def price(ticks: int) -> str:
    return text(ticks, 2)


def bid(scene: Scene, **fields: Any) -> dict[str, Any]:
    """Return the fields of a limit order that rests."""
    limit = {"price": price(scene.last() - 10_000)}
    return {
        "pair": "XBTUSDT",
        "type": "buy",
        "ordertype": "limit",
        "volume": "0.5",
        **limit,
        **fields,
    }


def added(scene: Scene, **fields: Any) -> str:
    return str(scene.result("AddOrder", **bid(scene, **fields))["txid"][0])


def at(scene: Scene, seconds: float) -> str:
    moment = datetime.fromtimestamp(scene.now_ms / 1000 + seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_an_order_is_described_listed_and_cancelled() -> None:
    scene = Scene()
    result = scene.result("AddOrder", **bid(scene, cl_ord_id="a" * 32, userref="7"))
    words = f"buy 0.50000000 XBTUSDT @ limit {price(scene.last() - 10_000)}"
    assert result["descr"] == {"order": words}
    (order_id,) = result["txid"]
    listed = scene.result("OpenOrders", cl_ord_id="a" * 32)["open"][order_id]
    assert (listed["status"], listed["vol"], listed["vol_exec"]) == (
        *("open", "0.50000000", "0.00000000"),
    )
    assert listed["descr"]["order"] == words
    assert scene.result("OpenOrders", cl_ord_id="b" * 32)["open"] == {}
    assert scene.result("OpenOrders", userref="8")["open"] == {}
    held = scene.result("BalanceEx")["USDT"]["hold_trade"]
    assert float(held) > 0
    assert scene.result("CancelOrder", cl_ord_id="a" * 32) == {"count": 1}
    assert scene.error("CancelOrder", txid=order_id) == "EOrder:Unknown order"
    closed = scene.result("ClosedOrders", cl_ord_id="a" * 32)
    assert closed["closed"][order_id]["reason"] == "User requested"
    assert closed["count"] == 1
    assert scene.result("QueryOrders", txid=order_id)[order_id]["status"] == "canceled"
    assert float(scene.result("BalanceEx")["USDT"]["hold_trade"]) == 0


def test_executions_have_ids_costs_and_fees_that_add_up() -> None:
    scene = Scene()
    order_id = added(scene, ordertype="market", volume="0.25", oflags="fciq")
    order = scene.result("QueryOrders", txid=order_id, trades="true")[order_id]
    assert (order["status"], order["oflags"]) == ("closed", "fciq")
    trades = scene.result("TradesHistory")
    assert trades["count"] == len(order["trades"]) == 1
    (trade_id,) = order["trades"]
    trade = scene.result("QueryTrades", txid=trade_id)[trade_id]
    assert trade == trades["trades"][trade_id]
    assert (trade["ordertxid"], trade["maker"]) == (order_id, False)
    spent = float(trade["cost"]) + float(trade["fee"])
    assert float(scene.result("Balance")["USDT"]) == pytest.approx(10_000_000 - spent, abs=1e-8)
    assert scene.result("Balance")["XXBT"] == "2.2500000000"


def test_stops_take_two_prices_and_closes_a_third() -> None:
    scene = Scene()
    last = scene.last()
    stop, limit = price(last - 5_000), price(last - 6_000)
    order_id = added(scene, type="sell", ordertype="stop-loss-limit", price=stop, price2=limit)
    listed = scene.result("OpenOrders")["open"][order_id]
    assert listed["descr"]["order"] == (
        f"sell 0.50000000 XBTUSDT @ stop loss {stop} -> limit {limit}"
    )
    assert (listed["descr"]["price"], listed["descr"]["price2"]) == (stop, limit)
    close = {"close[ordertype]": "stop-loss", "close[price]": stop}
    result = scene.result("AddOrder", **bid(scene, ordertype="market", volume="0.1", **close))
    assert result["descr"]["close"] == f"close position @ stop loss {stop}"
    follows = [o for o in scene.result("OpenOrders")["open"].values() if o["refid"]]
    assert [o["refid"] for o in follows] == result["txid"]


def test_an_order_is_amended_and_edited() -> None:
    scene = Scene()
    order_id = added(scene, cl_ord_id="mine")
    lower = price(scene.last() - 20_000)
    assert scene.result("AmendOrder", cl_ord_id="mine", limit_price=lower)["amend_id"]
    assert scene.result("AmendOrder", txid=order_id, order_qty="0.4")["amend_id"]
    amended = scene.result("OpenOrders")["open"][order_id]
    assert (amended["descr"]["price"], amended["vol"]) == (lower, "0.40000000")
    assert scene.error("AmendOrder", txid="nothing", order_qty="1") == "EOrder:Unknown order"
    edited = scene.result("EditOrder", txid=order_id, pair="XBTUSDT", volume="0.3")
    assert edited["originaltxid"] == order_id
    assert scene.result("OpenOrders")["open"][edited["txid"]]["vol"] == "0.30000000"
    assert order_id in scene.result("ClosedOrders")["closed"]


def test_all_orders_are_cancelled_at_once_or_in_time() -> None:
    scene = Scene()
    ids = [added(scene, userref="5") for _ in range(3)]
    assert scene.result("CancelOrder", txid="5") == {"count": 3}
    ids = [added(scene) for _ in range(3)]
    assert scene.result("CancelAll") == {"count": 3}
    added(scene)
    times = scene.result("CancelAllOrdersAfter", timeout="60")
    assert times["currentTime"] < times["triggerTime"]
    assert scene.result("CancelAllOrdersAfter", timeout="0")["triggerTime"] == "0"
    scene.advance(61.0)
    assert len(scene.result("OpenOrders")["open"]) == 1
    scene.result("CancelAllOrdersAfter", timeout="60")
    scene.advance(61.0)
    assert scene.result("OpenOrders")["open"] == {}
    assert set(ids) <= set(scene.result("ClosedOrders")["closed"])


def test_a_deadline_of_the_wall_clock_is_kept_at_any_speed() -> None:
    scene = Scene()
    wall_ms = scene.now_ms + 3 * 365 * 86_400_000
    scene.clock.wall_ms = lambda: wall_ms + int(scene.now_s * 1000)
    deadline = datetime.fromtimestamp(wall_ms / 1000 + 5.0, UTC).isoformat()
    added(scene, deadline=deadline)
    scene.advance(5.1)
    assert scene.error("AddOrder", **bid(scene, deadline=deadline)) == "EService:Deadline elapsed"


def test_a_deadline_is_kept() -> None:
    scene = Scene()
    assert scene.error("AddOrder", **bid(scene, deadline=at(scene, -0.5))) == (
        "EService:Deadline elapsed"
    )
    assert scene.error("AddOrder", **bid(scene, deadline=at(scene, 61.0))) == (
        "EGeneral:Invalid arguments:deadline"
    )
    order_id = added(scene, deadline=at(scene, 5.0))
    late = {"txid": order_id, "order_qty": "0.4", "deadline": at(scene, -0.1)}
    assert scene.error("AmendOrder", **late) == "EService:Deadline elapsed"


def test_validate_places_nothing() -> None:
    scene = Scene()
    result = scene.result("AddOrder", **bid(scene, validate="true"))
    assert result["descr"]["order"].startswith("buy 0.5")
    assert "txid" not in result
    assert scene.error("AddOrder", **bid(scene, validate="true", volume="9999")) == (
        "EOrder:Insufficient funds"
    )
    assert scene.result("OpenOrders")["open"] == {}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"pair": "FOOBAR"}, "EQuery:Unknown asset pair"),
        ({"volume": "0.00000001"}, "EOrder:Order minimum not met"),
        ({"volume": "9999"}, "EOrder:Insufficient funds"),
        ({"volume": "0.000000001"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": "-1"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": ""}, "EGeneral:Invalid arguments:volume"),
        ({"price": "0.01"}, "EOrder:Cost minimum not met"),
        ({"price": "0"}, "EGeneral:Invalid arguments:price"),
        ({"ordertype": "settle"}, "EGeneral:Invalid arguments:ordertype"),
        ({"type": "hold"}, "EGeneral:Invalid arguments:type"),
        ({"timeinforce": "DAY"}, "EGeneral:Invalid arguments"),
        ({"timeinforce": "GTD"}, "EGeneral:Invalid arguments:expiretm"),
        ({"oflags": "post", "timeinforce": "IOC"}, "EGeneral:Invalid arguments:oflags"),
        ({"oflags": "post", "price": "90000"}, "EOrder:Post only order"),
        ({"leverage": "2"}, "EOrder:Cannot open position"),
        ({"cl_ord_id": "longer than 18 characters"}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"deadline": "tomorrow"}, "EGeneral:Invalid arguments:deadline"),
    ],
)
def test_a_wrong_order_is_refused_in_krakens_words(fields: dict[str, str], error: str) -> None:
    scene = Scene()
    assert scene.error("AddOrder", **bid(scene, **fields)) == error
    assert scene.exchange.orders == {}


def test_a_price_with_too_many_decimals_is_named() -> None:
    scene = Scene()
    assert scene.error("AddOrder", **bid(scene, price="100.001")) == (
        "EOrder:Invalid price:XBTUSDT price can only be specified up to 2 decimals."
    )


def test_a_client_id_is_refused_while_its_order_is_open() -> None:
    scene = Scene()
    added(scene, cl_ord_id="mine")
    assert scene.error("AddOrder", **bid(scene, cl_ord_id="mine")) == "EOrder:Duplicate order"
    scene.result("CancelAll")
    added(scene, cl_ord_id="mine")
    assert scene.result("ClosedOrders", cl_ord_id="mine")["count"] == 1


def test_look_ups_come_in_pages_of_50_the_newest_first() -> None:
    scene = Scene()
    ids = []
    for _ in range(60):
        ids.append(added(scene, ordertype="market", volume="0.01"))
        scene.now_s += 1.0
    first = scene.result("ClosedOrders")
    second = scene.result("ClosedOrders", ofs="50")
    assert (len(first["closed"]), len(second["closed"]), first["count"]) == (50, 10, 60)
    assert [*first["closed"], *second["closed"]] == ids[::-1]
    trades = [scene.result("TradesHistory", ofs=str(ofs))["trades"] for ofs in (0, 50, 100)]
    assert [len(page) for page in trades] == [50, 10, 0]
    assert [row["ordertxid"] for row in trades[0].values()] == ids[:9:-1]
    start = scene.now_ms / 1000 - 10.0
    assert scene.result("TradesHistory", start=str(start))["count"] == 9
    assert scene.result("ClosedOrders", end=str(start))["count"] == 51
    assert "count" not in scene.result("ClosedOrders", without_count="true")


def test_taker_trades_are_one_unless_asked_otherwise() -> None:
    scene = Scene()
    size = BTC.book(scene.now_ms).asks[0][1]
    order_id = added(scene, ordertype="market", volume=text(size + 10**8, 8))
    each = {"consolidate_taker": "false"}
    one, both = scene.result("TradesHistory"), scene.result("TradesHistory", **each)
    assert (one["count"], both["count"]) == (1, 2)
    (whole,), parts = one["trades"].values(), list(both["trades"].values())
    for name in ("vol", "cost", "fee"):
        assert float(whole[name]) == pytest.approx(sum(float(part[name]) for part in parts))
    (first,) = one["trades"]
    query = {"txid": order_id, "trades": "true"}
    assert scene.result("QueryOrders", **query)[order_id]["trades"] == [first]
    ids = scene.result("QueryOrders", **query, **each)[order_id]["trades"]
    assert ids == list(both["trades"])[::-1]
    assert ids[0] == first
    assert scene.result("QueryTrades", txid=ids[1], **each)[ids[1]] == parts[0]
    assert scene.result("QueryTrades", txid=first)[first] == whole


def test_what_is_asked_for_must_exist() -> None:
    scene = Scene()
    assert scene.error("QueryOrders", txid="OAAAAA-AAAAA-AAAAAA") == "EOrder:Unknown order"
    assert scene.error("QueryTrades", txid="x") == "EQuery:Unknown trade"
    assert scene.error("QueryOrders") == "EGeneral:Invalid arguments"
    assert scene.error("WalletTransfer") == "EGeneral:Unknown method"
    assert scene.error("CancelOrder") == "EGeneral:Invalid arguments:txid"


def test_equity_and_fees_are_shown() -> None:
    scene = Scene()
    equity = float(scene.result("TradeBalance", asset="USDT")["eb"])
    ada = float(text(scene.venue.market.symbols[1].last_ticks(scene.now_ms), 4))
    wanted = 10_000_000 + 2 * float(price(scene.last())) + 10_000 * ada
    assert equity == pytest.approx(wanted, abs=0.01)
    fees = scene.result("TradeVolume", pair="XBTUSDT")
    assert (fees["fees"]["XBTUSDT"]["fee"], fees["fees_maker"]["XBTUSDT"]["fee"]) == (
        *("0.4000", "0.2500"),
    )


# --- faults ------------------------------------------------------------------------------------


def test_errors_inside_an_answer_come_before_or_after_the_order() -> None:
    scene = Scene()
    scene.fault("error_before", count=1, only="AddOrder")
    assert scene.error("AddOrder", **bid(scene)) == "EGeneral:Internal error"
    assert scene.exchange.orders == {}
    scene.fault("error_after", count=1, only="AddOrder")
    assert scene.error("AddOrder", **bid(scene)) == "EService:Busy"
    assert len(scene.exchange.open_orders()) == 1
    scene.fault("unavailable", count=1)
    assert scene.error("Balance") == "EService:Unavailable"
    assert scene.result("Balance")


def test_look_ups_are_stale_and_pages_incomplete() -> None:
    scene = Scene()
    ids = [added(scene) for _ in range(4)]
    number = scene.fault("stale")
    scene.advance(0.1)
    scene.result("CancelAll")
    bought = added(scene, ordertype="market")
    assert set(scene.result("OpenOrders")["open"]) == set(ids)
    assert scene.result("ClosedOrders")["count"] == 0
    assert scene.result("Balance")["XXBT"] == "2.0000000000"
    assert scene.error("QueryOrders", txid=bought) == "EOrder:Unknown order"
    scene.faults.clear(number)
    assert scene.result("ClosedOrders")["count"] == 5
    number = scene.fault("stale", only="OpenOrders")
    scene.advance(0.1)
    placed = added(scene)
    assert scene.result("OpenOrders")["open"] == {}
    assert scene.result("QueryOrders", txid=placed)[placed]["status"] == "open"
    scene.faults.clear(number)
    scene.result("CancelAll")
    scene.fault("incomplete", count=1)
    page = scene.result("ClosedOrders")
    assert (len(page["closed"]), page["count"]) == (3, 6)
    assert len(scene.result("ClosedOrders")["closed"]) == 6


def test_a_market_has_states() -> None:
    scene = Scene()
    order_id = added(scene)
    scene.fault("cancel_only", only="BTC/USDT")
    assert scene.error("AddOrder", **bid(scene)) == "EService:Market in cancel_only mode"
    assert scene.result("CancelOrder", txid=order_id) == {"count": 1}
    scene.faults.clear()
    scene.fault("post_only")
    assert scene.error("AddOrder", **bid(scene)) == "EService:Market in post_only mode"
    added(scene, oflags="post")


def test_a_key_that_can_withdraw_does_and_another_is_refused() -> None:
    """So that a test which finds nothing withdrawn proves something."""
    scene = Scene()
    held = scene.exchange.account.balances["BTC"]
    wanted = {"asset": "XBT", "amount": "0.25"}
    for key in ("engine", "reader", "watchdog"):
        assert scene.error("Withdraw", key, address="cold", **wanted) == (
            "EGeneral:Permission denied"
        )
    assert scene.ask("Withdraw", "owner", address="cold", **wanted)["result"]["refid"]
    assert scene.exchange.account.balances["BTC"] == held - 25_000_000
    answer = scene.ask("Withdraw", "owner", address="cold", **{**wanted, "amount": "1000"})
    assert answer["error"] == ["EFunding:Insufficient funds"]
    assert "withdraw-funds" in scene.ask("GetApiKeyInfo", "owner")["result"]["permissions"]
    assert "withdraw-funds" not in scene.ask("GetApiKeyInfo")["result"]["permissions"]
