"""What Alpaca refuses, and how: requests as they travel, without a client between."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from tests.sim.serving import Served, serving

from ares.sim.serve.alpaca_private import calendar, clock_facts

ORDER = {"symbol": "BTC/USDT", "side": "buy", "type": "market", "qty": "0.1",
         "time_in_force": "gtc"}  # fmt: skip
LIMIT = {**ORDER, "type": "limit", "limit_price": "30000"}


def ask(
    method: str, path: str, body: Any = None, faults: tuple[dict[str, Any], ...] = ()
) -> tuple[int, Any]:
    """Return status and body of one request to a server of its own."""

    async def run() -> tuple[int, Any]:
        async with serving("alpaca", 1.0) as served, aiohttp.ClientSession() as session:
            for fault in faults:
                served.fault(**fault)
            return await one(served, session, method, path, body)

    return asyncio.run(run())


async def one(
    served: Served, session: aiohttp.ClientSession, method: str, path: str, body: Any = None
) -> tuple[int, Any]:
    key = served.key("engine")
    headers = {"APCA-API-KEY-ID": key.key, "APCA-API-SECRET-KEY": key.secret}
    address = f"{served.address}/v2/{path}"
    async with session.request(method, address, json=body, headers=headers) as answer:
        return answer.status, await answer.json() if answer.status != 204 else None


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"type": "stop"}, 422, "invalid order type for crypto"),
        ({"time_in_force": "day"}, 422, "invalid crypto time_in_force"),
        ({"order_class": "bracket"}, 422, "advanced order_class"),
        ({"qty": None}, 422, "qty or notional"),
        ({"notional": "5"}, 422, "qty or notional"),
        ({"qty": "-1"}, 422, "qty must be > 0"),
        ({"qty": "0.0000000001"}, 422, "decimals"),
        ({"limit_price": "30000"}, 422, "limit_price is not allowed"),
        ({"type": "limit"}, 422, "limit_price is required"),
        ({"type": "stop_limit", "limit_price": "1"}, 422, "stop_price is required"),
        ({"side": "hold"}, 422, "side must be"),
        ({"symbol": "XYZ/USD"}, 422, 'asset "XYZ/USD" not found'),
        ({"side": "sell", "qty": "50"}, 403, "insufficient balance for BTC"),
        ({"client_order_id": "x" * 129}, 422, "no more than 128"),
    ],
)
def test_orders_that_make_no_sense(changes: dict[str, Any], status: int, text: str) -> None:
    found, body = ask("POST", "orders", {**ORDER, **changes})
    assert found == status
    assert text in body["message"]
    assert str(body["code"]).startswith(("403", "400", "422"))


def test_what_is_not_there() -> None:
    assert ask("GET", "orders:by_client_order_id?client_order_id=none")[0] == 404
    assert ask("GET", "nothing")[0] == 404
    assert ask("GET", "positions/XYZUSD")[0] == 404
    assert ask("DELETE", "orders/none")[0] == 404
    assert ask("GET", "orders?status=gone")[0] == 422
    assert ask("GET", "account/activities/FILL?page_token=none")[0] == 422


@pytest.mark.parametrize(
    ("kind", "status"),
    [("maintenance", 503), ("cancel_only", 422), ("unavailable", 503), ("error_before", 200)],
)
def test_states_and_faults(kind: str, status: int) -> None:
    found, body = ask("POST", "orders", ORDER, ({"kind": kind},))
    assert found == status
    assert body["message"]


def test_an_id_is_taken_for_ever() -> None:
    async def run() -> None:
        async with serving("alpaca", 1.0) as served, aiohttp.ClientSession() as session:
            named = {**LIMIT, "client_order_id": "mine"}
            _, order = await one(served, session, "POST", "orders", named)
            assert (await one(served, session, "POST", "orders", named))[0] == 422
            assert await one(served, session, "DELETE", f"orders/{order['id']}") == (204, None)
            status, body = await one(served, session, "POST", "orders", named)
            assert (status, body["message"]) == (422, "client_order_id must be unique")

    asyncio.run(run())


def test_pages_of_orders_and_the_fault_that_cuts_them() -> None:
    async def run() -> None:
        async with serving("alpaca", 1.0) as served, aiohttp.ClientSession() as session:
            made = [(await one(served, session, "POST", "orders", LIMIT))[1] for _ in range(5)]
            ids = [order["id"] for order in made]
            path = "orders?limit=3&direction=asc"
            _, page = await one(served, session, "GET", path)
            assert [order["id"] for order in page] == ids[:3]
            _, rest = await one(served, session, "GET", f"{path}&after={page[-1]['submitted_at']}")
            assert {order["id"] for order in rest} <= set(ids[3:])
            served.fault("incomplete")
            _, cut = await one(served, session, "GET", "orders")
            assert len(cut) == 3

    asyncio.run(run())


def test_a_body_that_is_no_json() -> None:
    async def run() -> None:
        async with serving("alpaca", 1.0) as served, aiohttp.ClientSession() as session:
            key = served.key("engine")
            headers = {"APCA-API-KEY-ID": key.key, "APCA-API-SECRET-KEY": key.secret}
            address = f"{served.address}/v2/orders"
            async with session.post(address, data=b"{", headers=headers) as answer:
                assert answer.status == 400

    asyncio.run(run())


def test_the_clock_and_the_calendar_of_shares() -> None:
    monday_noon_ms = 1_700_481_600_000  # 2023-11-20 12:00 UTC
    facts = clock_facts(monday_noon_ms)
    assert not facts["is_open"]
    assert facts["next_open"].startswith("2023-11-20T09:30")
    assert clock_facts(monday_noon_ms + 4 * 3_600_000)["is_open"]
    days = calendar({"start": "2023-11-17", "end": "2023-11-21"}, monday_noon_ms)
    assert [day["date"][-2:] for day in days] == ["17", "20", "21"]
