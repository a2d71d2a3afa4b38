"""Orders as Kraken takes them, and what proves that one does not exist."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from tests.venues.test_markets import entry

from ares.domain.order_events import (
    AccountSeen,
    AmendOrder,
    CancelOrder,
    OrderAbsent,
    OrderAccepted,
    OrderEnded,
    OrderFilled,
    SubmitOrder,
)
from ares.venues.answers import NoAnswer, NotSent
from ares.venues.known_orders import KnownOrders
from ares.venues.kraken_orders import KrakenOrders, order_request, rfc3339
from ares.venues.kraken_reports import KrakenReports
from ares.venues.markets import market_of

OWN_ID = "a1b2c3d4" + "0" * 24
NOW = 1_700_000_000_000
YEAR_MS = 365 * 86_400_000
MARKET = market_of(entry())


def command(kind: str, lots: int, ticks: int = 0, send_by_ms: int = NOW + 10_000) -> SubmitOrder:
    return SubmitOrder(
        OWN_ID, 0, kind, lots, ticks, "signal", 0.6, 5.0, 50.0, send_by_ms=send_by_ms
    )


class FakeRequests:
    """The answers of a venue, by the last word of the method's name."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.sent: list[Any] = []

    async def ask(
        self, name: str, parameters: Any, rank: int = 1, limit: str = "", cost: float = 1.0
    ) -> dict[str, Any]:
        parameters = parameters() if callable(parameters) else parameters
        method = name.removeprefix("privatePost").removeprefix("publicGet")
        self.sent.append((method, parameters, limit, cost))
        answer = self.answers[method]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        found: dict[str, Any] = answer(parameters) if callable(answer) else answer
        return found

    read = ask

    def methods(self) -> list[str]:
        return [name for name, *_ in self.sent]


def orders(requests: FakeRequests, ahead_ms: int = 0, speed: int = 1) -> KrakenOrders:
    known = KnownOrders()
    reports = KrakenReports([MARKET], known, lambda: NOW, lambda _: None)
    return KrakenOrders(
        requests,  # type: ignore[arg-type]
        [MARKET],
        known,
        reports,
        lambda: NOW,
        lambda: NOW + ahead_ms,
        10_000,
        speed,
        lambda: NOW + 50 * YEAR_MS,
    )


def test_an_entry_is_a_limit_order_that_is_filled_at_once_or_cancelled() -> None:
    assert order_request(command("entry", 12_345_678, 370_001), MARKET) == {
        "pair": "XXBTZUSD",
        "type": "buy",
        "volume": "0.12345678",
        "cl_ord_id": OWN_ID,
        "oflags": "fciq",
        "ordertype": "limit",
        "price": "37000.1",
        "timeinforce": "IOC",
        "deadline": "2023-11-14T22:13:30.000Z",
    }


def test_an_exit_sells_at_the_market_and_a_stop_rests() -> None:
    resting = msgspec.structs.replace(command("entry", 5_000, 370_001), limit_ticks=350_000)
    found = order_request(resting, MARKET)
    assert (found["ordertype"], found["oflags"]) == ("limit", "fciq,post")
    assert "timeinforce" not in found
    limited = order_request(command("exit", -5_000, 350_000), MARKET)
    assert (limited["ordertype"], limited["timeinforce"]) == ("limit", "IOC")
    sale = order_request(command("exit", -5_000, 0, 0), MARKET)
    assert sale == {
        "pair": "XXBTZUSD", "type": "sell", "volume": "0.00005", "cl_ord_id": OWN_ID,
        "oflags": "fciq", "ordertype": "market",
    }  # fmt: skip
    stop = order_request(command("stop", -100_000_000, 350_000), MARKET)
    assert (stop["ordertype"], stop["price"], stop["volume"]) == ("stop-loss", "35000", "1")
    assert "timeinforce" not in stop


def test_an_order_whose_deadline_is_too_near_does_not_leave() -> None:
    requests = FakeRequests(AddOrder={"txid": ["O1"]})
    made = orders(requests, ahead_ms=500)
    assert asyncio.run(made.submit(command("entry", 1, 1, NOW + 2_500))) == "O1"
    with pytest.raises(NotSent, match="1999 ms before its deadline"):
        asyncio.run(made.submit(command("entry", 1, 1, NOW + 2_499)))
    assert len(requests.sent) == 1
    assert asyncio.run(made.submit(command("exit", -1, 0, 0))) == "O1"


def test_a_deadline_further_away_than_the_venue_takes_is_brought_forward() -> None:
    requests = FakeRequests(AddOrder={"txid": ["O1"]})
    asyncio.run(orders(requests).submit(command("entry", 1, 1, NOW + 600_000)))
    assert requests.sent[0][1]["deadline"] == "2023-11-14T22:14:15.000Z"


def test_in_a_fast_rehearsal_deadlines_are_of_the_wall_clock() -> None:
    requests = FakeRequests(AddOrder={"txid": ["O1"]}, AmendOrder={"amend_id": "A"})
    made = orders(requests, speed=60)
    asyncio.run(made.submit(command("entry", 1, 1, NOW + 60 * 10_000)))
    asyncio.run(made.amend(AmendOrder(OWN_ID, 0, -1, 1)))
    for _, parameters, *_ in requests.sent:
        assert parameters["deadline"] == rfc3339(NOW + 50 * YEAR_MS + 10_000)
    with pytest.raises(NotSent, match="1999 ms before its deadline"):
        asyncio.run(made.submit(command("entry", 1, 1, NOW + 60 * 2_000 - 1)))


def test_an_answer_that_names_no_order_is_no_answer() -> None:
    results: list[dict[str, Any]] = [{}, {"txid": []}, {"txid": "O1"}]
    for result in results:
        with pytest.raises(NoAnswer, match="names no order"):
            asyncio.run(orders(FakeRequests(AddOrder=result)).submit(command("exit", -1)))


def test_a_short_lived_order_costs_more_to_cancel() -> None:
    requests = FakeRequests(AddOrder={"txid": ["O1"]}, CancelOrder={"count": 1})
    made = orders(requests)
    asyncio.run(made.submit(command("stop", -1, 1)))
    asyncio.run(made.cancel(CancelOrder(OWN_ID, 0)))
    asyncio.run(made.cancel(CancelOrder(OWN_ID, 0)))
    assert [sent[1:] for sent in requests.sent[1:]] == [
        ({"cl_ord_id": OWN_ID}, "trade:BTC/USD", 8.0),
        ({"cl_ord_id": OWN_ID}, "trade:BTC/USD", 2.0),
    ]


def test_an_amendment_has_the_whole_size_and_a_deadline() -> None:
    requests = FakeRequests(AmendOrder={"amend_id": "A"})
    asyncio.run(orders(requests, 250).amend(AmendOrder(OWN_ID, 0, -50_000_000, 350_000)))
    assert requests.sent[0][1] == {
        "cl_ord_id": OWN_ID, "order_qty": "0.5", "trigger_price": "35000",
        "deadline": "2023-11-14T22:13:30.250Z",
    }  # fmt: skip


def rest_order(status: str = "open", client_id: str = OWN_ID, **more: Any) -> dict[str, Any]:
    described = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "37000.1"}
    order = {"cl_ord_id": client_id, "status": status, "descr": described, "vol": "0.5"}
    return {**order, "vol_exec": "0", "trades": [], "opentm": 1.0, **more}


def rest_trade(order: str = "O1") -> dict[str, Any]:
    return {
        "ordertxid": order, "pair": "XBTUSD", "time": 1_700_000_000.0, "type": "buy",
        "price": "37000.0", "fee": "1.5", "vol": "0.2",
    }  # fmt: skip


NO_OPEN: dict[str, Any] = {"open": {}}
NO_CLOSED: dict[str, Any] = {"closed": {}, "count": 0}
NO_TRADES = {"trades": {}, "count": 0}
TIME = {"unixtime": NOW // 1000}
NOTHING = {"OpenOrders": NO_OPEN, "ClosedOrders": NO_CLOSED, "TradesHistory": NO_TRADES}


def test_an_open_order_is_found_at_the_first_look() -> None:
    requests = FakeRequests(OpenOrders={"open": {"O1": rest_order()}}, Time=TIME)
    assert asyncio.run(orders(requests).look_up(OWN_ID, 0)) == [OrderAccepted(OWN_ID, NOW, "O1")]
    _, (_, parameters, *_) = requests.sent
    assert parameters["cl_ord_id"] == OWN_ID
    assert parameters["consolidate_taker"] == "false"


def test_a_closed_order_comes_with_its_executions_first() -> None:
    closed = rest_order("canceled", vol_exec="0.2", trades=["T1"], reason="IOC")
    requests = FakeRequests(
        OpenOrders=NO_OPEN,
        ClosedOrders={"closed": {"O1": closed}, "count": 1},
        QueryTrades={"T1": rest_trade()},
        Time=TIME,
    )
    filled, ended = asyncio.run(orders(requests).look_up(OWN_ID, 0))
    assert isinstance(filled, OrderFilled)
    assert (filled.exec_id, filled.lots, filled.fee_units) == ("T1", 20_000_000, 150_000_000)
    assert ended == OrderEnded(OWN_ID, NOW, "cancelled", 20_000_000, "IOC")


def test_trades_that_are_summed_up_are_read_one_by_one() -> None:
    closed = rest_order("closed", vol_exec="0.3", trades=["T1", "T2"])
    whole = {**rest_trade(), "vol": "0.3"}
    parts = {"T1": {**rest_trade(), "vol": "0.2"}, "T2": {**rest_trade(), "vol": "0.1"}}
    answers: dict[str, Any] = {
        "OpenOrders": NO_OPEN,
        "ClosedOrders": {"closed": {"O1": closed}, "count": 1},
        "QueryTrades": {"T1": whole, "T2": parts["T2"]},
        "Time": TIME,
    }
    requests = FakeRequests(**answers, TradesHistory={"trades": parts, "count": 2})
    found = asyncio.run(orders(requests).look_up(OWN_ID, 0))
    lots = [e.lots for e in found if isinstance(e, OrderFilled)]
    assert lots == [20_000_000, 10_000_000]
    summed = FakeRequests(**answers, TradesHistory={"trades": answers["QueryTrades"], "count": 2})
    with pytest.raises(NoAnswer, match=r"its executions are of 0\.4, the order says 0\.3"):
        asyncio.run(orders(summed).look_up(OWN_ID, 0))


def test_absence_is_proven_by_everything_from_the_venues_own_time_on() -> None:
    requests = FakeRequests(**NOTHING, Time=TIME)
    assert asyncio.run(orders(requests).look_up(OWN_ID, 0)) == [OrderAbsent(OWN_ID, NOW, True, NOW)]
    assert requests.methods() == ["Time", "OpenOrders", "ClosedOrders", "TradesHistory"]


@pytest.mark.parametrize("failing", ["OpenOrders", "ClosedOrders", "TradesHistory", "Time"])
def test_an_error_on_the_way_proves_nothing(failing: str) -> None:
    answers: dict[str, Any] = {**NOTHING, "Time": TIME, failing: NoAnswer("EService:Busy")}
    with pytest.raises(NoAnswer):
        asyncio.run(orders(FakeRequests(**answers)).look_up(OWN_ID, 0))


def test_an_order_that_moves_on_between_two_looks_is_found() -> None:
    closed = {"closed": {"O1": rest_order("closed")}, "count": 1}
    requests = FakeRequests(**{**NOTHING, "ClosedOrders": closed}, Time=TIME)
    (event,) = asyncio.run(orders(requests).look_up(OWN_ID, 0))
    assert isinstance(event, OrderEnded)


def test_a_venue_that_ignored_the_filter_and_cut_the_page_proves_nothing() -> None:
    others = {f"O{i}": rest_order("closed", f"other{i}") for i in range(50)}
    page = {"closed": others, "count": 120}

    def paged(parameters: dict[str, str]) -> dict[str, Any]:
        return page if parameters.get("ofs", "0") == "0" else {"closed": {}, "count": 120}

    requests = FakeRequests(**{**NOTHING, "ClosedOrders": paged}, Time=TIME)
    (event,) = asyncio.run(orders(requests).look_up(OWN_ID, 0))
    assert event == OrderAbsent(OWN_ID, NOW, False)


def test_trades_of_an_order_that_no_list_has_yet_reveal_it() -> None:
    requests = FakeRequests(
        OpenOrders=NO_OPEN,
        ClosedOrders=NO_CLOSED,
        Time=TIME,
        TradesHistory={"trades": {"T1": rest_trade("O7")}, "count": 1},
        QueryOrders={"O7": rest_order("closed", vol="0.2", vol_exec="0.2", trades=["T1"])},
        QueryTrades={"T1": rest_trade("O7")},
    )
    filled, ended = asyncio.run(orders(requests).look_up(OWN_ID, 0))
    assert isinstance(filled, OrderFilled)
    assert ended == OrderEnded(OWN_ID, NOW, "filled", 20_000_000)


def test_every_page_of_trades_is_read_or_it_is_no_proof() -> None:
    trades = {f"T{i}": rest_trade("O9") for i in range(120)}

    def paged(parameters: dict[str, str]) -> dict[str, Any]:
        at = int(parameters.get("ofs", "0"))
        return {"trades": dict(list(trades.items())[at : at + 50]), "count": 120}

    unknown_order = {"O9": rest_order("closed", "")}
    whole = FakeRequests(
        **{**NOTHING, "TradesHistory": paged}, Time=TIME, QueryOrders=unknown_order
    )
    assert asyncio.run(orders(whole).look_up(OWN_ID, 0)) == [OrderAbsent(OWN_ID, NOW, True, NOW)]
    assert whole.methods().count("TradesHistory") == 3

    cut = {"trades": dict(list(trades.items())[:50:2]), "count": 120}
    partial = FakeRequests(
        **{**NOTHING, "TradesHistory": cut}, Time=TIME, QueryOrders=unknown_order
    )
    assert asyncio.run(orders(partial).look_up(OWN_ID, 0)) == [OrderAbsent(OWN_ID, NOW, False)]


def test_balances_are_whole_lots_and_open_orders_have_ids() -> None:
    requests = FakeRequests(
        Balance={"XXBT": "0.1234567899", "ZUSD": "10.5000"},
        OpenOrders={"open": {"O1": rest_order(), "O2": rest_order(client_id="")}},
    )
    made = orders(requests)
    assert asyncio.run(made.account()) == AccountSeen(NOW, NOW, True, (12_345_678,), (OWN_ID, "O2"))
    assert {k: str(v) for k, v in asyncio.run(made.cash()).items()} == {
        "XXBT": "0.1234567899", "ZUSD": "10.5000",
    }  # fmt: skip


def test_an_answer_without_its_table_proves_nothing() -> None:
    answers: list[dict[str, Any]] = [{}, {"open": []}, {"open": {"O1": 5}}]
    for wrong in answers:
        with pytest.raises(NoAnswer, match="has no open"):
            asyncio.run(orders(FakeRequests(Balance={}, OpenOrders=wrong)).account())


def test_whose_an_execution_is() -> None:
    made = orders(FakeRequests(QueryOrders={"O1": rest_order(), "O2": rest_order(client_id="")}))
    assert asyncio.run(made.owner_of("O1")) == OWN_ID
    assert asyncio.run(made.owner_of("O2")) == "O2"
    with pytest.raises(NoAnswer, match="was not found"):
        asyncio.run(made.owner_of("O3"))
