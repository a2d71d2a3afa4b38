"""Alpaca's account over loopback, as ccxt, ccxt.pro and the venue's own SDK see it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import ccxt
import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, TimeInForce, TradeEvent
from alpaca.trading.models import Order, Position, TradeAccount, TradeUpdate
from alpaca.trading.requests import (
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
)
from alpaca.trading.stream import TradingStream
from tests.sim.serve.test_kraken_account import until
from tests.sim.serving import Served, serving, serving_in_thread

CLIENT_ID = "0123456789abcdef" * 2
GTC = TimeInForce.GTC


def play(scene: Callable[[Served, Any], Awaitable[None]], speed: float = 1.0) -> None:
    """Run a scene with ccxt.pro on a server of its own."""

    async def run() -> None:
        async with serving("alpaca", speed) as served:
            exchange = served.exchange("alpaca")
            try:
                await exchange.load_markets()
                await scene(served, exchange)
            finally:
                await exchange.close()

    asyncio.run(run())


def client_of(served: Served, key: str = "engine") -> Any:
    own = served.key(key)
    return TradingClient(own.key, own.secret, url_override=served.address)


def test_ccxt_places_looks_up_replaces_and_cancels() -> None:
    async def scene(served: Served, exchange: Any) -> None:
        last = (await exchange.fetch_ticker("BTC/USDT"))["last"]
        low, high = round(last * 0.9, 2), round(last * 1.1, 2)
        bought = await exchange.create_order("BTC/USDT", "market", "buy", 0.25)
        assert (bought["status"], bought["filled"]) == ("open", 0.0)  # it is only accepted
        assert (await exchange.fetch_order(bought["id"]))["filled"] == 0.25
        ids = {"clientOrderId": CLIENT_ID}
        limit = await exchange.create_order("BTC/USDT", "limit", "buy", 0.5, low, ids)
        stop = {"triggerPrice": low}
        await exchange.create_order("BTC/USDT", "limit", "sell", 0.5, low - 10, stop)
        await exchange.create_order("BTC/USDT", "limit", "sell", 0.5, high)
        opened = {o["id"]: o for o in await exchange.fetch_open_orders("BTC/USDT")}
        assert len(opened) == 3
        assert opened[limit["id"]]["clientOrderId"] == CLIENT_ID
        balance = await exchange.fetch_balance()
        assert (balance["total"]["BTC"], balance["used"]["BTC"]) == (2.249375, 1.0)
        replaced = await exchange.edit_order(limit["id"], "BTC/USDT", "limit", "buy", 0.4, low - 5)
        assert replaced["id"] != limit["id"]
        assert replaced["clientOrderId"] != CLIENT_ID
        old = await exchange.fetch_order(limit["id"])
        assert (old["info"]["status"], old["info"]["replaced_by"]) == ("replaced", replaced["id"])
        await exchange.cancel_order(replaced["id"])
        with pytest.raises(ccxt.BadRequest, match="already in"):
            await exchange.cancel_order(replaced["id"])
        (trade,) = await exchange.fetch_my_trades("BTC/USDT")
        assert (trade["order"], trade["amount"]) == (bought["id"], 0.25)
        closed = await exchange.fetch_closed_orders("BTC/USDT")
        assert {o["id"] for o in closed} == {bought["id"], limit["id"], replaced["id"]}

    play(scene)


def test_ccxt_sees_refusals_as_they_are() -> None:
    async def scene(served: Served, exchange: Any) -> None:
        buy: Any = ("BTC/USDT", "limit", "buy")
        ids = {"clientOrderId": CLIENT_ID}
        with pytest.raises(ccxt.InsufficientFunds, match="insufficient balance for USDT"):
            await exchange.create_order(*buy, 5_000, 30_000)
        with pytest.raises(ccxt.BadRequest, match="time_in_force"):
            await exchange.create_order(*buy, 0.1, 30_000, {"timeInForce": "FOK"})
        with pytest.raises(ccxt.BadRequest, match="order type"):
            await exchange.create_order("BTC/USDT", "stop", "sell", 0.1)
        first = await exchange.create_order(*buy, 0.1, 30_000, ids)
        await exchange.cancel_order(first["id"])
        with pytest.raises(ccxt.BadRequest, match="must be unique"):  # though it has ended
            await exchange.create_order(*buy, 0.1, 30_000, ids)
        served.fault("key_revoked", only="engine")
        with pytest.raises(ccxt.PermissionDenied, match="not authorized"):
            await exchange.fetch_balance()

    play(scene)


def test_ccxt_watches_orders_and_trades() -> None:
    async def scene(served: Served, exchange: Any) -> None:
        orders: dict[str, list[dict[str, Any]]] = {}

        async def watch() -> None:
            while True:
                for order in await exchange.watch_orders():
                    orders.setdefault(order["id"], []).append({**order})

        task = asyncio.create_task(watch())
        try:
            await until(lambda: served.account.listeners, "the subscription")
            order = await exchange.create_order("BTC/USDT", "market", "buy", 0.25)
            await until(lambda: order["id"] in orders, "the order")
            await until(lambda: orders[order["id"]][-1]["status"] == "closed", "its end")
            assert orders[order["id"]][-1]["filled"] == 0.25
        finally:
            task.cancel()

    play(scene)


def test_the_venues_sdk_trades() -> None:
    with serving_in_thread("alpaca", 1.0) as served:
        client = client_of(served)
        account, assets = client.get_account(), client.get_all_assets()
        assert isinstance(account, TradeAccount)
        assert account.crypto_status == "ACTIVE"
        assert [asset.symbol for asset in assets] == ["BTC/USDT", "ADA/USDT"]
        assert abs(client.get_clock().timestamp.timestamp() * 1000 - served.venue.now_ms()) < 5_000
        assert client.get_calendar()
        made = MarketOrderRequest(
            symbol="BTC/USDT", qty=0.5, side=OrderSide.BUY, time_in_force=GTC,
            client_order_id=CLIENT_ID,
        )  # fmt: skip
        order = client.submit_order(made)
        assert isinstance(order, Order)
        assert order.status is OrderStatus.PENDING_NEW
        found = client.get_order_by_client_id(CLIENT_ID)
        assert (found.id, found.status) == (order.id, OrderStatus.FILLED)
        position = client.get_open_position("BTCUSD")
        assert isinstance(position, Position)
        assert position.qty == "2.49875"  # the fee is taken from what was received
        last = float(position.current_price or 0)
        rest = {"symbol": "BTC/USDT", "qty": 0.5, "time_in_force": GTC}
        low = round(last * 0.9, 2)
        stop = client.submit_order(
            StopLimitOrderRequest(
                **rest, side=OrderSide.SELL, stop_price=low, limit_price=round(low * 0.98, 2)
            )
        )
        limit = client.submit_order(LimitOrderRequest(**rest, side=OrderSide.BUY, limit_price=low))
        listed = client.get_orders(GetOrdersRequest(symbols=["BTC/USDT"]))
        assert {o.id for o in listed} == {stop.id, limit.id}
        other = client.replace_order_by_id(limit.id, ReplaceOrderRequest(limit_price=low - 1))
        assert other.replaces == limit.id
        client.cancel_order_by_id(other.id)
        (left,) = client.cancel_orders()
        assert (left.id, left.status) == (stop.id, 200)
        assert client.get_orders() == []
        sold = client.close_position("BTCUSD")
        assert client.get_order_by_id(sold.id).filled_qty == "2.49875"
        with pytest.raises(APIError, match="position does not exist"):
            client.get_open_position("BTCUSD")
        money = MarketOrderRequest(
            symbol="ADA/USDT", notional=100, side=OrderSide.BUY, time_in_force=GTC
        )
        assert float(client.submit_order(money).qty) == pytest.approx(100 / 0.37, rel=0.2)


def test_keys_have_rights_and_requests_a_limit() -> None:
    with serving_in_thread("alpaca", 1.0, tier="intermediate") as served:
        reader = client_of(served, "reader")
        reader._retry = 0
        with pytest.raises(APIError, match="lacks this right"):
            reader.cancel_order_by_id("00000000-0000-4000-a000-000000000000")
        for _ in range(199):
            reader.get_account()
        with pytest.raises(APIError, match="rate limit exceeded"):
            reader.get_account()
        client_of(served).get_account()  # another key has its own


def test_fees_are_posted_at_the_end_of_the_day() -> None:
    async def scene(served: Served, exchange: Any) -> None:
        await exchange.create_order("BTC/USDT", "market", "buy", 0.25)
        await exchange.create_order("BTC/USDT", "market", "sell", 0.1)
        ask = exchange.traderPrivateGetV2AccountActivitiesActivityType
        assert len(await ask({"activity_type": "FILL"})) >= 2
        assert await ask({"activity_type": "CFEE"}) == []
        await until(lambda: served.venue.now_ms() % 86_400_000 < 3_600_000, "the next day")
        fees = await ask({"activity_type": "CFEE", "direction": "asc"})
        assert {row["symbol"] for row in fees} == {"BTCUSD", "USDTUSD"}
        taken = sum(float(row["qty"]) for row in fees if row["symbol"] == "BTCUSD")
        assert taken == pytest.approx(-0.25 * 0.0025)
        one = {"activity_type": "FILL", "page_size": "1"}
        (first,) = await ask(one)
        (second,) = await ask({**one, "page_token": first["id"]})
        assert first["transaction_time"] >= second["transaction_time"]
        assert first["id"] != second["id"]

    play(scene, speed=20_000.0)


def test_the_sdks_stream_shows_what_happens() -> None:
    async def run() -> None:
        async with serving("alpaca", 1.0) as served:
            own = served.key("engine")
            stream: Any = TradingStream(
                own.key, own.secret, url_override=f"{served.socket_address}/stream"
            )
            updates: list[TradeUpdate] = []

            async def take(update: TradeUpdate) -> None:
                updates.append(update)

            stream.subscribe_trade_updates(take)
            task = asyncio.create_task(stream._run_forever())
            try:
                await until(lambda: served.account.listeners, "the subscription")
                client, order = client_of(served), None

                def trade() -> Any:
                    return client.submit_order(
                        MarketOrderRequest(
                            symbol="BTC/USDT", qty=0.5, side=OrderSide.BUY, time_in_force=GTC
                        )
                    )

                order = await asyncio.to_thread(trade)
                await until(lambda: updates and updates[-1].event == TradeEvent.FILL, "the fill")
                assert updates[0].event == TradeEvent.NEW
                assert {update.order.id for update in updates} == {order.id}
                assert updates[-1].position_qty == 2.49875
            finally:
                await stream.stop_ws()
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def test_a_stream_with_a_wrong_secret_is_refused_and_gets_nothing() -> None:
    """ccxt waits for ever then; so this asks the socket itself."""

    async def run() -> None:
        async with (
            serving("alpaca", 1.0) as served,
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{served.socket_address}/stream") as socket,
        ):
            listen = {"action": "listen", "data": {"streams": ["trade_updates"]}}
            wrong = {"action": "auth", "key": served.key("engine").key, "secret": "wrong"}
            for request in (listen, wrong):
                await socket.send_json(request)
                message = await socket.receive()
                assert message.type is aiohttp.WSMsgType.BINARY
                found = json.loads(message.data)
                assert found["stream"] == "authorization"
                assert found["data"]["status"] == "unauthorized"
            assert served.account.listeners == []

    asyncio.run(run())
