"""What a Binance account holds, has open and has executed."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.venues.test_binance_orders import FakeRequests, orders, trade
from tests.venues.test_binance_reports import MARKET, NOW, OWN_ID, made, order

from ares.venues.binance_statement import binance_statement
from ares.venues.statement import OpenAtVenue, Statement


def statement(**answers: Any) -> Statement:
    requests = FakeRequests(**answers)
    from_ms = NOW - 60_000
    return asyncio.run(binance_statement(orders(requests), [MARKET], made(), from_ms, NOW))


def test_a_statement() -> None:
    balances = [{"asset": "BTC", "free": "0.01", "locked": "0.00000001"}]
    found = statement(
        Account={"balances": balances}, OpenOrders=[order()], AllOrders=[order()],
        MyTrades=[trade()],
    )  # fmt: skip
    assert (found.lots, found.rest_units, found.complete) == ((1_000,), (1,), True)
    assert found.orders == (OpenAtVenue(OWN_ID, "77", 0, -2_000, -1_000, 3_000_000),)
    (execution,) = found.executions
    assert (execution.client_id, execution.exec_id) == (OWN_ID, "BTCUSDT-5")


def test_the_owner_of_a_trade_whose_order_is_older_is_asked_for() -> None:
    found = statement(
        Account={"balances": []}, OpenOrders=[], AllOrders=[], MyTrades=[trade()],
        Order=order(clientOrderId="theirs"),
    )  # fmt: skip
    assert [e.client_id for e in found.executions] == ["theirs"]
