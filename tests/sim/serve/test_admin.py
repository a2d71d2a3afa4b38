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


def test_no_server_is_one_line() -> None:
    with pytest.raises(ExternalError, match="no answer of `ares sim serve`"):
        SimAdmin("http://127.0.0.1:9").clock()
    with pytest.raises(UserError, match="http://HOST:PORT"):
        SimAdmin("localhost")
