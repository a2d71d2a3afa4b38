"""The client of the server's own door, as `ares sim fault` uses it."""

from __future__ import annotations

import asyncio

import pytest
from tests.sim.serving import serving

from ares.domain.errors import ExternalError, UserError
from ares.sim.serve.admin import SimAdmin
from ares.sim.serve.faults import Fault


def test_faults_and_clock() -> None:
    async def scene() -> None:
        async with serving("kraken") as served:
            admin = SimAdmin(served.address)
            number = await asyncio.to_thread(admin.add, Fault("drop", probability=0.5))
            assert [f["id"] for f in await asyncio.to_thread(admin.faults)] == [number]
            assert (await asyncio.to_thread(admin.clock))["speed"] == 60.0
            with pytest.raises(UserError, match="give minutes"):
                await asyncio.to_thread(admin.add, Fault("gap"))
            assert await asyncio.to_thread(admin.clear, number) == 1
            assert await asyncio.to_thread(admin.clear) == 0

    asyncio.run(scene())


@pytest.mark.parametrize("protocol", ["kraken", "binance"])
def test_money_moves_from_outside(protocol: str) -> None:
    async def scene() -> None:
        async with serving(protocol) as served:
            admin = SimAdmin(served.address)
            before = await asyncio.to_thread(admin.account)
            assert (before["balances"]["BTC"], before["open_orders"]) == ("2.00000000", 0)
            await asyncio.to_thread(admin.transfer, "BTC", "-0.5")
            after = await asyncio.to_thread(admin.transfer, "EUR", "7")
            assert after["balances"] == before["balances"] | {
                "BTC": "1.50000000",
                "EUR": "7.00000000",
            }
            for asset, amount in (("BTC", "-9"), ("BTC", "x"), ("", "1")):
                with pytest.raises(UserError):
                    await asyncio.to_thread(admin.transfer, asset, amount)
            assert await asyncio.to_thread(admin.account) == before | after

    asyncio.run(scene())


def test_no_server_is_one_line() -> None:
    with pytest.raises(ExternalError, match="no answer of `ares sim serve`"):
        SimAdmin("http://127.0.0.1:9").clock()
    with pytest.raises(UserError, match="http://HOST:PORT"):
        SimAdmin("localhost")
