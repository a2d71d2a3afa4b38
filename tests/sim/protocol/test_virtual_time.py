"""Virtual time passes only where nothing else is to be done."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.sim.protocol.virtual_time import NothingLeft, VirtualTimeLoop


def test_hours_pass_at_once_and_in_order() -> None:
    loop, seen = VirtualTimeLoop(), list[float]()

    async def wait(seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append(loop.time())

    async def run() -> None:
        await asyncio.gather(wait(7_200.0), wait(0.25), wait(3_600.0))

    began_s = time.monotonic()
    loop.run_until_complete(run())
    loop.close()
    assert seen == pytest.approx([0.25, 3_600.0, 7_200.0])
    assert time.monotonic() - began_s < 3_600.0


def test_a_loop_in_which_nothing_can_happen_raises() -> None:
    loop = VirtualTimeLoop()
    forever = loop.create_future()
    with pytest.raises(NothingLeft):
        loop.run_until_complete(forever)
    forever.cancel()
    loop.close()
