"""Alpaca keeps the contract, against a server with its protocol and its faults."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.contracts.venue.alpaca_claims import CLAIMS
from tests.contracts.venue.alpaca_scene import alpaca_scene
from tests.contracts.venue.contract import ALWAYS, Case, number
from tests.contracts.venue.faults import FAILING, keeps

from ares.domain.order_events import OrderAbsent
from ares.venues.alpaca import ALPACA


@pytest.mark.parametrize("case", [*ALWAYS, *FAILING, *CLAIMS], ids=number)
def test_the_contract(case: Case) -> None:
    async def run() -> None:
        async with alpaca_scene() as scene:
            if not keeps(scene, case):
                pytest.skip("its protocol has nothing of the kind")
            await case(scene)

    asyncio.run(run())


def test_without_the_trait_an_order_that_is_not_found_stays_unknown() -> None:
    async def run() -> None:
        traits = msgspec.structs.replace(ALPACA.traits, claims_ids=False)
        async with alpaca_scene(traits=traits) as scene:
            missing = scene.order("entry").client_id
            (answer,) = await scene.looked_up(missing)
            assert isinstance(answer, OrderAbsent)
            assert answer.venue_ms == 0  # no time that could lie after a deadline: proves nothing
            assert scene.claims_at_venue(missing) == []

    asyncio.run(run())
