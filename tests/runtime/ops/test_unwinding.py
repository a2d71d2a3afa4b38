"""In the place of an engine that was ended, at a server that speaks Kraken's protocol."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
from tests.contracts.venue.kraken_scene import QUICK, KrakenScene, kraken_scene
from tests.contracts.venue.loopback import SYMBOLS
from tests.contracts.venue.scene import OWNER

from ares.domain.api_key import ApiKey
from ares.domain.kill_ids import kill_lane
from ares.domain.order_events import OrderFilled, SubmitOrder
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import MINUTE_MS, Timeframe
from ares.runtime.ops.journal_ledger import JournaledOrder, JournalLedger
from ares.runtime.ops.unwinding import Unwinding, UnwindingPlan, Unwound
from ares.venues.kraken_venue import KrakenAccount

FOREIGN_BTC = 2 * 10**8
"""What the account of the server holds before anything is traded."""


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in an event loop of its own."""

    @functools.wraps(test)
    def run(**arguments: Any) -> None:
        asyncio.run(test(**arguments))

    return run


@dataclass
class Clock:
    scene: KrakenScene

    def now_ms(self) -> int:
        return self.scene.now_ms()


async def setup_of(scene: KrakenScene, account: KrakenAccount) -> RunSetup:
    markets = await account.markets(SYMBOLS)
    lanes = tuple(RunInstrument(market.spec("kraken"), MINUTE_MS, None, True) for market in markets)
    return RunSetup(
        "rehearsal/kraken", lanes, (Timeframe.M1,), -1, 0, 0, 0, 10_000.0, {}, 0.25, {},
        owner=OWNER, nonce="n", traits=scene.traits,
    )  # fmt: skip


async def unwound(
    scene: KrakenScene,
    lots: int,
    *orders: SubmitOrder,
    flatten: bool = True,
    outside: int = FOREIGN_BTC,
    key: str = "engine",
    meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> Unwound:
    """Unwind what a journal says: lots of BTC, and orders that have not ended."""
    found = scene.served.key(key)
    account = KrakenAccount(
        ApiKey(found.key, found.secret), scene.now_ms, scene.lines.append, scene.served.address,
        policy=QUICK,
    )  # fmt: skip
    setup = await setup_of(scene, account)
    ledger = JournalLedger(setup, [lots, 0], [outside, 10**12], at_ms=scene.now_ms())
    if lots:  # the journal has what was bought
        ledger.executions = {(e.client_id, e.exec_id) for e in scene.of(OrderFilled)}
    for order in orders:
        ledger.orders[order.client_id] = JournaledOrder(
            order.client_id, 0, order.kind, order.lots, order.send_by_ms
        )
    plan = UnwindingPlan(flatten, 200.0, "deadbeef")
    try:
        unwinding = Unwinding(account, ledger, plan, Clock(scene), scene.lines.append)
        running = asyncio.create_task(unwinding.run())
        if meanwhile is not None:
            await meanwhile()
        return await running
    finally:
        await account.close()


async def rests(scene: KrakenScene) -> SubmitOrder:
    """Return an entry that rests in the book."""
    order = scene.order("entry", ticks=scene.ticks() // 2)
    exchange = scene.served.exchange("kraken")
    await exchange.privatePostAddOrder(
        {
            "pair": "XBTUSDT", "type": "buy", "ordertype": "limit", "volume": "0.01",
            "price": "10000", "cl_ord_id": order.client_id,
        }
    )  # fmt: skip
    await exchange.close()
    await scene.until(lambda: order.client_id in open_ids(scene))
    return order


def btc(scene: KrakenScene) -> int:
    return scene.served.account.account.balances["BTC"]


def open_ids(scene: KrakenScene) -> set[str]:
    orders = scene.served.account.orders.values()
    return {o.requested.client_id for o in orders if o.is_open}


@in_loop
async def test_the_stop_is_cancelled_and_all_that_is_own_is_sold() -> None:
    async with kraken_scene() as scene:
        entry = await scene.bought()
        stop = await scene.submit("stop")
        done = await unwound(scene, entry.lots, stop)
        assert btc(scene) == FOREIGN_BTC
        assert open_ids(scene) == set()
        assert done.cancelled == [stop.client_id]
        assert done.sold == {0: entry.lots}
        assert done.remainders == {}
        ids = [o.requested.client_id for o in scene.served.account.orders.values()]
        assert [kill_lane(id_) for id_ in ids[2:]] == [0]


@in_loop
async def test_without_flatten_stops_stay() -> None:
    async with kraken_scene() as scene:
        entry = await scene.bought()
        stop = await scene.submit("stop")
        done = await unwound(scene, entry.lots, stop, flatten=False)
        assert btc(scene) == FOREIGN_BTC + entry.lots
        assert open_ids(scene) == {stop.client_id}
        assert done.cancelled == []


@in_loop
async def test_orders_and_coins_of_others_are_left_alone() -> None:
    """The ledger holds more than there is: somebody sold some. No coin of theirs is sold."""
    async with kraken_scene() as scene:
        entry = await scene.bought()
        scene.served.account.account.balances["BTC"] -= entry.lots // 4
        done = await unwound(scene, entry.lots)
        assert btc(scene) == FOREIGN_BTC
        assert done.sold == {0: entry.lots - entry.lots // 4}
        assert done.missing == {0: entry.lots // 4}


@in_loop
async def test_what_is_below_the_smallest_order_is_reported() -> None:
    async with kraken_scene() as scene:
        done = await unwound(scene, 3, outside=FOREIGN_BTC - 3)
        assert done.remainders == {0: 3}
        assert done.missing == {}
        assert done.sold == {}
        assert done.flat_s is not None


@in_loop
async def test_an_order_that_arrives_late_is_sold_too() -> None:
    async with kraken_scene() as scene:
        scene.served.fault("request_late", ms=1_500, count=1, only="AddOrder")
        entry = scene.order("entry")
        scene.send(entry)
        done = await unwound(scene, 0, entry, key="owner")
        assert btc(scene) == FOREIGN_BTC
        assert scene.at_venue(entry.client_id) == 1, "it has arrived"
        assert done.late >= 1
        assert done.sold == {0: entry.lots}


@pytest.mark.parametrize("fault", ["reply_lost", "error_after"])
@in_loop
async def test_a_sale_whose_answer_is_lost_is_not_sent_twice(fault: str) -> None:
    async with kraken_scene() as scene:
        entry = await scene.bought()
        scene.served.fault(fault, count=1, only="AddOrder")
        await unwound(scene, entry.lots)
        assert btc(scene) == FOREIGN_BTC
        orders = scene.served.account.orders.values()
        assert sum(kill_lane(o.requested.client_id) == 0 for o in orders) == 1


@in_loop
async def test_an_execution_that_the_journal_missed_counts() -> None:
    """The engine died before it knew that its entry was filled."""
    async with kraken_scene() as scene:
        entry = await scene.bought()
        done = await unwound(scene, 0, entry)
        assert btc(scene) == FOREIGN_BTC
        assert done.sold == {0: entry.lots}


@in_loop
async def test_a_key_that_may_not_trade_cancels() -> None:
    """The watchdog's."""
    async with kraken_scene() as scene:
        entry = await scene.bought()
        stop = await scene.submit("stop")
        resting = await rests(scene)
        done = await unwound(scene, entry.lots, stop, resting, flatten=False, key="watchdog")
        assert stop.client_id in open_ids(scene)
        assert resting.client_id not in open_ids(scene)
        assert done.flat_s is not None
