"""The statement of an account, with all pages or not."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.venues.test_kraken_orders import (
    MARKET,
    NOW,
    OWN_ID,
    FakeRequests,
    rest_order,
    rest_trade,
)

from ares.venues.known_orders import KnownOrders
from ares.venues.kraken_reports import KrakenReports
from ares.venues.kraken_statement import kraken_statement
from ares.venues.statement import OpenAtVenue, Statement


def stated(requests: FakeRequests) -> Statement:
    reports = KrakenReports([MARKET], KnownOrders(), lambda: NOW, lambda _: None)
    return asyncio.run(kraken_statement(requests, [MARKET], reports, NOW))  # type: ignore[arg-type]


def answers(trades: Any) -> FakeRequests:
    elsewhere = {**rest_order(), "descr": {"pair": "ETHUSD", "type": "buy"}}
    return FakeRequests(
        Balance={"XXBT": "0.25"},
        OpenOrders={"open": {"O1": rest_order(), "O2": elsewhere}},
        TradesHistory=trades,
        QueryOrders=lambda p: (
            {id_: rest_order(client_id="") for id_ in p["txid"].split(",")} | {"O1": rest_order()}
        ),
    )


def test_balances_orders_and_executions_are_read() -> None:
    found = stated(answers({"trades": {"T1": rest_trade(), "T2": rest_trade("O5")}, "count": 2}))
    assert found.lots == (25_000_000,)
    assert found.orders == (OpenAtVenue(OWN_ID, "O1", 0, 50_000_000, 0, 370_001),)
    assert {(e.client_id, e.exec_id) for e in found.executions} == {(OWN_ID, "T1"), ("O5", "T2")}
    assert found.complete


def test_a_cut_page_is_not_complete() -> None:
    trades = {f"T{i:03}": rest_trade() for i in range(120)}

    def paged(parameters: dict[str, str]) -> dict[str, Any]:
        at = int(parameters.get("ofs", "0"))
        return {"trades": dict(list(trades.items())[at : at + 50]), "count": 120}

    whole = stated(answers(paged))
    assert (len(whole.executions), whole.complete) == (120, True)
    cut = stated(answers({"trades": dict(list(trades.items())[:50:2]), "count": 120}))
    assert not cut.complete
