"""Orders as Binance takes them, and what proves that one does not exist."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.venues.test_binance_reports import AT, MARKET, NOW, OWN_ID, order

from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    CancelOrder,
    OrderAbsent,
    OrderEnded,
    OrderFilled,
    SubmitOrder,
)
from ares.venues.answers import NoAnswer, NotSent, Refused
from ares.venues.binance_orders import BinanceOrders, order_request
from ares.venues.binance_reports import BinanceReports
from ares.venues.known_orders import KnownOrder, KnownOrders

ABSENT = Refused("-2013 Order does not exist.")


def command(kind: str, lots: int, ticks: int = 0, send_by_ms: int = NOW + 10_000) -> SubmitOrder:
    return SubmitOrder(
        OWN_ID, 0, kind, lots, ticks, "signal", 0.6, 5.0, 50.0, send_by_ms=send_by_ms
    )


class FakeRequests:
    """The answers of a venue, by the last words of the method's name; lists become ``rows``."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {"Time": {"serverTime": NOW}} | answers
        self.sent: list[tuple[str, dict[str, str], str, float]] = []

    async def ask(
        self, name: str, parameters: Any, rank: int = 1, limit: str = "", cost: float = 1.0
    ) -> dict[str, Any]:
        made = parameters() if callable(parameters) else parameters
        method = name.removeprefix("private").removeprefix("public").removeprefix("Get")
        self.sent.append((method, made, limit, cost))
        answer = self.answers[method]
        answer = answer(made) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        return {"rows": answer} if isinstance(answer, list) else answer

    read = ask


def orders(requests: FakeRequests, speed: int = 1, wall_ms: int = 0) -> BinanceOrders:
    known = KnownOrders()
    reports = BinanceReports([MARKET], known, lambda: NOW, lambda _: None)
    return BinanceOrders(
        requests,  # type: ignore[arg-type]
        [MARKET],
        known,
        reports,
        lambda: NOW,
        lambda: NOW,
        speed,
        lambda: wall_ms,
    )


def trade(number: int = 5, venue_id: int = 77, quantity: str = "0.01") -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT", "id": number, "orderId": venue_id, "price": "37000.01",
        "qty": quantity, "commission": "0", "commissionAsset": "BNB", "time": AT, "isBuyer": True,
    }  # fmt: skip


# --- what is sent ------------------------------------------------------------------------------


def test_orders_as_binance_takes_them() -> None:
    common = {"symbol": "BTCUSDT", "newClientOrderId": OWN_ID, "newOrderRespType": "ACK"}
    assert order_request(command("entry", 1_000, 3_700_001), MARKET) == {
        **common, "side": "BUY", "quantity": "0.01", "type": "LIMIT", "timeInForce": "IOC",
        "price": "37000.01",
    }  # fmt: skip
    market = {**common, "quantity": "0.01", "type": "MARKET"}
    assert order_request(command("entry", 1_000), MARKET) == {**market, "side": "BUY"}
    assert order_request(command("exit", -1_000), MARKET) == {**market, "side": "SELL"}
    assert order_request(command("exit", -1_000, 3_600_000), MARKET) == {
        **common, "side": "SELL", "quantity": "0.01", "type": "LIMIT", "timeInForce": "IOC",
        "price": "36000",
    }, "a sale of `ares kill` has a lowest price"  # fmt: skip
    assert order_request(command("stop", -1_000, 3_000_000), MARKET) == {
        **common, "side": "SELL", "quantity": "0.01", "type": "STOP_LOSS", "stopPrice": "30000",
    }  # fmt: skip


def test_an_order_counts_until_its_deadline() -> None:
    requests = FakeRequests(PostOrder={"orderId": 77})
    assert asyncio.run(orders(requests).submit(command("exit", -5))) == "77"
    ((_, sent, limit, _),) = requests.sent
    assert (sent["timestamp"], sent["recvWindow"], limit) == (str(NOW), "10000", "orders")


def test_the_deadline_of_a_fast_rehearsal_is_wall_time() -> None:
    requests = FakeRequests(PostOrder={"orderId": 77})
    made = orders(requests, speed=60, wall_ms=555)
    asyncio.run(made.submit(command("exit", -5, send_by_ms=NOW + 600_000)))
    ((_, sent, _, _),) = requests.sent
    assert (sent["timestamp"], sent["recvWindow"]) == ("555", "10000")


def test_no_window_is_longer_than_the_venue_takes() -> None:
    requests = FakeRequests(PostOrder={"orderId": 77})
    asyncio.run(orders(requests).submit(command("exit", -5, send_by_ms=NOW + 90_000)))
    assert requests.sent[0][1]["recvWindow"] == "60000"


def test_an_order_that_waited_too_long_does_not_leave() -> None:
    with pytest.raises(NotSent):
        asyncio.run(orders(FakeRequests()).submit(command("exit", -5, send_by_ms=NOW + 100)))


def test_an_answer_without_an_id_is_none() -> None:
    with pytest.raises(NoAnswer):
        asyncio.run(orders(FakeRequests(PostOrder={})).submit(command("exit", -5)))


def test_a_cancel_names_the_order_by_our_id() -> None:
    requests = FakeRequests(DeleteOrder={})
    asyncio.run(orders(requests).cancel(CancelOrder(OWN_ID, 0)))
    sent = requests.sent[0][1]
    assert (sent["symbol"], sent["origClientOrderId"]) == ("BTCUSDT", OWN_ID)


def test_a_resting_order_is_not_amended() -> None:
    with pytest.raises(Refused):
        asyncio.run(orders(FakeRequests()).amend(AmendOrder(OWN_ID, 0, -5, 7)))


# --- look-ups ----------------------------------------------------------------------------------


def test_a_look_up_tells_executions_and_then_where_the_order_stands() -> None:
    requests = FakeRequests(Order=order(status="FILLED", side="BUY"), MyTrades=[trade()])
    filled, ended = asyncio.run(orders(requests).look_up(OWN_ID, 0))
    assert filled == OrderFilled(OWN_ID, NOW, 1_000, 3_700_001, 0, "BTCUSDT-5", 0, AT)
    assert ended == OrderEnded(OWN_ID, NOW, "filled", 1_000, venue_ms=AT)


def absent(requests: FakeRequests, made: BinanceOrders | None = None) -> Any:
    (event,) = asyncio.run((made or orders(requests)).look_up(OWN_ID, 0))
    return event


NOTHING: dict[str, Any] = {"Order": ABSENT, "OpenOrders": [], "AllOrders": [], "MyTrades": []}


def test_an_order_that_nothing_has_is_absent() -> None:
    assert absent(FakeRequests(**NOTHING)) == OrderAbsent(OWN_ID, NOW, True, NOW)


def test_an_error_is_no_absence() -> None:
    for error in (NoAnswer("timeout"), Refused("-2015 Invalid API-key")):
        with pytest.raises(type(error)):
            absent(FakeRequests(**{**NOTHING, "Order": error}))


def other(**changes: Any) -> dict[str, Any]:
    return order(orderId=80, clientOrderId="theirs", status="FILLED", time=NOW, **changes)


def test_lists_that_contradict_each_other_prove_nothing() -> None:
    """An order that has executed more than the trades list: one is cut or out of date."""
    cut = {**NOTHING, "AllOrders": [other()], "MyTrades": []}
    assert not absent(FakeRequests(**cut)).complete
    whole = {**NOTHING, "AllOrders": [other()], "MyTrades": [trade(9, 80)]}
    assert absent(FakeRequests(**whole)).complete


def test_an_answer_that_lacks_what_the_stream_has_reported_proves_nothing() -> None:
    requests = FakeRequests(**NOTHING)
    made = orders(requests)
    made._reports.recent.append(("BTCUSDT-5", NOW))
    assert absent(requests, made) == OrderAbsent(OWN_ID, NOW, False, 0)


def test_a_trade_of_an_order_that_no_list_has_is_asked_for() -> None:
    def found(parameters: dict[str, str]) -> Any:
        return order(status="FILLED", side="BUY") if "orderId" in parameters else ABSENT

    requests = FakeRequests(**{**NOTHING, "Order": found, "MyTrades": [trade()]})
    *_, ended = asyncio.run(orders(requests).look_up(OWN_ID, 0))
    assert isinstance(ended, OrderEnded)


def test_a_trade_of_an_older_order_that_is_known_contradicts_nothing() -> None:
    requests = FakeRequests(**{**NOTHING, "MyTrades": [trade()]})
    made = orders(requests)
    made._known.add("77", KnownOrder("another", 0, 1))
    assert absent(requests, made).complete


# --- the account -------------------------------------------------------------------------------


def test_balances_are_whole_lots_and_what_is_beyond_them() -> None:
    balances = [{"asset": "BTC", "free": "0.01234567", "locked": "0.00000100"}]
    requests = FakeRequests(Account={"balances": balances}, OpenOrders=[order()])
    seen = asyncio.run(orders(requests).account())
    assert seen == AccountSeen(NOW, NOW, True, (1_234,), (OWN_ID,), (667,))


def test_balances_that_are_not_there_are_no_answer() -> None:
    with pytest.raises(NoAnswer):
        asyncio.run(orders(FakeRequests(Account={})).account())


def test_a_fee_in_bnb_is_translated() -> None:
    row = {**trade(), "commission": "0.001"}
    requests = FakeRequests(
        Order=order(status="FILLED", side="BUY"), MyTrades=[row],
        Klines=[[0, "1", "1", "1", "600", "9"]],
    )  # fmt: skip
    filled, _ = asyncio.run(orders(requests).look_up(OWN_ID, 0))
    assert isinstance(filled, OrderFilled)
    assert filled.fee_units == 60_000_000
