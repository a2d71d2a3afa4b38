"""The statement of an Alpaca account, against its server."""

from __future__ import annotations

import asyncio

from tests.contracts.venue.alpaca_scene import QUICK, AlpacaScene, alpaca_scene
from tests.contracts.venue.loopback import SYMBOLS

from ares.domain.api_key import ApiKey
from ares.domain.order_events import OrderFilled
from ares.venues.alpaca_venue import AlpacaAccount
from ares.venues.statement import Statement


async def statement(scene: AlpacaScene, from_ms: int) -> Statement:
    key = scene.served.key("reader")
    account = AlpacaAccount(
        ApiKey(key.key, key.secret), scene.now_ms, address=scene.served.address, policy=QUICK
    )
    try:
        return await account.statement(SYMBOLS, from_ms)
    finally:
        await account.close()


def test_balances_orders_and_executions_are_those_that_were_reported() -> None:
    async def run() -> None:
        async with alpaca_scene() as scene:
            began_ms = scene.now_ms() - 60_000
            scene.served.fault("partial_fills", rate=200.0)
            entry = await scene.submit("entry")
            await scene.end_of(entry.client_id)
            scene.served.venue.faults.clear()
            await scene.bought()
            stop = await scene.submit("stop")
            found = await statement(scene, began_ms)
            assert found.complete
            assert found.lots[0] == scene.served.account.account.balance("BTC")
            (order,) = found.orders
            assert (order.client_id, order.lots, order.price_ticks) == (
                stop.client_id, stop.lots, stop.price_ticks,
            )  # fmt: skip
            reported = {
                (e.exec_id, e.client_id, e.lots, e.base_fee_units) for e in scene.of(OrderFilled)
            }
            assert len(reported) > 10
            shown = {(e.exec_id, e.client_id, e.lots, e.base_fee_units) for e in found.executions}
            assert shown == reported
            scene.served.fault("incomplete", on="rest")
            assert not (await statement(scene, began_ms)).complete

    asyncio.run(run())
