"""Kraken's account over loopback, as ccxt, ccxt.pro and the venue's own SDK see it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import ccxt
import pytest
from kraken.exceptions import (
    KrakenInsufficientFundsError,
    KrakenInvalidAPIKeyError,
    KrakenInvalidSignatureError,
    KrakenPermissionDeniedError,
    KrakenUnknownOrderError,
)
from kraken.spot import SpotWSClient, Trade, User
from tests.sim.serving import Served, serving, serving_in_thread

WAIT_S = 30.0
CLIENT_ID = "0123456789abcdef" * 2


async def until(ready: Callable[[], Any], what: str) -> None:
    for _ in range(int(WAIT_S / 0.02)):
        if ready():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {WAIT_S} s: {what}")


def play(scene: Callable[[Served, Any], Awaitable[None]], speed: float = 1.0) -> None:
    """Run a scene with ccxt.pro on a server of its own."""

    async def run() -> None:
        async with serving("kraken", speed) as served:
            exchange = served.exchange("kraken")
            try:
                await exchange.load_markets()
                await scene(served, exchange)
            finally:
                await exchange.close()

    asyncio.run(run())


class Watched:
    """What ccxt.pro's watchers gave, and which of them."""

    def __init__(self) -> None:
        self.orders: dict[str, list[dict[str, Any]]] = {}
        self.trades: dict[str, dict[str, Any]] = {}
        self.balance: dict[str, Any] = {}

    def unified(self, order_id: str) -> list[str]:
        return [order["status"] for order in self.orders.get(order_id, [])]

    def statuses(self, order_id: str) -> list[str]:
        return [order["info"]["order_status"] for order in self.orders.get(order_id, [])]


@asynccontextmanager
async def watching(exchange: Any, *, first_balance: bool = True) -> AsyncIterator[Watched]:
    watched = Watched()

    async def orders() -> None:
        while True:
            for order in await exchange.watch_orders():
                watched.orders.setdefault(order["id"], []).append(order)

    async def trades() -> None:
        while True:
            for trade in await exchange.watch_my_trades():
                watched.trades[trade["id"]] = trade

    async def balance() -> None:
        while True:
            watched.balance = await exchange.watch_balance()

    tasks = [asyncio.create_task(work) for work in (orders(), trades(), balance())]
    try:
        if first_balance:
            await until(lambda: watched.balance, "the balances")
        yield watched
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, Exception):
                await task


def test_ccxt_places_looks_up_edits_and_cancels() -> None:
    async def scene(served: Served, exchange: Any) -> None:
        last = (await exchange.fetch_ticker("BTC/USDT"))["last"]
        ids = {"clientOrderId": CLIENT_ID}
        low, high = round(last * 0.9, 2), round(last * 1.1, 2)
        bought = await exchange.create_order("BTC/USDT", "market", "buy", 0.25)
        limit = await exchange.create_order("BTC/USDT", "limit", "buy", 0.5, low, ids)
        stop = {"stopLossPrice": low}
        await exchange.create_order("BTC/USDT", "market", "sell", 0.5, None, stop)
        params = {**stop, "clientOrderId": "a-stop-limit"}
        await exchange.create_order("BTC/USDT", "limit", "sell", 0.5, low - 10, params)
        await exchange.create_order("BTC/USDT", "limit", "sell", 0.5, high, {"postOnly": True})
        opened = {o["id"]: o for o in await exchange.fetch_open_orders("BTC/USDT")}
        assert len(opened) == 4
        assert opened[limit["id"]]["clientOrderId"] == CLIENT_ID
        assert sorted(str(o["stopLossPrice"]) for o in opened.values()).count("None") == 2
        balance = await exchange.fetch_balance()
        assert balance["total"]["BTC"] == 2.25
        assert balance["used"]["BTC"] == 1.5
        edited = round(last * 0.89, 2)
        await exchange.edit_order(limit["id"], "BTC/USDT", "limit", "buy", 0.4, edited)
        (found,) = await exchange.fetch_open_orders("BTC/USDT", params=ids)
        assert (found["price"], found["amount"], found["id"]) == (edited, 0.4, limit["id"])
        await exchange.cancel_order(limit["id"])
        await exchange.cancel_order("", params={"clientOrderId": "a-stop-limit"})
        with pytest.raises(ccxt.OrderNotFound):
            await exchange.cancel_order(limit["id"])
        closed = {o["id"]: o for o in await exchange.fetch_closed_orders("BTC/USDT")}
        assert closed[limit["id"]]["status"] == "canceled"
        filled = closed[bought["id"]]
        assert (filled["status"], filled["filled"]) == ("closed", 0.25)
        (trade,) = await exchange.fetch_my_trades("BTC/USDT")
        assert (trade["order"], trade["amount"]) == (bought["id"], 0.25)
        spent = trade["cost"] + trade["fee"]["cost"]
        usdt = (await exchange.fetch_balance())["total"]["USDT"]
        assert usdt == pytest.approx(10_000_000 - spent, abs=1e-6)
        assert (await exchange.fetch_order(bought["id"]))["trades"][0]["id"] == trade["id"]
        await exchange.cancel_all_orders()
        assert served.account.open_orders() == []

    play(scene)


def test_ccxts_watchers_see_orders_fills_and_balances() -> None:
    async def scene(served: Served, exchange: Any) -> None:
        async with watching(exchange) as watched:
            ids = {"clientOrderId": CLIENT_ID}
            order = await exchange.create_order("BTC/USDT", "market", "buy", 0.25, None, ids)
            await until(lambda: "filled" in watched.statuses(order["id"]), "the end")
            await until(lambda: watched.balance["total"]["BTC"] == 2.25, "the balance")
            await until(lambda: watched.trades, "the fill")
            (trade,) = watched.trades.values()
            assert (trade["order"], trade["amount"]) == (order["id"], 0.25)
            assert trade["fee"]["currency"] == "USDT"
            assert watched.orders[order["id"]][-1]["info"]["cl_ord_id"] == CLIENT_ID
            low = round(trade["price"] * 0.9, 2)
            rests = await exchange.create_order("BTC/USDT", "limit", "buy", 0.25, low)
            await exchange.edit_order(rests["id"], "BTC/USDT", "limit", "buy", 0.2, low - 5)
            await exchange.cancel_order(rests["id"])
            await until(lambda: "canceled" in watched.statuses(rests["id"]), "the cancel")
            last = watched.orders[rests["id"]][-1]
            assert (last["amount"], last["price"]) == (0.2, low - 5)

    play(scene)


def test_ccxt_places_edits_and_cancels_over_the_socket() -> None:
    async def scene(served: Served, exchange: Any) -> None:
        last = (await exchange.fetch_ticker("BTC/USDT"))["last"]
        low = round(last * 0.9, 2)
        order = await exchange.create_order_ws("BTC/USDT", "limit", "buy", 0.5, low)
        (held,) = served.account.open_orders()
        assert held.order_id == order["id"]
        await exchange.edit_order_ws(order["id"], "BTC/USDT", "limit", "buy", 0.4, low - 5)
        assert held.lots == 40_000_000
        await exchange.cancel_order_ws(order["id"])
        assert held.status == "canceled"
        with pytest.raises(ccxt.ExchangeError):
            await exchange.cancel_order_ws(order["id"])
        await exchange.create_order_ws("BTC/USDT", "limit", "buy", 0.5, low)
        await exchange.cancel_all_orders_ws()
        assert served.account.open_orders() == []
        with pytest.raises(ccxt.ExchangeError):
            await exchange.create_order_ws("BTC/USDT", "limit", "buy", 9_999, low)

    play(scene)


def test_the_market_fills_an_order_that_rests() -> None:
    async def scene(served: Served, exchange: Any) -> None:
        async with watching(exchange) as watched:
            last = (await exchange.fetch_ticker("BTC/USDT"))["last"]
            order = await exchange.create_order("BTC/USDT", "limit", "buy", 0.01, last - 1)
            await until(lambda: "filled" in watched.statuses(order["id"]), "the market")
            trades = [t for t in watched.trades.values() if t["order"] == order["id"]]
            assert sum(t["amount"] for t in trades) == pytest.approx(0.01)

    play(scene, speed=600.0)


def test_ccxt_understands_each_refusal() -> None:
    async def scene(served: Served, exchange: Any) -> None:
        async def buy(amount: float, price: float, **params: Any) -> Any:
            return await exchange.create_order("BTC/USDT", "limit", "buy", amount, price, params)

        with pytest.raises(ccxt.InsufficientFunds):
            await buy(9_999, 30_000)
        with pytest.raises(ccxt.InvalidOrder):
            await exchange.privatePostAddOrder(
                {"pair": "XBTUSDT", "type": "buy", "ordertype": "market", "volume": "0.00000001"}
            )
        with pytest.raises(ccxt.ExchangeError, match="Deadline elapsed"):
            await buy(0.1, 30_000, deadline="2001-01-01T00:00:00Z")
        served.fault("cancel_only", count=1)
        with pytest.raises(ccxt.OnMaintenance):
            await buy(0.1, 30_000)
        served.venue.faults.clear()
        served.fault("unavailable", only="AddOrder", count=1)
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await buy(0.1, 30_000)
        served.fault("key_revoked")
        with pytest.raises(ccxt.AuthenticationError):
            await exchange.fetch_balance()
        assert served.account.orders == {}

    play(scene)


# --- the venue's own SDK -----------------------------------------------------------------------


def test_the_venues_own_sdk_trades_over_rest() -> None:
    with serving_in_thread("kraken", speed=1.0) as served:
        key = served.key("engine")
        trade = Trade(key.key, key.secret, url=served.address)
        user = User(key.key, key.secret, url=served.address)
        bought = trade.create_order(ordertype="market", side="buy", pair="XBTUSDT", volume="0.25")
        low = trade.create_order(
            *("limit", "buy", "XBTUSDT"), volume="0.5", price="30000", cl_ord_id="mine"
        )
        (order_id,) = low["txid"]
        assert set(user.get_open_orders(cl_ord_id="mine")["open"]) == {order_id}
        assert trade.amend_order(extra_params={"txid": order_id, "order_qty": "0.4"})["amend_id"]
        edited = trade.edit_order(txid=order_id, pair="XBTUSDT", volume="0.3", price="29000")
        assert trade.cancel_order(txid=edited["txid"]) == {"count": 1}
        with pytest.raises(KrakenUnknownOrderError):
            trade.cancel_order(txid=order_id)
        with pytest.raises(KrakenInsufficientFundsError):
            trade.create_order("limit", "buy", "XBTUSDT", volume="9999", price="30000")
        closed = user.get_closed_orders()["closed"]
        assert closed[bought["txid"][0]]["status"] == "closed"
        assert user.get_orders_info(txid=order_id)[order_id]["status"] == "canceled"
        (trade_id,) = user.get_trades_history()["trades"]
        assert user.get_trades_info(txid=trade_id)[trade_id]["ordertxid"] == bought["txid"][0]
        assert user.get_account_balance()["XXBT"] == "2.2500000000"
        assert float(user.get_balances()["XXBT"]["hold_trade"]) == 0.0
        assert float(user.get_trade_balance(asset="USDT")["eb"]) > 0
        assert user.get_trade_volume(pair="XBTUSDT")["fees"]["XBTUSDT"]["fee"] == "0.4000"
        placed = trade.create_order("limit", "buy", "XBTUSDT", volume="0.5", price="30000")
        assert trade.cancel_order_batch(orders=placed["txid"]) == {"count": 1}
        order = {"ordertype": "limit", "type": "buy", "volume": "0.5", "price": "30000"}
        wanted = [order, {**order, "volume": "9999"}]
        batch = trade.create_order_batch(orders=wanted, pair="XBTUSDT")["orders"]
        assert "txid" in batch[0]
        assert batch[1] == {"error": "EOrder:Insufficient funds"}
        assert trade.cancel_all_orders() == {"count": 1}
        assert "triggerTime" in trade.cancel_all_orders_after_x(60)
        assert trade.cancel_all_orders() == {"count": 0}


def test_the_venues_own_sdk_understands_each_refusal_of_a_key() -> None:
    with serving_in_thread("kraken", speed=1.0) as served:
        engine, reader = served.key("engine"), served.key("reader")
        with pytest.raises(KrakenInvalidAPIKeyError):
            User("nobody", engine.secret, url=served.address).get_account_balance()
        with pytest.raises(KrakenInvalidSignatureError):
            User(engine.key, reader.secret, url=served.address).get_account_balance()
        assert User(reader.key, reader.secret, url=served.address).get_account_balance()
        with pytest.raises(KrakenPermissionDeniedError):
            Trade(reader.key, reader.secret, url=served.address).cancel_all_orders()


def test_the_venues_own_sdk_trades_over_the_socket() -> None:
    async def scene(served: Served) -> None:
        messages: list[dict[str, Any]] = []

        async def taken(message: dict[str, Any]) -> None:
            messages.append(message)

        def reports(kind: str) -> list[dict[str, Any]]:
            return [
                report
                for message in messages
                if message.get("channel") == "executions" and message["type"] == "update"
                for report in message["data"]
                if report["exec_type"] == kind
            ]

        def answers(method: str) -> list[dict[str, Any]]:
            return [message for message in messages if message.get("method") == method]

        key, address = served.key("engine"), served.socket_address
        client = SpotWSClient(
            key.key,
            key.secret,
            callback=taken,
            rest_url=served.address,
            ws_url=address,
            auth_ws_url=address,
        )
        await client.start()
        await client.subscribe(params={"channel": "executions", "snap_trades": True})
        await client.subscribe(params={"channel": "balances"})
        await until(lambda: len(answers("subscribe")) == 2, "both channels")
        add: dict[str, Any] = {"order_type": "limit", "side": "buy", "symbol": "BTC/USDT"}
        rests = {**add, "order_qty": 0.5, "limit_price": 30_000.0, "cl_ord_id": CLIENT_ID}
        await client.send_message({"method": "add_order", "params": rests, "req_id": 7})
        await until(lambda: reports("new"), "a new order")
        (answer,) = answers("add_order")
        assert (answer["req_id"], answer["success"]) == (7, True)
        order_id = answer["result"]["order_id"]
        amend = {"cl_ord_id": CLIENT_ID, "order_qty": 0.25}
        await client.send_message({"method": "amend_order", "params": amend})
        await until(lambda: reports("amended"), "amended")
        await client.send_message({"method": "cancel_order", "params": {"order_id": [order_id]}})
        await until(lambda: reports("canceled"), "cancelled")
        (report,) = reports("canceled")
        assert (report["order_id"], report["reason"]) == (order_id, "User requested")
        market = {**add, "order_type": "market", "order_qty": 0.5}
        await client.send_message({"method": "add_order", "params": market})
        await until(lambda: reports("filled"), "filled")
        (fill,) = reports("trade")
        assert (fill["last_qty"], fill["cum_qty"], fill["liquidity_ind"]) == (0.5, 0.5, "t")
        stop = {"order_type": "stop-loss", "side": "sell", "symbol": "BTC/USDT", "order_qty": 0.5}
        triggers = {"reference": "last", "price": 30_000.0, "price_type": "static"}
        await client.send_message({"method": "add_order", "params": {**stop, "triggers": triggers}})
        await until(lambda: len(reports("new")) == 3, "a stop")
        late = {**rests, "deadline": "2001-01-01T00:00:00Z"}
        await client.send_message({"method": "add_order", "params": late})
        await until(lambda: len(answers("add_order")) == 4, "a refusal")
        refused = answers("add_order")[-1]
        assert (refused["success"], refused["error"]) == (False, "EService:Deadline elapsed")
        await client.send_message({"method": "cancel_all_orders_after", "params": {"timeout": 60}})
        await client.send_message({"method": "cancel_all"})
        await until(lambda: answers("cancel_all"), "all cancelled")
        assert answers("cancel_all")[0]["result"] == {"count": 1}
        served.account.transfer("USDT", -500)
        await until(lambda: "withdrawal" in str(messages[-9:]), "a withdrawal")
        for channel in ("executions", "balances"):
            numbers = [m["sequence"] for m in messages if m.get("channel") == channel]
            assert numbers == list(range(1, len(numbers) + 1))
        await client.close()

    with serving_in_thread("kraken", speed=1.0) as served:
        asyncio.run(scene(served))


# --- faults of the connection ------------------------------------------------------------------


def test_an_order_is_accepted_and_its_answer_lost() -> None:
    async def scene(served: Served, exchange: Any) -> None:
        served.fault("reply_lost", only="AddOrder", count=1)
        ids = {"clientOrderId": CLIENT_ID}
        with pytest.raises(ccxt.NetworkError):
            await exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 30_000.0, ids)
        (found,) = await exchange.fetch_open_orders("BTC/USDT", params=ids)
        assert found["clientOrderId"] == CLIENT_ID

    play(scene)


@pytest.mark.parametrize("kind", ["request_late", "request_orphaned"])
def test_a_request_is_done_after_the_look_up_that_found_nothing(kind: str) -> None:
    async def scene(served: Served, exchange: Any) -> None:
        served.fault(kind, only="AddOrder", count=1, ms=1_500)
        ids = {"clientOrderId": CLIENT_ID}
        placing = asyncio.create_task(
            exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 30_000.0, ids)
        )
        await until(lambda: served.venue.faults.listed()[0]["struck"], "the request")
        looking = served.exchange("kraken", "reader")
        try:
            assert await looking.fetch_open_orders("BTC/USDT", params=ids) == []
            assert await looking.fetch_closed_orders("BTC/USDT", params=ids) == []
        finally:
            await looking.close()
        await until(served.account.open_orders, "the order")
        if kind == "request_late":
            assert (await placing)["id"] == served.account.open_orders()[0].order_id
        else:
            with pytest.raises(ccxt.NetworkError):
                await placing

    play(scene)


def test_private_messages_are_doubled_swapped_and_mute() -> None:
    async def scene(served: Served, exchange: Any) -> None:
        async with watching(exchange) as watched:
            served.fault("duplicate", only='"executions"', on="socket")
            served.fault("reorder", only='"executions"', on="socket", probability=0.5)
            for _ in range(3):
                await exchange.create_order("BTC/USDT", "market", "buy", 0.01)
            await until(lambda: len(watched.trades) >= 2, "fills")
            served.venue.faults.clear()
            number = served.fault("mute_private")
            before = len(watched.trades)
            order = await exchange.create_order("BTC/USDT", "market", "buy", 0.01)
            await exchange.fetch_balance()
            assert order["id"] not in watched.orders
            assert len(watched.trades) <= before + 1
            served.venue.faults.clear(number)
            await exchange.create_order("BTC/USDT", "market", "buy", 0.01)
            await until(lambda: len(watched.trades) > before, "fills again")

    play(scene)
