"""Best bids of a server, and of one that is gone."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from tests.sim.serving import serving

from ares.domain.errors import ExternalError
from ares.venues.quotes import best_bids


def test_the_best_bids_are_read() -> None:
    async def check() -> None:
        async with serving("kraken", speed=1.0) as served:
            exchange = served.exchange("kraken")
            await exchange.load_markets()
            bids = await best_bids("kraken", exchange, ["BTC/USDT", "ADA/USDT"])
            ticks = served.venue.market.symbols[0].last_ticks(served.venue.now_ms())
            assert Decimal(ticks) / 100 * Decimal("0.9") < bids[0] <= Decimal(ticks) / 100
            assert bids[1] > 0
            served.fault("http_503")
            with pytest.raises(ExternalError, match="its prices were not read"):
                await best_bids("kraken", exchange, ["BTC/USDT"])
            await exchange.close()

    asyncio.run(check())
