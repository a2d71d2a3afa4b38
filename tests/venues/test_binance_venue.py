"""A Binance account, composed."""

from __future__ import annotations

import asyncio

import pytest
from tests.sim.serving import serving

from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.domain.events import Event
from ares.domain.feed_events import InstrumentChanged
from ares.venues.binance import BINANCE
from ares.venues.binance_venue import BinanceAccount
from ares.venues.ccxt_account import AccountPolicy

KEYS = ApiKey("abcdefgh", "secret")


def test_keys_that_cannot_be_any_are_refused() -> None:
    for wrong in (ApiKey("", "s"), ApiKey("k", "")):
        with pytest.raises(UserError, match="is empty"):
            BinanceAccount(wrong, lambda: 0)


def test_a_venue_that_does_not_answer_is_an_external_error() -> None:
    async def run() -> None:
        account = BinanceAccount(KEYS, lambda: 0, address="http://127.0.0.1:9")
        try:
            with pytest.raises(ExternalError, match="its markets were not read"):
                await account.markets(["BTC/USDT"])
        finally:
            await account.close()

    asyncio.run(run())


def test_states_of_symbols_are_events() -> None:
    async def run() -> list[Event]:
        events: list[Event] = []
        async with serving("binance", speed=1.0) as served:
            key = served.key("engine")
            account = BinanceAccount(
                ApiKey(key.key, key.secret), lambda: 5, address=served.address,
                policy=AccountPolicy(states_s=0.05),
            )  # fmt: skip
            venue = await account.venue(["BTC/USDT", "ADA/USDT"], BINANCE.traits, events.append)
            running = asyncio.create_task(venue.run())
            try:
                async with asyncio.timeout(60.0):
                    while len(states(events)) < 2:
                        await asyncio.sleep(0.01)
                    served.fault("maintenance", only="ADA/USDT")
                    while len(states(events)) < 3:
                        await asyncio.sleep(0.01)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                await venue.close()
        return events

    first, second, changed = states(asyncio.run(run()))
    assert (first, second) == (("trading", 0), ("trading", 1))
    assert changed[0] != "trading"
    assert changed[1] == 1


def states(events: list[Event]) -> list[tuple[str, int]]:
    return [(e.state, e.instrument) for e in events if isinstance(e, InstrumentChanged)]


def test_an_error_of_the_clock_has_it_measured_again() -> None:
    async def run() -> None:
        account = BinanceAccount(KEYS, lambda: 0, address="http://127.0.0.1:9")
        try:
            assert account._is_refusal("-2010 no")
            assert not account._clock_doubted.is_set()
            assert account._is_refusal("-1021 Timestamp")
            assert account._clock_doubted.is_set()
        finally:
            await account.close()

    asyncio.run(run())
