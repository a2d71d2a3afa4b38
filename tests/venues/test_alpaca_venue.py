"""An Alpaca account: what it is refused for before anything is sent."""

from __future__ import annotations

import asyncio

import pytest
from tests.sim.serving import serving

from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.venues.alpaca import ALPACA
from ares.venues.alpaca_venue import AlpacaAccount


def test_an_empty_key_is_the_callers_error() -> None:
    with pytest.raises(UserError, match="is empty"):
        AlpacaAccount(ApiKey("", "x"), lambda: 0)


def test_a_wrong_key_and_a_symbol_that_is_not_traded() -> None:
    async def run() -> None:
        async with serving("alpaca", 1.0) as served:
            key = served.key("engine")
            wrong = AlpacaAccount(ApiKey(key.key, "x"), lambda: 0, address=served.address)
            right = AlpacaAccount(ApiKey(key.key, key.secret), lambda: 0, address=served.address)
            try:
                with pytest.raises(ExternalError, match="not authorized"):
                    await wrong.markets(["BTC/USDT"])
                with pytest.raises(UserError, match="does not trade X/Y"):
                    await right.venue(["X/Y"], ALPACA.traits, lambda _: None)
            finally:
                await wrong.close()
                await right.close()

    asyncio.run(run())
