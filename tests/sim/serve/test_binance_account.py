"""Binance's account over loopback, as ccxt, ccxt.pro and the venue's own SDK see it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import binance_common.utils
import binance_common.websocket
import ccxt
import pytest
from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketAPI
from binance_sdk_spot.spot import Spot
from tests.sim.serve.test_kraken_account import until, watching
from tests.sim.serving import Served, serving, serving_in_thread

CLIENT_ID = "0123456789abcdef" * 2


def play(scene: Callable[[Served, Any], Awaitable[None]], speed: float = 1.0) -> None:
    """Run a scene with ccxt.pro, whose clock is the venue's, on a server of its own."""

    async def run() -> None:
        async with serving("binance", speed) as served:
            exchange = served.exchange("binance")
            exchange.nonce = served.venue.now_ms
            try:
                await exchange.load_markets()
                await scene(served, exchange)
            finally:
                await exchange.close()

    asyncio.run(run())


def test_ccxt_places_looks_up_replaces_and_cancels() -> None:
    async def scene(served: Served, exchange: Any) -> None:
        last = (await exchange.fetch_ticker("BTC/USDT"))["last"]
        low, high = round(last * 0.9, 2), round(last * 1.1, 2)
        ids = {"clientOrderId": CLIENT_ID}
        bought = await exchange.create_order("BTC/USDT", "market", "buy", 0.25)
        assert (bought["status"], bought["filled"]) == ("closed", 0.25)
        assert bought["fee"]["currency"] == "BTC"
        limit = await exchange.create_order("BTC/USDT", "limit", "buy", 0.5, low, ids)
        stop = {"stopLossPrice": low}
        await exchange.create_order("BTC/USDT", "market", "sell", 0.5, None, stop)
        await exchange.create_order("BTC/USDT", "limit", "sell", 0.5, low - 10, stop)
        await exchange.create_order("BTC/USDT", "limit", "sell", 0.5, high, {"postOnly": True})
        opened = {o["id"]: o for o in await exchange.fetch_open_orders("BTC/USDT")}
        assert len(opened) == 4
        assert opened[limit["id"]]["clientOrderId"] == CLIENT_ID
        assert sum(o["triggerPrice"] == low for o in opened.values()) == 2
        balance = await exchange.fetch_balance()
        assert balance["used"]["BTC"] == 1.5
        replaced = await exchange.edit_order(limit["id"], "BTC/USDT", "limit", "buy", 0.4, low - 5)
        assert (replaced["amount"], replaced["price"]) == (0.4, low - 5)
        cancelled = await exchange.cancel_order(replaced["id"], "BTC/USDT")
        assert cancelled["status"] == "canceled"
        with pytest.raises(ccxt.OrderNotFound):
            await exchange.cancel_order(limit["id"], "BTC/USDT")
        found = await exchange.fetch_order("", "BTC/USDT", {"clientOrderId": CLIENT_ID})
        assert (found["id"], found["status"]) == (limit["id"], "canceled")
        (trade,) = await exchange.fetch_my_trades("BTC/USDT")
        assert (trade["order"], trade["amount"]) == (bought["id"], 0.25)
        closed = await exchange.fetch_closed_orders("BTC/USDT")
        assert bought["id"] in {o["id"] for o in closed}
        await exchange.cancel_all_orders("BTC/USDT")
        assert served.account.open_orders() == []

    play(scene)


def test_ccxts_watchers_see_orders_fills_and_balances() -> None:
    async def scene(served: Served, exchange: Any) -> None:
        await exchange.fetch_balance()
        async with watching(exchange, first_balance=False) as watched:
            await until(lambda: served.account.listeners, "the subscription")
            ids = {"clientOrderId": CLIENT_ID}
            order = await exchange.create_order("BTC/USDT", "market", "buy", 0.25, None, ids)
            await until(lambda: watched.trades, "the fill")
            await until(lambda: "closed" in watched.unified(order["id"]), "the end")
            (trade,) = watched.trades.values()
            assert (trade["order"], trade["amount"]) == (order["id"], 0.25)
            await until(
                lambda: watched.balance.get("total", {}).get("BTC") == 2.24975, "the balance"
            )
            low = round(trade["price"] * 0.9, 2)
            rests = await exchange.create_order("BTC/USDT", "limit", "buy", 0.25, low)
            await exchange.cancel_order(rests["id"], "BTC/USDT")
            await until(lambda: "canceled" in watched.unified(rests["id"]), "the cancel")

    play(scene)


def test_ccxt_trades_over_the_socket() -> None:
    async def scene(served: Served, exchange: Any) -> None:
        low = round((await exchange.fetch_ticker("BTC/USDT"))["last"] * 0.9, 2)
        order = await exchange.create_order_ws("BTC/USDT", "limit", "buy", 0.5, low)
        (held,) = served.account.open_orders()
        assert held.order_id == order["id"]
        assert len(await exchange.fetch_open_orders_ws("BTC/USDT")) == 1
        await exchange.cancel_order_ws(order["id"], "BTC/USDT")
        assert held.status == "canceled"
        assert (await exchange.fetch_order_ws(order["id"], "BTC/USDT"))["status"] == "canceled"

    play(scene)


def test_ccxt_understands_each_refusal() -> None:
    async def scene(served: Served, exchange: Any) -> None:
        async def buy(amount: float, **params: Any) -> Any:
            return await exchange.create_order("BTC/USDT", "limit", "buy", amount, 30_000, params)

        with pytest.raises(ccxt.InsufficientFunds):
            await buy(9_999)
        served.fault("error_after", only="POST", count=1)
        with pytest.raises(ccxt.RequestTimeout):
            await buy(0.1)
        assert len(served.account.open_orders()) == 1
        served.fault("reply_lost", only="POST", count=1)
        with pytest.raises(ccxt.NetworkError):
            await buy(0.1, clientOrderId=CLIENT_ID)
        assert served.account.open_orders()[1].requested.client_id == CLIENT_ID
        exchange.nonce = lambda: served.venue.now_ms() - 60_000
        with pytest.raises(ccxt.InvalidNonce):
            await buy(0.1)
        served.fault("key_revoked")
        with pytest.raises(ccxt.AuthenticationError):
            await exchange.fetch_balance()

    play(scene)


def test_the_venues_own_sdk_trades_over_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_in_thread("binance", speed=1.0) as served:
        monkeypatch.setattr(binance_common.utils, "get_timestamp", served.venue.now_ms)
        key = served.key("engine")
        settings = ConfigurationRestAPI(
            api_key=key.key, api_secret=key.secret, base_path=served.address, retries=0
        )
        rest: Any = Spot(settings).rest_api
        bought = rest.new_order("BTCUSDT", "BUY", "MARKET", quantity=0.25).data()
        assert bought.status == "FILLED"
        limit = {"time_in_force": "GTC", "price": 30_000.0}
        order = rest.new_order(
            *("BTCUSDT", "BUY", "LIMIT"), quantity=0.5, new_client_order_id="mine", **limit
        ).data()
        (listed,) = rest.get_open_orders("BTCUSDT").data()
        assert listed.client_order_id == "mine"
        amended = rest.order_amend_keep_priority(
            "BTCUSDT", new_qty=0.4, order_id=order.order_id
        ).data()
        assert amended.amended_order.qty == "0.40000000"
        assert rest.delete_order("BTCUSDT", orig_client_order_id="mine").data().status == "CANCELED"
        assert len(rest.all_orders("BTCUSDT").data()) == 2
        (trade,) = rest.my_trades("BTCUSDT").data()
        assert trade.order_id == bought.order_id
        balances = {row.asset: row.free for row in rest.get_account().data().balances}
        assert balances["BTC"] == "2.24975000"


@pytest.mark.filterwarnings("ignore:parameter 'timeout' of type 'float' is deprecated")
def test_the_venues_own_sdk_subscribes_and_trades_over_the_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(served: Served) -> None:
        key = served.key("engine")
        settings = ConfigurationWebSocketAPI(
            api_key=key.key, api_secret=key.secret, stream_url=f"{served.socket_address}/ws-api/v3"
        )
        spot: Any = Spot(config_ws_api=settings)
        connection = await spot.websocket_api.create_connection()
        try:
            subscribed = await connection.user_data_stream_subscribe_signature()
            events: list[Any] = []
            subscribed.stream.on("message", events.append)
            placed = await connection.order_place("BTCUSDT", "BUY", "MARKET", quantity=0.25)
            assert placed.data().result.status == "FILLED"
            await until(lambda: len(events) >= 2, "the user's events")
            assert len(served.account.executions) == 1
        finally:
            await connection.close_connection(close_session=True)

    with serving_in_thread("binance", speed=1.0) as served:
        for module in (binance_common.utils, binance_common.websocket):
            monkeypatch.setattr(module, "get_timestamp", served.venue.now_ms)
        asyncio.run(scene(served))
