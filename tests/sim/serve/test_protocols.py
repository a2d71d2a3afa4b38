"""Every protocol that can be served has a face that answers, rules and ids."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from tests.sim.serving import serving

from ares.sim.serve.protocols import PROTOCOLS


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_a_protocol_is_served_and_refuses_in_json(protocol: str) -> None:
    async def run() -> None:
        async with serving(protocol) as served, aiohttp.ClientSession() as session:
            served.fault("http_503", count=1)
            async with session.get(f"{served.address}/") as answer:
                assert answer.status == 503
                assert isinstance(await answer.json(), dict)

    asyncio.run(run())


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_ids_differ_within_a_run_and_between_runs(protocol: str) -> None:
    first, second = (PROTOCOLS[protocol].ids(n) for n in (1_000_000, 2_000_000))
    given = [ids.next("O") for ids in (first, first, second, second)]
    assert len(set(given)) == 4
