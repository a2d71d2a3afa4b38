"""Binance keeps the contract, against a server with its protocol and its faults."""

from __future__ import annotations

import asyncio

import pytest
from tests.contracts.venue.binance_scene import binance_scene
from tests.contracts.venue.contract import ALWAYS, Case, number
from tests.contracts.venue.faults import FAILING, keeps

NEAR = {"v24_an_order_that_arrives_after_its_deadline_is_not_carried_out": 3_000}
"""Cases that wait for a deadline -> how far away it is, in ms."""


@pytest.mark.parametrize("case", [*ALWAYS, *FAILING], ids=number)
def test_the_contract(case: Case) -> None:
    async def run() -> None:
        async with binance_scene(NEAR.get(number(case), 0)) as scene:
            if not keeps(scene, case):
                pytest.skip("of something that Binance does not have")
            await case(scene)

    asyncio.run(run())
